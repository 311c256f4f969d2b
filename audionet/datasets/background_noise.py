"""The background noise of a corpus: recordings, or synthetic noise where it has none."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from audionet.datasets import cards, synthesis
from audionet.datasets.cards import Card
from audionet.datasets.recordings import read_background, scan

NOISE_SECONDS = 300.0  # of synthetic noise


def noise_for(
    card: Card, root: Path, folder: str | Path | None, sample_rate: int
) -> tuple[Callable[[], np.ndarray], list[str]]:
    """Return what makes the background noise, and a fingerprint of its recordings, if there are some.

    Args:
        card: Card of the corpus, which may name recordings of noise.
        root: The corpus root.
        folder: Folder of other recordings of noise; None for the card's own.
        sample_rate: Sample rate in hertz.
    """
    files = cards.background(card, root, folder=folder)
    if files:
        together = os.path.commonpath([file.parent for file in files])
        return partial(read_background, files, sample_rate=sample_rate), [scan(together)]
    return partial(synthesis.make_noise, sample_rate, NOISE_SECONDS), []
