"""A filter with a smooth random response."""

import math

import torch
from torch import Generator, Tensor, nn

from audionet.augment.drawing import uniform
from audionet.checks import check_at_least
from audionet.registry import NamedArguments


def interpolated(values: Tensor, position: Tensor) -> Tensor:
    """Interpolate between values that lie at even steps from 0 to 1.

    Args:
        values: (batch, point).
        position: (place,), from 0 to 1.

    Returns:
        (batch, place).

    Example:
        >>> interpolated(torch.tensor([[0.0, 4.0, 6.0]]), torch.tensor([0.25, 0.75, 1.0]))
        tensor([[2., 5., 6.]])
    """
    point = torch.arange(values.shape[1], device=values.device, dtype=values.dtype)[:, None]
    hats = (1 - (position * (values.shape[1] - 1) - point).abs()).clamp(min=0)
    return values @ hats  # which takes a fraction of the time that gathering neighbours does


class Equalize(NamedArguments, nn.Module):
    """A filter for each clip with a smooth random response: tilt, bands and a low-pass, without phase.

    Args:
        sample_rate: Sample rate in hertz.
        tilt_db: Largest slope over the whole spectrum, on an octave scale; it is U(-tilt_db, tilt_db).
        band_db: Largest gain of a band; it is U(-band_db, band_db), interpolated between bands on an octave scale.
        n_bands: Number of bands, at least 2.
        low_pass_hz: Lowest cut-off; it is log-uniform between this and half the sample rate. None for no low-pass.
        low_pass_p: Probability of the low-pass.

    Raises:
        ValueError: An argument is out of its range.

    Example:
        >>> equalize = Equalize(sample_rate=sample_rate, low_pass_hz=3000)
        >>> equalize(waveform, torch.Generator().manual_seed(0)).shape == waveform.shape
        True
    """

    def __init__(
        self,
        *,
        sample_rate: int,
        tilt_db: float = 6.0,
        band_db: float = 6.0,
        n_bands: int = 8,
        low_pass_hz: float | None = None,
        low_pass_p: float = 0.5,
    ) -> None:
        super().__init__()
        check_at_least(1, sample_rate=sample_rate)
        check_at_least(0, tilt_db=tilt_db, band_db=band_db)
        check_at_least(2, n_bands=n_bands, whole=True)
        check_at_least(0, 1, low_pass_p=low_pass_p)
        if low_pass_hz is not None:
            check_at_least(1, sample_rate / 2, low_pass_hz=low_pass_hz)
        self.sample_rate, self.tilt_db, self.band_db, self.n_bands = sample_rate, tilt_db, band_db, n_bands
        self.low_pass_hz, self.low_pass_p = low_pass_hz, low_pass_p

    def forward(self, waveform: Tensor, generator: Generator) -> Tensor:
        """Map (batch, time) to (batch, time)."""
        batch, time = waveform.shape
        nyquist = self.sample_rate / 2
        hertz = torch.linspace(0, nyquist, time // 2 + 1, device=waveform.device, dtype=waveform.dtype)
        octave = torch.log2(1 + hertz / 250) / math.log2(1 + nyquist / 250)  # 0 to 1
        bands = uniform(batch * self.n_bands, -self.band_db, self.band_db, waveform, generator)
        tilt = uniform(batch, -self.tilt_db, self.tilt_db, waveform, generator)
        slope = tilt[:, None] * torch.linspace(-1, 1, self.n_bands, device=waveform.device, dtype=waveform.dtype)
        db = interpolated(bands.view(batch, self.n_bands) + slope, octave)
        gain = (db * (math.log(10) / 20)).exp()
        if self.low_pass_hz is not None:
            drawn = uniform(batch, math.log(self.low_pass_hz), math.log(nyquist), waveform, generator)
            skipped = uniform(batch, 0, 1, waveform, generator) >= self.low_pass_p
            cutoff = torch.where(skipped, math.inf, drawn)
            # A fourth-order Butterworth filter: 1 / (1 + (hertz / cutoff) ** 8) in power.
            gain = gain * (8 * (cutoff[:, None] - hertz.clamp(min=1e-3).log())).sigmoid().sqrt()
        filtered: Tensor = torch.fft.irfft(torch.fft.rfft(waveform).mul_(gain), time)
        return filtered
