"""A program that recognises and generates for long: its answers stay the same, its memory and descriptors flat."""

import os
from functools import cache, partial
from pathlib import Path

import numpy as np

import audionet
from audionet.inference import Generator, Recognizer
from tests.campaigns.harness import Campaign, Good
from tests.campaigns.work import paths

_SETTLED = 50  # cases until all is loaded and the allocator has what it needs
_MOST_BYTES = 30_000_000  # that may come on top
_state: dict[str, int] = {"cases": 0}


def _recognize(generator: np.random.Generator, folder: Path) -> Good:
    path = paths()[generator.integers(len(paths()))]
    assert _recognizer().recognize_file(path) == _predictions()[path], "another answer than before"
    return _flat()


def _generate(generator: np.random.Generator, folder: Path) -> Good:
    number = int(generator.integers(3))
    assert np.array_equal(_made(number), _sound(number)), "another sound than before"
    return _flat()


def _flat() -> Good:
    """Compare memory and descriptors with those of an early case.

    Raises:
        MemoryError: They grow.
    """
    _state["cases"] += 1
    now = {
        "bytes": 1024 * int(Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0]),
        "descriptors": len(os.listdir("/proc/self/fd")),
    }
    if _state["cases"] <= _SETTLED:
        _state.update(now)
    if now["bytes"] > _state["bytes"] + _MOST_BYTES or now["descriptors"] > _state["descriptors"]:
        raise MemoryError(f"after {_state['cases']} cases {now}, at first {_state}")
    return "whole"


@cache
def _recognizer() -> Recognizer:
    return audionet.load_recognizer("digits")


@cache
def _predictions() -> dict[str, object]:
    return {path: _recognizer().recognize_file(path) for path in paths()}


@cache
def _generator() -> Generator:
    return audionet.load_generator("digits")


def _made(number: int) -> np.ndarray:
    made = _generator().generate(0.1, label="seven", seed=number, count=1 + number)
    return np.asarray(made)


@cache
def _sound(number: int) -> np.ndarray:
    return _made(number)


CAMPAIGNS = (
    Campaign("recognitions", _recognize, 2000, 60, _predictions),
    Campaign("generations", _generate, 200, 10, partial(_sound, 0)),
)
