"""What audionet keeps between runs, in the folder that `resources.cache_dir` names: listed, and cleared.

The folder may be one that holds other things as well, so only what audionet knows for its own is listed or removed.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from audionet.datasets.cards import list_cards
from audionet.datasets.unpack import read_manifest
from audionet.locks import only_one

_STORE = re.compile(r"\d+hz-\d+-[0-9a-f]{16}(\.partial)?")
_VOICES = re.compile(r"\.?espeak-ng-[0-9a-f]{16}.*")


@dataclass(frozen=True)
class Kept:
    """Something that is kept.

    Attributes:
        name: Its path below the cache.
        what: What it is, in words.
        folder: Folder that one process at a time may work in.
        paths: The files and folders in it that are audionet's.
    """

    name: str
    what: str
    folder: Path
    paths: tuple[Path, ...]

    @property
    def size(self) -> int:
        """Bytes of its files; a link counts as itself."""
        return sum(map(_size, self.paths))


def kept_in(cache: Path) -> list[Kept]:
    """List what audionet keeps in a cache, sorted by name; nothing where the folder is missing.

    Raises:
        OSError: A folder cannot be read.
    """
    found = [*_stores(cache), *_corpora(cache), *_voices(cache), *_compiled(cache), *_runtimes(cache)]
    return sorted((kept for kept in found if kept.paths), key=lambda kept: kept.name)


def kinds() -> list[str]:
    """List the names that something kept may begin with, whether it is there or not."""
    return [
        "espeak-ng",
        "numba",
        "onnxruntime-web",
        "stores",
        *sorted({card.root or card.name for card in list_cards() if card.files}),
    ]


def remove(kept: Kept) -> None:
    """Remove something, and its folder if nothing else is in it.

    Raises:
        Busy: A process works there.
        OSError: It cannot be removed.
    """
    with ExitStack() as stack:
        if (kept.folder / ".lock").exists():
            stack.enter_context(only_one(kept.folder, "removing what is kept", wait=False))
        for path in kept.paths:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        with suppress(OSError):
            # A process that waits for the lock looks for the file anew each time.
            if {path.name for path in kept.folder.iterdir()} <= {".lock", ".lock.worker"}:
                shutil.rmtree(kept.folder)


def _stores(cache: Path) -> Iterator[Kept]:
    for folder in _folders(cache / "stores"):
        stores = tuple(path for path in _folders(folder) if _STORE.fullmatch(path.name))
        yield Kept(f"stores/{folder.name}", "clip store, built again when it is needed", folder, stores)


def _corpora(cache: Path) -> Iterator[Kept]:
    roots: dict[str, set[Path]] = {}
    for card in list_cards():
        root = cache / (card.root or card.name)
        for file in card.files:
            mine = roots.setdefault(root.name, set())
            if read_manifest(root / file.folder):
                mine.add(root / file.folder)
            unpacking = (root / file.folder).with_name(f".{Path(file.folder).name}.unpacking")
            arriving = (root / f"{file.name}.part", root / f"{file.name}.part.origin", unpacking)
            mine.update(path for path in arriving if path.exists())
    for name, paths in roots.items():
        yield Kept(name, "corpus, downloaded again by `audionet data get`", cache / name, tuple(sorted(paths)))


def _voices(cache: Path) -> Iterator[Kept]:
    links = tuple(path for path in _folders(cache) if _VOICES.fullmatch(path.name))
    yield Kept("espeak-ng", "links to the voices of espeak-ng", cache, links)


def _compiled(cache: Path) -> Iterator[Kept]:
    """Yield the folders of numba's files, each of one module."""
    folders = _folders(cache / "numba")
    code = tuple(folder for folder in folders if {path.suffix for path in folder.iterdir()} <= {".nbi", ".nbc"})
    yield Kept("numba", "compiled code, compiled again when it is needed", cache / "numba", code)


def _runtimes(cache: Path) -> Iterator[Kept]:
    """Yield the packages that run networks in a browser."""
    packages = tuple(sorted(cache.glob("onnxruntime-web-*.tgz")))
    yield Kept("onnxruntime-web", "runs networks in a browser, brought again by npm", cache, packages)


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def _size(path: Path) -> int:
    if not path.is_dir() or path.is_symlink():
        return path.lstat().st_size
    places = os.walk(path)
    return sum(os.lstat(os.path.join(place, name)).st_size for place, _, names in places for name in names)
