"""Augmentations do what their parameters say, from their generator alone, to each clip by itself."""

import math
import pickle
import random
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import Generator, nn

from audionet.augment import (
    AUGMENTATIONS,
    Augment,
    BackgroundNoise,
    Equalize,
    Gain,
    OtherSpeech,
    Reverb,
    SpecAugment,
    Speed,
    TimeShift,
    mixup,
    to_float,
)
from audionet.registry import Registry

SAMPLE_RATE = 8000
NAN = math.nan


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


BACKGROUND = (3000 * torch.randn(20_000, generator=seeded(99))).to(torch.int16)
ONES = torch.ones(20_000)
GIVEN: dict[str, Any] = {"sample_rate": SAMPLE_RATE, "background": BACKGROUND, "speech": BACKGROUND}
EACH: dict[str, nn.Module] = {
    "time_shift": TimeShift(sample_rate=SAMPLE_RATE, seconds=0.05),
    "speed": Speed(amount=0.2),
    "gain": Gain(min_db=-12, max_db=6),
    "equalize": Equalize(sample_rate=SAMPLE_RATE, low_pass_hz=1000),
    "reverb": Reverb(sample_rate=SAMPLE_RATE, min_rt60=0.05, max_rt60=0.1),
    "noise at an amplitude": BackgroundNoise(BACKGROUND, max_amplitude=0.5, p=0.8),
    "noise at a ratio": BackgroundNoise(BACKGROUND, min_snr_db=0, max_snr_db=20, p=0.8),
    "chain": Augment(
        {"speed": {"p": 0.5}, "gain": {"p": 0.5}, "noise": {"min_snr_db": 0.0, "max_snr_db": 20.0, "p": 0.5}},
        sample_rate=SAMPLE_RATE,
        background=BACKGROUND,
        p=0.8,
    ),
}
CHAIN: dict[str, dict[str, Any]] = {
    "time_shift": {"seconds": 0.05},
    "speed": {},
    "gain": {"max_db": -1.0},
    "equalize": {},
    "reverb": {"max_rt60": 0.15},
    "noise": {"max_amplitude": 0.5},
    "vocal_tract": {},
    "noise_floor": {},
    "clipping": {"max_db": 12.0},
    "gate": {"min_threshold_db": -15.0, "max_threshold_db": -10.0},
    "band_limit": {"bands": [[300.0, 3400.0], [0.0, 2000.0]]},
    "codec": {},
    "level": {},
    "other_speech": {},
    "pitch": {},
    "stretch": {},
    "microphone": {},
    "room": {"n_rooms": 8, "seconds": 0.1},
    "device": {"room_p": 0.0},
}
SPECTROGRAM_AUGMENTATIONS = {"zero": SpecAugment(), "mean": SpecAugment(fill="mean", p=0.5)}

each = pytest.mark.parametrize("augmentation", EACH.values(), ids=EACH)


def clips(batch=16, time=2000, dtype=torch.float32):
    """Noise that fades in and out, far from ±1, with digital silence in the last clip."""
    waveform = 0.05 * torch.randn(batch, time, generator=seeded(7)) * torch.hann_window(time)
    waveform[-1] = 0
    return waveform.to(dtype)


def changed(before, after):
    """Which rows are not bit-identical: (batch,) bool."""
    return (before != after).flatten(1).any(1)


def global_random_state():
    """The state of every generator that nobody passes in."""
    numpy_state = np.random.get_state()  # noqa: NPY002
    return pickle.dumps((torch.get_rng_state().numpy(), numpy_state, random.getstate()))


def runs(hidden):
    """Start and length of every run of True in a (size,) mask."""
    edges = np.diff(np.concatenate([[0], hidden.numpy().astype(int), [0]]))
    starts, ends = np.nonzero(edges == 1)[0], np.nonzero(edges == -1)[0]
    return list(zip(starts.tolist(), (ends - starts).tolist(), strict=True))


# ---------------------------------------------------------------- what all have in common


@each
def test_the_seed_decides_everything(augmentation):
    first = augmentation(clips(), seeded(1))
    assert torch.equal(first, augmentation(clips(), seeded(1)))
    assert not torch.equal(first, augmentation(clips(), seeded(2)))
    one = seeded(1)
    assert torch.equal(first, augmentation(clips(), one))
    assert not torch.equal(first, augmentation(clips(), one)), "the generator must move on"


@each
def test_the_global_random_numbers_are_left_alone(augmentation):
    before = global_random_state()
    augmentation(clips(), seeded())
    assert global_random_state() == before


@each
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("time", [2000, 1999])
def test_shape_and_type_are_kept_and_the_input_too(augmentation, dtype, time):
    waveform = clips(time=time, dtype=dtype)
    before = waveform.clone()
    result = augmentation(waveform, seeded())
    assert (result.shape, result.dtype) == (waveform.shape, dtype)
    assert result.isfinite().all()
    assert torch.equal(waveform, before)
    assert changed(before, result)[:-1].float().mean() > 0.5


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_p_is_the_share_of_clips_that_change(name):
    waveform = clips(301, 600)[:-1]
    for p, low, high in ((0.0, 0, 0), (0.5, 110, 190), (1.0, 260, 300)):  # speed keeps one clip in 13 as it is
        chain = Augment({name: CHAIN[name] | {"p": p}}, **GIVEN)
        result = chain(waveform, seeded(3))
        assert low <= changed(waveform, result).sum() <= high


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_a_clip_does_not_depend_on_what_its_neighbours_hold(name):
    waveform = clips(8)
    others = waveform.clone()
    others[1:] = waveform[1:].flip(-1) * 3
    chain = Augment({name: CHAIN[name] | {"p": 0.7}}, **GIVEN)
    for seed in range(4):
        assert torch.equal(chain(waveform, seeded(seed))[0], chain(others, seeded(seed))[0])


# ---------------------------------------------------------------- one by one


def test_time_shift_moves_to_every_whole_sample_within_its_bounds():
    shift = TimeShift(sample_rate=100, seconds=0.03)  # 3 samples
    impulses = torch.zeros(300, 21)
    impulses[:, 10] = 1
    result = shift(impulses, seeded())
    assert torch.equal(result.sum(1), torch.ones(300)) and torch.equal(result.amax(1), torch.ones(300))
    moved = result.argmax(1) - 10
    assert set(moved.tolist()) == {-3, -2, -1, 0, 1, 2, 3}
    assert torch.bincount(moved + 3).min() > 20  # of 43 expected

    steps = torch.arange(1.0, 22.0).expand(300, -1)
    for clip, samples in zip(shift(steps, seeded()), moved.tolist(), strict=True):  # the same draws
        enters = torch.zeros(abs(samples))
        kept = steps[0, max(-samples, 0) : 21 - max(samples, 0)]
        assert torch.equal(clip, torch.cat([enters, kept] if samples > 0 else [kept, enters]))


def test_time_shift_of_more_than_the_clip_leaves_silence():
    result = TimeShift(sample_rate=100, seconds=1.0)(torch.ones(200, 10), seeded())
    assert (result.sum(1) == 0).sum() > 150


def test_speed_scales_a_sines_frequency_about_the_centre():
    speed = Speed(amount=0.2)
    batch, time, cycles = 150, 2000, 0.05  # cycles per sample
    sine = torch.sin(2 * torch.pi * cycles * torch.arange(time, dtype=torch.float64)).expand(batch, -1)
    result = speed(sine, seeded(4))
    middle = result[:, 400:1600] * torch.hann_window(1200, dtype=torch.float64)
    spectrum = torch.fft.rfft(middle, 30_000).abs()
    rates = spectrum.argmax(1) / 30_000 / cycles
    allowed = torch.tensor([4 / 5, 5 / 6, 6 / 7, 7 / 8, 8 / 9, 9 / 10, 1, 10 / 9, 11 / 10, 9 / 8, 8 / 7, 7 / 6, 6 / 5])
    distance, nearest = (rates[:, None] - allowed).abs().min(1)
    assert distance.max() < 1e-3
    assert len(nearest.unique()) == len(allowed)
    torch.testing.assert_close(
        result[:, 500:1500].square().mean(1), torch.full((batch,), 0.5).double(), rtol=0.02, atol=0
    )

    # the same draws for clicks: one stays at the centre, the other keeps its distance times 1 / rate
    clicks = torch.zeros(batch, time, dtype=torch.float64)
    clicks[:, 1500] = 1
    place = speed(clicks, seeded(4)).argmax(1)
    assert ((place - 999.5) - (1500 - 999.5) / allowed[nearest]).abs().max() <= 1.5
    sounding = (result.abs() > 1e-3).double()
    for row, rate in zip(sounding, allowed[nearest], strict=True):
        filled = row.nonzero()[:, 0]
        outside = max(0.0, (time - time / float(rate)) / 2)
        assert abs(int(filled[0]) - outside) < 4 and abs(time - 1 - int(filled[-1]) - outside) < 4


def test_speed_takes_every_rate_up_to_its_amount():
    assert {0.7, 1.3} < {float(rate) for rate in Speed(amount=0.3).rates}
    assert [float(rate) for rate in Speed(amount=0.1).rates] == [0.9, 1.0, 1.1]
    assert [float(rate) for rate in Speed(amount=0.0).rates] == [1.0]


def test_gain_is_uniform_in_decibels():
    waveform = clips(401)[:-1]
    ratio = Gain(min_db=-12, max_db=6)(waveform, seeded())[:, 500:1500] / waveform[:, 500:1500]
    torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio), rtol=1e-5, atol=0)
    db = 20 * ratio[:, 0].log10()
    assert -12.001 <= db.min() < -11.5 and 5.5 < db.max() <= 6.001
    assert db.mean() == pytest.approx(-3, abs=1.2)


def responses(equalize, n_clips=300, time=2000):
    """Frequency responses in decibels (n_clips, frequency), float64, and the frequencies in hertz."""
    impulses = torch.zeros(n_clips, time, dtype=torch.float64)
    impulses[:, 0] = 1
    spectrum = torch.fft.rfft(equalize(impulses, seeded(5)))
    return 20 * spectrum.abs().log10(), torch.fft.rfftfreq(time, 1 / SAMPLE_RATE)


def test_equalize_is_linear():
    equalize = EACH["equalize"]
    a, b = clips(8, dtype=torch.float64), torch.randn(8, 2000, generator=seeded(8), dtype=torch.float64)
    together = equalize(2 * a - 3 * b, seeded(6))
    torch.testing.assert_close(together, 2 * equalize(a, seeded(6)) - 3 * equalize(b, seeded(6)))


@pytest.mark.parametrize("time", [2000, 2001])
def test_equalize_has_no_phase(time):
    impulses = torch.zeros(20, time, dtype=torch.float64)
    impulses[:, 900] = 1
    result = EACH["equalize"](impulses, seeded())
    left, right = result[:, 100:900].flip(1), result[:, 901:1701]
    torch.testing.assert_close(left, right, rtol=0, atol=1e-12)
    assert left.abs().max() > 1e-3
    assert torch.equal(result.argmax(1), torch.full((20,), 900))


def test_equalize_bands_stay_within_their_gain_and_move_apart():
    db, _ = responses(Equalize(sample_rate=SAMPLE_RATE, tilt_db=0, band_db=6, n_bands=4))
    assert 5.5 < db.max() <= 6 + 1e-6 and -6 - 1e-6 <= db.min() < -5.5
    low, high = db[:, 0], db[:, -1]
    assert torch.corrcoef(torch.stack([low, high]))[0, 1].abs() < 0.2
    assert db.diff(dim=1).abs().max() < 0.5  # smooth: 12 dB take hundreds of bins


def test_equalize_tilt_turns_about_the_middle_octave():
    db, hertz = responses(Equalize(sample_rate=SAMPLE_RATE, tilt_db=6, band_db=0))
    assert 5.8 < db[:, 0].max() <= 6 + 1e-6 and -6 - 1e-6 <= db[:, 0].min() < -5.8
    torch.testing.assert_close(db[:, -1], -db[:, 0])
    middle = 250 * ((1 + SAMPLE_RATE / 2 / 250) ** 0.5 - 1)  # half of the octaves above 250 Hz
    assert db[:, (hertz - middle).abs().argmin()].abs().max() < 0.05
    slope = db.diff(dim=1)
    assert ((slope > 0).all(1) | (slope < 0).all(1)).all()


def test_equalize_low_pass_is_butterworth_above_a_random_cutoff():
    options: dict[str, Any] = {"sample_rate": SAMPLE_RATE, "tilt_db": 0.0, "band_db": 0.0, "low_pass_hz": 500.0}
    db, hertz = responses(Equalize(**options, low_pass_p=1.0))
    assert db[:, 0].abs().max() < 1e-9
    assert (db.diff(dim=1) < 1e-9).all()
    cutoff = hertz[(db + 3.01).abs().argmin(1)]
    assert 496 <= cutoff.min() < 560 and 3600 < cutoff.max() <= 4000
    assert 1150 < cutoff.median() < 1700  # log-uniform: the root of 500 * 4000 is 1414
    below = cutoff < 1900
    octave_above = db[below].gather(1, (2 * cutoff[below] / hertz[1]).round().long()[:, None])
    assert octave_above.mean() == pytest.approx(-24.1, abs=0.3)  # fourth order: 24 dB an octave

    kept = [(responses(Equalize(**options, low_pass_p=p))[0][:, -1].abs() < 1e-9).sum() for p in (0.0, 0.5)]
    assert kept[0] == 300 and 110 < kept[1] < 190
    assert responses(Equalize(**options | {"low_pass_hz": None}, low_pass_p=1.0))[0].abs().max() < 1e-9


def impulse_responses(reverb, n_clips=400, time=8000):
    impulses = torch.zeros(n_clips, time, dtype=torch.float64)
    impulses[:, 1000] = 1
    return reverb(impulses, seeded(5))


def test_reverb_is_causal_and_starts_with_the_direct_sound():
    result = impulse_responses(Reverb(sample_rate=SAMPLE_RATE, min_rt60=0.1, max_rt60=0.5))
    assert result[:, :1000].abs().max() < 1e-12
    assert torch.equal(result.abs().argmax(1), torch.full((400,), 1000))
    assert (result[:, 1000] > 0.5).all()
    assert result[:, 1000 + 4000 :].abs().max() < 1e-12
    torch.testing.assert_close(result.square().sum(1), torch.ones(400, dtype=torch.float64))


def test_reverb_does_not_wrap_around():
    late = torch.zeros(50, 2000)
    late[:, 1900] = 1
    assert EACH["reverb"](late, seeded())[:, :1900].abs().max() < 1e-6


def test_reverb_decays_by_60_db_in_its_time():
    result = impulse_responses(Reverb(sample_rate=SAMPLE_RATE, min_rt60=0.3, max_rt60=0.3))
    early, late = (result[:, 1000 + start : 1200 + start].square().mean().log10() * 10 for start in (100, 1700))
    assert float(early - late) == pytest.approx(60 * 0.2 / 0.3, abs=1.0)  # 1,600 samples are 0.2 s
    short, long = (result[:, 1001:].square() for result in (impulse_responses(EACH["reverb"]), result))
    assert short[:, 400:].sum() < 0.1 * long[:, 400:].sum()


def test_reverb_is_as_wet_as_told():
    result = impulse_responses(Reverb(sample_rate=SAMPLE_RATE, min_rt60=0.3, max_rt60=0.3, max_wet=0.25))
    wet = result[:, 1001:].square().sum(1) / result[:, 1000].square()
    assert wet.max() < 0.35 and wet.min() < 0.02
    assert wet.mean() == pytest.approx(0.125, abs=0.02)
    dry = Reverb(sample_rate=SAMPLE_RATE, max_wet=0.0)(clips(), seeded())
    torch.testing.assert_close(dry, clips(), rtol=0, atol=1e-7)


def test_reverb_keeps_the_energy_of_noise():
    noise = 0.1 * torch.randn(20, 16_000, generator=seeded(8))
    result = Reverb(sample_rate=SAMPLE_RATE, min_rt60=0.05, max_rt60=0.3)(noise, seeded())
    db = 10 * (result.square().mean(1) / noise.square().mean(1)).log10()
    assert db.abs().max() < 1


def words(batch=200, time=2000):
    """Clips that sound in their middle 40% only, at different levels, nowhere zero there; float64."""
    waveform = torch.zeros(batch, time, dtype=torch.float64)
    tone = 1 + torch.sin(0.3 * torch.arange(800, dtype=torch.float64)) / 2
    waveform[:, 600:1400] = tone * torch.logspace(-3, 0, batch, dtype=torch.float64)[:, None]
    return waveform


def test_noise_comes_at_its_ratio_to_where_the_clip_sounds():
    waveform = words()
    speech = waveform[:, 600:1400].square().mean(1)
    for low, high in ((10.0, 10.0), (-5.0, 20.0)):
        result = BackgroundNoise(BACKGROUND, min_snr_db=low, max_snr_db=high)(waveform, seeded())
        snr_db = 10 * (speech / (result - waveform).square().mean(1)).log10()
        assert low - 0.01 <= snr_db.min() and snr_db.max() <= high + 0.01
        assert snr_db.max() - snr_db.min() >= 0.95 * (high - low)
        assert snr_db.mean() == pytest.approx((low + high) / 2, abs=0.01 + 0.08 * (high - low))


def test_noise_comes_at_its_amplitude():
    waveform = clips(301)[:-1]
    added = BackgroundNoise(ONES, max_amplitude=0.3)(waveform, seeded()) - waveform
    torch.testing.assert_close(added, added[:, :1].expand_as(added), rtol=0, atol=1e-6)
    assert 0 <= added.min() < 0.01 and 0.29 < added.max() <= 0.3 + 1e-6
    assert added.mean() == pytest.approx(0.15, abs=0.03)


@pytest.mark.parametrize("options", [{"max_amplitude": 0.1}, {"min_snr_db": 5.0, "max_snr_db": 40.0}])
def test_silence_always_gets_noise(options):
    waveform = clips(600)
    waveform[::2] = 0
    silence = torch.arange(600) % 2 == 0
    result = BackgroundNoise(ONES, p=0.0, **options)(waveform, seeded(), silence=silence)
    assert torch.equal(result[1:-1:2], waveform[1:-1:2]), "p = 0 spares what is not silence"
    level = result[::2]
    assert torch.equal(level, level[:, :1].expand_as(level))
    assert 0 <= level.min() < 0.02 and 0.98 < level.max() < 1
    assert level.mean() == pytest.approx(0.5, abs=0.08)


def test_a_word_without_sound_is_no_silence():
    """A dead microphone's zeros keep their label, and so must not sound like the silence class."""
    waveform = torch.zeros(50, 100)
    for silence in (None, torch.zeros(50, dtype=torch.bool)):
        augmentations = {"gain": {"p": 0.5}, "noise": {"min_snr_db": 0.0, "max_snr_db": 10.0}}
        assert not chain(augmentations)(waveform, seeded(), silence).any()
        assert chain({"noise": {"max_amplitude": 0.1}})(waveform, seeded(), silence).abs().max() <= 0.1
    silence = torch.arange(50) % 2 == 0  # here zeros, elsewhere perhaps not: the label alone says it
    result = chain({"noise": {"min_snr_db": 90.0, "max_snr_db": 90.0}}, p=0.0)(waveform + 0.01, seeded(), silence)
    assert torch.equal(result[1::2], waveform[1::2] + 0.01) and (result[::2] - 0.01).amax() > 0.5


def test_own_augmentations_may_ask_for_the_silences(registries_as_they_were):
    class Mark(torch.nn.Module):
        def forward(self, waveform, generator, silence):
            return torch.where(silence[:, None], 1.0, waveform)

    AUGMENTATIONS.add("mark", Mark)
    silence = torch.arange(40) % 2 == 0
    for p in (1.0, 0.5):
        marked = chain({"mark": {"p": p}})(torch.zeros(40, 10), seeded(), silence)[:, 0]
        assert not marked[~silence].any() and 0 < marked[silence].sum() <= 20
    assert marked.sum() < 20


def test_noise_is_a_stretch_from_anywhere_in_the_background():
    background = torch.arange(12) / 100
    result = BackgroundNoise(background, max_amplitude=1.0)(torch.zeros(90, 10), seeded())
    stretches = {int((row[0] / row.diff().mean()).round()) for row in result}
    assert stretches == {0, 1, 2}
    torch.testing.assert_close(result.diff(dim=1), result.diff(dim=1)[:, :1].expand(-1, 9), rtol=1e-3, atol=1e-6)


def test_other_speech_comes_at_its_ratio_from_one_to_several_people():
    waveform = words(300)
    speech = waveform[:, 600:1400].square().mean(1)
    person = 0.3 * torch.ones(5000)
    behind = OtherSpeech(person, max_speakers=1, min_snr_db=5, max_snr_db=25)(waveform, seeded()) - waveform
    snr_db = 10 * (speech / behind.square().mean(1)).log10()
    assert 4.99 < snr_db.min() < 5.5 and 24.5 < snr_db.max() < 25.01
    # Of random stretches of pulses, as many are heard as people talk.
    pulses = (torch.arange(40_000) % 1999 == 0).float()
    several = OtherSpeech(pulses, max_speakers=3, min_snr_db=0, max_snr_db=0)(waveform, seeded()) - waveform
    n_pulses = (several.abs() > 1e-9).sum(1)
    assert set(n_pulses.tolist()) <= {0, 1, 2, 3, 4} and 80 < (n_pulses == 1).sum() < 130


def test_other_people_leave_silences_alone():
    waveform = words(10).float()
    silence = torch.arange(10) % 2 == 0
    result = chain({"other_speech": {"p": 1.0}})(waveform, seeded(), silence)
    assert torch.equal(changed(waveform, result), ~silence)
    assert not OtherSpeech(BACKGROUND)(torch.zeros(3, 100), seeded()).any()


@pytest.mark.parametrize("options", [{"max_amplitude": 0.3}, {"min_snr_db": 5.0, "max_snr_db": 20.0}])
def test_int16_background_equals_float_background(options):
    results = [
        BackgroundNoise(background, **options)(clips(), seeded())
        for background in (BACKGROUND, BACKGROUND.float() / 32768, BACKGROUND.double() / 32768)
    ]
    assert torch.equal(results[0], results[1]) and torch.equal(results[0], results[2])
    assert results[2].dtype == torch.float32


def test_silent_background_adds_nothing():
    noise = BackgroundNoise(torch.zeros(5000), min_snr_db=0, max_snr_db=0)
    assert torch.equal(noise(clips(), seeded()), clips())


def test_to_float_is_exact():
    pcm = torch.tensor([-32768, -1, 0, 1, 32767], dtype=torch.int16)
    assert torch.equal(to_float(pcm) * 32768, pcm.float())
    assert to_float(pcm).dtype == torch.float32 and to_float(pcm).min() == -1
    samples = torch.ones(3, dtype=torch.float64)
    assert to_float(samples) is samples


@pytest.mark.parametrize(
    "options",
    [{}, {"min_snr_db": 3}, {"max_snr_db": 3}, {"max_amplitude": 1, "min_snr_db": 0, "max_snr_db": 3}],
    ids=str,
)
def test_noise_takes_an_amplitude_or_both_ratios(options):
    with pytest.raises(ValueError, match="either max_amplitude, or both min_snr_db and max_snr_db"):
        BackgroundNoise(BACKGROUND, **options)


def test_noise_needs_a_background_as_long_as_a_clip():
    with pytest.raises(ValueError, match="background: expected recordings of noise, got none"):
        BackgroundNoise(torch.empty(0), max_amplitude=0.1)
    noise = BackgroundNoise(BACKGROUND[:1999], max_amplitude=0.1)
    with pytest.raises(ValueError, match="background: expected .* samples as a clip has, 2000, got 1999"):
        noise(clips(), seeded())
    assert changed(clips(time=1999), noise(clips(time=1999), seeded())).all()


# ---------------------------------------------------------------- the chain


def chain(augmentations, **options):
    defaults: dict[str, Any] = {"sample_rate": SAMPLE_RATE, "background": ONES, "speech": BACKGROUND}
    return Augment(augmentations, **defaults | options)


def test_the_chain_keeps_its_order():
    waveform = clips(200)[:-1]
    gain, noise = {"gain": {"min_db": -20.0, "max_db": -20.0}}, {"noise": {"max_amplitude": 0.5}}
    largest = []
    for order in (gain | noise, noise | gain):
        added = chain(order)(waveform, seeded()) - 0.1 * waveform
        torch.testing.assert_close(added, added[:, :1].expand_as(added), rtol=0, atol=1e-6)
        largest.append(added.max())
    assert 0.45 < largest[0] <= 0.5 + 1e-6 and 0.045 < largest[1] <= 0.05 + 1e-6


def test_the_chain_hands_on_arguments_rate_and_background():
    augmentations = {"time_shift": {"seconds": 0.03, "p": 0.9}, "noise": {"max_amplitude": 0.0, "p": 0.0}}
    impulses = torch.zeros(100, 21)
    impulses[:, 10] = 1
    place = chain(augmentations, sample_rate=100)(impulses, seeded()).argmax(1)
    assert set(place.tolist()) == set(range(7, 14))
    assert augmentations == {"time_shift": {"seconds": 0.03, "p": 0.9}, "noise": {"max_amplitude": 0.0, "p": 0.0}}


def test_the_chains_p_spares_clips_but_not_silence():
    waveform = clips(400)
    waveform[::4] = 0
    augmentations = {"gain": {"max_db": -1.0}, "noise": {"max_amplitude": 0.1, "p": 0.0}}
    for p, low, high in ((0.0, 0, 0), (0.8, 215, 262), (1.0, 299, 299)):
        silence = torch.arange(len(waveform)) % 4 == 0
        is_changed = changed(waveform, chain(augmentations, p=p)(waveform, seeded(), silence))
        assert is_changed[::4].all()
        sounding = waveform.any(1)
        assert low <= is_changed[sounding].sum() <= high


def test_the_chain_draws_for_each_step_anew():
    waveform = clips(400)[:-1]
    gain, shift = {"min_db": -20.0, "max_db": -20.0, "p": 0.2}, {"seconds": 0.05, "p": 0.6}
    result = chain({"gain": gain, "time_shift": shift})(waveform, seeded())
    is_quiet = result.norm(dim=1) < 0.5 * waveform.norm(dim=1)
    is_moved = torch.where(is_quiet[:, None], result - 0.1 * waveform, result - waveform).abs().amax(1) > 1e-6
    for quiet, moved, expected in ((True, True, 48), (True, False, 32), (False, True, 192), (False, False, 128)):
        assert ((is_quiet == quiet) & (is_moved == moved)).sum() == pytest.approx(expected, abs=25)


def test_the_chain_clamps():
    result = chain({"gain": {"min_db": 40.0, "max_db": 40.0}})(clips(), seeded())
    assert result.max() == 1 and result.min() == -1
    torch.testing.assert_close(result, (100 * clips()).clamp(-1, 1))


def test_an_empty_chain_does_nothing():
    assert torch.equal(chain({})(clips(), seeded()), clips())


@pytest.mark.parametrize(
    ("augmentations", "message"),
    [
        ({"echo": {}}, "augmentation: expected one of speed, .*, gain, .*, got 'echo'"),
        ({"gain": {"min": 3}}, "augmentation gain: .*'min'"),
        ({"gain": {}, "speed": {"rate": 0.3}}, "augmentation speed: .*'rate'"),
        ({"noise": {}}, "either max_amplitude, or both"),
    ],
    ids=str,
)
def test_the_chain_refuses_what_it_does_not_know(augmentations, message):
    with pytest.raises(ValueError, match=message):
        chain(augmentations)


AMPLITUDE: dict[str, Any] = {"background": BACKGROUND, "max_amplitude": 0.1}
RATIO: dict[str, Any] = {"background": BACKGROUND, "min_snr_db": 0.0, "max_snr_db": 20.0}
RATE: dict[str, Any] = {"sample_rate": SAMPLE_RATE}
SPEECH: dict[str, Any] = {"speech": ONES}


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (TimeShift, RATE | {"seconds": -0.1}, "seconds: expected at least 0, got -0.1"),
        (TimeShift, RATE | {"seconds": NAN}, "seconds: expected at least 0, got nan"),
        (TimeShift, {"sample_rate": 0}, "sample_rate: expected at least 1, got 0"),
        (Speed, {"amount": -0.1}, "amount: expected a number from 0 to 1, got -0.1"),
        (Speed, {"amount": 1.5}, "amount: expected a number from 0 to 1, got 1.5"),
        (Gain, {"min_db": 6, "max_db": -12}, "min_db: expected at most max_db, -12, got 6"),
        (Gain, {"min_db": -math.inf}, "min_db: expected a number from -1e+09 to 1e+09, got -inf"),
        (Gain, {"max_db": "6"}, "max_db: expected a number, got '6'"),
        (Equalize, RATE | {"n_bands": 1}, "n_bands: expected a whole number of at least 2, got 1"),
        (Equalize, RATE | {"n_bands": 2.5}, "n_bands: expected a whole number, got 2.5"),
        (Equalize, RATE | {"low_pass_hz": 90_000}, "low_pass_hz: expected a number from 1 to 4000, got 90000"),
        (Equalize, RATE | {"low_pass_p": 2}, "low_pass_p: expected a number from 0 to 1, got 2"),
        (Equalize, RATE | {"tilt_db": -1}, "tilt_db: expected at least 0, got -1"),
        (Equalize, RATE | {"band_db": NAN}, "band_db: expected at least 0, got nan"),
        (Reverb, RATE | {"min_rt60": -1}, "min_rt60: expected at least 0.000125, got -1"),
        (Reverb, RATE | {"max_rt60": 0}, "max_rt60: expected at least 0.000125, got 0"),
        (Reverb, RATE | {"min_rt60": 0.5, "max_rt60": 0.1}, "min_rt60: expected at most max_rt60, 0.1, got 0.5"),
        (Reverb, RATE | {"max_wet": -1}, "max_wet: expected at least 0, got -1"),
        (BackgroundNoise, AMPLITUDE | {"p": 1.1}, "p: expected a number from 0 to 1, got 1.1"),
        (BackgroundNoise, AMPLITUDE | {"max_amplitude": -1}, "max_amplitude: expected at least 0, got -1"),
        (BackgroundNoise, RATIO | {"min_snr_db": 40}, "min_snr_db: expected at most max_snr_db, 20, got 40"),
        (BackgroundNoise, RATIO | {"max_snr_db": NAN}, "max_snr_db: expected a number from -1e+09 to 1e+09, got nan"),
        (
            OtherSpeech,
            {"speech": torch.empty(0)},
            "speech: expected recordings of speech, got none; give some, or drop `other_speech`",
        ),
        (
            OtherSpeech,
            SPEECH | {"max_speakers": 0},
            "max_speakers: expected a whole number from 1 to 100, got 0",
        ),
        (OtherSpeech, SPEECH | {"min_snr_db": 30}, "min_snr_db: expected at most max_snr_db, 25, got 30"),
        (SpecAugment, {"time_width": -3}, "time_width: expected a whole number of at least 0, got -3"),
        (SpecAugment, {"n_time_masks": -1}, "n_time_masks: expected a whole number of at least 0, got -1"),
        (SpecAugment, {"n_frequency_masks": 0.5}, "n_frequency_masks: expected a whole number, got 0.5"),
        (SpecAugment, {"frequency_width": NAN}, "frequency_width: expected a whole number, got nan"),
        (SpecAugment, {"p": -0.5}, "p: expected a number from 0 to 1, got -0.5"),
    ],
)
def test_arguments_out_of_their_range_are_refused(kind, arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        kind(**arguments)


@pytest.mark.parametrize(("arguments", "message"), [({"alpha": 0.0}, "alpha: .* at least"), ({"p": NAN}, "p: .*nan")])
def test_mixup_refuses_arguments_out_of_their_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        mixup(clips(), torch.eye(16), generator=seeded(), **{"alpha": 0.4, "p": 0.5} | arguments)


def test_a_wrong_name_is_refused_with_the_nearest():
    with pytest.raises(TypeError, match="Gain has no argument 'min_bd'; did you mean 'min_db'"):
        Gain(min_bd=-3)  # type: ignore[call-arg]


@pytest.mark.parametrize("p", [-0.1, 1.1, NAN, "often"])
def test_the_chain_refuses_what_is_no_probability(p):
    with pytest.raises(ValueError, match=f"augmentation gain: p: expected a number from 0 to 1, got {p!r}"):
        chain({"gain": {"p": p}})
    with pytest.raises(ValueError, match="^p: expected a number"):
        chain({}, p=p)


class Constant(nn.Module):
    """What a user may write: it adds the sample rate and the loudest sample of the background."""

    def __init__(self, *, sample_rate, background, factor=1.0):
        super().__init__()
        self.value = factor * (sample_rate + background.max())

    def forward(self, waveform, generator):
        return waveform + self.value


class Inverse(nn.Module):
    """It needs nothing of the chain, and says so by saying nothing."""

    def forward(self, waveform, generator):
        return -waveform


def test_augmentations_of_the_user_join_the_chain(monkeypatch):
    registry: Registry[nn.Module] = Registry("augmentation", {}, group="audionet.augmentations")
    monkeypatch.setattr("audionet.augment.chain.AUGMENTATIONS", registry)
    registry.add("constant", Constant)
    registry.add("inverse", Inverse)
    waveform = torch.full((100, 10), 0.01)
    result = chain({"constant": {"factor": 0.1}, "inverse": {"p": 0.5}}, sample_rate=1)(waveform, seeded())
    torch.testing.assert_close(result.abs(), torch.full((100, 10), 0.21))
    assert 30 < (result[:, 0] < 0).sum() < 70
    with pytest.raises(ValueError, match="augmentation constant: .*'facto'"):
        chain({"constant": {"facto": 0.1}})


def test_importing_augment_loads_no_torchaudio():
    code = "import sys, audionet.augment; print(sorted(sys.modules.keys() & {'torchaudio', 'librosa', 'lightning'}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_chain_needs_a_background_only_for_noise():
    assert chain({"gain": {}}, background=torch.empty(0))(clips(), seeded()).shape == (16, 2000)
    with pytest.raises(ValueError, match="augmentation noise: background: expected recordings"):
        chain({"noise": {"max_amplitude": 0.1}}, background=torch.empty(0))


def test_nothing_is_saved():
    assert chain(CHAIN).state_dict() == {}


# ---------------------------------------------------------------- spectrograms and mixup


@pytest.mark.parametrize("axis", [-1, -2])
def test_spec_augment_hides_one_stretch_of_every_width_up_to_its_bound(axis):
    names = {-1: ("n_time_masks", "time_width"), -2: ("n_frequency_masks", "frequency_width")}
    options: dict[str, Any] = dict.fromkeys([*names[-1], *names[-2]], 0) | dict(zip(names[axis], (1, 6), strict=True))
    spectrogram = torch.rand(1400, 1, 30, 40, generator=seeded(9)) + 1
    result = SpecAugment(**options)(spectrogram, seeded())
    hidden = result == 0
    assert torch.equal(result[~hidden], spectrogram[~hidden])
    line = hidden.all(-2 if axis == -1 else -1)[:, 0]
    assert hidden.sum() == line.sum() * (30 if axis == -1 else 40), "whole frames or bands"
    found = [runs(row) for row in line]
    assert max(map(len, found)) == 1
    widths = torch.bincount(torch.tensor([run[0][1] if run else 0 for run in found]))
    assert len(widths) == 7 and widths.min() > 140 and widths.max() < 265  # of 200 expected each
    size = spectrogram.shape[axis]
    starts = {run[0][0] for run in found if run}
    assert 0 in starts and max(run[0][0] + run[0][1] for run in found if run) == size
    assert len(starts) > 0.9 * (size - 1)


def test_spec_augment_puts_two_masks_on_each_axis():
    spectrogram = torch.ones(300, 1, 40, 101)
    hidden = (
        SpecAugment(n_time_masks=2, time_width=20, n_frequency_masks=3, frequency_width=5)(spectrogram, seeded()) == 0
    )
    frames, bands = hidden.all(2)[:, 0], hidden.all(3)[:, 0]
    assert torch.equal(hidden[:, 0], frames[:, None, :] | bands[:, :, None])
    n_time, n_frequency = ([len(runs(row)) for row in lines] for lines in (frames, bands))
    assert max(n_time) == 2 and max(n_frequency) == 3
    assert 30 < frames.sum(1).max() <= 40 and 11 < bands.sum(1).max() <= 15
    assert len({tuple(row.tolist()) for row in frames}) > 250, "each clip has its own masks"


@pytest.mark.parametrize("fill", ["zero", "mean"])
def test_spec_augment_fills_with_zero_or_each_clips_mean(fill):
    spectrogram = torch.randn(50, 1, 40, 101, generator=seeded(9)) + torch.arange(50.0).view(50, 1, 1, 1) - 70
    result = SpecAugment(fill=fill)(spectrogram, seeded())
    is_changed = result != spectrogram
    value = spectrogram.mean((1, 2, 3), keepdim=True) if fill == "mean" else torch.zeros(50, 1, 1, 1)
    assert torch.equal(result[is_changed], value.expand_as(result)[is_changed])
    assert is_changed.flatten(1).any(1).sum() > 45


def test_spec_augment_p():
    spectrogram = torch.rand(300, 1, 40, 101, generator=seeded(9)) + 1
    assert torch.equal(SpecAugment(p=0.0)(spectrogram, seeded()), spectrogram)
    assert 105 < changed(spectrogram, SpecAugment(p=0.5)(spectrogram, seeded())).sum() < 190


def test_spec_augment_takes_masks_wider_than_the_spectrogram():
    spec_augment = SpecAugment(n_time_masks=1, time_width=9, n_frequency_masks=0)
    lengths = (spec_augment(torch.ones(500, 1, 4, 5), seeded()) == 0)[:, 0, 0].sum(1)
    counts = torch.bincount(lengths)  # widths 5 to 9 all hide everything
    assert len(counts) == 6 and counts[5] == pytest.approx(250, abs=50) and counts[:5].min() > 25


def test_spec_augment_refuses_other_fills():
    with pytest.raises(ValueError, match="fill: expected one of zero, mean, got 'noise'"):
        SpecAugment(fill="noise")


@pytest.mark.parametrize("augmentation", SPECTROGRAM_AUGMENTATIONS.values(), ids=SPECTROGRAM_AUGMENTATIONS)
def test_spec_augment_follows_its_seed(augmentation):
    spectrogram = torch.rand(8, 1, 40, 101, generator=seeded(9), dtype=torch.float64) + 1
    before, state = spectrogram.clone(), global_random_state()
    first = augmentation(spectrogram, seeded(1))
    assert first.dtype == torch.float64 and first.shape == spectrogram.shape
    assert torch.equal(first, augmentation(spectrogram, seeded(1)))
    assert not torch.equal(first, augmentation(spectrogram, seeded(2)))
    assert torch.equal(spectrogram, before) and global_random_state() == state


def test_mixup_blends_clips_and_targets_alike():
    n = 300
    clip, target = mixup(torch.eye(n), torch.eye(n), alpha=1.0, p=1.0, generator=seeded())
    assert torch.equal(clip, target), "one share for the waveform and its target"
    torch.testing.assert_close(target.sum(1), torch.ones(n))
    own = target.diagonal()
    assert (own >= 0.5).all() and own.mean() == pytest.approx(0.75, abs=0.04)  # Beta(1, 1) is uniform
    others = target - torch.diag(own)
    assert (others >= 0).all()
    assert ((others > 0).sum(1) <= 1).all() and (others > 0).any(1).sum() > 0.95 * n
    assert ((others > 0).sum(0) <= 1).all(), "each clip is partner once"

    waveform = torch.randn(n, 50, generator=seeded(9))
    mixed, _ = mixup(waveform, torch.eye(n), alpha=1.0, p=1.0, generator=seeded())
    torch.testing.assert_close(mixed, target @ waveform, rtol=1e-4, atol=1e-5)


def test_mixup_p_and_alpha():
    eye = torch.eye(400)
    assert torch.equal(mixup(eye, eye, alpha=0.4, p=0.0, generator=seeded())[1], eye)
    _, target = mixup(eye, eye, alpha=0.4, p=0.5, generator=seeded())
    assert 150 < changed(eye, target).sum() < 245
    shares = [mixup(eye, eye, alpha=alpha, p=1.0, generator=seeded())[1].diagonal() for alpha in (0.05, 100.0)]
    assert shares[0].mean() > 0.93 and shares[1].mean() < 0.56


def test_mixup_follows_its_seed():
    waveform, targets = clips(), torch.eye(16, dtype=torch.float32)
    before, state = waveform.clone(), global_random_state()
    first, second, third = (mixup(waveform, targets, alpha=0.5, p=0.7, generator=seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])
    assert not torch.equal(first[0], third[0])
    assert (first[1].diagonal() != third[1].diagonal()).sum() > 5, "the shares follow the seed too"
    assert torch.equal(waveform, before) and torch.equal(targets, torch.eye(16))
    assert global_random_state() == state


# ---------------------------------------------------------------- devices


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
class TestCuda:
    @each
    def test_waveforms_equal_the_cpu(self, augmentation: nn.Module):
        expected = augmentation(clips(), seeded(1))
        result = augmentation.cuda()(clips().cuda(), seeded(1))
        augmentation.cpu()
        assert result.is_cuda
        torch.testing.assert_close(result.cpu(), expected, rtol=0, atol=1e-5)

    @pytest.mark.parametrize("augmentation", SPECTROGRAM_AUGMENTATIONS.values(), ids=SPECTROGRAM_AUGMENTATIONS)
    def test_spectrograms_equal_the_cpu(self, augmentation: nn.Module):
        spectrogram = torch.randn(8, 1, 40, 101, generator=seeded(9))
        result = augmentation(spectrogram.cuda(), seeded(1))
        assert result.is_cuda
        torch.testing.assert_close(result.cpu(), augmentation(spectrogram, seeded(1)), rtol=0, atol=1e-5)

    def test_mixup_equals_the_cpu(self):
        waveform, targets = clips(), torch.eye(16)
        expected = mixup(waveform, targets, alpha=0.5, p=0.7, generator=seeded(1))
        result = mixup(waveform.cuda(), targets.cuda(), alpha=0.5, p=0.7, generator=seeded(1))
        for ours, theirs in zip(result, expected, strict=True):
            assert ours.is_cuda
            torch.testing.assert_close(ours.cpu(), theirs, rtol=0, atol=1e-5)
