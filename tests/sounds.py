"""The sounds that front-ends are tested with, and how close two results are."""

from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

RECORDING = Path(__file__).parents[2] / "shared" / "data" / "fsdd" / "recordings" / "7_jackson_0.wav"
ROUNDINGS = 4  # by how many eps of full scale two libraries may miss silence


def noise(*shape: int, seed: int = 0, dtype: torch.dtype | None = None) -> Tensor:
    """White noise with a standard deviation of 0.1, in torch's default type unless another is given."""
    return 0.1 * torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def sound(name: str) -> Tensor:
    """(time,) float64: 3,000 to 4,000 samples at 8 kHz; short is less than a window, shorter less than any kernel.

    Skips the test if this is the recording and it is not here.
    """
    time = torch.arange(4000, dtype=torch.float64)
    match name:
        case "noise":
            return noise(4000, dtype=torch.float64)
        case "silence":
            return torch.zeros_like(time)
        case "impulse":
            return (time == 1234).double()
        case "late impulse":
            return (time == 2950).double()
        case "sine":
            return 0.5 * torch.sin(2 * torch.pi * 0.0617 * time[:3999])
        case "short":
            return noise(300, seed=1, dtype=torch.float64) + torch.linspace(-0.5, 1, 300, dtype=torch.float64)
        case "shorter":
            return sound("short")[:100]
        case "recording":
            if not RECORDING.exists():
                pytest.skip(f"needs the real recording {RECORDING}")
            return torch.from_numpy(soundfile.read(RECORDING)[0][:4000])
    raise ValueError(f"no sound is called {name!r}")


def relative_error(actual: Any, expected: Any) -> float:
    """Return the largest difference of two tensors or arrays as a share of the largest expected magnitude.

    Where silence is expected, what two libraries round in numbers of size 1, a signal's full scale, may be left over:
    up to `ROUNDINGS` eps of the coarser type are no error. More than that is an infinite one.
    """
    actual, expected = (
        x.detach() if isinstance(x, Tensor) else torch.from_numpy(np.array(x, order="C")) for x in (actual, expected)
    )
    assert actual.shape == expected.shape, f"shape {tuple(actual.shape)}, expected {tuple(expected.shape)}"
    error, scale = float((actual - expected).abs().max()), float(expected.abs().max())
    if scale > ROUNDINGS * torch.finfo(torch.float64).eps:
        return error / scale
    coarser = max(torch.finfo(x.dtype).eps for x in (actual, expected))
    return 0.0 if error <= ROUNDINGS * coarser else inf


def assert_close(actual: Any, expected: Any, tolerance: float = 1e-5) -> None:
    """Equal shape, and a relative error (see there) of at most ``tolerance``."""
    error = relative_error(actual, expected)
    assert error <= tolerance, f"relative error {error:.2g}, expected at most {tolerance:g}"
