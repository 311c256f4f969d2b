"""The report of a training run is one page that contains everything."""

import io
from base64 import b64decode
from html.parser import HTMLParser
from typing import Any, cast

import numpy as np
import pytest
import torch
from matplotlib.collections import QuadMesh
from matplotlib.image import imread

from audionet import audio
from audionet.metrics import Answers
from audionet.plots import plot_distribution
from audionet.report import ReportClip, plot_clip, save_generated, write_generation, write_recognition

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
FILES = ["confusion.png", "curves.png", "reliability.png", "report.html"]


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


def answers_of(confusion):
    """Answers, all of a probability of 90%, that give these counts (true, predicted)."""
    true, given = np.repeat(np.argwhere(np.ones_like(confusion)), np.ravel(confusion), axis=0).T
    return Answers(np.arange(len(true)), true, given, np.full(len(true), 0.9))


@pytest.fixture
def arguments(history):
    return {
        "title": "Two words",
        "facts": {"seed": "17"},
        "labels": ["yes", "no"],
        "answers": answers_of([[30, 10], [0, 40]]),
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


def test_report_says_what_came_out(tmp_path, arguments, clips):
    path = write_recognition(tmp_path / "new/folder", clips=clips, **arguments)

    assert path == tmp_path / "new/folder/report.html"
    assert sorted(file.name for file in path.parent.iterdir()) == FILES
    text = " ".join(Page(path).text.split())
    assert "Two words 87.5% accuracy: 70 of 80 test clips named right, 95% interval 78.5% to 93.1%" in text
    assert "Intervals are Wilson's" in text and "synthetic" not in text
    assert "seed 17" in text
    assert "yes 100.0% 75.0% 60–86% 85.7% 40" in text and "no 80.0% 100.0% 91–100% 88.9% 40" in text
    assert "yes heard as no 10 of 40 14–40%" in text and "no heard as yes" not in text
    assert "off it by 2.5 points in the mean, with the temperature 1.00" in text
    assert "none of these" not in text and "Speakers" not in text
    assert "no ✓ right no 87.5% yes 12.5% low.wav" in text
    assert "yes ✗ wrong no 56.2% yes 43.8% high.wav" in text


def test_bars_are_as_long_as_the_probabilities(tmp_path, arguments, clips):
    bars = [
        span["style"]
        for span in Page(write_recognition(tmp_path, clips=clips, **arguments)).all("span")
        if "style" in span
    ]
    assert bars == ["width:87.5%", "width:12.5%", "width:56.2%", "width:43.8%"]


def test_everything_is_inside_the_page(tmp_path, arguments, clips):
    page = Page(write_recognition(tmp_path, clips=clips, **arguments))

    pictures = [embedded(image["src"], "image/png") for image in page.all("img")]
    assert len(pictures) == 3 + len(clips)
    assert pictures[0] == (tmp_path / "curves.png").read_bytes()
    assert pictures[1] == (tmp_path / "confusion.png").read_bytes()
    assert all(imread(io.BytesIO(picture)).std() > 0.01 for picture in pictures), "a picture is blank"
    assert pictures[2] == (tmp_path / "reliability.png").read_bytes()
    assert pictures[3] != pictures[4]
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

    page = Page(write_recognition(tmp_path, clips=[clip], **arguments | changes))

    assert page.all("script") == [] and page.all("b") == []
    assert page.text.count(nasty) == 8  # twice the title, fact's name, its value, label, confusion, truth, prediction
    assert sound.name in page.text
    assert page.all("img")[3]["alt"] == f"Spectrogram of {nasty}"


def test_a_synthetic_figure_is_called_so_and_stands_beside_others(tmp_path, arguments):
    beside = [("81.0%", "on real recordings"), ("90.5%", "on people")]
    path = write_recognition(tmp_path, kind="synthetic", beside=beside, **arguments)
    text = " ".join(Page(path).text.split())
    assert "Two words: 87.5% synthetic" in text  # the title
    assert "87.5% synthetic accuracy: 70 of 80" in text
    assert "81.0% on real recordings 90.5% on people" in text


def test_the_threshold_and_what_it_does_is_said(tmp_path, arguments):
    answers = answers_of([[30, 10], [4, 36]])
    probability = np.where(np.arange(80) % 2 == 0, 0.95, 0.6)
    changes = {"labels": ["yes", "_unknown_"], "answers": answers._replace(probability=probability)}
    path = write_recognition(tmp_path, threshold=0.8, temperature=1.25, **arguments | changes)
    assert sorted(file.name for file in path.parent.iterdir() if file.suffix == ".png")[-1] == "threshold.png"
    text = " ".join(Page(path).text.split())
    assert "with the temperature 1.25" in text
    assert (
        "At the threshold 0.8, 2 of 40 clips that hold none of the words are answered with a word (5.0%; 1–17%), "
        "and 25 of 40 words with none (62.5%; 47–76%)."
    ) in text


def test_speakers_are_listed_the_worst_first(tmp_path, arguments):
    speakers = ["ann"] * 40 + ["bob"] * 38 + ["", ""]  # 10 of ann's are wrong
    counts = {name: {"train": 3, "validation": 0, "test": 0} for name in ("ann", "bob", "zoe")}
    page = Page(write_recognition(tmp_path, speakers=speakers, speaker_counts=counts, **arguments))
    text = " ".join(page.text.split())
    assert "ann 30 of 40 75.0% 60–86% 3 bob 38 of 38 100.0% 91–100% 3" in text
    assert "1 who were not tested speaker training zoe 3" in text


def test_many_speakers_are_folded(tmp_path, arguments):
    page = Page(write_recognition(tmp_path, speakers=[f"s{number:02}" for number in range(80)], **arguments))
    assert "60 more" in page.text and len(page.all("details")) == 1


def test_report_without_clips_or_facts(tmp_path, arguments):
    page = Page(write_recognition(tmp_path, **arguments | {"facts": {}}))
    assert page.all("audio") == [] and "Listen" not in page.text


def test_many_classes_take_the_whole_width(tmp_path, arguments):
    def wide(n_classes):
        answers = answers_of(np.eye(n_classes, dtype=int))
        changes = {"labels": [str(index) for index in range(n_classes)], "answers": answers}
        page = Page(write_recognition(tmp_path, **arguments | changes))
        return sum("wide" in section["class"] for section in page.all("section"))

    assert (wide(12), wide(35)) == (0, 2)


def test_failure_leaves_the_former_report(tmp_path, arguments, clips):
    path = write_recognition(tmp_path / "out", **arguments)
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    silent = ReportClip(clips[0].path, "yes", [])
    with pytest.raises(ValueError, match=r"low\.wav: expected at least one \(label, probability\), got \[\]"):
        write_recognition(tmp_path / "out", clips=[silent], **arguments | {"title": "Other"})
    missing = ReportClip(tmp_path / "missing.wav", "yes", [("yes", 1.0)])
    with pytest.raises(ValueError, match=r"missing\.wav"):
        write_recognition(tmp_path / "out", clips=[missing], **arguments | {"title": "Other"})
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


def test_generation_says_what_came_out(tmp_path, generation):
    heat_map = plot_distribution(np.full((80, 256), 1 / 256), samples=np.linspace(-1, 1, 80), sample_rate=8000)
    path = write_generation(tmp_path / "new/folder", heat_map=heat_map, **generation)

    assert path == tmp_path / "new/folder/report.html"
    assert sorted(file.name for file in path.parent.iterdir()) == ["curves.png", "heat_map.png", "report.html"]
    page = Page(path)
    text = " ".join(page.text.split())
    assert "Ten digits 2.31 bits per sample on 1,300 test clips" in text
    assert "seed 17" in text
    assert "A recogniser names 1 of 2 right." in text
    assert "no ✓ right no 87.5% yes 12.5% low.wav" in text
    curves, heat, *spectrograms = [embedded(image["src"], "image/png") for image in page.all("img")]
    assert curves == (path.parent / "curves.png").read_bytes()
    assert heat == (path.parent / "heat_map.png").read_bytes()
    assert len(spectrograms) == len(page.all("audio")) == 2


def test_both_reports_share_their_looks_and_their_policy(tmp_path, arguments, generation):
    pages = [write_recognition(tmp_path / "a", **arguments), write_generation(tmp_path / "b", **generation)]
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


def test_generated_clips_are_saved_under_what_they_were_generated_from(tmp_path):
    class Judge:
        def recognize(self, waveform, sample_rate, *, top_k):
            return [("yes", 0.75), ("no", 0.25)][:top_k]

    waveforms = torch.linspace(-0.5, 0.5, 800).repeat(2, 1)
    values = {"label": ["yes", "no"], "speaker": ["jackson", "theo"]}
    clips = save_generated(tmp_path / "new", waveforms, 8000, values, cast(Any, Judge()))
    assert [clip.path.name for clip in clips] == ["00-yes-jackson.wav", "01-no-theo.wav"]
    assert [(clip.truth, clip.is_right) for clip in clips] == [("yes", True), ("no", False)]
    assert [clip.conditions for clip in clips] == [{"speaker": "jackson"}, {"speaker": "theo"}]
    saved, sample_rate = audio.load_audio(clips[1].path)
    assert sample_rate == 8000 and torch.allclose(saved[0], waveforms[1], atol=1e-4)
    unnamed = save_generated(tmp_path / "new", waveforms[:1], 8000, {})
    assert [(clip.path.name, clip.truth, clip.predictions) for clip in unnamed] == [("00.wav", "", ())]


def test_no_value_of_a_category_leads_out_of_the_folder(tmp_path):
    values = {"label": ["../../x", "on/off", "y" * 300], "speaker": ["N/A", "..", "\0"]}
    clips = save_generated(tmp_path / "a" / "b" / "new", torch.zeros(3, 800), 8000, values)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == {clip.path for clip in clips}
    assert [clip.truth for clip in clips] == values["label"] and all("new" in clip.path.parts for clip in clips)


def test_generation_without_clips_or_heat_map(tmp_path, generation):
    page = Page(write_generation(tmp_path / "out", **generation | {"clips": []}))
    assert page.all("audio") == [] and "Generated" not in page.text and "distributions" not in page.text
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["curves.png", "report.html"]


def test_failure_leaves_the_former_generation_report(tmp_path, generation):
    path = write_generation(tmp_path / "out", **generation)
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    missing = ReportClip(tmp_path / "missing.wav", "yes")
    with pytest.raises(ValueError, match=r"missing\.wav"):
        write_generation(tmp_path / "out", **generation | {"title": "Other", "clips": [missing]})
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before


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
    assert [label.get_text() for label in axes.get_yticklabels()] == ["250", "500", "1000", "2000"]


@pytest.mark.parametrize("n_samples", [8000, 8100, 79])
def test_frames_of_a_clip_lie_a_hop_apart(n_samples):
    axes = plot_clip(np.zeros(n_samples), 8000).axes[0]
    (mesh,) = axes.collections
    assert isinstance(mesh, QuadMesh)
    times = np.asarray(mesh.get_coordinates())[0, :, 0]
    np.testing.assert_allclose(times, (np.arange(len(times)) - 0.5) * 0.01)
    assert len(times) == n_samples // 80 + 2 and axes.get_xlim() == (0.0, n_samples / 8000)


@pytest.mark.parametrize("shape", [(2, 4000), (0,)])
def test_what_is_no_waveform_is_refused(shape):
    with pytest.raises(ValueError, match=r"waveform: expected \(time,\), got \("):
        plot_clip(np.zeros(shape), 8000)
