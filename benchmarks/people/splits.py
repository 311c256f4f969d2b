"""Who is trained on and who is tested: all is split by the names of the speakers, and no one is on both sides."""

from collections.abc import Iterator, Sequence

import numpy as np

from audionet.randomness import random_generator

HALVES = ("odd", "even")
Names = Sequence[str] | np.ndarray


def positions(names: Names) -> np.ndarray:
    """Return the position of each name among the different names in sorted order, counted from 1, (name,) int64.

    Example:
        >>> positions(["b", "a", "b", "c"]).tolist()
        [2, 1, 2, 3]
    """
    found: np.ndarray = np.unique(np.asarray(names), return_inverse=True)[1] + 1
    return found


def groups(labels: Names, speakers: Names, paths: Names) -> np.ndarray:
    """Return what must not be torn apart: the position of each clip's speaker, or of its file where nobody speaks.

    Silences have no speaker, so they are counted on their own, and not as if one more person had spoken all of them.

    Example:
        >>> groups(["yes", "_silence_", "no", "_silence_"], ["ann", "", "bob", ""], ["1", "4", "2", "3"]).tolist()
        [1, 2, 2, 1]
    """
    nobody = np.array([speaker == "" for speaker in speakers])
    found = np.zeros(len(labels), np.int64)
    for rows, names in ((~nobody, np.asarray(speakers)), (nobody, np.asarray(paths))):
        if rows.any():
            found[rows] = positions(names[rows])
    return found


def in_half(group: np.ndarray, half: str) -> np.ndarray:
    """Tell which clips are in a half, (clip,) bool: on the "odd" one is chosen, on the "even" one reported.

    Example:
        >>> in_half(np.array([1, 2, 3]), "odd").tolist()
        [True, False, True]
    """
    found: np.ndarray = group % 2 == (1 if half == "odd" else 0)
    return found


def fold(group: np.ndarray, n_folds: int = 5) -> np.ndarray:
    """Return in which fold each clip is tested, (clip,) from 0 on.

    Example:
        >>> fold(np.array([1, 2, 3, 6])).tolist()
        [0, 1, 2, 0]
    """
    return (group - 1) % n_folds


def left_out(speakers: Names) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each speaker, and which clips are that speaker's, (clip,) bool."""
    names = np.asarray(speakers)
    for name in sorted({*names.tolist()}):
        yield name, names == name


def draw(labels: Names, of: np.ndarray, k: int, number: int, speaker: str) -> np.ndarray:
    """Draw k clips of each label among those of one speaker; fewer are the first of more.

    Args:
        labels: Label of each clip.
        of: (clip,) bool, which clips are the speaker's.
        k: Clips of each label.
        number: Number of the draw: each is another.
        speaker: Name of the speaker, for another draw of each.

    Returns:
        Rows (k * labels,), label by label in sorted order.

    Raises:
        ValueError: A label has fewer clips.
    """
    names, rows = np.asarray(labels), []
    for label in sorted({*names[of].tolist()}):
        (own,) = np.nonzero(of & (names == label))
        if len(own) < k:
            raise ValueError(f"{speaker}: expected at least {k} recordings of {label}, got {len(own)}; draw fewer")
        rows.append(random_generator(number, f"recordings of {label} by {speaker}").permutation(own)[:k])
    return np.concatenate(rows)
