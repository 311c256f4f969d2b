"""Processes that are killed at random moments, and then go on."""

import time
from functools import partial
from pathlib import Path

import numpy as np

from tests.campaigns.harness import Campaign, Good, Lost
from tests.campaigns.processes import Child
from tests.campaigns.work import WORK, whole


def _case(name: str, generator: np.random.Generator, folder: Path) -> Good:
    expected, seconds = whole(name)
    work = partial(WORK[name].do, folder)
    for _ in range(generator.integers(1, 4)):
        child = Child(work)
        time.sleep(generator.uniform(0, seconds))
        child.kill()
    if error := Child(work).wait():
        raise Lost(f"it does not go on: {error!r}")
    left = WORK[name].left(folder)
    if more := left.keys() - expected.keys():
        raise Lost(f"left over: {sorted(more)}")
    if less := expected.keys() - left.keys():
        raise Lost(f"missing: {sorted(less)}")
    assert left == expected, f"other contents of {[name for name in left if left[name] != expected[name]]}"
    return "whole"


_COUNTS = {"store": 15, "download": 15, "features npy": 5, "features zarr": 5, "features parquet": 5, "generation": 5}
_COUNTS |= {"bundle": 5, "recognition": 3, "wavenet": 2, "speaking": 10}
CAMPAIGNS = tuple(
    Campaign(f"kills-{name.replace(' ', '-')}", partial(_case, name), count, 1, partial(whole, name), wall=3600.0)
    for name, count in _COUNTS.items()
)
