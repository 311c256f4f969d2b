"""Descriptors equal librosa's, for all its paddings and defaults, also on a stream; gradients where there are any."""

import copy
import pickle
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
import soundfile
import torch

from audionet.features import Stream
from audionet.features.descriptors import RMS, SpectralCentroid, SpectralFlatness, SpectralRolloff, ZeroCrossingRate

DATA = Path(__file__).parents[2] / "shared" / "data"
LIBROSA: dict[str, Any] = {
    "sample_rate": 22_050,
    "n_fft": 2048,
    "win_length": None,
    "hop_length": 512,
    "pad_mode": "constant",
}
SPECTRAL = [
    LIBROSA,
    {**LIBROSA, "n_fft": 512, "win_length": 480, "hop_length": 160, "sample_rate": 16_000},
    {**LIBROSA, "n_fft": 401, "win_length": 320, "hop_length": 77, "sample_rate": 11_025, "pad_mode": "reflect"},
    {**LIBROSA, "n_fft": 512, "pad_mode": "edge"},
    {**LIBROSA, "n_fft": 512, "pad_mode": "symmetric"},
    {**LIBROSA, "n_fft": 512, "center": False},
]
FRAMED = [
    {"frame_length": 2048, "hop_length": 512},
    {"frame_length": 401, "hop_length": 77},
    {"frame_length": 512, "hop_length": 160, "center": False},
]
ALL = [SpectralCentroid(), SpectralRolloff(), SpectralFlatness(), ZeroCrossingRate(), RMS()]


@pytest.fixture(params=["noise", "impulse", "silence", "tone", "recording"])
def waveform(request):
    """(time,) float64, 4,000 samples."""
    if request.param == "noise":
        return 0.1 * torch.randn(4000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    if request.param == "impulse":
        return torch.eye(4000, dtype=torch.float64)[1234]
    if request.param == "silence":
        return torch.zeros(4000, dtype=torch.float64)
    if request.param == "tone":
        return 0.5 * torch.sin(2 * torch.pi * 0.0617 * torch.arange(4000, dtype=torch.float64))
    path = DATA / "fsdd" / "recordings" / "7_jackson_0.wav"
    if not path.exists():
        pytest.skip(f"needs the real recording {path}")
    return torch.from_numpy(soundfile.read(path)[0][:4000])


def assert_close(actual, expected, tolerance=1e-5):
    """Equal shape, and a difference within ``tolerance`` of the largest expected magnitude."""
    expected = torch.as_tensor(np.ascontiguousarray(expected))
    assert actual.shape == expected.shape
    error = float((actual - expected).abs().max())
    assert error <= tolerance * float(expected.abs().max()), f"error {error:.2g}"


def theirs_of(options):
    """The options of a spectrum as librosa calls them."""
    return {{"sample_rate": "sr"}.get(name, name): value for name, value in options.items()}


@pytest.mark.parametrize("options", SPECTRAL, ids=str)
def test_spectral_descriptors_equal_librosa(float64, waveform, options):
    y, theirs = waveform.numpy(), theirs_of(options)
    assert_close(SpectralCentroid(**options)(waveform), librosa.feature.spectral_centroid(y=y, **theirs))
    assert_close(SpectralRolloff(**options)(waveform), librosa.feature.spectral_rolloff(y=y, **theirs))
    expected = librosa.feature.spectral_rolloff(y=y, roll_percent=0.5, **theirs)
    assert_close(SpectralRolloff(**options, share=0.5)(waveform), expected)
    theirs.pop("sr")
    assert_close(SpectralFlatness(**options)(waveform), librosa.feature.spectral_flatness(y=y, **theirs))
    expected = librosa.feature.spectral_flatness(y=y, amin=1e-3, **theirs)
    assert_close(SpectralFlatness(**options, offset=1e-3)(waveform), expected)


def test_librosas_defaults_are_the_ones_we_say(float64, waveform):
    y = waveform.numpy()
    assert_close(SpectralCentroid(**LIBROSA)(waveform), librosa.feature.spectral_centroid(y=y))
    assert_close(SpectralRolloff(**LIBROSA)(waveform), librosa.feature.spectral_rolloff(y=y))
    assert_close(SpectralFlatness(**LIBROSA)(waveform), librosa.feature.spectral_flatness(y=y))
    sizes: dict[str, Any] = {"frame_length": 2048, "hop_length": 512}
    assert_close(ZeroCrossingRate(**sizes)(waveform), librosa.feature.zero_crossing_rate(y))
    assert_close(RMS(**sizes, pad_mode="constant")(waveform), librosa.feature.rms(y=y))


@pytest.mark.parametrize("options", FRAMED, ids=str)
def test_level_and_crossings_equal_librosa(waveform, options):
    y = waveform.numpy()
    assert_close(ZeroCrossingRate(**options)(waveform), librosa.feature.zero_crossing_rate(y, **options))
    expected = librosa.feature.zero_crossing_rate(y, **options, threshold=0.05)
    assert_close(ZeroCrossingRate(**options, threshold=0.05)(waveform), expected)
    for pad_mode in ("constant", "reflect", "edge", "symmetric"):
        expected = librosa.feature.rms(y=y, pad_mode=pad_mode, dtype=np.float64, **options)
        assert_close(RMS(**options, pad_mode=pad_mode)(waveform), expected)


def test_a_number_that_one_knows():
    tone = (0.5 * torch.sin(2 * torch.pi * 1000 * torch.arange(16_000, dtype=torch.float64) / 16_000)).float()
    middle = slice(3, -3)
    assert SpectralCentroid()(tone)[0, middle] == pytest.approx(1000, abs=2)
    assert (SpectralRolloff()(tone)[0, middle] - 1000).abs().max() <= 16_000 / 512
    assert SpectralFlatness()(tone)[0, middle].amax() < 1e-6
    assert ZeroCrossingRate()(tone)[0, middle] == pytest.approx(2 * 1000 / 16_000, abs=1 / 512)
    assert RMS()(tone)[0, middle] == pytest.approx(0.5 / 2**0.5, rel=1e-4)
    noise = torch.randn(160_000, generator=torch.Generator().manual_seed(1))
    assert SpectralCentroid()(noise).mean() == pytest.approx(4000, rel=0.02)
    assert 0.5 < SpectralFlatness()(noise).mean() < 0.6  # exp(-0.5772) for white noise
    assert ZeroCrossingRate()(noise).mean() == pytest.approx(0.5 * 511 / 512, rel=0.02)
    silence = torch.zeros(2000)
    for front_end, expected in zip(ALL, (0, 0, 1, 0, 0), strict=True):
        assert front_end(silence) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("front_end", ALL, ids=lambda front_end: type(front_end).__name__)
def test_float32_is_float64_rounded(waveform, front_end):
    result, exact = front_end(waveform.float()), copy.deepcopy(front_end).double()(waveform)
    assert result.dtype == torch.float32 and exact.dtype == torch.float64
    if isinstance(front_end, SpectralRolloff):  # where the share lies between two bins, rounding may choose the other
        assert (result - exact).abs().max() <= 16_000 / 512
    else:
        assert_close(result.double(), exact)


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("pad_mode", ["reflect", "symmetric", "edge", "constant"])
def test_a_stream_equals_the_whole_clip(center, pad_mode):
    options = {"hop_length": 77, "center": center, "pad_mode": pad_mode}
    clip = torch.randn(2, 1500, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    for kind in (SpectralCentroid, SpectralRolloff, SpectralFlatness, ZeroCrossingRate, RMS):
        front_end = kind(**options).double()
        whole = front_end(clip)
        for sizes in ([53] * 28, [7, 0, 249, 1, 1, 900], [1500]):
            stream = Stream(front_end)
            parts = clip.split([*sizes, 1500 - sum(sizes)], -1)
            frames = [stream.push(part) for part in parts] + [stream.finish()]
            assert_close(torch.cat(frames, -1), whole, 1e-6)
        assert stream.latency == (255 if center else 511)


@pytest.mark.parametrize("front_end", ALL, ids=lambda front_end: type(front_end).__name__)
def test_a_batch_equals_one_by_one(front_end):
    batch = torch.randn(2, 3, 2000, generator=torch.Generator().manual_seed(3)) * torch.tensor([[[1.0]], [[1e-3]]])
    result = front_end(batch)
    assert result.shape == (2, 3, 1, 13)
    for index in np.ndindex(2, 3):
        torch.testing.assert_close(result[index], front_end(batch[index]), rtol=1e-5, atol=1e-9)
    assert isinstance(front_end(batch.numpy()), np.ndarray)
    assert torch.equal(pickle.loads(pickle.dumps(front_end))(batch), result)
    torch._dynamo.reset()  # all front-ends share one __call__, whose compilations torch counts
    compiled = torch.compile(front_end, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(batch), result)


def test_gradients(float64):
    clips = torch.randn(2, 33, generator=torch.Generator().manual_seed(4), requires_grad=True)
    tiny = {"n_fft": 16, "win_length": 12, "hop_length": 5}
    for front_end in (SpectralCentroid(**tiny), SpectralFlatness(**tiny), RMS(frame_length=16, hop_length=5)):
        assert torch.autograd.gradcheck(front_end, clips)
    assert not SpectralRolloff(**tiny)(clips).requires_grad
    assert not ZeroCrossingRate(frame_length=16, hop_length=5)(clips).requires_grad


@pytest.mark.parametrize("level", [0.0, 1e-30])
@pytest.mark.parametrize("front_end", [ALL[0], ALL[2], ALL[4]], ids=lambda front_end: type(front_end).__name__)
def test_the_gradient_of_silence_is_finite(front_end, level):
    silence = (level * torch.randn(2000, generator=torch.Generator().manual_seed(5))).requires_grad_()
    result = front_end(silence)
    result.sum().backward()
    assert result.isfinite().all()
    assert silence.grad is not None and silence.grad.isfinite().all()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: SpectralRolloff(share=1.0), r"share = 1.0: expected more than 0 and less than 1"),
        (lambda: SpectralFlatness(offset=0.0), r"offset = 0.0: expected more than 0"),
        (lambda: SpectralCentroid(win_length=513), r"win_length = 513: expected 1 to n_fft = 512"),
        (lambda: ZeroCrossingRate(frame_length=1), r"frame_length = 1: expected at least 2"),
        (lambda: ZeroCrossingRate(threshold=-1.0), r"threshold = -1.0: expected 0 or more"),
        (lambda: RMS(frame_length=0), r"frame_length = 0: expected at least 1"),
        (lambda: RMS(pad_mode="wrap"), r"pad_mode = 'wrap': expected"),
        (lambda: RMS()(torch.zeros(256)), r"\(256,\).*at least 257 samples"),
        (lambda: RMS(center=False)(torch.zeros(511)), r"\(511,\).*at least 512 samples"),
        (lambda: ZeroCrossingRate()(torch.zeros(0)), r"\(0,\).*at least 1 samples"),
    ],
)
def test_bad_input_is_refused_with_its_reason(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_pictures_say_what_the_number_is():
    quantities = [front_end.axis.quantity for front_end in ALL]
    assert quantities[0] == "spectral centroid (Hz)" and len(set(quantities)) == len(ALL)
