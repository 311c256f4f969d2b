"""First filters look for what they are shown to be, learned front-ends tell their bands in hertz, templates add up."""

import numpy as np
import pytest
import torch
from torch import nn

from audionet.features import LEAF, ConvFilterbank, Deltas, LogMel, SincNet
from audionet.features.learned.time_domain import WIDTH, TimeDomain
from audionet.insight import first_filters, learned_filters, templates
from audionet.models import BCResNet, TCResNet, WaveNetClassifier


class Linear(nn.Module):
    """Logistic regression on spectrograms of two planes, three bands and four frames."""

    n_bands, in_channels, n_classes = 3, 2, 5

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(2 * 3 * 4, 5)

    @property
    def stages(self):
        return {}

    def forward(self, spectrogram):
        return self.head(nn.functional.adaptive_avg_pool2d(spectrogram, (3, 4)).flatten(1))


def test_a_filter_of_two_axes_answers_most_to_its_own_picture():
    torch.manual_seed(0)
    network = BCResNet(n_classes=3)
    filters = first_filters(network)
    assert filters.shape == (16, 5, 5)
    pictures = torch.from_numpy(filters / np.linalg.norm(filters, axis=(1, 2), keepdims=True))
    spectrograms = torch.zeros(16, 1, 40, 21)
    spectrograms[:, 0, 10:15, 8:13] = pictures
    answers = network.stem(spectrograms)[:, :, 6, 10]  # whose patch begins at band 10 and frame 8
    np.testing.assert_array_equal(answers.argmax(0).numpy(), np.arange(16))
    np.testing.assert_allclose(np.diag(answers.detach()), np.linalg.norm(filters, axis=(1, 2)), rtol=1e-5)


def test_a_filter_of_one_axis_spans_all_bands():
    network = TCResNet(n_classes=3)
    filters = first_filters(network)
    spectrogram = torch.randn(1, 1, 40, 9)
    answers = np.einsum("fbt,bt->f", filters, spectrogram[0, 0, :, 3:6].numpy())
    np.testing.assert_allclose(answers, network.stem(spectrogram[:, 0])[0, :, 4].detach(), rtol=1e-4, atol=1e-5)


def test_the_planes_of_a_linear_model_add_up_to_the_logits():
    network, spectrogram = Linear(), torch.randn(1, 2, 3, 4)
    bias = network.head.bias.detach().numpy()
    for look in (templates, first_filters):
        sums = sum(np.einsum("cbt,bt->c", look(network, plane=plane), spectrogram[0, plane]) for plane in range(2))
        np.testing.assert_allclose(sums + bias, network(spectrogram)[0].detach(), rtol=1e-5)
    with pytest.raises(ValueError, match="plane: expected a whole number from 0 to 1, got 2"):
        templates(network, plane=2)


def test_networks_without_templates_or_without_first_filters_say_so():
    with pytest.raises(ValueError, match="network: expected a linear model, .*, got 'TCResNet'; look at what excites"):
        templates(TCResNet(n_classes=3))
    network = WaveNetClassifier(n_classes=3, n_layers=2, n_cycles=1)
    with pytest.raises(ValueError, match="network: expected a convolution or a fully .*, got CodeInput; look"):
        first_filters(network)
    broken = Linear()
    broken.head.weight.data[0, 0] = torch.nan
    for look in (templates, first_filters):
        with pytest.raises(ValueError, match="network: expected finite weights, got NaN or infinity in head.weight"):
            look(broken)


# ---- learned front-ends --------------------------------------------------------------------------------------------


def loudness_of_tones(front_end: TimeDomain, hertz: np.ndarray) -> np.ndarray:
    """How loud each filter makes a tone, (filter, tone), measured by sending tones through the kernels in time."""
    times = torch.arange(1200) / front_end.sample_rate
    tones = torch.sin(2 * torch.pi * torch.from_numpy(hertz)[:, None] * times).double()
    kernels = front_end.kernels.detach().double()
    heard = nn.functional.conv1d(tones[:, None], kernels.flatten(0, 1)[:, None])
    power = heard.square().mean(-1).unflatten(1, kernels.shape[:2]).sum(1)
    return np.asarray(power.sqrt().mT)


@pytest.mark.parametrize("kind", [LEAF, SincNet, ConvFilterbank])
def test_tones_at_the_edges_of_a_filter_are_half_as_loud_as_the_loudest(kind):
    torch.manual_seed(0)
    front_end = kind(n_filters=3, f_min=300.0, f_max=6000.0)
    if kind is ConvFilterbank:
        front_end.filters.data *= 1 + 0.1 * torch.randn_like(front_end.filters)
    found = learned_filters(Deltas(front_end))
    low, high = found.centers - found.bandwidths / 2, found.centers + found.bandwidths / 2
    loudest = loudness_of_tones(front_end, np.arange(100.0, 7900.0, 40.0)).max(1)
    for edges in (low, high):
        np.testing.assert_allclose(np.diag(loudness_of_tones(front_end, edges)), loudest / 2, rtol=0.03)
    hertz = found.frequencies[100:-100:397]
    np.testing.assert_allclose(
        found.responses[:, 100:-100:397], loudness_of_tones(front_end, hertz) / loudest[:, None], atol=0.02
    )


def test_centres_and_bandwidths_are_those_that_the_parameters_say():
    leaf = LEAF(n_filters=5, f_min=500.0)
    found = learned_filters(leaf)
    np.testing.assert_allclose(found.centers, leaf.center_frequency.detach() * 16_000, rtol=1e-3)
    np.testing.assert_allclose(found.bandwidths, WIDTH / leaf.width.detach() * 16_000, rtol=1e-2)
    sinc = SincNet(n_filters=5, f_min=400.0, kernel_size=1001)  # long enough for sharp edges
    found = learned_filters(sinc)
    low, high = (edge.detach().numpy() * 16_000 for edge in sinc.cutoffs)
    np.testing.assert_allclose(found.centers[:-1], (low + high)[:-1] / 2, rtol=2e-3)
    np.testing.assert_allclose(found.bandwidths[:-1], (high - low)[:-1], rtol=1e-2)
    assert found.centers[-1] + found.bandwidths[-1] / 2 == 8000.0  # the last ends where the frequencies do


def test_a_filter_of_zeros_has_no_band_and_other_front_ends_are_told():
    front_end = ConvFilterbank(n_filters=3)
    front_end.filters.data[:, 1] = 0.0
    found = learned_filters(front_end)
    assert np.isnan(found.centers).tolist() == [False, True, False] and not found.responses[1].any()
    with pytest.raises(ValueError, match="front_end: expected one whose filters are learned, got LogMel; its bands"):
        learned_filters(LogMel())
    front_end.filters.data[0, 0, 0] = torch.nan
    with pytest.raises(ValueError, match="front_end: expected finite filters"):
        learned_filters(front_end)


def test_filters_stay_as_they_were_when_the_network_learns_on():
    network = TCResNet(n_classes=3)
    before = first_filters(network)
    assert isinstance(network.stem, torch.nn.Conv1d)
    with torch.no_grad():
        network.stem.weight.add_(1.0)
    np.testing.assert_allclose(first_filters(network), before + 1.0, rtol=1e-5, atol=1e-6)
