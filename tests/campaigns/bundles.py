"""Bundles that somebody has changed, with checksums that are right again."""

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests import mutations
from tests.campaigns.harness import Campaign, Good


def _case(generator: np.random.Generator, folder: Path) -> Good:
    sound = _sound()
    path = folder / "changed.safetensors"
    mutations.write(path, *mutations.mutated(*sound[generator.integers(len(sound))], generator))
    return "whole" if mutations.use(path) else "refused"


@cache
def _sound() -> list[tuple[dict[str, Any], dict[str, torch.Tensor]]]:
    torch.set_num_threads(1)
    paths = mutations.write_sound(Path(tempfile.mkdtemp()))
    assert all(map(mutations.use, paths))  # which also compiles what is compiled once
    return [mutations.read(path) for path in paths]


CAMPAIGNS = (Campaign("bundles", _case, count=1000, tiny=20, prepare=_sound),)
