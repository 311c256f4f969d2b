"""Pictures of features: time in seconds, frequency in hertz."""

from math import ceil, floor, log10
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from audionet.features.frontend import Axis, FrontEnd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

_OCTAVES = [1000.0 * 2**octave for octave in range(7, -7, -1)]  # hertz, the highest first
_APART = 0.08  # of the height: ticks that are closer run into each other
_FAINTEST = {"power": 1e-8, "magnitude": 1e-4}  # of the loudest: 80 dB, below which all is paper
_MOST_FRAMES = 4000  # more than there are pixels


def plot(
    x: Any,
    front_end: FrontEnd | None = None,
    *,
    sample_rate: float | None = None,
    hop_length: float | None = None,
    frequencies: Any = None,
    quantity: str | None = None,
    seconds: float | None = None,
    title: str = "",
    colour_bar: bool = True,
    axes: "Axes | None" = None,
) -> "Figure":
    """Picture features, dark where there is much: bands over time, or a line where there is one band.

    A frame is drawn where the middle of its samples lies. Bands at frequencies are equally high, whatever their scale,
    in the order of these, and the axis beside them is in hertz. Power and magnitude are coloured by their logarithm,
    80 dB deep; coefficients and slopes, few of which are large, by their asinh; all else evenly. Where there are more
    frames than pixels, neighbours are averaged.

    Args:
        x: (band, frame), a tensor or an array; of complex numbers the magnitude is shown.
        front_end: What made them. It tells all that is not given here.
        sample_rate: In hertz.
        hop_length: Samples from one frame to the next, the first of which is then centred on sample 0.
        frequencies: Centres of the bands in hertz, (band,).
        quantity: What is measured, with its unit, such as "power (dB)".
        seconds: Where the picture ends; None for where the last frame does.
        title: Written above it.
        colour_bar: Whether to say which colour means what.
        axes: Where to draw; None for a figure of its own.

    Returns:
        The figure, to be saved by ``savefig``. It belongs to no window: pyplot is not touched.

    Raises:
        ValueError: The features are not (band, frame), or nothing tells the time between frames.

    Example:
        >>> log_mel = LogMel(scale="db")  # doctest: +SKIP
        >>> plot(log_mel(waveform), log_mel, title="seven").savefig("seven.png")  # doctest: +SKIP
    """
    values = _values(x)
    axis = Axis() if front_end is None else front_end.axis
    if len(values) != 1 and frequencies is None:
        frequencies = axis.frequencies
    middles = _middles(values.shape[1], front_end, sample_rate, hop_length)
    quantity = axis.quantity if quantity is None else quantity
    if axes is None:
        from matplotlib.figure import Figure

        axes = Figure(figsize=(8.0, 3.2), layout="constrained").subplots()
    half = (middles[1] - middles[0]) / 2
    if len(values) == 1:
        axes.plot(middles[:-1], values[0], linewidth=0.8)
        axes.set_ylabel(quantity)
    else:
        _draw_bands(axes, values, middles - half, axis, frequencies, quantity, colour_bar)
    axes.set_xlim(max(middles[0] - half, 0.0), middles[-1] - half if seconds is None else seconds)
    axes.set_xlabel("time (s)")
    axes.set_title(title, loc="left", parse_math=False)
    figure = axes.get_figure(root=True)
    assert figure is not None
    return figure


def _values(x: Any) -> np.ndarray:
    """Return what is to be drawn, (band, frame)."""
    values = x.detach().cpu().resolve_conj().numpy() if isinstance(x, Tensor) else np.asarray(x)
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"features are (band, frame); these have shape {values.shape}: picture one clip at a time")
    return np.abs(values) if np.iscomplexobj(values) else values


def _middles(
    n_frames: int, front_end: FrontEnd | None, sample_rate: float | None, hop_length: float | None
) -> np.ndarray:
    """Return when the middle of each frame is, in seconds, and of the one after them."""
    offset = 0
    if front_end is not None:
        offset = front_end.middle
        sample_rate = front_end.sample_rate if sample_rate is None else sample_rate
        hop_length = front_end.framing.hop_length if hop_length is None else hop_length
    if sample_rate is None or hop_length is None:
        raise ValueError(
            f"sample_rate = {sample_rate}, hop_length = {hop_length}: nothing tells the time between frames; "
            "give both, or the front_end"
        )
    return (np.arange(n_frames + 1) * hop_length + offset) / sample_rate


def _draw_bands(
    axes: "Axes",
    values: np.ndarray,
    times: np.ndarray,
    axis: Axis,
    frequencies: Any,
    quantity: str,
    colour_bar: bool,
) -> None:
    """Draw (band, frame) between times (frame + 1,)."""
    from matplotlib.ticker import MaxNLocator

    n_bands = len(values)
    heights = np.arange(n_bands + 1) - 0.5
    if frequencies is not None:
        order, centres = _rising(frequencies, n_bands)
        values, heights = values[order], _scale_to(axes, centres)
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
    # The lightness runs from paper to ink, so that a page can turn it round on a dark screen.
    norm, ticks = _colours(values, quantity, is_even)
    image = axes.pcolormesh(times, heights, values, cmap="BuPu", norm=norm, rasterized=True)
    figure = axes.get_figure(root=True)
    if colour_bar and figure is not None:
        scale = figure.colorbar(image, ax=axes, pad=0.01, aspect=30, ticks=ticks)
        if ticks is not None:
            scale.set_ticklabels([f"{tick:g}" for tick in ticks])
        scale.set_label(quantity)
        scale.outline.set_visible(False)


def _colours(values: np.ndarray, quantity: str, is_even: bool) -> "tuple[Normalize | None, list[float] | None]":
    """Return how values become colours, None for evenly, and what to write beside these, None for as usual."""
    from matplotlib.colors import AsinhNorm, LogNorm

    largest = float(np.abs(values).max())
    if quantity in _FAINTEST:
        is_loud = 0 < largest < np.inf
        return (LogNorm(largest * _FAINTEST[quantity], largest, clip=True) if is_loud else None), None
    typical = float(np.median(np.abs(values)))
    if is_even or not 0 < typical <= largest < np.inf:
        return None, None
    decades = [10.0**exponent for exponent in range(ceil(log10(typical)), floor(log10(largest)) + 1)]
    return AsinhNorm(typical), [*(-decade for decade in reversed(decades)), 0.0, *decades]


def _rising(frequencies: Any, n_bands: int) -> tuple[np.ndarray, np.ndarray]:
    """Return in which order bands are drawn, and at which frequencies; those that are the same are kept apart."""
    centres = np.asarray(frequencies.detach().cpu() if isinstance(frequencies, Tensor) else frequencies, np.float64)
    if centres.shape != (n_bands,) or not np.isfinite(centres).all():
        raise ValueError(f"frequencies: expected {n_bands} numbers, one a band, got shape {centres.shape}")
    order = np.argsort(centres, kind="stable")
    least = max(float(np.ptp(centres)), 1.0) * 1e-6
    return order, np.maximum.accumulate(centres[order] - least * np.arange(n_bands)) + least * np.arange(n_bands)


def _scale_to(axes: "Axes", centres: np.ndarray) -> np.ndarray:
    """Let an axis in hertz give each band the same height; return the edges of the bands, half-way between centres."""
    from matplotlib.ticker import MaxNLocator

    edges = (centres[1:] + centres[:-1]) / 2
    edges = np.concatenate(([2 * centres[0] - edges[0]], edges, [2 * centres[-1] - edges[-1]]))
    places = np.linspace(0, 1, 2 * len(centres) + 1)
    knots = np.empty(len(places))
    knots[::2], knots[1::2] = edges, centres
    axes.set_yscale(
        "function", functions=(lambda hz: np.interp(hz, knots, places), lambda place: np.interp(place, places, knots))
    )
    axes.set_ylim(edges[0], edges[-1])
    ticks = _octaves(knots, places)
    if len(ticks) < 2 or np.allclose(np.diff(centres), centres[1] - centres[0]):  # evenly spaced bands get even ticks
        even = MaxNLocator(10, steps=[1, 2, 2.5, 5, 10]).tick_values(edges[0], edges[-1])
        ticks = [hz for hz in even if edges[0] < hz < edges[-1]]
    axes.set_yticks(ticks, [f"{hz:g}" for hz in ticks])
    return edges


def _octaves(knots: np.ndarray, places: np.ndarray) -> list[float]:
    """Return those that have room, from the highest on down, as a scale in mel leaves none at its foot."""
    ticks: list[float] = []
    for hz in _OCTAVES:
        if knots[0] < hz < knots[-1]:
            if ticks and np.interp(ticks[-1], knots, places) - np.interp(hz, knots, places) < _APART:
                break
            ticks.append(hz)
    return ticks[::-1]
