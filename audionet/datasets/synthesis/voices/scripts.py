"""The scripts that texts are written in, and the languages that are written in them."""

import unicodedata
from collections.abc import Iterable

_LANGUAGES = {
    "CYRILLIC": "ru uk bg be mk sr kk ky tt ba cv",
    "GREEK": "el grc",
    "ARABIC": "ar fa ur sd ug",
    "HEBREW": "he",
    "DEVANAGARI": "hi mr ne kok",
    "BENGALI": "bn as bpy",
    "GURMUKHI": "pa",
    "GUJARATI": "gu",
    "ORIYA": "or",
    "TAMIL": "ta",
    "TELUGU": "te",
    "KANNADA": "kn",
    "MALAYALAM": "ml",
    "SINHALA": "si",
    "THAI": "th",
    "MYANMAR": "my",
    "HANGUL": "ko",
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "KATAKANA-HIRAGANA": "ja",
    "CJK": "cmn yue hak ja zh",
    "GEORGIAN": "ka",
    "ARMENIAN": "hy hyw",
    "ETHIOPIC": "am ti",
    "CHEROKEE": "chr",
}
LATIN = frozenset({"LATIN", "MODIFIER", "FEMININE", "MASCULINE", "FULLWIDTH"})
"""Words that the Unicode names of letters begin with which any language may use."""


def scripts_of(text: str) -> set[str]:
    """Return the scripts of a text's letters, as the first words of their Unicode names.

    Example:
        >>> sorted(scripts_of("stop да 1"))
        ['CYRILLIC', 'LATIN']
    """
    return {unicodedata.name(letter, "UNKNOWN").split(" ")[0] for letter in text if letter.isalpha()}


def scripts_for(language: str) -> frozenset[str]:
    """Return the scripts that texts of a language may have; Latin letters are spoken in all."""
    root = language.casefold().partition("-")[0]
    return LATIN | {script for script, languages in _LANGUAGES.items() if root in languages.split()}


def languages_of(text: str, known: Iterable[str]) -> list[str]:
    """Return those of the known languages that are written in all foreign scripts of a text.

    Args:
        text: The text.
        known: Codes of languages and accents.

    Returns:
        Codes without their accents; none for a text in Latin letters.

    Example:
        >>> languages_of("да", ["en-us", "ru", "uk"])
        ['ru', 'uk']
    """
    foreign = scripts_of(text) - LATIN
    roots = {code.casefold().partition("-")[0] for code in known}
    common = " ".join(_LANGUAGES.values()).split()
    return [root for root in dict.fromkeys(common) if foreign and root in roots and foreign <= scripts_for(root)]
