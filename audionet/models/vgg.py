"""VGG: depth, from stacks of the smallest filters (Simonyan and Zisserman, 2014, arXiv 1409.1556).

Two filters of 3 x 3, one after the other, see as much as one of 5 x 5, with fewer weights and a ReLU more between.
"""

from torch import nn

from audionet.checks import check_at_least, check_one_of, check_positive
from audionet.models.convnet import Convnet, embedding_pool
from audionet.models.layers import PaddingMode, conv_layer, initialize_he, pool_layer, scaled

CHANNELS = (64, 128, 256, 512, 512)  # of each block
CONVOLUTIONS = {  # of each block, by the number of layers with weights: table 1, columns A, B, D and E
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
WIDTHS = (4096, 4096)  # of the fully connected layers


def vgg_stages(
    depth: int, width: float, *, in_channels: int, pooling: str, padding_mode: PaddingMode, norm: str, activation: str
) -> dict[str, nn.Module]:
    """Return the blocks of table 1, each a stack of 3 x 3 convolutions, and the poolings that halve their maps."""
    stages: dict[str, nn.Module] = {}
    n_in = in_channels
    for number, (channels, n_convolutions) in enumerate(zip(CHANNELS, CONVOLUTIONS[depth], strict=True), 1):
        block = nn.Sequential()
        for _ in range(n_convolutions):
            n_out = scaled(channels, width)
            block.append(conv_layer(n_in, n_out, 3, padding_mode=padding_mode, norm=norm, activation=activation))
            n_in = n_out
        stages[f"conv{number}"] = block
        stages[f"pool{number}"] = pool_layer(pooling, 2, 2, n_channels=n_in, activation=activation)
    return stages


class VGG(Convnet):
    """VGG-11, 13, 16 or 19: five blocks of 3 x 3 convolutions, each with a pooling, and two fully connected layers.

    Args:
        n_classes: Number of classes, silence and unknown among them; 0 for the embedding alone.
        depth: Layers with weights, the classifier among them: 11, 13, 16 or 19.
        width: Factor on all channels, those of the fully connected layers among them.
        norm: After each convolution, a name of `audionet.models.layers.norm_layer`; the paper knows none.
        pooling: "max", the paper's, "average" or "convolution".
        padding_mode: What stands around the maps: "zeros", the paper's, "reflect", "replicate" or "circular".
        activation: A name of `audionet.models.layers.activation_layer`.
        head: "fully_connected", or "global" for the mean over all bands and frames.
        n_bands: Bands of the spectrogram, at least 32.
        n_frames: Frames that the fully connected layers are laid out for.
        in_channels: Planes of the input: 1 for a spectrogram, 3 for one with its first and second differences.
        dropout: Probability that an output of a fully connected layer is dropped.

    Shape:
        (batch, in_channels, n_bands, frame) -> (batch, n_classes)

    Raises:
        ValueError: A choice is unknown, or too little of the spectrogram is left for a layer; from ``forward``, the
            spectrogram has another number of bands, or too few frames.

    Example:
        >>> network = VGG(n_classes=12, depth=11, width=0.125)
        >>> spectrogram = torch.zeros(3, 1, 40, 101)
        >>> network.maps(spectrogram).shape, network(spectrogram).shape
        (torch.Size([3, 64, 1, 3]), torch.Size([3, 12]))
    """

    def __init__(
        self,
        *,
        n_classes: int,
        depth: int = 16,
        width: float = 1.0,
        norm: str = "none",
        pooling: str = "max",
        padding_mode: PaddingMode = "zeros",
        activation: str = "relu",
        head: str = "fully_connected",
        n_bands: int = 40,
        n_frames: int = 101,
        in_channels: int = 1,
        dropout: float = 0.5,
    ) -> None:
        check_positive(width=width)
        check_at_least(0, 1, dropout=dropout)
        check_one_of(CONVOLUTIONS, "depth", depth)
        stages = vgg_stages(
            depth,
            width,
            in_channels=in_channels,
            pooling=pooling,
            padding_mode=padding_mode,
            norm=norm,
            activation=activation,
        )
        pool, n_embedding = embedding_pool(
            stages,
            head,
            [scaled(channels, width) for channels in WIDTHS],
            in_channels=in_channels,
            n_bands=n_bands,
            n_frames=n_frames,
            activation=activation,
            dropout=dropout,
        )
        super().__init__(
            stages,
            pool=pool,
            n_embedding=n_embedding,
            n_classes=n_classes,
            n_bands=n_bands,
            in_channels=in_channels,
            dropout=dropout or None,
        )
        initialize_he(self)
