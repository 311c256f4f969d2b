"""The microfrontend hears what the package pymicro-features hears, which is TensorFlow's own code."""

import numpy as np
import pytest
import torch

from audionet.features import MicroFrontend, like
from tests.sounds import sound

TIME = np.arange(48_000)
NOISE = np.random.default_rng(0).normal(size=TIME.shape)
SOUNDS = {
    "a whisper": 30 * NOISE,
    "speech's level": 3000 * NOISE,
    "clipped": 30_000 * NOISE,
    "swelling": 5000 * NOISE * np.sin(TIME / 2000) ** 8,
    "sine": 20_000 * np.sin(0.2 * TIME),
    "chirp": 30_000 * np.sin(3e-5 * TIME**2),
    "silence": 0 * NOISE,
    "noise after silence": np.where(TIME < 24_000, 0, 1000 * NOISE),
    "square": 32_768 * np.sign(np.sin(0.05 * TIME)),
}


def theirs(samples: np.ndarray) -> np.ndarray:
    """Map int16 (time,) to (band, frame)."""
    package = pytest.importorskip("pymicro_features")
    front_end, data, found = package.MicroFrontend(), samples.tobytes(), []
    while len(data) >= 320:
        result = front_end.process_samples(data[:320])
        data = data[2 * result.samples_read :]
        if result.features:
            found.append(result.features)
    features: np.ndarray = np.array(found, np.float32).T
    return features


@pytest.mark.parametrize("name", [*SOUNDS, "recording"])
def test_the_numbers_are_theirs(name):
    """One weight is rounded otherwise by some C libraries: that moves single values, by a few steps."""
    samples = 32_768 * sound(name).numpy() if name == "recording" else SOUNDS[name]
    samples = np.clip(np.round(samples), -32_768, 32_767).astype(np.int16)
    expected = theirs(samples)
    made = like("micro_frontend")(samples.astype(np.float32) / 32_768)
    assert made.shape == expected.shape and made.dtype == np.float32
    assert (made != expected).mean() <= 2e-4


def test_samples_are_rounded_to_16_bits_and_clipped():
    exact = torch.randint(-32_768, 32_768, (2, 8000), generator=torch.Generator().manual_seed(0)) / 32_768
    front_end = MicroFrontend()
    expected = front_end(exact)
    assert torch.equal(front_end(exact + 0.4 / 32_768), expected)
    assert torch.equal(front_end(exact.double()), expected.double())
    assert torch.equal(front_end(exact.sign() * 3), front_end(exact.sign() * 3.5))


def test_another_rate_is_refused():
    with pytest.raises(ValueError, match="sample_rate: expected 16000 Hz, got '8000 Hz'; resample with audionet.audio"):
        MicroFrontend(sample_rate=8000)
