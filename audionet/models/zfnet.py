"""ZFNet: AlexNet, mended by looking inside (Zeiler and Fergus, 2013, arXiv 1311.2901).

Pictures of what the filters see showed that AlexNet's first layer left out the middle frequencies, and that its large
step made aliases: the kernels became smaller, and the steps finer. The paper's picture is 224 x 224.
"""

from torch import nn

from audionet.checks import check_at_least, check_one_of, check_positive
from audionet.models.convnet import Convnet, embedding_pool
from audionet.models.layers import NORMS, PaddingMode, ResponseNorm, conv_layer, pool_layer, scaled

CHANNELS = (96, 256, 384, 384, 256)  # of each convolution: figure 3
KERNELS = (7, 5, 3, 3, 3)
PADDING = (1, 0, 1, 1, 1)  # by which the maps have figure 3's sizes: 110, 26, 13, 13, 13
POOL_PADDING = {1: 1, 2: 1, 5: 0}  # of the poolings, by 3 x 3 and a step of 2, behind a convolution: 55, 13, 6
NORMALISED = (1, 2)  # the convolutions behind whose pooling the maps are normalised
WIDTHS = (4096, 4096)  # of the fully connected layers


def zfnet_stages(
    strides: tuple[int, int],
    width: float,
    *,
    in_channels: int,
    pooling: str,
    padding_mode: PaddingMode,
    norm: str,
    activation: str,
) -> dict[str, nn.Module]:
    """Return the five convolutions of figure 3, and the three poolings."""
    stages: dict[str, nn.Module] = {}
    n_in = in_channels
    for number, (channels, kernel, padding) in enumerate(zip(CHANNELS, KERNELS, PADDING, strict=True), 1):
        n_out = scaled(channels, width)
        stages[f"conv{number}"] = conv_layer(
            n_in,
            n_out,
            kernel,
            stride=strides[number - 1] if number <= len(strides) else 1,
            padding=padding,
            padding_mode=padding_mode,
            norm="none" if norm == "local" else norm,
            activation=activation,
        )
        if number in POOL_PADDING:
            padding = POOL_PADDING[number]
            pool = pool_layer(pooling, 3, 2, n_channels=n_out, padding=padding, activation=activation)
            is_normalised = norm == "local" and number in NORMALISED
            stages[f"pool{number}"] = nn.Sequential(pool, ResponseNorm()) if is_normalised else pool
        n_in = n_out
    return stages


class ZFNet(Convnet):
    """ZFNet: five convolutions, three overlapping poolings and two fully connected layers.

    Args:
        n_classes: Number of classes, silence and unknown among them; 0 for the embedding alone.
        width: Factor on all channels, those of the fully connected layers among them.
        strides: Steps of the first and the second convolution; the paper's are (2, 2), of 224 rows and columns.
        norm: "local": the paper's normalisation over neighbouring channels behind the first two poolings; or a name of
            `audionet.models.layers.norm_layer` for one behind all five convolutions.
        pooling: "max", the paper's, "average" or "convolution".
        padding_mode: What stands around the maps: "zeros", the paper's, "reflect", "replicate" or "circular".
        activation: A name of `audionet.models.layers.activation_layer`.
        head: "fully_connected", or "global" for the mean over all bands and frames.
        n_bands: Bands of the spectrogram, at least 37 with the strides (2, 1).
        n_frames: Frames that the fully connected layers are laid out for.
        in_channels: Planes of the input: 1 for a spectrogram, 3 for one with its first and second differences.
        dropout: Probability that an output of a fully connected layer is dropped.

    Shape:
        (batch, in_channels, n_bands, frame) -> (batch, n_classes)

    Raises:
        ValueError: A choice is unknown, or too little of the spectrogram is left for a layer; from ``forward``, the
            spectrogram has another number of bands, or too few frames.

    Example:
        >>> network = ZFNet(n_classes=12, width=0.125)
        >>> spectrogram = torch.zeros(3, 1, 40, 101)
        >>> network.maps(spectrogram).shape, network(spectrogram).shape
        (torch.Size([3, 32, 1, 5]), torch.Size([3, 12]))
    """

    def __init__(
        self,
        *,
        n_classes: int,
        width: float = 1.0,
        strides: tuple[int, int] = (2, 1),
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
        check_one_of(("local", *NORMS), "norm", norm)
        stages = zfnet_stages(
            strides,
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
