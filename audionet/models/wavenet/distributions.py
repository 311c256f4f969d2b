"""The distribution of a WaveNet's next sample: the form of the samples, the loss, and how a sample is drawn.

The randomness of a draw comes in as two uniform numbers for each sample. Every way of generating (plain, cached,
batched, compiled, on a GPU) therefore makes the same sound from the same numbers.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F
from torchaudio.functional import mu_law_decoding, mu_law_encoding

from audionet.checks import check_at_least, check_one_of, check_that

N_CODES = 256
N_UNIFORMS = 2  # random numbers for each sample, whatever the distribution
BITS = math.log2(math.e)  # in one nat

_HALF_STEP = 1 / 65536  # half the distance of two 16-bit values, which are -32768 ... 32767 over 32768
_UNIFORM_MARGIN = 1e-5  # keeps the logistic's tails within a factor of 11.5 scales


@dataclass(frozen=True)
class Sampling:
    """The way in which a sample is drawn from its distribution.

    Args:
        temperature: Divides logits and multiplies scales, 0.01 to 10; below 1 the probable becomes more probable.
        top_k: Draw from the k most probable codes or components only, and from those that equal the last of them; None
            for all.
        top_p: Draw from the most probable codes or components that together reach this probability only, and from
            those that equal the last of them; None for all.

    Raises:
        ValueError: A number is out of range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        check_at_least(0.01, 10, temperature=self.temperature)
        check_that(self.top_k is None or self.top_k >= 1, "top_k", "at least 1, or None for all", self.top_k)
        share = "more than 0 and at most 1, or None for all"
        check_that(self.top_p is None or 0 < self.top_p <= 1, "top_p", share, self.top_p)


DEFAULT_SAMPLING = Sampling()
"""Draws from the whole distribution, as it is."""


class Distribution(Protocol):
    """A distribution of the next sample.

    Attributes:
        n_outputs: Numbers that the network gives for each sample.
        is_discrete: Whether samples enter the network as codes (int64) instead of values (float in [-1, 1]).
        has_choice: Whether a draw chooses among codes or components, so that top-k and top-p mean something.
    """

    n_outputs: int
    is_discrete: bool
    has_choice: bool

    def from_waveform(self, waveform: Tensor) -> Tensor:
        """Bring a waveform in [-1, 1] into the form in which samples enter the network."""

    def to_waveform(self, samples: Tensor) -> Tensor:
        """Bring samples back to a waveform, float32 in [-1, 1]."""

    def bits(self, outputs: Tensor, samples: Tensor) -> Tensor:
        """Return the bits that each sample takes: outputs (..., n_outputs), samples (...) -> (...)."""

    def sample(self, outputs: Tensor, uniforms: Tensor, sampling: Sampling) -> Tensor:
        """Draw: outputs (..., n_outputs) and uniforms (..., 2) in [0, 1) -> samples (...)."""


def choose(logits: Tensor, uniform: Tensor, sampling: Sampling) -> Tensor:
    """Draw an index by inverting the cumulative distribution.

    Args:
        logits: (..., n), unnormalised.
        uniform: (...) in [0, 1).
        sampling: Temperature, top-k and top-p.

    Returns:
        (...) int64.

    Example:
        >>> logits = torch.tensor([0.4, 0.1, 0.3, 0.2]).log().expand(4, -1)
        >>> uniform = torch.tensor([0.1, 0.45, 0.7, 0.95])
        >>> choose(logits, uniform, Sampling()), choose(logits, uniform, Sampling(top_k=2))
        (tensor([0, 1, 2, 3]), tensor([0, 0, 2, 2]))
    """
    weights = torch.softmax(logits.double() / sampling.temperature, -1)
    if sampling.top_k is not None:
        weights = weights * (weights >= weights.topk(min(sampling.top_k, weights.shape[-1])).values[..., -1:])
    if sampling.top_p is not None:
        descending = weights.sort(-1, descending=True).values
        before = descending.cumsum(-1) - descending
        is_in = before < sampling.top_p * descending.sum(-1, keepdim=True)
        last = descending.masked_fill(~is_in, torch.inf).amin(-1, keepdim=True)
        weights = weights * (weights >= last)
    cumulative = weights.cumsum(-1)
    point = uniform.double()[..., None] * cumulative[..., -1:]
    return (cumulative <= point).sum(-1).clamp(max=logits.shape[-1] - 1)


class Softmax:
    """A softmax over the 256 codes of mu-law, mu = 255 (van den Oord et al., WaveNet, 2016, section 2.2)."""

    n_outputs, is_discrete, has_choice = N_CODES, True, True

    def from_waveform(self, waveform: Tensor) -> Tensor:
        """Return codes 0 to 255; silence is 128."""
        codes: Tensor = mu_law_encoding(waveform.float().clamp(-1, 1), N_CODES)
        return codes

    def to_waveform(self, samples: Tensor) -> Tensor:
        """Expand codes."""
        waveform: Tensor = mu_law_decoding(samples, N_CODES)
        return waveform.float()

    def bits(self, outputs: Tensor, samples: Tensor) -> Tensor:
        """Return the cross entropy."""
        flat = F.cross_entropy(outputs.float().flatten(0, -2), samples.flatten(), reduction="none")
        return flat.view(samples.shape) * BITS

    def sample(self, outputs: Tensor, uniforms: Tensor, sampling: Sampling) -> Tensor:
        """Draw codes, with the first uniform number of each sample."""
        return choose(outputs, uniforms[..., 0], sampling)


class _Continuous:
    is_discrete = False

    def from_waveform(self, waveform: Tensor) -> Tensor:
        """Return the waveform itself, clipped to [-1, 1]."""
        return waveform.float().clamp(-1, 1)

    def to_waveform(self, samples: Tensor) -> Tensor:
        """Return the samples themselves."""
        return samples


class LogisticMixture(_Continuous):
    """A mixture of discretised logistics for 16-bit audio (Salimans et al., PixelCNN++, 2017, eq. 2).

    The outputs are, for n_mixtures components each: logits of the weights, means, natural logarithms of the scales.
    """

    has_choice = True
    min_log_scale = -14.0

    def __init__(self, n_mixtures: int = 10) -> None:
        self.n_mixtures, self.n_outputs = n_mixtures, 3 * n_mixtures

    def bits(self, outputs: Tensor, samples: Tensor) -> Tensor:
        """Return -log2 of the mass from half a 16-bit step below to half a step above; the end bins are open."""
        logits, means, log_scales = outputs.float().chunk(3, -1)
        value = samples[..., None]
        precision = torch.exp(-log_scales.clamp(min=self.min_log_scale))
        upper, lower = precision * (value - means + _HALF_STEP), precision * (value - means - _HALF_STEP)
        # log(sigmoid(upper) - sigmoid(lower)), written so that neither tail cancels; min_log_scale bounds the exponent.
        width = torch.expm1(2 * _HALF_STEP * precision)
        inside = torch.log(width) + F.logsigmoid(lower) + F.logsigmoid(-upper)
        mass = torch.where(value < -1 + _HALF_STEP, F.logsigmoid(upper), inside)
        mass = torch.where(value > 1 - 3 * _HALF_STEP, F.logsigmoid(-lower), mass)  # 32767 / 32768 is the last value
        return -torch.logsumexp(mass + F.log_softmax(logits, -1), -1) * BITS

    def sample(self, outputs: Tensor, uniforms: Tensor, sampling: Sampling) -> Tensor:
        """Draw a component with the first uniform number, a value of it with the second; temperature scales both."""
        logits, means, log_scales = outputs.float().chunk(3, -1)
        component = choose(logits, uniforms[..., 0], sampling)[..., None]
        mean = means.gather(-1, component)[..., 0]
        scale = torch.exp(log_scales.gather(-1, component)[..., 0].clamp(min=self.min_log_scale))
        uniform = uniforms[..., 1].double().clamp(_UNIFORM_MARGIN, 1 - _UNIFORM_MARGIN)
        deviation = (torch.log(uniform) - torch.log1p(-uniform)).float()
        return (mean + sampling.temperature * scale * deviation).clamp(-1, 1)


class Gaussian(_Continuous):
    """A single Gaussian (Ping et al., ClariNet, 2019, section 3.1); the outputs are mean and log standard deviation."""

    n_outputs, has_choice = 2, False
    min_log_scale = -9.0

    def bits(self, outputs: Tensor, samples: Tensor) -> Tensor:
        """Return -log2 of the density times a 16-bit step, so that it compares with the discrete outputs."""
        mean, log_scale = outputs.float().unbind(-1)
        log_scale = log_scale.clamp(min=self.min_log_scale)
        nats = 0.5 * ((samples - mean) * torch.exp(-log_scale)) ** 2 + log_scale + 0.5 * math.log(2 * math.pi)
        return (nats - math.log(2 * _HALF_STEP)) * BITS

    def sample(self, outputs: Tensor, uniforms: Tensor, sampling: Sampling) -> Tensor:
        """Draw by Box and Muller's transform of the two uniform numbers; temperature scales the deviation."""
        mean, log_scale = outputs.float().unbind(-1)
        first, second = uniforms.double().unbind(-1)
        deviation = (torch.sqrt(-2 * torch.log1p(-first)) * torch.cos(2 * math.pi * second)).float()
        scale = torch.exp(log_scale.clamp(min=self.min_log_scale))
        return (mean + sampling.temperature * scale * deviation).clamp(-1, 1)


def over_amplitudes(distribution: Distribution, outputs: Tensor) -> Tensor:
    """Spread the distribution of each sample over the 256 amplitudes of mu-law, for pictures.

    Args:
        distribution: The kind of distribution.
        outputs: (..., n_outputs), its parameters.

    Returns:
        Probabilities (..., 256).
    """
    codes = torch.arange(N_CODES, device=outputs.device)
    amplitudes = mu_law_decoding(codes, N_CODES)
    samples = (codes if distribution.is_discrete else amplitudes).expand(*outputs.shape[:-1], -1)
    spread = outputs[..., None, :].expand(*samples.shape, -1)
    logits = -distribution.bits(spread, samples).double() / BITS
    if not distribution.is_discrete:
        logits = logits + torch.gradient(amplitudes)[0].log()  # density to mass
    return torch.softmax(logits, -1).float()  # also where all are so improbable that none is above 0


def create(name: str, *, n_mixtures: int = 10) -> Distribution:
    """Build the distribution called "softmax", "logistic_mixture" (of ``n_mixtures`` components) or "gaussian".

    Raises:
        ValueError: The name is unknown.
    """
    known: dict[str, Distribution] = {
        "softmax": Softmax(),
        "logistic_mixture": LogisticMixture(n_mixtures),
        "gaussian": Gaussian(),
    }
    check_one_of(known, "output", name)
    return known[name]
