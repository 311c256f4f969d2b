"""Waveform to time-frequency: the pure functions behind the front-end modules."""

import warnings
from collections.abc import Callable
from math import ceil, inf
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torchaudio.functional import linear_fbanks, melscale_fbanks

from audionet.features.frontend import check_dtype, map_frames

_MOST_EDGES = 1 << 26  # that are looked at for a message, which is a second


def stft(waveform: Tensor, window: Tensor, *, n_fft: int, hop_length: int, power: float | None = 2.0) -> Tensor:
    """Return the short-time Fourier transform of a padded waveform, as |X|**power.

    Args:
        waveform: (..., time), float.
        window: (win_length,), at most ``n_fft``; it stands in the middle of a frame of ``n_fft`` samples.
        n_fft: FFT size in samples.
        hop_length: Step between frames in samples.
        power: As for `spectrum`.

    Returns:
        (..., frame, n_fft // 2 + 1)

    Raises:
        ValueError: If the waveform is not of the window's float type.
    """
    window = center_window(window, n_fft)

    def block(frames: Tensor) -> Tensor:
        return spectrum(frames, window, n_fft=n_fft, power=power)

    return map_frames(waveform, block, span=n_fft, hop_length=hop_length)


def center_window(window: Tensor, frame_length: int) -> Tensor:
    """Return a window with zeros on both sides, (frame_length,).

    A window as long as the frame: multiplying by its zeros is cheaper than letting the FFT fill up what is shorter.
    """
    left = (frame_length - len(window)) // 2
    return F.pad(window, (left, frame_length - len(window) - left))


def spectrum(frames: Tensor, window: Tensor, *, n_fft: int, power: float | None = 2.0) -> Tensor:
    """Return the spectra of windowed frames, as |X|**power.

    Args:
        frames: (..., frame_length), float.
        window: (frame_length,).
        n_fft: FFT size in samples, at least ``frame_length``; zeros fill up behind the frame.
        power: 2 for power, 1 for magnitude, None for the complex spectrum.

    Returns:
        (..., n_fft // 2 + 1)

    Raises:
        ValueError: If the frames are not of the window's float type.
    """
    check_dtype(frames, window.dtype)
    x = rfft(frames * window, n_fft)
    if power is None:
        return x
    if x.requires_grad and power != 2:
        return x.abs().pow(power)  # not as a power of |X|^2, whose slope at digital silence is infinite
    parts = torch.view_as_real(x)
    squares = parts * parts
    x = squares[..., 0] + squares[..., 1]  # six times as fast as sum(-1), and as abs()
    return x if power == 2 else x.pow(power / 2)


def rfft(frames: Tensor, n_fft: int) -> Tensor:
    """Return the spectrum (..., n_fft // 2 + 1) of real frames (..., time), with zeros behind them up to n_fft.

    Exported, it is a matrix product unless n_fft is a power of two: onnxruntime's FFT of other sizes is four times
    slower and wrong by 6e-4 in a log-mel.
    """
    if not torch.compiler.is_exporting() or n_fft & (n_fft - 1) == 0:
        return torch.fft.rfft(frames, n_fft)
    angles = 2 * np.pi / n_fft * (np.arange(frames.shape[-1])[:, None] * np.arange(n_fft // 2 + 1) % n_fft)
    cosines, sines = (torch.from_numpy(part).to(frames) for part in (np.cos(angles), -np.sin(angles)))
    return torch.complex(frames @ cosines, frames @ sines)


def log_compress(x: Tensor, *, scale: str = "log", offset: float = 1e-6) -> Tensor:
    """Compress power: "log" is ln(x + offset), "db" is 10 log10(max(x, offset)).

    Args:
        x: Power, of any shape.
        scale: "log" or "db".
        offset: What keeps the logarithm finite: added for "log", a floor for "db".

    Returns:
        The same shape.
    """
    if scale == "db":
        return 10 * torch.log10(x.clamp(min=offset))
    # The ONNX exporter takes what is added for nothing if it is 1e-8 or less; silence would become -inf.
    return torch.log(x + offset if offset > 1e-8 else (x / offset + 1) * offset)


def check_offset(offset: float) -> None:
    """Raise a ValueError unless this keeps logarithms finite in float32, also where it is exported as a factor."""
    if not 1e-30 <= offset < inf:
        raise ValueError(f"offset = {offset}: expected 1e-30 or more, which keeps the logarithm of silence finite")


def mel_matrix(
    *, sample_rate: int, n_fft: int, n_mels: int, f_min: float, f_max: float, mel_scale: str, norm: str | None
) -> Tensor:
    """Return the (n_fft // 2 + 1, n_mels) triangular mel filterbank.

    Args:
        sample_rate: In hertz.
        n_fft: FFT size in samples.
        n_mels: Number of bands.
        f_min: Lower edge of the first band in hertz.
        f_max: Upper edge of the last band in hertz.
        mel_scale: "htk" or "slaney".
        norm: None for triangles of height 1, "slaney" for triangles of area 1.

    Raises:
        ValueError: If there is no band, the edges do not fit the sample rate, or a band lies between two FFT bins and
            would be empty.
    """

    def triangles(n_freqs: int, rate: int) -> Tensor:
        return melscale_fbanks(n_freqs, f_min, f_max, n_mels, rate, norm=norm, mel_scale=mel_scale)

    def edges() -> np.ndarray:
        import librosa  # as it takes long to import and is for a message

        return librosa.mel_frequencies(n_mels + 2, fmin=f_min, fmax=f_max, htk=mel_scale == "htk")

    sizes: dict[str, Any] = {"sample_rate": sample_rate, "n_fft": n_fft, "f_min": f_min, "f_max": f_max}
    return _filled("mel", triangles, edges, **sizes, n_mels=n_mels)


def linear_matrix(*, sample_rate: int, n_fft: int, n_bands: int, f_min: float, f_max: float) -> Tensor:
    """Return the (n_fft // 2 + 1, n_bands) filterbank of triangles of height 1, all equally wide in hertz.

    Raises:
        ValueError: As `mel_matrix`.
    """

    def triangles(n_freqs: int, rate: int) -> Tensor:
        return linear_fbanks(n_freqs, f_min, f_max, n_bands, rate)

    def edges() -> np.ndarray:
        return np.linspace(f_min, f_max, n_bands + 2)

    sizes: dict[str, Any] = {"sample_rate": sample_rate, "n_fft": n_fft, "f_min": f_min, "f_max": f_max}
    return _filled("linear", triangles, edges, **sizes, n_bands=n_bands)


def check_band_edges(f_min: float, f_max: float, sample_rate: int) -> None:
    """Raise a ValueError unless there is something between the edges, and nothing above half the sample rate."""
    if not 0 <= f_min < f_max <= sample_rate / 2:
        raise ValueError(
            f"f_min = {f_min} Hz, f_max = {f_max} Hz: expected 0 <= f_min < f_max <= {sample_rate / 2:g} Hz, "
            f"half the sample rate ({sample_rate} Hz)"
        )


def smallest_n_fft(edges: np.ndarray, sample_rate: int, n_fft: int, is_filled: Callable[[int], bool]) -> int:
    """Return the smallest FFT size above ``n_fft`` of which each band has a bin, or, if that would take long, one.

    Args:
        edges: (band + 2,) in hertz: band k lies between edges k and k + 2.
        sample_rate: In hertz.
        n_fft: What is too coarse.
        is_filled: Says whether a size fills all bands, which rounding decides where a bin lies on an edge.
    """
    enough = ceil(sample_rate / (edges[2:] - edges[:-2]).min()) + 1  # bins lie closer than the narrowest band is wide
    if enough * len(edges) > _MOST_EDGES:
        return enough
    for start in range(n_fft + 1, enough, 1024):
        sizes = np.arange(start, min(start + 1024, enough))
        bins = edges * sizes[:, None] / sample_rate
        has_all = (np.floor(bins[:, :-2]) + 1 < bins[:, 2:]).all(1)
        if found := next(filter(is_filled, sizes[has_all].tolist()), None):
            return found
    return enough


def _filled(
    kind: str,
    triangles: Callable[[int, int], Tensor],
    edges: Callable[[], np.ndarray],
    *,
    sample_rate: int,
    n_fft: int,
    f_min: float,
    f_max: float,
    **number: int,
) -> Tensor:
    """Return the triangles (n_fft // 2 + 1, band) if none of them is empty."""
    ((name, n_bands),) = number.items()
    if n_bands < 1:
        raise ValueError(f"{name} = {n_bands}: expected at least 1 band")
    check_band_edges(f_min, f_max, sample_rate)

    def matrix(n_fft: int) -> Tensor:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torchaudio's warning of empty bands, which is an error below
            # torchaudio puts its last bin at sample_rate // 2, which is wrong for an odd n_fft or sample rate; over
            # twice the range, bin k lies at k * sample_rate / n_fft whatever they are.
            return triangles(n_fft + 1, 2 * sample_rate)[: n_fft // 2 + 1].contiguous()

    filters = matrix(n_fft)
    if empty := (filters.amax(0) == 0).nonzero().flatten().tolist():
        wanted = smallest_n_fft(edges(), sample_rate, n_fft, lambda size: bool(matrix(size).amax(0).all()))
        raise ValueError(
            f"{kind} bands {empty} are empty: n_fft = {n_fft} is too coarse for {name} = {n_bands} between {f_min:g} "
            f"and {f_max:g} Hz; raise n_fft to {wanted} or lower {name}"
        )
    return filters
