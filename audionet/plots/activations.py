"""Pictures of what the stages of a network answer to a clip, and of the channels that answer to nothing."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import ArrayLike
from torch import Tensor

from audionet.checks import check_at_least, check_that
from audionet.features.frontend import FrontEnd
from audionet.plots.features import plot_features
from audionet.plots.style import COLORS, PAPER_TO_INK, SOFT, make_figure, make_plain

_DEAD, _RARE, _ALIVE = COLORS[1], "#e69f00", COLORS[0]


def plot_activations(
    maps: Mapping[str, Tensor],
    spectrogram: Tensor,
    front_end: FrontEnd,
    *,
    row: int = 0,
    n_channels: int = 6,
    title: str = "",
) -> Figure:
    """Plot a clip and, below it on the same axis of time, what each stage of a network makes of it.

    Of a stage with bands, the channels whose maps vary most are shown one above the other; of a stage without, all
    channels as rows; of one that has pooled the clip, the channels as bars. Each channel with bands, and each stage
    without, has its own scale of colours, from its smallest value, white, to its largest.

    Args:
        maps: Maps of each stage, batch first, as `audionet.insight.activations` returns them.
        spectrogram: The clips, (batch, in_channels, band, frame).
        front_end: The recogniser's, which provides seconds and hertz.
        row: Position of the clip in the batch.
        n_channels: Channels of a stage with bands that are shown, at most.
        title: Title of the picture.

    Returns:
        The figure, which ``savefig`` writes to a file.

    Raises:
        ValueError: There is no such clip, or a map has another number of axes.

    Example:
        >>> recognizer = audionet.load_recognizer("digits")
        >>> spectrogram = recognizer.front_end(waveform[None, :, :])
        >>> maps = audionet.insight.activations(recognizer.network, spectrogram)
        >>> figure = plot_activations(maps, spectrogram, recognizer.front_end, title="seven")
        >>> [axes.get_title(loc="left") for axes in figure.axes]
        ['seven', 'stem', 'narrow', 'block1', 'block2', 'block3', 'pooling']
    """
    check_at_least(0, len(spectrogram) - 1, whole=True, row=row)
    check_at_least(1, whole=True, n_channels=n_channels)
    heights = [1.6] + [1.8 if each.ndim == 4 else 1.2 for each in maps.values()]
    figure = Figure(figsize=(8.0, sum(heights) + 0.3 * len(heights)), layout="constrained")
    clip, *below = figure.subplots(len(heights), height_ratios=heights, squeeze=False)[:, 0]
    plot_features(spectrogram[row, 0], front_end, axes=clip, title=title, colorbar=False)
    begin, end = clip.get_xlim()
    for axes, (stage, each) in zip(below, maps.items(), strict=True):
        check_that(each.ndim in (2, 3, 4), "maps", "maps of 2, 3 or 4 axes", tuple(each.shape))
        make_plain(axes, title=stage)
        values = each[row].detach().cpu().numpy()
        if values.ndim == 1:
            axes.bar(range(len(values)), values, width=1.0, color=COLORS[0])
            axes.set(xlabel="channel", ylabel="activation", xlim=(-0.5, len(values) - 0.5))
            continue
        extent = (begin, end, -0.5, len(values) - 0.5)
        if values.ndim == 3:
            values = _stacked(axes, values, n_channels)
            extent = (begin, end, 0.0, 1.0)
        axes.imshow(values, cmap=PAPER_TO_INK, origin="lower", aspect="auto", extent=extent, interpolation="nearest")
        axes.set_ylabel("channel")
        axes.set_xticklabels([])
    last = max((number for number, each in enumerate(maps.values()) if each.ndim > 2), default=-1)
    if last >= 0:
        clip.set_xlabel("")
        below[last].xaxis.set_major_formatter("{x:g}")
        below[last].set_xlabel("time (s)")
    return figure


def _stacked(axes: Axes, values: np.ndarray, n_channels: int) -> np.ndarray:
    """Return maps (channel, band, frame) one above the other, each from 0 to 1, and name their channels beside them."""
    chosen = np.sort(np.argsort(-values.std((1, 2)), kind="stable")[:n_channels])
    parts = values[chosen]
    low, high = parts.min((1, 2), keepdims=True), parts.max((1, 2), keepdims=True)
    parts = (parts - low) / np.where(high > low, high - low, 1.0)
    gap = max(1, parts.shape[1] // 8)
    parts = np.pad(parts, ((0, 0), (0, gap), (0, 0)), constant_values=np.nan)
    axes.set_yticks((np.arange(len(chosen)) + 0.5 * (1 - gap / parts.shape[1])) / len(chosen), map(str, chosen))
    return parts.reshape(-1, parts.shape[2])


def plot_dead_filters(clips: Mapping[str, ArrayLike], *, rare: float = 0.01, title: str = "") -> Figure:
    """Plot, for each stage, in which share of the clips each channel is ever active: dead channels are red.

    The channels of a stage are sorted, and take its whole width.

    Args:
        clips: Share of the clips in which each channel is active, (channel,), by stage: the ``clips`` of what
            `audionet.insight.dead_filters` returns.
        rare: Share of the clips up to which a channel is nearly dead.
        title: Title of the picture.

    Returns:
        The figure, which ``savefig`` writes to a file.

    Raises:
        ValueError: There is no stage, or a share is outside of [0, 1].

    Example:
        >>> figure = plot_dead_filters({"conv1": [0.0, 0.5, 1.0, 0.0], "conv2": [0.005, 1.0]})
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['2 of 4 dead', '1 of 2 nearly dead']
    """
    shares = {stage: np.sort(np.asarray(each, np.float64)) for stage, each in clips.items()}
    check_that(shares, "clips", "at least one stage", len(shares))
    for stage, each in shares.items():
        fits = each.ndim == 1 and each.size and 0 <= each[0] and each[-1] <= 1
        check_that(fits, f"clips of {stage}", "shares (channel,) from 0 to 1", each)
    figure, axes = make_figure(8.0, 0.45 * len(shares) + 1.0, title=title)
    for place, each in enumerate(shares.values()):
        dead, nearly = int((each == 0).sum()), int(((each > 0) & (each <= rare)).sum())
        edges = np.linspace(0.0, 1.0, len(each) + 1)
        colors = [_DEAD] * dead + [_RARE] * nearly + [_ALIVE] * (len(each) - dead - nearly)
        heights = np.where(each > rare, 0.08 + 0.72 * each, 0.8)
        axes.bar(edges[:-1], -heights, np.diff(edges), bottom=place + 0.4, align="edge", color=colors)
        words = [f"{n} of {len(each)} {word}" for n, word in ((dead, "dead"), (nearly, "nearly dead")) if n]
        axes.text(1.02, place, ", ".join(words) or "all active", color=SOFT, va="center", fontsize=9)
    axes.set_yticks(range(len(shares)), [*shares])
    axes.set_ylim(len(shares) - 0.4, -0.6)
    axes.set_xlim(0, 1.25)
    axes.set_xticks([0, 0.5, 1])
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.spines["bottom"].set_bounds(0, 1)
    axes.set_xlabel("share of the channels", loc="left")
    return figure
