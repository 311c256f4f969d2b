"""Clips as a report shows them: to see, to hear, and with what a recogniser takes them for."""

import math
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from audionet.audio import load_audio
from audionet.plots.confusion import plot_spectrogram
from audionet.plots.style import png
from audionet.report.page import image


@dataclass(frozen=True)
class ReportClip:
    """A recording, or generated audio, and what a recogniser made of it.

    Attributes:
        path: A WAV file.
        truth: The label it should get, or what else to call it.
        predictions: (label, probability), the most probable first; empty where no recogniser was asked.
        conditions: What else it was generated from, such as {"speaker": "jackson"}.
    """

    path: Path
    truth: str
    predictions: Sequence[tuple[str, float]] = ()
    conditions: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_right(self) -> bool:
        """Whether the most probable label is the true one."""
        return bool(self.predictions) and self.predictions[0][0] == self.truth


def plot_clip(waveform: ArrayLike, sample_rate: int) -> Figure:
    """Picture a sound as a recogniser's front-end hears it: 40 bands, windows of 30 ms every 10 ms.

    Args:
        waveform: (time,), of any length.
        sample_rate: In hertz.

    Raises:
        ValueError: The waveform is not (time,).

    Example:
        >>> plot_clip(waveform, 8000).savefig("seven.png")  # doctest: +SKIP
    """
    import torch

    from audionet.features import LogMel

    signal = torch.as_tensor(waveform, dtype=torch.float32)
    if signal.ndim != 1 or len(signal) == 0:
        raise ValueError(f"a sound to picture is (time,); this one has shape {tuple(signal.shape)}")
    window = round(0.03 * sample_rate)
    log_mel = LogMel(
        sample_rate=sample_rate,
        win_length=window,
        n_fft=max(512, 2 ** math.ceil(math.log2(window))),  # finer than the narrowest band at any rate
        hop_length=round(0.01 * sample_rate),
        scale="db",
        offset=1e-10,
        top_db=60.0,
        pad_mode="constant",  # takes clips shorter than a window
    )
    return plot_spectrogram(log_mel(signal), seconds=len(signal) / sample_rate, sample_rate=sample_rate)


def generated_part(clips: Sequence[ReportClip]) -> str:
    """The part of a page that plays generated clips; says how many a recogniser took for what they should be."""
    if not clips:
        return ""
    judged = [clip for clip in clips if clip.predictions]
    n_right = sum(clip.is_right for clip in judged)
    note = f"A recogniser took {n_right} of {len(judged)} for what they should be."
    return f'<h2>Generated</h2>{f"""<p class="note">{note}</p>""" if judged else ""}{clip_cards(clips)}'


def clip_cards(clips: Sequence[ReportClip]) -> str:
    """Return one card a clip, as HTML.

    Raises:
        ValueError: A file cannot be read.
    """
    return f'<div class="clips">{"".join(map(_card, clips))}</div>'


def _card(clip: ReportClip) -> str:
    waveform, sample_rate = load_audio(clip.path, mono=True)
    picture = png(plot_clip(waveform[0], sample_rate))
    conditions = ", ".join(f"{name} {value}" for name, value in clip.conditions.items())
    sound = b64encode(Path(clip.path).read_bytes()).decode()
    return (
        f'<article class="card"><h3>{escape(clip.truth)} {_verdict(clip)}</h3>'
        + (f'<p class="note">{escape(conditions)}</p>' if conditions else "")
        + image(picture, f"Spectrogram of {clip.truth}")
        + f'<audio controls preload="metadata" src="data:audio/wav;base64,{sound}"></audio>'
        + _bars(clip)
        + f'<p class="file">{escape(Path(clip.path).name)}</p></article>'
    )


def _verdict(clip: ReportClip) -> str:
    if not clip.predictions:
        return ""
    return '<span class="right">✓ right</span>' if clip.is_right else '<span class="wrong">✗ wrong</span>'


def _bars(clip: ReportClip) -> str:
    marks = ("", ' class="truth"')
    rows = "".join(
        f'<tr{marks[label == clip.truth]}><th scope="row">{escape(label)}</th>'
        f'<td><span class="bar" style="width:{100 * probability:.1f}%"></span></td><td>{probability:.1%}</td></tr>'
        for label, probability in clip.predictions
    )
    return f'<table class="bars"><tbody>{rows}</tbody></table>' if rows else ""
