"""Pictures of what a recogniser knows of itself: how often it is right, and what a threshold accepts and rejects."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from audionet.checks import check_that
from audionet.metrics import Bin, Rejection
from audionet.plots.style import COLORS, INK, LINE, SOFT, make_figure

_SIZE = (5.6, 4.2)
_WANTED = 0.05  # at most, of other clips and of words


def plot_reliability(bins: Sequence[Bin]) -> Figure:
    """Plot the share of right answers over their probability: on the diagonal, 90% is right nine times in ten.

    Each bin is a bar with its number of answers at its foot.

    Args:
        bins: The bins, as `audionet.metrics.reliability` returns them.

    Returns:
        The figure, which ``savefig`` writes to a file.

    Raises:
        ValueError: There is no answer.

    Example:
        >>> true, given = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0])
        >>> answers = audionet.metrics.Answers(np.arange(4), true, given, np.array([0.9, 0.9, 1, 0.6]))
        >>> figure = plot_reliability(audionet.metrics.reliability(answers, n_bins=2))
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['4']
    """
    filled = [each for each in bins if each.n_answers]
    check_that(filled, "bins", "at least one answer", sum(each.n_answers for each in bins))
    figure, axes = make_figure(*_SIZE)
    axes.plot([0, 1], [0, 1], color=LINE, linewidth=1.2, zorder=1)
    for each in filled:
        width = 0.9 * (each.high - each.low)
        axes.bar((each.low + each.high) / 2, each.accuracy, width, color=COLORS[0], alpha=0.35, zorder=2)
        axes.text(
            (each.low + each.high) / 2, 0.01, f"{each.n_answers}", color=SOFT, fontsize=8, ha="center", va="bottom"
        )
    said, right = ([getattr(each, name) for each in filled] for name in ("probability", "accuracy"))
    axes.plot(said, right, color=COLORS[0], marker="o", markersize=4, linewidth=1.4, zorder=3)
    _show_shares(axes, "probability of the answer", "share of right answers")
    return figure


def plot_rejection(curve: Rejection, threshold: float) -> Figure:
    """Plot what thresholds accept of the clips without a word and reject of those with one, and mark one threshold.

    Args:
        curve: The shares, as `audionet.metrics.rejection` returns them.
        threshold: The threshold to mark.

    Returns:
        The figure, which ``savefig`` writes to a file.

    Example:
        >>> curve = audionet.metrics.Rejection(np.array([1.0, 0.0]), np.array([0.0, 0.4]), np.array([1.0, 0.1]))
        >>> figure = plot_rejection(curve, 0.7)
        >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
        ['other words and noise answered with a word', 'words answered with none', '5%, which neither should exceed',
        'the threshold, 0.7']
    """
    figure, axes = make_figure(*_SIZE)
    steps = np.append(curve.threshold, -1e-9)[::-1]  # rising, and constant up to each threshold
    for shares, color, label in (
        (curve.accepted, COLORS[1], "other words and noise answered with a word"),
        (curve.rejected, COLORS[0], "words answered with none"),
    ):
        axes.stairs(shares[::-1], steps, baseline=None, color=color, linewidth=1.6, label=label)
    axes.axhline(_WANTED, color=LINE, linewidth=1.2, zorder=1, label=f"{_WANTED:.0%}, which neither should exceed")
    axes.axvline(threshold, color=COLORS[2], linestyle="--", linewidth=1.4, label=f"the threshold, {threshold:g}")
    _show_shares(axes, "threshold", "share of the clips")
    axes.legend(frameon=False, labelcolor=INK, fontsize=9)
    return figure


def _show_shares(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
