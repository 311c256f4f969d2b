"""Decoding: from a file or bytes to blocks of samples. Nothing here holds the whole sound."""

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import BinaryIO, NamedTuple

import numpy as np
import soundfile

from audionet.audio.containers import check_container
from audionet.audio.containers.contents import Contents
from audionet.audio.containers.faults import RESAVE, Faults, UnknownKind
from audionet.audio.containers.limits import check_rate, check_seconds
from audionet.audio.waveform import AudioError, AudioWarning, check_scale, explaining, name_of, naming

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO
"""A path, the content of a file, or a binary file object."""

_BLOCK = 1 << 22  # samples decoded at a time, so that a header which lies cannot make us allocate what it says


class Sound(NamedTuple):
    """A sound file that is being decoded: its sample rate in Hz, and its blocks (channel, time), float32."""

    rate: int
    blocks: Iterator[np.ndarray]


@contextmanager
def opened(source: Source, max_seconds: float | None, lenient: bool = False) -> Iterator[Sound]:
    """Open a sound file. It is decoded as the blocks are asked for.

    Args:
        source: A path, the file's bytes, or a binary file object.
        max_seconds: Longer files are refused, if possible from their header; None lifts the limit.
        lenient: Of a damaged or cut-off file, read what is whole, and warn of the rest at the end.

    Yields:
        The sound.

    Raises:
        AudioError: The file cannot be used: when it is opened, or when a block is asked for.

    Warns:
        AudioWarning: A part of the file was left out.

    Example:
        >>> with opened("seven.wav", None) as sound:
        ...     sound.rate, [block.shape for block in sound.blocks]
        (16000, [(1, 9559)])
    """
    faults = Faults(lenient)
    with naming(source), explaining("cannot be read", "see that it is a file, exists and may be read"):
        if max_seconds is not None and not max_seconds > 0:
            raise AudioError(f"max_seconds: expected above 0, got {max_seconds}; give a number of seconds, or None")
        with _stream(source) as stream, _decoder(stream, max_seconds, faults) as (rate, blocks):
            yield Sound(rate, _checked(blocks, rate, max_seconds))
    if faults.notes:
        message = f"{name_of(source)}: {', '.join(faults.notes)}; what is whole was read"
        warnings.warn(message, AudioWarning, stacklevel=4)


@contextmanager
def _stream(source: Source) -> Iterator[BinaryIO]:
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


@contextmanager
def _decoder(stream: BinaryIO, max_seconds: float | None, faults: Faults) -> Iterator[tuple[int, Iterator[np.ndarray]]]:
    """Open what decodes a stream: its sample rate, and its blocks (time, channel)."""
    try:
        contents = check_container(stream, max_seconds, faults)
    except UnknownKind as unknown:
        from audionet.audio import ffmpeg  # few files need it

        kind = ffmpeg.kind_of(unknown.head)
        if kind is None:
            raise
        stream.seek(0)
        with ffmpeg.opened(stream, kind, max_seconds, faults) as decoder:
            yield decoder
        return
    with _soundfile(contents.streams[0]) as first:
        yield first.samplerate, _blocks(first, contents, max_seconds, faults)


@contextmanager
def _soundfile(stream: BinaryIO) -> Iterator[soundfile.SoundFile]:
    """Open a stream with libsndfile."""
    stream.seek(0)
    # Without its name: soundfile would take a ".raw" at its word.
    nameless = SimpleNamespace(read=stream.read, seek=stream.seek, tell=stream.tell)
    try:
        with soundfile.SoundFile(nameless) as file:
            file.seekable = lambda: False  # soundfile would seek after each read, which upsets MP3
            check_rate(file.samplerate)
            yield file
    except soundfile.LibsndfileError as error:
        reason = str(error.error_string).removeprefix("Error : ").rstrip(".")
        raise AudioError(f"damaged, cut off or of an unknown kind ({reason}); {RESAVE}") from None


def _blocks(
    first: soundfile.SoundFile, contents: Contents, max_seconds: float | None, faults: Faults
) -> Iterator[np.ndarray]:
    """Read the samples block by block, the opened file's first, and compare their count with what the headers say."""
    n_read = 0
    for stream in contents.streams:
        with nullcontext(first) if stream is contents.streams[0] else _soundfile(stream) as file:
            for block in _blocks_of_file(file, max_seconds, faults):
                n_read += len(block)
                yield block
    if contents.n_samples is not None and n_read != contents.n_samples:
        faults.add(f"is damaged: {n_read} samples could be read, its headers promise {contents.n_samples}")


def _blocks_of_file(file: soundfile.SoundFile, max_seconds: float | None, faults: Faults) -> Iterator[np.ndarray]:
    """Read the samples of one file, and see that as many come as libsndfile says."""
    n_promised, n_read = file.frames, 0
    unknown = n_promised >= 2**62  # FLAC from a pipe
    if not unknown:
        check_seconds(n_promised / file.samplerate, max_seconds)
    while n_read < n_promised:
        n_wanted = min(max(_BLOCK // file.channels, 1), n_promised - n_read)
        block = file.read(n_wanted, dtype="float32", always_2d=True)
        n_read += len(block)
        if len(block):
            yield block
        if len(block) < n_wanted:
            break
    # Some MP3 encoders count the frame of information as a frame of sound.
    slack = 1152 if file.format == "MP3" else 0
    if not unknown and (n_read < n_promised - slack or n_read == 0 < n_promised):
        faults.add(f"is damaged or cut off: {n_read} of {n_promised} samples could be read")


def _checked(blocks: Iterator[np.ndarray], rate: int, max_seconds: float | None) -> Iterator[np.ndarray]:
    """Yield blocks as (channel, time), and check their samples and how many there are."""
    n_read = 0
    for block in blocks:
        n_read += len(block)
        check_seconds(n_read / rate, max_seconds)
        block = np.ascontiguousarray(block.T)
        check_scale(block)
        yield block
    if n_read == 0:
        raise AudioError("has a header but no samples; record or fetch it again")
