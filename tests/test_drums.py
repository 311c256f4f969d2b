"""The made-up drums of the benchmark, and the bits that a Gaussian takes."""

import math
from pathlib import Path

import pytest
import torch

from audionet import load_audio
from benchmarks.drums import DRUMS, character, code_bits, gaussian_bits, make


def test_a_gaussian_takes_the_entropy_of_gaussian_noise_and_more_of_any_other_sound_of_its_power() -> None:
    noise = 0.1 * torch.randn(200_000, generator=torch.Generator().manual_seed(0))
    assert gaussian_bits(noise) == pytest.approx(code_bits(noise), abs=0.01)
    sine = 0.1 * math.sqrt(2) * torch.sin(torch.arange(200_000) * 0.123)
    assert gaussian_bits(sine) > code_bits(sine) + 0.1


def test_the_steps_of_the_code_are_where_the_code_changes() -> None:
    """The differential entropy less the mean logarithm of the step is the same where steps are small."""
    noise = 0.02 * torch.randn(200_000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    step = 2 / 255 * math.log(256) * (1 + 255 * noise.abs()) / 255
    entropy = 0.5 * math.log2(2 * math.pi * math.e * 0.02**2) - float(step.log2().mean())
    assert gaussian_bits(noise) == pytest.approx(entropy, abs=0.02)


def test_the_drums_are_told_apart_by_their_spectrum(tmp_path: Path) -> None:
    make(tmp_path / "kit", count=2)
    make(tmp_path / "flat", count=1, flat=True)
    assert len(list((tmp_path / "flat").glob("*.wav"))) == 3
    centres = {}
    for name in DRUMS:
        files = sorted((tmp_path / "kit" / name).iterdir())
        assert len(files) == 2
        waveform, rate = load_audio(files[0])
        assert rate == 44_100 and waveform.shape[0] == 2 and 0.1 <= waveform.shape[1] / rate <= 0.4
        centres[name] = character(waveform[0].numpy(), rate)["centre, Hz"]
    assert centres["kick"] < 300 < centres["snare"] < centres["hat"]
