"""Checks of waveforms and settings, with the reason and the way out in their messages."""

from collections.abc import Iterable
from math import inf
from numbers import Integral

import numpy as np
import torch
from torch import Tensor


def check_waveform(waveform: Tensor, n_samples: int = 1, *, name: str = "waveform") -> None:
    """Raise a ValueError that begins with ``name`` unless this is float, finite, and ``n_samples`` long.

    Finiteness is checked on the CPU only, because it would have to wait for a GPU.
    """
    if not waveform.is_floating_point():
        raise _not_float(name, waveform.dtype)
    if waveform.ndim == 0 or waveform.shape[-1] < n_samples:
        raise ValueError(
            f"{name}: expected at least {n_samples} samples along the last axis (time), got shape "
            f"{tuple(waveform.shape)}; pad it with audionet.audio.fit"
        )
    if torch.compiler.is_compiling() or waveform.device.type != "cpu":
        return
    if n_samples and not waveform.numel():
        raise ValueError(f"{name}: expected at least one clip, got shape {tuple(waveform.shape)}")
    # The sum tells it in a fraction of the time, unless it overflows.
    if not waveform.detach().sum().isfinite() and not (finite := waveform.isfinite()).all():
        place = tuple((~finite).nonzero()[0].tolist())
        raise ValueError(
            f"{name}: expected finite samples, got {waveform[place].item()} at {place}; repair the clip or drop it"
        )


def check_array(waveform: object) -> Tensor:
    """Return a NumPy array as a tensor.

    Raises:
        ValueError: It is not an array of finite floats.
    """
    if not isinstance(waveform, np.ndarray) or waveform.dtype.kind != "f":
        raise _not_float("waveform", waveform.dtype if isinstance(waveform, np.ndarray) else type(waveform).__name__)
    given = torch.from_numpy(np.array(waveform, order="C"))
    check_waveform(given, 0)
    return given


def check_dtype(waveform: Tensor, expected: torch.dtype) -> None:
    """Raise a ValueError unless ``waveform`` is of the front-end's own float type."""
    if waveform.dtype == expected:
        return
    advice = f"convert it with waveform.to({expected})"
    if waveform.dtype.itemsize >= 4:
        advice += f", or the front-end with front_end.to({waveform.dtype})"
    raise ValueError(f"waveform: expected {expected}, as the front-end is, got {waveform.dtype}; {advice}")


def check_positive(**values: float) -> None:
    """Raise a ValueError unless all values are finite and more than 0."""
    for name, value in values.items():
        if not 0 < value < inf:
            raise ValueError(f"{name}: expected more than 0, got {value}")


def check_range(name: str, value: int, low: int, high_name: str, high: int) -> None:
    """Raise a ValueError unless low <= value <= high."""
    if not low <= value <= high:
        raise ValueError(f"{name}: expected {low} to {high_name} = {high}, got {value}")


def check_choice(name: str, value: object, choices: Iterable[object]) -> None:
    """Raise a ValueError unless a value is one of the choices."""
    if value not in (known := list(choices)):
        raise ValueError(f"{name}: expected one of {', '.join(map(repr, known))}, got {value!r}")


def check_power(power: float | None) -> None:
    """Raise a ValueError unless this is a power of a spectrum: positive, or None for the complex one."""
    if power is not None and not power > 0:
        raise ValueError(f"power: expected 2 (power), 1 (magnitude) or None (the complex spectrum), got {power}")


def is_whole(number: object) -> bool:
    """Return whether this is an integer of Python or NumPy."""
    return isinstance(number, Integral)


def _not_float(name: str, got: object) -> ValueError:
    return ValueError(f"{name}: expected float samples in [-1, 1], got {got}; divide 16-bit integers by 32768.0 first")
