"""What is left where nobody speaks once a device has closed its gate: little, or zeros."""

import math

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from audionet.augment.drawing import check_range, uniform
from audionet.checks import check_at_least
from audionet.registry import NamedArguments

BLOCK = 0.004  # seconds that a level is measured in
WINDOW = 5  # blocks, of which the loudest counts, so that a gate does not open and close within a period of the pitch
ZERO = 1e-5  # a gain that stands for none


class Gate(NamedArguments, nn.Module):
    """A noise gate for each clip: it closes where the level falls below a threshold, as telephones and headsets do.

    Some of them stay open from the first loud moment to the last, so that zeros lie before and after the word.

    Args:
        sample_rate: Sample rate in hertz.
        min_threshold_db: Lowest threshold, relative to the clip's loudest moment, in decibels.
        max_threshold_db: Highest threshold in decibels.
        max_attack: Longest time that the gate takes to open, in seconds; it is U(0, max_attack).
        max_release: Longest time in which it closes by 60 dB, in seconds; it is U(0, max_release).
        around_p: Probability that the gate closes before and after the word alone.
        zero_p: Probability that the closed gate lets nothing through: digital silence.
        max_range_db: Largest attenuation of the others; it is U(6, max_range_db).
        silence_p: Probability that the gate stays closed all through a silence, a clip of the class without speech.

    Raises:
        ValueError: An argument is out of its range.

    Example:
        >>> gate = Gate(sample_rate=1000, zero_p=1.0, max_attack=0.0, max_release=0.0)
        >>> clip = torch.cat([torch.full((1, 40), 0.001), torch.full((1, 40), 0.5), torch.full((1, 40), 0.001)], 1)
        >>> gate(clip, torch.Generator().manual_seed(0))[0, ::12]
        tensor([0.0000, 0.0000, 0.0000, 0.0010, 0.5000, 0.5000, 0.5000, 0.0010, 0.0000,
                0.0000])
    """

    def __init__(
        self,
        *,
        sample_rate: int,
        min_threshold_db: float = -50.0,
        max_threshold_db: float = -25.0,
        max_attack: float = 0.02,
        max_release: float = 0.2,
        around_p: float = 0.3,
        zero_p: float = 0.7,
        max_range_db: float = 40.0,
        silence_p: float = 0.5,
    ) -> None:
        super().__init__()
        check_at_least(1, sample_rate=sample_rate)
        check_at_least(-200, 0, min_threshold_db=min_threshold_db, max_threshold_db=max_threshold_db)
        check_range(min_threshold_db=min_threshold_db, max_threshold_db=max_threshold_db)
        check_at_least(0, 60, max_attack=max_attack, max_release=max_release)
        check_at_least(0, 1, around_p=around_p, zero_p=zero_p, silence_p=silence_p)
        check_at_least(6, 100, max_range_db=max_range_db)
        self.block = max(1, round(BLOCK * sample_rate))
        self.seconds = self.block / sample_rate
        self.min_threshold_db, self.max_threshold_db = min_threshold_db, max_threshold_db
        self.max_attack, self.max_release = max_attack, max_release
        self.around_p, self.zero_p, self.max_range_db, self.silence_p = around_p, zero_p, max_range_db, silence_p

    def forward(self, waveform: Tensor, generator: Generator, silence: Tensor | None = None) -> Tensor:
        """Map (batch, time) to (batch, time); ``silence``, (batch,) bool, says which clips are silences."""
        batch, time = waveform.shape
        threshold = uniform(batch, self.min_threshold_db, self.max_threshold_db, waveform, generator)
        around, zero, shut = torch.rand(3, batch, 1, generator=generator).to(waveform)
        range_db = uniform(batch, 6, self.max_range_db, waveform, generator)[:, None]
        attack = uniform(batch, 0, self.max_attack, waveform, generator)[:, None] / self.seconds
        release = uniform(batch, 0, self.max_release, waveform, generator)[:, None] / self.seconds
        blocks = F.pad(waveform, (0, -time % self.block)).view(batch, -1, self.block)
        power = F.max_pool1d(blocks.square().mean(-1), WINDOW, 1, WINDOW // 2)
        is_open = power > 10 ** (threshold / 10)[:, None] * power.amax(-1, keepdim=True)
        is_open = torch.where(around < self.around_p, _from_first_to_last(is_open), is_open)
        if silence is not None:
            is_open = is_open & ~(silence.to(is_open.device)[:, None] & (shut < self.silence_p))
        closed = torch.where(zero < self.zero_p, ZERO, 10 ** (-range_db / 20))
        gain = gains(is_open, closed, attack.clamp(min=1), release.clamp(min=1))
        gain = torch.where(gain > 2 * ZERO, gain, 0)[:, :, None]
        following = torch.cat([gain[:, 1:], gain[:, -1:]], 1)
        ramp = torch.arange(self.block, device=waveform.device, dtype=waveform.dtype) / self.block
        return waveform * gain.lerp(following, ramp).flatten(1)[:, :time]


def gains(is_open: Tensor, closed: Tensor, attack: Tensor, release: Tensor) -> Tensor:
    """Return the gain of a gate, which rises evenly within the attack and falls by 60 dB within the release.

    Args:
        is_open: (batch, block), whether the level is above the threshold.
        closed: (batch, 1), the gain of the closed gate.
        attack: (batch, 1) blocks.
        release: (batch, 1) blocks.

    Example:
        >>> two = torch.tensor([[2.0]])
        >>> is_open = torch.tensor([[False, True, True, True, False, False, False, False, False]])
        >>> gains(is_open, torch.tensor([[0.001]]), two, two).mul(1000).round()
        tensor([[   1.,  501., 1000., 1000.,   32.,    1.,    1.,    1.,    1.]])
    """
    block = torch.arange(is_open.shape[1], device=closed.device, dtype=closed.dtype)
    fall, rise = block * math.log(1000) / release, block / attack
    released = (torch.where(is_open, 0, closed.log()) + fall).cummax(1).values - fall
    return (released.exp() - rise).cummin(1).values + rise


def _from_first_to_last(is_open: Tensor) -> Tensor:
    """Open a gate wherever it was open before and will be open again."""
    before = is_open.int().cummax(1).values
    after = is_open.int().flip(1).cummax(1).values.flip(1)
    return (before & after).bool()
