"""Front-ends on sound that is still coming."""

from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor

from audionet.features.frontend import Framing, FrontEnd, State, check_array, check_waveform
from audionet.features.spectral import Logarithm


class Stream:
    """Runs a front-end over chunks of any size: all frames together are those of the whole clip at once.

    A frame is given as soon as its last sample is there, ``latency`` samples behind its place t * hop_length. What
    ``center`` puts before the clip is there from the start (zeros), or as soon as the samples have come that are
    mirrored (reflect); what it puts behind the clip comes with `finish`. With ``center=False`` there is neither.

    Args:
        front_end: Any that has no setting which looks at the whole clip.

    Raises:
        ValueError: It has one.

    Attributes:
        latency: Samples behind t * hop_length that must have come before frame t is given.
        state: What it remembers between chunks.

    Example:
        >>> stream = Stream(audionet.features.LogMel())
        >>> frames = [stream.push(chunk) for chunk in torch.randn(16_000).split(160)] + [stream.finish()]
        >>> torch.cat(frames, -1).shape
        torch.Size([40, 101])
    """

    def __init__(self, front_end: FrontEnd) -> None:
        if setting := front_end.needs_clip:
            raise ValueError(f"{setting} looks at the whole clip, which a stream does not have; switch it off")
        self.front_end = front_end
        self.latency = front_end.framing.latency + front_end.lookahead * front_end.framing.hop_length
        self.state: dict[str, Any] = {}

    def push(self, chunk: Any) -> Any:
        """Take the samples that come next and give the frames that they complete.

        Args:
            chunk: (..., time) in [-1, 1], of any length; the leading shape is the same for all chunks. A tensor, or a
                NumPy array, which gives NumPy arrays, and a single clip's log-mel four times as fast.

        Returns:
            (..., band, frame), without a frame where none is complete.

        Raises:
            ValueError: The chunk is not float, not finite, or of another kind or leading shape than those before.
        """
        backend = self.state["backend"] if self.state else _backend(self.front_end, chunk)
        chunk = backend.take(chunk)
        state = dict(self.state) or {
            "backend": backend,
            "samples": chunk[..., :0],
            "total": 0,
            "start": 0,
            "is_begun": False,
            "across": {},
        }
        known = state["samples"]
        if known.shape[:-1] != chunk.shape[:-1]:
            raise ValueError(
                f"chunk has shape {tuple(chunk.shape)}: those before were {tuple(known.shape[:-1])} x time"
            )
        state["total"] += chunk.shape[-1]
        frames = self._advance(state, backend.join(known, chunk), is_last=False)
        self.state = state  # which stays as it was if anything fails before
        return frames

    def finish(self) -> Any:
        """Give the frames that the end of the sound completes; the stream is then ready for another, come what may.

        Raises:
            ValueError: The whole sound was shorter than a clip needs to be.
        """
        if not self.state:
            raise ValueError("nothing was pushed, so there is no sound to finish")
        state, self.state = self.state, {}
        return self._advance(state, state["samples"], is_last=True)

    def _advance(self, state: dict[str, Any], samples: Any, *, is_last: bool) -> Any:
        """Make the frames that samples complete, where ``start`` says at which of them the next frame begins."""
        framing = self.front_end.framing
        backend: _Tensors = state["backend"]
        start = state["start"]
        if is_last and state["total"] < framing.shortest:
            check_waveform(torch.zeros(*samples.shape[:-1], state["total"]), framing.shortest)
        if not state["is_begun"] and (is_last or samples.shape[-1] >= framing.margin):
            samples = backend.pad(samples, replace(framing, right=0))
            state["is_begun"] = True
        if is_last:
            samples = backend.pad(samples, replace(framing, left=0))
        room = samples.shape[-1] - start - framing.span if state["is_begun"] else -1
        n_new = room // framing.hop_length + 1 if room >= 0 else 0
        stop = start + (n_new - 1) * framing.hop_length + framing.span
        frames, state["across"] = backend.frames(samples[..., start:stop], n_new, state["across"], is_last)
        start += n_new * framing.hop_length
        # The end of the clip is mirrored from samples that may lie before the next frame.
        past = max(min(start, samples.shape[-1] - framing.margin), 0) if state["is_begun"] else 0
        state["samples"], state["start"] = samples[..., past:], start - past
        return frames


class _Tensors:
    """Streams of tensors."""

    def __init__(self, front_end: FrontEnd) -> None:
        self.front_end = front_end

    def take(self, chunk: Any) -> Any:
        """Check a chunk."""
        if not isinstance(chunk, Tensor):
            raise ValueError(f"chunk is a {type(chunk).__name__}: this stream began with a tensor; stay with one kind")
        check_waveform(chunk, 0)
        return chunk

    def join(self, known: Any, chunk: Any) -> Any:
        """Put a chunk behind what is known."""
        return torch.cat([known, chunk], -1)

    def pad(self, samples: Any, framing: Framing) -> Any:
        """Put before or behind samples what the framing puts there."""
        return framing.extend(samples)

    def frames(self, samples: Any, n_new: int, state: State, is_last: bool) -> tuple[Any, State]:
        """Make (..., band, frame) of the samples of n_new frames."""
        if not n_new:  # as many bands as there will be
            samples = samples.new_zeros(*samples.shape[:-1], self.front_end.framing.span)
        x = self.front_end.frames(samples)[..., :n_new, :]
        x, state = self.front_end.across(x, state, is_last=is_last)
        return x.mT, state


class _Arrays(_Tensors):
    """Streams of arrays, by way of tensors."""

    def take(self, chunk: Any) -> Any:
        """Check a chunk and make it a tensor of the front-end's type."""
        check_array(chunk)
        given = torch.from_numpy(np.array(chunk, order="C"))
        return given.to(next(chain(self.front_end.parameters(), self.front_end.buffers()), given))

    def frames(self, samples: Any, n_new: int, state: State, is_last: bool) -> tuple[Any, State]:
        """Make (..., band, frame) of the samples of n_new frames."""
        with torch.no_grad():
            x, state = super().frames(samples, n_new, state, is_last)
        return x.cpu().numpy(), state


class _Clip(_Arrays):
    """A stream of one clip through window, FFT, bands and logarithm in NumPy, whose calls cost a quarter of torch's."""

    def __init__(self, logarithm: Logarithm) -> None:
        super().__init__(logarithm)
        spectrogram = logarithm.bands.spectrogram
        self.window, self.n_fft = spectrogram.window.numpy(), spectrogram.n_fft
        self.hop_length = spectrogram.framing.hop_length
        # The squares of real and imaginary parts are summed by the matrix that sums the bins.
        self.filters = logarithm.bands.filters.repeat_interleave(2, 0).numpy()
        self.is_db, self.offset = logarithm.scale == "db", logarithm.offset

    def take(self, chunk: Any) -> Any:
        """Check a chunk."""
        if not isinstance(chunk, np.ndarray) or chunk.dtype.kind != "f" or not np.isfinite(chunk.sum()):
            check_array(chunk)
        return chunk.astype(self.window.dtype, copy=False)

    def join(self, known: Any, chunk: Any) -> Any:
        """Put a chunk behind what is known."""
        return np.concatenate((known, chunk))

    def pad(self, samples: Any, framing: Framing) -> Any:
        """Put before or behind samples what the framing puts there."""
        return framing.extend(torch.from_numpy(samples)).numpy()

    def frames(self, samples: Any, n_new: int, state: State, is_last: bool) -> tuple[Any, State]:
        """Make (band, frame) of the samples of n_new frames."""
        if not n_new:
            return np.empty((self.filters.shape[1], 0), self.window.dtype), state
        starts = range(0, n_new * self.hop_length, self.hop_length)
        windowed = np.empty((n_new, len(self.window)), self.window.dtype)
        for row, start in zip(windowed, starts, strict=True):
            np.multiply(samples[start : start + len(self.window)], self.window, out=row)
        parts = np.fft.rfft(windowed, self.n_fft).view(self.window.dtype)
        bands = (parts * parts) @ self.filters
        if self.is_db:
            return 10 * np.log10(np.maximum(bands, self.offset)).T, state
        bands += self.offset
        return np.log(bands, out=bands).T, state


def _backend(front_end: FrontEnd, chunk: Any) -> _Tensors:
    if isinstance(chunk, Tensor):
        return _Tensors(front_end)
    if np.ndim(chunk) == 1 and isinstance(front_end, Logarithm) and front_end.bands.filters.device.type == "cpu":
        if front_end.bands.spectrogram.power == 2:
            return _Clip(front_end)
    return _Arrays(front_end)
