"""Mel scales, and the matrices that sum a spectrum into triangular bands."""

import warnings
from collections.abc import Callable
from math import ceil, log

import numpy as np
import torch
from torch import Tensor
from torchaudio.functional import linear_fbanks, melscale_fbanks

from audionet.checks import check_one_of, check_that, listed

_MOST_EDGES = 1 << 26  # that are compared to name an FFT size in a message, which takes a second
_SLANEY_KNEE = 1000.0  # hertz up to which Slaney's scale is linear
_SLANEY_SLOPE = 3 / 200  # mel per hertz below it
_SLANEY_STEP = log(6.4) / 27  # the logarithm of a ratio of frequencies that is one mel, above it


def hertz_to_mel(hertz: Tensor, *, mel_scale: str = "htk") -> Tensor:
    """Map frequencies to the mel scale.

    Args:
        hertz: Of any shape.
        mel_scale: "htk" for 1127 ln(1 + f / 700) (Young et al., The HTK Book, section 5.4); "slaney" for 3 f / 200 up
            to 1 kHz and logarithmic above (Slaney, Auditory Toolbox, 1998), which is librosa's default.

    Returns:
        The same shape.
    """
    if mel_scale == "htk":
        return torch.log1p(hertz / 700) * 1127
    above = torch.log(hertz.clamp(min=_SLANEY_KNEE) / _SLANEY_KNEE) / _SLANEY_STEP
    return hertz.clamp(max=_SLANEY_KNEE) * _SLANEY_SLOPE + above


def mel_to_hertz(mel: Tensor, *, mel_scale: str = "htk") -> Tensor:
    """Map the mel scale to frequencies, the inverse of `hertz_to_mel`."""
    if mel_scale == "htk":
        return torch.expm1(mel / 1127) * 700
    knee = _SLANEY_KNEE * _SLANEY_SLOPE
    return mel.clamp(max=knee) / _SLANEY_SLOPE * torch.exp((mel.clamp(min=knee) - knee) * _SLANEY_STEP)


def mel_frequencies(n_frequencies: int, *, f_min: float, f_max: float, mel_scale: str = "htk") -> Tensor:
    """Return frequencies that are equally far apart on the mel scale.

    Args:
        n_frequencies: How many, at least 2.
        f_min: The first in hertz.
        f_max: The last in hertz.
        mel_scale: As for `hertz_to_mel`.

    Returns:
        (n_frequencies,) in hertz, float64.

    Example:
        >>> mel_frequencies(4, f_min=0.0, f_max=8000.0).round().tolist()
        [0.0, 921.0, 3056.0, 8000.0]
    """
    first, last = hertz_to_mel(torch.tensor([f_min, f_max], dtype=torch.float64), mel_scale=mel_scale).tolist()
    return mel_to_hertz(torch.linspace(first, last, n_frequencies, dtype=torch.float64), mel_scale=mel_scale)


def mel_matrix(
    sample_rate: int,
    n_fft: int,
    n_mels: int,
    f_min: float,
    f_max: float,
    mel_scale: str,
    norm: str | None,
    *,
    allow_empty: bool = False,
) -> Tensor:
    """Return the (n_fft // 2 + 1, n_mels) matrix of triangles whose sides are straight over hertz.

    Args:
        sample_rate: In hertz.
        n_fft: FFT size in samples.
        n_mels: Number of bands.
        f_min: Lower edge of the first band in hertz.
        f_max: Upper edge of the last band in hertz.
        mel_scale: "htk" or "slaney", see `hertz_to_mel`.
        norm: None for triangles of height 1, "slaney" for triangles of area 1.
        allow_empty: Warn of bands that lie between two FFT bins instead of refusing them.

    Raises:
        ValueError: If there is no band, the edges do not fit the sample rate, or a band lies between two FFT bins and
            would be empty.
    """
    check_one_of(("htk", "slaney"), "mel_scale", mel_scale)
    check_one_of((None, "slaney"), "norm", norm)
    _check_bands("n_mels", n_mels, f_min=f_min, f_max=f_max, sample_rate=sample_rate)

    def triangles(n_fft: int) -> Tensor:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torchaudio's warning of empty bands, which are found below
            # torchaudio puts its last bin at sample_rate // 2, which is wrong for an odd n_fft or sample rate. Over
            # twice the range, bin k lies at k * sample_rate / n_fft whatever they are.
            filters: Tensor = melscale_fbanks(
                n_fft + 1, f_min, f_max, n_mels, 2 * sample_rate, norm=norm, mel_scale=mel_scale
            )
            return filters[: n_fft // 2 + 1].contiguous()

    edges = mel_frequencies(n_mels + 2, f_min=f_min, f_max=f_max, mel_scale=mel_scale)
    return _checked(triangles, n_fft, edges, "n_mels", sample_rate, allow_empty)


def straight_mel_matrix(
    sample_rate: int, n_fft: int, n_mels: int, f_min: float, f_max: float, *, allow_empty: bool = False
) -> Tensor:
    """Return the (n_fft // 2 + 1, n_mels) matrix of triangles whose sides are straight over mel, not over hertz.

    HTK (Young et al., The HTK Book, section 5.4), Kaldi and TensorFlow have these. The scale is HTK's.

    Args:
        sample_rate: In hertz.
        n_fft: FFT size in samples.
        n_mels: Number of bands.
        f_min: Lower edge of the first band in hertz.
        f_max: Upper edge of the last band in hertz.
        allow_empty: Warn of bands that lie between two FFT bins instead of refusing them.

    Raises:
        ValueError: If there is no band, the edges do not fit the sample rate, or a band lies between two FFT bins and
            would be empty.
    """
    _check_bands("n_mels", n_mels, f_min=f_min, f_max=f_max, sample_rate=sample_rate)
    first, last = hertz_to_mel(torch.tensor([f_min, f_max], dtype=torch.float64)).tolist()
    step = (last - first) / (n_mels + 1)
    centers = torch.arange(1, n_mels + 1, dtype=torch.float64) * step + first

    def triangles(n_fft: int) -> Tensor:
        bins = hertz_to_mel(torch.arange(n_fft // 2 + 1, dtype=torch.float64) * sample_rate / n_fft)
        heights = -(bins.unsqueeze(1) - centers).abs() / step + 1
        return torch.where(heights < 1e-9, 0.0, heights)  # a bin on a band's edge may come out as a little more than 0

    edges = mel_frequencies(n_mels + 2, f_min=f_min, f_max=f_max)
    return _checked(triangles, n_fft, edges, "n_mels", sample_rate, allow_empty).to(torch.get_default_dtype())


def linear_matrix(
    sample_rate: int, n_fft: int, n_bands: int, f_min: float, f_max: float, *, allow_empty: bool = False
) -> Tensor:
    """Return the (n_fft // 2 + 1, n_bands) matrix of triangles of height 1, all equally wide in hertz.

    Args:
        sample_rate: In hertz.
        n_fft: FFT size in samples.
        n_bands: Number of bands.
        f_min: Lower edge of the first band in hertz.
        f_max: Upper edge of the last band in hertz.
        allow_empty: Warn of bands that lie between two FFT bins instead of refusing them.

    Raises:
        ValueError: If there is no band, the edges do not fit the sample rate, or a band lies between two FFT bins and
            would be empty.
    """
    _check_bands("n_bands", n_bands, f_min=f_min, f_max=f_max, sample_rate=sample_rate)

    def triangles(n_fft: int) -> Tensor:
        filters: Tensor = linear_fbanks(n_fft + 1, f_min, f_max, n_bands, 2 * sample_rate)  # as for `mel_matrix`
        return filters[: n_fft // 2 + 1].contiguous()

    edges = torch.linspace(f_min, f_max, n_bands + 2, dtype=torch.float64)
    return _checked(triangles, n_fft, edges, "n_bands", sample_rate, allow_empty)


def check_band_edges(f_min: float, f_max: float, sample_rate: int) -> None:
    """Raise a ValueError unless 0 <= f_min < f_max <= sample_rate / 2, all in hertz."""
    expected = f"0 <= f_min < f_max <= {sample_rate / 2:g} Hz, half the sample rate"
    check_that(0 <= f_min < f_max <= sample_rate / 2, "f_min, f_max", expected, (f_min, f_max))


def _check_bands(name: str, n_bands: int, *, f_min: float, f_max: float, sample_rate: int) -> None:
    check_that(n_bands >= 1, name, "at least 1 band", n_bands)
    check_band_edges(f_min, f_max, sample_rate)


def _checked(
    triangles: Callable[[int], Tensor], n_fft: int, edges: Tensor, name: str, sample_rate: int, allow_empty: bool
) -> Tensor:
    """Return the triangles of an FFT size (n_fft // 2 + 1, band).

    Raises:
        ValueError: One of them is empty, which is not allowed.
    """
    filters = triangles(n_fft)
    empty = (filters.amax(0) == 0).nonzero().flatten().tolist()
    if empty and allow_empty:
        told = (
            f"{name}: {len(empty)} of {filters.shape[1]} bands lie between two bins of n_fft = {n_fft} and are always"
        )
        warnings.warn(f"{told} empty: {listed(empty, 5)}", stacklevel=2)
    elif empty:
        wanted = _smallest_n_fft(edges.numpy(), sample_rate, n_fft, lambda size: bool(triangles(size).amax(0).all()))
        n_bands, f_min, f_max = len(edges) - 2, float(edges[0]), float(edges[-1])
        raise ValueError(
            f"{name}: expected bands that hold an FFT bin each, got {n_bands} from {f_min:g} to {f_max:g} Hz, of which "
            f"{listed(empty, 5)} are empty with n_fft = {n_fft}; raise n_fft to {wanted}, with the window where it "
            f"follows from that, lower {name}, or let them be empty with allow_empty_bands=True"
        )
    return filters


def _smallest_n_fft(edges: np.ndarray, sample_rate: int, n_fft: int, is_filled: Callable[[int], bool]) -> int:
    """Return the smallest FFT size above ``n_fft`` of which each band has a bin, or, if that would take long, a larger.

    Args:
        edges: (band + 2,) in hertz: band k lies between edges k and k + 2.
        sample_rate: In hertz.
        n_fft: The size that is too coarse.
        is_filled: Tells whether a size fills all bands, which rounding decides where a bin lies on an edge.
    """
    # Bins then lie closer than the narrowest band is wide.
    enough = ceil(sample_rate / float((edges[2:] - edges[:-2]).min())) + 1
    if enough * len(edges) > _MOST_EDGES:
        return enough
    for start in range(n_fft + 1, enough, 1024):
        sizes = np.arange(start, min(start + 1024, enough))
        bins = edges * sizes[:, None] / sample_rate
        has_all = (np.floor(bins[:, :-2]) + 1 < bins[:, 2:]).all(1)
        candidates: list[int] = sizes[has_all].tolist()
        if found := next(filter(is_filled, candidates), None):
            return found
    return enough
