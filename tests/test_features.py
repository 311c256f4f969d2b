"""Front-ends equal torchaudio's and librosa's, take any leading shape, differentiate, and refuse bad input."""

import copy
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchaudio import transforms
from torchaudio.functional import compute_deltas, linear_fbanks

from audionet import features
from audionet.features import (
    LFCC,
    MFCC,
    Deltas,
    Filterbank,
    LinearFilterbank,
    LogMel,
    MelSpectrogram,
    Spectrogram,
    Waveform,
    deltas,
)
from audionet.features.functional import log_compress
from audionet.features.mel import mel_matrix
from tests.sounds import assert_close, noise, sound

SIZES = [(512, 480, 160), (512, 512, 128), (400, 400, 160), (600, 401, 77)]  # n_fft, win_length, hop_length
ODD_SIZES = [(501, 375, 125), (481, 481, 160)]
N_MELS = 24
TINY: dict[str, Any] = {"sample_rate": 16_000, "n_fft": 16, "win_length": 12, "hop_length": 5, "n_mels": 3}
FRONT_ENDS: list[features.FrontEnd] = [Spectrogram(), Spectrogram(power=1), Spectrogram(power=None), LinearFilterbank()]
FRONT_ENDS += [MelSpectrogram(), LogMel(), LogMel(scale="db", top_db=40), LogMel(subtract_mean="clip")]
FRONT_ENDS += [LogMel(center=False, pad_mode="constant"), MFCC(), MFCC(lifter=22), LFCC(), Deltas(LogMel())]


@pytest.fixture(params=["noise", "impulse", "sine", "recording"])
def waveform(request):
    """(time,) float32."""
    return sound(request.param).float()


def librosa_mel(waveform, sizes, *, sample_rate=16_000, mel_scale="htk", norm=None, power=2.0, center=True):
    n_fft, win_length, hop_length = sizes
    return librosa.feature.melspectrogram(
        y=waveform.numpy(),
        sr=sample_rate,
        n_fft=n_fft,
        win_length=win_length,
        hop_length=hop_length,
        n_mels=N_MELS,
        htk=mel_scale == "htk",
        norm=norm,
        power=power,
        center=center,
        pad_mode="constant",
    )


def arguments(sizes):
    return dict(zip(("n_fft", "win_length", "hop_length"), sizes, strict=True))


@pytest.mark.parametrize("sizes", SIZES + ODD_SIZES)
@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("power", [1.0, 2.0, None])
def test_spectrogram_equals_torchaudio(waveform, sizes, center, power):
    for pad_mode in ("reflect", "constant"):
        options = {**arguments(sizes), "power": power, "center": center, "pad_mode": pad_mode}
        assert_close(Spectrogram(**options)(waveform), transforms.Spectrogram(**options)(waveform))


@pytest.mark.parametrize("sizes", SIZES + ODD_SIZES)
@pytest.mark.parametrize("center", [True, False])
def test_spectrogram_equals_librosa(waveform, sizes, center):
    expected = librosa.stft(waveform.numpy(), **arguments(sizes), center=center, pad_mode="constant")
    for power in (1.0, 2.0, None):
        front_end = Spectrogram(**arguments(sizes), power=power, center=center, pad_mode="constant")
        assert_close(front_end(waveform), expected if power is None else np.abs(expected) ** power)


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("mel_scale", ["htk", "slaney"])
@pytest.mark.parametrize("norm", [None, "slaney"])
def test_mel_spectrogram_equals_torchaudio(waveform, sizes, mel_scale, norm):
    # Not for odd n_fft and sample rates: there torchaudio misplaces the frequencies of the bins, see the next test.
    for sample_rate, f_min, f_max, power in ((16_000, 0.0, None, 2.0), (22_050, 60.0, 7600.0, 1.0)):
        options = {**arguments(sizes), "sample_rate": sample_rate, "f_min": f_min, "f_max": f_max, "power": power}
        options |= {"n_mels": N_MELS, "mel_scale": mel_scale, "norm": norm}
        assert_close(MelSpectrogram(**options)(waveform), transforms.MelSpectrogram(**options)(waveform))


@pytest.mark.parametrize("sizes", [*SIZES, *ODD_SIZES])
@pytest.mark.parametrize("sample_rate", [16_000, 11_025])
def test_mel_spectrogram_equals_librosa(waveform, sizes, sample_rate):
    for mel_scale, norm, power, center in (
        ("htk", None, 2.0, True),
        ("htk", "slaney", 1.0, False),
        ("slaney", None, 2.0, False),
        ("slaney", "slaney", 2.0, True),
    ):
        options = {"mel_scale": mel_scale, "norm": norm, "power": power, "center": center, "sample_rate": sample_rate}
        front_end = MelSpectrogram(**arguments(sizes), **options, n_mels=N_MELS, pad_mode="constant")
        assert_close(front_end(waveform), librosa_mel(waveform, sizes, **options))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_parameters_equal_librosa(data):
    def draw(low, high):
        return data.draw(st.integers(low, high))

    n_fft = draw(32, 700)
    win_length, hop_length, sample_rate = draw(8, n_fft), draw(1, 900), draw(4000, 48_000)
    f_min = draw(0, sample_rate // 4)
    f_max = draw(f_min + sample_rate // 5, sample_rate // 2)
    power, center, htk = data.draw(st.sampled_from([1.0, 2.0])), draw(0, 1) == 1, draw(0, 1) == 1
    sizes: dict[str, Any] = {
        "n_mels": draw(1, 40),
        "norm": data.draw(st.sampled_from([None, "slaney"])),
        "power": power,
    }
    sizes |= {"n_fft": n_fft, "win_length": win_length, "hop_length": hop_length, "center": center}
    waveform = noise(draw(n_fft, 3000), seed=draw(0, 9))
    edges: dict[str, Any] = {"sample_rate": sample_rate, "f_min": float(f_min), "f_max": float(f_max)}
    try:
        front_end = MelSpectrogram(mel_scale="htk" if htk else "slaney", pad_mode="constant", **sizes, **edges)
    except ValueError as error:
        assert "are empty" in str(error)
        return
    expected = librosa.feature.melspectrogram(
        y=waveform.numpy(), sr=sample_rate, htk=htk, fmin=f_min, fmax=f_max, pad_mode="constant", **sizes
    )
    assert_close(front_end(waveform), expected, 2e-5)  # a band may lie on a single bin's slope, which is rounded


@pytest.mark.parametrize("top_db", [None, 80.0, 30.0])
def test_decibels_equal_librosa(float64, waveform, top_db):
    waveform = waveform.double()
    front_end = LogMel(scale="db", offset=1e-10, top_db=top_db, n_mels=N_MELS, pad_mode="constant")
    expected = librosa.power_to_db(librosa_mel(waveform, SIZES[0]), ref=1.0, amin=1e-10, top_db=top_db)
    assert_close(front_end(waveform), expected)


def test_logarithm_equals_numpy(float64, waveform):
    waveform = waveform.double()
    mel = librosa_mel(waveform, SIZES[0])
    for offset in (1e-6, 1e-3):
        assert_close(LogMel(offset=offset, n_mels=N_MELS, pad_mode="constant")(waveform), np.log(mel + offset))


@pytest.mark.parametrize("mel_scale", ["htk", "slaney"])
@pytest.mark.parametrize("norm", [None, "slaney"])
@pytest.mark.parametrize("top_db", [None, 80.0])
def test_mfcc_equals_librosa(float64, waveform, mel_scale, norm, top_db):
    waveform = waveform.double()
    mel = librosa_mel(waveform, SIZES[0], mel_scale=mel_scale, norm=norm)
    expected = librosa.feature.mfcc(S=librosa.power_to_db(mel, amin=1e-10, top_db=top_db), n_mfcc=13)
    options = {"mel_scale": mel_scale, "norm": norm, "top_db": top_db, "pad_mode": "constant"}
    assert_close(MFCC(n_mfcc=13, n_mels=N_MELS, **options)(waveform), expected)


@pytest.mark.parametrize("n_mfcc", [13, 24])
def test_mfcc_equals_torchaudio(float64, waveform, n_mfcc):
    waveform = waveform.double()
    mel = {"n_fft": 512, "win_length": 480, "hop_length": 160, "n_mels": N_MELS}
    theirs = transforms.MFCC(16_000, n_mfcc, melkwargs=mel)
    assert_close(MFCC(n_mfcc=n_mfcc, n_mels=N_MELS)(waveform), theirs(waveform))
    theirs = transforms.MFCC(16_000, n_mfcc, log_mels=True, melkwargs=mel)
    assert_close(MFCC(n_mfcc=n_mfcc, n_mels=N_MELS, scale="log", offset=1e-6)(waveform), theirs(waveform))


@pytest.mark.parametrize("lifter", [0, 5, 22])
def test_liftering_equals_librosa(float64, waveform, lifter):
    waveform = waveform.double()
    mel = librosa.power_to_db(librosa_mel(waveform, SIZES[0]), amin=1e-10)
    expected = librosa.feature.mfcc(S=mel, n_mfcc=13, lifter=lifter)
    assert_close(MFCC(n_mfcc=13, n_mels=N_MELS, lifter=lifter, pad_mode="constant")(waveform), expected)


@pytest.mark.parametrize("sizes", SIZES)
def test_linear_bands_and_lfcc_equal_torchaudio(float64, waveform, sizes):
    waveform = waveform.double()
    edges: dict[str, Any] = {"f_min": 60.0, "f_max": 7600.0}
    theirs = transforms.LFCC(16_000, n_filter=N_MELS, n_lfcc=13, speckwargs=arguments(sizes), **edges)
    assert_close(LFCC(n_lfcc=13, n_bands=N_MELS, **arguments(sizes), **edges)(waveform), theirs(waveform))
    bands = LinearFilterbank(n_bands=N_MELS, **arguments(sizes), **edges)(waveform)
    spectrum = Spectrogram(**arguments(sizes))(waveform)
    assert_close(bands, (spectrum.mT @ linear_fbanks(sizes[0] // 2 + 1, 60.0, 7600.0, N_MELS, 16_000)).mT)


@pytest.mark.parametrize("width", [3, 5, 9])
def test_deltas_equal_torchaudio_and_librosa(waveform, width):
    mel = MelSpectrogram()(waveform)
    slopes = deltas(mel.mT, width=width).mT
    assert_close(slopes, compute_deltas(mel, win_length=width))
    assert_close(slopes, librosa.feature.delta(mel.numpy(), width=width, mode="nearest"))


def test_deltas_stand_below_the_bands():
    waveform = noise(2, 4000)
    plain, twice = MFCC(n_mfcc=13)(waveform), Deltas(MFCC(n_mfcc=13), order=2, width=5)(waveform)
    first = compute_deltas(plain, win_length=5)
    assert_close(twice, torch.cat([plain, first, compute_deltas(first, win_length=5)], -2))
    assert_close(features.create("MFCC", n_mfcc=13, deltas=1)(waveform), Deltas(MFCC(n_mfcc=13), order=1)(waveform))
    assert_close(Deltas(LogMel())(waveform[:, :300])[:, :40], LogMel()(waveform[:, :300]))  # fewer frames than width


def test_a_frame_of_the_windows_own_length():
    waveform = noise(4000)
    front_end = Spectrogram(n_fft=512, win_length=400, frame_length=400, hop_length=160, center=False)
    frames = waveform.unfold(0, 400, 160) * torch.hann_window(400)
    assert_close(front_end(waveform), torch.fft.rfft(frames, 512).abs().square().T)
    complex_one = Spectrogram(n_fft=512, win_length=400, frame_length=440, hop_length=160, center=False, power=None)
    window = torch.nn.functional.pad(torch.hann_window(400), (20, 20))
    assert_close(complex_one(waveform), torch.fft.rfft(waveform.unfold(0, 440, 160) * window, 512).T)


def test_blocks_change_nothing():
    long = noise(3, 200_000)  # 1,251 frames a clip: blocks of frames
    many = long[:, :60_000].reshape(90, 2000)  # 13 a clip: blocks of clips
    for waveform in (long, many):
        for front_end in (LogMel(), Spectrogram(power=None)):
            each = [torch.stft(clip, 512, 160, 480, torch.hann_window(480), return_complex=True) for clip in waveform]
            spectrum = torch.stack(each)
            if isinstance(front_end, LogMel):
                assert_close(front_end(waveform), ((spectrum.abs() ** 2).mT @ front_end.bands.filters + 1e-6).log().mT)
            else:
                assert_close(front_end(waveform), spectrum)


def test_numpy_in_numpy_out():
    waveform = np.random.default_rng(0).standard_normal((2, 4000))
    for front_end in (LogMel(), MFCC(), Waveform(), Spectrogram(power=None)):
        expected = front_end(torch.from_numpy(waveform).float()).numpy()
        for array in (waveform, waveform.astype(np.float32), waveform[::-1][::-1], np.asfortranarray(waveform)):
            made = front_end(array)
            assert isinstance(made, np.ndarray)
            if isinstance(front_end, Waveform):
                assert np.array_equal(made[:, 0], array)
            else:
                assert made.dtype == expected.dtype and np.array_equal(made, expected)
    single, exact = waveform.astype(np.float32), LogMel().double()
    assert np.array_equal(exact(single), exact(torch.from_numpy(single).double()).numpy())


def test_the_defaults_are_the_front_end_of_bcresnet(float64, waveform):
    waveform = waveform.double()
    mel = transforms.MelSpectrogram(16_000, n_fft=512, win_length=480, hop_length=160, n_mels=40)
    assert_close(LogMel()(waveform), (mel(waveform) + 1e-6).log())
    assert LogMel()(torch.zeros(16_000)).shape == (40, 101)


@pytest.mark.parametrize("front_end", FRONT_ENDS, ids=lambda front_end: type(front_end).__name__)
def test_float32_is_float64_rounded(waveform, front_end):
    # Looser than 1e-5 on a logarithm: see the fixture `float64`.
    is_log = isinstance(front_end, LogMel | MFCC | LFCC | Deltas)
    result, exact = front_end(waveform), copy.deepcopy(front_end).double()(waveform.double())
    assert exact.dtype == (torch.complex128 if exact.is_complex() else torch.float64)
    assert result.dtype == (torch.complex64 if exact.is_complex() else torch.float32)
    assert_close(result, exact, 1e-3 if is_log else 1e-5)


@pytest.mark.parametrize("front_end", FRONT_ENDS, ids=lambda front_end: type(front_end).__name__)
def test_a_batch_equals_one_by_one_in_any_shape(front_end):
    levels = torch.tensor([1.0, 1e-3, 0.0, 0.3, 10.0, 1e-2]).view(2, 3, 1, 1)  # what one clip does to another shows
    batch = levels * noise(2, 3, 1, 2000)
    before = batch.clone()
    result = front_end(batch)
    assert torch.equal(batch, before)
    assert result.shape[:3] == (2, 3, 1)
    for index in np.ndindex(2, 3):
        alone = front_end(batch[index][0])
        assert alone.ndim == 2
        torch.testing.assert_close(result[index][0], alone, rtol=1e-5, atol=1e-5 * max(float(alone.abs().max()), 1e-9))
        torch.testing.assert_close(front_end(batch[index]), result[index], rtol=1e-5, atol=1e-5)


def test_a_view_that_is_not_contiguous_is_read_right():
    batch = noise(2000, 4).T
    assert not batch.is_contiguous()
    assert torch.equal(LogMel()(batch), LogMel()(batch.contiguous()))


@pytest.mark.parametrize(("center", "pad_mode", "shortest"), [(True, "reflect", 257), (True, "constant", 1)])
def test_number_of_frames(center, pad_mode, shortest):
    front_end = Spectrogram(center=center, pad_mode=pad_mode)
    for time in (shortest, 480, 799, 800, 801, 16_000):
        assert front_end(torch.ones(time)).shape == (257, 1 + time // 160)
    with pytest.raises(ValueError, match=rf"at least {shortest} samples .*\({shortest - 1},\)"):
        front_end(torch.ones(shortest - 1))


def test_number_of_frames_when_not_centred():
    front_end = Spectrogram(center=False)
    for time, n_frames in ((512, 1), (671, 1), (672, 2), (16_000, 97)):
        assert front_end(torch.ones(3, time)).shape == (3, 257, n_frames)
    with pytest.raises(ValueError, match=r"at least 512 samples .*\(3, 511\)"):
        front_end(torch.ones(3, 511))


@pytest.mark.parametrize(
    "front_end",
    [
        LogMel(**TINY),
        LogMel(**TINY, subtract_mean="band", center=False),
        LogMel(**TINY, scale="db", top_db=20.0, pad_mode="constant"),
        MFCC(n_mfcc=2, **TINY),
        MelSpectrogram(**TINY, power=1.0),
        Spectrogram(n_fft=16, win_length=12, hop_length=5, power=None),
        Spectrogram(n_fft=15, win_length=12, hop_length=5, power=1.0),
    ],
    ids=lambda front_end: type(front_end).__name__,
)
def test_gradients(front_end):
    waveform = torch.randn(2, 33, dtype=torch.float64, generator=torch.Generator().manual_seed(3), requires_grad=True)
    assert torch.autograd.gradcheck(copy.deepcopy(front_end).double(), waveform)


@pytest.mark.parametrize("front_end", FRONT_ENDS, ids=lambda front_end: type(front_end).__name__)
def test_the_gradient_of_digital_silence_is_finite(front_end):
    waveform = torch.zeros(2000, requires_grad=True)
    front_end(waveform).abs().sum().backward()
    assert waveform.grad is not None and waveform.grad.isfinite().all()


@pytest.mark.parametrize("front_end", FRONT_ENDS, ids=lambda front_end: type(front_end).__name__)
def test_nothing_is_saved_or_trained(front_end):
    assert front_end.state_dict() == {}
    assert list(front_end.parameters()) == []
    assert "window" in {name.rpartition(".")[2] for name, _ in front_end.named_buffers()}


def test_subtract_mean_removes_each_clips_own_level(waveform):
    clips = torch.stack([waveform, 0.25 * waveform, waveform.flip(0)]).double()
    plain = LogMel(offset=1e-12).double()(clips)
    centred = LogMel(offset=1e-12, subtract_mean="clip").double()(clips)
    assert_close(centred[2], plain[2] - plain[2].mean(), 1e-12)
    assert_close(centred.mean((-2, -1)) + 1, torch.ones(3, dtype=torch.float64))
    if 1e-9 < librosa_mel(waveform, SIZES[0]).min():  # where the offset is nothing, the level is gone
        assert_close(centred[1], centred[0])
        assert (plain[0] - plain[1]).mean() == pytest.approx(2 * np.log(4), rel=1e-3)


def test_subtract_mean_by_band_removes_a_microphones_response(waveform):
    plain, centred = LogMel(offset=1e-12), LogMel(offset=1e-12, subtract_mean="band")
    clip = waveform.double()
    plain, centred = plain.double()(clip), centred.double()(clip)
    assert_close(centred, plain - plain.mean(-1, keepdim=True), 1e-12)
    with pytest.raises(ValueError, match="subtract_mean: expected one of None, clip, band, got True"):
        LogMel(subtract_mean=True)  # type: ignore[arg-type]


def test_decibels_are_floored_at_each_clips_own_maximum():
    power = torch.tensor([[1.0, 1e-3, 1e-9], [1e-4, 1e-6, 0.0]])
    expected = torch.tensor([[0.0, -30.0, -80.0], [-40.0, -60.0, -80.0]])
    assert_close(log_compress(power, scale="db", offset=1e-8), expected)
    clips = noise(2, 4000) * torch.tensor([[1.0], [1e-3]])
    plain, floored = LogMel(scale="db")(clips), LogMel(scale="db", top_db=12.0)(clips)
    lowest = plain.amax((-2, -1), keepdim=True) - 12
    assert torch.equal(floored, plain.clamp(min=lowest)) and (plain < lowest).any()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Spectrogram(win_length=513), r"win_length: expected 1 to n_fft = 512.*got 513"),
        (lambda: Spectrogram(win_length=0), r"win_length: expected 1 to n_fft.*got 0"),
        (lambda: Spectrogram(n_fft=256), r"win_length: expected 1 to n_fft = 256.*got 480"),
        (lambda: Spectrogram(hop_length=0), r"hop_length: expected a whole number .*got 0"),
        (lambda: Spectrogram(pad_mode="wrap"), r"pad_mode: expected one of reflect, sym.*got 'wrap'"),
        (lambda: Spectrogram(power=0), r"power: expected 2.*got 0"),
        (lambda: Spectrogram(power=-1.0), r"power: expected 2.*got -1.0"),
        (lambda: LogMel(power=None), r"power: expected 2 .*got None"),
        (lambda: LogMel(f_min=-1.0), r"f_min, f_max: expected 0 <= f_min.*got \(-1.0, 8000.0\)"),
        (lambda: LogMel(f_min=4000.0, f_max=4000.0), r"f_min, f_max: expected .*got \(4000.0, 4000.0\)"),
        (lambda: LogMel(f_max=8000.5), r"f_max <= 8000 Hz, half the sample rate, got \(0.0, 8000.5\)"),
        (lambda: MelSpectrogram(n_mels=0), r"n_mels: expected at least 1 band, got 0"),
        (lambda: MelSpectrogram(n_mels=-3), r"n_mels: expected at least 1 band, got -3"),
        (
            lambda: MelSpectrogram(n_mels=128),
            r"n_mels: .*got 128 .*of which 0 are empty with n_fft = 512; raise n_fft to",
        ),
        (lambda: MelSpectrogram(mel_scale="bark"), r"mel_scale: expected one of htk, slaney, got 'bark'"),
        (lambda: MelSpectrogram(norm="area"), r"norm: expected one of None, slaney, got 'area'"),
        (lambda: LogMel(scale="ln"), r"scale: expected one of log, db, got 'ln'"),
        (lambda: MFCC(scale="dB"), r"scale: expected one of log, db, got 'dB'"),
        (lambda: MFCC(n_mfcc=41), r"n_mfcc: expected 1 to n_mels = 40.*got 41"),
        (lambda: MFCC(n_mfcc=0), r"n_mfcc: expected 1 to n_mels.*got 0"),
        (lambda: LogMel()(torch.zeros(16_000, dtype=torch.int16)), r"got torch.int16; divide 16-bit integers by 32768"),
        (lambda: LogMel()(torch.zeros(16_000, dtype=torch.complex64)), r"expected float samples.*got torch.complex64"),
        (lambda: LogMel()(np.zeros(16_000, np.int16)), r"got int16; divide 16-bit integers by 32768"),
        (lambda: LogMel()(torch.zeros(2, 0)), r"at least 257 samples .*got shape \(2, 0\)"),
        (lambda: LogMel(pad_mode="constant")(torch.zeros(2, 0)), r"at least 1 samples .*got shape \(2, 0\)"),
        (lambda: LogMel()(torch.full((2, 999), torch.nan)), r"expected finite samples, got nan at \(0, 0\)"),
        (lambda: LogMel()(torch.tensor([0.0] * 998 + [-torch.inf])), r"expected finite samples, got -inf at \(998,\)"),
        (lambda: LogMel()(np.array([[0.0] * 999, [np.nan] * 999])), r"expected finite samples, got nan at \(1, 0\)"),
        (lambda: Spectrogram(frame_length=479), r"frame_length: expected 480 to n_fft = 512, got 479"),
        (lambda: Spectrogram(frame_length=513), r"frame_length: expected 480 to n_fft = 512, got 513"),
        (
            lambda: LinearFilterbank(n_bands=900),
            r"n_bands: .* are empty with .*n_fft to \d+, .*lower n_bands",
        ),
        (lambda: LinearFilterbank(f_max=9000.0), r"f_max: expected .*got \(0.0, 9000.0\)"),
        (lambda: LFCC(n_lfcc=129), r"n_lfcc: expected 1 to n_bands = 128.*got 129"),
        (lambda: MFCC(lifter=-1), r"lifter: expected 0.*got -1"),
        (lambda: Deltas(LogMel(), order=0), r"order: expected a whole number from 1 to 10, got 0"),
        (lambda: Deltas(LogMel(), width=4), r"width: expected an odd number of frames.*got 4"),
        (lambda: deltas(torch.zeros(3, 3), width=1), r"width: expected an odd number of frames.*got 1"),
        (lambda: LogMel()(torch.tensor(0.5)), r"at least 257 samples .*got shape \(\); pad it"),
        (
            lambda: LogMel()(torch.zeros(16_000, dtype=torch.float64)),
            r"expected torch.float32, .*got torch.float64; con",
        ),
    ],
)
def test_bad_input_is_refused_with_its_reason(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_the_named_n_fft_fills_the_bands():
    builds: list[Callable[..., Filterbank]] = [partial(MelSpectrogram, n_mels=300)]
    builds += [partial(LinearFilterbank, n_bands=900)]
    for build in builds:
        with pytest.raises(ValueError, match="are empty") as refused:
            build(n_fft=512)
        (wanted,) = map(int, re.findall(r"raise n_fft to (\d+)", str(refused.value)))
        assert (build(n_fft=wanted).filters.amax(0) > 0).all()
        with pytest.raises(ValueError, match="are empty"):
            build(n_fft=wanted - 1)


@pytest.mark.filterwarnings("error")
def test_empty_bands_are_an_error_not_a_warning():
    with pytest.raises(ValueError, match=r"are empty"):
        mel_matrix(sample_rate=8000, n_fft=256, n_mels=160, f_min=0.0, f_max=4000.0, mel_scale="htk", norm=None)


def test_create():
    for name in ("Spectrogram", "MelSpectrogram", "LogMel", "MFCC"):
        front_end = features.create(name, n_fft=1024)
        assert type(front_end) is getattr(features, name)
        assert front_end(torch.ones(2048)).ndim == 2
    assert features.create("logmel", n_mels=20)(torch.ones(2048)).shape == (20, 13)
    with pytest.raises(ValueError, match=r"front-end: expected one of Waveform, Spectrogram, Linear.*, got 'xyz'; one"):
        features.create("xyz")
    with pytest.raises(ValueError, match=r"front-end LogMel: LogMel has no argument 'n_mel'; did you mean 'n_mels'"):
        features.create("LogMel", n_mel=40)
    with pytest.raises(ValueError, match=r"n_mfcc: expected 1 to n_mels = 40, got 99"):
        features.create("MFCC", n_mfcc=99)


def test_the_waveform_front_end_hands_on_what_it_gets():
    waveform = (torch.randn(2, 1, 50, generator=torch.Generator().manual_seed(1)) / 4).clamp(-1, 1)
    front_end = features.create("Waveform", sample_rate=8000)
    assert torch.equal(front_end(waveform), waveform[:, :, None])
    assert Waveform()(waveform[0, 0]).shape == (1, 50)
    with pytest.raises(ValueError, match="got torch.int16; divide 16-bit integers"):
        front_end(torch.zeros(50, dtype=torch.int16))
    with pytest.raises(ValueError, match="at least 1 samples"):
        front_end(torch.zeros(2, 0))


def test_arrays_are_taken_where_their_meaning_is_clear():
    front_end, clips = LogMel(), noise(2, 4000).numpy()
    expected = front_end(clips)
    objects = np.empty(2, object)
    objects[:] = list(clips)
    given: Any
    for given in (clips.astype(">f4"), clips.astype(">f8"), [*clips], clips.tolist(), objects):
        assert_close(front_end(given), expected)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([np.zeros(4000), np.zeros(3000)], "waveform: expected samples, or rows of one length, got others; give"),
        ([0, 1, 2], "waveform: expected float samples .*got int64; divide"),
        (None, "waveform: expected float samples .*got NoneType"),
        ("seven.wav", "waveform: expected float samples .*got str"),
        (np.zeros(4000, complex), "waveform: expected float samples .*got complex128"),
    ],
    ids=["ragged", "integers", "None", "path", "complex"],
)
def test_what_is_no_waveform_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        LogMel()(given)
