"""Per-channel energy normalisation (PCEN): each band divided by its own recent level."""

from dataclasses import replace
from math import inf, isqrt, log, sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audionet.checks import check_positive, check_that
from audionet.features.frontend import Axis, FrontEnd, State, format_settings
from audionet.features.functional import is_traced
from audionet.features.spectral import MelSpectrogram

_BLOCK = 32  # frames that one matrix smooths; more in long clips, so that the matrix between blocks stays small
_COMPILED_BLOCK = 64  # the same when compiled, where the length of a clip is a symbol
_IN_CACHE = 2**17  # values that are compressed at a time, so that they stay in the CPU's cache

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
    """Normalise energies by their level: (E / (eps + M)^gain + bias)^power - bias^power (Wang et al. 2017, eq. 1).

    M is the level of each band so far, see `smooth` (eq. 2). With ``initial`` = 1 this equals librosa.pcen, whose b is
    ``smoothing``. (Wang et al., Trainable frontend for robust and far-field keyword spotting, arXiv 1607.05666;
    Lostanlen et al., Per-channel energy normalization: why and how, 2019.)

    Args:
        energy: E (..., frame, band), 0 or more.
        smoothing: s in (0, 1], the weight of the newest frame: one number, or one for each band (band,).
        gain: Exponent of the level, 0 or more: 1 removes the level altogether. A number or (band,).
        bias: Offset that attenuates weak energies, above 0. A number or (band,).
        power: Exponent of the compression, above 0. A number or (band,).
        eps: A small number that keeps the division finite, above 0.
        initial: The level before the first frame; None for the first frame itself.

    Returns:
        The same shape.

    Example:
        >>> pcen(torch.ones(100, 40), smoothing=0.025).shape
        torch.Size([100, 40])
    """
    settings = {"smoothing": smoothing, "gain": gain, "bias": bias, "power": power}
    return pcen_step(energy, {}, **settings, eps=eps, initial=initial)[0]


def pcen_step(
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
    """Apply `pcen` to the next frames of a stream.

    Args:
        energy: (..., frame, band), the next frames, possibly none.
        state: The state that the call before returned; empty before the first frame.
        smoothing: Weight of the newest frame, a number or (band,), as for `pcen`.
        gain: Exponent of the level, a number or (band,).
        bias: Offset that attenuates weak energies, a number or (band,).
        power: Exponent of the compression, a number or (band,).
        eps: A small number that keeps the division finite.
        initial: The level before the first frame; None for the first frame itself.

    Returns:
        The same shape as ``energy``, and the state for the next call.
    """
    eager = not is_traced()
    if eager and not energy.shape[-2]:
        return energy, state
    first = energy[..., :1, :]
    level = state.get("level", first if initial is None else torch.full_like(first, initial))
    unrolled = _unroll(smoothing, energy)

    def normalise(energy: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        level = _smooth(energy, level, *unrolled)
        # M + eps as eps (M / eps + 1): exporters drop an eps of 1e-8, and would divide by silence.
        # m^-gain as m^(1 - gain) / m: exp and log take a quarter of pow's time, and for a gain near 1 their rounding
        # does not matter.
        m = _line(level, 1 / eps, 1.0)
        x = energy / m * torch.exp((1 - gain) * torch.log(m))
        # bias is taken out of the brackets: 1^power is 1 however pow rounds, so silence stays exactly 0.
        x = _line(x, eps**-gain / bias, 1.0) ** power
        return _line(x, bias**power, -(bias**power)), level[..., -1:, :]

    if eager and energy.device.type == "cpu" and not torch.is_grad_enabled():
        clips = energy.reshape(-1, *energy.shape[-2:])
        n_clips = max(_IN_CACHE // clips[0].numel(), 1) if len(clips) else 1
        levels = level.reshape(-1, 1, level.shape[-1])
        parts = [
            normalise(*part) for part in zip(torch.split(clips, n_clips), torch.split(levels, n_clips), strict=True)
        ]
        x, level = (torch.cat(part) for part in zip(*parts, strict=True))
        x, level = x.view(energy.shape), level.view(first.shape)
    else:
        x, level = normalise(energy, level)
    return x, {"level": level}


def _line(x: Tensor, slope: Setting, start: Setting) -> Tensor:
    """Return slope x + start, in one pass over x where both are numbers."""
    if isinstance(slope, Tensor) or isinstance(start, Tensor):
        return slope * x + start
    return torch.add(x.new_full((), start), x, alpha=slope)


def smooth(energy: Tensor, smoothing: Setting, level: Tensor) -> Tensor:
    """Return the level of each band, M[t] = (1 - s) M[t - 1] + s E[t] (Wang et al. 2017, eq. 2).

    The recursion is unrolled: within a block of frames it is a triangular matrix of powers of 1 - s, and from block to
    block it is another.

    Args:
        energy: (..., frame, band), at least one frame.
        smoothing: s in (0, 1]: a number or (band,).
        level: (..., 1, band), M of the frame before.

    Returns:
        (..., frame, band)
    """
    return _smooth(energy, level, *_unroll(smoothing, energy))


def _unroll(smoothing: Setting, energy: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return three matrices: smoothing within a block, carry from block to block, decay of the carried level."""
    s = torch.as_tensor(smoothing, dtype=energy.dtype, device=energy.device)
    n_frames = energy.shape[-2]
    if torch.compiler.is_compiling():  # n_frames is a symbol, and one block would be specialised for: make it two
        block, n_blocks = _COMPILED_BLOCK, (n_frames + 2 * _COMPILED_BLOCK - 1) // _COMPILED_BLOCK
    else:  # with the least padding
        block = max(_BLOCK, isqrt(n_frames))
        n_blocks = (n_frames + block - 1) // block
        block = (n_frames + n_blocks - 1) // n_blocks
    fade = (1 - s) ** torch.arange(1, block + 1, device=s.device)[:, None]  # (frame, 1 or band)
    return s[..., None, None] * _powers(1 - s, block), _powers((1 - s) ** block, n_blocks + 1), fade


def _smooth(energy: Tensor, level: Tensor, inside: Tensor, between: Tensor, fade: Tensor) -> Tensor:
    n_frames, n_blocks, block = energy.shape[-2], between.shape[-1] - 1, inside.shape[-1]
    n_missing = n_blocks * block - n_frames
    x = F.pad(energy, (0, 0, 0, n_missing)) if is_traced() or n_missing else energy
    x = _mix(inside, torch.unflatten(x, -2, (n_blocks, block)))  # (..., block, frame, band)
    ends = torch.cat([level, x[..., -1, :]], -2)  # (..., 1 + block, band)
    carried = _mix(between, ends)[..., :-1, :]  # (..., block, band): the level before each block
    return torch.addcmul(x, carried.unsqueeze(-2), fade).flatten(-3, -2)[..., :n_frames, :]


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
    stand out in any sound; its documentation suggests ``spectrum_power`` = 1 and ``scale`` = 2^31.

    Args:
        sample_rate: In hertz.
        n_mels: Number of bands.
        f_min: Lower edge of the first band in hertz.
        f_max: Upper edge of the last band in hertz; None for half the sample rate.
        mel_scale: "htk" (torchaudio's default) or "slaney" (librosa's).
        norm: None for triangles of height 1 (torchaudio's default), "slaney" for area 1 (librosa's).
        n_fft: FFT size in samples.
        win_length: Window length in samples, at most ``n_fft``; None for ``n_fft``.
        hop_length: Step between frames in samples.
        frame_length: Samples of a frame, as for `Spectrogram`; None for ``n_fft``.
        center: Whether frame t is centred on sample t * hop_length; otherwise it begins there.
        pad_mode: Padding of the ends when centred, as for `Framing`.
        spectrum_power: Power of the spectrum: 2 for power, 1 for magnitude.
        scale: Factor of the mel spectrogram before the normalisation.
        gain: Exponent of the level; 1 removes the level altogether.
        bias: Offset that attenuates weak energies.
        power: Exponent of the compression.
        time_constant: Memory of the level in seconds; with T, the same in frames, s is (sqrt(1 + 4 T^2) - 1) / (2 T^2).
        eps: A small number that keeps the division finite, in units of the scaled spectrogram.
        initial: The level before the first frame; None for the first frame itself.
        trainable: Whether each band learns its own gain, bias, power and smoothing: the first three as logarithms
            (eq. 3), which keeps them positive, the last as a logit, which keeps it between 0 and 1.

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
        sample_rate: int = 16_000,
        n_mels: int = 40,
        f_min: float = 0.0,
        f_max: float | None = None,
        mel_scale: str = "htk",
        norm: str | None = None,
        n_fft: int = 512,
        win_length: int | None = 480,
        hop_length: int = 160,
        frame_length: int | None = None,
        center: bool = True,
        pad_mode: str = "reflect",
        spectrum_power: float = 2.0,
        scale: float = 2.0**30,
        gain: float = 0.98,
        bias: float = 2.0,
        power: float = 0.5,
        time_constant: float = 0.4,
        eps: float = 1e-6,
        initial: float | None = None,
        trainable: bool = False,
    ) -> None:
        super().__init__()
        check_positive(gain=gain, bias=bias, power=power, time_constant=time_constant, eps=eps, scale=scale)
        fits = initial is None or 0 <= initial < inf
        check_that(fits, "initial", "0 or more, or None to start from the first frame", initial)
        self.mel = MelSpectrogram(
            sample_rate=sample_rate,
            n_mels=n_mels,
            f_min=f_min,
            f_max=f_max,
            mel_scale=mel_scale,
            norm=norm,
            n_fft=n_fft,
            win_length=win_length,
            hop_length=hop_length,
            frame_length=frame_length,
            power=spectrum_power,
            center=center,
            pad_mode=pad_mode,
        )
        self.mel.filters *= scale
        self.framing, self.sample_rate, self.n_bands = self.mel.framing, sample_rate, n_mels
        self.eps, self.initial, self.scale, self.trainable = eps, initial, scale, trainable
        n_frames = time_constant * sample_rate / hop_length
        smoothing = 2 / (sqrt(1 + 4 * n_frames**2) + 1)  # librosa's, without subtracting 1 from a number close to 1
        self.given = {"gain": gain, "bias": bias, "power": power, "smoothing": smoothing}
        if trainable:
            bands = torch.ones(n_mels)
            self.log_gain, self.log_bias = nn.Parameter(log(gain) * bands), nn.Parameter(log(bias) * bands)
            self.log_power = nn.Parameter(log(power) * bands)
            self.logit_smoothing = nn.Parameter(log(smoothing / (1 - smoothing)) * bands)

    @property
    def settings(self) -> dict[str, Setting]:
        """The current gain, bias, power and smoothing: numbers, or (band,) where they are learned."""
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
        return self.mel.block(frames)

    def across(self, x: Tensor, state: State, *, is_last: bool) -> tuple[Tensor, State]:
        """Normalise each band by its level so far."""
        return pcen_step(x, state, **self.settings, eps=self.eps, initial=self.initial)

    @property
    def axis(self) -> Axis:
        """The mel bands."""
        return replace(self.mel.axis, quantity="PCEN")

    def extra_repr(self) -> str:
        """Return the settings, with the smoothing that follows from the time constant."""
        given = {name: round(value, 6) for name, value in self.given.items()}
        return format_settings(**given, eps=self.eps, initial=self.initial, scale=self.scale, trainable=self.trainable)
