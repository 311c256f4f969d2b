"""The windows of a stream, which are the last samples hop after hop, and what gives them scores."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np

from audionet.audio import Resampler, check_scale
from audionet.audio.waveform import as_array, check_waveform, from_tensor
from audionet.checks import check_that
from audionet.decoding import EventState


class ClipRecognizer(Protocol):
    """What a detector asks of a recogniser: `audionet.inference.Recognizer` is one.

    Attributes:
        labels: Names of the classes.
        sample_rate: Samples per second of the clips.
        clip_length: Samples of a clip.
    """

    labels: tuple[str, ...]
    sample_rate: int
    clip_length: int

    @property
    def thresholds(self) -> Mapping[str, float]:
        """The score from which on each keyword is reported, by keyword."""

    def clip_probabilities(self, clips: np.ndarray) -> np.ndarray:
        """Map clips (batch, clip_length) to probabilities (batch, n_classes)."""


class Fresh(NamedTuple):
    """New windows of a stream, (window, clip_length), and the seconds of the stream at which they end, (window,)."""

    windows: np.ndarray
    times: np.ndarray

    def part(self, first: int, stop: int) -> "Fresh":
        """Return some of them."""
        return Fresh(self.windows[first:stop], self.times[first:stop])


@dataclass(frozen=True, eq=False)
class Windows:
    """What one stream remembers between chunks.

    A stream begins with silence: the first window holds one hop of sound and zeros before it.

    Attributes:
        clip_length: Samples of a window.
        hop_length: Samples from one window to the next.
        sample_rate: Sample rate of the windows, in Hz.
        samples: The samples that the next windows need, (time,) float32.
        n_windows: Windows since the beginning.
        began: Seconds of the stream at which it began, or began anew behind a gap.
        n_samples: Samples that have come since then, at the stream's own rate.
        resampler: What brings the chunks to the sample rate; None before the first. It goes on from chunk to chunk.
    """

    clip_length: int
    hop_length: int
    sample_rate: int
    samples: np.ndarray
    n_windows: int = 0
    began: float = 0.0
    n_samples: int = 0
    resampler: Resampler | None = None

    def time(self, from_rate: int | None) -> float:
        """Return the seconds of the stream that have come, by the sample rate of its chunks."""
        return self.began + (self.n_samples / from_rate if from_rate else 0.0)


def begin(clip_length: int, hop_length: int, sample_rate: int, at: float = 0.0) -> Windows:
    """Return the state of a stream that begins at a time in seconds."""
    silence = np.zeros(clip_length - hop_length, np.float32)
    return Windows(clip_length, hop_length, sample_rate, silence, began=at)


@dataclass(frozen=True, eq=False)
class DetectorState:
    """What a detector remembers between chunks.

    Attributes:
        streams: The samples that the next windows of each stream need.
        events: Scores and events so far.
        heard: Seconds of each stream up to which its sound belongs to an event, (stream,).
        sample_rate: Sample rate of the chunks, in Hz; None before the first.
    """

    streams: tuple[Windows, ...]
    events: EventState
    heard: np.ndarray
    sample_rate: int | None = None

    def where(self, chosen: np.ndarray, other: "DetectorState") -> "DetectorState":
        """Return this state for the chosen streams, (stream,) bool, and another for the rest."""
        streams = (one if here else rest for here, one, rest in zip(chosen, self.streams, other.streams, strict=True))
        rate = self.sample_rate if chosen.all() else other.sample_rate
        heard = np.where(chosen, self.heard, other.heard)
        return DetectorState(tuple(streams), self.events.where(chosen, other.events), heard, rate)


def extend(state: Windows, chunk: np.ndarray, from_rate: int) -> tuple[Fresh, Windows]:
    """Take the next samples of a stream.

    Args:
        state: The state before.
        chunk: (time,), float32.
        from_rate: Sample rate of the stream, in Hz.

    Returns:
        The windows that are complete, and the state after them.

    Example:
        >>> state = begin(clip_length=4, hop_length=2, sample_rate=8000)
        >>> fresh, state = extend(state, np.array([1.0, 2.0, 3.0], np.float32), 8000)
        >>> fresh.windows.tolist(), fresh.times.tolist(), state.samples.tolist()
        ([[0.0, 0.0, 1.0, 2.0]], [0.00025], [1.0, 2.0, 3.0])
    """
    resampler = state.resampler or Resampler(from_rate, state.sample_rate)
    fresh, samples = _cut(state, resampler.push(chunk[None])[0])
    n_windows, n_samples = state.n_windows + len(fresh.times), state.n_samples + len(chunk)
    return fresh, replace(state, samples=samples, n_windows=n_windows, n_samples=n_samples, resampler=resampler)


def end(state: Windows) -> Fresh:
    """Return the windows up to the end of a stream and half a window of silence, which moves its last word inwards."""
    rest = state.resampler.finish()[0] if state.resampler else state.samples[:0]
    return _cut(state, np.concatenate([rest, np.zeros(state.clip_length // 2, np.float32)]))[0]


def _cut(state: Windows, new: np.ndarray) -> tuple[Fresh, np.ndarray]:
    """Cut the windows that the next samples complete, and return the samples that are kept, too."""
    hop, samples = state.hop_length, np.concatenate([state.samples, new])
    n_windows = max((len(samples) - state.clip_length) // hop + 1, 0)
    if not n_windows:
        return Fresh(samples[:0].reshape(0, state.clip_length), np.zeros(0)), samples
    windows = np.lib.stride_tricks.sliding_window_view(samples, state.clip_length)[::hop]
    times = state.began + (state.n_windows + 1 + np.arange(n_windows)) * (hop / state.sample_rate)
    return Fresh(windows, times), samples[n_windows * hop :].copy()  # a view would keep all of them in memory


def check_chunks(chunks: object, n_axes: int, shape: str) -> np.ndarray:
    """Return chunks of a stream, or of several, as float32 samples; they may be empty.

    Args:
        chunks: An array, a tensor or a list.
        n_axes: Number of axes that they must have.
        shape: The same in words.

    Raises:
        ValueError: They have another shape, or are no finite float samples.
    """
    array = as_array(from_tensor(chunks))
    if isinstance(array, np.ndarray):
        advice = "mix channels to mono with audionet.audio.to_mono, or give several streams to push_batch"
        check_that(array.ndim == n_axes, "chunk", shape, array.shape, advice)
        if array.size == 0 and array.dtype.kind == "f":
            return array.astype(np.float32)
    samples = check_waveform(array)
    check_scale(samples)
    return samples.astype(np.float32, copy=False)
