"""The all-convolutional net: a convolution with a step takes the pooling's place.

Springenberg, Dosovitskiy, Brox and Riedmiller, "Striving for simplicity", 2014, arXiv 1412.6806, tables 1 and 2. The
paper's picture is 32 x 32.
"""

from torch import nn

from audionet.checks import check_at_least, check_one_of, check_positive
from audionet.models.convnet import Convnet, embedding_pool
from audionet.models.layers import PaddingMode, conv_layer, initialize_he, pool_layer, scaled

CHANNELS = (96, 192)  # of the first two stages; the third has those of the second
KERNELS = {"a": (5,), "b": (5, 1), "c": (3, 3)}  # of the convolutions of each stage, by the base model: table 1
POOL_KERNEL = 3  # of the poolings and of the convolutions in their place, all with a step of 2
N_FRAMES = 101  # of a clip that must leave something
REDUCTIONS = ("convolution", "stride", "max", "average", "convolution_and_max")


def reducing_stages(
    base: str,
    reduction: str,
    width: float,
    *,
    in_channels: int,
    padding_mode: PaddingMode,
    norm: str,
    activation: str,
    dropout: float,
) -> dict[str, nn.Sequential]:
    """Return the stages of table 1 that halve the maps, by one of the ways of table 2."""
    stages: dict[str, nn.Sequential] = {}
    n_in = in_channels
    for number, channels in enumerate(CHANNELS, 1):
        n_out = scaled(channels, width)
        kernels = [*KERNELS[base], *([POOL_KERNEL] if reduction == "convolution_and_max" else [])]
        strides = [1] * (len(kernels) - 1) + [2 if reduction == "stride" else 1]
        convs = nn.Sequential()
        for kernel, stride in zip(kernels, strides, strict=True):
            conv = conv_layer(
                n_in, n_out, kernel, stride=stride, padding_mode=padding_mode, norm=norm, activation=activation
            )
            convs.append(conv)
            n_in = n_out
        stages[f"conv{number}"] = convs
        last = convs
        if reduction != "stride":
            last = stages[f"pool{number}"] = nn.Sequential()
        if reduction == "convolution":
            last.append(
                conv_layer(
                    n_in, n_out, POOL_KERNEL, stride=2, padding_mode=padding_mode, norm=norm, activation=activation
                )
            )
        elif reduction != "stride":
            kind = reduction.removeprefix("convolution_and_")
            last.append(pool_layer(kind, POOL_KERNEL, 2, n_channels=n_out, padding=1))
        if dropout:
            last.append(nn.Dropout(dropout))
    return stages


class AllConv(Convnet):
    """All-CNN, and its siblings with poolings that it was compared with: no fully connected layers in any of them.

    The paper averages the outputs of a last 1 x 1 convolution with a channel a class; here the maps before it are
    averaged, and the classifier, the same linear map, comes behind. The paper's ReLU on the logits is left out.

    Args:
        n_classes: Number of classes, silence and unknown among them; 0 for the embedding alone.
        base: Base model: "a": one convolution of 5 x 5 a stage; "b": with one of 1 x 1 behind it; "c": two of 3 x 3.
        reduction: How a stage halves the maps: "convolution": one more convolution with a step of 2 (All-CNN);
            "stride": a step of 2 of its last convolution (Strided-CNN); "max": the maximum of 3 x 3 (the base model);
            "average"; "convolution_and_max": one more convolution, and the maximum (ConvPool-CNN), which tells what is
            due to the pooling from what is due to the weights.
        width: Factor on all channels.
        norm: After each convolution, a name of `audionet.models.layers.norm_layer`; the paper knows none.
        padding_mode: What stands around the maps: "zeros", the paper's, "reflect", "replicate" or "circular".
        activation: A name of `audionet.models.layers.activation_layer`.
        n_bands: Bands of the spectrogram, at least 9.
        in_channels: Planes of the input: 1 for a spectrogram, 3 for one with its first and second differences.
        dropout: Probability that a number of a halved map is dropped.
        input_dropout: Probability that a number of the spectrogram is dropped; the paper drops 0.2 of the picture.

    Shape:
        (batch, in_channels, n_bands, frame) -> (batch, n_classes)

    Raises:
        ValueError: A choice is unknown, or a size is below its smallest; from ``forward``, the spectrogram has another
            number of bands, or too few frames.

    Example:
        >>> network = AllConv(n_classes=12, width=0.25)
        >>> spectrogram = torch.zeros(3, 1, 40, 101)
        >>> network.maps(spectrogram).shape, network(spectrogram).shape
        (torch.Size([3, 48, 8, 24]), torch.Size([3, 12]))
    """

    def __init__(
        self,
        *,
        n_classes: int,
        base: str = "c",
        reduction: str = "convolution",
        width: float = 1.0,
        norm: str = "none",
        padding_mode: PaddingMode = "zeros",
        activation: str = "relu",
        n_bands: int = 40,
        in_channels: int = 1,
        dropout: float = 0.5,
        input_dropout: float = 0.0,
    ) -> None:
        check_positive(width=width)
        check_at_least(0, 1, dropout=dropout, input_dropout=input_dropout)
        check_one_of(KERNELS, "base", base)
        check_one_of(REDUCTIONS, "reduction", reduction)
        stages = reducing_stages(
            base,
            reduction,
            width,
            in_channels=in_channels,
            padding_mode=padding_mode,
            norm=norm,
            activation=activation,
            dropout=dropout,
        )
        n_out = scaled(CHANNELS[-1], width)
        stages["conv3"] = nn.Sequential(
            conv_layer(n_out, n_out, 3, padding=0, norm=norm, activation=activation),
            conv_layer(n_out, n_out, 1, norm=norm, activation=activation),
        )
        if input_dropout:
            stages["conv1"].insert(0, nn.Dropout(input_dropout))
        pool, n_embedding = embedding_pool(
            stages, "global", (), in_channels=in_channels, n_bands=n_bands, n_frames=N_FRAMES
        )
        super().__init__(
            stages,
            pool=pool,
            n_embedding=n_embedding,
            n_classes=n_classes,
            n_bands=n_bands,
            in_channels=in_channels,
        )
        initialize_he(self)
