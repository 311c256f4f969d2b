"""Words that sound like other words: those that a recogniser must not take for them."""

import functools
import unicodedata
import warnings
from collections.abc import Iterable, Sequence

import numpy as np

from audionet.checks import check_at_least, check_that, listed
from audionet.datasets.synthesis.lexicon import words_of
from audionet.datasets.synthesis.phonemes import differences, differing_sounds, distances, phonemes, sounds_of
from audionet.datasets.synthesis.voices import espeak_library as espeak

ALIKE = 0.5  # sounds: words that differ by less are warned of
_MOST_WARNINGS = 3
_APART = 0.75  # sounds: what differs by less may be the word itself, as some people speak it
_NEAR = 0.4  # distance up to which a real word is confusable


def check_apart(words: Sequence[str], language: str) -> list[tuple[str, str, float]]:
    """Warn of words that sound so much alike that a recogniser will mix them up.

    Args:
        words: Words or phrases.
        language: Code of a language that espeak-ng knows.

    Returns:
        Pairs of words with the `differing_sounds`, nearest first; less than half a sound.

    Raises:
        ValueError: There are no words, a word comes twice or has nothing to speak, or espeak-ng does not know the
            language.

    Example:
        >>> with warnings.catch_warnings(record=True) as said:
        ...     check_apart(["three", "four", "free"], "en")
        [('three', 'free', 0.15)]
        >>> print(said[0].message)
        words: 'three' and 'free' sound alike (they differ by 0.15 of a sound); choose another for one of them
    """
    check_that(len(words), "words", "at least one word", list(words))
    for word in words:
        check_that(list(words).count(word) == 1, "words", "each word once", word, "leave out the second")
    sounds = {word: phonemes(word, language) for word in words}
    pairs = [
        (word, other, differing_sounds(sounds[word], sounds[other]))
        for number, word in enumerate(words)
        for other in words[number + 1 :]
    ]
    alike = sorted((pair for pair in pairs if pair[2] < ALIKE), key=lambda pair: pair[2])
    texts = [f"{word!r} and {other!r} sound alike ({_how(differing)})" for word, other, differing in alike]
    if len(alike) > _MOST_WARNINGS:
        texts = [f"{len(alike)} pairs sound alike, such as {listed(map(_pair, alike), _MOST_WARNINGS)}"]
    for text in texts:
        warnings.warn(f"words: {text}; choose another for one of them", stacklevel=2)
    return alike


def _how(differing: float) -> str:
    return f"they differ by {differing:.2g} of a sound" if differing else "no sound tells them apart"


def _pair(alike: tuple[str, str, float]) -> str:
    word, other, differing = alike
    return f"{word!r} and {other!r} ({_how(differing)})"


def confusables(words: Sequence[str], language: str, *, count: int = 20) -> tuple[str, ...]:
    """Return what may be taken for some words: other words and made-up ones that sound like them.

    They are, for each word, the nearest real words of the language, then made-up ones in which one letter is another or
    is left out. Of a phrase, one word at a time is another. Homophones of any of the words, with any accent of the
    language, are not among them, nor is what differs by less than three quarters of a sound ("free" from "three").

    Args:
        words: Words or phrases.
        language: Code of a language or an accent that espeak-ng knows.
        count: How many for each word, at most.

    Returns:
        Texts, the nearest of each word first.

    Raises:
        ValueError: A word has nothing to speak, a number is out of its range, or espeak-ng does not know the language.

    Example:
        >>> confusables(["zwei", "drei"], "de", count=3)
        ('zwilling', 'drache', 'schwein', 'dreieck', 'schweiß', 'gleich')
    """
    check_at_least(1, whole=True, count=count)
    apart = Apart(words, language)
    chosen = [_near(word, language, apart, count) for word in words]
    turns = (texts[turn] for turn in range(count) for texts in chosen if turn < len(texts))
    return tuple(dict.fromkeys(turns))


class Apart:
    """Tells which texts sound different from some words, with every accent of their language.

    Args:
        words: Words or phrases.
        language: Code of a language or an accent that espeak-ng knows.
    """

    def __init__(self, words: Sequence[str], language: str) -> None:
        self.words = {accent: [phonemes(word, accent) for word in words] for accent in espeak.codes(language)}

    def among(self, texts: Sequence[str]) -> list[str]:
        """Return those of the texts that differ from every word by three quarters of a sound or more."""
        left = list(dict.fromkeys(texts))
        for accent, words in self.words.items():
            sounds = sounds_of(left, accent)
            far = np.all([differences(word, list(sounds.values())) >= _APART for word in words], 0)
            left = [text for text, is_far in zip(sounds, np.broadcast_to(far, len(sounds)), strict=True) if is_far]
        return left


def _near(word: str, language: str, apart: Apart, count: int) -> list[str]:
    """Return the confusables of one word or phrase."""
    parts = word.split()
    if len(parts) == 1:
        real = _nearest(word, language)[: 3 * count]
        found = apart.among(real)
        return found[:count] if len(found) >= count else [*found, *apart.among(_made(word, language))][:count]
    turns = [_nearest(part, language) or _made(part, language) for part in parts]
    phrases = [
        " ".join([*parts[:place], texts[turn], *parts[place + 1 :]])
        for turn in range(3 * count)
        for place, texts in enumerate(turns)
        if turn < len(texts)
    ]
    return apart.among(phrases)[:count]


@functools.cache
def _nearest(word: str, language: str) -> list[str]:
    """Return the real words that sound like a word, nearest first."""
    lexicon, sounds = words_of(language), phonemes(word, language)
    alike = {text: of for text, of in lexicon.items() if abs(len(of) - len(sounds)) <= 2 and text != word.lower()}
    return _by_distance(sounds, list(alike), list(alike.values()))


@functools.cache
def _made(word: str, language: str) -> list[str]:
    """Return texts in which one letter of a word is another or left out and that sound like it, nearest first."""
    letters = _graphemes(word)
    others = _alphabet(letters)
    places = range(len(letters))
    changed = {"".join([*letters[:place], other, *letters[place + 1 :]]) for place in places for other in ("", *others)}
    sounds = sounds_of(sorted(changed - {word, ""}), language)
    return _by_distance(phonemes(word, language), list(sounds), list(sounds.values()))


def _by_distance(sounds: Sequence[str], texts: Sequence[str], others: Sequence[Sequence[str]]) -> list[str]:
    far = distances(sounds, others)
    return [texts[place] for place in np.argsort(far, kind="stable") if far[place] <= _NEAR]


def _alphabet(letters: Iterable[str]) -> list[str]:
    """Return the lower-case letters that are near some letters in Unicode, where those of one script stand together."""
    blocks = sorted({ord(letter[0]) & ~0x7F for letter in letters if letter[0].isalpha()})
    signs = (chr(number) for block in blocks for number in range(block, block + 0x80))
    return [sign for sign in signs if sign.isalpha() and sign == sign.lower()]


def _graphemes(text: str) -> list[str]:
    """Return the letters of a text, each with the marks that follow it."""
    letters: list[str] = []
    for sign in text:
        if letters and unicodedata.category(sign).startswith("M"):
            letters[-1] += sign
        else:
            letters.append(sign)
    return letters
