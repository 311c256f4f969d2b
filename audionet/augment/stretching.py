"""Tempo and pitch, one without the other: frames are moved to where they fit, and added up."""

import math

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from audionet.augment.drawing import uniform
from audionet.augment.timing import played, speed_rates
from audionet.checks import check_at_least
from audionet.registry import NamedArguments

HOP = 0.015  # seconds between frames, half of a frame
SEARCH = 0.0075  # seconds that a frame moves to either side: more than half a period of 80 Hz
RATE = 4000  # hertz, about, that the search goes on at


class Stretch(NamedArguments, nn.Module):
    """A change of each clip's tempo about its centre, which leaves pitch and formants alone.

    Frames of 30 ms are taken from the clip faster or slower than they are put down, each from where it best goes on
    from the one before (WSOLA; Verhelst and Roelands, 1993).

    Args:
        sample_rate: Sample rate in hertz.
        amount: Largest distance of the tempo from 1, up to 0.5; it is U(1 - amount, 1 + amount).

    Raises:
        ValueError: An argument is out of its range.

    Example:
        >>> stretch = Stretch(sample_rate=sample_rate, amount=0.3)
        >>> stretch(waveform, torch.Generator().manual_seed(0)).shape == waveform.shape
        True
    """

    def __init__(self, *, sample_rate: int, amount: float = 0.2) -> None:
        super().__init__()
        check_at_least(1000, sample_rate=sample_rate)
        check_at_least(0, 0.5, amount=amount)
        self.sample_rate, self.amount = sample_rate, amount

    def forward(self, waveform: Tensor, generator: Generator) -> Tensor:
        """Map (batch, time) to (batch, time)."""
        tempo = uniform(len(waveform), 1 - self.amount, 1 + self.amount, waveform, generator)
        return stretched(waveform, tempo, waveform.shape[-1], self.sample_rate)


class Pitch(NamedArguments, nn.Module):
    """A change of each clip's pitch, which leaves its tempo alone; the formants move with the pitch.

    The clip is played faster or slower, as by `Speed`, and then stretched back to its tempo. With `VocalTract` behind
    it the formants move freely, too.

    Args:
        sample_rate: Sample rate in hertz.
        amount: Largest distance of the factor of the pitch from 1, up to 0.5.

    Raises:
        ValueError: An argument is out of its range.

    Example:
        >>> pitch = Pitch(sample_rate=sample_rate, amount=0.2)
        >>> pitch(waveform, torch.Generator().manual_seed(0)).shape == waveform.shape
        True
    """

    def __init__(self, *, sample_rate: int, amount: float = 0.15) -> None:
        super().__init__()
        check_at_least(1000, sample_rate=sample_rate)
        check_at_least(0, 0.5, amount=amount)
        self.sample_rate = sample_rate
        self.rates = speed_rates(amount)

    def forward(self, waveform: Tensor, generator: Generator) -> Tensor:
        """Map (batch, time) to (batch, time)."""
        batch, time = waveform.shape
        drawn = torch.randint(len(self.rates), (batch,), generator=generator)
        longest = math.ceil(time / self.rates[0])
        fast = played(waveform, [self.rates[index] for index in drawn.tolist()], longest + (longest - time) % 2)
        tempo = torch.tensor([1 / float(rate) for rate in self.rates])[drawn].to(waveform)
        return stretched(fast, tempo, time, self.sample_rate)


def stretched(waveform: Tensor, tempo: Tensor, time: int, sample_rate: int) -> Tensor:
    """Return clips at another tempo, their centres in the centre.

    Args:
        waveform: (batch, time before).
        tempo: (batch,), above 1 for faster.
        time: Samples of the result.
        sample_rate: Sample rate in hertz.

    Returns:
        (batch, time).

    Example:
        >>> torch.allclose(stretched(waveform, torch.ones(1), waveform.shape[-1], sample_rate), waveform, atol=1e-6)
        True
    """
    hop, search = round(HOP * sample_rate), round(SEARCH * sample_rate)
    before, n_frames = waveform.shape[-1], -(-time // hop) + 1
    edge = 2 * (hop + search)
    padded = F.pad(waveform, (edge, edge))
    # The middle of a frame, k * hop in the result, comes from here.
    middle = torch.arange(n_frames, device=waveform.device, dtype=waveform.dtype) * hop
    ideal = before / 2 + (middle - time / 2) * tempo[:, None] - hop + edge
    ideal = ideal.round().long().clamp(search, before + 2 * edge - 2 * hop - search)
    start = _fitting(padded, ideal, hop, search, max(1, round(sample_rate / RATE)))
    row = torch.arange(len(waveform), device=waveform.device)[:, None]
    frames = padded.unfold(-1, 2 * hop, 1)[row, start]
    frames = frames * torch.hann_window(2 * hop, device=waveform.device, dtype=waveform.dtype)
    return (frames[:, :-1, hop:] + frames[:, 1:, :hop]).flatten(1)[:, :time]


def _fitting(padded: Tensor, ideal: Tensor, hop: int, search: int, step: int) -> Tensor:
    """Move the start of each frame to where it is most like what follows the frame before it, (batch, frame)."""
    coarse = F.avg_pool1d(padded[:, None], step)[:, 0]
    length, reach = 2 * hop // step, search // step
    windows, wide = coarse.unfold(-1, length, 1), coarse.unfold(-1, length + 2 * reach, 1)
    energy = F.pad(coarse.square().cumsum(-1), (1, 0)).unfold(-1, length + 2 * reach + 1, 1)
    row = torch.arange(len(padded), device=padded.device)
    n_fft = 2 ** math.ceil(math.log2(length + 2 * reach))
    lag = torch.arange(-reach, reach + 1, device=padded.device)
    near = 1 - 1e-3 * (lag.abs() / max(reach, 1)).to(padded.dtype)  # of two that fit alike, the nearer one
    starts = [ideal[:, 0]]
    for number in range(1, ideal.shape[1]):
        wanted, centre = starts[-1] + hop, ideal[:, number]
        first = (centre // step - reach).clamp(0, wide.shape[1] - 1)
        template = windows[row, (wanted // step).clamp(max=windows.shape[1] - 1)]
        spectrum = torch.fft.rfft(template, n_fft).conj() * torch.fft.rfft(wide[row, first], n_fft)
        likeness = torch.fft.irfft(spectrum, n_fft)[:, : 2 * reach + 1]
        sums = energy[row, first]
        loudness = (sums[:, length:] - sums[:, : 2 * reach + 1]).clamp(min=0).sqrt()
        scaled = likeness / (loudness + 1e-3 * loudness.amax(-1, keepdim=True) + 1e-9) * near
        moved = lag[scaled.argmax(-1)] * step + wanted % step - centre % step
        # Where the frame before simply goes on, sample for sample, nothing is searched.
        starts.append(torch.where((wanted - centre).abs() <= step, wanted, centre + moved))
    return torch.stack(starts, 1).clamp(0, padded.shape[-1] - 2 * hop)
