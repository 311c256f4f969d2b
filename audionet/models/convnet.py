"""What the 2D convnets have in common: named stages, a pooling that takes any size, and a classifier."""

from collections import OrderedDict
from collections.abc import Mapping

from torch import Tensor, nn

from audionet.checks import check_spectrogram
from audionet.models.contract import linear_head
from audionet.models.volume import check_size
from audionet.registry import NamedArguments


class Convnet(NamedArguments, nn.Module):
    """A chain of stages that map spectrograms to smaller and deeper maps, a pooling, and a classifier.

    A family of networks is a function of its paper's table that returns the stages, and a class that gives them to
    this one.

    Args:
        stages: The convolutional stages by name, in the order of the data; each maps (batch, channel, band, frame).
        pool: Maps the last stage's maps, of any size, to embeddings (batch, n_embedding).
        n_embedding: Numbers of an embedding.
        n_classes: Number of classes, silence and unknown among them; 0 for the embedding alone.
        n_bands: Bands of the spectrogram.
        in_channels: Planes of the input: 1 for a spectrogram, 3 for one with its first and second differences.
        dropout: Probability that a number of the embedding is dropped before the classifier; None for no such layer.

    Raises:
        ValueError: ``n_classes`` is below 0; from ``forward``, the spectrogram has another number of bands, or so few
            frames that a layer has nothing left.
    """

    def __init__(
        self,
        stages: Mapping[str, nn.Module],
        *,
        pool: nn.Module,
        n_embedding: int,
        n_classes: int,
        n_bands: int,
        in_channels: int = 1,
        dropout: float | None = None,
    ) -> None:
        super().__init__()
        self.n_bands, self.n_classes, self.in_channels = n_bands, n_classes, in_channels
        self.body = nn.Sequential(OrderedDict(stages))
        self.pool = pool
        self.head = linear_head(n_embedding, n_classes, dropout)

    @property
    def stages(self) -> Mapping[str, nn.Module]:
        """The parts of ``embed`` by name, in the order of the data; the last is the pooling."""
        return dict(self.body.named_children()) | {"pool": self.pool}

    def maps(self, spectrogram: Tensor) -> Tensor:
        """Map spectrograms (batch, in_channels, n_bands, frame) to the last maps (batch, channel, band, frame)."""
        check_spectrogram(spectrogram, self.n_bands, self.in_channels)
        try:
            maps: Tensor = self.body(spectrogram)
        except RuntimeError:
            check_size(self.body, self.in_channels, self.n_bands, spectrogram.shape[-1])
            raise
        return maps

    def frames(self, spectrogram: Tensor) -> Tensor:
        """Map spectrograms (batch, in_channels, n_bands, frame) to one vector for each stretch of frames.

        Returns:
            (batch, channel, frame / stride), the mean over the bands of the last maps.
        """
        return self.maps(spectrogram).mean(2)

    def embed(self, spectrogram: Tensor) -> Tensor:
        """Map spectrograms (batch, in_channels, n_bands, frame) to embeddings (batch, n_embedding)."""
        embedding: Tensor = self.pool(self.maps(spectrogram))
        return embedding

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Map spectrograms (batch, in_channels, n_bands, frame) to logits (batch, n_classes)."""
        logits: Tensor = self.head(self.embed(spectrogram))
        return logits
