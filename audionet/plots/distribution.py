"""Picture of the distributions that a network predicts for the samples of a waveform."""

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from audionet.plots.style import COLORS, PAPER_TO_INK, make_figure, make_plain, make_plain_colorbar

_AMPLITUDES = (0.0, 1.0, 0.1, 0.01, 0.001, 0.5, 0.2, 0.05, 0.02)  # ticks, in this order, as long as there is room
_IMPROBABLE = 1e-4  # drawn white


def plot_distribution(
    probabilities: ArrayLike,
    *,
    samples: ArrayLike | None = None,
    sample_rate: int,
    amplitudes: ArrayLike | None = None,
    title: str = "",
) -> Figure:
    """Plot the predicted distribution of each sample, dark where it is probable, and the actual samples as a line.

    All bins have the same height. Those of the mu-law give quiet amplitudes most of the room, as in the network.

    Args:
        probabilities: Distribution of each sample given those before it, (time, bin).
        samples: The waveform in [-1, 1], (time,); None for no line.
        sample_rate: In hertz.
        amplitudes: Amplitude in the middle of each bin, (bin,), rising; None for mu-law codes, such as 256.
        title: Title of the picture.

    Returns:
        The figure, which ``savefig`` writes to a file.

    Raises:
        ValueError: The probabilities are outside [0, 1] or of another shape, or samples or amplitudes do not fit them.

    Example:
        >>> uniform = np.full((80, 256), 1 / 256)
        >>> figure = plot_distribution(uniform, samples=waveform[0, :80], sample_rate=sample_rate)
        >>> [axes.get_ylabel() for axes in figure.axes]
        ['amplitude', 'probability']
    """
    expected = _checked_probabilities(probabilities)
    time, n_bins = expected.shape
    middles = _mu_law_amplitudes(n_bins) if amplitudes is None else np.asarray(amplitudes)
    if middles.shape != (n_bins,) or (np.diff(middles) <= 0).any():
        raise ValueError(f"amplitudes: expected {n_bins} rising numbers, one a bin, got shape {middles.shape}")
    figure, axes = make_figure(10.0, 3.6)
    make_plain(axes, title=title)
    image = axes.imshow(
        expected.T,
        cmap=PAPER_TO_INK,
        norm=LogNorm(_IMPROBABLE, 1.0, clip=True),
        origin="lower",
        aspect="auto",
        extent=(0.0, time / sample_rate, -0.5, n_bins - 0.5),
    )
    if samples is not None:
        bins = np.interp(_checked_samples(samples, time), middles, np.arange(n_bins))
        axes.plot((np.arange(time) + 0.5) / sample_rate, bins, color=COLORS[1], linewidth=0.8)
    ticks = _round_amplitudes(middles)
    axes.set_yticks(np.interp(ticks, middles, np.arange(n_bins)), [f"{tick:g}" for tick in ticks])
    axes.set_xlabel("time (s)")
    axes.set_ylabel("amplitude")
    make_plain_colorbar(figure.colorbar(image, aspect=30, pad=0.01, format="%g"), "probability")
    return figure


def _checked_probabilities(probabilities: ArrayLike) -> np.ndarray:
    expected = np.asarray(probabilities)
    if expected.ndim != 2 or expected.size == 0:
        raise ValueError(f"probabilities: expected (time, bin), got shape {expected.shape}; plot one clip at a time")
    lowest, highest = expected.min(), expected.max()
    if lowest < 0 or highest > 1.001:
        raise ValueError(f"probabilities: expected 0 to 1, got {lowest:.3g} to {highest:.3g}; take the softmax first")
    return expected


def _checked_samples(samples: ArrayLike, time: int) -> np.ndarray:
    signal = np.asarray(samples)
    if signal.shape != (time,):
        raise ValueError(f"samples: expected ({time},), as the probabilities have, got shape {signal.shape}")
    if np.abs(signal).max() > 1:
        raise ValueError(
            f"samples: expected a waveform in [-1, 1], got up to {np.abs(signal).max():g}; "
            "convert codes by distribution.to_waveform"
        )
    return signal


def _mu_law_amplitudes(n_codes: int) -> np.ndarray:
    import torch
    from torchaudio.functional import mu_law_decoding

    amplitudes: np.ndarray = mu_law_decoding(torch.arange(n_codes), n_codes).numpy()
    return amplitudes


def _round_amplitudes(middles: np.ndarray) -> list[float]:
    """Return round amplitudes whose bins are far enough apart for labels."""
    chosen: dict[float, float] = {}  # amplitude: bin
    for size in _AMPLITUDES:
        for amplitude in (size, -size):
            place = float(np.interp(amplitude, middles, np.arange(len(middles))))
            is_free = all(abs(place - other) >= len(middles) / 12 for other in chosen.values())
            if middles[0] <= amplitude <= middles[-1] and is_free:
                chosen[amplitude] = place
    return sorted(chosen)
