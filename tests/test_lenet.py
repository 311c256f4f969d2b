"""LeNet-5 has the paper's connections and subsampling; VGG is torchvision's; both heads are what they say."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from audionet.models import VGG, LeNet
from audionet.models.lenet import CONNECTIONS, Subsampling, TableConv2d, connection_table


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_table_is_the_papers():
    """Six maps see three neighbours in a ring, six see four, three see two pairs that lie apart, and one sees all."""
    ring = [{(first + step) % 6 for step in range(3)} for first in range(6)]
    ring += [{(first + step) % 6 for step in range(4)} for first in range(6)]
    ring += [{first, first + 1, (first + 3) % 6, (first + 4) % 6} for first in range(3)]
    assert [*map(set, CONNECTIONS)] == [*ring, {*range(6)}]
    table = connection_table(16, 6)
    assert [{*row.nonzero().flatten().tolist()} for row in table] == [*map(set, CONNECTIONS)]


@pytest.mark.parametrize(("n_out", "n_in"), [(2, 1), (4, 2), (8, 3), (32, 12), (40, 15)])
def test_a_table_of_another_size_leaves_no_map_alone(n_out, n_in):
    table = connection_table(n_out, n_in)
    assert table.shape == (n_out, n_in)
    assert table.any(0).all() and table.any(1).all()
    if n_in == 12:
        assert torch.equal(table[::2, ::2], connection_table(16, 6))
        assert not table.all()


def test_a_convolution_by_table_equals_the_sum_over_its_connections():
    torch.manual_seed(0)
    table = connection_table(16, 6)
    conv = TableConv2d(table, 5).double()
    assert conv.weight.numel() + conv.bias.numel() == 1516  # the paper's C3
    x = noise(2, 6, 9, 11).requires_grad_()
    kernels = iter(conv.weight)
    outputs = []
    for row, bias in zip(table.tolist(), conv.bias, strict=True):
        seen = [F.conv2d(x[:, [i]], next(kernels)[None, None]) for i, connected in enumerate(row) if connected]
        outputs.append(sum(seen[1:], seen[0]) + bias)
    expected = torch.cat(outputs, 1)
    torch.testing.assert_close(conv(x), expected)
    probe = noise(*expected.shape, seed=1)
    inputs = [x, conv.weight, conv.bias]
    ours, plain = (torch.autograd.grad((y * probe).sum(), inputs) for y in (conv(x), expected))
    for one, other in zip(ours, plain, strict=True):
        torch.testing.assert_close(one, other)


def test_weights_by_table_are_drawn_by_the_inputs_of_their_output():
    torch.manual_seed(0)
    conv = TableConv2d(connection_table(16, 6), 5)
    drawn = conv.weight.split(connection_table(16, 6).sum(1).tolist())
    for weight, n_in in zip((drawn[0], drawn[15]), (3, 6), strict=True):
        bound = (25 * n_in) ** -0.5
        assert 0.9 * bound < float(weight.detach().abs().max()) <= bound


def test_a_network_that_was_made_without_values_gets_them_with_its_state():
    torch.manual_seed(0)
    network = LeNet(n_classes=3)
    with torch.device("meta"):
        other = LeNet(n_classes=3)
        assert other(torch.empty(2, 1, 40, 101)).shape == (2, 3)
    other.load_state_dict(network.state_dict(), assign=True)
    x = noise(2, 1, 40, 101).float()
    assert torch.equal(other(x), network(x))


def test_subsampling_scales_and_shifts_each_map():
    layer = Subsampling(3).double()
    nn.init.normal_(layer.coefficient)
    nn.init.normal_(layer.bias)
    x = noise(2, 3, 5, 8)
    total = x[:, :, 0:4:2, ::2] + x[:, :, 1:4:2, ::2] + x[:, :, 0:4:2, 1::2] + x[:, :, 1:4:2, 1::2]
    for channel in range(3):
        expected = layer.coefficient[channel] * total[:, channel] / 4 + layer.bias[channel]
        torch.testing.assert_close(layer(x)[:, channel], expected)


@pytest.mark.parametrize("pooling", ["subsampling", "average", "max", "convolution"])
@pytest.mark.parametrize("connections", ["table", "full"])
def test_lenets_choices_give_the_papers_maps(pooling, connections):
    network = LeNet(n_classes=10, n_bands=32, n_frames=32, pooling=pooling, connections=connections, norm="batch")
    x = torch.zeros(1, 1, 32, 32)
    shapes = []
    for stage in list(network.stages.values())[:-1]:
        x = stage(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [(6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5)]
    assert [*network.stages] == ["c1", "s2", "c3", "s4", "pool"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"connections": "tabel"}, "connections: .*did you mean 'table'"),
        ({"pooling": "maximum"}, "pooling: expected one of"),
        ({"head": "globl"}, "head: .*did you mean 'global'"),
        ({"width": 0}, "width: expected more than 0, got 0"),
        ({"n_bands": 12}, "spectrogram: expected at least 16 bands and 16 frames, got 12 and 101"),
    ],
)
def test_lenet_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        LeNet(n_classes=3, **arguments)


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_vggs_maps_equal_torchvisions(norm):
    theirs_of = pytest.importorskip("torchvision.models.vgg")
    ours = VGG(n_classes=3, depth=11, width=0.125, norm=norm, in_channels=3, head="global").double().eval()
    cfg = [8, "M", 16, "M", 32, 32, "M", 64, 64, "M", 64, 64, "M"]
    theirs = theirs_of.make_layers(cfg, batch_norm=norm == "batch").double().eval()
    convs = [module for module in ours.body.modules() if isinstance(module, nn.Conv2d)]
    for conv, other in zip(convs, [each for each in theirs if isinstance(each, nn.Conv2d)], strict=True):
        bias = torch.zeros(conv.out_channels) if conv.bias is None else conv.bias
        other.load_state_dict({"weight": conv.weight, "bias": bias})
    x = noise(2, 3, 40, 101)
    torch.testing.assert_close(ours.maps(x), theirs(x))
    torch.testing.assert_close(ours.embed(x), theirs(x).mean((2, 3)))


def test_fully_connected_heads_see_every_place():
    network = VGG(n_classes=3, depth=11, width=0.125, n_bands=64, n_frames=64, dropout=0.0).double()
    x = noise(2, 1, 64, 64)
    maps = network.maps(x)
    assert maps.shape == (2, 64, 2, 2)
    first, second = (module for module in network.stages["pool"].modules() if isinstance(module, nn.Linear))
    hidden = F.relu(maps.flatten(1) @ first.weight.T + first.bias)
    torch.testing.assert_close(network.embed(x), F.relu(hidden @ second.weight.T + second.bias))


def test_dropout_is_behind_each_fully_connected_layer():
    network = VGG(n_classes=3, depth=11, width=0.125, dropout=0.25)
    kinds = [module for module in network.modules() if isinstance(module, nn.Linear | nn.Dropout)]
    assert [type(module).__name__ for module in kinds] == ["Linear", "Dropout", "Linear", "Dropout", "Linear"]
    assert {module.p for module in kinds if isinstance(module, nn.Dropout)} == {0.25}
    assert not any(isinstance(m, nn.Dropout) for m in VGG(n_classes=3, depth=11, width=0.125, dropout=0.0).modules())


def test_vgg_is_drawn_by_he():
    torch.manual_seed(0)
    conv = VGG(n_classes=3, depth=11, width=0.25).get_submodule("body.conv4.1.0")
    assert isinstance(conv, nn.Conv2d) and conv.bias is not None
    assert float(conv.weight.detach().std()) == pytest.approx((2 / (9 * 128)) ** 0.5, rel=0.02)
    assert float(conv.bias.detach().abs().max()) == 0


def test_vgg_refuses_another_depth():
    with pytest.raises(ValueError, match="depth: expected one of 11, 13, 16, 19, got 12"):
        VGG(n_classes=3, depth=12)
