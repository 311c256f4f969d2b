"""Descriptors equal librosa's, for all its paddings and defaults, also on a stream; gradients where there are any."""

from typing import Any

import librosa
import numpy as np
import pytest
import torch

from audionet.features import Stream
from audionet.features.descriptors import SpectralCentroid, SpectralFlatness, SpectralRolloff
from audionet.features.temporal import RMS, ZeroCrossingRate
from tests.sounds import assert_close, noise, sound

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


@pytest.fixture(params=["noise", "impulse", "silence", "sine", "recording"])
def waveform(request):
    """(time,) float64."""
    return sound(request.param)


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
    hiss = 10 * noise(160_000)
    assert SpectralCentroid()(hiss).mean() == pytest.approx(4000, rel=0.02)
    assert 0.5 < SpectralFlatness()(hiss).mean() < 0.6  # exp(-0.5772) for white noise
    assert ZeroCrossingRate()(hiss).mean() == pytest.approx(0.5 * 511 / 512, rel=0.02)
    silence = torch.zeros(2000)
    for front_end, expected in zip(ALL, (0, 0, 1, 0, 0), strict=True):
        assert front_end(silence) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("pad_mode", ["reflect", "symmetric", "edge", "constant"])
def test_a_stream_equals_the_whole_clip(center, pad_mode):
    options = {"hop_length": 77, "center": center, "pad_mode": pad_mode}
    clip = noise(2, 1500, dtype=torch.float64)
    for kind in (SpectralCentroid, SpectralRolloff, SpectralFlatness, ZeroCrossingRate, RMS):
        front_end = kind(**options).double()
        whole = front_end(clip)
        for sizes in ([53] * 28, [7, 0, 249, 1, 1, 900], [1500]):
            stream = Stream(front_end)
            parts = clip.split([*sizes, 1500 - sum(sizes)], -1)
            frames = [stream.push(part) for part in parts] + [stream.finish()]
            assert_close(torch.cat(frames, -1), whole, 1e-6)
        assert stream.latency == (255 if center else 511)


def test_gradients(float64):
    clips = torch.randn(2, 33, generator=torch.Generator().manual_seed(4), requires_grad=True)
    tiny: dict[str, Any] = {"n_fft": 16, "win_length": 12, "hop_length": 5}
    for front_end in (SpectralCentroid(**tiny), SpectralFlatness(**tiny), RMS(frame_length=16, hop_length=5)):
        assert torch.autograd.gradcheck(front_end, clips)
    assert not SpectralRolloff(**tiny)(clips).requires_grad
    assert not ZeroCrossingRate(frame_length=16, hop_length=5)(clips).requires_grad


@pytest.mark.parametrize("kind", [SpectralCentroid, SpectralFlatness, RMS])
def test_the_gradient_of_next_to_nothing_is_finite(kind):
    waveform = (1e-29 * noise(2000)).requires_grad_()
    result = kind()(waveform)
    result.sum().backward()
    assert result.isfinite().all()
    assert waveform.grad is not None and waveform.grad.isfinite().all()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: SpectralRolloff(share=1.0), r"share: expected more than 0 and less than 1.*got 1.0"),
        (lambda: SpectralFlatness(offset=0.0), r"offset: expected 1e-30 or more.*got 0.0"),
        (lambda: SpectralCentroid(win_length=513), r"win_length: expected 1 to n_fft = 512.*got 513"),
        (lambda: ZeroCrossingRate(frame_length=1), r"frame_length: expected at least 2.*got 1"),
        (lambda: ZeroCrossingRate(threshold=-1.0), r"threshold: expected 0 or more.*got -1.0"),
        (lambda: RMS(frame_length=0), r"frame length: expected .*at least 1, got 0"),
        (lambda: RMS(pad_mode="wrap"), r"pad_mode: expected .*got 'wrap'"),
        (lambda: RMS(center=False)(torch.zeros(511)), r"at least 512 samples .*\(511,\)"),
    ],
)
def test_bad_input_is_refused_with_its_reason(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_pictures_say_what_the_number_is():
    quantities = [front_end.axis.quantity for front_end in ALL]
    assert quantities[0] == "spectral centroid (Hz)" and len(set(quantities)) == len(ALL)
