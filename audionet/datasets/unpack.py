"""Unpacking an archive without harm: what it holds stays in its folder, which appears once it is complete.

A list of checksums, `.sha256sums`, stands in each folder. It marks a complete folder, `download.verify` checks the
files against it, and `sha256sum --check` can read it.
"""

import hashlib
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from audionet import console
from audionet.datasets.cards import File

MANIFEST = ".sha256sums"
_BLOCK = 1 << 18

Advance = Callable[[int], object]


class DownloadError(ValueError):
    """A corpus that could not be fetched, verified or unpacked."""


def unpack(file: File, archive: Path, folder: Path, *, checksum: str, progress: bool) -> None:
    """Unpack an archive into a folder, which appears only once it is complete; then delete the archive.

    Args:
        file: What the card says of the archive: its address, and the folder within it to unpack.
        archive: A zip file, or a tar file of any compression.
        folder: New folder; one that audionet has unpacked before is replaced.
        checksum: Checksum of the archive, which the list of checksums begins with.
        progress: Show a progress bar, if standard error is a terminal.

    Raises:
        DownloadError: The archive is damaged, or holds links, devices or names that lead out of the folder. Then
            nothing is unpacked, and the archive is deleted.
        OSError: The folder cannot be written.
    """
    partial = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(partial, ignore_errors=True)  # left by a run that was killed
    partial.mkdir(parents=True)
    try:
        sums: dict[str, str] = {}
        size = archive.stat().st_size
        with console.progress(f"unpack {file.name}", size, in_bytes=True, show=progress) as advance:
            for name, stream in _members(archive, advance):
                path = _safe_path(name)
                if stream is not None and path.is_relative_to(file.member):
                    relative = path.relative_to(file.member).as_posix()
                    sums[relative] = _write(stream, partial / relative)
        if not sums:
            raise RuntimeError(f"no files{f' in {file.member}' if file.member else ''}")
        lines = [f"# {checksum} {file.url}", *(f"{sums[path]}  {path}" for path in sorted(sums))]
        (partial / MANIFEST).write_text("\n".join(lines) + "\n", encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)  # complete, but of another archive than the card's
        os.replace(partial, folder)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, RuntimeError) as error:
        archive.unlink()
        raise DownloadError(
            f"{archive.name}: expected an archive that is whole and harmless, got {error}. "
            f"Nothing was unpacked and the archive was deleted ({file.url})"
        ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    archive.unlink()


def is_unpacked(folder: Path) -> bool:
    """Tell whether a folder was unpacked here and is complete."""
    return (folder / MANIFEST).is_file()


def read_manifest(folder: Path) -> tuple[str, dict[str, str]]:
    """Return the checksum of the archive that a folder was unpacked from, and {path: checksum} of its files."""
    first, *lines = (folder / MANIFEST).read_text(encoding="utf-8").splitlines()
    return first.split()[1], {line[66:]: line[:64] for line in lines}


def sha256(path: Path, advance: Advance) -> str:
    """Return the checksum of a file, and tell ``advance`` the bytes read."""
    with path.open("rb") as stream:
        return _digest(stream, lambda block: advance(len(block)))


def _members(archive: Path, advance: Advance) -> Iterator[tuple[str, IO[bytes] | None]]:
    """Yield the name of each member and, for files, its content; refuse all but files and folders."""
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as package:
            for info in package.infolist():
                # The upper half holds the Unix mode: a regular file, a folder, or none where it was made elsewhere.
                if info.external_attr >> 28 not in (0, 0o10, 0o4):
                    raise RuntimeError(f"the link or device {info.filename!r}")
                yield info.filename, None if info.is_dir() else package.open(info)
                advance(info.compress_size)
        return
    with archive.open("rb") as raw, tarfile.open(fileobj=raw, mode="r|*") as tape:
        position = 0
        for member in tape:
            if not (member.isreg() or member.isdir()):
                raise RuntimeError(f"the link or device {member.name!r}")
            yield member.name, tape.extractfile(member)
            advance(raw.tell() - position)
            position = raw.tell()


def _safe_path(name: str) -> PurePosixPath:
    """Refuse names that lead out of the folder, on this or another system, or that a list cannot hold."""
    path, windows = PurePosixPath(name), PureWindowsPath(name)
    if path.is_absolute() or windows.drive or windows.root or ".." in windows.parts or not name.isprintable():
        raise RuntimeError(f"the name {name!r}, which leads out of the folder")
    return path


def _write(stream: IO[bytes], path: Path) -> str:
    """Write a stream to a file; return its checksum."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as copy:
        return _digest(stream, copy.write)


def _digest(stream: IO[bytes], take: Callable[[bytes], object]) -> str:
    """Return the checksum of a stream, whose blocks are handed on."""
    digest = hashlib.sha256()
    while block := stream.read(_BLOCK):
        digest.update(block)
        take(block)
    return digest.hexdigest()
