"""Whitening of embeddings: what differs between voices of one word is made small beside what differs between words."""

import numpy as np
import torch
from torch import Tensor, nn

from audionet.checks import check_at_least, check_that


def whiten(embeddings: np.ndarray | Tensor, labels: np.ndarray | Tensor, *, shrinkage: float = 0.3) -> nn.Linear:
    """Fit a linear layer behind which embeddings of one class vary alike in all directions.

    This is within-class covariance normalisation (Hatch, Kajarekar and Stolcke, 2006), as systems that verify speakers
    use it, with words in the place of speakers. The mean of all embeddings becomes 0. A classifier that is fitted on a
    few recordings of one voice then does not take for the word what is only the voice.

    Args:
        embeddings: (clip, channels) of many words by many voices, best of augmented clips.
        labels: (clip,) whole numbers from 0 on, the word of each.
        shrinkage: Share of the mean variance that is added in every direction, so that none is blown up.

    Returns:
        The layer, (batch, channels) -> (batch, channels), float32.

    Raises:
        ValueError: The embeddings are not as described, ``shrinkage`` is negative, or no word has two clips.

    Example:
        >>> embeddings = torch.tensor([[0.0, 2.0], [0.0, 4.0], [1.0, 2.0], [1.0, 4.0]])
        >>> layer = whiten(embeddings, torch.tensor([0, 0, 1, 1]), shrinkage=0.5)
        >>> layer(embeddings).detach().round(decimals=2)
        tensor([[-0.7100, -0.6300],
                [-0.7100,  0.6300],
                [ 0.7100, -0.6300],
                [ 0.7100,  0.6300]])
    """
    x, y = torch.as_tensor(embeddings).detach().cpu().double(), torch.as_tensor(labels).cpu()
    check_that(x.ndim == 2 and x.isfinite().all(), "embeddings", "(clip, channels), finite", tuple(x.shape))
    check_that(y.shape == x.shape[:1], "labels", f"({len(x)},) whole numbers", tuple(y.shape))
    check_at_least(0, shrinkage=shrinkage)
    counts = torch.bincount(y)
    check_that(counts.max() > 1, "labels", "two clips of a word at least", "one each", "give more of each")
    sums = torch.zeros(len(counts), x.shape[1], dtype=x.dtype).index_add_(0, y, x)
    within = (x - (sums / counts.clamp(min=1)[:, None])[y])[counts[y] > 1]
    covariance = within.T @ within / (len(within) - int((counts > 1).sum()))
    mean_variance = covariance.diagonal().mean()
    variance, directions = torch.linalg.eigh(covariance + shrinkage * mean_variance * torch.eye(x.shape[1]))
    layer = nn.Linear(x.shape[1], x.shape[1])
    with torch.no_grad():
        # The symmetric root, so that channels stay what they are as far as they can.
        layer.weight.copy_(directions @ torch.diag(variance.rsqrt()) @ directions.T)
        layer.bias.copy_(-layer.weight.double() @ x.mean(0))
    return layer
