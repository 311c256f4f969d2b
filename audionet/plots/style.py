"""The style of every picture: its colours, and axes that show nothing but data."""

import io
from unicodedata import bidirectional

from matplotlib import ft2font
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font

INK, SOFT, LINE = "#1f2328", "#59636e", "#d5dae0"
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")  # distinct to colour-blind eyes as well (Okabe and Ito)
PAPER_TO_INK = "BuPu"  # its lightness falls evenly, so that a page can invert it on a dark screen
_DPI = 200
_JOINS_LETTERS = hasattr(ft2font, "__libraqm_version__")  # matplotlib from 3.11 on lays out Arabic and Hebrew


def make_figure(width: float, height: float, *, title: str = "") -> tuple[Figure, Axes]:
    """Return a figure of a size in inches, and its only axes, which are plain. It belongs to no window."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    make_plain(axes, title=title)
    return figure, axes


def make_plain(axes: Axes, *, title: str = "", grid: bool = False) -> None:
    """Remove from axes what is not data, colour the rest, and set their title."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[:].set_color(LINE)
    axes.tick_params(color=LINE, labelcolor=INK, labelsize=9)
    axes.xaxis.label.set_color(SOFT)
    axes.yaxis.label.set_color(SOFT)
    axes.set_title(title, color=INK, loc="left", parse_math=False, fontfamily=font_families(title))
    if grid:
        axes.grid(color=LINE, linewidth=0.6, alpha=0.6)
        axes.set_axisbelow(True)


def make_plain_colorbar(colorbar: Colorbar, label: str) -> None:
    """Remove from a colour bar what is not data, and label it with the quantity that it shows."""
    colorbar.set_label(label, color=SOFT)
    colorbar.ax.tick_params(which="both", length=0, labelsize=9, labelcolor=SOFT)
    colorbar.outline.set_visible(False)


def font_families(text: str) -> list[str]:
    """Return matplotlib's font family, and installed ones that have the characters of a text which it lacks."""
    return _families(text)[0]


def undrawable(text: str) -> set[str]:
    """Return the characters of a text that matplotlib cannot draw as they are read."""
    missing = set(map(chr, _families(text)[1]))
    return missing | {
        character
        for character in {*text}
        if not character.isprintable() or (bidirectional(character) in ("R", "AL") and not _JOINS_LETTERS)
    }


def _families(text: str) -> tuple[list[str], set[int]]:
    """Return the font families for a text, and the characters that no installed font has."""
    families = FontProperties().get_family()
    missing = {*map(ord, text)} - get_font(findfont(FontProperties())).get_charmap().keys()
    for font in fontManager.ttflist if missing else ():
        found = missing & get_font(font.fname).get_charmap().keys()
        if found and not font.name.startswith("Last Resort"):  # which draws all characters as boxes
            families = [*families, font.name]
            missing -= found
    return list(families), missing


def png(figure: Figure) -> bytes:
    """Return the content of a PNG file of a figure, fine enough for a large screen."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=_DPI, bbox_inches="tight", pad_inches=0.05)
    return content.getvalue()
