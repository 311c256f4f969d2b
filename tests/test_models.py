"""BC-ResNet returns the golden logits, and its fast layout equals the plain one; TC-ResNet has the paper's shape."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from audionet import models
from audionet.models import CNNTDNN, BCResNet, TCResNet
from audionet.models.bcresnet import BCResBlock
from audionet.models.contract import linear_of

GOLDEN = Path(__file__).parents[2] / "shared" / "golden"


def batch_norm(norm, x, features=slice(None)):
    """Normalise (batch, channel, frequency, frame) with some of the features of ``norm``."""
    mean, var = norm.running_mean[features].clone(), norm.running_var[features].clone()
    x = F.batch_norm(x, mean, var, norm.weight[features], norm.bias[features], norm.training, 0.1, 1e-5)
    norm.running_mean[features], norm.running_var[features] = mean, var
    return x


class PlainBlock(nn.Module):
    """Equation 1 of arXiv 2106.04140 in the ordinary layout (batch, channel, frequency, frame), sharing the weights."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block: Any = block

    def forward(self, x):
        layers: list[Any] = [*self.block.f2.children(), *self.block.f1.children()]
        y = x
        if self.block.is_transition:
            widen, norm = layers.pop(0), layers.pop(0)
            y = F.relu(batch_norm(norm, F.conv2d(y, widen.weight)))
            layers.pop(0)
        frequency, sub_spectral, time, norm, _, pointwise = layers
        n_channels = y.shape[1]
        y = F.conv2d(y, frequency.weight, stride=frequency.stride, padding=(1, 0), groups=n_channels)
        bands = y.chunk(5, dim=2)  # five neighbouring groups of rows, each normalised by itself
        y = torch.cat([batch_norm(sub_spectral.norm, band, slice(i, None, 5)) for i, band in enumerate(bands)], 2)
        dilation = time.dilation[1]
        z = F.conv2d(
            y.mean(2, keepdim=True), time.weight, padding=(0, dilation), dilation=(1, dilation), groups=n_channels
        )
        z = F.conv2d(F.silu(batch_norm(norm, z)), pointwise.weight)
        return F.relu(y + z if self.block.is_transition else x + y + z)


class FastBlock(nn.Module):
    """The block itself, behind the two permutations that its network makes."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, x):
        return self.block(x.permute(1, 2, 0, 3)).permute(2, 0, 1, 3)


class PlainNetwork(nn.Module):
    """BC-ResNet with plain blocks, in the ordinary layout all the way."""

    def __init__(self, model: BCResNet) -> None:
        super().__init__()
        self.model = model

    def forward(self, x):
        x = F.conv2d(x, self.model.stem.weight, stride=(2, 1), padding=2)
        x = F.relu(batch_norm(self.model.stem_norm, x))
        for block in self.model.blocks:
            x = PlainBlock(block)(x)
        return self.model.head(self.model.tail(x).mean((2, 3)))


def randomize(module, seed=0):
    """Draw every parameter and statistic, so that none hides behind its initial 0 or 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if name.endswith(("running_var", "norm.weight")):
                value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
            elif value.is_floating_point():
                value.copy_(torch.randn(value.shape, generator=generator) / max(1, value[0].numel()) ** 0.5)
    return module


def assert_same_training_step(fast, plain, x):
    """Equal outputs, gradients and running statistics; ``plain`` wraps a copy of the module that ``fast`` wraps."""
    inputs = [x.clone().requires_grad_() for _ in range(2)]
    outputs = [module(input) for module, input in zip((fast, plain), inputs, strict=True)]
    torch.testing.assert_close(*outputs, rtol=1e-9, atol=1e-9)
    probe = torch.randn(outputs[0].shape, dtype=x.dtype, generator=torch.Generator().manual_seed(1))
    for output in outputs:
        (output * probe).sum().backward()
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad, rtol=1e-9, atol=1e-9)
    ours, theirs = dict(fast.named_parameters()), list(plain.parameters())
    assert len(ours) == len(theirs) > 0
    for (name, parameter), other in zip(ours.items(), theirs, strict=True):
        assert parameter.grad.abs().max() > 0, name
        torch.testing.assert_close(parameter.grad, other.grad, rtol=1e-9, atol=1e-9, msg=name)
    for (name, buffer), other in zip(fast.named_buffers(), plain.buffers(), strict=True):
        if "num_batches" not in name:
            torch.testing.assert_close(buffer, other, rtol=1e-9, atol=1e-9, msg=name)


@pytest.mark.parametrize(
    ("n_in", "n_out", "stride", "dilation"), [(16, 8, 1, 1), (8, 12, 2, 2), (12, 12, 1, 4), (16, 20, 1, 8)]
)
@pytest.mark.parametrize("training", [True, False])
def test_a_block_equals_the_plain_layout(n_in, n_out, stride, dilation, training):
    block = randomize(BCResBlock(n_in, n_out, stride=stride, dilation=dilation, dropout=0.0)).double()
    fast, plain = FastBlock(block).train(training), PlainBlock(copy.deepcopy(block)).train(training)
    x = torch.randn(3, n_in, 20, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    before = copy.deepcopy(block.state_dict())
    assert_same_training_step(fast, plain, x)
    moved = [not torch.equal(value, before[name]) for name, value in block.state_dict().items() if "running" in name]
    assert all(moved) if training else not any(moved)


@pytest.mark.parametrize("n_bands", [40, 80])
def test_the_network_equals_the_plain_layout_in_training(n_bands):
    model = randomize(BCResNet(n_classes=5, n_bands=n_bands, dropout=0.0)).double().train()
    plain = PlainNetwork(copy.deepcopy(model)).train()
    x = torch.randn(3, 1, n_bands, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    assert_same_training_step(model, plain, x)


@pytest.mark.parametrize("tau", [1, 3, 8])
def test_golden_logits(tau):
    path = GOLDEN / f"bcresnet_tau{tau}.npz"
    if not path.exists():
        pytest.skip(f"needs the golden file {path}")
    golden = np.load(path)
    state = [golden[name] for name in sorted(golden.files) if name.startswith("state/")]
    model = BCResNet(n_classes=12, tau=tau).eval()
    entries = {name: value for name, value in model.state_dict().items() if "num_batches_tracked" not in name}
    assert len(entries) == len(state)
    loaded = {name: torch.from_numpy(value) for name, value in zip(entries, state, strict=True)}
    loaded["head.weight"] = loaded["head.weight"][:, :, 0, 0]  # there it is a 1 x 1 convolution
    model.load_state_dict(loaded, strict=False)  # every shape must fit; only the counters are missing
    with torch.inference_mode():
        logits = model(torch.from_numpy(golden["input"]))
    torch.testing.assert_close(logits, torch.from_numpy(golden["logits"]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "model",
    [
        BCResNet(n_classes=12),
        BCResNet(n_classes=12, n_bands=80),
        TCResNet(n_classes=12),
        TCResNet(n_classes=12, width=1.5, n_bands=80),
        TCResNet(n_classes=12, depth=14),
    ],
    ids=lambda model: f"{type(model).__name__}-{model.n_bands}-{len(model.blocks)}",
)
def test_a_batch_equals_one_by_one(model):
    model = randomize(model).eval()
    batch = torch.randn(5, 1, model.n_bands, 61, generator=torch.Generator().manual_seed(4))
    with torch.inference_mode():
        logits = model(batch)
        assert logits.shape == (5, 12)
        assert (logits[0] - logits[1]).abs().max() > 1e-3
        scale = float(logits.abs().max())
        for clip, expected in zip(batch, logits, strict=True):
            torch.testing.assert_close(model(clip[None])[0], expected, rtol=0, atol=1e-5 * scale)


@pytest.mark.parametrize("n_frames", [1, 2, 7, 101, 334])
def test_any_number_of_frames(n_frames):
    for model in (BCResNet(n_classes=3), TCResNet(n_classes=3)):
        with torch.inference_mode():
            assert model.eval()(torch.randn(2, 1, 40, n_frames)).shape == (2, 3)
        loss = model.train()(torch.randn(4, 1, 40, n_frames)).square().sum()
        loss.backward()
        assert all(parameter.grad is not None for parameter in model.parameters())


def test_dropout_drops_whole_channels_of_a_clip_and_only_in_training():
    block = randomize(BCResBlock(12, 12, stride=1, dilation=1, dropout=0.5)).double().train()
    x = torch.randn(12, 20, 9, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    f2 = block.f2(x)
    temporal = block.f1(f2.mean(1))[:, None]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        result = block(x)
    without, doubled = F.relu(x + f2), F.relu(x + f2 + 2 * temporal)
    is_dropped = (result - without).abs().amax((1, 3)) < 1e-9  # (channel, clip)
    is_kept = (result - doubled).abs().amax((1, 3)) < 1e-9
    assert (is_dropped ^ is_kept).all()
    assert 30 < is_dropped.sum() < 78  # of 108
    for axis in (0, 1):  # neither all channels of a clip nor one channel of all clips
        assert (is_dropped.any(axis) & is_kept.any(axis)).sum() > 6
    assert torch.equal(block.eval()(x), block(x))


def test_the_dropout_argument_reaches_every_block():
    assert {block.dropout for block in BCResNet(n_classes=3).blocks} == {0.1}
    assert {block.dropout for block in BCResNet(n_classes=3, dropout=0.25).blocks} == {0.25}


@pytest.mark.parametrize("n_bands", [0, 20, 64, 100])
def test_bcresnet_refuses_bands_that_do_not_split(n_bands):
    with pytest.raises(ValueError, match=rf"n_bands: expected a multiple of 40, .*5 sub-bands, got {n_bands}"):
        BCResNet(n_classes=12, n_bands=n_bands)


@pytest.mark.parametrize("n_bands", [64, 80])
def test_bcresnet_refuses_a_spectrogram_of_other_bands(n_bands):
    # With a batch of five the sub-bands would come out even, each a mixture of clips.
    with pytest.raises(
        ValueError, match=rf"spectrogram: expected \(batch, 1, n_bands = 40, frame\), got \(5, 1, {n_bands}, 11\)"
    ):
        BCResNet(n_classes=12)(torch.zeros(5, 1, n_bands, 11))


@pytest.mark.parametrize("tau", [-1, 0, 0.2])
def test_bcresnet_refuses_a_tau_without_channels(tau):
    with pytest.raises(ValueError, match=rf"tau: expected at least 0.25, got {tau}"):
        BCResNet(n_classes=12, tau=tau)


def test_bcresnet_takes_small_taus():
    assert BCResNet(n_classes=12, tau=0.25)(torch.randn(3, 1, 40, 11)).shape == (3, 12)


def test_tcresnet_halves_the_frames_in_each_block():
    model = TCResNet(n_classes=7, n_bands=20).eval()
    shapes = []
    for block in model.blocks:
        block.register_forward_hook(lambda module, inputs, output: shapes.append(tuple(output.shape)))
    assert model(torch.randn(2, 1, 20, 101)).shape == (2, 7)
    assert shapes == [(2, 24, 51), (2, 32, 26), (2, 48, 13)]


def test_tcresnet14_halves_the_frames_in_every_other_block():
    model = TCResNet(n_classes=7, n_bands=20, depth=14).eval()
    shapes = []
    for block in model.blocks:
        block.register_forward_hook(lambda module, inputs, output: shapes.append(tuple(output.shape)))
    assert model(torch.randn(2, 1, 20, 101)).shape == (2, 7)
    assert shapes == [(2, 24, 51), (2, 24, 51), (2, 32, 26), (2, 32, 26), (2, 48, 13), (2, 48, 13)]
    block = randomize(model.blocks[1])
    x = torch.randn(2, 24, 30, generator=torch.Generator().manual_seed(6))
    torch.testing.assert_close(block(x), F.relu(block.body(x) + x))
    with pytest.raises(ValueError, match="depth: expected one of 8, 14, got 10"):
        TCResNet(n_classes=7, depth=10)


def test_tcresnet_block_adds_its_shortcut():
    block = randomize(TCResNet(n_classes=3).blocks[0]).eval()
    x = torch.randn(2, 16, 30, generator=torch.Generator().manual_seed(6))
    torch.testing.assert_close(block(x), F.relu(block.body(x) + block.shortcut(x)))
    first, shortcut = block.body[0], block.shortcut[0]
    assert (first.kernel_size, first.stride, shortcut.kernel_size, shortcut.stride) == ((9,), (2,), (1,), (2,))


def test_tcresnet_pools_and_drops_before_the_classifier():
    model = randomize(TCResNet(n_classes=3, dropout=1.0))
    spectrogram = torch.randn(4, 1, 40, 50, generator=torch.Generator().manual_seed(7))
    bias = model.head[1].bias.expand(4, 3)
    torch.testing.assert_close(model.train()(spectrogram), bias)
    mean = model.eval().blocks(model.stem(spectrogram[:, 0])).mean(-1)
    torch.testing.assert_close(model(spectrogram), bias + mean @ model.head[1].weight.T)
    assert (model(spectrogram) - bias).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("name", "arguments", "channels"),
    [
        ("bcresnet", {"n_bands": 80, "tau": 1.5}, 48),
        ("tcresnet", {"n_bands": 20}, 48),
        ("cnn_tdnn", {"n_bands": 20, "n_channels": 12, "n_embedding": 24}, 24),
        ("wavenet_classifier", {"n_bands": 1, "n_layers": 4, "n_cycles": 2, "frame_channels": 12}, 12),
    ],
)
def test_every_recogniser_keeps_the_contract(name, arguments, channels):
    """Bands and classes by name, and logits that are the head of an embedding, in either mode."""
    network: Any = randomize(models.create(name, n_classes=7, **arguments))
    assert (network.n_bands, network.n_classes) == (arguments["n_bands"], 7)
    spectrogram = torch.randn(3, 1, network.n_bands, 300, generator=torch.Generator().manual_seed(8))
    with torch.inference_mode():
        embedding = network.eval().embed(spectrogram)
        assert embedding.shape == (3, channels)
        assert torch.equal(network(spectrogram), network.head(embedding))
        assert network.train()(spectrogram).shape == (3, 7)
        for wrong in (spectrogram[:, 0], spectrogram.repeat(1, 1, 2, 1), spectrogram.repeat(1, 2, 1, 1)):
            with pytest.raises(ValueError, match="spectrogram: expected"):
                network(wrong)


@pytest.mark.parametrize(
    ("name", "arguments", "channels"),
    [
        ("bcresnet", {}, 32),
        ("tcresnet", {"depth": 14}, 48),
        ("cnn_tdnn", {}, 128),
        ("wavenet_classifier", {"n_bands": 1, "n_layers": 4, "n_cycles": 2, "frame_channels": 12}, 12),
    ],
)
def test_a_network_without_classes_gives_its_embedding(name, arguments, channels):
    network: Any = randomize(models.create(name, n_classes=0, **arguments)).eval()
    spectrogram = torch.randn(3, 1, network.n_bands, 300, generator=torch.Generator().manual_seed(9))
    with torch.inference_mode():
        embedding = network(spectrogram)
        assert embedding.shape == (3, channels) and torch.equal(embedding, network.embed(spectrogram))
    assert not any(key.startswith("head") for key in network.state_dict())
    for n_classes in (-1, 2.5):
        with pytest.raises(ValueError, match="n_classes: "):
            models.create(name, n_classes=n_classes, **arguments)


def test_cnn_tdnn_hears_a_word_alike_wherever_it_lies_and_weighs_frames_by_attention():
    network = randomize(CNNTDNN(n_classes=3, n_bands=20, n_channels=8, n_embedding=12)).eval()
    word = torch.randn(1, 1, 20, 64, generator=torch.Generator().manual_seed(4))
    with torch.inference_mode():
        frames = network.blocks(network.narrow(network.stem(word).flatten(1, 2)))  # (batch, channel, frame)
        weights = network.pooling.attention(frames).softmax(-1)
        torch.testing.assert_close(network.embed(word), (weights * frames).sum(-1))
        network.pooling.attention.weight.zero_()  # all frames weigh the same
        torch.testing.assert_close(network.embed(word), frames.mean(-1))
        # A move by the strides moves the frames, but for those that the padding reaches.
        early, late = (torch.nn.functional.pad(word, (60 - move, 60 + move)) for move in (0, 8))
        of = lambda x: network.blocks(network.narrow(network.stem(x).flatten(1, 2)))  # noqa: E731
        torch.testing.assert_close(of(early)[..., 10:-10], of(late)[..., 8:-12])
    for wrong in ({"n_bands": 30}, {"n_channels": 0}, {"n_embedding": 1.5}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))}: expected"):
            CNNTDNN(n_classes=3, **wrong)


def test_the_order_of_the_tensors_is_that_of_the_layers():
    names = list(BCResNet(n_classes=3).state_dict())
    order = ["stem", "stem_norm", "blocks", "tail", "head"]
    assert list(dict.fromkeys(name.split(".")[0] for name in names)) == order


def test_create():
    assert isinstance(models.create("tcresnet", n_classes=3, width=1.5), TCResNet)
    model = models.create("bcresnet", n_classes=3, tau=1.5)
    assert isinstance(model, BCResNet) and model.stem.out_channels == 24
    with pytest.raises(
        ValueError, match=r"network: expected one of alexnet, all_conv, .*got 'dcresnet'; did you mean '[bt]cresnet'"
    ):
        models.create("dcresnet", n_classes=3)
    with pytest.raises(ValueError, match=r"network bcresnet: BCResNet has no argument 'width'"):
        models.create("bcresnet", n_classes=3, width=2)
    with pytest.raises(ValueError, match=r"network tcresnet: .*'n_classes'"):
        models.create("tcresnet")
    with pytest.raises(ValueError, match=r"n_bands: .*got 64"):
        models.create("bcresnet", n_classes=3, n_bands=64)


def test_a_head_without_one_linear_layer_is_refused():
    for head in (torch.nn.Identity(), torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))):
        network = models.create("tcresnet", n_classes=3)
        network.head = head
        with pytest.raises(ValueError, match="head: expected one linear layer, got '[02] of them'"):
            linear_of(network)
