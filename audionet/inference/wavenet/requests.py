"""Checks of what is asked of a generator, each in one place."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from audionet.checks import check_that
from audionet.models.wavenet.network import WaveNet

MAX_BATCH = 1024

Category = str | Sequence[str]


def checked_prime(prime: Tensor | np.ndarray, wavenet: WaveNet) -> np.ndarray:
    """Return sound (time,) or (batch, time) as the network's samples (batch, time).

    Raises:
        ValueError: It is not a float waveform in [-1, 1].
    """
    waveform = torch.as_tensor(prime)
    waveform = waveform[None] if waveform.ndim == 1 else waveform
    shape, is_float = tuple(waveform.shape), waveform.is_floating_point()
    expected = "a float waveform (time,) or (batch, time) in [-1, 1]"
    check_that(len(shape) == 2 and shape[1] and is_float, "prime", expected, (shape, waveform.dtype))
    if not waveform.abs().max() <= 1:  # also where NaN
        raise ValueError("prime: expected samples in [-1, 1], got larger ones or NaN")
    return wavenet.distribution.from_waveform(waveform.cpu()).numpy()


def checked_frames(frames: Tensor | None, wavenet: WaveNet) -> Tensor | None:
    """Return local conditioning as (batch, band, frame) on the network's device, or None for a network without.

    Raises:
        ValueError: Frames are missing, not expected, of another shape or not finite.
    """
    bands, hop_length = wavenet.local_bands, wavenet.hop_length
    if not bands:
        if frames is not None:
            raise ValueError("frames: expected None, because the network has no local conditioning, got some")
        return None
    expected = f"frames: expected (batch, {bands} bands, frame) at a hop of {hop_length} samples"
    if frames is None:
        raise ValueError(f"{expected}, got None; frames_of(waveform, sample_rate) makes them of a recording")
    frames = torch.as_tensor(frames, dtype=torch.float32)
    frames = frames[None] if frames.ndim == 2 else frames
    if frames.ndim != 3 or frames.shape[1] != bands or frames.shape[2] == 0:
        raise ValueError(f"{expected}, got {tuple(frames.shape)}")
    if not frames.isfinite().all():
        raise ValueError("frames: expected finite numbers, got NaN or infinite ones")
    return frames.to(wavenet.gate_bias.device)


def agreed_batch(
    count: int, prime: np.ndarray | None, frames: Tensor | None, categories: Mapping[str, Category]
) -> int:
    """Return the number of streams; whatever gives another number than 1 must give the same.

    Raises:
        ValueError: The numbers differ, or are out of range.
    """
    sizes = {"count": count}
    sizes |= {name: len(values) for name, values in categories.items() if not isinstance(values, str)}
    sizes |= {"prime": 1 if prime is None else len(prime), "frames": 1 if frames is None else len(frames)}
    if not all(1 <= size <= MAX_BATCH for size in sizes.values()):
        raise ValueError(f"count: expected 1 to {MAX_BATCH} streams at a time, got {sizes}")
    if len(set(sizes.values()) - {1}) > 1:
        raise ValueError(f"count: expected one number of streams, got {sizes}")
    return max(sizes.values())
