"""Detection of keywords in sound that goes on: the network hears the last second, hop after hop.

The windows are those of `audionet.inference.windows`, and what their scores mean is decided by
`audionet.decoding.advance`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace

import numpy as np
from torch import Tensor

from audionet import audio
from audionet.audio.containers.limits import check_sample_rate
from audionet.audio.fitting import speech_span
from audionet.audio.waveform import as_array, check_waveform, from_tensor
from audionet.checks import check_at_least, check_that, listed
from audionet.decoding import Event, EventSettings, advance, start
from audionet.decoding.events import choose_keywords, choose_thresholds
from audionet.inference.windows import ClipRecognizer, DetectorState, Fresh, begin, check_chunks, end, extend

_AT_ONCE = 64  # windows that go through the network at once
_BLOCK = 1 << 18  # samples of a long recording at once


class Detector:
    """Finds keywords in streams: chunks of any size go in, events come out.

    Every hop the last `clip_length` samples go through front-end and network, as a clip of a recording would, so a
    score is that of the recogniser on the same window. The scores do not depend on how the sound is cut into chunks.
    A stream begins with silence, and ends with silence.

    Args:
        recognizer: A `Recognizer`, or anything with its `labels`, `sample_rate`, `clip_length`, `thresholds` and
            `clip_probabilities`.
        keywords: The words to wait for; None for all words of the recogniser.
        thresholds: Score from which on a keyword is reported: one for all, or {keyword: score}; None for the
            recogniser's.
        hop_seconds: From one window to the next.
        smoothing: Number of windows whose scores are averaged.
        hysteresis: An event ends when its score falls below this share of its threshold.
        refractory: Seconds in which a keyword is not reported again.
        n_streams: Number of streams that are heard side by side.

    Attributes:
        keywords: The words that are waited for.
        settings: When a score is an event.
        state: What is remembered between chunks; each push replaces it. ``state.events.scores`` are the scores now.

    Raises:
        ValueError: A keyword is no word of the recogniser, or a setting is out of its range.

    Example:
        >>> detector = audionet.load_detector("digits")
        >>> [event.keyword for event in detector.detect_file("seven.wav")]
        ['seven']
    """

    def __init__(
        self,
        recognizer: ClipRecognizer,
        *,
        keywords: Sequence[str] | None = None,
        thresholds: float | Mapping[str, float] | None = None,
        hop_seconds: float = 0.15,
        smoothing: int = 2,
        hysteresis: float = 0.7,
        refractory: float = 0.5,
        n_streams: int = 1,
    ) -> None:
        seconds = recognizer.clip_length / recognizer.sample_rate
        check_at_least(1 / recognizer.sample_rate, seconds, hop_seconds=hop_seconds)
        check_at_least(1, whole=True, n_streams=n_streams)
        self.recognizer, self.n_streams = recognizer, n_streams
        self.keywords = choose_keywords([*recognizer.thresholds], keywords)
        self.settings = EventSettings(
            keywords=self.keywords,
            thresholds=choose_thresholds(self.keywords, thresholds, recognizer.thresholds),
            smoothing=smoothing,
            hysteresis=hysteresis,
            refractory=refractory,
            window_seconds=seconds,
        )
        self.hop_length = round(hop_seconds * recognizer.sample_rate)
        self._columns = [recognizer.labels.index(keyword) for keyword in self.keywords]
        self.state = self._new_state()

    def __repr__(self) -> str:
        windows = f"windows of {self.settings.window_seconds:g} s"
        every = f"every {self.hop_length / self.recognizer.sample_rate:g} s"
        n_streams = f"{self.n_streams} stream{'s' if self.n_streams > 1 else ''}"
        return f"<Detector of {listed(self.keywords)}: {windows} {every}, of {n_streams}>"

    def push(self, chunk: np.ndarray | Tensor | Sequence[float], sample_rate: int | None = None) -> list[Event]:
        """Take the next samples of the one stream.

        Args:
            chunk: (time,), float in [-1, 1], of any length.
            sample_rate: Sample rate of the stream, in Hz; it is needed with the first chunk.

        Returns:
            The events that are reported now.

        Raises:
            ValueError: The chunk is no float waveform (time,) of finite samples; the rate is missing, or another than
                before; or there are several streams.
        """
        self._check_one("push_batch")
        return self._take(check_chunks(chunk, 1, "(time,)")[None], self._chosen(None, ""), sample_rate)[0]

    def push_batch(
        self,
        chunks: np.ndarray | Tensor | Sequence[Sequence[float]],
        active: np.ndarray | Tensor | Sequence[bool] | None = None,
        sample_rate: int | None = None,
    ) -> list[list[Event]]:
        """Take the next samples of each stream.

        Args:
            chunks: (stream, time), float in [-1, 1].
            active: Which streams go on, (stream,) bool; None for all. The others stay as they are.
            sample_rate: Sample rate of the streams, in Hz; it is needed with the first chunks.

        Returns:
            The events of each stream that are reported now.

        Raises:
            ValueError: The chunks are no float waveforms (stream, time) of finite samples; the rate is missing, or
                another than before; or the mask does not fit.
        """
        rows = check_chunks(chunks, 2, f"({self.n_streams} streams, time)")
        fits = len(rows) == self.n_streams
        check_that(fits, "chunks", f"({self.n_streams} streams, time)", rows.shape, "give one row a stream")
        return self._take(rows, self._chosen(active, "active"), sample_rate)

    def finish(self) -> list[Event]:
        """End the one stream, and return the events that its end brings. The detector is then as new."""
        self._check_one("finish_batch")
        return self.finish_batch()[0]

    def finish_batch(self) -> list[list[Event]]:
        """End all streams, and return the events of each that its end brings. The detector is then as new."""
        events = self._advance([end(state) for state in self.state.streams])
        self.reset()
        return events

    def gap(self, seconds: float) -> list[Event]:
        """Skip a stretch of the one stream that did not come, such as what a microphone lost.

        The stream ends before the gap and begins anew behind it, with silence; its time goes on.

        Args:
            seconds: Length of the gap.

        Returns:
            The events that the end before the gap brings.

        Raises:
            ValueError: The length is negative, or there are several streams.
        """
        self._check_one("reset")
        check_at_least(0, seconds=seconds)
        time, rate = self.time, self.state.sample_rate
        events = self._advance([end(state) for state in self.state.streams])
        self.state = replace(self._new_state(at=time + seconds), sample_rate=rate)
        return events[0]

    def reset(self, streams: np.ndarray | Tensor | Sequence[bool] | None = None) -> None:
        """Forget what was heard.

        Args:
            streams: Which streams begin anew, (stream,) bool; None for all, which may then have another sample rate.

        Raises:
            ValueError: The mask does not fit.
        """
        self.state = self._new_state().where(self._chosen(streams, "streams"), self.state)

    @property
    def time(self) -> float:
        """Seconds of the first stream that have come."""
        return self.state.streams[0].time(self.state.sample_rate)

    def detect(self, waveform: np.ndarray | Tensor | Sequence[float], sample_rate: int) -> list[Event]:
        """Find the keywords in a recording of any length, in a stream of its own.

        Args:
            waveform: (time,) or (channel, time), float in [-1, 1].
            sample_rate: Its sample rate, in Hz.

        Raises:
            ValueError: The waveform or its sample rate is not as described.

        Example:
            >>> (event,) = audionet.load_detector("digits").detect(waveform, sample_rate)
            >>> event.keyword, round(event.start, 1), round(event.end, 1)
            ('seven', 0.1, 0.6)
        """
        samples = audio.to_mono(np.atleast_2d(check_waveform(as_array(from_tensor(waveform)))))
        return [*self._detected([samples], check_sample_rate(sample_rate))]

    def detect_file(self, source: audio.Source) -> list[Event]:
        """Find the keywords in a file of any length: a path, bytes, or a binary file object.

        Raises:
            audionet.audio.AudioError: The file cannot be read.
        """
        return [*self.detect_stream(source)]

    def detect_stream(self, source: audio.Source, raw: audio.Raw | None = None) -> Iterator[Event]:
        """Yield the keywords in a file, or in what comes through a pipe, as they are found, in a stream of its own.

        Args:
            source: A path, bytes, or a binary file object.
            raw: What the samples are, if they have no header; None for a file or a stream with one.

        Raises:
            audionet.audio.AudioError: The source cannot be read.
        """
        with audio.streamed(source, raw) as sound:
            yield from self._detected(map(audio.to_mono, sound.blocks), sound.rate)

    def _detected(self, blocks: Iterable[np.ndarray], rate: int) -> Iterator[Event]:
        """Yield the events of a sound in blocks (1, time), by a detector of one stream with the same settings."""
        alone = copy(self)
        alone.n_streams = 1
        alone.reset()
        for block in blocks:
            for first in range(0, block.shape[1], _BLOCK):
                yield from alone.push(block[0, first : first + _BLOCK], rate)
        yield from alone.finish()

    def _take(self, rows: np.ndarray, active: np.ndarray, sample_rate: int | None) -> list[list[Event]]:
        """Take the next samples (stream, time) of the active streams."""
        rate = self._rate(sample_rate)
        steps = [
            extend(state, row if goes_on else row[:0], rate)
            for state, row, goes_on in zip(self.state.streams, rows, active, strict=True)
        ]
        self.state = replace(self.state, streams=tuple(state for _, state in steps), sample_rate=rate)
        return self._advance([fresh for fresh, _ in steps])

    def _advance(self, fresh: Sequence[Fresh]) -> list[list[Event]]:
        """Score the new windows of each stream, many at once, and decode the scores one after the other."""
        events: list[list[Event]] = [[] for _ in fresh]
        n_windows = np.array([len(each.times) for each in fresh])
        n_steps = max(_AT_ONCE // self.n_streams, 1)
        for first in range(0, n_windows.max(), n_steps):
            parts = [each.part(first, first + n_steps) for each in fresh]
            active = np.arange(first, first + n_steps) < n_windows[:, None]  # (stream, step)
            times, scores = np.zeros(active.shape), np.zeros((*active.shape, len(self.keywords)))
            times[active] = np.concatenate([part.times for part in parts])
            clips = np.concatenate([part.windows for part in parts])
            scores[active] = self.recognizer.clip_probabilities(clips)[:, self._columns]
            for step in np.flatnonzero(active.any(axis=0)):
                now = (scores[:, step], times[:, step], active[:, step])
                found, decoded = advance(*now, self.state.events, self.settings)
                self.state = replace(self.state, events=decoded)
                for stream, event in enumerate(found):
                    if event:
                        events[stream].append(self._placed(event, stream, parts[stream].windows[step]))
        return events

    def _placed(self, event: Event, stream: int, window: np.ndarray) -> Event:
        """Give an event the start and the end of the speech in its window, behind that of the event before."""
        rate, heard = self.recognizer.sample_rate, self.state.heard.copy()
        skipped = max(round((heard[stream] - event.start) * rate), 0)
        first, last = speech_span(window[skipped:], rate)
        begins, ends = (event.start + (skipped + sample) / rate for sample in (first, last))
        heard[stream] = ends
        self.state = replace(self.state, heard=heard)
        return event._replace(start=begins, end=ends)

    def _new_state(self, at: float = 0.0) -> DetectorState:
        windows = begin(self.recognizer.clip_length, self.hop_length, self.recognizer.sample_rate, at)
        heard = np.full(self.n_streams, at)
        return DetectorState((windows,) * self.n_streams, start(self.n_streams, self.settings), heard)

    def _rate(self, sample_rate: int | None) -> int:
        """Return the sample rate of the streams, which must be given once and must not change."""
        before = self.state.sample_rate
        if sample_rate is None and before is not None:
            return before
        rate = check_sample_rate(sample_rate, "give that of the first chunk, such as push(chunk, 16_000)")
        advice = "end the stream by finish() before another, or resample it"
        check_that(before in (None, rate), "sample_rate", f"{before} Hz as before", rate, advice)
        return rate

    def _chosen(self, mask: object, name: str) -> np.ndarray:
        """Return a mask (stream,) bool; all streams for None."""
        chosen = np.ones(self.n_streams, bool) if mask is None else np.asarray(from_tensor(mask))
        fits = chosen.dtype == bool and chosen.shape == (self.n_streams,)
        check_that(fits, name, f"({self.n_streams} streams,) of True and False", mask)
        return chosen

    def _check_one(self, instead: str) -> None:
        check_that(self.n_streams == 1, "n_streams", "1 for this method", self.n_streams, f"call {instead}")
