"""How far the operations of a network see in time, read from their arguments."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from inspect import signature
from operator import getitem
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.padding import _ConstantPadNd
from torch.nn.modules.pooling import _AvgPoolNd, _MaxPoolNd

MODULES = (_ConvNd, _MaxPoolNd, _AvgPoolNd, _ConstantPadNd)  # which call one of the functions below


class Extent(NamedTuple):
    """What one output of an operation sees in time.

    Attributes:
        span: Frames from the first to the last that it sees.
        stride: Frames from one output to the next.
        left: Frames of padding before the recording.
        right: Frames of padding behind it.
        fill: What the padding holds.
        is_inner_mean: Whether it is a mean that leaves the padding out.
        is_padding: Whether it does nothing but add frames.
        arguments: The arguments with which the operation adds no padding in time.
    """

    span: int = 1
    stride: int = 1
    left: int = 0
    right: int = 0
    fill: float = 0.0
    is_inner_mean: bool = False
    is_padding: bool = False
    arguments: Mapping[str, Any] = {}

    def n_outputs(self, n_frames: Tensor) -> Tensor:
        """Return how many outputs the operation has for recordings of so many frames, none if they are too few."""
        if self.is_padding:
            return n_frames
        n_outputs = (n_frames + self.left + self.right - self.span) // self.stride + 1
        return n_outputs.clamp(min=0) * (n_frames > 0)

    def behind(self, padding: "Extent") -> "Extent | None":
        """Return the extent of this operation and the padding before it, or None if they do not fit together."""
        if self == Extent() or self.is_padding or self.is_inner_mean or padding.fill != self.fill:
            return None
        return self._replace(left=self.left + padding.left, right=self.right + padding.right)


def extent_of(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Extent | None:
    """Return what a function of torch sees along the last axis of its first argument.

    Args:
        function: The function.
        args: Its arguments in order.
        kwargs: Its arguments by name.

    Returns:
        The extent, which is `Extent()` if each frame by itself; None if it depends on where the frames end in another
        way than by padding with one value.

    Example:
        >>> extent_of(F.max_pool2d, (torch.zeros(1, 1, 40, 101), 3, 2, 1), {})[:5]
        (3, 2, 1, 1, -inf)
    """
    rule = RULES.get(function)
    return Extent() if rule is None else rule(*args, **kwargs)


def without_padding(function: Any, extent: Extent, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Run a function of torch on frames that hold the padding in time already.

    Args:
        function: The function.
        extent: What `extent_of` returned for it.
        args: Its arguments in order, the frames first.
        kwargs: Its arguments by name.
    """
    if not extent.arguments:
        return function(*args, **kwargs)
    return function(**(signature(RULES[function]).bind(*args, **kwargs).arguments | dict(extent.arguments)))


def _convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Extent | None:
    if isinstance(padding, str):
        return None
    bands, frames = _bands_and_frames(padding, weight.ndim - 2)
    span = _last(dilation) * (weight.shape[-1] - 1) + 1
    return Extent(span, _last(stride), frames, frames, arguments={"padding": bands})


def _maximum(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    n_axes: int,
) -> Extent | None:
    if ceil_mode or return_indices:
        return None
    bands, frames = _bands_and_frames(padding, n_axes)
    span = _last(dilation) * (_last(kernel_size) - 1) + 1
    stride = _last(stride or kernel_size)
    return Extent(span, stride, frames, frames, fill=-math.inf, arguments={"padding": bands})


def _mean(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    n_axes: int,
) -> Extent | None:
    if ceil_mode:
        return None
    bands, frames = _bands_and_frames(padding, n_axes)
    span, stride = _last(kernel_size), _last(stride or kernel_size)
    is_inner = frames > 0 and not count_include_pad and divisor_override is None
    return Extent(span, stride, frames, frames, is_inner_mean=is_inner, arguments={"padding": bands})


def _padding(input: Tensor, pad: Any, mode: str = "constant", value: float | None = None) -> Extent | None:
    left, right, *others = pad
    if not left and not right:
        return Extent()
    if mode != "constant" or left < 0 or right < 0:
        return None
    return Extent(1, 1, left, right, value or 0.0, is_padding=True, arguments={"pad": (0, 0, *others)})


def _slice(x: Any, index: Any) -> Extent | None:
    last = index[-1] if isinstance(index, tuple) and isinstance(x, Tensor) else None
    reaches_last = isinstance(index, tuple) and (Ellipsis in index or len(index) == x.ndim)
    if not reaches_last or not isinstance(last, slice) or last.step in (None, 1):
        return Extent()
    return Extent(stride=last.step) if last.start in (None, 0) and last.stop is None else None


def _last(size: Any) -> int:
    """Return a size in frames, of one that is one number or has one for each axis."""
    return int(size) if isinstance(size, int) else int(size[-1])


def _bands_and_frames(padding: Any, n_axes: int) -> tuple[tuple[int, ...], int]:
    """Return a padding without its frames, and these."""
    sizes = (padding,) * n_axes if isinstance(padding, int) else (*padding,)
    sizes = sizes * n_axes if len(sizes) == 1 else sizes
    return (*sizes[:-1], 0), sizes[-1]


RULES: dict[Callable[..., Any], Callable[..., Extent | None]] = {
    torch.conv1d: _convolution,
    torch.conv2d: _convolution,
    F.max_pool1d: partial(_maximum, n_axes=1),
    F.max_pool2d: partial(_maximum, n_axes=2),
    F.avg_pool1d: partial(_mean, n_axes=1),
    F.avg_pool2d: partial(_mean, n_axes=2),
    F.pad: _padding,
    getitem: _slice,
}
