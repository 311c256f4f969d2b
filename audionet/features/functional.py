"""Pure functions behind the front-ends: frames mapped in parts, spectra and their logarithm, and checks."""

from collections.abc import Callable
from math import inf

import torch
from torch import Tensor
from torch.nn import functional as F

from audionet.checks import check_that

_FRAMES_AT_ONCE = 300  # about, so that intermediates stay in the CPU's cache, which is three times as fast

Map = Callable[[Tensor], Tensor]


def map_frames(waveform: Tensor, block: Map, *, span: int, hop_length: int) -> Tensor:
    """Cut a waveform into frames and map them, as many at a time as the cache holds.

    Args:
        waveform: (..., time), padded.
        block: Maps frames (clip, frame, span) to (clip, frame, ...).
        span: Samples of a frame.
        hop_length: Samples from one frame to the next.

    Returns:
        (..., frame, ...), with the trailing axes of ``block``.
    """

    def cut(part: Tensor) -> Tensor:
        return block(unfold(part, span, hop_length))

    return map_parts(waveform, cut, span=span, hop_length=hop_length, n_at_once=_FRAMES_AT_ONCE)


def is_exporting() -> bool:
    """Tell whether this is run to write an ONNX file, by either of torch's exporters."""
    return torch.compiler.is_exporting() or torch.onnx.is_in_onnx_export()


def is_traced() -> bool:
    """Tell whether operations are recorded, by a compiler or an exporter, and are to be the same for other lengths."""
    return torch.compiler.is_compiling() or is_exporting()


def unfold(waveform: Tensor, span: int, hop_length: int) -> Tensor:
    """Return the frames (..., frame, span) of a waveform (..., time).

    Exported, they are put together from stretches of one hop, as columns, since onnxruntime gathers overlapping frames
    sample by sample, which takes longer than their spectra. The waveform is then (clip, time).
    """
    if not is_exporting():
        return waveform.unfold(-1, span, hop_length)
    n_stretches = -(-span // hop_length)
    n_frames = (waveform.shape[1] - span) // hop_length + 1
    whole = F.pad(waveform, (0, n_stretches * hop_length))[:, : (n_frames + n_stretches - 1) * hop_length]
    stretches = whole.reshape(whole.shape[0], -1, hop_length).transpose(1, 2)  # (clip, hop, stretch)
    # A negative end of a slice, torch's exporter would mistake for an axis.
    parts = [stretches[..., first : first + n_frames] for first in range(n_stretches)]
    parts[-1] = parts[-1][:, : span - (n_stretches - 1) * hop_length]
    return torch.cat(parts, 1).transpose(1, 2)


def map_parts(waveform: Tensor, function: Map, *, span: int, hop_length: int, n_at_once: int) -> Tensor:
    """Map a waveform by parts of about ``n_at_once`` frames, so that intermediates stay in the CPU's cache.

    Args:
        waveform: (..., time), padded.
        function: Maps (clip, time) to (clip, frame, ...).
        span: Samples of a frame.
        hop_length: Samples from one frame to the next.
        n_at_once: Frames of a part: as many clips as come nearest to it, or one piece of a long clip.

    Returns:
        (..., frame, ...), as the function returns for the whole waveform.
    """
    if waveform.ndim != 2:
        clips = waveform.reshape(-1, waveform.shape[-1])
        mapped: Tensor = map_parts(clips, function, span=span, hop_length=hop_length, n_at_once=n_at_once)
        return mapped.reshape(*waveform.shape[:-1], *mapped.shape[1:])
    n_frames = (waveform.shape[-1] - span) // hop_length + 1
    if is_traced() or waveform.device.type != "cpu" or len(waveform) * n_frames <= n_at_once:
        return function(waveform)
    if n_frames <= n_at_once:
        return torch.cat([function(part) for part in torch.split(waveform, round(n_at_once / n_frames))])
    starts = range(0, n_frames * hop_length, n_at_once * hop_length)
    length = (n_at_once - 1) * hop_length + span
    return torch.stack(
        [torch.cat([function(clip[None, start : start + length])[0] for start in starts]) for clip in waveform]
    )


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
    if is_exporting() and power is not None:
        from audionet.features.fourier import factored_power  # which nothing but an export needs

        squared = factored_power(frames, window, n_fft)
        return squared if power == 2 else squared.pow(power / 2)
    x: Tensor = torch.fft.rfft(frames * window, n_fft)
    if power is None:
        return x
    if x.requires_grad and power != 2:
        return x.abs().pow(power)  # not as a power of |X|^2, whose slope at digital silence is infinite
    parts = torch.view_as_real(x)
    squares = parts * parts
    x = squares[..., 0] + squares[..., 1]  # six times as fast as sum(-1), and as abs()
    return x if power == 2 else x.pow(power / 2)


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

    Example:
        >>> stft(waveform, torch.hann_window(400), n_fft=512, hop_length=160).shape
        torch.Size([1, 57, 257])
    """
    window = center_window(window, n_fft)

    def block(frames: Tensor) -> Tensor:
        return spectrum(frames, window, n_fft=n_fft, power=power)

    return map_frames(waveform, block, span=n_fft, hop_length=hop_length)


def center_window(window: Tensor, frame_length: int) -> Tensor:
    """Return a window with zeros on both sides, (frame_length,).

    Multiplying a frame by these zeros is cheaper than letting the FFT fill up a shorter one.
    """
    left = (frame_length - len(window)) // 2
    return F.pad(window, (left, frame_length - len(window) - left))


def log_compress(x: Tensor, *, scale: str = "log", offset: float = 1e-6) -> Tensor:
    """Compress power: "log" is ln(x + offset), "db" is 10 log10(max(x, offset)).

    Args:
        x: Power, of any shape.
        scale: "log" or "db".
        offset: A small number that keeps the logarithm finite: added for "log", a floor for "db".

    Returns:
        The same shape.

    Example:
        >>> log_compress(torch.tensor([1.0, 0.01, 0.0]), scale="db")
        tensor([  0., -20., -60.])
    """
    if scale == "db":
        decibels: Tensor = 10 * torch.log10(x.clamp(min=offset))
        return decibels
    # The ONNX exporter drops what is added if it is 1e-8 or less; silence would become -inf.
    return torch.log(x + offset if offset > 1e-8 else (x / offset + 1) * offset)


def check_dtype(waveform: Tensor, expected: torch.dtype) -> None:
    """Raise a ValueError unless ``waveform`` is of the front-end's own float type."""
    if waveform.dtype == expected:
        return
    advice = f"convert it with waveform.to({expected})"
    if waveform.dtype.itemsize >= 4:
        advice += f", or the front-end with front_end.to({waveform.dtype})"
    raise ValueError(f"waveform: expected {expected}, as the front-end is, got {waveform.dtype}; {advice}")


def check_power(power: float | None) -> None:
    """Raise a ValueError unless this is a power of a spectrum: positive, or None for the complex one."""
    check_that(power is None or power > 0, "power", "2 (power), 1 (magnitude) or None (the complex spectrum)", power)


def check_offset(offset: float) -> None:
    """Raise a ValueError unless this keeps logarithms finite in float32, also where it is exported as a factor."""
    expected = "1e-30 or more, which keeps the logarithm of silence finite"
    check_that(1e-30 <= offset < inf, "offset", expected, offset)
