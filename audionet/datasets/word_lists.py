"""Lists of words of many languages: from a file, or the most frequent ones as the package wordfreq counts them."""

import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from audionet.checks import check_at_least, check_no_misfits, check_that

LANGUAGES = "de fr es it pt nl pl ru cs sv fi tr lt ar hi el hu ro id ca lv uk da nb".split()
"""Codes of the languages beside English whose frequent words are taken by default."""

WordLists = dict[str, list[str]]


def word_lists(
    given: str | Path | Mapping[str, Sequence[str]] | None, *, n_english: int = 1000, n_other: int = 150
) -> WordLists:
    """Return lists of words by language, as a recipe is given them.

    A word that comes twice in a list is taken once.

    Args:
        given: {language: [words]}, or a YAML or JSON file of it; None for `frequent_words`.
        n_english: Words of English that `frequent_words` gives.
        n_other: Words of each other language that it gives.

    Raises:
        ValueError: The file is not there, or there is something else than lists of words in it.

    Example:
        >>> word_lists({"lt": ["taip", "ne", "taip"]})
        {'lt': ['taip', 'ne']}
    """
    if given is None:
        return frequent_words(n_english, n_other)
    name = "words" if isinstance(given, Mapping) else str(given)
    content: object = given if isinstance(given, Mapping) else _read(Path(given))
    if not isinstance(content, Mapping) or not content:
        raise ValueError(f"{name}: expected {{language: [words]}}, got {content!r:.100}; see docs/training.md")
    lists: WordLists = {}
    for language, words in content.items():
        is_list = isinstance(words, Sequence) and not isinstance(words, str) and len(words) > 0
        check_that(is_list, f"{name}: {language}", "a list of words", words)
        misfits = [word for word in words if not isinstance(word, str) or not word.strip()]
        check_no_misfits(misfits, f"{name}: {language}", "words as text", "put them in quotes: YAML takes no for false")
        lists[str(language)] = list(dict.fromkeys(words))
    return lists


def _read(path: Path) -> object:
    check_that(path.is_file(), "words", "a file of {language: [words]}", str(path), "check its spelling")
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: expected YAML or JSON, got a file that is neither ({error}); repair it") from error


def frequent_words(
    n_english: int = 1000, n_other: int = 150, *, languages: Sequence[str] = LANGUAGES, shortest: int = 2
) -> WordLists:
    """Return the most frequent words of English and of other languages, as wordfreq (Speer, 2022) counts them.

    Args:
        n_english: Words of English.
        n_other: Words of each other language.
        languages: Codes of the other languages.
        shortest: Letters of a word, at least.

    Raises:
        ValueError: The package wordfreq is not installed, or a number is below 1.
    """
    check_at_least(1, whole=True, n_english=n_english, n_other=n_other, shortest=shortest)
    try:
        import wordfreq
    except ImportError:
        advice = "pip install 'audionet[embedding]', or give lists of your own with --words FILE"
        raise ValueError(f"words: expected the package wordfreq, which counts words, got none; {advice}") from None
    counts: Mapping[str, int] = {"en": n_english, **dict.fromkeys(languages, n_other)}
    lists = {}
    for language, count in counts.items():
        found = wordfreq.top_n_list(language, 4 * count + 200)
        lists[language] = [word for word in found if len(word) >= shortest and _is_letters(word)][:count]
    return lists


def _is_letters(word: str) -> bool:
    """Tell whether a word has letters alone, with their marks: those of Hindi's vowels are no letters by themselves."""
    return all(unicodedata.category(character)[0] in "LM" for character in word)
