"""How right answers are: pure counts, from arrays to numbers."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from audionet.labels import is_word


class Count(NamedTuple):
    """A share: so many of so many."""

    right: int
    of: int

    @property
    def share(self) -> float:
        """The share itself."""
        return self.right / self.of


def count(right: np.ndarray | Sequence[bool]) -> Count:
    """Count what is true in (clip,) bool."""
    return Count(int(np.sum(right)), len(right))


def of_all(probabilities: np.ndarray, labels: Sequence[str], true: Sequence[str]) -> Count:
    """Count the clips whose most probable label is the true one.

    Args:
        probabilities: (clip, label).
        labels: Name of each column.
        true: The true label of each clip.
    """
    return count(np.asarray(labels)[probabilities.argmax(-1)] == np.asarray(true))


def of_words(probabilities: np.ndarray, labels: Sequence[str], true: Sequence[str]) -> Count:
    """Count the clips of words whose most probable word is the true one: "unknown" and "silence" cannot be answered.

    Example:
        >>> of_words(np.array([[0.2, 0.1, 0.7], [0.1, 0.8, 0.1]]), ["yes", "no", "_unknown_"], ["yes", "_unknown_"])
        Count(right=1, of=1)
    """
    columns = [column for column, label in enumerate(labels) if is_word(label)]
    rows = [row for row, label in enumerate(true) if is_word(label)]
    return of_all(
        probabilities[rows][:, columns], np.asarray(labels)[columns].tolist(), np.asarray(true)[rows].tolist()
    )


def answered(probabilities: np.ndarray, labels: Sequence[str], threshold: float) -> list[str | None]:
    """Return the answer of a recogniser to each clip: a word that is as probable as asked, or None.

    Example:
        >>> answered(np.array([[0.9, 0.1], [0.6, 0.4], [0.1, 0.9]]), ["yes", "_unknown_"], 0.8)
        ['yes', None, None]
    """
    best = probabilities.argmax(-1)
    sure = probabilities.max(-1) >= threshold
    return [labels[at] if is_word(labels[at]) and fits else None for at, fits in zip(best, sure, strict=True)]


def window_starts(n_samples: int, length: int, hop: int) -> list[int]:
    """Return where the windows of a recording begin: one every ``hop`` samples, and one that ends where it ends.

    A recording that is no longer than a window has one, which is padded.

    Example:
        >>> window_starts(25, 10, 5), window_starts(27, 10, 5), window_starts(8, 10, 5)
        ([0, 5, 10, 15], [0, 5, 10, 15, 17], [0])
    """
    last = max(n_samples - length, 0)
    starts = list(range(0, last + 1, hop))
    return starts if starts[-1] == last else [*starts, last]


def calibration_error(probability: np.ndarray, right: np.ndarray, n_bins: int = 15) -> float:
    """Return the expected calibration error (Naeini, 2015): how far probabilities are from the shares that are right.

    Args:
        probability: (clip,) probability of each answer.
        right: (clip,) bool, whether it was right.
        n_bins: Bins of equal width between 0 and 1.

    Example:
        >>> round(calibration_error(np.array([0.9, 0.9, 0.9, 0.9]), np.array([True, True, True, False])), 3)
        0.15
    """
    bins = np.clip((probability * n_bins).astype(int), 0, n_bins - 1)
    gaps = [abs(float(np.sum(probability[bins == each] - right[bins == each]))) for each in range(n_bins)]
    return sum(gaps) / len(probability)
