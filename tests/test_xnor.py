"""Binary convolutions equal a plain computation, forwards and backwards, and XNOR-Net has them where the paper does."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from audionet import models
from audionet.models import AlexNet, XNORNet
from audionet.models.xnor import BinaryConv2d, binary, binary_conv2d


def noise(*shape: int, seed: int = 0, scale: float = 1.0) -> torch.Tensor:
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_binary_is_a_sign_that_knows_no_zero_and_keeps_nan():
    x = torch.tensor([-math.inf, -2.0, -0.3, -0.0, 0.0, 0.1, 7.0, math.inf])
    assert binary(x).tolist() == [-1, -1, -1, 1, 1, 1, 1, 1]
    assert binary(torch.tensor([math.nan, 1.0])).isnan().tolist() == [True, False]
    assert set(binary(noise(1000)).tolist()) == {-1.0, 1.0}  # exactly, whatever is rounded


def test_the_gradient_of_binary_goes_straight_through_between_minus_1_and_1():
    x = torch.tensor([-1.5, -1.01, -0.2, 0.0, 0.9, 0.99, 1.1], requires_grad=True)
    probe = torch.arange(1.0, 8.0)
    (gradient,) = torch.autograd.grad((binary(x) * probe).sum(), x)
    assert gradient.tolist() == [0, 0, 3, 4, 5, 6, 0]


def test_binary_weights_equal_the_plain_computation():
    x, weight = noise(2, 3, 6, 7), noise(4, 3, 3, 5, seed=1)
    ours = binary_conv2d(x, weight, (1, 2), binary_activations=False)
    for filter_, maps in zip(weight, ours.movedim(1, 0), strict=True):
        scale = sum(abs(value) for value in filter_.flatten().tolist()) / filter_.numel()
        signs = torch.tensor([1.0 if value >= 0 else -1.0 for value in filter_.flatten().tolist()]).double()
        expected = F.conv2d(x, scale * signs.view(1, 3, 3, 5), padding=(1, 2))[:, 0]
        torch.testing.assert_close(maps, expected)


def test_the_scale_is_the_best_there_is():
    """Section 3.1: of all scales and all signs, these are nearest to the weights."""
    weight = noise(1, 2, 3, 3)
    kept = binary_conv2d(torch.eye(18).double().view(18, 2, 3, 3), weight, (0, 0), binary_activations=False).flatten()
    error = (weight.flatten() - kept).square().sum()
    for scale in (0.9, 1.1):
        assert (weight.flatten() - scale * kept).square().sum() > error
    for index in range(18):
        other = kept.clone()
        other[index] *= -1
        assert (weight.flatten() - other).square().sum() > error


def test_binary_activations_equal_the_plain_computation():
    x, weight = noise(2, 3, 6, 7), noise(4, 3, 3, 5, seed=1)
    ours = binary_conv2d(x, weight, (1, 2), binary_activations=True)
    signs = F.pad(torch.where(x >= 0, 1.0, -1.0).double(), (2, 2, 1, 1))
    sizes = F.pad(x.abs().mean(1), (2, 2, 1, 1))
    for band in range(6):
        for frame in range(7):
            window = signs[:, :, band : band + 3, frame : frame + 5]
            size = sizes[:, band : band + 3, frame : frame + 5].mean((1, 2))
            for channel, filter_ in enumerate(weight):
                agreeing = (window * torch.where(filter_ >= 0, 1.0, -1.0)).sum((1, 2, 3))
                expected = agreeing * size * filter_.abs().mean()
                torch.testing.assert_close(ours[:, channel, band, frame], expected)


def test_gradients_of_the_weights_are_those_of_sign_and_scale():
    """Of g, the gradient of a binary filter: alpha g where the weight is within 1; and by alpha sign(w) <g, b> / n."""
    x, weight = noise(2, 3, 6, 7), noise(4, 3, 3, 5, seed=1, scale=0.8).requires_grad_()
    probe = noise(2, 4, 4, 3, seed=2)
    (ours,) = torch.autograd.grad((binary_conv2d(x, weight, (0, 0), binary_activations=False) * probe).sum(), weight)
    with torch.no_grad():
        signs = weight.sign()
        scale = weight.abs().mean((1, 2, 3), keepdim=True)
    used = (scale * signs).requires_grad_()
    (g,) = torch.autograd.grad((F.conv2d(x, used) * probe).sum(), used)
    expected = scale * g * (weight.detach().abs() <= 1) + signs * (g * signs).mean((1, 2, 3), keepdim=True)
    assert (weight.abs() > 1).any()
    torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize("binary_activations", [False, True])
def test_the_first_convolution_and_the_classifier_are_real_and_all_others_binary(binary_activations):
    network = XNORNet(n_classes=3, width=0.0625, binary_activations=binary_activations)
    found = [(name, module) for name, module in network.named_modules() if isinstance(module, BinaryConv2d)]
    assert len(found) == 6 and all(module.binary_activations == binary_activations for _, module in found)
    assert [name.split(".")[1] for name, _ in found[:4]] == ["conv2", "conv3", "conv4", "conv5"]
    real = [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert real == ["body.conv1.0", "head"]


@pytest.mark.parametrize("binary_activations", [False, True])
def test_the_order_of_a_block_is_that_of_figure_3(binary_activations):
    block = XNORNet(n_classes=3, width=0.0625, binary_activations=binary_activations).get_submodule("body.conv2")
    kinds = [type(module).__name__ for module in block.children()]
    assert kinds == (["BatchNorm2d", "BinaryConv2d"] if binary_activations else ["BinaryConv2d", "BatchNorm2d", "ReLU"])


def test_only_signs_and_scales_of_the_weights_matter():
    torch.manual_seed(0)
    network = XNORNet(n_classes=3, width=0.0625, head="global").double().eval()
    x = noise(2, 1, 40, 101)
    before = network(x)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, BinaryConv2d):
                module.weight.copy_(module.weight.sign() * module.weight.abs().mean((1, 2, 3), keepdim=True))
    torch.testing.assert_close(network(x), before)
    assert before.std() > 0


@pytest.mark.parametrize("head", ["fully_connected", "global"])
def test_xnor_net_learns_and_has_gradients_everywhere(head):
    torch.manual_seed(0)
    network = XNORNet(n_classes=2, width=0.0625, binary_activations=True, head=head)
    x, labels = noise(4, 1, 40, 101).float(), torch.tensor([0, 1, 0, 1])
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    first = F.cross_entropy(network(x), labels)
    first.backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())
    for _ in range(15):
        optimizer.zero_grad()
        loss = F.cross_entropy(network(x), labels)
        loss.backward()
        optimizer.step()
    assert loss.detach() < 0.5 * first.detach()


def test_the_receptive_field_of_binary_layers_is_that_of_alexnet():
    alexnet = models.receptive_field(AlexNet(n_classes=3, width=0.02, head="global"))
    # The first kernel; then a pooling by steps of 2, one of 5 and a pooling by 4, and three of 3 and a pooling by 8.
    assert alexnet.frames == 11 + 2 * 2 + 4 * (4 + 2) + 8 * (2 + 2 + 2 + 2)
    for binary_activations in (False, True):
        network = XNORNet(n_classes=3, width=0.02, head="global", binary_activations=binary_activations)
        assert models.receptive_field(network) == alexnet


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"head": "globl"}, "head: .*did you mean 'global'"),
        ({"n_bands": 20}, "spectrogram: expected at least 35 bands and 35 frames, got 20 and 101"),
        ({"n_frames": 0}, "n_frames: expected a whole number of at least 1, got 0"),
    ],
)
def test_xnor_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        XNORNet(n_classes=3, width=0.0625, **arguments)
