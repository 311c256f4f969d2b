"""From a folder and its card to a list of clips."""

import csv
import fnmatch
import os
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

from audionet.datasets import splits
from audionet.datasets.cards import Card, Folders, Hash, Pattern, Synthesis, Table
from audionet.datasets.clip import Clip
from audionet.datasets.splits import few

AUDIO_EXTENSIONS = frozenset({".aif", ".aiff", ".au", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".w64", ".wav"})

_Files = Folders | Pattern | Table
# Clips without their split, each with what else its file name or row says.
_Found = list[tuple[Clip, dict[str, str]]]


def index(
    card: Card, root: str | Path | None = None, *, split: str | None = None, test_speaker: str | None = None
) -> list[Clip]:
    """List the clips of a corpus, with the card's selection of classes.

    Args:
        card: The corpus.
        root: Folder that holds it; None: where `audionet data get` puts it.
        split: Name of one of the card's split rules; None: the card's own choice.
        test_speaker: Speaker to test on, where the split rule leaves one out.

    Returns:
        Clips sorted by path; always the same for the same files, whatever their order on disk.

    Raises:
        ValueError: The folder, its audio files or a class is missing, a file does not fit the layout, or the
            card has no such split.
    """
    root = Path(root) if root is not None else card.default_root
    try:
        if isinstance(card.layout, Synthesis):
            return _synthetic(card, card.layout, split, test_speaker)
        return _recorded(card, card.layout, root, split, test_speaker)
    except ValueError as error:
        raise ValueError(f"dataset {card.name}: {error}") from None


def background(card: Card, root: str | Path | None = None, *, folder: str | Path | None = None) -> list[Path]:
    """List recordings of noise, sorted: a folder's, or those that come with the corpus, which may be none.

    Raises:
        ValueError: The folder is named, but holds no audio files.
    """
    if folder is None:
        if card.background is None:
            return []
        folder = (Path(root) if root is not None else card.default_root) / card.background
    files = [Path(folder) / path for path in _audio_files(Path(folder))]
    if not files:
        raise ValueError(f"background: no audio files in {folder}; name a folder of noise recordings")
    return files


def _synthetic(card: Card, layout: Synthesis, split: str | None, test_speaker: str | None) -> list[Clip]:
    from audionet.datasets import synthesis

    for name, value in (("split", split), ("test_speaker", test_speaker)):
        if value is not None:
            raise ValueError(f"{name}={value!r}: a synthetic corpus has one split, by voices; leave {name} out")
    clips = synthesis.index(words=layout.words, unknown=layout.unknown, **layout.arguments)
    return splits.select(clips, card.labels)


def _recorded(card: Card, layout: _Files, root: Path, split: str | None, test_speaker: str | None) -> list[Clip]:
    name = card.split if split is None else split
    if name is None or name not in card.splits:
        raise ValueError(f"split: expected one of {', '.join(card.splits)}; got {name!r}")
    rule = card.splits[name]
    found = _scan(card, layout, root)
    clips = splits.assign(found, rule, root / layout.folder, _prefix(layout), test_speaker)
    clips = splits.select(clips, card.labels)
    if isinstance(rule, Hash) and isinstance(rule.test, str):
        tests = _scan(card, replace(layout, folder=rule.test), root)
        clips = [clip for clip in clips if clip.split != "test"]
        clips += [replace(clip, split="test") for clip, _ in tests]
        _check_test(card, clips, rule.test)
    return sorted(clips, key=lambda clip: clip.path)


def _check_test(card: Card, clips: list[Clip], folder: str) -> None:
    for label in sorted({clip.label for clip in clips}):
        here = {clip.split == "test" for clip in clips if clip.label == label}
        if here == {True}:
            raise ValueError(f"{folder}: the class {label} is in no other split")
        if here == {False}:
            raise ValueError(f"{folder}: no clips of the class {label}")


def _scan(card: Card, layout: _Files, root: Path) -> _Found:
    """List the clips of a layout, their paths relative to the corpus root and their labels renamed."""
    folder = root / layout.folder
    if not folder.is_dir():
        get = f"get it with `audionet data get {card.name}`, or name" if card.files else "name"
        raise ValueError(f"no folder {folder}: {get} the folder that holds the corpus with --data.root")
    match layout:
        case Folders():
            found = _folders(layout, folder)
        case Pattern():
            found = _pattern(layout, folder)
        case Table():
            found = _table(layout, folder, root / layout.table)
    if not found:
        wanted = getattr(layout, "glob", "") or "*.wav, *.flac, *.ogg or *.mp3"
        raise ValueError(f"no audio files in {folder}: expected {wanted}, laid out by {layout.kind}")
    prefix = _prefix(layout)
    return [
        (replace(clip, path=prefix + clip.path, label=layout.labels.get(clip.label, clip.label)), fields)
        for clip, fields in found
    ]


def _prefix(layout: _Files) -> str:
    return "" if layout.folder == "." else f"{layout.folder.rstrip('/')}/"


def _folders(layout: Folders, folder: Path) -> _Found:
    files = [path for path in _audio_files(folder, layout.glob) if path.split("/")[0] not in layout.ignore]
    if stray := [path for path in files if "/" not in path]:
        raise ValueError(f"{folder}: expected a folder for each class, these files are in none: {few(stray)}")
    speaker = re.compile(layout.speaker) if layout.speaker else None
    found: _Found = []
    for path in files:
        match = speaker.search(path.rsplit("/", 1)[-1]) if speaker else None
        found.append((Clip(path, path.split("/")[0], match["speaker"] if match else "", ""), {}))
    return found


def _pattern(layout: Pattern, folder: Path) -> _Found:
    matches = {
        path: re.fullmatch(layout.pattern, path.rsplit("/", 1)[-1]) for path in _audio_files(folder, layout.glob)
    }
    if wrong := [path for path, match in matches.items() if not match]:
        raise ValueError(
            f"{folder}: the names of {len(wrong)} of {len(matches)} files do not match {layout.pattern!r}: {few(wrong)}"
        )
    groups = {path: {k: v or "" for k, v in match.groupdict().items()} for path, match in matches.items() if match}
    return [
        (
            Clip(path, fields["label"], fields.get("speaker", ""), ""),
            {"folder": path.rpartition("/")[0].split("/")[0]} | fields,
        )
        for path, fields in groups.items()
    ]


def _table(layout: Table, folder: Path, file: Path) -> _Found:
    if not file.is_file():
        raise ValueError(f"{file}: no such file, expected the table of the clips")
    with file.open(newline="", encoding="utf-8-sig") as stream:
        rows = csv.DictReader(stream, delimiter="\t" if file.suffix.lower() == ".tsv" else ",")
        columns = rows.fieldnames or []
        for name in filter(None, (layout.path, layout.label, layout.speaker)):
            if name not in columns:
                raise ValueError(f"{file}: no column {name!r}, there are {', '.join(columns) or 'none'}")
        found: _Found = []
        for row in rows:
            # A short row leaves None, a long one a list under None.
            if None in row or None in row.values() or not row[layout.path] or not row[layout.label]:
                raise ValueError(
                    f"{file}: line {rows.line_num}: expected {len(columns)} values, "
                    f"with {layout.path} and {layout.label} not empty"
                )
            speaker = row[layout.speaker] if layout.speaker else ""
            found.append((Clip(row[layout.path], row[layout.label], speaker, ""), row))
    outside = [clip.path for clip, _ in found if clip.path.startswith("/") or ".." in clip.path.split("/")]
    if outside:
        raise ValueError(f"{file}: paths that lead out of {folder}: {few(outside)}")
    if missing := [clip.path for clip, _ in found if not (folder / clip.path).is_file()]:
        raise ValueError(f"{file}: {len(missing)} of its {len(found)} files are not in {folder}: {few(missing)}")
    if twice := [path for path, count in Counter(clip.path for clip, _ in found).items() if count > 1]:
        raise ValueError(f"{file}: files with more than one row: {few(twice)}")
    return found


def _audio_files(folder: Path, glob: str = "") -> list[str]:
    """List audio files at any depth, relative and with forward slashes, sorted; hidden ones are left out."""
    found = []
    # Class folders that are links are followed: leaving them out would silently lose classes.
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        prefix = Path(place).relative_to(folder).as_posix() + "/"
        prefix = "" if prefix == "./" else prefix
        found += [prefix + name for name in names if not name.startswith(".")]
    if glob:
        return sorted(path for path in found if fnmatch.fnmatchcase(path, glob))
    return sorted(path for path in found if os.path.splitext(path)[1].lower() in AUDIO_EXTENSIONS)
