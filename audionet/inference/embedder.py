"""Embeddings of short recordings: numbers by which words are alike or not."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from audionet import audio
from audionet.augment import to_float
from audionet.bundle import Bundle
from audionet.checks import check_at_least, check_device, check_that
from audionet.inference.hearing import Hearing, Part


class Embedder:
    """A trained network that turns a recording into an embedding: some hundred numbers that say how it sounds.

    Recordings of one word have embeddings near each other, whoever speaks, also of a word that the network was never
    trained on. So a linear classifier on embeddings, fitted on a few recordings a word, recognises that word. Of a
    recording, the embedder hears what a `Recognizer` hears: one clip, padded or cut.

    Args:
        bundle: Bundle of the task "embedding", or "recognition", whose classifier is not used.
        device: Device that computes: "cpu", "cuda", "cuda:1", "mps".

    Attributes:
        bundle: The network, its front-end and their description.
        sample_rate: Samples per second of what the network hears.
        clip_length: Samples of what the network hears.
        hearing: The way from a recording to such a clip.
        device: Device that computes.
        front_end: Front-end, (batch, 1, time) -> (batch, 1, n_bands, frame), on that device.
        network: Network with ``embed``, (batch, 1, n_bands, frame) -> (batch, channels), on that device.

    Raises:
        ValueError: The bundle is for generation, or its network makes no embeddings; the device cannot be used here.

    Example:
        >>> embedder = Embedder(audionet.bundle.load("digits", task="recognition"))
        >>> embedder
        <Embedder: cnn_tdnn on LogMel, clips of 1 s at 16000 Hz, on cpu>
        >>> embedder.embed_file("seven.wav").shape
        (128,)
    """

    def __init__(self, bundle: Bundle, device: str | torch.device = "cpu") -> None:
        makes = bundle.front_end is not None and hasattr(bundle.model.module, "embed")
        check_that(makes, "bundle", "a front-end, and a network with embed", bundle.model.name, "load an embedding")
        assert bundle.front_end is not None
        self.bundle = bundle
        self.sample_rate, self.clip_length = bundle.sample_rate, bundle.clip_length
        self.hearing = Hearing(self.sample_rate, self.clip_length, "embed")
        self.device = check_device(device)
        self.front_end = bundle.front_end.module.to(self.device)
        self.network: Any = bundle.model.module.to(self.device)

    def __repr__(self) -> str:
        front_end = self.bundle.front_end and self.bundle.front_end.name
        seconds = self.clip_length / self.sample_rate
        return (
            f"<Embedder: {self.bundle.model.name} on {front_end}, clips of {seconds:g} s at {self.sample_rate} Hz, "
            f"on {self.device}>"
        )

    def embed(self, waveform: np.ndarray | Tensor | Sequence[Any], sample_rate: int | None = None) -> np.ndarray:
        """Embed one waveform.

        Args:
            waveform: (time,) or (channel, time), float in [-1, 1], at most 60 s: an array, a tensor or a list.
            sample_rate: Sample rate of the waveform, in Hz; it is needed. Any rate is resampled to the network's.

        Returns:
            The embedding, (channels,) float32.

        Raises:
            ValueError: The waveform or its sample rate is not as described.

        Warns:
            AudioWarning: The waveform is longer than two clips, of which only one was heard.

        Example:
            >>> embedder = Embedder(audionet.bundle.load("digits", task="recognition"))
            >>> embedder.embed(waveform, sample_rate).shape
            (128,)
        """
        return self._embed_part(self.hearing.waveform(waveform, sample_rate))

    def embed_file(self, source: audio.Source, *, lenient: bool = False) -> np.ndarray:
        """Embed one audio file.

        Args:
            source: Path, content of the file as bytes, or a binary file object.
            lenient: Of a damaged file, hear what is whole, with an `audionet.audio.AudioWarning`.

        Returns:
            The embedding, (channels,) float32.

        Raises:
            audionet.audio.AudioError: The file cannot be read, is empty, damaged or longer than 60 s.
        """
        return self._embed_part(self.hearing.file(source, lenient=lenient))

    def embed_files(
        self, sources: Iterable[audio.Source], *, batch_size: int = 32, lenient: bool = False
    ) -> Iterator[np.ndarray | audio.AudioError]:
        """Embed many audio files, faster than one by one.

        A file that cannot be read does not stop the others.

        Args:
            sources: Paths, contents or file objects, as for `embed_file`.
            batch_size: Number of clips that go through the network at once.
            lenient: Of a damaged file, hear what is whole, with an `audionet.audio.AudioWarning`.

        Yields:
            For each file in turn its embedding, (channels,) float32, or the error that says what is wrong with it.

        Raises:
            ValueError: `batch_size` is not positive, or the sources are a single one.
        """
        for batch in self.hearing.batches(sources, batch_size=batch_size, lenient=lenient):
            clips = [item.clip for item in batch if isinstance(item, Part)]
            embeddings = iter(self.embed_clips(np.stack(clips)) if clips else ())
            for item in batch:
                yield next(embeddings) if isinstance(item, Part) else item

    def embed_clips(self, clips: np.ndarray | Tensor, *, batch_size: int = 100) -> np.ndarray:
        """Embed clips that are as the network hears them, as those of a corpus's store or of `Hearing.to_clip`.

        Args:
            clips: (clip, time) at `sample_rate`, float in [-1, 1] or int16. Other lengths than `clip_length` are taken
                where the network takes them.
            batch_size: Number of clips that go through the network at once.

        Returns:
            The embeddings, (clip, channels) float32.

        Raises:
            ValueError: There is no clip, or they have another shape or type; `batch_size` is not positive.
        """
        check_at_least(1, whole=True, batch_size=batch_size)
        given = torch.as_tensor(clips)
        fits = given.ndim == 2 and 0 not in given.shape and (given.is_floating_point() or given.dtype == torch.int16)
        check_that(fits, "clips", "(clip, time), float or int16, at least one", (tuple(given.shape), given.dtype))
        embeddings = []
        with torch.inference_mode():
            for batch in given.split(batch_size):
                waveform = to_float(batch.to(self.device)).to(torch.float32)[:, None]
                embeddings.append(self.network.embed(self.front_end(waveform)).float().cpu())
        return torch.cat(embeddings).numpy()

    def _embed_part(self, part: Part) -> np.ndarray:
        embedding: np.ndarray = self.embed_clips(part.clip[None])[0]
        return embedding
