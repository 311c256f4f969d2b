"""The sample rate and the length of clips that follow from the recordings, and long recordings cut into clips."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audionet.audio import AudioError, rate_and_seconds
from audionet.checks import check_that, listed
from audionet.console import note
from audionet.datasets.cards import Card
from audionet.datasets.clip import Clip, Listing
from audionet.datasets.layouts import SynthesisLayout
from audionet.datasets.rendering import pieces, render
from audionet.datasets.splits import Rule, StratifiedSplit
from audionet.labels import is_word
from audionet.randomness import random_generator

HIGHEST_RATE = 22_050
"""Hz. Recordings of a higher rate are brought to it: a network sees twice as far then, and makes twice as much."""

LONGEST = 4.0
"""Seconds of a clip; longer recordings are cut."""

SHORTEST_SPOKEN, LONGEST_SPOKEN = 1.0, 2.0
"""Seconds of a clip of synthetic words."""

_HEARD, _MOST_HEARD = 8, 160  # clips whose length is measured: of each word, and in all
_RATE, _FRAME, _QUIET = 16_000, 320, 1e-3  # Hz, samples, and 30 dB below the loudest frame
_MARGIN = 0.1  # seconds of a clip around the speech


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
    if isinstance(card.layout, SynthesisLayout):
        seconds = clip_seconds or spoken_seconds(card, root, clips)
        return clips, sample_rate or card.sample_rate, seconds
    found = nature(clips, root)
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


def spoken_seconds(card: Card, root: Path, clips: Sequence[Clip]) -> float:
    """Return the length of clips that hold a corpus of synthetic words: 1 to 2 s, as the longest of them asks.

    Some training clips of each word tell; of its longest, one in ten may be cut.

    Raises:
        ValueError: Half of the utterances of a word are longer than 2 s.
    """
    by_word: dict[str, list[Clip]] = {}
    for clip in clips:
        if clip.split == "train" and not clip.silence and is_word(clip.label):
            by_word.setdefault(clip.label, []).append(clip)
    chosen = [clip for each in by_word.values() for clip in each[:: -(-len(each) // _HEARD)]]
    draw = random_generator(0, "clips whose length is measured").permutation(len(chosen))[:_MOST_HEARD]
    lengths: dict[str, list[float]] = {}
    for clip in (chosen[place] for place in draw):
        try:
            waveform = render(clip.path, layout=card.layout, root=root, sample_rate=_RATE)
        except AudioError:  # the clip store names all such clips together
            continue
        lengths.setdefault(clip.label, []).append(speech_seconds(waveform))
    for word, seconds in lengths.items():
        typical = float(np.median(seconds))
        expected = f"phrases of at most {LONGEST_SPOKEN:g} s"
        check_that(typical <= LONGEST_SPOKEN, "words", expected, f"{word} ({typical:.1f} s)", "shorten it")
    longest = max((float(np.quantile(seconds, 0.9)) for seconds in lengths.values()), default=0.0) + _MARGIN
    return math.ceil(10 * min(max(longest, SHORTEST_SPOKEN), LONGEST_SPOKEN)) / 10


def speech_seconds(waveform: np.ndarray) -> float:
    """Return the time from the first to the last loud frame of a waveform, (time,) at 16 kHz, in seconds."""
    n_frames = len(waveform) // _FRAME
    power = np.square(waveform[: n_frames * _FRAME]).reshape(n_frames, _FRAME).mean(-1)
    loud = np.flatnonzero(power > power.max(initial=0) * _QUIET)
    return 0.0 if not len(loud) else float(loud[-1] + 1 - loud[0]) * _FRAME / _RATE


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
