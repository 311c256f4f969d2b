"""Synthetic words: which engine and voice speaks what, in which split."""

from collections import Counter
from functools import partial

import numpy as np
import pytest

from audionet.datasets.synthesis import fingerprint, index, open_engine, render, survey, words
from audionet.datasets.synthesis.sharing import apportion, assign, divide, hold_out
from audionet.datasets.synthesis.voices import Engine, Survey
from audionet.datasets.synthesis.voices.espeak import TIMBRES
from audionet.datasets.synthesis.words import COMMANDS, OTHERS, utterances

pytest.importorskip("espeakng_loader", reason="the synth extra is not installed")

pytestmark = pytest.mark.filterwarnings("ignore:only espeak speaks")


class Voice(Engine):
    """An engine that beeps with as many voices as it is told."""

    install, sample_rate = "ask the test", 8000

    def __init__(self, name, n_voices, weight=1.0, knows="", codes=("en",)):
        vars(self).update(name=name, weight=weight)
        self._knows = knows
        self.catalog = {f"v{number}": codes for number in range(n_voices)}

    def knows(self, text, language):
        return super().knows(text, language) and (not self._knows or text in self._knows)

    def _speak(self, text, voice, rate, pitch):
        return np.sin(np.arange(4000 / rate))

    def version(self):
        return "1"


@pytest.fixture
def only(monkeypatch):
    """Let these engines be all that are installed."""

    def install(*engines):
        by_name = {engine.name: engine for engine in engines}
        monkeypatch.setattr(words, "speaking", partial(speaking_of, by_name))

    return install


def speaking_of(installed, language, names=None):
    able = {name: installed[name] for name in names or installed if installed[name].voices(language)}
    return Survey(able, {name: f"{name} is missing" for name in installed if name not in able})


def engine_of(clip):
    return clip.speaker.partition(":")[0]


# ---- render ------------------------------------------------------------------------------------------------------


def test_render_is_speak():
    espeak = open_engine("espeak")
    waveform = espeak.speak("turn left/right", voice="en-gb+f3", rate=0.91, pitch=1.1)
    path = "turn left/right/espeak:en-gb+f3_rate0.910_pitch1.100.wav"
    np.testing.assert_array_equal(render(path, sample_rate=espeak.sample_rate), waveform)
    assert len(render(path, sample_rate=16_000)) == round(len(waveform) * 16_000 / espeak.sample_rate)


@pytest.mark.parametrize(
    "path",
    [
        "yes",
        "yes/en-us_rate0.910_pitch1.100.wav",
        "/espeak:en-us_rate0.910_pitch1.100.wav",
        "yes/espeak:en-us_rate0.910_pitch1.100.mp3",
        "yes/en-us+f3_rate160_pitch45_range60.wav",
    ],
)
def test_paths_of_another_form(path):
    with pytest.raises(ValueError, match="path: expected a name like"):
        render(path)


def test_paths_of_nobody():
    with pytest.raises(ValueError, match="voice: expected"):
        render("yes/espeak:nobody_rate0.910_pitch1.100.wav")
    with pytest.raises(ValueError, match="engine: expected one of espeak"):
        render("yes/nobody:en-us_rate0.910_pitch1.100.wav")


# ---- index -------------------------------------------------------------------------------------------------------


def test_index_of_the_commands_by_espeak():
    clips = index(engines=["espeak"])
    assert Counter(clip.label for clip in clips) == dict.fromkeys((*COMMANDS, "_unknown_"), 500)
    assert Counter(clip.split for clip in clips if clip.label == "yes") == {"train": 400, "validation": 50, "test": 50}
    assert len({clip.path for clip in clips}) == len(clips)
    spoken = Counter(clip.path.split("/")[0] for clip in clips if clip.label == "_unknown_")
    assert set(spoken) == set(OTHERS) and len(OTHERS) == 25
    assert min(spoken.values()) >= 19
    assert all(clip.path.startswith(f"{clip.label}/{clip.speaker}_") for clip in clips if clip.label != "_unknown_")
    assert len({clip.speaker for clip in clips}) > 400
    for clip in clips[::250]:
        assert np.abs(render(clip.path)).max() > 0.5


def test_no_timbre_crosses_the_splits():
    splits_of: dict[str, set[str]] = {}
    for seed, language in ((0, "en"), (1, "en"), (0, "lt")):  # nor from one corpus to the training of another
        for clip in index(seed=seed, clips_per_label=1000, engines=["espeak"], language=language):
            splits_of.setdefault(clip.speaker.partition("+")[2], set()).add(clip.split)
    assert all(len(splits) == 1 for splits in splits_of.values())
    for group in TIMBRES:
        assert len({tuple(splits_of[variant]) for variant in group}) == 1
    counts = Counter(split for splits in splits_of.values() for split in splits)
    assert counts["validation"] in (8, 9, 10) and counts["test"] in (8, 9, 10) and counts.total() == 85
    assert set(splits_of) == {name for group in TIMBRES for name in group}


def test_index_depends_on_the_seed_alone():
    clips = index(clips_per_label=50, engines=["espeak"])
    assert index(clips_per_label=50, engines=["espeak"]) == clips
    others = index(clips_per_label=50, engines=["espeak"], seed=1)
    assert not {clip.path for clip in others} & {clip.path for clip in clips}
    stops = [clip for clip in clips if clip.label == "stop"]
    assert index(["stop"], [], clips_per_label=50, engines=["espeak"]) == stops


def test_every_engine_here_speaks_by_its_weight():
    clips = index(test_engines=(), validation_engines=())
    found = {name: engine for name, engine in survey().engines.items() if engine.voices("en")}
    spoken = Counter(engine_of(clip) for clip in clips if clip.label == "yes" and clip.split == "train")
    assert set(spoken) == set(found)
    total = sum(engine.weight for engine in found.values())
    for name, engine in found.items():
        assert spoken[name] == pytest.approx(400 * engine.weight / total, abs=1)


def test_whole_engines_are_held_out(only):
    only(Voice("espeak", 20), Voice("pico", 2), Voice("hibari", 1))
    clips = index(["yes", "no"], [], clips_per_label=100)
    splits_of = {
        name: {clip.split for clip in clips if engine_of(clip) == name} for name in ("espeak", "pico", "hibari")
    }
    assert splits_of == {"espeak": {"train", "validation"}, "pico": {"test"}, "hibari": {"train"}}
    assert Counter(clip.split for clip in clips) == {"train": 160, "validation": 20, "test": 20}
    clips = index(["yes", "no"], [], clips_per_label=100, test_engines=["espeak"], validation_engines=["hibari"])
    assert {(engine_of(clip), clip.split) for clip in clips} == {
        ("pico", "train"),
        ("hibari", "validation"),
        ("espeak", "test"),
    }
    clips = index(["yes"], [], clips_per_label=9, training_only=True, test_engines=["pico"])
    assert {(engine_of(clip), clip.split) for clip in clips} == {("espeak", "train"), ("hibari", "train")}


def test_engines_that_do_not_know_a_word_are_left_out_for_it(only):
    only(Voice("espeak", 20), Voice("pico", 2, knows=("no",)))
    clips = index(["yes", "no"], ["maybe"], clips_per_label=100, test_engines=())
    assert {(clip.label, engine_of(clip)) for clip in clips} == {
        ("yes", "espeak"),
        ("no", "espeak"),
        ("no", "pico"),
        ("_unknown_", "espeak"),
    }


@pytest.mark.filterwarnings("default")
def test_one_engine_is_warned_of(only, capsys):
    only(Voice("espeak", 20), Voice("pico", 2, codes=("de",)))
    with pytest.warns(UserWarning, match="only espeak speaks en here: what is learnt"):
        index(["yes"], [], clips_per_label=10)
    assert "who speaks en: train espeak; test espeak; validation espeak; not pico" in capsys.readouterr().err


def test_few_voices_are_warned_of(only):
    only(Voice("hibari", 1))
    with pytest.warns(UserWarning, match="the same are heard in training and in test and validation"):
        clips = index(["yes"], [], clips_per_label=10)
    assert Counter(clip.split for clip in clips) == {"train": 8, "validation": 1, "test": 1}


def test_a_named_engine_that_does_not_speak_is_warned_of(only):
    only(Voice("espeak", 20), Voice("pico", 2, codes=("de",)), Voice("flite", 2, codes=("de",)))
    with pytest.warns(UserWarning, match="left out: pico is missing"):
        index(["yes"], [], clips_per_label=10, engines=["espeak", "pico"])
    with pytest.warns(UserWarning, match="left out: flite is missing"):
        clips = index(["yes"], [], clips_per_label=10, test_engines=["flite"])
    assert {clip.split for clip in clips} == {"train", "validation", "test"}, "voices are divided instead"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"words": []}, "words: expected at least one word"),
        ({"words": ["yes", " "]}, "expected words to speak, got ' '"),
        ({"words": ["_silence_"]}, "expected words to speak, got '_silence_'"),
        ({"words": ["yes", "no", "yes"]}, "each word once among words and unknown, got 'yes'"),
        ({"words": ["one"]}, "each word once among words and unknown, got 'one'"),
        (
            {"words": ["да"]},
            r"words of the language 'en' that espeak can speak, got 'да'; its letters are those of 'ru'",
        ),
        ({"words": ["?!"]}, r"words of the language 'en' that espeak can speak, got '\?!'; write it in letters or"),
        ({"clips_per_label": 9}, "clips_per_label: expected at least 10, got 9"),
        ({"language": "tlhingan"}, "language: expected one that espeak can speak"),
        (
            {"test_engines": ["espeak"]},
            "test_engines: expected some of the engines that speak, and not all, got espeak",
        ),
        ({"test_engines": ["espek"]}, "^test_engines: expected one of .*, got 'espek'; did you mean 'espeak'"),
        ({"engines": None, "validation_engines": ["picco"]}, "^validation_engines: expected .*'picco'; did you mean"),
        ({"engines": ["picco"]}, "^engines: expected one of .*, got 'picco'; did you mean 'pico'"),
        (
            {"engines": None, "language": "lt", "test_engines": ["espeak"]},
            "test_engines: expected some of the engines that speak, and not all, got espeak; leave one of espeak to",
        ),
        (
            {"engines": None, "test_engines": ["espeak"], "validation_engines": ["ESPEAK"]},
            "validation_engines: expected other engines than test_engines, got espeak; name each once",
        ),
    ],
)
def test_wrong_arguments_of_index(arguments, message):
    with pytest.raises(ValueError, match=message):
        index(**{"engines": ["espeak"], **arguments})


def test_the_fingerprint_names_who_speaks(only):
    only(Voice("espeak", 1), Voice("pico", 1), Voice("flite", 1, codes=("de",)))
    assert fingerprint() == "audionet.datasets.synthesis 2, en: espeak 1, pico 1"
    assert fingerprint(engines=["pico"]) != fingerprint() != fingerprint(language="de")


def test_the_fingerprint_changes_with_an_engine_and_not_by_how_its_name_is_written(monkeypatch):
    pico, espeak = open_engine("pico"), fingerprint(engines=["espeak"])
    assert fingerprint(engines=["Espeak", "espeak"]) == espeak
    both = fingerprint(engines=["espeak", "pico"])
    monkeypatch.setattr(pico, "version", lambda: "another")
    assert fingerprint(engines=["espeak"]) == espeak and fingerprint(engines=["espeak", "pico"]) != both


# ---- who speaks where --------------------------------------------------------------------------------------------

ALL = ["espeak", "pico", "hibari", "piper", "kokoro", "flite", "festival"]


@pytest.mark.parametrize(
    ("engines", "validation", "test"),
    [
        (["espeak"], (), ()),
        (["hibari"], (), ()),
        (["espeak", "pico"], (), ("pico",)),
        (["espeak", "hibari", "mine"], (), ("hibari",)),
        (["espeak", "pico", "hibari", "piper"], ("piper",), ("pico",)),
        (ALL, ("piper",), ("pico", "festival")),
        (["mine", "yours"], (), ()),
    ],
)
def test_who_is_held_out_where_nobody_says(engines, validation, test):
    assert hold_out(engines, None, None) == {"validation": validation, "test": test}


def test_who_is_held_out_by_name():
    assert hold_out(ALL, ["pico"], None) == {"validation": ("pico",), "test": ("festival", "piper")}
    assert hold_out(["espeak", "pico"], ["pico"], None) == {"validation": ("pico",), "test": ()}, "one is left to train"
    assert hold_out(ALL, (), ()) == {"validation": (), "test": ()}
    with pytest.raises(ValueError, match="validation_engines: expected other engines than test_engines, got pico"):
        hold_out(ALL, ["pico"], ["pico"])
    with pytest.raises(ValueError, match="test_engines: expected some .* got espeak, pico; leave one of"):
        hold_out(["espeak", "pico"], ["pico"], ["espeak"])


def test_voices_are_divided_where_no_engine_is_held_out():
    engines = {"espeak": Voice("espeak", 20), "pico": Voice("pico", 2)}
    speakers = assign(engines, {"validation": (), "test": ()}, "en")
    voices = {split: {s.engine.name: s.voices for s in chosen} for split, chosen in speakers.items()}
    assert voices["train"]["pico"] == ["v0", "v1"], "so few are worth more in the training"
    parts = [voices[split]["espeak"] for split in ("train", "validation", "test")]
    assert list(map(len, parts)) == [16, 2, 2] and len({*sum(parts, [])}) == 20
    few = assign({"pico": Voice("pico", 3)}, {}, "en")
    assert {split: len(chosen[0].voices) for split, chosen in few.items()} == dict.fromkeys(few, 1)


def test_voices_that_sound_alike_stay_together():
    groups = [[f"a+{number}", f"b+{number}"] for number in range(30)]
    parts = divide(groups, ["test", "validation"])
    assert {split: len(part) for split, part in parts.items()} == {"train": 24, "test": 3, "validation": 3}
    assert sorted(group for part in parts.values() for group in part) == sorted(groups)
    assert divide(groups[::-1], ["test"])["test"] == divide(groups, ["test"])["test"], "the names decide"


def test_apportion():
    assert apportion(10, [3, 2, 2]) == [4, 3, 3]
    assert apportion(1, [0.3, 3]) == [0, 1] and apportion(0, [1, 1]) == [0, 0]
    for size in range(30):
        assert sum(apportion(size, [3, 2, 2, 0.3])) == size


def test_every_unknown_word_is_spoken():
    texts = ["cat", "dog", "bird", "tree"]
    spoken = utterances({"train": texts}, {"train": 8}, engines=["espeak"])
    assert [clip.path.split("/")[0] for clip in spoken] == texts * 2
