"""Layouts: the values of each in a card, and how its clips are found and read."""

import csv
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from audionet.audio import read_mono
from audionet.audio.finding import NO_SOUND, Sounds, find_sounds, left_out_text
from audionet.checks import check_at_least, check_no_misfits, check_that
from audionet.datasets import synthesis
from audionet.datasets.clip import Clip, Listing
from audionet.datasets.recordings import scan
from audionet.datasets.schema import check_folder, check_pattern
from audionet.datasets.synthesis.negatives import NEGATIVE, SYNTHETIC


@dataclass(frozen=True, kw_only=True)
class FileLayout:
    """A base for layouts of recordings. A split rule of the card splits them.

    Attributes:
        kind: Word for the layout in a card.
        made: What the paths of clips begin with that are no recordings.
        folder: Folder below the corpus root that holds the files.
        labels: New names for classes, as {old: new}. A class that is not named keeps its own.
    """

    kind: ClassVar[str]
    made: ClassVar[tuple[str, ...]] = (SYNTHETIC, NEGATIVE)
    folder: str = "."
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_folder("folder", self.folder)

    def index(self, root: Path) -> Listing:
        """List the clips of a corpus, with paths relative to its root.

        Raises:
            ValueError: The folder or its audio files are missing, or one does not fit the layout.
        """
        folder = root / self.folder
        if not folder.is_dir():
            raise ValueError(
                f"root: expected a folder {folder}, got none; download the corpus with `audionet data get`, "
                "name its folder with --data.root, or read class folders of your own with --data.card null"
            )
        prefix = "" if self.folder == "." else f"{self.folder.rstrip('/')}/"
        found = self._find(root, folder)
        expected = f"audio files laid out by {self.kind}"
        check_that(found.clips, folder, expected, found.clips, left_out_text(found.left_out))
        clips = [
            replace(clip, path=prefix + clip.path, label=self.labels.get(clip.label, clip.label))
            for clip in found.clips
        ]
        empty = {self.labels.get(label, label): text for label, text in found.empty.items()}
        return replace(found, clips=clips, root=root, folder=folder, prefix=prefix, empty=empty)

    def render(self, path: str, *, root: Path, sample_rate: int) -> np.ndarray:
        """Return the waveform of a clip, (time,) float32, by its path.

        Raises:
            AudioError: The file cannot be used.
        """
        return read_mono(root / path, sample_rate)

    def fingerprint(self, root: Path) -> str:
        """Return a text that changes when a file of the corpus does."""
        return scan(root)

    def _find(self, root: Path, folder: Path) -> Listing:
        """List the clips, with paths relative to the folder and labels as the files say them."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class FolderLayout(FileLayout):
    """A folder of clips for each class.

    Attributes:
        glob: Pattern of the files that count, such as "*.wav", matched against the path below the layout's folder;
            empty for all audio files.
        ignore: Class folders to leave out.
        speaker: Regular expression with a group `speaker`, searched for in the file name; None where the file names do
            not say who speaks.
        depth: Folders above the class folders, such as 1 for a folder for each split. Split rules may use `folder`, the
            first folder below the layout's.
        loose: Class of files that lie in no class folder; empty to refuse them.
    """

    kind: ClassVar[str] = "folders"
    glob: str = ""
    ignore: tuple[str, ...] = ()
    speaker: str | None = None
    depth: int = 0
    loose: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(0, depth=self.depth)
        if self.speaker is not None:
            check_pattern("speaker", self.speaker, "speaker")

    def _find(self, root: Path, folder: Path) -> Listing:
        sounds = find_sounds(folder, self.glob)
        files = [path for path in sounds.files if not self._is_ignored(path)]
        loose = {path for path in files if path.count("/") <= self.depth}
        advice = "make a folder of each class and move its recordings there"
        check_no_misfits([] if self.loose else sorted(loose), folder, "files in a folder for each class", advice)
        clips, fields = [], []
        for path in files:
            parts = path.split("/")
            match = re.search(self.speaker, parts[-1]) if self.speaker else None
            label = self.loose if path in loose else parts[self.depth]
            clips.append(Clip(path, label, match["speaker"] if match else ""))
            fields.append({"folder": parts[0]})
        left_out = {
            path: reason
            for path, reason in sounds.left_out.items()
            if not self._is_ignored(path) and (reason != NO_SOUND or path.count("/") > self.depth)
        }
        return Listing(clips, fields, empty=self._empty(sounds, {clip.label for clip in clips}), left_out=left_out)

    def _is_ignored(self, path: str) -> bool:
        return not {*path.split("/")[: self.depth + 1]}.isdisjoint(self.ignore)

    def _empty(self, sounds: Sounds, labels: set[str]) -> dict[str, str]:
        """Return the class folders that hold no clip in any of their places, with what they hold instead."""
        links = [path for path, reason in sounds.left_out.items() if reason.startswith("a link") and "." not in path]
        held: dict[str, dict[str, str]] = {}
        for place in (*sounds.found.folders, *links):
            label = place.rsplit("/", 1)[-1]
            if place.count("/") == self.depth and label not in labels and not self._is_ignored(place):
                inside = {path: why for path, why in sounds.left_out.items() if f"{path}/".startswith(f"{place}/")}
                held.setdefault(label, {}).update(inside)
        return {label: left_out_text(inside) or "nothing" for label, inside in held.items()}


@dataclass(frozen=True, kw_only=True)
class PatternLayout(FileLayout):
    """Files at any depth whose names say everything.

    Attributes:
        pattern: Regular expression over the whole file name. Its group `label` is the class and `speaker`, if there is
            one, says who speaks. Split rules may use all groups, and `folder`, the first folder below the layout's.
        glob: Pattern of the files that count, such as "*.wav", matched against the path below the layout's folder;
            empty for all audio files.
    """

    kind: ClassVar[str] = "pattern"
    pattern: str
    glob: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_pattern("pattern", self.pattern, "label")

    def _find(self, root: Path, folder: Path) -> Listing:
        sounds = find_sounds(folder, self.glob)
        matches = {path: re.fullmatch(self.pattern, path.rsplit("/", 1)[-1]) for path in sounds.files}
        wrong = [path for path, match in matches.items() if not match]
        check_no_misfits(wrong, folder, f"names that match {self.pattern!r}")
        clips, fields = [], []
        for path, match in matches.items():
            groups = match.groupdict("") if match else {}
            first = path.rpartition("/")[0].split("/")[0]
            clips.append(Clip(path, groups["label"], groups.get("speaker", "")))
            fields.append({"folder": first} | groups)
        left_out = {path: reason for path, reason in sounds.left_out.items() if reason != NO_SOUND}
        return Listing(clips, fields, left_out=left_out)


@dataclass(frozen=True, kw_only=True)
class TableLayout(FileLayout):
    """A CSV or TSV file, by its extension, with a header and a row for each clip; split rules may use every column.

    Attributes:
        table: Path of the table, relative to the corpus root.
        path: Column with the file's path, relative to the layout's folder.
        label: Column with the class.
        speaker: Column with the speaker; None for no such column.
    """

    kind: ClassVar[str] = "table"
    table: str
    path: str = "path"
    label: str = "label"
    speaker: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_folder("table", self.table, below=True)

    def _find(self, root: Path, folder: Path) -> Listing:
        file = root / self.table
        rows = self._rows(file)
        paths = [row[self.path] for row in rows]
        outside = [path for path in paths if path.startswith("/") or ".." in path.split("/")]
        check_no_misfits(outside, file, f"paths inside {folder}")
        check_no_misfits([path for path in paths if not (folder / path).is_file()], file, f"files that are in {folder}")
        twice = [path for path, count in Counter(paths).items() if count > 1]
        check_no_misfits(twice, file, f"one row for each file of {folder}")
        clips = [Clip(row[self.path], row[self.label], row[self.speaker] if self.speaker else "") for row in rows]
        return Listing(clips, rows)

    def _rows(self, file: Path) -> list[dict[str, str]]:
        if not file.is_file():
            raise ValueError(f"{file}: expected the table of the clips, got no such file")
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, delimiter="\t" if file.suffix.lower() == ".tsv" else ",")
            columns = reader.fieldnames or []
            lacking = {self.path, self.label, self.speaker or self.path}.difference(columns)
            check_that(not lacking, file, f"the columns {', '.join(sorted(lacking))}", columns)
            rows = []
            for row in reader:
                # A short row leaves None, a long one a list under None.
                fits = None not in row and None not in row.values() and row[self.path] and row[self.label]
                expected = f"{len(columns)} values, with {self.path} and {self.label} not empty"
                check_that(fits, f"{file}: line {reader.line_num}", expected, list(row.values()))
                rows.append(row)
        return rows


@dataclass(frozen=True, kw_only=True)
class SynthesisLayout:
    """Words spoken by speech synthesisers: there are no files, and engines and voices are split already.

    Attributes:
        words: Words with a class of their own.
        unknown: Words that are spoken in turns for the class `_unknown_`; may be empty.
        clips_per_label: Clips of each word, and of the unknown words together.
        language: Code of the language that the words are in, such as "en".
        engines: Names of the engines that may speak; left out for all that are installed.
        validation_engines: Names of the engines for the validation alone; empty to divide voices instead; left out to
            choose one where four engines speak the language.
        test_engines: Names of the engines for the test alone; empty to divide voices instead; left out to choose one
            where two engines speak the language, and two where six do.
        seed: Decides voices, rates and pitches.
    """

    kind: ClassVar[str] = "synthesis"
    made: ClassVar[tuple[str, ...]] = ("",)
    words: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    clips_per_label: int = 500
    language: str = "en"
    engines: tuple[str, ...] | None = None
    validation_engines: tuple[str, ...] | None = None
    test_engines: tuple[str, ...] | None = None
    seed: int = 0

    def index(self, root: Path) -> Listing:
        """List the clips, with their splits; the root is not used."""
        return Listing(synthesis.index(**vars(self)))

    def render(self, path: str, *, root: Path, sample_rate: int) -> np.ndarray:
        """Return the waveform of a clip, (time,) float32, by its path; the root is not used."""
        return synthesis.render(path, sample_rate=sample_rate)

    def fingerprint(self, root: Path) -> str:
        """Return a text that changes when the words may sound different; the root is not used."""
        may_speak = synthesis.may_speak(self.engines, self.validation_engines, self.test_engines)
        return synthesis.fingerprint(self.language, may_speak)


Layout = FolderLayout | PatternLayout | TableLayout | SynthesisLayout
