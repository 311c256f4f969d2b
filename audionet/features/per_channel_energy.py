"""Per-channel energy normalisation: each band divided by its own recent level."""

from dataclasses import replace
from math import inf, isqrt, log, sqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audionet.features.frontend import Axis, FrontEnd, State, format_settings
from audionet.features.spectral import MelSpectrogram

_BLOCK = 32  # frames that one matrix smooths; more in long clips, so that the matrix from block to block stays small
_COMPILED_BLOCK = 64  # where the length of a clip is a symbol
_IN_CACHE = 2**17  # values that are compressed at a time, so that all the passes over them find them in the cache

Setting = float | Tensor


def pcen(
    energy: Tensor,
    *,
    smoothing: Setting,
    gain: Setting = 0.98,
    bias: Setting = 2.0,
    power: Setting = 0.5,
    eps: float = 1e-6,
    initial: float | None = None,
) -> Tensor:
    """Per-channel energy normalisation, (E / (eps + M)^gain + bias)^power - bias^power (Wang et al. 2017, eq. 1).

    M is the level of each band so far, see `smooth` (eq. 2). The rest is librosa's: with ``initial`` = 1 this equals
    librosa.pcen, whose b is ``smoothing``. (Wang et al., Trainable frontend for robust and far-field keyword spotting,
    arXiv 1607.05666; Lostanlen et al., Per-channel energy normalization: why and how, 2019.)

    Args:
        energy: (..., frame, band), 0 or more.
        smoothing: s in (0, 1], the weight of the newest frame: a number or (band,), like the next three.
        gain: How much of the level is divided away, 0 or more: 1 for all.
        bias: What holds weak energies down, above 0.
        power: The root that compresses, above 0.
        eps: What keeps the division finite, above 0.
        initial: The level before the first frame; None for the first frame itself.

    Returns:
        The same shape.
    """
    settings = {"smoothing": smoothing, "gain": gain, "bias": bias, "power": power}
    return follow(energy, {}, **settings, eps=eps, initial=initial)[0]


def follow(
    energy: Tensor,
    state: State,
    *,
    smoothing: Setting,
    gain: Setting,
    bias: Setting,
    power: Setting,
    eps: float,
    initial: float | None,
) -> tuple[Tensor, State]:
    """Do `pcen` on frames that follow those before.

    Args:
        energy: (..., frame, band), the frames that come next, possibly none.
        state: What the call before returned; empty before the first frame.
        smoothing: As for `pcen`, like the rest.
        gain: See there.
        bias: See there.
        power: See there.
        eps: See there.
        initial: See there.

    Returns:
        The same shape as ``energy``, and the state for the next call.
    """
    eager = not torch.compiler.is_compiling()
    if eager and not energy.shape[-2]:
        return energy, state
    first = energy[..., :1, :]
    level = state.get("level", first if initial is None else torch.full_like(first, initial))
    unrolled = _unroll(smoothing, energy)

    def normalise(energy: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        level = _smooth(energy, level, *unrolled)
        # M + eps as eps (M / eps + 1): exporters take an eps of 1e-8 for nothing, and silence would then be divided by.
        # m^-gain as m^(1 - gain) / m: exp and log take a quarter of pow's time, and what they round is next to nothing
        # for a gain near 1.
        m = torch.add(level.new_ones(()), level, alpha=1 / eps)
        x = energy / m * torch.exp((1 - gain) * torch.log(m)) * (eps**-gain / bias)
        # (x + bias)^power - bias^power with bias taken out: 1^power is 1 however pow rounds, so silence stays 0.
        return ((x + 1) ** power - 1) * bias**power, level[..., -1:, :]

    if eager and energy.device.type == "cpu" and not torch.is_grad_enabled():
        clips = energy.reshape(-1, *energy.shape[-2:])
        n_clips = max(_IN_CACHE // clips[0].numel(), 1) if len(clips) else 1
        levels = level.reshape(-1, 1, level.shape[-1])
        parts = [normalise(*part) for part in zip(clips.split(n_clips), levels.split(n_clips), strict=True)]
        x, level = (torch.cat(part) for part in zip(*parts, strict=True))
        x, level = x.view(energy.shape), level.view(first.shape)
    else:
        x, level = normalise(energy, level)
    return x, {"level": level}


def smooth(energy: Tensor, smoothing: Setting, level: Tensor) -> Tensor:
    """Follow the level of each band: M[t] = (1 - s) M[t - 1] + s E[t] (Wang et al. 2017, eq. 2).

    The recursion is unrolled: within a block of frames it is a triangular matrix of powers of 1 - s, and so it is from
    block to block.

    Args:
        energy: (..., frame, band), at least one frame.
        smoothing: s in (0, 1]: a number or (band,).
        level: (..., 1, band), M of the frame before.

    Returns:
        (..., frame, band)
    """
    return _smooth(energy, level, *_unroll(smoothing, energy))


def _unroll(smoothing: Setting, energy: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return what maps frames to levels within a block, blocks to what they find, and how that fades in each."""
    s = torch.as_tensor(smoothing, dtype=energy.dtype, device=energy.device)
    n_frames = energy.shape[-2]
    if torch.compiler.is_compiling():  # where n_frames is a symbol, and a count that may be 1 would be taken for it
        block, n_blocks = _COMPILED_BLOCK, (n_frames + 2 * _COMPILED_BLOCK - 1) // _COMPILED_BLOCK
    else:  # with as little padding as can be
        block = max(_BLOCK, isqrt(n_frames))
        n_blocks = (n_frames + block - 1) // block
        block = (n_frames + n_blocks - 1) // n_blocks
    fade = (1 - s) ** torch.arange(1, block + 1, device=s.device)[:, None]  # (frame, 1 or band)
    return s[..., None, None] * _powers(1 - s, block), _powers((1 - s) ** block, n_blocks + 1), fade


def _smooth(energy: Tensor, level: Tensor, inside: Tensor, between: Tensor, fade: Tensor) -> Tensor:
    n_frames, n_blocks, block = energy.shape[-2], between.shape[-1] - 1, inside.shape[-1]
    n_missing = n_blocks * block - n_frames
    x = F.pad(energy, (0, 0, 0, n_missing)) if torch.compiler.is_compiling() or n_missing else energy
    x = _mix(inside, x.unflatten(-2, (n_blocks, block)))  # (..., block, frame, band)
    ends = torch.cat([level, x[..., -1, :]], -2)  # (..., 1 + block, band)
    found = _mix(between, ends)[..., :-1, :]  # (..., block, band): what the frames before a block leave to it
    return torch.addcmul(x, found.unsqueeze(-2), fade).flatten(-3, -2)[..., :n_frames, :]


def _powers(base: Tensor, size: int) -> Tensor:
    """Return base^(to - from), and 0 above the diagonal, as (..., to, from)."""
    steps = torch.arange(size, device=base.device)
    return (base[..., None] ** steps)[..., (steps[:, None] - steps).clamp(min=0)].tril()


def _mix(matrix: Tensor, x: Tensor) -> Tensor:
    """Map (..., from, band) to (..., to, band) by a matrix (to, from), or by one for each band."""
    return matrix @ x if matrix.ndim == 2 else torch.einsum("bij,...jb->...ib", matrix, x)


class PCEN(FrontEnd):
    """A mel spectrogram after per-channel energy normalisation (Wang et al. 2017), see `pcen`.

    The defaults are the paper's, for the energies of 16-bit samples, which are 2^30 times those of samples in [-1, 1].
    librosa starts from a level of 1 (``initial``), close to silence at that scale, so that the first tenths of a second
    stand out whatever is in them; its documentation suggests ``spectrum_power`` = 1 and ``scale`` = 2^31.

    Args:
        gain: As for `pcen`, like the next two.
        bias: See there.
        power: See there. The spectrogram's is ``spectrum_power``.
        time_constant: Seconds that the level remembers; the smoothing s becomes (sqrt(1 + 4 T^2) - 1) / (2 T^2), with
            T the same in frames.
        eps: As for `pcen`, in units of the scaled spectrogram.
        initial: As for `pcen`.
        scale: What the mel spectrogram is multiplied with first.
        trainable: Whether each band learns gain, bias, power and smoothing of its own: the first three as logarithms
            (eq. 3), which keeps them positive, the last as a logit, which keeps it between 0 and 1.
        spectrum_power: 2 for power, 1 for magnitude.
        **mel: The other arguments of `MelSpectrogram`.

    Shape:
        (..., time) -> (..., n_mels, frame)

    Raises:
        ValueError: If a setting is not positive; as `MelSpectrogram`.

    Example:
        >>> PCEN(trainable=True)(torch.randn(8, 16_000)).shape
        torch.Size([8, 40, 101])
    """

    def __init__(
        self,
        *,
        gain: float = 0.98,
        bias: float = 2.0,
        power: float = 0.5,
        time_constant: float = 0.4,
        eps: float = 1e-6,
        initial: float | None = None,
        scale: float = 2.0**30,
        trainable: bool = False,
        spectrum_power: float = 2.0,
        **mel: Any,
    ) -> None:
        super().__init__()
        positive = {"gain": gain, "bias": bias, "power": power, "time_constant": time_constant}
        for name, value in (positive | {"eps": eps, "scale": scale}).items():
            if not 0 < value < inf:
                raise ValueError(f"{name} = {value}: expected more than 0")
        if initial is not None and not 0 <= initial < inf:
            raise ValueError(f"initial = {initial}: expected 0 or more, or None to start from the first frame")
        self.mel = MelSpectrogram(power=spectrum_power, **mel)
        self.framing, self.sample_rate, self.n_bands = self.mel.framing, self.mel.sample_rate, self.mel.n_bands
        self.eps, self.initial, self.scale, self.trainable = eps, initial, scale, trainable
        n_frames = time_constant * self.sample_rate / self.framing.hop_length
        smoothing = 2 / (sqrt(1 + 4 * n_frames**2) + 1)  # librosa's, without taking 1 from what may be close to 1
        self.given = {"gain": gain, "bias": bias, "power": power, "smoothing": smoothing}
        if trainable:
            bands = torch.ones(self.mel.filters.shape[1])
            self.log_gain, self.log_bias = nn.Parameter(log(gain) * bands), nn.Parameter(log(bias) * bands)
            self.log_power = nn.Parameter(log(power) * bands)
            self.logit_smoothing = nn.Parameter(log(smoothing / (1 - smoothing)) * bands)

    @property
    def settings(self) -> dict[str, Setting]:
        """Gain, bias, power and smoothing as they are now: numbers, or (band,) where they are learned."""
        if not self.trainable:
            return dict(self.given)
        return {
            "gain": self.log_gain.exp(),
            "bias": self.log_bias.exp(),
            "power": self.log_power.exp(),
            "smoothing": self.logit_smoothing.sigmoid(),
        }

    def block(self, frames: Tensor) -> Tensor:
        """Map (..., frame, span) to the scaled mel bands (..., frame, n_mels)."""
        return self.mel.block(frames) * self.scale

    def across(self, x: Tensor, state: State, *, is_last: bool) -> tuple[Tensor, State]:
        """Normalise each band by its level so far."""
        return follow(x, state, **self.settings, eps=self.eps, initial=self.initial)

    @property
    def axis(self) -> Axis:
        """The mel bands."""
        return replace(self.mel.axis, quantity="PCEN")

    def extra_repr(self) -> str:
        """Say the settings."""
        given = {name: round(value, 6) for name, value in self.given.items()}
        return format_settings(**given, eps=self.eps, initial=self.initial, scale=self.scale, trainable=self.trainable)
