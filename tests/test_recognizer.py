"""The recogniser: any sound waveform or file gives the network's answer, anything else a clear refusal."""

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import audionet
from audionet import audio, bundle
from audionet.inference import Prediction, Predictions, Recognizer

RECORDINGS = Path(__file__).parents[2] / "shared/data/fsdd/recordings"


@pytest.fixture
def recognizer(write_bundle):
    return audionet.load_recognizer(write_bundle())


def noise(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, shape).astype(np.float32)


def as_mapping(predictions):
    return {label: pytest.approx(probability, abs=1e-6) for label, probability in predictions}


def test_answer_is_the_networks(recognizer, write_bundle):
    loaded = bundle.load(write_bundle())
    waveform = noise(8000)
    with torch.inference_mode():
        assert loaded.front_end is not None
        bands = loaded.front_end.module(torch.from_numpy(waveform)[None, None])
        expected = loaded.model.module(bands)[0].softmax(0)

    predictions = recognizer.recognize(waveform, 8000)

    assert isinstance(recognizer, Recognizer) and isinstance(predictions[0], Prediction)
    assert dict(predictions) == {
        label: pytest.approx(float(value), abs=1e-6) for label, value in zip(loaded.labels, expected, strict=True)
    }
    probabilities = [prediction.probability for prediction in predictions]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1)


def test_top_k(recognizer):
    waveform = noise(8000)
    everything = recognizer.recognize(waveform, 8000)
    assert recognizer.recognize(waveform, 8000, top_k=3) == everything[:3]
    assert recognizer.recognize(waveform, 8000, top_k=99) == everything
    with pytest.raises(ValueError, match="top_k: expected at least 1, or None for all, got 0"):
        recognizer.recognize(waveform, 8000, top_k=0)


def test_temperature_calibrates_the_probabilities(recognizer, write_bundle):
    waveform = noise(8000)
    as_they_are = dict(recognizer.recognize(waveform, 8000))
    calmer = audionet.load_recognizer(write_bundle(temperature=2.5)).recognize(waveform, 8000)
    powers = {label: probability ** (1 / 2.5) for label, probability in as_they_are.items()}
    assert dict(calmer) == {
        label: pytest.approx(power / sum(powers.values()), abs=1e-6) for label, power in powers.items()
    }
    assert [label for label, _ in calmer] == sorted(powers, key=lambda label: -powers[label])


def test_a_word_is_answered_from_the_threshold_on(recognizer, write_bundle):
    waveform = noise(8000)
    (best, probability), *_ = recognizer.recognize(waveform, 8000)
    assert recognizer.threshold == 0 and recognizer.recognize(waveform, 8000).label == best
    at = recognizer.recognize(waveform, 8000, threshold=probability, top_k=1)
    assert (at.label, at.accepted, at.threshold) == (best, True, probability)
    above = recognizer.recognize(waveform, 8000, threshold=probability + 1e-6, top_k=1)
    assert (above.label, above.accepted, above[0].label) == (None, False, best)
    for wrong in (-0.1, 1.1, float("nan"), "0.5"):
        with pytest.raises(ValueError, match=r"threshold: expected a number from 0 to 1, got"):
            recognizer.recognize(waveform, 8000, threshold=wrong)


def test_the_bundles_threshold_holds_unless_another_is_given(write_bundle, tmp_path):
    path = tmp_path / "a.wav"
    audio.save_audio(path, noise(8000), 8000)
    recognizer = audionet.load_recognizer(write_bundle(threshold=0.999))
    assert recognizer.recognize_file(path).label is None
    assert recognizer.recognize_file(path, threshold=0.0).label is not None
    (by_default,), (by_hand,) = (list(recognizer.recognize_files([path], threshold=given)) for given in (None, 0.0))
    assert isinstance(by_default, Predictions) and isinstance(by_hand, Predictions)
    assert (by_default.label, by_default.threshold) == (None, 0.999)
    assert (by_hand.label, by_hand.threshold) == (by_hand[0].label, 0.0)


@pytest.mark.parametrize("label", ["_unknown_", "_silence_"])
def test_unknown_and_silence_are_never_the_answer(recognizer, write_bundle, label):
    waveform = noise(8000)
    best = recognizer.recognize(waveform, 8000, top_k=1)[0].label
    labels = tuple(label if name == best else name for name in recognizer.labels)
    heard = audionet.load_recognizer(write_bundle(labels=labels)).recognize(waveform, 8000, threshold=0.0)
    assert (heard[0].label, heard.label, heard.accepted) == (label, None, False)


def test_shapes_and_kinds_of_array_agree(recognizer):
    waveform = noise(8000)
    expected = as_mapping(recognizer.recognize(waveform, 8000))
    variants = [
        waveform[None],
        np.stack([waveform, waveform]),
        waveform.astype(np.float64),
        torch.from_numpy(waveform),
        torch.from_numpy(waveform)[None].requires_grad_(),
        np.repeat(waveform, 2)[::2],  # not contiguous
        waveform.tolist(),
        [waveform.tolist()],
        waveform.astype(object),
        waveform.astype(">f4"),
        waveform.astype(">f8"),
    ]
    for variant in variants:
        assert dict(recognizer.recognize(variant, 8000)) == expected
    assert dict(recognizer.recognize(waveform, np.float64(8000))) == expected


def test_one_file_for_many_and_odd_counts_are_refused(recognizer):
    with pytest.raises(ValueError, match=r"sources: expected several files, got 'a.wav'; .*recognize_file"):
        list(recognizer.recognize_files("a.wav"))
    for size in (0, -1, 1.5, "2"):
        with pytest.raises(ValueError, match="batch_size: expected a whole number of at least 1"):
            list(recognizer.recognize_files([], batch_size=size))
    for top_k in (1.5, "2"):
        with pytest.raises(ValueError, match="top_k: expected at least 1, or None for all"):
            recognizer.recognize(noise(8000), 8000, top_k=top_k)


def test_it_says_what_it_is(recognizer):
    assert (recognizer.sample_rate, recognizer.clip_length, recognizer.labels[:2]) == (8000, 8000, ("zero", "one"))
    assert repr(recognizer) == (
        "<Recognizer of zero, one, two and 7 more: tcresnet on LogMel, clips of 1 s at 8000 Hz, on cpu>"
    )


def test_any_rate_and_length_becomes_a_clip(recognizer):
    waveform = noise(2, 30_000)
    mono = audio.resample(audio.to_mono(waveform), 22_050, 8000)
    clip = audio.fit(mono, 8000, 8000)
    assert dict(recognizer.recognize(waveform, 22_050)) == as_mapping(recognizer.recognize(clip, 8000))
    np.testing.assert_array_equal(recognizer.to_clip(waveform, 22_050), clip[0])
    np.testing.assert_array_equal(recognizer.to_clip(clip, 8000), clip[0])
    assert recognizer.recognize(noise(50), 8000) != recognizer.recognize(noise(50, seed=1), 8000)


def test_file_bytes_and_file_object_agree_with_the_waveform(recognizer, tmp_path):
    path = tmp_path / "a.wav"
    audio.save_audio(path, noise(2, 12_000), 16_000)
    waveform, sample_rate = audionet.load_audio(path)
    expected = as_mapping(recognizer.recognize(waveform, sample_rate))
    assert dict(recognizer.recognize_file(path)) == expected
    assert dict(recognizer.recognize_file(str(path))) == expected
    assert dict(recognizer.recognize_file(path.read_bytes())) == expected
    assert dict(recognizer.recognize_file(io.BytesIO(path.read_bytes()))) == expected
    clip = audio.read_mono(path, 8000, 8000)  # as the clip store reads it for training
    assert dict(recognizer.recognize(clip, 8000)) == expected


def test_batched_equals_one_by_one(recognizer, tmp_path):
    paths = [tmp_path / f"{index}.wav" for index in range(5)]
    for index, path in enumerate(paths):
        audio.save_audio(path, noise(4000 + 1000 * index, seed=index), 8000)
    paths.insert(2, tmp_path / "missing.wav")

    batched = list(recognizer.recognize_files(paths, batch_size=4))

    assert len(batched) == 6
    assert isinstance(batched[2], audio.AudioError) and "missing.wav" in str(batched[2])
    for path, result in zip(paths, batched, strict=True):
        if path.name != "missing.wav":
            # Convolutions of another batch size add in another order.
            assert dict(result) == {
                label: pytest.approx(probability, abs=1e-5) for label, probability in recognizer.recognize_file(path)
            }


def test_only_bad_files_and_no_files(recognizer, tmp_path):
    results = list(recognizer.recognize_files([tmp_path / "a.wav", tmp_path / "b.wav"]))
    assert [type(result) for result in results] == [audio.AudioError] * 2
    assert list(recognizer.recognize_files([])) == []


@pytest.mark.parametrize(
    ("waveform", "sample_rate", "message"),
    [
        (noise(8000), None, r"sample_rate: .* got None.*recognize\(waveform, sample_rate=16_000\)"),
        (noise(8000), 0, "a whole number of Hz, 100 to 1000000, got 0"),
        (noise(8000), -8000, "a whole number of Hz, 100 to 1000000"),
        (noise(8000), float("nan"), "a whole number of Hz, 100 to 1000000"),
        (noise(8000), float("inf"), "a whole number of Hz, 100 to 1000000"),
        (noise(8000), 8000.5, "a whole number of Hz, 100 to 1000000"),
        (noise(8000), "8000", "a whole number of Hz, 100 to 1000000"),
        (np.zeros(8000, np.int16), 8000, "int16.*/ 32768"),
        (torch.zeros(8000, dtype=torch.int16), 8000, "int16.*/ 32768"),
        (np.zeros(8000, np.uint8), 8000, "uint8.*128"),
        (np.zeros(8000, bool), 8000, "bool"),
        (noise(8000) * 32768, 8000, r"in \[-1, 1\].*got a peak of"),
        (np.full(8000, np.nan, np.float32), 8000, "NaN"),
        (torch.tensor([0.0, float("inf")]), 8000, "NaN or Inf"),
        (np.zeros(0, np.float32), 8000, "at least one sample"),
        (np.zeros((2, 0), np.float32), 8000, "at least one sample"),
        (np.zeros((1, 1, 8000), np.float32), 8000, r"\(channel, time\).*\(1, 1, 8000\)"),
        (np.zeros((8000, 20), np.float32), 8000, "channels to mix to mono, got 8000"),
        (noise(8000 * 61), 8000, "at most 60 s .*got 61.0; .*in pieces"),
        (noise(8000), "16k", r"whole number of Hz, .*got '16k'"),
        (noise(8000), True, r"whole number of Hz, .*got True"),
        (noise(8000), 10**30, "whole number of Hz"),
        ([0] * 8000, 8000, "expected float samples in .*got int64"),
        (np.array([noise(5), noise(6)], object), 8000, "rows of one length"),
        ("a.wav", 8000, r"got 'str'.*recognize_file\(path\)"),
    ],
)
def test_bad_waveforms_are_refused(recognizer, waveform, sample_rate, message):
    with pytest.raises(ValueError, match=message):
        recognizer.recognize(waveform, sample_rate)


def test_bad_files_are_named(recognizer, tmp_path):
    many, long, text = tmp_path / "many.wav", tmp_path / "long.wav", tmp_path / "text.wav"
    audio.save_audio(many, noise(20, 800), 8000)
    audio.save_audio(long, noise(61 * 800), 800)
    text.write_text("these are words, not sound")
    for path, reason in ((many, "at most 8 channels"), (long, "61 s, over the limit of 60 s"), (text, ".")):
        with pytest.raises(audio.AudioError, match=f"{path.name}: .*{reason}"):
            recognizer.recognize_file(path)


def test_devices_that_are_not_here(write_bundle):
    path = write_bundle()
    for device in ("tpu", "cuda:99", "meta", ""):
        with pytest.raises(ValueError, match=r"device: expected one of cpu.*audionet doctor"):
            audionet.load(path, device=device)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_agrees_with_the_cpu(recognizer, write_bundle):
    waveform = noise(8000)
    on_gpu = audionet.load_recognizer(write_bundle(), device="cuda").recognize(torch.from_numpy(waveform).cuda(), 8000)
    # TF32 convolutions keep 10 bits of the fraction.
    assert dict(on_gpu) == {
        label: pytest.approx(value, abs=5e-3) for label, value in recognizer.recognize(waveform, 8000)
    }


@pytest.mark.skipif("digits" not in bundle.shipped("recognition"), reason="this checkout has no digits bundle")
@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings of FSDD are not here")
def test_shipped_digits_recognise_real_recordings():
    recognizer = audionet.load_recognizer("digits")
    paths = sorted(RECORDINGS.glob("*_0.wav"))
    answers = [recognizer.recognize_file(path, top_k=1)[0].label for path in paths]
    names = "zero one two three four five six seven eight nine".split()
    assert len(paths) == 60
    assert sum(names[int(path.name[0])] == label for path, label in zip(paths, answers, strict=True)) >= 54


def test_of_a_long_file_it_is_said_which_part_was_heard(recognizer, tmp_path):
    waveform = 0.001 * noise(6 * 8000)
    waveform[3 * 8000 : 4 * 8000] += 0.3 * np.sign(np.sin(np.arange(8000) / 8))
    audio.save_audio(tmp_path / "long.wav", waveform, 8000)
    audio.save_audio(tmp_path / "short.wav", waveform[: 2 * 8000], 8000)
    with pytest.warns(audio.AudioWarning, match=r"long.wav: lasts 6.0 s, and only 3.\d\d to 4.\d\d s were heard"):
        (answer,) = recognizer.recognize_files([tmp_path / "long.wav"])
    assert 3 <= answer.start <= 3.2 and answer.stop == pytest.approx(answer.start + 1) and answer.seconds == 6
    waveform, _ = audio.decode(tmp_path / "long.wav")
    with pytest.warns(audio.AudioWarning, match=r"^waveform: lasts 6.0 s, and only 3.\d\d to 4.\d\d s were heard"):
        same = recognizer.recognize(waveform, 8000)
    assert as_mapping(answer) == as_mapping(same) and (same.start, same.seconds) == (answer.start, 6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answer = recognizer.recognize_file(tmp_path / "short.wav")
    assert answer.seconds == 2
    short = recognizer.recognize(waveform[:, :4000], 8000)
    assert (short.start, short.stop, short.seconds) == (0, 0.5, 0.5)
