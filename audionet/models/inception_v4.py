"""Inception v4: a deeper Inception of three uniform kinds of modules (Szegedy et al., 2016, arXiv 1602.07261)."""

from audionet.models.convnet import Convnet
from audionet.models.inception import Chain, Conv, Fork, Padding, Pool, check_bands, stages
from audionet.models.layers import PaddingMode, Size, global_pool

BANDS, FRAMES = (7, 1), (1, 7)  # flat kernels
SPLIT = Fork(((Conv(256, (1, 3)),), (Conv(256, (3, 1)),)))

STEM: Chain = (  # figure 3
    Conv(32, 3, 2, valid=True),
    Conv(32, 3, valid=True),
    Conv(64, 3),
    Fork(((Pool("max", 2, valid=True),), (Conv(96, 3, 2, valid=True),))),
    Fork(
        (
            (Conv(64), Conv(96, 3, valid=True)),
            (Conv(64), Conv(64, FRAMES), Conv(64, BANDS), Conv(96, 3, valid=True)),
        )
    ),
    Fork(((Conv(192, 3, 2, valid=True),), (Pool("max", 2, valid=True),))),
)
INCEPTION_A = Fork(  # figure 4
    (
        (Conv(96),),
        (Conv(64), Conv(96, 3)),
        (Conv(64), Conv(96, 3), Conv(96, 3)),
        (Pool("average"), Conv(96)),
    )
)
REDUCTION_A = Fork(  # figure 7, with the column of table 1 for this network
    (
        (Conv(384, 3, 2, valid=True),),
        (Conv(192), Conv(224, 3), Conv(256, 3, 2, valid=True)),
        (Pool("max", 2, valid=True),),
    )
)
INCEPTION_B = Fork(  # figure 5
    (
        (Conv(384),),
        (Conv(192), Conv(224, FRAMES), Conv(256, BANDS)),
        (Conv(192), Conv(192, BANDS), Conv(224, FRAMES), Conv(224, BANDS), Conv(256, FRAMES)),
        (Pool("average"), Conv(128)),
    )
)
REDUCTION_B = Fork(  # figure 8
    (
        (Conv(192), Conv(192, 3, 2, valid=True)),
        (Conv(256), Conv(256, FRAMES), Conv(320, BANDS), Conv(320, 3, 2, valid=True)),
        (Pool("max", 2, valid=True),),
    )
)
INCEPTION_C = Fork(  # figure 6
    (
        (Conv(256),),
        (Conv(384), SPLIT),
        (Conv(384), Conv(448, (3, 1)), Conv(512, (1, 3)), SPLIT),
        (Pool("average"), Conv(256)),
    )
)
# Figure 9. Where two flat kernels follow each other, the order is that of the network that Google released.
TABLE: dict[str, Chain] = {
    "stem": STEM,
    "inception_a": (INCEPTION_A,) * 4,
    "reduction_a": (REDUCTION_A,),
    "inception_b": (INCEPTION_B,) * 7,
    "reduction_b": (REDUCTION_B,),
    "inception_c": (INCEPTION_C,) * 3,
}


class InceptionV4(Convnet):
    """Inception v4: fourteen modules of three kinds, and reductions between them.

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

    Shape:
        (batch, in_channels, n_bands, frame) -> (batch, n_classes)

    Raises:
        ValueError: A name is unknown, or a number is too small, such as ``n_bands`` for the padding; from ``forward``,
            the spectrogram has another number of bands, or too few frames for the padding.

    Example:
        >>> network = InceptionV4(n_classes=12, width=0.125)
        >>> spectrogram = torch.zeros(3, 1, 40, 101)
        >>> network.embed(spectrogram).shape, network(spectrogram).shape
        (torch.Size([3, 192]), torch.Size([3, 12]))
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
