"""The plain networks: templates that lie still, hidden layers over them, and templates that slide."""

import json

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from audionet.models import FullyConnected, OneLayer
from audionet.models.contract import linear_of


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_linear_model_compares_with_one_template_a_class():
    network = FullyConnected(n_classes=3, hidden=(), n_bands=5, n_frames=7, in_channels=2).double()
    spectrogram = noise(4, 2, 5, 7)
    linear = linear_of(network)
    templates = linear.weight.view(3, 2, 5, 7)
    expected = torch.stack([(spectrogram * template).sum((1, 2, 3)) for template in templates], 1)
    torch.testing.assert_close(network(spectrogram), expected + linear.bias)


def test_hidden_layers_equal_the_plain_computation():
    network = FullyConnected(n_classes=3, hidden=(11, 6), activation="tanh", n_bands=5, n_frames=7).double()
    x = noise(4, 1, 5, 7)
    weights = [*network.parameters()]
    expected = x.flatten(1)
    for weight, bias in zip(weights[:4:2], weights[1:4:2], strict=True):
        expected = torch.tanh(expected @ weight.T + bias)
    torch.testing.assert_close(network.embed(x), expected)
    torch.testing.assert_close(network(x), expected @ weights[4].T + weights[5])


def test_a_clip_of_another_length_is_averaged_to_the_layers():
    network = FullyConnected(n_classes=3, hidden=(), n_bands=5, n_frames=7).double()
    longer, shorter = noise(2, 1, 5, 14), noise(2, 1, 5, 7)
    torch.testing.assert_close(network(longer), network((longer[..., ::2] + longer[..., 1::2]) / 2))
    wide = FullyConnected(n_classes=3, hidden=(), n_bands=5, n_frames=14).double()
    torch.testing.assert_close(wide.embed(shorter), shorter.repeat_interleave(2, -1).flatten(1))


def test_hidden_may_come_from_json():
    torch.manual_seed(0)
    ours = FullyConnected(n_classes=3, hidden=(8, 4))
    torch.manual_seed(0)
    theirs = FullyConnected(n_classes=3, hidden=json.loads(json.dumps((8, 4))))
    assert all(torch.equal(*pair) for pair in zip(ours.parameters(), theirs.parameters(), strict=True))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hidden": (8, 0)}, "hidden: expected a whole number of at least 1, got 0"),
        ({"n_frames": 0}, "n_frames: expected a whole number of at least 1, got 0"),
        ({"activation": "rleu"}, "activation: .*did you mean 'relu'"),
        ({"dropout": 2.0}, "dropout: expected a number from 0 to 1, got 2.0"),
    ],
)
def test_fully_connected_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        FullyConnected(n_classes=3, **arguments)


@pytest.mark.parametrize("filter_bands", [None, 4])
def test_one_layer_equals_the_plain_computation(filter_bands):
    network = OneLayer(
        n_classes=3, width=5 / 64, filter_bands=filter_bands, filter_frames=3, n_bands=6, in_channels=2
    ).double()
    x = noise(4, 2, 6, 9)
    conv = network.get_submodule("body.conv1.0")
    assert isinstance(conv, nn.Conv2d) and conv.bias is not None
    padded = F.pad(x, (1, 1))
    bands = filter_bands or 6
    expected = []
    for filter_, bias in zip(conv.weight, conv.bias, strict=True):
        for band in range(6 - bands + 1):
            windows = torch.stack([padded[:, :, band : band + bands, frame : frame + 3] for frame in range(9)])
            expected.append(((windows * filter_).sum((2, 3, 4)) + bias).clamp(min=0).amax(0))
    torch.testing.assert_close(network.embed(x), torch.stack(expected, 1))


def test_a_template_that_slides_knows_a_later_word_and_one_that_lies_still_does_not():
    torch.manual_seed(0)
    sliding, still = OneLayer(n_classes=3, n_bands=6).double(), FullyConnected(n_classes=3, n_bands=6).double()
    word = torch.zeros(1, 1, 6, 101, dtype=torch.float64)
    word[..., 30:50] = noise(1, 1, 6, 20)
    later = word.roll(20, -1)
    torch.testing.assert_close(sliding(later), sliding(word))
    assert (still(later) - still(word)).abs().max() > 0.01


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"filter_bands": 41}, "filter_bands: expected a whole number from 1 to 40, got 41"),
        ({"filter_frames": 4}, "filter_frames: expected an odd number, got 4"),
        ({"padding_mode": "zero"}, "padding_mode: .*did you mean 'zeros'"),
    ],
)
def test_one_layer_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        OneLayer(n_classes=3, **arguments)
