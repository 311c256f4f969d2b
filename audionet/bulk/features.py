"""Features of many files on disk: what `audionet features` does."""

import json
import os
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audionet.audio import decode, resample, to_mono
from audionet.bulk.outputs import OUTPUTS, Item, Output, is_fresh, make_folders, whole
from audionet.features.frontend import FrontEnd

_MOST_FILES, _MOST_BYTES = 128, 1 << 23  # in a task: enough that the front-end is fast, and that memory is not filled
_IDLE_SECONDS = 10  # without work a worker ends

Bad = tuple[str, str]  # a file and what is wrong with it


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes:
        output: Where the features go.
        todo: Files whose features are to be made.
        n_done: Files whose features are there already.
        with_pictures: Whether each also gets a picture, `<key>.png`.
    """

    output: Output
    todo: Sequence[Item]
    n_done: int
    with_pictures: bool


def make_plan(
    paths: Iterable[str | Path],
    folder: str | Path,
    *,
    base: str | Path,
    settings: Mapping[str, Any],
    format: str = "npy",
    with_pictures: bool = False,
) -> Plan:
    """See what is to be done, and make the folder ready for it.

    Args:
        paths: Audio files.
        folder: Where the features go; made where it is not there.
        base: Folder that the files lie below; their features are called by the rest of their paths.
        settings: What decides the features, as JSON takes it. It is kept beside them, in `features.json`, with the
            format and the base.
        format: "npy", "zarr" or "parquet", see `audionet.bulk.outputs`.
        with_pictures: Whether each is to have a picture, too.

    Raises:
        ValueError: An unknown format, or a library for it is missing; two files whose features would have the same
            name; or the folder holds features of other settings or of files below another base.
        OSError: The folder cannot be written.
    """
    if format not in OUTPUTS:
        raise ValueError(f"format = {format!r}: expected one of {', '.join(OUTPUTS)}")
    output = OUTPUTS[format](Path(folder))
    items = find_items(paths, base)
    output.folder.mkdir(parents=True, exist_ok=True)
    kept = {**settings, "format": format, "base": os.path.abspath(base)}
    _check_settings(output.folder / "features.json", kept)
    done = output.done(items)
    if with_pictures:
        done &= {item.key for item in items if is_fresh(_picture(output, item), item)}
    todo = [item for item in items if item.key not in done]
    output.prepare(todo)
    if with_pictures:
        make_folders(output.folder, todo)
    return Plan(output, todo, len(done), with_pictures)


def find_items(paths: Iterable[str | Path], base: str | Path) -> list[Item]:
    """Return files with the names of their features, sorted by these.

    Raises:
        ValueError: Two have the same.
    """
    base = os.path.abspath(base)
    items: dict[str, Item] = {}
    for source in dict.fromkeys(os.path.abspath(path) for path in paths):
        key = os.path.splitext(os.path.relpath(source, base))[0].replace(os.sep, "/")
        if key in items:
            raise ValueError(
                f"{items[key].source} and {source} differ in their extensions only, so that their features would have "
                f"the same name, {key}; rename one or leave it out"
            )
        try:
            status = os.stat(source)
            items[key] = Item(key, source, status.st_size, status.st_mtime_ns)
        except OSError:  # reading it will say so
            items[key] = Item(key, source, 0, 0)
    return [items[key] for key in sorted(items)]


def common_folder(paths: Iterable[str | Path]) -> str:
    """Return the innermost folder that holds all these folders and files; of a single folder, that one itself."""
    places = map(os.path.abspath, paths)
    return os.path.commonpath([place if os.path.isdir(place) else os.path.dirname(place) for place in places])


def extract(
    plan: Plan, front_end: FrontEnd, *, workers: int | None = None
) -> Generator[tuple[int, list[Bad]], None, None]:
    """Make features, in processes of their own.

    Every file is mixed to mono and resampled to the front-end's rate.

    Args:
        plan: What is to be done.
        front_end: For clips of any length.
        workers: Processes; None: one for each core; 1: none but this one.

    Yields:
        How many files were just done, and which of them are bad, and why. Their features are missing; the next plan
        has them again.

    Raises:
        ValueError: A worker crashed, or the format does not take these features.
        OSError: The folder cannot be written.
    """
    from concurrent.futures.process import BrokenProcessPool

    from filelock import FileLock, Timeout
    from joblib import Parallel, cpu_count, delayed, parallel_config

    workers = workers or cpu_count()
    tasks = list(_tasks(plan.todo, -(-len(plan.todo) // (4 * workers))))
    work = partial(_work, plan.output, front_end, plan.with_pictures)
    try:
        with FileLock(plan.output.folder / ".lock", timeout=0), parallel_config("loky", inner_max_num_threads=1):
            parallel = Parallel(
                n_jobs=max(min(workers, len(tasks)), 1),
                return_as="generator_unordered",
                batch_size=1,
                idle_worker_timeout=_IDLE_SECONDS,
            )
            with closing(parallel(delayed(work)(task) for task in tasks)) as results:
                yield from results
            plan.output.finish()
    except Timeout:
        raise ValueError(f"{plan.output.folder}: another process is writing features here; wait for it") from None
    except BrokenProcessPool as error:
        raise ValueError(
            f"{plan.output.folder}: a worker crashed: a file that crashes its decoder, or too little memory for "
            f"{workers} workers; what is done is kept"
        ) from error


def _check_settings(path: Path, settings: Mapping[str, Any]) -> None:
    """Keep the settings, or see that those which are kept are the same."""
    asked = json.loads(json.dumps(settings))
    try:
        kept = json.loads(path.read_bytes())
        if not isinstance(kept, dict):
            raise ValueError("no mapping")
    except FileNotFoundError:
        with whole(path) as file:
            file.write(json.dumps(asked, indent=2).encode() + b"\n")
        return
    except ValueError:
        raise ValueError(f"{path} is damaged: remove it if the features beside it were made with {asked}") from None
    for name in {**asked, **kept}:
        if asked.get(name) != kept.get(name):
            raise ValueError(
                f"{path.parent} holds features made with {name} = {json.dumps(kept.get(name))}, you ask for "
                f"{json.dumps(asked.get(name))}: name another folder, or remove this one to make them anew"
            )


def _tasks(items: Iterable[Item], most_files: int) -> Iterator[list[Item]]:
    """Yield files in parts, none of which is too large."""
    task: list[Item] = []
    n_bytes = 0
    for item in items:
        if task and (len(task) >= min(most_files, _MOST_FILES) or n_bytes + item.size > _MOST_BYTES):
            yield task
            task, n_bytes = [], 0
        task.append(item)
        n_bytes += item.size
    if task:
        yield task


def _picture(output: Output, item: Item) -> str:
    return f"{output.folder}/{item.key}.png"


# ---- in the workers -------------------------------------------------------------------------------------------


def _work(output: Output, front_end: FrontEnd, with_pictures: bool, items: Sequence[Item]) -> tuple[int, list[Bad]]:
    """Make the features of files."""
    alike: dict[int, dict[Item, np.ndarray]] = {}  # by length
    bad = []
    for item in items:
        try:
            waveform, rate = decode(item.source, max_seconds=None)
            mono = resample(to_mono(waveform)[0], rate, front_end.sample_rate)
            alike.setdefault(len(mono), {})[item] = mono
        except ValueError as error:
            bad.append((item.source, str(error)))
    features: dict[Item, np.ndarray] = {}
    for clips in alike.values():
        try:
            with torch.inference_mode():
                x = front_end(torch.from_numpy(np.stack(list(clips.values())))).contiguous().numpy()
        except ValueError as error:  # of their length, which they share
            bad += [(item.source, f"{item.source}: {error}") for item in clips]
        else:
            features.update(zip(clips, x, strict=True))
    if with_pictures:
        for item, x in features.items():
            _draw(output, front_end, item, x)
    if features:
        output.write(features)
    return len(items), bad


def _draw(output: Output, front_end: FrontEnd, item: Item, x: np.ndarray) -> None:
    from audionet.plots.features import plot_features

    with whole(_picture(output, item), item.modified) as file:
        plot_features(x, front_end, title=item.key).savefig(file, format="png", dpi=150)
