"""What a recogniser answers to many recordings."""

from pathlib import Path

import numpy as np
import torch

from audionet import bundle, load_recognizer
from audionet.inference import Recognizer
from benchmarks.people.recordings import Recordings
from benchmarks.people.results import SYSTEMS, identity
from benchmarks.people.scores import answered, window_starts

_BATCH = 100


class Hearer:
    """What hears clips and gives the probabilities of labels.

    Attributes:
        system: Which of the table's columns it is.
        subject: What tells it from others of that system.
        labels: Names of the classes.
        sample_rate: Samples per second of what it hears.
        clip_length: Samples of what it hears.
        threshold: Probability from which on it answers with a word.
    """

    system: str
    subject: str
    labels: list[str]
    sample_rate: int
    clip_length: int
    threshold: float

    def probabilities(self, clips: np.ndarray) -> np.ndarray:
        """Return the probabilities (clip, label) of clips (clip, time)."""
        raise NotImplementedError

    def clips(self, recordings: Recordings) -> np.ndarray:
        """Return the clip that is heard of each recording, (recording, time)."""
        return recordings.clips(self.sample_rate, self.clip_length)

    def answers(self, clips: np.ndarray) -> np.ndarray:
        """Return the answer to each clip at the threshold: a word, or "" for none of these."""
        return np.array([word or "" for word in answered(self.probabilities(clips), self.labels, self.threshold)])

    def windows(self, waveform: np.ndarray, hop_seconds: float) -> np.ndarray:
        """Cut a recording into windows as long as a clip, (window, time), of which the last ends with it."""
        length, hop = self.clip_length, round(hop_seconds * self.sample_rate)
        padded = np.pad(waveform, (0, max(length - len(waveform), 0)))
        return np.stack([padded[start : start + length] for start in window_starts(len(waveform), length, hop)])


class Heard(Hearer):
    """A recogniser of ours.

    Args:
        model: Path of a bundle, or name of a shipped one.
        subject: What tells it from others; by default the content of its file.
    """

    system = SYSTEMS[0]

    def __init__(self, model: Path | str, subject: str | None = None) -> None:
        self.recognizer: Recognizer = load_recognizer(model)
        self.subject = identity(bundle.find(model, "recognition")) if subject is None else subject
        self.labels, self.threshold = list(self.recognizer.labels), self.recognizer.threshold
        self.sample_rate, self.clip_length = self.recognizer.sample_rate, self.recognizer.clip_length

    @torch.inference_mode()
    def probabilities(self, clips: np.ndarray) -> np.ndarray:
        """Return the probabilities (clip, label) of clips (clip, time)."""
        model, found = self.recognizer, []
        for start in range(0, len(clips), _BATCH):
            batch = torch.from_numpy(clips[start : start + _BATCH, None]).to(model.device, torch.float32)
            found.append(model.probabilities(model.network(model.front_end(batch))).cpu().numpy())
        return np.concatenate(found)
