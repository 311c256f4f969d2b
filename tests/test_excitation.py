"""The clips that excite a unit most are found where they excite it; sounds made for a unit excite it."""

import pytest
import torch
from torch import nn

import audionet
from audionet.features import LogMel
from audionet.insight import Excitation, activations, maximize, most_exciting
from audionet.models import BCResNet, TCResNet, WaveNet, WaveNetClassifier


class Matcher(nn.Module):
    """A network of two channels: one looks for a patch of three bands and five frames, the other is dead."""

    n_bands, n_classes = 12, 2

    def __init__(self) -> None:
        super().__init__()
        self.match = nn.Sequential(nn.Conv2d(1, 2, (3, 5), bias=False), nn.ReLU())
        weight = torch.zeros(2, 1, 3, 5)
        weight[0] = 1.0
        self.match[0].weight = nn.Parameter(weight)
        self.head = nn.Linear(2, 2)

    @property
    def stages(self):
        return {"match": self.match}

    def forward(self, spectrogram):
        return self.head(self.match(spectrogram).mean((2, 3)))


def clips_with_a_patch():
    """Seven clips with a patch at a place of its own, of the heights 3, 1, 4, 1.5, 9, 2, 6."""
    clips = torch.zeros(7, 1, 12, 30)
    for row, height in enumerate([3.0, 1.0, 4.0, 1.5, 9.0, 2.0, 6.0]):
        clips[row, 0, row : row + 3, 3 * row : 3 * row + 5] = height
    return clips


@pytest.mark.parametrize("sizes", [[7], [1, 4, 2]])
def test_the_clips_that_excite_most_come_first_with_the_part_that_does(sizes):
    clips = clips_with_a_patch()
    network = Matcher()
    network.head.weight.data = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    network.head.bias.data.zero_()
    found = most_exciting(network, clips.split(sizes), [("match", 0), ("head", 1)], n_clips=3)
    best, least = found["match", 0], found["head", 1]
    assert [(each.clip_index, round(each.value, 4)) for each in best] == [(4, 135.0), (6, 90.0), (2, 60.0)]
    assert [(each.frames, each.bands) for each in best] == [((12, 17), (4, 7)), ((18, 23), (6, 9)), ((6, 11), (2, 5))]
    assert all(torch.equal(each.spectrogram, clips[each.clip_index]) for each in best)
    values, order = network(clips)[:, 1].detach().sort(descending=True)
    assert [each.clip_index for each in least] == order[:3].tolist()
    torch.testing.assert_close(torch.tensor([each.value for each in least]), values[:3])


def test_values_are_those_of_the_activation_maps_and_clips_may_differ_in_length():
    torch.manual_seed(0)
    network = BCResNet(n_classes=3)
    clips = [torch.randn(2, 1, 40, 30), torch.randn(1, 1, 40, 50)]
    found = most_exciting(network, clips, [("stage2", 7)], n_clips=9)["stage2", 7]
    values = torch.cat([activations(network, batch)["stage2"][:, 7].flatten(1).amax(1) for batch in clips])
    assert [each.clip_index for each in found] == values.argsort(descending=True).tolist()
    torch.testing.assert_close(torch.tensor([each.value for each in found]), values.sort(descending=True).values)
    for each in found:
        assert 0 <= each.frames[0] < each.frames[1] <= each.spectrogram.shape[-1]
        assert 0 <= each.bands[0] < each.bands[1] <= 40


def test_a_dead_unit_has_clips_of_value_0_of_which_no_part_counts():
    (first, second) = most_exciting(Matcher(), clips_with_a_patch(), [("match", 1)], n_clips=2)["match", 1]
    assert (first.clip_index, second.clip_index) == (0, 1)
    assert first[1:2] + first[3:] == (0.0, (0, 30), (0, 12))
    assert isinstance(first, Excitation)


def test_units_that_there_are_not_are_refused():
    network, clips = TCResNet(n_classes=3), torch.randn(2, 1, 40, 30)
    for look in (
        lambda network, unit: most_exciting(network, clips, [unit]),
        lambda network, unit: maximize(network, unit, n_steps=1),
    ):
        with pytest.raises(ValueError, match="stage: expected one of stem, .*, head, got 'blok1'; did you mean 'bl"):
            look(network, ("blok1", 0))
        with pytest.raises(ValueError, match="unit: expected a channel of block1 from 0 to 23, got 24"):
            look(network, ("block1", 24))
        with pytest.raises(ValueError, match="network: expected one that maps spectrograms"):
            look(WaveNet(n_layers=2, n_cycles=1), ("skip", 0))
    with pytest.raises(ValueError, match="spectrograms: expected clips with sound, got 2 of silence"):
        most_exciting(network, torch.zeros(2, 1, 40, 30), [("stem", 0)])


def test_networks_that_round_their_input_have_whole_clips_and_no_ascent():
    network = WaveNetClassifier(
        n_classes=2, n_layers=2, n_cycles=1, residual_channels=4, gate_channels=4, skip_channels=4, frame_channels=4
    )
    clips = torch.rand(2, 1, 1, 800)
    for frozen in (True, False):
        network.requires_grad_(not frozen)
        (found,) = most_exciting(network, clips, [("head", 1)], n_clips=1)["head", 1]
        assert (found.frames, found.bands) == ((0, 800), (0, 1))
        with pytest.raises(ValueError, match="network: expected one that passes gradients to its input"):
            maximize(network, ("head", 1), length=800, n_steps=1)


# ---- gradient ascent -----------------------------------------------------------------------------------------------


def mean_activation(network, unit, spectrogram):
    stage, channel = unit
    if stage == "head":
        with torch.no_grad():
            return network.eval()(spectrogram)[:, channel].mean().item()
    return float(activations(network, spectrogram)[stage][:, channel].mean())


@pytest.mark.parametrize("unit", [("stem", 3), ("block1", 5), ("block3", 20), ("pooling", 8), ("head", 7)])
def test_the_sound_made_for_a_unit_excites_it(unit):
    recognizer = audionet.load_recognizer("digits")
    network, front_end = recognizer.network, recognizer.front_end
    found = maximize(network, unit, front_end, length=8000, n_steps=12)
    assert found.waveform is not None and found.waveform.shape == (8000,)
    assert found.waveform.abs().max() <= 1.0
    heard = front_end(found.waveform[None, None])
    torch.testing.assert_close(heard[0], found.spectrogram)
    assert found.after == pytest.approx(mean_activation(network, unit, heard), rel=1e-4)
    assert found.after > 1.5 * abs(found.before) and found.after > found.before + 0.05
    assert len(found.history) == 12 and max(found.history[-3:]) > found.history[0]


def test_a_word_made_for_a_class_is_heard_as_that_word_and_as_no_other():
    recognizer = audionet.load_recognizer("digits")
    for label in ("three", "six"):
        unit = ("head", recognizer.labels.index(label))
        found = maximize(recognizer.network, unit, recognizer.front_end, n_steps=20)
        assert found.waveform is not None
        best = recognizer.recognize(found.waveform, recognizer.sample_rate)[0]
        assert best.label == label and best.probability > 0.9


def test_a_spectrogram_is_changed_where_there_is_no_front_end():
    torch.manual_seed(0)
    network = TCResNet(n_classes=3)
    found = maximize(network, ("block2", 4), length=41, n_steps=10)
    assert found.waveform is None and found.spectrogram.shape == (1, 40, 41)
    assert found.after == pytest.approx(mean_activation(network, ("block2", 4), found.spectrogram[None]), rel=1e-4)
    assert found.after > 1.5 * found.before


def test_total_variation_makes_the_spectrogram_smoother_and_decay_the_sound_weaker():
    recognizer = audionet.load_recognizer("digits")
    network, front_end = recognizer.network, recognizer.front_end

    def made(**arguments):
        return maximize(network, ("block1", 5), front_end, length=8000, n_steps=15, **arguments)

    def roughness(found):
        return float(found.spectrogram.diff(dim=-1).square().mean() / found.spectrogram.var())

    assert roughness(made(total_variation=0.9)) < 0.7 * roughness(made(total_variation=0.0))
    strong, weak = (made(decay=decay).waveform.square().mean() for decay in (0.0, 0.1))
    assert weak < 0.5 * strong


def test_the_seed_decides_the_result():
    network = TCResNet(n_classes=3)
    one, same, other = (maximize(network, ("stem", 0), length=30, n_steps=2, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.spectrogram, same.spectrogram) and not torch.equal(one.spectrogram, other.spectrogram)


def test_the_ascent_begins_with_what_is_given():
    network, front_end = TCResNet(n_classes=3), LogMel()
    start = 0.1 * torch.randn(4000)
    found = maximize(network, ("head", 1), front_end, start=start, n_steps=1, learning_rate=1e-6, decay=0.0)
    torch.testing.assert_close(found.waveform, start, atol=1e-5, rtol=0)
    assert found.before == pytest.approx(mean_activation(network, ("head", 1), front_end(start[None, None])), abs=1e-5)
    picture = torch.randn(1, 40, 20)
    found = maximize(network, ("head", 1), start=picture, n_steps=1, learning_rate=1e-6, decay=0.0)
    torch.testing.assert_close(found.spectrogram, picture, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"start": torch.zeros(1, 12, 30)}, "start: expected a sound, got 'silence, NaN or infinity'"),
        ({"start": torch.ones(30)}, r"start: expected \(in_channels, band, frame\), got \(30,\)"),
        ({"start": torch.ones(30), "front_end": LogMel()}, "waveform: expected at least 257 samples"),
        ({"total_variation": 1.0}, "total_variation: expected a number from 0 to 0.99"),
        ({"n_steps": 0}, "n_steps: expected a whole number of at least 1"),
        ({"jitter": 0.6}, "jitter: expected a number from 0 to 0.5"),
        ({"learning_rate": 0.0}, "learning_rate: expected more than 0"),
        (
            {},
            "unit: expected one that depends on what the ascent starts with, got one of gradient 0; start with a clip",
        ),
    ],
)
def test_what_leads_nowhere_is_told(arguments, message):
    with pytest.raises(ValueError, match=message):
        maximize(Matcher(), ("match", 1), **arguments)
