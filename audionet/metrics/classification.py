"""How good a recogniser is, from its answers, and from its confusion matrix: counts of clips, (true, predicted)."""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from audionet.checks import check_at_least, check_that


class Answers(NamedTuple):
    """What a recogniser answered for some clips.

    Attributes:
        clips: (clip,) int64, position of each clip in its store.
        true: (clip,) int64, the true class.
        given: (clip,) int64, the class that was found the most probable.
        probability: (clip,) float, the probability that it was given.
    """

    clips: np.ndarray
    true: np.ndarray
    given: np.ndarray
    probability: np.ndarray

    @classmethod
    def of_logits(cls, clips: np.ndarray, true: np.ndarray, logits: np.ndarray, temperature: float = 1.0) -> "Answers":
        """Return the answers that logits (clip, n_classes) stand for, with the softmax of logits / temperature.

        Example:
            >>> Answers.of_logits(np.array([7]), np.array([1]), np.array([[0.0, 3.0]]), 2.0).probability.round(3)
            array([0.818])
        """
        probabilities = softmax(logits / temperature)
        return cls(clips, true, probabilities.argmax(1), probabilities.max(1))

    def confusion(self, n_classes: int) -> np.ndarray:
        """Return the confusion matrix, (true class, predicted class) int64.

        Example:
            >>> answers = Answers(np.arange(3), np.array([0, 0, 1]), np.array([0, 1, 1]), np.array([0.9, 0.6, 0.8]))
            >>> answers.confusion(2).tolist()
            [[1, 1], [0, 1]]
        """
        pairs = self.true * n_classes + self.given
        return np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)

    def wrong(self) -> "Answers":
        """Return the wrong answers, the most confident first."""
        (rows,) = np.nonzero(self.true != self.given)
        return self.take(rows[np.argsort(-self.probability[rows], kind="stable")])

    def take(self, rows: np.ndarray) -> "Answers":
        """Return the answers in some rows."""
        return Answers(*(column[rows] for column in self))


class ClassScores(NamedTuple):
    """Scores of one class.

    Attributes:
        label: Name of the class.
        precision: Share of the clips recognised as this class that are of it; 0 if there are none.
        recall: Share of the clips of this class that are recognised as it; 0 if there are none.
        f1: Harmonic mean of precision and recall; 0 if both are 0.
        support: Number of clips of this class.
    """

    label: str
    precision: float
    recall: float
    f1: float
    support: int


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return the probabilities that logits (clip, n_classes) stand for, likewise.

    Example:
        >>> softmax(np.log([[0.2, 0.6]]))
        array([[0.25, 0.75]])
    """
    powers = np.exp(logits - logits.max(1, keepdims=True))
    probabilities: np.ndarray = powers / powers.sum(1, keepdims=True)
    return probabilities


def accuracy(confusion: ArrayLike) -> float:
    """Return the share of clips that are recognised as what they are.

    Args:
        confusion: Counts of clips, (true class, predicted class).

    Raises:
        ValueError: It is no confusion matrix, or counts no clip.

    Example:
        >>> accuracy([[3, 1], [0, 4]])
        0.875
    """
    counts = check_confusion(confusion)
    check_that(counts.any(), "confusion", "at least one clip", counts.tolist(), "test on some")
    return float(counts.trace() / counts.sum())


def wilson_interval(n_right: float, n_clips: float, *, confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval in which a share of right answers lies, if the clips are independent of each other.

    It is Wilson's score interval (Wilson, 1927), which also holds for few clips and for shares near 0 and 1.

    Args:
        n_right: Right answers.
        n_clips: Answers.
        confidence: How often such an interval holds the share.

    Returns:
        Lower and upper end.

    Raises:
        ValueError: There is no clip, or a number is out of its range.

    Example:
        >>> low, high = wilson_interval(70, 80)
        >>> f"{low:.1%} to {high:.1%}"
        '78.5% to 93.1%'
    """
    check_at_least(1, n_clips=n_clips)
    check_at_least(0, n_clips, n_right=n_right)
    check_that(0 < confidence < 1, "confidence", "a number between 0 and 1", confidence)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, spread = n_right / n_clips, z * z / n_clips
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / n_clips + spread / n_clips / 4)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def per_class(confusion: ArrayLike, labels: Sequence[str]) -> list[ClassScores]:
    """Return the scores of each class.

    Args:
        confusion: Counts of clips, (true class, predicted class).
        labels: Name of each class, in the order of rows and columns.

    Raises:
        ValueError: It is no confusion matrix, or has another size than the labels.

    Example:
        >>> per_class([[3, 1], [0, 4]], ["yes", "no"])[1]
        ClassScores(label='no', precision=0.8, recall=1.0, f1=0.8888888888888888, support=4)
    """
    counts = check_confusion(confusion, labels)
    right, predicted, true = counts.diagonal(), counts.sum(0), counts.sum(1)
    precision, recall, f1 = ratio(right, predicted), ratio(right, true), ratio(2 * right, predicted + true)
    columns = precision.tolist(), recall.tolist(), f1.tolist(), true.astype(int).tolist()
    return [ClassScores(*scores) for scores in zip(labels, *columns, strict=True)]


def right_by_name(names: Sequence[str], right: np.ndarray) -> dict[str, tuple[int, int]]:
    """Return the right answers and all answers of each name, such as a speaker, the worst first.

    Args:
        names: Name of each answer; those of the name "" are left out.
        right: Whether each answer is right, (answer,) bool.

    Example:
        >>> right_by_name(["kim", "lee", "kim", ""], np.array([True, True, False, False]))
        {'kim': (1, 2), 'lee': (1, 1)}
    """
    counts: dict[str, tuple[int, int]] = {}
    for name, is_right in zip(names, right.tolist(), strict=True):
        n_right, n = counts.get(name, (0, 0))
        counts[name] = n_right + is_right, n + 1
    counts.pop("", None)
    return dict(sorted(counts.items(), key=lambda each: each[1][0] / each[1][1]))


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return part / whole, and 0 where the whole is 0."""
    zeros = np.zeros(np.broadcast_shapes(part.shape, whole.shape))
    return np.asarray(np.divide(part, whole, out=zeros, where=whole > 0))


def check_confusion(confusion: ArrayLike, labels: Sequence[str] | None = None) -> np.ndarray:
    """Return the counts of a confusion matrix as float64.

    Args:
        confusion: Counts of clips, (true class, predicted class).
        labels: Names of the classes, if their number is to be checked.

    Raises:
        ValueError: It is no confusion matrix, or of another number of classes.
    """
    counts = np.asarray(confusion)
    is_square = counts.ndim == 2 and counts.size > 0 and counts.shape[0] == counts.shape[1]
    check_that(is_square, "confusion", "a square matrix, (true class, predicted class)", counts.shape)
    fits = counts.dtype.kind in "iuf" and np.isfinite(counts).all() and (counts >= 0).all()
    check_that(fits, "confusion", "finite counts from 0 on", counts.tolist())
    if labels is not None:
        check_that(len(labels) == len(counts), "labels", f"{len(counts)}, one a class", len(labels))
    return counts.astype(np.float64)
