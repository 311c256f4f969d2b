"""A plain folder of recordings, without a card: how the class folders lie in it, and the card that says so."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from audionet.checks import check_that, listed
from audionet.console import note
from audionet.datasets.cards import Card, read_card
from audionet.datasets.clip import Split
from audionet.datasets.layouts import FolderLayout
from audionet.datasets.splits import FieldSplit, HashSplit, ListSplit, Rule, StratifiedSplit
from audionet.files import find_files, is_audio, safe_names

NOISE = "_background_noise_"  # as in Speech Commands

_WORDS: dict[Split, set[str]] = {
    "train": {"train", "training", "trainset"},
    "validation": {"validation", "valid", "val", "dev", "devel", "development", "eval", "evaluation"},
    "test": {"test", "testing", "tests", "testset"},
}

_Folders = Mapping[str, list[str]]  # what lies in each folder, "" being the files beside them; a folder ends with "/"


@dataclass(frozen=True)
class Arrangement:
    """Where the class folders of a plain folder lie.

    Attributes:
        folder: Folder below the root that holds them, or the folders of the splits.
        depth: Folders above the class folders, below that folder.
        splits: Split of each folder there; empty where there are none for the splits.
    """

    folder: str = "."
    depth: int = 0
    splits: Mapping[str, Split] = field(default_factory=dict)


def choose_card(card: str | Path | Card | None, root: str | Path | None) -> Card:
    """Return the card that a user means.

    Args:
        card: Name of a dataset card, a card.yaml, or the folder of one; None to describe the root as a plain folder;
            "auto" to do so if there is a root without a card.yaml, and without a root for "words".
        root: Folder that the user names for the corpus; None for none.

    Raises:
        ValueError: There is no such card, or no such folder.
    """
    check_that(root != "", "root", "a folder", root)
    if card == "auto" and root is not None:
        card = root if Path(root, "card.yaml").is_file() else None
    elif card == "auto":
        card = "words"
    if card is None:
        expected = "a dataset card, or a folder of class folders as root"
        check_that(root is not None, "card", expected, card, "name one (in a recipe --data.card or --data.root)")
        advice = "see its path, and unpack it if it is an archive"
        check_that(Path(str(root)).is_dir(), "root", "a folder of class folders", str(root), advice)
        return plain_card(str(root))
    return card if isinstance(card, Card) else read_card(card)


def plain_card(root: str | Path) -> Card:
    """Describe a folder of class folders, without a card.

    The class folders may lie in one folder, or in folders for the splits, such as `train` and `test`; this is said. The
    split is that of such folders, or by `validation_list.txt` and `testing_list.txt` where the folder has the latter,
    or in the same proportions for each class, with whole speakers where file names begin with SPEAKER_nohash_. A folder
    `_background_noise_`, as in Speech Commands, holds noise, not a class. Sound files that all lie in the folder itself
    are of one class of its name.

    Raises:
        ValueError: There are folders for the splits, and more than class folders in them or beside them.
    """
    root = Path(root)
    folder = root.resolve().name
    name = safe_names([folder])[folder]
    place, noise, sounds = Arrangement(), None, list[str]()
    if root.is_dir():
        found = find_files(root)
        sounds = [path for path in (*found.files, *found.broken) if is_audio(path)]
        place = arrangement([*sounds, *(f"{folder}/" for folder in found.folders)])
        noises = [folder for folder in found.folders if folder.rsplit("/", 1)[-1] == NOISE]
        noise = min(noises, key=lambda folder: folder.count("/"), default=None)
    splits = _rules(root, place)
    if place.folder != ".":
        note(f"{root}: the class folders are taken from the folder {place.folder} in it")
    if place.splits:
        taken = ", ".join(f"{name} as {split}" for name, split in place.splits.items())
        note(f"{root}: its folders are taken as the splits: {taken}")
    if inner := _within_classes(sounds, place):
        note(f"{root}: the folders in the class folders, {listed(inner)}, are not told apart")
    return Card(
        name=name,
        title=f"Class folders of {root}",
        description="A folder of recordings for each class.",
        homepage="",
        license="",
        citation="",
        sample_rate=16_000,
        layout=FolderLayout(
            folder=place.folder,
            depth=place.depth,
            ignore=(NOISE,),
            speaker="^(?P<speaker>.+?)_nohash_",
            loose="" if any("/" in path for path in sounds) else name,
        ),
        background=noise,
        split=next(iter(splits)),
        splits=splits,
        path=root.resolve() / "card.yaml",
    )


def arrangement(paths: Iterable[str]) -> Arrangement:
    """Find where the class folders lie.

    Args:
        paths: Sound files, and folders, which end with "/"; relative, with forward slashes.

    Raises:
        ValueError: There are folders for the splits, and more than class folders in them or beside them.

    Example:
        >>> arrangement(["words/yes/1.wav", "words/no/1.wav"]).folder
        'words'
        >>> arrangement(["train/yes/1.wav", "train/no/1.wav", "test/yes/2.wav"]).splits
        {'train': 'train', 'test': 'test'}
    """
    folders = _by_folder(path for path in paths if NOISE not in path.split("/"))
    above: list[str] = []
    while _is_wrapper(folders):
        ((name, inside),) = folders.items()
        above.append(name)
        folders = _by_folder(inside)
    splits, depth = _splits(folders), 0
    if splits:
        below = [_by_folder(inside) for inside in folders.values()]
        depth = 1
        while all(map(_is_wrapper, below)):
            below = [_by_folder(inside) for each in below for inside in each.values()]
            depth += 1
    return Arrangement("/".join(above) or ".", depth, splits)


def _by_folder(paths: Iterable[str]) -> _Folders:
    folders: dict[str, list[str]] = {}
    for path in paths:
        first, slash, rest = path.partition("/")
        inside = folders.setdefault(first if slash else "", [])
        if rest or not slash:
            inside.append(rest or first)
    return folders


def _is_flat(inside: Iterable[str]) -> bool:
    """Tell whether files lie directly in a folder."""
    return any("/" not in path for path in inside)


def _is_wrapper(folders: _Folders) -> bool:
    """Tell whether there is one folder and nothing else, and in it only folders, some of them with files."""
    return (
        len(folders) == 1
        and "" not in folders
        and all(not _is_flat(inside) and _holds_files(inside) for inside in folders.values())
    )


def _holds_files(inside: Iterable[str]) -> bool:
    return any(not path.endswith("/") for path in inside)


def _splits(folders: _Folders) -> dict[str, Split]:
    """Return the split of each folder; none where the folders are classes, one of which may be called "train".

    Without a folder for the test, that for validation is the test.
    """
    known = {name: split for name in folders if (split := _split_of(name))}
    if "train" not in known.values() or len({*known.values()}) == 1:
        return {}
    flat = [name for name in known if _is_flat(folders[name])]
    beside = [name or "sound files" for name in folders if name not in known]
    if flat == list(known) and beside:
        return {}
    if flat or beside or (empty := [name for name in known if not _holds_files(folders[name])]):
        got = (
            f"sound files directly in {listed(flat)}"
            if flat
            else f"also {listed(beside)}"
            if beside
            else f"none in {listed(empty)}"
        )
        raise ValueError(
            f"root: expected class folders in the folders of the splits, {listed(known)}, and nothing beside them, got "
            f"{got}; move what does not belong there, or describe the folder by a card"
        )
    if "test" not in known.values():
        known = {name: "test" if split == "validation" else split for name, split in known.items()}
    return known


def _split_of(name: str) -> Split | None:
    """Return the split that a folder's name tells, such as test for test-clean; None for none, or more than one."""
    words = set(re.findall("[a-z]+", name.lower()))
    told = [split for split, known in _WORDS.items() if words & known]
    return told[0] if len(told) == 1 else None


def _within_classes(sounds: Iterable[str], place: Arrangement) -> list[str]:
    """Return the names of the folders of sound files in the class folders."""
    above = 0 if place.folder == "." else place.folder.count("/") + 1
    levels = [path.split("/")[above + place.depth + 1 : -1] for path in sounds if NOISE not in path.split("/")]
    return sorted({level[0] for level in levels if level})


def _rules(root: Path, place: Arrangement) -> dict[str, Rule]:
    """Return the split rules of a plain folder, its own first."""
    rules: dict[str, Rule] = {"stratified": StratifiedSplit(), "hash": HashSplit()}
    for folder in (root / place.folder, root):
        if (folder / "testing_list.txt").is_file():
            expected = "either folders for the splits or lists of the clips in them"
            check_that(not place.splits, "root", expected, "both", "remove testing_list.txt")
            validation = "validation_list.txt" if (folder / "validation_list.txt").is_file() else None
            return {"lists": ListSplit(validation=validation, in_root=folder == root), **rules}
    return {"folders": FieldSplit(field="folder", names=place.splits), **rules} if place.splits else rules
