"""How good a recogniser is, from its confusion matrix: counts of clips, (true label, predicted label)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class ClassScores(NamedTuple):
    """How well one label is recognised.

    Attributes:
        label: Its name.
        precision: Of the clips given this label, the share that truly have it; 0 if none was given it.
        recall: Of the clips that truly have this label, the share given it; 0 if there are none.
        f1: Harmonic mean of precision and recall; 0 if both are 0.
        support: Number of clips that truly have it.
    """

    label: str
    precision: float
    recall: float
    f1: float
    support: int


def accuracy(confusion: ArrayLike) -> float:
    """Return the share of clips given their true label.

    Args:
        confusion: (true, predicted), counts.

    Raises:
        ValueError: It is no confusion matrix, or counts no clip.

    Example:
        >>> accuracy([[3, 1], [0, 4]])
        0.875
    """
    counts = check_confusion(confusion)
    if not counts.any():
        raise ValueError("the confusion matrix counts no clip: test on at least one")
    return float(counts.trace() / counts.sum())


def per_class(confusion: ArrayLike, labels: Sequence[str]) -> list[ClassScores]:
    """Return the scores of each label, in the order of ``labels``.

    Args:
        confusion: (true, predicted), counts.
        labels: Name of each row and column.

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
    """Divide, with 0 where there is nothing to divide by."""
    return np.divide(part, whole, out=np.zeros(np.broadcast_shapes(part.shape, whole.shape)), where=whole > 0)


def check_confusion(confusion: ArrayLike, labels: Sequence[str] | None = None) -> np.ndarray:
    """Return the counts as float64, or raise a ValueError unless they are a confusion matrix (of these labels)."""
    counts = np.asarray(confusion)
    if counts.ndim != 2 or counts.size == 0 or counts.shape[0] != counts.shape[1]:
        raise ValueError(f"a confusion matrix is square, (true, predicted); this one has shape {counts.shape}")
    if counts.dtype.kind not in "iuf" or not (np.isfinite(counts).all() and (counts >= 0).all()):
        raise ValueError("a confusion matrix holds counts of clips: 0 and above, without NaN or Inf")
    if labels is not None and len(labels) != len(counts):
        raise ValueError(f"{len(labels)} labels for a confusion matrix of {len(counts)} classes: name each class once")
    return counts.astype(np.float64)
