"""The recordings of a corpus: read for a clip store, and told apart from those that have changed since."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from audionet.audio import AudioError, read_mono
from audionet.console import listed


def read_recording(path: str, *, root: str | Path, sample_rate: int) -> np.ndarray:
    """Read a file of any length: its mono mix (time,), float32, at `sample_rate`.

    Args:
        path: Path below `root`.
        root: Folder of the corpus.
        sample_rate: Sample rate of the result, in hertz.

    Raises:
        AudioError: The file cannot be used.
    """
    return read_mono(Path(root) / path, sample_rate)


def read_background(paths: Sequence[str | Path], *, sample_rate: int) -> np.ndarray:
    """Read recordings of noise one after another into one track (time,), float32; empty for no paths.

    Raises:
        AudioError: Files cannot be used; the first of them are named.
    """
    tracks, bad = [np.zeros(0, np.float32)], []
    for path in paths:
        try:
            tracks.append(read_recording(str(path), root="", sample_rate=sample_rate))
        except AudioError as error:
            bad.append(name_file(str(path), error))
    if bad:
        messages = listed(bad, 20, separator="\n  ")
        raise AudioError(f"{len(bad)} of {len(paths)} background recordings cannot be used:\n  {messages}")
    return np.concatenate(tracks)


def name_file(path: str, error: AudioError) -> str:
    """Return an error's message with the path in front, unless it names the file already."""
    return str(error) if path in str(error) else f"{path}: {error}"


def scan(root: str | Path) -> str:
    """Return a hash of the path, size and modification time of every file below a folder; hidden ones are left out.

    Raises:
        OSError: The folder cannot be read.
    """
    found = []
    folders = [("", os.fspath(root))]
    while folders:
        prefix, folder = folders.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    folders.append((f"{prefix}{entry.name}/", entry.path))
                else:
                    # A link to nothing is left for the reader to refuse.
                    status = entry.stat(follow_symlinks=os.path.exists(entry.path) if entry.is_symlink() else True)
                    found.append(f"{prefix}{entry.name}\0{status.st_size}\0{status.st_mtime_ns}")
    return hashlib.sha256("\0".join(sorted(found)).encode(errors="surrogateescape")).hexdigest()
