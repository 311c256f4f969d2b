"""The Inception networks equal other libraries' with the same weights, and have their papers' tables."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audionet import models
from audionet.models import inception
from audionet.models.inception import Conv, Fork, Residual
from audionet.models.layers import global_pool
from audionet.models.receptive import receptive_fields


def drawn(build: Callable[[], nn.Module], picture: Tensor) -> nn.Module:
    """Return the network that ``build`` returns, for evaluation, with values drawn here, faster than in its own way.

    The running statistics are those of the picture, so that no layer loses the signal.
    """
    with torch.device("meta"):
        network = build()
    network.to_empty(device="cpu")
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            limit = (3 / module.weight[0].numel()) ** 0.5
            nn.init.uniform_(module.weight, -limit, limit)
            if module.bias is not None:
                nn.init.uniform_(module.bias, -0.5, 0.5)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
            module.reset_running_stats()
            module.momentum = 1.0
    with torch.no_grad():
        network.train()(picture)
    return network.eval()


def with_weights_of(theirs: nn.Module, name: str, **arguments: Any) -> nn.Module:
    """Return a network of ours for pictures, for evaluation, with the values of another library's in their order."""
    with torch.device("meta"):
        ours = models.create(name, in_channels=3, n_bands=107, n_classes=10, **arguments)
    values = dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True))
    ours.load_state_dict(values, assign=True)
    for module in ours.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-3  # torch's own is 1e-5; no paper gives it
    return ours.eval()


def assert_same_logits(ours: nn.Module, theirs: nn.Module, picture: Tensor) -> None:
    with torch.inference_mode():
        expected = theirs(picture[:1])
        assert expected.std() > 0.1
        torch.testing.assert_close(ours(picture[:1]), expected, rtol=1e-4, atol=1e-4)


@pytest.fixture
def picture() -> Tensor:
    torch.manual_seed(0)
    return torch.randn(2, 3, 107, 107)


def test_googlenet_equals_torchvisions(picture):
    torchvision = pytest.importorskip("torchvision.models.googlenet")

    def build() -> nn.Module:
        network: nn.Module = torchvision.GoogLeNet(num_classes=10, aux_logits=False, init_weights=False)
        for module in list(network.modules()):
            if isinstance(module, torchvision.Inception):  # where it has 3 × 3 for the paper's 5 × 5
                conv = module.branch3[1].conv
                module.branch3[1].conv = nn.Conv2d(conv.in_channels, conv.out_channels, 5, padding=2, bias=False)
        for number in range(1, 5):  # it pads the poolings at one end only, and has 2 × 2 for the paper's last 3 × 3
            setattr(network, f"maxpool{number}", nn.MaxPool2d(3, 2, 1))
        return network

    theirs = drawn(build, picture)
    assert_same_logits(with_weights_of(theirs, "googlenet", norm="batch"), theirs, picture)


@pytest.mark.parametrize(
    ("name", "home", "theirs_name"),
    [
        ("inception_v3", "inception_v3", "InceptionV3"),
        ("inception_v4", "inception_v4", "InceptionV4"),
        ("inception_resnet", "inception_resnet_v2", "InceptionResnetV2"),
    ],
)
def test_the_later_inceptions_equal_timms(name, home, theirs_name, picture):
    timm = pytest.importorskip(f"timm.models.{home}")
    theirs = drawn(lambda: getattr(timm, theirs_name)(num_classes=10), picture)
    ours = with_weights_of(theirs, name, padding="valid")
    for module in ours.modules():
        if isinstance(module, nn.AvgPool2d):  # its third version counts the zeros around the maps
            module.count_include_pad = name == "inception_v3"
    assert_same_logits(ours, theirs, picture)


def test_the_modules_of_googlenet_have_the_papers_parameters():
    """Table 1 gives parameters in units of 1024; the rows of 3a and 3b, as do few others, agree with its columns."""
    network = models.create("googlenet", n_classes=1000)
    modules = [network.get_submodule(f"body.inception3.{place}") for place in (1, 2)]
    kibi = [sum(parameter.numel() for parameter in module.parameters()) / 1024 for module in modules]
    assert kibi == pytest.approx([159, 380], abs=1)


def test_a_module_sees_as_far_as_its_kernels():
    """The branches of a module of GoogLeNet see 1, 3, 5 and 3 places, and halve nothing."""
    network = models.create("googlenet", n_classes=3, width=0.02)
    names = [f"body.inception3.1.branches.{branch}" for branch in range(4)]
    before = receptive_fields(network, ["body.inception3.0"])["body.inception3.0"]
    fields = receptive_fields(network, names)
    assert before.frames is not None
    for name, kernel in zip(names, (1, 3, 5, 3), strict=True):
        assert (fields[name].frames, fields[name].stride) == (before.frames + 8 * (kernel - 1), 8)


def test_the_first_kernels_of_bn_inception_are_sums_of_eight():
    torch.manual_seed(0)
    network = models.BNInception(n_classes=3, width=0.25, norm="none", activation="none")
    spectrogram = torch.randn(2, 1, 40, 101)
    conv, sums = network.get_submodule("body.conv1.0"), network.get_submodule("body.conv1.1.0.0")
    assert isinstance(conv, nn.Conv2d) and isinstance(sums, nn.Conv2d)
    kernels = torch.einsum("oi,ihw->ohw", sums.weight[:, :, 0, 0], conv.weight[:, 0])
    expected = F.conv2d(spectrogram, kernels[:, None], sums.bias, stride=2, padding=3)
    torch.testing.assert_close(sums(conv(spectrogram)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["googlenet", "bn_inception"])
@pytest.mark.parametrize(
    ("argument", "values"),
    [
        ("padding_mode", ("replicate", "circular")),
        ("pooling", ("average", "convolution")),
        ("activation", ("gelu", "tanh")),
        ("norm", ("instance", "none")),
        ("stride", (1, (1, 2))),
    ],
)
def test_the_choices_change_what_the_network_computes(name, argument, values):
    spectrogram = torch.randn(2, 1, 40, 101, generator=torch.Generator().manual_seed(1))
    seen = []
    for arguments in ({}, *({argument: value} for value in values)):
        torch.manual_seed(0)
        network = models.create(name, n_classes=3, width=0.05, **arguments).eval()
        with torch.inference_mode():
            seen.append(network(spectrogram))
    assert all(logits.shape == (2, 3) and logits.isfinite().all() for logits in seen)
    assert not any(torch.allclose(one, other) for i, one in enumerate(seen) for other in seen[:i])


@pytest.mark.parametrize(
    ("name", "size", "arguments", "sizes"),
    [
        ("googlenet", 224, {}, {"conv1": 56, "conv2": 56, "inception3": 28, "inception4": 14, "inception5": 7}),
        ("bn_inception", 224, {}, {"conv1": 56, "conv2": 28, "inception3": 14, "inception4": 7, "inception5": 7}),
        (
            "inception_v3",
            299,
            {"padding": "valid"},
            {"stem": 35, "inception_a": 35, "inception_b": 17, "inception_c": 8},
        ),
    ],
)
def test_maps_have_the_sizes_of_the_papers(name, size, arguments, sizes):
    network = models.create(name, n_classes=3, width=0.02, n_bands=size, **arguments).eval()
    modules = {stage: network.get_submodule(f"body.{stage}") for stage in sizes}
    maps = models.outputs(network, modules, torch.ones(1, 1, size, size))
    assert {stage: each.shape[2:] for stage, each in maps.items()} == {stage: (n, n) for stage, n in sizes.items()}


def test_too_few_bands_for_the_papers_padding():
    network = models.Convnet({"stem": nn.Conv2d(1, 4, 9)}, pool=global_pool(), n_embedding=4, n_classes=3, n_bands=8)
    inception.check_bands(network, "same", "zeros")
    with pytest.raises(ValueError, match="at least 9 bands and 9 frames, got 8 and 299, .* layer stem"):
        inception.check_bands(network, "valid", "zeros")


def test_75_bands_and_frames_suffice_for_the_papers_padding():
    network = models.InceptionV3(n_classes=3, width=0.02, padding="valid", n_bands=75).eval()
    assert network.maps(torch.ones(1, 1, 75, 75)).shape[2:] == (1, 1)


def test_a_residual_module_adds_its_scaled_maps():
    torch.manual_seed(0)
    fork = Fork(((Conv(4, 3),), (Conv(2),)))
    layer_of = partial(inception.layer, padding="same", padding_mode="zeros", pooling="max", norm="none")
    x = torch.randn(2, 8, 5, 7)
    for is_last in (False, True):
        steps = (Residual(fork, 0.25, is_last),)
        block: Any = inception.chain(8, steps, partial(layer_of, activation="relu"), "relu")[0]
        wide, thin = (branch[0][0] for branch in block.branches.branches)
        inside = torch.cat([F.conv2d(x, wide.weight, wide.bias, padding=1), F.conv2d(x, thin.weight, thin.bias)], 1)
        expected = x + 0.25 * F.conv2d(inside.relu(), block.project.weight, block.project.bias)
        torch.testing.assert_close(block(x), expected if is_last else expected.relu())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pooling": "maxx"}, "pooling: expected one of max, average, convolution, got 'maxx'; did you mean 'max'?"),
        ({"norm": "bach"}, "norm: expected one of batch, instance, none, got 'bach'; did you mean 'batch'?"),
        ({"activation": "rely"}, "did you mean 'relu'?"),
        ({"padding_mode": "zero"}, "did you mean 'zeros'?"),
        ({"width": 0}, "width: expected more than 0, got 0"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    for name in ("googlenet", "bn_inception", "inception_v3", "inception_v4", "inception_resnet"):
        with pytest.raises(ValueError, match=re.escape(message)):
            models.create(name, n_classes=3, **arguments)


def test_bad_arguments_of_some_networks_are_refused():
    with pytest.raises(ValueError, match="padding: expected one of same, valid, got 'valit'; did you mean 'valid'?"):
        models.create("inception_v4", n_classes=3, padding="valit")
    with pytest.raises(ValueError, match="version: expected one of 1, 2, got 3"):
        models.create("inception_resnet", n_classes=3, version=3)
