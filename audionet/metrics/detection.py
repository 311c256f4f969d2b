"""How well keywords are detected: false rejects against false alarms per hour, and how sure that is.

A positive is a recording of a keyword; its score is the highest that the keyword reached in it. An alarm is a peak of a
keyword's score where the keyword is not said. A threshold rejects the positives below it, and raises the alarms that
reach it. Over all thresholds that is the DET curve (Martin et al., The DET curve in assessment of detection task
performance, 1997), with alarms per hour, since a stream has no number of trials.
"""

from bisect import bisect_left, insort
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from audionet.checks import check_at_least, check_positive, check_that
from audionet.metrics.intervals import exact_interval, poisson_interval


class DetectionCurve(NamedTuple):
    """What thresholds reject and raise.

    Attributes:
        threshold: Thresholds, falling from infinity, (threshold,).
        false_rejects: Share of the positives that are below each, (threshold,).
        false_alarms: Alarms per hour that reach each, (threshold,).
    """

    threshold: np.ndarray
    false_rejects: np.ndarray
    false_alarms: np.ndarray


class OperatingPoint(NamedTuple):
    """What one threshold rejects and raises, in counts.

    Attributes:
        threshold: The threshold.
        n_rejected: Positives that are below it.
        n_positives: Positives.
        n_alarms: Alarms that reach it.
        hours: Hours of the audio that the alarms are of.
    """

    threshold: float
    n_rejected: int
    n_positives: int
    n_alarms: int
    hours: float

    @property
    def false_rejects(self) -> float:
        """Share of the positives that are rejected."""
        return self.n_rejected / self.n_positives

    @property
    def false_alarms(self) -> float:
        """Alarms per hour."""
        return self.n_alarms / self.hours

    @property
    def rejects_interval(self) -> tuple[float, float]:
        """The 95% interval of the share of rejects."""
        return exact_interval(self.n_rejected, self.n_positives)

    @property
    def alarms_interval(self) -> tuple[float, float]:
        """The 95% interval of the alarms per hour."""
        return poisson_interval(self.n_alarms, self.hours)


class Latency(NamedTuple):
    """How long after the ends of words they are detected.

    Attributes:
        median: Median, in seconds.
        p95: Seconds that 95% of the words do not exceed.
        n_words: How many words that is of.
    """

    median: float
    p95: float
    n_words: int


def score_peaks(times: ArrayLike, scores: ArrayLike, refractory: float) -> np.ndarray:
    """Find the peaks of a score that count as events of their own.

    A peak is a score above the one before it and not below the one after it. The highest counts first; one that is less
    than the refractory time away from a higher one counts with that.

    Args:
        times: Seconds of each score, rising, (time,).
        scores: The scores, (time,).
        refractory: Refractory time in seconds, from 0 on.

    Returns:
        Positions of the peaks, in the order of time, (peak,) int64.

    Raises:
        ValueError: The arrays do not fit each other or are not finite, or the refractory time is below 0.

    Example:
        >>> score_peaks([0.0, 0.1, 0.2, 0.3, 0.4], [0.1, 0.9, 0.2, 0.6, 0.1], refractory=0.15).tolist()
        [1, 3]
        >>> score_peaks([0.0, 0.1, 0.2, 0.3, 0.4], [0.1, 0.9, 0.2, 0.6, 0.1], refractory=0.5).tolist()
        [1]
    """
    seconds, values = _finite("times", times), _finite("scores", scores)
    check_that(len(seconds) == len(values), "times", f"({len(values)},), one a score", seconds.shape)
    check_that((np.diff(seconds) > 0).all(), "times", "rising ones", seconds.tolist()[:5])
    check_at_least(0, refractory=refractory)
    before, after = np.append(-np.inf, values[:-1]), np.append(values[1:], -np.inf)
    (tops,) = np.nonzero((values > before) & (values >= after))
    kept: list[int] = []  # positions, rising
    for top in tops[np.argsort(-values[tops], kind="stable")].tolist():
        place = bisect_left(kept, top)
        beside = kept[max(place - 1, 0) : place + 1]
        if all(abs(seconds[top] - seconds[other]) >= refractory for other in beside):
            insort(kept, top)
    return np.array(kept, np.int64)


def detection_curve(positives: ArrayLike, alarms: ArrayLike, hours: float) -> DetectionCurve:
    """Return the DET curve: the shares of rejects and the alarms per hour at every threshold that makes a difference.

    Args:
        positives: Score of each positive, (positive,).
        alarms: Score of each alarm, (alarm,); there may be none.
        hours: Hours of the audio that the alarms are of.

    Raises:
        ValueError: There is no positive, or a number is not finite or out of its range.

    Example:
        >>> curve = detection_curve([0.9, 0.8, 0.4, 0.95], [0.5, 0.7], hours=2.0)
        >>> curve.false_rejects[curve.threshold == 0.7], curve.false_alarms[curve.threshold == 0.7]
        (array([0.25]), array([0.5]))
    """
    said, false = _positives(positives), np.sort(_finite("alarms", alarms))
    check_positive(hours=hours)
    thresholds = np.append(np.inf, np.unique(np.append(said, false))[::-1])
    rejected = np.searchsorted(said, thresholds) / len(said)
    raised = len(false) - np.searchsorted(false, thresholds)
    return DetectionCurve(thresholds, rejected, raised / hours)


def curve_area(curve: DetectionCurve, most: float = 1.0) -> float:
    """Return the area under a DET curve as a share: the mean of the false rejects from no alarm to ``most`` per hour.

    At each rate the threshold counts that rejects least among those that keep to it.

    Args:
        curve: The curve, as `detection_curve` returns it.
        most: Alarms per hour at which it ends.

    Raises:
        ValueError: It ends at no positive number.

    Example:
        >>> curve_area(detection_curve([0.9, 0.8, 0.4, 0.95], [0.5, 0.7], hours=2.0))  # 1/4 up to 0.5, then 1/4
        0.25
    """
    check_positive(most=most)
    steps = np.append(np.minimum(curve.false_alarms, most), most)  # rising, as the false rejects fall
    return float((np.diff(steps) * curve.false_rejects).sum() / most)


def operating_point(positives: ArrayLike, alarms: ArrayLike, hours: float, rate: float) -> OperatingPoint:
    """Return what the threshold does that rejects least among those that keep the alarms to a rate.

    Args:
        positives: Score of each positive, (positive,).
        alarms: Score of each alarm, (alarm,); there may be none.
        hours: Hours of the audio that the alarms are of.
        rate: Alarms per hour that are allowed.

    Returns:
        The counts at that threshold, which is just above the highest alarm that is not allowed.

    Raises:
        ValueError: There is no positive, or a number is not finite or out of its range.

    Example:
        >>> point = operating_point([0.9, 0.8, 0.4, 0.95], [0.5, 0.7], hours=2.0, rate=0.1)
        >>> point.n_rejected, point.n_alarms, [round(end, 2) for end in point.alarms_interval]
        (1, 0, [0.0, 1.84])
    """
    said, false = _positives(positives), np.sort(_finite("alarms", alarms))
    threshold = _just_above(false, alarms_allowed(rate, hours))
    n_rejected, below = (int(np.searchsorted(of, threshold)) for of in (said, false))
    return OperatingPoint(threshold, n_rejected, len(said), len(false) - below, hours)


def alarms_allowed(rate: float, hours: float) -> int:
    """Return how many alarms a rate allows in some hours: 0.1 an hour is one in ten hours, whatever the rounding.

    Raises:
        ValueError: A number is not above 0.

    Example:
        >>> alarms_allowed(0.5, hours=3.9), alarms_allowed(0.1, hours=10.0)
        (1, 1)
    """
    check_positive(rate=rate, hours=hours)
    return int(rate * hours * (1 + 1e-9))


def choose_thresholds(alarms: Mapping[str, ArrayLike], n_allowed: int) -> dict[str, float]:
    """Return thresholds of some keywords that no more alarms reach than are allowed to all of them together.

    A threshold just above the highest of some alarms is expected to raise one in as many hours again; one for each of
    ten keywords raises ten. So each keyword has a threshold of its own only where the alarms that are allowed, and one
    more, give every keyword two: then each gets an equal share. Otherwise one threshold is for all.

    Args:
        alarms: Scores of the alarms of each keyword, (alarm,).
        n_allowed: Alarms that are allowed.

    Returns:
        Threshold of each keyword, just above the highest alarm that is not allowed; 0 where there is no such alarm.
        Where that alarm has the probability 1, no probability reaches the threshold.

    Raises:
        ValueError: There is no keyword, or a number is not finite or out of its range.

    Example:
        >>> alarms = {"on": [0.7, 0.4, 0.3], "off": [0.2, 0.1]}
        >>> for n_allowed in (1, 3):
        ...     chosen = choose_thresholds(alarms, n_allowed)
        ...     print({word: round(threshold, 3) for word, threshold in chosen.items()})
        {'on': 0.4, 'off': 0.4}
        {'on': 0.4, 'off': 0.1}
    """
    check_that(alarms, "alarms", "those of at least one keyword", dict(alarms))
    check_at_least(0, whole=True, n_allowed=n_allowed)
    scores = {keyword: np.sort(_finite("alarms", of)) for keyword, of in alarms.items()}
    share = (n_allowed + 1) // len(scores)
    if share < 2:
        return dict.fromkeys(scores, _just_above(np.sort(np.concatenate([*scores.values()])), n_allowed))
    return {keyword: _just_above(of, share - 1) for keyword, of in scores.items()}


def latency(fired: ArrayLike, ends: ArrayLike) -> Latency:
    """Return how long after the ends of words they were detected; below 0 is before.

    Args:
        fired: Seconds at which each word was detected, (word,).
        ends: Seconds at which it ends, (word,).

    Raises:
        ValueError: There is no word, or the arrays do not fit each other or are not finite.

    Example:
        >>> median, p95, n_words = latency([1.25, 3.5, 7.0], [1.0, 3.0, 6.75])
        >>> median, n_words
        (0.25, 3)
    """
    heard, said = _finite("fired", fired), _finite("ends", ends)
    fits = len(heard) == len(said) > 0
    check_that(fits, "fired", "one a word, and at least one", (heard.shape, said.shape))
    late = heard - said
    return Latency(float(np.median(late)), float(np.quantile(late, 0.95)), len(late))


def _just_above(rising: np.ndarray, allowed: int) -> float:
    """Return a threshold that at most so many of some scores reach; 0 if no more are there.

    It is the next number in single precision, so that it is above the score in that precision, too.
    """
    return float(np.nextafter(np.float32(rising[-1 - allowed]), np.float32(np.inf))) if len(rising) > allowed else 0.0


def _positives(positives: ArrayLike) -> np.ndarray:
    said = np.sort(_finite("positives", positives))
    check_that(len(said), "positives", "at least one score", said.tolist())
    return said


def _finite(name: str, values: ArrayLike) -> np.ndarray:
    array = np.asarray(values, np.float64)
    check_that(array.ndim == 1 and np.isfinite(array).all(), name, "finite numbers, (n,)", array.tolist()[:5])
    return array
