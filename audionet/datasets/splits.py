"""Split rules: the values of each in a card, and the splits that it gives to clips."""

import dataclasses
import hashlib
import math
import re
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from audionet.checks import check_no_misfits, check_that, listed
from audionet.datasets.clip import SPLITS, Clip, Listing, Split
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


@dataclass(frozen=True, kw_only=True)
class SplitRule:
    """A base for split rules, which choose the split of each clip.

    Attributes:
        kind: Word for the rule in a card.
        test_folder: Folder below the corpus root, laid out as the corpus is. Its clips are the test then, and those
            that the rule chooses for the test are left out. None for no such folder.
    """

    kind: ClassVar[str]
    test_folder: str | None = None

    def __post_init__(self) -> None:
        if self.test_folder is not None:
            check_folder("test_folder", self.test_folder, below=True)

    def assign(self, listing: Listing) -> list[Clip]:
        """Give every clip that a layout found its split.

        Raises:
            ValueError: The rule asks for a field, list or speaker that is not there.
        """
        return [replace(clip, split=split) for clip, split in zip(listing.clips, self._choose(listing), strict=True)]

    def _choose(self, listing: Listing) -> Sequence[str]:
        """Return the split of each clip."""
        raise NotImplementedError


def _check_percentages(validation: float, test: float) -> None:
    fits = validation >= 0 and test >= 0 and validation + test <= 100
    check_that(fits, "validation and test", "percentages of at most 100 together", (validation, test))


@dataclass(frozen=True, kw_only=True)
class HashSplit(SplitRule):
    """A split by a hash of the file name up to `_nohash_`, as in Speech Commands: each speaker is in one split only.

    Attributes:
        validation: Percentage of the clips for validation.
        test: Percentage for the test.
    """

    kind: ClassVar[str] = "hash"
    validation: float = 10.0
    test: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_percentages(self.validation, self.test)

    def _choose(self, listing: Listing) -> Sequence[str]:
        return [which_set(clip.path, self.validation, self.test) for clip in listing.clips]


@dataclass(frozen=True, kw_only=True)
class StratifiedSplit(SplitRule):
    """A split of each class in the same proportions; each class of three clips or more has some in every split.

    A hash of the path below the class folder puts the clips in an order: the first are for validation, the last for the
    test. So the same files are split in the same way on every machine, equal names in several classes as a rule fall
    into the same split, and a new file moves at most one other for each split. Where speakers are known, each of them
    is tested in turn.

    Where the corpus names three speakers or more, whole speakers are split in this way, so that each is in one split
    only, unless a class would be left without training clips. More speakers join the test and the validation where a
    class would have none there.

    Attributes:
        validation: Percentage of the clips for validation.
        test: Percentage for the test.
    """

    kind: ClassVar[str] = "stratified"
    validation: float = 10.0
    test: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_percentages(self.validation, self.test)

    def _choose(self, listing: Listing) -> Sequence[str]:
        clips = listing.clips
        names = [clip.path.removeprefix(listing.prefix) for clip in clips]
        if len({clip.speaker for clip in clips} - {""}) >= 3 and (chosen := self._by_speaker(clips, names)):
            return chosen
        return self._by_clip(clips, names)

    def _by_clip(self, clips: Sequence[Clip], names: Sequence[str]) -> list[str]:
        """Return the split of each clip; each class is split by itself."""
        speaker_of: dict[str, dict[str, str]] = {}  # by class and name
        for clip, name in zip(clips, names, strict=True):
            speaker_of.setdefault(clip.label, {})[name] = clip.speaker
        counts: dict[str, Counter[str]] = {split: Counter() for split in SPLITS}  # clips of each speaker so far
        split_of = {label: self._split(speaker_of[label], counts) for label in sorted(speaker_of)}
        return [split_of[clip.label][name] for clip, name in zip(clips, names, strict=True)]

    def _by_speaker(self, clips: Sequence[Clip], names: Sequence[str]) -> list[str]:
        """Return the split of each clip, the same for all of a speaker; none if a class would not be trained on."""
        said: dict[str, set[str]] = {}  # classes of each speaker, and of each clip by nobody
        for clip, name in zip(clips, names, strict=True):
            said.setdefault(clip.speaker or name, set()).add(clip.label)
        nobody = [(clip, name) for clip, name in zip(clips, names, strict=True) if not clip.speaker]
        chosen = self._by_clip(*zip(*nobody, strict=True)) if nobody else []
        speakers = sorted({clip.speaker for clip in clips} - {""})
        split_of = self._split(dict.fromkeys(speakers, ""), {split: Counter() for split in SPLITS})
        split_of |= {name: split for (_, name), split in zip(nobody, chosen, strict=True)}
        for split, percentage in (("test", self.test), ("validation", self.validation)):
            if percentage > 0:
                _cover(split_of, said, split)
        trained = set().union(*(said[name] for name, split in split_of.items() if split == "train"))
        if trained != set().union(*said.values()):
            return []
        return [split_of[clip.speaker or name] for clip, name in zip(clips, names, strict=True)]

    def _split(self, speaker_of: Mapping[str, str], counts: Mapping[str, Counter[str]]) -> dict[str, str]:
        """Return the split of each name; the next one in each split is by whoever has the fewest clips there so far."""
        n = len(speaker_of)
        n_test = self._share(self.test, n, 2)
        n_validation = min(self._share(self.validation, n, 3), n - 1 - n_test)
        waiting: dict[str, deque[tuple[int, str]]] = {}  # of each speaker the names in their order, with their places
        for place, name in enumerate(sorted(speaker_of, key=_order)):
            waiting.setdefault(speaker_of[name], deque()).append((place, name))
        split_of = dict.fromkeys(speaker_of, "train")
        for _ in range(n_test):
            speaker = min(filter(waiting.get, waiting), key=lambda each: (counts["test"][each], -waiting[each][-1][0]))
            counts["test"][speaker] += 1
            split_of[waiting[speaker].pop()[1]] = "test"
        for _ in range(n_validation):
            speaker = min(filter(waiting.get, waiting), key=lambda each: (counts["validation"][each], waiting[each][0]))
            counts["validation"][speaker] += 1
            split_of[waiting[speaker].popleft()[1]] = "validation"
        return split_of

    @staticmethod
    def _share(percentage: float, n: int, fewest: int) -> int:
        """Return how many of n are a percentage: one at least, if there are enough, and not all."""
        at_least = 1 if percentage > 0 and n >= fewest else 0
        return min(max(math.floor(n * percentage / 100 + 0.5), at_least), n - 1)


def _order(name: str) -> tuple[bytes, str]:
    """Return what sorts names in an order that follows from the path below the class folder alone."""
    return hashlib.sha256((name.partition("/")[2] or name).encode(errors="surrogateescape")).digest(), name


def _cover(split_of: dict[str, str], said: Mapping[str, set[str]], split: str) -> None:
    """Move speakers from the training to a split until it has all classes, as far as each is still trained on then."""
    while True:
        trained = Counter(label for name in said if split_of[name] == "train" for label in said[name])
        covered = set().union(*(said[name] for name in said if split_of[name] == split))
        free = [name for name in said if split_of[name] == "train" and all(trained[label] > 1 for label in said[name])]
        gain = {name: len(said[name] - covered) for name in free}
        if not any(gain.values()):
            return
        split_of[min(free, key=lambda name: (-gain[name], _order(name)))] = split


@dataclass(frozen=True, kw_only=True)
class ListSplit(SplitRule):
    """A split by text files that list the clips of a split, one path a line; all others are for training.

    Attributes:
        test: File in the layout's folder that lists the test clips, by paths relative to that folder.
        validation: File that lists the validation clips; None for no validation split.
        in_root: Whether the files are in the corpus root instead, with paths relative to either folder.
    """

    kind: ClassVar[str] = "lists"
    test: str = "testing_list.txt"
    validation: str | None = "validation_list.txt"
    in_root: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for key, name in (("test", self.test), ("validation", self.validation)):
            if name is not None:
                check_folder(key, name, below=True)

    def _choose(self, listing: Listing) -> Sequence[str]:
        split_of = dict.fromkeys((clip.path for clip in listing.clips), "train")
        for split, name in (("validation", self.validation), ("test", self.test)):
            if name is None:
                continue
            file = (listing.root if self.in_root else listing.folder) / name
            if not file.is_file():
                raise ValueError(f"{file}: expected the list of the {split} clips, one path a line, got no such file")
            lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
            from_root = split_of if self.in_root else {}
            paths = [line if line in from_root else listing.prefix + line for line in lines if line]
            check_no_misfits([path for path in paths if path not in split_of], file, "paths of the corpus")
            twice = [path for path in paths if split_of[path] not in ("train", split)]
            check_no_misfits(twice, file, "paths that the list of another split does not have")
            split_of |= dict.fromkeys(paths, split)
        return [split_of[clip.path] for clip in listing.clips]


@dataclass(frozen=True, kw_only=True)
class FieldSplit(SplitRule):
    """A split by the values of a field: a group of a pattern, a column of a table, or the folder of a pattern's files.

    Attributes:
        field: Name of the field.
        names: Split of each value, as {value: split}. The values train, validation and test need not be named.
        others: Split of all values that are not named; None to refuse them.
    """

    kind: ClassVar[str] = "field"
    field: str
    names: Mapping[str, Split] = dataclasses.field(default_factory=dict)
    others: Split | None = None

    def _choose(self, listing: Listing) -> Sequence[str]:
        known = listing.fields[0].keys()  # those of every clip
        expected = f"one that the layout gives ({', '.join(sorted(known)) or 'none'})"
        check_that(self.field in known, "field", expected, self.field)
        split_of: dict[str, str] = {split: split for split in SPLITS} | {**self.names}
        chosen = [split_of.get(fields[self.field], self.others or "") for fields in listing.fields]
        wrong = [clip.path for clip, split in zip(listing.clips, chosen, strict=True) if not split]
        expected = f"one of {', '.join(split_of)}, unless the card says the split of all others"
        check_no_misfits(wrong, self.field, expected)
        return chosen


@dataclass(frozen=True, kw_only=True)
class SpeakerSplit(SplitRule):
    """A split that leaves one speaker out: all clips of that speaker are the test.

    Attributes:
        test: Speaker whose clips are the test; None where the caller names one.
        validation: Speaker whose clips are for validation, unless they are the test; None for no validation split.
    """

    kind: ClassVar[str] = "speaker"
    test: str | None = None
    validation: str | None = None

    def _choose(self, listing: Listing) -> Sequence[str]:
        known = sorted({clip.speaker for clip in listing.clips} - {""})
        expected = f"one of the speakers {listed(known, 40) or '(none)'}"
        check_that(self.test in known, "test_speaker", expected, self.test)
        check_that(self.validation in (None, *known), "validation", expected, self.validation)
        named = {self.validation: "validation", self.test: "test"}
        return [named.get(clip.speaker, "train") for clip in listing.clips]


Rule = HashSplit | ListSplit | FieldSplit | SpeakerSplit | StratifiedSplit
