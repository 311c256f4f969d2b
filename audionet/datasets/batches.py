"""Whole batches of a clip store, in an order that follows from the seed and the epoch alone."""

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
    """Batches of a split, each gathered at once.

    Lightning takes any iterable as a data loader. What a batch holds is a function of the seed, the epoch, the number
    of the batch in it, and the process; so a training that knows its place goes on with the very batch that comes next.

    Args:
        gather: Makes a batch of the items at some positions; its generator is None where the order is given.
        items: (n,) int64, the positions that an epoch goes through.
        batch_size: Items of a batch, in each process.
        seed: Seed of the order and of what is drawn; every epoch has an order of its own and leaves out its last,
            short batch. None for the given order.
        rank: Number of this process; process r takes every ``world_size``-th item from the r-th on.
        world_size: Number of processes.
        place: Returns the epoch and the batch to begin at, each time that the batches are gone through; None for an
            epoch further each time.
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
        place: Callable[[], tuple[int, int]] | None = None,
    ) -> None:
        self.gather, self.items = gather, items
        self.batch_size, self.seed, self.rank, self.world_size = batch_size, seed, rank, world_size
        self.place, self.n_passes = place, 0

    def __len__(self) -> int:
        if self.seed is None:
            return -(-len(self.items[self.rank :: self.world_size]) // self.batch_size)
        return len(self.items) // self.world_size // self.batch_size

    def __iter__(self) -> Iterator[Batch]:
        epoch, first = (self.n_passes, 0) if self.place is None else self.place()
        self.n_passes += 1
        order, draw = self.items, None
        if self.seed is not None:
            order = random_generator(self.seed, "order of an epoch", epoch).permutation(order)
        order = order[self.rank :: self.world_size]
        for batch in range(first, len(self)):
            if self.seed is not None:
                draw = random_generator(self.seed, "draws of a batch", epoch, batch, self.rank)
            yield self.gather(order[batch * self.batch_size : (batch + 1) * self.batch_size], draw)
