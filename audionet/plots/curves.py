"""Picture of training curves, from the metrics.csv of a run."""

import csv
import os

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from audionet.plots.style import COLORS, INK, SOFT, make_plain

# Measures, recorded as train_..., validation_... and test_...: the label of the panel, and the format of a value.
_MEASURES = {"loss": ("loss", ".2f"), "accuracy": ("accuracy", ".1%"), "bits": ("bits per sample", ".2f")}

Curves = dict[str, np.ndarray]  # of each column: positions and values, (2, point)


def plot_curves(history: str | os.PathLike[str]) -> Figure:
    r"""Plot loss, accuracy, bits per sample and learning rate over the epochs, as far as they were recorded.

    Args:
        history: Path of the metrics.csv of Lightning's CSVLogger, with any of the columns train_loss, train_accuracy
            and train_bits, the same with validation_ and test_, and lr-...

    Returns:
        The figure, which ``savefig`` writes to a file.

    Raises:
        ValueError: The file cannot be read, or a cell is not a number.

    Example:
        >>> with open("metrics.csv", "w") as file:
        ...     _ = file.write("step,train_loss,validation_loss\n0,2.5,\n1,1.5,1.75\n")
        >>> figure = plot_curves("metrics.csv")
        >>> [axes.get_ylabel() for axes in figure.axes]
        ['loss']
    """
    unit, curves = _read_history(history)
    measures = [name for name in _MEASURES if {f"train_{name}", f"validation_{name}"} & curves.keys()]
    rates = [name for name in curves if name.startswith("lr-")]
    figure = Figure(figsize=(5.6, 5.6), layout="constrained")
    heights = [1.0] * len(measures) + [0.45] * bool(rates)
    if not heights:
        figure.text(0.5, 0.5, "no curves were recorded", color=SOFT, ha="center")
        return figure

    all_axes = figure.subplots(len(heights), sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axes in all_axes:
        make_plain(axes, grid=True)
    for axes, name in zip(all_axes, measures, strict=False):
        _draw_measure(axes, name, curves)
    if rates:
        all_axes[-1].set_ylabel("learning rate")
        for color, name in zip(COLORS, rates, strict=False):
            _draw_curve(all_axes[-1], *curves[name], color=color, label=name)
        if len(rates) > 1:
            all_axes[-1].legend(frameon=False, labelcolor=INK)
    all_axes[-1].set_xlabel(unit)
    figure.align_ylabels()
    return figure


def _draw_measure(axes: Axes, name: str, curves: Curves) -> None:
    """Draw a measure of training and validation as lines, and its last value on the test split as a dashed line."""
    title, form = _MEASURES[name]
    axes.set_ylabel(title)
    if form.endswith("%"):
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    for color, split, label in zip(COLORS, ("train", "validation"), ("training", "validation"), strict=False):
        if f"{split}_{name}" in curves:
            _draw_curve(axes, *curves[f"{split}_{name}"], color=color, label=label, noisy=split == "train")
    if f"test_{name}" in curves:
        tested = curves[f"test_{name}"][1][-1]
        axes.axhline(tested, color=COLORS[2], linestyle="--", linewidth=1.4, label=f"test, {tested:{form}}", zorder=1)
    axes.legend(frameon=False, labelcolor=INK)


def _draw_curve(axes: Axes, x: np.ndarray, values: np.ndarray, *, color: str, label: str, noisy: bool = False) -> None:
    """Draw a line. A noisy one of many points is drawn pale, behind its running mean."""
    span = len(values) // 25
    if noisy and span > 3:
        axes.plot(x, values, color=color, linewidth=0.8, alpha=0.3)
        values = np.convolve(values, np.full(span, 1 / span), mode="valid")
        x, label = x[span // 2 :][: len(values)], f"{label} (running mean)"
    axes.plot(x, values, color=color, linewidth=1.6, marker="o" if len(x) < 20 else "", markersize=3, label=label)


def _read_history(path: str | os.PathLike[str]) -> tuple[str, Curves]:
    """Return the unit of the horizontal axis, and the positions and values of the filled cells of each column."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = [{name: float(cell) for name, cell in row.items() if cell} for row in csv.DictReader(file)]
    except (OSError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: expected the numbers of CSVLogger's metrics.csv, got {error}") from error
    # Steps and epochs count from 0, and the last step of an epoch is always recorded if any validation is.
    rates = [(row["step"] + 1) / (row["epoch"] + 1) for row in rows if row.keys() >= {"step", "epoch"}]
    steps_per_epoch = max(rates, default=1.0)
    points: dict[str, list[tuple[float, float]]] = {}
    for index, row in enumerate(rows):
        position = (row.get("step", index) + 1) / steps_per_epoch
        for name, value in row.items():
            points.setdefault(name, []).append((position, value))
    return "epoch" if rates else "step", {name: np.array(column).T for name, column in points.items()}
