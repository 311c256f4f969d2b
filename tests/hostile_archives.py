"""Archives that are damaged or meant to harm: made from a seed, for tests and for the campaign over many of them."""

import io
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from audionet.datasets.archives import ArchiveError
from audionet.datasets.cards import File
from audionet.datasets.unpack import MANIFEST, unpack

KINDS = ("tar", "tar.gz", "tar.bz2", "tar.xz", "zip")
_MODES: dict[str, Literal["w", "w:gz", "w:bz2", "w:xz"]] = {
    "tar": "w",
    "tar.gz": "w:gz",
    "tar.bz2": "w:bz2",
    "tar.xz": "w:xz",
}


def make_files(generator: np.random.Generator, n_files: int = 12) -> dict[str, bytes]:
    """Make the files of a small corpus: class folders, some files empty, some that compress and some that do not."""
    files = {"LICENSE": b"CC0", "empty.txt": b""}
    for number in range(n_files):
        noise = generator.bytes(int(generator.integers(1, 3000)))
        files[f"{('yes', 'no', 'été')[number % 3]}/{number:03d}.wav"] = noise if number % 2 else bytes(len(noise))
    return files


def pack(files: Mapping[str, bytes], kind: str) -> bytes:
    """Pack files into an archive of one of ``KINDS``."""
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
            for number, (name, content) in enumerate(files.items()):
                method = zipfile.ZIP_STORED if number % 4 == 3 else zipfile.ZIP_DEFLATED
                package.writestr(name, content, method)
    else:
        with tarfile.open(fileobj=buffer, mode=_MODES[kind]) as tape:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tape.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def mutate(content: bytes, generator: np.random.Generator) -> bytes:
    """Damage some bytes as disks, networks and enemies do: one of eight ways, never the same bytes as before."""
    changed = content
    while changed == content:
        way = _WAYS[generator.integers(len(_WAYS))]
        changed = way(content, int(generator.integers(len(content))), generator)
    return changed


def _flip(content: bytes, at: int, generator: np.random.Generator) -> bytes:
    return content[:at] + bytes([content[at] ^ 1 << int(generator.integers(8))]) + content[at + 1 :]


def _overwrite(content: bytes, at: int, generator: np.random.Generator) -> bytes:
    junk = generator.bytes(int(generator.integers(1, 64)))
    return content[:at] + junk[: len(content) - at] + content[at + len(junk) :]


def _zero(content: bytes, at: int, generator: np.random.Generator) -> bytes:
    length = min(int(generator.integers(1, 2000)), len(content) - at)
    return content[:at] + bytes(length) + content[at + length :]


def _cut_end(content: bytes, at: int, generator: np.random.Generator) -> bytes:
    return content[:at]


def _cut_piece(content: bytes, at: int, generator: np.random.Generator) -> bytes:
    return content[:at] + content[at + int(generator.choice([1, 16, 512, 1024])) :]


def _repeat_piece(content: bytes, at: int, generator: np.random.Generator) -> bytes:
    return content[:at] + content[max(at - int(generator.choice([1, 16, 512, 1024])), 0) :]


def _insert(content: bytes, at: int, generator: np.random.Generator) -> bytes:
    return content[:at] + generator.bytes(int(generator.choice([1, 16, 512]))) + content[at:]


def _extreme(content: bytes, at: int, generator: np.random.Generator) -> bytes:
    """Write a number that sizes and offsets must not have."""
    number = [b"\xff\xff\xff\xff", b"\x80\x00\x00\x00", b"7777", b"\x00\x00\x00\x80"][generator.integers(4)]
    return content[:at] + number[: len(content) - at] + content[at + 4 :]


_WAYS: tuple[Callable[[bytes, int, np.random.Generator], bytes], ...] = (
    _flip,
    _overwrite,
    _zero,
    _cut_end,
    _cut_piece,
    _repeat_piece,
    _insert,
    _extreme,
)


def try_to_unpack(content: bytes, folder: Path) -> dict[str, bytes] | ArchiveError:
    """Unpack an archive into a new folder.

    Returns:
        What lies in it afterwards, or why the archive was refused.

    Raises:
        AssertionError: Something lies outside of it, or an archive that was refused has left something.
    """
    folder.mkdir()
    archive, place = folder / "archive", folder / "corpus"
    archive.write_bytes(content)
    file = File("https://example.org/archive", None, "corpus")
    try:
        unpack(file, archive, place, checksum="0" * 64, progress=False)
    except ArchiveError as error:
        assert [path.name for path in folder.iterdir()] == ["archive"]
        return error
    assert sorted(path.name for path in folder.iterdir()) == ["archive", "corpus"]
    found = {path.relative_to(place).as_posix(): path for path in place.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if name != MANIFEST}
