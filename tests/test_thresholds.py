"""Thresholds from a wanted rate, and a detector's figures, on recordings in which every score is known."""

import json
import re
from collections.abc import Mapping

import numpy as np
import pytest

from audionet import audio, bundle, metrics
from audionet.cli import main as cli
from audionet.evaluate import calibrate_detection, evaluate_detection, hear_negatives, positives_in
from audionet.inference import Detector, Recognizer
from audionet.report import write_detection

RATE, WINDOW = 2000, 1000
TONES = {"low": 100, "high": 700}


class Tones:
    """A recogniser of two tones: the probability of one is its amplitude in the window."""

    labels: tuple[str, ...] = ("low", "high", "_unknown_")
    sample_rate, clip_length = RATE, WINDOW
    thresholds: Mapping[str, float] = {"low": 0.5, "high": 0.5}

    def clip_probabilities(self, clips):
        time = np.arange(WINDOW) / RATE
        waves = np.exp(2j * np.pi * np.outer([*TONES.values()], time))
        heard = np.abs(clips @ waves.T) * 2 / WINDOW
        return np.concatenate([heard, 1 - heard.sum(1, keepdims=True)], 1).clip(0, 1).astype(np.float32)


def sound(seconds, tones):
    """Silence with tones: (word, amplitude, second at which a second of it begins)."""
    samples = np.zeros(round(seconds * RATE))
    for word, amplitude, start in tones:
        time = np.arange(RATE) / RATE
        samples[round(start * RATE) :][:RATE] += amplitude * np.sin(2 * np.pi * TONES[word] * time)
    return samples.astype(np.float32)


def write(path, seconds, tones):
    path.parent.mkdir(parents=True, exist_ok=True)
    audio.save_audio(path, sound(seconds, tones), RATE)


@pytest.fixture
def negatives(tmp_path):
    """36 seconds in two rooms, with tones of known amplitudes."""
    kitchen, hall = tmp_path / "room" / "kitchen" / "deep" / "1.wav", tmp_path / "room" / "hall" / "2.wav"
    write(kitchen, 18, [("low", 0.3, 2), ("low", 0.6, 7), ("high", 0.4, 12)])
    write(hall, 18, [("high", 0.7, 3), ("high", 0.2, 10)])
    (tmp_path / "room" / "notes.txt").write_text("no sound")
    return tmp_path / "room"


@pytest.fixture
def positives(tmp_path):
    """Twelve words of two speakers, in two places, a second long and louder from one to the next."""
    for number in range(6):
        for word in TONES:
            place = tmp_path / "words" / word / ("near" if number % 2 else "far")
            write(place / f"{'ann' if number < 3 else 'bob'}_nohash_{number}.wav", 2, [(word, 0.3 + 0.1 * number, 0.5)])
            (place / f"{'ann' if number < 3 else 'bob'}_nohash_{number}.txt").write_text(f"0.5\t1.5\t{word}\n")
    return tmp_path / "words"


# ---- scores and events ---------------------------------------------------------------------------------------------


def test_peaks_are_the_amplitudes_and_hours_those_of_the_recordings(negatives):
    heard = hear_negatives(Tones(), [negatives])
    assert heard.hours == pytest.approx(0.01)
    peaks = {word: [round(alarm.score, 1) for alarm in found] for word, found in heard.alarms.items()}
    assert peaks == {"low": [0.3, 0.6], "high": [0.7, 0.2, 0.4]} and [track.path.name for track in heard.tracks] == [
        "2.wav",
        "1.wav",
    ]
    first = heard.alarms["low"][0]
    assert 2.4 < first.time < 3.3 and heard.tracks[first.place].path.name == "1.wav"


def test_a_recording_in_two_folders_is_heard_once(negatives):
    folders = [negatives / "kitchen", negatives, negatives]
    heard, whole = hear_negatives(Tones(), folders), hear_negatives(Tones(), [negatives])
    assert heard.hours == whole.hours and len(heard.tracks) == 2


def test_events_are_those_of_the_detector(negatives):
    heard, levels = hear_negatives(Tones(), [negatives]), {"low": 0.25, "high": 0.35}
    detector = Detector(Tones(), thresholds=levels)
    expected = [event for track in heard.tracks for event in detector.detect_file(track.path)]
    found = heard.events(levels)
    assert [(event.keyword, event.score) for event in found] == [(event.keyword, event.score) for event in expected]
    assert len(found) == 4


def test_long_recordings_are_read_in_blocks(negatives, monkeypatch):
    whole = hear_negatives(Tones(), [negatives])
    monkeypatch.setattr("audionet.evaluate.tracks._BLOCK", 777)
    pieces = hear_negatives(Tones(), [negatives])
    for one, other in zip(whole.tracks, pieces.tracks, strict=True):
        assert one.seconds == other.seconds and np.array_equal(one.times, other.times)
        # One matrix product of another size may round otherwise.
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-6)


# ---- calibration ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "n_alarms", "level"), [(0.5, 0, 0.7), (100.0, 1, 0.6), (200.0, 2, 0.4)])
def test_a_common_threshold_keeps_to_the_rate(negatives, rate, n_alarms, level):
    found = calibrate_detection(Tones(), [negatives], false_alarms_per_hour=rate)
    assert len(found.alarms) == n_alarms and len({*found.thresholds.values()}) == 1
    assert found.thresholds["low"] == pytest.approx(level, abs=0.01)
    assert found.interval == metrics.poisson_interval(n_alarms, found.hours)
    for threshold, at_most in ((found.thresholds["low"], n_alarms), (found.thresholds["low"] - 0.02, n_alarms + 1)):
        events = [Detector(Tones(), thresholds=threshold).detect_file(track.path) for track in found.negatives.tracks]
        assert sum(map(len, events)) == at_most


def test_each_keyword_has_a_threshold_of_its_own_where_enough_alarms_are_allowed(negatives):
    found = calibrate_detection(Tones(), [negatives], false_alarms_per_hour=300.0)  # three, and one, in 36 seconds
    assert found.thresholds == pytest.approx({"low": 0.3, "high": 0.4}, abs=0.01)
    assert [alarm.keyword for alarm in found.alarms] == ["high", "low"]


def test_no_threshold_is_so_low_that_most_sounds_would_be_words(tmp_path):
    write(tmp_path / "quiet" / "1.wav", 5, [])
    assert calibrate_detection(Tones(), [tmp_path / "quiet"]).thresholds == {"low": 0.1, "high": 0.1}


def test_places_that_may_hold_a_word_are_listed_and_left_out_when_asked(negatives, positives):
    write(negatives / "attic" / "3.wav", 5, [("low", 0.97, 2)])
    found = calibrate_detection(Tones(), [negatives], false_alarms_per_hour=0.5)
    (suspect,) = found.suspects
    assert found.negatives.tracks[suspect.place].path.name == "3.wav" and 2.4 < suspect.time < 3.3
    assert found.thresholds["low"] > 0.95 and not found.left_out
    found = calibrate_detection(Tones(), [negatives], false_alarms_per_hour=0.5, leave_out_suspects=True)
    assert found.thresholds["low"] == pytest.approx(0.7, abs=0.01) and not found.alarms and len(found.suspects) == 1
    # The median of the words is 0.55, which two other tones reach.
    found = calibrate_detection(Tones(), [negatives], positives=positives, false_alarms_per_hour=0.5)
    assert [(each.keyword, round(each.score, 1)) for each in found.suspects] == [
        ("low", 1.0),
        ("high", 0.7),
        ("low", 0.6),
    ]


def test_words_that_are_rejected_are_counted(negatives, positives):
    found = calibrate_detection(Tones(), [negatives], positives=positives, false_alarms_per_hour=100.0)
    assert found.rejects == {"low": (4, 6), "high": (4, 6)}  # 0.3 to 0.6, at 0.6 and a little


def test_a_rate_that_no_threshold_keeps_to(tmp_path):
    class Sure(Tones):
        def clip_probabilities(self, clips):
            return (super().clip_probabilities(clips) > 0.9).astype(np.float32)

    write(tmp_path / "loud" / "1.wav", 18, [("low", 1.0, 2), ("low", 1.0, 9)])
    message = (
        r"false_alarms_per_hour: expected a rate that a threshold keeps to: even at 1, low raise 2 false alarms in "
        r"0\.005 h, 48 to 1\.4e\+03 an hour, got 0\.5; see whether the negatives hold the words"
    )
    with pytest.raises(ValueError, match=message):
        calibrate_detection(Sure(), [tmp_path / "loud"], false_alarms_per_hour=0.5)


# ---- evaluation ----------------------------------------------------------------------------------------------------


def test_a_detector_is_evaluated(negatives, positives, tmp_path):
    found = evaluate_detection(Tones(), positives, [negatives], thresholds={"low": 0.65, "high": 0.45})
    low, both = found.at_thresholds(["low"]), found.at_thresholds(["low", "high"])
    assert (low.n_rejected, low.n_positives, low.n_alarms) == (4, 6, 0)
    assert (both.n_rejected, both.n_positives, both.n_alarms) == (6, 12, 1)
    point = found.point(100.0, ["low", "high"])  # one alarm in 36 seconds, so the threshold is above 0.6
    assert (point.n_rejected, point.n_alarms) == (8, 1)
    assert found.area(["low"]) == 4 / 6  # no alarm an hour, at 0.6 and a little
    assert found.by_speaker == {"ann": (1, 6), "bob": (5, 6)}
    assert found.by_room == {"far": (3, 6), "near": (3, 6)}
    assert {room: n_alarms for room, (n_alarms, _) in found.alarms_by_room.items()} == {"hall": 1, "kitchen": 0}
    assert [hours for _, hours in found.alarms_by_room.values()] == pytest.approx([0.005, 0.005])
    # A threshold below the amplitude is reached before the word's second has ended.
    assert found.latency is not None and found.latency.n_words == 6 and -0.5 < found.latency.median < 0.3
    page = write_detection(tmp_path / "page.html", found, model="tones").read_text()
    assert "kitchen" in page and "ann" in page and page.count("<img") == 1


def test_labels_that_are_no_keywords_are_left_out_and_said(positives, capsys):
    write(positives / "middle" / "1.wav", 1, [])
    assert {said.keyword for said in positives_in(positives, ["low", "high"])} == {"low", "high"}
    assert "left out middle" in capsys.readouterr().err


def test_a_card_tells_speaker_and_room(tmp_path):
    write(tmp_path / "a" / "low-kim-attic.wav", 1, [])
    (tmp_path / "a" / "card.yaml").write_text(
        "title: words\ndescription: words\nlicense: CC0\nhomepage: ''\ncitation: ''\nsample_rate: 2000\nname: a\n"
        "labels: {keep: [low]}\nsplit: all\nsplits: {all: {kind: hash}}\n"
        "layout: {kind: pattern, pattern: '(?P<label>.+)-(?P<speaker>.+)-(?P<room>.+)\\.wav'}\n"
    )
    (said,) = positives_in(tmp_path / "a", ["low"])
    assert (said.keyword, said.speaker, said.room, said.end) == ("low", "kim", "attic", None)


# ---- bad input -----------------------------------------------------------------------------------------------------


def test_folders_that_do_not_fit(tmp_path, negatives, positives):
    def calibrated(*folders, **others):
        return calibrate_detection(Tones(), folders, **others)

    with pytest.raises(ValueError, match="negatives: expected a folder of recordings in which no keyword is said"):
        calibrated()
    with pytest.raises(ValueError, match=f"negatives: {tmp_path}/none: expected a folder, got 'nothing there'"):
        calibrated(tmp_path / "none")
    with pytest.raises(ValueError, match=r"notes.txt: expected a folder, got 'a file'"):
        calibrated(negatives / "notes.txt")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "a.txt").write_text("")
    with pytest.raises(ValueError, match=r"empty: expected audio files .*got none"):
        calibrated(tmp_path / "empty")
    write(tmp_path / "short" / "1.wav", 0.3, [])
    with pytest.raises(ValueError, match=r"negatives: expected recordings that are longer than a window of 0\.5 s"):
        calibrated(tmp_path / "short")
    with pytest.raises(ValueError, match="expected folders called low, high, got 'hall, kitchen'"):
        calibrated(negatives, positives=negatives)
    with pytest.raises(ValueError, match=r"nowhere: expected a folder, got 'nothing there'"):
        calibrated(negatives, positives=tmp_path / "nowhere")
    (positives / "low" / "near" / "ann_nohash_1.txt").write_text("these are my words\n")
    with pytest.raises(ValueError, match=r"ann_nohash_1.txt: expected lines of start, end and label"):
        calibrated(negatives, positives=positives)


def test_rooms_have_the_names_of_folders_however_these_are_named(negatives, positives, monkeypatch):
    write(negatives / "3.wav", 2, [])

    def rooms(*folders):
        return {*evaluate_detection(Tones(), positives, folders).alarms_by_room}

    monkeypatch.chdir(negatives / "hall")
    assert rooms("../../room/") == {"hall", "kitchen", "room"}
    assert rooms(".") == {"hall"}
    assert rooms("..", ".") == rooms(".", "..") == {"hall", "kitchen", "room"}
    assert rooms(negatives / "kitchen") == {"deep"}, "the first folder below the one that is named"


def test_rooms_that_are_not_there(capsys, write_bundle, noises):
    given = ["evaluate", write_bundle(), "--positives", noises / "words"]
    for folder, message in (
        ("rooom", "rooom: expected a folder, got 'nothing there'; check its spelling"),
        ("room/1.wav", "1.wav: expected a folder, got 'a file'"),
        ("room/1.wav/hall", "hall: expected a folder, got 'nothing there'"),
    ):
        code, lines, (error,) = call(capsys, *given, "--negatives", noises / "room", "--negatives", noises / folder)
        assert (code, lines) == (1, []) and message in error


@pytest.mark.parametrize("rate", [0, -0.5, float("nan"), float("inf")])
def test_rates_that_are_none(negatives, rate):
    with pytest.raises(ValueError, match="false_alarms_per_hour: expected more than 0"):
        calibrate_detection(Tones(), [negatives], false_alarms_per_hour=rate)


def test_short_and_damaged_recordings_beside_others(negatives, capsys):
    write(negatives / "short.wav", 0.3, [])
    (negatives / "damaged.wav").write_bytes(b"RIFF")
    found = calibrate_detection(Tones(), [negatives])
    assert len(found.errors) == 1 and "damaged.wav" in str(found.errors[0])
    assert "1 are shorter than a window of 0.5 s" in capsys.readouterr().err


# ---- the commands --------------------------------------------------------------------------------------------------


def call(capsys, *words):
    code = cli.main([*map(str, words)])
    shown = capsys.readouterr()
    return code, shown.out.splitlines(), shown.err.splitlines()


@pytest.fixture
def noises(tmp_path):
    """A minute of noise in one room, and a digit of noise."""
    draw = np.random.default_rng(0)
    for path, seconds in (("room/1.wav", 20), ("room/2.wav", 10), ("words/seven/1.wav", 1), ("words/two/2.wav", 1)):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        audio.save_audio(tmp_path / path, (0.1 * draw.standard_normal(seconds * 8000)).astype(np.float32), 8000)
    return tmp_path


def test_calibrate_writes_thresholds_into_the_bundle(capsys, write_bundle, noises):
    path, room = write_bundle(), noises / "room"
    code, lines, errors = call(capsys, "calibrate", path, "--negatives", room, "--positives", noises / "words")
    assert (code, errors) == (0, [])
    assert lines[0].split()[:3] == ["KEYWORD", "THRESHOLD", "FALSE"] and lines[1].startswith("zero")
    assert any("0.01 h say little" in line and "sure after 7.4 h" in line for line in lines)
    loaded = bundle.load(path)
    assert loaded.detection["negative_hours"] == pytest.approx(30 / 3600) and loaded.detection["alarms"] == 0
    assert {*loaded.detection["thresholds"]} == {*loaded.labels}
    recognizer = Recognizer(loaded)
    assert recognizer.thresholds == loaded.detection["thresholds"]
    assert not any(Detector(recognizer).detect_file(file) for file in room.glob("*.wav"))
    _, lines, _ = call(capsys, "models", "show", path)
    (shown,) = (line for line in lines if line.startswith("false alarms"))
    assert shown.split(None, 2)[2] == "0 in 0.01 h, 0.00 to 442.67 an hour; 0.5 were wanted"


def test_calibrate_never_changes_a_shipped_model(capsys, write_bundle, noises, monkeypatch):
    shipped = noises / "shipped" / "recognition" / "tiny.safetensors"
    shipped.parent.mkdir(parents=True)
    monkeypatch.setattr(bundle, "SHIPPED", noises / "shipped")
    write_bundle(shipped)
    before = shipped.read_bytes()
    for name in ("tiny", shipped):
        code, lines, errors = call(capsys, "calibrate", name, "--negatives", noises / "room")
        assert (code, lines, len(errors)) == (1, [], 1) and "name one with --output FILE" in errors[0]
    code, _, errors = call(capsys, "calibrate", "tiny", "--negatives", noises / "room", "--output", "no/such/folder")
    assert code == 1 and "output: expected a name in a folder that is there and can be written" in errors[0]
    other = noises / "mine.safetensors"
    assert call(capsys, "calibrate", "tiny", "--negatives", noises / "room", "--output", other)[0] == 0
    assert bundle.load(other).detection and shipped.read_bytes() == before
    code, _, errors = call(capsys, "calibrate", "tiny", "--negatives", noises / "room", "--output", other)
    assert code == 1 and "output: expected a file that is not there yet" in errors[0]


def test_calibrate_sends_exported_files_back_to_their_bundle(capsys, noises):
    code, lines, (error,) = call(capsys, "calibrate", "some.onnx", "--negatives", noises / "room")
    assert (code, lines) == (1, [])
    assert "got 'an exported file, some.onnx'; calibrate the bundle that it was exported from, and export" in error


@pytest.mark.parametrize("rate", ["0", "-1", "nan"])
def test_calibrate_refuses_rates_before_it_listens(capsys, write_bundle, noises, rate):
    path = write_bundle()
    before = path.read_bytes()
    code, lines, errors = call(
        capsys, "calibrate", path, "--negatives", noises / "room", f"--false-alarms-per-hour={rate}"
    )
    assert (code, lines) == (1, []) and errors[0].startswith(
        "audionet: error: false_alarms_per_hour: expected more than 0"
    )
    assert path.read_bytes() == before


def test_evaluate_tells_of_a_detector(capsys, write_bundle, noises):
    given = ["evaluate", write_bundle(), "--positives", noises / "words", "--negatives", noises / "room"]
    code, lines, errors = call(capsys, *given, "--report", noises / "page.html")
    assert (code, errors) == (0, [])
    assert re.match(r"KEYWORD\s+REJECTED AT ITS THRESHOLD\s+FALSE ALARMS", lines[0])
    assert [line.split()[0] for line in lines[1:4]] == ["all", "two", "seven"] and (noises / "page.html").is_file()
    code, (line,), errors = call(capsys, *given, "--json", "--threshold", "1")
    said = json.loads(line)
    assert (code, errors) == (0, []) and said["figures"]["all"]["at_thresholds"]["rejected"] == 2
    assert said["hours"] == pytest.approx(30 / 3600) and said["alarms"] == [] and said["latency"] is None


@pytest.mark.parametrize("words", [[], ["--positives", "x"], ["--negatives", "x"], ["x", "--positives", "y"]])
def test_evaluate_wants_a_folder_or_both_kinds(capsys, write_bundle, words):
    code, _, errors = call(capsys, "evaluate", write_bundle(), *words)
    assert code == 1 and "either a folder of class folders, or both --positives and --negatives" in errors[0]
