"""Another vocal tract, on the bands of a mel spectrogram, which is fast."""

import math

import torch
from torch import Generator, Tensor, nn

from audionet.augment.drawing import uniform
from audionet.checks import check_at_least, check_spectrogram
from audionet.registry import NamedArguments


class BandWarp(NamedArguments, nn.Module):
    """A warp of the bands of each mel spectrogram, which moves the formants (Jaitly and Hinton, 2013).

    Each band gets the value at a frequency a factor U(1 - amount, 1 + amount) higher, interpolated between bands. It
    moves the pitch, too, where the bands are so narrow that its harmonics show. `VocalTract` does not, and takes ten
    times as long.

    Args:
        sample_rate: Sample rate in hertz.
        n_bands: Mel bands of the spectrogram, which reach from 0 to half the sample rate.
        amount: Largest distance of the factor from 1, up to 0.4.
        p: Probability that a spectrogram is warped.

    Shape:
        (batch, 1, band, frame) -> (batch, 1, band, frame)

    Raises:
        ValueError: An argument is out of its range, or a spectrogram has another number of bands.

    Example:
        >>> warp = BandWarp(sample_rate=16_000, n_bands=40, amount=0.12)
        >>> warp(torch.zeros(2, 1, 40, 101), torch.Generator().manual_seed(0)).shape
        torch.Size([2, 1, 40, 101])
    """

    def __init__(self, *, sample_rate: int, n_bands: int, amount: float = 0.12, p: float = 0.7) -> None:
        super().__init__()
        check_at_least(1, sample_rate=sample_rate)
        check_at_least(2, whole=True, n_bands=n_bands)
        check_at_least(0, 0.4, amount=amount)
        check_at_least(0, 1, p=p)
        self.sample_rate, self.n_bands, self.amount, self.p = sample_rate, n_bands, amount, p

    def forward(self, spectrogram: Tensor, generator: Generator) -> Tensor:
        """Map (batch, 1, band, frame) to the same shape."""
        check_spectrogram(spectrogram, self.n_bands)
        batch = len(spectrogram)
        chosen = torch.rand(batch, generator=generator).to(spectrogram.device) < self.p
        drawn = uniform(batch, 1 - self.amount, 1 + self.amount, spectrogram, generator)
        factor = torch.where(chosen, drawn, 1.0)
        edges = torch.linspace(0, _mel(self.sample_rate / 2), self.n_bands + 2, device=spectrogram.device)
        mel = edges[1:-1].to(spectrogram)
        moved = torch.log1p(torch.expm1(mel) * factor[:, None])
        position = (moved - mel[0]) / (mel[1] - mel[0])
        position = position.clamp(0, self.n_bands - 1)
        lower = position.long().clamp(max=self.n_bands - 2)
        share = (position - lower)[:, None, :, None]
        rows = lower[:, None, :, None].expand_as(spectrogram)
        return spectrogram.gather(2, rows) * (1 - share) + spectrogram.gather(2, rows + 1) * share


def _mel(hertz: float) -> float:
    """Return a frequency on HTK's mel scale, without its factor."""
    return math.log1p(hertz / 700)
