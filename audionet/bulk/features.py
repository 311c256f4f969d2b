"""Features of many files on disk: what `audionet features` does."""

import json
import os
import warnings
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from audionet import features
from audionet.audio import AudioWarning
from audionet.bulk import sources
from audionet.bulk.computing import Failure as Failure
from audionet.bulk.computing import compute, picture
from audionet.bulk.outputs import (
    Item,
    Output,
    grouped,
    is_there,
    make_folders,
    open_output,
    remove_partials,
)
from audionet.checks import check_that
from audionet.features.frontend import FrontEnd
from audionet.files import naming, whole_file
from audionet.locks import only_one
from audionet.parallel import WorkerCrash, map_unordered, usable_cores

_CHUNK_FILES, _CHUNK_BYTES = 128, 1 << 23  # enough to keep the front-end fast, few enough to fit the memory
# A worker imports torch, which takes some 2 s. That pays off above so many bytes of audio; a picture takes as long as
# half a megabyte.
_WORTH_WORKERS, _PICTURE = 1 << 25, 1 << 19


@dataclass(frozen=True)
class Plan:
    """The files whose features are missing.

    Attributes:
        output: Where the features go.
        todo: Files whose features have to be computed.
        n_done: Number of files whose features are there already.
        with_pictures: Whether each file also gets a picture, `<key>.png`.
    """

    output: Output
    todo: Sequence[Item]
    n_done: int
    with_pictures: bool


def choose_front_end(
    kind: str | None = None, *, like: str | None = None, arguments: Mapping[str, Any]
) -> tuple[FrontEnd, dict[str, object]]:
    """Build a front-end by its name, or one with the numbers of another tool.

    Args:
        kind: Name in `audionet.features.FEATURES`, or of one of the tool's front-ends; None for LogMel, or for what
            the tool is known for.
        like: Name of a tool for `audionet.features.like`; None for none.
        arguments: Arguments of the front-end.

    Returns:
        The front-end and the settings that determine its features, for `make_plan`.

    Raises:
        ValueError: The kind or the tool is unknown, or an argument does not fit.

    Example:
        >>> front_end, settings = choose_front_end("MFCC", arguments={"n_mfcc": 13})
        >>> settings
        {'kind': 'mfcc', 'arguments': {'n_mfcc': 13}, 'sample_rate': 16000, 'hop_length': 160}
    """
    if like:
        front_end = features.like(like, kind, **arguments)
        settings: dict[str, object] = {"like": like.lower(), **({"kind": kind.lower()} if kind else {})}
    else:
        front_end = features.create(kind or "LogMel", **arguments)
        settings = {"kind": (kind or "LogMel").lower()}
    sizes = {"sample_rate": front_end.sample_rate, "hop_length": front_end.framing.hop_length}
    return front_end, {**settings, "arguments": dict(arguments), **sizes}


def make_plan(
    paths: Iterable[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    *,
    base: str | os.PathLike[str],
    settings: Mapping[str, object],
    format: str = "npy",
    with_pictures: bool = False,
) -> Plan:
    """Find the files whose features are missing, and prepare the output folder.

    Args:
        paths: Audio files.
        folder: Output folder, created if it is missing.
        base: Folder that contains the files. The rest of a file's path names its features, without extension where
            that is enough to tell them apart.
        settings: JSON values that determine the features. `features.json` beside these records them, with the format
            and the base.
        format: "npy", "zarr" or "parquet", see `audionet.bulk.outputs`.
        with_pictures: Whether each file also gets a picture.

    Raises:
        ValueError: The format is unknown or its library is missing, the folder is a file or has features of other
            settings or of another base, or another process works there.
        OSError: The folder cannot be written.
    """
    output = open_output(format, Path(folder))
    items = sources.find_items(paths, base)
    check_that(not output.folder.is_file(), "output", "a folder", os.fspath(folder), "that is a file, name another")
    output.folder.mkdir(parents=True, exist_ok=True)
    with naming(output.folder), only_one(output.folder, "planning features", wait=False):
        _check_settings(output.folder / "features.json", {**settings, "format": format, "base": os.path.abspath(base)})
        done = output.done(items) & sources.unchanged(output.folder, items)
        if with_pictures:
            done &= {item.key for item in items if is_there(picture(output, item))}
        todo = [item for item in items if item.key not in done]
        output.prepare(todo)
        if with_pictures:
            make_folders(output.folder, todo)
    return Plan(output, todo, len(done), with_pictures)


def common_folder(paths: Iterable[str | os.PathLike[str]]) -> str:
    """Return the innermost folder that contains all files and folders; for a single folder, the folder itself.

    Example:
        >>> common_folder(["/data/a/1.wav", "/data/b/2.wav"])
        '/data'
    """
    places = map(os.path.abspath, paths)
    return os.path.commonpath([place if os.path.isdir(place) else os.path.dirname(place) for place in places])


def extract(
    plan: Plan,
    front_end: FrontEnd,
    *,
    lenient: bool = False,
    workers: int | None = None,
    chunk_files: int = _CHUNK_FILES,
    chunk_bytes: int = _CHUNK_BYTES,
) -> Generator[tuple[int, list[Failure]], None, None]:
    """Compute the features of the files of a plan and write them.

    Each file is mixed to mono and resampled to the front-end's sample rate.

    Args:
        plan: The files and the output.
        front_end: A front-end for clips of any length.
        lenient: Of a damaged or cut-off file, take what is whole, and warn of the rest.
        workers: Number of processes, each with one thread; 1 for this process alone; None for one a core where there
            is enough to do for them, else for this process alone.
        chunk_files: Files that a process takes at a time, at most.
        chunk_bytes: Bytes of files that a process takes at a time, unless one file has more.

    Yields:
        The number of files that were just done, and those of them that failed. Their features are missing; the next
        plan includes them.

    Raises:
        ValueError: A worker crashed, another process writes to the folder, or the format cannot store the features.
        OSError: The folder cannot be written.

    Warns:
        AudioWarning: A part of a file was left out.

    Example:
        >>> plan = make_plan(["seven.wav"], "features", base=".", settings={"kind": "logmel"})
        >>> list(extract(plan, audionet.features.LogMel()))
        [(1, [])]
        >>> np.load("features/seven.npy").shape
        (40, 60)
    """
    work = sum(item.size + plan.with_pictures * _PICTURE for item in plan.todo)
    workers = workers or (usable_cores() if work > _WORTH_WORKERS else 1)
    chunk_files = min(chunk_files, -(-len(plan.todo) // (4 * workers)))
    chunks = list(grouped(plan.todo, lambda item: item.size, chunk_bytes, chunk_files))
    function = partial(compute, plan.output, front_end, plan.with_pictures, lenient)
    try:
        with naming(plan.output.folder), only_one(plan.output.folder, "writing features", wait=False):
            for made, failures, notes in map_unordered(function, chunks, workers=max(min(workers, len(chunks)), 1)):
                for note in notes:
                    warnings.warn(note, AudioWarning, stacklevel=2)
                sources.note(plan.output.folder, made)
                yield len(made) + len(failures), failures
            plan.output.finish()
            sources.tidy(plan.output.folder)
            remove_partials(plan.output.folder, plan.todo)
    except WorkerCrash as error:
        raise ValueError(f"{plan.output.folder}: {error}; what is done is kept") from error


def _check_settings(path: Path, settings: Mapping[str, object]) -> None:
    """Record the settings, or check that those which are recorded are the same."""
    asked = json.loads(json.dumps(settings))
    if not path.exists():
        with whole_file(path) as file:
            file.write(json.dumps(asked, indent=2).encode() + b"\n")
    kept: object = None
    with suppress(ValueError):
        kept = json.loads(path.read_bytes())
    if not isinstance(kept, dict):
        raise ValueError(
            f"{path}: expected the settings of the features beside it, got a damaged file; remove it if they were "
            f"{asked}"
        )
    for name in {**asked, **kept}:
        if asked.get(name) != kept.get(name):
            raise ValueError(
                f"{path.parent}: expected features of {name} = {json.dumps(asked.get(name))}, got a folder of "
                f"{name} = {json.dumps(kept.get(name))}; name another folder, or remove this one"
            )
