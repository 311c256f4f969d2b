"""What several test files use."""

import copy
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # one test a core: threads of several would wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Take Ctrl-C, as what tests start then does, also where a shell's `&` has had it ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def float64() -> Iterator[None]:
    """Build front-ends in float64.

    For logarithms: in a band 80 dB under the loudest, float32 has four digits left, whoever computes it.
    """
    import torch

    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def registries_as_they_were() -> Iterator[None]:
    """Take back what a test adds to the registries: other tests must not see it."""
    from audionet import augment, features, models

    registries = (features.FEATURES, models.MODELS, augment.AUGMENTATIONS)
    before = copy.deepcopy([vars(registry) for registry in registries])
    yield
    for registry, entries in zip(registries, before, strict=True):
        vars(registry).update(entries)


@pytest.fixture
def write_bundle(tmp_path: Path) -> Callable[..., Path]:
    """Write a small recogniser of ten digits with random weights; keywords replace the fields of its `Bundle`."""
    import torch

    from audionet import features, models
    from audionet.bundle import Bundle, Part, save

    def write(path: Path = tmp_path / "tiny.safetensors", **changes: Any) -> Path:
        network: dict[str, Any] = {"n_classes": 10, "n_bands": 20}
        front_end: dict[str, Any] = {"sample_rate": 8000, "n_mels": 20}
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = models.create("tcresnet", **network)
        fields: dict[str, Any] = {
            "task": "recognition",
            "model": Part("tcresnet", network, model),
            "front_end": Part("LogMel", front_end, features.create("LogMel", **front_end)),
            "sample_rate": 8000,
            "clip_length": 8000,
            "labels": ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
            "training": {"data": "made up", "accuracy": 0.5, "seed": 0},
        }
        save(path, Bundle(**fields | changes))
        return path

    return write


@pytest.fixture
def tone_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a folder of class folders: 40 half-second tones at 8 kHz for each of three pitches; caches go beside it."""
    import numpy as np

    from audionet import save_audio

    monkeypatch.setenv("AUDIONET_CACHE", str(tmp_path / "cache"))
    generator = np.random.default_rng(0)
    seconds = np.arange(4000) / 8000
    for label, hertz in (("low", 300), ("middle", 900), ("high", 2500)):
        (tmp_path / "tones" / label).mkdir(parents=True)
        for number in range(40):
            phase = 2 * np.pi * (hertz * generator.uniform(0.9, 1.1) * seconds + generator.uniform())
            tone = (0.3 * np.sin(phase) + 0.01 * generator.standard_normal(4000)).astype(np.float32)
            save_audio(tmp_path / "tones" / label / f"{number:02d}.wav", tone, 8000)
    return tmp_path / "tones"
