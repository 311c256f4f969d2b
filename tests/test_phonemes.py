"""Phonemes, their distance, the words of a language, and what sounds like them."""

import itertools
import random
import warnings

import numpy as np
import pytest

from audionet.datasets.synthesis import check_apart, confusables, distance, phonemes, words_of
from audionet.datasets.synthesis.phonemes import _CONSONANTS, _VOWELS, differing_sounds, distances, symbols
from audionet.datasets.synthesis.voices.espeak_library import codes

pytest.importorskip("espeakng_loader", reason="the synth extra is not installed")


def plain_edits(first, second):
    """Levenshtein's recursion, cell by cell, with the costs of the module."""
    from audionet.datasets.synthesis.phonemes import _edit, _substitution

    table = {(0, 0): 0.0}
    for row, column in itertools.product(range(len(first) + 1), range(len(second) + 1)):
        ways = []
        if row:
            ways.append(table[row - 1, column] + _edit(first[row - 1]))
        if column:
            ways.append(table[row, column - 1] + _edit(second[column - 1]))
        if row and column:
            ways.append(table[row - 1, column - 1] + _substitution(first[row - 1], second[column - 1]))
        table[row, column] = min(ways, default=0.0)
    return table[len(first), len(second)]


# ---- phonemes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "language", "sounds"),
    [
        ("stop", "en-us", "s t ɑː p"),
        ("lights on", "en-us", "l a ɪ t s ɔ n"),
        ("church", "en-us", "t ʃ ɜː t ʃ"),
        ("Küche", "de", "k ʏ ç ə"),
        ("šviesa", "lt", "ɕ vʲ i e s a"),
        ("bonjour", "fr", "b ɔ̃ ʒ u ʁ"),
        ("not now, please", "en-us", "n ɑː t n a ʊ p l iː z"),
    ],
)
def test_known_words(text, language, sounds):
    assert phonemes(text, language) == tuple(sounds.split())


def test_stress_and_the_code_of_a_language_are_no_sounds():
    assert symbols("(en)tʃˈaɪniːz(ja)") == ("t", "ʃ", "a", "ɪ", "n", "iː", "z")
    assert symbols("") == ()


@pytest.mark.parametrize(("text", "language", "message"), [("", "en", "^text: "), ("...", "de", "^text: ")])
def test_nothing_to_speak(text, language, message):
    with pytest.raises(ValueError, match=message):
        phonemes(text, language)


def test_an_unknown_language_is_refused():
    with pytest.raises(ValueError, match="^language: expected one of af, .*got 'xx'"):
        phonemes("one", "xx")


# ---- distance ----------------------------------------------------------------------------------------------------


def test_the_distance_is_levenshteins_with_costs():
    texts = ["stop", "three", "lights off", "a", "judge", "yet"]
    sounds = [phonemes(text, "en") for text in texts]
    for first in sounds:
        plain = [plain_edits(first, second) / max(len(first), len(second)) for second in sounds]
        np.testing.assert_allclose(distances(first, sounds), np.minimum(plain, 1), atol=1e-12)


def test_a_distance_is_a_metric_of_sequences():
    generator = random.Random(0)
    letters = [*_VOWELS, *_CONSONANTS]
    sounds = [tuple(generator.choices(letters, k=generator.randint(1, 5))) for _ in range(12)]
    for first, second in itertools.combinations(sounds, 2):
        assert 0 <= distance(first, second) <= 1
        assert distance(first, second) == pytest.approx(distance(second, first))
        assert differing_sounds(first, first) == 0


def test_the_order_of_confusions():
    def apart(pair):
        return distance(*(phonemes(word, "en-us") for word in pair.split()))

    assert apart("write right") == 0
    ordered = ["three free", "bird bed", "yes yet", "three tree", "stop go"]
    assert sorted(ordered, key=apart) == ordered
    assert apart("ban pan") < apart("ban man")  # voice is less than manner
    assert apart("bit bet") < apart("bit boot")  # a near vowel is less than a far one
    assert apart("no low") < apart("no go")


# ---- words of a language -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "words"),
    [("lt", "laikrodis rožė"), ("de", "haus blume"), ("ar", "قمر"), ("hi", "टमाटर"), ("en-gb", "clock rose")],
)
def test_real_words(language, words):
    found = words_of(language)
    assert {*words.split()} <= {*found}
    assert all(word == word.lower() and not any(sign.isdigit() for sign in word) for word in found)


def test_a_language_without_words_has_its_numbers():
    found = words_of("uk")
    assert found["7"] == phonemes("сім", "uk")


# ---- confusables -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "words"), [("en", ["right", "three", "off"]), ("lt", ["šviesa", "stop"]), ("uk", ["так"])]
)
def test_confusables_sound_alike_but_not_the_same(language, words):
    found = confusables(words, language, count=8)
    assert len(found) == len({*found}) == 8 * len(words)
    for accent in codes(language):
        sounds = [phonemes(word, accent) for word in words]
        for text in found:
            assert min(differing_sounds(of, phonemes(text, accent)) for of in sounds) >= 0.25, (accent, text)
    nearest = [min(distance(phonemes(word, language), phonemes(text, language)) for word in words) for text in found]
    assert max(nearest) <= 0.4


def test_homophones_of_any_word_are_left_out():
    found = confusables(["right", "tree"], "en", count=40)
    assert not {"write", "rite", "wright", "right", "three"} & {*found}.difference({"three"})
    assert {"bride", "agree"} <= {*found} and not {"light", "free"} & {*found}


def test_one_word_of_a_phrase_at_a_time_is_another():
    found = confusables(["lights on", "lights off"], "en", count=10)
    assert all((first == "lights") != (last in ("on", "off")) for first, last in map(str.split, found))


def test_confusables_are_the_same_each_time():
    assert confusables(["stop", "go"], "en", count=5) == confusables(["stop", "go"], "en", count=5)


@pytest.mark.parametrize("count", [0, 1.5])
def test_no_confusables_are_refused(count):
    with pytest.raises(ValueError, match="^count: "):
        confusables(["stop"], "en", count=count)


# ---- words that sound alike --------------------------------------------------------------------------------------


def test_words_that_sound_alike_are_warned_of_nearest_first():
    with pytest.warns(UserWarning) as caught:
        pairs = check_apart(["three", "right", "stop", "free", "write"], "en")
    assert [pair[:2] for pair in pairs] == [("right", "write"), ("three", "free")]
    assert "'right' and 'write' sound alike (no sound tells them apart)" in str(caught[0].message)
    assert "'three' and 'free' sound alike (they differ by 0.15 of a sound)" in str(caught[1].message)


def test_many_words_that_sound_alike_get_one_warning():
    with pytest.warns(UserWarning) as caught:
        pairs = check_apart(["to", "two", "too", "right", "write"], "en")
    assert len(pairs) == 4 and len(caught) == 1
    said = str(caught[0].message)
    assert said.startswith("words: 4 pairs sound alike, such as 'to' and 'two' (no sound tells them apart), 'to'")
    assert said.endswith(" and 1 more; choose another for one of them")


def test_words_that_are_told_apart_are_not_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check_apart("yes no up down left right on off stop go".split(), "en") == []
        assert check_apart(["lights on", "lights off"], "en") == []


@pytest.mark.parametrize(
    ("words", "message"),
    [([], "words: expected at least one word"), (["yes", "no", "yes"], "words: expected each word once, got 'yes'")],
)
def test_bad_lists_of_words(words, message):
    with pytest.raises(ValueError, match=message):
        check_apart(words, "en")
