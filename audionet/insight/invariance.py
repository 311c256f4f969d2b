"""What a recogniser does not mind: accuracy and embedding while a sound moves, speeds up, fades or drowns in noise."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from audionet.augment.noise import sounding_power
from audionet.augment.timing import played
from audionet.checks import check_at_least, check_one_of
from audionet.inference import Recognizer
from audionet.insight.looking import evaluating, stage_axes
from audionet.insight.recordings import heard_clips
from audionet.metrics import wilson_interval
from audionet.models.contract import RecognitionNetwork, stages_of


@dataclass(frozen=True, eq=False)
class Invariance:
    """How a recogniser takes one change of the sound.

    Attributes:
        change: Name of the change, one of `CHANGES`.
        unit: Unit of its values.
        values: The values, rising, (point,).
        neutral: The value that changes nothing; infinite for noise.
        right: Whether each answer is right, (point, clip) bool.
        right_before: Whether the answer to the unchanged clip is, (clip,) bool.
        distance: Cosine distance of the embedding from that of the unchanged clip, (point, clip), 0 to 2.
        frame_distance: Of a shift, the mean distance of the embedding's frames from those of the unchanged clip that
            have moved as far, (point, clip): near 0 while what they say moves with the sound, which is equivariance.
            None of other changes, and of networks whose last stage has no frames.
    """

    change: str
    unit: str
    values: np.ndarray
    neutral: float
    right: np.ndarray
    right_before: np.ndarray
    distance: np.ndarray
    frame_distance: np.ndarray | None = None

    @property
    def accuracy(self) -> np.ndarray:
        """The share of right answers, (point,)."""
        share: np.ndarray = self.right.mean(1)
        return share

    @property
    def interval(self) -> np.ndarray:
        """The 95% interval of the accuracy, (point, 2)."""
        return np.array([wilson_interval(int(right.sum()), len(right)) for right in self.right])

    def holds(self, loss: float = 0.05) -> tuple[float, float] | None:
        """Return the range around the unchanged sound in which accuracy falls by no more than ``loss``.

        Returns:
            The first and the last such value without a worse one between it and the unchanged sound; None where not
            even the value next to it holds.
        """
        good = self.accuracy >= self.right_before.mean() - loss
        is_noise = np.isinf(self.neutral)  # of which the least is nearest to none
        start = len(good) - 1 if is_noise else int(np.abs(self.values - self.neutral).argmin())
        if not good[start]:
            return None
        first, last = start, start
        while first > 0 and good[first - 1]:
            first -= 1
        while last < len(good) - 1 and good[last + 1]:
            last += 1
        return float(self.values[first]), float(self.values[last])


def shifted(clips: Tensor, n_samples: int) -> Tensor:
    """Move clips (clip, time) to the right, or for a negative number to the left; silence enters.

    Example:
        >>> shifted(torch.tensor([[1.0, 2.0, 3.0]]), -1)
        tensor([[2., 3., 0.]])
    """
    return F.pad(clips, (n_samples, -n_samples))


def noisy(clips: Tensor, snr: float, generator: torch.Generator) -> Tensor:
    """Add white noise to clips (clip, time), ``snr`` decibels below the sounding part of each.

    Example:
        >>> noisy(torch.ones(1, 3), 200.0, torch.Generator()).round(decimals=3)
        tensor([[1., 1., 1.]])
    """
    power = sounding_power(clips).view(-1, 1) * 10 ** (-snr / 10)
    return clips + power.sqrt() * torch.randn(clips.shape, generator=generator).to(clips)


# Of each change: its unit, its values, and the value that changes nothing.
CHANGES: Mapping[str, tuple[str, tuple[float, ...], float]] = {
    "shift": ("ms", (-200, -160, -120, -80, -40, 0, 40, 80, 120, 160, 200), 0.0),
    "speed": ("times", (0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5), 1.0),
    "level": ("dB", (-50, -40, -30, -20, -10, 0, 10, 20), 0.0),
    "snr": ("dB", (-10, -5, 0, 5, 10, 15, 20, 30), np.inf),
}
"""The changes by name: a shift in time; speed, which moves the pitch; level, clipped at full scale; white noise."""


def measure_invariance(
    recognizer: Recognizer,
    folder: str | os.PathLike[str],
    *,
    changes: Sequence[str] = tuple(CHANGES),
    most: int | None = None,
    seed: int = 0,
) -> list[Invariance]:
    """Change the recordings of a folder more and more, and see what a recogniser makes of them.

    Args:
        recognizer: The recogniser.
        folder: Folder with a folder of recordings for each label.
        changes: Names of `CHANGES`.
        most: Recordings that are tested, drawn at random where there are more; None for all.
        seed: Number that decides the draw and the noise.

    Raises:
        ValueError: A change is unknown, or the folder holds no recordings that fit.

    Example:
        >>> os.makedirs("words/seven")
        >>> audionet.save_audio("words/seven/1.wav", waveform, sample_rate)
        >>> (level,) = measure_invariance(audionet.load_recognizer("digits"), "words", changes=["level"])
        >>> level.accuracy[[4, 5]], round(float(level.distance[5, 0]), 3), level.holds()[1] >= 0
        (array([1., 1.]), 0.0, True)
    """
    for change in changes:
        check_one_of(CHANGES, "changes", change)
    heard = heard_clips(recognizer, folder, most=most, seed=seed)
    clips, labels = heard.clips.to(recognizer.device), heard.label_indices.to(recognizer.device)
    return [_measured(recognizer, clips, labels, change, seed) for change in changes]


def changed(clips: Tensor, change: str, value: float, sample_rate: int, generator: torch.Generator) -> Tensor:
    """Change clips (clip, time) by a value of one of `CHANGES`.

    Raises:
        ValueError: The change is unknown, or a speed is not positive.

    Example:
        >>> changed(torch.tensor([[0.1, -0.5]]), "level", 20.0, 16_000, torch.Generator())
        tensor([[ 1., -1.]])
    """
    check_one_of(CHANGES, "change", change)
    if change == "shift":
        return shifted(clips, round(value * sample_rate / 1000))
    if change == "speed":
        check_at_least(0.1, value=value)
        return played(clips, [Fraction(value).limit_denominator(20)] * len(clips), clips.shape[-1])
    if change == "level":
        louder: Tensor = clips * 10 ** (value / 20)
        # Of some decibels on, a recording is cut at full scale; the factor of 0 dB is 1 exactly.
        return louder.clamp(-1, 1) if value > 0 else louder
    return noisy(clips, value, generator)


def _measured(recognizer: Recognizer, clips: Tensor, labels: Tensor, change: str, seed: int) -> Invariance:
    """Measure one change."""
    unit, values, neutral = CHANGES[change]
    generator, rate = torch.Generator().manual_seed(seed), recognizer.sample_rate
    before, right_before, frames_before = _heard(recognizer, clips, labels)
    rows, stride = [], _stride(recognizer)
    for value in values:
        made = changed(clips, change, value, rate, generator)
        embedding, right, frames = _heard(recognizer, made, labels)
        moved = None
        if change == "shift" and frames is not None and frames_before is not None and stride:
            moved = _moved(frames_before, frames, round(value * rate / 1000 / stride))
        rows.append((right, 1 - F.cosine_similarity(before, embedding), moved))
    distances = [moved for *_, moved in rows if moved is not None]
    return Invariance(
        change,
        unit,
        np.array(values, np.float64),
        neutral,
        torch.stack([right for right, *_ in rows]).cpu().numpy(),
        right_before.cpu().numpy(),
        torch.stack([distance for _, distance, _ in rows]).cpu().numpy(),
        torch.stack(distances).cpu().numpy() if distances else None,
    )


def _heard(recognizer: Recognizer, clips: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return the embeddings, whether the answers are right, and the frames, where the network gives some."""
    network = cast(RecognitionNetwork, recognizer.network)
    frames_of: Callable[[Tensor], Tensor] | None = getattr(network, "frames", None)
    embeddings, right, frames = [], [], []
    with evaluating(recognizer.network), torch.no_grad():
        for part, truth in zip(clips.split(64), labels.split(64), strict=True):
            spectrogram = recognizer.front_end(part[:, None])
            embeddings.append(network.embed(spectrogram))
            right.append(network.head(embeddings[-1]).argmax(1) == truth)
            frames += [] if frames_of is None else [frames_of(spectrogram)]
    return torch.cat(embeddings), torch.cat(right), torch.cat(frames) if frames else None


def _stride(recognizer: Recognizer) -> int:
    """Return the samples from one of the network's last frames to the next; 0 where it has none."""
    axes = stage_axes(recognizer.network, stages_of(recognizer.network)).values()
    stride = next((axis.stride for axis in reversed([*axes]) if axis.frame), 0)
    return stride * recognizer.front_end.framing.hop_length


def _moved(before: Tensor, after: Tensor, n_frames: int) -> Tensor:
    """Return the mean cosine distance of frames (clip, channel, frame) from those that were ``n_frames`` earlier."""
    length = before.shape[2] - abs(n_frames)
    then = before[:, :, max(0, -n_frames) :][:, :, :length]
    now = after[:, :, max(0, n_frames) :][:, :, :length]
    return 1 - F.cosine_similarity(then, now, dim=1).mean(1)
