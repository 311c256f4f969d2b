"""Picture of what the most relevant places of spectrograms are worth to a recogniser."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from audionet.metrics import wilson_interval
from audionet.plots.style import COLORS, INK, LINE, SOFT, make_plain


class WorthLike(Protocol):
    """What `audionet.insight.measure_worth` returns."""

    @property
    def share(self) -> float:
        """Share of the places."""

    @property
    def right(self) -> np.ndarray:
        """Whether each answer to a whole clip is right, (clip,)."""

    @property
    def kept(self) -> Mapping[str, np.ndarray]:
        """The same with the most relevant places alone, of each method."""

    @property
    def removed(self) -> Mapping[str, np.ndarray]:
        """The same without them."""

    @property
    def random_kept(self) -> Mapping[str, np.ndarray]:
        """The same with places at random alone, (draw, clip) of each granularity."""

    @property
    def random_removed(self) -> Mapping[str, np.ndarray]:
        """The same without them."""


def plot_worth(worth: WorthLike, *, title: str = "") -> Figure:
    """Plot the accuracy with the most relevant places kept, and with them removed, beside places at random.

    Dots are methods, with their 95% intervals; the grey line is the accuracy on whole clips, and each dashed one that
    of the random choice which is hardest to beat.

    Args:
        worth: What `audionet.insight.measure_worth` returned.
        title: Title of the picture.

    Returns:
        The figure, of a panel for "kept" and one for "removed".

    Example:
        >>> from audionet.insight.worth import Worth
        >>> half, no = np.array([True, False]), np.array([[False, False]])
        >>> found = Worth(0.2, half, {"saliency": half}, {"saliency": no[0]}, {"patches": no}, {"patches": no})
        >>> [axes.get_title(loc="left") for axes in plot_worth(found).axes]
        ['only 20% kept: higher is better', '20% removed: lower is better']
    """
    figure = Figure(figsize=(8.0, 0.9 + 0.32 * (len(worth.kept) + len(worth.random_kept))), layout="constrained")
    if title:
        figure.suptitle(title, color=INK)
    panels = (
        (f"only {worth.share:.0%} kept: higher is better", worth.kept, worth.random_kept, max),
        (f"{worth.share:.0%} removed: lower is better", worth.removed, worth.random_removed, min),
    )
    for axes, (name, methods, at_random, hardest) in zip(figure.subplots(1, 2, sharey=True), panels, strict=True):
        make_plain(axes, title=name, grid=True)
        rows = [*methods.items(), *((f"random {kind}", right) for kind, right in at_random.items())]
        for row, (method, right) in enumerate(rows):
            low, high = wilson_interval(float(np.atleast_2d(right).mean(0).sum()), right.shape[-1])
            color = SOFT if method.startswith("random") else COLORS[0]
            axes.plot([low, high], [row, row], color=color, linewidth=1.4)
            axes.plot(right.mean(), row, "o", color=color, markersize=5)
        axes.axvline(worth.right.mean(), color=LINE, linewidth=2, zorder=0)
        axes.axvline(hardest(right.mean() for right in at_random.values()), color=SOFT, linestyle="--", linewidth=1)
        axes.set_yticks(range(len(rows)), [method.replace("_", " ") for method, _ in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_xlabel("right answers")
    return figure
