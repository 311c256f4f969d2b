"""Inception-ResNet: modules whose scaled maps are added to their input (Szegedy et al., 2016, arXiv 1602.07261).

With the way around its modules it learns faster than Inception v4 at the same cost. Very wide modules die early in
training unless what they add is made small: their maps are multiplied by 0.1 to 0.2.
"""

from audionet.checks import check_one_of
from audionet.models.convnet import Convnet
from audionet.models.inception import Chain, Conv, Fork, Padding, Pool, Residual, check_bands, stages
from audionet.models.layers import PaddingMode, Size, global_pool

SCALES = (0.17, 0.10, 0.20)  # of the modules A, B and C


def module_a(last: tuple[int, int]) -> Fork:
    """Return a module of the 35 × 35 maps (figures 10 and 16), of which the two last convolutions differ.

    Example:
        >>> module_a((48, 64)).branches[2][1:]
        (Conv(n_out=48, kernel=3, stride=1, valid=False), Conv(n_out=64, kernel=3, stride=1, valid=False))
    """
    return Fork(((Conv(32),), (Conv(32), Conv(32, 3)), (Conv(32), Conv(last[0], 3), Conv(last[1], 3))))


def flat_module(one: int, thin: int, frames: int, bands: int, taps: int) -> Fork:
    """Return a module with flat kernels (figures 11, 13, 17 and 19), which are ``taps`` long.

    Example:
        >>> flat_module(192, 128, 160, 192, 7).branches[1][1:]
        (Conv(n_out=160, kernel=(1, 7), stride=1, valid=False), Conv(n_out=192, kernel=(7, 1), stride=1, valid=False))
    """
    return Fork(((Conv(one),), (Conv(thin), Conv(frames, (1, taps)), Conv(bands, (taps, 1)))))


def reduction_a(k: int, n_l: int, m: int, n: int) -> Fork:
    """Return the module that halves the 35 × 35 maps (figure 7); the arguments are the columns of table 1.

    Example:
        >>> reduction_a(192, 192, 256, 384).branches[0]
        (Conv(n_out=384, kernel=3, stride=2, valid=True),)
    """
    return Fork(
        (
            (Conv(n, 3, 2, valid=True),),
            (Conv(k), Conv(n_l, 3), Conv(m, 3, 2, valid=True)),
            (Pool("max", 2, valid=True),),
        )
    )


def reduction_b(second: int, third: tuple[int, int]) -> Fork:
    """Return the module that halves the 17 × 17 maps (figures 12 and 18), of which the last convolutions differ.

    Example:
        >>> reduction_b(256, (256, 256)).branches[1]
        (Conv(n_out=256, kernel=1, stride=1, valid=False), Conv(n_out=256, kernel=3, stride=2, valid=True))
    """
    return Fork(
        (
            (Conv(256), Conv(384, 3, 2, valid=True)),
            (Conv(256), Conv(second, 3, 2, valid=True)),
            (Conv(256), Conv(third[0], 3), Conv(third[1], 3, 2, valid=True)),
            (Pool("max", 2, valid=True),),
        )
    )


STEM: Chain = (  # what both begin with (figure 14)
    Conv(32, 3, 2, valid=True),
    Conv(32, 3, valid=True),
    Conv(64, 3),
    Pool("max", 2, valid=True),
    Conv(80),
    Conv(192, 3, valid=True),
)
VERSION_1: dict[str, Chain] = {  # figure 15
    "stem": (*STEM, Conv(256, 3, 2, valid=True)),
    "inception_a": (Residual(module_a((32, 32)), SCALES[0]),) * 5,
    "reduction_a": (reduction_a(192, 192, 256, 384),),
    "inception_b": (Residual(flat_module(128, 128, 128, 128, 7), SCALES[1]),) * 10,
    "reduction_b": (reduction_b(256, (256, 256)),),
    "inception_c": (Residual(flat_module(192, 192, 192, 192, 3), SCALES[2]),) * 5,
}
# The paper's figures of the second version contradict each other in the channels of its reductions, and show half as
# many modules: the numbers are those of the network that Google released.
LAST_C = flat_module(192, 192, 224, 256, 3)
VERSION_2: dict[str, Chain] = {
    "stem": (
        *STEM,
        Pool("max", 2, valid=True),
        Fork(
            (
                (Conv(96),),
                (Conv(48), Conv(64, 5)),
                (Conv(64), Conv(96, 3), Conv(96, 3)),
                (Pool("average"), Conv(64)),
            )
        ),
    ),
    "inception_a": (Residual(module_a((48, 64)), SCALES[0]),) * 10,
    "reduction_a": (reduction_a(256, 256, 384, 384),),
    "inception_b": (Residual(flat_module(192, 128, 160, 192, 7), SCALES[1]),) * 20,
    "reduction_b": (reduction_b(288, (288, 320)),),
    "inception_c": (*(Residual(LAST_C, SCALES[2]),) * 9, Residual(LAST_C, 1.0, is_last=True)),
    "conv": (Conv(1536),),
}
VERSIONS = {1: VERSION_1, 2: VERSION_2}


class InceptionResNet(Convnet):
    """Inception-ResNet v1, of the cost of Inception v3, or v2, of that of Inception v4.

    Args:
        n_classes: Number of classes, silence and unknown among them; 0 for the embedding alone.
        version: 1 or 2.
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
        >>> network = InceptionResNet(n_classes=12, version=1, width=0.125)
        >>> spectrogram = torch.zeros(3, 1, 40, 101)
        >>> network.embed(spectrogram).shape, network(spectrogram).shape
        (torch.Size([3, 224]), torch.Size([3, 12]))
    """

    def __init__(
        self,
        *,
        n_classes: int,
        version: int = 2,
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
        check_one_of(VERSIONS, "version", version)
        built, n_out = stages(
            VERSIONS[version],
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
