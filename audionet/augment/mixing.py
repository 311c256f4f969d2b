"""Blends of two clips and their targets."""

import numpy as np
import torch
from torch import Generator, Tensor

from audionet.checks import check_at_least


def mixup(waveform: Tensor, targets: Tensor, *, alpha: float, p: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """Blend each clip and its target with another of the batch (Zhang et al., 2018, arXiv 1710.09412, eq. 1).

    Args:
        waveform: (batch, time).
        targets: (batch, n_classes), probabilities.
        alpha: Parameter of the distribution Beta(alpha, alpha) that the share is drawn from.
        p: Probability that a clip is mixed.
        generator: Source of all randomness.

    Returns:
        The mixed waveform and targets.

    Raises:
        ValueError: An argument is out of its range.

    Example:
        >>> targets = torch.eye(2)
        >>> _, mixed = mixup(torch.zeros(2, 5), targets, alpha=1.0, p=1.0, generator=torch.Generator().manual_seed(0))
        >>> mixed.sum(1)
        tensor([1., 1.])
    """
    check_at_least(1e-6, alpha=alpha)
    check_at_least(0, 1, p=p)
    batch = len(waveform)
    draw = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
    share = torch.from_numpy(np.where(draw.random(batch) < p, draw.beta(alpha, alpha, batch), 1.0))
    share = torch.maximum(share, 1 - share).to(waveform)[:, None]  # the larger share stays with the clip itself
    partner = torch.randperm(batch, generator=generator).to(waveform.device)
    return waveform.lerp(waveform[partner], 1 - share), targets.lerp(targets[partner], 1 - share)
