"""What a recogniser answers to many recordings."""

from pathlib import Path

import numpy as np
import torch

from audionet import bundle, load_recognizer
from audionet.inference import Recognizer
from benchmarks.people.recordings import Recordings
from benchmarks.people.results import identity
from benchmarks.people.scores import answered, window_starts

_BATCH = 100


class Heard:
    """A recogniser, and what it makes of recordings.

    Args:
        model: Path of a bundle, or name of a shipped one.

    Attributes:
        recognizer: The recogniser.
        subject: What tells its file from others.
    """

    def __init__(self, model: Path | str) -> None:
        self.recognizer: Recognizer = load_recognizer(model)
        self.subject = identity(bundle.find(model, "recognition"))

    @property
    def labels(self) -> list[str]:
        """Names of the classes."""
        return list(self.recognizer.labels)

    def clips(self, recordings: Recordings) -> np.ndarray:
        """Return the clip that the recogniser hears of each recording, (recording, time)."""
        return recordings.clips(self.recognizer.sample_rate, self.recognizer.clip_length)

    @torch.inference_mode()
    def probabilities(self, clips: np.ndarray) -> np.ndarray:
        """Return the probabilities (clip, label) of clips (clip, time)."""
        model, found = self.recognizer, []
        for start in range(0, len(clips), _BATCH):
            batch = torch.from_numpy(clips[start : start + _BATCH, None]).to(model.device, torch.float32)
            found.append(model.probabilities(model.network(model.front_end(batch))).cpu().numpy())
        return np.concatenate(found)

    def answers(self, clips: np.ndarray, threshold: float | None = None) -> np.ndarray:
        """Return the answer to each clip at a threshold, by default the bundle's: a word, or "" for none of these."""
        at_least = self.recognizer.threshold if threshold is None else threshold
        return np.array([word or "" for word in answered(self.probabilities(clips), self.labels, at_least)])

    def windows(self, waveform: np.ndarray, hop_seconds: float) -> np.ndarray:
        """Cut a recording into windows as long as a clip, (window, time)."""
        length, hop = self.recognizer.clip_length, round(hop_seconds * self.recognizer.sample_rate)
        return windows(waveform, length, hop)


def windows(waveform: np.ndarray, length: int, hop: int) -> np.ndarray:
    """Cut a recording (time,) into windows, (window, length), of which the last ends with it."""
    padded = np.pad(waveform, (0, max(length - len(waveform), 0)))
    return np.stack([padded[start : start + length] for start in window_starts(len(waveform), length, hop)])
