"""What a page about a network looks at: the network, clips, and recordings."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor

from audionet.bundle import Bundle
from audionet.checks import check_one_of, check_that
from audionet.features import FrontEnd
from audionet.inference import Embedder, Recognizer
from audionet.insight.neighbors import Embedded
from audionet.models import Layer

BATCH = 32  # clips that go through the network at once


class LeftOut(ValueError):
    """A part of the page that does not apply; the message says why."""


@dataclass(frozen=True, eq=False)
class HeardClip:
    """A clip to look at.

    Attributes:
        path: The file.
        truth: What is said in it; empty where it is not known.
        waveform: What the network hears, (clip_length,).
        spectrogram: What the front-end makes of it, (1, 1, band, frame).
        seconds: Length of the recording.
        predictions: The most probable labels with their probabilities; empty without a classifier.
    """

    path: Path
    truth: str
    waveform: np.ndarray
    spectrogram: Tensor
    seconds: float
    predictions: Sequence[tuple[str, float]] = ()

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.path.name

    @property
    def is_silent(self) -> bool:
        """Whether there is no sound in it."""
        return not np.any(self.waveform)


@dataclass(frozen=True, eq=False)
class Subject:
    """A trained network and what it is looked at with.

    Attributes:
        name: Name or path of the bundle.
        bundle: The network, its front-end and their description.
        embedder: Their use, to the embedding.
        recognizer: Their use, to labels; None for a bundle without labels.
        layers: Every layer of the network with its size, cost and receptive field.
        clips: Clips to look at.
        recordings: Embeddings of recordings; None without any.
        training: Embeddings of training clips; None without any.
        label: Label whose evidence is asked for; None for the answer to each clip.
        seed: Number that decides what is drawn.
        room: Bytes that the sounds of the map of recordings may take in the page.
    """

    name: str
    bundle: Bundle
    embedder: Embedder
    recognizer: Recognizer | None
    layers: tuple[Layer, ...]
    clips: tuple[HeardClip, ...] = ()
    recordings: Embedded | None = None
    training: Embedded | None = None
    label: str | None = None
    seed: int = 0
    room: int = 9_000_000

    @property
    def sample_rate(self) -> int:
        """Samples per second of what the network hears."""
        return self.bundle.sample_rate

    @property
    def network(self) -> torch.nn.Module:
        """The network."""
        return self.bundle.model.module

    @property
    def front_end(self) -> FrontEnd:
        """The front-end."""
        return cast(FrontEnd, self.embedder.front_end)

    def asked(self, clip: HeardClip) -> str:
        """Return the label whose evidence is asked for in a clip."""
        return self.label or clip.predictions[0][0]

    def hear(self, path: Path) -> np.ndarray:
        """Return what the network hears of a file, (clip_length,)."""
        return self.embedder.hearing.file(path).clip

    def spectrograms(self, found: Embedded, rows: Sequence[int]) -> Iterator[Tensor]:
        """Yield batches of spectrograms (batch, 1, band, frame) of some rows of recordings."""
        for start in range(0, len(rows), BATCH):
            clips = [self.hear(found.folder / found.clips[row].path) for row in rows[start : start + BATCH]]
            with torch.no_grad():
                yield self.front_end(torch.from_numpy(np.stack(clips))[:, None].float())


def heard(
    embedder: Embedder, recognizer: Recognizer | None, *, path: Path, truth: str, waveform: np.ndarray, seconds: float
) -> HeardClip:
    """Return a clip (clip_length,) to look at, with what the network answers."""
    with torch.no_grad():
        spectrogram = embedder.front_end(torch.from_numpy(waveform).float()[None, None])
    predictions = () if recognizer is None else recognizer.recognize(waveform, embedder.sample_rate, top_k=3)
    return HeardClip(path, truth, waveform, spectrogram, seconds, tuple(predictions))


def check_sound(bundle: Bundle, label: str | None) -> None:
    """Refuse a network whose weights are not numbers, and a label that it does not know.

    Raises:
        ValueError: A weight is not finite, the label is unknown, or the bundle knows none.
    """
    broken = [name for name, weight in bundle.model.module.state_dict().items() if not torch.isfinite(weight).all()]
    expected = "weights that are finite numbers"
    check_that(not broken, "model", expected, f"others in {', '.join(broken[:3])}", "train it again")
    if label is not None:
        check_that(bundle.labels, "label", f"none for a bundle of the task {bundle.task}", label, "leave it out")
        check_one_of(bundle.labels, "label", label)
