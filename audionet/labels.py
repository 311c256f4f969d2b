"""Labels: those that stand for no word, said once, and how words and the names of their folders are compared."""

import re
import unicodedata

UNKNOWN, SILENCE = "_unknown_", "_silence_"
"""Label of other words, and of clips without any."""

JOINERS = "\u200c\u200d"
"""Signs without a width that belong to the spelling of a word."""


def is_word(label: str) -> bool:
    """Tell whether a label stands for a word or a sound of its own.

    Labels between underscores do not, such as `UNKNOWN` and `SILENCE`: what is heard is none of the words then.

    Example:
        >>> [is_word(label) for label in ("left", "_unknown_", "_silence_")]
        [True, False, False]
    """
    return len(label) < 3 or not (label.startswith("_") and label.endswith("_"))


def tidied(text: str) -> str:
    """Return a word as it is kept: composed letters, single spaces, and none of the signs that nobody sees.

    Some systems decompose the letters of file names, and copied text brings zero-width spaces and direction marks
    along. The joiners between letters stay, which belong to the spelling of Persian and of the languages of India.

    Example:
        >>> tidied("  Ku\u0308che\u200b  an ")
        'Küche an'
    """
    composed = unicodedata.normalize("NFC", text)
    seen = (sign for sign in composed if unicodedata.category(sign) != "Cf" or sign in JOINERS)
    return " ".join("".join(seen).split())


def spelled(name: str) -> str:
    """Return a word, or the name of its folder, in the form by which they are compared.

    Example:
        >>> spelled("Lights_On") == spelled("lights on")
        True
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", tidied(name)).casefold())
    return " ".join(re.split(r"[\s_-]+", folded))
