"""What a network for clips of one length hears of a recording of any kind, rate and length."""

import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np
from torch import Tensor

from audionet import audio
from audionet.audio.containers.limits import check_sample_rate
from audionet.audio.fitting import window_start
from audionet.audio.waveform import as_array, check_waveform, from_tensor, name_of
from audionet.checks import check_at_least, check_that

MAX_SECONDS = 60.0
"""Longest recording that is taken. Of a longer one, the single answer would say next to nothing."""


class Part(NamedTuple):
    """The clip (clip_length,) that is heard of a recording, where it lies, and the recording's length, in seconds."""

    clip: np.ndarray
    start: float
    stop: float
    seconds: float


@dataclass(frozen=True)
class Hearing:
    """The way from a recording to the one clip of it that a network hears.

    A recording that is shorter than a clip is padded with silence on both sides. A longer one is cut to the stretch
    with the most speech, as `audionet.audio.fit` does; of one that is longer than two clips, a warning says so.

    Attributes:
        sample_rate: Samples per second of a clip.
        clip_length: Samples of a clip.
        method: Name of the method that takes a waveform, for advice; with "_file" behind it, of that for a file.

    Example:
        >>> part = Hearing(8000, 4000, "embed").waveform(np.zeros(16_000, np.float32), 16_000)
        >>> part.clip.shape, part.seconds
        ((4000,), 1.0)
    """

    sample_rate: int
    clip_length: int
    method: str

    def to_clip(self, waveform: np.ndarray | Tensor, sample_rate: int | None) -> np.ndarray:
        """Bring a waveform into the form that the network hears, (clip_length,), as `waveform` does, without a warning.

        Raises:
            ValueError: The waveform or its sample rate is not as described.
        """
        mono, rate = self._checked(waveform, sample_rate)
        return audio.to_clip(mono, rate, self.sample_rate, self.clip_length)

    def waveform(self, waveform: object, sample_rate: object) -> Part:
        """Return the part that is heard of a waveform, (time,) or (channel, time), float in [-1, 1], at most 60 s.

        Raises:
            ValueError: The waveform or its sample rate is not as described.
        """
        mono, rate = self._checked(waveform, sample_rate)
        return self._part(audio.to_clip(mono, rate, self.sample_rate), "waveform")

    def file(self, source: audio.Source, *, lenient: bool = False) -> Part:
        """Return the part that is heard of a file: a path, bytes, or a binary file object.

        Raises:
            audionet.audio.AudioError: The file cannot be read, is empty, damaged or longer than 60 s.
        """
        mono = audio.read_mono(source, self.sample_rate, max_seconds=MAX_SECONDS, lenient=lenient)
        return self._part(mono, name_of(source))

    def batches(
        self, sources: Iterable[audio.Source], *, batch_size: int, lenient: bool = False
    ) -> Iterator[list[Part | audio.AudioError]]:
        """Yield what is heard of many files, some at a time; the error in place of a file that cannot be read.

        Raises:
            ValueError: `batch_size` is not positive, or the sources are a single one.
        """
        is_one = isinstance(sources, (str, bytes, os.PathLike))
        advice = f"put it into a list, or call {self.method}_file(path)"
        check_that(not is_one, "sources", "several files", sources, advice)
        check_at_least(1, whole=True, batch_size=batch_size)
        remaining = iter(sources)
        while batch := [self._file_or_error(source, lenient) for source in islice(remaining, batch_size)]:
            yield batch

    def _file_or_error(self, source: audio.Source, lenient: bool) -> Part | audio.AudioError:
        try:
            return self.file(source, lenient=lenient)
        except audio.AudioError as error:
            return error

    def _checked(self, waveform: object, sample_rate: object) -> tuple[np.ndarray, int]:
        """Return a waveform mixed to mono (1, time) and its rate, or raise a ValueError that says what is wrong."""
        advice = f"give the waveform's, such as {self.method}(waveform, sample_rate=16_000)"
        rate = check_sample_rate(sample_rate, advice)
        samples = as_array(from_tensor(waveform))
        is_array = isinstance(samples, np.ndarray)
        advice = f"for a file call {self.method}_file(path)"
        check_that(is_array, "waveform", "a numpy array or a torch tensor", type(waveform).__name__, advice)
        mono = audio.to_mono(np.atleast_2d(check_waveform(samples)))
        seconds, expected = mono.shape[-1] / rate, f"at most {MAX_SECONDS:g} s for one answer"
        advice = "give it in pieces, for example waveform[..., start:start + sample_rate]"
        check_that(seconds <= MAX_SECONDS, "waveform", expected, seconds, advice)
        audio.check_scale(mono)
        return mono, rate

    def _part(self, mono: np.ndarray, name: str) -> Part:
        """Cut or pad a recording (time,), and warn if it is much longer than what is heard of it."""
        length, rate = self.clip_length, self.sample_rate
        if len(mono) <= length:
            return Part(audio.fit(mono, length, rate), 0.0, len(mono) / rate, len(mono) / rate)
        first = window_start(mono, length, rate)
        part = Part(mono[first : first + length].copy(), first / rate, (first + length) / rate, len(mono) / rate)
        if len(mono) > 2 * length:
            warnings.warn(
                f"{name}: lasts {part.seconds:.1f} s, and only {part.start:.2f} to {part.stop:.2f} s were heard, the "
                "stretch with the most speech; cut it to hear other words",
                audio.AudioWarning,
                stacklevel=4,
            )
        return part
