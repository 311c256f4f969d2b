"""Augmentations that make another device: each against another library, a plain computation or a known signal."""

import io
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import signal
from torch import Generator
from torchaudio import functional

from audionet.audio import read_mono
from audionet.augment import Augment, BandLimit, Clipping, Codec, Device, Gate, Level, Microphone, NoiseFloor, Room
from audionet.augment.codec import a_law, block_steps, mu_law, spectral_holes
from audionet.augment.gate import gains
from audionet.augment.room import fast_length, response, room_bank
from audionet.augment.short_time import to_spectrum

SAMPLE_RATE = 16_000
RATE: dict[str, Any] = {"sample_rate": SAMPLE_RATE}
NAN = math.nan
SEVEN = Path(__file__).parent / "data" / "seven.wav"


def seeded(seed=0):
    return Generator().manual_seed(seed)


def noise(batch=4, time=16_000, scale=0.1):
    return scale * torch.randn(batch, time, generator=seeded(9), dtype=torch.float64)


def db_of(waveform):
    return 10 * waveform.square().mean(-1).log10()


# ---------------------------------------------------------------- room


PLACES = np.array([5.0, 4.0, 2.7]), np.array([1.2, 1.1, 1.5]), np.array([3.1, 2.4, 1.2])


@pytest.mark.parametrize("rt60", [0.2, 0.4])
def test_a_response_equals_pyroomacoustics(rt60):
    """Below 1.5 kHz, where the sample that an echo is rounded to does not matter."""
    room = pytest.importorskip("pyroomacoustics")
    size, mouth, microphone = PLACES
    ours = response(size, mouth, microphone, rt60, 3200, SAMPLE_RATE)
    volume, surface = 54.0, 2 * (20 + 13.5 + 10.8)
    absorption = 1 - math.exp(-24 * math.log(10) / 343 * volume / surface / rt60)
    box = room.ShoeBox(size, fs=SAMPLE_RATE, materials=room.Material(absorption), max_order=40, air_absorption=False)
    box.set_sound_speed(343.0)
    box.add_source(mouth)
    box.add_microphone(microphone)
    box.compute_rir()
    direct = 40 + int(np.linalg.norm(mouth - microphone) / 343 * SAMPLE_RATE)  # its responses begin 40 samples late
    theirs = box.rir[0][0][direct : direct + 3200]
    low = signal.butter(4, [100, 1500], "bandpass", fs=SAMPLE_RATE, output="sos")
    ours, theirs = (signal.sosfiltfilt(low, np.pad(x, (200, 3200 - len(x))))[200:3200] for x in (ours, theirs))
    assert np.corrcoef(ours, theirs)[0, 1] > 0.98
    assert np.sum(ours**2) == pytest.approx(np.sum(theirs**2), rel=0.1)


@pytest.mark.parametrize("rt60", [0.15, 0.5])
def test_a_response_decays_in_its_reverberation_time(rt60):
    energy = response(*PLACES, rt60, round(0.6 * rt60 * SAMPLE_RATE), SAMPLE_RATE) ** 2
    left = 10 * np.log10(energy[::-1].cumsum()[::-1] / energy.sum())
    start, end = (int(np.argmax(left < -db)) for db in (5, 20))
    # Eyring's formula is of a diffuse room; along the long side of a real one sound lives longer.
    assert 0.9 * rt60 < (end - start) / SAMPLE_RATE * 60 / 15 < 1.5 * rt60


def test_a_room_is_the_convolution_with_one_of_its_bank():
    room = Room(**RATE, n_rooms=3, seconds=0.1)
    waveform = noise(30, 3000)
    result = room(waveform, seeded())
    every = np.array(
        [[signal.fftconvolve(clip, each)[:3000] for each in room.bank.double().numpy()] for clip in waveform.numpy()]
    )
    error = np.abs(every - result[:, None].numpy()).max(-1)
    assert error.min(1).max() < 1e-7 and set(error.argmin(1)) == {0, 1, 2}
    db = db_of(result) - db_of(waveform)
    assert db.abs().max() < 2.5  # the tails that the end of the clip cuts off are missing


def test_banks_follow_their_seed_and_begin_with_the_direct_sound():
    banks = [room_bank(SAMPLE_RATE, 6, 0.1, 0.3, 0.1, seed) for seed in (0, 0, 1)]
    assert torch.equal(banks[0], banks[1]) and not torch.allclose(banks[0], banks[2], atol=0.01)
    torch.testing.assert_close(banks[0].square().sum(1), torch.ones(6))
    assert torch.equal(banks[0].abs().argmax(1), torch.zeros(6, dtype=torch.long))


@pytest.mark.parametrize("length", [1, 2, 100, 1023, 1025, 20_800, 24_577])
def test_fast_lengths_are_near_and_smooth(length):
    fast = fast_length(length)
    assert length <= fast <= 1.34 * length + 8
    while fast % 2 == 0:
        fast //= 2
    assert fast in (1, 3, 5)


# ---------------------------------------------------------------- microphone


def test_a_microphones_response_is_what_it_says(monkeypatch):
    microphone = Microphone(**RATE, distortion=0.0, max_dc=0.0)
    impulses = torch.zeros(40, 8000, dtype=torch.float64)
    impulses[:, 0] = 1
    gain = torch.fft.rfft(microphone(impulses, seeded())).abs()
    drawn = microphone.response_db(impulses, seeded())
    octave = np.log1p(np.fft.rfftfreq(8000, 1 / SAMPLE_RATE) / 250) / np.log1p(8000 / 250)
    for ours, expected in zip(gain.numpy(), drawn.numpy(), strict=True):
        np.testing.assert_allclose(ours, np.interp(octave, np.linspace(0, 1, 128), 10 ** (expected / 20)), atol=1e-9)
    middle = 20 * gain[:, 150:3000].log10()
    assert 5 < (middle.amax(1) - middle.amin(1)).median() < 30
    assert drawn[:, -40:].std(0).mean() > 2, "each clip has its own"


@pytest.mark.parametrize(("quality", "centre"), [(1.5, 300.0), (8.0, 2000.0)])
def test_a_resonance_has_its_width_and_the_low_cut_is_butterworths(quality, centre, monkeypatch):
    drawn = iter([[0.0] * 6, [0.0], [math.log(centre)] * 3, [math.log(quality)] * 3, [12.0, 0.0, 0.0], [math.log(50)]])
    monkeypatch.setattr(
        "audionet.augment.microphone.uniform", lambda *_: torch.tensor(next(drawn), dtype=torch.float64)
    )
    (db,) = Microphone(**RATE).response_db(noise(1, 100), seeded())
    points = 250 * ((SAMPLE_RATE / 500 + 1) ** np.linspace(0, 1, 128) - 1)
    db = db.numpy() - db[-1].item()
    # A bell is half as high, in decibels, where a resonance of this quality is 3 dB down.
    width = centre / quality
    edge = np.sqrt(centre**2 + width**2 / 4) + width / 2
    assert np.interp(centre, points, db) == pytest.approx(12, abs=0.5)
    assert np.interp(edge, points, db) == pytest.approx(6, abs=0.5)
    below = np.abs(signal.freqs(*signal.butter(2, 50, "highpass", analog=True), points[1:4])[1])
    np.testing.assert_allclose(db[1:4] - 20 * np.log10(below), 0, atol=1.5)


def test_distortion_and_direct_current_are_small_and_there():
    sine = 0.5 * torch.sin(2 * math.pi * 500 / SAMPLE_RATE * torch.arange(16_000).double()).expand(200, -1)
    options: dict[str, Any] = {"smooth_db": 0.0, "resonance_db": 0.0, "max_low_cut_hz": 20}
    result = Microphone(**RATE, **options, distortion=0.2, max_dc=0.0)(sine, seeded())
    power = torch.fft.rfft(result).abs()
    square, cube = power[:, 1000] / power[:, 500], power[:, 1500] / power[:, 500]
    # sin² has an overtone of half its share, sin³ one of a quarter.
    assert 0.08 < square.max() < 0.12 and 0.04 < cube.max() < 0.06 and square.min() < 0.01
    direct = Microphone(**RATE, **options, distortion=0.0, max_dc=0.01)(sine, seeded()).mean(1)
    assert -0.0101 < direct.min() < -0.009 and 0.009 < direct.max() < 0.0101


# ---------------------------------------------------------------- device


def test_a_device_is_the_chain_of_its_parts():
    waveform = noise(60, 4000).float()
    shares: dict[str, Any] = {
        "room": 0.0,
        "microphone": 0.7,
        "noise_floor": 0.6,
        "clipping": 0.15,
        "gate": 0.3,
        "band_limit": 0.4,
    }
    shares |= {"codec": 0.3, "level": 0.3}
    chain = Augment(
        {name: {"p": p} for name, p in shares.items() if p}, sample_rate=SAMPLE_RATE, background=torch.empty(0)
    )
    silence = torch.arange(60) % 3 == 0
    expected = chain(waveform, seeded(), silence)
    assert torch.equal(Device(**RATE, room_p=0.0)(waveform, seeded(), silence), expected)
    assert (expected != waveform).any(1).float().mean() > 0.9
    nothing: dict[str, Any] = {f"{name}_p": 0.0 for name in shares}
    assert torch.equal(Device(**RATE, **nothing)(waveform, seeded()), waveform)


# ---------------------------------------------------------------- band limit


@pytest.mark.parametrize("order", [2, 8, 30])
def test_a_band_equals_scipys_butterworth_filters_without_their_phase(order):
    options: dict[str, Any] = {"jitter": 0.0, "min_order": order, "max_order": order}
    band = BandLimit(**RATE, bands=[[300, 3400]], **options)
    impulse = torch.zeros(1, 16_000, dtype=torch.float64)
    impulse[:, 8000] = 1
    spectrum = torch.fft.rfft(band(impulse, seeded()))[0]
    hertz = np.fft.rfftfreq(16_000, 1 / SAMPLE_RATE)
    expected = np.ones(len(hertz))
    for edge, kind in ((300, "highpass"), (3400, "lowpass")):
        # Analogue, because a digital one is bent towards half the sample rate.
        expected *= np.abs(signal.freqs_zpk(*signal.butter(order, edge, kind, analog=True, output="zpk"), hertz)[1])
    np.testing.assert_allclose(spectrum.abs(), expected, atol=1e-6)
    assert (band(impulse, seeded()).abs().argmax() == 8000).all()


def test_a_steep_band_is_a_recording_at_8_khz():
    waveform = noise(2)
    band = BandLimit(**RATE, bands=[[0, 4000]], jitter=0.0, min_order=100, max_order=100)
    expected = torch.from_numpy(signal.resample(signal.resample(waveform.numpy(), 8000, axis=1), 16_000, axis=1))
    result = band(waveform, seeded())
    assert (db_of(result - expected) - db_of(expected)).max() < -20


def test_bands_are_drawn_with_their_jitter_and_half_the_sample_rate_is_no_edge():
    impulses = torch.zeros(300, 8000, dtype=torch.float64)
    impulses[:, 0] = 1
    band = BandLimit(**RATE, bands=[[0, 2000], [500, 8000]], jitter=0.1, min_order=20, max_order=20)
    gain = torch.fft.rfft(band(impulses, seeded())).abs()
    hertz = torch.fft.rfftfreq(8000, 1 / SAMPLE_RATE)
    is_high = gain[:, 0] < 0.5
    assert 110 < is_high.sum() < 190
    torch.testing.assert_close(gain[is_high, -1], torch.ones(int(is_high.sum())).double())
    cut = hertz[(gain[~is_high] - 0.7071).abs().argmin(1)]
    assert 1800 <= cut.min() < 1850 and 2150 < cut.max() <= 2200


# ---------------------------------------------------------------- noise floor


@pytest.mark.parametrize("time", [16_000, 15_999])
def test_the_floor_lies_at_its_level(time):
    waveform = torch.zeros(300, time)
    level = db_of(NoiseFloor(**RATE)(waveform, seeded()))
    assert -90.3 < level.min() < -88 and -42 < level.max() < -39.7
    assert level.mean() == pytest.approx(-65, abs=3)
    even = db_of(NoiseFloor(**RATE, min_db=-60, max_db=-60)(waveform, seeded()))
    assert even.mean() == pytest.approx(-60, abs=0.1)


@pytest.mark.parametrize(("slope", "octaves_db"), [(0.0, 0.0), (1.0, -3.01), (2.0, -6.02)])
def test_its_colour_falls_by_the_slope(slope, octaves_db, monkeypatch):
    monkeypatch.setattr("audionet.augment.noise_floor.uniform", lambda n, low, high, *_: torch.full((n,), float(high)))
    result = NoiseFloor(**RATE, max_db=-20, max_slope=slope)(torch.zeros(64, 16_000), seeded())
    hertz, power = signal.welch(result.numpy(), SAMPLE_RATE, nperseg=2048)
    power = 10 * np.log10(power.mean(0))
    for low in (250, 500, 1000, 2000):
        first, second = (power[(hertz >= a) & (hertz < 2 * a)].mean() for a in (low, 2 * low))
        assert second - first == pytest.approx(octaves_db, abs=0.4)


# ---------------------------------------------------------------- gate


def word():
    """Silence at -60 dB, a sound, a gap at -60 dB, a sound, silence: 0.2 s each, but 0.1 s for the gap."""
    parts = [(0.2, 1e-3), (0.2, 0.5), (0.1, 1e-3), (0.2, 0.3), (0.3, 1e-3)]
    return torch.cat([torch.full((round(s * SAMPLE_RATE),), level, dtype=torch.float64) for s, level in parts])[None]


def plain_gate(is_open, closed, attack, release):
    """The gain of every block, one after the other."""
    result: list[float] = []
    decay, target, limited = 1000 ** (-1 / release), 0.0, 0.0
    for index, opened in enumerate(is_open):
        target = max(1.0 if opened else closed, target * decay)
        limited = target if index == 0 else min(target, limited + 1 / attack)
        result.append(limited)
    return result


def test_gains_equal_a_loop():
    is_open = torch.rand(20, 300, generator=seeded()) > 0.9
    closed = torch.logspace(-5, -0.5, 20, dtype=torch.float64)[:, None]
    attack, release = torch.linspace(1, 9, 20).double()[:, None], torch.linspace(1, 90, 20).double()[:, None]
    given = (x[:, 0].tolist() for x in (closed, attack, release))
    expected = [plain_gate(*each) for each in zip(is_open.tolist(), *given, strict=True)]
    torch.testing.assert_close(gains(is_open, closed, attack, release), torch.tensor(expected).double())


def test_a_gate_leaves_the_word_and_digital_silence():
    options: dict[str, Any] = {"max_attack": 0.0, "max_release": 0.0, "zero_p": 1.0}
    clip = word()
    for around_p, gap in ((0.0, 0.0), (1.0, 1e-3)):
        (result,) = Gate(**RATE, around_p=around_p, **options)(clip, seeded())
        sounding, edge = result[3200:6400], 300  # samples at an edge: the window and the ramps
        torch.testing.assert_close(sounding[edge:], clip[0, 3200 + edge : 6400])
        assert not result[: 3200 - edge].any() and not result[11_200 + edge :].any()
        assert result[7200].item() == gap


def test_a_gate_opens_and_closes_in_its_time(monkeypatch):
    highest = {0.02: 0.02, 0.2: 0.2, -25.0: -25.0}
    monkeypatch.setattr(
        "audionet.augment.gate.uniform",
        lambda n, low, high, *_: torch.full((n,), highest.get(high, 0.0), dtype=torch.float64),
    )
    (gain,) = (Gate(**RATE, around_p=0.0, zero_p=1.0)(word(), seeded()) / word()).abs()
    opening = gain[2800:3800]
    assert int((opening > 0.99).nonzero()[0]) - int((opening > 0.01).nonzero()[0]) == pytest.approx(320, abs=64)
    closing = gain[11_200:]
    at_20, at_60 = (int((closing < level).nonzero()[0]) for level in (0.1, 0.001))
    assert at_60 - at_20 == pytest.approx(0.2 * SAMPLE_RATE * 2 / 3, abs=64)


def test_a_gate_of_a_range_attenuates_by_it():
    options: dict[str, Any] = {"max_attack": 0.0, "max_release": 0.0, "zero_p": 0.0, "around_p": 0.0}
    result = Gate(**RATE, max_range_db=30, **options)(word().expand(200, -1), seeded())
    db = 20 * (result[:, 1000] / word()[0, 1000]).log10()
    assert -30.01 < db.min() < -28 and -8 < db.max() < -5.99


def test_a_gate_may_stay_closed_through_a_silence():
    waveform = noise(200, 2000)
    silence = torch.arange(200) % 2 == 0
    result = Gate(**RATE, zero_p=1.0, silence_p=0.5, min_threshold_db=-60, max_threshold_db=-60)(
        waveform, seeded(), silence=silence
    )
    closed = ~result.any(1)
    assert not closed[~silence].any() and 30 < closed[silence].sum() < 70
    assert torch.equal(result[~closed], waveform[~closed])


# ---------------------------------------------------------------- codecs


def test_mu_law_equals_torchaudios():
    waveform = torch.cat([torch.linspace(-1, 1, 2001), torch.tensor([-3.0, 3.0])])
    clamped = waveform.clamp(-1, 1)
    expected = functional.mu_law_decoding(functional.mu_law_encoding(clamped, 256), 256)
    torch.testing.assert_close(mu_law(waveform), expected, rtol=0, atol=1e-6)


def test_a_law_equals_the_curve_of_the_standard():
    waveform = np.linspace(-1, 1, 1999)
    size = np.abs(waveform)
    with np.errstate(divide="ignore"):
        curve = np.where(size < 1 / 87.6, 87.6 * size, 1 + np.log(87.6 * size)) / (1 + np.log(87.6))
    steps = np.floor((np.sign(waveform) * curve + 1) / 2 * 255 + 0.5) / 255 * 2 - 1
    size = np.abs(steps) * (1 + np.log(87.6))
    expected = np.sign(steps) * np.where(size < 1, size, np.exp(size - 1)) / 87.6
    np.testing.assert_allclose(a_law(torch.from_numpy(waveform)), expected, atol=1e-12)


@pytest.mark.parametrize("law", [mu_law, a_law])
def test_the_laws_keep_38_db_and_less_of_quiet_clips(law):
    sine = torch.sin(0.3 * torch.arange(8000.0).double())
    ratio = [float(db_of(x) - db_of(law(x) - x)) for x in (0.5 * sine, 0.005 * sine)]
    assert 36 < ratio[0] < 40 and 15 < ratio[1] < 34


@pytest.mark.parametrize("time", [320, 301])
def test_block_steps_equal_a_loop(time):
    waveform = noise(3, time)
    waveform[0, 64:128] = 0
    bits = torch.tensor([3.0, 4.0, 5.0]).double()
    expected = waveform.clone()
    for row, clip in enumerate(waveform):
        for start in range(0, time, 32):
            block, steps = clip[start : start + 32], 2 ** (int(bits[row]) - 1) - 1
            if (peak := block.abs().max()) > 0:
                expected[row, start : start + 32] = (block / peak * steps).round() / steps * peak
    torch.testing.assert_close(block_steps(waveform, bits, 32), expected)


def through_adpcm(waveform):
    """Encode with ffmpeg's IMA ADPCM of four bits, and decode."""
    av = pytest.importorskip("av")
    content = io.BytesIO()
    with av.open(content, "w", format="wav") as output:
        stream = output.add_stream("adpcm_ima_wav", rate=SAMPLE_RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray((waveform[None] * 32768).astype(np.int16), format="s16p", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        resampler = av.AudioResampler(format="s16p", layout="mono", rate=SAMPLE_RATE, frame_size=2041)
        for each in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(each))
        output.mux(stream.encode(None))
    with av.open(io.BytesIO(content.getvalue())) as coded:
        return np.concatenate([each.to_ndarray()[0] for each in coded.decode(audio=0)])[: len(waveform)] / 32768


def test_blocks_of_few_bits_are_as_noisy_as_adpcm():
    speech = torch.from_numpy(read_mono(SEVEN, SAMPLE_RATE)).double()
    coded = through_adpcm(speech.numpy())
    real = float(db_of(speech) - db_of(torch.from_numpy(coded) - speech))
    ours = [
        float(db_of(speech) - db_of(block_steps(speech[None], torch.tensor([bits]), 32)[0] - speech))
        for bits in (3.0, 5.0)
    ]
    assert ours[0] < real < ours[1], (ours, real)


def test_holes_are_what_lies_below_half_a_step():
    waveform = noise(6, 8000)
    coarseness = torch.tensor([-40.0, -12, -6, 0, 3, 6]).double()
    result = spectral_holes(waveform, coarseness, 512)
    error = db_of(result - waveform) - db_of(waveform)
    assert (error.diff() > 0).all() and error[0] < -35 and -8 < error[-1] < 1
    # A tone far below the loudest of its frame is dropped, one near it is kept.
    t = torch.arange(8000).double()
    tones = 0.3 * torch.sin(0.1 * t) + 1e-3 * torch.sin(2.0 * t) + 0.1 * torch.sin(1.0 * t)
    power = to_spectrum(spectral_holes(tones[None], torch.zeros(1).double(), 512), 512).abs()[0, 10]
    bins = [round(w * 512 / 2 / math.pi) for w in (0.1, 1.0, 2.0)]
    assert power[bins[0]] > 10 and power[bins[1]] > 3 and power[bins[2]] < 1e-2


def test_every_codec_is_drawn_for_its_share_of_the_clips():
    waveform = noise(400, 1000)
    codec = Codec(**RATE)
    result = codec(waveform, seeded())
    laws = [(result == law(waveform)).all(1) for law in (mu_law, a_law)]
    assert all(70 < law.sum() < 130 for law in laws)
    one = Codec(**RATE, kinds=["blocks"], min_bits=4, max_bits=4)(waveform, seeded())
    torch.testing.assert_close(one, block_steps(waveform, torch.full((400,), 4.0).double(), 32))


def test_bits_are_drawn_evenly():
    codec = Codec(**RATE, min_bits=3, max_bits=5)
    bits = codec.bits(torch.linspace(0, 1, 3001))
    assert torch.bincount(bits.int())[3:].tolist() == [1000, 1000, 1001]


# ---------------------------------------------------------------- clipping and level


def test_clipping_cuts_at_its_limit():
    waveform = noise(300, 1000)
    peak = waveform.abs().amax(1)
    hard = Clipping(max_db=20, kinds=["hard"])(waveform, seeded())
    limit = hard.abs().amax(1)
    db = 20 * (limit / peak).log10()
    assert -20.01 < db.min() < -19 and -1 < db.max() <= 0
    cut = np.clip(waveform.numpy(), -limit[:, None].numpy(), limit[:, None].numpy())
    torch.testing.assert_close(hard, torch.from_numpy(cut))
    soft = Clipping(max_db=20, kinds=["soft"])(waveform, seeded())  # the same draws
    torch.testing.assert_close(soft, limit[:, None] * torch.from_numpy(np.tanh((waveform / limit[:, None]).numpy())))
    both = Clipping(max_db=20)(waveform, seeded())
    is_soft = (both == soft).all(1)
    assert 110 < is_soft.sum() < 190 and torch.equal(both[~is_soft], hard[~is_soft])


def test_levels_are_uniform_in_decibels_and_some_full():
    result = Level(min_db=-50, max_db=0, full_p=0.3)(noise(600, 1000, 0.01), seeded())
    db = 20 * result.abs().amax(1).log10()
    is_full = db > -0.01
    assert 150 < is_full.sum() < 210
    assert -50.1 < db.min() < -48 and db[~is_full].mean() == pytest.approx(-25, abs=2)
    assert torch.equal(result * 32768, (result * 32768).round()) and result.max() < 1


def test_levels_leave_silences_and_zeros():
    waveform = noise(100, 500, 1e-3)
    waveform[3] = 0
    silence = torch.arange(100) % 2 == 0
    result = Level()(waveform, seeded(), silence=silence)
    torch.testing.assert_close(result[silence], waveform[silence], rtol=0, atol=0.5 / 32768)
    assert not result[3].any() and result[5].abs().max() > 3e-3


# ---------------------------------------------------------------- what does not fit


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (BandLimit, {"bands": []}, "bands: expected at least one band, got []"),
        (BandLimit, {"bands": [[1, 2, 3]]}, "bands: expected pairs of lowest and highest hertz, got [1, 2, 3]"),
        (BandLimit, {"bands": [300, 3400]}, "bands: expected pairs of lowest and highest hertz, got 300"),
        (BandLimit, {"bands": [[3400, 300]]}, "bands: expected the lower edge first, got (3400, 300)"),
        (BandLimit, {"bands": [[-1, 300]]}, "bands: expected at least 0, got -1"),
        (BandLimit, {"bands": [[0, NAN]]}, "bands: expected at least 1, got nan"),
        (BandLimit, {"jitter": 0.6}, "jitter: expected a number from 0 to 0.5, got 0.6"),
        (BandLimit, {"min_order": 50}, "min_order: expected at most max_order, 40, got 50"),
        (NoiseFloor, {"min_db": -30}, "min_db: expected at most max_db, -40, got -30"),
        (NoiseFloor, {"max_slope": -1}, "max_slope: expected a number from 0 to 4, got -1"),
        (Gate, {"min_threshold_db": 3}, "min_threshold_db: expected a number from -200 to 0, got 3"),
        (Gate, {"min_threshold_db": -20}, "min_threshold_db: expected at most max_threshold_db, -25, got -20"),
        (Gate, {"max_attack": -0.1}, "max_attack: expected a number from 0 to 60, got -0.1"),
        (Gate, {"zero_p": 1.5}, "zero_p: expected a number from 0 to 1, got 1.5"),
        (Gate, {"max_range_db": 3}, "max_range_db: expected a number from 6 to 100, got 3"),
        (Codec, {"kinds": []}, "kinds: expected at least one kind, got []"),
        (
            Codec,
            {"kinds": ["mulaw"]},
            "kinds: expected one of mu_law, a_law, blocks, holes, got 'mulaw'; did you mean 'mu_law'?",
        ),
        (Codec, {"min_bits": 1}, "min_bits: expected a whole number from 2 to 16, got 1"),
        (Codec, {"min_bits": 6}, "min_bits: expected at most max_bits, 5, got 6"),
        (Codec, {"min_coarseness_db": 9}, "min_coarseness_db: expected at most max_coarseness_db, 6, got 9"),
        (Clipping, {"kinds": ["firm"]}, "kinds: expected one of hard, soft, got 'firm'; choose one of them"),
        (Clipping, {"max_db": -3}, "max_db: expected a number from 0 to 100, got -3"),
        (Level, {"max_db": 3}, "max_db: expected a number from -96 to 0, got 3"),
        (Level, {"min_db": -3, "max_db": -6}, "min_db: expected at most max_db, -6, got -3"),
        (Room, {"n_rooms": 0}, "n_rooms: expected a whole number from 1 to 10000, got 0"),
        (Room, {"max_rt60": 0.05}, "min_rt60: expected at most max_rt60, 0.05, got 0.1"),
        (Room, {"min_rt60": 0}, "min_rt60: expected a number from 0.02 to 10, got 0"),
        (Room, {"seconds": NAN}, "seconds: expected a number from 0.01 to 2, got nan"),
        (Room, {"seed": -1}, "seed: expected a whole number from 0 to 2**63 - 1, got -1"),
        (Microphone, {"smooth_db": -1}, "smooth_db: expected a number from 0 to 60, got -1"),
        (Microphone, {"resonance_db": NAN}, "resonance_db: expected a number from 0 to 60, got nan"),
        (Microphone, {"max_low_cut_hz": 3}, "max_low_cut_hz: expected at least 20, got 3"),
        (Microphone, {"distortion": 0.5}, "distortion: expected a number from 0 to 0.3, got 0.5"),
        (Microphone, {"max_dc": 2}, "max_dc: expected a number from 0 to 1, got 2"),
        (Device, {"room_p": 1.5}, "room_p: expected a number from 0 to 1, got 1.5"),
        (Device, {"level_p": NAN}, "level_p: expected a number from 0 to 1, got nan"),
        (Level, {"full_p": 2}, "full_p: expected a number from 0 to 1, got 2"),
    ],
)
def test_arguments_out_of_their_range_are_refused(kind, arguments, message):
    rate = {} if kind in (Clipping, Level) else RATE
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        kind(**rate | arguments)


@pytest.mark.parametrize("kind", [BandLimit, NoiseFloor, Gate, Codec, Room, Microphone, Device])
def test_a_sample_rate_of_zero_is_refused(kind):
    with pytest.raises(ValueError, match="sample_rate: expected at least 1|sample_rate: expected at least 200"):
        kind(sample_rate=0)
