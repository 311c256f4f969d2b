"""Chroma equals librosa's with its tuning given."""

from math import inf
from typing import Any

import librosa
import numpy as np
import pytest
import torch

from audionet.features import Stream
from audionet.features.chroma import Chroma, chroma_matrix
from tests.sounds import assert_close, noise, sound

FILTERS: list[dict[str, Any]] = [
    {},
    {"tuning": 0.31},
    {"n_chroma": 24, "octwidth": None},
    {"n_chroma": 7, "ctroct": 4.0, "octwidth": 1.0},
    {"base_c": False},
    {"n_chroma": 36, "tuning": -0.2, "base_c": False},
]
TINY: dict[str, Any] = {"n_fft": 64, "hop_length": 20, "n_chroma": 4}


@pytest.fixture(params=["noise", "impulse", "sine", "recording", "shorter"])
def waveform(request):
    """(time,) float32."""
    return sound(request.param).float()


@pytest.mark.parametrize("filters", FILTERS, ids=str)
@pytest.mark.parametrize(("sample_rate", "n_fft"), [(16_000, 2048), (22_050, 512), (8000, 401)])
def test_matrix_equals_librosa(filters, sample_rate, n_fft):
    expected = librosa.filters.chroma(sr=sample_rate, n_fft=n_fft, dtype=np.float64, **filters).T
    assert_close(chroma_matrix(sample_rate=sample_rate, n_fft=n_fft, **filters), expected, 1e-6)


@pytest.mark.filterwarnings("ignore:n_fft=.* is too large:UserWarning")  # librosa, of the short clip
@pytest.mark.parametrize("filters", FILTERS, ids=str)
@pytest.mark.parametrize("norm", [inf, 1.0, 2.0, None])
def test_equals_librosa(waveform, filters, norm):
    for sizes in ({"hop_length": 160}, {"n_fft": 512, "win_length": 400, "hop_length": 128}):
        options = {"norm": norm, **filters, **sizes}
        expected = librosa.feature.chroma_stft(y=waveform.numpy(), sr=16_000, **({"tuning": 0.0} | options))
        assert_close(Chroma(**options)(waveform), expected)


def test_the_defaults_are_librosas():
    waveform = noise(2, 9000)
    expected = librosa.feature.chroma_stft(y=waveform.numpy(), sr=16_000, tuning=0.0)
    assert_close(Chroma()(waveform), expected)


@pytest.mark.parametrize("octave", [0.25, 0.5, 1.0, 2.0])
def test_a_tone_is_in_its_pitch_class(octave):
    names = Chroma().axis.names
    for name, frequency in (("A", 440.0), ("C", 261.63), ("F♯", 369.99)):
        tone = torch.sin(2 * torch.pi * octave * 2 * frequency / 16_000 * torch.arange(16_000))
        result = Chroma()(tone)[:, 4:-4]
        assert [names[k] for k in result.argmax(0)] == [name] * result.shape[1]
        assert (result.amax(0) == 1).all()
    assert Chroma(base_c=False).axis.names[0] == "A" and Chroma(n_chroma=24).axis.names == ()


def test_silence_stays_silent():
    result = Chroma()(torch.zeros(2, 3000))
    assert result.shape == (2, 12, 6) and not result.any()


@pytest.mark.parametrize("options", [{}, {"hop_length": 160, "norm": 2.0}, {"center": False, "norm": None}], ids=str)
@pytest.mark.parametrize("size", [333, 6000])
def test_a_stream_gives_the_same(options, size):
    front_end, waveform = Chroma(**options), noise(2, 10_000)
    stream = Stream(front_end)
    chunks = [stream.push(chunk) for chunk in waveform.split(size, -1)] + [stream.finish()]
    assert_close(torch.cat(chunks, -1), front_end(waveform), 1e-6)


@pytest.mark.parametrize("norm", [inf, 2.0, None])
def test_gradients(norm):
    generator = torch.Generator().manual_seed(2)
    waveform = torch.randn(2, 50, dtype=torch.float64, generator=generator, requires_grad=True)
    assert torch.autograd.gradcheck(Chroma(**TINY, norm=norm).double(), waveform)


def test_it_says_what_it_is_and_has_nothing_to_learn():
    front_end = Chroma(**TINY)
    assert front_end.state_dict() == {} and list(front_end.parameters()) == []
    assert "sample_rate=16000, n_chroma=4, norm=inf" in repr(front_end)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Chroma(n_chroma=0), r"n_chroma: expected more than 0.*got 0"),
        (lambda: Chroma(n_fft=0), r"n_fft: expected .*got 0"),
        (lambda: Chroma(sample_rate=-1), r"sample_rate: expected more than 0.*got -1"),
        (lambda: Chroma(octwidth=0.0), r"octwidth: expected more than 0.*got 0.0"),
        (lambda: Chroma(norm=0.0), r"norm: expected more than 0, or None.*got 0.0"),
        (lambda: Chroma(win_length=4096), r"win_length: expected 1 to n_fft = 2048.*got 4096"),
        (lambda: Chroma(power=None), r"power: expected 2 .* real spectrum, got None"),
        (lambda: Chroma()(torch.zeros(9000, dtype=torch.float64)), r"expected torch.float32, .*got torch.float64"),
    ],
)
def test_bad_input_is_refused_with_its_reason(build, message):
    with pytest.raises(ValueError, match=message):
        build()
