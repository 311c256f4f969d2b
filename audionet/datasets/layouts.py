"""Layouts: the values of each in a card, and how its clips are found and read."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from audionet.audio import read_mono
from audionet.console import listed
from audionet.datasets import synthesis
from audionet.datasets.clip import Clip, Listing
from audionet.datasets.recordings import scan
from audionet.datasets.schema import check_folder, check_pattern
from audionet.files import audio_files

_Found = Iterable[tuple[Clip, Mapping[str, str]]]  # clips with paths below the layout's folder, and their fields


@dataclass(frozen=True, kw_only=True)
class FileLayout:
    """A base for layouts of recordings, which a split rule of the card splits.

    Attributes:
        kind: Word for the layout in a card.
        folder: Folder below the corpus root that holds the files.
        labels: New names for classes, as {old: new}. A class that is not named keeps its own.
    """

    kind: ClassVar[str]
    folder: str = "."
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_folder("folder", self.folder)

    def at(self, folder: str) -> Self:
        """Return the same layout of another folder, such as one of test clips.

        Raises:
            ValueError: The files alone do not say all that the layout needs.
        """
        return replace(self, folder=folder)

    def index(self, root: Path) -> Listing:
        """List the clips of a corpus, with paths relative to its root.

        Raises:
            ValueError: There are no audio files, or one does not fit the layout.
        """
        folder = root / self.folder
        prefix = "" if self.folder == "." else f"{self.folder.rstrip('/')}/"
        clips, fields = [], []
        for clip, said in self._find(root, folder):
            clips.append(replace(clip, path=prefix + clip.path, label=self.labels.get(clip.label, clip.label)))
            fields.append(said)
        if not clips:
            raise ValueError(f"{folder}: expected audio files laid out by {self.kind}, got none")
        return Listing(clips, fields, folder, prefix)

    def render(self, path: str, *, root: Path, sample_rate: int) -> np.ndarray:
        """Return the waveform of a clip, (time,) float32, by its path.

        Raises:
            AudioError: The file cannot be used.
        """
        return read_mono(root / path, sample_rate)

    def fingerprint(self, root: Path) -> str:
        """Return a text that changes when a file of the corpus does."""
        return scan(root)

    def _find(self, root: Path, folder: Path) -> _Found:
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
    """

    kind: ClassVar[str] = "folders"
    glob: str = ""
    ignore: tuple[str, ...] = ()
    speaker: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.speaker is not None:
            check_pattern("speaker", self.speaker, "speaker")

    def _find(self, root: Path, folder: Path) -> _Found:
        files = [path for path in audio_files(folder, self.glob) if path.split("/")[0] not in self.ignore]
        if stray := [path for path in files if "/" not in path]:
            raise ValueError(
                f"{folder}: expected a folder for each class, got files outside of one: {listed(stray, 5)}"
            )
        speaker = re.compile(self.speaker) if self.speaker else None
        for path in files:
            match = speaker.search(path.rsplit("/", 1)[-1]) if speaker else None
            yield Clip(path, path.split("/")[0], match["speaker"] if match else ""), {}


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

    def _find(self, root: Path, folder: Path) -> _Found:
        files = audio_files(folder, self.glob)
        matches = {path: re.fullmatch(self.pattern, path.rsplit("/", 1)[-1]) for path in files}
        if wrong := [path for path, match in matches.items() if not match]:
            raise ValueError(
                f"{folder}: expected names that match {self.pattern!r}, got {len(wrong)} others of {len(files)}: "
                f"{listed(wrong, 5)}"
            )
        for path, match in matches.items():
            groups = {name: value or "" for name, value in match.groupdict().items()} if match else {}
            first = path.rpartition("/")[0].split("/")[0]
            yield Clip(path, groups["label"], groups.get("speaker", "")), {"folder": first} | groups


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

    def at(self, folder: str) -> Self:
        """Refuse another folder, whose files the table does not name."""
        raise ValueError(f"splits: expected a layout by folders or pattern for the test folder {folder}, got a table")

    def _find(self, root: Path, folder: Path) -> _Found:
        file = root / self.table
        found = [
            (Clip(row[self.path], row[self.label], row[self.speaker] if self.speaker else ""), row)
            for row in self._rows(file)
        ]
        paths = [clip.path for clip, _ in found]
        problems = {
            "paths inside": [path for path in paths if path.startswith("/") or ".." in path.split("/")],
            "files that are in": [path for path in paths if not (folder / path).is_file()],
            "one row for each file of": [path for path, count in Counter(paths).items() if count > 1],
        }
        for expected, wrong in problems.items():
            if wrong:
                raise ValueError(f"{file}: expected {expected} {folder}, got {len(wrong)} others: {listed(wrong, 5)}")
        return found

    def _rows(self, file: Path) -> list[dict[str, str]]:
        if not file.is_file():
            raise ValueError(f"{file}: expected the table of the clips, got no such file")
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, delimiter="\t" if file.suffix.lower() == ".tsv" else ",")
            columns = reader.fieldnames or []
            for name in filter(None, (self.path, self.label, self.speaker)):
                if name not in columns:
                    raise ValueError(f"{file}: expected a column {name!r}, got {', '.join(columns) or 'none'}")
            rows = []
            for row in reader:
                # A short row leaves None, a long one a list under None.
                if None in row or None in row.values() or not row[self.path] or not row[self.label]:
                    raise ValueError(
                        f"{file}: line {reader.line_num}: expected {len(columns)} values, "
                        f"with {self.path} and {self.label} not empty"
                    )
                rows.append(row)
        return rows


@dataclass(frozen=True, kw_only=True)
class SynthesisLayout:
    """Words spoken by espeak-ng's voices: there are no files, and the voices are split already.

    Attributes:
        words: Words with a class of their own.
        unknown: Words that are spoken in turns for the class `_unknown_`; may be empty.
        clips_per_label: Clips of each word, and of the unknown words together.
        language: Code of the language that the words are in, such as "en".
        seed: Decides voices, rates and pitches.
    """

    kind: ClassVar[str] = "synthesis"
    moved: ClassVar[Mapping[str, str]] = {"arguments": "write what it holds beside words"}
    words: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    clips_per_label: int = 500
    language: str = "en"
    seed: int = 0

    def index(self, root: Path) -> Listing:
        """List the clips, with their splits; the root is not used."""
        clips = synthesis.index(
            self.words, self.unknown, clips_per_label=self.clips_per_label, language=self.language, seed=self.seed
        )
        return Listing(clips, [{}] * len(clips))

    def render(self, path: str, *, root: Path, sample_rate: int) -> np.ndarray:
        """Return the waveform of a clip, (time,) float32, by its path; the root is not used."""
        return synthesis.render(path, sample_rate=sample_rate)

    def fingerprint(self, root: Path) -> str:
        """Return a text that changes when the words may sound different; the root is not used."""
        return synthesis.fingerprint()


Layout = FolderLayout | PatternLayout | TableLayout | SynthesisLayout
