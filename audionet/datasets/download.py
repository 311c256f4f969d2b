"""Downloading a corpus: resumed after a break, verified, and never half there.

An archive arrives as `<root>/<archive>.part`, see `transfer`. It is verified, unpacks into a folder beside its final
place that is renamed once it is complete, and is then removed. An archive that the user has put at `<root>/<archive>`
is taken instead, and stays. Two processes do not do this in one root at the same time: the second waits.
"""

import errno
from pathlib import Path

from audionet import console
from audionet.checks import listed
from audionet.datasets.archives import ArchiveError
from audionet.datasets.cards import Card, File
from audionet.datasets.transfer import fetch, remove, size_of
from audionet.datasets.unpack import ELSEWHERE, MANIFEST, DownloadError, read_manifest, sha256, unpack
from audionet.files import remove_partials
from audionet.locks import only_one


def get(card: Card, root: str | Path | None = None, *, progress: bool = True) -> Path:
    """Download, verify and unpack what a corpus still lacks.

    An interrupted download resumes where it stopped. A folder that is complete is left alone.

    Args:
        card: The corpus.
        root: Folder to hold it; None for `Card.default_root`.
        progress: Show progress bars, if standard error is a terminal.

    Returns:
        The corpus root.

    Raises:
        DownloadError: The server or the network fails, the disk is full, an archive is not what the card says or must
            not be unpacked, or a folder is in the way.
    """
    root = Path(root) if root is not None else card.default_root
    try:
        if _lacking(card, root):
            root.mkdir(parents=True, exist_ok=True)
            with only_one(root, "downloading a corpus"):
                remove_partials(root)
                for file in _lacking(card, root):  # another process may have brought it meanwhile
                    _get(file, root, progress)
    except OSError as error:
        raise DownloadError(_what_fails(root, error)) from error
    return root


def verify(card: Card, root: str | Path | None = None, *, progress: bool = True) -> list[str]:
    """Check every file of a downloaded corpus against the checksum it was unpacked with.

    Args:
        card: The corpus.
        root: Folder that holds it; None for `Card.default_root`.
        progress: Show progress bars, if standard error is a terminal.

    Returns:
        A line for each folder: how many files match, and whether the card could vouch for their archive.

    Raises:
        DownloadError: A folder is missing, incomplete, of another archive than the card's, or has changed files.
    """
    root = Path(root) if root is not None else card.default_root
    return [_verify(card, file, root / file.folder, progress) for file in card.files]


def _verify(card: Card, file: File, folder: Path, progress: bool) -> str:
    get_again = f"run `audionet data get {card.name}`"
    unpacked = read_manifest(folder)
    if unpacked is None:
        raise DownloadError(
            f"{folder} is missing or was not unpacked by audionet, or its {MANIFEST} is damaged; {get_again}"
        )
    checksum, sums = unpacked
    if file.sha256 not in (None, checksum):
        raise DownloadError(
            f"{folder}: expected an archive with sha256 {file.sha256}, as the card says, got {checksum}; {get_again}"
        )
    total = sum(size_of(folder / path) for path in sums)
    with console.progress(f"verify {file.folder}", total, in_bytes=True, show=progress) as advance:
        wrong = [
            path
            for path, expected in sums.items()
            if not (folder / path).is_file() or sha256(folder / path, advance) != expected
        ]
    if wrong:
        raise DownloadError(
            f"{folder}: {len(wrong)} of {len(sums)} files are missing or changed: {listed(wrong, 5)}; "
            f"delete the folder and {get_again}"
        )
    origin = "as the card says" if file.sha256 else "unverified: the card gives none"
    return f"{folder}: {len(sums)} files match; archive {file.name} has sha256 {checksum} ({origin})"


def _lacking(card: Card, root: Path) -> list[File]:
    """Return the archives whose folders are missing, or of another archive than the card's."""
    lacking = []
    for file in card.files:
        folder = root / file.folder
        was_there = folder.exists()  # asked first, as another process may put it there meanwhile
        unpacked = read_manifest(folder)
        if unpacked is None and was_there and folder.exists():
            raise DownloadError(
                f"{folder} exists and was not unpacked by audionet, or its {MANIFEST} is damaged: if it is the corpus "
                f"use it as it is, with --data.root {root}; otherwise move it away and run this again"
            )
        if unpacked is None or file.sha256 not in (None, unpacked[0]):
            lacking.append(file)
    return lacking


def _get(file: File, root: Path, progress: bool) -> None:
    """Download, verify and unpack an archive; remove it afterwards, unless the user has put it there."""
    placed, part = root / file.name, root / f"{file.name}.part"
    own = not placed.is_file()
    if own:
        with console.progress(f"download {file.name}", file.size, in_bytes=True, show=progress) as advance:
            fetch(file, part, advance)
    try:
        _check_and_unpack(file, part if own else placed, root / file.folder, progress)
    except ArchiveError as error:
        if not own:
            raise DownloadError(f"{placed}: {error}; move it away and run this again") from None
        remove(part)
        raise DownloadError(
            f"{file.url}: {error}. The file was deleted: run this again; if it comes out the same, the publisher has "
            "changed the archive or something on the way alters it, and the card needs correcting"
        ) from None
    if own:
        remove(part)


def _check_and_unpack(file: File, archive: Path, folder: Path, progress: bool) -> None:
    """Unpack an archive if it is what the card says.

    Raises:
        ArchiveError: It is not, or is damaged, or holds what must not be unpacked.
        OSError: The disk is full or cannot be written.
    """
    size = size_of(archive)
    with console.progress(f"verify {file.name}", size, in_bytes=True, show=progress) as advance:
        checksum = sha256(archive, advance)
    if file.size not in (None, size) or file.sha256 not in (None, checksum):
        raise ArchiveError(
            f"expected {file.size or 'any number of'} bytes with sha256 {file.sha256}, got {size} bytes with sha256 "
            f"{checksum}"
        )
    try:
        unpack(file, archive, folder, checksum=checksum, progress=progress)
    except ArchiveError as error:
        raise ArchiveError(
            f"expected an archive that is whole and harmless, got {error}; nothing was unpacked"
        ) from None


def _what_fails(root: Path, error: OSError) -> str:
    if error.errno is None:
        return f"{root}: {error}"  # check_free_space says it all
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        reason, advice = "the disk is full", "free some space and run this again, it resumes, or "
    else:
        reason, advice = f"the corpus cannot be written here ({error})", ""
    return f"{root}: {reason}; {advice}choose another folder {ELSEWHERE}"
