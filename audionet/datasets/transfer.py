"""Fetching one file by HTTP: resumed after a break, and never more than was announced.

It arrives as `<name>.part`. A record beside it, `<name>.part.origin`, says which address and version it is of, and
whether it is complete.

Ours, although librosa brings pooch, which fetches, checks and unpacks: pooch begins a broken download anew, and the
archives here have up to 24 GB.
"""

import http.client
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from audionet import __version__
from audionet.datasets.archives import Advance
from audionet.datasets.cards import File
from audionet.datasets.unpack import ELSEWHERE, DownloadError
from audionet.files import check_free_space, whole_file

BACKOFF = 1.0  # seconds before the first new try; each further one waits twice as long
SLOWEST, PATIENCE = 1024, 30.0  # bytes a second, over so many seconds, below which a connection counts as broken
_ATTEMPTS = 4  # in a row without so many new bytes:
_GAIN = 1 << 16
_BLOCK = 1 << 18
_MOST = 1 << 60  # bytes; no file is longer
_TIMEOUT = 30.0
_BROKEN = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError)


class _Unusable(Exception):
    """An answer that no new try would better."""


@dataclass(frozen=True)
class Origin:
    """Where a partial file comes from.

    Attributes:
        url: Its address.
        version: Strong ETag or date of the file on the server; empty where the server gives none.
        complete: Whether all of it is here.
    """

    url: str
    version: str = ""
    complete: bool = False


def fetch(file: File, part: Path, advance: Advance) -> None:
    """Bring a file to the path `part`; what is there of it already is kept.

    Args:
        file: Its address, and its size where the card gives one.
        part: Path that it arrives at.
        advance: Is told the bytes that have arrived; less than 0 where they are dropped.

    Raises:
        DownloadError: The server or the network fails, or the file is not as long as the card says. What a next call
            could not go on with is removed.
        OSError: The disk is full or cannot be written.
    """
    advance(size_of(part))
    origin = _read_origin(part)
    if origin and origin.url != file.url:
        _restart(part, advance)
    elif part.exists() and ((origin and origin.complete) or file.size == size_of(part)):
        return
    failures, most = 0, size_of(part)
    while True:
        try:
            return _request(file, part, advance)
        except _Unusable as error:
            remove(part)
            raise DownloadError(f"{file.url}: {error}; see the homepage on the corpus's card") from None
        except urllib.error.HTTPError as error:
            reason = _in_a_line(f"the server answers {error.code} {error.reason}")
            if error.code not in (408, 429) and error.code < 500:
                raise DownloadError(
                    f"{file.url}: {reason}: the file has moved or is not open to you; "
                    "see the homepage on the corpus's card"
                ) from None
        except _BROKEN as error:
            reason = _in_a_line(str(getattr(error, "reason", "") or error)) or type(error).__name__
        # A server that begins anew each time gains nothing.
        failures = 1 if size_of(part) >= most + _GAIN else failures + 1
        most = max(most, size_of(part))
        if failures == _ATTEMPTS:
            raise DownloadError(
                f"{file.url}: {reason}, {_ATTEMPTS} times in a row: check the network, then run this again; "
                "what has arrived is kept"
            )
        time.sleep(BACKOFF * 2 ** (failures - 1))


def size_of(path: Path) -> int:
    """Return the bytes of a file, 0 where there is none."""
    return path.stat().st_size if path.exists() else 0


def remove(part: Path) -> None:
    """Remove a partial file and its record, where they are there."""
    part.unlink(missing_ok=True)
    _record(part).unlink(missing_ok=True)


def _request(file: File, part: Path, advance: Advance) -> None:
    """Ask once for what `part` lacks and append it; raise an exception where less arrives than was announced."""
    have, origin = size_of(part), _read_origin(part) or Origin(file.url)
    headers = {"User-Agent": f"audionet/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if origin.version:
            # A file that has changed since is then sent whole, instead of being glued to the old beginning.
            headers["If-Range"] = origin.version
    try:
        response = urllib.request.urlopen(urllib.request.Request(file.url, headers=headers), timeout=_TIMEOUT)
    except ValueError as error:  # of a redirection to what is no address
        raise _Unusable(f"the server answers with no address ({error})") from None
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:
            raise
        # Nothing lies beyond what is here: it is complete, unless the file on the server is another one.
        if error.headers.get("Content-Range") == f"bytes */{have}":
            return _write_origin(part, Origin(file.url, origin.version, complete=True))
        _restart(part, advance)
        raise ConnectionError("the file on the server is shorter than what had arrived") from None
    with response:
        first, total = _announced(response)
        version = _version(response)
        if first and (first != have or version != (origin.version or version)):
            _restart(part, advance)
            raise ConnectionError("the server sends another part, or of another file, than it was asked for")
        if not first:
            _restart(part, advance)
        if None not in (file.size, total) and file.size != total:
            raise _Unusable(f"expected {file.size} bytes as the card says, got {total} bytes")
        _write_origin(part, Origin(file.url, version))
        _receive(response, file, part, advance, total)
    _write_origin(part, Origin(file.url, version, complete=True))


def _receive(response: http.client.HTTPResponse, file: File, part: Path, advance: Advance, total: int | None) -> None:
    """Append the body of an answer to `part`; `total` is the size of the whole file, where the server says it."""
    have = size_of(part)
    most, purpose = file.size or total, f"the download and what is in {file.name}"
    left = None if total is None else total - have
    # Audio archives unpack to less than twice their size.
    check_free_space(part.parent, (left or 0) + 2 * (most or have), purpose, ELSEWHERE)
    got = 0
    with part.open("ab") as stream:
        for block in _blocks(response, left):
            got += len(block)
            if most is None:
                check_free_space(part.parent, 2 * (have + got), purpose, ELSEWHERE)
            elif have + got > most:
                raise _Unusable(f"expected {most} bytes as the card says, got more")
            stream.write(block)
            advance(len(block))
    if most is not None and have + got < most:
        raise ConnectionError(f"the connection broke after {got:,} of {most - have:,} bytes")


def _blocks(response: http.client.HTTPResponse, length: int | None) -> Iterator[bytes]:
    """Yield the first bytes of a body, which may be fewer; raise an exception where they come too slowly."""
    left = _BLOCK if length is None else length
    since, recent = time.monotonic(), 0
    while left:
        try:
            block = response.read1(min(_BLOCK, left))
        except OSError as error:
            raise ConnectionError(str(error)) from error
        if not block:
            return
        yield block
        left -= 0 if length is None else len(block)
        recent += len(block)
        seconds = time.monotonic() - since
        if seconds > PATIENCE:
            if recent < SLOWEST * seconds:
                raise ConnectionError(f"less than {SLOWEST} bytes a second arrive")
            since, recent = time.monotonic(), 0


def _announced(response: http.client.HTTPResponse) -> tuple[int, int | None]:
    """Return the first byte that an answer begins with, and the size of the whole file, None where it is not said."""
    length = response.length
    total = None if length is None or not 0 <= length < _MOST else length
    if response.status != 206:
        return 0, total
    said = response.headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|[*])", said)
    if not match:
        raise ConnectionError("the server sends a part of the file and does not say which")
    return int(match[1]), None if match[2] == "*" else int(match[2])


def _version(response: http.client.HTTPResponse) -> str:
    """Return what names the version of a file: a weak tag cannot vouch for bytes."""
    version = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
    return version if version.isascii() and version.isprintable() and not version.startswith("W/") else ""


def _in_a_line(text: str) -> str:
    """Return a text that may hold what a server has sent, without line breaks and the like."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _restart(part: Path, advance: Advance) -> None:
    advance(-size_of(part))
    remove(part)


def _record(part: Path) -> Path:
    return part.with_name(f"{part.name}.origin")


def _write_origin(part: Path, origin: Origin) -> None:
    with whole_file(_record(part)) as file:
        file.write(json.dumps(asdict(origin)).encode())


def _read_origin(part: Path) -> Origin | None:
    """Return where a partial file comes from: None where nothing says it, nowhere where that is damaged."""
    try:
        return Origin(**json.loads(_record(part).read_bytes()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        return Origin("")
