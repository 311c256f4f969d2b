"""BN-Inception, or Inception v2: batch normalisation (Ioffe and Szegedy, 2015, arXiv 1502.03167, figure 5).

Each channel is brought to mean 0 and variance 1 over the batch after every convolution, which lets the network learn at
many times the rate. Two 3 × 3 convolutions take the place of each 5 × 5.
"""

from torch import nn

from audionet.models.convnet import Convnet
from audionet.models.inception import Chain, Conv, Fork, Pool, check_bands, stages
from audionet.models.layers import PaddingMode, Size, global_pool, initialize_he, pair


def module(one: int, three_reduce: int, three: int, double_reduce: int, double: int, pool: str, projected: int) -> Fork:
    """Return an inception module with a doubled 3 × 3 convolution; the arguments are the columns of figure 5.

    Example:
        >>> module(64, 64, 64, 64, 96, "average", 32).branches[3]
        (Pool(kind='average', stride=1, valid=False), Conv(n_out=32, kernel=1, stride=1, valid=False))
    """
    return Fork(
        (
            (Conv(one),),
            (Conv(three_reduce), Conv(three, 3)),
            (Conv(double_reduce), Conv(double, 3), Conv(double, 3)),
            (Pool(pool), Conv(projected)),
        )
    )


def reduction(three_reduce: int, three: int, double_reduce: int, double: int) -> Fork:
    """Return a module that halves the maps: its last convolutions do, and a pooling passes its input through.

    Example:
        >>> reduction(128, 160, 64, 96).branches[2]
        (Pool(kind='max', stride=2, valid=False),)
    """
    return Fork(
        (
            (Conv(three_reduce), Conv(three, 3, 2)),
            (Conv(double_reduce), Conv(double, 3), Conv(double, 3, 2)),
            (Pool("max", 2),),
        )
    )


# Of modules 4c and 4d the figure's last column says 128, which contradicts the depth of 576 that it gives them; it is
# 96 in the network that Google released, and here.
FIGURE_5: dict[str, Chain] = {
    "conv1": (Conv(64, 7, 2), Pool("max", 2)),
    "conv2": (Conv(64), Conv(192, 3), Pool("max", 2)),
    "inception3": (
        module(64, 64, 64, 64, 96, "average", 32),
        module(64, 64, 96, 64, 96, "average", 64),
        reduction(128, 160, 64, 96),
    ),
    "inception4": (
        module(224, 64, 96, 96, 128, "average", 128),
        module(192, 96, 128, 96, 128, "average", 128),
        module(160, 128, 160, 128, 160, "average", 96),
        module(96, 128, 192, 160, 192, "average", 96),
        reduction(128, 192, 192, 256),
    ),
    "inception5": (
        module(352, 192, 320, 160, 224, "average", 128),
        module(352, 192, 320, 192, 224, "max", 128),
    ),
}
MULTIPLIER = 8  # kernels that the first convolution has for each plane of its input


def depthwise(in_channels: int, kernel: Size, stride: Size, padding_mode: PaddingMode) -> nn.Conv2d:
    """Return a convolution with eight kernels for each plane of its input, whose sums the next layer takes.

    Example:
        >>> depthwise(1, 7, 2, "zeros").weight.shape
        torch.Size([8, 1, 7, 7])
    """
    rows, columns = pair(kernel)
    conv = nn.Conv2d(
        in_channels,
        MULTIPLIER * in_channels,
        (rows, columns),
        stride=stride,
        padding=(rows // 2, columns // 2),
        groups=in_channels,
        bias=False,
        padding_mode=padding_mode,
    )
    initialize_he(conv, "fan_in")
    return conv


class BNInception(Convnet):
    """BN-Inception: GoogLeNet with batch normalisation after every convolution, and deeper modules.

    Args:
        n_classes: Number of classes, silence and unknown among them; 0 for the embedding alone.
        width: Factor on all channels.
        stride: Step of the first convolution, in bands and in frames; 1 keeps more of a small spectrogram.
        separable: Make each kernel of the first convolution a sum of eight for each plane of the input, as the paper
            does, rather than a kernel of its own.
        padding_mode: What the rows and columns hold that are added around maps: "zeros", "reflect", "replicate" or
            "circular".
        pooling: What halves the maps: "max", "average" or "convolution".
        norm: After every convolution: "batch", "instance" or "none".
        activation: Non-linear function after every convolution, a name of `audionet.models.layers.ACTIVATIONS`.
        n_bands: Bands of the spectrogram.
        in_channels: Planes of the input: 1 for a spectrogram, 3 for one with its first and second differences.
        dropout: Probability that a number of the embedding is dropped before the classifier; None for no such layer,
            which the paper finds unnecessary.

    Shape:
        (batch, in_channels, n_bands, frame) -> (batch, n_classes)

    Raises:
        ValueError: A name is unknown, or a number is too small; from ``forward``, the spectrogram has another number of
            bands.

    Example:
        >>> network = BNInception(n_classes=12, width=0.25)
        >>> spectrogram = torch.zeros(3, 1, 40, 101)
        >>> network.embed(spectrogram).shape, network(spectrogram).shape
        (torch.Size([3, 256]), torch.Size([3, 12]))
    """

    def __init__(
        self,
        *,
        n_classes: int,
        width: float = 1.0,
        stride: Size = 2,
        separable: bool = True,
        padding_mode: PaddingMode = "zeros",
        pooling: str = "max",
        norm: str = "batch",
        activation: str = "relu",
        n_bands: int = 40,
        in_channels: int = 1,
        dropout: float | None = None,
    ) -> None:
        table, n_in, step = FIGURE_5, in_channels, stride
        if separable:  # of the first convolution, the table keeps the part of one place, which sums the kernels
            table, n_in, step = FIGURE_5 | {"conv1": (Conv(64), Pool("max", 2))}, MULTIPLIER * in_channels, 1
        built, n_out = stages(
            table,
            n_in,
            width=width,
            stride=step,
            padding_mode=padding_mode,
            pooling=pooling,
            norm=norm,
            activation=activation,
        )
        if separable:
            built["conv1"] = nn.Sequential(depthwise(in_channels, 7, stride, padding_mode), built["conv1"])
        super().__init__(
            built,
            pool=global_pool(),
            n_embedding=n_out,
            n_classes=n_classes,
            n_bands=n_bands,
            in_channels=in_channels,
            dropout=dropout,
        )
        check_bands(self, "same", padding_mode)
