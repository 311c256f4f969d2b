"""The level of a clip."""

import torch
from torch import Generator, Tensor, nn

from audionet.audio import FULL_SCALE
from audionet.augment.drawing import check_range, uniform
from audionet.checks import check_at_least
from audionet.registry import NamedArguments


class Gain(NamedArguments, nn.Module):
    """A gain for each clip, U(min_db, max_db).

    Args:
        min_db: Lowest gain in decibels.
        max_db: Highest gain in decibels.

    Raises:
        ValueError: An argument is out of its range.

    Example:
        >>> Gain(min_db=-6, max_db=-6)(torch.ones(1, 3), torch.Generator())
        tensor([[0.5012, 0.5012, 0.5012]])
    """

    def __init__(self, *, min_db: float = -12.0, max_db: float = 6.0) -> None:
        super().__init__()
        check_range(min_db=min_db, max_db=max_db)
        self.min_db, self.max_db = min_db, max_db

    def forward(self, waveform: Tensor, generator: Generator) -> Tensor:
        """Map (batch, time) to (batch, time)."""
        db = uniform(len(waveform), self.min_db, self.max_db, waveform, generator)
        return waveform * 10 ** (db / 20)[:, None]


class Level(NamedArguments, nn.Module):
    """A level for each clip, from full scale to very quiet, and then the whole numbers of 16 bits.

    Silences, clips of the class without speech, keep their own level.

    Args:
        min_db: Lowest peak relative to full scale, in decibels.
        max_db: Highest peak in decibels, at most 0.
        full_p: Probability that a clip is brought to the highest peak, as normalised recordings are.

    Raises:
        ValueError: An argument is out of its range.

    Example:
        >>> Level(min_db=-60, max_db=-60)(torch.tensor([[0.2, 1.0, -0.5]]), torch.Generator()) * 32768
        tensor([[  7.,  33., -16.]])
    """

    def __init__(self, *, min_db: float = -50.0, max_db: float = 0.0, full_p: float = 0.3) -> None:
        super().__init__()
        check_at_least(-96, 0, min_db=min_db, max_db=max_db)
        check_range(min_db=min_db, max_db=max_db)
        check_at_least(0, 1, full_p=full_p)
        self.min_db, self.max_db, self.full_p = min_db, max_db, full_p

    def forward(self, waveform: Tensor, generator: Generator, silence: Tensor | None = None) -> Tensor:
        """Map (batch, time) to (batch, time); ``silence``, (batch,) bool, says which clips are silences."""
        batch = len(waveform)
        db = uniform(batch, self.min_db, self.max_db, waveform, generator)
        is_full = torch.rand(batch, generator=generator).to(waveform) < self.full_p
        peak = 10 ** (torch.where(is_full, self.max_db, db) / 20)
        scale = peak / waveform.abs().amax(-1).clamp(min=1e-9)
        if silence is not None:
            scale = torch.where(silence.to(scale.device), 1, scale)
        return (waveform * (scale * FULL_SCALE)[:, None]).round().clamp(-FULL_SCALE, FULL_SCALE - 1) / FULL_SCALE
