"""Calibration and rejection: known temperatures are found again, and thresholds do what they say."""

import numpy as np
import pytest
import scipy.optimize
from scipy.special import log_softmax, softmax

from audionet.metrics import (
    TEMPERATURES,
    Answers,
    Bin,
    calibration_error,
    choose_threshold,
    fit_temperature,
    rates_at,
    rejection,
    reliability,
    word_scores,
)

WORDS = [True, True, True, False]  # the last is `_unknown_`


def drawn(n_clips=4000, n_classes=4, temperature=1.0, seed=0):
    """Logits, and labels that are drawn from their softmax at a temperature: those of a calibrated recogniser at it."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 3, (n_clips, n_classes))
    levels = softmax(logits / temperature, 1).cumsum(1)
    return logits, (generator.random((n_clips, 1)) > levels).sum(1).clip(max=n_classes - 1)


def answers_of(logits, true, temperature=1.0):
    probabilities = softmax(np.asarray(logits) / temperature, 1)
    return Answers(np.arange(len(true)), np.asarray(true), probabilities.argmax(1), probabilities.max(1))


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_of_a_calibrated_recogniser_is_found(temperature):
    logits, true = drawn(50_000, temperature=temperature)
    assert fit_temperature(logits, true) == pytest.approx(temperature, rel=0.05)
    assert fit_temperature(4 * logits + 2, true) == pytest.approx(4 * fit_temperature(logits, true), rel=1e-6)
    assert calibration_error(answers_of(logits, true, temperature)) < 0.02


def test_the_temperature_minimises_the_smoothed_cross_entropy():
    logits, true = drawn(50, 3, temperature=2.0)
    targets = np.full((50, 3), 1 / 52 / 2)
    targets[np.arange(50), true] = 51 / 52
    loss = lambda t: -(targets * log_softmax(logits / t, 1)).sum()  # noqa: E731
    expected = scipy.optimize.minimize_scalar(loss, bounds=TEMPERATURES, method="bounded", options={"xatol": 1e-9}).x
    assert fit_temperature(logits, true) == pytest.approx(expected, rel=1e-4)


def test_calibrating_helps_a_recogniser_that_is_too_sure():
    logits, true = drawn(temperature=1.0)
    sure = 5 * logits
    before, after = (calibration_error(answers_of(sure, true, t)) for t in (1.0, fit_temperature(sure, true)))
    assert before > 0.1 and after < 0.02


def test_a_few_clips_without_an_error_make_nobody_sure():
    logits = np.array([[9.0, 0, 0], [0, 9, 0], [0, 0, 9]])
    temperature = fit_temperature(logits, [0, 1, 2])
    assert softmax(logits / temperature, 1).max(1) == pytest.approx(4 / 5)
    assert fit_temperature(np.tile(logits, (400, 1)), [0, 1, 2] * 400) < temperature


def test_temperatures_stay_within_bounds():
    logits, true = drawn(2000)
    assert fit_temperature(1e6 * logits, true) == pytest.approx(TEMPERATURES[1])
    assert fit_temperature(1e-6 * logits, true) == pytest.approx(TEMPERATURES[0])
    assert np.isfinite(fit_temperature(np.zeros((5, 3)), [0] * 5))


@pytest.mark.parametrize(
    ("logits", "true", "message"),
    [
        (np.zeros((0, 3)), np.zeros(0, int), r"logits: expected \(clip, n_classes\) of a clip or more"),
        (np.zeros((4, 1)), np.zeros(4, int), r"two classes or more, got \(4, 1\)"),
        (np.full((4, 2), np.nan), np.zeros(4, int), "logits: expected finite numbers"),
        (np.zeros((4, 2)), np.zeros(3, int), r"label_indices: expected \(4,\), one a clip, got \(3,\)"),
        (np.zeros((4, 2)), np.full(4, 2), "label_indices: expected whole numbers from 0 to 1"),
        (np.zeros((4, 2)), np.zeros(4), "label_indices: expected whole numbers from 0 to 1"),
    ],
)
def test_what_no_temperature_fits(logits, true, message):
    with pytest.raises(ValueError, match=message):
        fit_temperature(logits, true)


def test_bins_by_hand():
    probability, is_right = np.array([0.05, 0.15, 0.2, 0.95, 1.0, 1.0]), np.array([0, 1, 0, 1, 1, 0])
    answers = Answers(np.arange(6), is_right, np.ones(6, int), probability)
    bins = reliability(answers)
    assert [each.n_answers for each in bins] == [1, 1, 1, 0, 0, 0, 0, 0, 0, 3]
    assert bins[4] == Bin(0.4, 0.5, 0, 0.0, 0.0)
    assert bins[9] == pytest.approx((0.9, 1.0, 3, 2.95 / 3, 2 / 3))
    by_hand = (0.05 + 0.85 + 0.2 + 3 * (2.95 / 3 - 2 / 3)) / 6
    assert calibration_error(answers) == pytest.approx(by_hand)
    whole = abs(probability.mean() - is_right.mean())
    assert calibration_error(answers, n_bins=1) == pytest.approx(whole)
    with pytest.raises(ValueError, match="answers: expected at least one, got 0"):
        calibration_error(answers.take(np.zeros(0, int)))
    with pytest.raises(ValueError, match="answers: expected probabilities from 0 to 1"):
        reliability(answers._replace(probability=probability * 2))
    with pytest.raises(ValueError, match="n_bins: expected a whole number of at least 1"):
        reliability(answers, n_bins=0)


def test_only_words_are_ever_accepted():
    answers = answers_of(10 * np.eye(4), [0, 1, 2, 3])
    assert word_scores(answers, WORDS)[:3] == pytest.approx(answers.probability[:3])
    assert word_scores(answers, WORDS)[3] < 0
    assert rates_at(answers, WORDS, 0.0) == (0.0, 0.0)
    taken_for_unknown = answers._replace(given=np.full(4, 3))
    assert rates_at(taken_for_unknown, WORDS, 0.0) == (0.0, 1.0)


def test_the_curve_is_what_each_threshold_does():
    logits, true = drawn(300)
    answers = answers_of(logits, true)
    curve = rejection(answers, WORDS)
    assert curve is not None and (curve.threshold[0], curve.threshold[-1]) == (1.0, 0.0)
    assert (np.diff(curve.accepted) >= 0).all() and (np.diff(curve.rejected) <= 0).all()
    for row in range(0, len(curve.threshold), 25):
        threshold = curve.threshold[row]
        answered = np.array(WORDS)[answers.given] & (answers.probability >= threshold)
        is_word = np.array(WORDS)[answers.true]
        expected = answered[~is_word].mean(), (~answered)[is_word].mean()
        assert (curve.accepted[row], curve.rejected[row]) == pytest.approx(expected)
        assert rates_at(answers, WORDS, threshold) == (curve.accepted[row], curve.rejected[row])


def test_without_both_kinds_of_clips_nothing_is_said():
    answers = answers_of(*drawn(50))
    for words in ([True] * 4, [False] * 4):
        assert rejection(answers, words) is None and rates_at(answers, words, 0.5) is None
        assert choose_threshold(answers, words) == 0.0


def test_the_chosen_threshold_accepts_few_and_rejects_few():
    generator = np.random.default_rng(0)
    true = np.repeat([0, 3], 1000)
    probability = np.concatenate([generator.beta(12, 1, 1000), generator.beta(2, 4, 1000)])  # words and others
    answers = Answers(np.arange(2000), true, np.zeros(2000, int), probability)
    threshold = choose_threshold(answers, WORDS)
    rates = rates_at(answers, WORDS, threshold)
    assert rates is not None and max(rates) < 0.05
    lowest, highest = np.quantile(probability[1000:], 0.95), np.quantile(probability[:1000], 0.05)
    assert lowest + 0.01 < threshold < highest - 0.01
    assert choose_threshold(answers, WORDS, most_accepted=0.03) > threshold


def test_where_no_threshold_does_both_the_shares_are_balanced():
    logits, true = drawn(1000)
    answers = answers_of(logits, true)
    threshold = choose_threshold(answers, WORDS)
    rates = rates_at(answers, WORDS, threshold)
    assert rates is not None and (larger := max(rates)) > 0.05
    all_shares = [rates_at(answers, WORDS, other / 1000) for other in range(1001)]
    assert larger == pytest.approx(min(max(shares) for shares in all_shares if shares))
    never_right = answers._replace(given=np.full(1000, 3))
    assert choose_threshold(never_right, WORDS) == 0.0  # all are as bad
    with pytest.raises(ValueError, match="most_accepted: expected a number from 0 to 1"):
        choose_threshold(answers, WORDS, most_accepted=5)


def test_a_share_of_just_five_percent_is_few_enough():
    # 1 of 20 other clips is accepted up to 0.9, and no word is rejected up to there: 1 - 19 / 20 would be above 0.05.
    probability = np.array([*[0.95] * 20, 0.9, *[0.3] * 19])
    answers = Answers(np.arange(40), np.repeat([0, 3], 20), np.zeros(40, int), probability)
    assert rates_at(answers, WORDS, 0.9) == (0.05, 0.0)
    lowest, highest = 0.301, 0.95
    odds = np.sqrt(lowest / (1 - lowest) * highest / (1 - highest))
    assert choose_threshold(answers, WORDS) == pytest.approx(odds / (1 + odds), abs=6e-4)
