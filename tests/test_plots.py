"""Pictures show each value in its place: bands at their frequencies, frames at their times, counts in their cells."""

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from librosa import cqt_frequencies, mel_frequencies
from matplotlib.collections import QuadMesh
from matplotlib.colors import AsinhNorm, LogNorm
from matplotlib.figure import Figure
from torchaudio.functional import mu_law_decoding

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
from audionet.plots import plot_confusion, plot_curves, plot_distribution, plot_features
from audionet.plots.style import undrawable

# As Lightning's CSVLogger writes it: 10 steps an epoch, steps and epochs from 0, the test after the last.
HISTORY = """\
epoch,lr-SGD,step,test_accuracy,train_loss,validation_accuracy,validation_loss
,0.025,3,,,,
0,,3,,2.5,,
,0.05,7,,,,
0,,7,,1.5,,
0,,9,,,0.5,2.0
,0.01,13,,,,
1,,13,,1.0,,
1,,19,,,0.75,1.25
2,,20,0.625,,,
"""
GENERATION_HISTORY = """\
epoch,lr-Adam,step,test_bits,train_bits,validation_bits
,0.001,3,,,
0,,3,,6.5,
0,,9,,,4.5
1,,13,,3.5,
1,,19,,,2.75
2,,20,2.3125,,
"""


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
    figure = plot_features(x, front_end, title="a $1 tone")
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
    figure = plot_features(np.zeros((len(frequencies), 3)), sample_rate=16_000, hop_length=160, frequencies=frequencies)
    axes = figure.axes[0]
    n_bands = len(frequencies)
    heights = axes.transData.transform(np.column_stack([np.zeros(n_bands), frequencies]))[:, 1]
    box = axes.get_window_extent()
    np.testing.assert_allclose(heights, box.y0 + box.height * (np.arange(n_bands) + 0.5) / n_bands)
    places = axes.transData.transform([(0, tick) for tick in axes.get_yticks()])[:, 1]
    assert len(places) >= 2 and box.y0 <= places.min() and places.max() <= box.y1
    assert np.diff(places).min() > 0.05 * box.height, "labels run into each other"


def test_octaves_of_a_constant_q_and_round_numbers_of_a_linear_scale():
    octaves = plot_features(np.zeros((84, 3)), sample_rate=1, hop_length=1, frequencies=cqt_frequencies(84, fmin=32.7))
    assert ticks_of(octaves.axes[0].yaxis) == ["62.5", "125", "250", "500", "1000", "2000", "4000"]
    even = plot_features(np.zeros((257, 3)), Spectrogram())
    assert ticks_of(even.axes[0].yaxis) == [str(1000 * number) for number in range(9)]


def test_bands_that_do_not_rise_are_sorted_and_equal_ones_kept_apart():
    x = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0], [4.0, 4.0]])
    figure = plot_features(x, sample_rate=100, hop_length=1, frequencies=torch.tensor([900.0, 300.0, 900.0, 600.0]))
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
        times, _ = edges_of(plot_features(x, front_end))
        np.testing.assert_allclose(np.diff(times), hop / 16_000)
        middle = (times[:-1] + times[1:])[x.sum(0).argmax()] / 2
        assert middle == pytest.approx(1500 / 16_000)
    for center, first in ((True, 0), (False, 240)):  # of the average, whatever the filters remember
        times, _ = edges_of(plot_features(torch.ones(4, 5), Gammatone(n_bands=4, center=center)))
        assert (times[0] + times[1]) / 2 == pytest.approx(first / 16_000)
    figure = plot_features(x, sample_rate=1000, hop_length=10)
    assert edges_of(figure)[0][0] == pytest.approx(-0.005)
    assert figure.axes[0].get_xlim() == pytest.approx((0.0, 0.01 * x.shape[1] - 0.005))
    assert plot_features(x, sample_rate=1000, hop_length=10, seconds=0.2).axes[0].get_xlim() == (0.0, 0.2)


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
    figure = plot_features(front_end(tone(440)), front_end)
    assert [axes.get_ylabel() for axes in figure.axes][1:] == [quantity]
    assert plot_features(front_end(tone(440)), front_end, quantity="x").axes[1].get_ylabel() == "x"
    assert len(plot_features(front_end(tone(440)), front_end, colorbar=False).axes) == 1


def test_power_is_coloured_80_db_deep():
    x = np.array([[1.0, 1e-4], [1e-8, 0.0]])
    for quantity, values in (("power", x), ("magnitude", np.sqrt(x))):
        norm = mesh_of(plot_features(values, sample_rate=1, hop_length=1, quantity=quantity)).norm
        assert isinstance(norm, LogNorm)
        np.testing.assert_allclose(norm(values), [[1.0, 0.5], [0.0, 0.0]], atol=1e-12)
    silence = plot_features(np.zeros((3, 4)), sample_rate=1, hop_length=1, quantity="power")
    silence.draw_without_rendering()
    assert not isinstance(mesh_of(silence).norm, LogNorm)


def test_coefficients_are_numbered_and_the_small_ones_seen_beside_the_large():
    front_end = MFCC(n_mfcc=13)
    x = front_end(0.1 * torch.randn(4000, generator=torch.Generator().manual_seed(0)))
    figure = plot_features(x, front_end)
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
    assert plot_features(torch.zeros(13, 5), front_end).axes[0].get_ylabel() == "coefficient"


def test_slopes_and_named_bands():
    figure = plot_features(Deltas(MFCC())(tone(440)), Deltas(MFCC()))
    assert figure.axes[0].get_ylabel() == "coefficient, then its slopes"

    class Chroma(Spectrogram):
        @property
        def axis(self):
            return Axis(quantity="share", names=("C", "D", "E"), band="pitch class")

    axes = plot_features(np.ones((3, 5)), Chroma()).axes[0]
    assert axes.get_ylabel() == "pitch class" and ticks_of(axes.yaxis) == ["C", "D", "E"]


def test_one_band_is_a_line():
    figure = plot_features(Waveform()(tone(440, 1600)), Waveform())
    (axes,) = figure.axes
    (line,) = axes.lines
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time (s)", "amplitude")
    np.testing.assert_allclose(np.asarray(line.get_xdata(), np.float64), np.arange(1600) / 16_000)
    np.testing.assert_array_equal(line.get_ydata(), tone(440, 1600))


def test_of_more_frames_than_pixels_neighbours_are_averaged():
    x = np.arange(2 * 10_001.0).reshape(2, 10_001)
    figure = plot_features(x, sample_rate=100, hop_length=1)
    drawn, (times, _) = np.asarray(mesh_of(figure).get_array()), edges_of(figure)
    assert drawn.shape == (2, 3334) and times[-1] == pytest.approx(100.005)
    np.testing.assert_allclose(drawn[:, :3333], x[:, :9999].reshape(2, 3333, 3).mean(2))
    np.testing.assert_allclose(drawn[:, 3333], x[:, 9999:].mean(1))


@pytest.mark.parametrize("shape", [(40,), (1, 40, 101), (40, 0)])
def test_what_is_no_picture_is_refused(shape):
    with pytest.raises(ValueError, match=r"x: expected features \(band, frame\), got \("):
        plot_features(np.zeros(shape), LogMel())


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="expected one, or sample_rate and hop_length, got 8000 and None"):
        plot_features(np.zeros((3, 4)), sample_rate=8000)
    with pytest.raises(ValueError, match=r"frequencies: expected \(3,\), one a band, got \(2,\)"):
        plot_features(np.zeros((3, 4)), sample_rate=8000, hop_length=80, frequencies=[1.0, 2.0])


def test_axes_and_gradients_and_files(tmp_path):
    figure = Figure()
    left, right = figure.subplots(1, 2)
    x = LogMel()(tone(440).requires_grad_())
    assert plot_features(x, LogMel(), axes=right) is figure
    assert len(left.collections) == 0 and len(right.collections) == 1
    figure.savefig(tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_narrow_range_of_frequencies_still_has_ticks():
    frequencies = mel_frequencies(12, fmin=5000, fmax=7000, htk=True)[1:-1]
    figure = plot_features(np.zeros((10, 5)), sample_rate=16_000, hop_length=160, frequencies=frequencies)
    low, high = figure.axes[0].get_ylim()
    assert sum(low <= tick <= high for tick in figure.axes[0].get_yticks()) >= 2


def test_matplotlib_is_imported_with_the_first_picture_and_pyplot_never():
    code = (
        "import sys, audionet.plots, audionet.report; print('matplotlib' in sys.modules)\n"
        "from audionet.plots import plot_confusion, plot_curves, plot_distribution, plot_features\n"
        "plot_features([[1, 2], [3, 4]], sample_rate=1, hop_length=1); plot_confusion([[1]], ['a'])\n"
        "plot_distribution([[0.5, 0.5]], sample_rate=1); print('matplotlib.pyplot' in sys.modules)"
    )
    folder = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, check=True)
    assert done.stdout.split() == ["False", "False"]


# ---- confusion matrix and curves ---


def texts(axes):
    return [text.get_text() for text in axes.texts]


def names(labels):
    return [label.get_text() for label in labels]


def lines(axes):
    return {line.get_label(): line.get_xydata() for line in axes.lines}


def legend(axes):
    return names(axes.get_legend().get_texts())


def shares(axes):
    return axes.images[0].get_array()


@pytest.fixture
def history(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text(HISTORY)
    return path


def test_confusion_matrix():
    figure = plot_confusion([[3, 1], [0, 4]], ["yes", "a$b$"])
    axes, scale = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")
    assert names(axes.get_xticklabels()) == names(axes.get_yticklabels()) == ["yes", "a$b$"]
    assert not any(label.get_parse_math() for label in axes.get_xticklabels())
    assert {text.get_position(): text.get_text() for text in axes.texts} == {(0, 0): "3", (1, 0): "1", (1, 1): "4"}
    np.testing.assert_array_equal(shares(axes), [[75, 25], [0, 100]])
    assert axes.images[0].get_clim() == (0, 100)
    figure.draw_without_rendering()
    assert "100%" in names(scale.get_yticklabels())


@pytest.mark.parametrize("n_classes", [1, 10, 12, 35])
def test_numbers_fit_their_cells(n_classes):
    confusion = np.full((n_classes, n_classes), 12) + 400 * np.eye(n_classes, dtype=int)
    figure = plot_confusion(confusion, [f"a long name {index}" for index in range(n_classes)])
    figure.draw_without_rendering()
    axes = figure.axes[0]
    assert len(axes.texts) == n_classes**2
    cell = axes.get_window_extent().width / n_classes
    widths = [text.get_window_extent().width for text in axes.texts]
    assert max(widths) < cell
    assert all(float(text.get_fontsize()) >= 5 for text in axes.texts)
    boxes = [label.get_window_extent() for label in axes.get_yticklabels()]
    assert all(upper.y0 >= lower.y1 - 1 for upper, lower in zip(boxes, boxes[1:], strict=False)), "labels overlap"


def test_numbers_that_do_not_fit_are_left_out():
    figure = plot_confusion(np.full((120, 120), 1234), [str(index) for index in range(120)])
    assert len(figure.axes[0].texts) == 0


def test_empty_rows_and_long_labels():
    axes = plot_confusion([[0, 0], [1, 1]], ["x" * 200, "b"]).axes[0]
    assert shares(axes).tolist() == [[0, 0], [50, 50]]
    assert names(axes.get_xticklabels()) == ["x" * 19 + "…", "b"]


def test_characters_that_the_first_font_lacks_are_drawn_in_another():
    figure = plot_confusion([[1, 0], [0, 1]], ["\N{CIRCLED LATIN CAPITAL LETTER A}", "b"])
    families = figure.axes[0].get_xticklabels()[0].get_fontfamily()
    assert "STIXGeneral" in families and not any("Last Resort" in family for family in families)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # such as of a missing glyph
        figure.draw_without_rendering()
    assert len(plot_confusion([[1]], ["Straße, naïve"]).axes[0].get_xticklabels()[0].get_fontfamily()) == 1


def test_a_number_stands_for_a_label_that_cannot_be_drawn_or_told_apart():
    lacking = next(chr(code) for code in range(0x1F900, 0x1FFFF) if undrawable(chr(code)))
    labels = ["ąžuolas", "\udcff", "two\nlines", "", lacking, "x" * 200, "x" * 201, "y" * 200, "$a$"]
    figure = plot_confusion(np.eye(9, dtype=int), labels)
    figure.draw_without_rendering()
    assert names(figure.axes[0].get_yticklabels()) == [
        "ąžuolas",
        *(f"#{n}" for n in range(2, 8)),
        "y" * 19 + "…",
        "$a$",
    ]


def test_confusion_matrix_of_other_labels_is_refused():
    with pytest.raises(ValueError, match="labels: expected 2, one a class, got 1"):
        plot_confusion([[1, 0], [0, 1]], ["a"])


def test_curves(history):
    loss, accuracy, rate = plot_curves(history).axes
    assert [axes.get_ylabel() for axes in (loss, accuracy, rate)] == ["loss", "accuracy", "learning rate"]
    assert rate.get_xlabel() == "epoch"
    np.testing.assert_allclose(lines(loss)["training"], [(0.4, 2.5), (0.8, 1.5), (1.4, 1.0)])
    np.testing.assert_allclose(lines(loss)["validation"], [(1, 2.0), (2, 1.25)])
    np.testing.assert_allclose(lines(accuracy)["validation"], [(1, 0.5), (2, 0.75)])
    np.testing.assert_allclose(lines(accuracy)["test, 62.5%"][:, 1], 0.625)
    np.testing.assert_allclose(lines(rate)["lr-SGD"], [(0.4, 0.025), (0.8, 0.05), (1.4, 0.01)])
    assert legend(loss) == ["training", "validation"]


def test_curves_of_bits(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text(GENERATION_HISTORY)
    bits, rate = plot_curves(path).axes
    assert [axes.get_ylabel() for axes in (bits, rate)] == ["bits per sample", "learning rate"]
    np.testing.assert_allclose(lines(bits)["training"], [(0.4, 6.5), (1.4, 3.5)])
    np.testing.assert_allclose(lines(bits)["validation"], [(1, 4.5), (2, 2.75)])
    np.testing.assert_allclose(lines(bits)["test, 2.31"][:, 1], 2.3125)
    assert legend(bits) == ["training", "validation", "test, 2.31"]


@pytest.mark.parametrize(
    ("content", "panels", "unit"),
    [
        ("epoch,step,train_loss\n0,4,1.5\n", ["loss"], "epoch"),
        ("step,train_loss\n0,2.5\n1,1.5\n", ["loss"], "step"),
        ("epoch,step,test_accuracy,validation_accuracy\n0,4,,0.5\n1,5,0.6,\n", ["accuracy"], "epoch"),
        ("epoch,step,train_loss,validation_loss\n0,4,nan,\n0,9,,inf\n", ["loss"], "epoch"),
        ("epoch,step,train_loss\n0,4,1.5\n0,9", ["loss"], "epoch"),
    ],
    ids=["one column", "no epochs", "no loss", "not finite", "cut off"],
)
def test_history_with_less_in_it(tmp_path, content, panels, unit):
    path = tmp_path / "metrics.csv"
    path.write_text(content)
    figure = plot_curves(path)
    figure.draw_without_rendering()
    assert [axes.get_ylabel() for axes in figure.axes] == panels
    assert figure.axes[-1].get_xlabel() == unit


@pytest.mark.parametrize("content", ["", "epoch,step,other\n", "epoch,step,other\n0,1,2.0\n"])
def test_history_without_curves_says_so(tmp_path, content):
    path = tmp_path / "metrics.csv"
    path.write_text(content)
    figure = plot_curves(path)
    assert figure.axes == [] and texts(figure) == ["no curves were recorded"]


def test_noisy_loss_gets_its_running_mean(tmp_path):
    values = 1 + 0.5 * (-1.0) ** np.arange(200)
    path = tmp_path / "metrics.csv"
    path.write_text("step,train_loss\n" + "".join(f"{step},{value}\n" for step, value in enumerate(values)))
    axes = plot_curves(path).axes[0]
    raw, mean = (np.asarray(line.get_xydata()) for line in axes.lines)
    np.testing.assert_allclose(raw[:, 1], values)
    np.testing.assert_allclose(mean[:, 1], 1.0)
    assert legend(axes) == ["training (running mean)"]


@pytest.mark.parametrize("content", ["step,train_loss\n1,abc\n", "step,train_loss\n1,2,3\n"])
def test_history_that_is_none_is_refused(tmp_path, content):
    path = tmp_path / "metrics.csv"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"metrics\.csv: expected the numbers of CSVLogger's"):
        plot_curves(path)


def test_missing_history_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"none\.csv: expected the numbers of CSVLogger's"):
        plot_curves(tmp_path / "none.csv")


# ---- distribution ---


@pytest.fixture
def expected():
    """What a network that is rather sure of a rising line says of it: probabilities and the line."""
    codes = np.linspace(20, 235, 80).round()
    weights = np.exp(-(((np.arange(256) - codes[:, None]) / 6) ** 2))
    probabilities = weights / weights.sum(1, keepdims=True)
    return probabilities, mu_law_decoding(torch.from_numpy(codes), 256).numpy()


def test_distribution(expected):
    probabilities, signal = expected
    figure = plot_distribution(probabilities, samples=signal, sample_rate=8000, title="a $1 word")
    figure.draw_without_rendering()
    axes, scale = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel(), scale.get_ylabel()) == ("time (s)", "amplitude", "probability")
    assert axes.get_title(loc="left") == "a $1 word"
    (image,) = axes.images
    np.testing.assert_array_equal(image.get_array(), probabilities.T)
    assert list(image.get_extent()) == [0.0, 0.01, -0.5, 255.5] and image.origin == "lower"
    darkness = np.asarray(image.norm(np.array([0, 1e-4, 1e-2, 1])))
    np.testing.assert_allclose(darkness, [0, 0, 0.5, 1], atol=1e-12)
    (points,) = lines(axes).values()
    np.testing.assert_allclose(points[:, 0], (np.arange(80) + 0.5) / 8000)
    np.testing.assert_allclose(points[:, 1], probabilities.argmax(1), atol=1e-3)  # through what was most probable


def test_amplitudes_of_the_codes_of_mu_law():
    axes = plot_distribution(np.full((4, 256), 1 / 256), sample_rate=8000).axes[0]
    assert names(axes.get_yticklabels()) == ["-1", "-0.1", "-0.01", "0", "0.01", "0.1", "1"]
    ticks = [float(tick) for tick in names(axes.get_yticklabels())]
    # The law itself, mu = 255, between whose codes the axis runs.
    codes = 255 * (np.sign(ticks) * np.log1p(255 * np.abs(ticks)) / np.log(256) + 1) / 2
    np.testing.assert_allclose(axes.get_yticks(), codes, atol=0.05)
    assert len(axes.lines) == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"probabilities": np.ones(256) / 256}, r"\(time, code\), got \(256,\)"),
        ({"probabilities": np.ones((0, 256))}, r"\(time, code\)"),
        ({"probabilities": np.full((4, 256), -5.5)}, "got -5.5; take the softmax first"),
        ({"samples": np.zeros(5)}, r"samples: expected \(4,\), as the probabilities have, got \(5,\)"),
        ({"samples": np.full(4, 128)}, "to_waveform"),
    ],
)
def test_what_is_no_distribution_is_refused(changes, words):
    arguments = {"probabilities": np.ones((4, 256)) / 256, "sample_rate": 8000}
    with pytest.raises(ValueError, match=words):
        plot_distribution(**arguments | changes)
