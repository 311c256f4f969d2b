"""How texts sound: the phonemes that espeak-ng speaks for them, and how far two such sequences are apart.

The distance is the edit distance of Levenshtein (1966) whose costs follow the features of the sounds, as in Kondrak's
ALINE (2000), with a table short enough to read. It is meant for an order, such as that "three" is nearer to "free" than
to "tree", and not as a measure of what people confuse.
"""

import ctypes
import functools
import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from audionet.checks import check_that
from audionet.datasets.synthesis.voices import espeak_library as espeak

# The chart of the International Phonetic Association: in each row a pair, voiceless and voiced, for every place from
# the lips to the glottis (labial, labiodental, dental, alveolar, postalveolar, retroflex, palatal, velar, uvular,
# pharyngeal, glottal); a dot stands for none.
_CHART = {
    "stop": "pb .. .. td .. ʈɖ cɟ kɡ qɢ .. ʔ.",
    "implosive": ".ɓ .. .. .ɗ .. .ᶑ .ʄ .ɠ .ʛ .. ..",
    "click": "ʘ. .. ǀ. ǁ. ǃ. .. ǂ. .. .. .. ..",
    "nasal": ".m .ɱ .. .n .. .ɳ .ɲ .ŋ .ɴ .. ..",
    "fricative": "ɸβ fv θð sz ʃʒ ʂʐ çʝ xɣ χʁ ħʕ hɦ",
    "alveolopalatal": ".. .. .. .. ɕʑ .. .. ɧ. .. .. ..",
    "trill": ".ʙ .. .. .r .. .. .. .. .ʀ .. ..",
    "tap": ".. .. .. .ɾ .. .ɽ .. .. .. .. ..",
    "lateral": ".. .. .. ɬl .ɮ .ɭ .ʎ .ɫ .. .. ..",
    "approximant": "ʍw .ʋ .. .ɹ .. .ɻ .j .ɰ .. .. ..",
}
_KIN = ({"fricative", "alveolopalatal"}, {"trill", "tap", "lateral", "approximant"}, {"stop", "implosive"})
_CONSONANTS = {
    sound: (manner, place, voiced)
    for manner, row in _CHART.items()
    for place, pair in enumerate(row.split())
    for voiced, sound in enumerate(pair)
    if sound != "."
}

# Vowels by height, from close to open: front, central and back, a pair of unrounded and rounded each.
_HEIGHTS = ("iy ɨʉ ɯu", "ɪʏ ᵻ. .ʊ", "eø ɘɵ ɤo", ".. ə. ..", "ɛœ ɜɞ ʌɔ", "æ. ɐ. ..", "aɶ .. ɑɒ")
_VOWELS = {
    sound: (height, back, rounded)
    for height, row in enumerate(_HEIGHTS)
    for back, pair in enumerate(row.split())
    for rounded, sound in enumerate(pair)
    if sound != "."
}
_GLIDES = {"j": "iɪ", "w": "uʊ", "ɥ": "y", "ʋ": "uʊ"}  # a vowel that is spoken as a consonant
_FAINT = frozenset("əɐᵻhɦʔ")  # sounds that are easily dropped

_EDIT = 0.7  # cost of a sound too many or too few; of a faint one a little more than half
_FAINT_EDIT = 0.4
_MODIFIER = 0.1  # cost of each differing length, tone, nasality and the like

_IPA = 2  # espeak-ng's phoneme mode


def phonemes(text: str, language: str) -> tuple[str, ...]:
    """Return the sounds of a text, as espeak-ng reads it.

    Args:
        text: Words of the language.
        language: Code of a language or an accent that espeak-ng knows, such as "en" or "en-us".

    Returns:
        Letters of the International Phonetic Alphabet, each with its modifiers (length, tone, nasality), without stress
        and without the gaps between words. A diphthong is two vowels, an affricate two consonants.

    Raises:
        ValueError: espeak-ng does not know the language, the text has nothing to speak, or the wheel is missing.

    Example:
        >>> phonemes("right", "en"), phonemes("write", "en") == phonemes("right", "en")
        (('ɹ', 'a', 'ɪ', 't'), True)
        >>> phonemes("Küche", "de")
        ('k', 'ʏ', 'ç', 'ə')
    """
    sounds = symbols(transcribe([text], language)[0])
    check_that(sounds, "text", f"words to speak in the language {language!r}", text)
    return sounds


def distance(first: Sequence[str], second: Sequence[str]) -> float:
    """Return how different two sequences of sounds are, from 0 for homophones to 1 for nothing in common.

    It is the number of `differing_sounds` for each sound of the longer sequence.

    Example:
        >>> three, free, cat = (phonemes(word, "en") for word in ("three", "free", "cat"))
        >>> distance(three, free) < 0.1 < 0.5 < distance(three, cat)
        True
    """
    return float(distances(first, [second])[0])


def differing_sounds(first: Sequence[str], second: Sequence[str]) -> float:
    """Return by about how many sounds two sequences differ; similar sounds count as a part of one.

    Example:
        >>> differing_sounds(phonemes("off", "en"), phonemes("of", "en"))
        0.2
    """
    return round(float(differences(first, [second])[0]), 6)


def distances(first: Sequence[str], others: Sequence[Sequence[str]]) -> np.ndarray:
    """Return the `distance` of one sequence of sounds to each of many, (n,) float64; none of them may be empty."""
    lengths = np.maximum(len(first), [len(other) for other in others])
    normalized: np.ndarray = np.minimum(differences(first, others) / np.maximum(lengths, 1), 1.0)
    return normalized


def differences(first: Sequence[str], others: Sequence[Sequence[str]]) -> np.ndarray:
    """Return the `differing_sounds` of one sequence of sounds and each of many, (n,) float64."""
    known = sorted({*first}.union(*others))
    place = {sound: number for number, sound in enumerate(known)}
    longest = max(map(len, others), default=0)
    coded = np.zeros((len(others), longest), np.int64)
    for row, other in enumerate(others):
        coded[row, : len(other)] = [place[sound] for sound in other]
    added = np.array([_edit(sound) for sound in known])[coded]
    costs = np.zeros((len(others), longest + 1))  # to turn the sounds so far into the first 0, 1, 2, ... of each
    np.cumsum(added, 1, out=costs[:, 1:])
    for sound in first:
        substitution = np.array([_substitution(sound, other) for other in known])[coded]
        before, removed = costs.copy(), _edit(sound)
        costs[:, 0] += removed
        for column in range(longest):
            kept = np.minimum(before[:, column] + substitution[:, column], before[:, column + 1] + removed)
            costs[:, column + 1] = np.minimum(kept, costs[:, column] + added[:, column])
    ends: np.ndarray = costs[np.arange(len(others)), [len(other) for other in others]]
    return ends


def transcribe(texts: Sequence[str], language: str) -> list[str]:
    """Return what espeak-ng speaks for each of many texts, in its phonetic alphabet; "" where it has nothing to speak.

    A word that it reads by the rules of another language has that language's code in brackets before it.

    Raises:
        ValueError: espeak-ng does not know the language, or the wheel is missing.

    Example:
        >>> transcribe(["stop", "lights on"], "en-us")
        ['stˈɑːp', 'lˈaɪts ˈɔn']
    """
    espeak.codes(language)  # refuses a language that is not known
    known = espeak.accents()
    voice = known[language].identifier if language in known else language
    spoken = []
    with espeak.library() as library:
        library.espeak_SetVoiceByName(voice.encode())
        library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        for text in texts:
            encoded = ctypes.create_string_buffer(text.encode())
            rest = ctypes.c_void_p(ctypes.addressof(encoded))
            clauses = []
            while rest.value:  # a call reads up to the end of a clause
                clauses.append(library.espeak_TextToPhonemes(ctypes.byref(rest), 1, _IPA).decode())
            spoken.append(" ".join(filter(None, clauses)))
    return spoken


def sounds_of(texts: Sequence[str], language: str) -> dict[str, tuple[str, ...]]:
    """Return the `phonemes` of those of many texts that espeak-ng can read by the rules of their own language.

    Raises:
        ValueError: espeak-ng does not know the language, or the wheel is missing.

    Example:
        >>> list(sounds_of(["はい", "東京"], "ja"))
        ['はい']
    """
    spoken = zip(texts, transcribe(texts, language), strict=True)
    sounds = {text: symbols(read) for text, read in spoken if "(" not in read}
    return {text: of for text, of in sounds.items() if of}


def symbols(spoken: str) -> tuple[str, ...]:
    """Return the sounds of what espeak-ng speaks, without stress, gaps and codes of languages.

    Example:
        >>> symbols("tʃˈɜːtʃ"), symbols("ni2χˈɑu2")
        (('t', 'ʃ', 'ɜː', 't', 'ʃ'), ('n', 'i2', 'χ', 'ɑ', 'u2'))
    """
    sounds: list[str] = []
    plain = re.sub(r"\([^)]*\)|[ˈˌ_\s]", "", spoken).replace("g", "ɡ")
    for letter in unicodedata.normalize("NFD", plain):
        if letter in _CONSONANTS or letter in _VOWELS or unicodedata.category(letter) in ("Ll", "Lo"):
            sounds += {"ɚ": ("ə˞",), "ɝ": ("ɜ˞",)}.get(letter, (letter,))
        elif letter == "\N{COMBINING CEDILLA}" and sounds:  # of ç
            sounds[-1] = "ç" + sounds[-1][1:]
        elif sounds:
            sounds[-1] += letter
    return tuple(sounds)


def _edit(sound: str) -> float:
    return _FAINT_EDIT if sound[0] in _FAINT else _EDIT


@functools.cache
def _substitution(first: str, second: str) -> float:
    """Return the cost of one sound instead of another, from 0 to 1."""
    modifiers = _MODIFIER * len({*first[1:]} ^ {*second[1:]})
    return min(_base_substitution(first[0], second[0]) + modifiers, 1.0)


def _base_substitution(first: str, second: str) -> float:
    if first == second:
        return 0.0
    if first in _VOWELS and second in _VOWELS:
        height, back, rounded = np.abs(np.subtract(_VOWELS[first], _VOWELS[second]))
        return float(0.6 * height / 6 + 0.3 * back / 2 + 0.1 * rounded)
    if first in _CONSONANTS and second in _CONSONANTS:
        (manner, place, voiced), (other_manner, other_place, other_voiced) = _CONSONANTS[first], _CONSONANTS[second]
        akin = any({manner, other_manner} <= kin for kin in _KIN)
        by_manner = 0.0 if manner == other_manner else 0.2 if akin else 0.4
        by_place = (0.0, 0.15, 0.3)[min(abs(place - other_place), 2)]
        return by_manner + by_place + 0.2 * (voiced != other_voiced)
    is_glide = second in _GLIDES.get(first, "") or first in _GLIDES.get(second, "")
    return 0.3 if is_glide else 1.0
