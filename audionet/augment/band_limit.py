"""The band of a telephone, of a recording at a low sample rate, of a small loudspeaker."""

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from audionet.augment.drawing import uniform
from audionet.checks import check_at_least, check_that
from audionet.registry import NamedArguments

BANDS = ((300.0, 3400.0), (0.0, 4000.0), (0.0, 5500.0), (200.0, 7000.0), (120.0, 1e6))


class BandLimit(NamedArguments, nn.Module):
    """A band for each clip, drawn from a list, outside which there is nothing; it adds no phase.

    The edges are those of a Butterworth filter of an order that is drawn, too: from the gentle slopes of a loudspeaker
    to the steep ones of a resampler.

    Args:
        sample_rate: Sample rate in hertz.
        bands: Lowest and highest frequency of each band in hertz, where it is 3 dB down. The first ones are the
            telephone and recordings at 8 and 11 kHz; 0 below and half the sample rate above stand for no edge.
        jitter: Largest relative move of an edge, up to 0.5; it is U(-jitter, jitter).
        min_order: Lowest order of the filter.
        max_order: Highest order; it is log-uniform between the two.

    Raises:
        ValueError: An argument is out of its range.

    Example:
        >>> telephone = BandLimit(sample_rate=sample_rate, bands=[(300, 3400)])
        >>> telephone(waveform, torch.Generator().manual_seed(0)).shape == waveform.shape
        True
    """

    def __init__(
        self,
        *,
        sample_rate: int,
        bands: Sequence[Sequence[float]] = BANDS,
        jitter: float = 0.1,
        min_order: float = 4.0,
        max_order: float = 40.0,
    ) -> None:
        super().__init__()
        check_at_least(1, sample_rate=sample_rate)
        check_at_least(0, 0.5, jitter=jitter)
        check_at_least(1, 200, min_order=min_order, max_order=max_order)
        check_that(min_order <= max_order, "min_order", f"at most max_order, {max_order:g}", min_order)
        check_that(len(bands) > 0, "bands", "at least one band", bands)
        for band in bands:
            check_that(
                isinstance(band, Sequence) and len(band) == 2, "bands", "pairs of lowest and highest hertz", band
            )
            check_at_least(0, bands=band[0])
            check_at_least(1, bands=band[1])
            check_that(band[0] < band[1], "bands", "the lower edge first", tuple(band))
        self.sample_rate, self.bands, self.jitter = sample_rate, bands, jitter
        self.min_order, self.max_order = min_order, max_order

    def forward(self, waveform: Tensor, generator: Generator) -> Tensor:
        """Map (batch, time) to (batch, time)."""
        batch, time = waveform.shape
        drawn = torch.randint(len(self.bands), (batch,), generator=generator)
        edges = torch.tensor([[*map(float, band)] for band in self.bands])[drawn].to(waveform)
        edges = edges * (1 + uniform(2 * batch, -self.jitter, self.jitter, waveform, generator).view(batch, 2))
        low, high = edges.clamp(min=1e-6).log().T[:, :, None]
        # Of a resampler: what stands for no edge stays none when it is moved.
        high = torch.where(edges[:, 1:] >= (1 - self.jitter) * self.sample_rate / 2, math.inf, high)
        steepness = 2 * uniform(batch, math.log(self.min_order), math.log(self.max_order), waveform, generator).exp()
        hertz = torch.linspace(0, self.sample_rate / 2, time // 2 + 1, device=waveform.device, dtype=waveform.dtype)
        octave = hertz.clamp(min=1e-3).log()
        steepness = steepness[:, None]
        power = (steepness * (high - octave)).sigmoid_()
        power.mul_((steepness * (octave - low)).sigmoid_())
        limited: Tensor = torch.fft.irfft(torch.fft.rfft(waveform).mul_(power.sqrt_()), time)
        return limited
