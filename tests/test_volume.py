"""Sizes, costs and receptive fields: against torch itself, the textbook's formulas, and where gradients vanish."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from audionet import models
from audionet.checks import check_spectrogram
from audionet.models.receptive import receptive_fields
from audionet.models.volume import maps_size


class Chain(nn.Module):
    """A network of the given layers, a mean and a classifier."""

    def __init__(self, *layers: nn.Module, n_bands: int = 40, n_classes: int = 3) -> None:
        super().__init__()
        self.n_bands, self.n_classes = n_bands, n_classes
        self.body = nn.Sequential(*layers)

    @property
    def stages(self):
        return {str(number): layer for number, layer in enumerate(self.body)}

    def forward(self, spectrogram: Tensor) -> Tensor:
        check_spectrogram(spectrogram, self.n_bands)
        x: Tensor = self.body(spectrogram).mean((2, 3))
        return x


class Branches(nn.Module):
    """The sum of a short and a long way."""

    def __init__(self, *ways: nn.Module) -> None:
        super().__init__()
        self.ways = nn.ModuleList(ways)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = sum(way(x) for way in self.ways)
        return y


@pytest.mark.parametrize("n", [5, 6, 40, 101])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation"), [(1, 1, 0, 1), (3, 2, 1, 1), (5, 3, 0, 1), (3, 1, 2, 4), (2, 4, 1, 2)]
)
def test_output_size_is_torchs(n, kernel, stride, padding, dilation):
    conv = nn.Conv1d(1, 1, kernel, stride, padding, dilation)
    try:
        expected = conv(torch.zeros(1, 1, n)).shape[-1]
    except RuntimeError:
        with pytest.raises(ValueError, match="n: expected at least"):
            models.output_size(n, kernel, stride, padding, dilation)
    else:
        assert models.output_size(n, kernel, stride, padding, dilation) == expected


@pytest.mark.parametrize(
    "wrong", [{"n": 0}, {"n": 2.5}, {"kernel": 0}, {"stride": 0}, {"padding": -1}, {"dilation": 0}]
)
def test_output_size_refuses_what_is_no_size(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}: expected a whole number of at least"):
        models.output_size(**{"n": 10, "kernel": 3} | wrong)


def test_the_smallest_size_that_works_is_told_with_the_layer():
    body = nn.Sequential(nn.Conv2d(1, 4, 5, 2), nn.MaxPool2d(3, 2), nn.Conv2d(4, 4, (3, 5)))
    assert maps_size(body, 1, 40, 101) == tuple(body(torch.zeros(1, 1, 40, 101)).shape[1:])
    with pytest.raises(ValueError, match="got 16 and 101, of which nothing is left at the layer 2;") as error:
        maps_size(body, 1, 16, 101)
    bands, frames = [int(word) for word in str(error.value).split() if word.isdecimal()][:2]
    body(torch.zeros(1, 1, bands, frames))
    for smaller in ((bands - 1, frames), (bands, frames - 1)):
        with pytest.raises(RuntimeError):
            body(torch.zeros(1, 1, *smaller))
    with pytest.raises(ValueError, match="nothing is left at the layer 0;"):
        maps_size(body, 1, 40, 4)


def test_a_network_with_too_few_frames_names_its_layer():
    network = models.Convnet(
        {"conv1": nn.Conv2d(1, 4, 5), "conv2": nn.Conv2d(4, 4, 7)},
        pool=nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        n_embedding=4,
        n_classes=3,
        n_bands=40,
    )
    network(torch.zeros(2, 1, 40, 11))
    with pytest.raises(ValueError, match="at least 11 bands and 11 frames, got 40 and 10, .* at the layer conv2;"):
        network(torch.zeros(2, 1, 40, 10))
    with pytest.raises(RuntimeError, match="double"):  # other faults stay what they are
        network(torch.zeros(2, 1, 40, 11, dtype=torch.float64))


def test_the_cost_of_each_layer():
    network = Chain(
        nn.Conv2d(1, 8, (3, 5), (2, 1), (1, 2)), nn.ReLU(), nn.Conv2d(8, 16, 3, groups=4), nn.BatchNorm2d(16)
    )
    table = models.layer_table(network, n_frames=51)
    assert [layer.name for layer in table] == ["body.0", "body.1", "body.2", "body.3"]
    assert [layer.shape for layer in table] == [(8, 20, 51), (8, 20, 51), (16, 18, 49), (16, 18, 49)]
    assert [layer.parameters for layer in table] == [8 * 15 + 8, 0, 16 * 2 * 9 + 16, 32]
    assert [layer.macs for layer in table] == [8 * 15 * 20 * 51, 0, 16 * 2 * 9 * 18 * 49, 0]


@pytest.mark.parametrize("name", ["tcresnet", "bcresnet", "cnn_tdnn"])
def test_the_parameters_are_all_in_the_table(name):
    network = models.create(name, n_classes=12)
    table = models.layer_table(network)
    assert sum(layer.parameters for layer in table) == sum(each.numel() for each in network.parameters())
    assert [layer.field and layer.field.frames for layer in table if layer.kind == "Linear"] == [None]


def test_a_depthwise_convolution_counts_as_one_though_it_is_computed_as_matrices():
    layer = next(
        layer for layer in models.layer_table(models.create("bcresnet", n_classes=12)) if layer.kind == "FrequencyConv"
    )
    assert (layer.shape, layer.macs, layer.field and layer.field.bands) == ((8, 20, 101), 3 * 8 * 20 * 101, 9)


@pytest.mark.parametrize("mode", ["zeros", "circular", "replicate"])
def test_the_fields_of_a_chain_are_the_textbooks(mode):
    settings = [(5, 1, 2, 1), (3, 2, 1, 1), (3, 1, 2, 2)]  # kernel, stride, padding, dilation
    layers: list[Any] = []
    for kernel, stride, padding, dilation in settings:
        layers += [nn.Conv2d(1, 1, kernel, stride, padding, dilation, padding_mode=mode), nn.ReLU()]
    network = Chain(*layers, nn.MaxPool2d((1, 2)), n_bands=60)
    fields = [*receptive_fields(network, [f"body.{number}" for number in (0, 2, 4, 6)]).values()]
    span, jump, expected = 1, 1, []
    for kernel, stride, _, dilation in settings:
        span, jump = span + dilation * (kernel - 1) * jump, jump * stride
        expected.append((span, span, jump))
    expected.append((span, span + jump, 2 * jump))
    assert [tuple(field) for field in fields] == expected
    assert models.receptive_field(network) == fields[-1]


def test_the_field_of_branches_is_that_of_the_longest():
    network = Chain(
        Branches(nn.Conv2d(1, 2, 3, 2, 1), nn.Sequential(nn.Conv2d(1, 2, 7, 2, 3), nn.Conv2d(2, 2, 5, 1, 2)))
    )
    assert models.receptive_field(network) == (15, 15, 2)


def test_what_looks_at_the_whole_clip_has_no_field():
    network = Chain(nn.Conv2d(1, 2, 3, padding=1), nn.InstanceNorm2d(2), nn.Conv2d(2, 2, 3, padding=1))
    fields = receptive_fields(network, ["body.0", "body.1", "body.2"])
    assert [field.frames for field in fields.values()] == [3, None, None]
    assert [field.stride for field in fields.values()] == [1, 1, 1]
    assert models.receptive_field(network).frames == 3


@pytest.mark.parametrize("name", ["tcresnet", "cnn_tdnn", "bcresnet"])
def test_gradients_end_where_the_field_does(name):
    torch.manual_seed(0)
    network: Any = models.create(name, n_classes=3)
    field = models.receptive_field(network)
    assert field.frames is not None
    assert field.stride is not None
    network = network.eval().double()
    spectrogram = torch.randn(1, 1, 40, 3 * field.frames + 8 * field.stride, dtype=torch.float64).requires_grad_()
    frames = network.frames(spectrogram)
    frames[0, :, frames.shape[-1] // 2].square().sum().backward()
    assert spectrogram.grad is not None
    reached = spectrogram.grad.abs().sum((0, 1, 2)).nonzero().flatten().tolist()
    assert reached[-1] - reached[0] + 1 <= field.frames
    assert reached[-1] - reached[0] + 1 >= field.frames - 2 * field.stride, "random weights reach nearly all of it"


def test_a_network_on_waveforms_has_layers_and_its_wavenet_says_its_field():
    network = models.create("wavenet_classifier", n_classes=3, n_layers=6, n_cycles=2, residual_channels=4)
    table = {layer.name: layer for layer in models.layer_table(network, n_frames=1600)}
    assert table["stack.skip"].shape == (1600, 256)
    assert {layer.field for layer in table.values()} == {None}
    with pytest.raises(
        ValueError, match="network: expected one on spectrograms, got 'one on waveforms'; a WaveNet says"
    ):
        models.receptive_field(network)
