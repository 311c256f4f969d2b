"""The ten words of Speech Commands, "unknown" and "silence", on the shared half of the official test archive."""

from argparse import Namespace
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from audionet.checks import check_no_misfits
from audionet.labels import is_word
from audionet.metrics import Answers, calibration_error
from benchmarks.people import runs
from benchmarks.people.from_text import trainings
from benchmarks.people.hearing import Heard, Hearer
from benchmarks.people.recordings import Recordings, find
from benchmarks.people.results import Book
from benchmarks.people.scores import answered, count, of_all, of_words
from benchmarks.people.splits import groups, in_half

FIGURES = ("ten words", "12 classes", "calibration error")
REJECTED, ACCEPTED = "words not answered at the threshold", "unknown and silence answered with a word"


def half(data: Path, which: str) -> Recordings:
    """Return the recordings by the speakers of a half of the shared half: "odd", "even", or "all" of it."""
    everything = find("commands", data)
    return everything if which == "all" else everything.take(in_half(group_of(everything), which))


def group_of(recordings: Recordings) -> np.ndarray:
    """Return what is kept together in splits, (recording,): the position of the speaker."""
    paths = [path.name for path in recordings.paths]
    return groups(recordings.labels.tolist(), recordings.speakers.tolist(), paths)


def whom(which: str) -> str:
    """Say whom a figure is of."""
    return "shared half" if which == "all" else f"{which} half of the speakers"


def test(book: Book, hearers: Sequence[Hearer], recordings: Recordings, whom: str, **what: Any) -> None:
    """Test on the 12 classes; write down the ten words, the 12 classes, what a threshold does, and the calibration.

    Args:
        book: Where the figures go.
        hearers: What is tested; of several, that which knows most of the ten words.
        recordings: Whom to test on.
        whom: The same in words.
        **what: Row and sample of the results.

    Raises:
        ValueError: There are other classes.
    """
    labels, true = hearers[0].labels, recordings.labels
    what |= {"system": hearers[0].system, "subject": hearers[0].subject}
    ten, twelve, calibration = (f"{figure}, {whom}" for figure in FIGURES)
    if book.has(**what, line=calibration):
        return
    missing = sorted({*true.tolist()}.difference(labels))
    check_no_misfits(missing, "model", "the 12 classes of Speech Commands, of which it lacks none")
    found = [hearer.probabilities(hearer.clips(recordings)) for hearer in hearers]
    probabilities = max(found, key=lambda each: of_words(each, labels, true.tolist()))
    best = np.array(labels)[probabilities.argmax(-1)]
    recalls = {label: round(float(np.mean(best[true == label] == label)), 4) for label in sorted({*true.tolist()})}
    book.add(of_words(probabilities, labels, true.tolist()), **what, line=ten)
    book.add(of_all(probabilities, labels, true.tolist()), **what, line=twelve, more={"recalls": recalls})
    if hearers[0].threshold > 0:
        at_threshold = np.array([word or "" for word in answered(probabilities, labels, hearers[0].threshold)])
        is_spoken = np.array([is_word(label) for label in true])
        book.add(count(at_threshold[is_spoken] == ""), **what, line=f"{REJECTED}, {whom}")
        book.add(count(at_threshold[~is_spoken] != ""), **what, line=f"{ACCEPTED}, {whom}")
    indices = np.array([labels.index(label) for label in true])
    given = Answers(np.arange(len(true)), indices, probabilities.argmax(-1), probabilities.max(-1))
    book.add(calibration_error(given), **what, line=calibration)


def run_model(options: Namespace, book: Book) -> None:
    """Test a recogniser that is there already."""
    recordings = half(options.data, options.half)
    test(book, [Heard(options.model)], recordings, whom(options.half), row="commands")


def run_text(options: Namespace, book: Book) -> None:
    """Train from text alone, once a seed, and test; then Google's embedding on the training clips of the first seed."""
    recordings = half(options.data, options.half)
    for hearers, what in trainings(options, "commands-text", partial(runs.train, "recognition"), "recognition"):
        test(book, hearers, recordings, whom(options.half), row="commands-text", **what)
