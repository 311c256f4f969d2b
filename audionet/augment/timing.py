"""Moves and changes of speed."""

from collections.abc import Sequence
from fractions import Fraction

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from audionet.checks import check_at_least
from audionet.registry import NamedArguments


class TimeShift(NamedArguments, nn.Module):
    """A move of each clip by a whole number of samples, U(-seconds, seconds); silence enters.

    Args:
        sample_rate: Sample rate in hertz.
        seconds: Largest move to either side.

    Raises:
        ValueError: An argument is out of its range.

    Example:
        >>> shift = TimeShift(sample_rate=10, seconds=0.2)
        >>> shift(torch.tensor([[0.0, 0.0, 1.0, 0.0, 0.0]]), torch.Generator().manual_seed(1))
        tensor([[1., 0., 0., 0., 0.]])
    """

    def __init__(self, *, sample_rate: int, seconds: float = 0.1) -> None:
        super().__init__()
        check_at_least(1, sample_rate=sample_rate)
        check_at_least(0, seconds=seconds)
        self.n_samples = round(seconds * sample_rate)

    def forward(self, waveform: Tensor, generator: Generator) -> Tensor:
        """Map (batch, time) to (batch, time)."""
        batch, time = waveform.shape
        shift = torch.randint(-self.n_samples, self.n_samples + 1, (batch,), generator=generator)
        padded = F.pad(waveform, (self.n_samples, self.n_samples))
        windows = padded.unfold(-1, time, 1)  # (batch, 2 * n_samples + 1, time), a view
        return windows[torch.arange(batch, device=waveform.device), (self.n_samples - shift).to(waveform.device)]


class Speed(NamedArguments, nn.Module):
    """A change of each clip's speed about its centre, which moves the pitch with it.

    The rates are fractions with denominators up to ten, so that clips of one rate are resampled together, exactly.

    Args:
        amount: Largest distance of the rate from 1, up to 1.

    Raises:
        ValueError: An argument is out of its range.

    Example:
        >>> [str(rate) for rate in Speed(amount=0.15).rates]
        ['6/7', '7/8', '8/9', '9/10', '1', '11/10', '10/9', '9/8', '8/7']
    """

    def __init__(self, *, amount: float = 0.2) -> None:
        super().__init__()
        check_at_least(0, 1, amount=amount)
        self.rates = speed_rates(amount)

    def forward(self, waveform: Tensor, generator: Generator) -> Tensor:
        """Map (batch, time) to (batch, time)."""
        drawn = torch.randint(len(self.rates), (len(waveform),), generator=generator)
        return played(waveform, [self.rates[index] for index in drawn.tolist()], waveform.shape[-1])


def speed_rates(amount: float) -> list[Fraction]:
    """Return the fractions with denominators up to ten that lie within a distance of 1, in order.

    Example:
        >>> [str(rate) for rate in speed_rates(0.1)]
        ['9/10', '1', '11/10']
    """
    fractions = {Fraction(n, d) for d in range(1, 11) for n in range(1, 21)}
    return sorted(rate for rate in fractions if float(abs(rate - 1)) <= amount)


def played(waveform: Tensor, rates: Sequence[Fraction], time: int) -> Tensor:
    """Play clips faster or slower about their centres; clips of one rate are resampled together.

    Args:
        waveform: (batch, time before).
        rates: The rate of each clip; 2 is twice as fast and an octave higher.
        time: Samples of the result.

    Returns:
        (batch, time); silence around a clip that has become shorter.

    Example:
        >>> played(torch.ones(2, 600), [Fraction(1), Fraction(2)], 600)[:, ::100].round()
        tensor([[1., 1., 1., 1., 1., 1.],
                [0., 0., 1., 1., 1., 0.]])
    """
    from torchaudio.functional import resample  # takes a second to import

    result = waveform.new_zeros(len(waveform), time)
    for rate in sorted(set(rates)):
        rows = torch.tensor([row for row, each in enumerate(rates) if each == rate], device=waveform.device)
        changed = resample(waveform[rows], rate.numerator, rate.denominator)
        missing = time - changed.shape[-1]
        result[rows] = F.pad(changed, (missing // 2, missing - missing // 2))  # a negative pad crops
    return result
