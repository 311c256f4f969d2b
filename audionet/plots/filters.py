"""Pictures of filters, of templates, and of what the filters of learned front-ends pass."""

from collections.abc import Sequence
from math import ceil

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from audionet.checks import check_that
from audionet.features.frontend import FrontEnd
from audionet.plots.mosaic import draw_mosaic
from audionet.plots.style import COLORS, PAPER_TO_INK, make_figure, make_plain, make_plain_colorbar

_MINUS_TO_PLUS = "PuOr_r"  # white is 0
_MOST = 64  # filters of a picture
_WIDE = 8.0  # inches of a row of filters


def plot_filters(
    filters: ArrayLike, front_end: FrontEnd | None = None, *, names: Sequence[str] = (), title: str = ""
) -> Figure:
    """Plot the filters of a first layer side by side, on one scale of colours around 0.

    Args:
        filters: (filter, band, frame), as `audionet.insight.first_filters` returns them.
        front_end: The recogniser's, which provides milliseconds and, for filters that span all bands, hertz; None for
            frames and bands.
        names: Name of each filter; none for its number.
        title: Title of the picture.

    Returns:
        The figure, which ``savefig`` writes to a file. Of more than 64 filters, it shows the 64 of the largest norm.

    Raises:
        ValueError: The filters have another shape or are not finite, or there is another number of names.

    Example:
        >>> recognizer = audionet.load_recognizer("digits")
        >>> filters = audionet.insight.first_filters(recognizer.network)
        >>> figure = plot_filters(filters, recognizer.front_end, title="what the first layer looks for")
        >>> [axes.get_xlabel() for axes in figure.axes], [axes.get_ylabel() for axes in figure.axes]
        (['time (ms)', ''], ['band', 'weight'])
    """
    values = np.asarray(filters)
    check_that(values.ndim == 3 and values.size, "filters", "(filter, band, frame)", values.shape)
    check_that(np.isfinite(values).all(), "filters", "finite weights", "NaN or infinity")
    check_that(not names or len(names) == len(values), "names", f"{len(values)}, one for each filter", len(names))
    names = [*names] or [str(number) for number in range(len(values))]
    shown = np.sort(np.argsort(-np.linalg.norm(values, axis=(1, 2)), kind="stable")[:_MOST])
    width, height = np.clip(0.12 * values.shape[2], 0.7, 2.4), np.clip(0.12 * values.shape[1], 0.7, 1.5)
    n_rows = ceil(len(shown) / max(1, int(_WIDE / width)))
    n_columns = ceil(len(shown) / n_rows)
    figure, axes = make_figure(n_columns * 1.1 * width + 1.4, n_rows * (height + 0.3) + 0.7, title=title)
    largest = float(np.abs(values[shown]).max()) or 1.0
    image = draw_mosaic(
        axes,
        values[shown],
        [names[number] for number in shown],
        n_columns=n_columns,
        height=height,
        colors=_MINUS_TO_PLUS,
        limits=(-largest, largest),
        front_end=front_end,
    )
    make_plain_colorbar(figure.colorbar(image, aspect=30, pad=0.01), "weight")
    return figure


def plot_templates(
    templates: ArrayLike, labels: Sequence[str], front_end: FrontEnd | None = None, *, title: str = ""
) -> Figure:
    """Plot the template of each class: orange where energy speaks for it, purple where energy speaks against it.

    Args:
        templates: (class, band, frame), as `audionet.insight.templates` returns them.
        labels: Name of each class.
        front_end: The recogniser's, which provides milliseconds and hertz; None for frames and bands.
        title: Title of the picture.

    Returns:
        The figure, which ``savefig`` writes to a file.

    Raises:
        ValueError: The templates have another shape or are not finite, or there is another number of labels.

    Example:
        >>> network = audionet.models.create("fully_connected", n_classes=2, hidden=())
        >>> templates = audionet.insight.templates(network)
        >>> figure = plot_templates(templates, ["yes", "no"], audionet.features.LogMel())
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['yes', 'no']
    """
    check_that(len(labels), "labels", "at least one", len(labels))
    return plot_filters(templates, front_end, names=labels, title=title)


def plot_learned_filters(
    frequencies: ArrayLike, responses: ArrayLike, centers: ArrayLike, bandwidths: ArrayLike, *, title: str = ""
) -> Figure:
    """Plot what each filter of a learned front-end passes, and below it how wide the filters are, in hertz.

    The filters are sorted by their centre frequencies.

    Args:
        frequencies: In hertz, (frequency,). These are what `audionet.insight.learned_filters` returns.
        responses: Amplitude that each filter passes, at most 1, (filter, frequency).
        centers: Centre frequencies in hertz, (filter,); NaN for a filter that passes nothing.
        bandwidths: Width of the responses at half their height in hertz, (filter,).
        title: Title of the picture.

    Returns:
        The figure, which ``savefig`` writes to a file.

    Raises:
        ValueError: The shapes do not fit.

    Example:
        >>> found = audionet.insight.learned_filters(audionet.features.SincNet())
        >>> figure = plot_learned_filters(found.frequencies, found.responses, found.centers, found.bandwidths)
        >>> [axes.get_ylabel() for axes in figure.axes]
        ['frequency (Hz)', 'bandwidth (Hz)', 'amplitude']
    """
    hertz, passed, middles, widths = map(np.asarray, (frequencies, responses, centers, bandwidths))
    check_that(passed.ndim == 2 and passed.size, "responses", "(filter, frequency)", passed.shape)
    check_that(hertz.shape == passed.shape[1:], "frequencies", f"{passed.shape[1:]}, as the responses", hertz.shape)
    for name, each in (("centers", middles), ("bandwidths", widths)):
        check_that(each.shape == passed.shape[:1], name, f"{passed.shape[:1]}, one for each filter", each.shape)
    figure = Figure(figsize=(8.0, 5.2), layout="constrained")
    above, below = figure.subplots(2, height_ratios=(2, 1))
    order = np.argsort(middles, kind="stable")
    step = hertz[1] - hertz[0] if len(hertz) > 1 else 1.0
    image = above.imshow(
        passed[order].T,
        cmap=PAPER_TO_INK,
        vmin=0.0,
        vmax=1.0,
        origin="lower",
        aspect="auto",
        extent=(-0.5, len(passed) - 0.5, hertz[0] - step / 2, hertz[-1] + step / 2),
    )
    make_plain(above, title=title)
    above.set(xlabel="filter, by its centre", ylabel="frequency (Hz)")
    make_plain_colorbar(figure.colorbar(image, ax=above, aspect=30, pad=0.01), "amplitude")
    make_plain(below, grid=True)
    below.plot(middles[order], widths[order], color=COLORS[0], marker="o", markersize=3, linewidth=0.8)
    below.set(xlabel="centre frequency (Hz)", ylabel="bandwidth (Hz)", ylim=(0, None))
    return figure
