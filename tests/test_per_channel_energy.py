"""PCEN equals its paper's equations and librosa's, streams exactly, learns within its limits, and refuses bad input."""

import warnings
from typing import Any

import librosa
import numpy as np
import pytest
import scipy.signal
import torch

from audionet.features import Stream
from audionet.features.per_channel_energy import PCEN, pcen, pcen_step, smooth
from tests.sounds import assert_close, noise, sound

PAPER: dict[str, float] = {"smoothing": 0.025, "gain": 0.98, "bias": 2.0, "power": 0.5}
TINY: dict[str, Any] = {"sample_rate": 1000, "n_fft": 16, "win_length": 12, "hop_length": 5, "n_mels": 3}
FRONT_ENDS = [PCEN(), PCEN(initial=1.0), PCEN(trainable=True), PCEN(center=False, pad_mode="constant", time_constant=2)]


@pytest.fixture(params=["noise", "impulse", "sine", "silence", "short", "recording"])
def waveform(request):
    """(time,) float32."""
    return sound(request.param).float()


def energies(*shape, seed=0):
    """Over twelve orders of magnitude."""
    generator = torch.Generator().manual_seed(seed)
    return 10 ** (12 * torch.rand(*shape, generator=generator, dtype=torch.float64) - 6)


def by_loops(energy, smoothing, gain, bias, power, eps, initial):
    """Wang et al. 2017, eq. 1 and 2, one number at a time; settings are (band,)."""
    result = np.empty_like(energy)
    for band in range(energy.shape[1]):
        s = smoothing[band]
        level = energy[0, band] if initial is None else initial
        for frame in range(len(energy)):
            e = energy[frame, band]
            level = (1 - s) * level + s * e
            agc = e / (eps + level) ** gain[band]
            result[frame, band] = (agc + bias[band]) ** power[band] - bias[band] ** power[band]
    return result


@pytest.mark.parametrize("n_frames", [1, 2, 101, 128, 129, 300])
@pytest.mark.parametrize("initial", [None, 0.0, 1.0])
def test_equals_the_equations(n_frames, initial):
    energy = energies(n_frames, 3)
    for settings in (
        {"smoothing": 0.025, "gain": 0.98, "bias": 2.0, "power": 0.5},
        {"smoothing": 1.0, "gain": 0.5, "bias": 0.1, "power": 0.23},
        {"smoothing": [0.9, 0.04, 1e-3], "gain": [0.0, 0.96, 1.2], "bias": [1.0, 2.0, 10.0], "power": [1.0, 0.5, 0.1]},
    ):
        given = {name: torch.tensor(value, dtype=torch.float64) for name, value in settings.items()}
        bands = {name: np.broadcast_to(value, 3) for name, value in settings.items()}
        expected = by_loops(energy.numpy(), **bands, eps=1e-6, initial=initial)
        assert_close(pcen(energy, **given, eps=1e-6, initial=initial), expected, 1e-10)


@pytest.mark.parametrize("per_band", [False, True])
def test_the_level_over_ten_minutes_equals_scipy(per_band):
    energy, s = energies(60_000, 2), 0.025
    expected, _ = scipy.signal.lfilter([s], [1, s - 1], energy, axis=0, zi=(1 - s) * energy[:1].numpy())
    smoothing = torch.tensor([s, s], dtype=torch.float64) if per_band else s
    expected = torch.from_numpy(expected)
    torch.testing.assert_close(smooth(energy, smoothing, energy[:1]), expected, rtol=1e-9, atol=0)


@pytest.mark.filterwarnings("ignore:n_fft=512 is too large")  # librosa, of the short clip
@pytest.mark.parametrize(
    ("sample_rate", "hop_length", "power", "scale", "time_constant"),
    [(16_000, 160, 1.0, 2.0**31, 0.4), (16_000, 160, 2.0, 2.0**30, 0.06), (8000, 77, 2.0, 1.0, 1.3)],
)
def test_equals_librosa(float64, waveform, sample_rate, hop_length, power, scale, time_constant):
    sizes = {"n_fft": 512, "win_length": 480, "hop_length": hop_length, "n_mels": 24, "pad_mode": "constant"}
    mel = librosa.feature.melspectrogram(
        y=waveform.double().numpy(), sr=sample_rate, **sizes, power=power, htk=True, norm=None
    )
    settings = {"gain": 0.9, "bias": 1.5, "power": 0.4, "time_constant": time_constant, "eps": 1e-5}
    expected = librosa.pcen(mel * scale, sr=sample_rate, hop_length=hop_length, **settings)
    front_end = PCEN(sample_rate=sample_rate, **sizes, **settings, spectrum_power=power, scale=scale, initial=1.0)
    assert_close(front_end(waveform.double()), expected, 1e-6)
    # Looser than 1e-5: what float32 rounds in a band 80 dB under the loudest is lifted to the level of the others.
    assert_close(front_end.float()(waveform.float()), expected, 1e-4)


def test_the_defaults_are_the_papers():
    given = PCEN().given
    assert {name: round(value, 3) for name, value in given.items()} == PAPER
    assert PCEN().eps == 1e-6


def test_silence_stays_silent_and_gain_makes_loudness_nothing():
    assert PCEN()(torch.zeros(2, 16_000)).abs().max() == 0
    loud, quiet = (PCEN(gain=1.0)(level * noise(16_000)) for level in (3, 0.03))
    assert_close(quiet, loud)


@pytest.mark.parametrize("front_end", FRONT_ENDS, ids=["fixed", "from 1", "trainable", "not centred"])
@pytest.mark.parametrize("size", [1, 160, 333, 4000])
def test_a_stream_equals_the_clip(front_end, waveform, size):
    if not front_end.framing.left and len(waveform) < front_end.framing.span:
        with pytest.raises(ValueError, match="at least 512 samples"):
            front_end(waveform)
        return
    stream = Stream(front_end)
    with torch.no_grad():
        frames = [stream.push(chunk) for chunk in waveform.split(size if size > 1 else 37)]
        assert_close(torch.cat([*frames, stream.finish()], -1), front_end(waveform), 1e-6)


def test_frames_that_follow_each_other_in_any_parts():
    energy = energies(2, 400, 3)
    settings: dict[str, Any] = {**PAPER, "smoothing": torch.tensor([0.02, 0.5, 1.0]).double(), "eps": 1e-6}
    for initial in (None, 1.0):
        state: dict[str, torch.Tensor] = {}
        parts = []
        for part in energy.split([0, 1, 0, 130, 1, 128, 140], 1):
            x, state = pcen_step(part, state, **settings, initial=initial)
            assert x.shape == part.shape
            parts.append(x)
        assert_close(torch.cat(parts, 1), pcen(energy, **settings, initial=initial), 1e-12)
        assert set(state) == {"level"} and state["level"].shape == (2, 1, 3)


def test_blocks_of_clips_without_gradients_equal_all_at_once_with():
    many = noise(70, 2000)
    with torch.no_grad():
        blocks = PCEN(trainable=True)(many)
    assert_close(PCEN(trainable=True)(many), blocks, 1e-6)


def test_what_is_learned_begins_at_what_is_given_and_stays_in_range(waveform):
    settings: dict[str, Any] = {"gain": 0.8, "bias": 3.0, "power": 0.3, "time_constant": 0.1}
    fixed, trainable = PCEN(**settings), PCEN(**settings, trainable=True)
    assert fixed.state_dict() == {}
    assert {name: tuple(p.shape) for name, p in trainable.named_parameters()} == dict.fromkeys(
        ("log_gain", "log_bias", "log_power", "logit_smoothing"), (40,)
    )
    assert_close(trainable(waveform), fixed(waveform), 2e-6)
    optimizer = torch.optim.SGD(trainable.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        trainable(noise(8000)).mean().backward()
        assert all(p.grad is not None and p.grad.abs().min() > 0 for p in trainable.parameters())
        optimizer.step()
    for name, value in trainable.settings.items():
        assert (torch.as_tensor(value) > 0).all(), name
    assert (torch.as_tensor(trainable.settings["smoothing"]) < 1).all()


@pytest.mark.parametrize("initial", [None, 1.0])
def test_gradients(initial):
    generator = torch.Generator().manual_seed(4)
    front_end = PCEN(**TINY, trainable=True, scale=1.0, initial=initial, time_constant=0.02).double()
    waveform = torch.randn(2, 33, dtype=torch.float64, generator=generator, requires_grad=True)
    names = [name for name, _ in front_end.named_parameters()]

    def run(waveform, *values):
        return torch.func.functional_call(front_end, dict(zip(names, values, strict=True)), waveform)

    assert torch.autograd.gradcheck(run, (waveform, *front_end.parameters()))


@pytest.mark.parametrize("front_end", [PCEN(), PCEN(trainable=True, initial=1.0)], ids=["fixed", "trainable"])
def test_exported_it_is_the_same_at_any_length(front_end):
    lengths = (torch.export.Dim("batch"), torch.export.Dim("time", min=1000))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(
            front_end,
            (noise(2, 8000),),
            dynamic_shapes=(dict(enumerate(lengths)),),
            prefer_deferred_runtime_asserts_over_guards=True,
        ).module()
    for shape in ((2, 8000), (1, 1000), (1, 10_239), (1, 10_240), (3, 60_000)):
        waveform = noise(*shape, seed=1)
        assert_close(program(waveform), front_end(waveform))


def test_it_says_what_it_is():
    assert "gain=0.98, bias=2.0, power=0.5, smoothing=0.024689" in repr(PCEN())
    frequencies = PCEN(n_mels=24).axis.frequencies
    assert frequencies is not None and len(frequencies) == 24


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: PCEN(gain=0.0), r"gain: expected more than 0.*got 0.0"),
        (lambda: PCEN(bias=-1.0), r"bias: expected more than 0.*got -1.0"),
        (lambda: PCEN(power=0.0), r"power: expected more than 0.*got 0.0"),
        (lambda: PCEN(eps=0.0), r"eps: expected more than 0.*got 0.0"),
        (lambda: PCEN(scale=float("inf")), r"scale: expected more than 0.*got inf"),
        (lambda: PCEN(time_constant=float("nan")), r"time_constant: expected more than 0.*got nan"),
        (lambda: PCEN(initial=-1.0), r"initial: expected 0 or more, or None.*got -1.0"),
        (lambda: PCEN(f_max=9000.0), r"got \(0.0, 9000.0\)"),
        (lambda: PCEN(spectrum_power=-1.0), r"power: expected 2.*got -1.0"),
    ],
)
def test_bad_input_is_refused_with_its_reason(build, message):
    with pytest.raises(ValueError, match=message):
        build()
