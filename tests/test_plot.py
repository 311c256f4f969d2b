"""Pictures of features say the truth: each band at its frequency, each frame at its time, each colour its value."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from librosa import cqt_frequencies, mel_frequencies
from matplotlib.collections import QuadMesh
from matplotlib.colors import AsinhNorm, LogNorm
from matplotlib.figure import Figure

from audionet.features import (
    LFCC,
    MFCC,
    Deltas,
    Filterbank,
    Gammatone,
    LinearFilterbank,
    LogMel,
    MelSpectrogram,
    Spectrogram,
)
from audionet.features.frontend import Axis
from audionet.features.waveform import Waveform
from audionet.plots.features import plot


def tone(hertz, n_samples=8000, sample_rate=16_000):
    return torch.sin(2 * torch.pi * hertz * torch.arange(n_samples) / sample_rate)


def mesh_of(figure):
    (mesh,) = figure.axes[0].collections
    assert isinstance(mesh, QuadMesh)
    return mesh


def edges_of(figure):
    """Edges of the cells, in seconds and in what the other axis has."""
    corners = np.asarray(mesh_of(figure).get_coordinates())
    return corners[0, :, 0], corners[:, 0, 1]


def ticks_of(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


@pytest.mark.parametrize("hertz", [150, 1000, 5000])
@pytest.mark.parametrize(
    "front_end",
    [
        Spectrogram(),
        Spectrogram(power=None),
        LinearFilterbank(),
        MelSpectrogram(n_mels=30, mel_scale="slaney", f_min=60.0, f_max=7000.0),
        LogMel(scale="db", center=False),
        Filterbank(LinearFilterbank().filters, Spectrogram()),
    ],
    ids=str,
)
def test_a_tone_is_dark_at_its_own_frequency(front_end, hertz):
    x = front_end(tone(hertz))
    figure = plot(x, front_end, title="a $1 tone")
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time (s)", "frequency (Hz)")
    assert axes.get_title(loc="left") == "a $1 tone"
    np.testing.assert_allclose(mesh_of(figure).get_array(), x.abs() if x.is_complex() else x, rtol=1e-6)
    _, edges = edges_of(figure)
    loudest = x.abs().mean(-1).argmax() if x.is_complex() else x.mean(-1).argmax()
    below, above = edges[loudest], edges[loudest + 1]
    slack = (above - below) / 2  # a tone between two bands may be louder in the one whose centre is further away
    assert below - slack <= hertz <= above + slack


@pytest.mark.parametrize(
    ("front_end", "frequencies"),
    [
        (Spectrogram(n_fft=400, win_length=400), np.arange(201) * 40.0),
        (LinearFilterbank(n_bands=7, f_max=8000.0), np.arange(1, 8) * 1000.0),
        (LogMel(n_mels=24, f_min=60.0), mel_frequencies(26, fmin=60, fmax=8000, htk=True)[1:-1]),
        (LogMel(mel_scale="slaney"), mel_frequencies(42, fmin=0, fmax=8000)[1:-1]),
    ],
    ids=str,
)
def test_front_ends_tell_the_frequencies_of_their_bands(front_end, frequencies):
    np.testing.assert_allclose(front_end.axis.frequencies, frequencies, rtol=1e-5)


def test_bands_of_a_matrix_are_where_their_weight_lies():
    filters = torch.zeros(257, 2)
    filters[[16, 32], [0, 1]] = 1.0
    filters[64, 1] = 1.0
    assert torch.equal(
        torch.as_tensor(Filterbank(filters, Spectrogram()).axis.frequencies), torch.tensor([500.0, 1500.0])
    )


@pytest.mark.parametrize("frequencies", [cqt_frequencies(84, fmin=32.7), np.arange(40) * 100.0, [5000, 5001, 7000]])
def test_every_band_is_equally_high_and_at_its_own_frequency(frequencies):
    figure = plot(np.zeros((len(frequencies), 3)), sample_rate=16_000, hop_length=160, frequencies=frequencies)
    axes = figure.axes[0]
    n_bands = len(frequencies)
    heights = axes.transData.transform(np.column_stack([np.zeros(n_bands), frequencies]))[:, 1]
    box = axes.get_window_extent()
    np.testing.assert_allclose(heights, box.y0 + box.height * (np.arange(n_bands) + 0.5) / n_bands)
    places = axes.transData.transform([(0, tick) for tick in axes.get_yticks()])[:, 1]
    assert len(places) >= 2 and box.y0 <= places.min() and places.max() <= box.y1
    assert np.diff(places).min() > 0.05 * box.height, "labels run into each other"


def test_octaves_of_a_constant_q_and_round_numbers_of_a_linear_scale():
    octaves = plot(np.zeros((84, 3)), sample_rate=1, hop_length=1, frequencies=cqt_frequencies(84, fmin=32.7))
    assert ticks_of(octaves.axes[0].yaxis) == ["62.5", "125", "250", "500", "1000", "2000", "4000"]
    even = plot(np.zeros((257, 3)), Spectrogram())
    assert ticks_of(even.axes[0].yaxis) == [str(1000 * number) for number in range(9)]


def test_bands_that_do_not_rise_are_sorted_and_equal_ones_kept_apart():
    x = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0], [4.0, 4.0]])
    figure = plot(x, sample_rate=100, hop_length=1, frequencies=torch.tensor([900.0, 300.0, 900.0, 600.0]))
    np.testing.assert_array_equal(np.asarray(mesh_of(figure).get_array())[:, 0], [2, 4, 1, 3])
    _, edges = edges_of(figure)
    assert (np.diff(edges) > 0).all()
    np.testing.assert_allclose(edges, [150, 450, 750, 900, 900], atol=0.01)


def test_frames_are_where_the_middle_of_their_samples_is():
    n_fft, hop = 400, 100
    impulse = torch.eye(4000)[1500]
    for center in (True, False):
        front_end = Spectrogram(n_fft=n_fft, win_length=n_fft, hop_length=hop, center=center)
        x = front_end(impulse)
        times, _ = edges_of(plot(x, front_end))
        np.testing.assert_allclose(np.diff(times), hop / 16_000)
        middle = (times[:-1] + times[1:])[x.sum(0).argmax()] / 2
        assert middle == pytest.approx(1500 / 16_000)
    for center, first in ((True, 0), (False, 240)):  # of the average, whatever the filters remember
        times, _ = edges_of(plot(torch.ones(4, 5), Gammatone(n_bands=4, center=center)))
        assert (times[0] + times[1]) / 2 == pytest.approx(first / 16_000)
    figure = plot(x, sample_rate=1000, hop_length=10)
    assert edges_of(figure)[0][0] == pytest.approx(-0.005)
    assert figure.axes[0].get_xlim() == pytest.approx((0.0, 0.01 * x.shape[1] - 0.005))
    assert plot(x, sample_rate=1000, hop_length=10, seconds=0.2).axes[0].get_xlim() == (0.0, 0.2)


@pytest.mark.parametrize(
    ("front_end", "quantity"),
    [
        (Spectrogram(), "power"),
        (MelSpectrogram(power=1.0), "magnitude"),
        (Spectrogram(power=None), "magnitude"),
        (LinearFilterbank(power=0.5), "magnitude^0.5"),
        (LogMel(), "ln power"),
        (LogMel(power=1.0), "ln magnitude"),
        (LogMel(scale="db", top_db=80.0), "power (dB)"),
        (LogMel(scale="db", power=1.0), "10 log10 magnitude"),
        (LogMel(scale="db", subtract_mean="band"), "power (dB), less the band's mean"),
        (MFCC(), "DCT of power (dB)"),
        (LFCC(scale="log"), "DCT of ln power"),
        (Deltas(LogMel()), "ln power"),
    ],
    ids=str,
)
def test_the_colour_bar_says_what_is_measured(front_end, quantity):
    figure = plot(front_end(tone(440)), front_end)
    assert [axes.get_ylabel() for axes in figure.axes][1:] == [quantity]
    assert plot(front_end(tone(440)), front_end, quantity="x").axes[1].get_ylabel() == "x"
    assert len(plot(front_end(tone(440)), front_end, colour_bar=False).axes) == 1


def test_power_is_coloured_80_db_deep():
    x = np.array([[1.0, 1e-4], [1e-8, 0.0]])
    for quantity, values in (("power", x), ("magnitude", np.sqrt(x))):
        norm = mesh_of(plot(values, sample_rate=1, hop_length=1, quantity=quantity)).norm
        assert isinstance(norm, LogNorm)
        np.testing.assert_allclose(norm(values), [[1.0, 0.5], [0.0, 0.0]], atol=1e-12)
    silence = plot(np.zeros((3, 4)), sample_rate=1, hop_length=1, quantity="power")
    silence.draw_without_rendering()
    assert not isinstance(mesh_of(silence).norm, LogNorm)


def test_coefficients_are_numbered_and_the_small_ones_seen_beside_the_large():
    front_end = MFCC(n_mfcc=13)
    x = front_end(0.1 * torch.randn(4000, generator=torch.Generator().manual_seed(0)))
    figure = plot(x, front_end)
    axes, scale = figure.axes
    assert axes.get_ylabel() == "coefficient"
    np.testing.assert_array_equal(edges_of(figure)[1], np.arange(14) - 0.5)
    norm = mesh_of(figure).norm
    assert isinstance(norm, AsinhNorm)
    colours = np.asarray(norm(x[1:].numpy()))
    evenly = (x[1:] - x.min()) / (x.max() - x.min())
    assert np.ptp(colours) > 1.5 * float(evenly.max() - evenly.min())
    shown = [float(label) for label in ticks_of(scale.yaxis)]
    assert 0.0 in shown and shown == sorted(shown)
    assert plot(torch.zeros(13, 5), front_end).axes[0].get_ylabel() == "coefficient"


def test_slopes_and_named_bands():
    figure = plot(Deltas(MFCC())(tone(440)), Deltas(MFCC()))
    assert figure.axes[0].get_ylabel() == "coefficient, then its slopes"

    class Chroma(Spectrogram):
        @property
        def axis(self):
            return Axis(quantity="share", names=("C", "D", "E"), band="pitch class")

    axes = plot(np.ones((3, 5)), Chroma()).axes[0]
    assert axes.get_ylabel() == "pitch class" and ticks_of(axes.yaxis) == ["C", "D", "E"]


def test_one_band_is_a_line():
    figure = plot(Waveform()(tone(440, 1600)), Waveform())
    (axes,) = figure.axes
    (line,) = axes.lines
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time (s)", "amplitude")
    np.testing.assert_allclose(np.asarray(line.get_xdata(), np.float64), np.arange(1600) / 16_000)
    np.testing.assert_array_equal(line.get_ydata(), tone(440, 1600))


def test_of_more_frames_than_pixels_neighbours_are_averaged():
    x = np.arange(2 * 10_001.0).reshape(2, 10_001)
    figure = plot(x, sample_rate=100, hop_length=1)
    drawn, (times, _) = np.asarray(mesh_of(figure).get_array()), edges_of(figure)
    assert drawn.shape == (2, 3334) and times[-1] == pytest.approx(100.005)
    np.testing.assert_allclose(drawn[:, :3333], x[:, :9999].reshape(2, 3333, 3).mean(2))
    np.testing.assert_allclose(drawn[:, 3333], x[:, 9999:].mean(1))


@pytest.mark.parametrize("shape", [(40,), (1, 40, 101), (40, 0)])
def test_what_is_no_picture_is_refused(shape):
    with pytest.raises(ValueError, match=r"features are \(band, frame\); these have shape"):
        plot(np.zeros(shape), LogMel())


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="sample_rate = 8000, hop_length = None: nothing tells the time"):
        plot(np.zeros((3, 4)), sample_rate=8000)
    with pytest.raises(ValueError, match=r"frequencies: expected 3 numbers, one a band, got shape \(2,\)"):
        plot(np.zeros((3, 4)), sample_rate=8000, hop_length=80, frequencies=[1.0, 2.0])


def test_axes_and_gradients_and_files(tmp_path):
    figure = Figure()
    left, right = figure.subplots(1, 2)
    x = LogMel()(tone(440).requires_grad_())
    assert plot(x, LogMel(), axes=right) is figure
    assert len(left.collections) == 0 and len(right.collections) == 1
    figure.savefig(tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_pyplot_is_left_alone():
    code = (
        "import sys, numpy; from audionet.plots.features import plot; print('matplotlib' in sys.modules)\n"
        "plot(numpy.ones((2, 2)), sample_rate=1, hop_length=1); print('matplotlib.pyplot' in sys.modules)"
    )
    folder = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, check=True)
    assert done.stdout.split() == ["False", "False"]
