"""WaveNet: every output sees the samples before it, as far back as the receptive field, and nothing else."""

from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from audionet.models import WaveNet, create

OUTPUTS = ("softmax", "logistic_mixture", "gaussian")
CATEGORIES = {"label": ["yes", "no"], "speaker": ["a", "b", "c"]}
HOP = 6
TINY: dict[str, Any] = {
    "n_layers": 6,
    "n_cycles": 2,
    "residual_channels": 8,
    "gate_channels": 12,
    "skip_channels": 10,
    "output_channels": 9,
    "n_mixtures": 3,
    "category_channels": 4,
    "local_channels": 5,
}
GRID = [
    {
        "output": output,
        "kernel_size": kernel_size,
        "n_cycles": n_cycles,
        "categories": CATEGORIES if has_categories else None,
        "local_bands": 3 if has_frames else 0,
        "upsample": (2, 3) if has_frames else (),
    }
    for output, kernel_size, n_cycles, has_categories, has_frames in product(
        OUTPUTS, (2, 3), (1, 2), (False, True), (False, True)
    )
]
PLACED = [{**config, "n_places": 3, "place_length": 4} for config in GRID if config["kernel_size"] == 3]


def wavenet(**changes: Any) -> WaveNet:
    torch.manual_seed(0)
    model = WaveNet(**{**TINY, "n_layers": 4, **changes})
    torch.nn.init.normal_(model.gate_bias, std=0.1)
    for layer in (model.skip, model.hidden):  # so few rectifiers could all be off
        torch.nn.init.constant_(layer.bias, 1.0)
    return model


def inputs(model: WaveNet, batch: int, time: int) -> tuple[Tensor, dict[str, Tensor], Tensor | None]:
    """Samples, conditions and frames that the model takes."""
    generator = torch.Generator().manual_seed(1)
    waveform = (torch.randn(batch, time, generator=generator) / 4).clamp(-1, 1)
    conditions = {
        name: torch.randint(len(values), (batch,), generator=generator) for name, values in model.categories.items()
    }
    frames = None
    if model.local_bands:
        frames = torch.randn(batch, model.local_bands, -(-time // model.hop_length), generator=generator)
    return model.distribution.from_waveform(waveform), conditions, frames


def name(config: dict[str, Any]) -> str:
    parts = [config["output"], f"k{config['kernel_size']}", f"c{config['n_cycles']}"]
    parts += ["global"] * bool(config["categories"]) + ["local"] * bool(config["local_bands"])
    return "-".join(parts + ["places"] * ("n_places" in config))


@pytest.mark.parametrize("config", GRID + PLACED, ids=name)
def test_an_output_sees_the_receptive_field_before_it_and_nothing_else(config, monkeypatch):
    model = wavenet(**config).double()
    dilations = [1, 2, 4, 8] if config["n_cycles"] == 1 else [1, 2, 1, 2]
    assert model.dilations == dilations
    reach = (config["kernel_size"] - 1) * sum(dilations) + 1
    assert model.receptive_field == reach
    time = reach + 5
    samples, conditions, frames = inputs(model, 1, time)
    frames = None if frames is None else frames.double()
    samples = samples if model.distribution.is_discrete else samples.double()
    embedded = []  # codes have no gradient, what they are embedded as has

    enter = model.input.forward

    def embed(samples: Tensor) -> Tensor:
        stream = enter(samples).detach().requires_grad_()
        embedded.append(stream)
        return stream

    monkeypatch.setattr(model.input, "forward", embed)
    outputs = model(samples, conditions, frames)
    assert outputs.shape == (1, time, model.distribution.n_outputs)
    for position in range(time):
        (gradient,) = torch.autograd.grad(outputs[0, position].square().sum(), embedded[0], retain_graph=True)
        seen = gradient[0].abs().sum(-1).nonzero()[:, 0].tolist()
        assert seen == list(range(max(position - reach, 0), position)), position


@pytest.mark.parametrize("output", OUTPUTS)
def test_changing_a_sample_changes_only_later_outputs(output):
    model = wavenet(output=output).double()
    time, changed = 30, 11
    samples, *_ = inputs(model, 1, time)
    samples = samples if output == "softmax" else samples.double()
    other = samples.clone()
    other[0, changed] = 255 - other[0, changed] if output == "softmax" else -other[0, changed]
    with torch.inference_mode():
        differs = (model(samples) != model(other)).any(-1)[0]
    last = changed + model.receptive_field
    assert differs.nonzero()[:, 0].tolist() == list(range(changed + 1, last + 1))


def test_global_conditions_reach_every_output_and_local_ones_their_own_time():
    model = wavenet(output="gaussian", categories=CATEGORIES, local_bands=3, upsample=(2, 3))
    samples, conditions, frames = inputs(model, 1, 10 * HOP)
    assert frames is not None
    with torch.inference_mode():
        outputs = model(samples, conditions, frames)
        for category, values in CATEGORIES.items():
            moved = {**conditions, category: (conditions[category] + 1) % len(values)}
            assert (model(samples, moved, frames) != outputs).any(-1).all(), category
        changed = frames.clone()
        changed[0, :, 5] += 1
        differs = (model(samples, conditions, changed) != outputs).any(-1)[0].nonzero()[:, 0]
    # From two frames before, by the convolution over frames, and 2 * 3 + 3 samples more, by smoothing; then the stack.
    assert differs.tolist() == list(range(3 * HOP - 9, 10 * HOP))


def test_the_upsampler_stretches_without_shifting():
    upsampler: Any = wavenet(local_bands=3, upsample=(2, 3)).upsampler
    torch.nn.init.zeros_(upsampler.mix.weight)
    torch.nn.init.zeros_(upsampler.mix.bias)
    with torch.inference_mode():
        upsampler.mix.weight[:, 0, 2] = 1.0  # hand the first band on
        frames = torch.zeros(1, 3, 13)
        frames[:, 0, 6] = 1.0
        signal = upsampler(frames, 13 * HOP)
    assert signal.shape == (1, 13 * HOP, 5)
    torch.testing.assert_close(signal, signal.flip(1))  # about the middle of the frame
    torch.testing.assert_close(signal.sum(1), torch.full((1, 5), float(HOP)))
    assert signal[0, : 6 * HOP - 9].abs().max() == 0 < signal[0, 6 * HOP - 9].min()


@pytest.mark.parametrize("config", [GRID[0], GRID[-1]], ids=name)
def test_the_network_is_the_papers_equations(config):
    """Equation 2 and figure 4 with convolutions, as they stand in the paper, against our matrices side by side."""
    model: Any = wavenet(**config).double()
    samples, conditions, frames = inputs(model, 2, 40)
    samples = samples if model.distribution.is_discrete else samples.double()
    frames = None if frames is None else frames.double()
    width, kernel = model.layers[0].residual_channels, model.kernel_size
    bias = model.bias(conditions, frames, batch=2, time=40).steps[:, 0]
    x = F.pad(model.input(samples).mT, (1, 0))[..., :-1]
    skip: Any = 0
    for number, (layer, dilation) in enumerate(zip(model.layers, model.dilations, strict=True)):
        weight = layer.dilated.weight[:, : kernel * width].view(-1, kernel, width).mT
        gates = F.conv1d(F.pad(x, ((kernel - 1) * dilation, 0)), weight, dilation=dilation) + bias[:, number, :, None]
        if frames is not None:
            local = model.upsampler(frames, 40)
            gates = gates + layer.dilated.weight[:, kernel * width :] @ local.mT
        half = gates.shape[1] // 2
        unit = torch.tanh(gates[:, :half]) * torch.sigmoid(gates[:, half:])
        skip = skip + model.skip.weight[:, number * half : (number + 1) * half] @ unit
        if layer.residual is not None:
            x = x + layer.residual(unit.mT).mT
    expected = model.output(F.relu(model.hidden(F.relu(skip.mT + model.skip.bias))))
    torch.testing.assert_close(model(samples, conditions, frames), expected, rtol=0, atol=1e-12)


def test_the_bias_of_a_stream_is_its_layers_and_its_categories():
    model: Any = wavenet(categories=CATEGORIES, local_bands=3, upsample=(2, 3))
    conditions = {"label": torch.tensor([0, 1]), "speaker": torch.tensor([2, 2])}
    frames = torch.randn(2, 3, 4)
    bias = model.bias(conditions, frames, batch=2, time=20)
    assert bias.steps.shape == (2, 1, 4, 12) and not bias.is_constant
    embedded = model.embeddings["label"].weight + model.embeddings["speaker"].weight[2]
    expected = model.gate_bias + (embedded @ model.condition.weight.T).view(2, 4, 12)
    torch.testing.assert_close(bias.steps[:, 0], expected)
    local = model.upsampler(frames, 20)
    assert torch.equal(bias.local, local) and local.shape == (2, 20, 5)
    part = bias.between(3, 17)
    assert part.shape == (2, 14, 4, 12)
    for number, layer in enumerate(model.layers):
        added = local[:, 3:17] @ layer.dilated.weight[:, -5:].T
        torch.testing.assert_close(part[:, :, number], expected[:, None, number] + added)
    plain = wavenet()
    bias = plain.bias(batch=3, time=20)
    assert bias.is_constant and torch.equal(bias.between(3, 17), plain.gate_bias.expand(3, 1, -1, -1))


def test_the_bias_of_a_place_holds_for_its_samples():
    model = wavenet(n_places=5, place_length=4)
    bias = model.bias(batch=2, time=18)
    assert bias.steps.shape == (2, 5, 4, 12) and not bias.is_constant
    assert torch.equal(bias.between(0, 18), bias.steps.repeat_interleave(4, 1)[:, :18])
    assert torch.equal(bias.between(7, 9), bias.steps[:, 1:3])


@pytest.mark.parametrize("categories", [None, CATEGORIES])
def test_a_part_of_a_clip_knows_its_place(categories):
    model = wavenet(categories=categories, n_places=5, place_length=4)
    samples, conditions, _ = inputs(model, 2, 42)
    start = torch.tensor([4, 20])
    part = torch.stack([samples[number, first : first + 18] for number, first in enumerate(start)])
    length = torch.tensor([42, 42])
    assert model.places is not None
    places = model.places.between(start, 18, length)
    assert places[..., 0].tolist() == [[1, 2, 3, 4, 4], [4, 4, 4, 4, 4]]
    assert places[..., 1].tolist() == [[4, 4, 4, 4, 4], [4, 4, 3, 2, 1]]
    with torch.inference_mode():
        whole = model(samples, conditions)
        assert torch.equal(model(samples, conditions, length=length), whole)
        longer = model(samples, conditions, length=length + 12)
        placed, unplaced = model(part, conditions, start=start, length=length), model(part, conditions)
    torch.testing.assert_close(longer[:, :24], whole[:, :24])  # both more than four places from their ends
    assert (longer[:, 24:] - whole[:, 24:]).abs().amax((1, 2)).min() > 1e-3
    for number, first in enumerate(start):  # behind the receptive field a part lacks nothing
        expected = whole[number, first + model.receptive_field : first + 18]
        torch.testing.assert_close(placed[number, model.receptive_field :], expected, rtol=0, atol=1e-5)
        assert (unplaced[number, model.receptive_field :] - expected).abs().max() > 1e-3


def test_windows_begin_with_whole_frames_and_whole_places():
    assert wavenet().step_length == 1
    assert wavenet(n_places=2, place_length=4).step_length == 4
    assert wavenet(local_bands=3, upsample=(2, 3)).step_length == 6
    assert wavenet(n_places=2, place_length=4, local_bands=3, upsample=(2, 3)).step_length == 12


@pytest.mark.parametrize("config", [GRID[3], GRID[-1]], ids=name)
def test_every_weight_learns_and_a_batch_equals_one_by_one(config):
    model = wavenet(**config)
    samples, conditions, frames = inputs(model, 3, 30)
    outputs = model(samples, conditions, frames)
    model.distribution.bits(outputs, samples).mean().backward()
    # The first tap of a long dilation and unused embeddings may get little, but none nothing at all.
    assert not [name for name, value in model.named_parameters() if value.grad is None or not value.grad.any()]
    for number in range(3):
        row = slice(number, number + 1)
        alone = model(
            samples[row],
            {key: value[row] for key, value in conditions.items()},
            None if frames is None else frames[row],
        )
        torch.testing.assert_close(alone[0], outputs[number], rtol=0, atol=1e-5)


def test_mixed_precision_gives_nearly_the_same():
    model = wavenet(categories=CATEGORIES, local_bands=3, upsample=(2, 3))
    samples, conditions, frames = inputs(model, 2, 30)
    with torch.inference_mode():
        exact = model(samples, conditions, frames)
        with torch.autocast("cpu", torch.bfloat16):
            mixed = model(samples, conditions, frames)
    assert mixed.dtype == torch.bfloat16
    torch.testing.assert_close(mixed.float(), exact, rtol=0, atol=0.05)  # bfloat16 keeps 8 bits


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_layers": 5}, "n_layers: expected a multiple of n_cycles = 2, got 5"),
        ({"n_layers": 0}, "n_layers: expected at least 1, got 0"),
        ({"n_places": -1}, "n_places: expected at least 0, got -1"),
        ({"n_places": 3, "place_length": 0}, "place_length: expected at least 1, got 0"),
        ({"kernel_size": 1}, "kernel_size: expected at least 2, got 1"),
        ({"gate_channels": 7}, "gate_channels: expected an even number, .*got 7"),
        ({"local_bands": 3}, r"local_bands, upsample: expected both or neither, .*got \(3, \[\]\)"),
        ({"upsample": (2, 3)}, r"local_bands, upsample: .*got \(0, \[2, 3\]\)"),
        ({"local_bands": 3, "upsample": (4, 0)}, "factors of at least 1"),
        ({"local_bands": 3, "upsample": (4,), "local_channels": 0}, "local_channels: expected at least 1, got 0"),
        ({"categories": {"label": []}}, "categories: expected at least one value for each, got none for label"),
        ({"output": "categorical"}, "output: expected one of softmax, logistic_mixture, gaussian, got 'categorical'"),
        ({"n_mixtures": 0}, "n_mixtures: expected at least 1, got 0"),
        ({"colour": 1}, "network wavenet: WaveNet has no argument 'colour'"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        create("wavenet", **{**TINY, **changes})


def test_conditions_that_do_not_fit_are_refused():
    plain, full = wavenet(), wavenet(categories=CATEGORIES, local_bands=3, upsample=(2, 3))
    samples, conditions, frames = inputs(full, 2, 20)
    assert frames is not None
    with pytest.raises(ValueError, match=r"conditions: expected \['label', 'speaker'\], got \['label'\]"):
        full(samples, {"label": conditions["label"]}, frames)
    with pytest.raises(ValueError, match=r"conditions: expected \[\], got \['label'\]"):
        plain(samples, {"label": conditions["label"]})
    with pytest.raises(ValueError, match=r"frames: expected \(batch, 3 bands, frame\) .*got None"):
        full(samples, conditions)
    with pytest.raises(ValueError, match=r"frames: expected None without local conditioning, got \(2, 3, 4\)"):
        plain(samples, None, frames)
    with pytest.raises(ValueError, match=r"expected \(batch, 3 bands, frame\) at a hop of 6 samples, got \(2, 2, 4\)"):
        full(samples, conditions, frames[:, :2])
    with pytest.raises(ValueError, match="that cover 20 samples, got 3 frames"):
        full(samples, conditions, frames[..., :3])
