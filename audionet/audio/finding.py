"""Finding the sound files of a folder, or among paths; what is left out is said with its reason."""

import fnmatch
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from audionet.audio.ffmpeg import can_read
from audionet.checks import listed
from audionet.console import note
from audionet.files import Found, find_files, is_audio

UNREADABLE = "readable only after pip install 'audionet[formats]', or saved as WAV or FLAC"
NOTHING = "a link to nothing"
NO_SOUND = "no sound file by its extension"


@dataclass(frozen=True)
class Sounds:
    """The sound files of a folder. Paths are relative to it, with forward slashes, and sorted.

    Attributes:
        files: Files that can be read here, and links to files that are not there, which reading them then says.
        left_out: Why something else was left out, as {path: reason}.
        found: All that lies in the folder.
    """

    files: list[str]
    left_out: dict[str, str]
    found: Found


def find_sounds(folder: str | os.PathLike[str], glob: str = "") -> Sounds:
    """Find the sound files in a folder, at any depth, as `audionet.files.find_files` searches it.

    Args:
        folder: Folder to search.
        glob: Pattern that the path below the folder has to match, such as "*.wav"; empty for all that can be read.

    Raises:
        OSError: A folder cannot be read.
    """
    found = find_files(folder)
    left_out = found.left_out | {path: NOTHING for path in found.broken if not is_audio(path)}
    paths = [*found.files, *filter(is_audio, found.broken)]
    if glob:
        return Sounds(sorted(path for path in paths if fnmatch.fnmatchcase(path, glob)), left_out, found)
    kinds = {path: os.path.splitext(path)[1] for path in paths}
    readable = {
        kind for kind in set(kinds.values()) if can_read(f"a{kind}")
    }  # once a kind: looking for PyAV takes time
    left_out |= {path: UNREADABLE if is_audio(path) else NO_SOUND for path in paths if kinds[path] not in readable}
    return Sounds(sorted(path for path in paths if kinds[path] in readable), left_out, found)


def sounds_among(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """List the files among some paths, and the sound files in the folders among them; say what is left out of these.

    Raises:
        ValueError: A folder holds no sound file that can be read here.
    """
    listing: list[Path] = []
    for path in map(Path, paths):
        if not path.is_dir():
            listing.append(path)
            continue
        sounds = find_sounds(path)
        if not sounds.files:
            but = f" but {left_out_text(sounds.left_out)}" * bool(sounds.left_out)
            raise ValueError(f"{path}: expected audio files such as .wav, got none in this folder{but}; name another")
        listing += [path / name for name in sounds.files]
        note_left_out(path, sounds.left_out)
    return listing


def note_left_out(folder: object, left_out: Mapping[str, str]) -> None:
    """Say what was left out of a folder, if anything was."""
    if left_out:
        note(f"{folder}: left out {left_out_text(left_out)}")


def left_out_text(left_out: Mapping[str, str]) -> str:
    """Return how many were left out for each reason, and some of their names.

    Example:
        >>> left_out_text({"._a.wav": "hidden", ".Trash": "hidden", "pipe": "no regular file"})
        '2 (hidden): .Trash, ._a.wav; 1 (no regular file): pipe'
    """
    names: dict[str, list[str]] = defaultdict(list)
    for path, reason in sorted(left_out.items()):
        names[reason].append(path)
    return "; ".join(f"{len(paths)} ({reason}): {listed(paths)}" for reason, paths in names.items())
