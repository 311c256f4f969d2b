"""The residual networks compute what other libraries' do with the same weights, and what their papers say."""

from itertools import pairwise

import pytest
import torch
from torch.nn import functional as F

from audionet import models
from audionet.models.convnext import ConvNeXtBlock
from audionet.models.layers import PaddingMode
from audionet.models.receptive import receptive_fields
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


def test_res15_sees_125_frames_and_bands_as_in_its_paper():
    network = models.KeywordResNet(n_classes=3, depth=15, width=1 / 45, n_bands=160)
    assert models.receptive_field(network) == (125, 125, 1)


def test_res8_averages_three_bands_and_four_frames():
    network = models.KeywordResNet(n_classes=3, width=1 / 45).eval()
    maps = models.outputs(network, network.stages, torch.randn(2, 1, 40, 101))
    expected = maps["conv1"][:, :, :39, :100].reshape(2, 1, 13, 3, 25, 4).mean((3, 5))
    torch.testing.assert_close(maps["pool1"], expected)
    assert maps["res3"].shape == (2, 1, 13, 25)


def test_a_keyword_block_normalises_after_the_activation_and_adds_its_input():
    network = models.KeywordResNet(n_classes=3, width=2 / 45)
    block = network.stages["res1"].train()
    x = torch.randn(4, 2, 6, 9)
    y = x
    for name in ("body.0.0", "body.1.0"):
        y = F.conv2d(y, block.get_parameter(f"{name}.weight"), padding=1).relu()
        y = (y - y.mean((0, 2, 3), keepdim=True)) / (y.var((0, 2, 3), correction=0, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(block(x), x + y)


@pytest.mark.parametrize(("size", "kilobytes"), [("S", 38.6), ("M", 189.2), ("L", 497.6)])
def test_memory_of_ds_cnn_is_that_of_its_paper(size, kilobytes):
    """One byte for each weight, with the normalisation in the bias, and for each number of two maps at a time."""
    network = models.DSCNN(n_classes=12, size=size, n_bands=10, norm="none")
    convs = {name: module for name, module in network.named_modules() if isinstance(module, torch.nn.Conv2d)}
    sizes = [maps.numel() for maps in models.outputs(network, convs, torch.zeros(1, 1, 10, 49)).values()]
    n_weights = sum(parameter.numel() for parameter in network.parameters())
    assert round((n_weights + max(map(sum, pairwise(sizes)))) / 1000, 1) == kilobytes


def test_first_convolution_of_ds_cnn_looks_as_far_as_its_paper_says():
    network = models.DSCNN(n_classes=3, size="M", width=0.02).eval()
    spectrogram = torch.randn(1, 1, 40, 101)
    maps = models.outputs(network, {"conv": network.get_submodule("body.conv1.1")}, spectrogram)["conv"]
    kernel = network.get_parameter("body.conv1.1.weight")
    assert maps.shape == (1, 3, 40, 51)
    seen = spectrogram[
        0, 0, 10:14, 20:30
    ]  # of band 11 and frame 24: one band below, two above; 4 frames before, 5 after
    torch.testing.assert_close(maps[0, :, 11, 12], (kernel[:, 0] * seen).sum((1, 2)))
    reach = [field.frames for field in receptive_fields(network, [f"body.separable{i}" for i in (1, 4)]).values()]
    assert reach == [10 + 2 * 2, 10 + 2 * 2 + 3 * 4 * 2]


def test_matchboxnet_sees_what_its_kernels_reach_and_all_bands():
    network = models.MatchboxNet(n_classes=3, width=0.05, n_bands=12)
    assert models.receptive_field(network) == (12, 1 + 10 + 12 + 14 + 16 + 2 * 28, 1)
    longer = models.MatchboxNet(n_classes=3, width=0.05, n_bands=12, n_sub_blocks=2)
    assert models.receptive_field(longer) == (12, 1 + 10 + 2 * (12 + 14 + 16) + 2 * 28, 1)


def test_matchboxnet_equals_convolutions_over_time():
    network = models.MatchboxNet(n_classes=3, width=0.1, n_bands=7).eval()
    block = network.stages["block1"]
    x = torch.randn(2, 13, 101)
    weight = {name: value[:, :, 0] for name, value in block.named_parameters() if value.ndim == 4}
    y = F.conv1d(x, weight["body.0.0.weight"], padding=6, groups=13)
    y = F.conv1d(y, weight["body.0.1.weight"]) + F.conv1d(x, weight["shortcut.0.weight"])
    expected = (y / (1 + 1e-5) ** 0.5).relu()  # batch normalisation as it begins
    torch.testing.assert_close(block(x[:, :, None])[:, :, 0], expected)


def test_dropout_of_matchboxnet_follows_each_activation():
    network = models.MatchboxNet(n_classes=3, width=0.1, n_sub_blocks=2, dropout=0.2)
    probabilities = [module.p for module in network.modules() if isinstance(module, torch.nn.Dropout)]
    assert probabilities == [0.2] * (1 + 3 * 2 + 1)


def test_convnext_gives_the_logits_of_timm():
    timm = pytest.importorskip("timm")
    reference = drawn(lambda: timm.create_model("convnext_tiny", num_classes=7))
    network = with_state_in_order([*reference.state_dict().items()], "convnext", n_classes=7, size="tiny", patch=4)
    assert_same_logits(network, reference)


def test_a_convnext_block_scales_what_it_adds_and_leaves_it_out_for_some_clips():
    torch.manual_seed(0)
    block = ConvNeXtBlock(4, layer_scale=1.0, drop=0.25).eval()
    x = torch.randn(400, 4, 3, 5)
    added = block(x) - x
    dropped = block.train()(x) - x
    is_out = (dropped == 0).all((1, 2, 3))
    assert 0.15 < is_out.float().mean() < 0.35
    torch.testing.assert_close(dropped[~is_out], added[~is_out] / 0.75, rtol=1e-4, atol=1e-5)
    assert torch.equal(ConvNeXtBlock(4, layer_scale=0.0)(x), x)


def test_stochastic_depth_of_convnext_grows_with_the_depth():
    network = models.ConvNeXt(n_classes=3, width=0.05, stochastic_depth=0.3)
    drops = [module.drop for module in network.modules() if isinstance(module, ConvNeXtBlock)]
    assert drops == pytest.approx([0.3 * index / 11 for index in range(12)])
