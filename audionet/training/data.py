"""The Lightning data modules: a corpus, served as whole batches of clips or of windows of them."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, TypedDict

import numpy as np
import torch
from lightning import LightningDataModule
from torch import Tensor

from audionet.audio import to_float
from audionet.checks import check_at_least, check_that
from audionet.console import note
from audionet.datasets.batches import Batch, Batches, ClipBatch, Gather, gather_clips
from audionet.datasets.corpus import Corpus
from audionet.datasets.crops import CropBatch, Crops
from audionet.features.frontend import FrontEnd
from audionet.models.contract import SampleModel
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


class Windows(TypedDict):
    """What a network asks of its windows, as `CropData` takes it."""

    context: int
    hop_length: int
    margin: int
    learns_end: bool


def windows_for(network: SampleModel, front_end: FrontEnd | None = None) -> Windows:
    """Return what a network asks of its windows: its context, its steps, and what its front-end sees around a window.

    Args:
        network: Network that is trained.
        front_end: Front-end of its local conditioning; None without one.

    Raises:
        ValueError: The front-end's hop is not the network's.
    """
    margin = 0
    if front_end is not None:
        framing = front_end.framing
        expected = f"{network.hop_length}, the product of model.upsample"
        fits = framing.hop_length == network.hop_length
        check_that(fits, "features.hop_length", expected, framing.hop_length, "change one of them")
        margin = network.hop_length * math.ceil(framing.left / network.hop_length)
    return {
        "context": network.receptive_field,
        "hop_length": network.step_length,
        "margin": margin,
        "learns_end": not network.n_places,
    }


class CropData(CorpusData[CropBatch]):
    """A data module that serves windows of clips, for generation.

    Args:
        corpus: Corpus to serve, from `audionet.datasets.open_corpus`.
        context: Samples that the network looks back, its receptive field; they do not count inside a clip.
        hop_length: Windows begin at multiples of it: samples of one step of the network.
        margin: Samples on either side of a window, for the front-end of the local conditioning.
        learns_end: Whether silence behind clips counts in training, too. A network that is not told the length of a
            clip must learn when to stop.
        window_seconds: Length of a training window, with its context; None for 0.2 s and the context.
        conditions: Categories to condition on: "label", "speaker".
        batch_size: Windows of a batch, in each process; of fewer training clips than that, a quarter makes a batch.
        epoch_batches: Batches that an epoch has at least: where there are fewer, it draws several windows of each clip.
        seed: Seed of the order of the training clips and of their windows.

    Attributes:
        categories: The values of each category, as `audionet.models.WaveNet` takes them.
        crops: The windows.

    Raises:
        ValueError: A category cannot be conditioned on, a window is too short for the context, a number is out of its
            range, or there are no training or no test clips.
    """

    def __init__(
        self,
        corpus: Corpus,
        *,
        context: int,
        hop_length: int = 1,
        margin: int = 0,
        learns_end: bool = True,
        window_seconds: float | None = 1.0,
        conditions: Sequence[str] = ("label",),
        batch_size: int = 100,
        epoch_batches: int = 1,
        seed: int = 0,
    ) -> None:
        check_at_least(0, 3600, window_seconds=1.0 if window_seconds is None else window_seconds)
        check_at_least(1, whole=True, epoch_batches=epoch_batches)
        super().__init__(corpus, batch_size, seed)
        self.check_tested()
        if window_seconds is None:
            window_seconds = context / corpus.sample_rate + 0.2
        window = round(window_seconds * corpus.sample_rate) // hop_length * hop_length
        expected = f"room for more than the network's receptive field of {context} samples"
        advice = f"give more than {(context + 2 * hop_length) / corpus.sample_rate:.2f}"
        check_that(window >= context + hop_length, "window_seconds", expected, window, advice)
        self.categories, self.epoch_batches = corpus.categories(conditions), epoch_batches
        self.crops = Crops(
            store=corpus.store,
            conditions={name: corpus.category_index(name) for name in conditions},
            window=window,
            context=context,
            hop_length=hop_length,
            margin=margin,
            learns_end=learns_end,
        )

    @property
    def typical_length(self) -> int:
        """Median length of the training clips, in samples."""
        return self._median_length(self.corpus.store.indices("train"))

    @property
    def value_lengths(self) -> dict[str, dict[str, int]]:
        """Median length of the training clips of each value of each category, {category: {value: samples}}."""
        train = self.corpus.store.indices("train")
        return {
            name: {
                value: self._median_length(train[self.crops.conditions[name][train] == position])
                for position, value in enumerate(values)
            }
            for name, values in self.categories.items()
        }

    def _median_length(self, clips: np.ndarray) -> int:
        return int(np.median(self.crops.lengths(clips)))

    def examples(self, count: int) -> tuple[Tensor, dict[str, list[str]]]:
        """Return test clips spread over the split: (count, time) float32, and their values of each category."""
        test = self.corpus.store.indices("test")
        chosen = test[np.arange(count) * len(test) // count]
        return torch.from_numpy(to_float(self.corpus.store.waveforms[chosen])), self.values(chosen)

    def recordings(self, split: str) -> tuple[list[np.ndarray], dict[str, list[str]]]:
        """Return a split's clips without padding, (time,) float32 each, and their values of each category."""
        chosen = self.corpus.store.indices(split)
        return [to_float(self.crops.samples(clip)) for clip in chosen], self.values(chosen)

    def values(self, clips: np.ndarray) -> dict[str, list[str]]:
        """Return the values of each category of clips, by their positions in the store."""
        return {
            name: [values[position] for position in self.crops.conditions[name][clips]]
            for name, values in self.categories.items()
        }

    def items(self, split: str) -> tuple[Gather[CropBatch], np.ndarray]:
        """Return what makes windows, and their positions.

        Training draws random windows of each clip; the other splits count every sample of their clips once.
        """
        clips = self.corpus.store.indices(split)
        if split == "train":
            world_size = self.trainer.world_size if self.trainer else 1
            n_draws = math.ceil(self.epoch_batches * self.batch_size * world_size / len(clips))
            return self.crops.draw, np.tile(clips, max(n_draws, 1))
        clips, starts, ends = self.crops.tiles(clips)

        def gather(chosen: np.ndarray, generator: np.random.Generator | None) -> CropBatch:
            return self.crops.take(clips[chosen], starts[chosen], ends[chosen])

        return gather, np.arange(len(clips))
