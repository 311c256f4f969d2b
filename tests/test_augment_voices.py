"""Augmentations that make another voice: measured on vowels whose pitch and formants are known."""

import math
import re
from fractions import Fraction
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
from scipy import fft, signal
from torch import Generator

from audionet.audio import read_mono
from audionet.augment import BandWarp, Pitch, Stretch, VocalTract
from audionet.augment.short_time import frame_length, power_of, to_spectrum, to_waveform
from audionet.augment.stretching import stretched
from audionet.augment.vocal_tract import warp

SAMPLE_RATE = 16_000
SEVEN = Path(__file__).parent / "data" / "seven.wav"
FORMANTS = (600.0, 1500.0, 2700.0, 4000.0)


def seeded(seed=0):
    return Generator().manual_seed(seed)


def fixed(monkeypatch, factor):
    """Let every vocal tract have one factor."""
    drawn = torch.tensor([factor], dtype=torch.float64)
    monkeypatch.setattr("audionet.augment.vocal_tract.uniform", lambda n, *_: drawn.expand(n))


def vowel(pitch=125.0, formants=FORMANTS, time=16_000):
    """Pulses through a resonance a formant, 80 Hz wide: (time,) float64 within [-1, 1]."""
    waveform = np.diff(np.floor(np.arange(time + 1) * pitch / SAMPLE_RATE))
    for hertz in formants:
        pole = np.exp(np.pi * (-80 + 2j * hertz) / SAMPLE_RATE)
        waveform = signal.lfilter([1], [1, -2 * pole.real, abs(pole) ** 2], waveform)
    return torch.from_numpy(0.5 * waveform / np.abs(waveform).max())


def formants_of(waveform, count=3):
    """Resonances of a linear prediction, in hertz, the lowest first."""
    middle = waveform[4000:12_000].numpy() * np.hanning(8000)
    roots = np.roots(librosa.lpc(signal.lfilter([1, -0.9], 1, middle), order=12))
    roots = roots[(roots.imag > 0.01) & (np.abs(roots) > 0.85)]
    return np.sort(np.angle(roots) * SAMPLE_RATE / 2 / np.pi)[:count]


def pitch_of(waveform):
    middle = waveform[2000:14_000].numpy()
    return np.median(librosa.yin(middle, fmin=60, fmax=400, sr=SAMPLE_RATE, frame_length=2048))


# ---------------------------------------------------------------- short-time spectra


@pytest.mark.parametrize("time", [1, 255, 256, 257, 16_000, 15_999])
def test_what_is_not_changed_comes_back(time):
    waveform = torch.randn(3, time, generator=seeded(), dtype=torch.float64)
    spectrum = to_spectrum(waveform, 512)
    torch.testing.assert_close(to_waveform(spectrum, time), waveform, rtol=0, atol=1e-12)
    torch.testing.assert_close(power_of(spectrum), spectrum.abs().square())


def test_spectrum_equals_librosas():
    waveform = torch.randn(2, 8000, generator=seeded(), dtype=torch.float64)
    window = np.sqrt(signal.get_window("hann", 512))
    expected = librosa.stft(waveform.numpy(), n_fft=512, hop_length=256, window=window, pad_mode="constant")
    result = to_spectrum(waveform, 512).mT.numpy()
    np.testing.assert_allclose(result[..., : expected.shape[-1]], expected, atol=1e-10)


@pytest.mark.parametrize(("rate", "samples"), [(8000, 256), (16_000, 512), (22_050, 512), (48_000, 2048), (100, 16)])
def test_frames_are_the_power_of_two_near_32_ms(rate, samples):
    assert frame_length(rate) == samples


# ---------------------------------------------------------------- vocal tract


@pytest.mark.parametrize("factor", [0.85, 0.92, 1.1, 1.15])
def test_formants_move_by_the_factor_and_the_pitch_stays(factor, monkeypatch):
    fixed(monkeypatch, factor)
    before = vowel()
    (after,) = VocalTract(sample_rate=SAMPLE_RATE)(before[None], seeded())
    first, *others = formants_of(after) / formants_of(before)
    np.testing.assert_allclose(others, factor, atol=0.04)
    assert 0.3 < (first - 1) / (factor - 1) < 1.1  # few harmonics show the first formant, so its hump is a wide one
    assert pitch_of(after) == pytest.approx(pitch_of(before), rel=0.005) == pytest.approx(125, rel=0.01)
    assert after.square().mean() == pytest.approx(before.square().mean(), rel=0.5)


def test_the_factor_is_uniform_and_one_is_the_clip_itself():
    waveform = vowel().expand(100, -1)
    result = VocalTract(sample_rate=SAMPLE_RATE, amount=0.15)(waveform, seeded(3))
    second = torch.tensor([formants_of(clip)[1] for clip in result])
    ratio = second / FORMANTS[1]
    assert 0.83 < ratio.min() < 0.9 and 1.1 < ratio.max() < 1.18
    assert ratio.mean() == pytest.approx(1, abs=0.02)
    same = VocalTract(sample_rate=SAMPLE_RATE, amount=0.0)(waveform[:2], seeded())
    torch.testing.assert_close(same, waveform[:2], rtol=0, atol=1e-9)


def test_the_change_equals_a_plain_computation(monkeypatch):
    """Frame by frame: SciPy's cosine transform, cut and evaluated at the warped frequencies."""
    fixed(monkeypatch, 1.12)
    waveform = 0.1 * torch.randn(1, 4000, generator=seeded(), dtype=torch.float64)
    tract = VocalTract(sample_rate=SAMPLE_RATE)
    (result,) = to_spectrum(tract(waveform, seeded()), tract.n_fft)
    (spectrum,) = to_spectrum(waveform, tract.n_fft)
    power = spectrum.abs().square().numpy()
    half = np.linspace(0, 1, 257)
    bend = 0.6  # equation of the paper for a factor above 1, upside down
    source = np.where(half <= bend, half / 1.12, 1 - (1 - half) * (1 - bend / 1.12) / (1 - bend))
    expected = []
    for frame in np.log(power + 1e-8 * power.max()) / 2:
        cepstrum = fft.dct(frame, type=1)[:40] / 256
        at = np.cos(np.pi * np.outer(source, np.arange(40))) - np.cos(np.pi * np.outer(half, np.arange(40)))
        expected.append(np.exp(np.clip(at @ cepstrum, -3.5, 3.5)))
    changed = to_waveform((spectrum * torch.from_numpy(np.array(expected)))[None], 4000)
    torch.testing.assert_close(to_spectrum(changed, tract.n_fft)[0], result, rtol=0, atol=1e-9)


def test_the_warp_is_piecewise_linear_and_ends_at_half_the_sample_rate():
    half = torch.linspace(0, 1, 1001, dtype=torch.float64)
    for factor in (0.8, 1.0, 1.2):
        (source,) = warp(half, torch.tensor([factor], dtype=torch.float64))
        assert source[0] == 0 and source[-1] == 1 and (source.diff() > 0).all()
        knee = int(1000 * 0.6 * min(factor, 1))
        torch.testing.assert_close(source[:knee], half[:knee] / factor)
        assert source.diff().diff()[knee + 2 :].abs().max() < 1e-12


def test_a_silent_clip_stays_silent():
    waveform = torch.zeros(3, 4000)
    assert not VocalTract(sample_rate=SAMPLE_RATE)(waveform, seeded()).any()


# ---------------------------------------------------------------- pitch and tempo


def events(waveform):
    """Where the sound begins and ends, in samples."""
    loud = (waveform.abs() > 0.05 * waveform.abs().max()).nonzero()[:, 0]
    return int(loud[0]), int(loud[-1])


@pytest.mark.parametrize("tempo", [0.75, 0.9, 1.3])
@pytest.mark.parametrize("hertz", [90.0, 200.0, 700.0])
def test_a_tone_keeps_its_pitch_and_its_purity_at_any_tempo(tempo, hertz):
    tone = 0.5 * torch.sin(2 * math.pi * hertz / SAMPLE_RATE * torch.arange(16_000.0).double())[None]
    (result,) = stretched(tone, torch.tensor([tempo]).double(), 16_000, SAMPLE_RATE)
    middle = result[3000:13_000]
    power = np.abs(np.fft.rfft(middle.numpy() * np.hanning(10_000), 160_000)) ** 2
    assert power.argmax() / 10 == pytest.approx(hertz, rel=0.005)
    near = slice(int(power.argmax()) - 60, int(power.argmax()) + 60)
    assert power[near].sum() > 0.995 * power.sum()
    assert middle.square().mean() == pytest.approx(0.125, rel=0.02)


@pytest.mark.parametrize("tempo", [0.8, 1.25])
def test_a_word_at_another_tempo_sounds_as_librosas(tempo):
    word = torch.from_numpy(read_mono(SEVEN, SAMPLE_RATE)).double()[None]
    padded = torch.nn.functional.pad(word, (4000, 4000))
    time = padded.shape[-1]
    (ours,) = stretched(padded, torch.tensor([tempo]).double(), time, SAMPLE_RATE)
    theirs = librosa.effects.time_stretch(padded[0].numpy(), rate=tempo)
    missing = time - len(theirs)
    theirs = np.pad(theirs, (missing // 2, missing - missing // 2)) if missing > 0 else theirs[-missing // 2 :][:time]
    bands = [
        librosa.power_to_db(librosa.feature.melspectrogram(y=x, sr=SAMPLE_RATE, n_mels=40), top_db=50)
        for x in (ours.numpy(), theirs)
    ]
    assert np.corrcoef(bands[0].ravel(), bands[1].ravel())[0, 1] > 0.95
    before, after = events(padded[0]), events(ours)
    assert after[1] - after[0] == pytest.approx((before[1] - before[0]) / tempo, rel=0.03)
    middle = time / 2
    assert sum(after) / 2 - middle == pytest.approx((sum(before) / 2 - middle) / tempo, abs=300)


def test_a_tempo_of_one_changes_nothing():
    waveform = torch.randn(3, 5000, generator=seeded(), dtype=torch.float64)
    result = stretched(waveform, torch.ones(3).double(), 5000, SAMPLE_RATE)
    torch.testing.assert_close(result, waveform, rtol=0, atol=1e-12)
    torch.testing.assert_close(Stretch(sample_rate=SAMPLE_RATE, amount=0.0)(waveform, seeded()), waveform)
    torch.testing.assert_close(Pitch(sample_rate=SAMPLE_RATE, amount=0.0)(waveform, seeded()), waveform)


def test_the_tempo_is_uniform():
    click = torch.zeros(300, 16_000)
    click[:, 12_000:12_100] = torch.randn(300, 100, generator=seeded(2))
    result = Stretch(sample_rate=SAMPLE_RATE, amount=0.2)(click, seeded())
    place = (result.square() * torch.arange(16_000)).sum(1) / result.square().sum(1)
    tempo = 4050 / (place - 8000)
    assert 0.78 < tempo.min() < 0.83 and 1.15 < tempo.max() < 1.25
    assert tempo.mean() == pytest.approx(1, abs=0.05)  # a click lands in one frame or in two


@pytest.mark.parametrize("rate", [Fraction(6, 7), Fraction(10, 9), Fraction(8, 7)])
def test_pitch_and_formants_move_and_the_tempo_stays(rate, monkeypatch):
    monkeypatch.setattr("audionet.augment.stretching.speed_rates", lambda amount: [rate])
    envelope = np.interp(np.arange(16_000), [0, 3000, 3400, 12_000, 12_400, 16_000], [0, 0, 1, 1, 0, 0])
    before = vowel() * torch.from_numpy(envelope)
    (after,) = Pitch(sample_rate=SAMPLE_RATE)(before[None], seeded())
    assert pitch_of(vowel()) == pytest.approx(125, rel=0.01)
    assert pitch_of(after) == pytest.approx(125 * float(rate), rel=0.01)
    np.testing.assert_allclose(formants_of(after) / formants_of(before), float(rate), atol=0.05)
    np.testing.assert_allclose(events(after), events(before), atol=250)


def test_every_rate_of_the_pitch_is_drawn():
    tone = torch.sin(2 * math.pi * 400 / SAMPLE_RATE * torch.arange(8000.0)).expand(120, -1)
    pitch = Pitch(sample_rate=SAMPLE_RATE, amount=0.15)
    spectrum = torch.fft.rfft(pitch(tone, seeded())[:, 2000:6000] * torch.hann_window(4000), 64_000).abs()
    heard = spectrum.argmax(1) / 64_000 * SAMPLE_RATE / 400
    distance, nearest = (heard[:, None] - torch.tensor([float(rate) for rate in pitch.rates])).abs().min(1)
    assert distance.max() < 0.01 and len(nearest.unique()) == len(pitch.rates) == 9


@pytest.mark.parametrize("kind", [Stretch, Pitch])
def test_silence_stays_silent(kind):
    assert not kind(sample_rate=SAMPLE_RATE)(torch.zeros(5, 3000), seeded()).any()


@pytest.mark.parametrize("kind", [Stretch, Pitch])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sample_rate": 100}, "sample_rate: expected at least 1000, got 100"),
        ({"amount": 0.6}, "amount: expected a number from 0 to 0.5, got 0.6"),
        ({"amount": -0.1}, "amount: expected a number from 0 to 0.5, got -0.1"),
    ],
)
def test_stretch_and_pitch_refuse_what_does_not_fit(kind, arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        kind(**{"sample_rate": SAMPLE_RATE} | arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sample_rate": 0}, "sample_rate: expected at least 1, got 0"),
        ({"amount": 0.5}, "amount: expected a number from 0 to 0.4, got 0.5"),
        ({"amount": float("nan")}, "amount: expected a number from 0 to 0.4, got nan"),
        ({"amount": "much"}, "amount: expected a number, got 'much'"),
    ],
)
def test_a_vocal_tract_refuses_what_does_not_fit(arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        VocalTract(**{"sample_rate": SAMPLE_RATE} | arguments)


def test_a_band_warp_moves_a_peak_by_its_factor_and_an_amount_of_0_changes_nothing() -> None:
    warp = BandWarp(sample_rate=16_000, n_bands=40, amount=0.12, p=1.0)
    centre, spectrogram = 20, torch.zeros(200, 1, 40, 3)
    # A hat that is wide enough that a shift of parts of a band shows in its centre of gravity.
    bands = torch.arange(40.0)
    spectrogram[:] = (1 - (bands - centre).abs() / 6).clamp(min=0)[:, None]
    moved = warp(spectrogram, torch.Generator().manual_seed(0))[:, 0, :, 0]
    found = (moved * bands).sum(-1) / moved.sum(-1)
    mel = (bands + 1) * 2840.02 / 41
    hertz = 700 * (10 ** (mel / 2595) - 1)
    for factor, edge in ((0.88, found.max()), (1.12, found.min())):
        expected = 2595 * torch.log10(1 + hertz[centre] / factor / 700) / 2840.02 * 41 - 1
        assert edge == pytest.approx(expected.item(), abs=0.15)
    same = BandWarp(sample_rate=16_000, n_bands=40, amount=0.0, p=1.0)
    noise = torch.randn(2, 1, 40, 5)
    assert torch.allclose(same(noise, torch.Generator().manual_seed(0)), noise, atol=1e-4)
    never = BandWarp(sample_rate=16_000, n_bands=40, p=0.0)
    assert torch.allclose(never(noise, torch.Generator().manual_seed(0)), noise, atol=1e-4)
    with pytest.raises(ValueError, match="n_bands = 40"):
        warp(torch.zeros(1, 1, 20, 3), torch.Generator())
    with pytest.raises(ValueError, match="amount"):
        BandWarp(sample_rate=16_000, n_bands=40, amount=0.5)
