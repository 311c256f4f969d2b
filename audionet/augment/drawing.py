"""What the augmentations share: drawing on the CPU, samples as float, and the ends of a range."""

import torch
from torch import Generator, Tensor

from audionet.audio import FULL_SCALE
from audionet.checks import check_at_least, check_that


def uniform(n: int, low: float, high: float, like: Tensor, generator: Generator) -> Tensor:
    """Draw (n,) from U(low, high) on the CPU; return it on the device and with the type of ``like``."""
    return (low + (high - low) * torch.rand(n, generator=generator)).to(like.device, like.dtype)


def to_float(pcm: Tensor) -> Tensor:
    """Scale int16 samples to float32 in [-1, 1); float samples are returned as they are.

    Example:
        >>> to_float(torch.tensor([0, 16384, -32768], dtype=torch.int16))
        tensor([ 0.0000,  0.5000, -1.0000])
    """
    return pcm if pcm.is_floating_point() else pcm.to(torch.float32) / FULL_SCALE


def check_range(**ends: float) -> None:
    """Check the ends of a range, the lower one first, as {name: value}."""
    check_at_least(-1e9, 1e9, whole=False, **ends)
    (low_name, low), (high_name, high) = ends.items()
    check_that(low <= high, low_name, f"at most {high_name}, {high:g}", low)
