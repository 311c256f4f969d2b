"""Pictures of what is inside of a network show each filter, map and clip in its place, with its times and bands."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from matplotlib.text import Annotation

from audionet.features import LEAF, LogMel
from audionet.insight import Excitation, activations, learned_filters
from audionet.models import CNNTDNN
from audionet.plots import (
    plot_activations,
    plot_dead_filters,
    plot_exciting,
    plot_filters,
    plot_learned_filters,
    plot_maximized,
    plot_templates,
)


class Cell(NamedTuple):
    """A small picture within a mosaic: its name and its values, with the lowest band first."""

    name: str
    values: np.ndarray


def shown_in(axes: Axes) -> np.ma.MaskedArray:
    values = axes.images[0].get_array()
    assert values is not None
    return np.ma.asarray(values)


def cells(axes: Axes, n_bands: int, n_frames: int) -> list[Cell]:
    """Read the pictures of a mosaic back, from where their names stand."""
    canvas = shown_in(axes)
    found = []
    for text in axes.texts:
        assert isinstance(text, Annotation)
        left, top = (round(place + 0.5) for place in text.xy)
        found.append(Cell(text.get_text(), canvas[top - n_bands : top, left : left + n_frames]))
    return found


def ticks(axis):
    return [text.get_text() for text in axis.get_ticklabels()]


def test_filters_stand_side_by_side_with_milliseconds_and_bands():
    filters = np.random.default_rng(0).normal(size=(13, 5, 4))
    axes, bar = plot_filters(filters, LogMel(hop_length=160)).axes
    for number, cell in enumerate(cells(axes, 5, 4)):
        assert cell.name == str(number)
        np.testing.assert_array_equal(cell.values, filters[number])
    assert number == 12
    assert axes.images[0].get_clim() == (-np.abs(filters).max(), np.abs(filters).max())
    assert (axes.get_xlabel(), axes.get_ylabel(), bar.get_ylabel()) == ("time (ms)", "band", "weight")
    assert ticks(axes.xaxis) == ["0", "40"] and ticks(axes.yaxis) == ["0", "2", "4"]


def test_filters_that_span_all_bands_have_hertz_and_without_a_front_end_numbers():
    front_end = LogMel(n_mels=40)
    axes = plot_filters(np.ones((3, 40, 3)), front_end).axes[0]
    assert axes.get_ylabel() == "frequency (Hz)" and ticks(axes.yaxis) == ["125", "500", "2000"]
    centers = np.asarray(front_end.axis.frequencies)
    for hertz, place in zip((125, 500, 2000), axes.get_yticks(), strict=True):
        assert int(place) == np.abs(centers - hertz).argmin()
    axes = plot_filters(np.ones((3, 40, 3))).axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel(), ticks(axes.xaxis)) == ("frame", "band", ["0", "3"])


def test_of_many_filters_those_of_the_largest_norm_are_shown():
    filters = np.random.default_rng(0).normal(size=(100, 2, 2))
    shown = [int(cell.name) for cell in cells(plot_filters(filters).axes[0], 2, 2)]
    norms = np.linalg.norm(filters, axis=(1, 2))
    assert len(shown) == 64 and shown == sorted(shown)
    assert norms[shown].min() > np.delete(norms, shown).max()


def test_templates_have_the_names_of_their_classes():
    templates = np.random.default_rng(0).normal(size=(2, 40, 101))
    first, second = cells(plot_templates(templates, ["$yes", "no"], LogMel()).axes[0], 40, 101)
    assert (first.name, second.name) == ("$yes", "no")
    np.testing.assert_array_equal(second.values, templates[1])


@pytest.mark.parametrize(
    ("plot", "message"),
    [
        (lambda: plot_filters(np.zeros((3, 4))), r"filters: expected \(filter, band, frame\), got \(3, 4\)"),
        (lambda: plot_filters(np.full((1, 2, 2), np.nan)), "filters: expected finite weights"),
        (lambda: plot_templates(np.zeros((3, 4, 5)), ["yes"]), "names: expected 3, one for each filter, got 1"),
        (lambda: plot_templates(np.zeros((3, 4, 5)), []), "labels: expected at least one, got 0"),
        (lambda: plot_learned_filters([0, 1], [[1.0, 0.5]], [1.0, 2.0], [1.0]), r"centers: expected \(1,\)"),
        (lambda: plot_dead_filters({}), "clips: expected at least one stage, got 0"),
        (lambda: plot_dead_filters({"conv": [0.5, 1.5]}), "clips of conv: expected shares"),
        (lambda: plot_exciting([]), "clips: expected at least one, got 0"),
        (lambda: plot_maximized(torch.zeros(1, 40, 9), LogMel(), []), "history: expected at least one step"),
        (lambda: plot_maximized(torch.zeros(1, 40, 9), LogMel(), [np.nan]), "history: expected finite activations"),
        (lambda: plot_activations({}, torch.zeros(2, 1, 40, 9), LogMel(), row=2), "row: expected a whole number from"),
    ],
)
def test_what_cannot_be_drawn_is_told(plot, message):
    with pytest.raises(ValueError, match=message):
        plot()


def test_learned_filters_are_sorted_by_their_centres():
    front_end = LEAF(n_filters=6)
    front_end.center_frequency.data = front_end.center_frequency.data[[3, 0, 5, 1, 4, 2]]
    found = learned_filters(front_end)
    above, below, _ = plot_learned_filters(found.frequencies, found.responses, found.centers, found.bandwidths).axes
    order = [1, 3, 5, 0, 4, 2]
    np.testing.assert_array_equal(above.images[0].get_array(), found.responses[order].T)
    assert above.get_ylim() == pytest.approx((0, 8000), abs=2)
    np.testing.assert_array_equal(below.lines[0].get_xydata(), np.transpose([found.centers, found.bandwidths])[order])


def test_maps_lie_below_the_clip_on_its_axis_of_time():
    torch.manual_seed(0)
    network, front_end = CNNTDNN(n_classes=3, n_channels=8, n_embedding=12), LogMel()
    spectrogram = front_end(0.1 * torch.randn(2, 1, 16_000))
    maps = activations(network, spectrogram)
    clip, stem, narrow, *blocks, pooling = plot_activations(maps, spectrogram, front_end, row=1, n_channels=3).axes
    assert [axes.get_title(loc="left") for axes in (stem, narrow, pooling)] == ["stem", "narrow", "pooling"]
    assert stem.get_xlim() == narrow.get_xlim() == blocks[0].get_xlim() == clip.get_xlim()
    assert blocks[-1].get_xlabel() == "time (s)" and pooling.get_xlabel() == "channel"
    np.testing.assert_array_equal(narrow.images[0].get_array(), maps["narrow"][1])
    values = maps["stem"][1].numpy()
    chosen = sorted(np.argsort(-values.std((1, 2)))[:3])
    assert ticks(stem.yaxis) == [str(channel) for channel in chosen]
    shown = np.asarray(stem.images[0].get_array()).reshape(3, -1, values.shape[2])[:, : values.shape[1]]
    for picture, channel in zip(shown, chosen, strict=True):
        low, high = values[channel].min(), values[channel].max()
        np.testing.assert_allclose(picture, (values[channel] - low) / (high - low), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        [bar.get_height() for bar in pooling.patches if isinstance(bar, Rectangle)], maps["pooling"][1]
    )


def test_maps_of_silence_are_drawn():
    network, front_end = CNNTDNN(n_classes=3, n_channels=8, n_embedding=12), LogMel()
    spectrogram = front_end(torch.zeros(1, 1, 400))
    assert len(plot_activations(activations(network, spectrogram), spectrogram, front_end).axes) == 7


def test_dead_channels_are_red_nearly_dead_ones_orange_and_all_are_counted():
    figure = plot_dead_filters({"conv1": [0.5, 0.0, 1.0, 0.02], "conv2": [1.0, 1.0]}, rare=0.05)
    axes = figure.axes[0]
    bars = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert [to_hex(bar.get_facecolor()) for bar in bars[:4]] == ["#d55e00", "#e69f00", "#0072b2", "#0072b2"]
    np.testing.assert_allclose([bar.get_width() for bar in bars], [0.25] * 4 + [0.5] * 2)
    assert [text.get_text() for text in axes.texts] == ["1 of 4 dead, 1 of 4 nearly dead", "all active"]
    assert ticks(axes.yaxis) == ["conv1", "conv2"]


def test_the_part_of_a_clip_that_excites_is_framed():
    clips = [
        Excitation(4, 1.5, torch.randn(1, 40, 21), (3, 8), (10, 25)),
        Excitation(2, 0.25, torch.randn(1, 40, 11), (0, 11), (0, 40)),
    ]
    axes = plot_exciting(clips, LogMel()).axes[0]
    first, second = cells(axes, 40, 21)
    assert (first.name, second.name) == ("4: 1.5", "2: 0.25")
    np.testing.assert_array_equal(first.values, clips[0].spectrogram[0])
    np.testing.assert_array_equal(second.values[:, :11], clips[1].spectrogram[0])
    assert np.ma.getmaskarray(shown_in(axes))[0, -10:].all()
    frame = axes.patches[0]
    assert isinstance(frame, Rectangle)
    assert (frame.get_x(), frame.get_y(), frame.get_width(), frame.get_height()) == (2.5, 9.5, 5, 15)
    assert [cell.name for cell in cells(plot_exciting(clips, names=["go", "on"]).axes[0], 40, 21)] == [
        "go: 1.5",
        "on: 0.25",
    ]


def test_the_rise_of_an_activation_stands_beside_what_was_made():
    picture, curve = plot_maximized(torch.randn(1, 40, 9), LogMel(), [1.0, 2.0, 4.0], title="seven").axes
    assert picture.get_title(loc="left") == "seven"
    np.testing.assert_array_equal(curve.lines[0].get_ydata(), [1.0, 2.0, 4.0])
