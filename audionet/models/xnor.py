"""Binary-weight networks and XNOR-Net: weights that are a sign, times one scale a filter.

Rastegari, Ordonez, Redmon and Farhadi, 2016, arXiv 1603.05279, on AlexNet without groups, as in the paper's section 4.
A binary weight takes a bit, and where the activations are signs, too, a product is an XNOR and a sum counts bits. Here
the signs are floating-point numbers: the networks show what accuracy is left, and not the speed of such a kernel.
"""

from collections import OrderedDict

from torch import Tensor, nn
from torch.nn import functional as F

from audionet.checks import check_at_least, check_one_of, check_positive
from audionet.models.alexnet import CHANNELS, KERNELS, POOLED, WIDTHS
from audionet.models.convnet import HEADS, Convnet
from audionet.models.layers import Size, activation_layer, conv_layer, global_pool, pair, pool_layer, scaled
from audionet.models.volume import maps_size


def binary(x: Tensor) -> Tensor:
    """Return 1 where a number is 0 or above, -1 where it is below, and NaN for NaN.

    Its gradient is passed straight through where the number is between -1 and 1, and is 0 elsewhere (section 3.1).

    Example:
        >>> x = torch.tensor([-3.0, -0.5, 0.0, torch.nan], requires_grad=True)
        >>> binary(x).detach(), torch.autograd.grad(binary(x)[:3].sum(), x)[0][:3]
        (tensor([-1., -1., 1., nan]), tensor([0., 1., 1.]))
    """
    clipped = x.clamp(-1, 1)
    return (2 * (x >= 0).to(x.dtype) - 1) + (clipped - clipped.detach())


def binary_conv2d(x: Tensor, weight: Tensor, padding: tuple[int, int], *, binary_activations: bool) -> Tensor:
    """Convolve with the signs of the weights, times the mean of their absolute values in each filter.

    Args:
        x: (batch, n_in, band, frame).
        weight: (n_out, n_in, band, frame).
        padding: Rows and columns of zeros that are added on each side.
        binary_activations: Convolve the signs of ``x``, and scale each place by the mean of the absolute values that
            its kernel covers: K of equation 11.

    Returns:
        (batch, n_out, band, frame).

    Example:
        >>> binary_conv2d(torch.tensor([[[[2.0]]]]), torch.tensor([[[[-0.25]]]]), (0, 0), binary_activations=True)
        tensor([[[[-0.5000]]]])
    """
    scale = weight.abs().mean((1, 2, 3))  # alpha of equation 6
    if not binary_activations:
        return F.conv2d(x, binary(weight) * scale[:, None, None, None], padding=padding)
    size = F.avg_pool2d(x.abs().mean(1, keepdim=True), weight.shape[2:], stride=1, padding=padding)
    return F.conv2d(binary(x), binary(weight), padding=padding) * size * scale[:, None, None]


class BinaryConv2d(nn.Module):
    """A convolution with binary weights, of activations as they are or binary ones.

    It learns real weights, of which each pass uses the signs and the scales.
    """

    def __init__(
        self, n_in: int, n_out: int, kernel_size: tuple[int, int], padding: tuple[int, int], *, binary_activations: bool
    ) -> None:
        super().__init__()
        self.padding, self.binary_activations = padding, binary_activations
        self.weight = nn.Parameter(nn.Conv2d(n_in, n_out, kernel_size, bias=False).weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, n_in, band, frame) to (batch, n_out, band, frame)."""
        return binary_conv2d(x, self.weight, self.padding, binary_activations=self.binary_activations)


def binary_block(
    n_in: int, n_out: int, kernel_size: Size, padding: Size, *, binary_activations: bool, activation: str
) -> nn.Sequential:
    """Return a binary convolution with its batch normalisation.

    With real activations they come in the usual order, convolution, normalisation and activation; with binary ones as
    in figure 3: normalisation, sign, convolution, because a pooling of signs would lose nearly all.
    """
    conv = BinaryConv2d(n_in, n_out, pair(kernel_size), pair(padding), binary_activations=binary_activations)
    if binary_activations:
        return nn.Sequential(nn.BatchNorm2d(n_in), conv)
    return nn.Sequential(conv, nn.BatchNorm2d(n_out), activation_layer(activation))


def xnor_stages(
    width: float, *, stride: Size, in_channels: int, pooling: str, binary_activations: bool, activation: str
) -> dict[str, nn.Module]:
    """Return AlexNet's convolutions without groups: real weights in the first, binary in others; and its poolings."""
    stages: dict[str, nn.Module] = {}
    n_in = in_channels
    for number, (channels, kernel) in enumerate(zip(CHANNELS[2], KERNELS, strict=True), 1):
        n_out = scaled(channels, width)
        if number == 1:
            stages["conv1"] = conv_layer(n_in, n_out, kernel, stride=stride, padding=2, activation=activation)
        else:
            stages[f"conv{number}"] = binary_block(
                n_in, n_out, kernel, kernel // 2, binary_activations=binary_activations, activation=activation
            )
        if number in POOLED:
            stages[f"pool{number}"] = pool_layer(pooling, 3, 2, n_channels=n_out, activation=activation)
        n_in = n_out
    return stages


def binary_layers(
    n_channels: int,
    grid: tuple[int, int],
    widths: list[int],
    *,
    binary_activations: bool,
    activation: str,
    dropout: float,
) -> nn.Sequential:
    """Return AlexNet's fully connected layers, binary: (batch, n_channels, band, frame) -> (batch, last width)."""
    layers = nn.Sequential(nn.AdaptiveAvgPool2d(grid))
    kernel = grid
    for number, n_out in enumerate(widths):
        if dropout and number:
            layers.append(nn.Dropout(dropout))
        layers.append(
            binary_block(n_channels, n_out, kernel, 0, binary_activations=binary_activations, activation=activation)
        )
        n_channels, kernel = n_out, (1, 1)
    if binary_activations:  # the classifier has real weights, and sees real activations
        layers.extend([nn.BatchNorm2d(n_channels), activation_layer(activation)])
    return layers.append(nn.Flatten())


class XNORNet(Convnet):
    """AlexNet with binary weights, but for the first convolution and the classifier; and with binary activations.

    A batch of training holds at least two clips, because the fully connected layers are normalised over the batch.

    Args:
        n_classes: Number of classes, silence and unknown among them; 0 for the embedding alone.
        width: Factor on all channels, those of the fully connected layers among them.
        binary_activations: False: the paper's binary-weight network, whose activations are real; True: XNOR-Net.
        stride: Step of the first convolution, of bands and frames; the paper's is 4, of 224 rows and columns.
        pooling: "max", the paper's, "average" or "convolution".
        activation: A name of `audionet.models.layers.activation_layer`, where the activations are real.
        head: "fully_connected", or "global" for the mean over all bands and frames.
        n_bands: Bands of the spectrogram, at least 35 at stride 2.
        n_frames: Frames that the fully connected layers are laid out for.
        in_channels: Planes of the input: 1 for a spectrogram, 3 for one with its first and second differences.
        dropout: Probability that an output of a fully connected layer is dropped.

    Shape:
        (batch, in_channels, n_bands, frame) -> (batch, n_classes)

    Raises:
        ValueError: A choice is unknown, or too little of the spectrogram is left for a layer; from ``forward``, the
            spectrogram has another number of bands, or too few frames.

    Example:
        >>> network = XNORNet(n_classes=12, width=0.125)
        >>> spectrogram = torch.zeros(3, 1, 40, 101)
        >>> network.maps(spectrogram).shape, network(spectrogram).shape
        (torch.Size([3, 32, 1, 5]), torch.Size([3, 12]))
    """

    def __init__(
        self,
        *,
        n_classes: int,
        width: float = 1.0,
        binary_activations: bool = False,
        stride: int | tuple[int, int] = 2,
        pooling: str = "max",
        activation: str = "relu",
        head: str = "fully_connected",
        n_bands: int = 40,
        n_frames: int = 101,
        in_channels: int = 1,
        dropout: float = 0.0,
    ) -> None:
        check_positive(width=width)
        check_at_least(0, 1, dropout=dropout)
        check_at_least(1, whole=True, in_channels=in_channels, n_bands=n_bands, n_frames=n_frames)
        check_one_of(HEADS, "head", head)
        stages = xnor_stages(
            width,
            stride=stride,
            in_channels=in_channels,
            pooling=pooling,
            binary_activations=binary_activations,
            activation=activation,
        )
        n_embedding, *grid = maps_size(nn.Sequential(OrderedDict(stages)), in_channels, n_bands, n_frames)
        pool = global_pool()
        if head == "fully_connected":
            pool = binary_layers(
                n_embedding,
                (grid[0], grid[1]),
                [scaled(channels, width) for channels in WIDTHS],
                binary_activations=binary_activations,
                activation=activation,
                dropout=dropout,
            )
            n_embedding = scaled(WIDTHS[-1], width)
        super().__init__(
            stages,
            pool=pool,
            n_embedding=n_embedding,
            n_classes=n_classes,
            n_bands=n_bands,
            in_channels=in_channels,
            dropout=dropout or None,
        )
