"""The peers that can be installed: what each makes of a recording, as scores over time.

    pip install pyopen-wakeword pymicro-wakeword pocketsphinx
    pip install --no-deps "pvporcupine<2"

Porcupine's later versions ask a server for leave; 1.9 (2021) runs by itself. Its package lists another that breaks
Python, so it comes without what it asks for. sherpa-onnx's wheel has no model in it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import ModuleType
from typing import NamedTuple

import numpy as np

from benchmarks.keywords.sounds import RATE, WORDS

CHUNK = 320
"""Samples that come at a time, 20 ms."""

_PHONES = {"alexa": "AH L EH K S AH", "computer": "K AH M P Y UW T ER", "jarvis": "JH AA R V AH S"}
_FLOOR = "1e-60"  # likelihood ratio from which pocketsphinx reports
_SENSITIVITIES = (0.0, 0.25, 0.5, 0.7, 0.85, 1.0)


class Scores(NamedTuple):
    """What a peer makes of a recording.

    Attributes:
        times: When each score is there, (step,) in seconds.
        scores: (step, keyword), from 0 to 1.
    """

    times: np.ndarray
    scores: np.ndarray


class Peer:
    """A detector of others.

    Attributes:
        name: What it is called.
        keywords: The words that it knows.
        threshold: The score from which on it reports, as its makers set it.
        size: Bytes of its models, for all its keywords together.
        n_passes: How often it hears a recording here, where once would do for one threshold.
    """

    name: str
    keywords: Sequence[str]
    threshold: float
    size: int
    n_passes: int = 1

    def hear(self, samples: np.ndarray) -> Scores:
        """Hear a recording from its beginning, (time,) int16 at 16 kHz."""
        raise NotImplementedError


class OpenWakeWord(Peer):
    """openWakeWord's `alexa`: Google's speech embedding and a small network, which needs 2 s behind it."""

    name, keywords, threshold = "openWakeWord", ("alexa",), 0.5

    def __init__(self) -> None:
        package = import_module("pyopen_wakeword")
        self._word = package.OpenWakeWord.from_builtin(package.Model.ALEXA)
        self._features = package.OpenWakeWordFeatures.from_builtin()
        self.size = _bytes(package, "alexa.tflite", "embedding_model.tflite", "melspectrogram.tflite")

    def hear(self, samples: np.ndarray) -> Scores:
        """Hear a recording from its beginning, (time,) int16 at 16 kHz."""
        self._word.reset()
        self._features.reset()
        return _stepwise(samples, self._scores)

    def _scores(self, chunk: bytes) -> Iterator[float]:
        for embeddings in self._features.process_streaming(chunk):
            yield from self._word.process_streaming(embeddings)


class MicroWakeWord(Peer):
    """microWakeWord's `alexa`: a network for microcontrollers, int8, 10 ms at a time."""

    name, keywords = "microWakeWord", ("alexa",)

    def __init__(self) -> None:
        package = import_module("pymicro_wakeword")
        self._word = package.MicroWakeWord.from_builtin(package.Model.ALEXA)
        self._features = package.MicroWakeWordFeatures()
        self.threshold = self._word.probability_cutoff
        self.size = _bytes(package, "alexa.tflite")

    def hear(self, samples: np.ndarray) -> Scores:
        """Hear a recording from its beginning, (time,) int16 at 16 kHz."""
        self._word.reset()
        self._features.reset()
        return _stepwise(samples, self._scores)

    def _scores(self, chunk: bytes) -> Iterator[float]:
        yield from map(self._word.process_streaming_prob, self._features.process_streaming(chunk))


class Pocketsphinx(Peer):
    """CMU Pocketsphinx, 1990s to today: Gaussian mixtures and hidden Markov models, the keywords against all phones.

    Its score is the likelihood ratio of the two, which its threshold is of. No threshold is made for these words.
    """

    name, keywords, threshold = "pocketsphinx", WORDS, 1.0

    def __init__(self) -> None:
        package = import_module("pocketsphinx")
        self.size = _bytes(package, "means", "mdef", "sendump", "transition_matrices", "variances")
        with NamedTemporaryFile("w", suffix=".dict") as lexicon, NamedTemporaryFile("w", suffix=".list") as listed:
            lexicon.write("".join(f"{word} {phones}\n" for word, phones in _PHONES.items()))
            listed.write("".join(f"{word} /{_FLOOR}/\n" for word in self.keywords))
            lexicon.flush()
            listed.flush()
            model = package.get_model_path("en-us/en-us")
            self._decoder = package.Decoder(
                hmm=model, dict=lexicon.name, kws=listed.name, lm=None, logfn="/dev/null", loglevel="FATAL"
            )

    def hear(self, samples: np.ndarray) -> Scores:
        """Hear a recording from its beginning, (time,) int16 at 16 kHz."""
        self._decoder.start_utt()
        for chunk in _chunks(samples):
            self._decoder.process_raw(chunk, False, False)
        self._decoder.end_utt()
        steps = -(-len(samples) // CHUNK)
        scores = np.zeros((steps, len(self.keywords)))
        for found in self._decoder.seg() or ():
            step, column = min(found.end_frame * RATE // 100 // CHUNK, steps - 1), WORDS.index(found.word.strip())
            scores[step, column] = max(scores[step, column], found.prob)
        return Scores((1 + np.arange(steps)) * CHUNK / RATE, scores)


class Porcupine(Peer):
    """Picovoice's Porcupine 1.9: it says yes or no at a sensitivity, so it is asked at several.

    The score is 1 less nine tenths of the lowest sensitivity at which it reports.
    """

    name, keywords, threshold = "Porcupine 1.9", WORDS, 1 - 0.9 * 0.5
    n_passes = len(_SENSITIVITIES)

    def __init__(self) -> None:
        package = import_module("pvporcupine")
        words = [Path(package.KEYWORD_PATHS[word]).name for word in WORDS]
        self.size = _bytes(package, "porcupine_params.pv", *words)
        self._engines = [
            package.create(keywords=[*WORDS], sensitivities=[level] * len(WORDS)) for level in _SENSITIVITIES
        ]

    def hear(self, samples: np.ndarray) -> Scores:
        """Hear a recording behind two seconds of silence, in which it forgets the one before, (time,) int16."""
        self._steps(np.zeros(2 * RATE, np.int16))  # it cannot be reset
        scores = self._steps(samples)
        return Scores((1 + np.arange(len(scores))) * self._engines[0].frame_length / RATE, scores)

    def _steps(self, samples: np.ndarray) -> np.ndarray:
        """Return the scores of the next samples, (step, keyword)."""
        length = self._engines[0].frame_length
        scores = np.zeros((len(samples) // length, len(self.keywords)))
        for step, row in enumerate(scores):
            frame = samples[step * length : (step + 1) * length]
            for level, engine in zip(_SENSITIVITIES, self._engines, strict=True):
                if (found := engine.process(frame)) >= 0:
                    row[found] = max(row[found], 1 - 0.9 * level)
        return scores


PEERS: Mapping[str, Callable[[], Peer]] = {
    kind.name: kind for kind in (OpenWakeWord, MicroWakeWord, Pocketsphinx, Porcupine)
}
"""What makes each peer, by its name; it raises ImportError where that is not installed."""


def _chunks(samples: np.ndarray) -> Iterator[bytes]:
    """Yield a recording a chunk at a time."""
    for start in range(0, len(samples), CHUNK):
        yield samples[start : start + CHUNK].tobytes()


def _stepwise(samples: np.ndarray, scores: Callable[[bytes], Iterable[float]]) -> Scores:
    """Return the highest score of one keyword in each chunk, 0 where there is none."""
    highest = np.array([max(scores(chunk), default=0.0) for chunk in _chunks(samples)])
    return Scores((1 + np.arange(len(highest))) * CHUNK / RATE, highest[:, None])


def _bytes(package: ModuleType, *names: str) -> int:
    """Return the size of files of a package."""
    folder = Path(str(package.__file__)).parent
    return sum(next(folder.rglob(name)).stat().st_size for name in names)
