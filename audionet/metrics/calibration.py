"""Calibration of a recogniser's probabilities, and what a threshold on them accepts and rejects.

One temperature calibrates its probabilities, so that they are as often right as they say (Guo et al., On Calibration of
Modern Neural Networks, 2017). A word is the answer if its probability reaches a threshold, which accepts some of the
clips that hold no word, and rejects some that hold one.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from audionet.checks import check_at_least, check_that
from audionet.metrics.classification import Answers, softmax

TEMPERATURES = (0.05, 20.0)
"""Temperatures that are fitted: the lowest and the highest."""


class Calibration(NamedTuple):
    """What turns the logits of a recogniser into an answer.

    Attributes:
        temperature: What they are divided by before the softmax.
        threshold: Probability from which on a word is the answer.
    """

    temperature: float = 1.0
    threshold: float = 0.0


class Bin(NamedTuple):
    """Answers of about the same probability.

    Attributes:
        low: Probability at which it begins.
        high: Probability at which it ends.
        n_answers: How many there are.
        probability: Mean of their probabilities; 0 if there are none.
        accuracy: Share of them that are right; 0 if there are none.
    """

    low: float
    high: float
    n_answers: int
    probability: float
    accuracy: float


class Rejection(NamedTuple):
    """What thresholds accept and reject.

    Attributes:
        threshold: The thresholds, falling, (threshold,).
        accepted: Share of the clips without a word that are answered with one, (threshold,).
        rejected: Share of the clips with a word that are answered with none, (threshold,).
    """

    threshold: np.ndarray
    accepted: np.ndarray
    rejected: np.ndarray


def calibrate(logits: ArrayLike, label_indices: ArrayLike, words: Sequence[bool]) -> Calibration:
    """Return the temperature that `fit_temperature` gives and, with it, the threshold that `choose_threshold` gives.

    Args:
        logits: (clip, n_classes), of clips that the network has not learned from.
        label_indices: The true class of each clip, (clip,).
        words: Whether each class is a word, (n_classes,).

    Raises:
        ValueError: There is no clip, or the arrays do not fit each other or are not finite.
    """
    scores, true = _checked(logits, label_indices)
    temperature = fit_temperature(scores, true)
    answers = Answers.of_logits(np.arange(len(true)), true, scores, temperature)
    return Calibration(temperature, choose_threshold(answers, words))


def recognition_figures(answers: Answers, words: Sequence[bool], threshold: float) -> dict[str, float]:
    """Return the figures of a test, by their names in a training record.

    Args:
        answers: What a recogniser answered for the test clips.
        words: Whether each class is a word, (n_classes,).
        threshold: Probability from which on a word is the answer.

    Returns:
        ``test_clips``; where there are some, ``accuracy`` and ``calibration_error``; and where some hold a word and
        others none, ``others_accepted`` and ``words_rejected``, the shares of `rates_at`.

    Example:
        >>> answers = Answers(np.arange(2), np.array([0, 1]), np.array([0, 0]), np.array([0.9, 0.6]))
        >>> recognition_figures(answers, [True, False], 0.7)["others_accepted"]
        0.0
    """
    if not len(answers.true):
        return {"test_clips": 0}
    rates = rates_at(answers, words, threshold)
    shares = {} if rates is None else dict(zip(("others_accepted", "words_rejected"), rates, strict=True))
    shares["calibration_error"] = calibration_error(answers)
    shares["accuracy"] = float((answers.true == answers.given).mean())
    return {"test_clips": len(answers.true)} | {name: round(share, 4) for name, share in shares.items()}


def fit_temperature(logits: ArrayLike, label_indices: ArrayLike) -> float:
    """Return the temperature at which the probabilities of logits fit what was said best.

    It minimises the mean cross-entropy of softmax(logits / temperature), which is convex in 1 / temperature. As in
    Platt's scaling (Platt, 1999), the target of each of n clips is (n + 1) / (n + 2) for the true class, so that a
    recogniser without an error on a few clips does not become sure of everything.

    Args:
        logits: (clip, n_classes), of clips that the network has not learned from.
        label_indices: The true class of each clip, (clip,).

    Returns:
        A number within `TEMPERATURES`: above 1 for a network that is too sure, below 1 for one that is not sure enough.

    Raises:
        ValueError: There is no clip, or the arrays do not fit each other or are not finite.

    Example:
        >>> sure = np.array([[6.0, 0.0], [6.0, 0.0], [0.0, 6.0], [0.0, 6.0]])  # 99.8% each
        >>> round(fit_temperature(sure, [0, 1, 1, 1]), 1)  # and three of four are right
        8.7
    """
    scores, true = _checked(logits, label_indices)
    n_clips, n_classes = scores.shape
    smoothed = 1 / (n_clips + 2)
    targets = np.full(scores.shape, smoothed / (n_classes - 1))
    targets[np.arange(n_clips), true] = 1 - smoothed
    wanted = (targets * scores).sum()
    low, high = (float(np.log(1 / temperature)) for temperature in reversed(TEMPERATURES))
    for _ in range(40):  # to a relative precision of 1e-11
        middle = (low + high) / 2
        slope = (softmax(scores * np.exp(middle)) * scores).sum() - wanted  # of the cross-entropy
        low, high = (middle, high) if slope < 0 else (low, middle)
    return float(np.exp(-(low + high) / 2))


def reliability(answers: Answers, *, n_bins: int = 10) -> list[Bin]:
    """Return how often answers are right, by their probability, in bins of equal width.

    Args:
        answers: What a recogniser answered.
        n_bins: Number of bins.

    Raises:
        ValueError: A probability is not within 0 and 1, or there is no bin.

    Example:
        >>> true, given = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0])
        >>> answers = Answers(np.arange(4), true, given, np.array([0.9, 0.9, 1, 0.6]))
        >>> reliability(answers, n_bins=2)[1]
        Bin(low=0.5, high=1.0, n_answers=4, probability=0.85, accuracy=0.75)
    """
    check_at_least(1, n_bins=n_bins, whole=True)
    probability, is_right = np.asarray(answers.probability, np.float64), answers.true == answers.given
    fits = ((probability >= 0) & (probability <= 1 + 1e-6)).all()
    check_that(fits, "answers", "probabilities from 0 to 1", probability.tolist(), "take the softmax of the logits")
    rows = np.minimum((probability * n_bins).astype(int), n_bins - 1)
    counts = np.bincount(rows, minlength=n_bins)
    means, shares = (
        np.bincount(rows, weights=values, minlength=n_bins) / np.maximum(counts, 1)
        for values in (probability, is_right.astype(np.float64))
    )
    return [
        Bin(row / n_bins, (row + 1) / n_bins, int(counts[row]), float(means[row]), float(shares[row]))
        for row in range(n_bins)
    ]


def calibration_error(answers: Answers, *, n_bins: int = 10) -> float:
    """Return the mean distance of probability and share of right answers: the expected calibration error.

    Args:
        answers: What a recogniser answered.
        n_bins: Number of bins of equal width (Guo et al., 2017, equation 3).

    Raises:
        ValueError: There is no answer, a probability is not within 0 and 1, or there is no bin.

    Example:
        >>> answers = Answers(np.arange(4), np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0]), np.full(4, 0.95))
        >>> round(calibration_error(answers), 2)  # 95% was said, and 75% are right
        0.2
    """
    bins = reliability(answers, n_bins=n_bins)
    n_answers = sum(each.n_answers for each in bins)
    check_that(n_answers, "answers", "at least one", n_answers)
    return sum(each.n_answers * abs(each.probability - each.accuracy) for each in bins) / n_answers


def word_scores(answers: Answers, words: Sequence[bool]) -> np.ndarray:
    """Return the score of each answer, (clip,), which a threshold accepts or rejects.

    It is the probability of the answer where that is a word, and -1 where it is not, for no threshold accepts that.

    Args:
        answers: What a recogniser answered.
        words: Whether each class is a word, (n_classes,).
    """
    return np.where(np.asarray(words, bool)[answers.given], answers.probability, -1.0)


def rejection(answers: Answers, words: Sequence[bool]) -> Rejection | None:
    """Return what every threshold accepts and rejects; None without clips with a word or without others.

    Args:
        answers: What a recogniser answered.
        words: Whether each class is a word, (n_classes,).

    Example:
        >>> given, probability = np.array([0, 0, 1, 0]), np.array([0.9, 0.7, 0.9, 0.6])
        >>> curve = rejection(Answers(np.arange(4), np.array([0, 0, 1, 1]), given, probability), [True, False])
        >>> list(zip(curve.threshold.tolist(), curve.accepted.tolist(), curve.rejected.tolist(), strict=True))
        [(1.0, 0.0, 1.0), (0.9, 0.0, 0.5), (0.7, 0.0, 0.0), (0.6, 0.5, 0.0), (0.0, 0.5, 0.0)]
    """
    scores = word_scores(answers, words)
    return _rejection_at(np.unique([*scores[scores >= 0], 0.0, 1.0])[::-1], answers, words)


def rates_at(answers: Answers, words: Sequence[bool], threshold: float) -> tuple[float, float] | None:
    """Return what a threshold does: the shares of other clips that it accepts and of words that it rejects.

    Args:
        answers: What a recogniser answered.
        words: Whether each class is a word, (n_classes,).
        threshold: Probability from which on a word is the answer.

    Returns:
        Both shares; None without clips with a word or without others.
    """
    found = _rejection_at(np.array([threshold]), answers, words)
    return None if found is None else (float(found.accepted[0]), float(found.rejected[0]))


def choose_threshold(
    answers: Answers, words: Sequence[bool], *, most_accepted: float = 0.05, most_rejected: float = 0.05
) -> float:
    """Return the threshold at which few other clips are accepted and few words rejected.

    It lies half-way, in logits, between the lowest threshold that accepts few enough and the highest that rejects few
    enough, so that both shares have room on other people and microphones. Where none does both, it is the one at which
    the larger of the two shares is the smallest.

    Args:
        answers: What a recogniser answered for clips that it has not learned from.
        words: Whether each class is a word, (n_classes,).
        most_accepted: Share of the clips without a word that may be answered with one.
        most_rejected: Share of the clips with a word that may be answered with none.

    Returns:
        The threshold, in steps of 0.001; 0, which accepts all, without clips with a word or without others.

    Raises:
        ValueError: A share is not within 0 and 1.

    Example:
        >>> true, given = np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1])
        >>> answers = Answers(np.arange(4), true, given, np.array([0.99, 0.95, 0.5, 0.9]))
        >>> choose_threshold(answers, [True, False])  # between 0.501, and 0.95, at which no word is rejected
        0.814
    """
    check_at_least(0, 1, most_accepted=most_accepted, most_rejected=most_rejected)
    found = _rejection_at(np.arange(1001) / 1000, answers, words)
    if found is None:
        return 0.0
    fitting = found.threshold[(found.accepted <= most_accepted) & (found.rejected <= most_rejected)]
    if not len(fitting):
        return float(found.threshold[np.maximum(found.accepted, found.rejected).argmin()])
    odds = [np.log(share / (1 - share)) for share in np.clip([fitting[0], fitting[-1]], 0.001, 0.999)]
    return round(float(1 / (1 + np.exp(-np.mean(odds)))), 3)


def _rejection_at(thresholds: np.ndarray, answers: Answers, words: Sequence[bool]) -> Rejection | None:
    """Return what some thresholds accept and reject; None without clips with a word or without others."""
    scores, is_word = word_scores(answers, words), np.asarray(words, bool)[answers.true]
    if is_word.all() or not is_word.any():
        return None
    others, spoken = np.sort(scores[~is_word]), np.sort(scores[is_word])
    # Counts are subtracted and not shares: 1 - 19 / 20 is more than 0.05 in floating point.
    accepted = (len(others) - np.searchsorted(others, thresholds)) / len(others)
    return Rejection(thresholds, accepted, np.searchsorted(spoken, thresholds) / len(spoken))


def _checked(logits: ArrayLike, label_indices: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return logits (clip, n_classes) as float64 and true classes (clip,), or raise a ValueError."""
    scores, true = np.asarray(logits, np.float64), np.asarray(label_indices)
    fits = scores.ndim == 2 and len(scores) and scores.shape[1] >= 2
    check_that(fits, "logits", "(clip, n_classes) of a clip or more and two classes or more", scores.shape)
    check_that(np.isfinite(scores).all(), "logits", "finite numbers", scores.tolist())
    check_that(true.shape == scores.shape[:1], "label_indices", f"({len(scores)},), one a clip", true.shape)
    is_index = true.dtype.kind in "iu" and ((true >= 0) & (true < scores.shape[1])).all()
    check_that(is_index, "label_indices", f"whole numbers from 0 to {scores.shape[1] - 1}", true.tolist())
    return scores, true
