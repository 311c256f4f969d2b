"""Layers that the families of convnets share, with the choices that history left open as arguments."""

from collections.abc import Iterable
from typing import Literal, get_args

from torch import Tensor, nn
from torch.nn import functional as F

from audionet.checks import check_at_least, check_one_of, check_that

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "none": nn.Identity,
}
NORMS = ("batch", "instance", "none")
PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]
POOLINGS = ("max", "average", "convolution")

Size = int | tuple[int, int]
"""A size in bands and in frames: one number for both, or (bands, frames)."""


def pair(size: Size) -> tuple[int, int]:
    """Return a size as (bands, frames).

    Example:
        >>> pair(3), pair((3, 9))
        ((3, 3), (3, 9))
    """
    return (size, size) if isinstance(size, int) else size


def scaled(n_channels: int, width: float) -> int:
    """Return a number of channels times the factor ``width``, at least 1.

    Example:
        >>> scaled(64, 0.25), scaled(64, 0.001)
        (16, 1)
    """
    return max(1, round(n_channels * width))


def activation_layer(name: str, *, inplace: bool = False) -> nn.Module:
    """Return the non-linear function of a name.

    Args:
        name: Its name.
        inplace: Whether it may overwrite its input, which saves time and memory where the function can.

    Raises:
        ValueError: There is no such function; the message gives the nearest.

    Example:
        >>> activation_layer("relu"), activation_layer("relu", inplace=True), activation_layer("tanh", inplace=True)
        (ReLU(), ReLU(inplace=True), Tanh())
    """
    check_one_of(ACTIVATIONS, "activation", name)
    layer = ACTIVATIONS[name]()
    if inplace and hasattr(layer, "inplace"):
        vars(layer)["inplace"] = True
    return layer


def norm_layer(name: str, n_channels: int) -> nn.Module:
    """Return a normalisation of maps (batch, n_channels, band, frame).

    Args:
        name: "batch": each channel over the batch; "instance": each channel of each clip over the clip, which makes the
            network look at the whole clip; "none".
        n_channels: Channels of the maps.

    Raises:
        ValueError: There is no such normalisation.

    Example:
        >>> norm_layer("batch", 8)
        BatchNorm2d(8, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
    """
    check_one_of(NORMS, "norm", name)
    if name == "none":
        return nn.Identity()
    return nn.BatchNorm2d(n_channels) if name == "batch" else nn.InstanceNorm2d(n_channels, affine=True)


def check_padding(padding_mode: str, padding: int, stride: int, n_frames: int | None = None) -> None:
    """Refuse an unknown padding, and a clip that is shorter than what is reflected or wrapped around of it.

    Args:
        padding_mode: What convolutions see beyond the edges.
        padding: Most frames that a convolution adds at each end, once the clip is as short as it becomes.
        stride: Frames of the clip for one frame there.
        n_frames: Frames of the clip; None before there is one.

    Raises:
        ValueError: There is no such padding, or the clip is too short; the message gives the shortest that works.

    Example:
        >>> check_padding("reflect", 4, 8, 32)
        Traceback (most recent call last):
        ValueError: spectrogram: expected at least 33 frames for padding_mode 'reflect', got 32; give a longer clip
    """
    check_one_of(get_args(PaddingMode), "padding_mode", padding_mode)
    least = {"reflect": stride * padding + 1, "circular": stride * (padding - 1) + 1}.get(padding_mode, 0)
    expected = f"at least {least} frames for padding_mode {padding_mode!r}"
    check_that(n_frames is None or n_frames >= least, "spectrogram", expected, n_frames, "give a longer clip")


class ResponseNorm(nn.Module):
    """The local response normalisation over five neighbouring channels (Krizhevsky et al., 2012, section 3.3).

    A value is divided by a power of the sum of the squares, at its place, of two channels before to two behind.

    Example:
        >>> maps = ResponseNorm()(torch.full((1, 3, 2, 2), 100.0))
        >>> round(float(maps[0, 0, 0, 0]), 2), round((2 + 1e-4 * 3 * 100**2) ** -0.75 * 100, 2)
        (29.91, 29.91)
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Map (batch, channel, band, frame) to the same."""
        squares = maps.square().flatten(2).unsqueeze(1)  # (batch, 1, channel, place)
        energy = 5 * F.avg_pool2d(squares, (5, 1), stride=1, padding=(2, 0))
        return maps / (2 + 1e-4 * energy.view_as(maps)) ** 0.75


def conv_layer(
    n_in: int,
    n_out: int,
    kernel_size: Size,
    *,
    stride: Size = 1,
    padding: Size | None = None,
    dilation: Size = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "zeros",
    norm: str = "batch",
    activation: str = "relu",
) -> nn.Sequential:
    """Return a convolution, its normalisation and its activation.

    The convolution has a bias where no normalisation follows, which would take it out again.

    Args:
        n_in: Channels that come in.
        n_out: Channels that go out.
        kernel_size: Size of the kernel.
        stride: Step of the kernel.
        padding: Rows and columns that are added on each side; None for as many as keep the size at stride 1.
        dilation: Distance of the kernel's taps.
        groups: Groups of channels that do not see each other; ``n_in`` of them make a depthwise convolution.
        padding_mode: What the added rows and columns hold: "zeros", "reflect", "replicate" or "circular".
        norm: A name of `norm_layer`.
        activation: A name of `activation_layer`.

    Raises:
        ValueError: A name is unknown.

    Example:
        >>> conv_layer(1, 8, (3, 9), norm="none")
        Sequential(
          (0): Conv2d(1, 8, kernel_size=(3, 9), stride=(1, 1), padding=(1, 4))
          (1): ReLU()
        )
    """
    check_one_of(get_args(PaddingMode), "padding_mode", padding_mode)
    kernel, step = pair(kernel_size), pair(dilation)
    same = (step[0] * (kernel[0] - 1) // 2, step[1] * (kernel[1] - 1) // 2)
    conv = nn.Conv2d(
        n_in,
        n_out,
        kernel,
        stride=stride,
        padding=same if padding is None else padding,
        dilation=step,
        groups=groups,
        bias=norm == "none",
        padding_mode=padding_mode,
    )
    layers = [conv, norm_layer(norm, n_out), activation_layer(activation)]
    return nn.Sequential(*(layer for layer in layers if not isinstance(layer, nn.Identity)))


def pool_layer(
    name: str, kernel_size: Size, stride: Size, *, n_channels: int, padding: Size = 0, activation: str = "relu"
) -> nn.Module:
    """Return a layer that makes maps (batch, n_channels, band, frame) smaller.

    Args:
        name: "max", "average", or "convolution": one of the same kernel and stride, which learns how, with its
            activation (Springenberg et al., 2014, arXiv 1412.6806).
        kernel_size: Size of the neighbourhood.
        stride: Step of the neighbourhood.
        n_channels: Channels of the maps.
        padding: Rows and columns that are added on each side.
        activation: Of the convolution, a name of `activation_layer`.

    Raises:
        ValueError: There is no such pooling.

    Example:
        >>> pool_layer("max", 2, 2, n_channels=8)
        MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
    """
    check_one_of(POOLINGS, "pooling", name)
    if name == "max":
        return nn.MaxPool2d(kernel_size, stride, padding)
    if name == "average":
        return nn.AvgPool2d(kernel_size, stride, padding, count_include_pad=False)
    return conv_layer(
        n_channels, n_channels, kernel_size, stride=stride, padding=padding, norm="none", activation=activation
    )


def global_pool() -> nn.Sequential:
    """Return the mean over all bands and frames: (batch, channel, band, frame) -> (batch, channel).

    Example:
        >>> global_pool()(torch.ones(2, 8, 5, 13)).shape
        torch.Size([2, 8])
    """
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


def fully_connected(
    n_channels: int,
    grid: tuple[int, int],
    widths: Iterable[int],
    *,
    activation: str = "relu",
    dropout: float = 0.0,
) -> nn.Sequential:
    """Return fully connected layers over maps of any size: (batch, n_channels, band, frame) -> (batch, last width).

    The maps are first averaged to a grid, which leaves maps of that size as they are.

    Args:
        n_channels: Channels of the maps.
        grid: Size that the layers see, (bands, frames).
        widths: Outputs of each layer.
        activation: A name of `activation_layer`, after each layer.
        dropout: Probability that an output of a layer is dropped before the next one, the paper of AlexNet's way; what
            `Convnet` drops before the classifier are the outputs of the last.

    Raises:
        ValueError: There is no such activation, or ``dropout`` is no probability.

    Example:
        >>> fully_connected(16, (5, 5), (120, 84))(torch.ones(2, 16, 7, 20)).shape
        torch.Size([2, 84])
    """
    check_at_least(0, 1, dropout=dropout)
    layers: list[nn.Module] = [nn.AdaptiveAvgPool2d(grid), nn.Flatten()]
    n_in = n_channels * grid[0] * grid[1]
    for number, n_out in enumerate(widths):
        layers += [nn.Dropout(dropout)] if dropout and number else []
        layers += [nn.Linear(n_in, n_out), activation_layer(activation)]
        n_in = n_out
    return nn.Sequential(*layers)


def initialize_he(network: nn.Module, mode: Literal["fan_in", "fan_out"] = "fan_out") -> None:
    """Draw the weights of all convolutions so that ReLUs keep the size of what passes through any depth.

    Source: He et al., 2015, arXiv 1502.01852, section 2.2.

    Args:
        network: Network whose convolutions are drawn anew, with a bias of 0.
        mode: "fan_out" keeps the size of the gradients, "fan_in" that of the maps, which matters where no normalisation
            does and convolutions make the maps much thinner.

    Example:
        >>> conv = nn.Conv2d(64, 128, 3)
        >>> initialize_he(conv)
        >>> round(conv.weight.std().item(), 3), round((2 / (128 * 3 * 3)) ** 0.5, 3)
        (0.042, 0.042)
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            weight = module.weight  # (channel, channel of the group, band, frame)
            fan = weight[:, 0].numel() / module.groups if mode == "fan_out" else weight[0].numel()
            nn.init.normal_(weight, std=(2 / fan) ** 0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
