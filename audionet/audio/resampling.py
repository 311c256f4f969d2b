"""Resampling of a sound that comes in pieces, which equals that of the whole."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from audionet.audio.waveform import check_left, check_rates

_BLOCK = 1 << 20  # samples that are made at once of a channel


class Resampler:
    """Changes the sample rate of a stream. All that it returns, joined, is what `resample` makes of the whole.

    What comes out depends on the pieces only in where it is cut. It lags behind: at 48,000 Hz to 16,000 Hz by up to
    40 ms, at 8,000 Hz to 16,000 Hz by up to 115 ms.

    Args:
        from_rate: Sample rate of the stream, in Hz.
        to_rate: The wanted sample rate, in Hz.
        n_channels: Channels of the stream.
        dtype: Type of its samples, "float32" or "float64".

    Raises:
        AudioError: A rate is not above 0.

    Example:
        >>> resampler = Resampler(8000, 16_000)
        >>> pieces = [resampler.push(np.zeros((1, 100), np.float32)) for _ in range(8)] + [resampler.finish()]
        >>> sum(piece.shape[1] for piece in pieces)
        1600
    """

    def __init__(self, from_rate: float, to_rate: float, n_channels: int = 1, dtype: str = "float32") -> None:
        check_rates(from_rate, to_rate)
        self.n_channels, self.dtype = n_channels, dtype
        self._step = max(int(_BLOCK * min(from_rate / to_rate, 1)), 1)
        self._stream: Any = None
        if from_rate != to_rate:
            import soxr  # only where it is needed: importing it takes as long as decoding some hundred files

            self._stream = soxr.ResampleStream(from_rate, to_rate, n_channels, dtype=dtype)

    def blocks(self, chunk: np.ndarray) -> Iterator[np.ndarray]:
        """Take the next samples (channel, time) and yield those that are ready, in blocks, none of them empty."""
        if self._stream is None:
            yield from [chunk] if chunk.shape[1] else []
            return
        for start in range(0, chunk.shape[1], self._step):
            block = np.ascontiguousarray(chunk[:, start : start + self._step].T, self.dtype)  # soxr: (time, channel)
            resampled = self._stream.resample_chunk(block)
            if len(resampled):
                yield np.ascontiguousarray(resampled.T)

    def push(self, chunk: np.ndarray) -> np.ndarray:
        """Take the next samples (channel, time) and return those that are ready, likewise."""
        blocks = list(self.blocks(chunk))
        return np.concatenate(blocks, axis=1) if blocks else np.zeros((self.n_channels, 0), self.dtype)

    def finish(self) -> np.ndarray:
        """Return the samples (channel, time) that are left at the end of the stream, which cannot go on then."""
        if self._stream is None:
            return np.zeros((self.n_channels, 0), self.dtype)
        rest = self._stream.resample_chunk(np.zeros((0, self.n_channels), self.dtype), last=True)
        return np.ascontiguousarray(rest.T)


def resample_blocks(blocks: Iterable[np.ndarray], from_rate: float, to_rate: float) -> Iterator[np.ndarray]:
    """Change the sample rate of a sound that comes in blocks. Joined, they are what `resample` makes of the whole.

    Args:
        blocks: (channel, time), float32 or float64.
        from_rate: Their sample rate, in Hz.
        to_rate: The wanted sample rate, in Hz.

    Yields:
        Blocks (channel, time), none of them empty.

    Raises:
        AudioError: A rate is not above 0, or no sample would be left.

    Example:
        >>> halves = np.zeros((1, 400), np.float32), np.zeros((1, 400), np.float32)
        >>> sum(block.shape[1] for block in resample_blocks(halves, 8000, 16_000))
        1600
    """
    check_rates(from_rate, to_rate)
    resampler, n_before, n_after = None, 0, 0
    for block in blocks:
        resampler = resampler or Resampler(from_rate, to_rate, len(block), block.dtype.name)
        for resampled in resampler.blocks(block):
            n_after += resampled.shape[1]
            yield resampled
        n_before += block.shape[1]
    if resampler is None:
        return
    rest = resampler.finish()
    check_left(n_after + rest.shape[1], n_before, from_rate, to_rate)
    if rest.shape[1]:
        yield rest
