"""Labels that stand for no word, said once: what is neither of the words that a recogniser knows."""

UNKNOWN, SILENCE = "_unknown_", "_silence_"
"""Label of other words, and of clips without any."""


def is_word(label: str) -> bool:
    """Tell whether a label stands for a word or a sound of its own.

    Labels between underscores do not, such as `UNKNOWN` and `SILENCE`: what is heard is none of the words then.

    Example:
        >>> [is_word(label) for label in ("left", "_unknown_", "_silence_")]
        [True, False, False]
    """
    return len(label) < 3 or not (label.startswith("_") and label.endswith("_"))
