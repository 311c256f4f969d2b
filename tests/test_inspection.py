"""The page about the inside of a network: what it holds, what it says of bad input, and that its points play."""

import hashlib
import io
import json
import re
from base64 import b64decode, b64encode
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from matplotlib.image import imread

from audionet import audio, bundle, models
from audionet.cli import main as cli
from audionet.inference import Embedder, Recognizer
from audionet.report import inspection, write_inspection
from audionet.report.clip_map import Point, clip_map
from audionet.report.players import fairly, fitting, sound_text
from tests.browser import browsing

VOID = {"meta", "link", "img", "br"}
LABELS = ("one", "two")


class Page(HTMLParser):
    """Elements with their attributes, the text, and the text of each script; each tag is closed in its place."""

    def __init__(self, path):
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.scripts: list[str] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert self.open == []
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "script" in self.open:
            self.scripts.append(data)
        elif "style" not in self.open:
            self.text += f" {data.strip()}"

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def write_recordings(folder):
    """Write three recordings each of "one" and "two" by two speakers."""
    draw = np.random.default_rng(0)
    for row, label in enumerate(LABELS):
        (folder / label).mkdir(parents=True)
        for number in range(3):
            tone = 0.3 * np.sin(np.arange(6000) * (0.1 + 0.4 * row)) + 0.01 * draw.standard_normal(6000)
            audio.save_audio(
                folder / label / f"{'ann' if number else 'bob'}_nohash_{number}.wav", tone.astype(np.float32), 8000
            )
    return folder


def make_tiny(**changes: Any) -> bundle.Bundle:
    """A small recogniser of ten digits with random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = bundle.new_part("model", name="tcresnet", n_classes=10, n_bands=20)
    front_end = bundle.new_part("front_end", name="LogMel", sample_rate=8000, n_mels=20)
    fields: dict[str, Any] = {
        "task": "recognition",
        "model": model,
        "front_end": front_end,
        "sample_rate": 8000,
        "clip_length": 8000,
        "labels": ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    }
    made = bundle.Bundle(**fields | changes)
    for part in made.parts.values():
        part.module.eval()
    return made


@pytest.fixture
def recordings(tmp_path):
    return write_recordings(tmp_path / "recordings")


@pytest.fixture
def tiny():
    return make_tiny()


@pytest.fixture
def only(monkeypatch):
    """Let the page have some parts alone, which is faster."""

    def choose(*headings):
        chosen = tuple(part for part in inspection.PARTS if part[0] in headings)
        assert len(chosen) == len(headings)
        monkeypatch.setattr(inspection, "PARTS", chosen)

    return choose


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The page of everything, its recordings, and the recogniser."""
    folder = tmp_path_factory.mktemp("whole")
    recordings, tiny = write_recordings(folder / "recordings"), make_tiny()
    page = write_inspection(
        folder / "new" / "inside",
        tiny,
        name="tiny",
        files=[recordings / "two" / "bob_nohash_0.wav"],
        recordings=recordings,
        training=recordings,
        label="three",
    )
    return page, recordings, tiny


def test_the_page_holds_all_that_it_shows(whole):
    path = whole[0]
    assert path.name == "inspection.html" and len([*path.parent.iterdir()]) == 1
    assert path.stat().st_size < 20_000_000
    page = Page(path)
    addresses = [value for _, each in page.elements for key, value in each.items() if key in ("src", "href")]
    assert addresses and all(address.startswith(("data:", "#part-")) for address in addresses)
    (policy,) = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    digest = b64encode(hashlib.sha256(page.scripts[-1].encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:; script-src 'sha256-{digest}'"
    )
    pictures = [b64decode(image["src"].removeprefix("data:image/png;base64,")) for image in page.all("img")]
    assert all(image["alt"] for image in page.all("img")) and len(pictures) > 10
    assert all(imread(io.BytesIO(picture)).std() > 0.01 for picture in pictures), "a picture is blank"
    shown, _, left = page.text.rpartition("Not shown")
    assert [heading for heading, _ in inspection.PARTS if f" {heading} " not in shown] == ["Templates"]
    assert left.strip().startswith("Templates: network: expected a linear model")
    others = [
        Embedder(whole[2]).embed_file(whole[1] / "two" / f"{name}.wav") for name in ("bob_nohash_0", "ann_nohash_1")
    ]
    cosine = others[0] @ others[1] / np.linalg.norm(others[0]) / np.linalg.norm(others[1])
    near = page.text.rpartition("Nearest training clips")[2].partition("Most confused")[0]
    assert near.count("cosine") == 5 and f"two by ann, cosine {cosine:.3f} two/ann_nohash_1.wav" in near


def test_the_layers_are_those_of_the_network(whole):
    path, _, tiny = whole
    text = Page(path).text
    for layer in models.layer_table(tiny.model.module, 51):
        size = " × ".join(map(str, layer.shape))
        assert f"{layer.name} {layer.kind} {size} {layer.parameters or ''}".strip() in text.replace(",", "")
    n = sum(weight.numel() for weight in tiny.model.module.parameters())
    assert f"Inside tiny {n:,} parameters of tcresnet, which knows zero, one" in text
    # A frame of the stem sees 3 frames of 512 samples that lie 160 apart, at 8 kHz.
    assert f"20 bands, 3 frames: {1000 * (2 * 160 + 512) / 8000:.0f} ms" in text


def test_the_points_of_the_map_are_the_recordings(whole):
    path, recordings, tiny = whole
    page = Page(path)
    data = json.loads(page.scripts[0])
    recognizer, embedder = Recognizer(tiny), Embedder(tiny)
    labels, speakers = (way["names"] for way in data["by"])
    assert labels == ["one", "two"] and speakers == ["ann", "bob"]
    assert [name for name, *_ in data["clips"]] == sorted(
        path.relative_to(recordings).as_posix() for path in recordings.rglob("*.wav")
    )
    for name, (label, speaker), sound, answer in data["clips"]:
        assert name.startswith(f"{labels[label]}/{speakers[speaker]}_")
        heard, rate = soundfile.read(io.BytesIO(b64decode(data["sounds"][sound])))
        np.testing.assert_allclose(heard, embedder.hearing.file(recordings / name).clip, atol=2**-15)
        best = recognizer.recognize_file(recordings / name)[0]
        assert rate == 8000 and answer == f"{best.label} {best.probability:.1%}"
    tsne, pca = (np.array(layout) for layout in data["places"])
    assert tsne.shape == pca.shape == (6, 2) and np.abs(np.r_[tsne, pca] - 300).max() <= 280.1
    assert len(page.all("path")) == 6 and [path["tabindex"] for path in page.all("path")] == ["0"] + ["-1"] * 5


def test_what_the_page_cannot_show_is_said(tmp_path, tiny, recordings, only):
    only("How recordings lie", "Nearest training clips", "Most confused")
    for path in (recordings / "two").iterdir():
        path.unlink()
    (recordings / "two").rmdir()
    (recordings / "one" / "broken.wav").write_bytes(b"RIFF")
    text = Page(write_inspection(tmp_path / "inside", tiny, name="tiny", recordings=recordings)).text
    assert "All are of one class, one: whether classes are apart cannot be seen." in text
    assert "t-SNE is left out: embeddings: expected at least 5 for tsne, got 3" in text
    assert "3 of 4 recordings are here." in text and "broken.wav" in text.split("Not shown")[-1]
    assert "Most confused: it takes recordings of two labels of the network, and these are of one." in text
    assert "Nearest training clips: there are no training clips; give --training DIR." in text


def test_of_silence_it_is_said(tmp_path, tiny, recordings):
    audio.save_audio(tmp_path / "silence.wav", np.zeros(8000, np.float32), 8000)
    page = write_inspection(
        tmp_path / "inside", tiny, name="tiny", files=[tmp_path / "silence.wav"], training=recordings
    )
    text = Page(page).text
    assert "It is silent: the maps are what the network answers to nothing." in text
    assert "there is no clip with a sound to find the nearest of; give FILE." in text
    assert "What decided: all clips are silent: nothing decided." in text
    assert "What excites a unit: units are chosen by what they answer to a clip with a sound" in text


def test_recordings_that_are_all_silent(tmp_path, tiny, recordings, only):
    only("How recordings lie", "Activation maps")
    for path in recordings.rglob("*.wav"):
        audio.save_audio(path, np.zeros(6000, np.float32), 8000)
    text = Page(write_inspection(tmp_path / "inside", tiny, name="tiny", recordings=recordings)).text
    assert "6 of those that can be heard are silent." in text
    assert text.count("It is silent: the maps are what the network answers to nothing.") == 2


def test_a_clip_that_is_shorter_than_the_receptive_field(tmp_path, tiny, only):
    only("Activation maps")
    tone = 0.3 * np.sin(np.arange(800) * 0.3).astype(np.float32)
    audio.save_audio(tmp_path / "short.wav", tone, 8000)
    text = Page(write_inspection(tmp_path / "inside", tiny, name="tiny", files=[tmp_path / "short.wav"])).text
    seen = [(layer.name, layer.field.frames) for layer in models.layer_table(tiny.model.module, 51) if layer.field]
    name, frames = [(name, frames) for name, frames in seen if frames][-1]
    seconds = ((frames - 1) * 160 + 512) / 8000
    assert f"It lasts 0.10 s, less than the {seconds:.2f} s that one output of {name} sees" in text


def test_the_part_that_decided_and_the_rest_are_the_whole(whole):
    path, recordings, tiny = whole
    page = Page(path)
    assert "bob_nohash_0.wav: what speaks for three" in page.text
    prefix = "data:audio/flac;base64,"
    heard = {
        player["aria-label"]: soundfile.read(io.BytesIO(b64decode(player["src"].removeprefix(prefix))))[0]
        for player in page.all("audio")
        if "src" in player
    }
    clip = Embedder(tiny).hearing.file(recordings / "two" / "bob_nohash_0.wav").clip
    np.testing.assert_allclose(heard["bob_nohash_0.wav"], clip, atol=2**-15)
    methods = [name.rpartition(" ")[2] for name in heard if "the part that decided" in name]
    assert len(methods) + page.text.count("Left out: relevance: expected a place that is above 0") == 4
    assert {"saliency", "occlusion"} <= {*methods}
    for method in methods:
        part = heard[f"bob_nohash_0.wav: the part that decided, by {method}"]
        rest = heard[f"bob_nohash_0.wav: the sound without that part, by {method}"]
        np.testing.assert_allclose(part + rest, clip, atol=2**-13)
        assert np.abs(part).max() > 0


def test_a_linear_network_has_templates_and_a_learned_front_end_its_filters(tmp_path, recordings, only):
    only("First filters", "Templates")
    front_end = bundle.new_part("front_end", name="SincNet", sample_rate=8000, n_filters=16)
    arguments = {"n_classes": 2, "n_bands": front_end.module.n_bands, "hidden": (), "n_frames": 51}
    model = bundle.new_part("model", name="fully_connected", **arguments)
    tiny = make_tiny(labels=LABELS, model=model, front_end=front_end)
    page = Page(write_inspection(tmp_path / "inside", tiny, name="tiny", recordings=recordings))
    pictures = [image["alt"] for image in page.all("img")]
    assert {"Template of each label", "What each filter of the front-end passes"} <= {*pictures}
    assert "Templates:" not in page.text


def test_without_recordings_voices_speak_the_labels(tmp_path, only, monkeypatch):
    pytest.importorskip("espeakng_loader")
    only("How recordings lie")
    model = bundle.new_part("model", name="tcresnet", n_classes=2, n_bands=20)
    tiny = make_tiny(model=model, labels=("stop", "_silence_"))
    text = Page(write_inspection(tmp_path / "inside", tiny, name="tiny")).text
    assert "No recordings were given: voices that are installed here spoke these." in text
    assert "All are of one class, stop" in text

    def refuse(*_, **__):
        raise ValueError("language: expected an engine, got none")

    monkeypatch.setattr("audionet.report.inspection.speak", refuse)
    text = Page(write_inspection(tmp_path / "silent", tiny, name="tiny")).text
    assert "no voice can speak some: language: expected an engine, got none." in text
    assert "How recordings lie: there are no recordings; give --recordings DIR." in text


def test_of_a_generator_it_shows_what_applies(tmp_path):
    page = Page(write_inspection(tmp_path, bundle.load("digits", "generation"), name="digits"))
    assert "layers.9 dilated 512" in page.text and "1,024 samples, 128.00 ms" in page.text
    assert [image["alt"] for image in page.all("img")] == [
        "Samples that one output of each layer sees",
        "Answer of each channel to an amplitude",
    ]
    assert "Templates, what decided, and most confused pairs: the network knows no labels" in page.text
    assert page.all("path") == []


def test_of_an_embedding_it_shows_what_applies(tmp_path, recordings):
    model = bundle.new_part("model", name="tcresnet", n_classes=0, n_bands=20)
    tiny = make_tiny(task="embedding", labels=(), model=model)
    page = Page(write_inspection(tmp_path / "inside", tiny, name="tiny", recordings=recordings))
    assert len(page.all("path")) == 6 and "no labels: it is for embedding" in page.text
    for reason in (
        "Templates: the network has no labels.",
        "What decided: the network knows no labels to decide for.",
        "Most confused: the network has no labels to confuse.",
    ):
        assert reason in page.text


def test_a_network_that_rounds_samples_to_codes_has_no_gradient_and_says_so(tmp_path, recordings, only):
    only("What excites a unit", "What decided")
    sizes = {"n_layers": 4, "n_cycles": 1, "residual_channels": 8, "gate_channels": 16, "skip_channels": 16}
    model = bundle.new_part("model", name="wavenet_classifier", n_classes=10, frame_channels=16, **sizes)
    waveform = bundle.new_part("front_end", name="Waveform", sample_rate=8000)
    tiny = make_tiny(model=model, front_end=waveform, clip_length=800)
    file = recordings / "two" / "bob_nohash_0.wav"
    text = Page(write_inspection(tmp_path / "inside", tiny, name="tiny", files=[file])).text
    assert text.count("network: expected logits with a gradient down to the spectrogram, got WaveNetClassifier") == 2
    assert "No sound was made for it." in text and "Occlusion: how much the score falls" in text


def test_weights_that_are_no_numbers_are_refused(tmp_path, tiny):
    tiny.model.module.stem.weight.data[0, 0, 0] = torch.nan
    with pytest.raises(
        ValueError, match=r"model: expected weights that are finite numbers, got 'others in stem.weight'"
    ):
        write_inspection(tmp_path / "inside", tiny, name="tiny")
    assert not (tmp_path / "inside").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["digts"], "did you mean 'digits'?"),
        (["tcresnet"], "model: expected a trained network, got 'tcresnet'; train it first; audionet models show"),
        (["digits", "--label", "sevn"], "label: expected one of zero, one, two"),
        (["digits", "--task", "speech"], "task: expected one of recognition, generation, embedding, got 'speech'"),
        (
            ["digits", "--task", "generation", "--label", "one"],
            "label: expected none for a bundle of the task generation",
        ),
        (["digits", "nowhere.wav"], "nowhere.wav: "),
        (["digits", "--recordings", "nowhere"], "nowhere: expected a folder, got 'nothing there'"),
    ],
)
def test_bad_input_is_told_in_one_line(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["inspect", *words, "--output", "inside"]) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and not (tmp_path / "inside").exists()


def test_a_page_that_is_there_is_not_replaced(tmp_path, capsys):
    (tmp_path / "inspection.html").write_text("mine")
    assert cli.main(["inspect", "digits", "--output", str(tmp_path)]) == 1
    assert "output: expected a folder without inspection.html" in capsys.readouterr().err
    assert cli.main(["inspect", "digits", "--output", str(tmp_path / "inspection.html")]) == 1
    assert (tmp_path / "inspection.html").read_text() == "mine"


def test_each_label_has_its_turn_and_sounds_fit():
    assert fairly(["b", "a", "b", "b", "a"]) == [0, 1, 2, 4, 3]
    loud = np.array([0.0, 2.0, -3.0, 0.5], np.float32)
    heard, _ = soundfile.read(io.BytesIO(b64decode(sound_text(loud, 8000))))
    np.testing.assert_allclose(heard, [0, 1, -1, 0.5], atol=2**-15)
    assert fitting(["aa", "bb"], most=4) == ["aa", "bb"] and fitting(["aa", "bb"], most=3) == ["aa"]


def test_names_of_a_map_are_text_and_nothing_else():
    points = [Point('</script><b>"', ("<i>",), None), Point("b", ("&",), 0)]
    made = clip_map(points, {"PCA": np.array([[0.0, 0.0], [1.0, 2.0]])}, ["label"], ["QUJD"])
    assert "<b>" not in made and "<i>" not in made.replace("<i></i>", "") and made.count("</script>") == 1
    (content,) = re.findall(r"<script[^>]*>(.*)</script>", made)
    data = json.loads(content)
    assert data["clips"][0][0] == '</script><b>"' and data["places"] == [[[160.0, 580.0], [440.0, 20.0]]]
    assert 'class="mute"' in made


SOUND = """const audio = arguments[0]; return new Promise((done) => {
  const look = () => !audio.error && audio.currentTime === 0 && tries-- > 0 ? setTimeout(look, 50) : done(
    [audio.error && audio.error.message, audio.currentTime > 0, audio.src.slice(0, 60)]);
  let tries = 100; look(); });"""


def test_in_a_browser_points_and_players_play(whole):
    page = whole[0]
    with browsing() as browser:
        browser.show(width=390, dark=True)
        browser.open(page)
        assert browser.run("return document.documentElement.scrollWidth") <= 390
        chosen = {"element-6066-11e4-a52e-4f735466cecf": browser.find(".map audio")}
        told = "return document.querySelector('.map output').textContent"
        browser.click(".map path:nth-of-type(2)")
        assert browser.run(SOUND, chosen)[:2] == [None, True]
        first = browser.run(told)
        assert first.startswith("one/ann_nohash_2.wav: one, ann; heard as ")
        # From there the keyboard leads to another point, and plays it.
        for key in ("\ue012", "\ue014", "\ue013", "\ue015"):  # left, right, up, down
            browser.press(key)
        browser.run("document.querySelectorAll('.map path')[5].focus()")
        browser.press("\ue007")  # Enter
        assert browser.run(SOUND, chosen)[:2] == [None, True]
        assert browser.run(told).startswith("two/bob_nohash_0.wav: two, bob; heard as ")
        # The other layout moves the points; a player stops the map's sound.
        before = browser.run("return document.querySelector('.map path').style.transform")
        browser.click(".map button[data-kind=place][data-number='1']")
        assert browser.run("return document.querySelector('.map path').style.transform") != before
        browser.click(".map button[data-kind=by][data-number='1']")
        assert browser.run("return [...document.querySelectorAll('.legend')].map((each) => each.hidden)") == [
            True,
            False,
        ]
        browser.run("return document.querySelector('figure audio').play()")
        assert browser.run("return document.querySelector('.map audio').paused")
        log = [entry["message"] for entry in browser.ask("POST", "/se/log", type="browser")]
        assert log == []
        asked = [
            json.loads(entry["message"])["message"] for entry in browser.ask("POST", "/se/log", type="performance")
        ]
        addresses = {
            each["params"]["request"]["url"].partition(":")[0]
            for each in asked
            if each["method"] == "Network.requestWillBeSent"
        }
        assert addresses & {"http", "https", "ws", "wss"} == set() and "data" in addresses
