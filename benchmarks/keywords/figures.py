"""False rejects, false alarms and lateness of one keyword, from what a system has made of the recordings."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from audionet.evaluate import HeardWords, Positive, Tracks
from audionet.metrics import DetectionCurve, Latency, OperatingPoint, detection_curve, latency, operating_point
from benchmarks.keywords.sounds import Sound

RATES = (0.5, 0.1)
"""False alarms per hour at which rejects are compared."""


class Figures(NamedTuple):
    """What a system does with one keyword under one condition.

    Attributes:
        curve: False rejects over false alarms per hour.
        points: The counts at each of `RATES`.
        own: Those at the threshold of its makers; None where they make none.
        alarms: False alarms at the first of `RATES`, by the set of the recordings.
        late: How long after the word's end it is reported, there; None where that is never.
    """

    curve: DetectionCurve
    points: tuple[OperatingPoint, ...]
    own: OperatingPoint | None
    alarms: dict[str, int]
    late: Latency | None


def figures(keyword: str, sounds: Sequence[Sound], tracks: Tracks) -> Figures:
    """Count one keyword. All recordings that do not hold it are negatives, those of the other keywords among them.

    Args:
        keyword: The word.
        sounds: The recordings.
        tracks: What the system has made of each.
    """
    only = _column(tracks, keyword)
    said = [row for row, sound in enumerate(sounds) if sound.keyword == keyword]
    others = [row for row, sound in enumerate(sounds) if sound.keyword != keyword]
    positives = tuple(Positive(sounds[row].path, keyword, end=sounds[row].end) for row in said)
    words, negatives = HeardWords(positives, _some(only, said)), _some(only, others)
    scores, peaks = words.scores, negatives.alarms[keyword]
    alarms = [alarm.score for alarm in peaks]
    points = tuple(operating_point(scores, alarms, negatives.hours, rate) for rate in RATES)
    (level,) = only.settings.thresholds
    own = None
    if level < 1:
        n_alarms = len(negatives.events({keyword: level}))
        own = OperatingPoint(level, int((scores < level).sum()), len(scores), n_alarms, negatives.hours)
    sets = [sounds[others[alarm.place]].set for alarm in peaks if alarm.score >= points[0].threshold]
    counts = {name: sets.count(name) for name in dict.fromkeys(sets)}
    curve = detection_curve(scores, alarms, negatives.hours)
    return Figures(curve, points, own, counts, _late(words, keyword, points[0].threshold))


def _late(words: HeardWords, keyword: str, threshold: float) -> Latency | None:
    """Return how late the words are reported at a threshold."""
    if threshold > 1:
        return None
    fired = words.fired({keyword: max(threshold, 1e-6)})
    heard = ~np.isnan(fired)
    ends = np.array([said.end for said in words.positives], float)
    return latency(fired[heard], ends[heard]) if heard.any() else None


def _column(tracks: Tracks, keyword: str) -> Tracks:
    """Return the scores of one keyword alone."""
    column = tracks.settings.keywords.index(keyword)
    settings = replace(tracks.settings, keywords=(keyword,), thresholds=(tracks.settings.thresholds[column],))
    return Tracks(settings, tuple(each._replace(scores=each.scores[:, [column]]) for each in tracks.tracks))


def _some(tracks: Tracks, rows: Sequence[int]) -> Tracks:
    return Tracks(tracks.settings, tuple(tracks.tracks[row] for row in rows))
