"""ResNet: blocks that learn what to add to their input, so that more layers never make a network worse.

Source: He, Zhang, Ren and Sun, 2015, arXiv 1512.03385. The pre-activation is theirs of 2016, arXiv 1603.05027.
"""

from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from audionet.checks import check_one_of, check_positive
from audionet.models.convnet import Convnet
from audionet.models.layers import (
    PaddingMode,
    activation_layer,
    conv_layer,
    global_pool,
    initialize_he,
    norm_layer,
    pool_layer,
    scaled,
)

IMAGENET_BLOCKS = {  # of conv2 to conv5, by the depth: table 1
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
IMAGENET_CHANNELS = (64, 128, 256, 512)
BOTTLENECK_DEPTHS = (50, 101, 152)
BOTTLENECK_FACTOR = 4  # channels that go out of a bottleneck, by those inside
CIFAR_BLOCKS = {6 * n + 2: (n, n, n) for n in (1, 2, 3, 5, 7, 9, 18)}  # of conv2 to conv4, by the depth: section 4.2
CIFAR_CHANNELS = (16, 32, 64)
SHORTCUTS = ("A", "B", "C")


class PaddedShortcut(nn.Module):
    """Option A: every ``stride``-th band and frame of the input, with channels of zeros behind its own."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.n_added, self.stride = n_out - n_in, stride

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, n_in, band, frame) to (batch, n_out, band / stride, frame / stride)."""
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.n_added))


class ResidualBlock(nn.Module):
    """y = activation(F(x) + shortcut(x)), equation 2 of the paper; F is two convolutions, or a bottleneck of three.

    Args:
        n_in: Channels that come in.
        n_inside: Channels of the 3 × 3 convolutions; of a bottleneck, four times as many go out.
        is_bottleneck: Whether one 3 × 3 convolution lies between two pointwise ones, which make its channels few.
        stride: Step of the first 3 × 3 convolution.
        pre_activation: Whether normalisation and activation come before each convolution, not after it, so that
            nothing lies on the way around the blocks: y = x + F(x) (arXiv 1603.05027, figure 4e).
        is_activated: Whether the input is normalised and active already; only a pre-activation asks.
        shortcut: "A", "B" or "C", as `ResNet` describes them.
        padding_mode: Of the convolutions.
        norm: A name of `norm_layer`.
        activation: A name of `activation_layer`.

    Example:
        >>> ResidualBlock(8, 16, stride=2)(torch.ones(1, 8, 40, 101)).shape
        torch.Size([1, 16, 20, 51])
    """

    def __init__(
        self,
        n_in: int,
        n_inside: int,
        *,
        is_bottleneck: bool = False,
        stride: int = 1,
        pre_activation: bool = False,
        is_activated: bool = False,
        shortcut: str = "B",
        padding_mode: PaddingMode = "zeros",
        norm: str = "batch",
        activation: str = "relu",
    ) -> None:
        super().__init__()
        n_out = n_inside * BOTTLENECK_FACTOR if is_bottleneck else n_inside
        kernels = (1, 3, 1) if is_bottleneck else (3, 3)
        widths = [n_in, *(n_inside for _ in kernels[1:]), n_out]
        convs = [
            conv_layer(
                widths[index],
                widths[index + 1],
                kernel,
                stride=stride if index == kernels.index(3) else 1,
                padding_mode=padding_mode,
                norm=norm,
                activation="none" if index == len(kernels) - 1 else activation,
            )
            for index, kernel in enumerate(kernels)
        ]
        has_same_size = n_in == n_out and stride == 1
        self.projects = shortcut == "C" or (shortcut == "B" and not has_same_size)
        way: nn.Module = nn.Identity() if has_same_size else PaddedShortcut(n_in, n_out, stride)
        if self.projects:
            way = conv_layer(n_in, n_out, 1, stride=stride, norm=norm, activation="none")
        before: list[nn.Module] = []
        if pre_activation:
            before = [] if is_activated else [norm_layer(norm, n_in), activation_layer(activation)]
            convs[-1], way = (
                convs[-1][:1],
                way[:1] if isinstance(way, nn.Sequential) else way,
            )  # the sums are not normed
        self.before = nn.Sequential(*before)
        self.body = nn.Sequential(*convs)
        self.shortcut = way
        self.after = nn.Identity() if pre_activation else activation_layer(activation)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, n_in, band, frame) to (batch, n_out, band / stride, frame / stride)."""
        y = self.before(x)
        total: Tensor = self.after(self.body(y) + self.shortcut(y if self.projects else x))
        return total


class ResNet(Convnet):
    """ResNet of any depth of the paper: those for ImageNet, and the small ones for CIFAR.

    The depths 18 and 34 have blocks of two convolutions, 50, 101 and 152 bottlenecks, whose stride lies in the 3 × 3
    convolution. They begin with a convolution of 7 × 7 and a pooling, which leave a quarter of the bands and frames.
    The depths 8, 14, 20, 32, 44, 56 and 110 begin with a convolution of 3 × 3, and have three stages of few channels.

    Args:
        n_classes: Number of classes, silence and unknown among them; 0 for the embedding alone.
        depth: Number of layers with weights on the longest way.
        width: Factor on all channel counts.
        shortcut: The way around a block whose size changes: "A", zeros for the new channels, which the paper takes for
            CIFAR; "B", a pointwise convolution, which it takes for ImageNet; "C", such a one around every block.
        pre_activation: Whether normalisation and activation come before each convolution, not after it.
        pooling: After the first convolution of a depth for ImageNet: "max", "average" or "convolution".
        padding_mode: What convolutions see beyond the edges: "zeros", "reflect", "replicate" or "circular".
        norm: "batch", "instance" or "none".
        activation: Name of the non-linear function, such as "relu".
        n_bands: Bands of the spectrogram.
        in_channels: Planes of the input.
        dropout: Probability that a number of the embedding is dropped before the classifier; None for no such layer.

    Shape:
        (batch, in_channels, n_bands, frame) -> (batch, n_classes)

    Raises:
        ValueError: There is no such ``depth`` or choice, or ``width`` is not above 0; from ``forward``, the
            spectrogram has another number of bands.

    Example:
        >>> network = ResNet(n_classes=12, depth=18, width=0.25)
        >>> spectrogram = torch.zeros(3, 1, 40, 101)
        >>> network.embed(spectrogram).shape, network(spectrogram).shape
        (torch.Size([3, 128]), torch.Size([3, 12]))
        >>> network.maps(spectrogram).shape
        torch.Size([3, 128, 2, 4])
    """

    def __init__(
        self,
        *,
        n_classes: int,
        depth: int = 18,
        width: float = 1.0,
        shortcut: str = "B",
        pre_activation: bool = False,
        pooling: str = "max",
        padding_mode: PaddingMode = "zeros",
        norm: str = "batch",
        activation: str = "relu",
        n_bands: int = 40,
        in_channels: int = 1,
        dropout: float | None = None,
    ) -> None:
        check_one_of((*CIFAR_BLOCKS, *IMAGENET_BLOCKS), "depth", depth)
        check_one_of(SHORTCUTS, "shortcut", shortcut)
        check_positive(width=width)
        is_small, is_bottleneck = depth in CIFAR_BLOCKS, depth in BOTTLENECK_DEPTHS
        blocks = (CIFAR_BLOCKS if is_small else IMAGENET_BLOCKS)[depth]
        channels = CIFAR_CHANNELS if is_small else IMAGENET_CHANNELS
        n_in = scaled(channels[0], width)
        conv = partial(conv_layer, padding_mode=padding_mode, norm=norm, activation=activation)
        stages = {"conv1": conv(in_channels, n_in, 3 if is_small else 7, stride=1 if is_small else 2)}
        pool = pool_layer(pooling, 3, 2, n_channels=n_in, padding=1, activation=activation)
        block = partial(
            ResidualBlock,
            is_bottleneck=is_bottleneck,
            pre_activation=pre_activation,
            shortcut=shortcut,
            padding_mode=padding_mode,
            norm=norm,
            activation=activation,
        )
        for stage, (n_blocks, n_channels) in enumerate(zip(blocks, channels, strict=True), 2):
            n_inside = scaled(n_channels, width)
            layers: list[nn.Module] = [pool] if stage == 2 and not is_small else []
            for index in range(n_blocks):
                is_first = stage == 2 and index == 0
                layers.append(block(n_in, n_inside, stride=2 if index == 0 and stage > 2 else 1, is_activated=is_first))
                n_in = n_inside * BOTTLENECK_FACTOR if is_bottleneck else n_inside
            stages[f"conv{stage}"] = nn.Sequential(*layers)
        if pre_activation:
            stages[f"conv{stage}"].extend([norm_layer(norm, n_in), activation_layer(activation)])
        super().__init__(
            stages,
            pool=global_pool(),
            n_embedding=n_in,
            n_classes=n_classes,
            n_bands=n_bands,
            in_channels=in_channels,
            dropout=dropout,
        )
        initialize_he(self)
