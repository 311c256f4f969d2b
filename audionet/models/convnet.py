"""What the 2D convnets have in common: named stages, a pooling that takes any size, and a classifier."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from audionet.checks import check_at_least, check_one_of, check_spectrogram
from audionet.models.contract import linear_head
from audionet.models.layers import fully_connected, global_pool
from audionet.models.volume import maps_size
from audionet.registry import NamedArguments

HEADS = ("fully_connected", "global")


def embedding_pool(
    stages: Mapping[str, nn.Module],
    head: str,
    widths: Iterable[int],
    *,
    in_channels: int,
    n_bands: int,
    n_frames: int,
    activation: str = "relu",
    dropout: float = 0.0,
) -> tuple[nn.Sequential, int]:
    """Return what makes an embedding of the last maps, and how many numbers the embedding has.

    Args:
        stages: The convolutional stages by name.
        head: "fully_connected": layers that see every place of the maps, which are averaged to the size that they have
            at ``n_frames``; "global": the mean over all bands and frames.
        widths: Outputs of each fully connected layer.
        in_channels: Planes of the spectrogram.
        n_bands: Bands of the spectrogram.
        n_frames: Frames of the spectrogram that the fully connected layers are laid out for.
        activation: Of the fully connected layers, a name of `activation_layer`.
        dropout: Probability that an output of a fully connected layer is dropped before the next one.

    Raises:
        ValueError: There is no such head, or a stage has nothing left of a spectrogram of that size.

    Example:
        >>> stages = {"conv1": nn.Conv2d(1, 6, 5), "pool1": nn.MaxPool2d(2)}
        >>> size = {"in_channels": 1, "n_bands": 40, "n_frames": 101}
        >>> embedding_pool(stages, "fully_connected", [84], **size)
        (Sequential(
          (0): AdaptiveAvgPool2d(output_size=(18, 48))
          (1): Flatten(start_dim=1, end_dim=-1)
          (2): Linear(in_features=5184, out_features=84, bias=True)
          (3): ReLU()
        ), 84)
        >>> embedding_pool(stages, "global", [84], **size)[1]
        6
    """
    check_one_of(HEADS, "head", head)
    check_at_least(1, whole=True, in_channels=in_channels, n_bands=n_bands, n_frames=n_frames)
    n_channels, *grid = maps_size(nn.Sequential(OrderedDict(stages)), in_channels, n_bands, n_frames)
    if head == "global":
        return global_pool(), n_channels
    widths = [*widths]
    layers = fully_connected(n_channels, (grid[0], grid[1]), widths, activation=activation, dropout=dropout)
    return layers, widths[-1]


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
            maps_size(self.body, self.in_channels, self.n_bands, spectrogram.shape[-1])  # which says what is wrong
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
