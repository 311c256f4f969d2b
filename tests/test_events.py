"""Events from scores: smoothing, threshold, hysteresis, refractory time, several keywords, many streams."""

import numpy as np
import pytest

from audionet.decoding import Event, EventSettings, advance, detect, start
from audionet.decoding.events import choose_keywords, choose_thresholds

YES, NO = "yes", "no"


def settings(**changes):
    fields = {"keywords": (YES, NO), "thresholds": (0.5, 0.5), "smoothing": 1, "hysteresis": 0.5, "refractory": 0.0}
    return EventSettings(**{**fields, **changes})


def found(scores, every=0.1, **changes):
    """Keyword and number of the window of each event; scores of one keyword, or rows of both."""
    rows = np.array([row if isinstance(row, tuple) else (row, 0.0) for row in scores])
    times = every * np.arange(1, len(rows) + 1)
    events = detect(rows, times, settings(**changes))
    return [(event.keyword, round(event.end / every)) for event in events]


def test_an_event_is_reported_where_its_score_reaches_the_threshold():
    assert found([0.4, 0.5, 0.1]) == [(YES, 2)]
    assert found([0.4, 0.49, 0.1]) == []
    (event,) = detect(np.array([[0.75, 0.2]]), np.array([3.0]), settings(window_seconds=0.5))
    assert event == (YES, 2.5, 3.0, 0.75)


def test_the_scores_of_the_last_windows_are_averaged():
    assert found([0.9, 0.0, 0.9, 0.0], smoothing=2, thresholds=(0.5, 0.5)) == []
    assert found([0.0, 0.3, 0.9, 0.9], smoothing=3, thresholds=(0.7, 0.5)) == [(YES, 4)]
    assert found([0.9], smoothing=2) == [], "before the first window scores are 0"


def test_one_long_word_is_one_event():
    long = [0.6, 0.9, 0.4, 0.8, 0.3, 0.6]
    assert found(long, hysteresis=0.5) == [(YES, 1)]
    assert found(long, hysteresis=0.9) == [(YES, 1), (YES, 4), (YES, 6)], "0.4 and 0.3 are below 0.45"
    assert found(long, hysteresis=0.7) == [(YES, 1), (YES, 6)]


def test_a_keyword_is_not_reported_again_within_the_refractory_time():
    twice = [0.9, 0.0, 0.9, 0.0, 0.9]
    assert found(twice) == [(YES, 1), (YES, 3), (YES, 5)]
    assert found(twice, refractory=0.3) == [(YES, 1), (YES, 5)]
    assert found([(0.9, 0.0), (0.0, 0.9)], refractory=9.0) == [(YES, 1), (NO, 2)], "each keyword has its own"


def test_of_keywords_that_overlap_the_most_probable_wins():
    assert found([(0.6, 0.8), (0.9, 0.8), (0.0, 0.1)]) == [(NO, 1)]
    assert found([(0.6, 0.8), (0.7, 0.1), (0.0, 0.1)]) == [(NO, 1), (YES, 2)]
    assert found([(0.6, 0.55), (0.1, 0.1)], thresholds=(0.7, 0.5)) == [(NO, 1)], "each has its own threshold"


def test_streams_equal_one_by_one_and_inactive_ones_stay_as_they_are():
    generator = np.random.default_rng(0)
    scores = generator.uniform(size=(200, 3, 2))
    active = generator.uniform(size=(200, 3)) < [1.0, 0.6, 0.3]
    chosen = settings(smoothing=2, hysteresis=0.9, refractory=0.35, thresholds=(0.6, 0.65))
    state, times = start(3, chosen), np.zeros(3)
    events: list[list[Event]] = [[], [], []]
    for row, mask in zip(scores, active, strict=True):
        times = times + 0.1 * mask
        now, state = advance(row, times, mask, state, chosen)
        assert all(event is None for event, on in zip(now, mask, strict=True) if not on)
        for own, event in zip(events, now, strict=True):
            own += [event] if event else []
    for stream in range(3):
        mask = active[:, stream]
        alone = detect(scores[mask, stream], 0.1 * np.arange(1, mask.sum() + 1), chosen)
        assert len(alone) > 3
        assert [event[0] for event in alone] == [event[0] for event in events[stream]]
        np.testing.assert_allclose([event[1:] for event in alone], [event[1:] for event in events[stream]], atol=1e-9)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keywords": (), "thresholds": ()}, "keywords: expected at least one word"),
        ({"keywords": (YES, YES)}, "keywords: expected each word once, got yes"),
        ({"thresholds": (0.5,)}, "thresholds: expected as many as keywords, 2, got 1"),
        ({"thresholds": (0.5, 1.5)}, "threshold: expected a number from 0 to 1, got 1.5"),
        ({"thresholds": (0.5, 0)}, "threshold: expected more than 0"),
        ({"thresholds": (0.5, float("nan"))}, "threshold: expected a number from 0 to 1, got nan"),
        ({"smoothing": 0}, "smoothing: expected a whole number from 1"),
        ({"smoothing": 1.5}, "smoothing: expected a whole number from 1"),
        ({"hysteresis": -0.1}, "hysteresis: expected a number from 0 to 1"),
        ({"refractory": -1}, "refractory: expected at least 0"),
    ],
)
def test_settings_that_do_not_fit(changes, message):
    with pytest.raises(ValueError, match=message):
        settings(**changes)


def test_keywords_and_thresholds_are_chosen_by_name():
    assert choose_keywords([YES, NO], None) == (YES, NO)
    assert choose_keywords([YES, NO], [NO]) == (NO,)
    assert choose_thresholds([YES, NO], None, {YES: 0.3, NO: 0.4}) == (0.3, 0.4)
    assert choose_thresholds([YES, NO], 0.7, {}) == (0.7, 0.7)
    assert choose_thresholds([YES, NO], {NO: 0.9}, {YES: 0.3, NO: 0.4}) == (0.3, 0.9)
    for call, message in (
        (lambda: choose_keywords([YES, NO], "yes"), r"keywords: expected a list of words, got 'yes'; .*\['yes'\]"),
        (lambda: choose_keywords([YES, NO], ["yess"]), "keywords: expected one of yes, no, got 'yess'; did you mean"),
        (lambda: choose_keywords([YES, NO], ["_unknown_"]), "keywords: expected one of yes, no"),
        (lambda: choose_thresholds([YES], {NO: 0.5}, {YES: 0.5}), "thresholds: expected one of yes, got 'no'"),
        (lambda: choose_thresholds([YES], 1.2, {YES: 0.5}), "threshold: expected a number from 0 to 1, got 1.2"),
        (lambda: choose_thresholds([YES], {YES: float("nan")}, {YES: 0.5}), "threshold: expected a number .* got nan"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
