"""AlexNet: the convnet at the size of photographs, with ReLU, dropout and overlapping pooling.

Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks", NIPS 2012, figure
2; the single tower is that of Krizhevsky, 2014, arXiv 1404.5997. The picture is 224 x 224 (227 x 227 in the code).
"""

from torch import nn

from audionet.checks import check_at_least, check_one_of, check_positive
from audionet.models.convnet import Convnet, embedding_pool
from audionet.models.layers import NORMS, PaddingMode, ResponseNorm, Size, conv_layer, pool_layer, scaled

CHANNELS = {2: (96, 256, 384, 384, 256), 1: (64, 192, 384, 256, 256)}  # of each convolution, by the groups
KERNELS = (11, 5, 3, 3, 3)
GROUPED = (2, 4, 5)  # the convolutions whose two halves do not see each other: they lay on two GPUs
POOLED = (1, 2, 5)  # the convolutions behind which the maps are pooled, by 3 x 3 and a step of 2
NORMALISED = (1, 2)  # the convolutions behind whose activation the maps are normalised
WIDTHS = (4096, 4096)  # of the fully connected layers


def alexnet_stages(
    groups: int,
    width: float,
    *,
    stride: Size,
    in_channels: int,
    pooling: str,
    padding_mode: PaddingMode,
    norm: str,
    activation: str,
) -> dict[str, nn.Module]:
    """Return the five convolutions of figure 2, and the three poolings."""
    stages: dict[str, nn.Module] = {}
    n_in = in_channels
    for number, (channels, kernel) in enumerate(zip(CHANNELS[groups], KERNELS, strict=True), 1):
        n_out = groups * scaled(channels // groups, width)
        stages[f"conv{number}"] = conv = conv_layer(
            n_in,
            n_out,
            kernel,
            stride=stride if number == 1 else 1,
            padding=2 if number == 1 else None,
            groups=groups if number in GROUPED else 1,
            padding_mode=padding_mode,
            norm="none" if norm == "local" else norm,
            activation=activation,
        )
        if norm == "local" and number in NORMALISED:
            conv.append(ResponseNorm())
        if number in POOLED:
            stages[f"pool{number}"] = pool_layer(pooling, 3, 2, n_channels=n_out, activation=activation)
        n_in = n_out
    return stages


class AlexNet(Convnet):
    """AlexNet: five convolutions, three overlapping poolings and two fully connected layers.

    Args:
        n_classes: Number of classes, silence and unknown among them; 0 for the embedding alone.
        width: Factor on all channels, those of the fully connected layers among them.
        groups: 2: the paper's two halves, which see each other at the third convolution alone; 1: the single tower of
            2014, whose channels are fewer.
        stride: Step of the first convolution, of bands and frames; the paper's is 4, of 224 rows and columns.
        norm: "local": the paper's normalisation over neighbouring channels behind the first two convolutions; or a name
            of `audionet.models.layers.norm_layer` for one behind all five.
        pooling: "max", the paper's, "average" or "convolution".
        padding_mode: What stands around the maps: "zeros", the paper's, "reflect", "replicate" or "circular".
        activation: A name of `audionet.models.layers.activation_layer`.
        head: "fully_connected", or "global" for the mean over all bands and frames.
        n_bands: Bands of the spectrogram, at least 35 at stride 2.
        n_frames: Frames that the fully connected layers are laid out for.
        in_channels: Planes of the input: 1 for a spectrogram, 3 for one with its first and second differences.
        dropout: Probability that an output of a fully connected layer is dropped.

    Shape:
        (batch, in_channels, n_bands, frame) -> (batch, n_classes)

    Raises:
        ValueError: A choice is unknown, or too little of the spectrogram is left for a layer; from ``forward``, the
            spectrogram has another number of bands, or too few frames.

    Example:
        >>> network = AlexNet(n_classes=12, width=0.125)
        >>> spectrogram = torch.zeros(3, 1, 40, 101)
        >>> network.maps(spectrogram).shape, network(spectrogram).shape
        (torch.Size([3, 32, 1, 5]), torch.Size([3, 12]))
    """

    def __init__(
        self,
        *,
        n_classes: int,
        width: float = 1.0,
        groups: int = 2,
        stride: int | tuple[int, int] = 2,
        norm: str = "local",
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
        check_one_of(CHANNELS, "groups", groups)
        check_one_of(("local", *NORMS), "norm", norm)
        stages = alexnet_stages(
            groups,
            width,
            stride=stride,
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
