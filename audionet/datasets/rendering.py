"""The waveforms of a corpus's clips: recordings, pieces of recordings, synthetic utterances, or negatives."""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from audionet.datasets import synthesis
from audionet.datasets.clip import Clip
from audionet.datasets.layouts import Layout
from audionet.datasets.stretches import STRETCH, render_stretch
from audionet.datasets.synthesis import changes
from audionet.datasets.synthesis.voices import Engine, adopt

_PIECE = re.compile(r"(?P<path>.+) \[(?P<number>\d+) of (?P<count>\d+)\]", re.DOTALL)


def render(
    path: str, *, layout: Layout, root: Path, sample_rate: int, engines: Sequence[type[Engine]] = ()
) -> np.ndarray:
    """Return the waveform of a clip, (time,) float32.

    Args:
        path: Path of the clip; `pieces` and `utterances.Voices` make others than those of recordings.
        layout: Layout of the corpus.
        root: The corpus root.
        sample_rate: Sample rate in hertz.
        engines: Engines that a user has added, which a worker process does not know yet.

    Raises:
        AudioError: The file cannot be used.
    """
    adopt(engines)
    if path.startswith(synthesis.SYNTHETIC):
        return synthesis.render(path.removeprefix(synthesis.SYNTHETIC), sample_rate=sample_rate)
    if path.startswith(STRETCH):
        return render_stretch(path, sample_rate=sample_rate)
    if path.startswith(synthesis.NEGATIVE):
        base = partial(render, layout=layout, root=root, sample_rate=sample_rate)
        return changes.render(path.removeprefix(synthesis.NEGATIVE), base, sample_rate=sample_rate)
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
