"""Two processes that do the same in one folder at the same time."""

import time
from functools import partial
from pathlib import Path

import numpy as np

from tests.campaigns.harness import Campaign, Good, Lost
from tests.campaigns.processes import Child
from tests.campaigns.work import WORK, whole


def _case(name: str, generator: np.random.Generator, folder: Path) -> Good:
    expected, seconds = whole(name)
    first = Child(partial(WORK[name].do, folder))
    time.sleep(generator.uniform(0, 0.7 * seconds))
    second = Child(partial(WORK[name].do, folder))
    errors = [error for error in (first.wait(), second.wait()) if error]
    for error in errors:
        if not isinstance(error, WORK[name].documented):
            raise error
    if len(errors) == 2:
        raise Lost(f"neither is done: {errors}")
    left = WORK[name].left(folder)
    assert left == expected, f"other contents than {sorted(expected)}: {sorted(left)}"
    return "refused" if errors else "whole"


_NAMES = ("store", "download", "features npy", "features zarr", "features parquet")
CAMPAIGNS = tuple(
    Campaign(f"pairs-{name.replace(' ', '-')}", partial(_case, name), 10, 1, partial(whole, name), wall=3600.0)
    for name in _NAMES
)
