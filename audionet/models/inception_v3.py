"""Inception v3: large kernels factorised into small and into flat ones (Szegedy et al., 2015, arXiv 1512.00567).

A 7 × 7 convolution becomes one over 7 frames and one over 7 bands, with the same reach for two sevenths of the cost.
The maps are halved by convolutions beside a pooling, so that nothing is squeezed before it is small.
"""

from torch import nn

from audionet.models.auxiliary import AuxiliaryConvnet
from audionet.models.contract import linear_head
from audionet.models.inception import Chain, Conv, Fork, Padding, Pool, check_bands, n_outputs, stages, widened
from audionet.models.layers import PaddingMode, Size, conv_layer, global_pool, initialize_he, scaled

BANDS, FRAMES = (7, 1), (1, 7)  # flat kernels
SPLIT = Fork(((Conv(384, (1, 3)),), (Conv(384, (3, 1)),)))


def module_a(projected: int) -> Fork:
    """Return a module of the 35 × 35 maps (figure 5, with a 5 × 5 kernel in one branch).

    Example:
        >>> module_a(32).branches[3]
        (Pool(kind='average', stride=1, valid=False), Conv(n_out=32, kernel=1, stride=1, valid=False))
    """
    return Fork(
        (
            (Conv(64),),
            (Conv(48), Conv(64, 5)),
            (Conv(64), Conv(96, 3), Conv(96, 3)),
            (Pool("average"), Conv(projected)),
        )
    )


def module_b(thin: int) -> Fork:
    """Return a module of the 17 × 17 maps with flat kernels (figure 6), of which the first are ``thin``.

    Example:
        >>> module_b(128).branches[1][1:]
        (Conv(n_out=128, kernel=(1, 7), stride=1, valid=False), Conv(n_out=192, kernel=(7, 1), stride=1, valid=False))
    """
    return Fork(
        (
            (Conv(192),),
            (Conv(thin), Conv(thin, FRAMES), Conv(192, BANDS)),
            (Conv(thin), Conv(thin, BANDS), Conv(thin, FRAMES), Conv(thin, BANDS), Conv(192, FRAMES)),
            (Pool("average"), Conv(192)),
        )
    )


MODULE_C = Fork(  # of the 8 × 8 maps: its branches split once more (figure 7)
    (
        (Conv(320),),
        (Conv(384), SPLIT),
        (Conv(448), Conv(384, 3), SPLIT),
        (Pool("average"), Conv(192)),
    )
)
REDUCTION_A = Fork(  # from 35 × 35 to 17 × 17 (figure 10)
    (
        (Conv(384, 3, 2, valid=True),),
        (Conv(64), Conv(96, 3), Conv(96, 3, 2, valid=True)),
        (Pool("max", 2, valid=True),),
    )
)
REDUCTION_B = Fork(  # from 17 × 17 to 8 × 8
    (
        (Conv(192), Conv(320, 3, 2, valid=True)),
        (Conv(192), Conv(192, FRAMES), Conv(192, BANDS), Conv(192, 3, 2, valid=True)),
        (Pool("max", 2, valid=True),),
    )
)
# The paper's table 1 does not give all numbers, and some of its sizes contradict its figures: those here are of the
# network that Google released.
TABLE: dict[str, Chain] = {
    "stem": (
        Conv(32, 3, 2, valid=True),
        Conv(32, 3, valid=True),
        Conv(64, 3),
        Pool("max", 2, valid=True),
        Conv(80),
        Conv(192, 3, valid=True),
        Pool("max", 2, valid=True),
    ),
    "inception_a": (module_a(32), module_a(64), module_a(64)),
    "reduction_a": (REDUCTION_A,),
    "inception_b": (module_b(128), module_b(160), module_b(160), module_b(192)),
    "reduction_b": (REDUCTION_B,),
    "inception_c": (MODULE_C, MODULE_C),
}


AUXILIARY = "inception_b_3"  # the layer whose maps the auxiliary classifier sees
GRID = 5  # bands and frames that it sees


def auxiliary_classifier(n_in: int, n_classes: int, *, width: float, norm: str, activation: str) -> nn.Sequential:
    """Return the auxiliary classifier (figure 8): (batch, n_in, band, frame) -> (batch, n_classes).

    The paper's pooling makes 5 × 5 places of its 17 × 17; this one makes as many of maps of any size.

    Example:
        >>> auxiliary_classifier(768, 12, width=1, norm="none", activation="relu")(torch.ones(2, 768, 3, 7)).shape
        torch.Size([2, 12])
    """
    n_squeezed, n_hidden = scaled(128, width), scaled(768, width)
    squeeze = conv_layer(n_in, n_squeezed, 1, norm=norm, activation=activation)
    hidden = conv_layer(n_squeezed, n_hidden, GRID, padding=0, norm=norm, activation=activation)
    layers = nn.Sequential(nn.AdaptiveAvgPool2d(GRID), squeeze, hidden, nn.Flatten(), linear_head(n_hidden, n_classes))
    initialize_he(layers, "fan_in")
    return layers


class InceptionV3(AuxiliaryConvnet):
    """Inception v3: 48 layers, of which most are 1 × 1, 3 × 3, or flat.

    Args:
        n_classes: Number of classes, silence and unknown among them; 0 for the embedding alone.
        width: Factor on all channels.
        stride: Step of the first convolution, in bands and in frames; 1 keeps more of a small spectrogram.
        padding: "same": rows and columns are added everywhere, so that 40 bands suffice; "valid": none are where the
            paper adds none to its pictures of 299 × 299, which takes 75 bands and frames.
        padding_mode: What the rows and columns hold that are added around maps: "zeros", "reflect", "replicate" or
            "circular".
        pooling: What halves the maps: "max", "average" or "convolution".
        norm: After every convolution: "batch", "instance" or "none".
        activation: Non-linear function after every convolution, a name of `audionet.models.layers.ACTIVATIONS`.
        n_bands: Bands of the spectrogram.
        in_channels: Planes of the input: 1 for a spectrogram, 3 for one with its first and second differences.
        dropout: Probability that a number of the embedding is dropped before the classifier.
        auxiliary: Whether a further classifier sees maps on the way, for training; ``forward`` leaves it out.

    Shape:
        (batch, in_channels, n_bands, frame) -> (batch, n_classes)

    Raises:
        ValueError: A name is unknown, or a number is too small, such as ``n_bands`` for the padding; from ``forward``,
            the spectrogram has another number of bands, or too few frames for the padding.

    Example:
        >>> network = InceptionV3(n_classes=12, width=0.25)
        >>> spectrogram = torch.zeros(3, 1, 40, 101)
        >>> network.embed(spectrogram).shape, network(spectrogram).shape
        (torch.Size([3, 512]), torch.Size([3, 12]))
    """

    def __init__(
        self,
        *,
        n_classes: int,
        width: float = 1.0,
        stride: Size = 2,
        padding: Padding = "same",
        padding_mode: PaddingMode = "zeros",
        pooling: str = "max",
        norm: str = "batch",
        activation: str = "relu",
        n_bands: int = 40,
        in_channels: int = 1,
        dropout: float | None = 0.2,
        auxiliary: bool = False,
    ) -> None:
        built, n_out = stages(
            TABLE,
            in_channels,
            width=width,
            stride=stride,
            padding=padding,
            padding_mode=padding_mode,
            pooling=pooling,
            norm=norm,
            activation=activation,
        )
        super().__init__(
            built,
            pool=global_pool(),
            n_embedding=n_out,
            n_classes=n_classes,
            n_bands=n_bands,
            in_channels=in_channels,
            dropout=dropout,
        )
        check_bands(self, padding, padding_mode)
        classifiers = {}
        if auxiliary:
            n_in = n_outputs(0, widened(TABLE["inception_b"], width))
            classifier = auxiliary_classifier(n_in, n_classes, width=width, norm=norm, activation=activation)
            classifiers[AUXILIARY] = classifier
        self.set_auxiliary(classifiers)
