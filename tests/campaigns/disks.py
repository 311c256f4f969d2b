"""Disks that are full or read-only, wherever something is written."""

import ctypes
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path

import numpy as np

from tests.campaigns.harness import Campaign, Good, Lost
from tests.campaigns.processes import Child
from tests.campaigns.work import WORK, whole

_NEW_NAMESPACE = 0x20000  # CLONE_NEWNS
_ROOM = 64 << 20  # bytes of a disk that is not full


def _case(name: str, generator: np.random.Generator, folder: Path) -> Good:
    """Try on a bad disk, then go on with a good one."""
    expected, _ = whole(name)
    place = folder / "disk"
    place.mkdir()
    with _limited() if not can_mount() or generator.random() < 0.3 else _mounted(place) as spoil:
        outcome = spoil(name, place, generator)
        if error := Child(partial(WORK[name].do, place)).wait():
            raise Lost(f"it does not go on: {error!r}")
        left = WORK[name].left(place)
    assert left == expected, f"other contents than {sorted(expected)}: {sorted(left)}"
    return outcome


_Spoil = Callable[[str, Path, np.random.Generator], Good]


@contextmanager
def _limited() -> Iterator[_Spoil]:
    """Yield what tries with files that become so long and no longer."""

    def spoil(name: str, place: Path, generator: np.random.Generator) -> Good:
        return _judged(name, place, Child(partial(WORK[name].do, place), int(2 ** generator.uniform(0, 18))))

    yield spoil


@contextmanager
def _mounted(place: Path) -> Iterator[_Spoil]:
    """Mount a disk; yield what tries while it is full or read-only."""

    def spoil(name: str, place: Path, generator: np.random.Generator) -> Good:
        size = 4096 * int(2 ** generator.uniform(0, 8))
        _mount(place, "remount,ro" if generator.random() < 0.2 else f"remount,size={size}")
        outcome = _judged(name, place, Child(partial(WORK[name].do, place)))
        _mount(place, f"remount,rw,size={_ROOM}")
        return outcome

    _mount(place, f"size={_ROOM}")
    try:
        yield spoil
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def _mount(place: Path, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "campaign", place], check=True)


def _judged(name: str, place: Path, child: Child) -> Good:
    error = child.wait()
    if error is None:
        return "whole"
    if not isinstance(error, WORK[name].documented):
        raise error
    assert str(place) in str(error), f"without a path: {error!r}"
    return "refused"


@cache
def can_mount() -> bool:
    """Take a namespace of our own, whose mounts end with this process; return whether that is allowed."""
    if ctypes.CDLL(None).unshare(_NEW_NAMESPACE):
        return False
    return subprocess.run(["mount", "--make-rprivate", "/"], capture_output=True).returncode == 0


CAMPAIGNS = tuple(
    Campaign(f"disks-{name.replace(' ', '-')}", partial(_case, name), count, 2, partial(whole, name), wall=3600.0)
    for name, count in dict.fromkeys(WORK, 30).items() | {"recognition": 6, "wavenet": 6}.items()
)
