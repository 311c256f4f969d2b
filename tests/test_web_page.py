"""The page on which a network listens: in headless Chromium, and its rules in node, equal to Python's."""

import functools
import json
import shutil
import subprocess
import tarfile
import threading
import time
from base64 import b64encode
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch

from audionet import audio, bundle, insight
from audionet.audio.fitting import speech_span
from audionet.cli import main as cli
from audionet.datasets import synthesis
from audionet.decoding import EventSettings, detect
from audionet.export.web import runtime
from audionet.export.web.folder import PAGE, service_worker_list
from audionet.inference import Detector, Recognizer
from tests.browser import browsing

DATA = Path(__file__).parent / "data"
READY = "!document.querySelector('#listen').disabled"
WORDS = ("left", "stop", "yes", "go")
MICROPHONE = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")


# ---- its rules, in node ----------------------------------------------------------------------------------------------


def in_node(script, **values):
    """Run a module beside those of the page, which gets values and prints its result as JSON."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    reading = 'import { readFileSync } from "node:fs"; const given = JSON.parse(readFileSync(0, "utf8"));'
    command = [node, "--input-type=module", "-e", f"{reading}\n{script}"]
    done = subprocess.run(command, input=json.dumps(values), cwd=PAGE, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("smoothing", [1, 2, 5])
@pytest.mark.parametrize("hysteresis", [0.5, 0.7, 1.0])
def test_events_equal_python(smoothing, hysteresis):
    """Random walks of scores through the rules in both languages: the same events, with the same numbers."""
    random = np.random.default_rng([smoothing, int(10 * hysteresis)])
    scores = np.clip(0.5 + np.cumsum(random.normal(0, 0.15, (3000, 3)), 0) % 1 - 0.5, 0, 1)
    scores[1000:1100] = 0.6  # ties
    keywords, thresholds = ("yes", "no", "stop"), (0.5, 0.7, 0.9)
    common = {"smoothing": smoothing, "hysteresis": hysteresis, "refractory": 0.5, "window_seconds": 1.0}
    times = (np.arange(len(scores)) + 1) * 0.1
    settings = EventSettings(keywords=keywords, thresholds=thresholds, **common)
    expected = [event._asdict() for event in detect(scores, times, settings)]
    assert len({event["keyword"] for event in expected}) == 3
    script = """
        import { advance, start } from "./events.js";
        let state = start(given.settings), event;
        const found = given.scores.map((scores, row) => {
            [event, state] = advance(scores, given.times[row], given.thresholds, state, given.settings);
            return event;
        });
        console.log(JSON.stringify(found.filter((each) => each !== null)));
    """
    values = {"scores": scores.tolist(), "times": times.tolist(), "thresholds": thresholds}
    assert in_node(script, settings={"keywords": keywords, **common}, **values) == expected


def test_speech_span_equals_python():
    """The stretch of speech that gives an event its times: of words, noise, tones, silence and a fragment."""
    seconds, random = np.arange(16_000) / 16_000, np.random.default_rng(0)
    spoken = [audio.load_audio(path, 16_000)[0][0].numpy()[:16_000] for path in sorted(DATA.glob("*.wav"))]
    tone = np.sin(2 * np.pi * 180 * seconds) * ((seconds > 0.3) & (seconds < 0.6))
    clips = [*spoken, random.normal(0, 0.1, 16_000), tone, np.zeros(16_000), spoken[0][3000:3500]]
    clips = [clip.astype(np.float32) for clip in clips]
    script = """
        import { speechSpan } from "./speech.js";
        console.log(JSON.stringify(given.clips.map((clip) => speechSpan(Float32Array.from(clip), 16000))));
    """
    expected = [[*speech_span(clip, 16_000)] for clip in clips]
    assert in_node(script, clips=[clip.tolist() for clip in clips]) == expected


@pytest.mark.parametrize(("from_rate", "to_rate"), [(48_000, 16_000), (44_100, 16_000), (44_100, 8000), (8000, 16_000)])
def test_resampling(from_rate, to_rate):
    """A tone in the band stays, wherever the chunks are cut; one that the new rate cannot hold goes."""
    seconds = np.arange(from_rate // 2) / from_rate
    script = """
        import { Resampler } from "./sound.js";
        const resampler = new Resampler(given.from, given.to), made = [];
        for (let first = 0, size = 1; first < given.sound.length; first += size, size = (7 * size + 3) % 900 + 1) {
            made.push(...resampler.push(Float32Array.from(given.sound.slice(first, first + size))));
        }
        console.log(JSON.stringify(made));
    """

    def resampled(hertz):
        sound = np.sin(2 * np.pi * hertz * seconds)
        return np.array(in_node(script, **{"from": from_rate, "to": to_rate, "sound": sound.tolist()}))

    made = resampled(1000)
    expected = np.sin(2 * np.pi * 1000 * np.arange(len(made)) / to_rate)
    inner = slice(200, -1)  # behind the silence that the stream begins with
    assert len(made) > to_rate // 2 - 100
    np.testing.assert_allclose(made[inner], expected[inner], atol=1e-3)  # the ripple of a windowed sinc
    if to_rate < from_rate:
        assert np.abs(resampled(0.6 * to_rate)[inner]).max() < 1e-3


def test_fourier():
    values = np.random.default_rng(0).normal(size=512)
    script = """
        import { autocorrelation, powerSpectrum } from "./fourier.js";
        const power = powerSpectrum(given.values);
        console.log(JSON.stringify([[...power], [...autocorrelation(power)]]));
    """
    power, correlation = in_node(script, values=values.tolist())
    expected = np.abs(np.fft.rfft(values)) ** 2
    np.testing.assert_allclose(power, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(correlation, np.fft.irfft(expected), atol=1e-9)


# ---- the folder ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recognizer():
    return Recognizer(bundle.load("commands", "recognition"))


@pytest.fixture(scope="module")
def site(recognizer, tmp_path_factory):
    """The folder of a page, as the command writes it."""
    try:
        runtime.runtime_files()
    except ValueError as error:
        pytest.skip(f"onnxruntime-web is not here: {error}")
    pytest.importorskip("onnx", reason="the extra `export` is not installed")
    folder = tmp_path_factory.mktemp("web") / "page"
    assert cli.main(["export", "commands", "--format", "web", "--output", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def spoken(recognizer, tmp_path_factory):
    """Four words that espeak-ng speaks, each followed by a second of silence, and what the detector hears in them."""
    pytest.importorskip("espeakng_loader", reason="the extra `synth` is not installed")
    clips = synthesis.index(WORDS, (), clips_per_label=1, training_only=True, language="en", seed=3, engines=["espeak"])
    sounds = {clip.label: synthesis.render(clip.path, sample_rate=16_000) for clip in clips}
    parts = [part for word in WORDS for part in (sounds[word], np.zeros(16_000))]
    path = tmp_path_factory.mktemp("spoken") / "spoken.wav"
    audio.save_audio(path, np.concatenate([np.zeros(8000), *parts]).astype(np.float32), 16_000)
    events = Detector(recognizer).detect_file(path)
    assert {*WORDS} <= {event.keyword for event in events}
    return path, events


def test_folder(site, recognizer):
    """What is written is what is listed for the service worker, and small but for the runtime."""
    files = {path.relative_to(site).as_posix(): path.stat().st_size for path in site.rglob("*") if path.is_file()}
    assert {*files} == {path.name for path in PAGE.iterdir()} | {"model.onnx", "model.json", "files.js"} | {
        f"ort/{name}" for name in runtime.FILES
    }
    listed = json.loads((site / "files.js").read_text().splitlines()[1].partition(" = ")[2].rstrip(";"))
    assert {*listed} == {*files} - {"files.js"}
    assert sum(size for name, size in files.items() if name not in ("model.onnx", f"ort/{runtime.FILES[1]}")) < 200_000
    facts = json.loads((site / "model.json").read_text())
    assert facts["labels"] == [*recognizer.labels]
    assert dict(zip(facts["keywords"], facts["thresholds"], strict=True)) == dict(recognizer.thresholds)


def test_version_follows_content():
    first, second = (service_worker_list({"a": content}).splitlines()[0] for content in (b"1", b"2"))
    assert first != second


@pytest.mark.parametrize("kind", ["nothing", "an empty folder", "no package"])
def test_bad_runtime(kind, tmp_path):
    place = tmp_path / "onnxruntime-web"
    if kind == "an empty folder":
        place.mkdir()
    elif kind == "no package":
        place.write_bytes(b"no package")
    with pytest.raises(ValueError, match="onnxruntime_web: expected a folder or .tgz of onnxruntime-web with"):
        runtime.runtime_files(place)


@pytest.mark.parametrize(
    ("npm", "message"),
    [
        (None, "npm: expected it, to fetch onnxruntime-web once, got no such command"),
        ("echo offline >&2; exit 1", f"npm: expected onnxruntime-web {runtime.VERSION}, got offline"),
        ("echo other > $4/onnxruntime-web-*.tgz", "npm: expected onnxruntime-web .* with sha256"),
    ],
)
def test_npm_fails(npm, message, tmp_path, monkeypatch):
    """Where npm is missing, has no network, or brings something else: it is told, and nothing stays in the cache."""
    monkeypatch.setenv("AUDIONET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    if npm is not None:
        (tmp_path / "bin").mkdir()
        script = tmp_path / "bin" / "npm"
        script.write_text(f"#!/bin/sh\n{npm.replace('*', runtime.VERSION)}\n")
        script.chmod(0o755)
    with pytest.raises(ValueError, match=message):
        runtime.runtime_files()
    assert not [*tmp_path.glob("cache/*")]


def test_runtime_from_a_folder_and_a_package(tmp_path):
    contents = {name: name.encode() for name in runtime.FILES}
    (tmp_path / "package" / "dist").mkdir(parents=True)
    for name, content in contents.items():
        (tmp_path / "package" / "dist" / name).write_bytes(content)
    with tarfile.open(tmp_path / "a.tgz", "w:gz") as package:
        package.add(tmp_path / "package", "package")
    for source in (tmp_path / "a.tgz", tmp_path / "package", tmp_path / "package" / "dist"):
        assert runtime.runtime_files(source) == contents


# ---- in the browser --------------------------------------------------------------------------------------------------


@contextmanager
def given_out(folder):
    """Give out a folder as `python -m http.server` does; yield the address, and what ends the server."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()

        def end():
            server.shutdown()
            server.server_close()

        yield f"http://127.0.0.1:{server.server_port}/", end
        end()
        thread.join()


def until(browser, condition, seconds=90):
    """Wait until an expression is true in the page, and return it."""
    for _ in range(10 * seconds):
        if value := browser.run(f"return {condition}"):
            return value
        time.sleep(0.1)
    raise AssertionError(f"{condition} never came; the page says: {status(browser)}")


def status(browser):
    return browser.run("return document.querySelector('#status').textContent")


def heard(browser):
    """The words of the list, the first one first."""
    return browser.run("return [...document.querySelectorAll('#heard b')].map((word) => word.textContent).reverse()")


def drop(browser, name, content):
    """Drop a file on the page."""
    script = """
        const bytes = Uint8Array.from(atob(arguments[1]), (letter) => letter.charCodeAt(0));
        const transfer = new DataTransfer();
        transfer.items.add(new File([bytes], arguments[0]));
        document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
    """
    browser.run(script, name, b64encode(content).decode())


@pytest.fixture(scope="module")
def page(site, spoken):
    """A browser whose microphone hears the words again and again, with the page open, and where the page comes from."""
    flags = (*MICROPHONE, f"--use-file-for-fake-audio-capture={spoken[0]}")
    with given_out(site) as (address, end), browsing(*flags) as browser:
        browser.open(address)
        until(browser, READY)
        yield browser, address, end


def test_microphone(page):
    """The spoken words of the microphone are shown, in their order, with the spectrogram, until it is stopped."""
    browser, *_ = page
    browser.click("#listen")
    for word in WORDS:
        until(browser, f"[...document.querySelectorAll('#heard b')].some((each) => each.textContent === '{word}')")
    assert status(browser).startswith("Listening")
    pixels = browser.run("""
        const canvas = document.querySelector("#spectrogram");
        return [...new Set(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data)].length;
    """)
    assert pixels > 20, "the spectrogram has colours"
    browser.click("#listen")
    assert status(browser) == "Stopped"


def test_dropped_file(page, spoken):
    """A dropped file gives the words, times and scores that the detector gives; the threshold then chooses."""
    browser, *_ = page
    path, events = spoken
    drop(browser, "words.wav", path.read_bytes())
    until(browser, "document.querySelector('#status').textContent.startsWith('words.wav, 0:0')")
    assert heard(browser) == [event.keyword for event in events]
    script = "return [...document.querySelectorAll('#heard {}')].map((each) => each.{}).reverse()"
    times = [float(text[2:-1]) for text in browser.run(script.format("time", "dateTime"))]
    scores = [float(text) for text in browser.run(script.format("data", "value"))]
    np.testing.assert_allclose(times, [event.start for event in events], atol=0.0101)  # written in hundredths
    np.testing.assert_allclose(scores, [event.score for event in events], atol=1e-3)
    browser.run("""
        const slider = document.querySelector("#threshold");
        slider.value = 0.99;
        slider.dispatchEvent(new Event("input"));
    """)
    assert len(heard(browser)) < len(events)
    browser.click("#usual")
    assert heard(browser) == [event.keyword for event in events]


def test_inside_equals_torch(page, spoken, recognizer):
    """The maps of every stage are torch's, for the moment of the file that the page looks at."""
    browser, *_ = page
    path, _ = spoken
    browser.type("#file", str(path))
    until(browser, "document.querySelector('#status').textContent.startsWith('spoken.wav, 0:0')")
    browser.click("#inside-tab")
    shown = until(
        browser,
        """import("./app.js").then(({ inside: { shown } }) => Object.keys(shown).length > 0 &&
        Object.entries(shown).map(([name, { shape, values }]) => [name, shape, [...values]]))""",
    )
    window = int(browser.run("return document.querySelector('#moment').value"))
    end = (window + 1) * Detector(recognizer).hop_length
    sound = np.pad(audio.load_audio(path, 16_000)[0][0].numpy(), (16_000, 8000))
    spectrogram = recognizer.front_end(torch.from_numpy(sound[end : end + 16_000])[None, None])
    expected = {"spectrogram": spectrogram} | insight.activations(recognizer.network, spectrogram)
    assert [name for name, *_ in shown] == [*expected]
    for name, shape, values in shown:
        theirs = expected[name].detach().numpy()
        assert tuple(shape) == theirs.shape
        # Decibels of the spectrogram have three digits left in float32; a stage's values lie around 1.
        atol = 1e-3 * (theirs.max() if name == "spectrogram" else 1)
        np.testing.assert_allclose(values, theirs.ravel(), rtol=0, atol=atol, err_msg=name)
    browser.click("#words-tab")


def test_bad_files_and_no_microphone(page):
    browser, *_ = page
    drop(browser, "notes.txt", b"no sound")
    assert until(browser, "document.querySelector('#status.wrong')?.textContent") == (
        "notes.txt: this browser cannot decode it; try WAV, MP3 or M4A."
    )
    for name, words in (("NotAllowedError", "permit the microphone"), ("NotFoundError", "none is connected")):
        browser.run(f"navigator.mediaDevices.getUserMedia = async () => {{ throw new DOMException('', '{name}'); }}")
        browser.click("#listen")
        assert words in until(
            browser,
            f"document.querySelector('#status.wrong')?.textContent.includes('{words}')"
            " && document.querySelector('#status').textContent",
        )


@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("dark", [False, True])
def test_fits_the_screen(page, width, dark):
    """Nothing is wider than the screen, whichever tab is open, and the tabs are reached by keys."""
    browser, *_ = page
    browser.show(width=width, dark=dark)
    browser.run("document.querySelector('#words-tab').focus()")
    for tab in ("inside", "words"):
        browser.press("\ue014")  # arrow to the right
        assert browser.run("return document.activeElement.id") == f"{tab}-tab"
        assert not browser.run(f"return document.querySelector('#{tab}').hidden")
        assert browser.run("return document.documentElement.scrollWidth") <= width


def test_every_control_has_a_name(page):
    browser, *_ = page
    nodes = browser.devtools("Accessibility.getFullAXTree")["nodes"]
    controls = [node for node in nodes if node.get("role", {}).get("value") in ("button", "slider", "tab", "image")]
    assert len(controls) >= 6
    assert [node for node in controls if not node["name"]["value"]] == []


def test_offline(page, spoken):
    """Once loaded, the page works without its server; and it has never asked another one for anything."""
    browser, address, end = page
    until(browser, "navigator.serviceWorker.ready.then((worker) => worker.active.state === 'activated')")
    end()
    browser.open(address)
    until(browser, READY)
    drop(browser, "words.wav", spoken[0].read_bytes())
    until(browser, "document.querySelector('#status').textContent.startsWith('words.wav, 0:0')")
    assert heard(browser) == [event.keyword for event in spoken[1]]
    log = [json.loads(entry["message"])["message"] for entry in browser.ask("POST", "/se/log", type="performance")]
    asked = [each["params"]["request"]["url"] for each in log if each["method"] == "Network.requestWillBeSent"]
    assert f"{address}model.json" in asked
    assert [url for url in asked if url.startswith(("http", "ws")) and not url.startswith(address)] == []
