"""Windows of clips, for training what predicts each sample from those before it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from audionet.datasets.batches import Batch
from audionet.datasets.store import Store


@dataclass(frozen=True, kw_only=True, eq=False)
class Crops:
    """Windows of a store's clips; only samples that see all they could are counted.

    A window that begins inside a clip begins with ``context`` samples that are not counted, so that each counted sample
    sees as much as it does in the whole clip. One that begins with the clip counts from its first sample.

    Attributes:
        store: The clips.
        conditions: Position of each clip in each category's values, {name: (clip,) int64}.
        window: Samples of a window, a multiple of hop_length and at least one more of them than ``context``.
        context: Samples that a prediction depends on: the network's receptive field.
        hop_length: Windows begin at multiples of it, so that frames fall where they do in the whole clip.
        margin: Samples on either side of a window, from which its first and last frames are computed.
        learns_end: Whether silence behind clips is counted in training, too: what is not told how long a clip is must
            learn when to stop.
    """

    store: Store
    conditions: Mapping[str, np.ndarray]
    window: int
    context: int
    hop_length: int = 1
    margin: int = 0
    learns_end: bool = True

    def lengths(self, clips: np.ndarray) -> np.ndarray:
        """Samples of clips, without the silence that fills their rows."""
        return np.minimum(self.store.lengths[clips], self.store.waveforms.shape[1])

    def samples(self, clip: int) -> np.ndarray:
        """Samples of a clip, (time,) int16; `audio.fit` has centred them in their row."""
        row = self.store.waveforms[clip]
        length = int(self.lengths(np.array(clip)))
        return row[(len(row) - length) // 2 :][:length]

    def draw(self, clips: np.ndarray, generator: np.random.Generator | None) -> Batch:
        """Take a random window of each clip.

        Returns:
            As `take`.
        """
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
        """Clips, starts and ends, as `take` takes them, of windows that together count each sample of clips once."""
        step = (self.window - self.context) // self.hop_length * self.hop_length
        n_tiles = 1 + np.maximum(-(-(self.lengths(clips) - self.window) // step), 0)
        numbers = np.concatenate([np.arange(n) for n in n_tiles] or [clips])
        is_last = numbers == np.repeat(n_tiles, n_tiles) - 1
        clips, starts = np.repeat(clips, n_tiles), numbers * step
        return clips, starts, np.where(is_last, self.lengths(clips) - starts, self.context + step)

    def take(self, clips: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> Batch:
        """Gather windows, as long as the longest needs to be.

        Args:
            clips: (batch,) positions in the store.
            starts: (batch,) samples before each window.
            ends: (batch,) samples of each window that count, at most.

        Returns:
            {"waveform": (batch, margin + time + margin) int16, "counted": (batch, time) bool,
            "conditions": {name: (batch,) int64}, "start": (batch,) int64, "length": (batch,) int64, of the whole clips}
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
