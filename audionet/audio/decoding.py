"""Decoding: from a file or bytes to blocks of samples. Nothing here holds the whole sound."""

import hashlib
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

_LENIENT_BLOCK = 1 << 14  # samples of a channel; a fault in a block loses all of it
_SIGNED_BLOCK = 1 << 14  # samples of a channel; so many stay in the processor's cache
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
    with naming(source), _sparing(), explaining("cannot be read", "see that it is a file, exists and may be read"):
        if max_seconds is not None and not max_seconds > 0:
            raise AudioError(f"max_seconds: expected above 0, got {max_seconds}; give a number of seconds, or None")
        with _stream(source) as stream, _decoder(stream, max_seconds, faults) as (rate, blocks):
            yield Sound(rate, _checked(blocks, rate, max_seconds))
    if faults.notes:
        message = f"{name_of(source)}: {faults}"
        warnings.warn(message, AudioWarning, stacklevel=4)


@contextmanager
def _sparing() -> Iterator[None]:
    """Turn a lack of memory into an `AudioError`, so that one file does not end what is done with many."""
    try:
        yield
    except MemoryError:
        raise AudioError("needs more memory than is free; cut it, or read it at a lower sample rate") from None


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
    with _soundfile(contents[0].stream) as first:
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
        raise AudioError(f"{_reason(error)}; {RESAVE}") from None


def _reason(error: soundfile.LibsndfileError) -> str:
    said = str(error.error_string).removeprefix("Error : ").rstrip(".")
    return f"is damaged, cut off or of an unknown kind{said and f' ({said})'}"


def _blocks(
    first: soundfile.SoundFile, contents: list[Contents], max_seconds: float | None, faults: Faults
) -> Iterator[np.ndarray]:
    """Read the samples block by block, the opened file's first."""
    for content in contents:
        with nullcontext(first) if content is contents[0] else _soundfile(content.stream) as file:
            if (file.samplerate, file.channels) != (first.samplerate, first.channels):
                faults.add(
                    f"changes from {first.samplerate} Hz and {first.channels} channels to {file.samplerate} Hz and "
                    f"{file.channels}"
                )
                return
            yield from _blocks_of_file(file, content, max_seconds, faults)


def _blocks_of_file(
    file: soundfile.SoundFile, content: Contents, max_seconds: float | None, faults: Faults
) -> Iterator[np.ndarray]:
    """Read the samples of one file, and see that as many come as its headers and libsndfile say."""
    n_promised, n_read, digest = file.frames, 0, hashlib.md5(usedforsecurity=False)
    unknown = n_promised >= 2**62  # FLAC from a pipe
    if not unknown:
        check_seconds(n_promised / file.samplerate, max_seconds)
    n_block = _LENIENT_BLOCK if faults.lenient else max(_BLOCK // file.channels, 1)
    while n_read < n_promised:
        n_wanted = min(n_block, n_promised - n_read)
        try:
            block = file.read(n_wanted, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            faults.add(_reason(error))
            break
        n_read += len(block)
        if content.md5:
            for start in range(0, len(block), _SIGNED_BLOCK):
                digest.update(_integers(block[start : start + _SIGNED_BLOCK], file.subtype).data)
        if len(block):
            yield block
        if len(block) < n_wanted:
            break
    # Some MP3 encoders count the frame of information as a frame of sound.
    slack = 1152 if file.format == "MP3" else 0
    n_least = n_read if unknown else n_promised - slack
    if n_read < n_least or n_read == 0 < n_promised or content.n_samples not in (None, n_read):
        faults.add(f"is damaged or cut off: {n_read} of {content.n_samples or n_promised} samples could be read")
    elif content.md5 and content.md5 != digest.digest():
        faults.add("is damaged: its samples have another checksum (MD5) than its header says")


def _integers(block: np.ndarray, subtype: str) -> np.ndarray:
    """Return the bytes of the samples of a block as the integers that a FLAC file holds, little-endian."""
    n_bytes = {"PCM_S8": 1, "PCM_16": 2, "PCM_24": 3}[subtype]
    scaled = block * np.float32(2 ** (8 * n_bytes - 1))
    if n_bytes < 3:
        return scaled.astype(f"<i{n_bytes}")
    return np.ascontiguousarray(scaled.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3])


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
