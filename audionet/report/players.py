"""Sounds in a page: players that hold their sound, as FLAC, and how many fit."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from audionet.audio import encode_audio


def sound_text(waveform: np.ndarray, sample_rate: int) -> str:
    """Return a waveform (time,) as the base64 text of a FLAC file; what lies outside of [-1, 1] is cut off.

    Example:
        >>> sound_text(np.zeros(800, np.float32), 8000)[:6]
        'ZkxhQw'
    """
    return b64encode(encode_audio(np.clip(waveform, -1, 1), sample_rate)).decode()


def player(waveform: np.ndarray, sample_rate: int, name: str) -> str:
    """Return the HTML of a player of a waveform (time,), with a name for those who cannot see the page.

    Example:
        >>> player(np.zeros(800, np.float32), 8000, "seven")[:59]
        '<audio controls preload="metadata" aria-label="seven" src="'
    """
    source = f"data:audio/flac;base64,{sound_text(waveform, sample_rate)}"
    return f'<audio controls preload="metadata" aria-label="{escape(name)}" src="{source}"></audio>'


def fairly(labels: Sequence[str]) -> list[int]:
    """Return the rows of clips so that each label's turn comes equally often: the first of each, the second, ...

    Example:
        >>> fairly(["a", "a", "a", "b"])
        [0, 3, 1, 2]
    """
    turns: dict[str, int] = {}
    order = []
    for row, label in enumerate(labels):
        turns[label] = turns.get(label, -1) + 1
        order.append((turns[label], row))
    return [row for _, row in sorted(order)]


def fitting(sounds: Iterable[str], most: int) -> list[str]:
    """Return the first sounds that together take at most so many characters.

    Example:
        >>> fitting(["aaa", "bbb", "cc"], most=7)
        ['aaa', 'bbb']
    """
    kept, total = [], 0
    for sound in sounds:
        total += len(sound)
        if total > most:
            break
        kept.append(sound)
    return kept
