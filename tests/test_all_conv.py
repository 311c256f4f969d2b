"""The all-convolutional net halves its maps by a convolution; its siblings pool in its place."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from audionet.models import AllConv


def convolutions(network: AllConv) -> list[tuple[int, int]]:
    """Return kernel and stride of each convolution, in order."""
    return [(m.kernel_size[0], m.stride[0]) for m in network.modules() if isinstance(m, nn.Conv2d)]


@pytest.mark.parametrize(("base", "first"), [("a", [(5, 1)]), ("b", [(5, 1), (1, 1)]), ("c", [(3, 1), (3, 1)])])
def test_the_layers_are_those_of_tables_1_and_2(base, first):
    last = first[:-1] + [(first[-1][0], 2)]
    tail = [(3, 1), (1, 1)]
    found = {
        reduction: convolutions(AllConv(n_classes=3, base=base, reduction=reduction, width=0.05))
        for reduction in ("max", "stride", "convolution", "convolution_and_max")
    }
    assert found == {
        "max": [*first, *first, *tail],
        "stride": [*last, *last, *tail],
        "convolution": [*first, (3, 2), *first, (3, 2), *tail],
        "convolution_and_max": [*first, (3, 1), *first, (3, 1), *tail],
    }


@pytest.mark.parametrize("reduction", ["max", "average", "stride", "convolution", "convolution_and_max"])
@pytest.mark.parametrize("base", ["a", "b", "c"])
def test_all_siblings_have_maps_of_the_papers_size(base, reduction):
    network = AllConv(n_classes=3, base=base, reduction=reduction, width=0.05, in_channels=3, n_bands=32)
    assert network.maps(torch.zeros(1, 3, 32, 32)).shape == (1, 10, 6, 6)  # the average over 6 x 6 of table 1
    assert ("pool1" in network.stages) == (reduction != "stride")


def test_a_convolution_that_skips_equals_a_dense_one_whose_outputs_are_skipped():
    """All-CNN with the weights of ConvPool-CNN is that network with every second place in place of the maximum."""
    torch.manual_seed(0)
    ours = AllConv(n_classes=3, width=0.05, dropout=0.0)
    pooled = AllConv(n_classes=3, width=0.05, dropout=0.0, reduction="convolution_and_max")
    for one, other in zip(ours.parameters(), pooled.parameters(), strict=True):
        other.data = one.data
    x = torch.randn(2, 1, 40, 101)
    dense = pooled.stages["conv1"](x)
    torch.testing.assert_close(ours.stages["pool1"](ours.stages["conv1"](x)), dense[:, :, ::2, ::2])
    torch.testing.assert_close(pooled.stages["pool1"](dense), F.max_pool2d(dense, 3, 2, 1))


def test_the_mean_before_the_classifier_equals_the_papers_mean_behind_it():
    torch.manual_seed(0)
    network = AllConv(n_classes=3, width=0.05, dropout=0.0).double()
    assert isinstance(network.head, nn.Linear)
    x = torch.randn(2, 1, 40, 101, dtype=torch.float64)
    scores = F.conv2d(network.maps(x), network.head.weight[:, :, None, None], network.head.bias)
    torch.testing.assert_close(network(x), scores.mean((2, 3)))


def test_dropout_is_of_the_spectrogram_and_of_halved_maps():
    network = AllConv(n_classes=3, width=0.05, input_dropout=0.2)
    found = {name: m.p for name, m in network.named_modules() if isinstance(m, nn.Dropout)}
    assert found == {"body.conv1.0": 0.2, "body.pool1.1": 0.5, "body.pool2.1": 0.5}
    strided = AllConv(n_classes=3, width=0.05, reduction="stride")
    found = {name: m.p for name, m in strided.named_modules() if isinstance(m, nn.Dropout)}
    assert found == {"body.conv1.2": 0.5, "body.conv2.2": 0.5}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"base": "d"}, "base: expected one of a, b, c, got 'd'"),
        ({"reduction": "strid"}, "reduction: .*did you mean 'stride'"),
        ({"n_bands": 8}, "spectrogram: expected at least 9 bands and 9 frames, got 8 and 101"),
        ({"input_dropout": -1}, "input_dropout: expected a number from 0 to 1, got -1"),
    ],
)
def test_all_conv_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        AllConv(n_classes=3, **arguments)
