"""Activation maps are what the stages compute, batch first; the report finds the channels that are dead."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from audionet.insight import activations, dead_filters
from audionet.models import CNNTDNN, BCResNet, Convnet, TCResNet, WaveNet, WaveNetClassifier
from audionet.models.layers import conv_layer, global_pool, pool_layer


def convnet():
    stages = OrderedDict(
        conv1=nn.Sequential(conv_layer(1, 6, (5, 3)), pool_layer("max", 2, 2, n_channels=6)),
        conv2=conv_layer(6, 8, 3, stride=(2, 1)),
    )
    return Convnet(stages, pool=global_pool(), n_embedding=8, n_classes=3, n_bands=40, dropout=0.5)


def step_by_step(network, x):
    """The same maps, computed by calling the layers one after the other as each network's paper lays them out."""
    if isinstance(network, TCResNet):
        found = {"stem": network.stem(x[:, 0])}
        for number, block in enumerate(network.blocks, 1):
            found[f"block{number}"] = block([*found.values()][-1].clone())
    elif isinstance(network, BCResNet):  # whose blocks have (channel, band, batch, frame)
        maps = network.stem_norm(network.stem(x).permute(1, 2, 0, 3))
        found = {"stem": maps.permute(2, 0, 1, 3).clone()}
        maps, ends = F.relu(maps), {2: "stage1", 4: "stage2", 8: "stage3", 12: "stage4"}
        for number, block in enumerate(network.blocks, 1):
            maps = block(maps)
            if number in ends:
                found[ends[number]] = maps.permute(2, 0, 1, 3).clone()
        found["tail"] = network.tail(maps.permute(2, 0, 1, 3))
    elif isinstance(network, CNNTDNN):
        found = {"stem": network.stem(x)}
        found["narrow"] = network.narrow(found["stem"].flatten(1, 2))
        for number, block in enumerate(network.blocks, 1):
            found[f"block{number}"] = block([*found.values()][-1])
        found["pooling"] = network.pooling([*found.values()][-1])
    elif isinstance(network, WaveNetClassifier):
        stack = network.stack
        samples = stack.distribution.from_waveform(x[:, 0, 0])
        skips = stack.skip(stack.units(samples, stack.bias(batch=len(x), time=x.shape[-1])))
        found = {"stack": skips.mT}  # (batch, channel, time)
        found["convolutions"] = network.convolutions(F.avg_pool1d(F.relu(skips).mT, 160, ceil_mode=True))
    else:
        found = {"conv1": network.body.conv1(x)}
        found["conv2"] = network.body.conv2(found["conv1"])
        found["pool"] = network.pool(found["conv2"])
    return found


NETWORKS = {
    "tcresnet": lambda: TCResNet(n_classes=3),
    "bcresnet": lambda: BCResNet(n_classes=3),
    "cnn_tdnn": lambda: CNNTDNN(n_classes=3, n_channels=16, n_embedding=24),
    "wavenet_classifier": lambda: WaveNetClassifier(
        n_classes=3, n_layers=4, n_cycles=1, residual_channels=4, gate_channels=8, skip_channels=6, frame_channels=5
    ),
    "convnet": convnet,
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("n_clips", [1, 3])
def test_maps_are_what_the_layers_compute_with_the_batch_first(name, n_clips):
    torch.manual_seed(0)
    network = NETWORKS[name]()
    spectrogram = torch.randn(n_clips, 1, network.n_bands, 1000 if network.n_bands == 1 else 61).clamp(-1, 1)
    network(spectrogram)  # statistics of the normalisation that are not the initial ones
    maps = activations(network, spectrogram)
    network.eval()
    with torch.no_grad():
        expected = step_by_step(network, spectrogram)
    assert [*maps] == [*expected]
    for stage, computed in maps.items():
        torch.testing.assert_close(computed, expected[stage])
        assert computed.shape[0] == n_clips and not computed.requires_grad


def test_the_network_is_left_as_it_was():
    network = convnet()
    network.body.conv2.eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    activations(network, torch.randn(2, 1, 40, 30))
    assert network.training and network.head.training and not network.body.conv2.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_networks_that_one_cannot_look_inside_of_are_refused():
    network = TCResNet(n_classes=3)
    network.state_dict()["blocks.1.body.1.running_var"][3] = torch.nan
    network.state_dict()["head.1.bias"][0] = torch.inf
    expected = "network: expected finite weights, got NaN or infinity in head.1.bias, blocks.1.body.1.running_var; "
    for look in (activations, dead_filters):
        with pytest.raises(ValueError, match=expected):
            look(network, torch.randn(1, 1, 40, 61))
        with pytest.raises(ValueError, match="network: expected one that maps spectrograms, .*, got 'WaveNet'"):
            look(WaveNet(n_layers=2, n_cycles=1), torch.zeros(1, 1000))


def test_spectrograms_that_do_not_fit_are_refused():
    network = TCResNet(n_classes=3)
    with pytest.raises(ValueError, match=r"spectrogram: expected .* n_bands = 40, frame\), got \(1, 1, 39, 61\)"):
        activations(network, torch.randn(1, 1, 39, 61))
    with pytest.raises(ValueError, match="spectrogram: expected finite values, got NaN or infinity"):
        activations(network, torch.full((1, 1, 40, 61), torch.nan))
    with pytest.raises(ValueError, match="nothing is left at the layer conv1"):
        activations(convnet(), torch.randn(1, 1, 40, 1))


def test_a_clip_of_one_frame_has_maps_where_the_network_pads_it():
    assert activations(TCResNet(n_classes=3), torch.randn(1, 1, 40, 1))["block3"].shape == (1, 48, 1)


# ---- dead filters --------------------------------------------------------------------------------------------------


class Threshold(nn.Module):
    """A network whose stage has four channels: each is active where the spectrogram exceeds a value of its own."""

    n_bands = 2

    def __init__(self, *values: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, len(values), 1)
        nn.init.ones_(self.conv.weight)
        self.conv.bias = nn.Parameter(-torch.tensor(values))
        self.rectify = nn.ReLU()

    @property
    def stages(self):
        return {"conv": self.conv, "rectify": self.rectify}

    def forward(self, spectrogram):
        return self.rectify(self.conv(spectrogram)).mean((2, 3))


def test_shares_of_clips_and_places_where_channels_are_active():
    clips = torch.zeros(4, 1, 2, 5)
    clips[0, 0, 1, 2:4], clips[2, 0, 0, 0], clips[3] = 3.0, 1.5, -1.0
    report = dead_filters(Threshold(1.0, 2.0, 5.0, -9.0), [clips[:3], clips[3:]], rare=0.25)
    rectified = report["rectify"]
    np.testing.assert_allclose(rectified.clips, [0.5, 0.25, 0.0, 1.0])
    np.testing.assert_allclose(rectified.places, [3 / 40, 2 / 40, 0.0, 1.0])
    np.testing.assert_array_equal(rectified.dead, [False, False, True, False])
    np.testing.assert_array_equal(rectified.nearly_dead, [False, True, False, False])
    assert not report["conv"].dead.any()


def test_a_channel_that_never_changes_is_dead_whatever_its_value():
    network = Threshold(0.0, 0.0)
    network.state_dict()["conv.weight"][1], network.state_dict()["conv.bias"][1] = 0.0, 7.0
    report = dead_filters(network, torch.randn(3, 1, 2, 5))
    np.testing.assert_array_equal(report["conv"].dead, [False, True])
    np.testing.assert_array_equal(report["rectify"].clips, [1.0, 0.0])


def test_the_report_does_not_depend_on_how_the_corpus_is_cut_into_batches():
    torch.manual_seed(0)
    network, clips = convnet(), torch.randn(6, 1, 40, 61)
    network(clips)
    for part in ("weight", "bias"):
        network.state_dict()[f"body.conv2.1.{part}"][:3] = -1.0
    whole, parts = dead_filters(network, clips), dead_filters(network, iter(clips.split([1, 3, 2])))
    for stage, activity in whole.items():
        maps = activations(network, clips)[stage].reshape(6, len(activity.clips), -1)
        np.testing.assert_allclose(activity.places, (maps.abs() > 1e-6).float().mean((0, 2)), rtol=1e-6)
        for one, other in zip(activity, parts[stage], strict=True):
            np.testing.assert_allclose(one, other)


def test_clips_of_other_lengths_count_by_their_places():
    clips = [torch.full((1, 1, 2, 3), 2.0), torch.randn(1, 1, 2, 9).clamp(max=0.0)]
    np.testing.assert_allclose(dead_filters(Threshold(1.0), clips)["rectify"].places, [0.25])


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        ([], "spectrograms: expected at least one clip, got 0"),
        ([torch.zeros(3, 1, 2, 5)], "spectrograms: expected clips with sound, got 3 of silence"),
    ],
)
def test_a_corpus_without_sound_is_refused(clips, message):
    with pytest.raises(ValueError, match=message):
        dead_filters(Threshold(1.0), clips)


@pytest.mark.parametrize("limits", [{"threshold": -1.0}, {"rare": 1.5}])
def test_limits_are_checked(limits):
    with pytest.raises(ValueError, match=f"{[*limits][0]}: expected"):
        dead_filters(Threshold(1.0), torch.randn(2, 1, 2, 5), **limits)
