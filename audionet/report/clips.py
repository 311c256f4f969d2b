"""Clips in a report: spectrogram, player, and the predictions of a recogniser."""

import itertools
import math
import os
import sys
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from audionet.audio import load_audio, save_audio
from audionet.checks import check_that, listed
from audionet.features.spectral import LogMel
from audionet.files import safe_names
from audionet.plots.distribution import plot_distribution
from audionet.plots.features import plot_features
from audionet.plots.style import make_figure, png
from audionet.report.page import image, shown

if TYPE_CHECKING:
    from audionet.inference import Generator, Recognizer


@dataclass(frozen=True)
class ReportClip:
    """A recorded or generated clip, and the predictions of a recogniser for it.

    Attributes:
        path: Path of a WAV file.
        truth: The true label, or another name for the clip.
        predictions: (label, probability), the most probable first; empty without a recogniser.
        conditions: Other values that it was generated from, such as {"speaker": "jackson"}.
        recording: Path of a recording to compare a generated clip with; None for none.
    """

    path: Path
    truth: str
    predictions: Sequence[tuple[str, float]] = ()
    conditions: Mapping[str, str] = field(default_factory=dict)
    recording: Path | None = None

    @property
    def is_right(self) -> bool:
        """Whether the most probable label is the true one."""
        return bool(self.predictions) and self.predictions[0][0] == self.truth


def save_generated(
    folder: str | os.PathLike[str],
    waveforms: Iterable[Tensor],
    sample_rate: int,
    values: Mapping[str, Sequence[str]],
    judge: "Recognizer | None" = None,
    recordings: Iterable[Tensor] | None = None,
) -> list[ReportClip]:
    """Write generated clips as WAV files, with the predictions of a recogniser for them.

    The folder's WAV files of earlier calls, whose names begin with a number, are removed.

    Args:
        folder: Folder of the files, created if it is missing.
        waveforms: Clips, (time,) each.
        sample_rate: In hertz.
        values: Values that the clips were generated from, {category: one for each clip}. Those of "label" become the
            true labels, the others the conditions.
        judge: A recogniser; None for no predictions.
        recordings: A recording to compare each clip with, (time,), written into a folder ``recorded`` beside the other
            one; None for none.

    Returns:
        The clips, for a report.
    """
    folder = Path(folder)
    beside = None if recordings is None else numbered_folder(folder.with_name("recorded"))
    folder = numbered_folder(folder)
    clips = []
    real = itertools.repeat(None) if recordings is None else recordings
    for number, (waveform, recording) in enumerate(zip(waveforms, real, strict=False)):
        conditions = {category: names[number] for category, names in values.items()}
        name = numbered_name(number, *conditions.values())
        save_audio(folder / name, waveform, sample_rate)
        heard = () if judge is None else judge.recognize(waveform, sample_rate, top_k=3)
        label = conditions.pop("label", "")
        if beside is not None and recording is not None:
            save_audio(beside / name, recording, sample_rate)
        clips.append(ReportClip(folder / name, label, heard, conditions, beside and beside / name))
    return clips


def load_judge(name: str | None, labels: Iterable[str]) -> "Recognizer | None":
    """Load a recogniser that is to judge generated clips, if it knows what they are.

    Args:
        name: Name or path of the recogniser; None for none.
        labels: Labels of the corpus that the generator learns from.

    Returns:
        The recogniser; None, with a sentence on standard error, where it does not know all labels.

    Raises:
        BundleError: There is no such recogniser.
    """
    from audionet.inference import load

    if name is None:
        return None
    judge = load(name, task="recognition")
    unknown = [label for label in labels if label not in judge.labels]
    if not unknown:
        return judge
    safe = ascii(listed(unknown))[1:-1]
    print(f"judge: {name} does not know {safe}, so it does not judge what is generated", file=sys.stderr)
    return None


def numbered_folder(folder: Path) -> Path:
    """Make a folder for WAV files whose names begin with a number, and remove those that are in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("[0-9][0-9]*.wav"):
        path.unlink()
    return folder


def numbered_name(number: int, *texts: str) -> str:
    """Return the name of a WAV file: a number, and texts such as labels as far as a file name can have them."""
    name = "-".join([f"{number:02}", *texts])
    return safe_names([name], ".wav")[name]


def plot_clip(waveform: ArrayLike, sample_rate: int) -> Figure:
    """Plot the mel spectrogram of a waveform in decibels: 40 bands, windows of 30 ms every 10 ms.

    Args:
        waveform: (time,), of any length.
        sample_rate: In hertz.

    Returns:
        The figure, which ``savefig`` writes to a file.

    Raises:
        ValueError: The waveform is not (time,).

    Example:
        >>> plot_clip(waveform[0], sample_rate).axes[0].get_ylabel()
        'frequency (Hz)'
    """
    signal = torch.as_tensor(waveform, dtype=torch.float32)
    fits = signal.ndim == 1 and len(signal)
    check_that(fits, "waveform", "(time,)", tuple(signal.shape), "plot one channel at a time")
    window = round(0.03 * sample_rate)
    log_mel = LogMel(
        sample_rate=sample_rate,
        win_length=window,
        n_fft=max(512, 2 ** math.ceil(math.log2(window))),  # finer than the narrowest band at any rate
        hop_length=round(0.01 * sample_rate),
        scale="db",
        offset=1e-10,
        top_db=60.0,
        pad_mode="constant",  # accepts clips shorter than a window
    )
    axes = make_figure(3.4, 1.8)[1]
    return plot_features(log_mel(signal), log_mel, seconds=len(signal) / sample_rate, colorbar=False, axes=axes)


def plot_generated(
    generator: "Generator", waveform: Tensor, *, frames: Tensor | None = None, **categories: str | Sequence[str]
) -> dict[str, Figure]:
    """Plot the spectrogram of a generated clip, and the predicted distributions of 50 ms of its samples, or of all.

    Args:
        generator: The generator of the clip.
        waveform: (1, time).
        frames: Local conditioning of the clip; None for none.
        **categories: Values that it was generated from, such as ``label="seven"``.

    Returns:
        The figures "spectrogram" and "heat map".
    """
    rate = generator.sample_rate
    stop = min(rate * 3 // 20, waveform.shape[1])
    start = max(stop - rate // 20, 0)
    expected = generator.expect(waveform, frames=frames, **categories)[0, start:stop]
    heat_map = plot_distribution(expected, samples=waveform[0, start:stop], sample_rate=rate)
    return {"spectrogram": plot_clip(waveform[0], rate), "heat map": heat_map}


def generated_part(clips: Sequence[ReportClip]) -> str:
    """Return the HTML part of generated clips, with the number that a recogniser names right."""
    judged = [clip for clip in clips if clip.predictions and clip.truth]
    n_right = sum(clip.is_right for clip in judged)
    note = f'<p class="note">A recogniser names {n_right} of {len(judged)} right.</p>' if judged else ""
    return clips_part("Generated", clips, note)


def clips_part(heading: str, clips: Sequence[ReportClip], note: str = "") -> str:
    """Return the HTML part of clips: a heading, a note and a card for each clip. Without clips, it is empty.

    Raises:
        ValueError: A file cannot be read.
    """
    return f'<h2>{heading}</h2>{note}<div class="clips">{"".join(map(_card, clips))}</div>' if clips else ""


def _card(clip: ReportClip) -> str:
    conditions = ", ".join(f"{name} {value}" for name, value in clip.conditions.items())
    heads = ("", "") if clip.recording is None else ("<h4>generated</h4>", "<h4>recorded</h4>")
    return (
        f'<article class="card"><h3>{shown(clip.truth)} {_verdict(clip)}</h3>'
        + (f'<p class="note">{escape(conditions)}</p>' if conditions else "")
        + heads[0]
        + _sound(clip.path, f"Spectrogram of {clip.truth}")
        + _bars(clip)
        + (heads[1] + _sound(clip.recording, f"Spectrogram of a recording of {clip.truth}") if clip.recording else "")
        + f'<p class="file">{escape(Path(clip.path).name)}</p></article>'
    )


def _sound(path: Path, description: str) -> str:
    waveform, sample_rate = load_audio(path, mono=True)
    sound = b64encode(Path(path).read_bytes()).decode()
    return (
        image(png(plot_clip(waveform[0], sample_rate)), description)
        + f'<audio controls preload="metadata" src="data:audio/wav;base64,{sound}"></audio>'
    )


def _verdict(clip: ReportClip) -> str:
    if not clip.predictions or not clip.truth:
        return ""
    return '<span class="right">✓ right</span>' if clip.is_right else '<span class="wrong">✗ wrong</span>'


def _bars(clip: ReportClip) -> str:
    marks = ("", ' class="truth"')
    rows = "".join(
        f'<tr{marks[label == clip.truth]}><th scope="row">{shown(label)}</th>'
        f'<td><span class="bar" style="width:{100 * probability:.1f}%"></span></td><td>{probability:.1%}</td></tr>'
        for label, probability in clip.predictions
    )
    return f'<table class="bars"><tbody>{rows}</tbody></table>' if rows else ""
