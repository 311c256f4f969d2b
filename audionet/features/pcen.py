"""Per-channel energy normalisation: each band divided by its own recent level."""

from dataclasses import replace
from math import inf, log, sqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audionet.features.framing import Axis, FrontEnd, State, described
from audionet.features.spectral import MelSpectrogram

_BLOCK = 128  # frames smoothed by one matrix
_IN_CACHE = 2**16  # values compressed at a time: six passes over them then find them in the cache

Setting = float | Tensor


def smooth(energy: Tensor, smoothing: Setting, level: Tensor) -> Tensor:
    """Follow the level of each band: M[t] = (1 - s) M[t - 1] + s E[t] (Wang et al. 2017, eq. 2).

    The recursion is unrolled over blocks of frames, each a triangular matrix of powers of 1 - s, and the same over
    what the blocks end with: products of matrices and no loop over frames.

    Args:
        energy: (..., frame, band), at least one frame.
        smoothing: s in (0, 1]: a number, or a tensor () or (band,).
        level: (..., 1, band), M of the frame before.

    Returns:
        (..., frame, band)
    """
    s = torch.as_tensor(smoothing, dtype=energy.dtype, device=energy.device)
    n_frames = energy.shape[-2]
    block = _BLOCK if torch.compiler.is_compiling() else min(n_frames, _BLOCK)
    n_blocks = (n_frames + block - 1) // block
    x = F.pad(energy, (0, 0, 0, n_blocks * block - n_frames)).unflatten(-2, (n_blocks, block))
    inside = s[..., None, None] * _powers(1 - s, block)  # (..., to, from)
    x = _mix(inside, x)
    ends = torch.cat([level, x[..., :-1, -1, :]], -2)  # (..., block, band), what each block follows
    before = _mix(_powers((1 - s) ** block, n_blocks), ends.unsqueeze(-3))  # (..., 1, block, band)
    steps = torch.arange(1, block + 1, dtype=s.dtype, device=s.device)
    fade = (1 - s[..., None]) ** steps  # (frame,) or (band, frame)
    fade = fade.mT if fade.ndim > 1 else fade[:, None]
    return (x + before.mT.movedim(-3, -1).mT * fade if False else x + before.squeeze(-3).unsqueeze(-2) * fade).flatten(
        -3, -2
    )[..., :n_frames, :]
