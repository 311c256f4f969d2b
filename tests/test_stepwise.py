"""Sample by sample equals the whole network at once, and nothing depends on how the work is cut up."""

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from audionet.inference.wavenet.stepwise import Stepwise
from audionet.models import WaveNet
from audionet.models.wavenet.distributions import DEFAULT_SAMPLING, N_UNIFORMS, Sampling

CATEGORIES = {"label": ["yes", "no"], "speaker": ["a", "b", "c"]}
BATCH, TIME = 3, 45
GRID = [
    {"output": output, "kernel_size": kernel_size, "categories": categories, **local}
    for output, kernel_size, categories, local in product(
        ("softmax", "logistic_mixture", "gaussian"),
        (2, 3),
        (None, CATEGORIES),
        ({"local_bands": 0, "upsample": ()}, {"local_bands": 3, "upsample": (2, 3)}),
    )
]
GRID += [{**config, "n_places": 3, "place_length": 8} for config in GRID if config["kernel_size"] == 3]
ALL_OF_IT = GRID[-9]


def name(config: dict[str, Any]) -> str:
    parts = [config["output"], f"k{config['kernel_size']}"]
    parts += ["global"] * bool(config["categories"]) + ["local"] * bool(config["local_bands"])
    return "-".join(parts + ["places"] * ("n_places" in config))


class Case:
    """A tiny network with random numbers, conditions and frames for BATCH streams of TIME samples."""

    def __init__(self, **config: Any) -> None:
        torch.manual_seed(0)
        self.model = WaveNet(
            n_layers=4,
            n_cycles=2,
            residual_channels=8,
            gate_channels=12,
            skip_channels=10,
            output_channels=9,
            n_mixtures=3,
            category_channels=4,
            local_channels=5,
            **config,
        )
        for layer in self.model.layers:  # well above its initial values, so that the past matters
            torch.nn.init.normal_(layer.dilated.weight, std=0.6)
        torch.nn.init.normal_(self.model.output.weight, std=1.0)
        generator = torch.Generator().manual_seed(1)
        self.conditions = {
            category: torch.randint(len(values), (BATCH,), generator=generator)
            for category, values in self.model.categories.items()
        }
        self.frames = None
        if hop := self.model.hop_length * bool(self.model.local_bands):
            self.frames = torch.randn(BATCH, 3, -(-TIME // hop), generator=generator)
        waveform = (torch.randn(BATCH, TIME, generator=generator) / 4).clamp(-1, 1)
        self.recorded = self.model.distribution.from_waveform(waveform).numpy()
        self.uniforms = np.random.default_rng(0).random((BATCH, TIME, N_UNIFORMS))
        with torch.inference_mode():
            bias = self.model.bias(self.conditions, self.frames, batch=BATCH, time=TIME)
            self.bias = bias.between(0, TIME).numpy()

    def run(
        self,
        cuts: list[int] | None = None,
        streams: slice = slice(None),
        n_forced: int = 0,
        sampling: Sampling = DEFAULT_SAMPLING,
        block: int = 256,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Generate in pieces that end at ``cuts``; return samples and outputs."""
        engine = Stepwise(self.model, block=block)
        state = engine.start(len(self.bias[streams]))
        outputs = np.empty((len(self.bias[streams]), TIME, self.model.distribution.n_outputs), np.float32)
        forced, pieces = self.recorded[streams, :n_forced], []
        for first, last in zip([0, *(cuts or [])], [*(cuts or []), TIME], strict=True):
            pieces.append(
                engine.run(
                    state,
                    bias=self.bias[streams, first:last] if self.bias.shape[1] > 1 else self.bias[streams],
                    uniforms=self.uniforms[streams, first:last],
                    forced=forced[:, first:last] if n_forced else None,
                    outputs=outputs[:, first:last],
                    sampling=sampling,
                )
            )
        assert state["position"] == TIME
        return np.concatenate(pieces, 1), outputs

    def forward(self, samples: np.ndarray) -> Tensor:
        with torch.inference_mode():
            whole = torch.full((BATCH,), TIME)
            outputs: Tensor = self.model(torch.from_numpy(samples), self.conditions, self.frames, length=whole)
        return outputs

    def naive(self, n_forced: int = 0, sampling: Sampling = DEFAULT_SAMPLING) -> np.ndarray:
        """The plainest way: the whole network on the growing prefix, for each sample anew."""
        samples = torch.from_numpy(self.recorded.copy())
        for position in range(n_forced, TIME):
            outputs = self.forward(samples[:, : position + 1].numpy())[:, position]  # its own sample is not seen
            uniforms = torch.from_numpy(self.uniforms[:, position])
            samples[:, position] = self.model.distribution.sample(outputs, uniforms, sampling)
        return samples.numpy()


def assert_same_samples(case: Case, first: np.ndarray, second: np.ndarray) -> None:
    if case.model.distribution.is_discrete:
        np.testing.assert_array_equal(first, second)
    else:
        np.testing.assert_allclose(first, second, rtol=0, atol=1e-5)


@pytest.mark.parametrize("n_forced", [4, 30])  # receptive fields are 7 and 13
@pytest.mark.parametrize("config", GRID, ids=name)
def test_step_by_step_equals_the_whole_network_at_once(config, n_forced):
    case = Case(**config)
    assert n_forced < case.model.receptive_field or n_forced > case.model.receptive_field + 10
    samples, outputs = case.run(n_forced=n_forced)
    np.testing.assert_array_equal(samples[:, :n_forced], case.recorded[:, :n_forced])
    expected = case.forward(samples)
    assert expected.std(1).max() > 0.01  # there is something to get wrong
    np.testing.assert_allclose(outputs, expected.numpy(), rtol=0, atol=1e-5)
    assert_same_samples(case, samples, case.naive(n_forced))


@pytest.mark.parametrize("sampling", [Sampling(0.7), Sampling(top_k=2), Sampling(top_p=0.5), Sampling(top_k=1)])
@pytest.mark.parametrize("output", ["softmax", "logistic_mixture"])
def test_the_ways_of_sampling_are_the_distributions(output, sampling):
    case = Case(output=output)
    samples, _ = case.run(sampling=sampling)
    assert not np.array_equal(samples, case.run()[0])
    assert_same_samples(case, samples, case.naive(sampling=sampling))


@pytest.mark.parametrize("cuts", [list(range(1, TIME)), [7, 14, 21, 28, 35, 42], [1, 2, 44], [30]])
@pytest.mark.parametrize("config", [GRID[0], ALL_OF_IT, GRID[-1]], ids=name)
def test_pieces_of_any_size_give_the_same_samples(config, cuts):
    case = Case(**config)
    for n_forced in (0, 20):
        whole, outputs = case.run(n_forced=n_forced)
        pieces, piecewise = case.run(cuts, n_forced=n_forced)
        np.testing.assert_array_equal(pieces, whole)
        np.testing.assert_array_equal(piecewise, outputs)


def test_blocks_on_the_device_leave_no_seam():
    case = Case(**ALL_OF_IT)
    whole, outputs = case.run(n_forced=20)
    blocks, blockwise = case.run(n_forced=20, block=16)
    np.testing.assert_array_equal(blocks, whole)
    np.testing.assert_array_equal(blockwise, outputs)


@pytest.mark.parametrize("config", [GRID[0], ALL_OF_IT, GRID[-1]], ids=name)
def test_a_batch_equals_one_by_one(config):
    case = Case(**config)
    together, outputs = case.run(n_forced=5)
    assert len(np.unique(together, axis=0)) == BATCH
    for number in range(BATCH):
        alone, alone_outputs = case.run(streams=slice(number, number + 1), n_forced=5)
        assert_same_samples(case, alone[0], together[number])
        np.testing.assert_allclose(alone_outputs[0], outputs[number], rtol=0, atol=1e-5)


def test_the_same_numbers_give_the_same_samples_and_others_give_others():
    case = Case(**ALL_OF_IT)
    first, _ = case.run()
    np.testing.assert_array_equal(case.run()[0], first)
    case.uniforms = case.uniforms[::-1].copy()
    assert not np.array_equal(case.run()[0], first)


def test_samples_have_the_form_in_which_they_enter_the_network():
    assert Case(output="softmax").run()[0].dtype == np.int64
    assert Case(output="gaussian").run()[0].dtype == np.float32


def test_it_follows_new_weights_and_starts_anew():
    case = Case(**ALL_OF_IT)
    engine = Stepwise(case.model)

    def made() -> np.ndarray:
        return engine.run(engine.start(BATCH), bias=case.bias, uniforms=case.uniforms)

    before = made()
    np.testing.assert_array_equal(made(), before)  # nothing is left of an earlier generation
    with torch.no_grad():
        for value in case.model.output.parameters():
            value.neg_()
    after = made()
    assert not np.array_equal(after, before)
    np.testing.assert_array_equal(after, case.run()[0])


def test_the_state_is_a_dict_of_tensors_that_does_not_grow():
    case = Case(kernel_size=3)
    engine = Stepwise(case.model)
    state = engine.start(2)
    shapes = {key: tuple(value.shape) for key, value in state.items()}
    assert shapes == {
        "position": (),
        "stream": (2, 8),
        **{f"queue{number}": (2 * dilation, 2, 8) for number, dilation in enumerate([1, 2, 1, 2])},
    }
    places = {key: value.data_ptr() for key, value in state.items()}
    engine.run(state, bias=case.bias[:2], uniforms=case.uniforms[:2])
    assert {key: tuple(value.shape) for key, value in state.items()} == shapes
    assert {key: value.data_ptr() for key, value in state.items()} == places


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("config", [GRID[0], ALL_OF_IT, GRID[-1]], ids=name)
def test_a_gpu_gives_the_same(config):
    case = Case(**config)
    on_cpu, expected = case.run(n_forced=20)
    case.model.cuda()
    on_gpu, outputs = case.run(n_forced=20)
    np.testing.assert_allclose(outputs[:, :20], expected[:, :20], rtol=0, atol=1e-4)
    assert_same_samples(case, on_gpu, on_cpu)
    np.testing.assert_array_equal(case.run([3, 11, 40], n_forced=20)[0], on_gpu)
