"""Of a longer recording a clip holds the speech, whatever else is in it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audionet.audio import fit, load_audio, read_mono, save_audio, to_clip
from audionet.audio.fitting import window_start

RATE = 16_000
SEVEN = load_audio("tests/data/seven.wav")[0].numpy()[0]  # 0.6 s, ends with voiced sound
RANDOM = np.random.default_rng(0)
NOISE = RANDOM.standard_normal(10 * RATE).astype(np.float32)
TIME = np.arange(4 * RATE, dtype=np.float32) / RATE


@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 3), st.sampled_from([100, 8000, 48_000]))
def test_length_and_place(n_samples, length, n_channels, sample_rate):
    waveform = np.random.default_rng(n_samples).standard_normal((n_channels, n_samples)).astype(np.float32)
    fitted = fit(waveform, length, sample_rate)
    assert fitted.shape == (n_channels, length) and fitted.dtype == np.float32
    if length >= n_samples:
        left = (length - n_samples) // 2
        np.testing.assert_array_equal(fitted[:, left : left + n_samples], waveform)
        assert np.count_nonzero(fitted) == np.count_nonzero(waveform)
    else:
        windows = [waveform[:, start : start + length] for start in range(n_samples - length + 1)]
        assert any(np.array_equal(fitted, window) for window in windows)


def test_of_equals_it_is_the_middle_one():
    silent = np.zeros((2, 10 * RATE), np.float32)
    silent[:, 5 * RATE] = 1e-30  # nobody hears it, it marks the place
    for length in (100, RATE):
        assert abs(int(fit(silent, length, RATE)[0].argmax()) - length // 2) <= 160
    constant = np.full(10_000, 0.1, np.float32)
    assert fit(constant, 10_000, RATE) is constant
    assert fit(constant, 10, RATE).base is None


def scene(start: float, level: float, noise: float) -> np.ndarray:
    """Four seconds of faint noise with "seven" at a time, in seconds, and peak level."""
    waveform = noise * NOISE[: 4 * RATE]
    at = round(start * RATE)
    waveform[at : at + len(SEVEN)] += SEVEN * np.float32(level / np.abs(SEVEN).max())
    return waveform


def add(waveform: np.ndarray, start: float, sound: np.ndarray) -> None:
    at = round(start * RATE)
    waveform[at : at + len(sound)] += sound


def pop(seconds: float = 0.05) -> np.ndarray:
    return 0.9 * np.sign(NOISE[: round(seconds * RATE)])


def slam(seconds: float = 0.2) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    bang = 0.7 * np.sign(NOISE[: len(time)]) + 0.3 * np.sin(2 * np.pi * 70 * time)
    return np.asarray(np.exp(-time / 0.07) * bang)


def breath(seconds: float = 0.7) -> np.ndarray:
    n = round(seconds * RATE)
    smooth: np.ndarray = np.convolve(NOISE[:n], np.hanning(9), "same") * np.hanning(n)
    smooth *= 0.5 / np.abs(smooth).max()
    return smooth


@pytest.mark.parametrize("level", [0.3, 0.03])
@pytest.mark.parametrize("start", [0.0, 0.6, 2.0, 3.4])
@pytest.mark.parametrize(
    "disturb",
    [
        lambda waveform, away: add(waveform, away, pop()),
        lambda waveform, away: add(waveform, away, np.tile(np.append(pop(0.02), np.zeros(1280)), 3)),
        lambda waveform, away: add(waveform, away, np.full(800, 0.9)),
        lambda waveform, away: add(waveform, away, slam()),
        lambda waveform, away: add(waveform, away, breath()),
        lambda waveform, away: add(waveform, 0, np.full(4 * RATE, 0.5)),
        lambda waveform, away: add(waveform, away, np.full(RATE // 2, 0.5)),
        lambda waveform, away: add(waveform, 0, 0.5 * np.sin(2 * np.pi * 50 * TIME) * (TIME / 4 + 0.2)),
        lambda waveform, away: add(waveform, 0, 0.8 * np.sin(2 * np.pi * 10 * TIME) * np.abs(TIME - away - 0.3 < 0.3)),
    ],
    ids=["pop", "pops", "thud", "slam", "breath", "constant", "step", "hum", "rumble"],
)
def test_the_word_is_kept(disturb, start, level):
    """At the edges and inside, the disturbance far away: the whole word is in the clip, give or take a frame."""
    waveform = scene(start, level, noise=level * 0.003)
    disturb(waveform, 2.6 if start < 1.5 else 0.5)
    marks = np.zeros_like(waveform)
    marks[round(start * RATE) :][: len(SEVEN)] = 1
    at = window_start(waveform, RATE, RATE)
    assert marks[at : at + RATE].sum() >= len(SEVEN) - 0.05 * RATE


@pytest.mark.parametrize("gap", [0.02, 0.15])
def test_a_pop_beside_the_word_does_not_push_it_out(gap):
    for at in (1.5 - gap - 0.05, 1.5 + len(SEVEN) / RATE + gap):
        waveform = scene(1.5, 0.2, 0.001)
        add(waveform, at, pop())
        first = window_start(waveform, RATE, RATE)
        assert first <= 1.5 * RATE and first + RATE >= 1.5 * RATE + len(SEVEN)


def test_a_word_in_noise_that_does_not_end():
    waveform = scene(2.2, 0.5, 0.02)
    assert np.abs(fit(waveform, RATE, RATE)).max() > 0.4


def test_rate_scale_and_reading_change_nothing(tmp_path: Path):
    waveform = scene(2.2, 0.3, 0.001)
    add(waveform, 0.5, pop())
    clip = fit(waveform, RATE, RATE)
    np.testing.assert_allclose(fit(waveform / 8, RATE, RATE) * 8, clip, atol=1e-6)
    save_audio(tmp_path / "a.wav", waveform, RATE, subtype="FLOAT")
    np.testing.assert_array_equal(read_mono(tmp_path / "a.wav", RATE, RATE), clip)
    halved = to_clip(waveform[None], RATE, 8000, 8000)
    assert np.corrcoef(halved, clip[::2])[0, 1] > 0.9
