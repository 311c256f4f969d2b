"""The page about the inside of a network: what it holds, what it says of bad input, and that its points play."""

import hashlib
import io
import json
import re
from base64 import b64decode, b64encode
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile
import torch

from audionet import audio, bundle, models
from audionet.cli import main as cli
from audionet.inference import Embedder, Recognizer
from audionet.report import write_inspection
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


@pytest.fixture
def recordings(tmp_path):
    """Three recordings each of "one" and "two" by two speakers."""
    draw = np.random.default_rng(0)
    for row, label in enumerate(LABELS):
        (tmp_path / "recordings" / label).mkdir(parents=True)
        for number in range(3):
            tone = 0.3 * np.sin(np.arange(6000) * (0.1 + 0.4 * row)) + 0.01 * draw.standard_normal(6000)
            path = tmp_path / "recordings" / label / f"{'ann' if number else 'bob'}_nohash_{number}.wav"
            audio.save_audio(path, tone.astype(np.float32), 8000)
    return tmp_path / "recordings"


@pytest.fixture
def tiny(write_bundle):
    return bundle.load(write_bundle())


def test_the_page_holds_all_that_it_shows(tmp_path, tiny, recordings):
    path = write_inspection(
        tmp_path / "new" / "inside",
        tiny,
        name="tiny",
        files=[recordings / "two" / "bob_nohash_0.wav"],
        recordings=recordings,
        training=recordings,
    )
    assert path == tmp_path / "new" / "inside" / "inspection.html" and len([*path.parent.iterdir()]) == 1
    assert path.stat().st_size < 20_000_000
    page = Page(path)
    addresses = [value for _, each in page.elements for key, value in each.items() if key in ("src", "href")]
    assert addresses and all(address.startswith(("data:", "#part-")) for address in addresses)
    (policy,) = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    digest = b64encode(hashlib.sha256(page.scripts[-1].encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:; script-src 'sha256-{digest}'"
    )
    assert all(image["alt"] for image in page.all("img"))
    assert "Nearest training clips bob_nohash_0.wav two by bob, cosine 1.000 two/bob_nohash_0.wav" in page.text


def test_the_layers_are_those_of_the_network(tmp_path, tiny, recordings):
    page = Page(write_inspection(tmp_path / "inside", tiny, name="tiny", recordings=recordings))
    for layer in models.layer_table(tiny.model.module, 51):
        size = " × ".join(map(str, layer.shape))
        assert f"{layer.name} {layer.kind} {size} {layer.parameters or ''}".strip() in page.text.replace(",", "")
    n = sum(weight.numel() for weight in tiny.model.module.parameters())
    assert f"Inside tiny {n:,} parameters of tcresnet, which knows zero, one" in page.text
    # A frame of the stem sees 3 frames of 512 samples that lie 160 apart, at 8 kHz.
    assert f"20 bands, 3 frames: {1000 * (2 * 160 + 512) / 8000:.0f} ms" in page.text


def test_the_points_of_the_map_are_the_recordings(tmp_path, tiny, recordings):
    page = Page(write_inspection(tmp_path / "inside", tiny, name="tiny", recordings=recordings))
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


def test_what_the_page_cannot_show_is_said(tmp_path, tiny, recordings):
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


def test_silence_has_no_nearest_clip(tmp_path, tiny, recordings):
    audio.save_audio(tmp_path / "silence.wav", np.zeros(8000, np.float32), 8000)
    page = write_inspection(
        tmp_path / "inside", tiny, name="tiny", files=[tmp_path / "silence.wav"], training=recordings
    )
    assert "there is no clip with a sound to find the nearest of; give FILE." in Page(page).text


def test_without_recordings_voices_speak_the_labels(tmp_path, write_bundle, monkeypatch):
    pytest.importorskip("espeakng_loader")
    network = {"n_classes": 2, "n_bands": 20}
    model = bundle.Part("tcresnet", network, models.create("tcresnet", **network))
    tiny = bundle.load(write_bundle(model=model, labels=("stop", "_silence_")))
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


def test_of_an_embedding_it_shows_what_applies(tmp_path, write_bundle, recordings):
    network = {"n_classes": 0, "n_bands": 20}
    model = bundle.Part("tcresnet", network, models.create("tcresnet", **network))
    path = write_bundle(task="embedding", labels=(), model=model, training={})
    page = Page(write_inspection(tmp_path / "inside", bundle.load(path), name="tiny", recordings=recordings))
    assert len(page.all("path")) == 6 and "no labels: it is for embedding" in page.text
    assert "Most confused: the network has no labels to confuse." in page.text


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


def test_in_a_browser_points_and_players_play(tmp_path, tiny, recordings):
    page = write_inspection(tmp_path / "inside", tiny, name="tiny", recordings=recordings)
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
        browser.run("const all = document.querySelectorAll('audio'); return all[1].play()")
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
