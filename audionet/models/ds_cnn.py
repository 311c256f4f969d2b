"""DS-CNN: depthwise separable convolutions, which find patterns in each channel and then mix the channels.

Source: Zhang, Suda, Lai and Chandra, 2017, "Hello Edge", arXiv 1711.07128; its convolutions are MobileNet's (Howard et
al., 2017, arXiv 1704.04861).
"""

from functools import partial
from typing import NamedTuple

from torch import nn

from audionet.checks import check_one_of, check_positive
from audionet.models.convnet import Convnet
from audionet.models.layers import PaddingMode, Size, conv_layer, global_pool, initialize_he, scaled

KERNEL = (4, 10)  # of the first convolution, in bands and frames
PADDING = (4, 5, 1, 2)  # that keeps the size at stride 1: before and after the frames, below and above the bands
PADS: dict[str, type[nn.Module]] = {
    "zeros": nn.ZeroPad2d,
    "reflect": nn.ReflectionPad2d,
    "replicate": nn.ReplicationPad2d,
    "circular": nn.CircularPad2d,
}


class Form(NamedTuple):
    """One of the paper's networks.

    Attributes:
        n_channels: Channels of all its convolutions.
        n_blocks: Its separable convolutions.
        strides: Steps of the first convolution and of the first separable one, in bands and frames.
    """

    n_channels: int
    n_blocks: int
    strides: tuple[tuple[int, int], tuple[int, int]]


FORMS = {  # by the size, which keeps it below 80, 200 and 500 KB with 8 bits a number
    "S": Form(64, 4, ((2, 2), (1, 1))),
    "M": Form(172, 4, ((1, 2), (2, 2))),
    "L": Form(276, 5, ((1, 2), (2, 2))),
}


def separable(n_channels: int, stride: Size, *, padding_mode: PaddingMode, norm: str, activation: str) -> nn.Sequential:
    """Return a convolution of 3 × 3 in each channel by itself, then one of 1 × 1 over the channels.

    Each has its normalisation and activation.

    Example:
        >>> block = separable(64, 1, padding_mode="zeros", norm="none", activation="relu")
        >>> sum(parameter.numel() for parameter in block.parameters()) == 64 * 9 + 64 + 64 * 64 + 64
        True
    """
    conv = partial(conv_layer, n_channels, n_channels, padding_mode=padding_mode, norm=norm, activation=activation)
    return nn.Sequential(conv(3, stride=stride, groups=n_channels), conv(1))


class DSCNN(Convnet):
    """DS-CNN of one of the paper's three sizes: a convolution, four or five separable ones, and a mean.

    The paper's input has 10 cepstral coefficients of a frame every 20 ms, so that the maps of the default 40 bands are
    four times as high, at the same number of weights.

    Args:
        n_classes: Number of classes, silence and unknown among them; 0 for the embedding alone.
        size: "S", "M" or "L".
        width: Factor on all channel counts.
        padding_mode: What convolutions see beyond the edges: "zeros", "reflect", "replicate" or "circular".
        norm: "batch", "instance" or "none".
        activation: Name of the non-linear function, such as "relu".
        n_bands: Bands of the spectrogram.
        in_channels: Planes of the input.
        dropout: Probability that a number of the embedding is dropped before the classifier; None for no such layer.

    Shape:
        (batch, in_channels, n_bands, frame) -> (batch, n_classes)

    Raises:
        ValueError: There is no such ``size`` or choice, or ``width`` is not above 0; from ``forward``, the spectrogram
            has another number of bands.

    Example:
        >>> network = DSCNN(n_classes=12, size="S")
        >>> spectrogram = torch.zeros(3, 1, 40, 101)
        >>> network.embed(spectrogram).shape, network(spectrogram).shape
        (torch.Size([3, 64]), torch.Size([3, 12]))
        >>> network.maps(spectrogram).shape
        torch.Size([3, 64, 20, 51])
    """

    def __init__(
        self,
        *,
        n_classes: int,
        size: str = "S",
        width: float = 1.0,
        padding_mode: PaddingMode = "zeros",
        norm: str = "batch",
        activation: str = "relu",
        n_bands: int = 40,
        in_channels: int = 1,
        dropout: float | None = None,
    ) -> None:
        check_one_of(FORMS, "size", size)
        check_one_of(PADS, "padding_mode", padding_mode)
        check_positive(width=width)
        form = FORMS[size]
        n_channels = scaled(form.n_channels, width)
        pad = PADS[padding_mode](PADDING)
        first = conv_layer(
            in_channels, n_channels, KERNEL, stride=form.strides[0], padding=0, norm=norm, activation=activation
        )
        stages: dict[str, nn.Module] = {"conv1": nn.Sequential(pad, *first)}
        for block in range(form.n_blocks):
            stages[f"separable{block + 1}"] = separable(
                n_channels,
                form.strides[1] if block == 0 else 1,
                padding_mode=padding_mode,
                norm=norm,
                activation=activation,
            )
        super().__init__(
            stages,
            pool=global_pool(),
            n_embedding=n_channels,
            n_classes=n_classes,
            n_bands=n_bands,
            in_channels=in_channels,
            dropout=dropout,
        )
        initialize_he(self)
