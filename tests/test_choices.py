"""Padding and activation of the keyword networks: each value, against explicit padding and by what it must leave."""

import re
from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audionet import models
from audionet.flags import parse
from audionet.models.bcresnet import FrequencyConv
from audionet.models.layers import ACTIVATIONS, PaddingMode
from tests.test_flags import NAMED, recipe_parser

SMALL: dict[str, dict[str, Any]] = {"tcresnet": {}, "cnn_tdnn": {"n_channels": 16, "n_embedding": 16}, "bcresnet": {}}
STRIDES = {"tcresnet": 8, "cnn_tdnn": 4, "bcresnet": 1}
SHORTEST = {("tcresnet", "reflect"): 33, ("tcresnet", "circular"): 25, ("cnn_tdnn", "reflect"): 9}
SHORTEST |= {("cnn_tdnn", "circular"): 5, ("bcresnet", "reflect"): 9, ("bcresnet", "circular"): 8}
MODES = get_args(PaddingMode)


def build(name: str, **choices: Any) -> Any:
    """Return a network in float64 for evaluation, whose running statistics hide nothing."""
    torch.manual_seed(0)
    network = models.create(name, n_classes=3, **SMALL[name], **choices).double()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            for values in (module.bias, module.running_mean):
                assert values is not None
                nn.init.uniform_(values, -0.5, 0.5)
    return network.eval()


def noise(n_frames: int = 40) -> Tensor:
    return torch.randn(2, 1, 40, n_frames, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


class Explicit(nn.Module):
    """A convolution without padding behind `F.pad`, with the weights of another."""

    def __init__(self, conv: Any, mode: str) -> None:
        super().__init__()
        self.conv, self.mode = conv, mode

    def forward(self, x: Tensor) -> Tensor:
        conv: Any = self.conv
        pads = [size for size in reversed(conv.padding) for _ in range(2)]
        across = isinstance(conv, FrequencyConv)  # whose maps are (channel, frequency, batch, frame)
        x = x.movedim(2, 0) if across else x
        padded = F.pad(x, pads, "constant" if self.mode == "zeros" else self.mode)
        convolve = F.conv1d if isinstance(conv, nn.Conv1d) else F.conv2d
        y = convolve(padded, conv.weight, None, conv.stride, 0, conv.dilation, conv.groups)
        return y.movedim(0, 2) if across else y


def explicit(network: nn.Module, mode: str) -> nn.Module:
    """Put `Explicit` where a convolution pads; all that does must be a convolution of the mode."""
    for parent in [*network.modules()]:
        for name, child in parent.named_children():
            if isinstance(child, nn.Conv1d | nn.Conv2d) and any(child.padding):
                setattr(parent, name, Explicit(child, mode))
    return network


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", SMALL)
def test_a_padding_is_what_pad_does(name, mode):
    network, other = build(name, padding_mode=mode), explicit(build(name), mode)
    inputs = [noise().requires_grad_() for _ in range(2)]
    logits, expected = network(inputs[0]), other(inputs[1])
    assert logits.shape == (2, 3)
    torch.testing.assert_close(logits, expected, rtol=1e-9, atol=1e-9)
    for each in (logits, expected):
        each.square().sum().backward()
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad, rtol=1e-9, atol=1e-9)
    assert all(parameter.grad.abs().max() > 0 for parameter in network.parameters())


@pytest.mark.parametrize("name", SMALL)
def test_every_padding_is_another_and_a_ring_has_no_ends(name):
    x, seen = noise(), {}
    with torch.inference_mode():
        for mode in MODES:
            network = build(name, padding_mode=mode)
            frames, turned = network.frames(x), network.frames(x.roll(STRIDES[name], -1))
            is_ring = torch.allclose(turned, frames.roll(1, -1), rtol=1e-9, atol=1e-9)
            assert is_ring == (mode == "circular")
            seen[mode] = frames
    assert not any(torch.allclose(seen[one], seen[other]) for one in MODES for other in MODES if one != other)
    assert models.receptive_field(network) == models.receptive_field(build(name)), "a ring is no longer"


@pytest.mark.parametrize(("name", "mode"), SHORTEST)
def test_the_shortest_clip_that_a_padding_takes(name, mode):
    network, shortest = build(name, padding_mode=mode), SHORTEST[name, mode]
    with torch.inference_mode():
        assert network(noise(shortest)).isfinite().all()
        expected = (
            f"spectrogram: expected at least {shortest} frames for padding_mode '{mode}', got {shortest - 1}; give"
        )
        with pytest.raises(ValueError, match=re.escape(expected)):
            network(noise(shortest - 1))
        with pytest.raises(RuntimeError, match="[Pp]adding"):  # what the check forestalls
            explicit(build(name), mode)(noise(shortest - 1))
        assert build(name, padding_mode="replicate")(noise(1)).isfinite().all()


@pytest.mark.filterwarnings("ignore")  # the exporter's own, of shapes that become constants
@pytest.mark.parametrize("mode", ["reflect", "circular"])
@pytest.mark.parametrize("name", SMALL)
def test_onnx_pads_the_same(name, mode, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    network, x, path = build(name, padding_mode=mode).float(), noise().float(), str(tmp_path / "network.onnx")
    torch.onnx.export(network, (x[:1],), path, dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "batch"}})
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"x": x.numpy()})
    torch.testing.assert_close(torch.from_numpy(logits), network(x).detach(), rtol=1e-4, atol=1e-4)  # float32


@pytest.mark.parametrize("name", SMALL)
def test_without_an_activation_frames_are_affine(name):
    """No other activation is left anywhere."""
    network = build(name, activation="none")
    for block in network.blocks if name == "bcresnet" else ():
        nn.init.zeros_(block.f1[-1].weight)  # the temporal branches, which keep theirs
    one, other = noise().unbind()
    with torch.inference_mode():
        both, nothing, first, second = network.frames(torch.stack([one + other, torch.zeros_like(one), one, other]))
    torch.testing.assert_close(both + nothing, first + second, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", SMALL)
def test_every_activation_is_another(name):
    seen = []
    for activation in ACTIVATIONS:
        network, x = build(name, activation=activation), noise().requires_grad_()
        logits = network(x)
        logits.square().sum().backward()
        assert logits.shape == (2, 3) and x.grad is not None and x.grad.isfinite().all() and x.grad.abs().max() > 0
        seen.append(logits)
    assert not any(torch.allclose(one, other) for i, one in enumerate(seen) for other in seen[:i])


@pytest.mark.parametrize("name", SMALL)
def test_choices_are_flags_and_unknown_ones_are_refused(name, tmp_path):
    words = [f"--model.name={name}", "--model.padding_mode=reflect", "--model.activation", "gelu"]
    values = parse(recipe_parser(), words, named=NAMED).model
    assert values == {"name": name, "padding_mode": "reflect", "activation": "gelu"}
    with pytest.raises(ValueError, match="padding_mode: expected one of zeros.*got 'reflekt'; did you mean 'reflect'"):
        models.create(name, n_classes=3, padding_mode="reflekt")
    with pytest.raises(ValueError, match="activation: expected one of relu.*got 'rely'; did you mean 'relu'"):
        models.create(name, n_classes=3, activation="rely")
