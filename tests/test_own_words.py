"""A user's own words: which are spoken, which are recorded, how both are split, and what is said of bad input."""

from collections import Counter
from unicodedata import normalize

import numpy as np
import pytest

from audionet import save_audio
from audionet.datasets import cards, natural
from audionet.datasets.cards import Card
from audionet.datasets.own_layout import OwnWords
from audionet.datasets.own_words import MANY, open_words, words_card
from audionet.datasets.rendering import render
from audionet.datasets.stretches import STRETCH
from audionet.datasets.synthesis import Engine
from audionet.datasets.synthesis.voices import Survey, registry
from audionet.datasets.utterances import Voices

LANGUAGE = "ia"


def decomposed(text):
    return normalize("NFD", text)


class Beeps(Engine):
    """An engine that beeps a tenth of a second for each letter."""

    install, sample_rate = "ask the test", 16_000

    def __init__(self, name, n_voices=3, weight=1.0, seconds=0.1):
        self.name, self.weight, self.seconds = name, weight, seconds  # type: ignore[misc]
        self.catalog = {f"v{number}": (LANGUAGE,) for number in range(n_voices)}

    def _speak(self, text, voice, rate, pitch):
        return np.sin(np.arange(len(text) * self.seconds * 16_000 / rate))

    def version(self):
        return "1"


def layout_of(card: Card) -> OwnWords:
    assert isinstance(card.layout, OwnWords)
    return card.layout


@pytest.fixture
def install(monkeypatch):
    """Let these engines be all that are installed."""

    def only(*engines):
        installed = {engine.name: engine for engine in engines}

        def survey(names=None):
            return Survey({name: installed[name] for name in names or installed if name in installed}, {})

        monkeypatch.setattr(registry, "survey", survey)
        monkeypatch.setattr("audionet.datasets.synthesis.words.open_engine", installed.__getitem__)

    only(*(Beeps(name) for name in ("espeak", "pico", "piper", "flite")))
    return only


@pytest.fixture
def record(tmp_path):
    """Write short recordings into class folders: {folder: how many}."""

    def write(**counts):
        noise = np.random.default_rng(0)
        for folder, count in counts.items():
            (tmp_path / "mine" / folder).mkdir(parents=True)
            for number in range(count):
                save_audio(tmp_path / "mine" / folder / f"{number}.wav", noise.normal(0, 0.1, 800).clip(-1, 1), 8000)
        return tmp_path / "mine"

    return write


def listed_by(card):
    return cards.index(card)


def counted(clips, card):
    return Counter((clip.label, clip.split, not clip.path.startswith(card.layout.made)) for clip in clips)


def test_words_are_spoken_by_other_engines_in_each_split(install):
    card = words_card(["lights on", "stop"], language=LANGUAGE, clips_per_label=50)
    clips = listed_by(card)
    assert counted(clips, card) == {
        (word, split, False): n
        for word in ("lights on", "stop")
        for split, n in (("train", 40), ("validation", 5), ("test", 5))
    }
    engines = {
        split: {clip.speaker.split(":")[0] for clip in clips if clip.split == split}
        for split in ("train", "validation", "test")
    }
    assert sum(map(len, engines.values())) == len(set.union(*engines.values())) == 4
    assert layout_of(card).trains and not layout_of(card).few and card.labels.keep == ("lights on", "stop")
    waveform = render(clips[0].path, layout=card.layout, root=card.default_root, sample_rate=8000)
    assert waveform.ndim == 1 and len(waveform) > 1000


def test_all_engines_teach_where_none_is_held_out(install):
    card = words_card(["stop"], language=LANGUAGE, clips_per_label=60, validation_engines=[], test_engines=[])
    train = {clip.speaker.split(":")[0] for clip in listed_by(card) if clip.split == "train"}
    assert train == {"espeak", "pico", "piper", "flite"}


@pytest.mark.parametrize(("seconds", "expected"), [(0.02, 1.0), (0.1, 1.5), (0.165, 2.0)])
def test_clips_are_as_long_as_the_longest_phrase(install, seconds, expected):
    install(*(Beeps(name, seconds=seconds) for name in ("espeak", "pico")))
    card = words_card(["go", "lights out"], language=LANGUAGE, clips_per_label=10)
    _, _, found = natural.follow(card, card.default_root, listed_by(card), None, 16_000, None)
    assert found == pytest.approx(expected, abs=0.35 if expected == 1.5 else 0.01)


def test_a_phrase_that_is_too_long_is_refused(install):
    install(*(Beeps(name, seconds=0.4) for name in ("espeak", "pico")))
    card = words_card(["go", "lights out"], language=LANGUAGE, clips_per_label=10)
    with pytest.raises(ValueError, match=r"words: expected phrases of at most 2 s, got 'lights out \(\d\.\d s\)'; sho"):
        natural.follow(card, card.default_root, listed_by(card), None, 16_000, None)


def test_few_recordings_are_tested_by_classifiers_that_learn_the_others(install, record):
    folder = record(Lights_On=3, other=2)
    card = words_card(["lights on", "stop"], language=LANGUAGE, recordings=folder, clips_per_label=10)
    clips = listed_by(card)
    recorded = {key: n for key, n in counted(clips, card).items() if key[2]}
    assert recorded == {("lights on", "test", True): 3, ("_unknown_", "test", True): 2}
    assert layout_of(card).few and layout_of(card).trains
    (path,) = [clip.path for clip in clips if clip.path.endswith("Lights_On/0.wav")]
    assert len(render(path, layout=card.layout, root=card.default_root, sample_rate=8000)) == 800


def test_many_recordings_are_split_and_trained_on(install, record):
    folder = record(go=MANY, stop=MANY)
    card = words_card(recordings=folder, language=LANGUAGE)
    recorded = {key[:2]: n for key, n in counted(listed_by(card), card).items() if key[2]}
    assert recorded["go", "train"] == 80 and recorded["stop", "test"] == 10
    assert not layout_of(card).few and layout_of(card).trains


def test_the_class_folders_are_the_words(install, record, capsys):
    folder = record(go=2, w07=3, _unknown_=2)
    card = words_card(recordings=folder, language=LANGUAGE)
    assert layout_of(card).words == ("go", "w07") and layout_of(card).spoken == ("go",)
    assert "learnt from the recordings alone, since no engine speaks them in ia: w07" in capsys.readouterr().err
    clips = counted(listed_by(card), card)
    assert clips["w07", "train", True] == 3 and clips["go", "test", True] == 2
    assert clips["_unknown_", "train", True] == 2 and clips["go", "train", False] == 80
    assert not layout_of(card).trains
    asked = words_card(recordings=folder, language=LANGUAGE, synthetic=False)
    assert layout_of(asked).spoken == () and {key[2] for key in counted(listed_by(asked), asked)} == {True}
    assert layout_of(words_card(recordings=folder, language=LANGUAGE, synthetic=True)).spoken == ("go", "w07")


def test_what_has_no_recordings_and_what_is_no_word_is_said(install, record, capsys):
    folder = record(go=2, nonsense=1)
    words_card(["go", "stop"], recordings=folder, language=LANGUAGE)
    said = capsys.readouterr().err
    assert f"{folder}: the recordings in nonsense are of no word that is asked for, and train as unknown" in said
    assert f"{folder}: no recordings of stop" in said


class Crashing(Beeps):
    """An engine that fails for words that begin with a letter."""

    def __init__(self, name, letters):
        super().__init__(name)
        self.letters = letters

    def _speak(self, text, voice, rate, pitch):
        if text[0] in self.letters:
            raise RuntimeError("signal 11")
        return super()._speak(text, voice, rate, pitch)


def test_an_engine_that_crashes_is_left_out_and_the_others_go_on(install):
    install(Beeps("espeak"), Beeps("hibari"), Crashing("pico", "s"))
    with pytest.warns(UserWarning, match=r"left out: pico cannot speak 'stop' \(signal 11\); the other engines go on"):
        card = words_card(["stop", "go"], language=LANGUAGE)
    assert layout_of(card).engines == ("espeak", "hibari")
    install(Crashing("espeak", "s"))
    with pytest.raises(ValueError, match="engines: expected one that can speak ia, got .*signal 11"):
        with pytest.warns(UserWarning):
            words_card(["stop"], language=LANGUAGE)


@pytest.mark.parametrize(
    ("words", "arguments", "message"),
    [
        ([], {}, "words: expected at least one word or phrase, got .*; give them, or recordings in class folders"),
        (["stop", "Stop"], {}, "words: expected each word once, got Stop, stop; leave out the second"),
        (["lights on", "lights  on"], {}, "words: expected each word once, got lights on"),
        (["Küche", decomposed("Küche")], {}, "words: expected each word once, got Küche"),
        (["stop", "stop\u200b"], {}, "words: expected each word once, got stop"),
        (["stop", " "], {}, "^words: expected words to speak, got ''"),
        (["stop", "_go"], {}, "^words: expected words to speak, got '_go'; names that begin with \"_\" stand for what"),
        (["stop", "go\udce9"], {}, "^words: expected words to speak, got 'go.udce9'"),
        (["stop", "?!"], {}, "words: expected words .* got '.!'; write it in letters or digits"),
        (["стоп"], {}, "words: expected words of the language 'ia' that espeak, .* can speak, got 'стоп'"),
        (["stop"], {"language": "xx"}, "language: expected one that espeak, pico, .* can speak"),
        (
            ["halt"],
            {"recordings": True},
            r"recordings: expected class folders that are called as the words \(halt\), g",
        ),
        (["go", "stop"], {"recordings": True, "synthetic": False}, "recordings: expected some of each word.*got stop"),
    ],
)
def test_words_that_cannot_be_learnt_are_refused(install, record, words, arguments, message):
    if arguments.get("recordings"):
        arguments = arguments | {"recordings": record(go=1)}
    with pytest.raises(ValueError, match=message):
        listed_by(words_card(words, **{"language": LANGUAGE} | arguments))


def test_a_number_of_clips_that_is_too_small_is_refused_and_not_taken_for_none(install):
    with pytest.raises(ValueError, match="clips_per_label: expected at least 10, got 0"):
        open_words(["go"], language=LANGUAGE, clips_per_label=0, progress=False)


def test_what_is_no_recording_of_a_word_keeps_its_meaning(install, record):
    folder = record(go=2, _silence_=3, _unknown_=1)
    for words in ([], ["go"]):
        card = words_card(words, recordings=folder, language=LANGUAGE)
        recorded = {label: n for (label, _, is_recorded), n in counted(listed_by(card), card).items() if is_recorded}
        assert recorded == {"go": 2, "_silence_": 3, "_unknown_": 1}


def test_folders_are_the_words_whatever_their_letters_are_made_of(install, record, capsys):
    folder = record(**{decomposed("Küche"): 2, "bad": 1, "BAD": 1})
    for words in ([], ["Küche", "bad\u200b"]):
        card = words_card(words, recordings=folder, language=LANGUAGE)
        assert {*map(str.casefold, card.layout.words)} == {"küche", "bad"}  # type: ignore[union-attr]
        recorded = {label: n for (label, _, is_recorded), n in counted(listed_by(card), card).items() if is_recorded}
        assert sorted(recorded.values()) == [2, 2] and "_unknown_" not in recorded
    assert "taken together: BAD and bad" in capsys.readouterr().err


def test_a_folder_whose_name_is_no_word_is_learnt_from_its_recordings(install, record):
    card = words_card(recordings=record(go=2, _go=2), language=LANGUAGE)
    assert card.layout.words == ("_go", "go") and card.layout.spoken == ("go",)  # type: ignore[union-attr]


def test_a_class_folder_without_recordings_is_refused(install, record):
    with pytest.raises(
        ValueError, match=r"expected recordings that can be read in every class folder.* stop \(nothing"
    ):
        listed_by(words_card(recordings=record(go=2, stop=0), language=LANGUAGE))


@pytest.mark.parametrize("place", ["", "nowhere", "mine/go/0.wav"])
def test_recordings_that_are_no_folder_are_refused(install, record, tmp_path, monkeypatch, place):
    record(go=1)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ValueError, match=f"recordings: expected a folder of class folders, got '{place}'; see its path"
    ):
        words_card(["go"], recordings=place, language=LANGUAGE)


def test_who_speaks_and_what_is_made_is_said_once_and_without_flags_that_are_not_there(install, capsys, monkeypatch):
    pytest.importorskip("espeakng_loader", reason="the extra `synth` is not installed")
    card = words_card(["stop", "go"], language=LANGUAGE, clips_per_label=10)
    Voices(language=LANGUAGE).negatives(card, listed_by(card))
    said = capsys.readouterr().err
    assert said.count("who speaks ia") == 1 and "clips are made for what is no word" in said and "--data" not in said


# ---- recordings without a word -------------------------------------------------------------------------------------


@pytest.fixture
def room(tmp_path):
    """Nine seconds of a room: a tone that rises from one stretch of two seconds to the next, and a short recording."""
    (tmp_path / "room" / "deep").mkdir(parents=True)
    time = np.arange(8 * 8000) / 8000
    sound = 0.3 * np.sin(2 * np.pi * (200 + 200 * (time // 2)) * time)
    save_audio(tmp_path / "room" / "deep" / "long.wav", sound.astype(np.float32), 8000)
    save_audio(tmp_path / "room" / "short.wav", sound[:8000].astype(np.float32), 8000)
    return tmp_path / "room"


def test_stretches_of_a_room_train_as_unknown(install, room, capsys):
    card = words_card(
        ["lights on", "stop"], language=LANGUAGE, clips_per_label=50, negatives=[str(room), str(room / "deep")]
    )
    clips = [clip for clip in listed_by(card) if clip.path.startswith(STRETCH)]
    assert len(clips) == 5 and {(clip.label, clip.split) for clip in clips} == {("_unknown_", "train")}
    assert "negatives: 5 of 5 stretches of 2 s train as _unknown_" in capsys.readouterr().err
    rendered = {
        clip.path.removeprefix(STRETCH): render(clip.path, layout=card.layout, root=card.default_root, sample_rate=8000)
        for clip in clips
    }
    assert len(rendered.pop(f"0/{room.resolve()}/short.wav")) == 8000
    for number in range(4):
        waveform = rendered[f"{number}/{room.resolve()}/deep/long.wav"]
        assert waveform.shape == (16_000,) and np.abs(np.fft.rfft(waveform)).argmax() / 2 == 200 * (number + 1)


def test_there_are_no_more_stretches_than_clips_of_a_word_and_they_are_spread_out(install, room):
    save_audio(room / "hall.wav", np.full(40 * 800, 0.1, np.float32), 800)
    card = words_card(["lights on", "stop"], language=LANGUAGE, clips_per_label=10, negatives=[str(room)])
    clips = listed_by(card)
    found = [clip.path for clip in clips if clip.path.startswith(STRETCH)]
    assert len(found) == sum(clip.split == "train" and clip.label == "stop" for clip in clips) == 8
    assert {path.rsplit("/", 1)[1] for path in found} == {"long.wav", "hall.wav", "short.wav"}


def test_a_change_of_the_room_changes_the_corpus(install, room):
    card = words_card(["lights on", "stop"], language=LANGUAGE, negatives=[str(room)])
    before = card.layout.fingerprint(card.default_root)
    assert card.layout.fingerprint(card.default_root) == before
    save_audio(room / "new.wav", np.full(800, 0.1, np.float32), 8000)
    assert card.layout.fingerprint(card.default_root) != before


def test_rooms_that_cannot_be_used(install, room, tmp_path, capsys):
    def listed_from(folder):
        return listed_by(words_card(["stop"], language=LANGUAGE, negatives=[str(folder)]))

    with pytest.raises(ValueError, match=r"negatives: .*none: expected a folder, got 'nothing there'"):
        listed_from(tmp_path / "none")
    with pytest.raises(ValueError, match=r"negatives: .*short.wav: expected a folder, got 'a file'"):
        listed_from(room / "short.wav")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"empty: expected audio files .*got none"):
        listed_from(tmp_path / "empty")
    (tmp_path / "empty" / "damaged.wav").write_bytes(b"RIFF")
    with pytest.raises(ValueError, match="negatives: expected recordings that can be read, got 'none'"):
        listed_from(tmp_path / "empty")
    assert "negatives: left out" in capsys.readouterr().err
