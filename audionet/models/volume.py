"""How large each layer of a network is, and what it costs."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from audionet.checks import check_at_least, check_that
from audionet.models import trace
from audionet.models.receptive import ReceptiveField, receptive_fields

LARGE = 4096  # bands or frames that are enough for any network


def output_size(n: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """Return how many outputs a convolution or a pooling has along one axis.

    Args:
        n: Inputs along the axis.
        kernel: Taps of the kernel.
        stride: Step of the kernel.
        padding: Inputs that are added at each end.
        dilation: Distance of the kernel's taps.

    Raises:
        ValueError: A value is no whole number in its range, or the kernel is longer than the padded input; the message
            gives the smallest input that works.

    Example:
        >>> output_size(101, kernel=3, stride=2, padding=1)
        51
        >>> output_size(4, kernel=5)
        Traceback (most recent call last):
        ValueError: n: expected at least 5, the span of the kernel without the padding, got 4
    """
    check_at_least(1, whole=True, n=n, kernel=kernel, stride=stride, dilation=dilation)
    check_at_least(0, whole=True, padding=padding)
    span = dilation * (kernel - 1) + 1
    check_that(
        n + 2 * padding >= span, "n", f"at least {span - 2 * padding}, the span of the kernel without the padding", n
    )
    return (n + 2 * padding - span) // stride + 1


def maps_size(body: nn.Module, in_channels: int, n_bands: int, n_frames: int) -> tuple[int, int, int]:
    """Return the size (channel, band, frame) of the maps that a chain of convolutions makes of a spectrogram.

    Nothing is computed, so that large networks cost little.

    Args:
        body: Chain of layers that maps (batch, in_channels, band, frame) to (batch, channel, band, frame).
        in_channels: Planes of the spectrogram.
        n_bands: Bands of the spectrogram.
        n_frames: Frames of the spectrogram.

    Raises:
        ValueError: A layer has nothing left of the spectrogram; the message names it and the smallest size that works.

    Example:
        >>> maps_size(nn.Sequential(nn.Conv2d(1, 8, 5), nn.MaxPool2d(2)), 1, 40, 101)
        (8, 18, 48)
    """
    skeleton = trace.skeleton(body)
    size = _size(skeleton, in_channels, n_bands, n_frames)
    if isinstance(size, str):
        bands = _smallest(lambda n: not isinstance(_size(skeleton, in_channels, n, LARGE), str))
        frames = _smallest(lambda n: not isinstance(_size(skeleton, in_channels, LARGE, n), str))
        raise ValueError(
            f"spectrogram: expected at least {bands} bands and {frames} frames, got {n_bands} and {n_frames}, of which "
            f"nothing is left at the layer {size}; give more bands or a longer clip, or choose smaller strides"
        )
    return size


class Layer(NamedTuple):
    """One layer of a network.

    Attributes:
        name: Its place in the network, such as "body.conv1.0".
        kind: Its class, such as "Conv2d".
        shape: Of its output for one clip: (channel, band, frame), (channel, frame) or (channel,).
        parameters: Its learned numbers.
        macs: Multiplications, each with its addition, for one clip.
        field: What one of its outputs sees of the spectrogram; None in a network on waveforms.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    macs: int
    field: ReceptiveField | None


def layer_table(network: nn.Module, n_frames: int = 101) -> list[Layer]:
    """Return every layer of a recogniser, in the order of the data, with its size, cost and receptive field.

    Args:
        network: Network with ``n_bands``, that maps (batch, in_channels, n_bands, frame).
        n_frames: Frames of the spectrogram that sizes and costs are for.

    Raises:
        ValueError: A layer has nothing left of a spectrogram of that size.

    Example:
        >>> table = layer_table(audionet.models.create("tcresnet", n_classes=12))
        >>> table[0].name, table[0].shape, table[0].macs, table[0].field
        ('stem', (16, 101), 193920, ReceptiveField(bands=40, frames=3, stride=1))
    """
    leaves = [name for name, module in network.named_modules() if name and next(module.children(), None) is None]
    skeleton = trace.skeleton(network)
    with FlopCounterMode(display=False) as counter:
        shapes = trace.shapes(skeleton, leaves, 1, n_frames)
    flops, root = counter.get_flop_counts(), type(network).__name__
    axes = trace.find_axes(skeleton, shapes)
    fields = receptive_fields(network, shapes) if getattr(network, "n_bands", 1) > 1 else {}
    return [
        Layer(
            name,
            type(module := network.get_submodule(name)).__name__,
            tuple(size for axis, size in enumerate(shape) if axis != axes[name].batch),
            sum(parameter.numel() for parameter in module.parameters()),
            sum(flops.get(f"{root}.{name}", {}).values()) // 2,
            fields.get(name),
        )
        for name, shape in shapes.items()
    ]


def _size(skeleton: nn.Module, in_channels: int, n_bands: int, n_frames: int) -> "tuple[int, int, int] | str":
    """Return the size of the maps of a chain of layers, or the name of the layer that has nothing left."""
    running = ""

    def note(name: str) -> Callable[[nn.Module, object], None]:
        def hook(_: nn.Module, __: object) -> None:
            nonlocal running
            running = name

        return hook

    handles = [module.register_forward_pre_hook(note(name)) for name, module in skeleton.named_modules()]
    try:
        channel, band, frame = skeleton(torch.empty(1, in_channels, n_bands, n_frames, device="meta")).shape[1:]
    except RuntimeError:
        return running
    finally:
        for handle in handles:
            handle.remove()
    return (channel, band, frame) if band and frame else running


def _smallest(works: Callable[[int], bool]) -> int:
    """Return the smallest size that works, given that all larger ones do."""
    low, high = 0, LARGE
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if works(middle) else (middle, high)
    return high
