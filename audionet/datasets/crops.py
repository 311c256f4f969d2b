"""Windows of clips, for training a network that predicts each sample from those before it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import torch
from torch import Tensor

from audionet.datasets.store import Store


class CropBatch(TypedDict):
    """Windows of clips; ``time`` is the longest window's."""

    waveform: Tensor
    """(batch, margin + time + margin) int16."""
    counted: Tensor
    """(batch, time) bool, the samples that count for the loss."""
    conditions: dict[str, Tensor]
    """{category: (batch,) int64}, positions in each category's values."""
    start: Tensor
    """(batch,) int64, samples of the clip before its window."""
    length: Tensor
    """(batch,) int64, samples of the whole clip."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Crops:
    """Windows of a store's clips, in which only samples with their whole context count for the loss.

    A window that begins inside a clip begins with ``context`` samples that do not count, so that each one that counts
    sees as much of its past as it does in the whole clip. A window that begins with the clip counts from its first
    sample.

    Attributes:
        store: The clips.
        conditions: {category: (clip,) int64}, the position of each clip in the category's values.
        window: Samples of a window, a multiple of ``hop_length`` that is longer than ``context`` by at least one hop.
        context: Samples that a prediction depends on, which is the network's receptive field.
        hop_length: Windows begin at multiples of it, so that frames fall where they do in the whole clip.
        margin: Samples on either side of a window, from which its first and last frames are computed.
        learns_end: Whether silence behind clips counts in training, too. A network that is not told the length of a
            clip must learn when to stop.
    """

    store: Store
    conditions: Mapping[str, np.ndarray]
    window: int
    context: int
    hop_length: int = 1
    margin: int = 0
    learns_end: bool = True

    def lengths(self, clips: np.ndarray) -> np.ndarray:
        """Return the samples of clips, without the silence that fills their rows."""
        lengths: np.ndarray = np.minimum(self.store.lengths[clips], self.store.waveforms.shape[1])
        return lengths

    def samples(self, clip: int) -> np.ndarray:
        """Return a clip without the silence around it, (time,) int16; `audio.fit` has centred it in its row."""
        row: np.ndarray = self.store.waveforms[clip]
        length = int(self.lengths(np.array(clip)))
        return row[(len(row) - length) // 2 :][:length]

    def draw(self, clips: np.ndarray, generator: np.random.Generator | None) -> CropBatch:
        """Gather a random window of each clip."""
        assert generator is not None  # training batches always have one
        lengths = self.lengths(clips)
        spare = lengths - self.window
        # From `context` before the clip on and some way beyond its end, so that its first and last samples are drawn as
        # often as all others; but not so far that nothing would count.
        beyond = min(self.window // 4, (self.window - self.context) // 2)
        starts = generator.integers(-self.context, np.maximum(spare, 0) + beyond)
        starts = np.where(spare > 0, starts.clip(0), 0) // self.hop_length * self.hop_length
        return self.take(clips, starts, np.full(len(clips), self.window) if self.learns_end else lengths - starts)

    def tiles(self, clips: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return windows that together count each sample of clips once, as clips, starts and ends for `take`."""
        step = (self.window - self.context) // self.hop_length * self.hop_length
        n_tiles = 1 + np.maximum(-(-(self.lengths(clips) - self.window) // step), 0)
        numbers = np.concatenate([np.arange(n) for n in n_tiles] or [clips])
        is_last = numbers == np.repeat(n_tiles, n_tiles) - 1
        clips, starts = np.repeat(clips, n_tiles), numbers * step
        return clips, starts, np.where(is_last, self.lengths(clips) - starts, self.context + step)

    def take(self, clips: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> CropBatch:
        """Gather windows; ``time`` is as long as the longest needs.

        Args:
            clips: (batch,) positions in the store.
            starts: (batch,) samples of each clip before its window.
            ends: (batch,) number of samples of each window behind which none counts.
        """
        lengths = self.lengths(clips)
        time = int(min(self.window, (lengths - starts).max()))
        time += -time % self.hop_length
        waveform = np.zeros((len(clips), self.margin + time + self.margin), np.int16)
        for row, clip, start in zip(waveform, clips, starts, strict=True):
            first = max(start - self.margin, 0)
            part = self.samples(clip)[first : start + time + self.margin]
            place = first - start + self.margin
            row[place : place + len(part)] = part
        place = np.arange(time)
        counted = (place < ends[:, None]) & ((place >= self.context) | (starts[:, None] == 0))
        return {
            "waveform": torch.from_numpy(waveform),
            "counted": torch.from_numpy(counted),
            "conditions": {name: torch.from_numpy(values[clips]) for name, values in self.conditions.items()},
            "start": torch.from_numpy(starts),
            "length": torch.from_numpy(lengths.astype(np.int64)),
        }
