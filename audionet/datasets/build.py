"""Building the samples of a clip store: worker processes render the clips, chunk by chunk, into one file.

A journal lists the chunks that are on the disk, so that an interrupted build goes on where it stopped.
"""

import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np

from audionet import console
from audionet.audio import FULL_SCALE, AudioError, fit, to_int16
from audionet.datasets.classes import silence_samples
from audionet.datasets.clip import Clip
from audionet.parallel import WorkerCrash, map_unordered, usable_cores

CHUNK_CLIPS, CHUNK_BYTES = 128, 1 << 24  # at most this much is lost for each worker when a build is interrupted

Outcome = int | str
"""Samples of a clip before it was padded or cut; of a bad file, what is wrong with it."""


class StoreError(ValueError):
    """A clip store that cannot be built."""


def as_store_error(folder: Path, error: OSError) -> StoreError:
    """Return an error of the disk as one of the stores in a folder, with what can be done about it."""
    if error.errno is None:  # of check_free_space, which says it all
        return StoreError(str(error))
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        reason, advice = "the disk is full", "free some space and start again, what is built is kept, or "
    else:
        reason, advice = f"the clip store cannot be built or read here ({error})", ""
    return StoreError(f"{folder}: {reason}; {advice}choose another folder with the variable AUDIONET_CACHE")


def render_clips(
    folder: Path,
    clips: Sequence[Clip],
    render: Callable[[str], np.ndarray],
    *,
    sample_rate: int,
    clip_length: int,
    workers: int | None,
    progress: bool,
) -> tuple[list[Outcome], list[int]]:
    """Render clips into the rows of `waveforms.i16`, except those that the folder's journal lists.

    Args:
        folder: Folder of `waveforms.i16`, (clip, time) int16, `background.i16`, (time,) int16, and the journal.
        clips: The clip of each row. What a silence contains is not rendered but said by `classes.silence_samples`.
        render: Makes the waveform of a clip, (time,) float32, from its path.
        sample_rate: Sample rate in hertz.
        clip_length: Number of samples of a row.
        workers: Number of processes; None for one a core.
        progress: Show a bar, if standard error is a terminal.

    Returns:
        The outcome of each clip, and the rows of recordings without sound; the rows of bad files are zeros.

    Raises:
        StoreError: A worker crashed.
    """
    done = {first: (outcomes, silent) for first, outcomes, silent in read_journal(folder)}
    step = max(min(CHUNK_CLIPS, CHUNK_BYTES // (2 * clip_length)), 1)
    todo = [first for first in range(0, len(clips), step) if first not in done]
    started: list[int] = []

    def tasks() -> Iterator[tuple[int, Sequence[Clip]]]:
        for first in todo:
            started.append(first)
            yield first, clips[first : first + step]

    workers = max(min(workers or usable_cores(), len(todo)), 1)
    work = partial(_render_chunk, folder, sample_rate, clip_length, render)
    try:
        with (
            console.progress(
                "clip store", len(clips), done=sum(len(outcomes) for outcomes, _ in done.values()), show=progress
            ) as advance,
            closing(map_unordered(work, tasks(), workers=workers)) as chunks,
        ):
            for first, outcomes, silent in chunks:
                with _synced(folder / "journal", "ab") as file:
                    # The line break comes first, so that a line that a crash cut off spoils no other.
                    file.write(b"\n" + json.dumps((first, outcomes, silent)).encode())
                done[first] = outcomes, silent
                advance(len(outcomes))
    except WorkerCrash as error:
        unfinished = [clip for first in started if first not in done for clip in clips[first : first + step]]
        between = f"{unfinished[0].path} to {unfinished[-1].path}"
        raise StoreError(f"{between}: {error}; remove it or name fewer workers, what is built is kept") from error
    chunks_done = [done[first] for first in sorted(done)]
    outcomes_of_all = [outcome for outcomes, _ in chunks_done for outcome in outcomes]
    return outcomes_of_all, [row for _, silent in chunks_done for row in silent]


def read_journal(folder: Path) -> Iterator[tuple[int, list[Outcome], list[int]]]:
    """Yield the first row of each chunk that is on the disk, the outcomes of its clips, and the rows without sound."""
    if (folder / "journal").exists():
        for line in (folder / "journal").read_text().splitlines():
            try:
                first, outcomes, silent = json.loads(line)
            except ValueError:  # cut off
                continue
            yield first, outcomes, silent


def _render_chunk(
    folder: Path,
    sample_rate: int,
    clip_length: int,
    render: Callable[[str], np.ndarray],
    task: tuple[int, Sequence[Clip]],
) -> tuple[int, list[Outcome], list[int]]:
    """Render clips into the file, in a worker process."""
    first, clips = task
    background = np.fromfile(folder / "background.i16", np.int16)
    waveforms = np.zeros((len(clips), clip_length), np.int16)
    outcomes: list[Outcome] = [clip_length] * len(clips)
    silent = []
    for row, clip in enumerate(clips):
        if clip.silence:
            waveforms[row] = silence_samples(clip, background, clip_length)
            continue
        try:
            waveform = render(clip.path)
            waveforms[row] = to_int16(fit(waveform, clip_length, sample_rate))
            outcomes[row] = len(waveform)
            if np.ptp(waveform) * FULL_SCALE < 1:
                silent.append(first + row)
        except AudioError as error:
            outcomes[row] = str(error) if clip.path in str(error) else f"{clip.path}: {error}"
    with _synced(folder / "waveforms.i16", "r+b") as file:
        file.seek(2 * clip_length * first)
        file.write(waveforms.data)
    return first, outcomes, silent


def first_alike(waveforms: np.ndarray) -> np.ndarray:
    """Return the position of the first of some clips, (clip, time) int16, with the same samples as each, (clip,) int64.

    That of a clip without sound is its own.
    """
    positions = np.arange(len(waveforms))
    firsts: dict[bytes, int] = {}
    for position, waveform in enumerate(waveforms):
        if np.ptp(waveform):
            digest = hashlib.blake2b(waveform, digest_size=16).digest()
            positions[position] = firsts.setdefault(digest, position)
    return positions


@contextmanager
def _synced(path: Path, mode: Literal["ab", "r+b"]) -> Iterator[BinaryIO]:
    """Open a file for writing in place; what is written is on the disk afterwards."""
    with open(path, mode) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
