"""What is said of the next sample: probabilities that sum to 1, and draws that follow them."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from audionet.models.wavenet import distributions
from audionet.models.wavenet.distributions import N_CODES, Sampling, choose, create, over_amplitudes

ALL = Sampling()
EVEN = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000  # the uniform distribution without its chance
VALUES = torch.arange(-32768, 32768) / 32768  # all of 16 bit


def logits(*shape: int, seed: int = 0) -> Tensor:
    return 2 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def random(*shape: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).random(shape))


def chi_square(counts: Tensor, probabilities: Tensor) -> float:
    """Deviation of counts from what was to be expected, in standard deviations of the chi-square statistic."""
    expected = probabilities.double() * counts.sum()
    statistic = ((counts - expected) ** 2 / expected).sum().item()
    freedom = len(counts) - 1
    return (statistic - freedom) / math.sqrt(2 * freedom)


# ---- softmax over mu-law ------------------------------------------------------------------------------------------


def test_codes_are_mu_law_with_mu_255():
    softmax = create("softmax")
    assert (softmax.n_outputs, softmax.is_discrete, softmax.has_choice) == (256, True, True)
    waveform = torch.linspace(-1, 1, 1001)
    companded = waveform.sign() * torch.log1p(255 * waveform.abs()) / math.log(256)  # G.711's law, mu = 255
    expected = ((companded.double() + 1) / 2 * 255 + 0.5).floor().long()
    codes = softmax.from_waveform(waveform)
    assert codes.dtype == torch.int64 and torch.equal(codes, expected)
    assert softmax.from_waveform(torch.tensor([0.0, -1.0, 1.0, -7.0, 7.0])).tolist() == [128, 0, 255, 0, 255]


def test_codes_survive_the_way_to_a_waveform_and_back():
    softmax, codes = create("softmax"), torch.arange(N_CODES)
    waveform = softmax.to_waveform(codes)
    assert waveform.dtype == torch.float32 and waveform[0] == -1 and waveform[-1] == 1
    assert (waveform.diff() > 0).all()
    assert torch.equal(softmax.from_waveform(waveform), codes)


def test_bits_of_a_softmax_are_its_cross_entropy():
    softmax, outputs, codes = create("softmax"), logits(2, 5, 256), torch.arange(10).view(2, 5) * 25
    probabilities = outputs.double().softmax(-1).gather(-1, codes[..., None])[..., 0]
    torch.testing.assert_close(softmax.bits(outputs, codes).double(), -probabilities.log2(), rtol=1e-6, atol=1e-6)
    even = softmax.bits(torch.zeros(3, 256), torch.tensor([0, 128, 255]))
    assert even.tolist() == pytest.approx([8.0] * 3)


def test_draws_follow_the_probabilities():
    outputs = logits(256)
    counts = torch.bincount(create("softmax").sample(outputs.expand(20_000, -1), random(20_000, 2), ALL), minlength=256)
    common = outputs.softmax(-1) > 5e-4  # 10 draws to be expected: where the statistic means something
    assert common.sum() > 100
    assert abs(chi_square(counts[common], F.normalize(outputs.softmax(-1)[common], 1, 0))) < 3
    drawn = choose(outputs.expand(20_000, -1), EVEN, ALL)
    even = torch.bincount(drawn, minlength=256)
    assert (even - outputs.softmax(-1) * 20_000).abs().max() <= 1  # inverting evenly spaced numbers leaves no chance
    assert (drawn.diff() >= 0).all()


def test_temperature_sharpens_and_flattens():
    some = torch.tensor([0.0, 1.0, 3.0, 2.0])
    for temperature in (0.5, 1.0, 2.0):
        drawn = choose(some.expand(20_000, -1), EVEN, Sampling(temperature))
        assert (torch.bincount(drawn, minlength=4) - (some / temperature).softmax(-1) * 20_000).abs().max() <= 1
    assert choose(some.expand(20_000, -1), EVEN, Sampling(0.01)).unique().tolist() == [2]
    assert choose(some.expand(20_000, -1), EVEN, Sampling(top_k=1)).unique().tolist() == [2]


@pytest.mark.parametrize(
    ("probabilities", "top_k", "top_p", "kept"),
    [
        ([0.4, 0.1, 0.3, 0.2], 2, None, [0, 2]),
        ([0.4, 0.1, 0.3, 0.2], 9, None, [0, 1, 2, 3]),
        ([0.2, 0.4, 0.2, 0.2], 2, None, [0, 1, 2, 3]),  # equals of the last one stay
        ([0.4, 0.1, 0.3, 0.2], None, 0.39, [0]),
        ([0.4, 0.1, 0.3, 0.2], None, 0.41, [0, 2]),
        ([0.4, 0.1, 0.3, 0.2], None, 0.71, [0, 2, 3]),
        ([0.4, 0.1, 0.3, 0.2], None, 1.0, [0, 1, 2, 3]),
        ([0.25, 0.5, 0.125, 0.125], None, 0.8, [0, 1, 2, 3]),  # 0.75 does not suffice, and the rest are equals
        ([0.25, 0.5, 0.125, 0.125], None, 0.5, [1]),  # reached exactly
        ([0.4, 0.1, 0.3, 0.2], 2, 0.5, [0]),  # of the two that are left, 0.4 is 4 / 7
        ([0.4, 0.1, 0.3, 0.2], 2, 0.6, [0, 2]),
    ],
)
def test_only_the_probable_are_drawn(probabilities, top_k, top_p, kept):
    outputs = torch.tensor(probabilities, dtype=torch.float64).log()
    drawn = choose(outputs.expand(20_000, -1), EVEN, Sampling(1.0, top_k, top_p))
    assert drawn.unique().tolist() == kept
    left = torch.tensor([share if number in kept else 0.0 for number, share in enumerate(probabilities)])
    assert (torch.bincount(drawn, minlength=4) - left / left.sum() * 20_000).abs().max() <= 1


def test_the_ends_of_the_uniform_numbers_draw_what_is_possible():
    ends = torch.tensor([0.0, 1 - 2.0**-53], dtype=torch.float64)
    outputs = torch.tensor([-800.0, 0.0, 0.0, -800.0])  # in float64 the outer ones have no probability at all
    assert choose(outputs.expand(2, -1), ends, ALL).tolist() == [1, 2]
    some = torch.tensor([0.0, 5.0, 4.0, 1.0])
    assert choose(some.expand(2, -1), ends, Sampling(top_k=2)).tolist() == [1, 2]


# ---- mixture of logistics -----------------------------------------------------------------------------------------


def mixture(weights: list[float], means: list[float], scales: list[float]) -> Tensor:
    return torch.tensor([*np.log(weights), *means, *np.log(scales)], dtype=torch.float32)


MIXTURES = {
    "wide": mixture([0.5, 0.3, 0.2], [-0.4, 0.1, 0.5], [0.05, 0.2, 1.0]),
    "narrow": mixture([0.6, 0.4], [0.30001, -0.7], [1e-6, 1e-5]),
    "below the narrowest": mixture([1.0], [0.123], [1e-9]),
    "at the ends": mixture([0.25, 0.25, 0.5], [-1.0, 1.0, 0.99995], [0.01, 0.01, 1e-4]),
    "beyond the ends": mixture([0.5, 0.5], [-3.0, 5.0], [0.5, 1e-3]),
    "wider than the range": mixture([1.0], [0.0], [1e4]),
}


def masses(outputs: Tensor) -> Tensor:
    """By hand, in float64: differences of the cumulative distribution half way between the 16-bit values."""
    log_weights, means, log_scales = outputs.double().chunk(3)
    edges = (torch.arange(-32767, 32768, dtype=torch.float64) - 0.5)[:, None] / 32768  # the ends are open
    z = (edges - means) / log_scales.clamp(min=-14).exp()
    below, above = F.pad(torch.sigmoid(z), (0, 0, 1, 0)), F.pad(torch.sigmoid(-z), (0, 0, 0, 1))
    below, above = F.pad(below, (0, 0, 0, 1), value=1.0), F.pad(above, (0, 0, 1, 0), value=1.0)
    # From whichever tail is the smaller, so that it does not cancel.
    mass = torch.where(below[1:] < 0.5, below.diff(dim=0), -above.diff(dim=0))
    return (mass * log_weights.softmax(0)).sum(-1)


@pytest.mark.parametrize("name", MIXTURES)
def test_the_probabilities_of_all_16_bit_values_sum_to_1(name):
    outputs = MIXTURES[name]
    mixed = create("logistic_mixture", n_mixtures=len(outputs) // 3)
    bits = mixed.bits(outputs.expand(len(VALUES), -1), VALUES).double()
    expected = masses(outputs)
    assert expected.sum().item() == pytest.approx(1, abs=1e-12)
    probabilities = torch.exp2(-bits)
    assert probabilities.sum().item() == pytest.approx(1, abs=2e-6)
    assert (probabilities - expected).abs().sum() < 3e-6
    seen = expected > 1e-30
    # In float32 a sample far from a narrow mean has a rounding error of its own number of bits.
    torch.testing.assert_close(bits[seen], -expected[seen].log2(), rtol=2e-6, atol=2e-5)


def test_bits_of_a_mixture_stay_finite_and_have_gradients():
    mixed = create("logistic_mixture", n_mixtures=2)
    outputs = torch.stack([mixture([0.5, 0.5], [m, 0.3], [s, s]) for m in (-1.0, 0.9) for s in (1e-9, 1e-4, 1.0, 1e6)])
    outputs = outputs[:, None].repeat(1, 5, 1).requires_grad_()
    samples = torch.tensor([-1.0, -0.5, 0.3, 32767 / 32768, 1.0]).expand(8, -1)
    bits = mixed.bits(outputs, samples)
    assert bits.shape == (8, 5) and bits.isfinite().all()
    assert torch.equal(bits[:, 3] < 1e9, bits[:, 4] < 1e9)  # clipped audio is in the open bin too
    (gradient,) = torch.autograd.grad(bits.sum(), outputs)
    assert gradient.isfinite().all()


def test_gradients_of_a_mixture_are_those_of_its_masses():
    mixed = create("logistic_mixture", n_mixtures=3)
    outputs = MIXTURES["wide"].clone().requires_grad_()
    chosen = torch.tensor([0, 20_000, 40_000, 65_535])
    bits = mixed.bits(outputs.expand(4, -1), VALUES[chosen]).sum()
    (gradient,) = torch.autograd.grad(bits, outputs)
    exact = MIXTURES["wide"].double().requires_grad_()
    (expected,) = torch.autograd.grad(-masses(exact)[chosen].log2().sum(), exact)
    torch.testing.assert_close(gradient.double(), expected, rtol=1e-4, atol=1e-4)


def test_draws_follow_the_mixture():
    outputs, mixed = MIXTURES["wide"], create("logistic_mixture", n_mixtures=3)
    drawn = mixed.sample(outputs.expand(20_000, -1), random(20_000, 2), ALL)
    assert drawn.dtype == torch.float32 and drawn.abs().max() == 1
    edges = torch.linspace(-1, 1, 41, dtype=torch.float64)[1:-1]
    counts = torch.bincount(torch.bucketize(drawn.double(), edges), minlength=40)
    log_weights, means, log_scales = outputs.double().chunk(3)
    below = (torch.sigmoid((edges[:, None] - means) / log_scales.exp()) * log_weights.softmax(0)).sum(-1)
    assert abs(chi_square(counts, F.pad(below, (1, 0)).diff(append=torch.ones(1)))) < 3


def test_temperature_takes_the_mixture_to_the_mean_of_its_most_probable_part():
    mixed, uniforms = create("logistic_mixture", n_mixtures=3), random(1000, 2)
    outputs = MIXTURES["wide"].expand(1000, -1)
    cold = mixed.sample(outputs, uniforms, Sampling(0.01))
    assert (cold + 0.4).abs().max() < 0.01 * 0.05 * 12 and (cold + 0.4).abs().max() > 0
    warm = mixed.sample(outputs, uniforms, Sampling(top_k=1))
    torch.testing.assert_close((warm + 0.4).clamp(-0.5, 0.5), 100 * (cold + 0.4).clamp(-5e-3, 5e-3), rtol=0, atol=1e-4)


# ---- Gaussian -----------------------------------------------------------------------------------------------------


def test_bits_of_a_gaussian_are_its_density_times_the_16_bit_step():
    gaussian = create("gaussian")
    assert (gaussian.n_outputs, gaussian.has_choice) == (2, False)
    outputs = torch.tensor([[0.1, -2.0], [0.0, -8.0], [0.5, 1.0], [0.0, -20.0]])
    samples = torch.tensor([0.3, 1e-3, -1.0, 1e-4])
    normal = torch.distributions.Normal(outputs[:, 0].double(), outputs[:, 1].double().clamp(min=-9).exp())
    expected = -(normal.log_prob(samples.double()) + math.log(1 / 32768)) / math.log(2)
    torch.testing.assert_close(gaussian.bits(outputs, samples).double(), expected, rtol=1e-5, atol=1e-5)
    wide = torch.tensor([0.05, -3.0]).expand(len(VALUES), -1)
    assert torch.exp2(-gaussian.bits(wide, VALUES).double()).sum().item() == pytest.approx(1, abs=1e-5)


def test_draws_follow_the_gaussian():
    gaussian, outputs = create("gaussian"), torch.tensor([0.2, -2.0]).expand(20_000, -1)
    drawn = gaussian.sample(outputs, random(20_000, 2), ALL)
    normal = torch.distributions.Normal(0.2, math.exp(-2))
    shares = torch.histc(normal.cdf(drawn), 40, 0, 1)  # its own distribution function makes it uniform
    assert abs(chi_square(shares, torch.full((40,), 1 / 40))) < 3
    cold = gaussian.sample(outputs, random(20_000, 2), Sampling(0.01))
    torch.testing.assert_close(cold - 0.2, 0.01 * (drawn - 0.2), rtol=0, atol=1e-6)
    loud = gaussian.sample(torch.tensor([[5.0, 0.0]]), torch.tensor([[0.0, 0.0]]), ALL)
    assert loud.item() == 1  # and the smallest uniform number is no trouble


# ---- all ----------------------------------------------------------------------------------------------------------


def test_continuous_samples_are_the_waveform():
    waveform = torch.tensor([-1.5, -1.0, 0.25, 1.5], dtype=torch.float64)
    for name in ("logistic_mixture", "gaussian"):
        distribution = create(name)
        samples = distribution.from_waveform(waveform)
        assert samples.dtype == torch.float32 and samples.tolist() == [-1.0, -1.0, 0.25, 1.0]
        assert torch.equal(distribution.to_waveform(samples), samples)


@pytest.mark.parametrize(
    ("name", "outputs"),
    [
        ("softmax", logits(4, 256)),
        ("logistic_mixture", torch.stack([MIXTURES["narrow"], mixture([0.9, 0.1], [0.993, 0.2], [1e-9, 1e-9])])),
        ("gaussian", torch.tensor([[0.3, -2.0], [0.987, -9.0], [3.0, -9.0]])),
    ],
)
def test_over_amplitudes_sums_to_1(name, outputs):
    distribution = create(name, n_mixtures=2)
    spread = over_amplitudes(distribution, outputs[None])
    assert spread.shape == (1, len(outputs), 256) and (spread >= 0).all()
    torch.testing.assert_close(spread.sum(-1), torch.ones(1, len(outputs)))
    if name == "softmax":
        torch.testing.assert_close(spread[0], outputs.softmax(-1))


def test_over_amplitudes_has_the_mass_of_each_bin():
    """A Gaussian, against the differences of its distribution function half way between the amplitudes."""
    amplitudes = create("softmax").to_waveform(torch.arange(256)).double()
    normal = torch.distributions.Normal(torch.tensor(0.3).double(), math.exp(-2))
    edges = normal.cdf((amplitudes[1:] + amplitudes[:-1]) / 2)
    expected = F.pad(edges, (1, 0)).diff(append=torch.ones(1))
    spread = over_amplitudes(create("gaussian"), torch.tensor([[0.3, -2.0]]))[0].double()
    assert (spread - expected).abs().max() < 1e-3


def test_unknown_outputs_list_the_known():
    with pytest.raises(ValueError, match="output: expected one of softmax, logistic_mixture, gaussian, got 'mse'"):
        distributions.create("mse")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"temperature": 0.0}, "temperature: expected a number from 0.01 to 10, got 0"),
        ({"temperature": float("nan")}, "temperature: expected a number from 0.01 to 10, got nan"),
        ({"top_k": 0}, "top_k: expected at least 1, or None for all, got 0"),
        ({"top_p": 0.0}, "top_p: expected more than 0 and at most 1, or None for all, got 0"),
        ({"top_p": 1.5}, "top_p: expected .*got 1.5"),
    ],
)
def test_a_sampling_out_of_range_cannot_be_made(arguments, message):
    with pytest.raises(ValueError, match=message):
        Sampling(**arguments)
