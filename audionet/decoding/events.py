"""Events: which keywords were said, and when, from their scores window by window.

The scores of the last windows are averaged. An event is reported as soon as the mean of a keyword reaches its
threshold. It goes on until that mean falls below a share of the threshold (the hysteresis), so that one long word is
one event. Nothing else is reported meanwhile: of several keywords that reach their thresholds in one window, the most
probable wins. A keyword is not reported twice within the refractory time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from audionet.checks import check_at_least, check_no_misfits, check_one_of, check_that

NONE = -1
"""Position of no keyword."""


class Event(NamedTuple):
    """A detected keyword.

    Attributes:
        keyword: The word.
        start: Where it begins, in seconds of the stream.
        end: Where it ends; where it goes on when it is reported, the time up to which it was heard.
        score: Mean of its probabilities in the last windows when it was reported.
    """

    keyword: str
    start: float
    end: float
    score: float


@dataclass(frozen=True, kw_only=True)
class EventSettings:
    """When a score is an event.

    Attributes:
        keywords: The words that are waited for.
        thresholds: Score from which on each of them is reported, above 0 and at most 1.
        smoothing: Number of windows whose scores are averaged.
        hysteresis: An event ends when its score falls below this share of its threshold, 0 to 1.
        refractory: Seconds after its report in which a keyword is not reported again.
        window_seconds: Length of a window.

    Raises:
        ValueError: A value is not as described.

    Example:
        >>> EventSettings(keywords=("yes", "no"), thresholds=(0.5, 0.6)).smoothing
        2
    """

    keywords: tuple[str, ...]
    thresholds: tuple[float, ...]
    smoothing: int = 2
    hysteresis: float = 0.7
    refractory: float = 0.5
    window_seconds: float = 1.0

    def __post_init__(self) -> None:
        check_that(self.keywords, "keywords", "at least one word", self.keywords)
        twice = [word for word in {*self.keywords} if self.keywords.count(word) > 1]
        check_no_misfits(twice, "keywords", "each word once")
        expected = f"as many as keywords, {len(self.keywords)}"
        check_that(len(self.thresholds) == len(self.keywords), "thresholds", expected, len(self.thresholds))
        for threshold in self.thresholds:
            _check_threshold(threshold)
        check_at_least(1, 1000, whole=True, smoothing=self.smoothing)
        check_at_least(0, 1, hysteresis=self.hysteresis)
        check_at_least(0, refractory=self.refractory)


@dataclass(frozen=True, eq=False)
class EventState:
    """What is remembered between windows.

    Attributes:
        recent: Scores of the last windows, the newest last, (stream, smoothing, keyword); zeros before the first.
        running: Keyword of the event that goes on in each stream, by position, (stream,) int64; `NONE` for none.
        reported: Time at which each keyword was last reported, (stream, keyword); -inf for never.
    """

    recent: np.ndarray
    running: np.ndarray
    reported: np.ndarray

    @property
    def scores(self) -> np.ndarray:
        """Means over the last windows, (stream, keyword)."""
        means: np.ndarray = self.recent.mean(axis=1)
        return means

    def where(self, streams: np.ndarray, other: "EventState") -> "EventState":
        """Return this state for the chosen streams, (stream,) bool, and another for the rest."""
        return EventState(
            np.where(streams[:, None, None], self.recent, other.recent),
            np.where(streams, self.running, other.running),
            np.where(streams[:, None], self.reported, other.reported),
        )


def start(n_streams: int, settings: EventSettings) -> EventState:
    """Return the state before the first window."""
    n_keywords = len(settings.keywords)
    recent = np.zeros((n_streams, settings.smoothing, n_keywords))
    return EventState(recent, np.full(n_streams, NONE), np.full((n_streams, n_keywords), -np.inf))


def advance(
    scores: np.ndarray, times: np.ndarray, active: np.ndarray, state: EventState, settings: EventSettings
) -> tuple[list[Event | None], EventState]:
    """Take the scores of the next window of each stream.

    Args:
        scores: (stream, keyword), probabilities.
        times: Where the windows end, (stream,) in seconds.
        active: Which streams have a window, (stream,) bool. Nothing changes for the others.
        state: The state before.
        settings: When a score is an event.

    Returns:
        For each stream the event that is reported with this window, which has the window's start and end, or None;
        and the state after it.

    Example:
        >>> settings = EventSettings(keywords=("yes", "no"), thresholds=(0.5, 0.5), smoothing=1)
        >>> state = start(1, settings)
        >>> for time, score in enumerate([0.2, 0.75, 0.6, 0.1]):
        ...     found, state = advance(np.array([[score, 0.1]]), np.array([time]), np.array([True]), state, settings)
        ...     print(*found)
        None
        Event(keyword='yes', start=0.0, end=1.0, score=0.75)
        None
        None
    """
    pushed = np.concatenate([state.recent[:, 1:], scores[:, None]], axis=1)
    recent = np.where(active[:, None, None], pushed, state.recent)
    means, thresholds = recent.mean(axis=1), np.asarray(settings.thresholds)
    streams = np.arange(len(means))
    running = state.running
    goes_on = (running != NONE) & (means[streams, running] >= settings.hysteresis * thresholds[running])
    rested = times[:, None] - state.reported >= settings.refractory
    ready = (means >= thresholds) & rested & (active & ~goes_on)[:, None]
    reports = ready.any(axis=1)
    best = np.where(ready, means, -1).argmax(axis=1)
    kept = np.where(goes_on | ~active, running, NONE)
    reported = state.reported.copy()
    reported[reports, best[reports]] = times[reports]
    events: list[Event | None] = [None] * len(means)
    for stream in np.flatnonzero(reports):
        keyword, end = best[stream], float(times[stream])
        score = float(means[stream, keyword])
        events[stream] = Event(settings.keywords[keyword], end - settings.window_seconds, end, score)
    return events, EventState(recent, np.where(reports, best, kept), reported)


def detect(scores: np.ndarray, times: np.ndarray, settings: EventSettings) -> list[Event]:
    """Return the events of a whole recording, each with the start and the end of its window.

    Args:
        scores: (window, keyword), probabilities.
        times: Where the windows end, (window,) in seconds.
        settings: When a score is an event.

    Example:
        >>> settings = EventSettings(keywords=("yes",), thresholds=(0.5,), smoothing=1)
        >>> detect(np.array([[0.2], [0.75], [0.6], [0.1], [0.9]]), np.arange(1.0, 6.0), settings)
        [Event(keyword='yes', start=1.0, end=2.0, score=0.75), Event(keyword='yes', start=4.0, end=5.0, score=0.9)]
    """
    state, active, events = start(1, settings), np.array([True]), []
    for row, time in zip(scores, times, strict=True):
        (event,), state = advance(row[None], np.array([time]), active, state, settings)
        events += [event] if event else []
    return events


def choose_keywords(words: Sequence[str], keywords: Sequence[str] | None) -> tuple[str, ...]:
    """Return the keywords that are asked for, all words for None.

    Raises:
        ValueError: There is none, one is no word of the network, or they are one text.

    Example:
        >>> choose_keywords(["yes", "no"], ["noo"])
        Traceback (most recent call last):
        ValueError: keywords: expected one of yes, no, got 'noo'; did you mean 'no'?
    """
    advice = f"put it into a list: [{keywords!r}]"
    check_that(not isinstance(keywords, str), "keywords", "a list of words", keywords, advice)
    for keyword in keywords or ():
        check_one_of(words, "keywords", keyword)
    return tuple(words if keywords is None else keywords)


def choose_thresholds(
    keywords: Sequence[str], thresholds: float | Mapping[str, float] | None, otherwise: Mapping[str, float]
) -> tuple[float, ...]:
    """Return the threshold of each keyword: one for all, one by name, or else the network's own.

    Raises:
        ValueError: A threshold is out of its range, or for a word that is no keyword.

    Example:
        >>> choose_thresholds(["yes", "no"], {"no": 0.9}, {"yes": 0.5, "no": 0.5})
        (0.5, 0.9)
    """
    if isinstance(thresholds, Mapping):
        given = dict(thresholds)
    else:
        given = {} if thresholds is None else dict.fromkeys(keywords, thresholds)
    for keyword, threshold in given.items():
        check_one_of(keywords, "thresholds", keyword)
        _check_threshold(threshold)
    return tuple(given[keyword] if keyword in given else otherwise[keyword] for keyword in keywords)


def _check_threshold(threshold: object) -> None:
    check_at_least(0, 1, threshold=threshold)
    check_that(threshold != 0, "threshold", "more than 0, at which every sound is a word", threshold)
