"""`audionet detect` and what it prints: text, JSON lines, labels; files, pipes and raw samples; bad input."""

import io
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from audionet import audio
from audionet.cli import main as cli

SEVEN = Path(__file__).parent / "data" / "seven.wav"


@pytest.fixture
def stdin(monkeypatch):
    """Make bytes standard input, as a pipe would."""

    def replace(content):
        class Pipe(io.BytesIO):
            def seekable(self):
                return False

        monkeypatch.setattr(sys, "stdin", type("Stdin", (), {"buffer": Pipe(content)}))

    return replace


def call(capsys, *arguments):
    code = cli.main(["detect", "digits", *map(str, arguments)])
    printed = capsys.readouterr()
    return code, printed.out.splitlines(), printed.err.splitlines()


def test_events_of_files(capsys, tmp_path):
    samples, rate = audio.decode(SEVEN)
    quiet = np.zeros((1, rate), np.float32)
    audio.save_audio(tmp_path / "a.wav", np.concatenate([samples, quiet, samples], 1), rate)
    audio.save_audio(tmp_path / "b.wav", quiet, rate)
    labels = tmp_path / "labels.txt"
    code, lines, errors = call(capsys, tmp_path)
    assert (code, len(lines), errors) == (0, 3, [])
    assert [line.split(": ")[2].split()[0] for line in lines[:2]] == ["seven", "seven"]
    assert lines[2] == f"{tmp_path / 'b.wav'}: none of these"
    code, lines, _ = call(capsys, "--json", "--labels", labels, tmp_path / "a.wav")
    events = [json.loads(line) for line in lines]
    assert [event["keyword"] for event in events] == ["seven", "seven"]
    assert events[1]["start"] - events[0]["start"] == pytest.approx(samples.shape[1] / rate + 1, abs=0.03)
    rows = [line.split("\t") for line in labels.read_text().splitlines()]
    assert [(round(float(start), 3), word) for start, _, word in rows] == [
        (event["start"], "seven") for event in events
    ]
    assert call(capsys, "--keywords", "six, eight", tmp_path / "a.wav")[1] == [f"{tmp_path / 'a.wav'}: none of these"]
    assert call(capsys, "--threshold", "0.99999", tmp_path / "a.wav")[1] == [f"{tmp_path / 'a.wav'}: none of these"]


def test_events_of_standard_input(capsys, stdin):
    samples, rate = audio.decode(SEVEN)
    floats = np.repeat(samples[0], 2).astype("<f4")  # two channels
    for content, raw in (
        (SEVEN.read_bytes(), ()),
        (audio.to_int16(samples[0]).tobytes(), ("--raw-rate", rate)),
        (floats.tobytes(), ("--raw-rate", rate, "--raw-format", "f32le", "--raw-channels", 2)),
    ):
        stdin(content)
        code, (line,), errors = call(capsys, "--json", "-", *raw)
        assert (code, errors, json.loads(line)["keyword"]) == (0, [], "seven")


def test_samples_without_a_header_need_their_rate(capsys, stdin, tmp_path, monkeypatch):
    samples = audio.to_int16(audio.decode(SEVEN)[0][0]).tobytes()
    stdin(samples)
    monkeypatch.setattr(sys.stdin.buffer, "name", "<stdin>", raising=False)
    (tmp_path / "a.raw").write_bytes(samples)
    for given, name in (("-", "<stdin>"), (tmp_path / "a.raw", str(tmp_path / "a.raw"))):
        code, lines, (error,) = call(capsys, given)
        assert (code, lines) == (1, [])
        assert error.startswith(f"audionet: error: {name}: is no WAV, ") and "give their rate with --raw-rate" in error
        assert "file object" not in error


def test_what_was_found_before_an_error_is_kept(capsys, stdin, tmp_path):
    samples, rate = audio.decode(SEVEN)
    floats = np.concatenate([samples[0], np.zeros(rate), [np.nan]]).astype("<f4")
    stdin(floats.tobytes())
    raw = ("--raw-rate", rate, "--raw-format", "f32le", "--labels", tmp_path / "labels.txt")
    code, lines, errors = call(capsys, "-", *raw)
    assert (code, len(lines)) == (1, 1) and "seven" in lines[0]
    assert "expected finite samples" in errors[0]
    assert (tmp_path / "labels.txt").read_text().endswith("\tseven\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no.wav"], "no.wav: cannot be read"),
        (["--keywords", "sevn", SEVEN], "keywords: expected one of .*did you mean 'seven'"),
        (["--thresholds", "sevn=0.5", SEVEN], "thresholds: expected one of .*did you mean 'seven'"),
        (["--thresholds", "seven=2", SEVEN], "threshold: expected a number from 0 to 1, got 2"),
        (["--threshold", "0", SEVEN], "threshold: expected more than 0"),
        (["--raw-rate", "16000", "--raw-format", "s17", SEVEN], "sample_format: expected one of u8"),
        (["--labels", "track.txt", SEVEN, SEVEN], "labels: expected one recording, got 2"),
    ],
)
def test_bad_input(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, lines, errors = call(capsys, *arguments)
    assert code == 1 and lines == [] and len(errors) == 1
    assert re.search(message, errors[0])
    assert list(tmp_path.iterdir()) == []
