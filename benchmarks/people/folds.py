"""Five folds by speaker over the shared half: real clips of four join the training, the fifth is tested."""

from argparse import Namespace
from pathlib import Path

import numpy as np
import yaml

from benchmarks.people import runs
from benchmarks.people.commands import group_of, test
from benchmarks.people.hearing import Heard, Hearer
from benchmarks.people.peers import LENGTH, PENALTIES, RATE, Google, classifier
from benchmarks.people.recordings import Recordings, find
from benchmarks.people.results import Book
from benchmarks.people.splits import fold

N_FOLDS = 5
WHOM = "four folds of the shared half trained on, the fifth tested"
_SYNTHETIC = 400  # clips of each label by synthetic voices beside the real ones
_VALIDATED = 12  # of so many speakers of the four folds, one is for validation


def split_of(group: np.ndarray, number: int) -> np.ndarray:
    """Return the split of each clip in a fold, (clip,) text, by the position of its speaker.

    Example:
        >>> split_of(np.array([1, 2, 3, 12]), 1).tolist()
        ['train', 'test', 'train', 'validation']
    """
    split = np.where(group % _VALIDATED == 0, "validation", "train")
    return np.where(fold(group, N_FOLDS) == number, "test", split)


def write_card(recordings: Recordings, clips: Path, folder: Path) -> Path:
    """Write a card of the shared half with a split for each fold, below which lie links to the clips.

    Args:
        recordings: The recordings of the shared half.
        clips: Folder of their class folders.
        folder: Folder to write to.

    Returns:
        The path of the card.
    """
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "clips"
    if not link.exists():
        link.symlink_to(clips.absolute(), target_is_directory=True)
    names = np.array([path.relative_to(clips).as_posix() for path in recordings.paths])
    splits = {}
    for number in range(N_FOLDS):
        of = split_of(group_of(recordings), number)
        for split in ("validation", "test"):
            (folder / f"fold{number}-{split}.txt").write_text("\n".join(names[of == split]) + "\n")
        lists = {split: f"fold{number}-{split}.txt" for split in ("validation", "test")}
        splits[f"fold{number}"] = {"kind": "lists", "in_root": True, **lists}
    card = {
        "name": "speech_commands_folds",
        "title": "One half of the official test archive of Speech Commands v0.02, in five folds by speaker",
        "description": "Ten words, other words and silences; written by benchmarks.people.",
        "homepage": "https://arxiv.org/abs/1804.03209",
        "license": "CC BY 4.0",
        "citation": "Pete Warden: Speech Commands. 2018.",
        "sample_rate": 16_000,
        "layout": {"kind": "folders", "folder": "clips", "speaker": "(?P<speaker>[0-9a-f]+)_nohash_"},
        "split": "fold0",
        "splits": splits,
    }
    (path := folder / "card.yaml").write_text(yaml.safe_dump(card, sort_keys=False))
    return path


def run(options: Namespace, book: Book) -> None:
    """Train with the clips of four folds, in turn, and test on the fifth; then Google's embedding likewise."""
    clips = options.data / "speech_commands_test_half"
    recordings, config = find("commands", options.data), runs.preset(options.preset)
    card = write_card(recordings, clips, options.output / "folds")
    subject = runs.identity(config, *options.flags)
    folder = options.output / "runs" / f"folds-{subject}"
    for seed in options.seeds:
        for number in options.folds:
            flags = ["--data.card", str(card), "--data.split", f"fold{number}", "--data.synthetic", str(_SYNTHETIC)]
            flags += ["--seed", str(seed), *options.flags]
            heard = Heard(runs.train("recognition", folder / f"fold{number}-seed{seed}", config, flags), subject)
            tested = recordings.take(split_of(group_of(recordings), number) == "test")
            sample = {"seed": seed, "fold": number}
            test(book, [heard], tested, WHOM, row="folds", sample=sample)
    if not options.no_peers:
        _test_peer(book, recordings, Google(options.output))


def _test_peer(book: Book, recordings: Recordings, google: Google) -> None:
    """Write down what Google's embedding makes of each fold with a head that heard the real clips of the others."""
    group = group_of(recordings)
    for number in range(N_FOLDS):
        tested = split_of(group, number) == "test"
        peers = [_Fitted(google, recordings.take(~tested), c) for c in PENALTIES]
        test(book, peers, recordings.take(tested), WHOM, row="folds", sample={"fold": number})


class _Fitted(Hearer):
    """Google's embedding with a head fitted on recordings."""

    system, subject, sample_rate, clip_length, threshold = "Google", "", RATE, LENGTH, 0.0

    def __init__(self, google: Google, learnt: Recordings, c: float) -> None:
        self._google, self._learnt, self._c = google, learnt, c
        self.labels = sorted({*learnt.labels.tolist()})

    def probabilities(self, clips: np.ndarray) -> np.ndarray:
        """Return the probabilities (clip, label) of clips (clip, time)."""
        head = classifier(self._google.embed(self.clips(self._learnt)), self._learnt.labels, self._c)
        found: np.ndarray = head.predict_proba(self._google.embed(clips))
        return found
