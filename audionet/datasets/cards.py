"""Cards: descriptions of corpora, so that a corpus of a known layout needs no code.

A card is a file `card.yaml`. `Card` and the dataclasses in it say which keys it may have and of which type. Anything
else is a `CardError` that names the file, the key and what is expected. The key `kind` chooses a layout or split rule.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import yaml

from audionet import resources
from audionet.audio.containers.limits import RATES
from audionet.audio.finding import find_sounds, left_out_text, note_left_out
from audionet.checks import check_no_misfits, check_that, listed, nearest
from audionet.datasets.classes import ClassSelection, select
from audionet.datasets.clip import Clip, Listing
from audionet.datasets.layouts import FileLayout, Layout, SynthesisLayout, TableLayout
from audionet.datasets.schema import check_folder, check_name, read
from audionet.datasets.splits import Rule, SpeakerSplit

_DEEPEST = 64  # lists and mappings in one another


class CardError(ValueError):
    """A card that does not exist or does not say what a card must."""


@dataclass(frozen=True)
class File:
    """An archive to download.

    Attributes:
        url: Address, http or https.
        sha256: Checksum of the archive. None where no source publishes one; then nothing can verify it.
        folder: Folder below the corpus root that the archive is unpacked into.
        size: Size of the archive in bytes; None where it is not known.
        member: Folder within the archive to unpack; what lies beside it is left out. Empty for everything.
    """

    url: str
    sha256: str | None
    folder: str
    size: int | None = None
    member: str = ""

    def __post_init__(self) -> None:
        check_that(_is_web(self.url), "url", "an address with http:// or https://", self.url)
        check_name("url", self.name, "an address that ends in the name of a file")
        hexadecimal = self.sha256 is None or re.fullmatch("[0-9a-f]{64}", self.sha256)
        check_that(hexadecimal, "sha256", "64 digits 0-9 a-f in quotes, or null", self.sha256)
        check_that(self.size is None or self.size > 0, "size", "the number of bytes", self.size)
        check_folder("folder", self.folder, below=True)
        for name in PurePosixPath(self.folder).parts:
            check_name("folder", name, "the names of folders")
        check_folder("member", self.member)

    @property
    def name(self) -> str:
        """File name of the archive."""
        return urlsplit(self.url).path.rstrip("/").rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Card:
    """A corpus: where it comes from, how it is laid out, how it is split and which of its classes are used.

    Attributes:
        name: Short name, which is also the name of the card's folder.
        title: Full name.
        description: What the corpus holds.
        homepage: Address of a page about it.
        license: Licence of the recordings.
        citation: Publication to cite.
        sample_rate: Sample rate of the recordings in hertz; the usual one where they differ or are synthetic.
        layout: How the files say label and speaker.
        files: Archives to download; none for a corpus that is synthetic or brought by the user.
        root: Name of the folder beside the card's that the archives unpack into, for cards that share them;
            None for the card's own folder.
        background: Folder below the corpus root with recordings of noise; None for no such folder.
        split: Name of the split rule that is used unless the caller names another.
        splits: Split rules by name; none for a synthetic corpus, whose voices are split already.
        labels: The classes that are used.
        path: Path of the card's file, which `read_card` fills in.
    """

    name: str
    title: str
    description: str
    homepage: str
    license: str
    citation: str
    sample_rate: int
    layout: Layout
    files: tuple[File, ...] = ()
    root: str | None = None
    background: str | None = None
    split: str | None = None
    splits: Mapping[str, Rule] = field(default_factory=dict)
    labels: ClassSelection = field(default_factory=ClassSelection)
    path: Path = field(default=Path(), metadata={"read": False})

    def __post_init__(self) -> None:
        check_that(self.sample_rate in RATES, "sample_rate", f"{RATES[0]} to {RATES[-1]} Hz", self.sample_rate)
        check_name("name", self.name, "the name of a folder")
        if self.root is not None:
            check_name("root", self.root, "the name of a folder beside the card's")
        for split in self.splits:
            check_name("splits", split, "names that a folder may have")
        if self.background is not None:
            check_folder("background", self.background, below=True)
        names, synthetic = list(self.splits), isinstance(self.layout, SynthesisLayout)
        expected = "none, since voices are split already" if synthetic else "at least one split rule"
        check_that(bool(names) != synthetic, "splits", expected, names)
        check_that(self.split in names or synthetic, "split", f"one of {', '.join(names)}", self.split)
        tests = [rule.test_folder for rule in self.splits.values() if rule.test_folder]
        listed_in_table = tests and isinstance(self.layout, TableLayout)
        check_that(not listed_in_table, "splits", "no test folder, since the table does not name its files", tests)
        folders = [PurePosixPath(file.folder.casefold()) for file in self.files]  # one folder on many disks
        apart = not any(a is not b and a.is_relative_to(b) for a in folders for b in folders)
        check_that(apart, "files", "folders apart from each other", [file.folder for file in self.files])

    @property
    def default_root(self) -> Path:
        """Corpus root unless the user names one: `resources.data_root`, or beside a card that is not shipped."""
        folder = self.path.parent
        if folder.parent == resources.folder("data"):
            return resources.data_root(self.root or self.name)
        return folder.parent / self.root if self.root else folder


def read_card(name_or_path: str | Path) -> Card:
    """Read a card.

    Args:
        name_or_path: Name of a shipped card, a `card.yaml`, or a folder that holds one.

    Raises:
        CardError: There is no such card, or it has an unknown key, lacks one, or has a value of the wrong type.

    Example:
        >>> card = read_card("fsdd")
        >>> card.title, card.sample_rate, card.labels.keep[:3]
        ('Free Spoken Digit Dataset 1.0.10', 8000, ('zero', 'one', 'two'))
    """
    name, path = str(name_or_path), Path(name_or_path)
    if name in _names():
        path = resources.folder("data") / name
    if os.path.isdir(path):  # unlike Path.is_dir it takes what no path can be
        path = path / "card.yaml"
    if not os.path.isfile(path):
        expected = f"one of {', '.join(_names())}, or the path of a card.yaml or of its folder"
        raise CardError(f"card: expected {expected}, got {name!r}; {nearest(name, _names())}")
    path = path.resolve()
    try:
        card = read(Card, yaml.load(path.read_text(encoding="utf-8"), _Loader))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CardError(f"{path}: expected a YAML file, got {error}") from None
    except ValueError as error:
        raise CardError(f"{path}: {error}") from None
    return replace(card, path=path)


class _Loader(yaml.SafeLoader):
    """Loads what is not too deep: PyYAML takes a time that grows with the square of the depth."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Read a value."""
        self.depth += 1
        if self.depth > _DEEPEST:
            raise yaml.YAMLError(f"more than {_DEEPEST} lists or mappings in one another")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def list_cards() -> list[Card]:
    """Read all cards that come with audionet, sorted by name.

    Example:
        >>> [card.name for card in list_cards()][:3]
        ['fsdd', 'ljspeech', 'nsynth']
    """
    return [read_card(name) for name in _names()]


def index(
    card: Card, root: str | Path | None = None, *, split: str | None = None, test_speaker: str | None = None
) -> list[Clip]:
    """List the clips of a corpus that belong to the card's selection of classes. What is left out is said.

    Args:
        card: The corpus.
        root: Folder that holds it; None for the place where `audionet data get` puts it.
        split: Name of one of the card's split rules; None for the card's own choice.
        test_speaker: Speaker to test on, where the split rule leaves one out.

    Returns:
        Clips sorted by path. They are the same for the same files, whatever the order on disk.

    Raises:
        ValueError: The folder, its audio files or a class is missing, a class folder holds nothing that can be used, a
            file does not fit the layout, or the card has no such split.

    Example:
        >>> Path("words/seven").mkdir(parents=True)
        >>> audionet.save_audio("words/seven/a.wav", waveform, sample_rate)
        >>> index(audionet.datasets.plain_card("words"))
        [Clip(path='seven/a.wav', label='seven', speaker='', split='train', silence=False)]
    """
    root = Path(root) if root is not None else card.default_root
    try:
        rule = _rule(card, split, test_speaker)
        listing = card.layout.index(root)
        _check_no_empty_class(listing, card.labels)
        note_left_out(listing.folder, listing.left_out)
        clips = select(rule.assign(listing) if rule else listing.clips, card.labels)
        if rule and rule.test_folder:
            clips = _test_on(rule.test_folder, card.layout, root, clips)
        return sorted(clips, key=lambda clip: clip.path)
    except ValueError as error:
        raise ValueError(f"corpus {card.name}: {error}") from None


def background(card: Card, root: str | Path | None = None, *, folder: str | Path | None = None) -> list[Path]:
    """List recordings of noise, sorted.

    Args:
        card: The corpus.
        root: Folder that holds it; None for the place where `audionet data get` puts it.
        folder: Folder of recordings to take instead of those that come with the corpus; None for the corpus's own,
            which may be none.

    Raises:
        ValueError: The folder holds no audio files.
    """
    if folder is None:
        if card.background is None:
            return []
        folder = (Path(root) if root is not None else card.default_root) / card.background
    place = Path(folder)
    expected = f"background: expected recordings of noise in {place}, got no"
    if not place.is_dir():
        raise ValueError(f"{expected} folder; name another")
    sounds = find_sounds(place)
    if not sounds.files:
        but = f" but {left_out_text(sounds.left_out)}" * bool(sounds.left_out)
        raise ValueError(f"{expected} audio files{but}; name another folder")
    note_left_out(place, sounds.left_out)
    return [place / path for path in sounds.files]


def _check_no_empty_class(listing: Listing, labels: ClassSelection) -> None:
    """Refuse a class folder without a clip; one that the card neither keeps nor pools is left out."""
    empty = [f"{label} ({text})" for label, text in listing.empty.items() if not labels.keep or label in labels.keep]
    expected = "recordings that can be read in every class folder"
    check_no_misfits(
        [f"none in {listed(empty, 20)}"] if empty else [], listing.folder, expected, "add some, or move it elsewhere"
    )


def _rule(card: Card, split: str | None, test_speaker: str | None) -> Rule | None:
    """Return the split rule that the caller wants; None for synthetic voices, which are split already."""
    split = card.split if split is None else split
    known = f"one of {', '.join(card.splits)}" if card.splits else "none, since synthetic voices are split already"
    check_that(split == card.split or split in card.splits, "split", known, split)
    rule = card.splits.get(split or "")
    fits = test_speaker is None or isinstance(rule, SpeakerSplit)
    check_that(fits, "test_speaker", "none, unless the split is of kind speaker", test_speaker)
    return replace(rule, test=test_speaker or rule.test) if isinstance(rule, SpeakerSplit) else rule


def _test_on(folder: str, layout: Layout, root: Path, clips: list[Clip]) -> list[Clip]:
    """Put the clips of a test folder in place of those that a rule has chosen for the test."""
    assert isinstance(layout, FileLayout)
    tests = [replace(clip, split="test") for clip in replace(layout, folder=folder).index(root).clips]
    others = [clip for clip in clips if clip.split != "test"]
    if differing := {clip.label for clip in tests} ^ {clip.label for clip in others}:
        raise ValueError(f"{folder}: expected the classes of the other splits, got a difference in {listed(differing)}")
    return others + tests


def _is_web(url: str) -> bool:
    """Tell whether a text is an address of the web, as a request sends it."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 0) >= 0
    except ValueError:
        return False
    return fits and url.isascii() and url.isprintable() and " " not in url


def _names() -> list[str]:
    return sorted(path.parent.name for path in resources.folder("data").glob("*/card.yaml"))
