"""The compiled kernel makes what torch makes, however the work is divided."""

import numpy as np
import pytest
import torch
from numba import config, types
from numba.core import caching

from audionet.inference.wavenet import compiled
from audionet.inference.wavenet.kernel import Kernel
from audionet.inference.wavenet.sampling import PRECISIONS
from audionet.models.wavenet.distributions import Sampling
from audionet.models.wavenet.network import WaveNet

N_SAMPLES = 26
LABELS = ["yes", "no", "maybe"]


def network(**changes):
    """A network whose widths are no multiples of anything, with weights large enough to tell."""
    arguments = {
        "n_layers": 4,
        "n_cycles": 2,
        "residual_channels": 23,
        "gate_channels": 38,
        "skip_channels": 70,
        "output_channels": 17,
        "n_mixtures": 3,
        "category_channels": 5,
    }
    model = WaveNet(**arguments | changes).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model


def numbers(batch, n_samples=N_SAMPLES, seed=0):
    return np.random.default_rng(seed).random((batch, n_samples, 2))


def some_samples(model, batch, n_samples, seed=1):
    """Noise in the network's form."""
    waveform = torch.rand(batch, n_samples, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return model.distribution.from_waveform(waveform)


def constant_bias(model, batch):
    return model.bias(batch=batch, time=1).steps.detach().numpy()


def varying_bias(model, batch, n_samples=N_SAMPLES):
    noise = np.random.default_rng(2).normal(size=(batch, n_samples, *model.gate_bias.shape))
    return constant_bias(model, batch) + noise.astype(np.float32)


def generate(model, uniforms, bias=None, precision="float32", threads=1, **others):
    """Samples and outputs of a fresh kernel."""
    batch, n_samples = uniforms.shape[:2]
    kernel = Kernel(model, precision=precision, threads=threads)
    outputs = np.full((batch, n_samples, model.distribution.n_outputs), np.nan, np.float32)
    bias = constant_bias(model, batch) if bias is None else bias
    samples = kernel.run(kernel.start(batch), bias=bias, uniforms=uniforms, outputs=outputs, **others)
    return samples, outputs


@torch.inference_mode()
def plain(model, uniforms, forced, conditions, frames):
    """The same from nothing but `WaveNet.forward` and `Distribution.sample`."""
    batch, n_samples = uniforms.shape[:2]
    samples = torch.zeros(batch, n_samples, dtype=forced.dtype)
    n_forced = forced.shape[1]
    samples[:, :n_forced] = forced
    for time in range(n_forced, n_samples):
        outputs = model(samples[:, : time + 1], conditions, frames)[:, time]
        samples[:, time] = model.distribution.sample(outputs, torch.from_numpy(uniforms[:, time]), Sampling())
    return samples.numpy(), model(samples, conditions, frames).numpy()


@pytest.mark.parametrize("n_forced", [0, 3, 20], ids=["unprimed", "primed-short", "primed-long"])
@pytest.mark.parametrize("is_conditioned", [False, True], ids=["free", "conditioned"])
@pytest.mark.parametrize("batch", [1, 3, 9])
@pytest.mark.parametrize("kernel_size", [2, 3])
@pytest.mark.parametrize("output", ["softmax", "logistic_mixture", "gaussian"])
def test_it_makes_what_torch_makes(output, kernel_size, batch, is_conditioned, n_forced):
    conditioning = {"categories": {"label": LABELS}, "local_bands": 3, "local_channels": 4, "upsample": (2,)}
    model = network(output=output, kernel_size=kernel_size, **conditioning if is_conditioned else {})
    assert 3 < model.receptive_field < 20
    conditions = {"label": torch.arange(batch) % len(LABELS)} if is_conditioned else {}
    noise = torch.randn(batch, 3, N_SAMPLES // 2, generator=torch.Generator().manual_seed(3))
    frames = noise if is_conditioned else None
    uniforms, forced = numbers(batch), some_samples(model, batch, n_forced)
    expected_samples, expected_outputs = plain(model, uniforms, forced, conditions, frames)

    with torch.inference_mode():
        bias = model.bias(conditions, frames, batch=batch, time=N_SAMPLES).between(0, N_SAMPLES)
    samples, outputs = generate(model, uniforms, bias.detach().numpy(), forced=forced.numpy())

    np.testing.assert_allclose(outputs, expected_outputs, atol=1e-4, rtol=0)
    if output == "softmax":
        assert samples.dtype == np.int64
        np.testing.assert_array_equal(samples, expected_samples)
    else:
        assert samples.dtype == np.float32
        np.testing.assert_allclose(samples, expected_samples, atol=1e-4, rtol=0)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("output", ["softmax", "gaussian"])
def test_pieces_make_what_the_whole_makes(output, precision):
    model, batch = network(output=output, kernel_size=3), 3
    bias, uniforms, forced = varying_bias(model, batch), numbers(batch), some_samples(model, batch, 9).numpy()
    whole, whole_outputs = generate(model, uniforms, bias, precision, forced=forced)

    kernel = Kernel(model, precision=precision)
    state, pieces, piece_outputs = kernel.start(batch), [], []
    for piece in (slice(0, 1), slice(1, 6), slice(6, 25), slice(25, 26)):
        outputs = np.empty((batch, piece.stop - piece.start, model.distribution.n_outputs), np.float32)
        pieces.append(
            kernel.run(
                state,
                bias=bias[:, piece],
                uniforms=uniforms[:, piece],
                forced=forced[:, piece],
                outputs=outputs,
            )
        )
        piece_outputs.append(outputs)
    np.testing.assert_array_equal(np.concatenate(pieces, 1), whole)
    np.testing.assert_array_equal(np.concatenate(piece_outputs, 1), whole_outputs)
    assert state.clock == N_SAMPLES


@pytest.mark.parametrize("precision", PRECISIONS)
def test_streams_are_the_same_alone_and_together_on_any_number_of_threads(precision):
    model, batch = network(), 19
    bias, uniforms = varying_bias(model, batch), numbers(batch)
    samples, outputs = generate(model, uniforms, bias, precision, threads=1)
    assert len(np.unique(samples, axis=0)) == batch
    for threads in (2, 5, 40):
        others = generate(model, uniforms, bias, precision, threads=threads)
        np.testing.assert_array_equal(others[0], samples)
        np.testing.assert_array_equal(others[1], outputs)
    for size in (1, 2, 3, 7):
        part = slice(4, 4 + size)
        np.testing.assert_array_equal(generate(model, uniforms[part], bias[part], precision)[1], outputs[part])


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(0.3),
        Sampling(3.0),
        Sampling(top_k=1),
        Sampling(top_k=3),
        Sampling(top_k=10_000),
        Sampling(top_p=1e-9),
        Sampling(top_p=0.6),
        Sampling(top_p=1.0),
        Sampling(0.7, 5, 0.5),
    ],
    ids=str,
)
@pytest.mark.parametrize("output", ["softmax", "logistic_mixture"])
def test_draws_are_the_distributions(output, sampling):
    model, batch = network(output=output, n_mixtures=6), 4
    with torch.no_grad():  # pairs of equals, which top-k and top-p must keep or drop together
        model.output.weight[1::2] = model.output.weight[::2]
        model.output.bias[1::2] = model.output.bias[::2]
    uniforms = numbers(batch, 60)
    uniforms[0, 0], uniforms[0, 1] = 0.0, np.nextafter(1.0, 0.0)
    samples, outputs = generate(model, uniforms, sampling=sampling)
    expected = model.distribution.sample(torch.from_numpy(outputs), torch.from_numpy(uniforms), sampling).numpy()
    np.testing.assert_allclose(samples, expected, atol=1e-6 if output == "logistic_mixture" else 0, rtol=0)
    free = generate(model, uniforms)[0]
    if sampling.temperature != 1.0 or sampling.top_k in (1, 3, 5) or sampling.top_p in (1e-9, 0.6):
        assert (samples != free).mean() > 0.1


@pytest.mark.parametrize("log_scale", [-40.0, 40.0])
@pytest.mark.parametrize("output", ["logistic_mixture", "gaussian"])
def test_extreme_scales_and_random_numbers_are_bounded_alike(output, log_scale):
    model = network(output=output, n_mixtures=1)
    with torch.no_grad():
        model.output.weight.mul_(0.02)
        model.output.bias[-1] = log_scale
    uniforms = numbers(1)
    uniforms[0, :4] = [[0.0, 0.0], [0.0, 1 - 2**-53], [1 - 2**-53, 0.0], [1 - 2**-53, 1 - 2**-53]]
    samples, outputs = generate(model, uniforms)
    expected = model.distribution.sample(torch.from_numpy(outputs), torch.from_numpy(uniforms), Sampling()).numpy()
    np.testing.assert_allclose(samples, expected, atol=1e-6, rtol=0)
    assert (np.abs(samples) == 1).any() == (log_scale > 0)


def linears(model):
    """Matrices, each as blocks of inputs: the kernel starts a vector for each."""
    residual, half = model.layers[0].residual_channels, model.gate_bias.shape[1] // 2
    for layer in model.layers:
        yield layer.dilated, residual
        if layer.residual is not None:
            yield layer.residual, half
    yield model.skip, half
    yield model.hidden, model.hidden.in_features
    yield model.output, model.output.in_features


def rounded_to_16_bits(weight, block):
    """What the kernel reads: bfloat16, with the bits of an even input's weight at the end of the odd one's after it."""
    result = weight.clone()
    for first in range(0, weight.shape[1], block):
        even = weight[:, first : first + block : 2].bfloat16()
        result[:, first : first + block : 2] = even.float()
        odd = weight[:, first + 1 : first + block : 2]
        ending = even[:, : odd.shape[1]].view(torch.int16).int() & 0xFFFF
        bits = odd.contiguous().view(torch.int32)
        candidates = torch.stack([((bits >> 16) + step << 16) | ending for step in (-1, 0, 1)])
        best = (candidates.long() - bits).abs().argmin(0, keepdim=True)
        result[:, first + 1 : first + block : 2] = candidates.gather(0, best)[0].view(torch.float32)
    return result


def rounded_to_8_bits(weight, block):
    scale = weight.abs().amax(1, keepdim=True) / 127
    return torch.round(weight / scale) * scale


# bfloat16 differs by the order of sums alone; int8 also rounds signals to 15 bits and a sign.
@pytest.mark.parametrize(
    ("precision", "rounded", "tolerance"),
    [("bfloat16", rounded_to_16_bits, 2e-5), ("int8", rounded_to_8_bits, 2e-3)],
)
@pytest.mark.parametrize("output", ["softmax", "gaussian"])
def test_smaller_weights_are_the_rounded_ones_and_nothing_else(output, precision, rounded, tolerance):
    model, uniforms = network(output=output, kernel_size=3), numbers(3)
    samples, outputs = generate(model, uniforms, precision=precision)
    forced = torch.from_numpy(samples)
    with torch.no_grad():
        exact = model(forced).numpy()
        for linear, block in linears(model):
            assert 0 < (rounded(linear.weight, block) - linear.weight).abs().max() < 0.02
            linear.weight.copy_(rounded(linear.weight, block))
        expected = model(forced).numpy()
    np.testing.assert_allclose(outputs, expected, atol=tolerance, rtol=0)
    assert 2 * tolerance < np.abs(outputs - exact).max() < 0.2


def test_int8_sums_stay_in_32_bits():
    model = network(n_layers=32, n_cycles=32, gate_channels=128, output="gaussian")
    with torch.no_grad():
        for layer in model.layers:
            layer.dilated.weight.zero_()
        model.gate_bias.fill_(20.0)  # all units are 1
        model.skip.weight.fill_(1.0)
        model.hidden.weight.mul_(1e-3)
    outputs = generate(model, numbers(2, 3), precision="int8")[1]
    with torch.inference_mode():
        expected = model(torch.zeros(2, 3)).numpy()
    np.testing.assert_allclose(outputs, expected, rtol=0.02, atol=0.02)
    assert np.abs(expected).max() > 0.1


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_kernel_has_the_weights_of_when_it_was_made(precision):
    model, uniforms = network(), numbers(1)
    kernel = Kernel(model, precision=precision)
    before = generate(model, uniforms, precision=precision)[0]
    bias = constant_bias(model, 1)
    with torch.no_grad():
        model.output.weight.neg_()
    assert (generate(model, uniforms, precision=precision)[0] != before).any()
    after = kernel.run(kernel.start(1), bias=bias, uniforms=uniforms)
    np.testing.assert_array_equal(after, before)


def test_no_samples_are_no_samples():
    model = network()
    kernel = Kernel(model)
    state = kernel.start(2)
    assert kernel.run(state, bias=constant_bias(model, 2), uniforms=numbers(2, 0)).shape == (2, 0)
    assert state.clock == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"precision": "float16"}, "precision: expected one of float32, bfloat16, int8"), ({"threads": 0}, "threads")],
)
def test_unknown_ways_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Kernel(network(), **arguments)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bias": np.zeros((2, 1, 4, 37), np.float32)}, r"bias: expected the shape \(2, .*, 4, 38\)"),
        ({"bias": np.zeros((2, 5, 4, 38), np.float32)}, r"bias: expected the shape \(2, 26, 4, 38\)"),
        ({"bias": np.zeros((1, 1, 4, 38), np.float32)}, r"bias: expected the shape \(2, 1, 4, 38\)"),
        ({"uniforms": numbers(3)}, r"uniforms: expected the shape \(2, 26, 2\), got \(3, 26, 2\)"),
        ({"uniforms": numbers(2)[..., 0]}, "uniforms"),
        ({"forced": np.zeros((2, 27), np.int64)}, r"forced: expected the shape \(2, 26\), got \(2, 27\)"),
        ({"forced": np.zeros(2, np.int64)}, "forced"),
        ({"forced": np.full((2, 3), 256)}, "forced: expected codes from 0 to 255"),
        ({"forced": np.full((2, 3), -1)}, "forced: expected codes from 0 to 255"),
        ({"outputs": np.zeros((2, 26, 255), np.float32)}, r"outputs: expected the shape \(2, 26, 256\)"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(changes, message):
    model = network()
    kernel = Kernel(model)
    arguments = {"bias": constant_bias(model, 2), "uniforms": numbers(2)} | changes
    with pytest.raises(ValueError, match=message):
        kernel.run(kernel.start(2), **arguments)


def test_a_state_of_another_network_and_an_empty_batch_are_refused():
    model = network()
    kernel, other = Kernel(model), Kernel(network(residual_channels=40))
    with pytest.raises(ValueError, match="state"):
        kernel.run(other.start(2), bias=constant_bias(model, 2), uniforms=numbers(2))
    with pytest.raises(ValueError, match="batch"):
        kernel.start(0)


def test_the_code_is_kept_where_the_install_is_read_only(tmp_path, monkeypatch, caplog):
    def double(x):
        return 2 * x

    signature = types.int64(types.int64)
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [caching.UserProvidedCacheLocator])
    monkeypatch.setenv("AUDIONET_CACHE", str(tmp_path / "cache"))
    assert compiled._compiled(double, signature)(4) == 8
    (said,) = caplog.messages
    assert said == "compiling the generator for this processor, which takes about 15 s, once"
    assert list((tmp_path / "cache/numba").rglob("*.nbi")) and not vars(config)["CACHE_DIR"]
    caplog.clear()
    assert compiled._compiled(double, signature)(4) == 8
    assert caplog.messages == []

    (tmp_path / "file").touch()
    monkeypatch.setenv("AUDIONET_CACHE", str(tmp_path / "file"))
    assert compiled._compiled(double, signature)(4) == 8
    (said,) = caplog.messages
    assert "at every start" in said and "AUDIONET_CACHE" in said
