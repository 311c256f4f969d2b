"""Downloading a corpus: resumed after a break, verified, and never half there.

An archive arrives as `<root>/<archive>.part` and is renamed once it is complete and verified. It unpacks into a folder
beside its final place that is renamed once it is complete, and is then deleted.
"""

import http.client
import os
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path

from audionet import __version__, console
from audionet.checks import listed
from audionet.datasets.cards import Card, File
from audionet.datasets.unpack import Advance, DownloadError, is_unpacked, read_manifest, sha256, unpack
from audionet.files import check_free_space

# Ours, although librosa brings pooch, which fetches, checks and unpacks: pooch begins a broken download anew, and the
# archives here have up to 24 GB.

BACKOFF = 1.0  # seconds before the first new try; each further one waits twice as long
_ATTEMPTS = 4  # broken connections in a row without a byte gained
_BLOCK = 1 << 18
_TIMEOUT = 30.0
_BROKEN = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError)


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
    lacking = []
    for file in card.files:
        folder = root / file.folder
        if not is_unpacked(folder) or file.sha256 not in (None, read_manifest(folder)[0]):
            lacking.append(file)
        if folder.exists() and not is_unpacked(folder):
            raise DownloadError(
                f"{folder} exists and was not unpacked by audionet: if it is the corpus use it as it is, "
                f"with --data.root {root}; otherwise move it away and run this again"
            )
    for file in lacking:
        try:
            root.mkdir(parents=True, exist_ok=True)
            archive, checksum = _download(file, root, progress)
            unpack(file, archive, root / file.folder, checksum=checksum, progress=progress)
        except OSError as error:
            raise DownloadError(
                f"{file.name}: {error}; then run this again, it resumes, or name another folder with --root or "
                "AUDIONET_CACHE"
            ) from error
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
    if not is_unpacked(folder):
        raise DownloadError(f"{folder} is missing or was not unpacked by audionet; {get_again}")
    checksum, sums = read_manifest(folder)
    if file.sha256 not in (None, checksum):
        raise DownloadError(
            f"{folder}: expected an archive with sha256 {file.sha256}, as the card says, got {checksum}; {get_again}"
        )
    total = sum(_size(folder / path) for path in sums)
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


def _download(file: File, root: Path, progress: bool) -> tuple[Path, str]:
    """Bring an archive to `<root>/<its name>`, complete and verified; return it and its checksum."""
    archive, part = root / file.name, root / f"{file.name}.part"
    if not archive.exists():
        if file.size is None or _size(part) != file.size:
            with console.progress(f"download {file.name}", file.size, in_bytes=True, show=progress) as advance:
                _fetch(file, part, advance)
        os.replace(part, archive)
        _version_file(part).unlink(missing_ok=True)
    size = _size(archive)
    with console.progress(f"verify {file.name}", size, in_bytes=True, show=progress) as advance:
        checksum = sha256(archive, advance)
    if (file.size is not None and size != file.size) or file.sha256 not in (None, checksum):
        archive.unlink()
        raise DownloadError(
            f"{file.url}: expected {file.size or 'any number of'} bytes with sha256 {file.sha256}, got {size} "
            f"bytes with sha256 {checksum}. The file was deleted: run this again; if it comes out the same, the "
            "publisher has changed the archive or something on the way alters it, and the card needs correcting"
        )
    return archive, checksum


def _fetch(file: File, part: Path, advance: Advance) -> None:
    """Append what is missing to `part`, and try again after a broken connection."""
    failures = 0
    advance(_size(part))
    while True:
        before = _size(part)
        try:
            return _request(file, part, advance)
        except urllib.error.HTTPError as error:
            reason = f"the server answers {error.code} {error.reason}"
            if error.code not in (408, 429) and error.code < 500:
                raise DownloadError(
                    f"{file.url}: {reason}: the file has moved or is not open to you; "
                    "see the homepage on the corpus's card"
                ) from None
        except _BROKEN as error:
            reason = str(getattr(error, "reason", "") or error or type(error).__name__)
        failures = 1 if _size(part) > before else failures + 1
        if failures == _ATTEMPTS:
            raise DownloadError(
                f"{file.url}: {reason}, {_ATTEMPTS} times in a row: check the network, then run this again; "
                "what has arrived is kept"
            )
        time.sleep(BACKOFF * 2 ** (failures - 1))


def _request(file: File, part: Path, advance: Advance) -> None:
    """Ask once for what `part` lacks and append it; raise an exception where less arrives than was announced."""
    have = _size(part)
    headers = {"User-Agent": f"audionet/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if _version_file(part).exists():
            # A file that has changed since is then sent whole, instead of being glued to the old beginning.
            headers["If-Range"] = _version_file(part).read_text(encoding="utf-8")
    try:
        response = urllib.request.urlopen(urllib.request.Request(file.url, headers=headers), timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:
            raise
        # Nothing lies beyond what is here: it is complete, unless the file on the server is another one.
        if error.headers.get("Content-Range") == f"bytes */{have}":
            return
        _restart(part, advance)
        return _request(file, part, advance)
    with response:
        if response.status != 206:
            _restart(part, advance)
        elif not (response.headers.get("Content-Range") or "").startswith(f"bytes {have}-"):
            _restart(part, advance)
            raise ConnectionError("the server sent another part of the file than it was asked for")
        _receive(response, file, part, advance)


def _receive(response: http.client.HTTPResponse, file: File, part: Path, advance: Advance) -> None:
    """Append the body of an answer to `part`."""
    version = response.headers.get("ETag") or response.headers.get("Last-Modified") or "W/"
    if not version.startswith("W/"):  # a weak tag cannot vouch for bytes
        _version_file(part).write_text(version, encoding="utf-8")
    length = response.headers.get("Content-Length")
    left = int(length) if length else max(0, (file.size or 0) - _size(part))
    # Audio archives unpack to less than twice their size.
    check_free_space(part.parent, left + 2 * (left + _size(part)), f"the download and what is in {file.name}")
    got = 0
    with part.open("ab") as stream:
        while block := response.read(_BLOCK):
            stream.write(block)
            got += len(block)
            advance(len(block))
    if length and got < int(length):
        raise ConnectionError(f"the connection broke after {got:,} of {int(length):,} bytes")


def _restart(part: Path, advance: Advance) -> None:
    advance(-_size(part))
    part.unlink(missing_ok=True)
    _version_file(part).unlink(missing_ok=True)


def _version_file(part: Path) -> Path:
    return part.with_name(part.name + ".version")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
