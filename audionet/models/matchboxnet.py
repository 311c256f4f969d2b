"""MatchboxNet: residual blocks of separable convolutions over time, with the bands as channels.

Source: Majumdar and Ginsburg, 2020, arXiv 2004.08531; it is a small QuartzNet (Kriman et al., 2019, arXiv 1910.10261).
"""

from functools import partial

from torch import Tensor, nn

from audionet.checks import check_at_least, check_positive
from audionet.models.convnet import Convnet
from audionet.models.layers import PaddingMode, activation_layer, conv_layer, global_pool, initialize_he, scaled

OUTER_CHANNELS = 128  # of the convolutions before and after the blocks
FIRST_KERNEL, LAST_KERNEL, LAST_DILATION = 11, 29, 2  # of those convolutions, in frames
BLOCK_KERNEL, KERNEL_GROWTH = 13, 2  # of the first block, and from one block to the next; the paper gives 13, 15 and 17


def separable(
    n_in: int,
    n_out: int,
    kernel_size: int,
    *,
    dilation: int = 1,
    padding_mode: PaddingMode,
    activation: str,
    dropout: float,
) -> nn.Sequential:
    """Return a convolution over time in each channel, one over the channels at each time, and what follows them.

    Example:
        >>> layers = separable(64, 128, 11, padding_mode="zeros", activation="relu", dropout=0.0)
        >>> layers(torch.ones(2, 64, 1, 101)).shape
        torch.Size([2, 128, 1, 101])
        >>> sum(parameter.numel() for parameter in layers.parameters()) == 64 * 11 + 64 * 128 + 2 * 128
        True
    """
    depthwise = conv_layer(
        n_in,
        n_in,
        (1, kernel_size),
        dilation=(1, dilation),
        groups=n_in,
        padding_mode=padding_mode,
        activation="none",
    )[0]
    pointwise = conv_layer(n_in, n_out, 1, activation=activation)
    return nn.Sequential(depthwise, *pointwise, *([nn.Dropout(dropout)] if dropout else []))


class BandsAsChannels(nn.Module):
    """Take the bands as channels of a map that is one band high."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channel, band, frame) to (batch, channel * band, 1, frame)."""
        return x.flatten(1, 2).unsqueeze(2)


class MatchboxBlock(nn.Module):
    """Some separable convolutions beside a pointwise one, and the activation of their sum: figure 1 of the paper.

    Args:
        n_in: Channels that come in.
        n_out: Channels that go out.
        kernel_size: Of the convolutions over time, in frames.
        n_sub_blocks: Separable convolutions.
        padding_mode: Of the convolutions over time.
        activation: A name of `activation_layer`.
        dropout: Probability that a number is dropped after each activation.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        kernel_size: int,
        *,
        n_sub_blocks: int,
        padding_mode: PaddingMode,
        activation: str,
        dropout: float,
    ) -> None:
        super().__init__()
        part = partial(separable, padding_mode=padding_mode)
        inner = [
            part(n_in if index == 0 else n_out, n_out, kernel_size, activation=activation, dropout=dropout)
            for index in range(n_sub_blocks - 1)
        ]
        last = part(n_out if inner else n_in, n_out, kernel_size, activation="none", dropout=0.0)
        self.body = nn.Sequential(*inner, last)
        self.shortcut = conv_layer(n_in, n_out, 1, activation="none")
        self.after = nn.Sequential(activation_layer(activation), *([nn.Dropout(dropout)] if dropout else []))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, n_in, 1, frame) to (batch, n_out, 1, frame)."""
        total: Tensor = self.after(self.body(x) + self.shortcut(x))
        return total


class MatchboxNet(Convnet):
    """MatchboxNet-B×R×C: B blocks of R separable convolutions with C channels, between wider ones.

    Its maps are one band high, and it keeps all frames.

    Args:
        n_classes: Number of classes, silence and unknown among them; 0 for the embedding alone.
        n_blocks: B of the paper, 3 or 6. It gives the kernels of three blocks, 13, 15 and 17 frames; they grow on by 2.
        n_sub_blocks: R of the paper, 1 or 2.
        n_channels: C of the paper, 64 to 112.
        width: Factor on all channel counts.
        padding_mode: What convolutions see beyond the ends: "zeros", "reflect", "replicate" or "circular".
        activation: Name of the non-linear function, such as "relu".
        n_bands: Bands of the spectrogram; the paper has 64 cepstral coefficients.
        in_channels: Planes of the input.
        dropout: Probability that a number is dropped after each activation.

    Shape:
        (batch, in_channels, n_bands, frame) -> (batch, n_classes)

    Raises:
        ValueError: An argument is too small, or there is no such choice; from ``forward``, the spectrogram has another
            number of bands.

    Example:
        >>> network = MatchboxNet(n_classes=12, n_blocks=3, n_sub_blocks=1)
        >>> spectrogram = torch.zeros(3, 1, 40, 101)
        >>> network.embed(spectrogram).shape, network(spectrogram).shape
        (torch.Size([3, 128]), torch.Size([3, 12]))
        >>> network.frames(spectrogram).shape
        torch.Size([3, 128, 101])
    """

    def __init__(
        self,
        *,
        n_classes: int,
        n_blocks: int = 3,
        n_sub_blocks: int = 1,
        n_channels: int = 64,
        width: float = 1.0,
        padding_mode: PaddingMode = "zeros",
        activation: str = "relu",
        n_bands: int = 40,
        in_channels: int = 1,
        dropout: float = 0.0,
    ) -> None:
        check_at_least(1, whole=True, n_blocks=n_blocks, n_sub_blocks=n_sub_blocks, n_channels=n_channels)
        check_at_least(0, 1, dropout=dropout)
        check_at_least(1, whole=True, n_bands=n_bands, in_channels=in_channels)
        check_positive(width=width)
        outer, inner = scaled(OUTER_CHANNELS, width), scaled(n_channels, width)
        part = partial(separable, padding_mode=padding_mode, activation=activation, dropout=dropout)
        first = part(in_channels * n_bands, outer, FIRST_KERNEL)
        stages: dict[str, nn.Module] = {"conv1": nn.Sequential(BandsAsChannels(), *first)}
        for block in range(n_blocks):
            stages[f"block{block + 1}"] = MatchboxBlock(
                outer if block == 0 else inner,
                inner,
                BLOCK_KERNEL + KERNEL_GROWTH * block,
                n_sub_blocks=n_sub_blocks,
                padding_mode=padding_mode,
                activation=activation,
                dropout=dropout,
            )
        stages["conv2"] = part(inner, outer, LAST_KERNEL, dilation=LAST_DILATION)
        stages["conv3"] = conv_layer(outer, outer, 1, activation=activation)
        super().__init__(
            stages,
            pool=global_pool(),
            n_embedding=outer,
            n_classes=n_classes,
            n_bands=n_bands,
            in_channels=in_channels,
        )
        initialize_he(self)
