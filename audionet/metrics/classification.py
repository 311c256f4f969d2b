"""How good a recogniser is, from its confusion matrix: counts of clips, (true class, predicted class)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from audionet.checks import check_that


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
