"""Background noise that is made."""

import numpy as np
import pytest

from audionet.datasets.synthesis import make_noise


def test_noise():
    track = make_noise(16_000, 30.0, seed=3)
    assert track.shape == (480_000,) and track.dtype == np.float32
    np.testing.assert_array_equal(make_noise(16_000, 30.0, seed=3), track)
    assert np.abs(make_noise(16_000, 30.0, seed=4) - track).max() > 0.1
    slopes, tones = [], []
    for section in track.reshape(6, -1):
        assert np.abs(section).max() == pytest.approx(0.8)
        power = np.abs(np.fft.rfft(section)) ** 2
        frequency = np.fft.rfftfreq(len(section), 1 / 16_000)
        low, high = (power[(frequency > a) & (frequency < 2 * a)].mean() for a in (200, 3200))
        slopes.append(np.log2(low / high) / 4)
        tones.append(power.max() / np.median(power))
    assert slopes[:3] == pytest.approx([0, 1, 2], abs=0.1)  # white, pink, brown
    assert tones[4] > 1e5  # hum
    envelope = np.sqrt((track.reshape(6, -1, 1600) ** 2).mean(axis=2))  # of 0.1 s
    variation = envelope.std(axis=1) / envelope.mean(axis=1)
    assert variation[5] > 5 * variation[0]  # voices come and go


def test_noise_of_any_length():
    assert [len(make_noise(8_000, seconds)) for seconds in (1 / 8_000, 0.01, 7.3)] == [1, 80, 58_400]
    assert np.isfinite(make_noise(8_000, 0.001)).all()
    with pytest.raises(ValueError, match="seconds: expected at least one sample"):
        make_noise(8_000, 0)
