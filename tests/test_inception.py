"""The Inception networks equal other libraries' with the same weights, and have their papers' tables."""

import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from audionet import models


def settled(network: nn.Module, picture: Tensor) -> nn.Module:
    """Return a network for evaluation whose running statistics are a picture's, so that no layer loses the signal."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.uniform_(norm.bias, -0.5, 0.5)
        norm.momentum = 1.0
    with torch.no_grad():
        network.train()(picture)
    return network.eval()


def with_weights_of(theirs: nn.Module, name: str, **arguments: Any) -> nn.Module:
    """Return a network of ours for pictures, for evaluation, with the values of another library's in their order."""
    with torch.device("meta"):
        ours = models.create(name, in_channels=3, n_bands=96, n_classes=10, **arguments)
    values = dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True))
    ours.load_state_dict(values, assign=True)
    for module in ours.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-3  # torch's own is 1e-5; no paper gives it
    return ours.eval()


def assert_same_logits(ours: nn.Module, theirs: nn.Module, picture: Tensor) -> None:
    with torch.inference_mode():
        expected = theirs(picture)
        assert expected.std() > 0.1
        torch.testing.assert_close(ours(picture), expected, rtol=1e-4, atol=1e-4)


@pytest.fixture
def picture() -> Tensor:
    torch.manual_seed(0)
    return torch.randn(2, 3, 96, 96)


def test_googlenet_equals_torchvisions(picture):
    torchvision = pytest.importorskip("torchvision.models.googlenet")
    theirs = torchvision.GoogLeNet(num_classes=10, aux_logits=False, init_weights=False)
    for module in list(theirs.modules()):
        if isinstance(module, torchvision.Inception):  # where it has 3 × 3 for the paper's 5 × 5
            conv = module.branch3[1].conv
            module.branch3[1].conv = nn.Conv2d(conv.in_channels, conv.out_channels, 5, padding=2, bias=False)
    for number in range(1, 5):  # it pads the poolings at one end only, and has 2 × 2 for the paper's last 3 × 3
        setattr(theirs, f"maxpool{number}", nn.MaxPool2d(3, 2, 1))
    theirs = settled(theirs, picture)
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
    theirs = settled(getattr(timm, theirs_name)(num_classes=10), picture)
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
    before = models.receptive.receptive_fields(network, ["body.inception3.0"])["body.inception3.0"]
    fields = models.receptive.receptive_fields(network, names)
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
    expected = nn.functional.conv2d(spectrogram, kernels[:, None], sums.bias, stride=2, padding=3)
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
    for name in ("googlenet", "bn_inception"):
        with pytest.raises(ValueError, match=re.escape(message)):
            models.create(name, n_classes=3, **arguments)
