"""Dataset cards: a corpus described by values, so that one of a known layout needs no code.

A card is a `card.yaml`. `Card` and the dataclasses below say which keys it may have and of what type;
anything else is a `CardError` that names the file, the key and what is expected. Layouts and split rules are
chosen by their `kind`.
"""

import dataclasses
import difflib
import re
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import yaml

from audionet import resources


class CardError(ValueError):
    """A card that does not exist or does not say what a card must."""


def _check_folder(key: str, value: str, *, below: bool = False) -> None:
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or "\\" in value or (below and not path.parts):
        raise ValueError(f"{key}: expected a folder below the corpus root, such as recordings; got {value!r}")


def _check_regex(key: str, value: str, group: str) -> None:
    try:
        groups = re.compile(value).groupindex
    except re.error as error:
        raise ValueError(f"{key}: {value!r} is not a regular expression: {error}") from None
    if group not in groups:
        raise ValueError(f"{key}: expected a named group (?P<{group}>...) in {value!r}")


@dataclass(frozen=True)
class File:
    """An archive to download.

    Attributes:
        url: Address, http or https.
        sha256: Checksum of the archive; None where no source publishes one, and then nothing can verify it.
        folder: Folder below the corpus root that the archive is unpacked into.
        size: Bytes of the archive, where known.
        member: Folder within the archive to unpack; what lies beside it is left out. Empty: everything.
    """

    url: str
    sha256: str | None
    folder: str
    size: int | None = None
    member: str = ""

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"url: expected an address with http:// or https://, got {self.url!r}")
        if self.sha256 is not None and not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise ValueError(f"sha256: expected 64 digits 0-9 a-f in quotes, or null; got {self.sha256!r}")
        if self.size is not None and self.size <= 0:
            raise ValueError(f"size: expected the number of bytes, got {self.size}")
        _check_folder("folder", self.folder, below=True)
        _check_folder("member", self.member)

    @property
    def name(self) -> str:
        """File name of the archive."""
        return self.url.split("?")[0].rstrip("/").rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Folders:
    """A folder of clips for each class.

    Attributes:
        folder: Folder below the corpus root that holds the class folders.
        glob: Which files count, such as "*.wav" (matched against the path below `folder`); empty: all audio
            files.
        ignore: Class folders to leave out.
        speaker: Regular expression searched for in the file name, whose group `speaker` says who speaks.
        labels: New names for classes; a class not named keeps its own.
    """

    kind: ClassVar[str] = "folders"
    folder: str = "."
    glob: str = ""
    ignore: tuple[str, ...] = ()
    speaker: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_folder("folder", self.folder)
        if self.speaker is not None:
            _check_regex("speaker", self.speaker, "speaker")


@dataclass(frozen=True)
class Pattern:
    """Files whose names say everything.

    Attributes:
        pattern: Regular expression over the whole file name, with a group `label`, often one `speaker`, and
            any others for split rules to use, which can also use `folder`: the first one below the layout's folder.
        folder: Folder below the corpus root that holds the files, at any depth.
        glob: As in `Folders`.
        labels: As in `Folders`.
    """

    kind: ClassVar[str] = "pattern"
    pattern: str
    folder: str = "."
    glob: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_folder("folder", self.folder)
        _check_regex("pattern", self.pattern, "label")


@dataclass(frozen=True)
class Table:
    """A CSV or TSV file (by its extension) with a header and a row for each clip.

    Attributes:
        table: The table, relative to the corpus root.
        path: Column with the file's path relative to `folder`.
        label: Column with the class.
        speaker: Column with the speaker, if any. Split rules may use every column.
        folder: Folder below the corpus root that the paths start from.
        labels: As in `Folders`.
    """

    kind: ClassVar[str] = "table"
    table: str
    path: str = "path"
    label: str = "label"
    speaker: str | None = None
    folder: str = "."
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_folder("folder", self.folder)
        _check_folder("table", self.table, below=True)


@dataclass(frozen=True)
class Synthesis:
    """Words spoken by espeak-ng's voices, which need no files.

    Attributes:
        words: Words with a class of their own.
        unknown: Words that are spoken for the class of unknown words.
        arguments: Further arguments of `audionet.datasets.synthesis.index`.
    """

    kind: ClassVar[str] = "synthesis"
    words: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Hash:
    """By a hash of the file name up to `_nohash_`, as Speech Commands does: a speaker is in one split only.

    Attributes:
        validation: Percentage of the clips for validation.
        test: Percentage for the test, or a folder below the corpus root, laid out as the corpus is, whose
            clips are the test; those that the hash would have tested on are then left out.
    """

    kind: ClassVar[str] = "hash"
    validation: float = 10.0
    test: float | str = 10.0

    def __post_init__(self) -> None:
        if isinstance(self.test, str):
            _check_folder("test", self.test, below=True)
        share = self.validation + (10.0 if isinstance(self.test, str) else self.test)
        if self.validation < 0 or share > 100 or (not isinstance(self.test, str) and self.test < 0):
            raise ValueError("validation and test: expected percentages of at most 100 together")


@dataclass(frozen=True)
class Lists:
    """By text files in the layout's folder, one path a line; what they do not list is for training.

    Attributes:
        test: List of the test clips.
        validation: List of the validation clips; None: no validation split.
    """

    kind: ClassVar[str] = "lists"
    test: str = "testing_list.txt"
    validation: str | None = "validation_list.txt"


@dataclass(frozen=True)
class Field:
    """By the values of a field: a group of the pattern or a column of the table. The rest is for training.

    Attributes:
        field: Name of the group or column.
        test: Values that make a clip a test clip.
        validation: Values that make it a validation clip.
    """

    kind: ClassVar[str] = "field"
    field: str
    test: tuple[str | int, ...]
    validation: tuple[str | int, ...] = ()


@dataclass(frozen=True)
class Column:
    """By a field that names the split.

    Attributes:
        column: Name of the column or group.
        names: The field's words for train, validation and test; those three are understood as they are.
    """

    kind: ClassVar[str] = "column"
    column: str = "split"
    names: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for word, split in self.names.items():
            if split not in ("train", "validation", "test"):
                raise ValueError(f"names.{word}: expected train, validation or test, got {split!r}")


@dataclass(frozen=True)
class Speaker:
    """Leave one speaker out: the test is the speaker that the caller names.

    Attributes:
        validation: A speaker whose clips are for validation, unless they are the test.
    """

    kind: ClassVar[str] = "speaker"
    validation: str | None = None


@dataclass(frozen=True)
class Pool:
    """A class made of other clips, or of silence.

    Attributes:
        label: Its name.
        percentage: Its clips in a split, in percent of that split's clips of the kept classes.
    """

    label: str
    percentage: float = 10.0

    def __post_init__(self) -> None:
        if self.percentage < 0:
            raise ValueError(f"percentage: expected 0 or more, got {self.percentage}")


@dataclass(frozen=True)
class Labels:
    """Which classes are used, in which order.

    Attributes:
        keep: Classes with a label of their own; others go to `unknown`, or are left out. Empty: all there
            are.
        unknown: Class that pools the words not kept.
        silence: Class without speech, whose clips the store draws.
    """

    keep: tuple[str, ...] = ()
    unknown: Pool | None = None
    silence: Pool | None = None

    def __post_init__(self) -> None:
        if self.unknown and not self.keep:
            raise ValueError("keep: expected the classes to keep, since unknown pools the others")


Layout = Folders | Pattern | Table | Synthesis
Rule = Hash | Lists | Field | Column | Speaker


@dataclass(frozen=True)
class Card:
    """A corpus: where it comes from, how it is laid out, how it is split and which of its classes are used.

    Attributes:
        name: Short name, the folder's.
        title: Full name.
        description: What it holds.
        homepage: Where to read about it.
        licence: Its licence.
        citation: How to cite it.
        sample_rate: Of its recordings, in Hz; the usual one where they differ or are made.
        layout: How its files say label and speaker.
        files: Archives to download; none for a corpus that is made or brought by the user.
        root: Name of the folder beside the card's that the archives unpack into, for cards that share them;
            None: the card's own.
        background: Folder below the corpus root with recordings of noise.
        split: Name of the split rule used unless the caller names another.
        splits: Split rules by name; none where the layout says the split itself (synthesis).
        labels: Selection of classes.
        path: The card's file; filled in by `read_card`.
    """

    name: str
    title: str
    description: str
    homepage: str
    licence: str
    citation: str
    sample_rate: int
    layout: Layout
    files: tuple[File, ...] = ()
    root: str | None = None
    background: str | None = None
    split: str | None = None
    splits: Mapping[str, Rule] = field(default_factory=dict)
    labels: Labels = field(default_factory=Labels)
    path: Path = field(default=Path(), metadata={"card": False})

    def __post_init__(self) -> None:
        if self.sample_rate <= 0:
            raise ValueError(f"sample_rate: expected Hz, got {self.sample_rate}")
        if self.root is not None and not re.fullmatch(r"[\w-]+", self.root):
            raise ValueError(f"root: expected the name of a folder beside the card's, got {self.root!r}")
        if self.background is not None:
            _check_folder("background", self.background, below=True)
        if self.splits and self.split not in self.splits:
            raise ValueError(f"split: expected one of {', '.join(self.splits)}; got {self.split!r}")
        if isinstance(self.layout, Synthesis) == bool(self.splits):
            raise ValueError(
                "splits: the voices of a synthesis layout are split by its own arguments"
                if self.splits
                else "splits: expected at least one split rule"
            )
        if any(isinstance(rule, Hash) and isinstance(rule.test, str) for rule in self.splits.values()):
            if not isinstance(self.layout, Folders | Pattern):
                raise ValueError("splits: a test folder needs a layout by folders or pattern")
        folders = [PurePosixPath(file.folder) for file in self.files]
        if any(a is not b and a.is_relative_to(b) for a in folders for b in folders):
            raise ValueError("files: expected archives that unpack into folders apart from each other")

    @property
    def default_root(self) -> Path:
        """Corpus root unless the user names one: `resources.data_root`; beside a card that is not shipped."""
        folder = self.path.parent
        if folder.parent == resources.folder("data"):
            return resources.data_root(self.root or self.name)
        return folder.parent / self.root if self.root else folder


def read_card(name_or_path: str | Path) -> Card:
    """Read a dataset card.

    Args:
        name_or_path: Name of a shipped card ("fsdd"), a `card.yaml`, or a folder that holds one.

    Raises:
        CardError: There is no such card, or it has an unknown key, lacks one, or has a value of the wrong
            type.
    """
    path = Path(name_or_path)
    shipped = path.name == str(name_or_path) and str(name_or_path) in _names()
    if shipped:
        path = resources.folder("data") / path / "card.yaml"
    elif path.is_dir():
        path = path / "card.yaml"
    if not path.is_file():
        raise CardError(_unknown(name_or_path, path))
    path = path.resolve()
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CardError(f"{path}: not a YAML file: {error}") from None
    try:
        card = dataclasses.replace(_parse(Card, values, ""), path=path)
    except CardError as error:
        raise CardError(f"{path}: {error}") from None
    if shipped and card.name != name_or_path:
        raise CardError(f"{path}: name: expected {name_or_path}, the name of its folder; got {card.name!r}")
    return card


def list_cards() -> list[Card]:
    """Read all cards that come with audionet, sorted by name."""
    return [read_card(name) for name in _names()]


def plain_card(root: str | Path) -> Card:
    """Describe any folder of class folders, without a card.

    The split is by `validation_list.txt` and `testing_list.txt` where the folder has the latter, otherwise
    by the hash of the file name up to `_nohash_`. `_background_noise_`, as in Speech Commands, holds noise
    and no class.
    """
    root = Path(root)
    noise = "_background_noise_"
    has = {name: (root / name).is_file() for name in ("validation_list.txt", "testing_list.txt")}
    rule = Lists(validation="validation_list.txt" if has["validation_list.txt"] else None)
    return Card(
        name=root.resolve().name,
        title=f"Class folders of {root}",
        description="A folder of recordings for each class.",
        homepage="",
        licence="",
        citation="",
        sample_rate=16_000,
        layout=Folders(ignore=(noise,), speaker="^(?P<speaker>.+?)_nohash_"),
        background=noise if (root / noise).is_dir() else None,
        split="lists" if has["testing_list.txt"] else "hash",
        splits={"lists": rule, "hash": Hash()} if has["testing_list.txt"] else {"hash": Hash()},
        path=root.resolve() / "card.yaml",
    )


def labels(source: Card | Iterable[str]) -> tuple[str, ...]:
    """Return the class names in the order of a classifier's outputs.

    Args:
        source: A card that lists the classes it keeps, or the names of classes.

    Returns:
        The card's classes in its order, then its unknown and silence; names sorted, with `_unknown_` and `_silence_`
        last.
    """
    if isinstance(source, Card):
        if not source.labels.keep:
            raise ValueError(f"{source.name}: the card does not list its classes: give their names")
        pools = (source.labels.unknown, source.labels.silence)
        return *source.labels.keep, *(pool.label for pool in pools if pool)
    last = ("_unknown_", "_silence_")
    found = set(source)
    return *sorted(found.difference(last)), *(label for label in last if label in found)


def _names() -> list[str]:
    return sorted(path.parent.name for path in resources.folder("data").glob("*/card.yaml"))


def _unknown(name: str | Path, path: Path) -> str:
    if path.name != str(name):
        return f"no dataset card at {path}: expected a card.yaml, or a folder that holds one"
    near = difflib.get_close_matches(str(name), _names(), n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    known = ", ".join(_names())
    return f"unknown dataset {str(name)!r}: expected one of {known}, or a path to a card.yaml{hint}"


def _parse(kind: Any, value: Any, key: str) -> Any:
    """Turn parsed YAML into the type `kind`: a dataclass, a scalar, or tuples, mappings, unions of them."""
    if kind is Any:
        return value
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return _parse_union(arguments, value, key)
    if origin is tuple and isinstance(value, list):
        return tuple(_parse(arguments[0], item, f"{key}[{n}]") for n, item in enumerate(value))
    if origin is Mapping and isinstance(value, dict):
        for name in value:
            _parse(str, name, f"the name {name!r} in {key}")
        return {name: _parse(arguments[1], item, f"{key}.{name}") for name, item in value.items()}
    if dataclasses.is_dataclass(kind) and isinstance(value, dict):
        return _parse_dataclass(kind, value, key)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is kind:
        return value
    raise _wrong(key, (kind,), value)


def _parse_union(kinds: tuple[Any, ...], value: Any, key: str) -> Any:
    tagged = {kind.kind: kind for kind in kinds if hasattr(kind, "kind")}
    if tagged:
        chosen = value.get("kind") if isinstance(value, dict) else None
        if not isinstance(chosen, str) or chosen not in tagged:
            raise CardError(f"{key}.kind: expected one of {', '.join(tagged)}; got {chosen!r}")
        return _parse(tagged[chosen], {name: item for name, item in value.items() if name != "kind"}, key)
    if value is None and types.NoneType in kinds:
        return None
    for kind in kinds:
        if type(value) is kind or (kind is float and type(value) is int):
            return _parse(kind, value, key)
        if dataclasses.is_dataclass(kind):
            return _parse(kind, value, key)
    raise _wrong(key, kinds, value)


def _parse_dataclass(kind: Any, values: dict[Any, Any], key: str) -> Any:
    prefix = f"{key}." if key else ""
    fields = {item.name: item for item in dataclasses.fields(kind) if item.metadata.get("card", True)}
    for name in values:
        if name not in fields:
            near = difflib.get_close_matches(str(name), fields, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise CardError(f"{prefix}{name}: unknown key, expected one of {', '.join(fields)}{hint}")
    for name, item in fields.items():
        required = item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
        if required and name not in values:
            raise CardError(f"{prefix}{name}: missing, expected {_describe(item.type)}")
    hints = typing.get_type_hints(kind)
    parsed = {name: _parse(hints[name], value, prefix + name) for name, value in values.items()}
    try:
        return kind(**parsed)
    except ValueError as error:
        raise CardError(prefix + str(error)) from None


def _wrong(key: str, kinds: tuple[Any, ...], value: Any) -> CardError:
    expected = " or ".join(_describe(kind) for kind in kinds)
    # YAML reads these as truth values, and they are the very words of speech commands.
    hint = "; put words such as yes, no, on, off in quotes" if type(value) is bool else ""
    hint = "; put numbers that are names in quotes" if type(value) is int and str in kinds else hint
    return CardError(f"{key or 'the card'}: expected {expected}, got {value!r} ({_describe(type(value))}){hint}")


def _describe(kind: Any) -> str:
    words = {
        str: "text",
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        dict: "keys and values",
    }
    words |= {list: "a list", types.NoneType: "nothing"}
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) is tuple:
        return f"a list of {_describe(arguments[0])}"
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        return " or ".join(_describe(item) for item in arguments)
    if typing.get_origin(kind) is Mapping or dataclasses.is_dataclass(kind):
        return "keys and values"
    return words.get(kind, str(kind))
