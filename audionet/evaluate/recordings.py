"""Evaluation of a recogniser on a folder of recordings, with a folder of them for each label."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audionet.audio import AudioError
from audionet.checks import check_that, listed
from audionet.console import note, progress
from audionet.datasets import plain_card, read_card
from audionet.datasets.clip import Clip
from audionet.datasets.layouts import FileLayout
from audionet.inference import Predictions, Recognizer
from audionet.labels import UNKNOWN, is_word, spelled
from audionet.metrics import Answers, ClassScores, per_class, right_by_name, wilson_interval

NONE = "none of these"
"""The answer that is none of the labels, and the truth of recordings whose label the recogniser does not know."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a recogniser answered for the recordings of a folder.

    Attributes:
        labels: Labels of the recogniser, and `NONE` last.
        folder: The folder.
        paths: Path of each recording below it.
        found: What the folder calls each recording, which the recogniser may not know.
        speakers: Who speaks in each; empty where the names do not tell.
        answers: True and given label of each recording, by position. The answer is `NONE` below the threshold; for a
            recording of no word, such as silence, that counts as right.
        threshold: Probability from which on the answer was a word.
        errors: What is wrong with the files that could not be read.
    """

    labels: tuple[str, ...]
    folder: Path
    paths: tuple[str, ...]
    found: tuple[str, ...]
    speakers: tuple[str, ...]
    answers: Answers
    threshold: float
    errors: tuple[AudioError, ...] = ()

    @property
    def right(self) -> np.ndarray:
        """Whether each answer is right, (recording,) bool."""
        is_right: np.ndarray = self.answers.true == self.answers.given
        return is_right

    @property
    def accuracy(self) -> float:
        """The share of right answers."""
        return float(self.right.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% interval of the accuracy."""
        return wilson_interval(int(self.right.sum()), len(self.right))

    @property
    def scores(self) -> list[ClassScores]:
        """The scores of each label that was said or answered."""
        scored = per_class(self.answers.confusion(len(self.labels)), self.labels)
        seen = {*self.answers.true.tolist(), *self.answers.given.tolist()}
        return [score for position, score in enumerate(scored) if position in seen]

    @property
    def rejected(self) -> tuple[int, int]:
        """How many words were answered with `NONE` or no word, and how many words there are."""
        return self._count(words=True, answered_with_words=False)

    @property
    def false_words(self) -> tuple[int, int]:
        """How many recordings of no word that is known were answered with a word, and how many of them there are."""
        return self._count(words=False, answered_with_words=True)

    @property
    def confusions(self) -> list[tuple[str, str, int]]:
        """The wrong answers by kind, the most frequent first: true label, given label, number."""
        wrong = self.answers.wrong()
        pairs = Counter(zip(wrong.true.tolist(), wrong.given.tolist(), strict=True))
        return [(self.labels[true], self.labels[given], number) for (true, given), number in pairs.most_common()]

    @property
    def worst(self) -> list[tuple[str, str, str, float]]:
        """The wrong answers, the most confident first: path, what the folder calls it, given label, probability."""
        rows = zip(*(column.tolist() for column in self.answers.wrong()), strict=True)
        return [(self.paths[row], self.found[row], self.labels[given], share) for row, _, given, share in rows]

    @property
    def by_speaker(self) -> dict[str, tuple[int, int]]:
        """The right answers and all answers of each speaker who is known, the worst first."""
        return right_by_name(self.speakers, self.right)

    def _count(self, *, words: bool, answered_with_words: bool) -> tuple[int, int]:
        word = np.array([is_word(label) and label != NONE for label in self.labels])
        of_kind = word[self.answers.true] == words
        return int((of_kind & (word[self.answers.given] == answered_with_words)).sum()), int(of_kind.sum())


def evaluate_folder(
    recognizer: Recognizer,
    folder: str | os.PathLike[str],
    *,
    threshold: float | None = None,
    batch_size: int = 32,
    lenient: bool = False,
) -> Evaluation:
    """Let a recogniser name the recordings of a folder that has a folder of them for each label.

    The folder is read as a corpus is: with a `card.yaml` as that says, otherwise as `audionet.datasets.plain_card`
    describes it. Capitals, spaces, underscores and hyphens of a label do not count: Lights_On is "lights on". A label
    that the recogniser does not know counts as its class of unknown words; where it has none, the right answer is "none
    of these", and without a threshold, below which that is answered, the label is left out.

    Args:
        recognizer: The recogniser.
        folder: The folder.
        threshold: Probability below which the answer is "none of these"; None for the recogniser's own.
        batch_size: Number of recordings that go through the network at once.
        lenient: Of a damaged file, hear what is whole, with an `audionet.audio.AudioWarning`.

    Raises:
        ValueError: There is no such folder, it holds no recordings, or none for which an answer would be right; the
            threshold is no probability.

    Example:
        >>> for label in ("seven", "nine"):
        ...     Path("words", label).mkdir(parents=True)
        ...     audionet.save_audio(f"words/{label}/1.wav", waveform, sample_rate)
        >>> found = evaluate_folder(audionet.load_recognizer("digits"), "words")
        >>> found.accuracy, found.confusions
        (0.5, [('nine', 'seven', 1)])
    """
    folder = Path(folder)
    clips = recordings_in(folder)
    threshold = recognizer.threshold if threshold is None else threshold
    truths = _truths(clips, recognizer.labels, threshold)
    clips = [clip for clip in clips if clip.label in truths]
    results: list[Predictions | AudioError] = []
    with progress("recordings", len(clips)) as advance:
        for result in recognizer.recognize_files(
            [folder / clip.path for clip in clips], threshold=threshold, batch_size=batch_size, lenient=lenient
        ):
            results.append(result)
            advance(1)
    heard = [(clip, result) for clip, result in zip(clips, results, strict=True) if isinstance(result, Predictions)]
    errors = tuple(result for result in results if isinstance(result, AudioError))
    check_that(heard, folder, "a file that can be read", f"{len(errors)} others", str(errors[0]) if errors else "")
    labels = (*recognizer.labels, NONE)
    true = np.array([labels.index(truths[clip.label]) for clip, _ in heard])
    given = np.array([_answer(result, labels, position) for (_, result), position in zip(heard, true, strict=True)])
    probability = np.array([result[0].probability for _, result in heard])
    return Evaluation(
        labels,
        folder,
        tuple(clip.path for clip, _ in heard),
        tuple(clip.label for clip, _ in heard),
        tuple(clip.speaker for clip, _ in heard),
        Answers(np.arange(len(heard)), true, given, probability),
        threshold,
        errors,
    )


def recordings_in(folder: str | os.PathLike[str], known: Sequence[str] | None = None) -> list[Clip]:
    """Return the recordings of a folder that has a folder of them for each label, with what it calls them.

    Args:
        folder: The folder, which is read as a corpus is: with a `card.yaml` as that says, or as it lies.
        known: Labels of a recogniser, one of which must be there; None where any labels will do.

    Raises:
        ValueError: There is no such folder, it holds no recordings, or none of a label that is known.
    """
    clips = layout_of(folder).index(Path(folder)).clips
    found = sorted({clip.label for clip in clips})
    if known is not None and UNKNOWN not in known:
        advice = "call the class folders as the recogniser calls its labels"
        check_that(known_as(found, known), folder, f"folders called {listed(known, 40)}", listed(found, 20), advice)
    return clips


def layout_of(folder: str | os.PathLike[str]) -> FileLayout:
    """Return how recordings lie in a folder: as its `card.yaml` says, or as they do.

    Raises:
        ValueError: There is no such folder, or its card is one of no recordings.
    """
    folder = Path(folder)
    advice = "name a folder with a folder of recordings for each label"
    check_that(folder.is_dir(), folder, "a folder", "a file" if folder.exists() else "nothing there", advice)
    layout = (read_card(folder) if (folder / "card.yaml").is_file() else plain_card(folder)).layout
    check_that(isinstance(layout, FileLayout), folder, "recordings", f"a card of {layout.kind}", advice)
    assert isinstance(layout, FileLayout)
    return layout


def _truths(clips: Sequence[Clip], known: Sequence[str], threshold: float) -> dict[str, str]:
    """Return what counts as right for each label of a folder, and say what becomes of labels that are not known."""
    found = sorted({clip.label for clip in clips})
    truths = known_as(found, known)
    unknown = [label for label in found if label not in truths]
    otherwise = UNKNOWN if UNKNOWN in known else NONE if threshold > 0 else None
    advice = "call the class folders as the recogniser calls its labels"
    check_that(truths or otherwise, "labels", f"folders called {listed(known, 40)}", listed(found, 20), advice)
    if unknown and otherwise:
        none = "" if truths else f" (it knows {listed(known, 40)})"
        note(f"{listed(unknown, 10)}: not known to the recogniser, so {otherwise} is the right answer{none}")
        truths |= dict.fromkeys(unknown, otherwise)
    elif unknown:
        note(
            f"{listed(unknown, 10)}: left out, since the recogniser neither knows them nor has a class {UNKNOWN}; with "
            f"a threshold, such as --threshold 0.5, {NONE} is the right answer for them"
        )
    return truths


def known_as(found: Sequence[str], known: Sequence[str]) -> dict[str, str]:
    """Return the label of a recogniser for each class folder, which may be spelled otherwise, as Lights_On is.

    Args:
        found: Names of class folders.
        known: Labels of the recogniser.

    Returns:
        The label of each folder that has one.

    Example:
        >>> known_as(["Lights_On", "eleven"], ["lights on", "stop"])
        {'Lights_On': 'lights on'}
    """
    alike = {spelled(label): label for label in known} if len({*map(spelled, known)}) == len(known) else {}
    truths = {label: label if label in known else alike.get(spelled(label), "") for label in found}
    return {label: truth for label, truth in truths.items() if truth}


def _answer(result: Predictions, labels: Sequence[str], true: int) -> int:
    """Return the position of the answer; of no word, for a recording of no word, that of the truth where it may be."""
    best = result[0]
    if best.probability >= result.threshold:
        return labels.index(best.label)
    is_none = not is_word(labels[true]) or labels[true] == NONE
    return true if is_none else len(labels) - 1
