"""Files on disk: writing one whole or not at all, free space, what lies in a folder, safe file names."""

import errno
import os
import re
import secrets
import shutil
import stat
import time
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from heapq import heappop, heappush
from pathlib import Path
from typing import BinaryIO

FFMPEG_EXTENSIONS = frozenset(
    ".3g2 .3gp .aac .amr .avi .awb .m4a .m4b .m4v .mka .mkv .mov .mp4 .spx .weba .webm .wma .wmv .wv".split()
)
"""Extensions of the audio files, and of the films with a sound track, that take ffmpeg to read; in lower case."""

AUDIO_EXTENSIONS = FFMPEG_EXTENSIONS.union(
    ".aif .aifc .aiff .au .bwf .caf .flac .mp3 .oga .ogg .opus .rf64 .snd .w64 .wav .wave".split()
)
"""Extensions of audio files, in lower case."""

# Folders that systems put beside a user's files, with copies, thumbnails and what was thrown away.
_OF_THE_SYSTEM = frozenset(
    {"__MACOSX", "$RECYCLE.BIN", "#recycle", "@eaDir", "lost+found", "System Volume Information"}
)

NAME_ERRORS = frozenset(
    (errno.ENAMETOOLONG, errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.EINVAL, errno.EILSEQ, errno.ENOTEMPTY)
)
"""What the system says of a name that it cannot give a file: too long, taken, or of characters that it refuses."""

_DAY = 86_400  # seconds
_LONGEST_NAME = 120  # bytes of UTF-8; encrypted folders take 143, all others 255
_JOINERS = "\u200c\u200d"  # of letters and of emoji; no other invisible character is kept
_DEVICES = re.compile(
    r"(CON|PRN|AUX|NUL|CLOCK\$|CONIN\$|CONOUT\$|(COM|LPT)[0-9¹²³])\s*(\.|$)", re.IGNORECASE
)  # Windows'


@contextmanager
def whole_file(path: str | os.PathLike[str], *, sync: bool = False) -> Iterator[BinaryIO]:
    """Open a binary file for writing that appears under its name when it is complete, and otherwise not at all.

    The content goes to a hidden file in the same folder, which is renamed at the end, or removed after an exception.
    What a process that was killed left there more than a day ago is removed: nobody writes to it any more.

    Args:
        path: Path of the file; one that is there already is replaced.
        sync: Wait until the content is on the disk, so that it also survives a power failure.

    Raises:
        OSError: The folder is missing, cannot be written or is full; its ``filename`` is the path.

    Example:
        >>> with whole_file("new.txt") as file:
        ...     _ = file.write(b"complete")
        >>> Path("new.txt").read_bytes()
        b'complete'
    """
    path = Path(path)
    _remove_old_partials(os.path.abspath(path.parent))
    partial = path.parent / f".{secrets.token_hex(8)}.partial"  # the name itself may be as long as names can be
    try:
        with open(partial, "wb") as file:
            yield file
            if sync:
                file.flush()
                os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:  # a write names no file, the others the hidden one
        if error.filename not in (None, str(partial)):
            raise
        raise OSError(error.errno or errno.EIO, error.strerror or str(error), str(path)) from error
    finally:
        with suppress(OSError):
            partial.unlink()


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Let an error of the disk that names no file name this one, as one of a write does.

    Raises:
        OSError: From within; its ``filename`` is the path, unless it names another file.
    """
    try:
        yield
    except OSError as error:
        if error.filename is not None or str(path) in str(error):
            raise
        raise OSError(error.errno or errno.EIO, error.strerror or str(error), str(path)) from error


@lru_cache(maxsize=1024)  # once a folder, which may hold many files
def _remove_old_partials(folder: str) -> None:
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if re.fullmatch(r"\.[0-9a-f]{16}\.partial", entry.name) and time.time() - entry.stat().st_mtime > _DAY:
                os.unlink(entry.path)


def remove_partials(folder: str | os.PathLike[str]) -> None:
    """Remove what `whole_file` left in a folder where it was killed; nobody else may write there now.

    Raises:
        OSError: A file cannot be removed.
    """
    for path in Path(folder).glob(f".{'[0-9a-f]' * 16}.partial"):
        path.unlink(missing_ok=True)


def check_free_space(folder: str | os.PathLike[str], n_bytes: int, purpose: str, elsewhere: str) -> None:
    """Check that the disk of a folder has room.

    Args:
        folder: An existing folder.
        n_bytes: Bytes that are going to be written.
        purpose: Use of these bytes, for the message.
        elsewhere: How to choose another folder, for the message, such as "with --root".

    Raises:
        OSError: There is less room; the message says how much is needed and how much is free.
    """
    free = shutil.disk_usage(folder).free
    if free < n_bytes:
        raise OSError(
            f"{folder}: {purpose} needs {n_bytes / 1e9:.2f} GB more and the disk has {free / 1e9:.2f} GB free; "
            f"free some space or choose another folder {elsewhere}"
        )


@dataclass(frozen=True)
class Found:
    """What lies in a folder, at any depth. Paths are relative to it, with forward slashes, and sorted.

    Attributes:
        files: Regular files.
        broken: Links to what is not there.
        folders: Folders that were searched, but for the folder itself.
        left_out: Why something is not among the files that could be looked for there, as {path: reason}.
    """

    files: list[str]
    broken: list[str]
    folders: list[str]
    left_out: dict[str, str]


def find_files(folder: str | os.PathLike[str]) -> Found:
    """Find the files in a folder, at any depth.

    Pipes, sockets and devices are left out, and so is what is hidden or belongs to the system, such as ``.Trash`` and
    ``__MACOSX``. Links are followed when all that needs no link has been found, the least deep ones first, and only to
    what has not been found by then; never to a folder above. Only a file that lies elsewhere is found under the name of
    each link to it, since stores such as git-annex and Hugging Face's keep equal files once.

    Raises:
        OSError: A folder cannot be read.
    """
    search = _Search(os.fspath(folder))
    while search.places or search.links:
        if search.places:
            search.enter(search.places.pop())
        else:
            search.follow(heappop(search.links)[1])
    found = search.found
    for paths in (found.files, found.broken, found.folders):
        paths.sort()
    return found


def safe_names(texts: Iterable[str], extension: str = "") -> dict[str, str]:
    """Return a file name for each of some texts, such as labels, that any system takes and that no other text gets.

    Letters of all scripts stay as they are, in Unicode's composed form (NFC). Characters that separate or hide
    something become "_", long names are cut. A name that differs from an earlier one in upper and lower case only,
    which many disks take for the same, gets a number. The same texts in the same order get the same names.

    Args:
        texts: The texts; one that comes twice has one name.
        extension: What each name ends with, such as ".wav".

    Returns:
        {text: name}.

    Example:
        >>> safe_names(["yes", "Yes", "on/off", "../../x", "NUL"], ".wav")
        {'yes': 'yes.wav', 'Yes': 'Yes-2.wav', 'on/off': 'on_off.wav', '../../x': '__.._x.wav', 'NUL': '_NUL.wav'}
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    for text in dict.fromkeys(texts):
        name = safe = _safe_name(text)
        number = 1
        while _as_disks_compare(name) in taken:
            number += 1
            name = f"{safe}-{number}"
        taken.add(_as_disks_compare(name))
        names[text] = name + extension
    return names


def _safe_name(text: str) -> str:
    text = unicodedata.normalize("NFC", text)
    text = "".join("_" if _is_unsafe(character) else character for character in text)
    text = text.encode()[:_LONGEST_NAME].decode(errors="ignore").rstrip(". ")  # Windows drops dots and spaces there
    text = re.sub(r"^[.~\s-]+", "_", text) or "_"  # hidden, a home folder, or a flag of a command
    return f"_{text}" if _DEVICES.match(text) else text


def _is_unsafe(character: str) -> bool:
    category = unicodedata.category(character)
    is_hidden = category[0] == "C" and category != "Cn" and character not in _JOINERS
    return is_hidden or category in ("Zl", "Zp") or character in '<>:"/\\|?*'


def _as_disks_compare(name: str) -> str:
    """Return what a disk that folds case and composition compares."""
    folded = unicodedata.normalize("NFKD", name).casefold()
    return unicodedata.normalize("NFKD", "".join(character for character in folded if character not in _JOINERS))


def is_audio(path: str | os.PathLike[str]) -> bool:
    """Tell by the extension of a name whether it is that of a sound file."""
    return os.path.splitext(path)[1].lower() in AUDIO_EXTENSIONS


class _Search:
    """A search for the files in a folder: what has been found, and the folders and links that are still to be seen."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.found = Found([], [], [], {})
        self.seen: set[tuple[int, int]] = set()  # by device and inode
        self.places = [""]
        self.links: list[tuple[int, str]] = []  # a heap of depths and paths

    def enter(self, place: str) -> None:
        """Add what a folder holds, but for what lies in its folders and behind its links."""
        status = os.stat(os.path.join(self.root, place))
        if (status.st_dev, status.st_ino) in self.seen:
            self.found.left_out[place] = "a link to what is there already"
            return
        self.seen.add((status.st_dev, status.st_ino))
        if place:
            self.found.folders.append(place)
        with os.scandir(os.path.join(self.root, place)) as entries:
            for entry in entries:
                path = f"{place}/{entry.name}" if place else entry.name
                if entry.name.startswith(".") or entry.name in _OF_THE_SYSTEM:
                    if is_audio(path) or (not entry.is_symlink() and _holds_audio(entry.path)):
                        self.found.left_out[path] = "hidden"
                elif entry.is_symlink():
                    heappush(self.links, (path.count("/"), path))
                elif entry.is_dir():
                    self.places.append(path)
                elif entry.is_file():
                    self.found.files.append(path)
                    self.seen.add((status.st_dev, entry.inode()))  # a file with two names is no link: both count
                else:
                    self.found.left_out[path] = "no regular file"

    def follow(self, link: str) -> None:
        """Add what a link leads to."""
        path = os.path.join(self.root, link)
        try:
            status = os.stat(path)
        except OSError:
            self.found.broken.append(link)
            return
        if stat.S_ISDIR(status.st_mode):
            target = os.path.realpath(path)
            if any(_is_above(target, os.path.realpath(below)) for below in (self.root, os.path.dirname(path))):
                self.found.left_out[link] = "a link to a folder above"
            else:
                self.places.append(link)
        elif not stat.S_ISREG(status.st_mode):
            self.found.left_out[link] = "no regular file"
        elif (status.st_dev, status.st_ino) in self.seen:
            self.found.left_out[link] = "a link to what is there already"
        else:
            self.found.files.append(link)


def _is_above(folder: str, other: str) -> bool:
    return os.path.commonpath([folder, other]) == folder


def _holds_audio(folder: str) -> bool:
    return any(is_audio(name) for _, _, names in os.walk(folder) for name in names)
