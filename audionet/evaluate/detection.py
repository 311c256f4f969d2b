"""Evaluation of a detector: what it rejects of recorded keywords, and what it raises where none is said."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audionet.audio import AudioError
from audionet.evaluate.positives import HeardWords, hear_positives
from audionet.evaluate.tracks import Alarm, Tracks, hear_negatives
from audionet.inference.windows import ClipRecognizer
from audionet.metrics import (
    DetectionCurve,
    Latency,
    OperatingPoint,
    curve_area,
    detection_curve,
    latency,
    operating_point,
    right_by_name,
)

RATES = (0.1, 0.5)
"""False alarms per hour at which detectors are compared."""


@dataclass(frozen=True, eq=False)
class DetectionEvaluation:
    """What a detector makes of recordings with a keyword and of recordings without any.

    Attributes:
        thresholds: Threshold of each keyword.
        words: The recordings of keywords, and their scores.
        negatives: The scores of the recordings without a keyword.
        rooms: Room of each of these.
        peaks: Peaks of each keyword in them.
        events: What is reported in them at the thresholds.
        fired: When the keyword of each recording is reported at them, (recording,) in seconds; NaN for never.
    """

    thresholds: dict[str, float]
    words: HeardWords
    negatives: Tracks
    rooms: tuple[str, ...]
    peaks: Mapping[str, Sequence[Alarm]]
    events: tuple[Alarm, ...]
    fired: np.ndarray

    @property
    def errors(self) -> tuple[AudioError, ...]:
        """What is wrong with the files that could not be read."""
        return (*self.words.tracks.errors, *self.negatives.errors)

    @property
    def keywords(self) -> list[str]:
        """The keywords of which there are recordings."""
        return [keyword for keyword in self.thresholds if self.words.of(keyword).any()]

    def curve(self, keywords: Sequence[str]) -> DetectionCurve:
        """Return the DET curve of some keywords with one threshold for all of them."""
        return detection_curve(*self._scores(keywords), self.negatives.hours)

    def area(self, keywords: Sequence[str]) -> float:
        """Return the mean share of rejects of some keywords from no false alarm to one per hour."""
        return curve_area(self.curve(keywords))

    def point(self, rate: float, keywords: Sequence[str]) -> OperatingPoint:
        """Return what some keywords reject at a rate of false alarms, with one threshold for all of them."""
        return operating_point(*self._scores(keywords), self.negatives.hours, rate)

    def at_thresholds(self, keywords: Sequence[str]) -> OperatingPoint:
        """Return what the detector does with some keywords at its thresholds; NaN stands for several of them."""
        of, levels = self._of(keywords), {self.thresholds[keyword] for keyword in keywords}
        n_alarms = sum(event.keyword in keywords for event in self.events)
        level = levels.pop() if len(levels) == 1 else np.nan
        return OperatingPoint(level, int(np.isnan(self.fired[of]).sum()), int(of.sum()), n_alarms, self.negatives.hours)

    @property
    def by_speaker(self) -> dict[str, tuple[int, int]]:
        """The recordings of each speaker who is known that were detected, and all of them, the worst first."""
        return right_by_name([said.speaker for said in self.words.positives], ~np.isnan(self.fired))

    @property
    def by_room(self) -> dict[str, tuple[int, int]]:
        """The recordings of each room that is known that were detected, and all of them, the worst first."""
        return right_by_name([said.room for said in self.words.positives], ~np.isnan(self.fired))

    @property
    def alarms_by_room(self) -> dict[str, tuple[int, float]]:
        """The false alarms in each room at the thresholds, and the hours there."""
        hours = dict.fromkeys(sorted({*self.rooms}), 0.0)
        for room, track in zip(self.rooms, self.negatives.tracks, strict=True):
            hours[room] += track.seconds / 3600
        places = [self.rooms[event.place] for event in self.events]
        return {room: (places.count(room), of) for room, of in hours.items()}

    @property
    def latency(self) -> Latency | None:
        """How long after the ends of words they are reported; None where no end is known of a word that is reported."""
        pairs = zip(self.words.positives, self.fired.tolist(), strict=True)
        known = [(time, said.end) for said, time in pairs if said.end is not None and not np.isnan(time)]
        return latency(*np.array(known).T) if known else None

    def _of(self, keywords: Sequence[str]) -> np.ndarray:
        return np.array([said.keyword in keywords for said in self.words.positives])

    def _scores(self, keywords: Sequence[str]) -> tuple[np.ndarray, list[float]]:
        alarms = [alarm.score for keyword in keywords for alarm in self.peaks[keyword]]
        return self.words.scores[self._of(keywords)], alarms


def evaluate_detection(
    recognizer: ClipRecognizer,
    positives: str | os.PathLike[str],
    negatives: Sequence[str | os.PathLike[str]],
    *,
    thresholds: Mapping[str, float] | None = None,
) -> DetectionEvaluation:
    """Let a detector hear recordings of keywords, and recordings in which none is said.

    Args:
        recognizer: What a detector takes.
        positives: Folder with a folder of recordings for each keyword; `positives_in` tells how speakers, rooms and the
            ends of words are told.
        negatives: Folders of recordings of any length, which are searched at any depth. The first folder below one of
            them is the room of what lies in it; that of other files is the folder itself.
        thresholds: Threshold of each keyword; None for the recogniser's.

    Raises:
        ValueError: A folder is not there or holds nothing that can be used.
    """
    levels = dict(recognizer.thresholds) if thresholds is None else dict(thresholds)
    words = hear_positives(recognizer, positives)
    heard = hear_negatives(recognizer, negatives)
    rooms = tuple(_room(track.path, negatives) for track in heard.tracks)
    fired, events = words.fired(levels), tuple(heard.events(levels))
    return DetectionEvaluation(levels, words, heard, rooms, heard.alarms, events, fired)


def _room(file: Path, folders: Sequence[str | os.PathLike[str]]) -> str:
    """Return the first folder below the one of some folders that a file lies in, or the name of that."""
    file = Path(os.path.abspath(file))  # all paths are relative to ".", and ".." is no name
    above = next(folder for folder in map(Path, map(os.path.abspath, folders)) if file.is_relative_to(folder))
    below = file.relative_to(above).parts
    return below[0] if len(below) > 1 else above.name
