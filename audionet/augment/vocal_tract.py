"""Another vocal tract: formants move, and the pitch stays."""

import torch
from torch import Generator, Tensor, nn

from audionet.augment.drawing import uniform
from audionet.augment.short_time import frame_length, power_of, to_spectrum, to_waveform
from audionet.checks import check_at_least
from audionet.registry import NamedArguments

QUEFRENCY = 0.0025  # seconds; what lies below it in the cepstrum is the vocal tract, a pitch below 400 Hz lies above
LEAST = 1e-8  # of the clip's loudest bin in power: what is quieter has no formants
LARGEST = 3.5  # of the change's natural logarithm, 30 dB: between a pole and a zero a narrow gap is not filled up
HIGHEST = 0.6  # of half the sample rate: above it the warp turns back, so that this frequency stays where it is


class VocalTract(NamedArguments, nn.Module):
    """A change of the length of each speaker's vocal tract, which moves the formants and leaves pitch and time alone.

    The envelope of the short-time spectrum, its cepstrum below 2.5 ms, is warped along the frequencies by a factor
    U(1 - amount, 1 + amount): above 1 the tract is shorter, as a woman's or a child's. The warp is that of vocal tract
    length perturbation (Jaitly and Hinton, 2013), whose factor holds up to 0.6 of half the sample rate.

    Args:
        sample_rate: Sample rate in hertz.
        amount: Largest distance of the factor from 1, up to 0.4.

    Raises:
        ValueError: An argument is out of its range.

    Example:
        >>> tract = VocalTract(sample_rate=sample_rate, amount=0.15)
        >>> tract(waveform, torch.Generator().manual_seed(0)).shape == waveform.shape
        True
    """

    def __init__(self, *, sample_rate: int, amount: float = 0.15) -> None:
        super().__init__()
        check_at_least(1, sample_rate=sample_rate)
        check_at_least(0, 0.4, amount=amount)
        self.amount = amount
        self.n_fft = frame_length(sample_rate)
        self.n_cepstrum = max(2, round(QUEFRENCY * sample_rate))

    def forward(self, waveform: Tensor, generator: Generator) -> Tensor:
        """Map (batch, time) to (batch, time)."""
        factor = uniform(len(waveform), 1 - self.amount, 1 + self.amount, waveform, generator)
        spectrum = to_spectrum(waveform, self.n_fft)
        power = power_of(spectrum)
        least = LEAST * power.amax((1, 2), keepdim=True)
        envelope = power.add_(least.clamp(min=torch.finfo(power.dtype).tiny)).log_().div_(2)
        half = torch.linspace(0, 1, self.n_fft // 2 + 1, device=waveform.device, dtype=waveform.dtype)
        order = torch.arange(self.n_cepstrum, device=waveform.device, dtype=waveform.dtype)
        waves = (torch.pi * order[:, None] * half).cos()  # (cepstrum, bin)
        weight = torch.full_like(half, 2 / (len(half) - 1))  # of the trapezoidal rule
        weight[[0, -1]] /= 2
        cepstrum = envelope @ (waves * weight).T
        # The mean of a frame is its loudness, which no warp changes.
        warped = (torch.pi * order[:, None] * warp(half, factor)[:, None]).cos() - waves
        change = (cepstrum @ warped).clamp_(-LARGEST, LARGEST).exp_()
        return to_waveform(spectrum.mul_(change), waveform.shape[-1])


def warp(half: Tensor, factor: Tensor) -> Tensor:
    """Return where the envelope at each frequency comes from, both as shares of half the sample rate.

    Args:
        half: (bin,) frequencies, from 0 to 1.
        factor: (batch,) factors that the frequencies of the formants are multiplied by.

    Returns:
        (batch, bin).

    Example:
        >>> warp(torch.tensor([0.0, 0.36, 1.0]), torch.tensor([1.2]))
        tensor([[0.0000, 0.3000, 1.0000]])
    """
    factor = factor[:, None]
    bend = HIGHEST * factor.clamp(max=1)  # where the warped axis bends; it comes from bend / factor
    above = 1 - (1 - half) * (1 - bend / factor) / (1 - bend)
    return torch.where(half <= bend, half / factor, above)
