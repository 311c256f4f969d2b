"""Pictures of what a network took for what, of a sound, and of what a network expected of it."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import LogNorm, PowerNorm
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from audionet.metrics import check_confusion, ratio
from audionet.plots.style import COLOURS, INK, LINE, make_figure, make_plain_scale

WIDE = 16  # classes beyond which the confusion matrix takes the whole width of the page
_LEGIBLE = 5.0  # points: numbers that would have to be smaller are left out
_AMPLITUDES = (0.0, 1.0, 0.1, 0.01, 0.001, 0.5, 0.2, 0.05, 0.02)  # marked in this order as long as there is room
_IMPROBABLE = 1e-4  # drawn white


def plot_confusion(confusion: ArrayLike, labels: Sequence[str]) -> Figure:
    """Picture a confusion matrix: counts in the cells while they fit, coloured by their share of the row.

    Args:
        confusion: (true, predicted), counts.
        labels: Name of each row and column.

    Raises:
        ValueError: It is no confusion matrix, or has another size than the labels.

    Example:
        >>> plot_confusion([[3, 1], [0, 4]], ["yes", "no"]).savefig("confusion.png")  # doctest: +SKIP
    """
    counts = check_confusion(confusion, labels)
    n_classes = len(counts)
    inches = min(max(5.6, 0.29 * n_classes), 24.0)
    figure, axes = make_figure(inches, inches)
    # The square root lets rare mistakes show beside a diagonal near 100%.
    norm = PowerNorm(0.5, vmin=0, vmax=100)
    percent = 100 * ratio(counts, counts.sum(1, keepdims=True))
    image = axes.imshow(percent, cmap="Blues", norm=norm)

    names = [label if len(label) <= 20 else f"{label[:19]}…" for label in labels]
    slanted = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    turned = {} if max(map(len, names)) <= 2 else {"rotation": 90} if n_classes > WIDE else slanted
    size = min(10.0, 0.55 * 72 * inches / n_classes)
    axes.set_xticks(range(n_classes), names, fontsize=size, parse_math=False, **turned)
    axes.set_yticks(range(n_classes), names, fontsize=size, parse_math=False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_xticks(np.arange(1, n_classes) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, n_classes) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_color(LINE)

    digits = len(f"{counts.max():.0f}")
    size = min(10.0, 0.75 * 72 * inches / n_classes / (0.65 * max(digits, 2)))
    for true, predicted in np.argwhere(counts) if size >= _LEGIBLE else ():
        colour = "white" if norm(percent[true, predicted]) > 0.6 else INK
        text = f"{counts[true, predicted]:.0f}"
        axes.text(predicted, true, text, color=colour, fontsize=size, ha="center", va="center")

    scale = figure.colorbar(image, shrink=0.6, aspect=30, pad=0.02, ticks=[0, 1, 5, 20, 50, 100], format="%d%%")
    make_plain_scale(scale, "share of the clips of that true label")
    return figure


def plot_spectrogram(
    spectrogram: ArrayLike,
    *,
    seconds: float,
    sample_rate: int,
    f_min: float = 0.0,
    f_max: float | None = None,
    mel_scale: str = "htk",
    title: str = "",
) -> Figure:
    """Picture a mel spectrogram, dark where the sound is.

    Args:
        spectrogram: (n_mels, frame), any monotonic measure of power.
        seconds: Duration of the sound.
        sample_rate: In hertz.
        f_min: Lower edge of the first band in hertz.
        f_max: Upper edge of the last band in hertz; None for half the sample rate.
        mel_scale: "htk" or "slaney", as the spectrogram was made.
        title: Written above it.

    Raises:
        ValueError: The spectrogram is not (n_mels, frame).

    Example:
        >>> picture = plot_spectrogram(LogMel()(waveform)[0], seconds=1.0, sample_rate=16_000)  # doctest: +SKIP
    """
    from librosa import mel_frequencies

    from audionet.plots.features import plot

    values = np.asarray(spectrogram)
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"a spectrogram is (n_mels, frame); this one has shape {values.shape}")
    n_mels, n_frames = values.shape
    top = sample_rate / 2 if f_max is None else f_max
    centres = mel_frequencies(n_mels + 2, fmin=f_min, fmax=top, htk=mel_scale == "htk")[1:-1]
    figure, axes = make_figure(3.4, 1.8)
    plot(
        values,
        sample_rate=sample_rate,
        hop_length=seconds
        * sample_rate
        / max(n_frames - 1, 1),  # frames are centred, from the first sample to the last
        frequencies=centres,
        seconds=seconds,
        colour_bar=False,
        axes=axes,
    )
    axes.set_title(title, color=INK, loc="left", parse_math=False)
    return figure


def plot_distribution(
    probabilities: ArrayLike,
    *,
    samples: ArrayLike | None = None,
    sample_rate: int,
    amplitudes: ArrayLike | None = None,
    title: str = "",
) -> Figure:
    """Picture what a network expected at each moment, dark where it was sure, and what came as a line over it.

    Every bin gets the same height: with the codes of mu-law quiet sounds get most of the room, as in the network.

    Args:
        probabilities: (time, bin), of each sample given those before it.
        samples: (time,), the signal in [-1, 1]; None for no line.
        sample_rate: In hertz.
        amplitudes: (bin,), rising, the middle of each bin; None for the codes of mu-law, such as 256.
        title: Written above it.

    Raises:
        ValueError: The probabilities are none, or the samples or amplitudes do not fit them.

    Example:
        >>> outputs = model(samples, conditions)[0].softmax(-1)  # doctest: +SKIP
        >>> signal = model.distribution.to_waveform(samples)[0]  # doctest: +SKIP
        >>> plot_distribution(outputs, samples=signal, sample_rate=8000).savefig("heat_map.png")  # doctest: +SKIP
    """
    expected = np.asarray(probabilities)
    if expected.ndim != 2 or expected.size == 0:
        raise ValueError(f"probabilities are (time, bin); these have shape {expected.shape}")
    if expected.min() < 0 or expected.max() > 1.001:
        lowest, highest = expected.min(), expected.max()
        raise ValueError(f"probabilities: expected 0 to 1, got {lowest:.3g} to {highest:.3g}; take the softmax first")
    time, n_bins = expected.shape
    middles = _mu_law_amplitudes(n_bins) if amplitudes is None else np.asarray(amplitudes)
    if middles.shape != (n_bins,) or (np.diff(middles) <= 0).any():
        raise ValueError(f"amplitudes: expected {n_bins} rising numbers, one a bin, got shape {middles.shape}")

    figure, axes = make_figure(10.0, 3.6)
    seconds = time / sample_rate
    image = axes.imshow(
        expected.T,
        cmap="BuPu",  # from paper to ink, as in the spectrogram
        norm=LogNorm(_IMPROBABLE, 1.0, clip=True),
        origin="lower",
        aspect="auto",
        extent=(0.0, seconds, -0.5, n_bins - 0.5),
    )
    if samples is not None:
        signal = np.asarray(samples)
        if signal.shape != (time,):
            raise ValueError(f"samples: expected {time}, one a row of the probabilities, got shape {signal.shape}")
        if np.abs(signal).max() > 1:
            raise ValueError("samples: expected a signal in [-1, 1]; codes become one by distribution.to_waveform")
        moments = (np.arange(time) + 0.5) / sample_rate
        axes.plot(moments, np.interp(signal, middles, np.arange(n_bins)), color=COLOURS[1], linewidth=0.8)
    ticks = _round_amplitudes(middles)
    axes.set_yticks(np.interp(ticks, middles, np.arange(n_bins)), [f"{tick:g}" for tick in ticks])
    axes.set_xlabel("time (s)")
    axes.set_ylabel("amplitude")
    axes.set_title(title, color=INK, loc="left", parse_math=False)
    scale = figure.colorbar(image, aspect=30, pad=0.01, format="%g")
    make_plain_scale(scale, "probability")
    return figure


def _mu_law_amplitudes(n_codes: int) -> np.ndarray:
    import torch
    from torchaudio.functional import mu_law_decoding

    return mu_law_decoding(torch.arange(n_codes), n_codes).numpy()


def _round_amplitudes(middles: np.ndarray) -> list[float]:
    """Return round amplitudes whose bins are far enough apart to be written side by side."""
    chosen: dict[float, float] = {}  # amplitude: bin
    for size in _AMPLITUDES:
        for amplitude in (size, -size):
            place = float(np.interp(amplitude, middles, np.arange(len(middles))))
            is_free = all(abs(place - other) >= len(middles) / 12 for other in chosen.values())
            if middles[0] <= amplitude <= middles[-1] and is_free:
                chosen[amplitude] = place
    return sorted(chosen)
