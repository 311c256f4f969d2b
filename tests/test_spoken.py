"""Words of many languages as a corpus, lists of words, and pieces of unlabelled speech."""

import sys
import types
from pathlib import Path

import numpy as np
import pytest

from audionet import save_audio
from audionet.datasets import frequent_words, open_speech, open_spoken, word_lists
from audionet.datasets.spoken import known_words, render_piece


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIONET_CACHE", str(tmp_path / "cache"))


def test_a_word_of_two_languages_is_two_classes_and_the_last_words_are_for_the_test() -> None:
    pytest.importorskip("espeakng_loader", reason="the extra `synth` is not installed")
    corpus = open_spoken(
        {"en": ["no", "yes", "stop", "go"], "es": ["no", "hola"]},
        clips_per_word=2,
        english_clips_per_word=3,
        n_test_words=2,
        engines=["espeak"],
        workers=1,
        progress=False,
    )
    assert corpus.labels == ("en:go", "en:no", "en:stop", "en:yes", "es:hola", "es:no")
    counts = corpus.counts()
    assert counts["en:no"] == {"train": 3, "validation": 0, "test": 0} and counts["es:no"]["train"] == 2
    assert counts["en:go"] == counts["en:stop"] == {"train": 0, "validation": 0, "test": 3}
    assert corpus.clip_length == 24_000 and corpus.is_synthetic and len(corpus.store.background)
    assert np.abs(corpus.store.waveforms).max(1).min() > 10_000  # all of them are spoken


def test_what_no_engine_speaks_is_left_out_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("espeakng_loader", reason="the extra `synth` is not installed")
    assert known_words({"en": ["yes", "да"], "xx": ["foo"]}, ["espeak"]) == {"en": ["yes"]}
    said = capsys.readouterr().err
    assert "no engine here speaks xx" in said and "en:да" in said
    with pytest.raises(ValueError, match="words: expected words that an engine here can speak, got 'none'"):
        known_words({"xx": ["foo"]}, ["espeak"])


def test_speech_is_cut_into_overlapping_pieces_of_one_peak(tmp_path: Path) -> None:
    folder = tmp_path / "speech" / "a"
    folder.mkdir(parents=True)
    long = np.linspace(0.1, 0.2, 16_000).astype(np.float32)
    save_audio(folder / "long.wav", long, 8000)  # 2 s: pieces of 1 s begin at 0, 0.6 s and no more
    save_audio(folder / "short.wav", long[:4000], 8000)
    save_audio(folder / "quiet.wav", long[:4000] * 0.01, 8000)
    store = open_speech([tmp_path / "speech"], sample_rate=8000, clip_seconds=1.0, workers=1, progress=False)
    assert store is not None
    names = [Path(path).name for path in store.paths]
    assert names == ["long.wav@0", "long.wav@1", "quiet.wav@0", "short.wav@0"]
    peaks = np.abs(store.waveforms).max(1) / 32768
    assert peaks == pytest.approx([0.7, 0.7, 0, 0.7], abs=1e-3)
    piece = render_piece(f"{folder / 'long.wav'}@1", length=8000, sample_rate=8000)
    assert piece == pytest.approx(long[4800:12_800] * 0.7 / long[12_799], abs=1e-3)


def test_no_folder_of_speech_is_none_and_one_without_sounds_refused(tmp_path: Path) -> None:
    assert open_speech([]) is None
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"real_speech: expected folders that hold recordings, got .*empty"):
        open_speech([tmp_path / "empty"])


def test_lists_come_from_a_file_or_as_they_are(tmp_path: Path) -> None:
    given = {"en": ["yes", "no", "yes"], "lt": ["ačiū"]}
    (tmp_path / "words.yaml").write_text("en: ['yes', 'no', 'yes']\nlt: [ačiū]\n", encoding="utf-8")
    (tmp_path / "words.json").write_text('{"en": ["yes", "no", "yes"], "lt": ["a\\u010di\\u016b"]}')
    expected = {"en": ["yes", "no"], "lt": ["ačiū"]}
    assert word_lists(given) == expected
    assert word_lists(tmp_path / "words.yaml") == word_lists(str(tmp_path / "words.json")) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("- stop\n", r"expected \{language: \[words\]\}, got \['stop'\]"),
        ("{}", r"expected \{language: \[words\]\}"),
        ("en: stop", "en: expected a list of words, got 'stop'"),
        ("en: []", "en: expected a list of words"),
        ("en: [stop, no]", r"en: expected words as text, got False; put them in quotes"),
        ("en: [a", "expected YAML or JSON, got a file that is neither"),
    ],
)
def test_a_file_of_other_things_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "words.yaml").write_text(content)
    with pytest.raises(ValueError, match=rf"words\.yaml.*{message}"):
        word_lists(tmp_path / "words.yaml")


def test_frequent_words_have_two_letters_and_come_from_wordfreq(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = {"en": ["a", "the", "don't", "and", "of"], "lt": ["ir", "o", "yra"], "hi": ["दिल", "व", "किसी"]}
    fake = types.SimpleNamespace(top_n_list=lambda language, n: counted[language][:n])
    monkeypatch.setitem(sys.modules, "wordfreq", fake)
    assert frequent_words(3, 5, languages=["lt", "hi"]) == {
        "en": ["the", "and", "of"],
        "lt": ["ir", "yra"],
        "hi": ["दिल", "किसी"],
    }
    assert frequent_words(3, 5, languages=[], shortest=3) == {"en": ["the", "and"]}
    monkeypatch.setitem(sys.modules, "wordfreq", None)
    with pytest.raises(ValueError, match=r"words: expected the package wordfreq.* pip install 'audionet\[embedding\]'"):
        frequent_words()
