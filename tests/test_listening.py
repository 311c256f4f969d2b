"""The part of a sound that decided, and the places of a spectrogram that are chosen."""

from pathlib import Path

import numpy as np
import pytest
import torch

import audionet
from audionet.features import MFCC, FrontEnd, LogMel, MelSpectrogram
from audionet.insight import heard_part, masked, most_relevant, occlusion, random_patches

RATE = 16_000
SEVEN = Path(__file__).parent / "data" / "seven.wav"


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(round(RATE * seconds))).astype(np.float32)


@pytest.mark.parametrize(
    "front_end",
    [LogMel(sample_rate=RATE), MFCC(sample_rate=RATE), MelSpectrogram(sample_rate=RATE, center=False, hop_length=200)],
)
@pytest.mark.parametrize("seconds", [1.0, 0.0741])
def test_a_mask_of_ones_gives_the_sound_back(front_end: FrontEnd, seconds: float) -> None:
    sound = noise(seconds)
    size = front_end(sound).shape
    assert np.allclose(masked(sound, np.ones(size), front_end), sound, atol=1e-6)
    assert np.allclose(heard_part(sound, np.ones(size), front_end, share=1.0), sound, atol=1e-6)
    assert np.abs(masked(sound, np.zeros(size), front_end)).max() == 0


def test_the_part_keeps_its_place_in_time_and_frequency() -> None:
    """Of two tones, one after the other, each among noise, the map asks for the second and its band."""
    log_mel = LogMel(sample_rate=RATE)
    seconds = np.arange(RATE) / RATE
    tones = 0.3 * np.sin(2 * np.pi * np.where(seconds < 0.5, 500, 2000) * seconds)
    sound = (tones + 0.01 * noise(1.0)).astype(np.float32)
    assert log_mel.axis.frequencies is not None
    band = int((log_mel.axis.frequencies - 2000).abs().argmin())
    relevance = np.zeros(log_mel(sound).shape)
    relevance[band - 2 : band + 3, 60:80] = 1.0
    part = heard_part(sound, relevance, log_mel, share=0.2)
    inside = slice(round(0.61 * RATE), round(0.78 * RATE))
    assert np.corrcoef(part[inside], sound[inside])[0, 1] > 0.99
    assert np.abs(part[: round(0.55 * RATE)]).max() < 1e-3 and np.abs(part[round(0.85 * RATE) :]).max() < 1e-3
    low = np.zeros_like(relevance)
    low[: band - 6] = 1.0
    heard = np.abs(np.fft.rfft(heard_part(sound, low, log_mel, share=1.0)))
    assert heard[500] > 100 * heard[2000]


def test_bands_that_are_no_frequencies_choose_whole_frames() -> None:
    mfcc, sound = MFCC(sample_rate=RATE), noise(1.0)
    relevance = np.zeros(mfcc(sound).shape)
    relevance[3, 40:50] = 1.0
    part = heard_part(sound, relevance, mfcc, share=0.1)
    hop = mfcc.framing.hop_length
    middle = slice(hop * 42, hop * 47)
    assert np.allclose(part[middle], sound[middle], atol=1e-5)
    assert np.abs(part[: hop * 36]).max() == 0


def test_the_part_that_decided_is_still_recognised() -> None:
    recognizer = audionet.load_recognizer("digits")
    assert isinstance(recognizer.front_end, FrontEnd)
    waveform, rate = audionet.load_audio(SEVEN, sample_rate=RATE)
    clip = recognizer.to_clip(waveform, rate)
    spectrogram = recognizer.front_end(torch.from_numpy(clip)[None, None])
    relevance = occlusion(recognizer.network, spectrogram, recognizer.labels.index("seven"))[0]
    part = heard_part(clip, relevance, recognizer.front_end, share=0.2)
    (best,) = recognizer.recognize(part, recognizer.sample_rate, top_k=1)
    assert best.label == "seven"
    rest = clip - part
    assert dict(recognizer.recognize(rest, recognizer.sample_rate))["seven"] < best.probability


def test_sounds_and_maps_that_cannot_be() -> None:
    log_mel, sound = LogMel(sample_rate=RATE), noise(0.5)
    size = log_mel(sound).shape
    with pytest.raises(ValueError, match="waveform: expected a sound, got 'silence"):
        heard_part(0 * sound, np.ones(size), log_mel)
    with pytest.raises(ValueError, match="relevance: expected a place that is above 0, got 'none'; the sound is"):
        heard_part(sound, -np.ones(size), log_mel)
    with pytest.raises(ValueError, match="relevance: expected finite"):
        heard_part(sound, np.full(size, np.nan), log_mel)
    with pytest.raises(ValueError, match=r"mask: expected \(\d+, 51\), as"):
        heard_part(sound, np.ones((size[0], 40)), log_mel)
    with pytest.raises(ValueError, match="share: expected"):
        heard_part(sound, np.ones(size), log_mel, share=1.5)
    with pytest.raises(ValueError, match=r"waveform: expected \(time,\)"):
        masked(sound[None], np.ones(size), log_mel)


# ---- places ----------------------------------------------------------------------------------------------------------


def test_the_most_relevant_places_are_the_largest() -> None:
    maps = torch.rand(3, 10, 20, generator=torch.Generator().manual_seed(0))
    chosen = most_relevant(maps, 0.15)
    for one, places in zip(maps, chosen, strict=True):
        assert places.sum() == 30
        assert one[places].min() > one[~places].max()


def test_random_patches_are_patches_spread_evenly_and_follow_the_seed() -> None:
    like = torch.zeros(400, 40, 100)
    chosen = random_patches(like, 0.2, (8, 10), torch.Generator().manual_seed(3))
    assert torch.equal(chosen, random_patches(like, 0.2, (8, 10), torch.Generator().manual_seed(3)))
    assert (chosen.sum((1, 2)) == 800).all()
    assert (chosen.float().mean(0) - 0.2).abs().max() < 0.1  # each place in a fifth of the maps
    beside = (chosen[:, :, 1:] == chosen[:, :, :-1]).float().mean()
    assert beside > 1 - 2.5 * 0.2 * 0.8 / 10  # neighbours differ at the borders of patches alone
