"""The report of a training run: pictures that say what they show, and one page with everything in it."""

import io
import subprocess
import sys
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from librosa import mel_frequencies
from matplotlib.collections import QuadMesh
from matplotlib.image import imread
from torchaudio.functional import mu_law_decoding

from audionet import audio
from audionet.report import (
    ReportClip,
    plot_clip,
    plot_confusion,
    plot_curves,
    plot_distribution,
    plot_spectrogram,
    write,
    write_generation,
)

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
VOID = {"meta", "link", "img"}


class Page(HTMLParser):
    """Elements with their attributes and the text inside; a tag that is not closed in its place is an error."""

    def __init__(self, path):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += f" {data.strip()}"

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def embedded(url, kind):
    prefix = f"data:{kind};base64,"
    assert url.startswith(prefix)
    return b64decode(url.removeprefix(prefix), validate=True)


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


@pytest.fixture
def clips(tmp_path):
    time = np.arange(4000) / 8000
    for name, hertz in (("low", 300), ("high", 2000)):
        audio.save_audio(tmp_path / f"{name}.wav", 0.5 * np.sin(2 * np.pi * hertz * time), 8000)
    return [
        ReportClip(tmp_path / "low.wav", "no", [("no", 0.875), ("yes", 0.125)]),
        ReportClip(tmp_path / "high.wav", "yes", [("no", 0.5625), ("yes", 0.4375)]),
    ]


@pytest.fixture
def arguments(history):
    return {
        "title": "Two words",
        "facts": {"seed": "17"},
        "labels": ["yes", "no"],
        "confusion": [[30, 10], [0, 40]],
        "history": history,
    }


@pytest.fixture
def generation(tmp_path, clips):
    path = tmp_path / "generation.csv"
    path.write_text(GENERATION_HISTORY)
    return {
        "title": "Ten digits",
        "bits": 2.3125,
        "n_test_clips": 1300,
        "facts": {"seed": "17"},
        "history": path,
        "clips": clips,
    }


@pytest.fixture
def expected():
    """What a network that is rather sure of a rising line says of it: probabilities and the line."""
    codes = np.linspace(20, 235, 80).round()
    weights = np.exp(-(((np.arange(256) - codes[:, None]) / 6) ** 2))
    probabilities = weights / weights.sum(1, keepdims=True)
    return probabilities, mu_law_decoding(torch.from_numpy(codes), 256).numpy()


# ---- the page ----------------------------------------------------------------------------------------------


def test_report_says_what_came_out(tmp_path, arguments, clips):
    path = write(tmp_path / "new/folder", clips=clips, **arguments)

    assert path == tmp_path / "new/folder/report.html"
    assert sorted(file.name for file in path.parent.iterdir()) == ["confusion.png", "curves.png", "report.html"]
    text = " ".join(Page(path).text.split())
    assert "Two words 87.5% accuracy: 70 of 80 test clips named right" in text
    assert "seed 17" in text
    assert "yes 100.0% 75.0% 85.7% 40" in text and "no 80.0% 100.0% 88.9% 40" in text
    assert "no ✓ right no 87.5% yes 12.5% low.wav" in text
    assert "yes ✗ wrong no 56.2% yes 43.8% high.wav" in text


def test_bars_are_as_long_as_the_probabilities(tmp_path, arguments, clips):
    bars = [span["style"] for span in Page(write(tmp_path, clips=clips, **arguments)).all("span") if "style" in span]
    assert bars == ["width:87.5%", "width:12.5%", "width:56.2%", "width:43.8%"]


def test_everything_is_inside_the_page(tmp_path, arguments, clips):
    page = Page(write(tmp_path, clips=clips, **arguments))

    pictures = [embedded(image["src"], "image/png") for image in page.all("img")]
    assert len(pictures) == 2 + len(clips)
    assert pictures[0] == (tmp_path / "curves.png").read_bytes()
    assert pictures[1] == (tmp_path / "confusion.png").read_bytes()
    assert all(imread(io.BytesIO(picture)).std() > 0.01 for picture in pictures), "a picture is blank"
    assert pictures[2] != pictures[3]
    assert all(image["alt"] for image in page.all("img"))
    sounds = [embedded(player["src"], "audio/wav") for player in page.all("audio")]
    assert sounds == [clip.path.read_bytes() for clip in clips]

    addresses = [
        value for _, attributes in page.elements for key, value in attributes.items() if key in ("src", "href")
    ]
    assert all(address.startswith("data:") for address in addresses)
    assert page.all("script") == []
    policies = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:"]


def test_text_is_escaped(tmp_path, arguments, clips):
    nasty = "<script>alert('x')</script> & \"$title\""
    sound = tmp_path / "a<b>&'c.wav"
    clips[0].path.rename(sound)
    clip = ReportClip(sound, nasty, [(nasty, 0.5)])
    changes = {"title": nasty, "facts": {nasty: nasty}, "labels": [nasty, "no"]}

    page = Page(write(tmp_path, clips=[clip], **arguments | changes))

    assert page.all("script") == [] and page.all("b") == []
    assert page.text.count(nasty) == 7  # twice the title, fact's name, its value, label, truth, prediction
    assert sound.name in page.text
    assert page.all("img")[2]["alt"] == f"Spectrogram of {nasty}"


def test_report_without_clips_or_facts(tmp_path, arguments):
    page = Page(write(tmp_path, **arguments | {"facts": {}}))
    assert page.all("audio") == [] and "Listen" not in page.text


def test_many_classes_take_the_whole_width(tmp_path, arguments):
    def wide(n_classes):
        changes = {"labels": [str(index) for index in range(n_classes)], "confusion": np.eye(n_classes, dtype=int)}
        page = Page(write(tmp_path, **arguments | changes))
        return sum("wide" in section["class"] for section in page.all("section"))

    assert (wide(12), wide(35)) == (0, 2)


def test_failure_leaves_the_former_report(tmp_path, arguments, clips):
    path = write(tmp_path / "out", **arguments)
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    silent = ReportClip(clips[0].path, "yes", [])
    with pytest.raises(ValueError, match=r"low\.wav: no predictions"):
        write(tmp_path / "out", clips=[silent], **arguments | {"title": "Other"})
    missing = ReportClip(tmp_path / "missing.wav", "yes", [("yes", 1.0)])
    with pytest.raises(ValueError, match=r"missing\.wav"):
        write(tmp_path / "out", clips=[missing], **arguments | {"title": "Other"})
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before


@pytest.mark.parametrize(
    ("rate", "n_samples", "loudness"),
    [
        (8000, 40, 0.5),
        (8000, 160, 0.5),
        (16_000, 8000, 0.5),
        (44_100, 2000, 0.5),
        (48_000, 4800, 0.5),
        (8000, 160, 0.0),
    ],
)
def test_clips_of_any_rate_length_and_loudness(tmp_path, generation, rate, n_samples, loudness):
    path = tmp_path / "clip.wav"
    audio.save_audio(path, loudness * np.random.default_rng(0).uniform(-1, 1, (2, n_samples)), rate)
    page = Page(write_generation(tmp_path, **generation | {"clips": [ReportClip(path, "yes")]}))
    picture = imread(io.BytesIO(embedded(page.all("img")[1]["src"], "image/png")))
    # Matplotlib's BuPu is purple where the sound is: green fades first.
    is_dark = (picture[..., 1] < 0.7) & (picture[..., 0] - picture[..., 1] > 0.1)
    assert (is_dark.mean() > 0.1) == (loudness > 0)


def test_generation_says_what_came_out(tmp_path, generation, expected):
    heat_map = plot_distribution(expected[0], samples=expected[1], sample_rate=8000)
    path = write_generation(tmp_path / "new/folder", heat_map=heat_map, **generation)

    assert path == tmp_path / "new/folder/report.html"
    assert sorted(file.name for file in path.parent.iterdir()) == ["curves.png", "heat_map.png", "report.html"]
    page = Page(path)
    text = " ".join(page.text.split())
    assert "Ten digits 2.31 bits per sample on 1,300 test clips" in text
    assert "seed 17" in text
    assert "A recogniser took 1 of 2 for what they should be." in text
    assert "no ✓ right no 87.5% yes 12.5% low.wav" in text
    curves, heat, *spectrograms = [embedded(image["src"], "image/png") for image in page.all("img")]
    assert curves == (path.parent / "curves.png").read_bytes()
    assert heat == (path.parent / "heat_map.png").read_bytes()
    assert len(spectrograms) == len(page.all("audio")) == 2


def test_both_reports_share_their_looks_and_their_policy(tmp_path, arguments, generation):
    pages = [write(tmp_path / "a", **arguments), write_generation(tmp_path / "b", **generation)]
    heads = [page.read_text(encoding="utf-8").partition("</style>")[0].partition("<title>") for page in pages]
    assert heads[0][0] == heads[1][0] and "default-src 'none'" in heads[0][0]
    styles = [head[2].partition("<style>")[2] for head in heads]
    assert styles[0] == styles[1] != ""


def test_generated_clips_without_a_recogniser(tmp_path, generation, clips):
    bare = ReportClip(clips[0].path, "a <b>", conditions={"speaker": "jack & jo", "temperature": "0.9"})
    page = Page(write_generation(tmp_path, **generation | {"clips": [bare]}))
    text = " ".join(page.text.split())
    assert "Generated a <b> speaker jack & jo, temperature 0.9 low.wav" in text
    assert "recogniser" not in text and "right" not in text and "wrong" not in text
    assert page.all("table") == [] and page.all("b") == []
    assert len(page.all("audio")) == 1


def test_generation_without_clips_or_heat_map(tmp_path, generation):
    page = Page(write_generation(tmp_path / "out", **generation | {"clips": []}))
    assert page.all("audio") == [] and "Generated" not in page.text and "expected" not in page.text
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["curves.png", "report.html"]


def test_failure_leaves_the_former_generation_report(tmp_path, generation):
    path = write_generation(tmp_path / "out", **generation)
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    missing = ReportClip(tmp_path / "missing.wav", "yes")
    with pytest.raises(ValueError, match=r"missing\.wav"):
        write_generation(tmp_path / "out", **generation | {"title": "Other", "clips": [missing]})
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before


def test_pyplot_is_left_alone():
    code = (
        "import sys; from audionet.report import plot_confusion, plot_spectrogram\n"
        "plot_confusion([[1]], ['a']); plot_spectrogram([[1.0]], seconds=1.0, sample_rate=8000)\n"
        "print('matplotlib' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[1], check=True
    )
    assert done.stdout.split() == ["True", "False"]


# ---- pictures ----------------------------------------------------------------------------------------------


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


def test_confusion_matrix_of_other_labels_is_refused():
    with pytest.raises(ValueError, match="1 labels for a confusion matrix of 2 classes"):
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


def test_curves_of_bits(generation):
    bits, rate = plot_curves(generation["history"]).axes
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
    with pytest.raises(ValueError, match=r"metrics\.csv: no history of numbers"):
        plot_curves(path)


def test_missing_history_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"none\.csv: no history of numbers"):
        plot_curves(tmp_path / "none.csv")


def test_spectrogram_axes():
    values = np.random.default_rng(0).normal(size=(40, 101))
    figure = plot_spectrogram(values, seconds=1.0, sample_rate=16_000, title="a $1 word")
    figure.draw_without_rendering()
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time (s)", "frequency (Hz)")
    assert axes.get_title(loc="left") == "a $1 word"
    assert names(axes.get_yticklabels()) == ["250", "500", "1000", "2000", "4000"]
    assert axes.get_xlim() == (0.0, 1.0)
    np.testing.assert_array_equal(axes.collections[0].get_array(), values)


@pytest.mark.parametrize(("mel_scale", "f_min", "f_max"), [("htk", 0.0, None), ("slaney", 60.0, 7600.0)])
def test_every_band_is_drawn_at_its_own_frequency(mel_scale, f_min, f_max):
    figure = plot_spectrogram(
        np.zeros((40, 10)), seconds=1.0, sample_rate=16_000, f_min=f_min, f_max=f_max, mel_scale=mel_scale
    )
    axes = figure.axes[0]
    centres = mel_frequencies(42, fmin=f_min, fmax=f_max or 8000.0, htk=mel_scale == "htk")[1:-1]
    heights = axes.transData.transform(np.column_stack([np.zeros(40), centres]))[:, 1]
    box = axes.get_window_extent()
    np.testing.assert_allclose(heights, box.y0 + box.height * (np.arange(40) + 0.5) / 40)  # evenly, on a mel axis
    (mesh,) = axes.collections
    assert isinstance(mesh, QuadMesh)
    edges = np.asarray(mesh.get_coordinates())[:, 0, 1]
    assert (edges[:-1] < centres).all() and (centres < edges[1:]).all()


def test_narrow_range_of_frequencies_still_has_ticks():
    figure = plot_spectrogram(np.zeros((10, 5)), seconds=1.0, sample_rate=16_000, f_min=5000.0, f_max=7000.0)
    low, high = figure.axes[0].get_ylim()
    assert sum(low <= tick <= high for tick in figure.axes[0].get_yticks()) >= 2


@pytest.mark.parametrize("shape", [(40,), (1, 40, 101), (40, 0)])
def test_what_is_no_spectrogram_is_refused(shape):
    with pytest.raises(ValueError, match=r"\(n_mels, frame\); this one has shape"):
        plot_spectrogram(np.zeros(shape), seconds=1.0, sample_rate=16_000)


@pytest.mark.parametrize("hertz", [250, 1000, 3000])
def test_a_tone_is_dark_at_its_own_frequency(hertz):
    axes = plot_clip(np.sin(2 * np.pi * hertz * np.arange(4000) / 8000), 8000).axes[0]
    (mesh,) = axes.collections
    assert isinstance(mesh, QuadMesh)
    power = np.asarray(mesh.get_array())
    edges = np.asarray(mesh.get_coordinates())[:, 0, 1]
    loudest = power[:, 10:-10].mean(1).argmax()
    assert edges[loudest] <= hertz <= edges[loudest + 1]
    assert axes.get_xlim() == (0.0, 0.5)


@pytest.mark.parametrize("shape", [(2, 4000), (0,)])
def test_what_is_no_sound_is_refused(shape):
    with pytest.raises(ValueError, match=r"\(time,\); this one has shape"):
        plot_clip(np.zeros(shape), 8000)


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
    ("widest", "labels"),
    [(1.0, ["-1", "-0.5", "-0.2", "0", "0.2", "0.5", "1"]), (0.3, ["-0.2", "-0.1", "0", "0.1", "0.2"])],
)
def test_other_amplitudes(widest, labels):
    amplitudes = np.linspace(-widest, widest, 256)
    axes = plot_distribution(
        np.full((3, 256), 1 / 256), samples=[-widest, 0, widest], sample_rate=8000, amplitudes=amplitudes
    ).axes[0]
    assert names(axes.get_yticklabels()) == labels
    (points,) = lines(axes).values()
    np.testing.assert_allclose(points[:, 1], [0, 127.5, 255])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"probabilities": np.ones(256) / 256}, r"\(time, bin\); these have shape \(256,\)"),
        ({"probabilities": np.ones((0, 256))}, r"\(time, bin\)"),
        ({"probabilities": np.full((4, 256), -5.5)}, "got -5.5 to -5.5; take the softmax first"),
        ({"samples": np.zeros(5)}, r"expected 4, one a row of the probabilities, got shape \(5,\)"),
        ({"samples": np.full(4, 128)}, "to_waveform"),
        ({"amplitudes": np.linspace(-1, 1, 255)}, r"256 rising numbers, one a bin, got shape \(255,\)"),
        ({"amplitudes": np.linspace(1, -1, 256)}, "rising"),
    ],
)
def test_what_is_no_distribution_is_refused(changes, words):
    arguments = {"probabilities": np.ones((4, 256)) / 256, "sample_rate": 8000}
    with pytest.raises(ValueError, match=words):
        plot_distribution(**arguments | changes)
