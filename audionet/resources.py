"""Where the files that come with audionet lie, and where its downloads go.

Recipes and the cards of corpora lie beside the package in a checkout, and inside it once a wheel is installed.
"""

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
"""Folder of the package."""


def folder(name: str) -> Path:
    """Return a folder of files that come with audionet.

    Args:
        name: "recipes" or "data".

    Raises:
        ValueError: There is no such folder, neither in the package nor in a checkout around it.

    Example:
        >>> (folder("data") / "fsdd" / "card.yaml").is_file()
        True
    """
    inside, beside = PACKAGE / name, PACKAGE.parent / name
    if inside.is_dir():
        return inside
    if beside.is_dir() and (PACKAGE.parent / "pyproject.toml").is_file():
        return beside
    raise ValueError(
        f"{name}: expected this folder of audionet at {inside} or {beside}, got neither; install audionet anew, or run "
        "it from a complete checkout"
    )


def cache_dir() -> Path:
    """Return the folder for what audionet keeps between runs.

    It is $AUDIONET_CACHE where that is set, otherwise $XDG_CACHE_HOME/audionet or ~/.cache/audionet. It may not exist
    yet.

    Raises:
        ValueError: There is no home folder, and no variable says which to take instead.
    """
    chosen, base = os.environ.get("AUDIONET_CACHE"), os.environ.get("XDG_CACHE_HOME")
    try:
        if chosen:
            return Path(chosen).expanduser()
        return (Path(base) if base else Path.home() / ".cache") / "audionet"
    except RuntimeError as error:
        expected = "a folder for what is kept between runs"
        raise ValueError(f"AUDIONET_CACHE: expected {expected}, got {chosen!r} ({error}); name one") from None


def data_root(name: str) -> Path:
    """Return the folder that a corpus is downloaded to.

    Args:
        name: Name of the folder, as in a card's ``root``.

    Returns:
        `$AUDIONET_CACHE/<name>` where that is set; `data/<name>` in a checkout that can be written to;
        otherwise the folder in `cache_dir`. It may not exist yet.
    """
    beside = folder("data")
    installed = beside.parent == PACKAGE or not os.access(beside, os.W_OK)
    return (cache_dir() if installed or os.environ.get("AUDIONET_CACHE") else beside) / name
