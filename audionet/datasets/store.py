"""The clip store: a corpus decoded once, laid out as int16 clips of one length in a memory-mapped file.

A store is a folder, complete as soon as it is there:

    waveforms.i16    (clip, time) int16
    background.i16   (time,) int16: one track of noise
    index.npz        path, label, speaker, split and length of every clip

Its name tells the sample rate, the clip length and a hash of all that decides what is in it. It is built as
`<name>.partial` by worker processes; a journal lists the chunks that are on disk, so that an interrupted build goes on
where it stopped.

The workers are plain interpreters that exchange pickles over their pipes. Unlike multiprocessing's they import neither
the started script nor torch, need no `if __name__ == "__main__"`, and end when their parent does, even when it is
killed.
"""

import errno
import hashlib
import json
import os
import pickle
import queue
import shutil
import subprocess
import sys
import traceback
import warnings
import zipfile
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from filelock import FileLock

from audionet.audio import AudioError, decode, fit, resample, to_mono
from audionet.datasets.clip import Clip

FULL_SCALE = 32_768  # a sample x is stored as round(x * FULL_SCALE), so that 16-bit sources come back exactly

_FORMAT = 1  # of the files, and of the way from a source to its samples
_SPLITS = ("train", "validation", "test")
_CHUNK_CLIPS, _CHUNK_BYTES = 128, 1 << 24  # what an interrupted build loses for each worker
_SHOWN = 20  # bad files in a message

_Done = tuple[int, list[int], list[tuple[int, str]]]  # a chunk's first row, its lengths, and its bad rows with reasons


class StoreError(ValueError):
    """A clip store that cannot be built."""


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
            length. It runs in other processes, so it is a function of a module that can be imported or a
            `functools.partial` of one, such as `partial(read_recording, root=root, sample_rate=16_000)`.
        folder: Where stores are kept, one folder for each set of clips: a new store replaces the one of the same
            sample rate and clip length.
        fingerprint: Names all else that decides the contents: `scan(root)`, the card, the source of the background.
        sample_rate: Hz.
        clip_length: Samples.
        background: Makes the noise (time,), float32 at `sample_rate`; called only to build.
        workers: Processes; None: one for each core.
        skip_bad: Leave out the files that cannot be used and warn, instead of refusing them.
        progress: Show a bar while building, if standard error is a terminal.

    Raises:
        StoreError: No clips, files that cannot be used (all are named together), or a disk that is full or cannot be
            written.
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
            raise StoreError(f"{message}\nmend or remove them, or leave them out with skip_bad (--skip-bad)")
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
            bad.append(_named(str(path), error))
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
    noise = _to_int16(background()) if background else np.zeros(0, np.int16)
    size = 2 * clip_length * len(clips)
    with open(partial / "waveforms.i16", "ab") as file:
        file.truncate(size)
        _check_space(partial, size + noise.nbytes - 512 * os.stat(file.fileno()).st_blocks)
    _write_synced(partial / "background.i16", noise.tobytes())

    done = {chunk[0]: chunk for chunk in _journal(partial)}
    step = max(min(_CHUNK_CLIPS, _CHUNK_BYTES // (2 * clip_length)), 1)
    todo = [first for first in range(0, len(clips), step) if first not in done]
    tasks = [(partial, clip_length, first, clips[first : first + step]) for first in todo]
    n_done = sum(len(lengths) for _, lengths, _ in done.values())
    with (
        open(partial / "journal", "a") as journal,
        _bar(n_done, len(clips), progress) as advance,
        closing(_in_workers(render, tasks, workers)) as results,
    ):
        for chunk in results:
            # The line break comes first, so that a line cut off by a crash spoils no other.
            journal.write("\n" + json.dumps(chunk))
            journal.flush()
            os.fsync(journal.fileno())
            done[chunk[0]] = chunk
            advance(len(chunk[1]))

    chunks = [done[first] for first in sorted(done)]
    bad = {row: reason for _, _, pairs in chunks for row, reason in pairs}
    rows = _fill_gaps(partial / "waveforms.i16", clip_length, len(clips), bad)
    lengths = np.array([length for _, lengths, _ in chunks for length in lengths], np.int64)
    kept = [clips[row] for row in rows]
    label_names, labels = np.unique([clip.label for clip in kept] or [""], return_inverse=True)
    speaker_names, speakers = np.unique([clip.speaker for clip in kept] or [""], return_inverse=True)
    with open(partial / "index.npz", "wb") as file:
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
        file.flush()
        os.fsync(file.fileno())
    _remove([place])  # damaged, if it is there
    os.rename(partial, place)
    os.truncate(place / "waveforms.i16", 2 * clip_length * len(kept))
    (place / "journal").unlink()


def _journal(partial: Path) -> Iterator[_Done]:
    """Yield the chunks that are on disk."""
    if (partial / "journal").exists():
        for line in (partial / "journal").read_text().splitlines():
            try:
                first, lengths, bad = json.loads(line)
            except ValueError:  # cut off
                continue
            yield first, lengths, bad


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
def _bar(n_done: int, n_clips: int, progress: bool) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (*Progress.get_default_columns()[:-1], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not (progress and console.is_terminal)) as bar:
        task = bar.add_task("clip store", total=n_clips, completed=n_done)
        yield lambda count: bar.advance(task, count)


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


def _write_synced(path: Path, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _listed(messages: Sequence[str]) -> str:
    more = [f"and {len(messages) - _SHOWN} more"] if len(messages) > _SHOWN else []
    return "\n".join(f"  {message}" for message in (*messages[:_SHOWN], *more))


def _named(path: str, error: AudioError) -> str:
    return str(error) if path in str(error) else f"{path}: {error}"


# ---- workers --------------------------------------------------------------------------------------------------

_Task = tuple[Path, int, int, Sequence[Clip]]


def _in_workers(
    render: Callable[[str], np.ndarray], tasks: Sequence[_Task], workers: int | None
) -> Generator[_Done, None, None]:
    """Render chunks in other processes; yield each when it is on disk, in any order."""
    if not tasks:
        return
    try:
        pickled = pickle.dumps(render)
    except (AttributeError, TypeError, pickle.PicklingError) as error:
        raise StoreError(_not_importable(error)) from None
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    idle: queue.SimpleQueue[subprocess.Popen[bytes]] = queue.SimpleQueue()

    def run(task: _Task) -> _Done:
        process = idle.get()
        try:
            return _ask(process, pickled, task)
        finally:
            idle.put(process)

    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(max_workers := min(workers or cores, len(tasks))))
        processes = [stack.enter_context(_start()) for _ in range(max_workers)]
        for process in processes:
            idle.put(process)
        try:
            for future in as_completed([pool.submit(run, task) for task in tasks]):
                yield future.result()
        finally:
            for process in processes:
                process.kill()
            pool.shutdown(cancel_futures=True)
            for process in processes:
                with suppress(BrokenPipeError):  # a task that was not read
                    cast(BinaryIO, process.stdin).close()


def _start() -> "subprocess.Popen[bytes]":
    # Ctrl-C reaches the whole group of processes; it is the parent that ends the workers.
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "
        "from audionet.datasets.store import _serve; _serve()"
    )
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
    return subprocess.Popen(
        [sys.executable, "-P", "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
    )


def _ask(process: "subprocess.Popen[bytes]", render: bytes, task: _Task) -> _Done:
    assert process.stdin and process.stdout
    try:
        pickle.dump((render, *task), process.stdin)
        process.stdin.flush()
        answer = pickle.load(process.stdout)
    except (EOFError, BrokenPipeError):
        clips = task[-1]
        raise StoreError(
            f"a worker ended with status {process.wait()} between {clips[0].path} and {clips[-1].path}: "
            "a file that crashes its decoder, or too little memory for so many workers"
        ) from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _serve() -> None:
    """Answer the tasks that arrive on standard input, until it is closed."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not get between the answers
    while True:
        try:
            task = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer: _Done | Exception = _render_chunk(*task)
        except Exception as error:
            error.add_note(traceback.format_exc())
            answer = error
        pickle.dump(answer, answers)
        answers.flush()


def _render_chunk(pickled: bytes, partial: Path, clip_length: int, first: int, clips: Sequence[Clip]) -> _Done:
    try:
        render = pickle.loads(pickled)
    except (AttributeError, ImportError) as error:
        raise StoreError(_not_importable(error)) from None
    background = np.fromfile(partial / "background.i16", np.int16)
    waveforms = np.zeros((len(clips), clip_length), np.int16)
    lengths: list[int] = []
    bad: list[tuple[int, str]] = []
    for row, clip in enumerate(clips):
        lengths.append(clip_length)
        if _is_silence(clip):
            if clip.split != "train":
                waveforms[row] = _silence(clip.path, background, clip_length)
            continue
        try:
            waveform = render(clip.path)
            waveforms[row] = _to_int16(fit(waveform, clip_length))
            lengths[row] = len(waveform)
        except AudioError as error:
            bad.append((first + row, _named(clip.path, error)))
    with open(partial / "waveforms.i16", "r+b") as file:
        file.seek(2 * clip_length * first)
        file.write(waveforms.data)
        file.flush()
        os.fsync(file.fileno())
    return first, lengths, bad


def _to_int16(waveform: np.ndarray) -> np.ndarray:
    """Round to 16 bits; what is beyond full scale is clipped."""
    return np.rint(waveform * np.float32(FULL_SCALE)).clip(-FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def _is_silence(clip: Clip) -> bool:
    place, _, number = clip.path.rpartition("/")
    return place == f"{clip.label}/{clip.split}" and number.isdecimal()


def _silence(path: str, background: np.ndarray, length: int) -> np.ndarray:
    generator = np.random.default_rng(list(path.encode()))
    start = generator.integers(max(len(background) - length, 0) + 1)
    excerpt = np.resize(background[start : start + length], length)  # repeats a short one; zeros for none
    return np.rint(excerpt * generator.uniform()).astype(np.int16)


def _not_importable(error: Exception) -> str:
    return (
        "render: expected a function of a module that can be imported (not of the started script, a notebook or a "
        f"lambda), or a functools.partial of one; got one that cannot be sent to other processes ({error})"
    )
