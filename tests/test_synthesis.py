import hashlib
import os
import random
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from audionet.datasets.synthesis import index, make_noise, render, speak, variants, voices
from audionet.datasets.synthesis.espeak import SAMPLE_RATE, link_data
from audionet.datasets.synthesis.words import COMMANDS, OTHERS, TIMBRES

espeakng_loader = pytest.importorskip("espeakng_loader", reason="the synth extra is not installed")


NAMES = [name for group in TIMBRES for name in group]


def by_variant(text="stop"):
    return [f"{text}/en-us{'+' if name else ''}{name}_rate160_pitch45_range60.wav" for name in NAMES]


def digest(paths):
    return {path: hashlib.sha256(render(path).tobytes()).hexdigest() for path in paths}


# ---- speak and render --------------------------------------------------------------------------------------------


def test_every_variant_is_audible_and_not_clipped():
    for path in by_variant():
        waveform = render(path)
        assert waveform.dtype == np.float32 and waveform.ndim == 1
        assert 0.15 < len(waveform) / SAMPLE_RATE < 1.5, path
        assert np.abs(waveform).max() == pytest.approx(0.7, abs=1e-6), path
        assert np.sqrt(np.mean(waveform**2)) > 0.02, path
        # A clipped waveform has flat tops.
        assert np.count_nonzero(np.abs(waveform) > 0.6999) <= 3, path
        # Nothing but 10 ms before and after what is over -50 dB.
        assert np.flatnonzero(np.abs(waveform) > 0.003 * 0.7)[0] <= SAMPLE_RATE // 100


def test_the_same_whatever_was_spoken_before():
    paths = by_variant() + by_variant("yes")
    first = digest(paths)
    assert len(set(first.values())) == len(paths)
    random.Random(0).shuffle(paths)
    assert digest(paths) == first
    assert digest(paths[:1] * 2) == {paths[0]: first[paths[0]]}


def digest_in_another_process(paths, **environment):
    program = (
        "import hashlib, sys; from audionet.datasets.synthesis import render\n"
        "for path in sys.argv[1:]: print(hashlib.sha256(render(path).tobytes()).hexdigest())"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, *paths],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent), **environment},
        capture_output=True,
        text=True,
    )
    assert result.stderr == ""
    return dict(zip(paths, result.stdout.split(), strict=True))


def test_the_same_in_another_process():
    paths = by_variant()[::8]
    assert digest_in_another_process(paths) == digest(paths)


def test_the_same_in_threads():
    paths = by_variant()[::8]
    results: list[dict[str, str]] = []
    threads = [threading.Thread(target=lambda: results.append(digest(paths))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [digest(paths)] * 3


def test_the_links_change_no_sound(tmp_path):
    (tmp_path / "file").write_text("")  # no place for links
    paths = by_variant()[::8]
    plain = digest_in_another_process(paths, AUDIONET_CACHE=str(tmp_path / "file"))
    assert digest_in_another_process(paths, AUDIONET_CACHE=str(tmp_path / "new")) == plain == digest(paths)
    assert list((tmp_path / "new").glob("espeak-ng-*/lang/gmw/en-us"))


def test_links_are_made_once_and_where_they_can_be(tmp_path):
    data = Path(espeakng_loader.get_data_path())
    (tmp_path / "file").write_text("")
    assert link_data(data, tmp_path / "file") == data
    links = link_data(data, tmp_path / "new")
    assert links == link_data(data, tmp_path / "new") and list((tmp_path / "new").iterdir()) == [links]
    assert (links / "lang/gmw/en-us").is_file()


def test_quiet(capfd):
    speak("hello, world")
    assert capfd.readouterr() == ("", "")


def test_render_is_speak():
    waveform, sample_rate = speak("turn left/right", voice="en-gb", variant="f3", rate=160, pitch=45, pitch_range=60)
    assert sample_rate == SAMPLE_RATE
    np.testing.assert_array_equal(render("turn left/right/en-gb+f3_rate160_pitch45_range60.wav"), waveform)
    plain, _ = speak("yes", rate=160, pitch=45, pitch_range=60)
    np.testing.assert_array_equal(render("yes/en-us_rate160_pitch45_range60.wav"), plain)
    assert len(render("yes/en-us_rate160_pitch45_range60.wav", sample_rate=16_000)) == round(
        len(plain) * 16_000 / SAMPLE_RATE
    )


def f0_hz(waveform):
    middle = waveform[len(waveform) // 3 : 2 * len(waveform) // 3]
    correlation = np.correlate(middle, middle, "full")[len(middle) - 1 :]
    lags = np.arange(SAMPLE_RATE // 400, SAMPLE_RATE // 60)
    return SAMPLE_RATE / lags[correlation[lags].argmax()]


def test_rate_and_pitch_are_heard():
    lengths = [len(speak("visual", rate=rate)[0]) for rate in (100, 175, 300)]
    assert lengths[0] > 1.3 * lengths[1] > 1.3 * 1.2 * lengths[2]
    low, middle, high = (f0_hz(speak("no", pitch=pitch, pitch_range=0)[0]) for pitch in (10, 50, 90))
    assert high > 1.2 * middle > 1.2 * 1.2 * low


def test_other_languages():
    assert voices("fr") == ["fr-be", "fr-ch", "fr-fr"] and len(voices()) > 100
    french, english = speak("trois", voice="fr-fr")[0], speak("trois", voice="en-us")[0]
    assert len(french) != len(english)
    speakers = {clip.speaker.split("+")[0] for clip in index(["да", "нет"], [], clips_per_label=20, language="ru")}
    assert speakers == set(voices("ru"))
    assert len(speak("да", voice="ru")[0]) > 0.1 * SAMPLE_RATE


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"voice": "en-mars"}, r"voice: expected one of af, .*en-us, .*, got 'en-mars'"),
        ({"variant": "f9"}, r"variant: expected '' or one of .*f1, f2, .*, got 'f9'"),
        ({"rate": 20}, "rate: expected a whole number from 80 to 450, got 20"),
        ({"pitch": 50.5}, r"pitch: expected a whole number from 0 to 99, got 50\.5"),
        ({"pitch_range": 100}, "pitch_range: expected a whole number from 0 to 99, got 100"),
        ({"text": " "}, "text: expected words in the language of en-us, got nothing to speak in ' '"),
    ],
)
def test_wrong_arguments_of_speak(arguments, message):
    with pytest.raises(ValueError, match=message):
        speak(**{"text": "yes", **arguments})


def test_wrong_names():
    for path in ("yes", "yes/en-us.wav", "/en-us_rate160_pitch45_range60.wav", "yes/en-us_rate160_pitch45_range60.mp3"):
        with pytest.raises(ValueError, match="path: expected a name like"):
            render(path)
    with pytest.raises(ValueError, match="voice: expected"):
        render("yes/nobody_rate160_pitch45_range60.wav")
    with pytest.raises(ValueError, match="language: expected one of"):
        voices("xx")


def test_missing_wheel(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(ValueError, match=r'pip install "audionet\[synth\]"'):
        speak("yes")


# ---- index -------------------------------------------------------------------------------------------------------


def test_index_of_the_commands():
    clips = index()
    assert Counter(clip.label for clip in clips) == dict.fromkeys((*COMMANDS, "_unknown_"), 500)
    assert Counter(clip.split for clip in clips if clip.label == "yes") == {"train": 400, "validation": 50, "test": 50}
    assert len({clip.path for clip in clips}) == len(clips)
    spoken = Counter(clip.path.split("/")[0] for clip in clips if clip.label == "_unknown_")
    assert set(spoken) == set(OTHERS) and len(OTHERS) == 25
    assert min(spoken.values()) >= 19
    assert all(clip.path.startswith(f"{clip.label}/{clip.speaker}_") for clip in clips if clip.label != "_unknown_")
    assert len({clip.speaker for clip in clips}) > 500
    for clip in clips[::250]:
        assert np.abs(render(clip.path)).max() > 0.5


def test_no_timbre_crosses_the_splits():
    splits_of: dict[str, set[str]] = {}
    for seed in (0, 1):  # nor from one corpus to the training of another
        for clip in index(seed=seed, clips_per_label=2000):
            splits_of.setdefault(clip.speaker.partition("+")[2], set()).add(clip.split)
    assert all(len(splits) == 1 for splits in splits_of.values())
    for group in TIMBRES:
        assert len({tuple(splits_of[variant]) for variant in group}) == 1
    assert Counter(split for splits in splits_of.values() for split in splits) == {
        "train": 69,
        "validation": 8,
        "test": 8,
    }
    assert set(splits_of) == set(NAMES) <= set(variants()) and len(set(NAMES)) == len(NAMES)


def test_index_depends_on_the_seed_alone():
    clips = index(clips_per_label=50)
    assert index(clips_per_label=50) == clips
    assert not {clip.path for clip in index(clips_per_label=50, seed=1)} & {clip.path for clip in clips}
    assert index(["stop"], [], clips_per_label=50) == [clip for clip in clips if clip.label == "stop"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"words": []}, "words: expected at least one word"),
        ({"words": ["yes", " "]}, "expected words to speak, got ' '"),
        ({"words": ["_silence_"]}, "expected words to speak, got '_silence_'"),
        ({"words": ["yes", "no", "yes"]}, "each word once among words and unknown, got 'yes'"),
        ({"words": ["one"]}, "each word once among words and unknown, got 'one'"),
        ({"clips_per_label": 9}, "clips_per_label: expected at least 10, got 9"),
        ({"language": "klingon"}, "language: expected one of"),
    ],
)
def test_wrong_arguments_of_index(arguments, message):
    with pytest.raises(ValueError, match=message):
        index(**arguments)


# ---- noise -------------------------------------------------------------------------------------------------------


def test_noise():
    track = make_noise(16_000, 30.0, seed=3)
    assert track.shape == (480_000,) and track.dtype == np.float32
    np.testing.assert_array_equal(make_noise(16_000, 30.0, seed=3), track)
    assert np.abs(make_noise(16_000, 30.0, seed=4) - track).max() > 0.1
    slopes, tones = [], []
    for section in track.reshape(6, -1):
        assert np.abs(section).max() == pytest.approx(0.8)
        power = np.abs(np.fft.rfft(section)) ** 2
        frequency = np.fft.rfftfreq(len(section), 1 / 16_000)
        low, high = (power[(frequency > a) & (frequency < 2 * a)].mean() for a in (200, 3200))
        slopes.append(np.log2(low / high) / 4)
        tones.append(power.max() / np.median(power))
    assert slopes[:3] == pytest.approx([0, 1, 2], abs=0.1)  # white, pink, brown
    assert tones[4] > 1e5  # hum
    envelope = np.sqrt((track.reshape(6, -1, 1600) ** 2).mean(axis=2))  # of 0.1 s
    variation = envelope.std(axis=1) / envelope.mean(axis=1)
    assert variation[5] > 5 * variation[0]  # voices come and go


def test_noise_of_any_length():
    assert [len(make_noise(8_000, seconds)) for seconds in (1 / 8_000, 0.01, 7.3)] == [1, 80, 58_400]
    assert np.isfinite(make_noise(8_000, 0.001)).all()
    with pytest.raises(ValueError, match="seconds: expected at least one sample"):
        make_noise(8_000, 0)
