"""Features of many files as a Zarr store."""

import json
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import prod

import numpy as np
import zarr

from audionet.bulk.outputs import Item, Output, is_there, parents

_CHUNK = 1 << 22  # bytes of features in a file of the store


class ZarrStore(Output):
    """A Zarr group `features.zarr`, with an array (band, frame) for each file under its key."""

    def done(self, items: Sequence[Item]) -> set[str]:
        """Return the keys whose arrays are there, without missing or empty files."""
        return {item.key for item in items if self._kind(item.key) == "array" and self._is_whole(item.key)}

    def prepare(self, items: Sequence[Item]) -> None:
        """Create the groups.

        Raises:
            ValueError: A file without its extension has the name of a folder beside it.
        """
        damaged = self._remove_damaged()
        groups, arrays = parents(items), {item.key for item in items}
        both = groups & arrays
        both |= {key for key in arrays if self._kind(key) == "group"}
        both |= {key for key in groups if self._kind(key) == "array"}
        if both:
            raise ValueError(
                f"{min(both)}: expected a file or a folder, got both, and a Zarr store has room for one; rename it, or "
                "choose the format npy or parquet"
            )
        root = zarr.open_group(self.folder / "features.zarr", mode="a")
        for group in sorted(groups | damaged):
            root.require_group(group)

    def write(self, features: Mapping[Item, np.ndarray]) -> None:
        """Write the arrays."""
        for item, x in features.items():
            partial = self.folder / f".{secrets.token_hex(8)}.partial"
            n_frames = min(x.shape[1], max(_CHUNK // (x.itemsize * len(x)), 1))
            zarr.create_array(
                store=partial,
                data=x,
                chunks=(len(x), n_frames),
                dimension_names=("band", "frame"),
                config={"write_empty_chunks": True},  # Zarr reads a missing chunk as zeros; here it is damage
            )
            target = self.folder / "features.zarr" / item.key
            shutil.rmtree(target, ignore_errors=True)  # of a file that has changed
            os.rename(partial, target)

    def _remove_damaged(self) -> set[str]:
        """Remove descriptions that are damaged, as after a power failure, and return the groups among them."""
        store = self.folder / "features.zarr"
        damaged = []
        for path in store.rglob("zarr.json"):
            try:
                json.loads(path.read_bytes())["node_type"]
            except (ValueError, KeyError, TypeError):
                path.unlink()
                damaged.append(path.parent)
        holding = [place for place in damaged if place != store and any(place.glob("*/zarr.json"))]
        return {place.relative_to(store).as_posix() for place in holding}

    def _is_whole(self, key: str) -> bool:
        place = self.folder / "features.zarr" / key
        chunks = [path for path in place.rglob("*") if path.is_file() and path.name != "zarr.json"]
        with suppress(OSError, ValueError, KeyError, TypeError):
            described = json.loads((place / "zarr.json").read_bytes())
            sizes = zip(described["shape"], described["chunk_grid"]["configuration"]["chunk_shape"], strict=True)
            return len(chunks) == prod(-(-size // step) for size, step in sizes) and all(map(is_there, chunks))
        return False

    def _kind(self, key: str) -> str | None:
        """Return the kind of what the store has under a key: "array", "group" or None; None also if it is damaged."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            return str(json.loads((self.folder / "features.zarr" / key / "zarr.json").read_bytes())["node_type"])
        return None
