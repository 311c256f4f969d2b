"""AlexNet in two halves and as torchvision's one tower, ZFNet's sizes, and the normalisation that both share."""

import pytest
import torch
from torch import nn

from audionet.models import AlexNet, ZFNet
from audionet.models.layers import ResponseNorm


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("n_channels", [1, 3, 9])
def test_response_norm_equals_the_papers_formula_and_torchs(n_channels):
    x = 50 * noise(2, n_channels, 4, 6)
    ours = ResponseNorm()(x)
    for i in range(n_channels):
        neighbours = x[:, max(0, i - 2) : i + 3]
        torch.testing.assert_close(ours[:, i], x[:, i] / (2 + 1e-4 * (neighbours**2).sum(1)) ** 0.75)
    torch.testing.assert_close(ours, nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)(x))


def test_one_tower_has_the_maps_of_torchvision():
    torchvision = pytest.importorskip("torchvision.models")
    ours = AlexNet(n_classes=0, groups=1, stride=4, norm="none", in_channels=3, n_bands=63, n_frames=95, head="global")
    with torch.device("meta"):
        theirs = torchvision.AlexNet().features
    theirs = theirs.to_empty(device="cpu").double()
    names = [name for name, module in theirs.named_modules() if isinstance(module, nn.Conv2d)]
    for number, name in enumerate(names, 1):
        theirs.get_submodule(name).load_state_dict(ours.get_submodule(f"body.conv{number}.0").state_dict())
    x = noise(2, 3, 63, 95)
    maps = ours.double().maps(x)
    torch.testing.assert_close(maps, theirs(x))
    torch.testing.assert_close(ours(x), maps.mean((2, 3)))


def test_the_two_halves_see_each_other_at_the_third_convolution_alone():
    network = AlexNet(n_classes=3, width=0.0625, norm="none").double()
    for number in (2, 4, 5):
        stage = network.stages[f"conv{number}"]
        conv = network.get_submodule(f"body.conv{number}.0")
        assert isinstance(conv, nn.Conv2d)
        x = noise(1, conv.in_channels, 5, 6)
        half = x.clone()
        half[:, conv.in_channels // 2 :] = 0
        same = (stage(x) == stage(half)).all(3).all(2)[0]
        assert same[: conv.out_channels // 2].all() and not same[conv.out_channels // 2 :].any()
    conv = network.get_submodule("body.conv3.0")
    assert isinstance(conv, nn.Conv2d) and conv.groups == 1


@pytest.mark.parametrize("width", [0.01, 0.1, 0.3])
def test_two_halves_of_any_width_are_as_wide(width):
    network = AlexNet(n_classes=3, width=width)
    convs = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert len(convs) == 5 and not any(conv.out_channels % 2 for conv in convs)


def maps_of(network: AlexNet | ZFNet, n_bands: int) -> dict[str, tuple[int, ...]]:
    x = torch.zeros(1, 3, n_bands, n_bands)
    shapes = {}
    with torch.inference_mode():
        for name, stage in list(network.stages.items())[:-1]:
            x = stage(x)
            shapes[name] = tuple(x.shape[1:])
    return shapes


@pytest.mark.parametrize("n_bands", [224, 227])
def test_alexnets_maps_have_the_papers_sizes(n_bands):
    network = AlexNet(n_classes=3, width=1 / 16, stride=4, in_channels=3, n_bands=n_bands, n_frames=n_bands)
    shapes = maps_of(network, n_bands)
    assert shapes["conv1"][0] == 6 and shapes["conv1"][1] in (55, 56)  # the paper's 55 of 224 with a margin
    assert [shapes[name] for name in ("pool1", "pool2", "conv3", "pool5")] == [
        (6, 27, 27),
        (16, 13, 13),
        (24, 13, 13),
        (16, 6, 6),
    ]


def test_zfnets_maps_have_the_sizes_of_figure_3():
    network = ZFNet(n_classes=3, width=1 / 16, strides=(2, 2), in_channels=3, n_bands=224, n_frames=224)
    sizes = {name: shape[1] for name, shape in maps_of(network, 224).items()}
    assert sizes == {
        "conv1": 110,
        "pool1": 55,
        "conv2": 26,
        "pool2": 13,
        "conv3": 13,
        "conv4": 13,
        "conv5": 13,
        "pool5": 6,
    }


def test_alexnet_normalises_before_it_pools_and_zfnet_behind():
    alexnet, zfnet = AlexNet(n_classes=3, width=0.0625), ZFNet(n_classes=3, width=0.0625)
    found = [
        [n for n, stage in each.stages.items() for m in stage.modules() if isinstance(m, ResponseNorm)]
        for each in (alexnet, zfnet)
    ]
    assert found == [["conv1", "conv2"], ["pool1", "pool2"]]
    for cls in (AlexNet, ZFNet):
        network = cls(n_classes=3, width=0.0625, norm="batch")
        assert sum(isinstance(module, nn.BatchNorm2d) for module in network.modules()) == 5
        assert not any(isinstance(module, ResponseNorm) for module in network.modules())


@pytest.mark.parametrize("cls", [AlexNet, ZFNet])
@pytest.mark.parametrize("choice", [{"pooling": "average"}, {"pooling": "convolution"}, {"padding_mode": "reflect"}])
def test_choices_keep_the_size_of_the_maps(cls, choice):
    x = torch.zeros(2, 1, 40, 101)
    chosen, default = cls(n_classes=3, width=0.0625, **choice), cls(n_classes=3, width=0.0625)
    assert chosen.maps(x).shape == default.maps(x).shape
    assert chosen(x).shape == (2, 3)


@pytest.mark.parametrize(
    ("cls", "arguments", "message"),
    [
        (AlexNet, {"groups": 3}, "groups: expected one of 2, 1, got 3"),
        (AlexNet, {"norm": "locl"}, "norm: .*did you mean 'local'"),
        (AlexNet, {"n_bands": 20}, "spectrogram: expected at least 35 bands and 35 frames, got 20 and 101"),
        (AlexNet, {"stride": 4}, "spectrogram: expected at least 63 bands"),
        (ZFNet, {"norm": "bach"}, "norm: .*did you mean 'batch'"),
        (ZFNet, {"strides": (2, 2)}, "spectrogram: expected at least"),
    ],
)
def test_alexnet_and_zfnet_refuse(cls, arguments, message):
    with pytest.raises(ValueError, match=message):
        cls(n_classes=3, width=0.0625, **arguments)
