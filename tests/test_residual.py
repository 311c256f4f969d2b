"""The residual networks compute what other libraries' do with the same weights, and what their papers say."""

import pytest
import torch

from audionet import models
from audionet.models.layers import PaddingMode
from audionet.models.resnet import ResidualBlock


def drawn(build):
    """Return the network that ``build`` returns, with values of its state drawn here, which is faster than its own way.

    Scales are above 0 and none is 1, and no shift is 0.
    """
    with torch.device("meta"):
        network = build()
    network.to_empty(device="cpu").eval()
    generator = torch.Generator().manual_seed(0)
    for name, value in network.state_dict().items():
        if value.ndim > 1:
            value.normal_(generator=generator).div_(value[0].numel() ** 0.5)
        elif name.endswith(("var", "weight", "gamma")):
            value.uniform_(0.5, 1.5, generator=generator)
        elif value.is_floating_point():
            value.normal_(generator=generator).mul_(0.2)
    return network


def with_state_in_order(theirs, name, **arguments):
    """Return a network of ours with parameters and statistics (name, value) of another, taken by their order."""
    with torch.device("meta"):
        network = models.create(name, in_channels=3, n_bands=33, **arguments)
    ours = network.state_dict()
    assert [tuple(value.shape) for value in ours.values()] == [tuple(value.shape) for _, value in theirs]
    network.load_state_dict(dict(zip(ours, (value for _, value in theirs), strict=True)), assign=True)
    return network.eval()


def assert_same_logits(network, reference):
    picture = torch.randn(2, 3, 33, 50, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        ours, expected = network(picture), reference(picture)
    assert expected.std(0).max() > 1e-3 * expected.abs().max()  # the logits say something of the picture
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("depth", [18, 50])
def test_resnet_gives_the_logits_of_torchvision(depth):
    torchvision = pytest.importorskip("torchvision")
    reference = drawn(lambda: getattr(torchvision.models, f"resnet{depth}")(num_classes=7))
    network = with_state_in_order([*reference.state_dict().items()], "resnet", n_classes=7, depth=depth)
    assert_same_logits(network, reference)


def test_resnet_with_pre_activation_gives_the_logits_of_timm():
    timm = pytest.importorskip("timm")
    reference = drawn(lambda: timm.create_model("resnetv2_50", num_classes=7))
    blocks: dict[str, list[tuple[str, torch.Tensor]]] = {}
    for name, value in reference.state_dict().items():
        block = ".".join(name.split(".")[:4]) if "blocks" in name else name
        blocks.setdefault(block, []).append((name, value.flatten(1) if name == "head.fc.weight" else value))
    # There, the projection stands at the beginning of a block.
    theirs = [each for block in blocks.values() for each in sorted(block, key=lambda each: "downsample" in each[0])]
    network = with_state_in_order(theirs, "resnet", n_classes=7, depth=50, pre_activation=True)
    assert_same_logits(network, reference)


def test_shortcut_of_option_a_pads_channels_with_zeros_and_has_no_weights():
    block = ResidualBlock(3, 5, stride=2, shortcut="A", norm="none", activation="none")
    for weight in block.parameters():
        weight.data.zero_()
    x = torch.randn(2, 3, 9, 12)
    y = block(x)
    assert y.shape == (2, 5, 5, 6)
    assert torch.equal(y[:, :3], x[:, :, ::2, ::2])
    assert not y[:, 3:].any()
    assert not [*block.shortcut.parameters()]


def test_pre_activation_leaves_the_way_around_the_blocks_free():
    x = torch.randn(2, 4, 9, 12)
    for pre_activation in (False, True):
        block = ResidualBlock(4, 4, pre_activation=pre_activation).eval()
        block.get_parameter("body.1.0.weight").data.zero_()  # the block adds nothing
        assert torch.equal(block(x), x if pre_activation else x.relu())


def test_circular_padding_makes_resnet_blind_to_shifts_by_its_stride():
    torch.manual_seed(0)
    spectrogram = torch.randn(1, 1, 16, 24)
    moved = spectrogram.roll(4, -1)
    distance = {}
    padding_modes: list[PaddingMode] = ["zeros", "circular"]
    for padding_mode in padding_modes:
        network = models.ResNet(n_classes=3, depth=8, n_bands=16, padding_mode=padding_mode).eval()
        with torch.inference_mode():
            maps, shifted = network.maps(spectrogram), network.maps(moved)
        distance[padding_mode] = float((shifted - maps.roll(1, -1)).abs().max() / maps.abs().max())
    assert distance["circular"] < 1e-5
    assert distance["zeros"] > 0.1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 16}, "depth: expected one of 8, 14, 20, 32, 44, 56, 110, 18, 34, 50, 101, 152, got 16"),
        ({"shortcut": "D"}, "shortcut: expected one of A, B, C, got 'D'"),
        ({"width": 0}, "width: expected more than 0, got 0"),
        ({"pooling": "mux"}, "did you mean 'max'?"),
    ],
)
def test_resnet_refuses_what_the_paper_does_not_have(arguments, message):
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        models.create("resnet", n_classes=3, **arguments)
