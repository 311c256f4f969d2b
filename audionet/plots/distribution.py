"""Picture of the distributions that a network predicts for the samples of a waveform."""

import numpy as np
import torch
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torchaudio.functional import mu_law_decoding

from audionet.audio import PEAK_LIMIT
from audionet.checks import check_that
from audionet.plots.style import COLORS, PAPER_TO_INK, make_figure, make_plain_colorbar

_AMPLITUDES = (0.0, 1.0, 0.1, 0.01, 0.001, 0.5, 0.2, 0.05, 0.02)  # ticks, in this order, as long as there is room
_IMPROBABLE = 1e-4  # drawn white


def plot_distribution(
    probabilities: ArrayLike,
    *,
    samples: ArrayLike | None = None,
    sample_rate: int,
    title: str = "",
) -> Figure:
    """Plot the predicted distribution of each sample, dark where it is probable, and the actual samples as a line.

    All codes have the same height. Those of mu-law give quiet amplitudes most of the room, as in the network.

    Args:
        probabilities: Distribution of each sample over the codes of mu-law, given the samples before it, (time, code).
        samples: The waveform in [-1, 1], (time,); None for no line.
        sample_rate: In hertz.
        title: Title of the picture.

    Returns:
        The figure, which ``savefig`` writes to a file.

    Raises:
        ValueError: The probabilities are outside [0, 1] or of another shape, or the samples do not fit them.

    Example:
        >>> uniform = np.full((80, 256), 1 / 256)
        >>> figure = plot_distribution(uniform, samples=waveform[0, :80], sample_rate=sample_rate)
        >>> [axes.get_ylabel() for axes in figure.axes]
        ['amplitude', 'probability']
    """
    expected = np.asarray(probabilities)
    check_that(expected.ndim == 2 and expected.size, "probabilities", "(time, code)", expected.shape, "plot one clip")
    worst = float(expected.flat[np.abs(expected - 0.5).argmax()])
    check_that(0 <= worst < 1.001, "probabilities", "numbers from 0 to 1", worst, "take the softmax first")
    time, n_codes = expected.shape
    codes, amplitudes = np.arange(n_codes), np.asarray(mu_law_decoding(torch.arange(n_codes), n_codes))
    figure, axes = make_figure(10.0, 3.6, title=title)
    image = axes.imshow(
        expected.T,
        cmap=PAPER_TO_INK,
        norm=LogNorm(_IMPROBABLE, 1.0, clip=True),
        origin="lower",
        aspect="auto",
        extent=(0.0, time / sample_rate, -0.5, n_codes - 0.5),
    )
    if samples is not None:
        line = np.interp(_checked_samples(samples, time), amplitudes, codes)
        axes.plot((np.arange(time) + 0.5) / sample_rate, line, color=COLORS[1], linewidth=0.8)
    ticks = _round_amplitudes(amplitudes)
    axes.set_yticks(np.interp(ticks, amplitudes, codes), [f"{tick:g}" for tick in ticks])
    axes.set_xlabel("time (s)")
    axes.set_ylabel("amplitude")
    make_plain_colorbar(figure.colorbar(image, aspect=30, pad=0.01, format="%g"), "probability")
    return figure


def _checked_samples(samples: ArrayLike, time: int) -> np.ndarray:
    signal = np.asarray(samples)
    check_that(signal.shape == (time,), "samples", f"({time},), as the probabilities have", signal.shape)
    loudest, advice = float(np.abs(signal).max()), "convert codes by distribution.to_waveform"
    check_that(loudest <= PEAK_LIMIT, "samples", "a waveform in [-1, 1]", loudest, advice)
    return signal.clip(-1, 1)


def _round_amplitudes(amplitudes: np.ndarray) -> list[float]:
    """Return round amplitudes whose codes are far enough apart for labels."""
    chosen: dict[float, float] = {}  # amplitude: code
    for size in _AMPLITUDES:
        for amplitude in (size, -size):
            code = float(np.interp(amplitude, amplitudes, np.arange(len(amplitudes))))
            if all(abs(code - other) >= len(amplitudes) / 12 for other in chosen.values()):
                chosen[amplitude] = code
    return sorted(chosen)
