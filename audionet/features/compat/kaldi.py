"""Kaldi's filterbank and MFCC features, with the same numbers."""

from math import log, pi

import torch
from torch import Tensor
from torch.nn import functional as F
from torchaudio.functional import create_dct

from audionet.audio import FULL_SCALE
from audionet.checks import check_at_least, check_one_of, check_that
from audionet.features.frontend import Axis, Framing, FrontEnd, format_settings
from audionet.features.functional import spectrum
from audionet.features.mel import mel_frequencies, straight_mel_matrix

_SCALE = float(FULL_SCALE)  # Kaldi does not scale 16-bit samples
_LOG_SCALE = 2 * log(_SCALE)
_EPSILON = torch.finfo(torch.float32).eps  # Kaldi's floor of logarithms, for any float type


def kaldi_window(name: str, length: int) -> Tensor:
    """Return one of Kaldi's windows, which are symmetric (FeatureWindowFunction).

    Args:
        name: "povey" (a Hann window to the power 0.85), "hamming", "hanning", "rectangular" or "blackman".
        length: In samples, at least 2.

    Returns:
        (length,)

    Raises:
        ValueError: The name is unknown or the length too small.
    """
    check_at_least(2, win_length=length)
    turn = 2 * pi * torch.arange(length, dtype=torch.float64) / (length - 1)
    windows = {
        "povey": (0.5 - 0.5 * turn.cos()) ** 0.85,
        "hamming": 0.54 - 0.46 * turn.cos(),
        "hanning": 0.5 - 0.5 * turn.cos(),
        "rectangular": torch.ones_like(turn),
        "blackman": 0.42 - 0.5 * turn.cos() + 0.08 * (2 * turn).cos(),
    }
    check_one_of(windows, "window", name)
    return windows[name].to(torch.get_default_dtype())


class KaldiFbank(FrontEnd):
    """Kaldi's logarithmic mel filterbank: compute-fbank-feats without dither.

    The mean of each frame is subtracted. The frame is pre-emphasised, x[n] - preemphasis x[n - 1], windowed, and padded
    with zeros to a power of two. Kaldi's samples are 16-bit integers. Samples here are in [-1, 1] and are scaled by
    32768 inside, so that the result is that of `torchaudio.compliance.kaldi.fbank(32768 * waveform).T`. The defaults
    are Kaldi's. Its options --htk-compat, --subtract-mean and --vtln-warp are missing.

    Args:
        sample_rate: In hertz.
        n_mels: Number of bands.
        f_min: Lower edge of the first band in hertz.
        f_max: Upper edge of the last band in hertz; None for half the sample rate.
        win_length: Samples of a frame; None for 25 ms.
        hop_length: Samples from one frame to the next; None for 10 ms.
        window: Name of the window, see `kaldi_window`.
        preemphasis: Coefficient of the pre-emphasis, from 0 (none) to 1.
        remove_dc: Whether the mean of each frame is subtracted.
        use_energy: Whether the logarithm of the frame's energy is put before the bands.
        raw_energy: Whether the energy is measured before pre-emphasis and window.
        energy_floor: Least energy; torchaudio's default is 1.
        use_log: Whether the bands are logarithms, ln(max(x, 2**-23)).
        use_power: Whether the bands sum power; if not, magnitude.
        snip_edges: Whether frames lie inside the clip, the first at sample 0. If not, frame t is centred on
            (t + 1/2) * hop_length and the clip is mirrored at its ends ("symmetric" padding).
        round_to_power_of_two: Whether the FFT has the next power of two as its size; if not, ``win_length``, which must
            be even.
        allow_empty_bands: Whether a band may lie between two FFT bins, which a warning then says; it is always empty.

    Shape:
        (..., time) -> (..., use_energy + n_mels, frame); frame = 1 + (time - win_length) // hop_length, or without
        ``snip_edges`` (time + hop_length // 2) // hop_length.

    Raises:
        ValueError: An argument is out of its range or a band would be empty; from ``forward``, the waveform is too
            short, not float or not finite.

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
        allow_empty_bands: bool = False,
    ) -> None:
        super().__init__()
        win_length = sample_rate * 25 // 1000 if win_length is None else win_length
        hop_length = sample_rate * 10 // 1000 if hop_length is None else hop_length
        check_at_least(0, 1, preemphasis=preemphasis)
        check_at_least(0, energy_floor=energy_floor)
        is_fit = round_to_power_of_two or win_length % 2 == 0
        check_that(is_fit, "win_length", "an even number without round_to_power_of_two", win_length)
        self.framing = kaldi_framing(win_length, hop_length, snip_edges=snip_edges)
        self.sample_rate, self.window_name = sample_rate, window
        self.preemphasis, self.remove_dc = preemphasis, remove_dc
        self.use_energy, self.raw_energy, self.use_log, self.use_power = use_energy, raw_energy, use_log, use_power
        self.log_energy_floor = log(max(energy_floor, _EPSILON))
        self.register_buffer("window", _SCALE * kaldi_window(window, win_length), persistent=False)
        n_fft = 2 ** (win_length - 1).bit_length() if round_to_power_of_two else win_length
        f_max = sample_rate / 2 if f_max is None else f_max
        filters = straight_mel_matrix(sample_rate, n_fft, n_mels, f_min, f_max, allow_empty=allow_empty_bands)
        self.n_fft, self.n_bands = n_fft, n_mels + use_energy
        self.edges = mel_frequencies(n_mels + 2, f_min=f_min, f_max=f_max)
        self.register_buffer("filters", filters, persistent=False)

    def block(self, frames: Tensor) -> Tensor:
        """Map (..., frame, span) to (..., frame, band)."""
        x = frames - frames.mean(-1, keepdim=True) if self.remove_dc else frames
        energy = [self._log_energy(x * _SCALE)] if self.use_energy and self.raw_energy else []
        if self.preemphasis:
            x = torch.sub(x, torch.cat([x[..., :1], x[..., :-1]], -1), alpha=self.preemphasis)
        if self.use_energy and not self.raw_energy:
            energy = [self._log_energy(x * self.window)]
        bands = spectrum(x, self.window, n_fft=self.n_fft, power=2.0 if self.use_power else 1.0) @ self.filters
        if self.use_log:
            bands = bands.clamp(min=_EPSILON).log()
        return torch.cat([*energy, bands], -1) if energy else bands

    def _log_energy(self, x: Tensor) -> Tensor:
        """Map (..., frame, span) to (..., frame, 1)."""
        energy = x.square().sum(-1, keepdim=True)
        return energy.clamp(min=_EPSILON).log().clamp(min=self.log_energy_floor)

    @property
    def axis(self) -> Axis:
        """The bands, each where its triangle is highest; no frequencies where there is energy beside the bands."""
        quantity = "power" if self.use_power else "magnitude"
        quantity = f"ln {quantity}" if self.use_log else quantity
        if self.use_energy:
            return Axis(quantity=quantity)
        return Axis(quantity=quantity, frequencies=self.edges[1:-1])

    def extra_repr(self) -> str:
        """Return the sizes and the main options."""
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

    An orthonormal DCT-II of the logarithmic bands of `KaldiFbank`, which scales samples. The result is that of
    `torchaudio.compliance.kaldi.mfcc(32768 * waveform).T`. The defaults are Kaldi's. Unlike torchaudio's, they let the
    frame's energy replace coefficient 0.

    Args:
        sample_rate: In hertz.
        n_mfcc: Number of coefficients with the first, at most ``n_mels``.
        n_mels: Number of mel bands.
        f_min: Lower edge of the first band in hertz.
        f_max: Upper edge of the last band in hertz; None for half the sample rate.
        win_length: Samples of a frame; None for 25 ms.
        hop_length: Samples from one frame to the next; None for 10 ms.
        window: Name of the window, see `kaldi_window`.
        preemphasis: Coefficient of the pre-emphasis, from 0 (none) to 1.
        remove_dc: Whether the mean of each frame is subtracted.
        lifter: Coefficient n is multiplied by 1 + lifter / 2 sin(pi n / lifter), where librosa has n + 1; 0 for none.
        use_energy: Whether the logarithm of the frame's energy replaces coefficient 0.
        raw_energy: Whether the energy is measured before pre-emphasis and window.
        energy_floor: Least energy; torchaudio's default is 1.
        snip_edges: Whether frames lie inside the clip, the first at sample 0. If not, frame t is centred on
            (t + 1/2) * hop_length and the clip is mirrored at its ends ("symmetric" padding).
        round_to_power_of_two: Whether the FFT has the next power of two as its size; if not, ``win_length``, which must
            be even.
        allow_empty_bands: Whether a band may lie between two FFT bins, which a warning then says; it is always empty.

    Shape:
        (..., time) -> (..., n_mfcc, frame)

    Raises:
        ValueError: ``n_mfcc`` exceeds ``n_mels``; as `KaldiFbank`.

    Example:
        >>> KaldiMFCC()(torch.randn(8, 16_000)).shape
        torch.Size([8, 13, 98])
    """

    dct: Tensor
    level: Tensor

    def __init__(
        self,
        *,
        sample_rate: int = 16_000,
        n_mfcc: int = 13,
        n_mels: int = 23,
        f_min: float = 20.0,
        f_max: float | None = None,
        win_length: int | None = None,
        hop_length: int | None = None,
        window: str = "povey",
        preemphasis: float = 0.97,
        remove_dc: bool = True,
        lifter: float = 22.0,
        use_energy: bool = True,
        raw_energy: bool = True,
        energy_floor: float = 0.0,
        snip_edges: bool = True,
        round_to_power_of_two: bool = True,
        allow_empty_bands: bool = False,
    ) -> None:
        super().__init__()
        check_that(0 < n_mfcc <= n_mels, "n_mfcc", f"1 to n_mels = {n_mels}", n_mfcc)
        check_at_least(0, lifter=lifter)
        self.fbank = KaldiFbank(
            sample_rate=sample_rate,
            n_mels=n_mels,
            f_min=f_min,
            f_max=f_max,
            win_length=win_length,
            hop_length=hop_length,
            window=window,
            preemphasis=preemphasis,
            remove_dc=remove_dc,
            use_energy=use_energy,
            raw_energy=raw_energy,
            energy_floor=energy_floor,
            snip_edges=snip_edges,
            round_to_power_of_two=round_to_power_of_two,
            allow_empty_bands=allow_empty_bands,
        )
        self.framing, self.sample_rate, self.lifter, self.n_bands = self.fbank.framing, sample_rate, lifter, n_mfcc
        dct = create_dct(n_mfcc, n_mels, norm="ortho")
        if lifter:
            dct = dct * (1 + lifter / 2 * torch.sin(pi * torch.arange(n_mfcc) / lifter))
        if use_energy:  # which comes before the bands, and becomes coefficient 0
            dct[:, 0] = 0
            dct = torch.cat([torch.eye(n_mfcc)[:1], dct])
        self.register_buffer("dct", dct, persistent=False)
        # The scale of the samples adds the same to all logarithms, hence to one coefficient. It is subtracted
        # before the DCT and added after it, so that the other coefficients lose no digits.
        self.register_buffer("level", F.pad(_LOG_SCALE * dct[:, :1].sum(0), (0, n_mfcc - 1)), persistent=False)

    def block(self, frames: Tensor) -> Tensor:
        """Map (..., frame, span) to (..., frame, n_mfcc)."""
        return (self.fbank.block(frames) - _LOG_SCALE) @ self.dct + self.level

    @property
    def axis(self) -> Axis:
        """The coefficients, which have no frequencies."""
        return Axis(quantity=f"DCT of {self.fbank.axis.quantity}", band="coefficient")

    def extra_repr(self) -> str:
        """Return the number of coefficients and the lifter."""
        return format_settings(n_mfcc=self.dct.shape[1], lifter=self.lifter)


def kaldi_framing(win_length: int, hop_length: int, *, snip_edges: bool) -> Framing:
    """Return the positions of Kaldi's frames (FirstSampleOfFrame and NumFrames in its feature-window.cc).

    Raises:
        ValueError: Without ``snip_edges``, the hop is longer than the window.
    """
    if snip_edges:
        return Framing(span=win_length, hop_length=hop_length)
    expected = f"at most win_length = {win_length} without snip_edges"
    check_that(hop_length <= win_length, "hop_length", expected, hop_length)
    left = win_length // 2 - hop_length // 2
    right = win_length - left - hop_length + hop_length // 2  # for (time + hop_length // 2) // hop_length frames
    return Framing(span=win_length, hop_length=hop_length, left=left, right=right, pad_mode="symmetric")
