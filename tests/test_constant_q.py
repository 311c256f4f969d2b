"""The constant-Q and variable-Q transforms equal their definition, and librosa's where that does not resample."""

import warnings
from typing import Any

import librosa
import numpy as np
import pytest
import torch
from scipy.signal import fftconvolve

from audionet.features import Stream
from audionet.features.constant_q import CQT, VQT
from tests.sounds import assert_close, noise, relative_error, sound

C1 = 32.70319566257483
RATE = 8000  # of the sounds
SIZES: list[dict[str, Any]] = [
    {"gamma": 0.0, "hop_length": 512, "n_bins": 72},
    {"gamma": None, "hop_length": 80, "n_bins": 72},
    {"gamma": 0.0, "hop_length": 77, "n_bins": 72, "f_min": 40.0, "filter_scale": 0.7},  # does not halve
    {"gamma": 7.0, "hop_length": 160, "n_bins": 61, "norm": 2.0},  # an octave of one bin
    {"gamma": 0.0, "hop_length": 3000, "n_bins": 30, "bins_per_octave": 9, "f_min": 200.0, "norm": np.inf},
    {"gamma": None, "hop_length": 64, "n_bins": 5, "bins_per_octave": 24, "f_min": 1000.0},  # less than an octave
    {"gamma": 0.0, "hop_length": 4, "n_bins": 1, "f_min": 500.0},
]
TINY: dict[str, Any] = {"sample_rate": 400, "hop_length": 8, "f_min": 50.0, "n_bins": 5, "bins_per_octave": 4}


@pytest.fixture(params=["noise", "late impulse", "sine", "recording"])
def waveform(request):
    """(time,) float64."""
    return sound(request.param)


def definition(
    waveform, *, hop_length, gamma, n_bins, f_min=C1, bins_per_octave=12, filter_scale=1.0, norm=1.0, mode="constant"
):
    """librosa's kernels at the full rate, convolved with the waveform in float64 and taken at every frame."""
    ratio = 2.0 ** (2 / bins_per_octave)
    alpha = (ratio - 1) / (ratio + 1)
    kernels, lengths = librosa.filters.wavelet(
        freqs=f_min * 2.0 ** (np.arange(n_bins) / bins_per_octave),
        sr=RATE,
        filter_scale=filter_scale,
        norm=norm,
        gamma=gamma,
        alpha=alpha,
        dtype=np.complex128,
    )
    middle = kernels.shape[1] // 2
    padded = np.pad(np.asarray(waveform), middle + 1, mode=mode)
    first = 2 * middle + 1
    rows = [fftconvolve(padded, kernel)[first : first + len(waveform) + 1 : hop_length] for kernel in kernels]
    return np.sqrt(lengths)[:, None] * np.array(rows)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_equals_the_definition(waveform, sizes):
    front_end, expected = VQT(sample_rate=RATE, power=None, **sizes), definition(waveform, **sizes)
    assert_close(front_end(waveform.float()), expected)
    # Kernels keep what is over 1e-7 of their norm, which is what is left in float64; rounded once to float32 here.
    result = front_end.double()(waveform)
    assert result.dtype == torch.complex128
    assert_close(result, expected, 1e-6)


@pytest.mark.parametrize(("power", "tolerance"), [(1.0, 1e-5), (2.0, 1e-5), (3.0, 1e-5), (0.5, 1e-3)])
def test_power(waveform, power, tolerance):
    # Looser for the square root, which magnifies what is small: 1e-7 of the largest becomes 3e-4.
    sizes: dict[str, Any] = {"hop_length": 100, "n_bins": 30, "f_min": 220.0}
    expected = abs(definition(waveform, gamma=0.0, **sizes)) ** power
    assert_close(CQT(sample_rate=RATE, power=power, **sizes)(waveform.float()), expected, tolerance)


@pytest.mark.parametrize(("mode", "pad_mode"), [("reflect", "reflect"), ("edge", "edge"), ("constant", "constant")])
def test_padding(waveform, mode, pad_mode):
    sizes: dict[str, Any] = {"hop_length": 100, "n_bins": 24, "f_min": 220.0}
    expected = definition(waveform, gamma=0.0, mode=mode, **sizes)
    assert_close(CQT(sample_rate=RATE, pad_mode=pad_mode, **sizes)(waveform.float()), abs(expected))


def librosa_transform(kind, waveform, hop_length):
    transform = {CQT: librosa.cqt, VQT: librosa.vqt}[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its lowest kernels are longer than these clips
        options: dict[str, Any] = {"hop_length": hop_length, "n_bins": 60, "fmin": 65.4}
        return transform(waveform.numpy(), sr=RATE, tuning=0.0, sparsity=0.0, **options)


@pytest.mark.parametrize("kind", [CQT, VQT])
def test_equals_librosa_where_that_does_not_resample(waveform, kind):
    # Looser than 1e-5: librosa drops the negative half of its kernels' spectra, which the windows' side lobes reach,
    # at 6e-5 of the peak for constant Q, and at up to 1e-2 where kernels are a few periods long, as VQT's low ones are.
    front_end = kind(sample_rate=RATE, hop_length=101, n_bins=60, f_min=65.4, power=None)
    result, expected = front_end(waveform.float()), librosa_transform(kind, waveform, 101)
    assert_close(result[24:], expected[24:], 2e-4 if kind is CQT else 5e-4)
    assert_close(result, expected, 2e-4 if kind is CQT else 1e-2)


@pytest.mark.parametrize("kind", [CQT, VQT])
def test_differs_from_librosa_as_that_does_from_itself(waveform, kind):
    # With an even hop librosa halves the sample rate octave by octave, with kernels rounded to that rate's samples.
    # Every 16th frame of an odd hop says the same without: what librosa differs by from that, we may differ by.
    resampled, plain = (abs(librosa_transform(kind, waveform, hop)) for hop in (80, 5))
    result = kind(sample_rate=RATE, hop_length=80, n_bins=60, f_min=65.4)(waveform.float())
    tolerance = relative_error(plain[:, ::16], resampled)
    assert 1e-4 < tolerance < 0.25
    assert_close(result, resampled, tolerance + (2e-4 if kind is CQT else 1e-2))


def test_a_tone_is_in_its_bin_at_half_its_amplitude_times_the_root_of_the_length():
    front_end = CQT(n_bins=48, f_min=110.0, hop_length=256)
    tone = 0.6 * torch.cos(2 * torch.pi * 440 / 16_000 * torch.arange(16_000))
    result = front_end(tone)[:, 20:44]
    assert (result.argmax(0) == 24).all()
    ratio = 2.0 ** (1 / 6)
    length = 16_000 / 440 * (ratio + 1) / (ratio - 1)
    torch.testing.assert_close(result[24], torch.full((24,), 0.3 * length**0.5), rtol=1e-3, atol=0)


def test_silence_is_nothing_and_its_gradient_finite():
    for power in (1.0, 2.0, None):
        waveform = torch.zeros(2, 3000, requires_grad=True)
        result = CQT(power=power)(waveform)
        assert result.shape == (2, 84, 6) and not result.abs().any()
        result.abs().sum().backward()
        assert waveform.grad is not None and waveform.grad.isfinite().all()


def test_number_of_frames():
    for time in (1, 10, 511, 512, 513, 16_000):
        assert CQT()(torch.ones(time)).shape == (84, 1 + time // 512)
        assert VQT(hop_length=77, n_bins=12)(torch.ones(3, time)).shape == (3, 12, 1 + time // 77)
    front_end = CQT(pad_mode="reflect")
    assert front_end(torch.ones(4353)).shape == (84, 9)
    with pytest.raises(ValueError, match=r"at least 4353 samples .*\(4352,\)"):
        front_end(torch.ones(4352))


@pytest.mark.parametrize("hop_length", [16, 512])
def test_many_frames_and_clips_equal_one_by_one(hop_length):
    # More than are computed at a time, of one clip or of many.
    front_end = CQT(hop_length=hop_length, n_bins=48, f_min=100.0)
    batch = noise(60, 1, 16_000) * torch.logspace(-3, 1, 60).view(-1, 1, 1)
    batch = batch[:3] if hop_length == 16 else batch
    result = front_end(batch)
    assert result.shape == (len(batch), 1, 48, 1 + 16_000 // hop_length)
    for clip, actual in zip(batch, result, strict=True):
        assert_close(front_end(clip), actual, 1e-6)
    expected = front_end(batch[0, 0, :6000])  # few enough for the same frames in one step where the hop is long
    n_frames = 4000 // hop_length
    assert_close(result[0, 0, :, :n_frames], expected[:, :n_frames], 1e-6)


@pytest.mark.parametrize("front_end", [CQT(), CQT(hop_length=160, power=2.0, pad_mode="reflect"), VQT(power=None)])
@pytest.mark.parametrize("size", [1000, 333, 6000])
def test_a_stream_gives_the_same(front_end, size):
    waveform = noise(2, 10_000)
    stream = Stream(front_end)
    assert stream.latency == front_end.framing.span - front_end.framing.left - 1
    chunks = [stream.push(chunk) for chunk in waveform.split(size, -1)] + [stream.finish()]
    assert_close(torch.cat(chunks, -1), front_end(waveform), 1e-6)


def test_a_frame_sees_its_span_alone():
    front_end = CQT(hop_length=160, n_bins=36, f_min=200.0)
    waveform = noise(8000).requires_grad_()
    front_end(waveform)[:, 20].sum().backward()
    framing = front_end.framing
    first = 20 * 160 - framing.left
    assert waveform.grad is not None
    seen = waveform.grad.nonzero().flatten()
    assert first <= seen.min() and seen.max() < first + framing.span
    assert framing.span - 2 * 160 < len(seen)


@pytest.mark.parametrize("power", [1.0, 2.0, 3.0, None])
def test_gradients(float64, power):
    waveform = torch.randn(2, 60, generator=torch.Generator().manual_seed(2), requires_grad=True)
    assert torch.autograd.gradcheck(VQT(**TINY, power=power), waveform)


def test_it_says_what_it_is_and_has_nothing_to_learn():
    front_end = CQT(**TINY)
    assert front_end.state_dict() == {} and list(front_end.parameters()) == []
    assert repr(front_end).startswith("CQT(\n  sample_rate=400, hop_length=8, f_min=50.0, n_bins=5, bins_per_octave=4")
    assert front_end.axis.frequencies is not None
    torch.testing.assert_close(front_end.axis.frequencies, 50 * 2 ** (torch.arange(5) / 4))
    quantities = [VQT(**TINY, power=power).axis.quantity for power in (1.0, 2.0, None, 3.0)]
    assert quantities == ["magnitude", "power", "magnitude", "magnitude^3.0"]


@pytest.mark.parametrize("gamma", [0.0, 40.0])
def test_the_largest_number_of_bins_is_named(gamma):
    with pytest.raises(
        ValueError, match=r"n_bins: expected at most .* below 8000 Hz, half the sample rate, got 120; .*lower n_bins"
    ) as info:
        VQT(n_bins=120, gamma=gamma)
    largest = int(str(info.value).rpartition("to ")[2])
    VQT(n_bins=largest, gamma=gamma)
    with pytest.raises(ValueError, match=f"at most {largest} from"):
        VQT(n_bins=largest + 1, gamma=gamma)
    # librosa's own limit is the same.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        librosa.vqt(np.zeros(9000), sr=16_000, n_bins=largest, gamma=gamma)
        with pytest.raises(librosa.ParameterError, match="Nyquist"):
            librosa.vqt(np.zeros(9000), sr=16_000, n_bins=largest + 1, gamma=gamma)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: CQT(sample_rate=0), r"sample_rate: expected more than 0.*got 0"),
        (lambda: CQT(hop_length=0), r"hop_length: expected more than 0.*got 0"),
        (lambda: CQT(n_bins=0), r"n_bins: expected more than 0.*got 0"),
        (lambda: CQT(bins_per_octave=-12), r"bins_per_octave: expected more than 0.*got -12"),
        (lambda: CQT(f_min=0.0), r"f_min: expected more than 0.*got 0.0"),
        (lambda: CQT(filter_scale=-1.0), r"filter_scale: expected more than 0.*got -1.0"),
        (lambda: CQT(norm=0.0), r"norm: expected more than 0.*got 0.0"),
        (lambda: CQT(power=0.0), r"power: expected 2 \(power\).*got 0.0"),
        (lambda: VQT(gamma=-1.0), r"gamma: expected 0 Hz or more, or None.*got -1.0"),
        (
            lambda: CQT(f_min=9000.0, n_bins=1),
            r"n_bins: expected at most 0 from f_min = 9000 Hz .*got 1; .*lower f_min",
        ),
        (lambda: CQT(pad_mode="wrap"), r"pad_mode: expected one of.*got 'wrap'"),
        (
            lambda: CQT()(torch.zeros(9000, dtype=torch.float64)),
            r"expected torch.float32, .*got torch.float64; conv",
        ),
    ],
)
def test_bad_input_is_refused_with_its_reason(build, message):
    with pytest.raises(ValueError, match=message):
        build()
