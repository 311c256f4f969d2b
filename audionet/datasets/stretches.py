"""Stretches of recordings in which no word of a corpus is said, such as of one's own room: unknown training clips."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from audionet.audio import AudioError, rate_and_seconds, read_pieces
from audionet.audio.finding import sounds_among
from audionet.checks import check_that
from audionet.console import note
from audionet.datasets.clip import Clip
from audionet.datasets.synthesis.negatives import NEGATIVE
from audionet.labels import UNKNOWN

STRETCH = f"{NEGATIVE}stretch/"
"""What the paths of stretches begin with; number and file follow."""

SECONDS = 2.0
"""Length of a stretch, of which a clip keeps the part with the most speech."""

_BLOCK = 1 << 18  # samples that are read at once


def stretches(folders: Sequence[str], count: int) -> list[Clip]:
    """List stretches of the recordings in some folders, spread evenly over all of them, for training.

    Args:
        folders: Folders, which are searched at any depth.
        count: Stretches at most.

    Raises:
        ValueError: A folder is not there, or holds no recording that can be read.
    """
    for folder in folders:
        got = "a file" if Path(folder).exists() else "nothing there"
        advice = "name one of recordings in which none of the words is said"
        check_that(Path(folder).is_dir(), f"negatives: {folder}", "a folder", got, advice)
    places: list[str] = []
    for file in dict.fromkeys(path.resolve() for path in sounds_among(folders)):  # one folder may lie in another
        try:
            seconds = rate_and_seconds(file)[1]
        except (AudioError, OSError) as error:
            note(f"negatives: left out {error}")
            continue
        places += [f"{STRETCH}{number}/{file}" for number in range(max(int(seconds / SECONDS), 1))]
    check_that(places, "negatives", "recordings that can be read", "none", "see the notes above")
    chosen = np.linspace(0, len(places) - 1, min(count, len(places))).round().astype(int)
    note(f"negatives: {len(chosen)} of {len(places)} stretches of {SECONDS:g} s train as {UNKNOWN}")
    return [Clip(places[place], UNKNOWN, split="train") for place in chosen.tolist()]


def render_stretch(path: str, *, sample_rate: int) -> np.ndarray:
    """Return the waveform of a stretch, (time,) float32, by its path; the file is read as far as it reaches.

    Raises:
        AudioError: The file cannot be used.
    """
    number, _, file = path.removeprefix(STRETCH).partition("/")
    start, stop = (round(place * SECONDS * sample_rate) for place in (int(number), int(number) + 1))
    held, position = [np.zeros(0, np.float32)], 0
    for piece in read_pieces(file, sample_rate, _BLOCK, max_seconds=None):
        held.append(piece[max(start - position, 0) : max(stop - position, 0)])
        position += len(piece)
        if position >= stop:
            break
    return np.concatenate(held)
