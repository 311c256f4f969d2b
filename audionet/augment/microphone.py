"""A microphone with its resonances, its distortion and its direct current."""

import math

import torch
from torch import Generator, Tensor, nn

from audionet.augment.drawing import uniform
from audionet.augment.equalize import interpolated
from audionet.checks import check_at_least
from audionet.registry import NamedArguments

N_POINTS = 128  # that a response is computed at, on an octave scale
N_WAVES = 6  # cosines that a smooth response is made of
N_RESONANCES = 3
LOWEST = 80.0  # hertz of a resonance


class Microphone(NamedArguments, nn.Module):
    """A microphone for each clip: a smooth random response with resonances, a low cut, a distortion, a direct current.

    The response adds no phase, and its mean over the octaves is 0 dB.

    Args:
        sample_rate: Sample rate in hertz.
        smooth_db: Largest deviation of the smooth part of the response; it is U(0, smooth_db).
        resonance_db: Largest gain or loss of each of three resonances; it is U(-resonance_db, resonance_db).
        max_low_cut_hz: Highest cut-off of a second-order high-pass; it is log-uniform from 20 Hz.
        distortion: Largest share of the square and of the cube of the waveform, at its peak; each is
            U(-distortion, distortion).
        max_dc: Largest direct current, relative to full scale; it is U(-max_dc, max_dc).

    Raises:
        ValueError: An argument is out of its range.

    Example:
        >>> microphone = Microphone(sample_rate=sample_rate)
        >>> microphone(waveform, torch.Generator().manual_seed(0)).shape == waveform.shape
        True
    """

    def __init__(
        self,
        *,
        sample_rate: int,
        smooth_db: float = 10.0,
        resonance_db: float = 10.0,
        max_low_cut_hz: float = 250.0,
        distortion: float = 0.1,
        max_dc: float = 0.005,
    ) -> None:
        super().__init__()
        check_at_least(200, sample_rate=sample_rate)
        check_at_least(0, 60, smooth_db=smooth_db, resonance_db=resonance_db)
        check_at_least(20, max_low_cut_hz=max_low_cut_hz)
        check_at_least(0, 0.3, distortion=distortion)  # 1 - 2 * 0.3 - 3 * 0.3 is where the curve would turn back
        check_at_least(0, 1, max_dc=max_dc)
        self.sample_rate, self.smooth_db, self.resonance_db = sample_rate, smooth_db, resonance_db
        self.max_low_cut_hz, self.distortion, self.max_dc = max_low_cut_hz, distortion, max_dc

    def forward(self, waveform: Tensor, generator: Generator) -> Tensor:
        """Map (batch, time) to (batch, time)."""
        batch, time = waveform.shape
        gain = 10 ** (self.response_db(waveform, generator) / 20)
        square, cube = uniform(2 * batch, -self.distortion, self.distortion, waveform, generator).view(2, batch, 1)
        direct = uniform(batch, -self.max_dc, self.max_dc, waveform, generator)[:, None]
        hertz = torch.linspace(0, self.sample_rate / 2, time // 2 + 1, device=waveform.device, dtype=waveform.dtype)
        at_bins = interpolated(gain, octaves(hertz, self.sample_rate))
        heard: Tensor = torch.fft.irfft(torch.fft.rfft(waveform).mul_(at_bins), time)
        peak = heard.abs().amax(-1, keepdim=True).clamp(min=1e-9)
        bent: Tensor = (heard * (cube / peak**2)).add_(square / peak)  # x (1 + x (square + x cube)), x = 1 at the peak
        return bent.mul_(heard).add_(1).mul_(heard).add_(direct)

    def response_db(self, like: Tensor, generator: Generator) -> Tensor:
        """Draw the response of each clip of ``like`` in decibels, (batch, point), at even steps on an octave scale."""
        batch, nyquist = len(like), self.sample_rate / 2
        octave = torch.linspace(0, 1, N_POINTS, device=like.device, dtype=like.dtype)
        hertz = 250 * ((octave * math.log1p(nyquist / 250)).expm1()).clamp(min=1e-3)
        order = torch.arange(1, N_WAVES + 1, device=like.device, dtype=like.dtype)[:, None]
        waves = (torch.pi * order * octave).cos() / order
        smooth = uniform(batch * N_WAVES, -1, 1, like, generator).view(batch, N_WAVES) @ waves
        smooth_db = uniform(batch, 0, self.smooth_db, like, generator)[:, None]
        db = smooth * (smooth_db / smooth.abs().amax(-1, keepdim=True).clamp(min=1e-9))
        n = batch * N_RESONANCES
        centre = uniform(n, math.log(min(LOWEST, nyquist / 2)), math.log(0.9 * nyquist), like, generator).exp()
        quality = uniform(n, math.log(1.5), math.log(15), like, generator).exp()
        peak_db = uniform(n, -self.resonance_db, self.resonance_db, like, generator)
        ratio = hertz / centre[:, None]
        bells = peak_db[:, None] / (1 + (quality[:, None] * (ratio - 1 / ratio)).square())
        low_cut = uniform(batch, math.log(20), math.log(self.max_low_cut_hz), like, generator).exp()[:, None]
        db = db + bells.view(batch, N_RESONANCES, N_POINTS).sum(1)
        db = db - db.mean(-1, keepdim=True)
        return db - 10 * ((low_cut / hertz) ** 4).log1p() / math.log(10)


def octaves(hertz: Tensor, sample_rate: int) -> Tensor:
    """Return where frequencies lie on an octave scale, from 0 at 0 Hz to 1 at half the sample rate.

    Example:
        >>> octaves(torch.tensor([0.0, 250.0, 750.0]), 1500)
        tensor([0.0000, 0.5000, 1.0000])
    """
    return (hertz / 250).log1p() / math.log1p(sample_rate / 500)
