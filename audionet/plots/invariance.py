"""Picture of what a recogniser does not mind: accuracy and embedding while the sound changes."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from audionet.checks import check_that
from audionet.plots.style import COLORS, INK, LINE, make_plain

_NAMES = {"shift": "shift in time", "speed": "speed", "level": "level", "snr": "signal above white noise"}


class InvarianceLike(Protocol):
    """What `audionet.insight.measure_invariance` returns for a change."""

    @property
    def change(self) -> str:
        """Name of the change."""

    @property
    def unit(self) -> str:
        """Unit of its values."""

    @property
    def values(self) -> np.ndarray:
        """The values, (point,)."""

    @property
    def right_before(self) -> np.ndarray:
        """Whether the answer to each unchanged clip is right, (clip,)."""

    @property
    def distance(self) -> np.ndarray:
        """Distance of each embedding from the unchanged clip's, (point, clip)."""

    @property
    def frame_distance(self) -> np.ndarray | None:
        """The same of frames that have moved along."""

    @property
    def accuracy(self) -> np.ndarray:
        """Share of right answers, (point,)."""

    @property
    def interval(self) -> np.ndarray:
        """Its 95% interval, (point, 2)."""


def plot_invariance(curves: Sequence[InvarianceLike], *, title: str = "") -> Figure:
    """Plot accuracy, and below it the distance of the embedding, over each change of the sound.

    Bands are 95% intervals: Wilson's of the accuracy, and twice the standard error of the mean distance. The grey line
    is the accuracy of the unchanged clips. Of a shift, the second line is the distance of the embedding's frames from
    those that have moved with the sound.

    Args:
        curves: What `audionet.insight.measure_invariance` returned.
        title: Title of the picture.

    Returns:
        The figure, of two rows and a column for each change.

    Raises:
        ValueError: There is no curve.

    Example:
        >>> from audionet.insight.invariance import Invariance
        >>> right, distance = np.ones((2, 5), bool), np.zeros((2, 5))
        >>> level = Invariance("level", "dB", np.array([-10, 0]), 0.0, right, right[1], distance)
        >>> [axes.get_ylabel() for axes in plot_invariance([level]).axes]
        ['right answers', 'distance of the embedding']
    """
    check_that(len(curves), "curves", "at least one", 0)
    figure = Figure(figsize=(1.0 + 2.6 * len(curves), 4.6), layout="constrained")
    if title:
        figure.suptitle(title, color=INK)
    grid = figure.subplots(2, len(curves), sharex="col", sharey="row", squeeze=False)
    for curve, (top, bottom) in zip(curves, grid.T, strict=True):
        make_plain(top, title=_NAMES.get(curve.change, curve.change), grid=True)
        make_plain(bottom, grid=True)
        top.axhline(curve.right_before.mean(), color=LINE, linewidth=2, zorder=0)
        top.fill_between(curve.values, *curve.interval.T, color=COLORS[0], alpha=0.2, linewidth=0)
        top.plot(curve.values, curve.accuracy, color=COLORS[0], marker="o", markersize=3)
        _draw_distance(bottom, curve.values, curve.distance, COLORS[0], "embedding")
        if curve.frame_distance is not None:
            _draw_distance(bottom, curve.values, curve.frame_distance, COLORS[1], "frames, moved along")
            bottom.legend(frameon=False, labelcolor=INK, fontsize=8)
        bottom.set_xlabel(curve.unit)
    grid[0, 0].set_ylabel("right answers")
    grid[0, 0].set_ylim(0, 1.02)
    grid[0, 0].yaxis.set_major_formatter(PercentFormatter(1.0))
    grid[1, 0].set_ylabel("distance of the embedding")
    grid[1, 0].set_ylim(bottom=0)
    return figure


def _draw_distance(axes: Axes, values: np.ndarray, distance: np.ndarray, color: str, label: str) -> None:
    """Draw the mean of distances (point, clip) and twice its standard error."""
    mean = distance.mean(1)
    error = 2 * distance.std(1) / np.sqrt(max(1, distance.shape[1] - 1))
    axes.fill_between(values, mean - error, mean + error, color=color, alpha=0.2, linewidth=0)
    axes.plot(values, mean, color=color, marker="o", markersize=3, label=label)
