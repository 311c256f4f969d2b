"""The detector: its scores are the recogniser's, however the sound is cut; its events have their place; bad input."""

import tracemalloc
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import audionet
from audionet import audio, export, features
from audionet.audio.fitting import speech_span
from audionet.bundle import Bundle, Part
from audionet.inference import Detector, Recognizer
from tests.test_family import ON_WAVEFORMS, SMALL, build, noise, settle

COMMANDS = Path(__file__).parents[2] / "shared" / "data" / "speech_commands_test_half"
RATE = 8000
WORDS = ("low", "high")
PITCHES = {"low": 500.0, "high": 2000.0}


class Tones:
    """A recogniser of two tones, by how much of each there is in a clip. It keeps the clips that it was asked about."""

    labels: tuple[str, ...] = (*WORDS, "_unknown_", "_silence_")
    sample_rate, clip_length = RATE, 4000

    def __init__(self) -> None:
        self.thresholds: Mapping[str, float] = dict.fromkeys(WORDS, 0.5)
        self.clips: list[np.ndarray] = []
        phases = 2 * np.pi / RATE * np.outer(np.arange(self.clip_length), [*PITCHES.values()])
        self.cosines, self.sines = np.cos(phases).astype(np.float32), np.sin(phases).astype(np.float32)

    def clip_probabilities(self, clips: np.ndarray) -> np.ndarray:
        self.clips.append(clips.copy())
        scores = np.zeros((len(clips), 4), np.float32)
        scores[:, :2] = np.minimum(4 * np.hypot(clips @ self.cosines, clips @ self.sines) / self.clip_length, 1)
        return scores


def sound(*words: tuple[str, float, float], seconds: float = 4.0, rate: int = RATE) -> np.ndarray:
    """Tones (word, start, end) in quiet noise, (time,) float32."""
    time = np.arange(round(seconds * rate)) / rate
    made = 1e-3 * np.random.default_rng(0).standard_normal(len(time))
    for word, start, end in words:
        made += 0.6 * np.sin(2 * np.pi * PITCHES[word] * time) * ((time >= start) & (time < end))
    return made.astype(np.float32)


SOUND = sound(("low", 0.6, 1.0), ("high", 1.8, 2.2), ("low", 3.0, 3.5))


def detector(recognizer: Any = None, **changes: Any) -> Detector:
    return Detector(recognizer or Tones(), **{"hop_seconds": 0.05, "smoothing": 2, **changes})


def pushed(made: Detector, waveform: np.ndarray, size: int, rate: int = RATE) -> list[Any]:
    events: list[Any] = []
    for start in range(0, len(waveform), size):
        events += made.push(waveform[start : start + size], rate)
    return events + made.finish()


def close(events: list[Any], others: list[Any], tolerance: float = 1e-6) -> None:
    """The same events; scores may differ in the last digit, since clips go through a network in other batches."""
    assert [event.keyword for event in events] == [event.keyword for event in others]
    np.testing.assert_allclose([event[1:] for event in events], [event[1:] for event in others], atol=tolerance)


def test_events_have_the_place_of_the_sound():
    events = detector().detect(SOUND, RATE)
    assert [event.keyword for event in events] == ["low", "high", "low"]
    for event, start in zip(events, (0.6, 1.8, 3.0), strict=True):
        assert event.start == pytest.approx(start, abs=0.03)  # frames of 40 ms
        assert start < event.end <= start + 0.43
        assert 0.5 <= event.score <= 1


def test_the_words_in_the_first_and_the_last_moments_are_found():
    made = detector().detect(sound(("high", 0.0, 0.3), ("low", 3.7, 4.0)), RATE)
    assert [event.keyword for event in made] == ["high", "low"]
    assert made[0].start >= 0 and made[-1].end <= 4.01
    assert [event.keyword for event in detector().detect(sound(("low", 0.0, 0.3), seconds=0.3), RATE)] == ["low"]


@pytest.mark.parametrize("rate", [RATE, 16_000, 11_025])
def test_chunks_of_any_size_give_the_same_events(rate):
    waveform = audio.resample(SOUND, RATE, rate)
    whole = detector().detect(waveform, rate)
    assert len(whole) == 3
    for size in (37, 160, 5000):
        close(pushed(detector(), waveform, size, rate), whole)
    close(pushed(detector(), waveform[: int(1.2 * rate)], 1, rate), whole[:1])


def test_windows_are_cut_every_hop_and_an_input_gives_one_forward_pass():
    recognizer = Tones()
    made = detector(recognizer)
    made.push(SOUND[:10_000], RATE)
    (clips,) = recognizer.clips
    padded = np.concatenate([np.zeros(4000, np.float32), SOUND])
    expected = np.lib.stride_tricks.sliding_window_view(padded, 4000)[400:10_001:400]
    np.testing.assert_array_equal(clips, expected)
    made.push(SOUND[10_000:10_399], RATE)
    assert len(recognizer.clips) == 1, "no window is complete"
    made.push(SOUND[10_399:10_400], RATE)
    assert [len(each) for each in recognizer.clips] == [25, 1]


def test_a_resampled_stream_is_scored_as_the_whole_file_resampled():
    one, other = Tones(), Tones()
    waveform = audio.resample(SOUND, RATE, 44_100)
    pushed(detector(one), waveform, 441, 44_100)
    pushed(detector(other), audio.resample(waveform, 44_100, RATE), 80)
    np.testing.assert_array_equal(np.concatenate(one.clips), np.concatenate(other.clips))  # to the last bit


def test_streams_equal_one_by_one():
    """Each stream goes on when its mask says so, and begins anew in the middle."""
    waveforms = np.stack([SOUND, SOUND[::-1], np.roll(SOUND, 5000)])
    generator = np.random.default_rng(1)
    many, alone = detector(n_streams=3), [detector() for _ in range(3)]
    events: list[list[Any]] = [[], [], []]
    expected: list[list[Any]] = [[], [], []]
    place = np.zeros(3, int)
    while (place < 32_000).any():
        active = (generator.uniform(size=3) < [1.0, 0.7, 0.4]) & (place < 32_000)
        chunks = np.stack(
            [
                row[start : start + 500] if start < 32_000 else np.zeros(500)
                for row, start in zip(waveforms, place, strict=True)
            ]
        )
        for stream, found in enumerate(many.push_batch(chunks, active, RATE)):
            events[stream] += found
            if active[stream]:
                expected[stream] += alone[stream].push(chunks[stream], RATE)
        anew = active & (place == 16_000)
        many.reset(anew)
        for stream in np.flatnonzero(anew).tolist():
            alone[stream].reset()
        place += 500 * active
    for stream, found in enumerate(many.finish_batch()):
        close(events[stream] + found, expected[stream] + alone[stream].finish())
        assert len(expected[stream]) >= 2


def test_reset_equals_a_new_one():
    made = detector()
    made.push(SOUND[:9000], RATE)
    made.reset()
    close(pushed(made, audio.resample(SOUND, RATE, 16_000), 700, 16_000), detector().detect(SOUND, RATE), 1e-2)
    close(pushed(made, SOUND, 700), detector().detect(SOUND, RATE))


def test_behind_a_gap_time_goes_on_and_the_rest_begins_anew():
    made = detector()
    before = made.push(SOUND[:7200], RATE) + made.gap(10.0)
    assert made.time == pytest.approx(10.9)
    behind = made.push(SOUND[:12_000]) + made.finish()
    assert [event.keyword for event in before + behind] == ["low", "low"]
    assert before[0].start == pytest.approx(0.6, abs=0.03)
    assert behind[0].start == pytest.approx(11.5, abs=0.03)


def test_a_long_recording_needs_no_more_memory_than_a_short_one():
    """The state keeps its size, and time does not drift: an hour in which a word is said at its end."""
    recognizer = Tones()
    recognizer.clips = _Forgetful()
    made = detector(recognizer, hop_seconds=0.25)
    quiet, word = np.zeros(480_000, np.float32), sound(("low", 0.6, 1.0), seconds=2)
    made.push(quiet, RATE)
    tracemalloc.start()
    for _ in range(59):
        made.push(quiet)
    grown, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 1e6 and peak < 2e7
    assert len(made.state.streams[0].samples) < 4000
    (event,) = made.push(word) + made.finish()
    assert event.start == pytest.approx(3600.6, abs=0.03)


class _Forgetful(list[np.ndarray]):
    def append(self, clips: np.ndarray) -> None: ...


def test_keywords_and_thresholds():
    assert [event.keyword for event in detector(keywords=["high"]).detect(SOUND, RATE)] == ["high"]
    assert [event.keyword for event in detector(thresholds={"low": 0.97}).detect(SOUND, RATE)] == ["high", "low"]
    assert detector(thresholds=0.9).settings.thresholds == (0.9, 0.9)
    assert detector().keywords == WORDS


def test_thresholds_of_a_bundle(write_bundle):
    """Those that were calibrated, or else the bundle's, or else 0.5; a call says otherwise."""
    bundle = audionet.bundle.load(write_bundle())
    cases: list[tuple[dict[str, Any], float, float]] = [
        ({}, 0.5, 0.5),
        ({"threshold": 0.7}, 0.7, 0.7),
        ({"threshold": 0.7, "detection": {"thresholds": {"one": 0.9}}}, 0.9, 0.7),
    ]
    for changes, one, two in cases:
        recognizer = Recognizer(replace(bundle, **changes))
        made = Detector(recognizer, keywords=["two", "one"])
        assert made.settings.thresholds == (two, one)
        assert Detector(recognizer, keywords=["one"], thresholds=0.3).settings.thresholds == (0.3,)


@pytest.mark.skipif(not COMMANDS.exists(), reason=f"needs the real recordings in {COMMANDS}")
def test_real_words_are_reported_in_time_and_in_place():
    """Of five words in the noise of a tap, 0.5 s apart, at least four: each within 250 ms of its end."""
    made = audionet.load_detector("commands")
    rate, parts, said, position = 16_000, [], {}, 0
    for word in ("yes", "stop", "left", "go", "up"):
        samples = audio.read_mono(min((COMMANDS / word).glob("*.flac")), rate)
        first, last = speech_span(samples, rate)
        said[word] = (position + 8000 + first) / rate, (position + 8000 + last) / rate
        parts += [np.zeros(8000, np.float32), samples]
        position += 8000 + len(samples)
    noise = audio.read_mono(COMMANDS.parent / "background_noise" / "running_tap.wav", rate)[:position]
    stream = np.concatenate(parts) + noise * np.float32(0.01 / noise.std())
    found = []
    for start in range(0, position, 320):
        for event in made.push(stream[start : start + 320], rate):
            found.append(event.keyword)
            begins, ends = said[event.keyword]
            assert event.start == pytest.approx(begins, abs=0.05)
            assert begins < event.end <= ends + 0.05
            assert made.time <= ends + 0.25
    assert len(found) >= 4 and found == [word for word in said if word in found]


def test_an_exported_file_gives_the_same_events(write_bundle, tmp_path):
    pytest.importorskip("onnxruntime")
    bundle = audionet.bundle.load(write_bundle())
    (exported,) = export.write_formats(bundle, tmp_path, ["onnx"], name="tiny")
    settings: dict[str, Any] = {"thresholds": 0.12, "smoothing": 1, "hysteresis": 0.95, "refractory": 0.2}
    events = audionet.load_detector(exported.path, **settings).detect(SOUND, RATE)
    assert events
    close(events, Detector(Recognizer(bundle), **settings).detect(SOUND, RATE), 1e-4)  # as the export was checked
    with pytest.raises(ValueError, match="device: expected cpu for an ONNX file, got 'cuda'"):
        audionet.load_detector(exported.path, "cuda")


# ---- the scores are the recogniser's -----------------------------------------------------------------------


def recognizer_of(network: Any, network_name: str, front_end: str, arguments: dict[str, Any], rate: int) -> Recognizer:
    part = Part(front_end, arguments, features.create(front_end, **arguments).eval())
    labels = tuple(f"word{number}" for number in range(network.n_classes))
    model = Part(network_name, SMALL[network_name], network)
    return Recognizer(
        Bundle(task="recognition", model=model, front_end=part, sample_rate=rate, clip_length=rate, labels=labels)
    )


def assert_scores_are_those_of_the_windows(recognizer: Recognizer, seconds: float = 1.7) -> None:
    length = recognizer.clip_length
    waveform = 0.1 * np.random.default_rng(0).standard_normal(round(seconds * length)).astype(np.float32)
    made = Detector(recognizer, hop_seconds=0.25, smoothing=1)
    scores = []
    for start in range(0, len(waveform), length // 4):
        made.push(waveform[start : start + length // 4], recognizer.sample_rate)
        scores.append(made.state.events.scores[0])
    padded = np.concatenate([np.zeros(length, np.float32), waveform])
    for number, row in enumerate(scores[: len(waveform) * 4 // length], 1):
        window = torch.from_numpy(padded[number * length // 4 :][:length].copy())
        with torch.inference_mode():
            logits = recognizer.network(recognizer.front_end(window[None, None]))
            expected = recognizer.probabilities(logits)[0].numpy()
        assert np.abs(row - expected).max() <= 1e-5


FRONT_ENDS: dict[str, tuple[str, dict[str, Any]]] = {
    "top_db": ("LogMel", {"scale": "db", "top_db": 60}),
    "subtract_mean": ("LogMel", {"subtract_mean": "band"}),
    "pcen": ("PCEN", {}),
    "deltas": ("MFCC", {"deltas": 1}),
}


@pytest.mark.parametrize("kind", FRONT_ENDS)
def test_scores_with_a_front_end_that_looks_at_the_whole_clip(kind):
    name, arguments = FRONT_ENDS[kind]
    arguments = arguments | {"sample_rate": RATE}
    n_bands = features.create(name, **arguments).n_bands
    torch.manual_seed(0)
    network = audionet.models.create("bcresnet", n_classes=4, n_bands=n_bands)
    network = settle(network, torch.randn(3, 1, n_bands, 101))
    assert_scores_are_those_of_the_windows(recognizer_of(network, "bcresnet", name, arguments, RATE))


@pytest.mark.parametrize("name", SMALL)
def test_scores_of_every_network(name):
    network = build(name, n_classes=4)
    network = settle(network, noise(network, 3))
    front_end, rate = ("Waveform", 2000) if name in ON_WAVEFORMS else ("LogMel", RATE)
    arguments = {"sample_rate": rate} | ({} if name in ON_WAVEFORMS else {"n_mels": 40})
    assert_scores_are_those_of_the_windows(recognizer_of(network, name, front_end, arguments, rate))


# ---- bad input ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keywords": ["hihg"]}, "keywords: expected one of low, high, got 'hihg'; did you mean 'high'"),
        ({"keywords": ["_unknown_"]}, "keywords: expected one of low, high"),
        ({"keywords": "high"}, "keywords: expected a list of words"),
        ({"keywords": []}, "keywords: expected at least one word"),
        ({"thresholds": {"hihg": 0.5}}, "thresholds: expected one of low, high, got 'hihg'"),
        ({"thresholds": 1.01}, "threshold: expected a number from 0 to 1, got 1.01"),
        ({"thresholds": {"low": 0}}, "threshold: expected more than 0"),
        ({"hop_seconds": 0}, "hop_seconds: expected a number from 0.000125 to 0.5, got 0"),
        ({"hop_seconds": 0.6}, "hop_seconds: expected a number from 0.000125 to 0.5, got 0.6"),
        ({"smoothing": 0}, "smoothing: expected"),
        ({"n_streams": 0}, "n_streams: expected a whole number of at least 1"),
    ],
)
def test_settings_that_do_not_fit(changes, message):
    with pytest.raises(ValueError, match=message):
        detector(**changes)


@pytest.mark.parametrize(
    ("chunk", "message"),
    [
        (np.array([0.1, np.nan], np.float32), "expected finite samples, got 1 of 2"),
        (np.array([0.1, np.inf], np.float32), "expected finite samples"),
        (np.zeros(4, np.int16), r"expected float samples in \[-1, 1\], got int16; scale them"),
        (np.full(4, 1000.0, np.float32), "got a peak of 1000"),
        (np.zeros((2, 4), np.float32), r"chunk: expected \(time,\), got \(2, 4\); mix channels"),
        ("seven.wav", "expected a numpy array, got str"),
        ([[0.1], [0.1, 0.2]], "rows of one length"),
    ],
)
def test_chunks_that_do_not_fit(chunk, message):
    made = detector()
    made.push(SOUND[:500], RATE)
    with pytest.raises(ValueError, match=message):
        made.push(chunk)
    close(made.push(SOUND[500:]) + made.finish(), detector().detect(SOUND, RATE))  # nothing is lost by it


def test_sample_rates_that_are_missing_or_change():
    made = detector()
    with pytest.raises(ValueError, match="sample_rate: expected a whole number of Hz, .* got None; give that of"):
        made.push(SOUND)
    made.push(SOUND[:100], 16_000)
    made.push(SOUND[:100])
    with pytest.raises(ValueError, match="sample_rate: expected 16000 Hz as before, got 8000; end the stream"):
        made.push(SOUND[:100], RATE)
    made.finish()
    made.push(SOUND[:100], RATE)


def test_calls_that_do_not_fit():
    two = detector(n_streams=2)
    for call, message in (
        (lambda: two.push(SOUND, RATE), "n_streams: expected 1 for this method, got 2; call push_batch"),
        (lambda: two.finish(), "call finish_batch"),
        (lambda: two.gap(1.0), "call reset"),
        (lambda: detector().gap(-1.0), "seconds: expected at least 0"),
        (lambda: two.push_batch(SOUND, None, RATE), r"chunk: expected \(2 streams, time\), got \(32000,\)"),
        (lambda: two.push_batch(np.zeros((3, 4)), None, RATE), r"chunks: expected \(2 streams, time\), got \(3, 4\)"),
        (lambda: two.push_batch(np.zeros((2, 4)), [True], RATE), r"active: expected \(2 streams,\) of True and False"),
        (
            lambda: two.push_batch(np.zeros((2, 4)), np.array([1, 0]), RATE),
            r"active: expected \(2 streams,\) of True and False",
        ),
        (lambda: two.reset([True]), r"streams: expected \(2 streams,\)"),
        (lambda: audionet.load_detector("embedding"), "recognition"),
        (lambda: detector().detect_file("no/such.wav"), "no/such.wav: cannot be read"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_chunks_of_other_kinds():
    """Empty ones, lists, tensors and float64 are samples as well."""
    made = detector()
    events = made.push(SOUND[:0], RATE)
    events += made.push(SOUND[:1000].tolist()) + made.push(torch.from_numpy(SOUND[1000:2000]))
    events += made.push(SOUND[2000:3000].astype(np.float64)) + made.push(SOUND[3000:]) + made.finish()
    close(events, detector().detect(SOUND, RATE))
