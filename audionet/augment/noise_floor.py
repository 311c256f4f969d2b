"""The noise of a microphone and its amplifier, which is there when nobody speaks."""

import torch
from torch import Generator, Tensor, nn

from audionet.augment.drawing import check_range, uniform
from audionet.checks import check_at_least
from audionet.registry import NamedArguments

LOWEST = 20.0  # hertz, below which no noise rises any more


class NoiseFloor(NamedArguments, nn.Module):
    """Stationary noise under each clip, at a level of its own and of a colour between white and pink.

    Args:
        sample_rate: Sample rate in hertz.
        min_db: Lowest level, the root of the mean square relative to full scale, in decibels.
        max_db: Highest level in decibels.
        max_slope: Steepest fall of its power towards high frequencies, as the exponent of 1 / frequency; it is
            U(0, max_slope): 0 is white, 1 is pink.

    Raises:
        ValueError: An argument is out of its range.

    Example:
        >>> floor = NoiseFloor(sample_rate=16_000, min_db=-60, max_db=-60)
        >>> heard = floor(torch.zeros(1, 16_000), torch.Generator().manual_seed(0))
        >>> round(float(20 * heard.square().mean().sqrt().log10()))
        -60
    """

    def __init__(
        self, *, sample_rate: int, min_db: float = -90.0, max_db: float = -40.0, max_slope: float = 1.0
    ) -> None:
        super().__init__()
        check_at_least(1, sample_rate=sample_rate)
        check_range(min_db=min_db, max_db=max_db)
        check_at_least(0, 4, max_slope=max_slope)
        self.sample_rate, self.min_db, self.max_db, self.max_slope = sample_rate, min_db, max_db, max_slope

    def forward(self, waveform: Tensor, generator: Generator) -> Tensor:
        """Map (batch, time) to (batch, time)."""
        batch, time = waveform.shape
        n_bins = time // 2 + 1
        level = 10 ** (uniform(batch, self.min_db, self.max_db, waveform, generator) / 20)
        slope = uniform(batch, 0, self.max_slope, waveform, generator)
        white = torch.view_as_complex(torch.randn(batch, n_bins, 2, generator=generator).to(waveform))
        hertz = torch.linspace(0, self.sample_rate / 2, n_bins, device=waveform.device, dtype=waveform.dtype)
        shape = (-slope[:, None] / 2 * hertz.clamp(min=LOWEST).log()).exp_()
        shape *= (level / shape.square().mean(-1).sqrt() / 2**0.5)[:, None]
        noise: Tensor = torch.fft.irfft(white.mul_(shape), time, norm="ortho")
        return noise.add_(waveform)
