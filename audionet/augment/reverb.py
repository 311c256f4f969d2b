"""Rooms."""

import torch
from torch import Generator, Tensor, nn

from audionet.augment.drawing import check_range, uniform
from audionet.checks import check_at_least
from audionet.registry import NamedArguments


class Reverb(NamedArguments, nn.Module):
    """A room for each clip: exponentially decaying noise follows the direct sound.

    The response has an energy of 1, so that the clip keeps its own.

    Args:
        sample_rate: Sample rate in hertz.
        min_rt60: Shortest reverberation time, to a decay of 60 dB, in seconds.
        max_rt60: Longest reverberation time in seconds.
        max_wet: Largest energy of the reverberation relative to the direct sound; it is U(0, max_wet).

    Raises:
        ValueError: An argument is out of its range.

    Example:
        >>> reverb = Reverb(sample_rate=sample_rate, max_rt60=0.3)
        >>> reverb(waveform, torch.Generator().manual_seed(0)).shape == waveform.shape
        True
    """

    def __init__(self, *, sample_rate: int, min_rt60: float = 0.1, max_rt60: float = 0.5, max_wet: float = 1.0) -> None:
        super().__init__()
        check_at_least(1, sample_rate=sample_rate)
        check_at_least(1 / sample_rate, min_rt60=min_rt60, max_rt60=max_rt60)
        check_range(min_rt60=min_rt60, max_rt60=max_rt60)
        check_at_least(0, max_wet=max_wet)
        self.sample_rate, self.min_rt60, self.max_rt60, self.max_wet = sample_rate, min_rt60, max_rt60, max_wet

    def forward(self, waveform: Tensor, generator: Generator) -> Tensor:
        """Map (batch, time) to (batch, time)."""
        batch, time = waveform.shape
        n_response = round(self.max_rt60 * self.sample_rate)
        rt60 = uniform(batch, self.min_rt60, self.max_rt60, waveform, generator)
        wet = uniform(batch, 0, self.max_wet, waveform, generator)
        noise = torch.randn(batch, n_response, generator=generator).to(waveform)
        seconds = torch.arange(n_response, device=waveform.device) / self.sample_rate
        tail = noise * 10 ** (-3 * seconds / rt60[:, None])
        response = tail * (wet / tail.square().sum(-1)).sqrt()[:, None]
        response[:, 0] += 1
        response = response / response.square().sum(-1, keepdim=True).sqrt()
        n_fft = time + n_response
        heard: Tensor = torch.fft.irfft(torch.fft.rfft(waveform, n_fft) * torch.fft.rfft(response, n_fft), n_fft)
        return heard[:, :time]
