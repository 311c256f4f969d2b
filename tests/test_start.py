"""A classifier on a trained network is tested on what it was not fitted on; wrong labels and lone clips are told."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import audionet
from audionet import augment, features, models
from audionet.datasets import open_corpus
from audionet.metrics import Calibration, calibrate
from audionet.training import ClipData, Recognition, fit_head_only, start, start_head


def opened(root):
    return open_corpus(None, root=root, sample_rate=8000, clip_seconds=0.5, workers=1, progress=False)


def task_of(corpus, **changes):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network: Any = models.create("tcresnet", n_classes=len(corpus.labels), n_bands=20)
    front_end = features.LogMel(sample_rate=8000, n_mels=20)
    gain = augment.Augment({"gain": {}}, sample_rate=8000, background=torch.zeros(0))
    arguments = {"front_end": front_end, "model": network, "n_classes": len(corpus.labels), "augment": gain}
    return Recognition(**{**arguments, **changes})


def few(tone_folder, n=6):
    """Keep the first recordings of each class."""
    for path in tone_folder.rglob("*.wav"):
        if int(path.stem) >= n:
            path.unlink()
    return tone_folder


def fit(corpus, tmp_path, **changes):
    data, task = ClipData(corpus), task_of(corpus, **changes)
    return data, task, fit_head_only(task, data, output=tmp_path / "run", values={"seed": 0})


def test_of_few_clips_all_are_learnt_and_each_is_tested_by_a_head_fitted_on_the_others(tone_folder, tmp_path, capsys):
    corpus = opened(few(tone_folder))
    data, task, fitted = fit(corpus, tmp_path)
    assert sorted(fitted.answers.clips) == list(range(18)) and task.answers is fitted.answers
    assert data.corpus.counts() == dict.fromkeys(corpus.labels, {"train": 18 // 3, "validation": 0, "test": 0})
    assert (fitted.answers.true == fitted.answers.given).mean() > 0.9 and task.confusion.sum() == 18
    assert fitted.validation is not None
    assert task.calibration == calibrate(fitted.validation.logits, fitted.validation.labels, [True] * 3)
    plain = fitted.validation.logits / task.calibration.temperature
    expected = torch.from_numpy(plain).softmax(-1).amax(-1)
    assert task.answers.probability == pytest.approx(expected.numpy())
    assert task.figures["test_clips"] == 18 and task.figures["accuracy"] > 0.9
    said = capsys.readouterr().err
    assert "a word has only 1 test clips, so all clips are learnt" in said
    assert f"note: {fitted.validation}" in said and "may be of another word" not in said
    assert (tmp_path / "run" / "config.yaml").read_text().endswith("seed: 0\n")
    assert fitted.is_global_zero and fitted.seconds > 0
    with torch.inference_mode():  # what is left is a head that knows all of them
        given = task.eval()(torch.from_numpy(np.array(corpus.store.waveforms))).argmax(-1).numpy()
    assert (given == corpus.label_index).mean() == 1


def test_a_word_of_few_test_clips_among_very_many_clips_is_tested_by_heads_fitted_on_the_others(
    tone_folder, tmp_path, monkeypatch
):
    monkeypatch.setattr(start, "MOST_CHECKED", 10)
    _, _, fitted = fit(opened(few(tone_folder)), tmp_path)
    assert fitted.validation is not None and len(fitted.answers.clips) == 18


def test_of_many_clips_the_test_clips_are_tested(tone_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(start, "FEW_TESTS", 4)
    corpus = opened(tone_folder)
    data, task, fitted = fit(corpus, tmp_path)
    np.testing.assert_array_equal(fitted.answers.clips, corpus.store.indices("test"))
    assert task.calibration.temperature != 1 and task.figures["test_clips"] == len(fitted.answers.clips)
    assert fitted.validation is None and data.corpus is corpus
    assert (fitted.answers.true == fitted.answers.given).mean() > 0.9


def test_recordings_of_the_wrong_word_are_named_and_learnt(tone_folder, tmp_path, capsys):
    few(tone_folder, 20)
    (tone_folder / "low" / "00.wav").rename(tone_folder / "high" / "wrong.wav")
    data, _, _ = fit(opened(tone_folder), tmp_path)
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "another word" in line]
    assert (
        "1 recording may be of another word than the folder says" in line and "high/wrong.wav (sounds like low" in line
    )
    assert len(data.corpus.store) == 60


def test_copies_of_one_recording_are_not_tested_by_themselves(tone_folder, tmp_path, capsys):
    few(tone_folder)
    for path in (tone_folder / "low").glob("*.wav"):
        if path.stem != "00":
            shutil.copy(tone_folder / "low" / "00.wav", path)
    _, _, fitted = fit(opened(tone_folder), tmp_path)
    assert len(fitted.answers.clips) == 12
    assert (
        "low: one recording, speaker or sound alone, so it cannot be tested; record some more"
        in capsys.readouterr().err
    )


def test_one_recording_a_word_is_learnt_and_not_tested(tone_folder, tmp_path, capsys):
    corpus = opened(few(tone_folder, 1))
    _, task, fitted = fit(corpus, tmp_path)
    assert len(fitted.answers.clips) == 0
    assert task.figures == {"test_clips": 0} and task.calibration == Calibration()
    said = capsys.readouterr().err
    assert "high, low, middle: one recording, speaker or sound alone" in said and "no recording could be tested" in said
    with torch.inference_mode():
        given = task.eval()(torch.from_numpy(np.array(corpus.store.waveforms))).argmax(-1).numpy()
    assert (given == corpus.label_index).all()


def test_recordings_that_hold_next_to_nothing_are_named(tone_folder, tmp_path, capsys):
    few(tone_folder)
    for number in (1, 4):
        path = tone_folder / "middle" / f"{number:02d}.wav"
        waveform, rate = audionet.load_audio(path)
        audionet.save_audio(path, waveform / 1000, rate)
    fit(opened(tone_folder), tmp_path)
    said = capsys.readouterr().err
    assert "2 recordings hold next to no sound: middle/01.wav, middle/04.wav; record them again" in said


def test_whole_speakers_are_tested_where_three_are_known(tone_folder, tmp_path):
    few(tone_folder, 9)
    for path in sorted(tone_folder.rglob("*.wav")):
        path.rename(path.with_name(f"{'abc'[int(path.stem) // 3]}_nohash_{path.name}"))
    corpus = opened(tone_folder)
    _, _, fitted = fit(corpus, tmp_path)
    fold, speakers = fitted.validation.fold, corpus.store.speakers
    assert len(set(zip(fold.tolist(), speakers.tolist(), strict=True))) == 3


def test_a_training_begins_with_a_classifier_that_knows_the_clips(tone_folder):
    corpus = opened(tone_folder)
    data, task = ClipData(corpus), task_of(corpus)
    before = {name: value.clone() for name, value in task.model.state_dict().items()}
    start_head(task, data)
    after = task.model.state_dict()
    changed = [name for name in after if not torch.equal(before[name], after[name])]
    assert changed == ["head.1.weight", "head.1.bias"]
    test = corpus.store.indices("test")
    with torch.inference_mode():
        given = task.eval()(torch.from_numpy(corpus.store.waveforms[test])).argmax(-1).numpy()
    assert (given == corpus.label_index[test]).mean() > 0.9


def test_a_corpus_is_small_by_its_words(tone_folder, monkeypatch):
    corpus = opened(tone_folder)
    assert start.is_small(corpus)
    monkeypatch.setattr(start, "FEW_CLIPS", 96)
    assert not start.is_small(corpus)
    monkeypatch.setattr(start, "FEW_CLIPS", 97)
    assert start.is_small(corpus)


def test_nothing_is_drawn_from_the_common_random_numbers(tone_folder, tmp_path):
    corpus = opened(few(tone_folder))
    heads = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        _, task, _ = fit(corpus, tmp_path / str(seed))
        heads.append(task.model.state_dict()["head.1.weight"])
    assert torch.equal(*heads) and Path(tmp_path / "1" / "run").is_dir()
