"""The clip store: a corpus decoded once, laid out as int16 clips of one length in a memory-mapped file.

A store is a folder, which is complete as soon as it is there:

    waveforms.i16    (clip, time) int16
    background.i16   (time,) int16, one track of noise
    index.npz        path, label, speaker, split and length of every clip, and the first that is the same

Its name holds the sample rate, the clip length and a hash of all that decides its contents. It is built as
`<name>.partial`, and an interrupted build goes on where it stopped.
"""

import hashlib
import os
import shutil
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np

from audionet.audio import to_int16
from audionet.checks import check_no_misfits, check_one_of, check_that, listed
from audionet.datasets.build import Outcome, StoreError, as_store_error, first_alike, render_clips
from audionet.datasets.classes import check_background
from audionet.datasets.clip import SPLITS, Clip
from audionet.files import check_free_space, remove_partials, whole_file
from audionet.locks import only_one

_FORMAT = 5  # a new number when the files change, or the samples that a recording gives


@dataclass(frozen=True, eq=False)
class Store:
    """Clips of one length, memory-mapped, and what is known of each.

    Attributes:
        waveforms: (clip, time) int16, read only; divided by `audio.FULL_SCALE` they are in [-1, 1).
        labels: (clip,) int64, positions in `label_names`.
        label_names: The classes, sorted.
        speakers: (clip,) str, "" where unknown.
        splits: (clip,) str: "train", "validation" or "test".
        paths: Path of each clip, as in `Clip`.
        lengths: (clip,) int64, samples of each clip before it was padded or cut.
        background: (time,) int16, noise, read only; may be empty.
        sample_rate: Sample rate in hertz.
        skipped: A message for each file that was left out.
        first_alike: (clip,) int64, position of the first clip with the same samples; a silent clip's is its own.
        silent: Paths of the recordings without sound, whose samples are all alike.
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
    first_alike: np.ndarray
    silent: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.waveforms)

    def indices(self, split: str) -> np.ndarray:
        """Return the positions of a split's clips, (clip,) int64, ascending."""
        check_one_of(SPLITS, "split", split)
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
    may_lack: tuple[str, ...] = (),
    progress: bool = True,
) -> Store:
    """Open the store of these clips. It is built first where there is none or something has changed.

    Args:
        clips: What the store holds, in this order. Where files are left out, the last clips take their places.
        render: Makes the waveform of a clip, (time,) float32 at `sample_rate`, from its path; `audio.fit` gives it the
            clip length. joblib sends it to other processes, so it is best a function of a module, a method or a
            `functools.partial` of one, such as `partial(card.layout.render, root=root, sample_rate=16_000)`. Silences
            are not rendered: `classes.silence_samples` says what they contain.
        folder: Folder of the stores of one set of clips. A new store replaces the one of the same sample rate and clip
            length.
        fingerprint: Names all else that decides the contents, such as `scan(root)` and the source of the background.
        sample_rate: Sample rate in hertz.
        clip_length: Number of samples of every clip.
        background: Makes the noise, (time,) float32 at `sample_rate`; called only to build. None for no noise.
        workers: Number of processes; None for one a core, 1 for this process alone.
        skip_bad: Leave out files that cannot be used, with a warning, instead of refusing them.
        may_lack: Starts of the paths of clips that may be left out without a word here.
        progress: Show a bar while building, if standard error is a terminal.

    Raises:
        ValueError: There are no clips, one has no split, or there are silences but no background noise.
        StoreError: Files cannot be used, the disk is full or cannot be written, or a worker crashed.

    Example:
        >>> clips = [Clip("a", "constant", "", "train")]
        >>> store = open_store(
        ...     clips,
        ...     lambda path: np.full(4, 0.5, np.float32),
        ...     folder="stores",
        ...     fingerprint="",
        ...     sample_rate=8000,
        ...     clip_length=4,
        ...     workers=1,
        ... )
        >>> store.label_names, store.waveforms.tolist()
        (('constant',), [[16384, 16384, 16384, 16384]])
    """
    check_that(clips, "clips", "at least one", clips)
    unknown = {clip.split for clip in clips}.difference(SPLITS)
    check_no_misfits(unknown, "clips", f"the splits {', '.join(SPLITS)}")
    name = store_name(clips, fingerprint=fingerprint, sample_rate=sample_rate, clip_length=clip_length)
    place = Path(folder).absolute() / name
    build = partial(_build, place, clips, render, background, sample_rate, clip_length, workers, progress)
    try:
        store = _read(place)
        if store is None:
            store = _build_once(place, build)
    except OSError as error:
        raise as_store_error(place.parent, error) from error
    bad = [message for message in store.skipped if not message.startswith(may_lack)]
    if bad or len(store) == 0:
        messages = listed(bad or store.skipped, 20, separator="\n  ")
        message = f"{len(bad or store.skipped)} of {len(clips)} files cannot be used:\n  {messages}"
        if not skip_bad or len(store) == 0:
            raise StoreError(f"{message}\nrepair or remove them, or leave them out with --data.skip_bad true")
        warnings.warn(f"left out, since {message}", stacklevel=2)
    return store


def store_name(clips: Sequence[Clip], *, fingerprint: str, sample_rate: int, clip_length: int) -> str:
    """Return the name of a store's folder; the arguments are those of `open_store`.

    Example:
        >>> store_name([Clip("a.wav", "a", "", "train")], fingerprint="", sample_rate=8000, clip_length=400)
        '8000hz-400-...'
    """
    header = f"{_FORMAT} {sample_rate} {clip_length} {fingerprint}"
    texts = (text for clip in clips for text in (clip.path, clip.label, clip.speaker, clip.split, "01"[clip.silence]))
    key = hashlib.sha256("\0".join([header, *texts]).encode(errors="surrogateescape")).hexdigest()
    return f"{sample_rate}hz-{clip_length}-{key[:16]}"


def _read(place: Path) -> Store | None:
    """Map a store; None if it is not there or damaged."""
    try:
        # Read first, so that an error of the system is one of the disk and not of what a damaged index asks for.
        with np.load(BytesIO((place / "index.npz").read_bytes())) as file:
            index = dict(file)
        waveforms = _map(place / "waveforms.i16", (len(index["lengths"]), int(index["clip_length"])))
        return Store(
            waveforms=waveforms,
            labels=index["labels"],
            label_names=tuple(index["label_names"].tolist()),
            speakers=index["speaker_names"][index["speakers"]],
            splits=np.array(SPLITS)[index["splits"]],
            paths=_unpacked(index["paths"]),
            lengths=index["lengths"],
            background=_map(place / "background.i16", (int(index["background"]),)),
            sample_rate=int(index["sample_rate"]),
            skipped=_unpacked(index["skipped"]),
            silent=_unpacked(index["silent"]),
            first_alike=index["first_alike"],
        )
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        raise
    except Exception:  # NumPy and zipfile raise a dozen kinds for what a disk or a power cut can leave
        return None


def _map(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Map the int16 samples of a file; ValueError if it is too short."""
    return np.memmap(path, np.int16, "r", shape=shape) if all(shape) else np.zeros(shape, np.int16)


def _packed(texts: Sequence[str]) -> np.ndarray:
    """Return texts as bytes: an array of str would take four bytes for each letter of the longest."""
    return np.frombuffer("".join(f"{text}\0" for text in texts).encode(errors="surrogateescape"), np.uint8)


def _unpacked(packed: np.ndarray) -> list[str]:
    return packed.tobytes().decode(errors="surrogateescape").split("\0")[:-1]


def _build_once(place: Path, build: Callable[[], None]) -> Store:
    """Build a store unless another process does, and remove what is left of older ones."""
    family = f"{place.name.rpartition('-')[0]}-*"
    place.parent.mkdir(parents=True, exist_ok=True)
    with only_one(place.parent, "building a clip store"):
        store = _read(place)  # another process may have built it meanwhile
        if store is None:
            # Nobody else builds here, so what is left of other keys is dead.
            _remove(path for path in place.parent.glob(f"{family}.partial") if path.stem != place.name)
            build()
            # A process that still maps an old store keeps its data: the system frees them when it is closed.
            _remove(path for path in place.parent.glob(family) if path != place)
            store = _read(place)
    if store is None:
        raise StoreError(f"{place}: expected the store that was just built, got a damaged one; check the disk")
    return store


def _build(
    place: Path,
    clips: Sequence[Clip],
    render: Callable[[str], np.ndarray],
    background: Callable[[], np.ndarray] | None,
    sample_rate: int,
    clip_length: int,
    workers: int | None,
    progress: bool,
) -> None:
    partial = place.with_name(f"{place.name}.partial")
    partial.mkdir(exist_ok=True)
    remove_partials(partial)
    noise = to_int16(background()) if background else np.zeros(0, np.int16)
    check_background(clips, noise)
    with open(partial / "waveforms.i16", "ab") as file:
        file.truncate(2 * clip_length * len(clips))
        lacking = 2 * clip_length * len(clips) + noise.nbytes - 512 * os.stat(file.fileno()).st_blocks
    check_free_space(place.parent, lacking, "the clip store", "with the variable AUDIONET_CACHE")
    with whole_file(partial / "background.i16", sync=True) as file:
        file.write(noise.data)
    outcomes, silent = render_clips(
        partial,
        clips,
        render,
        sample_rate=sample_rate,
        clip_length=clip_length,
        workers=workers,
        progress=progress,
    )
    rows = _fill_gaps(partial / "waveforms.i16", clip_length, outcomes)
    kept = [clips[row] for row in rows]
    label_names, labels = np.unique(np.array([clip.label for clip in kept], str), return_inverse=True)
    speaker_names, speakers = np.unique(np.array([clip.speaker for clip in kept], str), return_inverse=True)
    with whole_file(partial / "index.npz", sync=True) as file:
        np.savez(
            file,
            paths=_packed([clip.path for clip in kept]),
            labels=labels,
            label_names=label_names,
            speakers=speakers,
            speaker_names=speaker_names,
            splits=np.array([SPLITS.index(clip.split) for clip in kept], np.int8),
            lengths=np.array([outcomes[row] for row in rows], np.int64),
            skipped=_packed([outcome for outcome in outcomes if isinstance(outcome, str)]),
            silent=_packed([clips[row].path for row in silent]),
            first_alike=first_alike(_map(partial / "waveforms.i16", (len(kept), clip_length))),
            clip_length=clip_length,
            sample_rate=sample_rate,
            background=len(noise),
        )
    _remove([place])  # damaged, if it is there
    os.rename(partial, place)
    os.truncate(place / "waveforms.i16", 2 * clip_length * len(kept))
    (place / "journal").unlink()


def _fill_gaps(path: Path, clip_length: int, outcomes: Sequence[Outcome]) -> np.ndarray:
    """Move the last good rows over the bad ones; return the clip that each row now holds.

    Only bad rows are overwritten and the file keeps its size, so this can be interrupted and done again.
    """
    good = np.flatnonzero([isinstance(outcome, int) for outcome in outcomes])
    rows = np.arange(len(good))
    gaps = np.setdiff1d(rows, good)
    rows[gaps] = good[len(good) - len(gaps) :]
    waveforms = np.memmap(path, np.int16, "r+", shape=(len(outcomes), clip_length))
    waveforms[gaps] = waveforms[rows[gaps]]
    waveforms.flush()
    return rows


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        shutil.rmtree(path, ignore_errors=True)
