"""`audionet listen` with a made-up sounddevice whose microphone plays a recording: events, picture, bad devices."""

import inspect
import io
import json
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from audionet import audio
from audionet.audio import microphone
from audionet.cli import live
from audionet.cli import main as cli
from audionet.cli.listen import listen
from audionet.decoding import Event

SEVEN = Path(__file__).parent / "data" / "seven.wav"
DEVICES = [
    {"name": "Loudspeaker", "default_samplerate": 48_000.0, "max_input_channels": 0},
    {"name": "Built-in Microphone", "default_samplerate": 44_100.0, "max_input_channels": 2},
    {"name": "USB Microphone", "default_samplerate": 48_000.0, "max_input_channels": 1},
]


class PortAudioError(Exception):
    pass


class InputStream:
    """Plays a recording: a block each time that it is asked whether it is active, then it stops, or Ctrl-C comes."""

    sound = np.zeros(0, np.float32)
    at_the_end = "unplugged"
    lost_before = -1  # number of the block before which a second is lost

    def __init__(self, *, samplerate, blocksize, device, channels, dtype, callback):
        assert (channels, dtype) == (1, "float32") and blocksize == round(0.02 * samplerate)
        if self.at_the_end == "busy":
            raise PortAudioError("Device unavailable [PaErrorCode -9985]")
        waveform = audio.resample(self.sound, 16_000, samplerate)
        self.blocks = np.split(waveform, range(blocksize, len(waveform), blocksize))
        self.rate, self.callback, self.number, self.time = samplerate, callback, 0, 100.0

    @property
    def active(self):
        if self.number < len(self.blocks):
            block, is_lost = self.blocks[self.number], self.number == self.lost_before
            begins = SimpleNamespace(inputBufferAdcTime=self.time + is_lost)
            self.callback(block[:, None], len(block), begins, SimpleNamespace(input_overflow=is_lost))
            self.number, self.time = self.number + 1, self.time + is_lost + len(block) / self.rate
        elif self.at_the_end == "interrupted":
            raise KeyboardInterrupt
        return self.number < len(self.blocks)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


@pytest.fixture
def sounddevice(monkeypatch):
    """The made-up package; its microphones play "seven", a pause, and "seven" again."""
    samples = audio.read_mono(SEVEN, 16_000)
    quiet = np.zeros(16_000, np.float32)
    module: Any = ModuleType("sounddevice")
    module.PortAudioError, module.InputStream = PortAudioError, InputStream
    module.default, module.query_devices = SimpleNamespace(device=(1, 0)), lambda: DEVICES
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    monkeypatch.setattr(InputStream, "sound", np.concatenate([samples, quiet, samples, quiet]))
    return module


def call(capsys, *arguments):
    code = cli.main(["listen", *map(str, arguments)])
    printed = capsys.readouterr()
    return code, printed.out.splitlines(), printed.err.splitlines()


@pytest.mark.parametrize("device", [None, "2", "usb"])
def test_events_until_ctrl_c(capsys, monkeypatch, sounddevice, device):
    """At 44.1 and at 48 kHz."""
    monkeypatch.setattr(InputStream, "at_the_end", "interrupted")
    code, lines, errors = call(capsys, "digits", "--json", *(["--device", device] if device else []))
    events = [json.loads(line) for line in lines]
    assert (code, errors) == (0, [])
    assert [event["keyword"] for event in events] == ["seven", "seven"]
    assert {event["file"] for event in events} == {"USB Microphone" if device else "Built-in Microphone"}
    assert events[1]["start"] - events[0]["start"] == pytest.approx(1.6, abs=0.03)


def test_the_examples_in_the_help_run(capsys, monkeypatch, sounddevice):
    monkeypatch.setattr(InputStream, "at_the_end", "interrupted")
    for example in re.findall(r"^    audionet listen (.*)", inspect.getdoc(listen) or "", re.MULTILINE):
        assert call(capsys, *example.split())[::2] == (0, [])


def test_a_device_that_is_unplugged_is_told(capsys, sounddevice):
    code, lines, (error,) = call(capsys, "digits", "--keywords", "seven")
    assert (code, len(lines)) == (1, 2)
    assert "Built-in Microphone: no sound comes any more; see that it is plugged in" in error


def test_what_was_lost_is_told_and_time_goes_on(capsys, monkeypatch, sounddevice):
    monkeypatch.setattr(InputStream, "lost_before", 60)  # in the pause
    monkeypatch.setattr(InputStream, "at_the_end", "interrupted")
    code, lines, (noted,) = call(capsys, "digits", "--json")
    events = [json.loads(line) for line in lines]
    assert code == 0 and "1.00 s of sound were lost" in noted
    assert [event["keyword"] for event in events] == ["seven", "seven"]
    assert events[1]["start"] - events[0]["start"] == pytest.approx(2.6, abs=0.03)


def test_devices_are_listed(capsys, sounddevice):
    code, lines, errors = call(capsys, "--list-devices")
    assert (code, errors) == (0, [])
    assert [line.split() for line in lines[1:]] == [
        ["1", "Built-in", "Microphone", "44100", "Hz", "*"],
        ["2", "USB", "Microphone", "48000", "Hz"],
    ]


def test_a_terminal_shows_sound_scores_and_events(capsys, monkeypatch, sounddevice):
    from rich.console import Console

    terminal = Console(file=io.StringIO(), force_terminal=True, width=100, height=40, color_system="truecolor")
    monkeypatch.setattr("rich.get_console", lambda: terminal)
    monkeypatch.setattr("rich.live.get_console", lambda: terminal)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(InputStream, "at_the_end", "interrupted")
    assert cli.main(["listen", "digits"]) == 0
    shown = terminal.file.getvalue()  # type: ignore[attr-defined]
    last = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", shown).split("Ctrl-C ends")[-2]
    assert last.count("▀" * 64) == 8
    assert re.search(r"seven +[█·│]{40} +\d+%", last)
    assert len(re.findall(r"\d\.\d\d s  seven  \d+%", last.rpartition("zero")[2])) == 2


def test_the_picture_is_lightest_where_the_sound_is_loudest():
    made = live.Spectrogram(16_000)
    time = np.arange(16_000) / 16_000
    tone = np.sin(2 * np.pi * 3000 * time).astype(np.float32)
    assert sum(made.push(chunk) for chunk in np.split(tone, 50)) == 16  # columns of 62.5 ms
    shade = live.shades(made.columns)
    assert shade.shape == (16, 64)
    assert (shade[:, :48] == 0).all()
    assert (shade[:, -5:].argmax(axis=0) == 10).all()  # of 16 mel bands up to 8 kHz, the one around 3 kHz
    assert (live.shades(np.full((16, 64), -100.0)) == 0).all(), "silence is dark"


def test_the_picture_names_keywords_and_events():
    from rich.console import Console

    console = Console(record=True, width=100, file=io.StringIO())
    events = [Event("stop", 1.5, 2.0, 0.9)]
    console.print(live.picture(np.full((16, 64), -50.0), ["go", "stop"], [0.25, 1.0], [0.5, 0.8], events))
    text = console.export_text()
    assert re.search(r"go +█{10}·{10}│·{19} 25%", text) and re.search(r"stop +█{32}│█{7} 100%", text)
    assert "1.50 s  stop  90%" in text


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (
            lambda module: setattr(module, "query_devices", lambda: DEVICES[:1]),
            [],
            "expected an input device, got none",
        ),
        (lambda module: setattr(InputStream, "at_the_end", "busy"), ["--device", "2"], "Device unavailable"),
        (lambda module: None, ["--device", "microphone"], "expected one of 1 Built-in .*; give its number"),
        (lambda module: None, ["--device", "USB Mikrophone"], "device: expected .* did you mean 'USB Microphone'"),
        (lambda module: None, ["--device", "0"], "device: expected one of 1 Built-in Microphone, 2 USB"),
        (lambda module: None, ["--keywords", "sevn"], "keywords: expected one of .* did you mean 'seven'"),
    ],
)
def test_what_is_wrong(capsys, monkeypatch, sounddevice, change, arguments, message):
    monkeypatch.setattr(InputStream, "at_the_end", "unplugged")
    change(sounddevice)
    code, lines, (error,) = call(capsys, "digits", *arguments)
    assert (code, lines) == (1, []) and re.search(message, error)


def test_without_the_package_or_its_library(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert "pip install 'audionet[mic]'" in call(capsys)[2][0]

    class Broken:
        def find_spec(self, name, path=None, target=None):
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.delitem(sys.modules, "sounddevice")
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    (error,) = call(capsys, "--list-devices")[2]
    assert "expected the library PortAudio, got none" in error and "libportaudio2" in error
    with pytest.raises(audio.AudioError, match="PortAudio"):
        microphone.find_microphone()
