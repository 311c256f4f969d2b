"""The gammatone filterbank equals its impulse responses, convolved, squared and averaged in float64."""

from typing import Any

import numpy as np
import pytest
import scipy
import torch

from audionet.features import Stream
from audionet.features.gammatone import Gammatone, erb, gammatone_frequencies, gammatone_kernel
from tests.sounds import assert_close, noise, sound

RATE = 8000  # of the sounds
SIZES: list[dict[str, Any]] = [
    {},
    {"win_length": 201, "hop_length": 77, "n_bands": 10},  # which have no common divisor
    {"win_length": 100, "hop_length": 250, "n_bands": 10},  # samples between the frames
    {"f_min": 300.0, "f_max": 3000.0, "n_bands": 1, "order": 2, "bandwidth": 0.8},
    {"f_min": 0.0, "n_bands": 20, "order": 3},
    {"n_bands": 10, "order": 1, "center": False, "win_length": 240},
]
TINY: dict[str, Any] = {"f_min": 1000.0, "n_bands": 3, "win_length": 12, "hop_length": 8}


@pytest.fixture(params=["noise", "impulse", "sine", "recording", "short"])
def waveform(request):
    """(time,) float64."""
    return sound(request.param)


def definition(
    waveform,
    *,
    win_length=480,
    hop_length=160,
    n_bands=64,
    f_min=50.0,
    f_max=RATE / 2,
    order=4,
    bandwidth=1.019,
    center=True,
):
    """The formulae of Glasberg and Moore and of Patterson, over two seconds of impulse response."""
    low, high = (21.4 * np.log10(0.00437 * f + 1) for f in (f_min, f_max))
    rows = []
    for k in range(n_bands):
        f = (10 ** ((low + (k + 0.5) * (high - low) / n_bands) / 21.4) - 1) / 0.00437
        b = bandwidth * 24.7 * (0.00437 * f + 1)
        t = np.arange(2 * RATE) / RATE
        kernel = t ** (order - 1) * np.exp(-2 * np.pi * b * t) * np.cos(2 * np.pi * f * t)
        kernel /= abs(np.sum(kernel * np.exp(-2j * np.pi * f * t)))
        half = win_length // 2 if center else 0
        padded = np.pad(np.asarray(waveform), (0, half))  # the filters ring on behind the clip
        power = np.pad(scipy.signal.convolve(padded, kernel)[: len(padded)], (half, 0)) ** 2
        starts = range(0, len(power) - win_length + 1, hop_length)
        rows.append([power[start : start + win_length].mean() for start in starts])
    return np.array(rows)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_equals_the_definition(waveform, sizes):
    expected = definition(waveform, **sizes)
    result = Gammatone(sample_rate=RATE, **sizes)(waveform.float())
    assert_close(result, expected)
    for row, expected_row in zip(result, expected, strict=True):  # quiet bands too
        if expected_row.max() > 1e-4 * expected.max():
            assert_close(row, expected_row)


def test_erb():
    # Glasberg and Moore 1990: 24.7 Hz at 0, 132.6 Hz at 1 kHz; a step of one on their scale is one bandwidth.
    np.testing.assert_allclose(erb(torch.tensor([0.0, 1000.0])), [24.7, 132.639], rtol=1e-6)
    centres = gammatone_frequencies(n_bands=2000, f_min=50.0, f_max=8000.0)
    n_erbs = (centres.diff() / erb((centres[1:] + centres[:-1]) / 2)).numpy()
    assert n_erbs.max() / n_erbs.min() - 1 < 1e-4
    # Together they are the integral of df / ERB(f).
    assert n_erbs.sum() * 2000 / 1999 == pytest.approx(np.log(35.96 / 1.2185) / (24.7 * 0.00437), rel=1e-4)


@pytest.mark.parametrize("frequency", [100.0, 440.0, 1000.0, 4000.0])
def test_kernel_equals_scipys_shape(frequency):
    kernel = gammatone_kernel(frequency, sample_rate=16_000).numpy()
    theirs, _ = scipy.signal.gammatone(frequency, "fir", order=4, numtaps=len(kernel), fs=16_000)
    scale = (kernel @ theirs) / (theirs @ theirs)
    assert_close(kernel, scale * theirs)
    assert scale == pytest.approx(1, abs=0.02)  # scipy's gain is that of the envelope alone


@pytest.mark.parametrize("frequency", [60.0, 440.0, 1000.0, 4000.0, 7500.0])
@pytest.mark.parametrize("order", [1, 2, 4, 6])
def test_gain_is_one_at_the_centre_and_the_bandwidth_that_of_the_ear(frequency, order):
    bandwidth = scipy.special.gamma(order) ** 2 * 2.0 ** (2 * order - 2) / np.pi / scipy.special.gamma(2 * order - 1)
    kernel = gammatone_kernel(frequency, sample_rate=16_000, order=order, bandwidth=bandwidth)
    _, response = scipy.signal.freqz(kernel.numpy(), worN=[frequency], fs=16_000)
    assert abs(response[0]) == pytest.approx(1, abs=1e-9)
    if order == 4:
        assert bandwidth == pytest.approx(1.019, abs=5e-4)
    if order > 1 and 400 < frequency < 5000:  # else what is beyond 0 or 8,000 Hz folds back into it
        _, response = scipy.signal.freqz(kernel.numpy(), worN=2**16, fs=16_000)
        assert abs(response).max() < 1.005
        width = (abs(response) ** 2).sum() * 8000 / 2**16
        assert width == pytest.approx(24.7 * (0.00437 * frequency + 1), rel=0.02)


def test_a_tone_in_the_middle_of_a_band_has_its_power_there():
    front_end = Gammatone(n_bands=20)
    frequency = float(gammatone_frequencies(n_bands=20, f_min=50.0, f_max=8000.0)[9])
    assert front_end.axis.frequencies is not None and front_end.axis.frequencies[9] == frequency
    tone = 0.5 * torch.cos(2 * torch.pi * frequency / 16_000 * torch.arange(16_000))
    result = front_end(tone)[:, 20:80]
    assert (result.argmax(0) == 9).all()
    torch.testing.assert_close(result[9], torch.full((60,), 0.125), rtol=0.01, atol=0)


def test_silence_is_nothing():
    result = Gammatone()(torch.zeros(2, 3000))
    assert result.shape == (2, 64, 19) and not result.any()


def test_filters_do_not_look_ahead():
    front_end, waveform = Gammatone(n_bands=8), torch.zeros(8000)
    waveform[4000:] = 0.1
    result = front_end(waveform)
    first = (4000 - 240) // 160 + 1  # the first frame whose window reaches sample 4,000
    assert result[:, :first].max() < 1e-10 * result.max() < result[-1, first]


@pytest.mark.parametrize(
    "options", [{}, {"center": False}, {"pad_mode": "reflect"}, {"win_length": 401, "n_bands": 8}], ids=str
)
@pytest.mark.parametrize("size", [333, 6000])
def test_a_stream_gives_the_same(options, size):
    front_end, waveform = Gammatone(**options), noise(2, 9000)
    stream = Stream(front_end)
    chunks = [stream.push(chunk) for chunk in waveform.split(size, -1)] + [stream.finish()]
    assert_close(torch.cat(chunks, -1), front_end(waveform), 1e-6)
    assert stream.latency == front_end.win_length - 1 - (front_end.win_length // 2 if front_end.framing.right else 0)


@pytest.mark.parametrize("order", [1, 4])
def test_gradients(order):
    generator = torch.Generator().manual_seed(2)
    waveform = torch.randn(2, 40, dtype=torch.float64, generator=generator, requires_grad=True)
    assert torch.autograd.gradcheck(Gammatone(**TINY, order=order).double(), waveform)


def test_it_says_what_it_is_and_has_nothing_to_learn():
    front_end = Gammatone(**TINY)
    assert front_end.state_dict() == {} and list(front_end.parameters()) == []
    assert "sample_rate=16000, n_bands=3, f_min=1000.0, f_max=8000.0, order=4" in repr(front_end)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Gammatone(n_bands=0), r"n_bands: expected .*got 0"),
        (lambda: Gammatone(order=0), r"order: expected .*got 0"),
        (lambda: Gammatone(win_length=0), r"win_length: expected .*got 0"),
        (lambda: Gammatone(hop_length=-1), r"hop_length: expected .*got -1"),
        (lambda: Gammatone(bandwidth=0.0), r"bandwidth: expected more than 0.*got 0.0"),
        (lambda: Gammatone(f_max=8001.0), r"<= 8000 Hz, half the sample rate, got \(50.0, 8001.0\)"),
        (lambda: Gammatone(f_min=-1.0), r"got \(-1.0, "),
        (lambda: Gammatone(pad_mode="wrap"), r"pad_mode: expected one of.*got 'wrap'"),
        (lambda: Gammatone(pad_mode="reflect")(torch.zeros(900)), r"at least 2094 samples .*\(900,\)"),
        (
            lambda: Gammatone()(torch.zeros(9000, dtype=torch.float64)),
            r"expected torch.float32, .*got torch.float64",
        ),
    ],
)
def test_bad_input_is_refused_with_its_reason(build, message):
    with pytest.raises(ValueError, match=message):
        build()
