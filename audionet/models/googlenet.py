"""GoogLeNet, or Inception v1: branches of several kernel sizes side by side (Szegedy et al., 2014, arXiv 1409.4842).

Cheap 1 × 1 convolutions make the maps thinner before each large kernel, so that 22 layers have a tenth of AlexNet's
parameters; and the mean over all places takes the place of fully connected layers.
"""

from torch import nn

from audionet.models.auxiliary import AuxiliaryConvnet
from audionet.models.contract import linear_head
from audionet.models.inception import Chain, Conv, Fork, Pool, check_bands, n_outputs, stages, widened
from audionet.models.layers import PaddingMode, Size, activation_layer, conv_layer, global_pool, initialize_he, scaled


def module(one: int, three_reduce: int, three: int, five_reduce: int, five: int, projected: int) -> Fork:
    """Return an inception module (figure 2b of the paper); the arguments are the columns of its table 1.

    Example:
        >>> module(64, 96, 128, 16, 32, 32).branches[2]
        (Conv(n_out=16, kernel=1, stride=1, valid=False), Conv(n_out=32, kernel=5, stride=1, valid=False))
    """
    return Fork(
        (
            (Conv(one),),
            (Conv(three_reduce), Conv(three, 3)),
            (Conv(five_reduce), Conv(five, 5)),
            (Pool("max"), Conv(projected)),
        )
    )


TABLE_1: dict[str, Chain] = {
    "conv1": (Conv(64, 7, 2), Pool("max", 2)),
    "conv2": (Conv(64), Conv(192, 3)),
    "inception3": (Pool("max", 2), module(64, 96, 128, 16, 32, 32), module(128, 128, 192, 32, 96, 64)),
    "inception4": (
        Pool("max", 2),
        module(192, 96, 208, 16, 48, 64),
        module(160, 112, 224, 24, 64, 64),
        module(128, 128, 256, 24, 64, 64),
        module(112, 144, 288, 32, 64, 64),
        module(256, 160, 320, 32, 128, 128),
    ),
    "inception5": (Pool("max", 2), module(256, 160, 320, 32, 128, 128), module(384, 192, 384, 48, 128, 128)),
}
RESPONSE_CHANNELS = 5  # neighbours by which the local response normalisation divides
AUXILIARY = (1, 4)  # layers of inception4 whose maps the auxiliary classifiers see
GRID = (4, 4)  # places that they see


def auxiliary_classifier(n_in: int, n_classes: int, *, width: float, norm: str, activation: str) -> nn.Sequential:
    """Return an auxiliary classifier: (batch, n_in, band, frame) -> (batch, n_classes); the paper's section 5.

    The paper's pooling makes 4 × 4 places of its 14 × 14; this one makes as many of maps of any size.

    Example:
        >>> auxiliary_classifier(512, 12, width=1, norm="none", activation="relu")(torch.ones(2, 512, 3, 7)).shape
        torch.Size([2, 12])
    """
    n_squeezed, n_hidden = scaled(128, width), scaled(1024, width)
    squeeze = conv_layer(n_in, n_squeezed, 1, norm=norm, activation=activation)
    initialize_he(squeeze, "fan_in")
    hidden = nn.Linear(n_squeezed * GRID[0] * GRID[1], n_hidden)
    head = linear_head(n_hidden, n_classes, dropout=0.7)
    return nn.Sequential(nn.AdaptiveAvgPool2d(GRID), squeeze, nn.Flatten(), hidden, activation_layer(activation), head)


class GoogLeNet(AuxiliaryConvnet):
    """GoogLeNet: nine inception modules, in which a channel may come from any of four kernels.

    Args:
        n_classes: Number of classes, silence and unknown among them; 0 for the embedding alone.
        width: Factor on all channels.
        stride: Step of the first convolution, in bands and in frames; 1 keeps more of a small spectrogram.
        padding_mode: What the rows and columns hold that are added around maps: "zeros", "reflect", "replicate" or
            "circular". Only large maps can be reflected: of 65 bands or more, or of 40 with ``stride`` 1.
        pooling: What halves the maps: "max", "average" or "convolution".
        norm: "response": each number is divided by those of the neighbouring channels after the first two stages, as in
            the paper's figure 3; "batch" or "instance": after every convolution; "none".
        activation: Non-linear function after every convolution, a name of `audionet.models.layers.ACTIVATIONS`.
        n_bands: Bands of the spectrogram.
        in_channels: Planes of the input: 1 for a spectrogram, 3 for one with its first and second differences.
        dropout: Probability that a number of the embedding is dropped before the classifier.
        auxiliary: Whether two further classifiers see maps on the way, for training; ``forward`` leaves them out.

    Shape:
        (batch, in_channels, n_bands, frame) -> (batch, n_classes)

    Raises:
        ValueError: A name is unknown, a number is too small, or auxiliary classifiers have no classes to tell; from
            ``forward``, the spectrogram has another number of bands.

    Example:
        >>> network = GoogLeNet(n_classes=12, width=0.25)
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
        padding_mode: PaddingMode = "zeros",
        pooling: str = "max",
        norm: str = "response",
        activation: str = "relu",
        n_bands: int = 40,
        in_channels: int = 1,
        dropout: float | None = 0.4,
        auxiliary: bool = False,
    ) -> None:
        is_local = norm == "response"
        norm = "none" if is_local else norm
        built, n_out = stages(
            TABLE_1,
            in_channels,
            width=width,
            stride=stride,
            padding_mode=padding_mode,
            pooling=pooling,
            norm=norm,
            activation=activation,
        )
        if is_local:
            for name in ("conv1", "conv2"):
                built[name] = nn.Sequential(built[name], nn.LocalResponseNorm(RESPONSE_CHANNELS))
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
        classifiers = {}
        for layer in AUXILIARY if auxiliary else ():
            n_in = n_outputs(0, widened(TABLE_1["inception4"][: layer + 1], width))
            classifier = auxiliary_classifier(n_in, n_classes, width=width, norm=norm, activation=activation)
            classifiers[f"inception4_{layer}"] = classifier
        self.set_auxiliary(classifiers)
