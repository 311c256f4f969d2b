"""The sample rate and the length of clips that follow from the recordings, and long recordings cut into clips."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from audionet.audio import AudioError, rate_and_seconds
from audionet.checks import listed
from audionet.console import note
from audionet.datasets.cards import Card
from audionet.datasets.clip import Clip, Listing
from audionet.datasets.layouts import SynthesisLayout
from audionet.datasets.rendering import pieces
from audionet.datasets.splits import Rule, StratifiedSplit

HIGHEST_RATE = 22_050
"""Hz. Recordings of a higher rate are brought to it: a network sees twice as far then, and makes twice as much."""

LONGEST = 4.0
"""Seconds of a clip; longer recordings are cut."""


def follow(
    card: Card, root: Path, clips: list[Clip], split: str | None, sample_rate: int | None, clip_seconds: float | None
) -> tuple[list[Clip], int, float]:
    """Choose what is not asked for as the recordings are, and say so.

    Args:
        card: The corpus.
        root: The corpus root.
        clips: Clips with their splits.
        split: Split rule that they are by; None for the card's own choice.
        sample_rate: Sample rate in hertz; None for the recordings', at most `HIGHEST_RATE`.
        clip_seconds: Length of clips; None for that of the longest recording, at most `LONGEST`, where longer ones are
            cut.

    Returns:
        The clips, their sample rate and their length.
    """
    found = None if isinstance(card.layout, SynthesisLayout) else nature(clips, root)
    if found is None:
        return clips, sample_rate or card.sample_rate, clip_seconds or 1.0
    rate, seconds = sample_rate or found.sample_rate, clip_seconds or found.clip_seconds
    note(f"{card.name}: {found.text}; clips of up to {seconds:.2g} s at {rate} Hz")
    if clip_seconds is None:
        clips = cut(clips, found.counts, card.splits.get(split or card.split or ""))
    return clips, rate, seconds


@dataclass(frozen=True)
class Nature:
    """What follows from the recordings of a corpus.

    Attributes:
        sample_rate: Sample rate of most of them, but at most `HIGHEST_RATE`.
        clip_seconds: Length of the longest, but at most `LONGEST`.
        counts: Pieces of equal length that each is to be cut into, so that none is longer, {path: pieces}.
        text: Description of the recordings.
    """

    sample_rate: int
    clip_seconds: float
    counts: dict[str, int]
    text: str


def nature(clips: Sequence[Clip], root: Path) -> Nature | None:
    """Find out what follows from recordings, by their headers; None where none can be read."""
    rates: Counter[int] = Counter()
    seconds = {}
    for clip in clips:
        if not clip.silence:
            try:
                rate, seconds[clip.path] = rate_and_seconds(root / clip.path)
            except (AudioError, OSError):  # the clip store names all such files together
                continue
            rates[rate] += 1
    if not rates:
        return None
    usual, shortest, longest = rates.most_common(1)[0][0], min(seconds.values()), max(seconds.values())
    length = f"{shortest:.2g} s" if f"{shortest:.2g}" == f"{longest:.2g}" else f"{shortest:.2g} to {longest:.2g} s"
    return Nature(
        sample_rate=min(usual, HIGHEST_RATE),
        clip_seconds=min(max(longest, 0.05), LONGEST),
        counts={path: math.ceil(each / LONGEST) or 1 for path, each in seconds.items()},
        text=f"recordings of {length} at {usual} Hz",
    )


def cut(clips: Sequence[Clip], counts: dict[str, int], rule: Rule | None) -> list[Clip]:
    """Cut recordings into pieces, which are in the split of their recording.

    Where a class has one or two recordings, too few to have some in each split, its pieces are split as if they were
    recordings, unless something tells the splits. This is said.

    Args:
        clips: Clips with their splits.
        counts: Pieces of each recording, {path: pieces}; of others there is one.
        rule: Rule that the splits are by.
    """
    made = [piece for clip in clips for piece in pieces(clip, counts.get(clip.path, 1))]
    few: list[str] = []
    if isinstance(rule, StratifiedSplit):
        before, after = (Counter(clip.label for clip in each) for each in (clips, made))
        few = [label for label, count in before.items() if count < min(3, after[label])]
        made = [piece for piece in made if piece.label not in few] + rule.assign(
            Listing([piece for piece in made if piece.label in few])
        )
    if few:
        note(f"{listed(few, 10)}: so few recordings that pieces of the same are trained and tested on")
    return sorted(made, key=lambda clip: clip.path)
