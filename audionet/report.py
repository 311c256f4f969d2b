"""What a training run came to, as pictures and as one page that can be mailed.

Nothing here touches pyplot's global state, and the page loads nothing: pictures and sounds are inside it, and a
browser is told to refuse everything else.
"""

import csv
import io
import math
import os
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import ArrayLike

from audionet.audio import load_audio
from audionet.metrics import ClassScores, accuracy, check_confusion, per_class, ratio

_INK, _SOFT, _LINE = "#1f2328", "#59636e", "#d5dae0"
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")  # told apart by colour-blind eyes too (Okabe and Ito)
_DPI = 200
_WIDE = 16  # classes beyond which the confusion matrix takes the whole width of the page
_LEGIBLE = 5.0  # points: numbers that would have to be smaller are left out
_OCTAVES = [125 * 2**octave for octave in range(1, 11)]  # hertz


@dataclass(frozen=True)
class ReportClip:
    """A recording and what the network made of it.

    Attributes:
        path: A WAV file.
        truth: The label it should get.
        predictions: (label, probability), the most probable first.
    """

    path: Path
    truth: str
    predictions: Sequence[tuple[str, float]]


# ---- pictures ----------------------------------------------------------------------------------------------


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
    figure, axes = _figure(inches, inches)
    # The square root lets rare mistakes show beside a diagonal near 100%.
    norm = PowerNorm(0.5, vmin=0, vmax=100)
    percent = 100 * ratio(counts, counts.sum(1, keepdims=True))
    image = axes.imshow(percent, cmap="Blues", norm=norm)

    names = [label if len(label) <= 20 else f"{label[:19]}…" for label in labels]
    slanted = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    turned = {} if max(map(len, names)) <= 2 else {"rotation": 90} if n_classes > _WIDE else slanted
    size = min(10.0, 0.55 * 72 * inches / n_classes)
    axes.set_xticks(range(n_classes), names, fontsize=size, parse_math=False, **turned)
    axes.set_yticks(range(n_classes), names, fontsize=size, parse_math=False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_xticks(np.arange(1, n_classes) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, n_classes) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_color(_LINE)

    digits = len(f"{counts.max():.0f}")
    size = min(10.0, 0.75 * 72 * inches / n_classes / (0.65 * max(digits, 2)))
    for true, predicted in np.argwhere(counts) if size >= _LEGIBLE else ():
        colour = "white" if norm(percent[true, predicted]) > 0.6 else _INK
        text = f"{counts[true, predicted]:.0f}"
        axes.text(predicted, true, text, color=colour, fontsize=size, ha="center", va="center")

    scale = figure.colorbar(image, shrink=0.6, aspect=30, pad=0.02, ticks=[0, 1, 5, 20, 50, 100], format="%d%%")
    scale.set_label("share of the clips of that true label", color=_SOFT)
    scale.ax.tick_params(length=0, labelsize=9, labelcolor=_SOFT)
    scale.outline.set_visible(False)
    return figure


def plot_curves(history: Path) -> Figure:
    """Picture how training went: loss, accuracy and learning rate, each where it was recorded.

    Args:
        history: metrics.csv of Lightning's CSVLogger, with any of the columns train_loss, validation_loss,
            validation_accuracy, test_accuracy and lr-...

    Raises:
        ValueError: The file cannot be read, or holds something other than numbers.

    Example:
        >>> plot_curves(Path("runs/words/metrics.csv")).savefig("curves.png")  # doctest: +SKIP
    """
    unit, curves = _read_history(history)
    rates = {name: name for name in curves if name.startswith("lr-")}
    panels = {
        "loss": {"train_loss": "training", "validation_loss": "validation"},
        "accuracy": {"train_accuracy": "training", "validation_accuracy": "validation"},
        "learning rate": rates,
    }
    panels = {title: names for title, names in panels.items() if names.keys() & curves.keys()}
    heights = [0.45 if title == "learning rate" else 1.0 for title in panels]
    figure = Figure(figsize=(5.6, 5.6), layout="constrained")
    if not panels:
        figure.text(0.5, 0.5, "no curves were recorded", color=_SOFT, ha="center")
        return figure

    all_axes = figure.subplots(len(panels), sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (title, names) in zip(all_axes, panels.items(), strict=True):
        _plain(axes)
        axes.set_ylabel(title)
        for colour, (name, label) in zip(_COLOURS, names.items(), strict=False):
            if name in curves:
                _draw_curve(axes, *curves[name], colour=colour, label=label, noisy=name == "train_loss")
        if title == "accuracy":
            axes.yaxis.set_major_formatter(PercentFormatter(1.0))
            if "test_accuracy" in curves:
                tested = curves["test_accuracy"][1][-1]
                axes.axhline(
                    tested, color=_COLOURS[2], linestyle="--", linewidth=1.4, label=f"test, {tested:.1%}", zorder=1
                )
        if title != "learning rate" or len(names) > 1:
            axes.legend(frameon=False, labelcolor=_INK)
    all_axes[-1].set_xlabel(unit)
    figure.align_ylabels()
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
    from librosa import hz_to_mel, mel_frequencies, mel_to_hz

    values = np.asarray(spectrogram)
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"a spectrogram is (n_mels, frame); this one has shape {values.shape}")
    n_mels, n_frames = values.shape
    htk = mel_scale == "htk"
    top = sample_rate / 2 if f_max is None else f_max
    # Bands overlap: each is drawn from half-way to the centre below it to half-way to the centre above.
    edges = mel_frequencies(2 * n_mels + 3, fmin=f_min, fmax=top, htk=htk)[1::2]

    figure, axes = _figure(3.4, 1.8)
    axes.set_yscale("function", functions=(lambda hz: hz_to_mel(hz, htk=htk), lambda mel: mel_to_hz(mel, htk=htk)))
    # The lightness runs from paper to ink, so that the page can turn it round on a dark screen.
    axes.pcolormesh(np.linspace(0, seconds, n_frames + 1), edges, values, cmap="BuPu", rasterized=True)
    axes.set_ylim(edges[0], edges[-1])
    octaves = [hz for hz in _OCTAVES if edges[0] < hz < edges[-1]]
    if len(octaves) > 1:
        axes.set_yticks(octaves, map(str, octaves))
    axes.set_xlabel("time (s)")
    axes.set_ylabel("frequency (Hz)")
    axes.set_title(title, color=_INK, loc="left", parse_math=False)
    return figure


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    """Return a figure of so many inches and its only axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    _plain(axes, grid=False)
    return figure, axes


def _plain(axes: Axes, grid: bool = True) -> None:
    """Take away what is not data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[:].set_color(_LINE)
    axes.tick_params(color=_LINE, labelcolor=_INK, labelsize=9)
    axes.xaxis.label.set_color(_SOFT)
    axes.yaxis.label.set_color(_SOFT)
    if grid:
        axes.grid(color=_LINE, linewidth=0.6, alpha=0.6)
        axes.set_axisbelow(True)


def _draw_curve(axes: Axes, x: np.ndarray, values: np.ndarray, *, colour: str, label: str, noisy: bool) -> None:
    """Draw a line; for a noisy one of many points its running mean, with the line itself pale behind."""
    span = len(values) // 25
    if noisy and span > 3:
        axes.plot(x, values, color=colour, linewidth=0.8, alpha=0.3)
        values = np.convolve(values, np.full(span, 1 / span), mode="valid")
        x, label = x[span // 2 :][: len(values)], f"{label} (running mean)"
    axes.plot(x, values, color=colour, linewidth=1.6, marker="o" if len(x) < 20 else "", markersize=3, label=label)


def _read_history(path: Path) -> tuple[str, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Return what the horizontal axis counts, and (position, value) of the filled cells of each column."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = [{name: float(cell) for name, cell in row.items() if cell} for row in csv.DictReader(file)]
    except (OSError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: no history of numbers ({error}); give the metrics.csv of CSVLogger") from error
    # Steps and epochs count from 0, and the last step of an epoch is always recorded if any of validation is.
    rates = [(row["step"] + 1) / (row["epoch"] + 1) for row in rows if row.keys() >= {"step", "epoch"}]
    steps_per_epoch = max(rates, default=1.0)
    curves: dict[str, list[tuple[float, float]]] = {}
    for index, row in enumerate(rows):
        position = (row.get("step", index) + 1) / steps_per_epoch
        for name, value in row.items():
            curves.setdefault(name, []).append((position, value))
    columns = {name: np.array(points).T for name, points in curves.items()}
    return "epoch" if rates else "step", {name: (x, values) for name, (x, values) in columns.items()}


# ---- the page ----------------------------------------------------------------------------------------------


def write(
    folder: Path,
    *,
    title: str,
    facts: Mapping[str, str],
    labels: Sequence[str],
    confusion: ArrayLike,
    history: Path,
    clips: Sequence[ReportClip] = (),
) -> Path:
    """Write confusion.png, curves.png and report.html, one page with everything in it.

    Args:
        folder: Where to; made if it is missing. Files of these names are replaced.
        title: Heading of the page.
        facts: What to know about the run, such as data, model, seed, training time and command.
        labels: Name of each class.
        confusion: (true, predicted), counts over the test clips.
        history: metrics.csv of Lightning's CSVLogger.
        clips: Recordings to show and play.

    Returns:
        The path of report.html.

    Raises:
        ValueError: The confusion matrix, the history or a clip cannot be used.

    Example:
        >>> write(Path("demo"), title="Words", facts={"seed": "0"}, labels=labels, confusion=confusion,
        ...       history=Path("runs/words/metrics.csv"))  # doctest: +SKIP
    """
    scores = per_class(confusion, labels)
    n_clips = sum(score.support for score in scores)
    matrix, curves = _png(plot_confusion(confusion, labels)), _png(plot_curves(history))
    page = _PAGE.substitute(
        style=_STYLE,
        title=escape(title),
        accuracy=f"{accuracy(confusion):.1%}",
        n_right=f"{np.trace(np.asarray(confusion)):,.0f}",
        n_clips=f"{n_clips:,}",
        facts="".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items()),
        curves=_image(curves, "Loss, accuracy and learning rate in the course of training"),
        matrix=_image(matrix, "Confusion matrix; the table of labels says the same label by label"),
        width="wide" if len(labels) > _WIDE else "",
        scores="".join(map(_score_row, scores)),
        clips=f'<h2>Listen</h2><div class="clips">{"".join(map(_clip_card, clips))}</div>' if clips else "",
    )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _write_whole(folder / "confusion.png", matrix)
    _write_whole(folder / "curves.png", curves)
    _write_whole(folder / "report.html", page.encode())
    return folder / "report.html"


def _score_row(score: ClassScores) -> str:
    shares = "".join(f"<td>{share:.1%}</td>" for share in (score.precision, score.recall, score.f1))
    return f'<tr><th scope="row">{escape(score.label)}</th>{shares}<td>{score.support:,}</td></tr>'


def _clip_card(clip: ReportClip) -> str:
    if not clip.predictions:
        raise ValueError(f"{clip.path}: no predictions; give at least one (label, probability)")
    right = clip.predictions[0][0] == clip.truth
    verdict = '<span class="right">✓ right</span>' if right else '<span class="wrong">✗ wrong</span>'
    picture = _png(_clip_spectrogram(clip.path))
    marks = ("", ' class="truth"')
    bars = "".join(
        f'<tr{marks[label == clip.truth]}><th scope="row">{escape(label)}</th>'
        f'<td><span class="bar" style="width:{100 * probability:.1f}%"></span></td><td>{probability:.1%}</td></tr>'
        for label, probability in clip.predictions
    )
    sound = b64encode(Path(clip.path).read_bytes()).decode()
    return (
        f'<article class="card"><h3>{escape(clip.truth)} {verdict}</h3>'
        f"{_image(picture, f'Spectrogram of {clip.truth}')}"
        f'<audio controls preload="metadata" src="data:audio/wav;base64,{sound}"></audio>'
        f'<table class="bars"><tbody>{bars}</tbody></table><p class="file">{escape(Path(clip.path).name)}</p></article>'
    )


def _clip_spectrogram(path: Path) -> Figure:
    """Picture a file as a recogniser's front-end hears it: 40 bands, windows of 30 ms every 10 ms."""
    from audionet.features import LogMel

    waveform, rate = load_audio(path, mono=True)
    window = round(0.03 * rate)
    log_mel = LogMel(
        sample_rate=rate,
        win_length=window,
        n_fft=max(512, 2 ** math.ceil(math.log2(window))),  # finer than the narrowest band at any rate
        hop_length=round(0.01 * rate),
        scale="db",
        offset=1e-10,
        top_db=60.0,
        pad_mode="constant",  # takes clips shorter than a window
    )
    return plot_spectrogram(log_mel(waveform)[0], seconds=waveform.shape[-1] / rate, sample_rate=rate)


def _png(figure: Figure) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=_DPI, bbox_inches="tight", pad_inches=0.05)
    return content.getvalue()


def _image(png: bytes, description: str) -> str:
    return f'<img alt="{escape(description)}" src="data:image/png;base64,{b64encode(png).decode()}">'


def _write_whole(path: Path, content: bytes) -> None:
    """Write beside the place and rename, so that a reader never finds half a file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


_STYLE = """
:root {
  color-scheme: light dark;
  --page: #f4f5f7; --card: #fff; --ink: #1f2328; --soft: #59636e; --line: #e2e6ea;
  --bar: #0072b2; --right: #00674b; --wrong: #a33c00;
}
@media (prefers-color-scheme: dark) {
  :root { --page: #0c0c0d; --card: #171717; --ink: #e8e8e8; --soft: #a2a8af; --line: #303236;
    --bar: #56b4e9; --right: #5ad1a4; --wrong: #ff9d6b; }
  img { filter: invert(.91) hue-rotate(180deg); } /* the pictures' white becomes the card's #171717 */
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: clamp(1rem, 4vw, 3rem); background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.25rem; font-weight: 600; margin: 0; }
h2 { font-size: 1.05rem; font-weight: 600; margin: 0 0 1rem; }
h3 { font-size: 1rem; font-weight: 600; margin: 0 0 .75rem; display: flex; justify-content: space-between; gap: 1rem; }
h1, h3, dd, .bars th, .file { overflow-wrap: anywhere; }
.headline { margin: 0 0 2rem; color: var(--soft); }
.headline strong { display: block; color: var(--ink); font-size: clamp(3rem, 12vw, 4.5rem); line-height: 1.15;
  font-weight: 650; letter-spacing: -.03em; }
.grid, .clips { display: grid; gap: 1.25rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 28rem), 1fr)); }
.clips { grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); }
.grid { margin-bottom: 2.5rem; }
.wide { grid-column: 1 / -1; }
.wide img { min-width: 44rem; } /* the card scrolls on a phone */
.card { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 1.25rem; min-width: 0;
  overflow-x: auto; break-inside: avoid; }
img { display: block; width: 100%; height: auto; }
audio { display: block; width: 100%; height: 2.5rem; margin: .75rem 0; }
dl { display: grid; grid-template-columns: max-content 1fr; margin: 0; }
dt, dd { margin: 0; padding: .45rem 0; border-top: 1px solid var(--line); }
dt { color: var(--soft); padding-right: 1.5rem; }
dt:first-of-type, dt:first-of-type + dd { border-top: 0; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 400; }
td, thead th:not(:first-child) { text-align: right; }
thead th { color: var(--soft); }
.scores :is(td, th) { padding: .3rem 0 .3rem clamp(.4rem, 2%, .75rem); border-bottom: 1px solid var(--line); }
.scores :is(td, th):first-child { padding-left: 0; }
@media (max-width: 30rem) { .scores { font-size: .875rem; } }
.bars th { width: 30%; padding-right: .75rem; }
.bars td:last-child { width: 4rem; }
.bars .truth th { font-weight: 650; }
.bar { display: block; height: .6rem; min-width: 1px; border-radius: .3rem; background: var(--bar); }
.right { color: var(--right); }
.wrong { color: var(--wrong); }
.file { margin: .75rem 0 0; color: var(--soft); font-size: .85rem; }
"""

_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:">
<link rel="icon" href="data:,">
<title>$title: $accuracy</title>
<style>$style</style>
</head>
<body>
<header>
<h1>$title</h1>
<p class="headline"><strong>$accuracy</strong> accuracy: $n_right of $n_clips test clips named right</p>
</header>
<main>
<div class="grid">
<section class="card"><h2>The run</h2><dl>$facts</dl></section>
<section class="card"><h2>Training</h2>$curves</section>
<section class="card $width"><h2>What was taken for what</h2>$matrix</section>
<section class="card $width"><h2>Label by label</h2>
<table class="scores">
<thead><tr><th scope="col">label</th><th scope="col">precision</th><th scope="col">recall</th>
<th scope="col">F1</th><th scope="col">clips</th></tr></thead>
<tbody>$scores</tbody>
</table></section>
</div>
$clips
</main>
</body>
</html>
""")
