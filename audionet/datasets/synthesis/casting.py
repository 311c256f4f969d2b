"""What can be spoken for a class, and which engines speak the words of a user: those that work here."""

import warnings
from collections.abc import Sequence

from audionet.checks import check_that, listed
from audionet.datasets.synthesis.voices import speaking
from audionet.labels import JOINERS


def check_names(words: Sequence[str], unknown: Sequence[str] = ()) -> None:
    """Refuse what cannot be the name of a class and what is spoken for it, in any language.

    Args:
        words: Words with a class of their own.
        unknown: Words of the class of unknown ones.

    Raises:
        ValueError: There are no words, one comes twice, or one is empty, begins with "_", or has signs that cannot be
            printed.

    Example:
        >>> check_names(["stop", "_go"])
        Traceback (most recent call last):
        ValueError: words: expected words to speak, got '_go'; names that begin with "_" stand for what is no word
    """
    check_that(words, "words", "at least one word", words)
    for word in (*words, *unknown):
        shown = "".join(sign for sign in word if sign not in JOINERS)
        spoken = word.strip() and shown.isprintable() and not word.startswith("_")
        advice = 'names that begin with "_" stand for what is no word' if word.startswith("_") else ""
        check_that(spoken, "words", "words to speak", word, advice)
        check_that((*words, *unknown).count(word) == 1, "words", "each word once among words and unknown", word)


def working(words: Sequence[str], language: str, engines: Sequence[str] | None) -> tuple[str, ...] | None:
    """Let every engine speak a word once, and leave out those that fail, which is said.

    Args:
        words: Words, of which each engine speaks the first that it knows.
        language: Code of their language.
        engines: Names of the engines that may speak; None for all that are installed.

    Returns:
        Names of the engines that speak; None for all that are installed.

    Raises:
        ValueError: None of them can.
    """
    able = speaking(language, engines).engines
    failed = {}
    for name, engine in able.items():
        text = next((word for word in words if engine.knows(word, language)), None)
        try:
            if text is not None:
                engine.speak(text, voice=engine.voices(language)[0])
        except Exception as error:  # of whatever kind: an engine's own affair, which must not stop the others
            failed[name] = f"{name} cannot speak {text!r} ({error.__cause__ or error})"
    for reason in failed.values():
        warnings.warn(f"left out: {reason}; the other engines go on", stacklevel=3)
    expected = f"one that can speak {language}"
    check_that(len(failed) < len(able), "engines", expected, listed(failed.values(), 10), "repair or install one")
    if failed:
        return tuple(name for name in able if name not in failed)
    return None if engines is None else tuple(engines)
