"""A picture of what decided: how much each place of a spectrogram speaks for a label, laid over the spectrogram."""

import numpy as np
import torch
from matplotlib.collections import QuadMesh
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from audionet.checks import check_that
from audionet.features.frontend import FrontEnd
from audionet.plots.features import plot_features
from audionet.plots.style import COLORS, make_figure

_AGAINST, _FOR = COLORS[0], COLORS[1]
_OVERLAY = LinearSegmentedColormap.from_list("relevance", [f"{_AGAINST}f2", f"{_AGAINST}00", f"{_FOR}00", f"{_FOR}f2"])
_LOUDEST = 99.5  # percentile of the relevance from which on the colour is full


def plot_relevance(
    spectrogram: Tensor | ArrayLike, relevance: Tensor | ArrayLike, front_end: FrontEnd, *, title: str = ""
) -> Figure:
    """Plot a spectrogram in grey, orange where it speaks for a label, and blue where it speaks against it.

    Args:
        spectrogram: (band, frame).
        relevance: (band, frame), such as a map of `audionet.insight.saliency`.
        front_end: The recogniser's, which provides seconds and hertz.
        title: Title of the picture.

    Returns:
        The figure, which ``savefig`` writes to a file.

    Raises:
        ValueError: The two have different sizes, or the relevance is not finite.

    Example:
        >>> log_mel = audionet.features.LogMel()
        >>> spectrogram = log_mel(waveform)[0]
        >>> figure = plot_relevance(spectrogram, spectrogram - spectrogram.mean(), log_mel, title="seven")
        >>> figure.axes[0].get_ylabel(), len(figure.axes[0].collections)
        ('frequency (Hz)', 2)
    """
    picture = np.asarray(torch.as_tensor(spectrogram).detach().cpu())
    values = np.asarray(torch.as_tensor(relevance).detach().cpu())
    check_that(values.shape == picture.shape, "relevance", f"the spectrogram's size {picture.shape}", values.shape)
    check_that(np.isfinite(values).all(), "relevance", "finite values", "NaN or infinity")
    axes = make_figure(5.0, 2.4)[1]
    figure = plot_features(picture, front_end, axes=axes, title=title, colorbar=False)
    largest = float(np.percentile(np.abs(values), _LOUDEST)) or float(np.abs(values).max()) or 1.0
    below = [each for each in axes.collections if isinstance(each, QuadMesh)]
    if below:
        below[0].set_cmap("Greys")
        edges = np.asarray(below[0].get_coordinates())
        times, heights = edges[0, :, 0], edges[:, 0, 1]
        frequencies = front_end.axis.frequencies
        if frequencies is not None:
            values = values[np.argsort(frequencies.detach().cpu().numpy(), kind="stable")]
    else:
        drawn = np.asarray(axes.lines[0].get_xdata())
        times, heights = np.linspace(drawn[0], drawn[-1], values.shape[1] + 1), np.array(axes.get_ylim())
    columns = np.array_split(values, len(times) - 1, axis=1)  # more than one frame each where a clip is long
    means = np.stack([column.mean(1) for column in columns], 1)
    limits = axes.get_xlim(), axes.get_ylim()
    axes.pcolormesh(times, heights, means, cmap=_OVERLAY, vmin=-largest, vmax=largest, rasterized=True)
    axes.set(xlim=limits[0], ylim=limits[1])
    return figure
