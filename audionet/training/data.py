"""The Lightning data modules of a corpus: what all have, and the one of whole clips, for recognition."""

import math
from abc import abstractmethod
from typing import Any, Generic

import numpy as np
import torch
from lightning import LightningDataModule
from torch import Tensor

from audionet.checks import check_at_least, check_that
from audionet.console import note
from audionet.datasets.batches import Batch, Batches, ClipBatch, Gather, gather_clips
from audionet.datasets.corpus import Corpus
from audionet.randomness import check_seed

MOST_TIMES = 10  # that a recording comes in an epoch, beside clips that are made: more often, it is learnt by heart
MOST_SPEECH = 500  # clips of other people's speech, 16 MB of a second each at 16 kHz


class CorpusData(LightningDataModule, Generic[Batch]):
    """A data module that serves the splits of a corpus, in batches that a subclass makes.

    Args:
        corpus: Corpus to serve.
        batch_size: Items of a batch, in each process; of fewer training clips than that, a quarter makes a batch.
        seed: Seed of the order of the training items.

    Raises:
        ValueError: A number is out of its range, or there are no training clips.
    """

    fewest_batches = 1
    """Batches that the training clips make at least; otherwise a batch is smaller."""

    def __init__(self, corpus: Corpus, batch_size: int, seed: int) -> None:
        super().__init__()
        check_at_least(1, batch_size=batch_size, whole=True)
        check_seed(seed)
        n_train = len(corpus.store.indices("train"))
        check_that(n_train, "corpus", f"clips to train on in {corpus.card.name}", n_train, "add recordings")
        self.corpus, self.batch_size, self.seed = corpus, batch_size, seed
        if n_train < self.fewest_batches * batch_size:
            self.batch_size = max(n_train // 4, min(n_train, 2))
            note(f"batches of {self.batch_size} clips, not of {batch_size}: there are {n_train} training clips")

    def check_tested(self) -> None:
        """Refuse a corpus without test clips: said before a training, not after it.

        Raises:
            ValueError: There are none.
        """
        n_test = len(self.corpus.store.indices("test"))
        advice = "add recordings, or list some in testing_list.txt beside the class folders"
        check_that(n_test, "corpus", f"clips to test on in this split of {self.corpus.card.name}", n_test, advice)

    def train_dataloader(self) -> Batches[Batch]:
        """Return the shuffled training batches."""
        is_training = self.trainer is not None and self.trainer.training
        return self._serve("train", seed=self.seed, place=self._place if is_training else None)

    def _place(self) -> tuple[int, int]:
        """Return the epoch of the training and the batch that comes next in it."""
        assert self.trainer is not None
        is_overfit: float = self.trainer.overfit_batches  # type: ignore[attr-defined]
        epoch = 0 if is_overfit else self.trainer.current_epoch  # to overfit: the same batches in each
        return epoch, self.trainer.fit_loop.batch_idx + 1

    def val_dataloader(self) -> Batches[Batch] | list[Batch]:
        """Return the validation batches in order; none where the corpus has no validation split."""
        return self._serve("validation") if self.corpus.has_validation else []

    def test_dataloader(self) -> Batches[Batch]:
        """Return the test batches in order."""
        return self._serve("test")

    def _serve(self, split: str, **order: Any) -> Batches[Batch]:
        """Return the batches of this process's share of a split."""
        rank, world_size = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        gather, items = self.items(split)
        share = max(len(items) // world_size, 1)  # of this process
        batch_size = min(self.batch_size, share)
        return Batches(gather, items, batch_size=batch_size, rank=rank, world_size=world_size, **order)

    @abstractmethod
    def items(self, split: str) -> tuple[Gather[Batch], np.ndarray]:
        """Return what makes a batch, and the positions of the split's items, (n,) int64, that it takes."""


class ClipData(CorpusData[ClipBatch]):
    """A data module that serves whole clips with their labels.

    Args:
        corpus: Corpus to serve, from `audionet.datasets.open_corpus`.
        batch_size: Clips of a batch, in each process; at most a quarter of the training clips.
        epoch_batches: Batches of an epoch, at least: of few clips, it goes through each several times, augmented anew.
        recorded_share: Share of the recordings, at least, among the training clips of a class that other clips of it
            are made to join: where there are fewer, each comes several times in an epoch, up to ten.
        seed: Seed of the order of the training clips.

    Raises:
        ValueError: A number is out of its range, there are no training clips, or all clips are of one class.
    """

    fewest_batches = 4

    def __init__(
        self,
        corpus: Corpus,
        *,
        batch_size: int = 100,
        epoch_batches: int = 1,
        recorded_share: float = 0.4,
        seed: int = 0,
    ) -> None:
        super().__init__(corpus, batch_size, seed)
        check_at_least(1, whole=True, epoch_batches=epoch_batches)
        check_at_least(0, 0.9, recorded_share=recorded_share)
        self.epoch_batches, self.recorded_share = epoch_batches, recorded_share
        advice = "add a folder of recordings of other words or sounds"
        check_that(len(corpus.labels) > 1, "corpus", "at least two classes", list(corpus.labels), advice)
        self._on_gpu: Tensor | None = None

    @property
    def background(self) -> Tensor:
        """The corpus's noise, (time,) int16."""
        return torch.from_numpy(np.array(self.corpus.store.background))

    @property
    def speech(self) -> Tensor:
        """Training clips end to end, (time,) int16, for other people to talk behind a clip: 500 at most."""
        rows = self.corpus.store.indices("train")
        rows = rows[~self.corpus.made_silences[rows]]
        rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), MOST_SPEECH)).astype(int)]  # of all classes alike
        return torch.from_numpy(np.array(self.corpus.store.waveforms[rows])).flatten()

    def items(self, split: str) -> tuple[Gather[ClipBatch], np.ndarray]:
        """Return what gathers clips with their labels, and the positions of the split's clips."""
        gather = gather_clips(self._waveforms(), self.corpus.label_index, self.corpus.made_silences)
        clips = self.corpus.store.indices(split)
        if split == "train":
            times = times_of(self.corpus.label_index[clips], self.corpus.added[clips], self.recorded_share)
            clips = np.repeat(clips, times)
            world_size = self.trainer.world_size if self.trainer else 1
            n_passes = math.ceil(self.epoch_batches * self.batch_size * world_size / len(clips))
            clips = np.tile(clips, max(n_passes, 1))
        return gather, clips

    def _waveforms(self) -> np.ndarray | Tensor:
        """Return the whole store, on the GPU where it takes less than half of the memory that is free there."""
        waveforms = self.corpus.store.waveforms
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        if device.type != "cuda":
            return waveforms
        if self._on_gpu is None and waveforms.nbytes < torch.cuda.mem_get_info(device)[0] / 2:
            self._on_gpu = torch.from_numpy(np.asarray(waveforms)).to(device)
        return waveforms if self._on_gpu is None else self._on_gpu


def times_of(labels: np.ndarray, added: np.ndarray, recorded_share: float) -> np.ndarray:
    """Return how often each clip comes in an epoch, (clip,) int64: once, but recordings beside many made clips.

    Args:
        labels: (clip,) int64, the class of each.
        added: (clip,) bool, whether it was made to join recordings.
        recorded_share: Share of the recordings in each class that has both, at least.

    Example:
        >>> times_of(np.array([0, 0, 0, 0, 1]), np.array([False, True, True, True, False]), 0.5).tolist()
        [3, 1, 1, 1, 1]
    """
    n_made, n_recorded = np.bincount(labels, added), np.bincount(labels, ~added)
    wanted = n_made * recorded_share / (1 - recorded_share) / np.maximum(n_recorded, 1)
    each = np.clip(np.rint(wanted), 1, MOST_TIMES).astype(int)
    times: np.ndarray = np.where(added, 1, each[labels])
    return times
