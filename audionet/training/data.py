"""The Lightning data modules: a card's clip store, served as whole batches of clips or of windows of them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning import LightningDataModule
from torch import Tensor

from audionet.audio import FULL_SCALE, save_audio
from audionet.datasets.batches import Batch, Batches, Gather, gather_clips
from audionet.datasets.cards import plain_card, read_card
from audionet.datasets.classes import ClassSelection
from audionet.datasets.corpus import open_corpus
from audionet.datasets.crops import Crops


class CorpusDataModule(LightningDataModule):
    """What both ways of serving a corpus share: its card, its clip store and its splits.

    Args:
        card: Name of a dataset card, a card.yaml, or the folder of one; None to read ``root`` as a plain folder of
            class folders.
        root: Folder that holds the corpus; None: where `audionet data get` puts it.
        split: One of the card's split rules; None: its own choice.
        test_speaker: Speaker to test on, where the split leaves one out.
        synthetic: Utterances of each label by espeak-ng's voices that join the training clips.
        sample_rate: Hz.
        clip_seconds: Length that every clip is brought to in the store.
        batch_size: Clips a batch, in each process.
        seed: Decides the order of the training clips.
        background: Folder of noise recordings; None: the card's own, or synthetic noise where it has none.
        workers: Processes that build the store; None: one for each core.
        skip_bad: Leave out files that cannot be used instead of refusing.

    Raises:
        ValueError: The corpus is missing, has bad files, or a setting does not fit it.
    """

    has_pools = True  # whether unknown words and silence are classes where the card says so

    def __init__(
        self,
        *,
        card: str | None = "words",
        root: str | None = None,
        split: str | None = None,
        test_speaker: str | None = None,
        synthetic: int = 0,
        sample_rate: int = 16_000,
        clip_seconds: float = 1.0,
        batch_size: int = 100,
        seed: int = 0,
        background: str | None = None,
        workers: int | None = None,
        skip_bad: bool = False,
    ) -> None:
        super().__init__()
        if card is None and root is None:
            raise ValueError("data: name a card (--data.card) or a folder of class folders (--data.root)")
        self.card = read_card(card) if card is not None else plain_card(str(root))
        if not self.has_pools:
            self.card = replace(self.card, labels=ClassSelection(keep=self.card.labels.keep))
        self.batch_size, self.seed, self.sample_rate = batch_size, seed, sample_rate
        self.clip_length = round(clip_seconds * sample_rate)
        self.store = open_corpus(
            self.card,
            root=None if root is None else Path(root),
            split=split,
            test_speaker=test_speaker,
            synthetic=synthetic,
            sample_rate=sample_rate,
            clip_length=self.clip_length,
            background=None if background is None else Path(background),
            workers=workers,
            skip_bad=skip_bad,
        )
        if batch_size > len(self.store.indices("train")):
            raise ValueError(
                f"batch_size = {batch_size}: there are only {len(self.store.indices('train'))} training clips; "
                "choose a smaller --data.batch_size"
            )
        if len(self.store.indices("test")) == 0:  # said now, not after the training
            raise ValueError(
                f"{self.card.name}: the split leaves no clip to test on; add recordings, or list some in "
                "testing_list.txt beside the class folders"
            )
        names = self.store.label_names
        self.labels = self.card.labels.names(names)
        self._targets = np.array([self.labels.index(name) for name in names])[self.store.labels]

    @property
    def has_validation(self) -> bool:
        """Whether the corpus has a validation split."""
        return len(self.store.indices("validation")) > 0

    def _batches(self, gather: Gather, items: np.ndarray, seed: int | None = None) -> Batches:
        trainer = self.trainer
        return Batches(
            gather,
            items,
            batch_size=self.batch_size,
            seed=seed,
            rank=trainer.global_rank if trainer else 0,
            world_size=trainer.world_size if trainer else 1,
        )


class ClipDataModule(CorpusDataModule):
    """Batches {"waveform": (batch, time) int16, "label": (batch,) int64} from a corpus's clip store.

    Args:
        corpus: As `CorpusDataModule` takes them.

    Raises:
        ValueError: The corpus is missing, has bad files, or a setting does not fit it.
    """

    def __init__(self, **corpus: Any) -> None:
        super().__init__(**corpus)
        self._resident: Tensor | None = None

    @property
    def background(self) -> Tensor:
        """The noise, (time,) int16."""
        return torch.from_numpy(np.array(self.store.background))

    def train_dataloader(self) -> Batches:
        """Shuffled training batches."""
        return self._batches(self._gather(), self.store.indices("train"), self.seed)

    def val_dataloader(self) -> Batches | list[Any]:
        """Validation batches in order; none where the corpus has no validation split."""
        return self._batches(self._gather(), self.store.indices("validation")) if self.has_validation else []

    def test_dataloader(self) -> Batches:
        """Test batches in order."""
        return self._batches(self._gather(), self.store.indices("test"))

    def export_clips(self, split: str, folder: Path, *, per_label: int) -> list[tuple[Path, str]]:
        """Write clips of a split as WAV files, ``per_label`` of each label drawn by the seed.

        Returns:
            Each file with its label.
        """
        indices = np.random.default_rng(self.seed).permutation(self.store.indices(split))
        written = []
        folder.mkdir(parents=True, exist_ok=True)
        for target, label in enumerate(self.labels):
            for number, index in enumerate(indices[self._targets[indices] == target][:per_label]):
                path = folder / f"{label.strip('_')}{number if per_label > 1 else ''}.wav"
                save_audio(path, self.store.waveforms[index] / np.float32(FULL_SCALE), self.sample_rate)
                written.append((path, label))
        return written

    def _gather(self) -> Gather:
        return gather_clips(self._waveforms(), self._targets)

    def _waveforms(self) -> np.ndarray | Tensor:
        """The whole store on the GPU, where it takes less than half of the free memory there; else the file."""
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        if device.type != "cuda":
            return self.store.waveforms
        if self._resident is None and self.store.waveforms.nbytes < torch.cuda.mem_get_info(device)[0] / 2:
            self._resident = torch.from_numpy(np.asarray(self.store.waveforms)).to(device)
        return self.store.waveforms if self._resident is None else self._resident


class CropDataModule(CorpusDataModule):
    """Windows of a corpus's clips for generation; `Crops.take` says what a batch is.

    The network decides how much context a window needs: `fit_to` is told before the first batch.

    Args:
        window_seconds: Length of a training window, its context included.
        conditions: Categories to condition on: "label", "speaker".
        corpus: As `CorpusDataModule` takes them.

    Attributes:
        categories: The values of each category, as `audionet.models.WaveNet` takes them.

    Raises:
        ValueError: The corpus is missing, has bad files, or a setting does not fit it.
    """

    has_pools = False  # there is no one sound of them to learn

    def __init__(self, *, window_seconds: float = 1.0, conditions: Sequence[str] = ("label",), **corpus: Any) -> None:
        super().__init__(**corpus)
        self.window = round(window_seconds * self.sample_rate)
        known = {"label": np.array(self.store.label_names)[self.store.labels], "speaker": self.store.speakers}
        if unknown := [name for name in conditions if name not in known]:
            raise ValueError(f"conditions: expected some of {', '.join(known)}; got {', '.join(unknown)}")
        self.categories: dict[str, list[str]] = {}
        self._positions: dict[str, np.ndarray] = {}
        for name in conditions:
            seen = set(known[name][self.store.indices("train")])
            values = [label for label in self.labels if label in seen] if name == "label" else sorted(seen)
            if "" in values:
                raise ValueError(f"conditions: {self.card.name} does not name the {name} of its clips; leave it out")
            if unheard := set(known[name]) - set(values):
                raise ValueError(
                    f"conditions: {name} {', '.join(sorted(unheard)[:3])} is tested but never trained on; "
                    "leave it out or choose another split"
                )
            self.categories[name] = values
            self._positions[name] = np.array([values.index(value) for value in known[name]])

    def fit_to(self, *, context: int, hop_length: int = 1, margin: int = 0, learns_end: bool = True) -> None:
        """Set what the network needs around a window, mostly in samples; `Crops` says what each means.

        Raises:
            ValueError: The window has no room for it.
        """
        window = self.window // hop_length * hop_length
        if window < context + hop_length:
            raise ValueError(
                f"window_seconds: {self.window} samples leave nothing to count behind the network's receptive field of "
                f"{context}; give more than {(context + 2 * hop_length) / self.sample_rate:.2f}"
            )
        self.crops = Crops(
            store=self.store,
            conditions=self._positions,
            window=window,
            context=context,
            hop_length=hop_length,
            margin=margin,
            learns_end=learns_end,
        )

    @property
    def typical_length(self) -> int:
        """Samples of the middle one of the training clips, by their length."""
        return self._middle(self.store.indices("train"))

    @property
    def value_lengths(self) -> dict[str, dict[str, int]]:
        """The same of the training clips of each value of each category, {category: {value: samples}}."""
        train = self.store.indices("train")
        return {
            name: {
                value: self._middle(train[self._positions[name][train] == place]) for place, value in enumerate(known)
            }
            for name, known in self.categories.items()
        }

    def _middle(self, clips: np.ndarray) -> int:
        return int(np.median(self.crops.lengths(clips)))

    def examples(self, count: int) -> tuple[Tensor, dict[str, list[str]]]:
        """Return test clips spread over the split: (count, time) float32, and their values of each category."""
        test = self.store.indices("test")
        chosen = test[np.arange(count) * len(test) // count]
        waveforms = torch.from_numpy(self.store.waveforms[chosen] / np.float32(FULL_SCALE))
        return waveforms, self.values(chosen)

    def recordings(self, split: str) -> tuple[list[np.ndarray], dict[str, list[str]]]:
        """Return a split's clips without padding, (time,) float32 each, and their values of each category."""
        chosen = self.store.indices(split)
        rows = [self.crops.samples(clip) / np.float32(FULL_SCALE) for clip in chosen]
        return rows, self.values(chosen)

    def values(self, clips: np.ndarray) -> dict[str, list[str]]:
        """Return the values of each category of clips, by their positions in the store."""
        return {
            name: [known[position] for position in self._positions[name][clips]]
            for name, known in self.categories.items()
        }

    def train_dataloader(self) -> Batches:
        """Random windows of the shuffled training clips."""
        return self._batches(self.crops.draw, self.store.indices("train"), self.seed)

    def val_dataloader(self) -> Batches | list[Any]:
        """Every sample of the validation clips once; none where the corpus has no validation split."""
        return self._tiles("validation") if self.has_validation else []

    def test_dataloader(self) -> Batches:
        """Every sample of the test clips once."""
        return self._tiles("test")

    def _tiles(self, split: str) -> Batches:
        clips, starts, ends = self.crops.tiles(self.store.indices(split))

        def gather(chosen: np.ndarray, generator: np.random.Generator | None) -> Batch:
            return self.crops.take(clips[chosen], starts[chosen], ends[chosen])

        return self._batches(gather, np.arange(len(clips)))
