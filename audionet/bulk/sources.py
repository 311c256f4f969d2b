"""The files that features are made from, and what tells that they are still the same.

`sources.jsonl` in the output folder has a line for each of them, whatever the format of the features: their key, and of
the file its size, its times in nanoseconds and its SHA-256. Disks know times to 2 s or to 1 ns, copies get new ones,
and another file can have the old one, so times decide only where they are certain to tell. Elsewhere the content does.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from audionet.bulk.outputs import Item
from audionet.files import naming, whole_file

_JOURNAL = "sources.jsonl"
_TICK = 2_000_000_000  # nanoseconds; the coarsest times, FAT's, are 2 s apart


@dataclass(frozen=True)
class Record:
    """What was known of a file when its features were made.

    Attributes:
        size: In bytes.
        modified: Time of the last change of its content, in nanoseconds.
        changed: Time of the last change of its content or its name, in nanoseconds; of Windows, when it was made.
        seen: When this was looked up, in nanoseconds.
        sha256: Hash of its content, in hexadecimal.
    """

    size: int
    modified: int
    changed: int
    seen: int
    sha256: str


def find_items(paths: Iterable[str | os.PathLike[str]], base: str | os.PathLike[str]) -> list[Item]:
    """Return the files as items, sorted by key.

    The key is the path below the base without extension, or with it where only the extension tells files apart.
    """
    sources = {}
    for source in dict.fromkeys(os.path.abspath(path) for path in paths):
        sources[source] = os.path.relpath(source, os.path.abspath(base)).replace(os.sep, "/")
    return sorted((_item(key, source) for source, key in _keys(sources).items()), key=lambda item: item.key)


def unchanged(folder: Path, items: Sequence[Item]) -> set[str]:
    """Return the keys of the items whose features in the folder were made from the files as they are now."""
    records, keys, moved = _read(folder / _JOURNAL), set(), {}
    for item in items:
        record = records.get(item.key)
        if record is None or record.size != item.size:
            continue
        times_tell = max(record.modified, record.changed) + _TICK < record.seen
        if not (times_tell and (record.modified, record.changed) == (item.modified, item.changed)):
            with suppress(OSError):  # which reading it will report
                moved[item] = digest(item.source)
            if moved.get(item) != record.sha256:
                moved.pop(item, None)
                continue
        keys.add(item.key)
    note(folder, moved)
    return keys


def note(folder: Path, made: Mapping[Item, str]) -> None:
    """Add to the journal that features were made of items, whose hashes are given."""
    if made:
        with naming(folder / _JOURNAL), open(folder / _JOURNAL, "a", encoding="utf-8") as file:
            # The line break comes first, so that a line that a crash cut off spoils no other.
            file.write("".join(f"\n{_line(item.key, _record(item, sha256))}" for item, sha256 in made.items()))


def tidy(folder: Path) -> None:
    """Leave one line for each key in the journal, and wait until it is on the disk."""
    records = _read(folder / _JOURNAL)
    with whole_file(folder / _JOURNAL, sync=True) as file:
        file.write("".join(f"{_line(key, record)}\n" for key, record in sorted(records.items())).encode())


def digest(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file, in hexadecimal.

    Raises:
        OSError: It cannot be read.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _keys(names: Mapping[str, str]) -> dict[str, str]:
    """Return the key of each source: its name without extension, or with it if another has the same one."""
    keys = {source: os.path.splitext(name)[0] for source, name in names.items()}
    while True:
        sharing: dict[str, list[str]] = {}
        for source, key in keys.items():
            sharing.setdefault(key, []).append(source)
        longer = {source: names[source] for group in sharing.values() if len(group) > 1 for source in group}
        if all(keys[source] == name for source, name in longer.items()):
            return keys
        keys |= longer  # which another's name without extension may be, in turn


def _item(key: str, source: str) -> Item:
    try:
        status = os.stat(source)
    except OSError:  # which reading it will report
        return Item(key, source, 0, 0)
    return Item(key, source, status.st_size, status.st_mtime_ns, status.st_ctime_ns, time.time_ns())


def _record(item: Item, sha256: str) -> Record:
    return Record(item.size, item.modified, item.changed, item.seen, sha256)


def _line(key: str, record: Record) -> str:
    return json.dumps({"key": key, **asdict(record)})


def _read(path: Path) -> dict[str, Record]:
    """Read the journal; the last line of a key counts, and lines that a crash spoiled do not."""
    records = {}
    with suppress(FileNotFoundError), open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            with suppress(ValueError, TypeError, KeyError, AttributeError):
                values = json.loads(line)
                key = values.pop("key")
                records[key] = Record(**values)
    return records
