"""What all pictures share: colours, and figures without anything that is not data."""

import io

from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure

INK, SOFT, LINE = "#1f2328", "#59636e", "#d5dae0"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")  # told apart by colour-blind eyes too (Okabe and Ito)
_DPI = 200


def make_figure(width: float, height: float) -> tuple[Figure, Axes]:
    """Return a figure of so many inches and its only axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    make_plain(axes, grid=False)
    return figure, axes


def make_plain(axes: Axes, grid: bool = True) -> None:
    """Take away what is not data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[:].set_color(LINE)
    axes.tick_params(color=LINE, labelcolor=INK, labelsize=9)
    axes.xaxis.label.set_color(SOFT)
    axes.yaxis.label.set_color(SOFT)
    if grid:
        axes.grid(color=LINE, linewidth=0.6, alpha=0.6)
        axes.set_axisbelow(True)


def make_plain_scale(scale: Colorbar, label: str) -> None:
    """The same for a colour scale, and say what it measures."""
    scale.set_label(label, color=SOFT)
    scale.ax.tick_params(which="both", length=0, labelsize=9, labelcolor=SOFT)
    scale.outline.set_visible(False)


def png(figure: Figure) -> bytes:
    """Return the figure as the content of a PNG file, fine enough for a large screen."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=_DPI, bbox_inches="tight", pad_inches=0.05)
    return content.getvalue()
