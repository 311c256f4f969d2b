"""Recognition of what was said in a short recording."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from numbers import Integral
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn

from audionet import audio
from audionet.bundle import Bundle
from audionet.checks import check_at_least, check_device, check_that, listed
from audionet.features.frontend import FrontEnd
from audionet.inference.folding import fold_norms
from audionet.inference.hearing import Hearing, Part
from audionet.labels import is_word

DEFAULT_THRESHOLD = 0.5
"""Score from which on a word is reported in a stream, by a bundle that says none."""


class Prediction(NamedTuple):
    """A label and its probability: the softmax of the network's logits, divided by the bundle's temperature."""

    label: str
    probability: float


class Predictions(list[Prediction]):
    """Predictions, the most probable first, the answer that follows, and the part of the recording that it is about.

    Attributes:
        label: The answer: the most probable label, if it is a word and as probable as the threshold asks. None for
            "none of these": something else was said, or nothing.
        threshold: The probability that was asked.
        start: Where the part that was heard begins, in seconds.
        stop: Where it ends.
        seconds: Length of the recording.

    Example:
        >>> heard = audionet.load_recognizer("digits").recognize_file("seven.wav", threshold=0.5)
        >>> heard.label, heard.accepted
        ('seven', True)
    """

    def __init__(
        self, predictions: Iterable[Prediction], threshold: float, start: float, stop: float, seconds: float
    ) -> None:
        super().__init__(predictions)
        best, probability = self[0]
        self.label = best if is_word(best) and probability >= threshold else None
        self.threshold, self.start, self.stop, self.seconds = threshold, start, stop, seconds

    @property
    def accepted(self) -> bool:
        """Whether the answer is a word, and not "none of these"."""
        return self.label is not None

    def facts(self) -> dict[str, Any]:
        """Return all of it as plain values for JSON, in seconds.

        Example:
            >>> heard = audionet.load_recognizer("digits").recognize_file("seven.wav", top_k=1).facts()
            >>> [heard[name] for name in ("label", "accepted", "from", "to")]
            ['seven', True, 0.0, 0.597]
        """
        return {
            "seconds": round(self.seconds, 3),
            "from": round(self.start, 3),
            "to": round(self.stop, 3),
            "label": self.label,
            "accepted": self.accepted,
            "threshold": self.threshold,
            "predictions": [prediction._asdict() for prediction in self],
        }


class Recognizer:
    """A trained network that names what was said in a recording.

    A recording that is shorter than the network's clips is padded with silence on both sides. A longer one is cut to
    the stretch with the most speech, as `audionet.audio.fit` does, and the answer tells which that is; of a recording
    longer than two clips, a warning says so.

    Args:
        bundle: Bundle of the task "recognition".
        device: Device that computes: "cpu", "cuda", "cuda:1", "mps".

    Attributes:
        bundle: The network, its front-end and their description.
        labels: Names of the classes, in the order of the network's outputs.
        sample_rate: Samples per second of what the network hears.
        clip_length: Samples of what the network hears.
        hearing: The way from a recording to such a clip.
        device: Device that computes.
        temperature: What the logits are divided by before the softmax.
        threshold: Probability from which on the answer is a word, unless a call says otherwise.
        front_end: Front-end, (batch, 1, time) -> (batch, 1, n_bands, frame), on that device.
        network: Network, (batch, 1, n_bands, frame) -> (batch, n_classes) logits, on that device.

    Raises:
        ValueError: The device cannot be used here.

    Example:
        >>> recognizer = audionet.load_recognizer("digits")
        >>> recognizer
        <Recognizer of zero, one, two and 9 more: cnn_tdnn on LogMel, clips of 1 s at 16000 Hz, on cpu>
        >>> (best,) = recognizer.recognize_file("seven.wav", top_k=1)
        >>> best.label, round(best.probability, 2)
        ('seven', 0.89)
    """

    def __init__(self, bundle: Bundle, device: str | torch.device = "cpu") -> None:
        if bundle.front_end is None:
            raise ValueError("bundle: expected one with a front-end, got one without; load a recogniser's")
        self.bundle = bundle
        self.labels, self.sample_rate, self.clip_length = bundle.labels, bundle.sample_rate, bundle.clip_length
        self.hearing = Hearing(self.sample_rate, self.clip_length, "recognize")
        self.temperature, self.threshold = bundle.temperature, bundle.threshold
        self.device = check_device(device)
        self.front_end = cast(FrontEnd, bundle.front_end.module.to(self.device))
        self.network = bundle.model.module.to(self.device)

    def __repr__(self) -> str:
        front_end = self.bundle.front_end and self.bundle.front_end.name
        seconds = self.clip_length / self.sample_rate
        return (
            f"<Recognizer of {listed(self.labels)}: {self.bundle.model.name} on {front_end}, clips of {seconds:g} s at "
            f"{self.sample_rate} Hz, on {self.device}>"
        )

    def recognize(
        self,
        waveform: np.ndarray | Tensor | Sequence[Any],
        sample_rate: int | None = None,
        *,
        top_k: int | None = None,
        threshold: float | None = None,
    ) -> Predictions:
        """Recognise one waveform.

        Args:
            waveform: (time,) or (channel, time), float in [-1, 1], at most 60 s: an array, a tensor or a list.
            sample_rate: Sample rate of the waveform, in Hz; it is needed. Any rate is resampled to the network's.
            top_k: Number of predictions to return; None for all labels.
            threshold: Probability from which on the answer is a word, 0 to 1; None for the bundle's.

        Returns:
            Predictions, the most probable first, the answer, and which part they are about.

        Raises:
            ValueError: The waveform, its sample rate, `top_k` or `threshold` is not as described.

        Warns:
            AudioWarning: The waveform is longer than two clips, of which only one was heard.

        Example:
            >>> recognizer = audionet.load_recognizer("digits")
            >>> [label for label, _ in recognizer.recognize(waveform, sample_rate, top_k=2)]
            ['seven', '_unknown_']
        """
        return self._predict([self.hearing.waveform(waveform, sample_rate)], top_k, threshold)[0]

    def to_clip(self, waveform: np.ndarray | Tensor, sample_rate: int | None = None) -> np.ndarray:
        """Bring a waveform into the form that the network hears: mono, at its sample rate, as long as its clips.

        Args:
            waveform: (time,) or (channel, time), float in [-1, 1], at most 60 s.
            sample_rate: Sample rate of the waveform, in Hz.

        Returns:
            The clip, (clip_length,).

        Raises:
            ValueError: The waveform or its sample rate is not as described.
        """
        return self.hearing.to_clip(waveform, sample_rate)

    def recognize_file(
        self,
        source: audio.Source,
        *,
        top_k: int | None = None,
        threshold: float | None = None,
        lenient: bool = False,
    ) -> Predictions:
        """Recognise one audio file.

        Args:
            source: Path, content of the file as bytes, or a binary file object.
            top_k: Number of predictions to return; None for all labels.
            threshold: Probability from which on the answer is a word, 0 to 1; None for the bundle's.
            lenient: Of a damaged file, hear what is whole, with an `audionet.audio.AudioWarning`.

        Returns:
            Predictions, the most probable first, the answer, and which part of the file they are about.

        Raises:
            audionet.audio.AudioError: The file cannot be read, is empty, damaged or longer than 60 s.
            ValueError: `top_k` or `threshold` is out of its range.
        """
        return self._predict([self.hearing.file(source, lenient=lenient)], top_k, threshold)[0]

    def recognize_files(
        self,
        sources: Iterable[audio.Source],
        *,
        top_k: int | None = None,
        threshold: float | None = None,
        batch_size: int = 32,
        lenient: bool = False,
    ) -> Iterator[Predictions | audio.AudioError]:
        """Recognise many audio files, faster than one by one.

        A file that cannot be read does not stop the others.

        Args:
            sources: Paths, contents or file objects, as for `recognize_file`.
            top_k: Number of predictions for a file; None for all labels.
            threshold: Probability from which on the answer is a word, 0 to 1; None for the bundle's.
            batch_size: Number of clips that go through the network at once.
            lenient: Of a damaged file, hear what is whole, with an `audionet.audio.AudioWarning`.

        Yields:
            For each file in turn its predictions, or the error that says what is wrong with it.

        Raises:
            ValueError: `top_k`, `threshold` or `batch_size` is out of its range, or the sources are a single one.
        """
        for batch in self.hearing.batches(sources, batch_size=batch_size, lenient=lenient):
            parts = [item for item in batch if isinstance(item, Part)]
            predictions = iter(self._predict(parts, top_k, threshold) if parts else [])
            for item in batch:
                yield next(predictions) if isinstance(item, Part) else item

    @property
    def thresholds(self) -> Mapping[str, float]:
        """The score from which on each word is reported in a stream.

        It is the calibrated one (``bundle.detection``), or else the bundle's threshold, or else 0.5.
        """
        words = [label for label in self.labels if is_word(label)]
        calibrated: Mapping[str, float] = self.bundle.detection.get("thresholds", {})
        return {**dict.fromkeys(words, self.threshold or DEFAULT_THRESHOLD), **calibrated}

    def clip_probabilities(self, clips: np.ndarray) -> np.ndarray:
        """Return the probabilities of all labels for clips that the network hears as they are.

        Batch norms are folded into convolutions for it, which changes the last digits only. Weights that are changed
        after the first call are not seen.

        Args:
            clips: (batch, clip_length), float in [-1, 1], at the network's sample rate.

        Returns:
            (batch, n_classes), float32.

        Example:
            >>> recognizer = audionet.load_recognizer("digits")
            >>> recognizer.clip_probabilities(np.zeros((3, recognizer.clip_length), np.float32)).shape
            (3, 12)
        """
        return self._clip_probabilities(clips, self._folded).numpy()

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return the probabilities (batch, n_classes) that logits of the network, likewise, stand for."""
        return (logits / self.temperature).softmax(dim=-1)

    def _predict(self, parts: Sequence[Part], top_k: int | None, threshold: float | None) -> list[Predictions]:
        threshold = self.threshold if threshold is None else threshold
        check_at_least(0, 1, threshold=threshold)
        fits = top_k is None or (isinstance(top_k, Integral) and top_k >= 1)
        check_that(fits, "top_k", "at least 1, or None for all", top_k)
        probabilities = self._clip_probabilities(np.stack([part.clip for part in parts]), self.network)
        values, indices = probabilities.sort(dim=-1, descending=True, stable=True)
        answers = []
        for (_, start, stop, seconds), row, order in zip(parts, values.tolist(), indices.tolist(), strict=True):
            predictions = [Prediction(self.labels[index], value) for value, index in zip(row, order, strict=True)]
            answers.append(Predictions(predictions[:top_k], threshold, start, stop, seconds))
        return answers

    @cached_property
    def _folded(self) -> nn.Module:
        return fold_norms(self.network)

    def _clip_probabilities(self, clips: np.ndarray, network: nn.Module) -> Tensor:
        """Map clips (batch, clip_length) to probabilities (batch, n_classes), on the CPU."""
        batch = torch.tensor(clips[:, None], dtype=torch.float32, device=self.device)  # (batch, 1, time)
        with torch.inference_mode():
            return self.probabilities(network(self.front_end(batch))).cpu()
