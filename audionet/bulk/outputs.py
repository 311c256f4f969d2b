"""Formats for the features of many files: an .npy for each, one Zarr store, or one Parquet file.

Each is a folder, to which `audionet.bulk.features` adds `features.json`, and `audionet.bulk.sources` `sources.jsonl`.
Everything in it is complete, since it is written under another name and then renamed. `audionet.bulk.zarr_store` and
`audionet.bulk.parquet_file` describe the store and the table; they need libraries of their own.
"""

import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from math import inf
from pathlib import Path, PurePosixPath
from typing import TypeVar

import numpy as np

from audionet.checks import check_one_of
from audionet.files import whole_file

T = TypeVar("T")


@dataclass(frozen=True)
class Item:
    """An audio file, and the name of its features.

    Attributes:
        key: Path below the folder that all files have in common, without extension, with "/".
        source: Path of the file.
        size: In bytes; 0 for a missing file.
        modified: Time of the last change of its content, in nanoseconds.
        changed: Time of the last change of its content or its name, in nanoseconds.
        seen: When this was looked up, in nanoseconds.
    """

    key: str
    source: str
    size: int
    modified: int
    changed: int = 0
    seen: int = 0


@dataclass(frozen=True)
class Output(ABC):
    """A folder of features. It is sent to other processes, which call `write` only.

    Attributes:
        folder: Path of the folder.
    """

    folder: Path

    @abstractmethod
    def done(self, items: Sequence[Item]) -> set[str]:
        """Return the keys whose features are there and whole, and remove what is damaged."""

    def prepare(self, items: Sequence[Item]) -> None:
        """Prepare the folder for the features of these items."""
        make_folders(self.folder, items)

    @abstractmethod
    def write(self, features: Mapping[Item, np.ndarray]) -> None:
        """Write the features (band, frame) of items."""

    def finish(self) -> None:  # noqa: B027
        """Assemble the parts that were written, if the format has any."""


class NpyFiles(Output):
    """One `<key>.npy` for each file, (band, frame)."""

    def done(self, items: Sequence[Item]) -> set[str]:
        """Return the keys whose files are there and as long as they say."""
        return {item.key for item in items if _is_whole(f"{self.folder}/{item.key}.npy")}

    def write(self, features: Mapping[Item, np.ndarray]) -> None:
        """Write the files."""
        for item, x in features.items():
            with whole_file(f"{self.folder}/{item.key}.npy") as file:
                np.lib.format.write_array(file, x)


_FORMATS = {"npy": "outputs.NpyFiles", "zarr": "zarr_store.ZarrStore", "parquet": "parquet_file.ParquetFile"}


def open_output(format: str, folder: Path) -> Output:
    """Return the output of a format in a folder. Only this imports the library of the format.

    Raises:
        ValueError: The format is unknown, or its library is missing.
    """
    check_one_of(_FORMATS, "format", format)
    module, _, name = _FORMATS[format].partition(".")
    try:
        output: Output = getattr(import_module(f"audionet.bulk.{module}"), name)(folder)
    except ImportError as error:
        raise ValueError(
            f"format: expected {error.name} for {format}, got {error}; pip install 'audionet[{format}]', or choose the "
            "format npy"
        ) from error
    return output


def is_there(path: str | os.PathLike[str]) -> bool:
    """Return whether a file exists and is not empty.

    It may be empty after a power failure, since waiting for the disk after each one would take too long.
    """
    with suppress(OSError):
        return os.stat(path).st_size > 0
    return False


def _is_whole(path: str) -> bool:
    with suppress(OSError, EOFError, ValueError):  # not there; empty; no array, or one that is cut off
        np.load(path, mmap_mode="r")
        return True
    return False


def make_folders(folder: Path, items: Iterable[Item]) -> None:
    """Create the folders that the items' keys name."""
    for parent in sorted(parents(items)):
        (folder / parent).mkdir(parents=True, exist_ok=True)


def remove_partials(folder: Path, items: Iterable[Item]) -> None:
    """Remove what a killed run left half written in the items' folders. No other process may be writing there."""
    for parent in {"", *parents(items)}:
        for partial in (folder / parent).glob(".*.partial"):
            if partial.is_dir():
                shutil.rmtree(partial, ignore_errors=True)
            else:
                partial.unlink()


def parents(items: Iterable[Item]) -> set[str]:
    """Return the folders in the items' keys, such as "a" and "a/b" for "a/b/c"."""
    folders = {item.key.rpartition("/")[0] for item in items}
    return {str(parent) for folder in folders for parent in PurePosixPath(folder, "x").parents} - {"."}


def grouped(
    things: Iterable[T], n_bytes: Callable[[T], int], most_bytes: int, most_things: float = inf
) -> Iterator[list[T]]:
    """Yield things in groups of at most so many bytes and so many things. A thing of more bytes is a group alone.

    Args:
        things: The things, in order.
        n_bytes: Returns the bytes of a thing.
        most_bytes: Bytes of a group, at most.
        most_things: Things of a group, at most.
    """
    group: list[T] = []
    for thing in things:
        if group and (len(group) >= most_things or sum(map(n_bytes, group)) + n_bytes(thing) > most_bytes):
            yield group
            group = []
        group.append(thing)
    if group:
        yield group
