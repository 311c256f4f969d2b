"""Checks of what is asked of a generator, each in one place."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from audionet.audio import PEAK_LIMIT
from audionet.checks import check_that
from audionet.models.wavenet.network import WaveNet

MAX_BATCH = 1024

Category = str | Sequence[str]


def checked_prime(prime: Tensor | np.ndarray, wavenet: WaveNet) -> np.ndarray:
    """Return sound (time,) or (batch, time) as the network's samples (batch, time).

    Raises:
        ValueError: It is not a float waveform, or has samples that no recording has, beyond 8.
    """
    waveform = torch.as_tensor(prime)
    waveform = waveform[None] if waveform.ndim == 1 else waveform
    shape, is_float = tuple(waveform.shape), waveform.is_floating_point()
    expected = "a float waveform (time,) or (batch, time) in [-1, 1]"
    check_that(len(shape) == 2 and waveform.numel() and is_float, "prime", expected, (shape, waveform.dtype))
    largest = waveform.abs().max().item()
    # Resampling a loud recording goes a little past full scale, where the network's samples are clipped.
    fits = largest <= PEAK_LIMIT  # NaN does not fit either
    check_that(fits, "prime", "samples in [-1, 1]", largest, "divide integers by their full scale")
    return wavenet.distribution.from_waveform(waveform.cpu()).numpy()


def checked_frames(frames: Tensor | None, wavenet: WaveNet) -> Tensor | None:
    """Return local conditioning as (batch, band, frame) on the network's device, or None for a network without.

    Raises:
        ValueError: Frames are missing, not expected, of another shape or not finite.
    """
    if not wavenet.local_bands:
        check_that(frames is None, "frames", "None, because the network has no local conditioning", type(frames))
        return None
    expected = f"(batch, {wavenet.local_bands} bands, frame) at a hop of {wavenet.hop_length} samples"
    if frames is None:
        raise ValueError(f"frames: expected {expected}, got None; frames_of(waveform, sample_rate) makes them")
    frames = torch.as_tensor(frames, dtype=torch.float32, device=wavenet.gate_bias.device)
    frames = frames[None] if frames.ndim == 2 else frames
    shape = tuple(frames.shape)
    check_that(len(shape) == 3 and shape[1] == wavenet.local_bands and frames.numel(), "frames", expected, shape)
    largest = frames.abs().max().item()
    check_that(math.isfinite(largest), "frames", "finite numbers", largest)
    return frames


def agreed_batch(count: int, prime: np.ndarray, frames: Tensor | None, categories: Mapping[str, Category]) -> int:
    """Return the number of streams; whatever gives another number than 1 must give the same.

    Raises:
        ValueError: The numbers differ, or are out of range.
    """
    sizes = {"count": count, "prime": len(prime), "frames": 1 if frames is None else len(frames)}
    sizes |= {name: len(values) for name, values in categories.items() if not isinstance(values, str)}
    is_allowed = all(1 <= size <= MAX_BATCH for size in sizes.values())
    check_that(is_allowed, "count", f"1 to {MAX_BATCH} streams at a time", sizes)
    check_that(len(set(sizes.values()) - {1}) <= 1, "count", "one number of streams", sizes)
    return max(sizes.values())
