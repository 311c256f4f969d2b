"""Formats for the features of many files: an .npy for each, one Zarr store, or one Parquet file.

Each is a folder, to which `audionet.bulk.features` adds `features.json`. Everything in it is complete, since it is
written under another name and then renamed.
"""

import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Protocol

import numpy as np

from audionet.files import whole_file

_ROW_GROUP = 1 << 25  # bytes of features in a row group of a Parquet file, which is read at a time
_CHUNK = 1 << 22  # bytes of features in a file of a Zarr store


@dataclass(frozen=True)
class Item:
    """An audio file, and the name of its features.

    Attributes:
        key: Path below the folder that all files have in common, without extension, with "/".
        source: Path of the file.
        size: In bytes; 0 for a missing file.
        modified: Time of its last change, in nanoseconds.
    """

    key: str
    source: str
    size: int
    modified: int


class Output(Protocol):
    """A folder of features. It is sent to other processes, which call `write` only."""

    @property
    def folder(self) -> Path:
        """Path of the folder."""

    def done(self, items: Sequence[Item]) -> set[str]:
        """Return the keys whose features are there and were computed from the files as they are now."""

    def prepare(self, items: Sequence[Item]) -> None:
        """Prepare the folder for the features of these items."""

    def write(self, features: Mapping[Item, np.ndarray]) -> None:
        """Write the features (band, frame) of items."""

    def finish(self) -> None:
        """Assemble the parts that were written."""


@dataclass(frozen=True)
class NpyFiles:
    """One `<key>.npy` for each file, (band, frame)."""

    folder: Path

    def done(self, items: Sequence[Item]) -> set[str]:
        """Return the keys whose files are there and up to date."""
        return {item.key for item in items if is_fresh(f"{self.folder}/{item.key}.npy", item)}

    def prepare(self, items: Sequence[Item]) -> None:
        """Create the folders of the files."""
        make_folders(self.folder, items)

    def write(self, features: Mapping[Item, np.ndarray]) -> None:
        """Write the files."""
        for item, x in features.items():
            with whole_file(f"{self.folder}/{item.key}.npy", modified_ns=item.modified) as file:
                np.lib.format.write_array(file, x)

    def finish(self) -> None:
        """Do nothing, since there are no parts."""


@dataclass(frozen=True)
class ZarrStore:
    """A Zarr group `features.zarr`, with an array (band, frame) for each file under its key.

    Raises:
        ValueError: zarr is missing.
    """

    folder: Path

    def __post_init__(self) -> None:
        _imported("zarr")

    def done(self, items: Sequence[Item]) -> set[str]:
        """Return the keys whose arrays are there and up to date."""
        return {item.key for item in items if is_fresh(self.folder / "features.zarr" / item.key / "zarr.json", item)}

    def prepare(self, items: Sequence[Item]) -> None:
        """Create the groups.

        Raises:
            ValueError: A file without its extension has the name of a folder beside it.
        """
        groups = _parents(items)
        both = groups.intersection(item.key for item in items)
        both |= {item.key for item in items if self._kind(item.key) == "group"}
        if both := both | {group for group in groups if self._kind(group) == "array"}:
            raise ValueError(
                f"{min(both)}: expected a file or a folder, got both, and a Zarr store has room for one; rename it, or "
                "choose the format npy or parquet"
            )
        root = _imported("zarr").open_group(self.folder / "features.zarr", mode="a")
        for group in sorted(groups):
            root.require_group(group)

    def write(self, features: Mapping[Item, np.ndarray]) -> None:
        """Write the arrays."""
        for item, x in features.items():
            partial = self.folder / f".{secrets.token_hex(8)}.partial"
            n_frames = min(x.shape[1], max(_CHUNK // (x.itemsize * len(x)), 1))
            _imported("zarr").create_array(
                store=partial, data=x, chunks=(len(x), n_frames), dimension_names=("band", "frame")
            )
            os.utime(partial / "zarr.json", ns=(item.modified, item.modified))
            target = self.folder / "features.zarr" / item.key
            shutil.rmtree(target, ignore_errors=True)  # of a file that has changed
            os.rename(partial, target)

    def finish(self) -> None:
        """Do nothing, since there are no parts."""

    def _kind(self, key: str) -> str | None:
        """Return the kind of what the store has under a key: "array", "group" or None."""
        path = self.folder / "features.zarr" / key / "zarr.json"
        return str(json.loads(path.read_bytes())["node_type"]) if path.exists() else None


@dataclass(frozen=True)
class ParquetFile:
    """A table `features.parquet`, with a row for each file.

    Its columns are path, which is the key; n_bands and n_frames; features, (band * frame,) float, band by band; and
    modified, the time of the file's last change. Until all rows are there, they lie in files in `.parts`.

    Raises:
        ValueError: pyarrow is missing.
    """

    folder: Path

    def __post_init__(self) -> None:
        _imported("pyarrow.parquet")

    def done(self, items: Sequence[Item]) -> set[str]:
        """Return the keys whose rows are there and up to date."""
        there: dict[str, int] = {}
        for path in (*self._final(), *self._parts()):
            rows = _imported("pyarrow.parquet").read_table(path, columns=["path", "modified"]).to_pydict()
            there.update(zip(rows["path"], rows["modified"], strict=True))
        return {item.key for item in items if there.get(item.key) == item.modified}

    def prepare(self, items: Sequence[Item]) -> None:
        """Create the folder of the parts.

        Raises:
            ValueError: A file's name is not UTF-8.
        """
        for item in items:
            if item.key != item.key.encode(errors="replace").decode():
                raise ValueError(f"{ascii(item.source)}: expected a name in UTF-8; rename it, or choose the format npy")
        (self.folder / ".parts").mkdir(exist_ok=True)

    def write(self, features: Mapping[Item, np.ndarray]) -> None:
        """Write a part.

        Raises:
            ValueError: The features are complex.
        """
        pyarrow, parquet = _imported("pyarrow"), _imported("pyarrow.parquet")
        arrays = list(features.values())
        if arrays[0].dtype.kind == "c":
            raise ValueError("features: expected real numbers for a Parquet file, got complex ones; choose npy or zarr")
        offsets = np.cumsum([0, *(x.size for x in arrays)])
        flat = pyarrow.array(np.concatenate([x.ravel() for x in arrays]))
        columns = {
            "path": [item.key for item in features],
            "n_bands": pyarrow.array([len(x) for x in arrays], pyarrow.int32()),
            "n_frames": pyarrow.array([x.shape[1] for x in arrays], pyarrow.int32()),
            "features": pyarrow.LargeListArray.from_arrays(offsets, flat),
            "modified": pyarrow.array([item.modified for item in features], pyarrow.int64()),
        }
        with whole_file(self.folder / ".parts" / f"{secrets.token_hex(8)}.parquet") as file:
            parquet.write_table(pyarrow.table(columns), file)

    def finish(self) -> None:
        """Merge the parts, and the rows that were there before, into one file."""
        parquet = _imported("pyarrow.parquet")
        parts = self._parts()
        if parts:
            schema = parquet.read_schema(parts[0])
            with whole_file(self.folder / "features.parquet") as file, parquet.ParquetWriter(file, schema) as writer:
                for table in _row_groups(self._merged(parts)):
                    writer.write_table(table)
        shutil.rmtree(self.folder / ".parts", ignore_errors=True)

    def _final(self) -> list[Path]:
        path = self.folder / "features.parquet"
        return [path] if path.exists() else []

    def _parts(self) -> list[Path]:
        """Return the parts, sorted by their first key."""
        read = _imported("pyarrow.parquet").read_table
        paths = (self.folder / ".parts").glob("*.parquet")
        return sorted(paths, key=lambda path: read(path, columns=["path"])["path"][0].as_py())

    def _merged(self, parts: Sequence[Path]) -> Iterator["_Table"]:
        """Yield the former rows whose keys are not in the parts, then the rows of the parts."""
        pyarrow, parquet = _imported("pyarrow"), _imported("pyarrow.parquet")
        new = {key for part in parts for key in parquet.read_table(part, columns=["path"])["path"].to_pylist()}
        for path in self._final():
            with parquet.ParquetFile(path) as file:
                for number in range(file.num_row_groups):
                    table = file.read_row_group(number)
                    yield table.filter(pyarrow.array([key not in new for key in table["path"].to_pylist()]))
        yield from map(parquet.read_table, parts)


OUTPUTS: dict[str, Callable[[Path], Output]] = {"npy": NpyFiles, "zarr": ZarrStore, "parquet": ParquetFile}


def is_fresh(path: str | os.PathLike[str], item: Item) -> bool:
    """Return whether a file exists, is not empty and has the modification time of the item's file."""
    try:
        status = os.stat(path)
    except OSError:
        return False
    # A file may be empty after a power failure, since waiting for the disk after each one would take too long.
    return status.st_size > 0 and status.st_mtime_ns == item.modified


def make_folders(folder: Path, items: Iterable[Item]) -> None:
    """Create the folders that the items' keys name."""
    for parent in sorted(_parents(items)):
        (folder / parent).mkdir(parents=True, exist_ok=True)


def remove_partials(folder: Path, items: Iterable[Item]) -> None:
    """Remove what a killed run left half written in the items' folders. No other process may be writing there."""
    for parent in {"", *_parents(items)}:
        for partial in (folder / parent).glob(".*.partial"):
            if partial.is_dir():
                shutil.rmtree(partial, ignore_errors=True)
            else:
                partial.unlink()


def _parents(items: Iterable[Item]) -> set[str]:
    """Return the folders in the items' keys, such as "a" and "a/b" for "a/b/c"."""
    folders = {item.key.rpartition("/")[0] for item in items} - {""}
    return {"/".join(parts[: n + 1]) for parts in (folder.split("/") for folder in folders) for n in range(len(parts))}


class _Table(Protocol):  # of pyarrow, which has no types
    nbytes: int


def _row_groups(tables: Iterable[_Table]) -> Iterator[_Table]:
    """Join tables until they are as large as a row group."""
    pyarrow = _imported("pyarrow")
    kept: list[_Table] = []
    for table in tables:
        kept.append(table)
        if sum(each.nbytes for each in kept) >= _ROW_GROUP:
            yield pyarrow.concat_tables(kept)
            kept = []
    if kept:
        yield pyarrow.concat_tables(kept)


def _imported(name: str) -> ModuleType:
    """Import zarr or a module of pyarrow, which audionet does not require.

    Raises:
        ValueError: It is missing.
    """
    try:
        return import_module(name)
    except ImportError as error:
        extra = "zarr" if name == "zarr" else "parquet"
        raise ValueError(
            f"format: expected {name.partition('.')[0]} for {extra}, got {error}; "
            f"pip install 'audionet[{extra}]', or choose the format npy"
        ) from error
