"""An input that was driven too far."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from audionet.augment.drawing import uniform
from audionet.checks import check_at_least, check_one_of, check_that
from audionet.registry import NamedArguments

KINDS = ("hard", "soft")


class Clipping(NamedArguments, nn.Module):
    """A limit for each clip: its peaks are cut off at a level below the loudest sample, sharply or gently.

    Args:
        max_db: Largest distance of the limit below the clip's peak, in decibels; it is U(0, max_db).
        kinds: What the kind is drawn from: "hard" cuts, "soft" bends, as a hyperbolic tangent.

    Raises:
        ValueError: An argument is out of its range.

    Example:
        >>> Clipping(max_db=6, kinds=["hard"])(torch.tensor([[0.2, -1.0, 0.5]]), torch.Generator().manual_seed(0))
        tensor([[ 0.2000, -0.8521,  0.5000]])
    """

    def __init__(self, *, max_db: float = 24.0, kinds: Sequence[str] = KINDS) -> None:
        super().__init__()
        check_at_least(0, 100, max_db=max_db)
        check_that(len(kinds) > 0, "kinds", "at least one kind", kinds)
        for kind in kinds:
            check_one_of(KINDS, "kinds", kind)
        self.max_db, self.kinds = max_db, kinds

    def forward(self, waveform: Tensor, generator: Generator) -> Tensor:
        """Map (batch, time) to (batch, time)."""
        batch = len(waveform)
        drawn = torch.randint(len(self.kinds), (batch,), generator=generator)
        db = uniform(batch, -self.max_db, 0, waveform, generator)
        peak = waveform.abs().amax(-1, keepdim=True).clamp(min=torch.finfo(waveform.dtype).tiny)
        limit = peak * 10 ** (db / 20)[:, None]
        is_soft = torch.tensor([kind == "soft" for kind in self.kinds])[drawn].to(waveform.device)
        bent = limit * (waveform / limit).tanh()
        return torch.where(is_soft[:, None], bent, waveform.clamp(-limit, limit))
