"""Whole batches of a clip store, in an order that can be saved and restored."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

Batch = dict[str, Any]
Gather = Callable[[np.ndarray, np.random.Generator | None], Batch]


def gather_clips(waveforms: np.ndarray | Tensor, targets: np.ndarray) -> Gather:
    """Gather whole clips: {"waveform": (batch, time) int16, "label": (batch,) int64}.

    Args:
        waveforms: (clip, time) int16, an array or a tensor on any device.
        targets: (clip,) int64.
    """
    labels = torch.from_numpy(targets)

    def gather(chosen: np.ndarray, generator: np.random.Generator | None) -> Batch:
        if isinstance(waveforms, Tensor):
            waveform = waveforms[torch.from_numpy(chosen).to(waveforms.device)]
        else:
            waveform = torch.from_numpy(waveforms[chosen])
        return {"waveform": waveform, "label": labels[chosen]}

    return gather


class Batches:
    """Whole batches of a split, gathered at once; its place in the epoch can be saved and restored.

    Args:
        gather: Makes a batch of the items chosen, (n,) int64, and of a generator for whatever it draws; None where
            nothing is to be drawn.
        items: (n,) int64, what an epoch goes through.
        batch_size: Items a batch.
        seed: None for the given order, otherwise every epoch has its own shuffle and drops its last, short batch.
        rank: Which of the processes this is; process r takes every ``world_size``-th item from the r-th on.
        world_size: Number of processes.
    """

    def __init__(
        self,
        gather: Gather,
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
            self.batch = 0  # whatever an earlier pass left out: a check of the first batches, say
        else:
            order = np.random.default_rng((self.seed, epoch)).permutation(order)
        order = order[self.rank :: self.world_size]
        for batch in range(self.batch, len(self)):
            # The place is moved before the batch is handed out: a trainer need not come back after the last one.
            is_last = batch + 1 == len(self)
            self.epoch, self.batch = (self.epoch + 1, 0) if is_last else (self.epoch, batch + 1)
            if self.seed is not None:
                draw = np.random.default_rng((self.seed, epoch, batch, self.rank))
            yield self.gather(order[batch * self.batch_size : (batch + 1) * self.batch_size], draw)

    def state_dict(self) -> dict[str, int]:
        """Say which batch comes next."""
        return {"epoch": self.epoch, "batch": self.batch}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on where ``state_dict`` was taken."""
        self.epoch, self.batch = state["epoch"], state["batch"]
