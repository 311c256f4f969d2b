"""Whole batches of a clip store, in an order that can be saved and restored."""

from collections.abc import Callable, Iterator, Mapping
from typing import Generic, NotRequired, TypedDict, TypeVar

import numpy as np
import torch
from torch import Tensor

from audionet.randomness import random_generator


class ClipBatch(TypedDict):
    """Whole clips with their labels."""

    waveform: Tensor
    """(batch, time) int16."""
    label: Tensor
    """(batch,) int64, positions in the corpus's labels."""
    silence: NotRequired[Tensor]
    """(batch,) bool, whether a clip is a silence that the augmentation fills with noise; none is without it."""
    clip: NotRequired[Tensor]
    """(batch,) int64, positions in the corpus's store; needed to test."""


Batch = TypeVar("Batch", bound=Mapping[str, object])
Gather = Callable[[np.ndarray, np.random.Generator | None], Batch]
"""Makes a batch of the items at (n,) int64 positions, with a generator for what it draws."""


def gather_clips(
    waveforms: np.ndarray | Tensor, label_index: np.ndarray, silence: np.ndarray | None = None
) -> Gather[ClipBatch]:
    """Return what gathers whole clips.

    Args:
        waveforms: (clip, time) int16, an array or a tensor on any device.
        label_index: (clip,) int64.
        silence: (clip,) bool, the silences that the augmentation fills with noise; None for none.
    """
    labels = torch.from_numpy(label_index)
    is_silence = torch.zeros(len(labels), dtype=torch.bool) if silence is None else torch.from_numpy(silence)

    def gather(chosen: np.ndarray, generator: np.random.Generator | None) -> ClipBatch:
        if isinstance(waveforms, Tensor):
            waveform = waveforms[torch.from_numpy(chosen).to(waveforms.device)]
        else:
            waveform = torch.from_numpy(waveforms[chosen])
        clip = torch.from_numpy(chosen)
        return {"waveform": waveform, "label": labels[chosen], "silence": is_silence[chosen], "clip": clip}

    return gather


class Batches(Generic[Batch]):
    """Batches of a split, each gathered at once, with a place in the epoch that can be saved and restored.

    Lightning takes any iterable as a data loader, and saves the place of one that has ``state_dict``.

    Args:
        gather: Makes a batch of the items at some positions; its generator is None where the order is given.
        items: (n,) int64, the positions that an epoch goes through.
        batch_size: Items of a batch, in each process.
        seed: Seed of the order and of what is drawn; every epoch has an order of its own and leaves out its last,
            short batch. None for the given order.
        rank: Number of this process; process r takes every ``world_size``-th item from the r-th on.
        world_size: Number of processes.
    """

    def __init__(
        self,
        gather: Gather[Batch],
        items: np.ndarray,
        *,
        batch_size: int,
        seed: int | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.gather, self.items = gather, items
        self.batch_size, self.seed, self.rank, self.world_size = batch_size, seed, rank, world_size
        self.epoch = self.batch = 0

    def __len__(self) -> int:
        if self.seed is None:
            return -(-len(self.items[self.rank :: self.world_size]) // self.batch_size)
        return len(self.items) // self.world_size // self.batch_size

    def __iter__(self) -> Iterator[Batch]:
        order, draw, epoch = self.items, None, self.epoch
        if self.seed is None:
            self.batch = 0  # an earlier pass may have been broken off, such as Lightning's check of the first batches
        else:
            order = random_generator(self.seed, "order of an epoch", epoch).permutation(order)
        order = order[self.rank :: self.world_size]
        for batch in range(self.batch, len(self)):
            # The place is moved before the batch is handed out: a trainer need not come back after the last one.
            is_last = batch + 1 == len(self)
            self.epoch, self.batch = (self.epoch + 1, 0) if is_last else (self.epoch, batch + 1)
            if self.seed is not None:
                draw = random_generator(self.seed, "draws of a batch", epoch, batch, self.rank)
            yield self.gather(order[batch * self.batch_size : (batch + 1) * self.batch_size], draw)

    def state_dict(self) -> dict[str, int]:
        """Return the place in the epoch: which batch comes next."""
        return {"epoch": self.epoch, "batch": self.batch}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on at the place where ``state_dict`` was taken."""
        self.epoch, self.batch = state["epoch"], state["batch"]
