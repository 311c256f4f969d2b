"""Reading archives that may be damaged or hostile: what they hold comes out whole, or an error does.

A tar file says where it ends, and gzip, bzip2, xz and zip keep checksums of what they hold. All of these are compared.
Only a tar file that is not compressed has no checksum of its contents.
"""

import bz2
import gzip
import importlib
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Protocol, cast

MOST_TIMES, LEAST_LIMIT = 100, 1 << 28  # an archive may unpack to so many times its size, or to 256 MiB
_BLOCK = 1 << 18
_MOST_FOLDERS = 64  # in one another
_LONGEST_NAME = 255  # bytes, on most systems
_LONGEST_NOTE = 1 << 20  # bytes of a header that says more of the next member, such as a long name

Advance = Callable[[int], object]


class ArchiveError(ValueError):
    """An archive that is damaged, or that holds what must not be unpacked."""


@dataclass(frozen=True)
class Member:
    """A file in an archive.

    Attributes:
        path: Its path, which stays inside the folder that it is put in.
        size: Its size in bytes, as the archive says.
        blocks: Its content, to be read before the next member.
    """

    path: PurePosixPath
    size: int
    blocks: Iterator[bytes]


def members(archive: Path, advance: Advance) -> Iterator[Member]:
    """Yield the files in an archive.

    Args:
        archive: A zip file, or a tar file that is not compressed or by gzip, bzip2, xz or (from Python 3.14) zstd.
        advance: Is told the bytes of the archive that have been read.

    Raises:
        ArchiveError: It is none, or is damaged, or holds a link or device, a name that leads out of the folder or
            cannot be one, or more than ``MOST_TIMES`` its own size.
        OSError: This Python cannot read zstd.
    """
    size = archive.stat().st_size
    with archive.open("rb") as raw:
        start = raw.read(6)
        raw.seek(0)
        if start.startswith(b"PK"):
            yield from _zip_members(raw, _Limit(size), advance)
        else:
            # Counted apart: what is decompressed, and what comes out, which is more where files have holes.
            stream = _Limited(_decompressed(start, raw), _Limit(size))
            yield from _tar_members(raw, stream, _Limit(size), advance)


class _Limit:
    """What an archive may still unpack to."""

    def __init__(self, archive_size: int) -> None:
        self.most = max(MOST_TIMES * archive_size, LEAST_LIMIT)
        self.left = self.most

    def check(self, size: int) -> None:
        """Refuse a file that is too large before a byte of it is read."""
        if size > self.left:
            raise ArchiveError(
                f"more than {self.most / 1e6:,.0f} MB in so small an archive (if that is right, unpack it by hand)"
            )

    def take(self, block: bytes) -> bytes:
        """Pass a block on, unless it is too much."""
        self.check(len(block))
        self.left -= len(block)
        return block


@contextmanager
def _no_surprise() -> Iterator[None]:
    """Make every exception an `ArchiveError`: the readers raise a dozen kinds for what a hostile file can hold."""
    try:
        yield
    except ArchiveError:
        raise
    except Exception as error:
        raise ArchiveError(str(error) or type(error).__name__) from error


def _contents(stream: IO[bytes], limit: _Limit) -> Iterator[bytes]:
    """Yield the blocks of a stream, up to its end, where checksums are compared."""
    with _no_surprise():
        while block := stream.read(_BLOCK):
            yield limit.take(block)


def _safe_path(name: str) -> PurePosixPath:
    """Refuse names that lead out of the folder, on this or another system, or that no file or list can hold."""
    path, windows = PurePosixPath(name), PureWindowsPath(name)
    if path.is_absolute() or windows.drive or windows.root or ".." in windows.parts or not name.isprintable():
        raise ArchiveError(f"the name {name!r}, which leads out of the folder")
    if len(path.parts) > _MOST_FOLDERS or any(len(part.encode()) > _LONGEST_NAME for part in path.parts):
        raise ArchiveError(f"the name {f'{name[:40]}...'!r}, which is too long")
    return path


# ---- zip -------------------------------------------------------------------------------------------------------


def _zip_members(raw: IO[bytes], limit: _Limit, advance: Advance) -> Iterator[Member]:
    with _no_surprise(), zipfile.ZipFile(raw) as package:
        for info in package.infolist():
            # The upper half holds the Unix mode: a regular file, a folder, or none where it was made elsewhere.
            if info.external_attr >> 28 not in (0, 0o10, 0o4):
                raise ArchiveError(f"the link or device {info.filename!r}")
            name = info.orig_filename.replace("\\", "/")  # as Windows writes it; the other name is cut at a NUL
            path = _safe_path(name)
            if not name.endswith("/"):
                limit.check(info.file_size)
                with package.open(info) as stream:
                    yield Member(path, info.file_size, _contents(stream, limit))
            advance(info.compress_size)


# ---- tar -------------------------------------------------------------------------------------------------------


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Limited:
    """A stream that is read up to a limit."""

    def __init__(self, stream: _Readable, limit: _Limit) -> None:
        self.stream, self.limit = stream, limit

    def read(self, size: int, /) -> bytes:
        return self.limit.take(self.stream.read(size))


class _Header(tarfile.TarInfo):
    """A header that is whole: `tarfile` takes a damaged one for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Header":
        """Read a block; only one of zeros ends the archive."""
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):
                raise
            raise tarfile.ReadError(f"a tar file that is cut off or damaged ({error})") from None
        if header.size > _LONGEST_NOTE and not (header.isreg() or header.isdir()):
            raise tarfile.ReadError(f"{header.size:,} bytes that describe one file")
        return header


def _tar_members(raw: IO[bytes], stream: _Readable, limit: _Limit, advance: Advance) -> Iterator[Member]:
    position = 0
    fileobj = cast(IO[bytes], stream)  # of a tape only reading is asked
    with _no_surprise(), tarfile.open(fileobj=fileobj, mode="r|", bufsize=_BLOCK, tarinfo=_Header) as tape:
        while info := tape.next():
            tape.members.clear()  # type: ignore[attr-defined]  # it keeps them all
            if not (info.isreg() or info.isdir()):
                raise ArchiveError(f"the link or device {info.name!r}")
            path = _safe_path(info.name)
            if content := tape.extractfile(info):
                limit.check(info.size)
                yield Member(path, info.size, _contents(content, limit))
            advance(raw.tell() - position)
            position = raw.tell()
        while block := tape.fileobj.read(_BLOCK):  # to the end, where checksums are compared
            if block.strip(b"\0"):
                raise ArchiveError("something behind the end of the archive")


def _decompressed(start: bytes, raw: IO[bytes]) -> _Readable:
    """Return what a file holds, by its first bytes."""
    if start.startswith(b"\x1f\x8b"):
        return gzip.open(raw)
    if start.startswith(b"BZh"):
        return bz2.open(raw)
    if start.startswith(b"\xfd7zXZ\x00"):
        return lzma.open(raw)
    if start.startswith(b"\x28\xb5\x2f\xfd"):
        try:
            zstd = importlib.import_module("compression.zstd")
        except ImportError:
            raise OSError("an archive compressed by zstd needs Python 3.14; unpack it by hand") from None
        stream: _Readable = zstd.open(raw)
        return stream
    return raw
