"""res8, res15 and res26: residual networks of few channels for keywords, which widen their view by dilation.

Source: Tang and Lin, 2017, arXiv 1710.10361.
"""

from functools import partial
from typing import NamedTuple

from torch import Tensor, nn

from audionet.checks import check_one_of, check_positive
from audionet.models.convnet import Convnet
from audionet.models.layers import (
    PaddingMode,
    activation_layer,
    conv_layer,
    global_pool,
    initialize_he,
    pool_layer,
    scaled,
)

N_CHANNELS = 45  # of every convolution; 19 in the narrow forms


class Form(NamedTuple):
    """One of the paper's networks.

    Attributes:
        n_blocks: Its residual blocks, of two convolutions each.
        pool: Neighbourhood of the pooling behind the first convolution, in bands and frames; None for no pooling.
        is_dilated: Whether the dilation of its convolutions doubles after every third; it then ends in one more.
    """

    n_blocks: int
    pool: tuple[int, int] | None
    is_dilated: bool


FORMS = {8: Form(3, (3, 4), False), 15: Form(6, None, True), 26: Form(12, (2, 2), False)}  # by the depth


def conv_and_norm(n_channels: int, dilation: int, *, padding_mode: PaddingMode, activation: str) -> nn.Sequential:
    """Return a convolution of 3 × 3, its activation, and batch normalisation without weights of its own."""
    conv = conv_layer(n_channels, n_channels, 3, dilation=dilation, padding_mode=padding_mode, activation="none")[0]
    return nn.Sequential(conv, activation_layer(activation), nn.BatchNorm2d(n_channels, affine=False))


class KeywordBlock(nn.Module):
    """y = x + F(x), where F is two convolutions with an activation and a normalisation behind each."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(first, second)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channel, band, frame) to maps of the same shape."""
        total: Tensor = x + self.body(x)
        return total


class KeywordResNet(Convnet):
    """res8, res15 or res26: all convolutions are of 3 × 3 and have the same number of channels.

    res8 averages 3 bands and 4 frames after its first convolution, and res26 2 and 2. res15 keeps all places, which
    makes it the most accurate and by far the slowest; its dilation widens the view to 125 frames.

    Args:
        n_classes: Number of classes, silence and unknown among them; 0 for the embedding alone.
        depth: Number of layers with weights, 8, 15 or 26.
        width: Factor on the 45 channels; ``19 / 45`` makes the paper's narrow forms.
        pooling: Of res8 and res26, "average", "max" or "convolution".
        padding_mode: What convolutions see beyond the edges: "zeros", "reflect", "replicate" or "circular".
        activation: Name of the non-linear function, such as "relu".
        n_bands: Bands of the spectrogram; the paper has 40 cepstral coefficients.
        in_channels: Planes of the input.
        dropout: Probability that a number of the embedding is dropped before the classifier; None for no such layer.

    Shape:
        (batch, in_channels, n_bands, frame) -> (batch, n_classes)

    Raises:
        ValueError: There is no such ``depth`` or choice, or ``width`` is not above 0; from ``forward``, the
            spectrogram has another number of bands, or fewer than 4 frames.

    Example:
        >>> network = KeywordResNet(n_classes=12, depth=8)
        >>> spectrogram = torch.zeros(3, 1, 40, 101)
        >>> network.embed(spectrogram).shape, network(spectrogram).shape
        (torch.Size([3, 45]), torch.Size([3, 12]))
        >>> [*network.stages]
        ['conv1', 'pool1', 'res1', 'res2', 'res3', 'pool']
    """

    def __init__(
        self,
        *,
        n_classes: int,
        depth: int = 8,
        width: float = 1.0,
        pooling: str = "average",
        padding_mode: PaddingMode = "zeros",
        activation: str = "relu",
        n_bands: int = 40,
        in_channels: int = 1,
        dropout: float | None = None,
    ) -> None:
        check_one_of(FORMS, "depth", depth)
        check_positive(width=width)
        form, n_channels = FORMS[depth], scaled(N_CHANNELS, width)
        first = conv_layer(in_channels, n_channels, 3, padding_mode=padding_mode, activation=activation)
        stages: dict[str, nn.Module] = {"conv1": nn.Sequential(first[0], first[-1])}  # no normalisation yet
        if form.pool is not None:
            stages["pool1"] = pool_layer(pooling, form.pool, form.pool, n_channels=n_channels, activation=activation)
        conv = partial(conv_and_norm, n_channels, padding_mode=padding_mode, activation=activation)
        n_convs = 2 * form.n_blocks
        dilations = [2 ** (index // 3) if form.is_dilated else 1 for index in range(n_convs + 1)]
        for block in range(form.n_blocks):
            stages[f"res{block + 1}"] = KeywordBlock(conv(dilations[2 * block]), conv(dilations[2 * block + 1]))
        if form.is_dilated:
            stages["conv2"] = conv(dilations[n_convs])
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
