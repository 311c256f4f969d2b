"""Where features of many files are kept: an .npy each, one Zarr store, or one Parquet file.

All are folders, to which `audionet.bulk.features` adds `features.json`. What is there is whole: it is written beside
its place and then renamed.
"""

import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np

_ROW_GROUP = 1 << 25  # bytes of features that a reader of a Parquet file takes at a time
_CHUNK = 1 << 22  # bytes of features in a file of a Zarr store


@dataclass(frozen=True)
class Item:
    """A file, and under which name its features are kept.

    Attributes:
        key: Its path below the folder that all have in common, without extension, with "/".
        source: Where it is.
        size: In bytes; 0 where it is missing.
        modified: When it was last changed, in nanoseconds.
    """

    key: str
    source: str
    size: int
    modified: int


class Output(Protocol):
    """A folder of features. It is sent to other processes, which only `write`."""

    @property
    def folder(self) -> Path:
        """Where it is."""

    def done(self, items: Sequence[Item]) -> set[str]:
        """Return the keys of those whose features are there already and made from them as they are."""

    def prepare(self, items: Sequence[Item]) -> None:
        """Make ready for these to be written."""

    def write(self, features: Mapping[Item, np.ndarray]) -> None:
        """Keep the features (band, frame) of items."""

    def finish(self) -> None:
        """Put together what was written."""


@dataclass(frozen=True)
class NpyFiles:
    """One `<key>.npy` for each file, (band, frame)."""

    folder: Path

    def done(self, items: Sequence[Item]) -> set[str]:
        """Look at the files."""
        return {item.key for item in items if is_fresh(f"{self.folder}/{item.key}.npy", item)}

    def prepare(self, items: Sequence[Item]) -> None:
        """Make the folders."""
        make_folders(self.folder, items)

    def write(self, features: Mapping[Item, np.ndarray]) -> None:
        """Write the files."""
        for item, x in features.items():
            with whole(f"{self.folder}/{item.key}.npy", item.modified) as file:
                np.lib.format.write_array(file, x)

    def finish(self) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class ZarrStore:
    """`features.zarr`, a group in which each file's key is an array (band, frame).

    Raises:
        ValueError: zarr is missing.
    """

    folder: Path

    def __post_init__(self) -> None:
        _imported("zarr")

    def done(self, items: Sequence[Item]) -> set[str]:
        """Look at the arrays."""
        return {item.key for item in items if is_fresh(self.folder / "features.zarr" / item.key / "zarr.json", item)}

    def prepare(self, items: Sequence[Item]) -> None:
        """Make the groups.

        Raises:
            ValueError: A file is called as a folder beside it, but for its extension.
        """
        groups = _parents(items)
        both = groups.intersection(item.key for item in items)
        both |= {item.key for item in items if self._kind(item.key) == "group"}
        if both := both | {group for group in groups if self._kind(group) == "array"}:
            raise ValueError(
                f"{min(both)} is both a file and a folder, and a Zarr store has one thing of a name; rename one, or "
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

    def _kind(self, key: str) -> str | None:
        """Return what is there: "array", "group" or nothing."""
        path = self.folder / "features.zarr" / key / "zarr.json"
        return json.loads(path.read_bytes())["node_type"] if path.exists() else None

    def finish(self) -> None:
        """Remove what an interrupted run left."""
        for partial in self.folder.glob(".*.partial"):
            shutil.rmtree(partial, ignore_errors=True)


@dataclass(frozen=True)
class ParquetFile:
    """`features.parquet`, a row for each file.

    Its columns: path, the key; n_bands and n_frames; features, (band * frame,) float, band by band; modified, when the
    file was last changed. Until all are there, the rows lie in `.parts`.

    Raises:
        ValueError: pyarrow is missing.
    """

    folder: Path

    def __post_init__(self) -> None:
        _imported("pyarrow.parquet")

    def done(self, items: Sequence[Item]) -> set[str]:
        """Look at the rows."""
        there: dict[str, int] = {}
        for path in (*self._final(), *self._parts()):
            rows = _imported("pyarrow.parquet").read_table(path, columns=["path", "modified"]).to_pydict()
            there.update(zip(rows["path"], rows["modified"], strict=True))
        return {item.key for item in items if there.get(item.key) == item.modified}

    def prepare(self, items: Sequence[Item]) -> None:
        """Make the folder of the parts.

        Raises:
            ValueError: A file's name is no text.
        """
        for item in items:
            if item.key != item.key.encode(errors="replace").decode():
                raise ValueError(f"{ascii(item.source)}: its name is not UTF-8; rename it, or choose the format npy")
        (self.folder / ".parts").mkdir(exist_ok=True)

    def write(self, features: Mapping[Item, np.ndarray]) -> None:
        """Write a part.

        Raises:
            ValueError: The features are complex.
        """
        pyarrow, parquet = _imported("pyarrow"), _imported("pyarrow.parquet")
        arrays = list(features.values())
        if arrays[0].dtype.kind == "c":
            raise ValueError("a Parquet file holds no complex numbers: take their power, or the format npy or zarr")
        offsets = np.cumsum([0, *(x.size for x in arrays)])
        flat = pyarrow.array(np.concatenate([x.ravel() for x in arrays]))
        columns = {
            "path": [item.key for item in features],
            "n_bands": pyarrow.array([len(x) for x in arrays], pyarrow.int32()),
            "n_frames": pyarrow.array([x.shape[1] for x in arrays], pyarrow.int32()),
            "features": pyarrow.LargeListArray.from_arrays(offsets, flat),
            "modified": pyarrow.array([item.modified for item in features], pyarrow.int64()),
        }
        with whole(self.folder / ".parts" / f"{secrets.token_hex(8)}.parquet") as file:
            parquet.write_table(pyarrow.table(columns), file)

    def finish(self) -> None:
        """Put the parts, and what was there before, into one file."""
        parquet = _imported("pyarrow.parquet")
        parts = self._parts()
        if parts:
            schema = parquet.read_schema(parts[0])
            with whole(self.folder / "features.parquet") as file, parquet.ParquetWriter(file, schema) as writer:
                for table in _row_groups(self._merged(parts)):
                    writer.write_table(table)
        shutil.rmtree(self.folder / ".parts", ignore_errors=True)

    def _final(self) -> list[Path]:
        path = self.folder / "features.parquet"
        return [path] if path.exists() else []

    def _parts(self) -> list[Path]:
        """Return the parts in the order of their files, as far as they were made in it."""
        read = _imported("pyarrow.parquet").read_table
        paths = (self.folder / ".parts").glob("*.parquet")
        return sorted(paths, key=lambda path: read(path, columns=["path"])["path"][0].as_py())

    def _merged(self, parts: Sequence[Path]) -> Iterator[Any]:
        """Yield tables; what is new takes the place of what was there under the same key."""
        pyarrow, parquet = _imported("pyarrow"), _imported("pyarrow.parquet")
        new = {key for part in parts for key in parquet.read_table(part, columns=["path"])["path"].to_pylist()}
        for path in self._final():
            with parquet.ParquetFile(path) as file:
                for number in range(file.num_row_groups):
                    table = file.read_row_group(number)
                    yield table.filter(pyarrow.array([key not in new for key in table["path"].to_pylist()]))
        yield from map(parquet.read_table, parts)


OUTPUTS: dict[str, Callable[[Path], Output]] = {"npy": NpyFiles, "zarr": ZarrStore, "parquet": ParquetFile}


def is_fresh(path: str | Path, item: Item) -> bool:
    """Say whether a file is there, not empty, and made from the item's as it is: it has that one's time."""
    try:
        status = os.stat(path)
    except OSError:
        return False
    # Empty is what a file may be after the machine went down, since waiting for the disk each time would take too long.
    return status.st_size > 0 and status.st_mtime_ns == item.modified


def make_folders(folder: Path, items: Iterable[Item]) -> None:
    """Make the folders that the items' keys name."""
    for parent in sorted(_parents(items)):
        (folder / parent).mkdir(parents=True, exist_ok=True)


@contextmanager
def whole(path: str | Path, modified: int | None = None) -> Iterator[IO[bytes]]:
    """Open a file to write that appears whole or not at all; one run at a time may write there.

    Args:
        path: Where.
        modified: What the file shall say of when it was changed, in nanoseconds; None for now.
    """
    folder, name = os.path.split(path)
    # Not the name itself, which may be as long as names can be.
    partial = f"{folder}/.{blake2b(os.fsencode(name), digest_size=16).hexdigest()}.partial"
    with open(partial, "wb") as file:
        yield file
    if modified is not None:
        os.utime(partial, ns=(modified, modified))
    os.replace(partial, path)


def _parents(items: Iterable[Item]) -> set[str]:
    """Return all folders that keys name: "a" and "a/b" for "a/b/c"."""
    folders = {item.key.rpartition("/")[0] for item in items} - {""}
    return {"/".join(parts[: n + 1]) for parts in (folder.split("/") for folder in folders) for n in range(len(parts))}


def _row_groups(tables: Iterable[Any]) -> Iterator[Any]:
    """Join tables until they are large enough."""
    pyarrow = _imported("pyarrow")
    kept: list[Any] = []
    for table in tables:
        kept.append(table)
        if sum(each.nbytes for each in kept) >= _ROW_GROUP:
            yield pyarrow.concat_tables(kept)
            kept = []
    if kept:
        yield pyarrow.concat_tables(kept)


def _imported(name: str) -> Any:
    """Import zarr, or a module of pyarrow, which do not come with audionet."""
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        extra = "zarr" if name == "zarr" else "parquet"
        raise ValueError(
            f"the format {extra} needs {name.partition('.')[0]}, which is missing ({error}); "
            f"pip install 'audionet[{extra}]', or choose the format npy"
        ) from error
