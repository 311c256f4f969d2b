"""Lists of words of many languages: from a file, or the most frequent ones as the package wordfreq counts them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from audionet.checks import check_at_least, check_no_misfits, check_that

LANGUAGES = "de fr es it pt nl pl ru cs sv fi tr lt ar hi el hu ro id ca lv uk da nb".split()
"""Codes of the languages beside English whose frequent words are taken by default."""

WordLists = dict[str, list[str]]


def read_words(path: str | Path) -> WordLists:
    """Read lists of words by language from a YAML or JSON file, such as {en: [yes, no], lt: [taip, ne]}.

    A word that comes twice in a list is taken once.

    Raises:
        ValueError: The file is not there, or is no mapping of language codes to lists of words.
    """
    place = Path(path)
    check_that(place.is_file(), "words", "a file of {language: [words]}", str(path), "check its spelling")
    try:
        content = yaml.safe_load(place.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: expected YAML or JSON, got a file that is neither ({error}); repair it") from error
    is_mapping = isinstance(content, dict) and content
    check_that(is_mapping, str(path), "{language: [words]}", type(content).__name__)
    lists: WordLists = {}
    for language, words in content.items():
        fits = isinstance(words, list) and words
        check_that(fits, f"{path}: {language}", "a list of words", words)
        misfits = [word for word in words if not isinstance(word, str) or not word.strip()]
        check_no_misfits(misfits, f"{path}: {language}", "words as text", "put them in quotes: YAML takes no for false")
        lists[str(language)] = list(dict.fromkeys(words))
    return lists


def frequent_words(
    n_english: int = 1000, n_other: int = 150, *, languages: Sequence[str] = LANGUAGES, shortest: int = 3
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
        lists[language] = [word for word in found if len(word) >= shortest and word.isalpha()][:count]
    return lists
