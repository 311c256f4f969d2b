"""Where the files that come with audionet lie, and where what it downloads goes.

Recipes and dataset cards stand beside the package in a checkout and inside it once installed from a wheel.
"""

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """Return the folder of shipped files called `name`: "recipes" or "data".

    Raises:
        ValueError: The folder came with neither the package nor a checkout around it.
    """
    inside, beside = _PACKAGE / name, _PACKAGE.parent / name
    if inside.is_dir():
        return inside
    if beside.is_dir() and (_PACKAGE.parent / "pyproject.toml").is_file():
        return beside
    raise ValueError(
        f"audionet's folder {name!r} is at neither {inside} nor {beside}: install audionet anew, "
        "or run it from a complete checkout"
    )


def cache_dir() -> Path:
    """Return the folder for what audionet keeps between runs: $AUDIONET_CACHE, else ~/.cache/audionet.

    $XDG_CACHE_HOME replaces ~/.cache where it is set. The folder may not exist yet.
    """
    if chosen := os.environ.get("AUDIONET_CACHE"):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "audionet"


def data_root(name: str) -> Path:
    """Return the folder that a corpus is downloaded to: beside its card in a checkout, else the cache.

    Args:
        name: Name of the folder below `data`, as in a card's `root`.

    Returns:
        `$AUDIONET_CACHE/<name>` where that is set; `data/<name>` in a checkout that can be written to;
        otherwise `~/.cache/audionet/<name>`. The folder may not exist yet.
    """
    beside = folder("data")
    installed = beside.parent == _PACKAGE or not os.access(beside, os.W_OK)
    return (cache_dir() if installed or os.environ.get("AUDIONET_CACHE") else beside) / name
