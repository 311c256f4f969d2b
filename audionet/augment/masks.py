"""Masks on spectrograms."""

import torch
from torch import Generator, Tensor, nn

from audionet.checks import check_at_least, check_one_of
from audionet.registry import NamedArguments


class SpecAugment(NamedArguments, nn.Module):
    """Masks on random stretches of frames and of bands (Park et al., 2019, arXiv 1904.08779, without the time warp).

    Args:
        n_time_masks: Number of masks along time.
        time_width: Longest mask in frames; each is U{0, ..., time_width}. One may hide all frames.
        n_frequency_masks: Number of masks along frequency.
        frequency_width: Widest mask in bands; each is U{0, ..., frequency_width}. One may hide all bands.
        p: Probability that a clip is masked.
        fill: "zero", as in BC-ResNet's released code, or "mean", each clip's own mean.

    Shape:
        (batch, 1, band, frame) -> (batch, 1, band, frame)

    Raises:
        ValueError: An argument is out of its range.

    Example:
        >>> mask = SpecAugment(n_time_masks=1, time_width=3, n_frequency_masks=0)
        >>> mask(torch.ones(1, 1, 2, 6), torch.Generator().manual_seed(0))
        tensor([[[[0., 0., 0., 1., 1., 1.],
                  [0., 0., 0., 1., 1., 1.]]]])
    """

    def __init__(
        self,
        *,
        n_time_masks: int = 2,
        time_width: int = 20,
        n_frequency_masks: int = 2,
        frequency_width: int = 5,
        p: float = 1.0,
        fill: str = "zero",
    ) -> None:
        super().__init__()
        check_one_of(("zero", "mean"), "fill", fill)
        check_at_least(0, n_time_masks=n_time_masks, time_width=time_width, whole=True)
        check_at_least(0, n_frequency_masks=n_frequency_masks, frequency_width=frequency_width, whole=True)
        check_at_least(0, 1, p=p)
        self.masks = ((n_frequency_masks, frequency_width, -2), (n_time_masks, time_width, -1))
        self.p, self.fill = p, fill

    def forward(self, spectrogram: Tensor, generator: Generator) -> Tensor:
        """Map (batch, 1, band, frame) to the same shape."""
        batch = len(spectrogram)
        fill = spectrogram.mean((1, 2, 3), keepdim=True) if self.fill == "mean" else spectrogram.new_zeros(())
        chosen = torch.rand(batch, 1, generator=generator) < self.p
        hidden = torch.zeros((), dtype=torch.bool, device=spectrogram.device)
        for n_masks, width, axis in self.masks:
            size = spectrogram.shape[axis]
            length = (torch.rand(batch, n_masks, generator=generator) * (width + 1)).long().clamp(max=size) * chosen
            start = (torch.rand(batch, n_masks, generator=generator) * (size - length + 1)).long()
            place = torch.arange(size)
            hit = ((place >= start[..., None]) & (place < (start + length)[..., None])).any(1).to(spectrogram.device)
            hidden = hidden | (hit[:, None, :, None] if axis == -2 else hit[:, None, None, :])
        return torch.where(hidden, fill, spectrogram)
