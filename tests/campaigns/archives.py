"""Archives that are damaged anywhere."""

from pathlib import Path

import numpy as np

from audionet.datasets.archives import ArchiveError
from tests.campaigns.harness import Campaign, Good
from tests.hostile_archives import KINDS, make_files, mutate, pack, try_to_unpack


def _case(generator: np.random.Generator, folder: Path) -> Good:
    kind, files = str(generator.choice(KINDS)), make_files(generator)
    unpacked = try_to_unpack(mutate(pack(files, kind), generator), folder / "place")
    if isinstance(unpacked, ArchiveError):
        return "refused"
    if kind == "tar":  # which has no checksum of its contents, nor of long names
        assert len(unpacked) <= len(files), "more files"
    else:
        assert unpacked == files, "other contents"
    return "whole"


CAMPAIGNS = (Campaign("archives", _case, count=1000, tiny=30),)
