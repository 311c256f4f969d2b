"""The benchmark of keyword detection: its noise, its counts, and the page that is published."""

from pathlib import Path

import numpy as np
import pytest

from audionet.decoding import EventSettings
from audionet.evaluate import Track, Tracks
from benchmarks.keywords.cost import Cost
from benchmarks.keywords.figures import figures
from benchmarks.keywords.hearing import kept
from benchmarks.keywords.page import BEGIN, END, publish
from benchmarks.keywords.sounds import RATE, Sound, with_noise


def heard(keywords: tuple[str, ...], rows: list[tuple[str, float, dict[float, tuple[float, ...]]]]) -> Tracks:
    """Return made-up scores: of each recording its name, its seconds, and the scores at some times."""
    settings = EventSettings(keywords=keywords, thresholds=(0.5,) * len(keywords), smoothing=1, refractory=1.0)
    return Tracks(
        settings,
        tuple(
            Track(Path(name), seconds, np.array([*scores]), np.array([*scores.values()], np.float32))
            for name, seconds, scores in rows
        ),
    )


@pytest.fixture
def sounds() -> list[Sound]:
    return [
        Sound(Path("a1"), "alexa", "alexa", 1.5, 1.0),
        Sound(Path("a2"), "alexa", "alexa", 1.6, 1.0),
        Sound(Path("j1"), "jarvis", "jarvis", 1.4, 1.0),
        Sound(Path("t1"), "talk", "", None, 3600.0),
        Sound(Path("t2"), "talk", "", None, 3600.0),
    ]


@pytest.fixture
def tracks() -> Tracks:
    return heard(
        ("alexa", "jarvis"),
        [
            ("a1", 1.0, {1.0: (0.1, 0.0), 1.75: (0.9, 0.0)}),
            ("a2", 1.0, {1.0: (0.2, 0.0), 1.75: (0.4, 0.0)}),
            ("j1", 1.0, {1.0: (0.6, 0.3), 1.75: (0.1, 0.8)}),
            ("t1", 3600.0, {10.0: (0.7, 0.1), 10.5: (0.65, 0.1), 50.0: (0.3, 0.2)}),
            ("t2", 3600.0, {10.0: (0.2, 0.1), 20.0: (0.1, 0.1)}),
        ],
    )


def test_rejects_alarms_and_lateness(sounds, tracks):
    """In two hours one alarm is allowed at 0.5 an hour: the highest, 0.7, so that the threshold is just above 0.6."""
    found = figures("alexa", sounds, tracks)
    at_half, at_tenth = found.points
    assert 0.6 < at_half.threshold < 0.65 and at_tenth.threshold > 0.7
    assert (at_half.n_rejected, at_half.n_positives, at_half.n_alarms) == (1, 2, 1)
    assert at_half.hours == pytest.approx(2 + 1 / 3600)  # the recording of another keyword is a negative, too
    assert at_tenth.n_alarms == 0
    assert found.alarms == {"talk": 1}
    assert found.own and found.late
    assert (found.own.n_rejected, found.own.n_alarms) == (1, 2)  # 0.6 and 0.7; 0.65 is the same event
    assert found.late.median == pytest.approx(0.25) and found.late.n_words == 1


def test_a_system_without_a_threshold_has_no_figures_at_it(sounds, tracks):
    unset = Tracks(EventSettings(keywords=("alexa", "jarvis"), thresholds=(1.0, 1.0), smoothing=1), tracks.tracks)
    assert figures("jarvis", sounds, unset).own is None


def test_what_was_heard_is_kept(tmp_path, tracks: Tracks):
    path, times = tmp_path / "heard" / "one.npz", []

    def make() -> Tracks:
        times.append(1)
        return tracks

    for _ in range(2):
        again = kept(path, make)
        assert again.settings == tracks.settings
        for one, other in zip(again.tracks, tracks.tracks, strict=True):
            assert (one.path, one.seconds) == (other.path, other.seconds)
            np.testing.assert_array_equal(one.times, other.times)
            np.testing.assert_array_equal(one.scores, other.scores)
    assert len(times) == 1


def test_the_noise_is_as_far_below_the_speech_as_wanted():
    random = np.random.default_rng(0)
    speech = np.pad(0.1 * random.normal(size=RATE), RATE)  # a second, with silence around it
    noise = random.normal(size=len(speech))
    mixed = with_noise(speech, noise, 10.0)
    behind = mixed - speech
    ratio = 10 * np.log10(np.mean(speech[RATE : 2 * RATE] ** 2) / np.mean(behind**2))
    assert ratio == pytest.approx(10.0, abs=0.5)  # where the speech begins is known to a frame
    loud = with_noise(9 * speech, noise, 10.0)
    assert np.abs(loud).max() <= 0.99 + 1e-9


def test_the_page(tmp_path, sounds, tracks):
    (tmp_path / "assets").mkdir()
    page = tmp_path / "keywords.md"
    page.write_text(f"before\n{BEGIN}\nstale\n{END}\nafter\n")
    others = [*sounds, Sound(Path("c1"), "computer", "computer", 1.0, 1.0)]
    rows = heard(("alexa", "jarvis"), [("c1", 1.0, {1.0: (0.1, 0.1)})]).tracks
    known = Tracks(tracks.settings, (*tracks.tracks, *rows))
    every = heard(("computer",), [(sound.path.name, 1.0, {1.0: (0.9,)}) for sound in others])
    costs = {"a peer": Cost(0.0125, 56_000, 2)}
    systems = {"10 dB": {"a peer": known, "another": every}}
    publish({"10 dB": others}, systems, costs, {"hardware": "two cores"}, tmp_path)
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}\n") and text.endswith(f"\n{END}\nafter\n") and "stale" not in text
    assert "| a peer | 50.0% (1.3 to 98.7) |" in text
    assert "| a peer | 2 | 1.25% | 56 kB |" in text
    for word in ("alexa", "computer", "jarvis"):
        assert (tmp_path / "assets" / f"keywords_{word}_10_dB.png").read_bytes().startswith(b"\x89PNG")
    assert "another" not in text.partition("### computer")[0]
    page.unlink()
    publish({"10 dB": others}, systems, costs, {"hardware": "two cores"}, tmp_path)
    assert page.read_text().startswith(f"# Who finds a keyword\n\n{BEGIN}\nhardware")
