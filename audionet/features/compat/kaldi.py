"""Kaldi's filterbank and MFCC features, number for number."""

from math import log, pi
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torchaudio.functional import create_dct

from audionet.features.frontend import Axis, Framing, FrontEnd, check_dtype, format_settings
from audionet.features.functional import check_band_edges, smallest_n_fft

_SCALE = 32768.0  # Kaldi reads 16-bit samples as they are
_LOG_SCALE = 2 * log(_SCALE)
_EPSILON = torch.finfo(torch.float32).eps  # what Kaldi puts under its logarithms, whatever the float type


def kaldi_window(name: str, length: int) -> Tensor:
    """Return one of Kaldi's windows (length,), which end where they began (FeatureWindowFunction).

    Args:
        name: "povey" (a Hann window to the power 0.85), "hamming", "hanning", "rectangular" or "blackman".
        length: In samples, at least 2.

    Raises:
        ValueError: An argument is not as described.
    """
    if length < 2:
        raise ValueError(f"win_length = {length}: expected at least 2 samples")
    turn = 2 * pi * torch.arange(length, dtype=torch.float64) / (length - 1)
    windows = {
        "povey": (0.5 - 0.5 * turn.cos()) ** 0.85,
        "hamming": 0.54 - 0.46 * turn.cos(),
        "hanning": 0.5 - 0.5 * turn.cos(),
        "rectangular": torch.ones_like(turn),
        "blackman": 0.42 - 0.5 * turn.cos() + 0.08 * (2 * turn).cos(),
    }
    if name not in windows:
        raise ValueError(f"window = {name!r}: expected one of {', '.join(map(repr, windows))}")
    return windows[name].to(torch.get_default_dtype())


def straight_mel_matrix(*, sample_rate: int, n_fft: int, n_mels: int, f_min: float, f_max: float) -> Tensor:
    """Return the (n_fft // 2 + 1, n_mels) filterbank of triangles whose sides are straight over mel, not over hertz.

    So have it HTK (Young et al., The HTK Book, section 5.4), Kaldi and TensorFlow, with mel = 1127 ln(1 + hertz / 700).

    Raises:
        ValueError: If there is no band, the edges do not fit the sample rate, or a band lies between two FFT bins and
            would be empty.
    """
    if n_mels < 1:
        raise ValueError(f"n_mels = {n_mels}: expected at least 1 band")
    check_band_edges(f_min, f_max, sample_rate)

    def to_mel(hertz: Tensor) -> Tensor:
        return 1127 * (1 + hertz / 700).log()

    first, last = to_mel(torch.tensor([f_min, f_max], dtype=torch.float64)).tolist()
    step = (last - first) / (n_mels + 1)
    centres = first + step * torch.arange(1, n_mels + 1, dtype=torch.float64)

    def triangles(n_fft: int) -> Tensor:
        bins = to_mel(torch.arange(n_fft // 2 + 1, dtype=torch.float64) * sample_rate / n_fft)
        return (1 - (bins.unsqueeze(1) - centres).abs() / step).clamp(min=0)

    def is_empty(filters: Tensor) -> Tensor:
        return filters.amax(0) < 1e-9  # a bin on a band's edge may come out as a little more than nothing

    filters = triangles(n_fft)
    if empty := is_empty(filters).nonzero().flatten().tolist():
        edges = 700 * np.expm1(np.linspace(first, last, n_mels + 2) / 1127)
        wanted = smallest_n_fft(edges, sample_rate, n_fft, lambda size: not is_empty(triangles(size)).any())
        raise ValueError(
            f"mel bands {empty} are empty: n_fft = {n_fft} is too coarse for n_mels = {n_mels} between {f_min:g} and "
            f"{f_max:g} Hz; raise n_fft to {wanted}, with the window where it follows from that, or lower n_mels"
        )
    return filters.to(torch.get_default_dtype())


class KaldiFbank(FrontEnd):
    """Kaldi's logarithmic mel filterbank: compute-fbank-feats without dither.

    Each frame loses its mean, is pre-emphasised as x[n] - preemphasis x[n - 1], windowed, and filled up with zeros to
    a power of two. Kaldi's samples are 16-bit numbers as they are; ours are in [-1, 1] like everywhere in audionet and
    are scaled by 32768 inside, so `torchaudio.compliance.kaldi.fbank(32768 * waveform).T` gives the same. The defaults
    are Kaldi's. Its options --htk-compat, --subtract-mean and --vtln-warp are not here.

    Args:
        sample_rate: In hertz.
        n_mels: Number of bands.
        f_min: Lower edge of the first band in hertz.
        f_max: Upper edge of the last band in hertz; None for half the sample rate.
        win_length: Samples of a frame; None for 25 ms.
        hop_length: Step between frames in samples; None for 10 ms.
        window: As for `kaldi_window`.
        preemphasis: From 0 (none) to 1.
        remove_dc: Whether a frame's mean is taken off.
        use_energy: Whether the logarithm of the frame's energy comes before the bands.
        raw_energy: Whether the energy is that before pre-emphasis and window.
        energy_floor: What the energy is at least; torchaudio's default is 1.
        use_log: Whether the bands are logarithms, ln(max(x, 2**-23)).
        use_power: Whether bands sum power; else magnitude.
        snip_edges: Whether only whole frames are given, the first beginning at sample 0. If not, frame t is centred on
            (t + 1/2) * hop_length and the clip is mirrored at its ends ("symmetric" padding).
        round_to_power_of_two: Whether the FFT is of the next power of two; else of ``win_length``, which must be even.

    Shape:
        (..., time) -> (..., use_energy + n_mels, frame); frame = 1 + (time - win_length) // hop_length, or without
        ``snip_edges`` (time + hop_length // 2) // hop_length.

    Raises:
        ValueError: If an argument is not as described or a band would be empty; from ``forward``, if the waveform is
            too short, not float or not finite.

    Example:
        >>> KaldiFbank(n_mels=80)(torch.randn(8, 16_000)).shape
        torch.Size([8, 80, 98])
    """

    window: Tensor
    filters: Tensor

    def __init__(
        self,
        *,
        sample_rate: int = 16_000,
        n_mels: int = 23,
        f_min: float = 20.0,
        f_max: float | None = None,
        win_length: int | None = None,
        hop_length: int | None = None,
        window: str = "povey",
        preemphasis: float = 0.97,
        remove_dc: bool = True,
        use_energy: bool = False,
        raw_energy: bool = True,
        energy_floor: float = 0.0,
        use_log: bool = True,
        use_power: bool = True,
        snip_edges: bool = True,
        round_to_power_of_two: bool = True,
    ) -> None:
        super().__init__()
        win_length = sample_rate * 25 // 1000 if win_length is None else win_length
        hop_length = sample_rate * 10 // 1000 if hop_length is None else hop_length
        if not 0 <= preemphasis <= 1:
            raise ValueError(f"preemphasis = {preemphasis}: expected 0 (none) to 1")
        if not energy_floor >= 0:
            raise ValueError(f"energy_floor = {energy_floor}: expected 0 (none) or more")
        if win_length % 2 and not round_to_power_of_two:
            raise ValueError(f"win_length = {win_length}: expected an even number, or round_to_power_of_two=True")
        self.framing = kaldi_framing(win_length, hop_length, snip_edges=snip_edges)
        self.sample_rate, self.window_name = sample_rate, window
        self.preemphasis, self.remove_dc = preemphasis, remove_dc
        self.use_energy, self.raw_energy, self.use_log, self.use_power = use_energy, raw_energy, use_log, use_power
        self.log_energy_floor = log(max(energy_floor, _EPSILON))
        self.register_buffer("window", _SCALE * kaldi_window(window, win_length), persistent=False)
        n_fft = 2 ** (win_length - 1).bit_length() if round_to_power_of_two else win_length
        f_max = sample_rate / 2 if f_max is None else f_max
        filters = straight_mel_matrix(sample_rate=sample_rate, n_fft=n_fft, n_mels=n_mels, f_min=f_min, f_max=f_max)
        self.n_fft, self.n_bands = n_fft, n_mels + use_energy
        self.register_buffer("filters", filters, persistent=False)

    def block(self, frames: Tensor) -> Tensor:
        """Map (..., frame, span) to (..., frame, band)."""
        check_dtype(frames, self.window.dtype)
        x = frames
        if self.remove_dc:
            x = x - x.mean(-1, keepdim=True)
        raw = x
        if self.preemphasis:
            x = torch.sub(x, torch.cat([x[..., :1], x[..., :-1]], -1), alpha=self.preemphasis)
        x = x * self.window
        spectrum = torch.fft.rfft(x, self.n_fft)
        if self.use_power:
            parts = torch.view_as_real(spectrum)
            squares = parts * parts
            bands = (squares[..., 0] + squares[..., 1]) @ self.filters
        else:
            bands = spectrum.abs() @ self.filters
        if self.use_log:
            bands = bands.clamp(min=_EPSILON).log()
        if not self.use_energy:
            return bands
        energy = (raw * _SCALE if self.raw_energy else x).square().sum(-1, keepdim=True)
        return torch.cat([energy.clamp(min=_EPSILON).log().clamp(min=self.log_energy_floor), bands], -1)

    @property
    def axis(self) -> Axis:
        """The bands, each where its weight lies, unless there is energy among them."""
        quantity = "power" if self.use_power else "magnitude"
        quantity = f"ln {quantity}" if self.use_log else quantity
        if self.use_energy:
            return Axis(quantity=quantity)
        bins = torch.arange(len(self.filters)).to(self.filters) * self.sample_rate / self.n_fft
        return Axis(quantity=quantity, frequencies=bins @ self.filters / self.filters.sum(0))

    def extra_repr(self) -> str:
        """Say the sizes."""
        return format_settings(
            sample_rate=self.sample_rate,
            n_mels=self.filters.shape[1],
            win_length=self.framing.span,
            hop_length=self.framing.hop_length,
            window=self.window_name,
            use_energy=self.use_energy,
            snip_edges=self.framing.pad_mode == "constant",
        )


class KaldiMFCC(FrontEnd):
    """Kaldi's mel-frequency cepstral coefficients: compute-mfcc-feats without dither.

    An orthonormal DCT-II over the logarithms of `KaldiFbank`, scaled as there; the same as
    `torchaudio.compliance.kaldi.mfcc(32768 * waveform).T`. The defaults are Kaldi's, which puts the frame's energy in
    the place of coefficient 0 (torchaudio does not).

    Args:
        n_mfcc: Number of coefficients, with the first; at most ``n_mels``.
        n_mels: Number of mel bands.
        lifter: Coefficient n is multiplied by 1 + lifter / 2 sin(pi n / lifter), one n behind librosa's; 0 for not at
            all.
        use_energy: Whether the logarithm of the frame's energy takes the place of coefficient 0.
        **fbank: The other arguments of `KaldiFbank`, without ``use_log`` and ``use_power``.

    Shape:
        (..., time) -> (..., n_mfcc, frame)

    Raises:
        ValueError: If ``n_mfcc`` exceeds ``n_mels``; as `KaldiFbank`.
    """

    dct: Tensor
    level: Tensor

    def __init__(
        self, *, n_mfcc: int = 13, n_mels: int = 23, lifter: float = 22.0, use_energy: bool = True, **fbank: Any
    ) -> None:
        super().__init__()
        if not 0 < n_mfcc <= n_mels:
            raise ValueError(f"n_mfcc = {n_mfcc}: expected 1 to n_mels = {n_mels}")
        if not lifter >= 0:
            raise ValueError(f"lifter = {lifter}: expected 0 (none) or more")
        self.fbank = KaldiFbank(n_mels=n_mels, use_energy=use_energy, use_log=True, use_power=True, **fbank)
        self.framing, self.sample_rate, self.lifter = self.fbank.framing, self.fbank.sample_rate, lifter
        self.n_bands = n_mfcc
        dct = create_dct(n_mfcc, n_mels, norm="ortho")
        if lifter:
            dct = dct * (1 + lifter / 2 * torch.sin(pi * torch.arange(n_mfcc) / lifter))
        if use_energy:  # the band that comes first, and all that coefficient 0 is made of
            dct[:, 0] = 0
            dct = torch.cat([torch.eye(n_mfcc)[:1], dct])
        self.register_buffer("dct", dct, persistent=False)
        # What the samples' scale adds to all logarithms shows in the first coefficient alone: added last, it costs the
        # others no digits.
        self.register_buffer("level", F.pad(_LOG_SCALE * dct[:, :1].sum(0), (0, n_mfcc - 1)), persistent=False)

    def block(self, frames: Tensor) -> Tensor:
        """Map (..., frame, span) to (..., frame, n_mfcc)."""
        return (self.fbank.block(frames) - _LOG_SCALE) @ self.dct + self.level

    @property
    def axis(self) -> Axis:
        """The coefficients."""
        return Axis(quantity=f"DCT of {self.fbank.axis.quantity}", band="coefficient")

    def extra_repr(self) -> str:
        """Say how many coefficients."""
        return format_settings(n_mfcc=self.dct.shape[1], lifter=self.lifter)


def kaldi_framing(win_length: int, hop_length: int, *, snip_edges: bool) -> Framing:
    """Return where Kaldi's frames lie (FirstSampleOfFrame and NumFrames in its feature-window.cc).

    Raises:
        ValueError: A hop is longer than a window that hangs over the edges.
    """
    if snip_edges:
        return Framing(span=win_length, hop_length=hop_length)
    if hop_length > win_length:
        raise ValueError(f"hop_length = {hop_length}: without snip_edges expected at most win_length = {win_length}")
    left = win_length // 2 - hop_length // 2
    right = win_length - left - hop_length + hop_length // 2  # for (time + hop_length // 2) // hop_length frames
    return Framing(span=win_length, hop_length=hop_length, left=left, right=right, pad_mode="symmetric")
