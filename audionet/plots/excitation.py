"""Pictures of what excites a unit of a network: clips of a corpus, and sounds that were made for it."""

from collections.abc import Sequence
from math import ceil
from typing import Protocol

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from audionet.checks import check_that
from audionet.features.frontend import FrontEnd
from audionet.plots.features import plot_features
from audionet.plots.mosaic import draw_mosaic
from audionet.plots.style import COLORS, PAPER_TO_INK, make_figure, make_plain

_ROW = 3  # clips beside each other


class Excited(Protocol):
    """A clip that excites a unit, and the part of it that does, as `audionet.insight.Excitation`."""

    @property
    def clip_index(self) -> int:
        """Position of the clip in its corpus."""

    @property
    def value(self) -> float:
        """The unit's largest activation within the clip."""

    @property
    def spectrogram(self) -> Tensor:
        """The clip, (in_channels, band, frame)."""

    @property
    def frames(self) -> tuple[int, int]:
        """First frame of the part, and the one behind its last."""

    @property
    def bands(self) -> tuple[int, int]:
        """First band of the part, and the one behind its last."""


def plot_exciting(
    clips: Sequence[Excited], front_end: FrontEnd | None = None, *, names: Sequence[str] = (), title: str = ""
) -> Figure:
    """Plot the clips that excite a unit most, with a frame around the part of each that does.

    Shorter clips are filled up with white. All clips are on one scale of colours, from the 1% of the smallest values to
    the largest.

    Args:
        clips: What `audionet.insight.most_exciting` returns for a unit.
        front_end: The recogniser's, which provides milliseconds and hertz; None for frames and bands.
        names: Name of each clip, such as its label; none for its position in the corpus. The activation follows it.
        title: Title of the picture.

    Returns:
        The figure, which ``savefig`` writes to a file.

    Raises:
        ValueError: There is no clip, or another number of names.

    Example:
        >>> network = audionet.load_recognizer("digits").network
        >>> units = [("block1", 5)]
        >>> clips = audionet.insight.most_exciting(network, torch.randn(4, 1, 40, 101), units)[units[0]]
        >>> figure = plot_exciting(clips, names=["one", "two", "three", "four"])
        >>> len(figure.axes[0].patches)
        4
    """
    check_that(len(clips), "clips", "at least one", len(clips))
    check_that(not names or len(names) == len(clips), "names", f"{len(clips)}, one for each clip", len(names))
    spectrograms = [each.spectrogram[0].detach().cpu().numpy() for each in clips]
    n_bands, n_frames = len(spectrograms[0]), max(each.shape[1] for each in spectrograms)
    pictures = np.full((len(clips), n_bands, n_frames), np.nan)
    for picture, spectrogram in zip(pictures, spectrograms, strict=True):
        picture[:, : spectrogram.shape[1]] = spectrogram
    names = [*names] or [str(each.clip_index) for each in clips]
    texts = [f"{name}: {each.value:.3g}" for name, each in zip(names, clips, strict=True)]
    n_columns = min(_ROW, len(clips))
    height = 1.3
    figure, axes = make_figure(2.7 * n_columns + 0.8, (height + 0.3) * ceil(len(clips) / n_columns) + 0.7, title=title)
    draw_mosaic(
        axes,
        pictures,
        texts,
        n_columns=n_columns,
        height=height,
        colors=PAPER_TO_INK,
        limits=(float(np.nanpercentile(pictures, 1)), float(np.nanmax(pictures))),
        front_end=front_end,
        parts=[(each.frames, each.bands) for each in clips],
    )
    return figure


def plot_maximized(
    spectrogram: Tensor,
    front_end: FrontEnd,
    history: ArrayLike,
    *,
    title: str = "",
) -> Figure:
    """Plot what was made to excite a unit, and how its activation rose.

    Args:
        spectrogram: (in_channels, band, frame), as `audionet.insight.maximize` returns it.
        front_end: The recogniser's, which provides seconds and hertz.
        history: The activation before each step.
        title: Title of the picture.

    Returns:
        The figure, which ``savefig`` writes to a file.

    Raises:
        ValueError: There is no step, or an activation is not finite.

    Example:
        >>> recognizer = audionet.load_recognizer("digits")
        >>> unit = ("head", recognizer.labels.index("seven"))
        >>> found = audionet.insight.maximize(recognizer.network, unit, recognizer.front_end, n_steps=3)
        >>> figure = plot_maximized(found.spectrogram, recognizer.front_end, found.history, title="seven")
        >>> [axes.get_xlabel() for axes in figure.axes]
        ['time (s)', 'step']
    """
    values = np.asarray(history, np.float64)
    check_that(values.ndim == 1 and values.size, "history", "at least one step, (step,)", values.shape)
    check_that(np.isfinite(values).all(), "history", "finite activations", values)
    figure = Figure(figsize=(8.0, 2.8), layout="constrained")
    picture, curve = figure.subplots(1, 2, width_ratios=(3, 1))
    plot_features(spectrogram[0], front_end, axes=picture, title=title, colorbar=False)
    make_plain(curve, grid=True)
    curve.plot(values, color=COLORS[0], linewidth=1.4)
    curve.set(xlabel="step", ylabel="activation")
    return figure
