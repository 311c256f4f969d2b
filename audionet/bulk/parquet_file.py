"""Features of many files as one Parquet file."""

import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow
from pyarrow import parquet

from audionet.bulk.outputs import Item, Output, grouped
from audionet.files import whole_file

_ROW_GROUP = 1 << 25  # bytes of features in a row group, which is read at a time


class ParquetFile(Output):
    """A table `features.parquet`, with a row for each file.

    Its columns are path, which is the key; n_bands and n_frames; features, (band * frame,) float, band by band; and
    modified, the time of the file's last change. Until all rows are there, they lie in files in `.parts`.
    """

    def done(self, items: Sequence[Item]) -> set[str]:
        """Return the keys whose rows are there, and remove files that are damaged, as after a power failure."""
        there: set[str] = set()
        for path in (*self.folder.glob("features.parquet"), *(self.folder / ".parts").glob("*.parquet")):
            try:
                there.update(_keys(path))
            except (pyarrow.ArrowException, OSError):
                path.unlink()
        return {item.key for item in items if item.key in there}

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
        if parts := self._parts():
            schema = parquet.read_schema(parts[0])
            with (
                whole_file(self.folder / "features.parquet", sync=True) as file,
                parquet.ParquetWriter(file, schema) as writer,
            ):
                for tables in grouped(self._rows(parts), lambda table: table.nbytes, _ROW_GROUP):
                    writer.write_table(pyarrow.concat_tables(tables))
        shutil.rmtree(self.folder / ".parts", ignore_errors=True)

    def _parts(self) -> list[Path]:
        """Return the parts, sorted by their first key."""
        return sorted((self.folder / ".parts").glob("*.parquet"), key=_keys)

    def _rows(self, parts: Sequence[Path]) -> Iterator[pyarrow.Table]:
        """Yield the former rows whose keys are not in the parts, then the rows of the parts."""
        new = {key for part in parts for key in _keys(part)}
        for path in self.folder.glob("features.parquet"):
            with parquet.ParquetFile(path) as file:
                for table in map(file.read_row_group, range(file.num_row_groups)):
                    yield table.filter(pyarrow.array([key not in new for key in table["path"].to_pylist()]))
        yield from map(parquet.read_table, parts)


def _keys(path: Path) -> list[str]:
    keys: list[str] = parquet.read_table(path, columns=["path"])["path"].to_pylist()
    return keys
