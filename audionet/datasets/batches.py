"""Whole batches of a clip store, in an order that can be saved and restored."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor


class Batches:
    """Whole batches of a split, gathered at once; its place in the epoch can be saved and restored.

    Args:
        waveforms: (clip, time) int16, an array or a tensor on any device.
        targets: (clip,) int64.
        indices: (n,) int64, the split's clips.
        batch_size: Clips a batch.
        seed: None for the given order, otherwise every epoch has its own shuffle and drops its last, short batch.
        rank: Which of the processes this is; process r takes every ``world_size``-th clip from the r-th on.
        world_size: Number of processes.
    """

    def __init__(
        self,
        waveforms: np.ndarray | Tensor,
        targets: np.ndarray,
        indices: np.ndarray,
        *,
        batch_size: int,
        seed: int | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.waveforms, self.targets, self.indices = waveforms, torch.from_numpy(targets), indices
        self.batch_size, self.seed, self.rank, self.world_size = batch_size, seed, rank, world_size
        self.epoch = self.batch = 0

    def __len__(self) -> int:
        if self.seed is None:
            return -(-len(self.indices[self.rank :: self.world_size]) // self.batch_size)
        return len(self.indices) // self.world_size // self.batch_size

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        order = self.indices
        if self.seed is None:
            self.batch = 0  # whatever an earlier pass left out: a check of the first batches, say
        else:
            order = np.random.default_rng((self.seed, self.epoch)).permutation(order)
        order = order[self.rank :: self.world_size]
        for batch in range(self.batch, len(self)):
            # The place is moved before the batch is handed out: a trainer need not come back after the last one.
            is_last = batch + 1 == len(self)
            self.epoch, self.batch = (self.epoch + 1, 0) if is_last else (self.epoch, batch + 1)
            chosen = order[batch * self.batch_size : (batch + 1) * self.batch_size]
            yield {"waveform": self._gather(chosen), "label": self.targets[chosen]}

    def _gather(self, chosen: np.ndarray) -> Tensor:
        if isinstance(self.waveforms, Tensor):
            return self.waveforms[torch.from_numpy(chosen).to(self.waveforms.device)]
        return torch.from_numpy(self.waveforms[chosen])

    def state_dict(self) -> dict[str, int]:
        """Say which batch comes next."""
        return {"epoch": self.epoch, "batch": self.batch}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on where ``state_dict`` was taken."""
        self.epoch, self.batch = state["epoch"], state["batch"]
