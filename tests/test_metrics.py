"""Scores from a confusion matrix: torchmetrics' and, at the edges, those counted by hand."""

import doctest

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_confusion_matrix,
    multiclass_f1_score,
    multiclass_precision,
    multiclass_recall,
)

from audionet import metrics
from audionet.metrics import ClassScores, accuracy, per_class


@pytest.mark.parametrize("n_classes", [2, 12])
def test_scores_are_those_of_torchmetrics(n_classes):
    generator = torch.Generator().manual_seed(n_classes)
    true = torch.randint(n_classes - 1, (200,), generator=generator)  # the last class is never present
    guess = torch.randint(1, n_classes, (200,), generator=generator)  # the first is never predicted
    predicted = torch.where(torch.rand(200, generator=generator) < 0.5, true.clamp(min=1), guess)
    confusion = multiclass_confusion_matrix(predicted, true, n_classes)

    scores = per_class(confusion, [f"class {index}" for index in range(n_classes)])

    options = {"num_classes": n_classes, "average": "none", "zero_division": 0}
    for name, reference in (
        ("precision", multiclass_precision),
        ("recall", multiclass_recall),
        ("f1", multiclass_f1_score),
    ):
        ours = [getattr(score, name) for score in scores]
        assert ours == pytest.approx(reference(predicted, true, **options).tolist(), abs=1e-6), name
    assert [score.support for score in scores] == torch.bincount(true, minlength=n_classes).tolist()
    assert accuracy(confusion) == pytest.approx(
        multiclass_accuracy(predicted, true, n_classes, average="micro").item(), abs=1e-6
    )


def test_labels_never_predicted_or_never_present():
    confusion = [
        [3, 0, 1, 0],
        [2, 0, 0, 0],  # never predicted
        [0, 0, 0, 0],  # never present
        [0, 0, 0, 0],  # neither
    ]
    assert per_class(confusion, ["a", "b", "c", "d"]) == [
        ClassScores("a", precision=3 / 5, recall=3 / 4, f1=2 / 3, support=4),
        ClassScores("b", precision=0, recall=0, f1=0, support=2),
        ClassScores("c", precision=0, recall=0, f1=0, support=0),
        ClassScores("d", precision=0, recall=0, f1=0, support=0),
    ]
    assert accuracy(confusion) == 3 / 6


def test_narrow_integers_do_not_overflow():
    confusion = np.array([[200, 100], [0, 200]], np.uint8)
    assert accuracy(confusion) == 0.8
    assert per_class(confusion, ["a", "b"])[0] == ClassScores("a", 1.0, 2 / 3, 0.8, 300)


@pytest.mark.parametrize(
    ("confusion", "words"),
    [
        ([[1, 2, 3], [4, 5, 6]], r"square.*shape \(2, 3\)"),
        ([1, 2], r"square.*shape \(2,\)"),
        (np.zeros((0, 0)), r"square.*shape \(0, 0\)"),
        ([[1, -1], [0, 1]], "0 and above"),
        ([[1, float("nan")], [0, 1]], "without NaN"),
        ([["a", "b"], ["c", "d"]], "counts of clips"),
        ([[0, 0], [0, 0]], "counts no clip"),
    ],
)
def test_what_is_no_confusion_matrix_is_refused(confusion, words):
    with pytest.raises(ValueError, match=words):
        accuracy(confusion)


def test_labels_must_be_as_many_as_classes():
    with pytest.raises(ValueError, match="3 labels for a confusion matrix of 2 classes"):
        per_class([[1, 0], [0, 1]], ["a", "b", "c"])


def test_examples():
    results = doctest.testmod(metrics.classification)
    assert results.failed == 0 and results.attempted >= 2
