"""A head that tells synthetic from real speech, while the network learns that it cannot.

Its gradient reaches the network reversed (Ganin et al., Domain-Adversarial Training of Neural Networks, 2016): what
helps the head is what the embedding unlearns. The real speech needs no labels.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.autograd import Function
from torch.nn import functional as F

from audionet.checks import check_that
from audionet.models import HasOwnLoss, RecognitionNetwork
from audionet.models.contract import linear_of

_HIDDEN = 64
_SHARE = 0.5  # of real speech, relative to the labelled clips of a batch
_ADVICE = "give a folder of it (in a recipe --data.real_speech), or leave the weight at 0"


class ReverseGradient(Function):
    """Return a tensor as it is; the gradient that comes back through it is multiplied by -weight.

    Example:
        >>> embedding = torch.ones(3, requires_grad=True)
        >>> ReverseGradient.apply(embedding, 0.5).sum().backward()
        >>> embedding.grad
        tensor([-0.5000, -0.5000, -0.5000])
    """

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, weight: float) -> Tensor:  # noqa: D102
        ctx.weight = weight
        return tensor.view_as(tensor)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # noqa: D102
        return -ctx.weight * gradients[0], None


class DomainHead(nn.Module):
    """Two layers that tell by an embedding whether a clip is real speech.

    Args:
        model: Network that makes the embeddings. It is not part of the head.
        speech: Clips of real speech, (clip, time) int16.
        weight: Weight of the reversed gradient at the end of the training; it rises from 0 on.

    Raises:
        ValueError: There is no speech, or the network learns from a loss of its own or has no linear classifier.
    """

    def __init__(self, model: RecognitionNetwork | nn.Module, speech: np.ndarray | None, weight: float) -> None:
        super().__init__()
        n_clips = 0 if speech is None else len(speech)
        check_that(n_clips, "speech", "real speech, with domain_weight", "none", _ADVICE)
        fits = not isinstance(model, HasOwnLoss) and not getattr(model, "auxiliary", None)
        expected = "0 for a network with a loss of its own or auxiliary classifiers"
        check_that(fits, "domain_weight", expected, weight, "choose another network")
        self.speech, self.weight = speech, weight
        self.layers = nn.Sequential(nn.Linear(linear_of(model).in_features, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, 1))

    def draw(self, n_labelled: int, generator: Generator) -> Tensor:
        """Draw the clips of real speech, (clip, time) int16, that go with so many labelled ones."""
        assert self.speech is not None
        rows = torch.randint(len(self.speech), (math.ceil(_SHARE * n_labelled),), generator=generator)
        return torch.from_numpy(self.speech[rows.numpy()])

    def loss(self, embedding: Tensor, is_real: Tensor, progress: float) -> Tensor:
        """Return the head's cross-entropy, the mean of both kinds; towards the embedding, its gradient is reversed.

        Args:
            embedding: (batch, channels), of synthetic clips and of real speech.
            is_real: (batch,) bool.
            progress: Share of the training that is done.
        """
        rising = 2 / (1 + math.exp(-10 * progress)) - 1  # equation 14
        logits = self.layers(ReverseGradient.apply(embedding.float(), self.weight * rising)).squeeze(-1)
        losses = F.binary_cross_entropy_with_logits(logits, is_real.float(), reduction="none")
        return (losses[is_real].mean() + losses[~is_real].mean()) / 2
