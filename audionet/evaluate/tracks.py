"""Scores of keywords over whole recordings, as a detector computes them, and what thresholds make of them.

The windows are those of `audionet.inference.Detector` and the events those of `audionet.decoding.detect`, so what is
said of thresholds is true of the detector. The scores are kept, since thresholds are tried out on them many times.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from audionet.audio import AudioError, read_pieces
from audionet.audio.finding import sounds_among
from audionet.checks import check_that
from audionet.console import note, progress
from audionet.decoding import EventSettings, detect
from audionet.inference.detector import Detector
from audionet.inference.windows import ClipRecognizer
from audionet.metrics import score_peaks

LOWEST = 0.1
"""Lowest threshold that is set or counted: below it most sounds would be words."""

_BLOCK = 1 << 20  # samples of a recording at once


class Alarm(NamedTuple):
    """A peak of a keyword's score, or an event.

    Attributes:
        keyword: The word.
        score: The score.
        place: Position of the recording among those that were heard.
        time: Where the window ends that gave the score, in seconds of the recording.
    """

    keyword: str
    score: float
    place: int
    time: float


class Track(NamedTuple):
    """The scores of a recording.

    Attributes:
        path: Its file.
        seconds: Its length.
        times: Where the windows end, (window,) in seconds.
        scores: Probability of each keyword in each window, (window, keyword) float32.
    """

    path: Path
    seconds: float
    times: np.ndarray
    scores: np.ndarray


@dataclass(frozen=True, eq=False)
class Tracks:
    """The scores of some recordings.

    Attributes:
        settings: When a score is an event.
        tracks: The recordings, in the order of the files.
        errors: What is wrong with the files that could not be read.
    """

    settings: EventSettings
    tracks: tuple[Track, ...]
    errors: tuple[AudioError, ...] = ()

    @property
    def hours(self) -> float:
        """Hours of all recordings together."""
        return sum(track.seconds for track in self.tracks) / 3600

    @cached_property
    def alarms(self) -> dict[str, list[Alarm]]:
        """The peaks of each keyword that are at least `LOWEST`, one within a refractory time."""
        found: dict[str, list[Alarm]] = {keyword: [] for keyword in self.settings.keywords}
        for place, track in enumerate(self.tracks):
            means = smoothed(track.scores, self.settings.smoothing)
            for keyword, scores in zip(found, means.T, strict=True):
                peaks = score_peaks(track.times, scores, self.settings.refractory)
                high = peaks[scores[peaks] >= LOWEST]
                found[keyword] += [Alarm(keyword, float(scores[n]), place, float(track.times[n])) for n in high]
        return found

    def events(self, thresholds: Mapping[str, float]) -> list[Alarm]:
        """Return what the detector reports at some thresholds, in the order of the recordings and of time."""
        levels = tuple(thresholds[keyword] for keyword in self.settings.keywords)
        settings, found = replace(self.settings, thresholds=levels), []
        for place, track in enumerate(self.tracks):
            if (smoothed(track.scores, settings.smoothing) >= levels).any():
                events = detect(track.scores, track.times, settings)
                found += [Alarm(event.keyword, event.score, place, event.end) for event in events]
        return found


def smoothed(scores: np.ndarray, smoothing: int) -> np.ndarray:
    """Return the means over the last windows, (window, keyword) float64, as a detector compares them to thresholds.

    Example:
        >>> smoothed(np.array([[1.0], [0.5], [0.0]]), 2).T
        array([[0.5 , 0.75, 0.25]])
    """
    before = np.zeros((smoothing - 1, scores.shape[1]))
    windows = np.lib.stride_tricks.sliding_window_view(np.concatenate([before, scores]), smoothing, axis=0)
    means: np.ndarray = windows.mean(axis=-1)
    return means


def hear(recognizer: ClipRecognizer, files: Sequence[Path], title: str) -> Tracks:
    """Let a detector hear recordings of any length, each in a stream of its own.

    Args:
        recognizer: What it takes, such as a `Recognizer`.
        files: The files, which are read in blocks.
        title: What they are, for the progress bar.

    Raises:
        ValueError: None of them can be read.
    """
    keeper = _Keeper(recognizer)
    detector = Detector(keeper)
    tracks, errors = [], []
    with progress(title, len(files)) as advance:
        for file in files:
            try:
                tracks.append(_heard(detector, keeper, file))
            except AudioError as error:
                errors.append(error)
            advance(1)
    got = f"{len(errors)} others" if errors else "none"
    check_that(tracks, title, "a recording that can be read", got, str(errors[0]) if errors else "")
    return Tracks(detector.settings, tuple(tracks), tuple(errors))


def hear_negatives(recognizer: ClipRecognizer, folders: Sequence[str | os.PathLike[str]]) -> Tracks:
    """Let a detector hear all recordings in some folders, at any depth.

    Raises:
        ValueError: A folder is not there or holds no audio, or all of them together hold less than a window.
    """
    check_that(folders, "negatives", "a folder of recordings in which no keyword is said", "none")
    for folder in folders:
        got = "a file" if Path(folder).exists() else "nothing there"
        check_that(Path(folder).is_dir(), f"negatives: {folder}", "a folder", got, "check its spelling")
    once: dict[Path, Path] = {}
    for file in sounds_among(folders):
        once.setdefault(file.resolve(), file)  # one folder may lie in another
    found = hear(recognizer, [*once.values()], "negatives")
    window = recognizer.clip_length / recognizer.sample_rate
    seconds, short = 3600 * found.hours, [track for track in found.tracks if track.seconds < window]
    advice = "give hours of them, such as your room with people who talk"
    expected = f"recordings that are longer than a window of {window:g} s"
    check_that(len(short) < len(found.tracks), "negatives", expected, f"{seconds:.2g} s in all", advice)
    if short:
        note(f"negatives: {len(short)} are shorter than a window of {window:g} s, with silence around them")
    return found


def _heard(detector: Detector, keeper: "_Keeper", file: Path) -> Track:
    """Return the scores of a recording, by a detector of one stream."""
    n_samples, rate = 0, keeper.sample_rate
    detector.reset()
    keeper.kept.clear()
    for piece in read_pieces(file, rate, _BLOCK, max_seconds=None):
        detector.push(piece, rate)
        n_samples += len(piece)
    detector.finish()
    columns = [keeper.labels.index(keyword) for keyword in detector.keywords]
    scores = np.concatenate([kept[:, columns] for kept in keeper.kept])
    times = np.arange(1, len(scores) + 1) * (detector.hop_length / rate)
    return Track(file, n_samples / rate, times, scores)


class _Keeper:
    """A recogniser that keeps the probabilities that it gives to a detector."""

    def __init__(self, recognizer: ClipRecognizer) -> None:
        self.labels, self.clip_length = recognizer.labels, recognizer.clip_length
        self.sample_rate = recognizer.sample_rate
        self.thresholds = dict.fromkeys(recognizer.thresholds, 1.0)  # what is reported meanwhile is of no use
        self.recognizer = recognizer
        self.kept: list[np.ndarray] = []

    def clip_probabilities(self, clips: np.ndarray) -> np.ndarray:
        """Map clips (batch, clip_length) to probabilities (batch, n_classes)."""
        probabilities = self.recognizer.clip_probabilities(clips)
        self.kept.append(probabilities)
        return probabilities
