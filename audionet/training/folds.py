"""How well a head does on recordings that it was not fitted on, where these are few: cross-validation on embeddings.

Every recording is tested once, by a head that was fitted on the others. A head is fitted within a second, so this takes
little longer than fitting one. The network's body is the same for all: what is measured is the head.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from audionet.checks import check_at_least, check_that
from audionet.metrics import Answers, softmax, wilson_interval
from audionet.randomness import random_generator
from audionet.training.head import PENALTY, Copies, fit_head

OWN_BELOW, OTHER_ABOVE = 0.05, 0.8  # probabilities of a recording that is probably of the wrong word


class Suspect(NamedTuple):
    """A recording that is probably not of the word that its label says.

    Attributes:
        clip: Position of the recording.
        label: Its label, by position.
        heard: The class that it sounds like.
        probability: The probability of that.
    """

    clip: int
    label: int
    heard: int
    probability: float


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """What was answered for recordings by heads that were not fitted on them.

    Attributes:
        fold: (clip,) int64, the part of the recordings that each was tested with; -1 for one that was not tested, such
            as the only one of its class.
        labels: (clip,) int64, the true classes.
        logits: (clip, n_classes) float64; zeros for a recording that was not tested.
    """

    fold: np.ndarray
    labels: np.ndarray
    logits: np.ndarray

    @property
    def probabilities(self) -> np.ndarray:
        """The probabilities, (clip, n_classes) float64."""
        return softmax(self.logits)

    @property
    def answers(self) -> Answers:
        """The answers for the recordings that were tested."""
        (clips,) = np.nonzero(self.fold >= 0)
        return Answers.of_logits(clips, self.labels[clips], self.logits[clips])

    @property
    def accuracies(self) -> list[float]:
        """The accuracy of each part."""
        answers = self.answers
        right, fold = answers.true == answers.given, self.fold[answers.clips]
        return [float(right[fold == part].mean()) for part in np.unique(fold)]

    def __str__(self) -> str:
        answers = self.answers
        n_clips, n_right = len(answers.clips), int((answers.true == answers.given).sum())
        if not n_clips:
            return "no recording could be tested: each is the only one of its word"
        low, high = wilson_interval(n_right, n_clips)
        parts = self.accuracies
        return (
            f"{n_right} of {n_clips} right (95% interval {low:.0%} to {high:.0%}), each by a head fitted on the "
            f"others, in {len(parts)} parts of {min(parts):.0%} to {max(parts):.0%}"
        )

    def suspects(self) -> list[Suspect]:
        """Return the recordings that are probably of another word than their label says, the surest first."""
        probabilities = self.probabilities
        heard, rows = probabilities.argmax(1), np.arange(len(probabilities))
        wrong = (probabilities[rows, self.labels] < OWN_BELOW) & (probabilities.max(1) > OTHER_ABOVE)
        found = [
            Suspect(int(clip), int(self.labels[clip]), int(heard[clip]), float(probabilities[clip].max()))
            for clip in np.flatnonzero(wrong & (self.fold >= 0))
        ]
        return sorted(found, key=lambda suspect: -suspect.probability)


def stratified_folds(labels: np.ndarray, *, groups: np.ndarray | None = None, n_folds: int = 5) -> np.ndarray:
    """Part recordings into folds, each with its share of every class.

    Args:
        labels: (clip,) whole numbers, the class of each recording.
        groups: (clip,) what belongs together and is never parted, such as the speaker; None for each by itself.
        n_folds: Number of folds; of fewer groups, as many as there are.

    Returns:
        (clip,) int64, the fold of each recording. It is -1 where a class would be in one fold only, so that nothing
        would be left to learn it from when that is tested.

    Raises:
        ValueError: There is no recording, or the numbers do not fit.

    Example:
        >>> stratified_folds(np.array([0, 0, 1, 1, 2]), n_folds=2)
        array([ 0,  1,  0,  1, -1])
    """
    check_that(labels.ndim == 1 and len(labels), "labels", "(clip,), at least one", labels.shape)
    check_at_least(2, whole=True, n_folds=n_folds)
    groups = np.arange(len(labels)) if groups is None else groups
    check_that(groups.shape == labels.shape, "groups", f"{labels.shape}, one a clip", groups.shape)
    _, group = np.unique(groups, return_inverse=True)
    n_groups, n_classes = int(group.max()) + 1, int(labels.max()) + 1
    counts = np.zeros((n_groups, n_classes))
    np.add.at(counts, (group, labels), 1)
    shares = counts / counts.sum(0).clip(1)  # of each class, so that small ones are spread as well as large ones
    # The largest groups first, so that the small ones even them out; equal ones in an order that follows from nothing.
    order = np.lexsort((random_generator(0, "order of groups").permutation(n_groups), -counts.sum(1)))
    filled = np.zeros((min(n_folds, n_groups), n_classes))
    of_group = np.zeros(n_groups, np.int64)
    for each in order:
        present = shares[each] > 0
        fullness = np.round([filled[:, present].sum(1), filled.sum(1)], 9)  # then: the fold with the least in all
        of_group[each] = np.lexsort(fullness[::-1])[0]
        filled[of_group[each]] += shares[each]
    folds = of_group[group]
    alone = (filled > 0).sum(0) < 2
    return np.where(alone[labels], -1, folds)


def cross_validate(
    copies: Copies,
    labels: np.ndarray,
    *,
    n_classes: int,
    groups: np.ndarray | None = None,
    tested: np.ndarray | None = None,
    weights: np.ndarray | None = None,
    n_folds: int = 5,
    c: float = PENALTY,
    balanced: bool = True,
) -> CrossValidation:
    """Test every recording by a head that was fitted on the others.

    Args:
        copies: Embeddings of the recordings and of augmented copies; heads are fitted on both and tested on the first.
        labels: (clip,) whole numbers, the class of each recording.
        n_classes: Number of classes.
        groups: (clip,) what belongs together, such as the speaker; None for each by itself.
        tested: (clip,) bool, the recordings to test; heads are fitted on the others all the time. None for all.
        weights: (clip,) how much each counts; None for 1 each.
        n_folds: Number of parts that are tested one after the other.
        c: As in `fit_head`.
        balanced: As in `fit_head`.

    Raises:
        ValueError: The numbers do not fit.

    Example:
        >>> one, other = [[0.1 * i, 1.0] for i in range(5)], [[1.0, 0.1 * i] for i in range(4)]
        >>> copies = Copies(torch.tensor([*one, *other, one[1]]), torch.arange(10))
        >>> found = cross_validate(copies, np.repeat([0, 1], 5), n_classes=2)
        >>> print(found)
        9 of 10 right (95% interval 60% to 98%), each by a head fitted on the others, in 5 parts of 50% to 100%
        >>> [(suspect.clip, suspect.heard) for suspect in found.suspects()]
        [(9, 0)]
    """
    check_that(labels.shape == (copies.n_clips,), "labels", f"({copies.n_clips},), one a clip", labels.shape)
    tested = np.ones(len(labels), bool) if tested is None else tested
    check_that(tested.shape == labels.shape, "tested", f"{labels.shape}, one a clip", tested.shape)
    fits = groups is None or groups.shape == labels.shape
    check_that(fits, "groups", f"{labels.shape}, one a clip", None if groups is None else groups.shape)
    fold = _folds_of(tested, labels, groups, n_folds)
    logits = np.zeros((len(labels), n_classes))
    rows, of_row = copies.clip, torch.from_numpy(labels)[copies.clip]
    counts = copies.weights if weights is None else copies.weights * torch.from_numpy(weights)[rows]
    for part in np.unique(fold[fold >= 0]):
        chosen = np.flatnonzero(fold == part)
        fitted = torch.from_numpy(fold != part)[rows]
        head = fit_head(
            copies.embeddings[fitted],
            of_row[fitted],
            weights=counts[fitted],
            n_classes=n_classes,
            c=c,
            balanced=balanced,
        )
        with torch.inference_mode():
            logits[chosen] = head(copies.embeddings[chosen]).double().numpy()
    return CrossValidation(fold, labels, logits)


def _folds_of(tested: np.ndarray, labels: np.ndarray, groups: np.ndarray | None, n_folds: int) -> np.ndarray:
    """Part the clips that are tested, (clip,); -1 for the others, and for those whose class would be unlearnt."""
    fold, (clips,) = np.full(len(labels), -1), np.nonzero(tested)
    if len(clips):
        own_groups = None if groups is None else groups[clips]
        fold[clips] = stratified_folds(labels[clips], groups=own_groups, n_folds=n_folds)
        fold[tested & (fold < 0) & np.isin(labels, labels[~tested])] = 0  # other clips are there to learn it from
    return fold
