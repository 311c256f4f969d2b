"""What is no word: which clips are listed for it, and what they sound like."""

import itertools
import sys
from collections import Counter

import numpy as np
import pytest

from audionet import save_audio
from audionet.datasets import open_corpus
from audionet.datasets.classes import is_filled
from audionet.datasets.clip import SPLITS, Clip
from audionet.datasets.synthesis import changes, make_floor, make_mumble, make_notes
from audionet.datasets.synthesis import negatives as all_negatives
from audionet.datasets.synthesis.negatives import _fitting, can_be_spoken
from audionet.datasets.synthesis.voices import espeak_library

needs_voices = pytest.mark.usefixtures("voices")
RATE = 8000


@pytest.fixture
def voices():
    pytest.importorskip("espeakng_loader", reason="the synth extra is not installed")


@pytest.fixture
def without_voices(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    espeak_library.accents.cache_clear()
    yield
    espeak_library.accents.cache_clear()


def corpus_of(words, train=40, validation=5, test=5):
    splits = ["train"] * train + ["validation"] * validation + ["test"] * test
    return [Clip(f"{word}/{n}.wav", word, "somebody", split) for word in words for n, split in enumerate(splits)]


def negatives(clips, language, **given):
    return all_negatives(clips, language=language, engines=["espeak"], **given)


def kinds(made, split=None):
    paths = [clip.path for clip in made if split in (None, clip.split)]
    return Counter(path.split("/")[1 if path.startswith("_negative_") else 0] for path in paths)


# ---- what is listed ----------------------------------------------------------------------------------------------


@needs_voices
def test_every_split_gets_every_kind():
    made = negatives(corpus_of(["stop", "computer", "lights_on", "seventeen"]), "en")
    for split in SPLITS:
        assert {*kinds(made, split)} >= {"_synthetic_", "excerpt", "backwards", "first_half", "second_half"}, split
        assert {*kinds(made, split)} >= {"background", "floor", "digital"}, split
    counts = Counter((clip.split, clip.label) for clip in made)
    assert counts["train", "_unknown_"] == 150 and counts["train", "_silence_"] == 40
    assert counts["test", "_unknown_"] == 15 and counts["test", "_silence_"] == 10


@needs_voices
@pytest.mark.parametrize(("n_words", "train", "unknown"), [(2, 40, 80), (2, 400, 800), (10, 40, 150), (17, 1000, 4000)])
def test_how_many_unknown_clips_there_are(without_voices, n_words, train, unknown):
    words = [f"a{number}" for number in range(n_words)]
    made = negatives(corpus_of(words, train, 0, 1), "en")
    assert sum(clip.label == "_unknown_" and clip.split == "train" for clip in made) == unknown


@needs_voices
def test_a_split_without_words_has_no_negatives():
    assert {clip.split for clip in negatives(corpus_of(["stop"], 5, 0, 2), "en")} == {"train", "test"}


@needs_voices
def test_no_word_and_no_voice_is_in_two_splits():
    made = [clip for clip in negatives(corpus_of(["stop", "left"]), "en") if clip.path.startswith("_synthetic_/")]
    texts = {split: {clip.path.split("/")[1] for clip in made if clip.split == split} for split in SPLITS}
    for first, second in itertools.combinations(SPLITS, 2):
        assert texts[first] and texts[second] and not texts[first] & texts[second]
    assert not {"stop", "left"} & set.union(*texts.values())


@needs_voices
def test_running_speech_is_of_the_other_words_of_its_split():
    made = negatives(corpus_of(["stop", "left"]), "en")
    excerpts = [clip for clip in made if "/excerpt/" in clip.path]
    assert len(excerpts) > 10
    said = {split: [clip.path.split("/")[3].split() for clip in excerpts if clip.split == split] for split in SPLITS}
    assert {len(words) for sentences in said.values() for words in sentences} == {5}
    words = {split: {*itertools.chain(*sentences)} for split, sentences in said.items()}
    assert words["train"].isdisjoint(words["test"] | words["validation"]) and words["test"]
    speakers = {split: {clip.speaker for clip in excerpts if clip.split == split} for split in SPLITS}
    assert speakers["train"].isdisjoint(speakers["test"])


@needs_voices
def test_what_is_made_of_a_clip_stays_in_its_split():
    corpus = corpus_of(["stop", "left"])
    split_of = {clip.path: clip.split for clip in corpus}
    made = [clip for clip in negatives(corpus, "en") if clip.path.split("/", 2)[-1] in split_of]
    assert len(made) > 5
    assert all(split_of[clip.path.split("/", 2)[-1]] == clip.split for clip in made)


@needs_voices
def test_classes_that_are_no_words_of_a_language_get_its_words():
    made = negatives(corpus_of(["a1", "a2"]), "lt")
    assert kinds(made)["_synthetic_"] > 50


@needs_voices
def test_labels_that_nobody_can_read_and_languages_that_nobody_knows_are_no_obstacle(capsys):
    assert kinds(negatives(corpus_of(["東京", "stop", "→→"]), "ja"))["_synthetic_"] > 50
    assert "_synthetic_" not in kinds(negatives(corpus_of(["stop"]), "xx"))
    assert "no other words join _unknown_: language: expected one of" in capsys.readouterr().err


@needs_voices
def test_parts_of_phrases_are_among_the_other_words():
    spoken = [clip.path.split("/")[1] for clip in negatives(corpus_of(["lights on", "lights off"]), "en")]
    assert {"lights", "off"} <= {*spoken}
    whole = negatives(corpus_of(["lights on", "lights"]), "en")
    assert "lights" not in {clip.path.split("/")[1] for clip in whole}


@needs_voices
def test_the_same_corpus_gets_the_same_negatives():
    corpus = corpus_of(["stop", "left"])
    assert negatives(corpus, "en") == negatives(corpus, "en") != negatives(corpus, "en", seed=1)


@needs_voices
def test_parts_that_are_words_are_left_out():
    fitting = _fitting({"no": "no", "own": "own", "stop": "stop", "up": "up"}, "en")
    assert "backwards" not in fitting["no"] and "shuffled" in fitting["no"]
    fitting = _fitting({"computer": "computer", "pewter": "pewter"}, "en")
    assert "second_half" not in fitting["computer"] and "first_half" in fitting["computer"]


@needs_voices
def test_short_words_are_not_halved():
    corpus = corpus_of(["up", "stop", "computer"])
    halves = [clip.path for clip in negatives(corpus, "en") if "_half/" in clip.path]
    assert halves and all("/computer/" in path for path in halves)
    without = kinds(negatives(corpus_of(["up", "stop"]), "en"), "train")
    assert without["_synthetic_"] == round(0.63 * 80) and not without["first_half"] + without["exchanged"]
    assert not {*kinds(negatives(corpus_of(["a1", "a2"]), "en"))} & {"first_half", "second_half", "exchanged"}


def test_without_voices_the_recordings_alone_are_used(without_voices, capsys):
    made = negatives(corpus_of(["stop", "left"]), "en")
    assert "_synthetic_" not in kinds(made) and kinds(made)["backwards"] and kinds(made)["mumble"]
    assert sum(clip.label == "_unknown_" and clip.split == "train" for clip in made) == 80
    assert (
        "no other words join _unknown_: espeak: expected the package espeakng-loader, got none; install"
        in capsys.readouterr().err
    )


def test_what_is_a_word():
    assert [*map(can_be_spoken, ["Küche", "lights-on", "don't", "नमस्ते", "你好"])] == [True] * 5
    assert [*map(can_be_spoken, ["a1", "7", "b", "class_3", ""])] == [False] * 5


# ---- what it sounds like -----------------------------------------------------------------------------------------


def word(seconds=0.6, padding=0.2):
    """A rising tone with a gap a little after its middle, between silences."""
    time = np.arange(round(seconds * RATE)) / RATE
    tone = np.sin(2 * np.pi * (300 + 800 * time) * time)
    tone[len(tone) * 11 // 20 : len(tone) * 12 // 20] *= 0.01
    return np.pad(tone, round(padding * RATE)).astype(np.float32)


def changed(kind, waveform=None):
    return changes.render(f"{kind}/a.wav", lambda path: word() if waveform is None else waveform, sample_rate=RATE)


def test_halves_are_cut_where_it_is_quiet():
    first, second = changed("first_half"), changed("second_half")
    assert len(first) + len(second) == pytest.approx(0.6 * RATE, abs=200)
    assert len(first) == pytest.approx(0.33 * RATE, abs=200)
    both = changed("exchanged")
    np.testing.assert_array_equal(both, np.concatenate([second, first]))
    inner = slice(100, len(first) - 100)
    start = round(0.2 * RATE)
    np.testing.assert_allclose(first[inner], word()[start : start + len(first)][inner], atol=1e-6)


def test_backwards_is_backwards():
    trimmed = changed("backwards")[::-1]
    assert len(trimmed) == pytest.approx(0.6 * RATE, abs=200)
    assert np.abs(np.correlate(word(), trimmed, "valid")).max() == pytest.approx(np.square(trimmed).sum(), rel=1e-4)


def test_shuffled_pieces_are_those_of_the_word_in_another_order():
    shuffled = changed("shuffled")
    assert np.square(shuffled).sum() == pytest.approx(np.square(word()).sum(), rel=0.1)
    assert np.abs(shuffled[:400] - changed("backwards")[::-1][:400]).max() > 0.5


def test_an_excerpt_is_a_piece_of_running_speech():
    long = np.random.default_rng(0).normal(size=4 * RATE).astype(np.float32)
    piece = changed("excerpt", long)
    places = np.lib.stride_tricks.sliding_window_view(long, 200)
    assert len(piece) == 1.5 * RATE
    assert np.abs(places - piece[500:700]).max(1).min() == 0
    assert len(changed("excerpt")) == pytest.approx(0.6 * RATE, abs=200)


def test_a_crowd_speaks_all_the_time():
    crowd = changed("crowd")
    levels = np.sqrt(np.square(crowd.reshape(-1, 800)).mean(1))
    assert np.abs(crowd).max() == pytest.approx(0.7) and levels.min() > 0.05


@pytest.mark.parametrize("kind", changes.CHANGES)
@pytest.mark.parametrize("waveform", [np.zeros(800), np.ones(1), np.zeros(0), np.full(81, 1e-9)])
def test_any_recording_can_be_changed(kind, waveform):
    made = changed(kind, waveform.astype(np.float32))
    assert made.dtype == np.float32 and made.ndim == 1 and np.isfinite(made).all()


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="^path: expected one of mumble, .*'mumbles'; did you mean 'mumble'"):
        changes.render("mumbles/3", word, sample_rate=RATE)


def test_mumbling_has_the_rhythm_and_the_spectrum_of_speech():
    for seed in range(5):
        mumble = make_mumble(16_000, 2.0, seed)
        assert mumble.shape == (32_000,) and np.abs(mumble).max() == pytest.approx(0.7)
        power = np.abs(np.fft.rfft(mumble)) ** 2
        frequency = np.fft.rfftfreq(len(mumble), 1 / 16_000)
        low = power[(frequency > 80) & (frequency < 4000)].sum() / power.sum()
        assert low > 0.9
        levels = np.sqrt(np.square(mumble.reshape(-1, 800)).mean(1))
        assert levels.max() > 3 * np.median(levels[levels < np.median(levels)])
    np.testing.assert_array_equal(make_mumble(16_000, 0.5, 3), make_mumble(16_000, 0.5, 3))


def test_notes_are_held_and_harmonic():
    peaks = []
    for seed in range(20):
        notes = make_notes(16_000, 2.0, seed)
        assert notes.shape == (32_000,) and np.abs(notes).max() == pytest.approx(0.7)
        frames = notes.reshape(-1, 1600)
        loudest = frames[np.square(frames).sum(1).argmax()]
        correlated = np.correlate(loudest, loudest, "full")[len(loudest) :] / np.square(loudest).sum()
        peaks.append(correlated[12:420].max())  # periods of 1300 to 38 Hz
    assert np.median(peaks) > 0.7
    np.testing.assert_array_equal(make_notes(16_000, 0.5, 3), make_notes(16_000, 0.5, 3))


def test_a_quiet_microphone_is_quiet_but_not_silent():
    levels = [20 * np.log10(make_floor(RATE, 1.0, seed).std()) for seed in range(40)]
    assert -80.1 <= min(levels) < -70 and -50 < max(levels) <= -39.9


@pytest.mark.parametrize("make", [make_mumble, make_notes, make_floor])
def test_sounds_of_any_length(make):
    assert [len(make(8000, seconds)) for seconds in (1 / 8000, 0.001, 1.0)] == [1, 8, 8000]
    assert np.isfinite(make(8000, 0.001)).all()
    with pytest.raises(ValueError, match="^seconds: expected at least one sample"):
        make(8000, 0)


# ---- in a corpus -------------------------------------------------------------------------------------------------


def opened(folder, **given):
    fixed = {"sample_rate": RATE, "clip_seconds": 0.5, "engines": ["espeak"], "workers": 1, "progress": False}
    return open_corpus(root=folder, **fixed, **given)  # type: ignore[arg-type]


@needs_voices
def test_a_folder_learns_what_is_no_word(tone_folder, capsys):
    corpus = opened(tone_folder, negatives=None)
    assert corpus.labels == ("high", "low", "middle", "_unknown_", "_silence_")
    assert (
        "93 of _unknown_" not in (said := capsys.readouterr().err) and "--data.negatives false leaves them out" in said
    )
    counts = corpus.counts()
    assert counts["_unknown_"]["train"] == 96 == 3 * counts["high"]["train"]
    assert counts["_unknown_"]["test"] == 12 and counts["_silence_"]["test"] == 6
    filled = [path for path, is_one in zip(corpus.store.paths, corpus.made_silences, strict=True) if is_one]
    assert filled and all(path.startswith("_negative_/background/train/") for path in filled)
    assert "hold no sound" not in said  # of digital silence, which is wanted
    assert corpus.n_speakers("test") == 0
    plain = opened(tone_folder)
    assert plain.labels == ("high", "low", "middle")
    assert opened(tone_folder, negatives=None, words_only=True).labels == plain.labels


def test_own_folders_of_what_is_no_word_are_added_to(tone_folder, without_voices):
    for name in ("_unknown_", "_silence_", "_background_noise_"):
        (tone_folder / name).mkdir()
        for number in range(4):
            noise = np.random.default_rng(number).normal(0, 0.1, 8000).astype(np.float32)
            save_audio(tone_folder / name / f"{number}.wav", noise, RATE)
    corpus = opened(tone_folder, negatives=None)
    assert corpus.labels == ("high", "low", "middle", "_unknown_", "_silence_")
    label_of = {path: corpus.labels[label] for path, label in zip(corpus.store.paths, corpus.label_index, strict=True)}
    for name in ("_unknown_", "_silence_"):
        assert all(label_of[f"{name}/{number}.wav"] == name for number in range(4))
        assert sum(label == name for label in label_of.values()) > 10
    assert len(corpus.store.background) == 4 * 8000
    recorded = [path.startswith("_silence_") and path.endswith(".wav") for path in corpus.store.paths]
    assert not corpus.made_silences[recorded].any()


def test_a_silence_that_is_filled_is_known_by_its_path():
    assert is_filled("_silence_/train/12") and is_filled("quiet/train/0")
    wrong = [
        "_silence_/test/1",
        "_negative_/background/train/1",
        "_silence_/1.wav",
        "_negative_/digital/train/1",
        "a/train/1.wav",
        "train/1",
    ]
    assert not any(map(is_filled, wrong))


def test_one_word_alone_can_be_learnt(tone_folder, without_voices):
    import shutil

    for name in ("high", "low"):
        shutil.rmtree(tone_folder / name)
    corpus = opened(tone_folder, negatives=None)
    assert corpus.labels == ("middle", "_unknown_", "_silence_")


def test_copies_are_told(tone_folder, capsys):
    content = (tone_folder / "low" / "00.wav").read_bytes()
    for number in (1, 2):
        (tone_folder / "low" / f"{number:02d}.wav").write_bytes(content)
    opened(tone_folder)
    said = capsys.readouterr().err
    assert (
        "2 clips are copies of others, from which nothing more is learnt: low/01.wav (low/00.wav), low/02.wav" in said
    )
