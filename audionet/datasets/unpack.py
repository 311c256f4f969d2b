"""Unpacking an archive into a folder, which appears once it is complete, and its list of checksums.

The list, `.sha256sums`, marks a complete folder, `download.verify` checks the files against it, and
`sha256sum --check` can read it. A file of this name in an archive is left out.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

from audionet import console
from audionet.datasets.archives import Advance, ArchiveError, Member, members
from audionet.datasets.cards import File
from audionet.files import NAME_ERRORS, check_free_space

MANIFEST = ".sha256sums"
ELSEWHERE = "with --root or the variable AUDIONET_CACHE"
_BLOCK = 1 << 18
_SHA256 = "[0-9a-f]{64}"


class DownloadError(ValueError):
    """A corpus that could not be fetched, verified or unpacked."""


def unpack(file: File, archive: Path, folder: Path, *, checksum: str, progress: bool) -> None:
    """Unpack an archive into a folder, which appears only once it is complete.

    Args:
        file: What the card says of the archive: its address, and the folder within it to unpack.
        archive: An archive that `archives.members` reads.
        folder: New folder; one that audionet has unpacked before is replaced.
        checksum: Checksum of the archive, which the list of checksums begins with.
        progress: Show a progress bar, if standard error is a terminal.

    Raises:
        ArchiveError: The archive is damaged, or holds what must not or cannot be unpacked. Then nothing is unpacked.
        OSError: The folder cannot be written, or the disk has no room.
    """
    partial = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(partial, ignore_errors=True)  # left by a run that was killed
    partial.mkdir(parents=True)
    try:
        size = archive.stat().st_size
        with console.progress(f"unpack {file.name}", size, in_bytes=True, show=progress) as advance:
            sums = _write_all(members(archive, advance), PurePosixPath(file.member), partial)
        if not sums:
            raise ArchiveError(f"no files{f' in {file.member}' if file.member else ''}")
        lines = [f"# {checksum} {file.url}", *(f"{sums[path]}  {path}" for path in sorted(sums))]
        (partial / MANIFEST).write_text("\n".join(lines) + "\n", encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)  # complete, but of another archive than the card's
        os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def read_manifest(folder: Path) -> tuple[str, dict[str, str]] | None:
    """Return the checksum of the archive that a folder was unpacked from, and {path: checksum} of its files.

    It is None where the list is missing, or damaged by a power failure.
    """
    try:
        first, *lines = (folder / MANIFEST).read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    head, entries = re.match(f"# ({_SHA256}) ", first), [re.fullmatch(f"({_SHA256})  (.+)", line) for line in lines]
    if head is None or not entries or None in entries:
        return None
    return head[1], {entry[2]: entry[1] for entry in entries if entry}


def sha256(path: Path, advance: Advance) -> str:
    """Return the checksum of a file, and tell ``advance`` the bytes read."""
    return _digest(_blocks(path), lambda block: advance(len(block)))


def _write_all(found: Iterable[Member], wanted: PurePosixPath, folder: Path) -> dict[str, str]:
    """Write the members below a folder of their archive; return {path: checksum}."""
    sums: dict[str, str] = {}
    for member in found:
        if not member.path.is_relative_to(wanted):
            continue
        path = member.path.relative_to(wanted)
        if path.parts and path.parts[0].casefold() == MANIFEST:
            continue
        check_free_space(folder, member.size, f"unpacking {member.path.name}", ELSEWHERE)
        try:
            (folder / path.parent).mkdir(parents=True, exist_ok=True)
            # An archive may hold a newer version of a file behind it, but not one that the disk takes for the same.
            copy = open(folder / path, "wb" if path.as_posix() in sums else "xb")
        except OSError as error:
            if error.errno in NAME_ERRORS:
                raise ArchiveError(f"the name {path.as_posix()!r}, which cannot be a file here ({error})") from None
            raise
        with copy:
            sums[path.as_posix()] = _digest(member.blocks, copy.write)
    return sums


def _digest(blocks: Iterable[bytes], take: Callable[[bytes], object]) -> str:
    """Return the checksum of blocks, which are handed on."""
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(block)
        take(block)
    return digest.hexdigest()


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            yield block
