"""The Lightning data module of windows of clips, for generation."""

import math
from collections.abc import Sequence
from typing import TypedDict

import numpy as np
import torch
from torch import Tensor

from audionet.audio import to_float
from audionet.checks import check_at_least, check_that
from audionet.datasets.batches import Gather
from audionet.datasets.corpus import Corpus
from audionet.datasets.crops import CropBatch, Crops
from audionet.features.frontend import FrontEnd
from audionet.models.contract import SampleModel
from audionet.training.data import CorpusData


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
