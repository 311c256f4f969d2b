"""What every network offers, so that training, evaluation and bundles need to know nothing else of it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from torch import Tensor, nn

from audionet.checks import check_at_least, check_that

if TYPE_CHECKING:
    from audionet.models.wavenet.distributions import Distribution


class RecognitionNetwork(Protocol):
    """A network that maps spectrograms to logits by way of one embedding a clip: ``head(embed(spectrogram))``.

    Attributes:
        n_bands: Number of bands of the spectrograms that it takes.
        n_classes: Number of logits that it gives for each clip; 0 for a network without a classifier, which gives the
            embedding itself.
    """

    n_bands: int
    n_classes: int

    @property
    def stages(self) -> Mapping[str, nn.Module]:
        """The parts of ``embed`` by name, in the order of the data, which one can look inside of.

        Each returns maps (batch, channel, band, frame), (batch, channel, frame) or (batch, channel). The batch may lie
        elsewhere, as it does inside of `BCResNet`.
        """

    @property
    def head(self) -> nn.Module:
        """The classifier: maps embeddings (batch, channels) to logits (batch, n_classes), or to themselves."""

    def embed(self, spectrogram: Tensor) -> Tensor:
        """Map spectrograms (batch, 1, n_bands, frame) to embeddings (batch, channels)."""

    def __call__(self, spectrogram: Tensor) -> Tensor:
        """Map spectrograms (batch, 1, n_bands, frame) to logits (batch, n_classes)."""


def stages_of(network: nn.Module) -> Mapping[str, nn.Module]:
    """Return the parts of a network that one can look inside of: its ``stages``, or else its children.

    Example:
        >>> [*stages_of(audionet.models.create("tcresnet", n_classes=3))]
        ['stem', 'block1', 'block2', 'block3']
    """
    stages = getattr(network, "stages", None)
    return stages if isinstance(stages, Mapping) else dict(network.named_children())


def linear_head(n_channels: int, n_classes: int, dropout: float | None = None) -> nn.Module:
    """Return a classifier of embeddings: a linear layer, behind dropout if it is asked for.

    Args:
        n_channels: Numbers of an embedding.
        n_classes: Number of logits; 0 for no classifier, which returns the embedding.
        dropout: Probability that a channel of the embedding is dropped; None for no such layer.

    Raises:
        ValueError: ``n_classes`` is no whole number of at least 0.

    Example:
        >>> linear_head(48, 12), linear_head(48, 0)
        (Linear(in_features=48, out_features=12, bias=True), Identity())
    """
    check_at_least(0, n_classes=n_classes, whole=True)
    if n_classes == 0:
        return nn.Identity()
    linear = nn.Linear(n_channels, n_classes)
    return linear if dropout is None else nn.Sequential(nn.Dropout(dropout), linear)


def linear_of(network: RecognitionNetwork | nn.Module) -> nn.Linear:
    """Return the linear layer of a network's classifier.

    Raises:
        ValueError: ``head`` is missing, or holds no linear layer or several.

    Example:
        >>> linear_of(audionet.models.create("tcresnet", n_classes=3))
        Linear(in_features=48, out_features=3, bias=True)
    """
    head = getattr(network, "head", None)
    found = [each for each in head.modules() if isinstance(each, nn.Linear)] if isinstance(head, nn.Module) else []
    check_that(len(found) == 1, "head", "one linear layer", f"{len(found)} of them")
    return found[0]


@runtime_checkable
class HasOwnLoss(Protocol):
    """A network that learns from a loss of its own beside the one of its logits."""

    def logits_and_loss(self, spectrogram: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits (batch, n_classes) and a scalar loss to add to theirs, from one pass."""


@runtime_checkable
class HasAuxiliaryHeads(Protocol):
    """A network that may have further classifiers on its way, from which only its training learns."""

    def auxiliary_logits(self, spectrogram: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the logits (batch, n_classes), and those of each further classifier, from one pass."""


class SampleModel(Protocol):
    """A network that predicts each sample from those before it: what training and generation need to know of it.

    Attributes:
        distribution: Form of the samples, loss and draws.
        categories: Values of each category that it is conditioned on.
        receptive_field: Samples that an output depends on.
        hop_length: Samples of one frame of local conditioning; 1 for a network without.
        step_length: Samples whose multiples windows of clips may begin at.
        n_places: Number of places in the clip that it tells apart; 0 if it is not told the place.
    """

    distribution: "Distribution"
    categories: Mapping[str, Sequence[str]]
    receptive_field: int
    hop_length: int
    step_length: int
    n_places: int

    def __call__(
        self,
        samples: Tensor,
        conditions: Mapping[str, Tensor] | None = None,
        frames: Tensor | None = None,
        start: Tensor | None = None,
        length: Tensor | None = None,
    ) -> Tensor:
        """Map samples (batch, time) to (batch, time, n_outputs); the arguments are those of `WaveNet.forward`."""
