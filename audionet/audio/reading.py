"""Reading: from a file or bytes to a waveform. It imports no torch at the top, so decoding workers start fast."""

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import soundfile

from audionet.audio.containers import check_container
from audionet.audio.containers.contents import Contents
from audionet.audio.containers.faults import RESAVE, Faults
from audionet.audio.containers.limits import check_rate, check_seconds
from audionet.audio.waveform import (
    AudioError,
    AudioWarning,
    check_scale,
    explaining,
    name_of,
    naming,
    resample,
    to_clip,
    to_mono,
)

if TYPE_CHECKING:
    import torch

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO
"""A path, the content of a file, or a binary file object."""

_BLOCK = 1 << 22  # samples decoded at a time, so that a header which lies cannot make us allocate what it says


def decode(source: Source, *, max_seconds: float | None = 600.0, lenient: bool = False) -> tuple[np.ndarray, int]:
    """Decode a WAV, FLAC, OGG (Vorbis, Opus) or MP3 file. Its content tells the format, not its name.

    Integer samples of b bits are divided by 2^(b - 1), so they lie in [-1, 1). Float and lossy files may go a
    little beyond [-1, 1] and are kept as they are, because clipping would change the sound.

    Args:
        source: A path, the file's bytes, or a binary file object. A file object is read from its beginning
            (one that cannot seek: from where it stands) and left open.
        max_seconds: Longer files are refused, if possible from their header; None lifts the limit.
        lenient: Of a damaged or cut-off file, read what is whole, and warn of the rest, instead of refusing it.

    Returns:
        The waveform (channel, time), float32, and the sample rate in Hz.

    Raises:
        AudioError: The file is missing, unreadable, empty, cut off, damaged, too long, or holds NaN, Inf or
            unscaled samples.

    Warns:
        AudioWarning: A part of the file was left out.

    Example:
        >>> waveform, sample_rate = decode("seven.wav")
        >>> waveform.shape, sample_rate
        ((1, 9559), 16000)
    """
    with naming(source):
        return _decode(source, max_seconds, lenient)


def load_audio(
    source: Source,
    sample_rate: int | None = None,
    *,
    mono: bool = False,
    max_seconds: float | None = 600.0,
    lenient: bool = False,
) -> tuple["torch.Tensor", int]:
    """Load a sound file as a tensor. It reads and refuses the same files as `decode`.

    Args:
        source: A path, the file's bytes, or a binary file object.
        sample_rate: Resample to this rate, in Hz; None keeps the file's own.
        mono: Mix the channels to one.
        max_seconds: Longer files are refused; None lifts the limit.
        lenient: Of a damaged or cut-off file, read what is whole, and warn of the rest, instead of refusing it.

    Returns:
        The waveform (channel, time), float32, and its sample rate in Hz.

    Raises:
        AudioError: The file cannot be used. The message names it, what is wrong and what to do.

    Warns:
        AudioWarning: A part of the file was left out.

    Example:
        >>> waveform, sample_rate = load_audio("seven.wav", sample_rate=32_000)
        >>> waveform.shape
        torch.Size([1, 19118])
    """
    import torch

    with naming(source):
        waveform, rate = _decode(source, max_seconds, lenient)
        waveform = to_mono(waveform) if mono else waveform
        if sample_rate is not None:
            waveform, rate = resample(waveform, rate, sample_rate), sample_rate
        return torch.from_numpy(waveform), rate


def read_mono(
    source: Source,
    sample_rate: int,
    length: int | None = None,
    *,
    max_seconds: float | None = 600.0,
    lenient: bool = False,
) -> np.ndarray:
    """Decode a file, mix it to mono, resample it, and pad or cut it to a length as `fit` does.

    Args:
        source: A path, the file's bytes, or a binary file object.
        sample_rate: The wanted sample rate, in Hz.
        length: The wanted number of samples; None keeps all.
        max_seconds: Longer files are refused; None lifts the limit.
        lenient: Of a damaged or cut-off file, read what is whole, and warn of the rest, instead of refusing it.

    Returns:
        The waveform (time,), float32.

    Raises:
        AudioError: The file cannot be used. The message names it, what is wrong and what to do.

    Warns:
        AudioWarning: A part of the file was left out.

    Example:
        >>> read_mono("seven.wav", 8000).shape, read_mono("seven.wav", 8000, 8000).shape
        ((4780,), (8000,))
    """
    with naming(source):
        return to_clip(*_decode(source, max_seconds, lenient), sample_rate, length)


def _decode(source: Source, max_seconds: float | None, lenient: bool) -> tuple[np.ndarray, int]:
    if max_seconds is not None and not max_seconds > 0:
        raise AudioError(f"max_seconds: expected above 0, got {max_seconds}; give a number of seconds, or None")
    faults = Faults(lenient)
    try:
        with explaining("cannot be read", "see that it is a file, exists and may be read"), _opened(source) as stream:
            waveform, rate = _read(check_container(stream, max_seconds, faults), max_seconds, faults)
    except soundfile.LibsndfileError as error:
        reason = str(error.error_string).removeprefix("Error : ").rstrip(".")
        raise AudioError(f"damaged, cut off or of an unknown kind ({reason}); {RESAVE}") from None
    check_scale(waveform)
    if faults.notes:
        message = f"{name_of(source)}: {', '.join(faults.notes)}; what is whole was read"
        warnings.warn(message, AudioWarning, stacklevel=3)
    return waveform, rate


@contextmanager
def _opened(source: Source) -> Iterator[BinaryIO]:
    """Open a source as a binary file that can seek. A file that cannot, such as a pipe, is read into memory."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        source = io.BytesIO(source)
    with open(source, "rb") if isinstance(source, (str, os.PathLike)) else nullcontext(source) as stream:
        if not hasattr(stream, "read"):
            raise AudioError(f"expected a path, bytes or a binary file object, got {type(stream).__name__}; give one")
        seekable = hasattr(stream, "seekable") and stream.seekable()
        content = stream.read(0) if seekable else stream.read()
        if not isinstance(content, bytes):
            raise AudioError(f"its read() gives {type(content).__name__}; open it with mode 'rb'")
        yield stream if seekable else io.BytesIO(content)


def _read(contents: Contents, max_seconds: float | None, faults: Faults) -> tuple[np.ndarray, int]:
    """Read the samples block by block and compare their count with what the headers say."""
    blocks: list[np.ndarray] = []
    n_read, rate = 0, 1
    for stream in contents.streams:
        stream.seek(0)
        # Without its name: soundfile would take a ".raw" at its word.
        nameless = SimpleNamespace(read=stream.read, seek=stream.seek, tell=stream.tell)
        with soundfile.SoundFile(nameless) as file:
            file.seekable = lambda: False  # soundfile would seek after each read, which upsets MP3
            rate = file.samplerate
            for block in _blocks(file, max_seconds, faults):
                blocks.append(block)
                n_read += len(block)
                check_seconds(n_read / rate, max_seconds)
    if n_read == 0:
        raise AudioError("has a header but no samples; record or fetch it again")
    if contents.n_samples is not None and n_read != contents.n_samples:
        faults.add(f"is damaged: {n_read} samples could be read, its headers promise {contents.n_samples}")
    samples = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
    return np.ascontiguousarray(samples.T), rate


def _blocks(file: soundfile.SoundFile, max_seconds: float | None, faults: Faults) -> Iterator[np.ndarray]:
    """Yield the samples of a file, (time, channel), and see that as many come as libsndfile says."""
    n_promised, n_read = file.frames, 0
    unknown = n_promised >= 2**62  # FLAC from a pipe
    check_rate(file.samplerate)
    if not unknown:
        check_seconds(n_promised / file.samplerate, max_seconds)
    while n_read < n_promised:
        n_wanted = min(max(_BLOCK // file.channels, 1), n_promised - n_read)
        block = file.read(n_wanted, dtype="float32", always_2d=True)
        yield block
        n_read += len(block)
        if len(block) < n_wanted:
            break
    # Some MP3 encoders count the frame of information as a frame of sound.
    slack = 1152 if file.format == "MP3" else 0
    if not unknown and (n_read < n_promised - slack or n_read == 0 < n_promised):
        faults.add(f"is damaged or cut off: {n_read} of {n_promised} samples could be read")
