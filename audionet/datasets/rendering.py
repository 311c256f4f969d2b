"""The waveforms of a corpus's clips, which are recordings, pieces of recordings, or synthetic utterances."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from audionet.datasets import synthesis
from audionet.datasets.clip import Clip
from audionet.datasets.layouts import Layout

_SYNTHETIC = "_synthetic_/"
_PIECE = re.compile(r"(?P<path>.+) \[(?P<number>\d+) of (?P<count>\d+)\]", re.DOTALL)


def render(path: str, *, layout: Layout, root: Path, sample_rate: int) -> np.ndarray:
    """Return the waveform of a clip, (time,) float32.

    Args:
        path: Path of the clip; `pieces` and `synthetic_clips` make others than those of recordings.
        layout: Layout of the corpus.
        root: The corpus root.
        sample_rate: Sample rate in hertz.

    Raises:
        AudioError: The file cannot be used.
    """
    if path.startswith(_SYNTHETIC):
        return synthesis.render(path.removeprefix(_SYNTHETIC), sample_rate=sample_rate)
    piece = _PIECE.fullmatch(path)
    if piece is None:
        return layout.render(path, root=root, sample_rate=sample_rate)
    waveform = layout.render(piece["path"], root=root, sample_rate=sample_rate)
    number, count = int(piece["number"]), int(piece["count"])
    return waveform[len(waveform) * (number - 1) // count : len(waveform) * number // count]


def pieces(clip: Clip, count: int) -> list[Clip]:
    """Return the pieces of a recording, one after another and of one length.

    Example:
        >>> [piece.path for piece in pieces(Clip("a/long.wav", "a"), 2)]
        ['a/long.wav [1 of 2]', 'a/long.wav [2 of 2]']
    """
    if count == 1:
        return [clip]
    return [replace(clip, path=f"{clip.path} [{number} of {count}]") for number in range(1, count + 1)]


def synthetic_clips(clips: Sequence[Clip], clips_per_label: int) -> list[Clip]:
    """Return synthetic utterances of the labels of some clips, for training."""
    words = sorted({clip.label for clip in clips if not clip.label.startswith("_")})
    spoken = synthesis.index(words, (), clips_per_label=clips_per_label, training_only=True)
    return [replace(clip, path=_SYNTHETIC + clip.path) for clip in spoken]
