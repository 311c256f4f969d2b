"""The ten words of Speech Commands, "unknown" and "silence", on the shared half of the official test archive."""

from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np

from audionet.checks import check_no_misfits
from benchmarks.people.hearing import Heard
from benchmarks.people.recordings import Recordings, find
from benchmarks.people.results import Book
from benchmarks.people.scores import calibration_error, of_all, of_words
from benchmarks.people.splits import groups, in_half

WORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
FIGURES = ("ten words", "12 classes", "calibration error")


def half(data: Path, which: str) -> Recordings:
    """Return the recordings by the speakers of a half of the shared half: "odd", "even", or "all" of it."""
    everything = find("commands", data)
    return everything if which == "all" else everything.take(in_half(group_of(everything), which))


def group_of(recordings: Recordings) -> np.ndarray:
    """Return what is kept together in splits, (recording,): the position of the speaker."""
    paths = [path.name for path in recordings.paths]
    return groups(recordings.labels.tolist(), recordings.speakers.tolist(), paths)


def test(book: Book, model: Path | str, recordings: Recordings, whom: str, **what: Any) -> None:
    """Test a recogniser of the 12 classes, and write down the ten words, the 12 classes and the calibration.

    Args:
        book: Where the figures go.
        model: The recogniser.
        recordings: Whom to test on.
        whom: The same in words.
        **what: Row, sample and, where it is not the bundle, subject of the results.

    Raises:
        ValueError: The recogniser has other classes.
    """
    heard = Heard(model)
    what = {"subject": heard.subject, **what}
    if all(book.has(**what, line=f"{figure}, {whom}") for figure in FIGURES):
        return
    write(book, heard.probabilities(heard.clips(recordings)), heard.labels, recordings, whom, **what)


def write(
    book: Book, probabilities: np.ndarray, labels: list[str], recordings: Recordings, whom: str, **what: Any
) -> None:
    """Write down the figures that follow from the probabilities of all recordings."""
    true, best = recordings.labels, np.array(labels)[probabilities.argmax(-1)]
    missing = sorted({*true.tolist()}.difference(labels))
    check_no_misfits(missing, "model", "the 12 classes of Speech Commands, of which it lacks none")
    recalls = {label: round(float(np.mean(best[true == label] == label)), 4) for label in sorted({*true.tolist()})}
    ten, twelve, calibration = (f"{figure}, {whom}" for figure in FIGURES)
    book.add(of_words(probabilities, labels, true.tolist()), **what, line=ten)
    book.add(of_all(probabilities, labels, true.tolist()), **what, line=twelve, more={"recalls": recalls})
    book.add(calibration_error(probabilities.max(-1), best == true), **what, line=calibration)


def run_model(options: Namespace, book: Book) -> None:
    """Test a recogniser that is there already."""
    recordings = half(options.data, options.half)
    test(book, options.model, recordings, whom(options.half), row="commands")


def whom(which: str) -> str:
    """Say whom a figure is of."""
    return "shared half" if which == "all" else f"{which} half of the speakers"
