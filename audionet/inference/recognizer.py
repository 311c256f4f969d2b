"""What was said in a short recording."""

from collections.abc import Iterable, Iterator
from itertools import islice
from numbers import Real
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from audionet import audio
from audionet.bundle import Bundle
from audionet.inference.devices import usable

MAX_SECONDS = 60.0
"""Longest recording that is taken: of a longer one, the single answer would say next to nothing."""

_MAX_PEAK = 8.0  # as for files: nothing recorded is that hot, integers left unscaled are


class Prediction(NamedTuple):
    """A label and how probable the network takes it to be."""

    label: str
    probability: float


class Recognizer:
    """Names what was said in a recording, with the network of a bundle.

    A recording that is not as long as the network's clips is padded with silence on both sides, or cut to its
    loudest stretch.

    Attributes:
        bundle: The network and its description.
        labels: What it can answer.
        device: Where it computes.

    Example:
        >>> import audionet
        >>> recognizer = audionet.load("digits")
        >>> recognizer.recognize_file("seven.wav", top_k=1)  # doctest: +SKIP
        [Prediction(label='seven', probability=0.99)]
    """

    def __init__(self, bundle: Bundle, device: str | torch.device = "cpu") -> None:
        self.bundle = bundle
        self.labels = bundle.labels
        self.device = usable(device)
        assert bundle.front_end is not None  # a recogniser's bundle has one
        self._front_end = bundle.front_end.module.to(self.device)
        self._model = bundle.model.module.to(self.device)

    def recognize(
        self, waveform: np.ndarray | Tensor, sample_rate: int | None = None, *, top_k: int | None = None
    ) -> list[Prediction]:
        """Recognise one waveform.

        Args:
            waveform: (time,) or (channel, time), float in [-1, 1], at most 60 s.
            sample_rate: Of the waveform, in Hz. Any rate is resampled to the network's, so it must be said.
            top_k: How many predictions to return; all labels if None.

        Returns:
            Predictions, the most probable first.

        Raises:
            ValueError: The waveform, its sample rate or `top_k` is not as described.
        """
        return self._predict([self.to_clip(waveform, sample_rate)], top_k)[0]

    def to_clip(self, waveform: np.ndarray | Tensor, sample_rate: int | None = None) -> np.ndarray:
        """Bring a waveform into the form that the network hears: mono, at its sample rate, as long as its clips.

        Args:
            waveform: (time,) or (channel, time), float in [-1, 1], at most 60 s.
            sample_rate: Of the waveform, in Hz.

        Returns:
            (clip_length,).

        Raises:
            ValueError: The waveform or its sample rate is not as described.
        """
        mono, sample_rate = _checked(waveform, sample_rate)
        mono = audio.resample(mono[0], sample_rate, self.bundle.sample_rate)
        return audio.fit(mono, self.bundle.clip_length)

    def recognize_file(self, source: audio.Source, *, top_k: int | None = None) -> list[Prediction]:
        """Recognise one audio file.

        Args:
            source: Path, the file's content as bytes, or a binary file object.
            top_k: How many predictions to return; all labels if None.

        Returns:
            Predictions, the most probable first.

        Raises:
            audionet.audio.AudioError: The file cannot be read, is empty, damaged or longer than 60 s.
            ValueError: `top_k` is not positive.
        """
        return self._predict([self._read(source)], top_k)[0]

    def recognize_files(
        self, sources: Iterable[audio.Source], *, top_k: int | None = None, batch_size: int = 32
    ) -> Iterator[list[Prediction] | audio.AudioError]:
        """Recognise many audio files, faster than one by one.

        A file that cannot be read does not stop the others.

        Args:
            sources: Paths, contents or file objects, as for `recognize_file`.
            top_k: How many predictions to give a file; all labels if None.
            batch_size: How many clips go through the network at once.

        Yields:
            For each file in turn its predictions, or the error that says what is wrong with it.

        Raises:
            ValueError: `top_k` is not positive.
        """
        remaining = iter(sources)
        while batch := [self._read_or_error(source) for source in islice(remaining, batch_size)]:
            clips = [item for item in batch if isinstance(item, np.ndarray)]
            predictions = iter(self._predict(clips, top_k) if clips else [])
            for item in batch:
                yield next(predictions) if isinstance(item, np.ndarray) else item

    def _read(self, source: audio.Source) -> np.ndarray:
        """One clip (time,) from a file."""
        waveform, _ = audio.load_audio(source, self.bundle.sample_rate, mono=True, max_seconds=MAX_SECONDS)
        return audio.fit(waveform[0].numpy(), self.bundle.clip_length)

    def _read_or_error(self, source: audio.Source) -> np.ndarray | audio.AudioError:
        try:
            return self._read(source)
        except audio.AudioError as error:
            return error

    def _predict(self, clips: list[np.ndarray], top_k: int | None) -> list[list[Prediction]]:
        if top_k is not None and top_k < 1:
            raise ValueError(f"top_k must be at least 1, or None for all labels, got {top_k}")
        batch = torch.from_numpy(np.stack(clips)[:, None]).to(self.device, torch.float32)  # (batch, 1, time)
        with torch.inference_mode():
            probabilities = self._model(self._front_end(batch)).softmax(dim=-1).cpu()
        values, indices = probabilities.sort(dim=-1, descending=True, stable=True)
        return [
            [Prediction(self.labels[index], value) for value, index in zip(row, order, strict=True)][:top_k]
            for row, order in zip(values.tolist(), indices.tolist(), strict=True)
        ]


def _checked(waveform: np.ndarray | Tensor, sample_rate: int | None) -> tuple[np.ndarray, int]:
    """A waveform mixed to mono (1, time) and its rate, or a ValueError that says what is wrong."""
    if sample_rate is None:
        raise ValueError(
            "sample_rate is missing: a waveform alone does not tell it; for example "
            "recognize(waveform, sample_rate=16_000)"
        )
    if not (isinstance(sample_rate, Real) and 0 < sample_rate < np.inf and sample_rate == int(sample_rate)):
        raise ValueError(f"sample_rate must be a positive whole number of Hz, got {sample_rate!r}")
    if isinstance(waveform, Tensor):
        waveform = waveform.detach().cpu()
        waveform = (waveform.float() if waveform.is_floating_point() else waveform).numpy()
    if not isinstance(waveform, np.ndarray):
        raise ValueError(
            f"waveform must be a numpy array or a torch tensor, got {type(waveform).__name__}; "
            "for a file call recognize_file(path)"
        )
    # Refuses integers, no samples, and what is not (channel, time).
    waveform = audio.to_mono(waveform[None] if waveform.ndim == 1 else waveform)
    if (seconds := waveform.shape[-1] / sample_rate) > MAX_SECONDS:
        raise ValueError(
            f"waveform lasts {seconds:.0f} s, over the limit of {MAX_SECONDS:g} s for one answer; recognise it "
            "in pieces, for example waveform[..., start:start + sample_rate]"
        )
    peak = np.abs(waveform).max()
    if not np.isfinite(peak):
        raise ValueError("waveform holds NaN or infinite samples; np.nan_to_num(waveform) silences NaN")
    if peak > _MAX_PEAK:
        raise ValueError(
            f"waveform must be float in [-1, 1], but it reaches {peak:g}; 16-bit samples are scaled by waveform / 32768"
        )
    return waveform, int(sample_rate)
