"""The clip store: a corpus decoded once, laid out as int16 clips of one length in a memory-mapped file.

A store is a folder, complete as soon as it is there:

    waveforms.i16    (clip, time) int16
    background.i16   (time,) int16: one track of noise
    index.npz        path, label, speaker, split and length of every clip

Its name tells the sample rate, the clip length and a hash of all that decides what is in it. It is built as
`<name>.partial`; an interrupted build goes on where it stopped.
"""

import errno
import hashlib
import os
import shutil
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock

from audionet.audio import AudioError, decode, resample, to_mono
from audionet.datasets.build import FULL_SCALE, StoreError, named, render_clips, synced, to_int16
from audionet.datasets.clip import Clip

__all__ = ["FULL_SCALE", "Store", "StoreError", "open_store", "read_background", "read_recording", "scan"]

_FORMAT = 1  # of the files, and of the way from a source to its samples
_SPLITS = ("train", "validation", "test")
_SHOWN = 20  # bad files in a message


@dataclass(frozen=True, eq=False)
class Store:
    """Clips of one length, memory-mapped, and what is known of each.

    Attributes:
        waveforms: (clip, time) int16, read only; divided by `FULL_SCALE` they are in [-1, 1).
        labels: (clip,) int64, positions in `label_names`.
        label_names: The classes, sorted.
        speakers: (clip,) str, "" where unknown.
        splits: (clip,) str: "train", "validation" or "test".
        paths: Path of each clip, as in `Clip`.
        lengths: (clip,) int64, samples before the clip was padded or cut.
        background: (time,) int16, noise, read only; may be empty.
        sample_rate: Hz.
        skipped: What was left out and why, one message a file.
    """

    waveforms: np.ndarray
    labels: np.ndarray
    label_names: tuple[str, ...]
    speakers: np.ndarray
    splits: np.ndarray
    paths: list[str]
    lengths: np.ndarray
    background: np.ndarray
    sample_rate: int
    skipped: list[str]

    def __len__(self) -> int:
        return len(self.waveforms)

    def indices(self, split: str) -> np.ndarray:
        """Return the positions of a split's clips, int64, ascending."""
        if split not in _SPLITS:
            raise ValueError(f"split: expected one of {', '.join(_SPLITS)}; got {split!r}")
        return np.flatnonzero(self.splits == split)


def open_store(
    clips: Sequence[Clip],
    render: Callable[[str], np.ndarray],
    *,
    folder: str | Path,
    fingerprint: str,
    sample_rate: int,
    clip_length: int,
    background: Callable[[], np.ndarray] | None = None,
    workers: int | None = None,
    skip_bad: bool = False,
    progress: bool = True,
) -> Store:
    """Open the store of these clips; build it first where there is none or something has changed.

    A clip with the path `<label>/<split>/<number>` is a silence and has no file: zeros in training, where augmentation
    adds the noise; in validation and test an excerpt of the background times U(0, 1), drawn by the path alone.

    Args:
        clips: What the store holds, in this order; where files are left out, the last clips take their places.
        render: Makes a clip's waveform (time,), float32 at `sample_rate`, from its path; `audio.fit` gives it the clip
            length. It is sent to other processes by joblib: best a function of a module or a `functools.partial` of
            one, such as `partial(read_recording, root=root, sample_rate=16_000)`.
        folder: Where stores are kept, one folder for each set of clips: a new store replaces the one of the same
            sample rate and clip length.
        fingerprint: Names all else that decides the contents: `scan(root)`, the card, the source of the background.
        sample_rate: Hz.
        clip_length: Samples.
        background: Makes the noise (time,), float32 at `sample_rate`; called only to build.
        workers: Processes; None: one for each core; 1: none but this one.
        skip_bad: Leave out the files that cannot be used and warn, instead of refusing them.
        progress: Show a bar while building, if standard error is a terminal.

    Raises:
        StoreError: No clips, files that cannot be used (all are named together), a disk that is full or cannot be
            written, or a worker that crashed.
    """
    if not clips:
        raise StoreError("clips: expected at least one, got none")
    if unknown := {clip.split for clip in clips}.difference(_SPLITS):
        raise StoreError(f"clips: expected the splits {', '.join(_SPLITS)}; got {', '.join(map(repr, unknown))}")
    folder = Path(folder).absolute()
    kind = f"{sample_rate}hz-{clip_length}-"
    place = folder / (kind + _key(clips, f"{_FORMAT} {sample_rate} {clip_length} {fingerprint}"))
    store = _read(place)
    if store is None:
        with _plain_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / ".lock"):
                store = _read(place)  # another process may have built it meanwhile
                if store is None:
                    # Nobody else builds here: what is left of other keys is dead.
                    _remove(path for path in folder.glob(f"{kind}*.partial") if path.stem != place.name)
                    _build(place, clips, render, sample_rate, clip_length, background, workers, progress)
                    # Who still maps an old store keeps its data: the system frees them when it is closed.
                    _remove(path for path in folder.glob(f"{kind}*") if path != place)
                    store = _read(place)
                    assert store is not None
    if store.skipped:
        message = f"{len(store.skipped)} of {len(clips)} files cannot be used:\n" + _listed(store.skipped)
        if not skip_bad or len(store) == 0:
            raise StoreError(
                f"{message}\nmend or remove them, or leave them out: skip_bad=True (in the recipe --data.skip_bad true)"
            )
        warnings.warn(f"left out, since {message}", stacklevel=2)
    return store


def read_recording(path: str, *, root: str | Path, sample_rate: int) -> np.ndarray:
    """Read a file for a store: its mono mix (time,), float32, at `sample_rate`.

    Args:
        path: Path below `root`.
        root: Folder of the corpus.
        sample_rate: Hz.

    Raises:
        AudioError: The file cannot be used.
    """
    waveform, rate = decode(Path(root) / path)
    return resample(to_mono(waveform)[0], rate, sample_rate)


def read_background(paths: Sequence[str | Path], *, sample_rate: int) -> np.ndarray:
    """Read recordings of noise one after another into one track (time,), float32; empty for no paths.

    Raises:
        StoreError: Files cannot be used; all are named.
    """
    tracks, bad = [np.zeros(0, np.float32)], []
    for path in paths:
        try:
            tracks.append(read_recording(str(path), root="", sample_rate=sample_rate))
        except AudioError as error:
            bad.append(named(str(path), error))
    if bad:
        raise StoreError(f"{len(bad)} of {len(paths)} background recordings cannot be used:\n{_listed(bad)}")
    return np.concatenate(tracks)


def scan(root: str | Path) -> str:
    """Return a hash of the path, size and modification time of every file below a folder, hidden ones left out.

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
                    # A link to nothing is left for `render` to refuse.
                    status = entry.stat(follow_symlinks=os.path.exists(entry.path) if entry.is_symlink() else True)
                    found.append(f"{prefix}{entry.name}\0{status.st_size}\0{status.st_mtime_ns}")
    found.sort()
    return _hash("\0".join(found))


# ---- opening --------------------------------------------------------------------------------------------------


def _key(clips: Sequence[Clip], header: str) -> str:
    fields = [field for clip in clips for field in (clip.path, clip.label, clip.speaker, clip.split)]
    return _hash("\0".join([header, *fields]))[:16]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def _read(place: Path) -> Store | None:
    """Map a store; None if it is not there or damaged."""
    try:
        with np.load(place / "index.npz") as file:
            index = {name: file[name] for name in file.files}
        waveforms = _map(place / "waveforms.i16", (len(index["lengths"]), int(index["clip_length"])))
        background = _map(place / "background.i16", (int(index["background"]),))
    except (FileNotFoundError, NotADirectoryError, zipfile.BadZipFile, EOFError, ValueError):
        return None
    return Store(
        waveforms=waveforms,
        labels=index["labels"],
        label_names=tuple(index["label_names"].tolist()),
        speakers=index["speaker_names"][index["speakers"]],
        splits=np.array(_SPLITS)[index["splits"]],
        paths=_unpacked(index["paths"]),
        lengths=index["lengths"],
        background=background,
        sample_rate=int(index["sample_rate"]),
        skipped=_unpacked(index["skipped"]),
    )


def _map(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Map the int16 samples of a file; ValueError if it is too short."""
    return np.memmap(path, np.int16, "r", shape=shape) if all(shape) else np.zeros(shape, np.int16)


def _packed(texts: Sequence[str]) -> np.ndarray:
    """Texts as bytes: an array of str would take four bytes for each letter of the longest."""
    return np.frombuffer("".join(f"{text}\0" for text in texts).encode(errors="surrogateescape"), np.uint8)


def _unpacked(packed: np.ndarray) -> list[str]:
    return packed.tobytes().decode(errors="surrogateescape").split("\0")[:-1]


# ---- building -------------------------------------------------------------------------------------------------


def _build(
    place: Path,
    clips: Sequence[Clip],
    render: Callable[[str], np.ndarray],
    sample_rate: int,
    clip_length: int,
    background: Callable[[], np.ndarray] | None,
    workers: int | None,
    progress: bool,
) -> None:
    partial = place.with_name(f"{place.name}.partial")
    partial.mkdir(exist_ok=True)
    noise = to_int16(background()) if background else np.zeros(0, np.int16)
    size = 2 * clip_length * len(clips)
    with open(partial / "waveforms.i16", "ab") as file:
        file.truncate(size)
        _check_space(partial, size + noise.nbytes - 512 * os.stat(file.fileno()).st_blocks)
    with synced(partial / "background.i16", "wb") as file:
        file.write(noise.data)
    lengths, bad = render_clips(partial, clips, render, clip_length=clip_length, workers=workers, progress=progress)

    rows = _fill_gaps(partial / "waveforms.i16", clip_length, len(clips), bad)
    kept = [clips[row] for row in rows]
    label_names, labels = np.unique([clip.label for clip in kept] or [""], return_inverse=True)
    speaker_names, speakers = np.unique([clip.speaker for clip in kept] or [""], return_inverse=True)
    with synced(partial / "index.npz", "wb") as file:
        np.savez(
            file,
            paths=_packed([clip.path for clip in kept]),
            labels=labels[: len(kept)].astype(np.int64),
            label_names=label_names,
            speakers=speakers[: len(kept)].astype(np.int32),
            speaker_names=speaker_names,
            splits=np.array([_SPLITS.index(clip.split) for clip in kept], np.int8),
            lengths=lengths[rows],
            skipped=_packed([bad[row] for row in sorted(bad)]),
            clip_length=clip_length,
            sample_rate=sample_rate,
            background=len(noise),
        )
    _remove([place])  # damaged, if it is there
    os.rename(partial, place)
    os.truncate(place / "waveforms.i16", 2 * clip_length * len(kept))
    (place / "journal").unlink()


def _fill_gaps(path: Path, clip_length: int, n_clips: int, bad: Iterable[int]) -> np.ndarray:
    """Move the last good rows over the bad ones; return the clip that each row now holds.

    Only bad rows are overwritten and the file keeps its size, so this can be interrupted and done again.
    """
    rows = np.arange(n_clips)
    good = np.ones(n_clips, bool)
    good[list(bad)] = False
    n_good = int(good.sum())
    gaps = np.flatnonzero(~good[:n_good])
    if len(gaps):
        rows[gaps] = n_good + np.flatnonzero(good[n_good:])
        waveforms = np.memmap(path, np.int16, "r+", shape=(n_clips, clip_length))
        waveforms[gaps] = waveforms[rows[gaps]]
        waveforms.flush()
    return rows[:n_good]


@contextmanager
def _plain_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(
                f"{folder}: the disk is full; free some space and start again, what is built is kept"
            ) from error
        raise StoreError(f"{folder}: the clip store cannot be built here ({error}); choose another folder") from error


def _check_space(folder: Path, n_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < n_bytes:
        raise StoreError(
            f"{folder.parent}: the clip store needs {n_bytes / 1e9:.2f} GB more and the disk has {free / 1e9:.2f} GB "
            "free; free some space or choose another folder"
        )


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        shutil.rmtree(path, ignore_errors=True)


def _listed(messages: Sequence[str]) -> str:
    more = [f"and {len(messages) - _SHOWN} more"] if len(messages) > _SHOWN else []
    return "\n".join(f"  {message}" for message in (*messages[:_SHOWN], *more))
