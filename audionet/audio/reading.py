"""Sound files and the few operations every waveform needs before a network hears it.

Waveforms are ``(channel, time)`` float32 arrays, full scale at 1, and always travel with their sample rate.
Only this module touches soundfile and soxr. It imports no torch at the top: decoding workers start fast.
`AudioError`, which every function here raises, is to be imported from here.
"""

import io
import math
import os
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import soundfile
import soxr

from audionet.audio.containers import RATES, RESAVE, AudioError, check_container, check_rate, check_seconds

if TYPE_CHECKING:
    import torch

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO

_PEAK_LIMIT = 8.0  # 18 dB over full scale: no recording in float is that hot, unscaled integers are
_BLOCK = 1 << 22  # samples decoded at a time, so that a header which lies cannot make us allocate what it says
_MIXABLE = 8  # channels: 7.1 surround
_FORMATS = {".wav": "WAV", ".flac": "FLAC", ".ogg": "OGG", ".mp3": "MP3"}
_INTEGER_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}


def decode(source: Source, *, max_seconds: float | None = 600.0) -> tuple[np.ndarray, int]:
    """Decode a WAV, FLAC, OGG (Vorbis, Opus) or MP3 file; its content, not its name, tells the format.

    Integer samples of b bits are divided by 2^(b - 1), so they lie in [-1, 1). Float and lossy files may go a
    little beyond [-1, 1] and are kept as they are: clipping would change the sound.

    Args:
        source: a path, the file's bytes, or a binary file object. A file object is read from its beginning
            (one that cannot seek: from where it stands) and left open.
        max_seconds: longer files are refused, from their header where that tells; None lifts the limit.

    Returns:
        The waveform (channel, time), float32, and the sample rate in Hz.

    Raises:
        AudioError: the file is missing, unreadable, empty, cut off, damaged, too long, or holds NaN, Inf or
            unscaled samples.

    Example:
        >>> waveform, sample_rate = decode("a.wav")  # doctest: +SKIP
        >>> waveform.shape, sample_rate  # doctest: +SKIP
        ((1, 16000), 16000)
    """
    with _naming(source):
        return _decode(source, max_seconds)


def to_mono(waveform: np.ndarray) -> np.ndarray:
    """Mix the channels of a waveform by their mean.

    Args:
        waveform: (channel, time), float, of at most 8 channels.

    Returns:
        The mix, (1, time); the same array when it has one channel already.

    Raises:
        AudioError: more than 8 channels (a microphone array or separate tracks, whose mean means nothing), or
            not a float waveform (channel, time).

    Example:
        >>> to_mono(np.array([[1.0, 0.0], [0.0, 0.5]]))
        array([[0.5 , 0.25]])
    """
    _check_waveform(waveform)
    if waveform.ndim != 2:
        raise AudioError(f"expected a waveform (channel, time), got shape {waveform.shape}; reshape it")
    n_channels = len(waveform)
    if n_channels > _MIXABLE:
        raise AudioError(
            f"{n_channels} channels are too many to mix to mono (at most {_MIXABLE}); "
            "pick the channels to use, for example load_audio(path)[0][:1]"
        )
    return waveform if n_channels == 1 else waveform.mean(axis=0, keepdims=True)


def resample(waveform: np.ndarray, from_rate: float, to_rate: float) -> np.ndarray:
    """Change the sample rate with soxr's HQ filter (linear phase, 20-bit precision).

    Args:
        waveform: (..., time), float32 or float64.
        from_rate: its sample rate, Hz.
        to_rate: the wanted sample rate, Hz.

    Returns:
        The waveform (..., round(time * to_rate / from_rate)), same dtype; the same array at equal rates.

    Raises:
        AudioError: a rate that is not above 0, no samples, no sample left, or not a float waveform.

    Example:
        >>> resample(np.zeros((2, 8000), np.float32), 8000, 16000).shape
        (2, 16000)
    """
    _check_waveform(waveform)
    for name, rate in (("from_rate", from_rate), ("to_rate", to_rate)):
        if not (math.isfinite(rate) and rate > 0):
            raise AudioError(f"{name} is {rate} Hz; give a sample rate above 0, for example 16000")
    if from_rate == to_rate:
        return waveform
    rows = waveform.reshape(-1, waveform.shape[-1])
    resampled = soxr.resample(rows.T, from_rate, to_rate).T  # soxr wants (time, channel)
    if resampled.shape[-1] == 0:
        n_samples = waveform.shape[-1]
        raise AudioError(f"{n_samples} samples at {from_rate} Hz leave none at {to_rate} Hz; give a longer one")
    return np.ascontiguousarray(resampled).reshape(*waveform.shape[:-1], -1)


def fit(waveform: np.ndarray, length: int) -> np.ndarray:
    """Pad or cut a waveform to a length.

    A shorter one is centred between zeros. From a longer one the window with the most energy, summed over all
    leading axes, is kept; of equal windows (within 1e-9 of the whole energy) the earliest.

    Args:
        waveform: (..., time), float.
        length: the wanted number of samples.

    Returns:
        The waveform (..., length); the same array when it has that length already.

    Raises:
        AudioError: no samples, a length below 1, or not a float waveform.

    Example:
        >>> fit(np.array([1.0, 2.0]), 4), fit(np.array([0.0, 1.0, 3.0, 1.0]), 2)
        (array([0., 1., 2., 0.]), array([1., 3.]))
    """
    _check_waveform(waveform)
    if length < 1:
        raise AudioError(f"length is {length} samples; give at least 1")
    n_missing = length - waveform.shape[-1]
    if n_missing == 0:
        return waveform
    if n_missing > 0:
        sides = [(0, 0)] * (waveform.ndim - 1) + [(n_missing // 2, n_missing - n_missing // 2)]
        return np.pad(waveform, sides)
    energy = np.square(waveform, dtype=np.float64).reshape(-1, waveform.shape[-1]).sum(axis=0)
    total = np.concatenate(([0.0], np.cumsum(energy)))
    windows = total[length:] - total[:-length]
    start = int(np.argmax(windows >= windows.max() - 1e-9 * total[-1]))  # rounding must not decide between equals
    return waveform[..., start : start + length].copy()  # a view would keep the whole recording in memory


def load_audio(
    source: Source, sample_rate: int | None = None, *, mono: bool = False, max_seconds: float | None = 600.0
) -> tuple["torch.Tensor", int]:
    """Load a sound file as a tensor; see `decode` for what it reads and refuses.

    Args:
        source: a path, the file's bytes, or a binary file object.
        sample_rate: resample to this rate, Hz; None keeps the file's own.
        mono: mix the channels to one.
        max_seconds: longer files are refused; None lifts the limit.

    Returns:
        The waveform (channel, time), float32, and its sample rate in Hz.

    Raises:
        AudioError: the file cannot be used; the message names it, what is wrong and what to do.

    Example:
        >>> waveform, sample_rate = load_audio("a.wav", sample_rate=16_000)  # doctest: +SKIP
    """
    import torch

    with _naming(source):
        waveform, rate = _decode(source, max_seconds)
        waveform = to_mono(waveform) if mono else waveform
        if sample_rate is not None:
            waveform, rate = resample(waveform, rate, sample_rate), sample_rate
        return torch.from_numpy(waveform), rate


def read_clip(source: Source, sample_rate: int, length: int) -> np.ndarray:
    """Decode a file into one clip of a fixed rate and length: mono, resampled, padded or cut (see `fit`).

    Args:
        source: a path, the file's bytes, or a binary file object.
        sample_rate: of the clip, Hz.
        length: of the clip, samples.

    Returns:
        The clip (length,), float32.

    Raises:
        AudioError: the file cannot be used; the message names it, what is wrong and what to do.

    Example:
        >>> read_clip("a.flac", 16_000, 16_000).shape  # doctest: +SKIP
        (16000,)
    """
    with _naming(source):
        waveform, rate = _decode(source, 600.0)
        return fit(resample(to_mono(waveform)[0], rate, sample_rate), length)


def save_audio(
    path: str | os.PathLike[str],
    waveform: "np.ndarray | torch.Tensor",
    sample_rate: int,
    *,
    subtype: str | None = None,
) -> None:
    """Save a waveform; the extension (.wav, .flac, .ogg, .mp3) tells the format.

    The file appears whole or not at all: it is written beside its place and then renamed. What `decode` reads
    from integer samples is saved back to the same integers.

    Args:
        path: where to; an existing file is replaced.
        waveform: (channel, time) or (time,), float, numpy or torch. Within [-1, 1] unless the subtype is
            FLOAT or DOUBLE: other subtypes would clip it.
        sample_rate: Hz.
        subtype: soundfile's name of the sample type, such as PCM_24 or FLOAT; None takes PCM_16 for WAV and
            FLAC, VORBIS for OGG and MPEG_LAYER_III for MP3.

    Raises:
        AudioError: a waveform, rate, extension or subtype that cannot be saved, or a place that cannot be
            written.

    Example:
        >>> save_audio("tone.wav", np.zeros(16_000, np.float32), 16_000)  # doctest: +SKIP
    """
    with _naming(path):
        target = Path(path)
        container = _container(target)
        subtype = subtype or soundfile.default_subtype(container)
        samples = _checked_for_saving(waveform, sample_rate, container, subtype)
        _write_whole(target, _encode(samples, int(sample_rate), container, subtype))


def check_target(path: str | os.PathLike[str]) -> None:
    """Refuse a place that `save_audio` could not write to, before there is anything to lose.

    Raises:
        AudioError: an unknown extension, or a folder that is missing or cannot be written.
    """
    with _naming(path):
        _container(Path(path))
        _write_whole(Path(path), b"", keep=False)


# ---- errors ------------------------------------------------------------------------------------------------


@contextmanager
def _naming(source: object) -> Iterator[None]:
    """Put the file's name before the message of every AudioError raised inside."""
    try:
        yield
    except AudioError as error:
        if isinstance(source, (bytes, bytearray, memoryview)):
            name = "<bytes>"
        elif isinstance(source, (str, os.PathLike)):
            name = str(os.fspath(source))
        else:
            name = "<file object>"
        raise AudioError(f"{name}: {error}") from None


def _check_waveform(waveform: np.ndarray) -> None:
    if not isinstance(waveform, np.ndarray):
        raise AudioError(f"expected a numpy array, got {type(waveform).__name__}; a tensor gives one by .numpy()")
    if waveform.dtype.kind in "iu":
        full_scale = 2 ** (8 * waveform.dtype.itemsize - 1)
        centre = f" - {full_scale}" if waveform.dtype.kind == "u" else ""
        raise AudioError(
            f"expected float samples in [-1, 1], got {waveform.dtype}; "
            f"scale them: (waveform.astype(np.float32){centre}) / {full_scale}"
        )
    if waveform.dtype not in (np.float32, np.float64):
        raise AudioError(f"expected float32 or float64 samples, got {waveform.dtype}; use .astype(np.float32)")
    if waveform.ndim == 0 or waveform.size == 0:
        raise AudioError(f"the waveform of shape {waveform.shape} has no samples; give at least one")


def _check_finite(waveform: np.ndarray, advice: str) -> float:
    """Return the largest magnitude, or refuse NaN and Inf."""
    peak = float(max(waveform.max(), -waveform.min()))  # NaN passes through max
    if not math.isfinite(peak):
        n_bad = np.count_nonzero(~np.isfinite(waveform))
        raise AudioError(f"{n_bad} of {waveform.size} samples are NaN or Inf; {advice}")
    return peak


# ---- decoding ----------------------------------------------------------------------------------------------


class _Sequential(soundfile.SoundFile):
    """A sound file read once from its start: soundfile otherwise seeks after each read, which upsets MP3."""

    def seekable(self) -> bool:
        return False


def _decode(source: Source, max_seconds: float | None) -> tuple[np.ndarray, int]:
    if max_seconds is not None and not max_seconds > 0:
        raise AudioError(f"max_seconds is {max_seconds}; give a number of seconds above 0, or None")
    try:
        with _open(source) as stream:
            stream = check_container(stream, max_seconds)
            # Without its name: soundfile would take a ".raw" at its word.
            nameless = SimpleNamespace(read=stream.read, seek=stream.seek, tell=stream.tell)
            with _Sequential(nameless) as file:
                waveform, rate = _read(file, max_seconds)
    except soundfile.LibsndfileError as error:
        raise AudioError(f"damaged, cut off or of an unknown kind ({_reason(error)}); {RESAVE}") from None
    except OSError as error:
        raise AudioError(f"cannot be read ({error.strerror or error}); see that it exists and may be read") from None
    peak = _check_finite(waveform, "replace them where the file was made")
    if peak > _PEAK_LIMIT:
        raise AudioError(
            f"its samples reach {peak:g}, where 1 is full scale: integers stored as float; "
            "divide them by their full scale (32768 for 16 bits) and save again"
        )
    return waveform, rate


def _open(source: Source) -> AbstractContextManager[BinaryIO]:
    if isinstance(source, (bytes, bytearray, memoryview)):
        return io.BytesIO(source)
    if isinstance(source, (str, os.PathLike)):
        return _open_path(source)
    if isinstance(source, io.TextIOBase):
        raise AudioError("it is open as text; open it with mode 'rb'")
    if not hasattr(source, "read"):
        raise AudioError(f"expected a path, bytes or a binary file object, got {type(source).__name__}")
    if getattr(source, "closed", False):
        raise AudioError("it is closed; open it again")
    seekable = hasattr(source, "seekable") and source.seekable()
    content = source.read(0) if seekable else source.read()
    if not isinstance(content, bytes):
        raise AudioError(f"its read() gives {type(content).__name__}; give a file object opened in binary mode")
    return nullcontext(source) if seekable else io.BytesIO(content)


def _open_path(path: str | os.PathLike[str]) -> BinaryIO:
    try:
        stream = open(path, "rb")
    except FileNotFoundError:
        raise AudioError(f"no such file; check the path (it is looked up from {os.getcwd()})") from None
    except IsADirectoryError:
        raise AudioError("is a folder; give a sound file inside it") from None
    except PermissionError:
        raise AudioError("may not be read (permission denied); change its permissions") from None
    except ValueError as error:  # a NUL character
        raise AudioError(f"is no valid path ({error}); check it") from None
    if stream.seekable():
        return stream
    with stream:  # a named pipe
        return io.BytesIO(stream.read())


def _read(file: soundfile.SoundFile, max_seconds: float | None) -> tuple[np.ndarray, int]:
    """Read the samples block by block and compare their count with what the header says."""
    rate, n_channels, n_promised = file.samplerate, file.channels, file.frames
    unknown = n_promised >= 2**62  # FLAC from a pipe
    check_rate(rate)
    if not unknown:
        check_seconds(n_promised / rate, max_seconds)
    blocks, n_read = [], 0
    while n_read < n_promised:
        n_wanted = min(max(_BLOCK // n_channels, 1), n_promised - n_read)
        block = file.read(n_wanted, dtype="float32", always_2d=True)
        blocks.append(block)
        n_read += len(block)
        check_seconds(n_read / rate, max_seconds)
        if len(block) < n_wanted:
            break
    # Some MP3 encoders count the frame of information as a frame of sound.
    slack = 1152 if file.format == "MP3" else 0
    if not unknown and (n_read < n_promised - slack or n_read == 0 < n_promised):
        raise AudioError(f"is damaged or cut off: {n_read} of {n_promised} samples could be read; {RESAVE}")
    if n_read == 0:
        raise AudioError("has a header but no samples; record or fetch it again")
    samples = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
    return np.ascontiguousarray(samples.T), rate


def _reason(error: soundfile.LibsndfileError) -> str:
    return str(error.error_string).removeprefix("Error : ").rstrip(".")


# ---- encoding ----------------------------------------------------------------------------------------------


def _checked_for_saving(waveform: Any, sample_rate: int, container: str, subtype: str) -> np.ndarray:
    """Return the waveform as (time, channel), float, or refuse it."""
    if hasattr(waveform, "detach"):  # a tensor; numpy knows no bfloat16
        waveform = waveform.detach().cpu()
        waveform = (waveform.double() if waveform.is_floating_point() else waveform).numpy()
    _check_waveform(waveform)
    if waveform.ndim > 2 or (waveform.ndim == 2 and len(waveform) > 256):
        raise AudioError(f"expected a waveform (channel, time) or (time,), got shape {waveform.shape}; reshape it")
    if sample_rate not in RATES:  # also anything but a whole number
        raise AudioError(f"sample_rate is {sample_rate}; give a whole number of Hz, {RATES[0]} to {RATES[-1]}")
    if container == "OGG" and sample_rate > 192_000:  # libsndfile crashes
        raise AudioError(f"OGG holds at most 192000 Hz, got {sample_rate}; resample it, or save a .wav")
    if not soundfile.check_format(container, subtype):
        known = ", ".join(soundfile.available_subtypes(container))
        raise AudioError(f"{container} has no subtype {subtype!r}; use one of {known}")
    peak = _check_finite(waveform, "find where they come from before saving")
    if peak > 1 and subtype.upper() not in ("FLOAT", "DOUBLE"):
        raise AudioError(
            f"its samples reach {peak:g} and {subtype} holds [-1, 1]; scale it by 1 / {peak:g}, "
            "or save a .wav with subtype='FLOAT'"
        )
    return np.atleast_2d(waveform).T


def _encode(samples: np.ndarray, sample_rate: int, container: str, subtype: str) -> bytes:
    """Encode (time, channel) in memory."""
    bits = _INTEGER_BITS.get(subtype.upper())
    if bits:  # libsndfile would scale by 2^(bits - 1) - 1, and decoding by 2^(bits - 1)
        full_scale = 2 ** (bits - 1)
        integers = np.rint(samples.astype(np.float64) * full_scale).clip(-full_scale, full_scale - 1)
        samples = integers.astype(np.int32) << (32 - bits)
    content = io.BytesIO()
    try:
        with soundfile.SoundFile(
            content, "w", sample_rate, samples.shape[1], subtype=subtype, format=container
        ) as file:
            for start in range(0, len(samples), 1 << 16):  # libsndfile overflows its stack on long OGG writes
                file.write(samples[start : start + (1 << 16)])
    except soundfile.LibsndfileError as error:
        raise AudioError(
            f"{container} cannot hold {samples.shape[1]} channels of {subtype} at {sample_rate} Hz "
            f"({_reason(error)}); change them, or save a .wav"
        ) from None
    return content.getvalue()


def _container(target: Path) -> str:
    container = _FORMATS.get(target.suffix.lower())
    if container is None:
        raise AudioError(f"unknown extension {target.suffix!r}; use one of {', '.join(_FORMATS)}")
    return container


def _write_whole(path: Path, content: bytes, *, keep: bool = True) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        try:
            temporary.write_bytes(content)
            if keep:
                os.replace(temporary, path)
        finally:
            with suppress(OSError):
                temporary.unlink()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise AudioError(
            f"cannot be written ({reason}); see that its folder exists, may be written and has "
            f"{len(content)} bytes of room"
        ) from None
