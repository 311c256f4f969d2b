"""Sound of any length, in blocks: files, WAV as it comes through a pipe, and raw samples without a header.

Programs that write WAV to a pipe (ffmpeg, sox, arecord) do not know its length, and say 0 or nearly 2^32 bytes.
"""

import io
import os
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

import numpy as np

from audionet.audio.containers.faults import RESAVE
from audionet.audio.containers.limits import check_rate, check_sample_rate
from audionet.audio.decoding import Sound, Source, opened
from audionet.audio.waveform import FULL_SCALE, AudioError, check_scale, explaining, name_of, naming
from audionet.checks import check_at_least, check_one_of

FORMATS: dict[str, tuple[int, Callable[[bytes], np.ndarray]]] = {
    "u8": (1, lambda content: (np.frombuffer(content, "u1") - np.float32(128)) / 128),
    "s16le": (2, lambda content: np.frombuffer(content, "<i2") / np.float32(FULL_SCALE)),
    "s24le": (3, lambda content: _int24(content).astype(np.float32) / 2**23),
    "s32le": (4, lambda content: (np.frombuffer(content, "<i4") / 2**31).astype(np.float32)),
    "f32le": (4, lambda content: np.frombuffer(content, "<f4").astype(np.float32)),
    "f64le": (8, lambda content: _narrow(np.frombuffer(content, "<f8"))),
}
"""Formats of samples by ffmpeg's names: bytes of a sample, and what makes floats in [-1, 1] of bytes."""

_MOST_BYTES = 1 << 16  # that are read at once; a pipe gives those that it has
_MOST_HEADER = 1 << 24  # bytes of a chunk before the samples, such as a picture
_CODECS = {
    (1, 8): "u8",
    (1, 16): "s16le",
    (1, 24): "s24le",
    (1, 32): "s32le",
    (3, 32): "f32le",
    (3, 64): "f64le",
}
_EXTENSIBLE = 0xFFFE

Read = Callable[[int], bytes]


class Raw(NamedTuple):
    """What is to be known of samples without a header.

    Attributes:
        sample_rate: In Hz.
        sample_format: A key of `FORMATS`: "s16le" for 16-bit integers, "f32le" for floats, both little-endian.
        n_channels: Number of channels, whose samples alternate.
    """

    sample_rate: int
    sample_format: str = "s16le"
    n_channels: int = 1


@contextmanager
def streamed(source: Source, raw: Raw | None = None) -> Iterator[Sound]:
    """Open a sound of any length, which is read as its blocks are asked for.

    A file that can seek is read as `load_audio` reads it, and checked. What comes through a pipe gives a block as soon
    as there are samples, if it is WAV or raw; anything else is read to its end first.

    Args:
        source: A path, the file's bytes, or a binary file object.
        raw: What the samples are, if they have no header; None for a file or a stream with one.

    Yields:
        The sound: its sample rate, and its blocks (channel, time), float32.

    Raises:
        AudioError: The source cannot be used: when it is opened, or when a block is asked for.
        ValueError: The description of the samples does not fit.

    Example:
        >>> with streamed(bytes(32_000), Raw(16_000)) as sound:
        ...     sound.rate, sum(block.shape[1] for block in sound.blocks)
        (16000, 16000)
    """
    if raw is not None:
        check_one_of(FORMATS, "sample_format", raw.sample_format)
        check_at_least(1, 1024, whole=True, n_channels=raw.n_channels)
        check_sample_rate(raw.sample_rate)
    if raw is not None or _is_pipe(source):
        with naming(source), explaining("cannot be read", "see that it is a file, exists and may be read"):
            with _binary(source) as stream:
                read = _reader(stream)
                if raw is not None:
                    yield Sound(raw.sample_rate, _blocks(read, raw, None))
                    return
                head = _exactly(read, 12)
                if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:] == b"WAVE":
                    form, n_bytes = _header(read, head)
                    yield Sound(form.sample_rate, _blocks(read, form, n_bytes))
                    return
                name, source = name_of(source), io.BytesIO(head + b"".join(iter(lambda: read(_MOST_BYTES), b"")))
                source.name = name  # for messages
    with opened(source, None) as sound:
        yield sound


def _is_pipe(source: Source) -> bool:
    """Tell whether a source is a file object or a path that cannot seek."""
    if isinstance(source, (str, os.PathLike)):
        return os.path.exists(source) and stat.S_ISFIFO(os.stat(source).st_mode)
    return hasattr(source, "read") and not (hasattr(source, "seekable") and source.seekable())


@contextmanager
def _binary(source: Source) -> Iterator[BinaryIO]:
    """Open a source as a binary file."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        source = io.BytesIO(source)
    if isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as stream:
            yield stream
    else:
        yield source


def _reader(stream: BinaryIO) -> Read:
    """Return a function that reads at most so many bytes, those that are there; none at the end."""
    read: Read = getattr(stream, "read1", stream.read)
    return read


def _exactly(read: Read, n_bytes: int) -> bytes:
    """Read so many bytes, or all up to the end."""
    content = b""
    while len(content) < n_bytes and (more := read(n_bytes - len(content))):
        content += more
    return content


def _header(read: Read, head: bytes) -> tuple[Raw, int | None]:
    """Read the chunks of a WAV up to its samples: what these are, and how many bytes; None where that is unknown."""
    form, long_size = None, None
    while len(start := _exactly(read, 8)) == 8:
        name, size = start[:4], int.from_bytes(start[4:], "little")
        if name == b"data":
            if form is None:
                break
            n_bytes = long_size if long_size and size == 2**32 - 1 else size
            is_unknown = -n_bytes % 2**31 <= 4096  # 0, or just under 2^31, 2^32 or 2^64
            return form, None if is_unknown else n_bytes
        if size > _MOST_HEADER:
            raise AudioError(f"is damaged: a chunk before its samples promises {size} bytes; {RESAVE}")
        content = _exactly(read, size + size % 2)
        if len(content) < size:
            break
        if name == b"fmt " and size >= 16:
            form = _form(content)
        elif name == b"ds64" and len(content) >= 16:
            long_size = int.from_bytes(content[8:16], "little")
    raise AudioError(f"is cut off before its samples, or has no format before them; {RESAVE}")


def _form(content: bytes) -> Raw:
    """Read the chunk "fmt " of a WAV."""
    codec, n_channels, rate, _, _, n_bits = struct.unpack("<HHIIHH", content[:16])
    if codec == _EXTENSIBLE and len(content) >= 26:
        (codec,) = struct.unpack("<H", content[24:26])
    check_rate(rate)
    if (codec, n_bits) not in _CODECS or not n_channels:
        raise AudioError(
            f"holds samples of codec {codec} with {n_bits} bits in {n_channels} channels, which cannot be read from a "
            "pipe; send 16-bit integers, for example by ffmpeg -i FILE -f wav -c:a pcm_s16le -"
        )
    return Raw(rate, _CODECS[codec, n_bits], n_channels)


def _blocks(read: Read, raw: Raw, n_bytes: int | None) -> Iterator[np.ndarray]:
    """Yield blocks (channel, time) of samples, up to a number of bytes or to the end."""
    one, to_floats = FORMATS[raw.sample_format]
    n_frame = one * raw.n_channels
    left, kept, n_read = n_bytes, b"", 0
    while left is None or left > 0:
        content = read(_MOST_BYTES if left is None else min(_MOST_BYTES, left))
        if not content:
            break
        n_read += len(content)
        left = None if left is None else left - len(content)
        content = kept + content
        n_whole = len(content) // n_frame * n_frame
        kept = content[n_whole:]
        if n_whole:
            block = np.ascontiguousarray(to_floats(content[:n_whole]).reshape(-1, raw.n_channels).T)
            check_scale(block)
            yield block
    if left:
        raise AudioError(f"is cut off: its header promises {n_bytes} bytes of samples, {n_read} came; {RESAVE}")
    if n_read < n_frame:
        raise AudioError("has no samples; see that the program before the pipe records")


def _narrow(samples: np.ndarray) -> np.ndarray:
    """Return float64 samples as float32; those that are no samples of a recording as infinite ones."""
    with np.errstate(over="ignore"):
        return samples.astype(np.float32)


def _int24(content: bytes) -> np.ndarray:
    """Return integers of 3 bytes, little-endian, as int32."""
    wide = np.zeros((len(content) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(content, np.uint8).reshape(-1, 3)
    return wide.view("<i4")[:, 0] >> 8
