"""Files on disk: writing one whole or not at all, checking for free space, finding audio files, safe file names."""

import fnmatch
import os
import re
import secrets
import shutil
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

FFMPEG_EXTENSIONS = frozenset(
    ".3g2 .3gp .aac .amr .avi .awb .caf .m4a .m4b .m4v .mka .mkv .mov .mp4 .webm .wma .wmv .wv".split()
)
"""Extensions of the audio files, and of the films with a sound track, that take ffmpeg to read; in lower case."""

AUDIO_EXTENSIONS = FFMPEG_EXTENSIONS.union(".aif .aiff .au .flac .mp3 .oga .ogg .opus .w64 .wav".split())
"""Extensions of audio files, in lower case."""

_LONGEST_NAME = 120  # bytes of UTF-8; encrypted folders take 143, all others 255
_JOINERS = "\u200c\u200d"  # of letters and of emoji; no other invisible character is kept
_DEVICES = re.compile(
    r"(CON|PRN|AUX|NUL|CLOCK\$|CONIN\$|CONOUT\$|(COM|LPT)[0-9¹²³])\s*(\.|$)", re.IGNORECASE
)  # Windows'


@contextmanager
def whole_file(
    path: str | os.PathLike[str], *, modified_ns: int | None = None, sync: bool = False
) -> Iterator[BinaryIO]:
    """Open a binary file for writing that appears under its name when it is complete, and otherwise not at all.

    The content goes to a hidden file in the same folder, which is renamed at the end, or removed after an exception.

    Args:
        path: Path of the file; one that is there already is replaced.
        modified_ns: Modification time that the file gets, in nanoseconds; None for the current time.
        sync: Wait until the content is on the disk, so that it also survives a power failure.

    Raises:
        OSError: The folder is missing, cannot be written or is full.

    Example:
        >>> with whole_file("new.txt") as file:
        ...     _ = file.write(b"complete")
        >>> Path("new.txt").read_bytes()
        b'complete'
    """
    path = Path(path)
    partial = path.parent / f".{secrets.token_hex(8)}.partial"  # the name itself may be as long as names can be
    try:
        with open(partial, "wb") as file:
            yield file
            if sync:
                file.flush()
                os.fsync(file.fileno())
        if modified_ns is not None:
            os.utime(partial, ns=(modified_ns, modified_ns))
        os.replace(partial, path)
    finally:
        with suppress(OSError):
            partial.unlink()


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


def files_below(folder: str | os.PathLike[str]) -> Iterator[str]:
    """Yield the paths of the files in a folder, at any depth, relative to it and with forward slashes.

    Hidden files and folders are left out. Links are followed, except back to a folder that holds them.

    Raises:
        OSError: A folder cannot be read.
    """
    for place, folders, names in os.walk(folder, onerror=_fail, followlinks=True):
        here = os.path.realpath(place)
        folders[:] = [
            name for name in folders if not name.startswith(".") and not _holds(os.path.join(place, name), here)
        ]
        below = os.path.relpath(place, folder).replace(os.sep, "/")
        prefix = "" if below == "." else f"{below}/"
        yield from (prefix + name for name in names if not name.startswith("."))


def audio_files(folder: str | os.PathLike[str], glob: str = "") -> list[str]:
    """List the audio files in a folder, at any depth; hidden ones are left out.

    Args:
        folder: Folder to search.
        glob: Pattern that the path below the folder has to match, such as "*.wav"; empty for the extensions in
            ``AUDIO_EXTENSIONS``, in upper or lower case.

    Returns:
        Paths relative to the folder, with forward slashes, sorted.

    Raises:
        OSError: A folder cannot be read.
    """
    if glob:
        return sorted(path for path in files_below(folder) if fnmatch.fnmatchcase(path, glob))
    return sorted(path for path in files_below(folder) if os.path.splitext(path)[1].lower() in AUDIO_EXTENSIONS)


def audio_among(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """List the files among some paths, and the audio files in the folders among them.

    Raises:
        ValueError: A folder holds no audio file.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        inside = [path / name for name in audio_files(path)] if path.is_dir() else [path]
        if not inside:
            extensions = " ".join(sorted(AUDIO_EXTENSIONS))
            raise ValueError(f"{path}: expected audio files ({extensions}), got none in this folder; name another")
        found += inside
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


def _fail(error: OSError) -> None:
    raise error


def _holds(folder: str, place: str) -> bool:
    """Tell whether a folder is a link to ``place`` or to a folder above it."""
    if not os.path.islink(folder):
        return False
    target = os.path.realpath(folder)
    return os.path.commonpath([place, target]) == target
