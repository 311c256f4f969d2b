"""The batches from which an embedding learns: words of many languages, and speech that nobody has labelled."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from torch import Tensor

from audionet.checks import check_at_least, check_that, listed
from audionet.datasets.batches import Gather
from audionet.datasets.corpus import Corpus
from audionet.datasets.store import Store
from audionet.training.data import CorpusData
from audionet.training.teacher import TEACHERS

ENGINE_WEIGHTS = {"espeak": 0.7, "kokoro": 1.5}  # the robot a little less, the most natural voice a little more
UNLABELLED = -1
QUIETEST = 33  # int16: a clip without a louder sample has nothing to say


class EmbeddingBatch(TypedDict):
    """Clips, those with a word first."""

    waveform: Tensor
    """(batch, time) int16."""
    label: Tensor
    """(batch,) int64, position in the corpus's labels; -1 for speech without a label."""
    target: Tensor
    """(batch, n_numbers) float32, what the teacher says of the clean clip, standardised; not a number without one."""


class EmbeddingData(CorpusData[EmbeddingBatch]):
    """A data module that draws words evenly, and adds speech of people.

    Each clip is drawn with replacement: half of them English, all words of a language alike.

    Args:
        corpus: Corpus of words with labels such as "lt:labas", from `audionet.datasets.open_spoken`.
        speech: Clips without a label; None for none.
        targets: (clip, n_numbers) float32, the teacher's for the corpus's clips; None without a teacher.
        speech_targets: The same for the speech.
        batch_size: Clips of a batch, in each process.
        speech_share: Share of the speech without a label in each batch.
        english_share: Share of the English words among the words; the rest are those of all other languages.
        crop_seconds: Lengths of a batch's clips, one of which is drawn for each batch.
        shift_seconds: Largest distance of a crop from the middle of its clip.
        epoch_batches: Batches of an epoch.
        seed: Seed of all that is drawn.

    Raises:
        ValueError: A number is out of its range, targets do not fit the clips, or there are no clips.
    """

    def __init__(
        self,
        corpus: Corpus,
        *,
        speech: Store | None = None,
        targets: np.ndarray | None = None,
        speech_targets: np.ndarray | None = None,
        batch_size: int = 112,
        speech_share: float = 0.25,
        english_share: float = 0.5,
        crop_seconds: Sequence[float] = (1.0, 1.0, 1.25, 1.5),
        shift_seconds: float = 0.12,
        epoch_batches: int = 500,
        seed: int = 0,
    ) -> None:
        super().__init__(corpus, batch_size, seed)
        check_at_least(0, 0.9, speech_share=speech_share)
        check_at_least(0, 1, english_share=english_share)
        check_at_least(1, whole=True, epoch_batches=epoch_batches)
        check_at_least(0, shift_seconds=shift_seconds)
        self.speech, self.epoch_batches = speech, epoch_batches
        self.lengths = [round(seconds * corpus.sample_rate) for seconds in crop_seconds]
        fits = self.lengths and all(0 < length <= corpus.clip_length for length in self.lengths)
        longest = corpus.clip_length / corpus.sample_rate
        check_that(fits, "crop_seconds", f"lengths of up to {longest:g} s, that of the clips", list(crop_seconds))
        self.shift = round(shift_seconds * corpus.sample_rate)
        self.targets, self.speech_targets = standardized(targets, speech_targets)
        self.n_numbers = 0 if self.targets is None else self.targets.shape[1]
        self.n_speech = 0 if speech is None else round(self.batch_size * speech_share)
        self.train = corpus.store.indices("train")
        names = [corpus.labels[position] for position in corpus.label_index[self.train]]
        is_english = np.array([name.startswith(("en:", "en-")) for name in names])
        engines = [str(speaker).partition(":")[0] for speaker in corpus.store.speakers[self.train]]
        weights = weights_of(corpus.label_index[self.train], is_english, engines, english_share)
        self.bounds = np.cumsum(weights)
        if speech is not None:
            loud = np.abs(speech.waveforms).max(-1) > QUIETEST
            self.speech_rows = np.flatnonzero(loud)
            check_that(len(self.speech_rows), "real_speech", "recordings with sound", "only silence")

    @property
    def background(self) -> Tensor:
        """The corpus's noise, (time,) int16."""
        return torch.from_numpy(np.array(self.corpus.store.background))

    def items(self, split: str) -> tuple[Gather[EmbeddingBatch], np.ndarray]:
        """Return what makes batches; those for training are drawn, those for the test are whole clips in order."""
        if split == "train":
            n_items = self.epoch_batches * self.batch_size
            return self.draw, np.arange(n_items * (self.trainer.world_size if self.trainer else 1))
        return self.gather, self.corpus.store.indices(split)

    def draw(self, chosen: np.ndarray, generator: np.random.Generator | None) -> EmbeddingBatch:
        """Draw as many clips as are chosen, all of one length."""
        assert generator is not None
        length = self.lengths[int(generator.integers(len(self.lengths)))]
        n_words = len(chosen) - self.n_speech
        rows = self.train[np.searchsorted(self.bounds, generator.random(n_words) * self.bounds[-1])]
        batch = self.gather(rows, None)
        waveforms = [self.corpus.store.waveforms[rows]]
        if self.speech is not None and self.n_speech:
            rows = self.speech_rows[generator.integers(len(self.speech_rows), size=self.n_speech)]
            waveforms.append(self.speech.waveforms[rows])
            batch["label"] = torch.cat([batch["label"], torch.full((self.n_speech,), UNLABELLED)])
            batch["target"] = torch.cat([batch["target"], self._targets(self.speech_targets, rows)])
        whole = np.concatenate(waveforms)
        room = whole.shape[1] - length
        shift = generator.integers(-self.shift, self.shift + 1, size=len(whole))
        starts = np.clip(room // 2 + shift, 0, room)
        windows = np.lib.stride_tricks.sliding_window_view(whole, length, axis=1)
        batch["waveform"] = torch.from_numpy(windows[np.arange(len(whole)), starts])
        return batch

    def gather(self, rows: np.ndarray, generator: np.random.Generator | None) -> EmbeddingBatch:
        """Return whole clips of the corpus."""
        return {
            "waveform": torch.from_numpy(self.corpus.store.waveforms[rows]),
            "label": torch.from_numpy(self.corpus.label_index[rows]),
            "target": self._targets(self.targets, rows),
        }

    def _targets(self, targets: np.ndarray | None, rows: np.ndarray) -> Tensor:
        missing = np.full((len(rows), self.n_numbers), np.nan, np.float32)
        return torch.from_numpy(missing if targets is None else targets[rows])


def weights_of(labels: np.ndarray, is_english: np.ndarray, engines: Sequence[str], english_share: float) -> np.ndarray:
    """Return how often each clip is drawn, (clip,) float64 that sum to 1.

    All words of one group, English or the others, are drawn alike; within a word, engines by `ENGINE_WEIGHTS`.

    Args:
        labels: (clip,) int64, the word of each.
        is_english: (clip,) bool.
        engines: Name of the engine of each clip.
        english_share: Share of the English words; where there are no others, or no English ones, it is all or nothing.

    Example:
        >>> english = np.array([True, True, True, False])
        >>> weights_of(np.array([0, 0, 1, 2]), english, ["pico"] * 4, 0.5).tolist()
        [0.125, 0.125, 0.25, 0.5]
    """
    each = np.array([ENGINE_WEIGHTS.get(engine, 1.0) for engine in engines])
    weights = each / np.bincount(labels, each)[labels]
    shares: Mapping[bool, float] = {True: english_share, False: 1 - english_share}
    for group, share in shares.items():
        rows = is_english == group
        if rows.any():
            weights[rows] *= (share if not rows.all() else 1.0) / weights[rows].sum()
    total: np.ndarray = weights / weights.sum()
    return total


def standardized(*targets: np.ndarray | None) -> list[np.ndarray | None]:
    """Return targets with mean 0 and standard deviation 1 over all clips that have some, each (clip, n_numbers)."""
    given = [each[~np.isnan(each[:, 0])] for each in targets if each is not None]
    known = np.concatenate(given) if given else np.zeros((0, 1), np.float32)
    if not len(known):
        return list(targets)
    mean, std = known.mean(0), known.std(0) + 1e-3
    return [None if each is None else ((each - mean) / std).astype(np.float32) for each in targets]


def heard(
    data: EmbeddingData, *, real_speech: Sequence[str], teacher: str, init: str | None, n_steps: int
) -> dict[str, str | int]:
    """Return what an embedding has heard and who taught it, for its training record: plain JSON values.

    Args:
        data: What it was trained on.
        real_speech: Folders of the speech; their places are nobody's business, and are not told.
        teacher: Name of the teacher, or "none".
        init: Bundle that the training went on from; None for none.
        n_steps: Steps of the training.
    """
    store = data.corpus.store
    trained = {data.corpus.labels[position] for position in data.corpus.label_index[data.train]}
    languages = Counter(label.partition(":")[0] for label in trained)
    engines = Counter(str(speaker).partition(":")[0] for speaker in store.speakers[data.train])
    real = (
        "none"
        if data.speech is None
        else f"{len(data.speech_rows)} pieces of {listed([Path(folder).name for folder in real_speech], 20)}"
    )
    known = TEACHERS[teacher] if teacher != "none" else None
    return {
        "words": f"{len(trained)} of {len(languages)} languages ({_counted(languages)})",
        "engines": f"{_counted(engines)} clips",
        "real_speech": real,
        "teacher": "none" if known is None else f"{known.title} ({known.license})",
        "init": Path(init).name if init else "nothing",
        "steps": n_steps,
    }


def _counted(counts: "Counter[str]") -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())
