"""Cross-validation on embeddings: no recording is tested by a head that has seen it, and wrong labels are found."""

import numpy as np
import pytest
import torch

from audionet.training.folds import CrossValidation, cross_validate, stratified_folds
from audionet.training.head import Copies, fit_head


def words(n_classes=6, each=10, spread=0.4, seed=0):
    """Embeddings (clip, 16) around a centre for each class, and their labels."""
    draw = np.random.default_rng(seed)
    labels = np.repeat(np.arange(n_classes), each)
    embeddings = draw.normal(size=(n_classes, 16))[labels] + spread * draw.normal(size=(len(labels), 16))
    return Copies(torch.from_numpy(embeddings).float(), torch.arange(len(labels))), labels


@pytest.mark.parametrize(("each", "n_folds"), [(10, 5), (7, 5), (3, 5), (2, 5), (40, 10)])
def test_every_fold_has_its_share_of_every_class(each, n_folds):
    labels = np.repeat(np.arange(8), each)[np.random.default_rng(0).permutation(8 * each)]
    folds = stratified_folds(labels, n_folds=n_folds)
    counts = np.array([np.bincount(folds[labels == label], minlength=n_folds) for label in range(8)])
    assert counts.max() - counts.min() <= 1 and folds.min() == 0
    assert np.ptp(counts.sum(0)) <= 1  # and all are of one size
    assert np.array_equal(folds, stratified_folds(labels, n_folds=n_folds))


def test_groups_are_never_parted_and_classes_are_spread_over_them():
    draw = np.random.default_rng(0)
    speakers = np.repeat(np.arange(12), 20)
    labels = draw.integers(0, 4, 240)
    folds = stratified_folds(labels, groups=speakers.astype(str), n_folds=4)
    assert all(len(set(folds[speakers == speaker])) == 1 for speaker in range(12))
    assert [len(set(speakers[folds == fold])) for fold in range(4)] == [3] * 4
    assert len(set(stratified_folds(labels, groups=speakers % 2, n_folds=4))) == 2


def test_what_would_leave_a_class_unlearnt_is_not_tested():
    labels = np.array([0] * 5 + [1] * 5 + [2])
    assert stratified_folds(labels)[-1] == -1 and (stratified_folds(labels)[:-1] >= 0).all()
    one_speaker = np.array(["ann"] * 5 + ["bob", "bob", "cid", "cid", "cid"] + ["bob"])
    assert (stratified_folds(labels, groups=one_speaker)[:5] == -1).all()
    alike = np.array([0] * 5 + [1, 2, 3, 4, 5] + [6])  # all recordings of a word are one
    assert (stratified_folds(labels, groups=alike)[:5] == -1).all()


def test_answers_are_those_of_heads_fitted_on_the_others():
    copies, labels = words(spread=1.5)
    found = cross_validate(copies, labels, n_classes=6)
    part = found.fold == 2
    rows = copies.embeddings
    head = fit_head(rows[~part], torch.from_numpy(labels)[~part])
    with torch.inference_mode():
        expected = head(rows[part]).softmax(-1)
    np.testing.assert_allclose(found.probabilities[part], expected, atol=1e-5)
    answers = found.answers
    assert len(answers.clips) == 60 and 0.5 < (answers.true == answers.given).mean() < 1
    assert np.mean(found.accuracies) == pytest.approx((answers.true == answers.given).mean())
    np.testing.assert_array_equal(answers.probability, found.probabilities.max(1))


def test_copies_stay_with_their_recording():
    """Each recording says nothing of its class, and its copies are itself: if they were apart, it would be known."""
    draw = np.random.default_rng(0)
    embeddings = draw.normal(size=(40, 200)).repeat(3, 0).reshape(40, 3, 200).transpose(1, 0, 2).reshape(120, 200)
    labels = draw.integers(0, 2, 40)
    copies = Copies(torch.from_numpy(embeddings).float(), torch.arange(40).repeat(3))
    answers = cross_validate(copies, labels, n_classes=2).answers
    assert (answers.true == answers.given).mean() < 0.75


def test_recordings_of_the_wrong_word_are_found_and_no_others():
    copies, labels = words()
    assert cross_validate(copies, labels, n_classes=6).suspects() == []
    wrong = labels.copy()
    wrong[[3, 17, 44]] = [2, 0, 5]
    found = cross_validate(copies, wrong, n_classes=6).suspects()
    assert {(suspect.clip, suspect.label, suspect.heard) for suspect in found} == {(3, 2, 0), (17, 0, 1), (44, 5, 4)}
    assert [suspect.probability for suspect in found] == sorted((each.probability for each in found), reverse=True)


def test_it_says_how_sure_it_is():
    logits = np.eye(2)[[0, 0, 0, 1, 1, 1, 0, 1, 1, 1]] * 5
    labels = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1])
    found = CrossValidation(np.array([0, 1] * 5), labels, logits)
    assert str(found) == (
        "7 of 10 right (95% interval 40% to 89%), each by a head fitted on the others, in 2 parts of 60% to 80%"
    )
    copies, labels = words(each=1)
    alone = cross_validate(copies, labels, n_classes=6)
    assert "no recording could be tested: each is the only one" in str(alone)
    assert alone.suspects() == [] and len(alone.answers.clips) == 0 and alone.accuracies == []


def test_what_is_not_tested_is_learnt_all_the_time():
    copies, labels = words()
    tested = np.arange(60) % 10 < 5
    found = cross_validate(copies, labels, n_classes=6, tested=tested)
    np.testing.assert_array_equal(found.answers.clips, np.flatnonzero(tested))
    assert (found.fold[~tested] == -1).all() and (found.logits[~tested] == 0).all()
    part = found.fold == found.fold[0]
    head = fit_head(copies.embeddings[~part], torch.from_numpy(labels)[~part])
    with torch.inference_mode():
        np.testing.assert_allclose(found.logits[part], head(copies.embeddings[part]), atol=1e-5)


def test_what_does_not_fit_is_refused():
    copies, labels = words()
    with pytest.raises(ValueError, match=r"labels: expected \(60,\), one a clip, got \(59,\)"):
        cross_validate(copies, labels[:-1], n_classes=6)
    with pytest.raises(ValueError, match=r"groups: expected \(60,\), one a clip, got \(2,\)"):
        cross_validate(copies, labels, n_classes=6, groups=labels[:2])
    with pytest.raises(ValueError, match="n_folds: expected a whole number of at least 2, got 1"):
        cross_validate(copies, labels, n_classes=6, n_folds=1)
    with pytest.raises(ValueError, match=r"labels: expected \(clip,\), at least one"):
        stratified_folds(np.zeros(0, int))
