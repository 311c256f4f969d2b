"""The recordings of a corpus: one track of those of noise, and a hash that changes when a file does."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from audionet.audio import AudioError, read_mono
from audionet.checks import listed
from audionet.files import find_files


def read_background(paths: Sequence[str | Path], *, sample_rate: int) -> np.ndarray:
    """Read recordings of noise one after another into one track (time,), float32; empty for no paths.

    Raises:
        AudioError: Files cannot be used; the first of them are named.
    """
    tracks, bad = [np.zeros(0, np.float32)], []
    for path in paths:
        try:
            tracks.append(read_mono(path, sample_rate))
        except AudioError as error:
            bad.append(str(error))
    if bad:
        messages = listed(bad, 20, separator="\n  ")
        raise AudioError(f"{len(bad)} of {len(paths)} background recordings cannot be used:\n  {messages}")
    return np.concatenate(tracks)


def scan(root: str | Path) -> str:
    """Return a hash of the path, size and modification time of every file below a folder; hidden ones are left out.

    Raises:
        OSError: The folder cannot be read.
    """
    files, found = find_files(root), []
    for path in (*files.files, *files.broken):
        file = os.path.join(root, path)
        try:
            status = os.stat(file)
        except OSError:  # a link to nothing, which is left for the reader to refuse
            status = os.lstat(file)
        found.append(f"{path}\0{status.st_size}\0{status.st_mtime_ns}")
    return hashlib.sha256("\0".join(sorted(found)).encode(errors="surrogateescape")).hexdigest()
