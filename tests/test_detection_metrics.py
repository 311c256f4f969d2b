"""Detection from arrays: peaks, curves, points, thresholds and intervals against brute force and scipy."""

import numpy as np
import pytest
import scipy.stats

from audionet import metrics


def counted(positives, alarms, threshold):
    """Rejects and alarms at a threshold, by comparing each score."""
    return sum(score < threshold for score in positives), sum(score >= threshold for score in alarms)


def drawn(n_positives=40, n_alarms=25, seed=0):
    """Scores in single precision, as networks give them, some of them equal."""
    draw = np.random.default_rng(seed)
    return (draw.random(n).astype(np.float32).round(2) for n in (n_positives, n_alarms))


# ---- peaks ---------------------------------------------------------------------------------------------------------


def peaks_by_force(times, scores, refractory):
    left = [
        i
        for i in range(len(scores))
        if (i == 0 or scores[i] > scores[i - 1]) and (i == len(scores) - 1 or scores[i] >= scores[i + 1])
    ]
    kept = []
    while left:
        top = max(left, key=lambda i: (scores[i], -i))
        kept.append(top)
        left = [i for i in left if i != top and abs(times[i] - times[top]) >= refractory]
    return sorted(kept)


@pytest.mark.parametrize("refractory", [0.0, 0.25, 1.0, 100.0])
def test_peaks_are_those_of_brute_force(refractory):
    draw = np.random.default_rng(1)
    for _ in range(20):
        times = draw.uniform(0.05, 0.2, 60).cumsum()
        scores = draw.random(60).round(1)
        assert metrics.score_peaks(times, scores, refractory).tolist() == peaks_by_force(times, scores, refractory)


def test_a_plateau_is_one_peak_and_an_empty_score_has_none():
    assert metrics.score_peaks(np.arange(5), [0, 1, 1, 1, 0], 0).tolist() == [1]
    assert metrics.score_peaks([], [], 1.0).tolist() == []


# ---- curves and points ---------------------------------------------------------------------------------------------


def test_the_curve_counts_what_each_threshold_does():
    positives, alarms = drawn()
    curve = metrics.detection_curve(positives, alarms, hours=1.5)
    assert curve.threshold[0] == np.inf and (np.diff(curve.threshold) < 0).all()
    assert {*curve.threshold[1:].tolist()} == {*positives.tolist(), *alarms.tolist()}
    for threshold, rejects, per_hour in zip(*curve, strict=True):
        n_rejected, n_alarms = counted(positives, alarms, threshold)
        assert rejects == n_rejected / 40 and per_hour == pytest.approx(n_alarms / 1.5)


@pytest.mark.parametrize("most", [0.5, 1.0, 7.3, 1000.0])
def test_the_area_is_the_mean_of_the_best_rejects_over_the_rates(most):
    positives, alarms = drawn()
    curve = metrics.detection_curve(positives, alarms, hours=1.5)
    rates = (np.arange(40_000) + 0.5) / 40_000 * most
    best = [curve.false_rejects[curve.false_alarms <= rate].min() for rate in rates]
    assert metrics.curve_area(curve, most) == pytest.approx(np.mean(best), abs=1e-3)  # that of 40,000 steps


@pytest.mark.parametrize("rate", [0.1, 0.5, 2.0, 6.0, 1000.0])
def test_a_point_rejects_least_among_those_that_keep_to_the_rate(rate):
    positives, alarms = drawn()
    point = metrics.operating_point(positives, alarms, 1.5, rate)
    assert (point.n_rejected, point.n_alarms) == counted(positives, alarms, point.threshold)
    assert point.false_alarms <= rate
    curve = metrics.detection_curve(positives, alarms, 1.5)
    assert point.false_rejects == curve.false_rejects[curve.false_alarms <= rate].min()


def test_an_alarm_in_ten_hours_is_a_tenth_of_one_an_hour():
    point = metrics.operating_point([0.5], [0.9, 0.8], hours=10.0, rate=0.1)
    assert point.n_alarms == 1 and 0.8 < point.threshold < 0.81
    assert metrics.operating_point([0.5], [0.9, 0.8], 0.3 / 0.1, rate=1 / 3).n_alarms == 1


def test_a_threshold_is_above_its_alarm_in_single_precision_too():
    draw = np.random.default_rng(3)
    for alarm in (1.0, 1 - 1e-9, *draw.random(50)):
        threshold = metrics.operating_point([0.5], [alarm], 1.0, rate=0.5).threshold
        assert threshold > alarm and np.float32(threshold) > np.float32(alarm)


# ---- thresholds of several keywords --------------------------------------------------------------------------------


def test_thresholds_keep_to_what_is_allowed_together():
    draw = np.random.default_rng(4)
    alarms = {word: draw.random(50) ** power for word, power in (("a", 1), ("b", 3), ("c", 0.2))}
    for n_allowed in range(40):
        chosen = metrics.choose_thresholds(alarms, n_allowed)
        raised = [int((alarms[word] >= threshold).sum()) for word, threshold in chosen.items()]
        if n_allowed + 1 >= 6:  # two for each of the three
            assert raised == [(n_allowed + 1) // 3 - 1] * 3
        else:
            assert len({*chosen.values()}) == 1 and sum(raised) == n_allowed


@pytest.mark.parametrize(("n_allowed", "expected"), [(1, 2 * 160 / 161), (20, 4 * 5 * 40 / 41)])
def test_as_many_alarms_come_again_as_are_allowed_and_one(n_allowed, expected):
    """The mean of new hours. A threshold for each of the four words would raise more than four in the first case."""
    draw, heard, scales = np.random.default_rng(5), [], {"a": 1, "b": 2, "c": 3, "d": 1}
    for _ in range(3000):
        before, again = ({word: draw.exponential(scale, 40) for word, scale in scales.items()} for _ in range(2))
        chosen = metrics.choose_thresholds(before, n_allowed)
        heard.append(sum(int((again[word] >= threshold).sum()) for word, threshold in chosen.items()))
    # Of 40 new scores 40 m / 41 are above the m-th highest of 40; within four standard errors of the mean.
    assert np.mean(heard) == pytest.approx(expected, abs=4 * np.std(heard) / np.sqrt(3000))
    assert expected <= n_allowed + 1


def test_a_keyword_without_alarms_has_the_threshold_zero():
    assert metrics.choose_thresholds({"on": []}, 1) == {"on": 0.0}


# ---- intervals and hours -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "of"), [(0, 1), (1, 1), (0, 50), (7, 50), (50, 50), (3, 2738)])
def test_intervals_of_shares_are_those_of_scipy(n, of):
    expected = scipy.stats.binomtest(n, of).proportion_ci(0.95, method="exact")
    assert metrics.exact_interval(n, of) == pytest.approx((expected.low, expected.high), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("n", [0, 1, 2, 17, 400])
def test_intervals_of_rates_are_those_of_chi_square(n):
    low = scipy.stats.chi2.ppf(0.025, 2 * n) / 2 if n else 0.0
    high = scipy.stats.chi2.ppf(0.975, 2 * n + 2) / 2
    assert metrics.poisson_interval(n, 2.5) == pytest.approx((low / 2.5, high / 2.5), rel=1e-9)
    assert scipy.stats.poisson.cdf(n, high) == pytest.approx(0.025, rel=1e-6)


@pytest.mark.parametrize("n", [0, 1, 8])
def test_hours_that_are_needed_bring_the_interval_to_the_rate(n):
    hours = metrics.hours_needed(0.3, n)
    assert metrics.poisson_interval(n, hours)[1] == pytest.approx(0.3)
    assert metrics.poisson_interval(n, hours * 0.99)[1] > 0.3


def test_latency_is_from_the_end_of_the_word():
    ends = np.linspace(1, 20, 101)
    late = np.linspace(-0.1, 0.3, 101)
    found = metrics.latency(ends + late, ends)
    assert found == pytest.approx((0.1, 0.28, 101))


# ---- bad input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.score_peaks([0, 1], [0.5], 1), "times"),
        (lambda: metrics.score_peaks([1, 1], [0.5, 0.6], 1), "times: expected rising"),
        (lambda: metrics.score_peaks([0, 1], [0.5, np.nan], 1), "scores: expected finite"),
        (lambda: metrics.score_peaks([0, 1], [0.5, 0.6], -1), "refractory"),
        (lambda: metrics.detection_curve([], [0.5], 1), "positives: expected at least one"),
        (lambda: metrics.detection_curve([np.nan], [0.5], 1), "positives: expected finite"),
        (lambda: metrics.detection_curve([[0.5]], [0.5], 1), "positives"),
        (lambda: metrics.detection_curve([0.5], [0.5], 0), "hours: expected more than 0"),
        (lambda: metrics.operating_point([0.5], [0.5], 1, 0), "rate: expected more than 0"),
        (lambda: metrics.operating_point([0.5], [0.5], 1, -1), "rate"),
        (lambda: metrics.operating_point([0.5], [0.5], 1, np.nan), "rate"),
        (lambda: metrics.choose_thresholds({}, 1), "alarms: expected those of at least one keyword"),
        (lambda: metrics.choose_thresholds({"a": [0.5]}, -1), "n_allowed"),
        (lambda: metrics.alarms_allowed(np.nan, 1), "rate"),
        (lambda: metrics.alarms_allowed(1, np.inf), "hours"),
        (lambda: metrics.curve_area(metrics.detection_curve([0.5], [], 1), 0), "most"),
        (lambda: metrics.poisson_interval(-1, 1), "n_events"),
        (lambda: metrics.poisson_interval(1, 0), "hours"),
        (lambda: metrics.exact_interval(3, 2), "n_events"),
        (lambda: metrics.exact_interval(0, 0), "n_trials"),
        (lambda: metrics.hours_needed(0), "rate"),
        (lambda: metrics.latency([], []), "fired"),
        (lambda: metrics.latency([1.0], [1.0, 2.0]), "fired"),
    ],
)
def test_bad_input_is_told(call, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        call()
