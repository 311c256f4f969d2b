"""Picture of a confusion matrix."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from audionet.metrics import check_confusion, ratio
from audionet.plots.style import INK, LINE, font_families, make_figure, make_plain_colorbar, undrawable

WIDE = 16  # classes beyond which the picture needs the whole width of a page
_LEGIBLE = 5.0  # points: smaller counts are left out
_LONGEST = 20  # characters of a label


def plot_confusion(confusion: ArrayLike, labels: Sequence[str]) -> Figure:
    """Plot a confusion matrix: each cell is coloured by its share of the row and shows its count while that fits.

    Args:
        confusion: Counts (true, predicted).
        labels: Name of each row and column; `tick_names` says how they are shortened.

    Returns:
        The figure, which ``savefig`` writes to a file.

    Raises:
        ValueError: The counts are no confusion matrix, or its size differs from the number of labels.

    Example:
        >>> figure = plot_confusion([[3, 1], [0, 4]], ["yes", "no"])
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['3', '1', '4']
        >>> figure.savefig("confusion.png")
    """
    counts = check_confusion(confusion, labels)
    n_classes = len(counts)
    inches = min(max(5.6, 0.29 * n_classes), 24.0)
    figure, axes = make_figure(inches, inches)
    # The square root makes rare mistakes visible beside a diagonal near 100%.
    norm = PowerNorm(0.5, vmin=0, vmax=100)
    percent = 100 * ratio(counts, counts.sum(1, keepdims=True))
    image = axes.imshow(percent, cmap="Blues", norm=norm)
    cell = 72 * inches / n_classes  # points
    _label(axes, labels, cell)
    _write_counts(axes, counts, percent, norm, cell)
    colorbar = figure.colorbar(image, shrink=0.6, aspect=30, pad=0.02, ticks=[0, 1, 5, 20, 50, 100], format="%d%%")
    make_plain_colorbar(colorbar, "share of the clips of that true label")
    return figure


def tick_names(labels: Sequence[str]) -> list[str]:
    r"""Return the name of each label in a picture: the label, shortened if it is long.

    A number stands for a label that no installed font can draw, or that looks like another when shortened.

    Example:
        >>> tick_names(["yes", "a label of more than 20 characters", "two\nlines"])
        ['yes', 'a label of more tha…', '#3']
    """
    short = [label if len(label) <= _LONGEST else f"{label[: _LONGEST - 1]}…" for label in labels]
    count, missing = Counter(short), undrawable("".join(short))
    return [
        name if name.strip() and count[name] == 1 and not missing & {*name} else f"#{number}"
        for number, name in enumerate(short, 1)
    ]


def _label(axes: Axes, labels: Sequence[str], cell: float) -> None:
    """Name rows and columns, and separate the cells by white lines."""
    n_classes = len(labels)
    names = tick_names(labels)
    size, families = min(10.0, 0.55 * cell), font_families("".join(names))
    for axis, title in ((axes.xaxis, "predicted"), (axes.yaxis, "true")):
        axis.set_ticks(range(n_classes), names, fontsize=size, fontfamily=families, parse_math=False)
        axis.set_ticks(np.arange(1, n_classes) - 0.5, minor=True)
        axis.set_label_text(title)
    slanted = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    for label in axes.get_xticklabels() if max(map(len, names)) > 2 else ():
        label.set(**{"rotation": 90} if n_classes > WIDE else slanted)
    axes.grid(which="minor", color="white", linewidth=1)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_color(LINE)


def _write_counts(axes: Axes, counts: np.ndarray, percent: np.ndarray, norm: Normalize, cell: float) -> None:
    """Write each count into its cell of so many points, unless that would be too small to read."""
    digits = len(f"{counts.max():.0f}")
    size = min(10.0, 0.75 * cell / (0.65 * max(digits, 2)))
    for true, predicted in np.argwhere(counts) if size >= _LEGIBLE else ():
        color = "white" if norm(percent[true, predicted]) > 0.6 else INK
        text = f"{counts[true, predicted]:.0f}"
        axes.text(predicted, true, text, color=color, fontsize=size, ha="center", va="center")
