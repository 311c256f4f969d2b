"""Waveform to time-frequency: the pure functions behind the front-end modules."""

import warnings

import torch
from torch import Tensor
from torch.nn import functional as F
from torchaudio.functional import melscale_fbanks


def check_waveform(waveform: Tensor, n_samples: int = 1) -> None:
    """Raise a ValueError unless ``waveform`` is a float tensor whose last axis has at least ``n_samples``."""
    if not waveform.is_floating_point():
        raise ValueError(
            f"waveform is {waveform.dtype}: front-ends take float samples in [-1, 1]; "
            "divide 16-bit integers by 32768.0 first"
        )
    if waveform.ndim == 0 or waveform.shape[-1] < n_samples:
        raise ValueError(
            f"waveform has shape {tuple(waveform.shape)}: its last axis (time) needs at least {n_samples} samples; "
            "pad it with audionet.audio.fit"
        )


def spectrogram(
    waveform: Tensor,
    window: Tensor,
    *,
    n_fft: int,
    hop_length: int,
    power: float | None = 2.0,
    center: bool = True,
    pad_mode: str = "reflect",
) -> Tensor:
    """Short-time Fourier transform, as |X|**power.

    Args:
        waveform: (..., time), float.
        window: (win_length,), zero-padded on both sides to ``n_fft``.
        n_fft: FFT size in samples.
        hop_length: Step between frames in samples.
        power: 2 for power, 1 for magnitude, None for the complex spectrum.
        center: Whether frame t is centred on sample t * hop_length, the ends padded by n_fft // 2.
        pad_mode: How the ends are padded: "reflect" (torchaudio's default) or "constant" (librosa's).

    Returns:
        (..., n_fft // 2 + 1, frame).

    Raises:
        ValueError: If the waveform is not of the window's float type or shorter than one frame needs.
    """
    reflects = center and pad_mode == "reflect"
    check_waveform(waveform, n_fft // 2 + 1 if reflects else 1 if center else n_fft)
    if waveform.dtype != window.dtype:
        raise ValueError(
            f"waveform is {waveform.dtype}, the front-end {window.dtype}: "
            f"convert one, with waveform.to({window.dtype}) or front_end.to({waveform.dtype})"
        )
    if center:  # here, not in torch.stft, which pads only one and two dimensions
        flat = waveform.reshape(1, -1, waveform.shape[-1])
        waveform = F.pad(flat, (n_fft // 2, n_fft // 2), pad_mode).view(*waveform.shape[:-1], -1)
    left = (n_fft - window.shape[0]) // 2
    # Samples under the window's padding count for nothing, so only its own span is cut out; rfft pads the end.
    # Shifting a frame changes its phase alone, which `power` discards; the complex form keeps the whole frame.
    span = n_fft if power is None else window.shape[0]
    if power is None:
        window, left = F.pad(window, (left, n_fft - window.shape[0] - left)), 0
    n_frames = 1 + (waveform.shape[-1] - n_fft) // hop_length
    frames = waveform[..., left:].unfold(-1, span, hop_length)[..., :n_frames, :]
    spectrum = torch.fft.rfft(frames * window, n_fft)  # (..., frame, frequency)
    if power is None:
        return spectrum.mT
    if power != 2:  # not as a power of |X|², whose slope at digital silence is infinite
        return spectrum.abs().pow(power).mT
    return torch.view_as_real(spectrum).square().sum(-1).mT


def log_compress(x: Tensor, *, scale: str = "log", offset: float = 1e-6, top_db: float | None = None) -> Tensor:
    """Compress power: "log" is ln(x + offset), "db" is 10 log10(max(x, offset)).

    Args:
        x: (..., n_mels, frame), power.
        scale: "log" or "db".
        offset: What keeps the logarithm finite: added for "log", a floor for "db".
        top_db: For "db", the floor below each clip's maximum, in decibels (librosa's and torchaudio's is 80).

    Returns:
        The same shape.
    """
    if scale == "log":
        return torch.log(x + offset)
    db = 10 * torch.log10(x.clamp(min=offset))
    return db if top_db is None else torch.maximum(db, db.amax((-2, -1), keepdim=True) - top_db)


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
    if n_mels < 1:
        raise ValueError(f"n_mels = {n_mels}: expected at least 1 band")
    if not 0 <= f_min < f_max <= sample_rate / 2:
        raise ValueError(
            f"f_min = {f_min} Hz, f_max = {f_max} Hz: expected 0 <= f_min < f_max <= {sample_rate / 2:g} Hz, "
            f"half the sample rate ({sample_rate} Hz)"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchaudio's warning of empty bands, which is an error below
        # torchaudio puts its last bin at sample_rate // 2, which is wrong for an odd n_fft or sample rate; over twice
        # the range, bin k lies at k * sample_rate / n_fft whatever they are.
        matrix = melscale_fbanks(n_fft + 1, f_min, f_max, n_mels, 2 * sample_rate, norm=norm, mel_scale=mel_scale)
    matrix = matrix[: n_fft // 2 + 1].contiguous()
    empty = (matrix.amax(0) == 0).nonzero().flatten().tolist()
    if empty:
        raise ValueError(
            f"mel bands {empty} are empty: n_fft = {n_fft} is too coarse for n_mels = {n_mels} between {f_min:g} and "
            f"{f_max:g} Hz; raise n_fft or lower n_mels"
        )
    return matrix
