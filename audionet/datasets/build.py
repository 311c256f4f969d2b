"""What makes the samples of a clip store: processes render the clips, chunk by chunk, into one file.

A journal lists the chunks that are on disk, so that an interrupted build goes on where it stopped.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from audionet.audio import AudioError, fit
from audionet.datasets.clip import Clip

FULL_SCALE = 32_768  # a sample x is stored as round(x * FULL_SCALE), so that 16-bit sources come back exactly

_CHUNK_CLIPS, _CHUNK_BYTES = 128, 1 << 24  # what an interrupted build loses for each worker
_IDLE_SECONDS = 10  # without work a worker ends: after the build, and half a minute later where its parent was killed

_Chunk = tuple[int, list[int], list[tuple[int, str]]]  # its first row, its lengths, and its bad rows with reasons


class StoreError(ValueError):
    """A clip store that cannot be built."""


def render_clips(
    folder: Path,
    clips: Sequence[Clip],
    render: Callable[[str], np.ndarray],
    *,
    clip_length: int,
    workers: int | None,
    progress: bool,
) -> tuple[np.ndarray, dict[int, str]]:
    """Render clips into the rows of `waveforms.i16`, all but those that the folder's journal lists.

    Args:
        folder: Holds `waveforms.i16`, (clip, time) int16, `background.i16`, (time,) int16, and the journal.
        clips: One for each row. Silences are made here, as `store.open_store` says.
        render: Makes a clip's waveform (time,), float32, from its path.
        clip_length: Samples.
        workers: Processes; None: one for each core.
        progress: Show a bar, if standard error is a terminal.

    Returns:
        Samples of each clip before it was padded or cut, (clip,) int64, and why the rows of bad files are zeros.

    Raises:
        StoreError: A worker crashed.
    """
    # Opening a store that is there needs no joblib, which takes a while to import.
    from joblib import Parallel, cpu_count, delayed, parallel_config

    done = {chunk[0]: chunk for chunk in _journal(folder)}
    step = max(min(_CHUNK_CLIPS, _CHUNK_BYTES // (2 * clip_length)), 1)
    todo = [first for first in range(0, len(clips), step) if first not in done]
    started = []

    def tasks() -> Iterator[Any]:
        for first in todo:
            started.append(first)
            yield delayed(_render_chunk)(folder, clip_length, first, clips[first : first + step], render)

    with parallel_config("loky", inner_max_num_threads=1):
        parallel = Parallel(
            n_jobs=max(min(workers or cpu_count(), len(todo)), 1),
            return_as="generator_unordered",
            batch_size=1,
            pre_dispatch="n_jobs",  # a worker whose parent was killed ends after its chunk
            idle_worker_timeout=_IDLE_SECONDS,
        )
        try:
            with (
                _bar(sum(len(lengths) for _, lengths, _ in done.values()), len(clips), progress) as advance,
                closing(parallel(tasks())) as chunks,
            ):
                for chunk in chunks:
                    with synced(folder / "journal", "ab") as file:
                        # The line break comes first, so that a line cut off by a crash spoils no other.
                        file.write(b"\n" + json.dumps(chunk).encode())
                    done[chunk[0]] = chunk
                    advance(len(chunk[1]))
        except BrokenProcessPool as error:
            unfinished = [first for first in started if first not in done]
            last = min(unfinished[-1] + step, len(clips)) - 1
            raise StoreError(
                f"a worker crashed between {clips[unfinished[0]].path} and {clips[last].path}: a file that crashes "
                "its decoder, or too little memory for so many workers; what is built is kept"
            ) from error

    n_samples = np.zeros(len(clips), np.int64)
    for first, lengths, _ in done.values():
        n_samples[first : first + len(lengths)] = lengths
    return n_samples, {row: reason for _, _, bad in done.values() for row, reason in bad}


def to_int16(waveform: np.ndarray) -> np.ndarray:
    """Round to 16 bits; what is beyond full scale is clipped."""
    return np.rint(waveform * np.float32(FULL_SCALE)).clip(-FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def named(path: str, error: AudioError) -> str:
    """Return an error's message, which names the file."""
    return str(error) if path in str(error) else f"{path}: {error}"


@contextmanager
def synced(path: Path, mode: str) -> Iterator[IO[bytes]]:
    """Open a file; what is written to it is on disk afterwards."""
    with open(path, mode) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _journal(folder: Path) -> Iterator[_Chunk]:
    """Yield the chunks that are on disk."""
    if (folder / "journal").exists():
        for line in (folder / "journal").read_text().splitlines():
            try:
                first, lengths, bad = json.loads(line)
            except ValueError:  # cut off
                continue
            yield first, lengths, bad


@contextmanager
def _bar(n_done: int, n_clips: int, progress: bool) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (*Progress.get_default_columns()[:-1], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not (progress and console.is_terminal)) as bar:
        task = bar.add_task("clip store", total=n_clips, completed=n_done)
        yield lambda count: bar.advance(task, count)


# ---- in the workers -------------------------------------------------------------------------------------------


def _render_chunk(
    folder: Path, clip_length: int, first: int, clips: Sequence[Clip], render: Callable[[str], np.ndarray]
) -> _Chunk:
    background = np.fromfile(folder / "background.i16", np.int16)
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
            waveforms[row] = to_int16(fit(waveform, clip_length))
            lengths[row] = len(waveform)
        except AudioError as error:
            bad.append((first + row, named(clip.path, error)))
    with synced(folder / "waveforms.i16", "r+b") as file:
        file.seek(2 * clip_length * first)
        file.write(waveforms.data)
    return first, lengths, bad


def _is_silence(clip: Clip) -> bool:
    place, _, number = clip.path.rpartition("/")
    return place == f"{clip.label}/{clip.split}" and number.isdecimal()


def _silence(path: str, background: np.ndarray, length: int) -> np.ndarray:
    generator = np.random.default_rng(list(path.encode()))
    start = generator.integers(max(len(background) - length, 0) + 1)
    excerpt = np.resize(background[start : start + length], length)  # repeats a short one; zeros for none
    return np.rint(excerpt * generator.uniform()).astype(np.int16)
