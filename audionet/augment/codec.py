"""What codecs leave of a clip: the steps of 8 bits, of blocks with a scale of their own, and holes in the spectrum."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from audionet.augment.drawing import check_range, uniform
from audionet.augment.short_time import frame_length, power_of, to_spectrum, to_waveform
from audionet.checks import check_at_least, check_one_of, check_that
from audionet.registry import NamedArguments

MU = 255
A = 87.6
BLOCK = 0.002  # seconds with one scale
ENDLESS = 1e30  # a step that leaves nothing
WIDTH = 8  # bins of a band with one step, 250 Hz


def mu_law(waveform: Tensor) -> Tensor:
    """Return the waveform behind the mu-law of 8 bits, with the 256 steps of torchaudio and of WaveNet's paper.

    Example:
        >>> mu_law(torch.tensor([0.0, 0.5, -1.0]))
        tensor([ 8.6213e-05,  4.9668e-01, -1.0000e+00])
    """
    waveform = waveform.clamp(-1, 1)
    # log1p and expm1 would take ten times as long, and their last digits are far below a step.
    steps = _to_256_steps((MU * waveform.abs()).add_(1).log_().div_(math.log1p(MU)).copysign_(waveform))
    return (steps.abs() * math.log1p(MU)).exp_().sub_(1).div_(MU).copysign_(steps)


def a_law(waveform: Tensor) -> Tensor:
    """Return the waveform behind the A-law of 8 bits, Europe's telephones' (ITU-T G.711, as a continuous curve).

    Example:
        >>> a_law(torch.tensor([0.5, -1.0]))
        tensor([ 0.5032, -1.0000])
    """
    waveform = waveform.clamp(-1, 1)
    loud = A * waveform.abs()
    full = 1 + math.log(A)
    # Clamped, each of the two parts of the curve adds nothing on the other's side: no sample is asked where it lies.
    companded = loud.clamp(max=1).add_(loud.clamp(min=1).log_()).div_(full)
    steps = _to_256_steps(companded.copysign_(waveform))
    curve = steps.abs() * full
    return curve.clamp(max=1).add_((curve - 1).clamp_(min=0).exp_()).sub_(1).div_(A).copysign_(steps)


def block_steps(waveform: Tensor, bits: Tensor, block: int) -> Tensor:
    """Return the waveform in steps that follow the loudest sample of each block, as NICAM's; ADPCM sounds so, too.

    Args:
        waveform: (batch, time).
        bits: (batch,), bits of a sample.
        block: Samples with one scale.

    Example:
        >>> block_steps(torch.tensor([[1.0, 0.3, 0.1, 0.03]]), torch.tensor([2.0]), 2)
        tensor([[1.0000, 0.0000, 0.1000, 0.0000]])
    """
    time = waveform.shape[-1]
    blocks = F.pad(waveform, (0, -time % block)).unflatten(-1, (-1, block))
    scale = blocks.abs().amax(-1, keepdim=True).clamp(min=torch.finfo(waveform.dtype).tiny)
    steps = (2 ** (bits - 1) - 1)[:, None, None]
    stepped: Tensor = (blocks / scale * steps).round() / steps * scale
    return stepped.flatten(-2)[:, :time]


def spectral_holes(waveform: Tensor, coarseness_db: Tensor, n_fft: int) -> Tensor:
    """Return the waveform with its short-time spectrum in coarse steps: what lies below half a step is a hole.

    Args:
        waveform: (batch, time).
        coarseness_db: (batch,), the step of each band of a frame, relative to the root of the band's mean power, in
            decibels. A band that lies 30 dB minus this below the frame's loudest is dropped.
        n_fft: Length of a frame in samples.

    Example:
        >>> spectral_holes(waveform, torch.tensor([0.0]), 512).shape == waveform.shape
        True
    """
    spectrum = to_spectrum(waveform, n_fft)
    n_bins = spectrum.shape[-1]
    bands = F.pad(power_of(spectrum), (0, -n_bins % WIDTH)).unflatten(-1, (-1, WIDTH)).mean(-1)
    db = coarseness_db[:, None, None]
    audible = bands > bands.amax(-1, keepdim=True) * 10 ** ((db - 30) / 10)
    step = bands.clamp(min=torch.finfo(bands.dtype).tiny).sqrt() * 10 ** (db / 20)
    step = torch.where(audible, step, ENDLESS).repeat_interleave(WIDTH, -1)[..., :n_bins, None]
    parts = torch.view_as_real(spectrum)
    coarse = (parts / step).round_().mul_(step)
    return to_waveform(torch.view_as_complex(coarse), waveform.shape[-1])


CODECS: dict[str, Callable[["Codec", Tensor, Tensor], Tensor]] = {
    "mu_law": lambda codec, waveform, share: mu_law(waveform),
    "a_law": lambda codec, waveform, share: a_law(waveform),
    "blocks": lambda codec, waveform, share: block_steps(waveform, codec.bits(share), codec.block),
    "holes": lambda codec, waveform, share: spectral_holes(waveform, codec.coarseness_db(share), codec.n_fft),
}


class Codec(NamedArguments, nn.Module):
    """A codec for each clip, which leaves its steps or its holes.

    Args:
        sample_rate: Sample rate in hertz.
        kinds: What the kind is drawn from: "mu_law" and "a_law", the telephone's 8 bits; "blocks", few bits a sample
            with a scale for each 2 ms, much as ADPCM; "holes", a spectrum in coarse steps, as of a low bit rate.
        min_bits: Fewest bits of a sample of "blocks".
        max_bits: Most bits.
        min_coarseness_db: Smallest step of "holes", relative to the root of a band's mean power, in decibels.
        max_coarseness_db: Largest step in decibels.

    Raises:
        ValueError: An argument is out of its range.

    Example:
        >>> codec = Codec(sample_rate=sample_rate, kinds=["mu_law"])
        >>> torch.equal(codec(waveform, torch.Generator()), mu_law(waveform))
        True
    """

    def __init__(
        self,
        *,
        sample_rate: int,
        kinds: Sequence[str] = ("mu_law", "a_law", "blocks", "holes"),
        min_bits: int = 3,
        max_bits: int = 5,
        min_coarseness_db: float = -12.0,
        max_coarseness_db: float = 6.0,
    ) -> None:
        super().__init__()
        check_at_least(1, sample_rate=sample_rate)
        check_that(len(kinds) > 0, "kinds", "at least one kind", kinds)
        for kind in kinds:
            check_one_of(CODECS, "kinds", kind)
        check_at_least(2, 16, min_bits=min_bits, max_bits=max_bits, whole=True)
        check_range(min_bits=min_bits, max_bits=max_bits)
        check_at_least(-60, 20, min_coarseness_db=min_coarseness_db, max_coarseness_db=max_coarseness_db)
        check_range(min_coarseness_db=min_coarseness_db, max_coarseness_db=max_coarseness_db)
        self.kinds, self.min_bits, self.max_bits = kinds, min_bits, max_bits
        self.min_coarseness_db, self.max_coarseness_db = min_coarseness_db, max_coarseness_db
        self.block: int = max(2, round(BLOCK * sample_rate))
        self.n_fft: int = frame_length(sample_rate)

    def bits(self, share: Tensor) -> Tensor:
        """Return the bits of each clip from a number that was drawn from U(0, 1)."""
        return (self.min_bits + share * (self.max_bits + 1 - self.min_bits)).floor().clamp(max=self.max_bits)

    def coarseness_db(self, share: Tensor) -> Tensor:
        """Return the coarseness of each clip from a number that was drawn from U(0, 1)."""
        return self.min_coarseness_db + share * (self.max_coarseness_db - self.min_coarseness_db)

    def forward(self, waveform: Tensor, generator: Generator) -> Tensor:
        """Map (batch, time) to (batch, time)."""
        batch = len(waveform)
        drawn = torch.randint(len(self.kinds), (batch,), generator=generator)
        share = uniform(batch, 0, 1, waveform, generator)
        result = waveform.clone()
        for index in sorted(set(drawn.tolist())):
            rows = (drawn == index).nonzero()[:, 0].to(waveform.device)
            result[rows] = CODECS[self.kinds[index]](self, waveform[rows], share[rows])
        return result


def _to_256_steps(companded: Tensor) -> Tensor:
    """Round to the nearest of 256 values from -1 to 1, half upwards as torchaudio does."""
    return (companded * 127.5).add_(128).floor_().div_(127.5).sub_(1)
