"""Download a corpus: resumed after a break, verified, unpacked without harm, and never half there.

An archive arrives as `<root>/<archive>.part`, is renamed once complete and verified, unpacks into a folder
beside its final place that is renamed once complete, and is then deleted. What was unpacked is listed in
`.sha256sums` within the folder: the mark of a complete folder, what `verify` checks against, and readable by
`sha256sum --check`.
"""

import contextlib
import hashlib
import http.client
import os
import shutil
import ssl
import tarfile
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from audionet.datasets.cards import Card, File
from audionet.version import __version__

MANIFEST = ".sha256sums"
_BLOCK = 1 << 18
_TIMEOUT = 30.0
# Broken connections in a row without a byte gained before giving up, and seconds before the first new try.
_ATTEMPTS = 4
_BACKOFF = 1.0

_BROKEN = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError)
_Advance = Callable[[int], object]


class DownloadError(ValueError):
    """A corpus that could not be fetched, verified or unpacked."""


class _BadArchive(DownloadError):
    """An archive that is damaged or must not be unpacked."""


def get(card: Card, root: str | Path | None = None, *, progress: bool = True) -> Path:
    """Download, verify and unpack what a corpus still lacks.

    An interrupted download resumes where it stopped; a folder that is complete is left alone.

    Args:
        card: The corpus.
        root: Folder to hold it; None: where the card says (`Card.default_root`).
        progress: Show progress bars, if the standard error is a terminal.

    Returns:
        The corpus root.

    Raises:
        DownloadError: The server or the network fails, the disk is full, an archive is not what the card
            says or must not be unpacked, or a folder is in the way.
    """
    root = Path(root) if root is not None else card.default_root
    lacking = [file for file in card.files if not _is_complete(file, root)]
    for file in lacking:
        folder = root / file.folder
        if folder.exists() and not (folder / MANIFEST).is_file():
            raise DownloadError(
                f"{folder} exists and was not unpacked by audionet: if it is the corpus use it as it is, "
                f"with --data.root {root}; otherwise move it away and run this again"
            )
    for file in lacking:
        try:
            root.mkdir(parents=True, exist_ok=True)
            archive, checksum = _download(file, root, progress)
            _unpack(file, archive, checksum, root / file.folder, progress)
        except OSError as error:
            raise DownloadError(f"{file.name}: {error}; once that is mended run this again, it resumes") from error
    return root


def verify(card: Card, root: str | Path | None = None, *, progress: bool = True) -> list[str]:
    """Check every file of a downloaded corpus against the checksum it was unpacked with.

    Args:
        card: The corpus.
        root: Folder that holds it; None: where the card says.
        progress: Show progress bars, if the standard error is a terminal.

    Returns:
        A line for each folder: how many files match, and whether the card could vouch for their archive.

    Raises:
        DownloadError: A folder is missing, incomplete, of another archive than the card's, or has changed
            files.
    """
    root = Path(root) if root is not None else card.default_root
    lines = []
    for file in card.files:
        folder = root / file.folder
        if not (folder / MANIFEST).is_file():
            raise DownloadError(
                f"{folder} is missing or was not unpacked by audionet: get it with `audionet data get {card.name}`"
            )
        checksum, sums = _read_manifest(folder)
        if file.sha256 not in (None, checksum):
            raise DownloadError(
                f"{folder}: unpacked from an archive with sha256 {checksum}, the card asks for "
                f"{file.sha256}: run `audionet data get {card.name}`"
            )
        total = sum(_size(folder / path) for path in sums)
        with _progress(f"verify {file.folder}", total, progress) as advance:
            wrong = [
                path
                for path, expected in sums.items()
                if not (folder / path).is_file() or _sha256(folder / path, advance) != expected
            ]
        if wrong:
            more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
            raise DownloadError(
                f"{folder}: {len(wrong)} of {len(sums)} files are missing or changed: "
                f"{', '.join(wrong[:5])}{more}; delete the folder and run `audionet data get {card.name}`"
            )
        origin = "as the card says" if file.sha256 else "unverified: the card gives none"
        lines.append(f"{folder}: {len(sums)} files match; archive {file.name} has sha256 {checksum} ({origin})")
    return lines


def _is_complete(file: File, root: Path) -> bool:
    folder = root / file.folder
    return (folder / MANIFEST).is_file() and file.sha256 in (None, _read_manifest(folder)[0])


def _read_manifest(folder: Path) -> tuple[str, dict[str, str]]:
    first, *lines = (folder / MANIFEST).read_text(encoding="utf-8").splitlines()
    return first.split()[1], {line[66:]: line[:64] for line in lines}


# Fetching


def _download(file: File, root: Path, progress: bool) -> tuple[Path, str]:
    """Bring an archive to `<root>/<its name>`, complete and verified; returns it and its sha256."""
    archive, part = root / file.name, root / f"{file.name}.part"
    if not archive.exists():
        if file.size is None or _size(part) != file.size:
            with _progress(f"download {file.name}", file.size, progress) as advance:
                _fetch(file, part, advance)
        os.replace(part, archive)
        _version_file(part).unlink(missing_ok=True)
    with _progress(f"verify {file.name}", _size(archive), progress) as advance:
        checksum = _sha256(archive, advance)
    size = _size(archive)
    if (file.size is not None and size != file.size) or file.sha256 not in (None, checksum):
        archive.unlink()
        raise DownloadError(
            f"{file.url}: expected {file.size or 'any number of'} bytes with sha256 {file.sha256}, got {size} "
            f"bytes with sha256 {checksum}. The file was deleted: run this again; if it comes out the same, the "
            "publisher has changed the archive or something on the way alters it, and the card needs correcting"
        )
    return archive, checksum


def _fetch(file: File, part: Path, advance: _Advance) -> None:
    """Append what is missing to `part`, trying again after a broken connection."""
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
        time.sleep(_BACKOFF * 2 ** (failures - 1))


def _request(file: File, part: Path, advance: _Advance) -> None:
    """Ask once for what `part` lacks and append it; raises where less arrives than was announced."""
    have = _size(part)
    headers = {"User-Agent": f"audionet/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        with contextlib.suppress(FileNotFoundError):
            # A file that has changed since is sent whole instead of glued to the old beginning.
            headers["If-Range"] = _version_file(part).read_text(encoding="utf-8")
    try:
        response = urllib.request.urlopen(urllib.request.Request(file.url, headers=headers), timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:
            raise
        # Nothing lies beyond what is here: complete, unless the file on the server is another one.
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
        version = response.headers.get("ETag") or response.headers.get("Last-Modified") or "W/"
        if not version.startswith("W/"):  # a weak tag cannot vouch for bytes
            _version_file(part).write_text(version, encoding="utf-8")
        length = response.headers.get("Content-Length")
        left = int(length) if length else max(0, (file.size or 0) - _size(part))
        _check_space(part.parent, left, unpacked=2 * (left + _size(part)))
        got = 0
        with part.open("ab") as stream:
            while block := response.read(_BLOCK):
                stream.write(block)
                got += len(block)
                advance(len(block))
        if length and got < int(length):
            raise ConnectionError(f"the connection broke after {got:,} of {int(length):,} bytes")


def _restart(part: Path, advance: _Advance) -> None:
    advance(-_size(part))
    part.unlink(missing_ok=True)
    _version_file(part).unlink(missing_ok=True)


def _version_file(part: Path) -> Path:
    return part.with_name(part.name + ".version")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _check_space(folder: Path, download: int, unpacked: int) -> None:
    """Refuse to begin what cannot end; audio archives unpack to less than twice their size."""
    free = shutil.disk_usage(folder).free
    if free < download + unpacked:
        raise DownloadError(
            f"{folder}: {free / 1e9:.1f} GB are free, about {(download + unpacked) / 1e9:.1f} GB are needed to "
            "download and unpack: make room, or choose another folder with --data.root (or AUDIONET_CACHE)"
        )


def _sha256(path: Path, advance: _Advance | None = None) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
            if advance:
                advance(len(block))
    return digest.hexdigest()


# Unpacking


def _unpack(file: File, archive: Path, checksum: str, folder: Path, progress: bool) -> None:
    """Unpack an archive into `folder`, which appears only once it is complete; then delete the archive."""
    partial = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(partial, ignore_errors=True)  # of a run that was killed
    partial.mkdir(parents=True)
    try:
        sums: dict[str, str] = {}
        with _progress(f"unpack {file.name}", _size(archive), progress) as advance:
            for name, stream in _members(archive, advance):
                path = _safe_path(archive, name)
                if stream is not None and path.is_relative_to(file.member):
                    relative = path.relative_to(file.member).as_posix()
                    sums[relative] = _write(stream, partial / relative)
        if not sums:
            raise _BadArchive(f"{archive.name}: holds no files" + (f" in {file.member}" if file.member else ""))
        lines = [f"# {checksum} {file.url}", *(f"{sums[path]}  {path}" for path in sorted(sums))]
        (partial / MANIFEST).write_text("\n".join(lines) + "\n", encoding="utf-8")
    except (_BadArchive, tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, RuntimeError) as error:
        shutil.rmtree(partial)
        archive.unlink()
        reason = str(error) if isinstance(error, _BadArchive) else f"{archive.name}: damaged archive ({error})"
        raise DownloadError(f"{reason}. Nothing was unpacked and the archive was deleted ({file.url})") from None
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    if folder.exists():
        shutil.rmtree(folder)  # complete, but of another archive than the card's
    os.replace(partial, folder)
    archive.unlink()


def _members(archive: Path, advance: _Advance) -> Iterator[tuple[str, IO[bytes] | None]]:
    """Yield each member's name and, for files, its content; refuse all but files and folders."""
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as package:
            for info in package.infolist():
                # The upper half holds the Unix mode: regular file, folder, or none where made elsewhere.
                if info.external_attr >> 28 not in (0, 0o10, 0o4):
                    raise _BadArchive(f"{archive.name}: refused to unpack {info.filename!r}, a link or device")
                if info.is_dir():
                    yield info.filename, None
                else:
                    with package.open(info) as stream:
                        yield info.filename, stream
                advance(info.compress_size)
        return
    with archive.open("rb") as raw, tarfile.open(fileobj=raw, mode="r|*") as package:
        position = 0
        for member in package:
            if not (member.isreg() or member.isdir()):
                raise _BadArchive(f"{archive.name}: refused to unpack {member.name!r}, a link or device")
            yield member.name, package.extractfile(member)
            advance(raw.tell() - position)
            position = raw.tell()


def _safe_path(archive: Path, name: str) -> PurePosixPath:
    """Refuse names that lead out of the folder, on this or another system, or that a list cannot hold."""
    path, windows = PurePosixPath(name), PureWindowsPath(name)
    if path.is_absolute() or windows.drive or windows.root or ".." in windows.parts or not name.isprintable():
        raise _BadArchive(f"{archive.name}: refused to unpack {name!r}, a name that leads out of the folder")
    return path


def _write(stream: IO[bytes], path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with path.open("wb") as copy:
        while block := stream.read(_BLOCK):
            copy.write(block)
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def _progress(title: str, total: int | None, show: bool) -> Iterator[_Advance]:
    """Show a progress bar on the standard error if that is a terminal; yields what moves it on."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not (show and console.is_terminal)) as bar:
        task = bar.add_task(title, total=total)
        yield lambda amount: bar.advance(task, amount)
