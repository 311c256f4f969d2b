"""What of a file is to be decoded, and reading at a position."""

import io
import os
from typing import Any, BinaryIO, NamedTuple

_BLOCK = 1 << 20  # bytes searched at a time


class Contents(NamedTuple):
    """A file for libsndfile, and what its headers promise. Checks return one, or several that follow in time.

    Attributes:
        stream: The file that was checked, or what is whole of it in memory.
        n_samples: Samples of a channel; None where the headers do not say.
        md5: MD5 checksum of the samples as little-endian integers; None where there is none.
    """

    stream: BinaryIO
    n_samples: int | None = None
    md5: bytes | None = None


def read_at(stream: BinaryIO, position: int, n_bytes: int = -1) -> bytes:
    """Read bytes from a position on, all of them by default."""
    stream.seek(position)
    return stream.read(n_bytes)


def find(stream: BinaryIO, sought: bytes, position: int) -> int | None:
    """Return where bytes stand next, from a position on; None where they do not.

    Example:
        >>> find(io.BytesIO(b"one two one"), b"one", 1)
        8
    """
    while len(block := read_at(stream, position, _BLOCK)) >= len(sought):
        place = block.find(sought)
        if place >= 0:
            return position + place
        position += len(block) - len(sought) + 1
    return None


def id3_size(head: bytes) -> int:
    """Return the number of bytes of the ID3v2 tag that begins with these 10 bytes, 0 where none does."""
    if len(head) < 10 or not head.startswith(b"ID3"):
        return 0
    n_bytes = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
    return 10 + n_bytes + (10 if head[5] & 0x10 else 0)


class _Spliced(io.RawIOBase):
    """New bytes, and behind them a range of a stream."""

    def __init__(self, head: bytes, stream: BinaryIO, start: int, end: int) -> None:
        self._head, self._stream, self._shift, self._end = head, stream, start - len(head), end
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._end - self._shift}[whence]
        self._position = max(base + offset, 0)
        return self._position

    def readinto(self, buffer: Any, /) -> int:
        if self._position < len(self._head):
            found = self._head[self._position : self._position + len(buffer)]
        else:
            place = self._position + self._shift
            found = read_at(self._stream, place, max(min(len(buffer), self._end - place), 0))
        buffer[: len(found)] = found
        self._position += len(found)
        return len(found)


def spliced(head: bytes, stream: BinaryIO, start: int, end: int) -> BinaryIO:
    """Return a stream of new bytes and, behind them, a range of another stream, which is not copied.

    Example:
        >>> spliced(b"new ", io.BytesIO(b"an old end"), 3, 6).read()
        b'new old'
    """
    return io.BufferedReader(_Spliced(head, stream, start, end))
