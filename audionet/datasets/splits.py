"""Split rules: the values of each in a card, and the splits that it gives to clips."""

import dataclasses
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from audionet.console import listed
from audionet.datasets.clip import SPLITS, Clip, Listing
from audionet.datasets.schema import check_folder

_MAX_NUM_WAVS_PER_CLASS = 2**27 - 1  # of TensorFlow's examples/speech_commands/input_data.py


def which_set(name: str, validation: float = 10.0, test: float = 10.0) -> str:
    """Choose a file's split by its name alone, as Speech Commands does.

    The SHA-1 of the file name without everything from `_nohash_` on is taken modulo 2^27, as a percentage. So all files
    of one speaker are in the same split, and adding files moves none.

    Args:
        name: File name or path.
        validation: Percentage for validation.
        test: Percentage for the test.

    Returns:
        "train", "validation" or "test".

    Example:
        >>> which_set("right/a69b9b3e_nohash_0.wav")
        'validation'
    """
    base = re.sub(r"_nohash_.*$", "", name.rsplit("/", 1)[-1])
    number = int(hashlib.sha1(base.encode(), usedforsecurity=False).hexdigest(), 16)
    percentage = number % (_MAX_NUM_WAVS_PER_CLASS + 1) * (100.0 / _MAX_NUM_WAVS_PER_CLASS)
    if percentage < validation:
        return "validation"
    return "test" if percentage < validation + test else "train"


class SplitRule:
    """A base for split rules, which choose the split of each clip.

    Attributes:
        kind: Word for the rule in a card.
        takes_speaker: Whether the caller names the speaker to test on.
    """

    kind: ClassVar[str]
    takes_speaker: ClassVar[bool] = False

    @property
    def test_folder(self) -> str | None:
        """Folder whose clips are the test instead of those that the rule chooses; None for no such folder."""
        return None

    def assign(self, listing: Listing, test_speaker: str | None = None) -> list[Clip]:
        """Give every clip its split.

        Args:
            listing: The clips that the layout found.
            test_speaker: Speaker to test on, for a rule that leaves one out.

        Raises:
            ValueError: The rule asks for a field, list or speaker that is not there, or takes no speaker.
        """
        if test_speaker is not None and not self.takes_speaker:
            raise ValueError(
                f"test_speaker: expected none for a split by {self.kind}, got {test_speaker!r}; "
                "choose the card's split of kind speaker"
            )
        chosen = self._choose(listing, test_speaker)
        return [replace(clip, split=split) for clip, split in zip(listing.clips, chosen, strict=True)]

    def _choose(self, listing: Listing, test_speaker: str | None) -> Sequence[str]:
        """Return the split of each clip."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class HashSplit(SplitRule):
    """By a hash of the file name up to `_nohash_`, as in Speech Commands: each speaker is in one split only.

    Attributes:
        validation: Percentage of the clips for validation.
        test: Percentage for the test, or a folder below the corpus root, laid out as the corpus is. The folder's clips
            are then the test, and the 10% that the hash would have tested on are left out.
    """

    kind: ClassVar[str] = "hash"
    validation: float = 10.0
    test: float | str = 10.0

    def __post_init__(self) -> None:
        if isinstance(self.test, str):
            check_folder("test", self.test, below=True)
        if not (self.validation >= 0 and self._percentage >= 0 and self.validation + self._percentage <= 100):
            raise ValueError(
                "validation and test: expected percentages of at most 100 together, "
                f"got {self.validation:g} and {self._percentage:g}"
            )

    @property
    def test_folder(self) -> str | None:
        """Folder of the test clips, if `test` names one."""
        return self.test if isinstance(self.test, str) else None

    @property
    def _percentage(self) -> float:
        return 10.0 if isinstance(self.test, str) else self.test

    def _choose(self, listing: Listing, test_speaker: str | None) -> Sequence[str]:
        return [which_set(clip.path, self.validation, self._percentage) for clip in listing.clips]


@dataclass(frozen=True, kw_only=True)
class ListSplit(SplitRule):
    """By text files in the layout's folder, one path a line; the clips that they do not list are for training.

    Attributes:
        test: List of the test clips.
        validation: List of the validation clips; None for no validation split.
    """

    kind: ClassVar[str] = "lists"
    test: str = "testing_list.txt"
    validation: str | None = "validation_list.txt"

    def _choose(self, listing: Listing, test_speaker: str | None) -> Sequence[str]:
        split_of: dict[str, str] = {}
        paths = {clip.path for clip in listing.clips}
        for split, name in (("validation", self.validation), ("test", self.test)):
            if name is None:
                continue
            file = listing.folder / name
            lines = [listing.prefix + line for line in _lines(file, split)]
            if absent := [line for line in lines if line not in paths]:
                raise ValueError(
                    f"{file}: expected paths of the corpus, got {len(absent)} others of {len(lines)}: "
                    f"{listed(absent, 5)}"
                )
            if twice := [line for line in lines if split_of.get(line, split) != split]:
                raise ValueError(
                    f"{file}: expected clips of one split, got some listed for {split_of[twice[0]]}, too: "
                    f"{listed(twice, 5)}"
                )
            split_of |= dict.fromkeys(lines, split)
        return [split_of.get(clip.path, "train") for clip in listing.clips]


@dataclass(frozen=True, kw_only=True)
class FieldSplit(SplitRule):
    """By the values of a field: a group of a pattern, a column of a table, or the folder of a pattern's files.

    Attributes:
        field: Name of the field.
        names: Split of each value, as {value: split}. The values train, validation and test need not be named.
        others: Split of all values that are not named; None to refuse them.
    """

    kind: ClassVar[str] = "field"
    moved: ClassVar[Mapping[str, str]] = {
        "column": "write kind: field, with the column as field",
        "test": "write names: {VALUE: test, ...}, and others: train",
        "validation": "write names: {VALUE: validation, ...}, and others: train",
    }
    field: str
    names: Mapping[str, str] = dataclasses.field(default_factory=dict)
    others: str | None = None

    def __post_init__(self) -> None:
        chosen = {f"names.{value}": split for value, split in self.names.items()}
        for key, split in (chosen | {"others": self.others or "train"}).items():
            if split not in SPLITS:
                raise ValueError(f"{key}: expected one of {', '.join(SPLITS)}, got {split!r}")

    def _choose(self, listing: Listing, test_speaker: str | None) -> Sequence[str]:
        if any(self.field not in fields for fields in listing.fields):
            known = ", ".join(sorted(listing.fields[0])) or "none"
            raise ValueError(f"field: expected one that the layout gives ({known}), got {self.field!r}")
        split_of = {**{split: split for split in SPLITS}, **self.names}
        chosen = [split_of.get(fields[self.field], self.others) for fields in listing.fields]
        if wrong := [clip.path for clip, split in zip(listing.clips, chosen, strict=True) if split is None]:
            raise ValueError(
                f"{self.field}: expected one of {', '.join(split_of)}, got another value for {listed(wrong, 5)}; "
                "name it in the card, or say the split of all others"
            )
        return [split for split in chosen if split is not None]


@dataclass(frozen=True, kw_only=True)
class SpeakerSplit(SplitRule):
    """By leaving one speaker out, whom the caller names: all clips of that speaker are the test.

    Attributes:
        validation: Speaker whose clips are for validation, unless they are the test; None for no validation split.
    """

    kind: ClassVar[str] = "speaker"
    takes_speaker: ClassVar[bool] = True
    validation: str | None = None

    def _choose(self, listing: Listing, test_speaker: str | None) -> Sequence[str]:
        known = sorted({clip.speaker for clip in listing.clips} - {""})
        for name, value in (("test_speaker", test_speaker), ("validation", self.validation)):
            if value not in known and (value is not None or name == "test_speaker"):
                raise ValueError(f"{name}: expected one of the speakers {listed(known, 40) or '(none)'}, got {value!r}")
        named = {self.validation: "validation", test_speaker: "test"}
        return [named.get(clip.speaker, "train") for clip in listing.clips]


Rule = HashSplit | ListSplit | FieldSplit | SpeakerSplit


def _lines(file: Path, split: str) -> list[str]:
    if not file.is_file():
        raise ValueError(f"{file}: expected the list of the {split} clips, one path a line, got no such file")
    return [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
