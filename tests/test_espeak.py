"""The engine espeak-ng: each of its timbres, the same samples always, and the links to its data."""

import hashlib
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from audionet.datasets.synthesis import open_engine, render
from audionet.datasets.synthesis.voices import SpeechError
from audionet.datasets.synthesis.voices.espeak import TIMBRES, Espeak
from audionet.datasets.synthesis.voices.espeak_library import SAMPLE_RATE, codes, link_data, variants

espeakng_loader = pytest.importorskip("espeakng_loader", reason="the synth extra is not installed")

NAMES = [name for group in TIMBRES for name in group]


def by_variant(text="stop"):
    return [f"{text}/espeak:en-us{'+' if name else ''}{name}_rate0.910_pitch0.930.wav" for name in NAMES]


def digest(paths):
    return {path: hashlib.sha256(render(path, sample_rate=SAMPLE_RATE).tobytes()).hexdigest() for path in paths}


def test_every_variant_is_audible_and_not_clipped():
    for path in by_variant():
        waveform = render(path, sample_rate=SAMPLE_RATE)
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
        f"for path in sys.argv[1:]: waveform = render(path, sample_rate={SAMPLE_RATE}); "
        "print(hashlib.sha256(waveform.tobytes()).hexdigest())"
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
    open_engine("espeak").speak("hello, world", voice="en-us")
    assert capfd.readouterr() == ("", "")


def test_languages_and_their_names():
    espeak = Espeak()
    assert codes("fr") == ["fr-be", "fr-ch", "fr-fr"] and len(espeak.languages()) > 100
    assert espeak.language_names()["lt"] == "Lithuanian"
    french, english = (espeak.speak("trois", voice=voice) for voice in ("fr-fr", "en-us"))
    assert len(french) != len(english)
    assert len(espeak.speak("да", voice="ru")) > 0.1 * SAMPLE_RATE
    with pytest.raises(ValueError, match=r"language: expected one of af, .*, got 'xx'"):
        codes("xx")


def test_its_voices_are_accents_and_timbres():
    espeak = Espeak()
    voices = espeak.voices("fr")
    assert {voice.partition("+")[0] for voice in voices} == {"fr-be", "fr-ch", "fr-fr"}
    assert {voice.partition("+")[2] for voice in voices} == set(NAMES) <= set(variants())
    assert len(voices) == len(set(voices)) == 3 * len(NAMES)
    assert not espeak.voices("xx") and not espeak.groups("xx")


@pytest.mark.parametrize("voice", ["en-mars", "en-us+f9", "en-us+", ""])
def test_unknown_voices(voice):
    with pytest.raises(ValueError, match="voice: expected a language or accent, and a timbre"):
        Espeak().speak("yes", voice=voice)


def test_what_it_cannot_read():
    espeak = Espeak()
    assert espeak.knows("ひだり", "ja") and not espeak.knows("左", "ja"), "it spells kanji"
    assert espeak.knows("左", "cmn") and not espeak.knows("左", "en")


def test_missing_wheel(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(SpeechError, match=r'pip install "audionet\[synth\]"'):
        open_engine("espeak").speak("yes", voice="en-us")
