"""The picture of `audionet listen` in a terminal: a spectrogram of the last seconds, scores, and events."""

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from audionet.decoding import Event

if TYPE_CHECKING:
    from rich.console import RenderableType

_SECONDS, _COLUMNS, _BANDS = 4.0, 64, 16
_RANGE = 50.0  # dB below the loudest that have a color
_FLOOR = -40.0  # dB, where the loudest is at least
_EVENTS = 8
_COLORS = "#000004 #1b0c41 #4a0c6b #781c6d #a52c60 #cf4446 #ed6925 #fb9b06 #f7d13d #fcffa4".split()  # inferno


class Spectrogram:
    """The log-mel bands of the last seconds of a stream.

    Args:
        sample_rate: Sample rate of the stream, in Hz.

    Attributes:
        columns: (band, column) in decibels, the newest last.
    """

    def __init__(self, sample_rate: int) -> None:
        from audionet.features import LogMel, Stream

        hop = round(_SECONDS / _COLUMNS * sample_rate)
        front_end = LogMel(
            sample_rate=sample_rate, n_fft=hop, win_length=hop, hop_length=hop, n_mels=_BANDS, scale="db", offset=1e-10
        )
        self._stream = Stream(front_end)
        self.columns = np.full((_BANDS, _COLUMNS), -100.0)

    def push(self, chunk: np.ndarray) -> bool:
        """Take the next samples (time,) of the stream, and tell whether they complete a column."""
        frames = self._stream.push(chunk)
        self.columns = np.concatenate([self.columns, frames], 1)[:, -_COLUMNS:]
        return bool(frames.shape[1])


def shades(columns: np.ndarray) -> np.ndarray:
    """Return the number of the color of each band, (band, column) int, of decibels; the loudest is the lightest.

    Example:
        >>> shades(np.array([[-100.0, -30.0, -5.0]]))
        array([[0, 5, 9]])
    """
    loudest = max(float(columns.max()), _FLOOR)
    share = np.clip((columns - loudest + _RANGE) / _RANGE, 0, 1)
    numbers: np.ndarray = np.minimum((share * len(_COLORS)).astype(int), len(_COLORS) - 1)
    return numbers


def picture(
    columns: np.ndarray,
    keywords: Sequence[str],
    scores: Sequence[float],
    thresholds: Sequence[float],
    below: Sequence[Event],
) -> "RenderableType":
    """Return what the terminal shows.

    Args:
        columns: (band, column) in decibels.
        keywords: The words that are waited for.
        scores: Their scores now.
        thresholds: The scores from which on they are reported.
        below: The last events.
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    shade = shades(columns)[::-1]  # high bands on top
    rows = []
    for upper, lower in zip(shade[::2], shade[1::2], strict=True):  # two bands a row of letters
        row = Text(no_wrap=True)
        for above, under in zip(upper, lower, strict=True):
            row.append("▀", f"{_COLORS[above]} on {_COLORS[under]}")
        rows.append(row)
    bars = Table.grid(padding=(0, 1))
    for keyword, score, threshold in zip(keywords, scores, thresholds, strict=True):
        full, mark = round(score * 40), min(round(threshold * 40), 39)
        bar = "".join("│" if place == mark else "█" if place < full else "·" for place in range(40))
        bars.add_row(keyword, Text(bar, "green" if score >= threshold else "dim"), f"{score:.0%}")
    events = [Text(f"{each.start:8.2f} s  {each.keyword}  {each.score:.0%}", "bold") for each in below]
    return Group(*rows, bars, *events, Text("Ctrl-C ends", "dim"))


class Screen:
    """The picture in the terminal, which is drawn anew as often as eyes can follow.

    Args:
        live: rich's display, which has been started.
        sample_rate: Sample rate of the stream, in Hz.
        keywords: The words that are waited for.
        thresholds: The scores from which on they are reported.
    """

    def __init__(self, live: Any, sample_rate: int, keywords: Sequence[str], thresholds: Sequence[float]) -> None:
        self._live, self._spectrogram = live, Spectrogram(sample_rate)
        self._keywords, self._thresholds = keywords, thresholds
        self._events: deque[Event] = deque(maxlen=_EVENTS)

    def update(self, chunk: np.ndarray, scores: Sequence[float], events: Sequence[Event]) -> None:
        """Take the next samples (time,), the scores after them, and the events that they brought."""
        self._events += events
        if self._spectrogram.push(chunk) or events:
            shown = picture(self._spectrogram.columns, self._keywords, scores, self._thresholds, [*self._events])
            self._live.update(shown)
