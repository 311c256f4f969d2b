"""Picture of a detector: what it rejects of the keywords over its false alarms per hour."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from audionet.checks import check_that
from audionet.metrics import DetectionCurve, OperatingPoint
from audionet.plots.style import COLORS, INK, LINE, make_figure

_FEWEST = 0.05  # alarms per hour at the left end, where those of none stand
_STYLES = ("-", "--", ":")


def plot_detection(curves: Mapping[str, DetectionCurve], points: Sequence[OperatingPoint] = ()) -> Figure:
    """Plot DET curves: the share of rejects over the false alarms per hour, on a logarithmic axis.

    No alarm stands at the left end.

    Args:
        curves: The curves by name, as `audionet.metrics.detection_curve` returns them, 12 at most.
        points: Points to mark with their 95% intervals.

    Returns:
        The figure, which ``savefig`` writes to a file.

    Raises:
        ValueError: There is no curve, or there are too many.

    Example:
        >>> curve = audionet.metrics.detection_curve([0.9, 0.8, 0.4], [0.5, 0.7], hours=2.0)
        >>> figure = plot_detection({"stop": curve})
        >>> figure.axes[0].get_xlabel()
        'false alarms per hour'
    """
    most = len(COLORS) * len(_STYLES)
    check_that(0 < len(curves) <= most, "curves", f"1 to {most}", len(curves))
    figure, axes = make_figure(5.6, 4.2)
    for number, (name, curve) in enumerate(curves.items()):
        best = np.append(np.diff(curve.false_alarms) > 0, True)  # of the thresholds with as many alarms
        alarms, missed = np.maximum(curve.false_alarms[best], _FEWEST), curve.false_rejects[best]
        (line,) = axes.step(alarms, missed, where="post", linewidth=1.6, label=name)
        line.set(color=COLORS[number % len(COLORS)], linestyle=_STYLES[number // len(COLORS)])
    for point in points:
        low, high = point.rejects_interval
        middle = point.false_rejects
        place = max(point.false_alarms, _FEWEST)
        axes.errorbar(place, middle, [[middle - low], [high - middle]], color=INK, marker="o", markersize=4, capsize=3)
    for rate in (0.1, 0.5):
        axes.axvline(rate, color=LINE, linewidth=1.0, zorder=1)
    axes.set_xscale("log")
    axes.set_xlim(left=_FEWEST)
    axes.set_ylim(0, 1)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:g}"))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel("false alarms per hour")
    axes.set_ylabel("keywords that are not detected")
    axes.legend(frameon=False, labelcolor=INK, fontsize=9)
    return figure
