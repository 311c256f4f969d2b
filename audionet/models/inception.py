"""What the Inception networks share: a figure of convolutions, poolings and branches as data, and its layers.

A figure is a `Chain`: steps one after the other. A `Fork` is a step whose branches are chains side by side.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Literal, NamedTuple, Protocol, TypeAlias, get_args

import torch
from torch import Tensor, nn

from audionet.checks import check_one_of, check_positive
from audionet.models.convnet import Convnet
from audionet.models.layers import (
    PaddingMode,
    Size,
    activation_layer,
    conv_layer,
    initialize_he,
    pair,
    pool_layer,
    scaled,
)
from audionet.models.volume import maps_size

Padding = Literal["same", "valid"]
POOL_KERNEL = 3  # of every pooling of these networks
PICTURE_FRAMES = 299  # the width of the largest papers' pictures, at which the bands are checked


class Conv(NamedTuple):
    """A convolution of a figure.

    Attributes:
        n_out: Channels that go out.
        kernel: Size of the kernel.
        stride: Step of the kernel.
        valid: Whether the paper adds no rows and columns ("V" in its figures).
    """

    n_out: int
    kernel: Size = 1
    stride: Size = 1
    valid: bool = False


class Pool(NamedTuple):
    """A pooling of a figure, over 3 × 3 places.

    Attributes:
        kind: "max" or "average".
        stride: Its step.
        valid: Whether the paper adds no rows and columns.
    """

    kind: str = "max"
    stride: int = 1
    valid: bool = False


class Fork(NamedTuple):
    """Branches of a figure, over the same maps, whose outputs are joined as channels."""

    branches: tuple["Chain", ...]


class Residual(NamedTuple):
    """A module of a figure whose maps are added to its input (arXiv 1602.07261, figure 20).

    Attributes:
        module: The module; a convolution without activation gives it as many channels as its input.
        scale: Factor on its maps before they are added.
        is_last: Whether no activation follows the sum.
    """

    module: Fork
    scale: float
    is_last: bool = False


Step: TypeAlias = Conv | Pool | Fork | Residual
Chain: TypeAlias = tuple[Step, ...]


class Branches(nn.Module):
    """Chains of layers over the same maps, whose outputs are joined as channels."""

    def __init__(self, branches: Iterable[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, n_in, band, frame) to (batch, channels of all branches, band, frame)."""
        return torch.cat([branch(x) for branch in self.branches], 1)


class ScaledResidual(nn.Module):
    """y = activation(x + scale * project(branches(x))): small steps keep a wide residual network from dying."""

    def __init__(self, n_channels: int, branches: nn.Module, n_out: int, *, scale: float, activation: str) -> None:
        super().__init__()
        self.branches, self.scale = branches, scale
        self.project = nn.Conv2d(n_out, n_channels, 1)
        self.activation = activation_layer(activation)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, n_channels, band, frame) to maps of the same shape."""
        y: Tensor = self.activation(x + self.scale * self.project(self.branches(x)))
        return y


class LayerOf(Protocol):
    """Builds the layer of a convolution or a pooling that a number of channels comes into."""

    def __call__(self, n_in: int, step: Conv | Pool) -> nn.Module:
        """Return the layer."""


def layer(
    n_in: int,
    step: Conv | Pool,
    *,
    padding: Padding,
    padding_mode: PaddingMode,
    pooling: str,
    norm: str,
    activation: str,
) -> nn.Module:
    """Return the layer of a convolution or a pooling; the arguments are those of `stages`."""
    kernel = pair(step.kernel if isinstance(step, Conv) else POOL_KERNEL)
    added = (0, 0) if step.valid and padding == "valid" else (kernel[0] // 2, kernel[1] // 2)
    if isinstance(step, Conv):
        return conv_layer(
            n_in,
            step.n_out,
            kernel,
            stride=step.stride,
            padding=added,
            padding_mode=padding_mode,
            norm=norm,
            activation=activation,
        )
    kind = step.kind if step.stride == 1 else pooling
    return pool_layer(kind, kernel, step.stride, n_channels=n_in, padding=added, activation=activation)


def n_outputs(n_in: int, steps: Chain) -> int:
    """Return how many channels a chain gives for ``n_in``.

    Example:
        >>> n_outputs(192, (Fork(((Conv(64),), (Pool(), Conv(32)))), Pool("max", 2)))
        96
    """
    for step in steps:
        if isinstance(step, Conv):
            n_in = step.n_out
        elif isinstance(step, Fork):
            n_in = sum(n_outputs(n_in, branch) for branch in step.branches)
    return n_in


def widened(steps: Chain, width: float) -> Chain:
    """Return a chain with ``width`` times as many channels.

    Example:
        >>> widened((Conv(64, 7, 2), Fork(((Conv(32),), (Pool(),)))), 0.5)
        (Conv(n_out=32, kernel=7, stride=2, valid=False),
         Fork(branches=((Conv(n_out=16, kernel=1, stride=1, valid=False),),
                        (Pool(kind='max', stride=1, valid=False),))))
    """

    def wider(step: Step) -> Step:
        if isinstance(step, Conv):
            return step._replace(n_out=scaled(step.n_out, width))
        if isinstance(step, Fork):
            return Fork(tuple(widened(branch, width) for branch in step.branches))
        if isinstance(step, Residual):
            return step._replace(module=Fork(tuple(widened(branch, width) for branch in step.module.branches)))
        return step

    return tuple(wider(step) for step in steps)


def chain(n_in: int, steps: Chain, layer_of: LayerOf, activation: str) -> nn.Sequential:
    """Return the layers of a chain.

    Args:
        n_in: Channels that come in.
        steps: The chain.
        layer_of: Builds the layer of a convolution or a pooling.
        activation: After the sum of a `Residual`, a name of `activation_layer`.
    """
    modules: list[nn.Module] = []
    for step in steps:
        if isinstance(step, Fork):
            modules.append(Branches(chain(n_in, branch, layer_of, activation) for branch in step.branches))
        elif isinstance(step, Residual):
            branches = Branches(chain(n_in, branch, layer_of, activation) for branch in step.module.branches)
            after, n_out = "none" if step.is_last else activation, n_outputs(n_in, (step.module,))
            modules.append(ScaledResidual(n_in, branches, n_out, scale=step.scale, activation=after))
        else:
            modules.append(layer_of(n_in, step))
        n_in = n_outputs(n_in, (step,))
    return nn.Sequential(*modules)


def stages(
    table: Mapping[str, Chain],
    in_channels: int,
    *,
    width: float = 1.0,
    stride: Size = 2,
    padding: Padding = "same",
    padding_mode: PaddingMode = "zeros",
    pooling: str = "max",
    norm: str = "batch",
    activation: str = "relu",
) -> tuple[dict[str, nn.Module], int]:
    """Return the stages of a table of chains by name, and the channels of the last one's maps.

    Args:
        table: The stages by name, in the order of the data; the first begins with a convolution.
        in_channels: Channels that come into the first.
        width: Factor on all channels.
        stride: Step of the first convolution.
        padding: "same": rows and columns are added everywhere, so that little is lost of a small spectrogram; "valid":
            none are where the paper adds none.
        padding_mode: What rows and columns of a convolution hold that are added; see `conv_layer`.
        pooling: What makes maps smaller in the place of a pooling; see `pool_layer`.
        norm: After each convolution, a name of `norm_layer`.
        activation: A name of `activation_layer`.

    Raises:
        ValueError: A name is unknown, or ``width`` is not above 0.

    Example:
        >>> built, n_out = stages({"stem": (Conv(32, 3, 2),), "module": (Fork(((Conv(8),), (Pool(),))),)}, 1)
        >>> nn.Sequential(*built.values())(torch.zeros(2, 1, 40, 101)).shape, n_out
        (torch.Size([2, 40, 20, 51]), 40)
    """
    check_one_of(get_args(Padding), "padding", padding)
    check_positive(width=width)
    layer_of = partial(
        layer, padding=padding, padding_mode=padding_mode, pooling=pooling, norm=norm, activation=activation
    )
    built: dict[str, nn.Module] = {}
    for name, figure in table.items():
        steps = widened(figure, width)
        if not built and isinstance(steps[0], Conv):
            steps = (steps[0]._replace(stride=stride), *steps[1:])
        built[name] = chain(in_channels, steps, layer_of, activation)
        in_channels = n_outputs(in_channels, steps)
        initialize_he(built[name], "fan_in")
    return built, in_channels


def check_bands(network: Convnet, padding: Padding, padding_mode: PaddingMode) -> None:
    """Refuse a network of so few bands that a layer has nothing left of them, or cannot reflect what is left.

    Raises:
        ValueError: The bands are too few; the message names the layer and the smallest number that works.
    """
    if padding == "valid" or padding_mode in ("reflect", "circular"):
        maps_size(network.body, network.in_channels, network.n_bands, max(network.n_bands, PICTURE_FRAMES))
