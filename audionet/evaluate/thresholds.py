"""Thresholds of a detector from a wanted rate of false alarms, found on recordings in which no keyword is said."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from audionet import bundle
from audionet.audio import AudioError
from audionet.checks import check_positive, check_that, listed
from audionet.evaluate.positives import HeardWords, hear_positives
from audionet.evaluate.tracks import LOWEST, Alarm, Tracks, hear_negatives
from audionet.inference.windows import ClipRecognizer
from audionet.metrics import alarms_allowed, choose_thresholds, poisson_interval

SUSPICIOUS = 0.9
"""Score from which on a recording may well hold the word, where no recordings of words tell how high they score."""


@dataclass(frozen=True, eq=False)
class DetectionCalibration:
    """Thresholds, and what they do.

    Attributes:
        thresholds: The threshold of each keyword.
        wanted: False alarms per hour that were asked for, of all keywords together.
        negatives: The scores of the recordings in which no keyword is said.
        alarms: False alarms at the thresholds, as the detector reports them.
        suspects: Peaks so high that the recordings may hold the word, the highest first.
        left_out: Whether the suspects were left out of the alarms.
        words: Recordings of the keywords and their scores; None without any.
    """

    thresholds: dict[str, float]
    wanted: float
    negatives: Tracks
    alarms: tuple[Alarm, ...]
    suspects: tuple[Alarm, ...]
    left_out: bool
    words: HeardWords | None = None

    @property
    def errors(self) -> tuple[AudioError, ...]:
        """What is wrong with the files that could not be read."""
        return (*self.negatives.errors, *(self.words.tracks.errors if self.words else ()))

    @property
    def hours(self) -> float:
        """Hours without a keyword."""
        return self.negatives.hours

    @property
    def interval(self) -> tuple[float, float]:
        """The exact 95% interval of the false alarms per hour."""
        return poisson_interval(len(self.alarms), self.hours)

    @property
    def rejects(self) -> dict[str, tuple[int, int]]:
        """Recordings of each keyword that are not detected at its threshold, and all of them; empty without any."""
        if self.words is None:
            return {}
        missed = np.isnan(self.words.fired(self.thresholds))
        of = {keyword: self.words.of(keyword) for keyword in self.thresholds}
        return {word: (int(missed[is_said].sum()), int(is_said.sum())) for word, is_said in of.items() if is_said.any()}

    @property
    def record(self) -> dict[str, Any]:
        """What a bundle keeps."""
        return {
            "thresholds": self.thresholds,
            "false_alarms_per_hour": self.wanted,
            "negative_hours": self.hours,
            "alarms": len(self.alarms),
            "interval": [*self.interval],
        }


def calibrate_detection(
    recognizer: ClipRecognizer,
    negatives: Sequence[str | os.PathLike[str]],
    *,
    positives: str | os.PathLike[str] | None = None,
    false_alarms_per_hour: float = 0.5,
    leave_out_suspects: bool = False,
) -> DetectionCalibration:
    """Set the threshold of each keyword so that the false alarms of all together stay at a rate.

    The detector hears the negatives, and the thresholds are the lowest at which it reports no more than the rate allows
    in their hours (`audionet.metrics.choose_thresholds`); none is below 0.1. A peak is suspicious where it is as high
    as half of the recordings of the word score, or 0.9 where there are none.

    Args:
        recognizer: What a detector takes.
        negatives: Folders of recordings of any length in which no keyword is said, which are searched at any depth.
        positives: Folder with a folder of recordings for each keyword, to tell what the thresholds reject.
        false_alarms_per_hour: The wanted rate, of all keywords together.
        leave_out_suspects: Set the thresholds as if the suspicious peaks were no false alarms, because they are words.

    Raises:
        ValueError: A folder is not there or holds no audio, the rate is not above 0, or no threshold keeps to it.
    """
    check_positive(false_alarms_per_hour=false_alarms_per_hour)
    words = None if positives is None else hear_positives(recognizer, positives)
    heard = hear_negatives(recognizer, negatives)
    suspects = suspicious(heard.alarms, words)
    thresholds, alarms = thresholds_for(false_alarms_per_hour, heard, suspects if leave_out_suspects else ())
    return DetectionCalibration(
        thresholds,
        false_alarms_per_hour,
        heard,
        tuple(alarms),
        tuple(suspects),
        leave_out_suspects,
        words,
    )


def suspicious(peaks: Mapping[str, Sequence[Alarm]], words: HeardWords | None) -> list[Alarm]:
    """Return the peaks of each keyword that are so high that it may well be said there, the highest first.

    Args:
        peaks: Peaks of each keyword in the negatives.
        words: Recordings of the words, whose median score a suspicious peak reaches; without any it is `SUSPICIOUS`.
    """
    found: list[Alarm] = []
    for keyword, alarms in peaks.items():
        is_said = words is not None and words.of(keyword)
        level = np.median(words.scores[is_said]) if words is not None and np.any(is_said) else SUSPICIOUS
        found += [alarm for alarm in alarms if alarm.score >= level]
    return sorted(found, key=lambda alarm: -alarm.score)


def target_of(model: str | os.PathLike[str], output: str | os.PathLike[str] | None) -> Path:
    """Return the file that thresholds are written to: the model's own, unless another is named.

    Raises:
        ValueError: The model is an exported file, or a shipped one and no other file is named, or that file is there
            already or cannot be written, which is so said before anything is heard.
    """
    advice = "calibrate the bundle that it was exported from, and export that again: its thresholds are in the files"
    check_that(Path(model).suffix != ".onnx", "model", "a bundle", f"an exported file, {model}", advice)
    source = bundle.find(model, "recognition")
    target = source if output is None else Path(output)
    is_shipped = target.resolve().is_relative_to(bundle.SHIPPED.resolve())
    advice = "name one with --output FILE"
    check_that(
        not is_shipped, "output", "a file of your own, since a shipped model stays as it is", str(target), advice
    )
    is_free = target == source or not os.path.lexists(target)
    check_that(is_free, "output", "a file that is not there yet", str(target), "name another, or move it away first")
    can_be = target.parent.is_dir() and os.access(target.parent, os.W_OK)
    check_that(can_be, "output", "a name in a folder that is there and can be written", str(target), "name another")
    return target


def write_thresholds(model: str | os.PathLike[str], found: DetectionCalibration, target: Path) -> None:
    """Write a bundle with thresholds into it, whole or not at all.

    Args:
        model: Name or path of the bundle that was calibrated.
        found: The thresholds.
        target: File to write, as `target_of` returns it.
    """
    bundle.save(target, replace(bundle.load(model, "recognition"), detection=found.record))


def thresholds_for(rate: float, heard: Tracks, ignored: Sequence[Alarm] = ()) -> tuple[dict[str, float], list[Alarm]]:
    """Return the thresholds that keep to a rate, and the alarms that a detector reports at them.

    Args:
        rate: False alarms per hour of all keywords together.
        heard: The scores of recordings in which no keyword is said.
        ignored: Peaks that are no false alarms.

    Raises:
        ValueError: The rate is not above 0, or no threshold keeps to it.
    """
    kept, n_allowed = {*ignored}, alarms_allowed(rate, heard.hours)
    scores = {keyword: [each.score for each in of if each not in kept] for keyword, of in heard.alarms.items()}
    for n_raised in range(n_allowed, -1, -1):
        chosen = choose_thresholds(scores, n_raised)
        thresholds = {keyword: max(threshold, LOWEST) for keyword, threshold in chosen.items()}
        _check_reached(thresholds, scores, rate, heard.hours)
        alarms = [each for each in heard.events(thresholds) if not _is_among(each, ignored, heard)]
        if len(alarms) <= n_allowed:  # peaks nearer to each other than the refractory time may be reported twice
            break
    return thresholds, alarms


def _check_reached(
    thresholds: Mapping[str, float], scores: Mapping[str, Sequence[float]], rate: float, hours: float
) -> None:
    """Refuse thresholds that no probability reaches, and say what the highest one raises."""
    sure = {keyword: sum(score >= 1 for score in of) for keyword, of in scores.items()}
    low, high = poisson_interval(sum(sure.values()), hours)
    words = [keyword for keyword, threshold in thresholds.items() if threshold > 1 and sure[keyword]]
    check_that(
        not words,
        "false_alarms_per_hour",
        f"a rate that a threshold keeps to: even at 1, {listed(words)} raise {sum(sure.values())} false alarms in "
        f"{hours:.2g} h, {low:.2g} to {high:.2g} an hour",
        rate,
        "see whether the negatives hold the words, or train with them (train-words --negatives)",
    )


def _is_among(event: Alarm, ignored: Sequence[Alarm], heard: Tracks) -> bool:
    """Tell whether an event is of one of some peaks, before whose top it may be reported."""
    near = heard.settings.window_seconds
    return any(
        (event.keyword, event.place) == (each.keyword, each.place) and abs(event.time - each.time) <= near
        for each in ignored
    )
