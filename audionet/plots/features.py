"""Picture of features: time in seconds, frequency in hertz."""

from math import ceil, floor, log10

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import AsinhNorm, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike
from torch import Tensor

from audionet.checks import check_that
from audionet.features.frontend import Axis, FrontEnd
from audionet.plots.style import COLORS, PAPER_TO_INK, make_figure, make_plain, make_plain_colorbar

_OCTAVES = 1000.0 * 2.0 ** np.arange(7, -7, -1)  # hertz, the highest first
_APART = 0.08  # of the height: ticks that are closer would overlap
_FAINTEST = {"power": 1e-8, "magnitude": 1e-4}  # of the loudest: 80 dB, below which all is white
_MOST_FRAMES = 4000  # more than there are pixels


def plot_features(
    x: Tensor | ArrayLike,
    front_end: FrontEnd | None = None,
    *,
    sample_rate: float | None = None,
    hop_length: float | None = None,
    frequencies: Tensor | ArrayLike | None = None,
    quantity: str | None = None,
    seconds: float | None = None,
    title: str = "",
    colorbar: bool = True,
    axes: Axes | None = None,
) -> Figure:
    """Plot features over time: bands as rows that are dark where values are large, a single band as a line.

    A frame is drawn where the middle of its samples lies. Bands with frequencies have equal heights, whatever their
    scale; they are sorted by frequency, and the axis beside them is in hertz. The colour scale is logarithmic and 80 dB
    deep for power and magnitude, an asinh for coefficients and slopes, most of which are small, and linear otherwise.
    Neighbouring frames are averaged where there are more of them than pixels.

    Args:
        x: Features (band, frame). The magnitude of complex ones is shown.
        front_end: The front-end that computed them. It provides everything that is not given below.
        sample_rate: In hertz.
        hop_length: Samples from one frame to the next. Without a front-end, the first frame is centred on sample 0.
        frequencies: Centres of the bands in hertz, (band,).
        quantity: What the values measure, with its unit, such as "power (dB)".
        seconds: Time at the right end of the picture; None for the end of the last frame.
        title: Title of the picture.
        colorbar: Whether to draw a colour bar.
        axes: Axes to draw on; None for a new figure.

    Returns:
        The figure, which ``savefig`` writes to a file.

    Raises:
        ValueError: The features are not (band, frame), the frequencies do not fit them, or the time between frames is
            unknown.

    Example:
        >>> log_mel = audionet.features.LogMel()
        >>> figure = plot_features(log_mel(waveform)[0], log_mel, title="seven")
        >>> [axes.get_ylabel() for axes in figure.axes]
        ['frequency (Hz)', 'ln power']
        >>> figure.savefig("seven.png")
    """
    values = _values(x)
    axis = Axis() if front_end is None else front_end.axis
    if len(values) != 1 and frequencies is None:
        frequencies = axis.frequencies
    middles = _middles(values.shape[1], front_end, sample_rate, hop_length)
    quantity = axis.quantity if quantity is None else quantity
    axes = make_figure(8.0, 3.2)[1] if axes is None else axes
    make_plain(axes, title=title)
    half = (middles[1] - middles[0]) / 2
    if len(values) == 1:
        axes.plot(middles[:-1], values[0], linewidth=0.8, color=COLORS[0])
        axes.set_ylabel(quantity)
    else:
        _draw_bands(axes, values, middles - half, axis, frequencies, quantity, colorbar)
    axes.set_xlim(max(middles[0] - half, 0.0), middles[-1] - half if seconds is None else seconds)
    axes.set_xlabel("time (s)")
    figure = axes.get_figure(root=True)
    assert figure is not None
    return figure


def _values(x: Tensor | ArrayLike) -> np.ndarray:
    """Return the real values to draw, (band, frame)."""
    values = x.detach().cpu().resolve_conj().numpy() if isinstance(x, Tensor) else np.asarray(x)
    fits = values.ndim == 2 and values.size
    check_that(fits, "x", "features (band, frame)", values.shape, "plot one clip at a time")
    return np.abs(values) if np.iscomplexobj(values) else values


def _middles(
    n_frames: int, front_end: FrontEnd | None, sample_rate: float | None, hop_length: float | None
) -> np.ndarray:
    """Return the time in seconds of the middle of each frame and of the frame that would follow them."""
    offset = 0
    if front_end is not None:
        offset = front_end.middle
        sample_rate = front_end.sample_rate if sample_rate is None else sample_rate
        hop_length = front_end.framing.hop_length if hop_length is None else hop_length
    if sample_rate is None or hop_length is None:
        raise ValueError(f"front_end: expected one, or sample_rate and hop_length, got {sample_rate} and {hop_length}")
    return (np.arange(n_frames + 1) * hop_length + offset) / sample_rate


def _draw_bands(
    axes: Axes,
    values: np.ndarray,
    times: np.ndarray,
    axis: Axis,
    frequencies: Tensor | ArrayLike | None,
    quantity: str,
    colorbar: bool,
) -> None:
    """Draw values (band, frame) between times (frame + 1,)."""
    n_bands = len(values)
    heights = np.arange(n_bands + 1) - 0.5
    if frequencies is not None:
        order, centers = _rising(frequencies, n_bands)
        values, heights = values[order], _scale_to(axes, centers)
    elif axis.names:
        axes.set_yticks(range(n_bands), axis.names)
    else:
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel(axis.band if frequencies is None else "frequency (Hz)")
    if (fold := -(-values.shape[1] // _MOST_FRAMES)) > 1:
        starts = np.arange(0, values.shape[1], fold)
        counts = np.diff(starts, append=values.shape[1])
        values, times = np.add.reduceat(values, starts, 1) / counts, np.append(times[starts], times[-1])
    is_even = frequencies is not None or bool(axis.names)
    norm, ticks = _color_scale(values, quantity, is_even)
    image = axes.pcolormesh(times, heights, values, cmap=PAPER_TO_INK, norm=norm, rasterized=True)
    figure = axes.get_figure(root=True)
    if colorbar and figure is not None:
        form = None if ticks is None else "%g"
        scale = figure.colorbar(image, ax=axes, pad=0.01, aspect=30, ticks=ticks, format=form)
        make_plain_colorbar(scale, quantity)


def _color_scale(values: np.ndarray, quantity: str, is_even: bool) -> tuple[Normalize | None, list[float] | None]:
    """Return the scale of the colours, None for a linear one, and the ticks beside it, None for matplotlib's."""
    largest = float(np.abs(values).max())
    if quantity in _FAINTEST:
        is_loud = 0 < largest < np.inf
        return (LogNorm(largest * _FAINTEST[quantity], largest, clip=True) if is_loud else None), None
    typical = float(np.median(np.abs(values)))
    if is_even or not 0 < typical <= largest < np.inf:
        return None, None
    decades = [10.0**exponent for exponent in range(ceil(log10(typical)), floor(log10(largest)) + 1)]
    return AsinhNorm(typical), [*(-decade for decade in reversed(decades)), 0.0, *decades]


def _rising(frequencies: Tensor | ArrayLike, n_bands: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the order of bands by frequency, and their frequencies in it, with equal ones moved apart a little."""
    centers = np.asarray(frequencies.detach().cpu() if isinstance(frequencies, Tensor) else frequencies, np.float64)
    check_that(centers.shape == (n_bands,), "frequencies", f"({n_bands},), one a band", centers.shape)
    check_that(np.isfinite(centers).all(), "frequencies", "finite numbers", centers)
    order = np.argsort(centers, kind="stable")
    least = max(float(np.ptp(centers)), 1.0) * 1e-6
    return order, np.maximum.accumulate(centers[order] - least * np.arange(n_bands)) + least * np.arange(n_bands)


def _scale_to(axes: Axes, centers: np.ndarray) -> np.ndarray:
    """Scale the axis so that all bands have the same height, and return their edges, half-way between the centres."""
    edges = (centers[1:] + centers[:-1]) / 2
    edges = np.concatenate(([2 * centers[0] - edges[0]], edges, [2 * centers[-1] - edges[-1]]))
    places = np.linspace(0, 1, 2 * len(centers) + 1)
    knots = np.empty(len(places))
    knots[::2], knots[1::2] = edges, centers
    axes.set_yscale(
        "function", functions=(lambda hz: np.interp(hz, knots, places), lambda place: np.interp(place, places, knots))
    )
    axes.set_ylim(edges[0], edges[-1])
    ticks = _octaves(knots, places)
    if len(ticks) < 2 or np.allclose(np.diff(centers), centers[1] - centers[0]):  # evenly spaced bands get even ticks
        ticks = np.asarray(MaxNLocator(10, steps=[1, 2, 2.5, 5, 10]).tick_values(edges[0], edges[-1]))
        ticks = ticks[(edges[0] < ticks) & (ticks < edges[-1])]
    axes.set_yticks(ticks, [f"{hz:g}" for hz in ticks])
    return edges


def _octaves(knots: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the octaves around 1 kHz that have room on the axis, from the highest down, as mel scales narrow there."""
    ticks: np.ndarray = _OCTAVES[(knots[0] < _OCTAVES) & (_OCTAVES < knots[-1])]
    is_near = -np.diff(np.interp(ticks, knots, places)) < _APART
    return np.asarray(ticks[: np.append(is_near, True).argmax() + 1][::-1])
