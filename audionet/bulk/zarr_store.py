"""Features of many files as a Zarr store."""

import json
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence

import numpy as np
import zarr

from audionet.bulk.outputs import Item, Output, is_fresh, parents

_CHUNK = 1 << 22  # bytes of features in a file of the store


class ZarrStore(Output):
    """A Zarr group `features.zarr`, with an array (band, frame) for each file under its key."""

    def done(self, items: Sequence[Item]) -> set[str]:
        """Return the keys whose arrays are there and up to date."""
        return {item.key for item in items if is_fresh(self.folder / "features.zarr" / item.key / "zarr.json", item)}

    def prepare(self, items: Sequence[Item]) -> None:
        """Create the groups.

        Raises:
            ValueError: A file without its extension has the name of a folder beside it.
        """
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
        for group in sorted(groups):
            root.require_group(group)

    def write(self, features: Mapping[Item, np.ndarray]) -> None:
        """Write the arrays."""
        for item, x in features.items():
            partial = self.folder / f".{secrets.token_hex(8)}.partial"
            n_frames = min(x.shape[1], max(_CHUNK // (x.itemsize * len(x)), 1))
            zarr.create_array(store=partial, data=x, chunks=(len(x), n_frames), dimension_names=("band", "frame"))
            os.utime(partial / "zarr.json", ns=(item.modified, item.modified))
            target = self.folder / "features.zarr" / item.key
            shutil.rmtree(target, ignore_errors=True)  # of a file that has changed
            os.rename(partial, target)

    def _kind(self, key: str) -> str | None:
        """Return the kind of what the store has under a key: "array", "group" or None."""
        path = self.folder / "features.zarr" / key / "zarr.json"
        return str(json.loads(path.read_bytes())["node_type"]) if path.exists() else None
