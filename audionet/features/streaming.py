"""Front-ends on sound that arrives in chunks."""

from dataclasses import dataclass, field, replace
from typing import Any, Protocol, overload

import numpy as np
import torch
from torch import Tensor

from audionet.features.frontend import Framing, FrontEnd, State, check_array, check_waveform
from audionet.features.spectral import Filterbank, Logarithm

Samples = Tensor | np.ndarray


class Backend(Protocol):
    """The way in which a stream computes frames, which depends on the kind of its chunks."""

    def take(self, chunk: object) -> Samples:
        """Check a chunk and return it in the form in which samples are kept."""

    def frames(self, samples: Samples, n_frames: int, state: State, *, is_last: bool) -> tuple[Samples, State]:
        """Map the samples of the next frames to (..., band, frame) and the state of `FrontEnd.across`."""


@dataclass
class StreamState:
    """What a stream remembers between chunks.

    Attributes:
        backend: The way in which frames are computed.
        samples: The samples that later frames need, (..., time).
        n_samples: Number of samples that have arrived.
        start: Position in ``samples`` at which the next frame begins.
        is_padded: Whether the padding before the first sample is among the samples.
        across: State of `FrontEnd.across`.
    """

    backend: Backend
    samples: Samples
    n_samples: int = 0
    start: int = 0
    is_padded: bool = False
    across: State = field(default_factory=dict)


class Stream:
    """A front-end over chunks of any size: all its frames together are those of the whole clip at once.

    A frame is returned as soon as its last sample is there, ``latency`` samples behind its place t * hop_length. The
    padding before the clip is there from the start if it is zeros, or else as soon as the mirrored samples have come;
    the padding behind the clip comes with `finish`. With ``center=False`` there is neither.

    Args:
        front_end: A front-end without a setting that needs the whole clip.

    Raises:
        ValueError: It has such a setting.

    Attributes:
        latency: Samples behind t * hop_length that must have come before frame t is returned.
        state: What the stream remembers between chunks; None before the first one.

    Example:
        >>> stream = Stream(audionet.features.LogMel())
        >>> frames = [stream.push(chunk) for chunk in torch.randn(16_000).split(160)] + [stream.finish()]
        >>> torch.cat(frames, -1).shape
        torch.Size([40, 101])
    """

    def __init__(self, front_end: FrontEnd) -> None:
        if setting := front_end.needs_clip:
            raise ValueError(f"front_end: expected no setting that needs the whole clip, got {setting}; switch it off")
        self.front_end = front_end
        self.latency = front_end.framing.latency + front_end.lookahead * front_end.framing.hop_length
        self.state: StreamState | None = None

    @overload
    def push(self, chunk: Tensor) -> Tensor: ...

    @overload
    def push(self, chunk: np.ndarray) -> np.ndarray: ...

    def push(self, chunk: Samples) -> Samples:
        """Take the next samples and return the frames that they complete.

        Args:
            chunk: (..., time) in [-1, 1], of any length, with the same leading shape in all chunks. A tensor, or a
                NumPy array, which gives NumPy arrays, and a single clip's log-mel two to three times as fast.

        Returns:
            (..., band, frame), without a frame where none is complete.

        Raises:
            ValueError: The chunk is not float, not finite, or of another kind or leading shape than those before.
        """
        backend = self.state.backend if self.state else _backend(self.front_end, chunk)
        samples = backend.take(chunk)
        state = self.state or StreamState(backend, samples[..., :0])
        if state.samples.shape[:-1] != samples.shape[:-1]:
            before = tuple(state.samples.shape[:-1])
            raise ValueError(f"chunk: expected {before} x time, as before, got shape {tuple(samples.shape)}")
        frames, self.state = self._advance(state, _join(state.samples, samples), state.n_samples + samples.shape[-1])
        return frames

    def finish(self) -> Any:
        """Return the frames that the end of the sound completes, as `push` would; the stream is then ready for another.

        Raises:
            ValueError: The whole sound was shorter than a clip needs to be, or there was none.
        """
        if not self.state:
            raise ValueError("stream: expected a chunk before its end, got none; push it first")
        state, self.state = self.state, None
        shortest = self.front_end.framing.shortest
        if state.n_samples < shortest:
            check_waveform(torch.zeros(*state.samples.shape[:-1], state.n_samples), shortest)
        return self._advance(state, state.samples, state.n_samples, is_last=True)[0]

    def _advance(
        self, state: StreamState, samples: Samples, n_samples: int, *, is_last: bool = False
    ) -> tuple[Samples, StreamState]:
        """Return the frames that the samples complete, and the state after them."""
        framing, start, is_padded = self.front_end.framing, state.start, state.is_padded
        if not is_padded and (is_last or samples.shape[-1] >= framing.margin):
            samples, is_padded = _pad(samples, replace(framing, right=0)), True
        if is_last:
            samples = _pad(samples, replace(framing, left=0))
        room = samples.shape[-1] - start - framing.span if is_padded else -1
        n_frames = room // framing.hop_length + 1 if room >= 0 else 0
        stop = start + (n_frames - 1) * framing.hop_length + framing.span
        frames, across = state.backend.frames(samples[..., start:stop], n_frames, state.across, is_last=is_last)
        start += n_frames * framing.hop_length
        # The end of the clip is mirrored from samples that may lie before the next frame.
        past = max(min(start, samples.shape[-1] - framing.margin), 0) if is_padded else 0
        return frames, StreamState(state.backend, samples[..., past:], n_samples, start - past, is_padded, across)


class TensorBackend:
    """Streams of tensors."""

    def __init__(self, front_end: FrontEnd) -> None:
        self.front_end = front_end

    def take(self, chunk: object) -> Tensor:
        """Check that a chunk is a tensor of finite floats."""
        if not isinstance(chunk, Tensor):
            raise ValueError(f"chunk: expected a tensor, as before, got a {type(chunk).__name__}; stay with one kind")
        check_waveform(chunk, 0, name="chunk")
        return chunk

    def frames(self, samples: Any, n_frames: int, state: State, *, is_last: bool) -> tuple[Samples, State]:
        """Map the samples of the next frames to (..., band, frame)."""
        if not n_frames:  # as many bands as there will be
            samples = samples.new_zeros(*samples.shape[:-1], self.front_end.framing.span)
        x, state = self.front_end.across(self.front_end.frames(samples)[..., :n_frames, :], state, is_last=is_last)
        return x.mT, state


class ArrayBackend(TensorBackend):
    """Streams of arrays, which are computed as tensors."""

    def take(self, chunk: object) -> Tensor:
        """Check a chunk and return it as a tensor of the front-end's type."""
        return self.front_end.to_tensor(chunk)

    def frames(self, samples: Any, n_frames: int, state: State, *, is_last: bool) -> tuple[Samples, State]:
        """Map the samples of the next frames to an array (..., band, frame)."""
        with torch.no_grad():
            x, state = super().frames(samples, n_frames, state, is_last=is_last)
        return torch.as_tensor(x).cpu().numpy(), state


class LogarithmBackend:
    """A stream of one clip through `Logarithm.block` in NumPy, whose calls cost a quarter of torch's."""

    def __init__(self, logarithm: Logarithm) -> None:
        spectrogram = logarithm.bands.spectrogram
        self.window, self.n_fft = spectrogram.window.numpy(), spectrogram.n_fft
        self.hop_length = spectrogram.framing.hop_length
        # The squares of real and imaginary parts are summed by the matrix that sums the bins.
        self.filters = logarithm.bands.filters.repeat_interleave(2, 0).numpy()
        self.is_db, self.offset = logarithm.scale == "db", logarithm.offset

    def take(self, chunk: object) -> np.ndarray:
        """Check that a chunk is an array of finite floats."""
        if not isinstance(chunk, np.ndarray) or chunk.dtype.kind != "f" or not np.isfinite(chunk.sum()):
            return check_array(chunk).numpy().astype(self.window.dtype)
        return chunk.astype(self.window.dtype, copy=False)

    def frames(self, samples: Any, n_frames: int, state: State, *, is_last: bool) -> tuple[np.ndarray, State]:
        """Map the samples of the next frames to (band, frame)."""
        if not n_frames:
            return np.empty((self.filters.shape[1], 0), samples.dtype), state
        step = samples.itemsize
        frames = np.ndarray(
            (n_frames, len(self.window)), samples.dtype, samples, strides=(self.hop_length * step, step)
        )
        # Torch's FFT, as for the whole clip: beside a loud band, a quiet one shows the rounding of another.
        spectra: np.ndarray = torch.fft.rfft(torch.from_numpy(frames * self.window), self.n_fft).numpy()
        parts = spectra.view(self.window.dtype)
        bands = (parts * parts) @ self.filters
        if self.is_db:
            return 10 * np.log10(np.maximum(bands, self.offset)).T, state
        return np.log(bands + self.offset).T, state


def _backend(front_end: FrontEnd, chunk: Samples) -> Backend:
    if isinstance(chunk, Tensor):
        return TensorBackend(front_end)
    if np.ndim(chunk) == 1 and isinstance(front_end, Logarithm) and type(front_end.bands).block is Filterbank.block:
        if front_end.bands.spectrogram.power == 2 and front_end.bands.filters.device.type == "cpu":
            return LogarithmBackend(front_end)
    return ArrayBackend(front_end)


def _join(known: Samples, chunk: Samples) -> Samples:
    if isinstance(known, Tensor) and isinstance(chunk, Tensor):
        return torch.cat([known, chunk], -1)
    return np.concatenate((known, chunk))


def _pad(samples: Samples, framing: Framing) -> Samples:
    """Put before or behind samples the padding of the framing."""
    if isinstance(samples, Tensor):
        return framing.extend(samples)
    return framing.extend(torch.from_numpy(samples)).numpy()
