"""A classifier learns recordings beside voices: what counts, what is tested by whom, what is said of bad ones."""

import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from audionet.datasets.corpus import Corpus
from audionet.datasets.store import Store
from audionet.metrics import calibrate
from audionet.training import Recognition
from audionet.training.head import fit_head
from audionet.training.recordings import MOST_WEIGHT, _Clips, fit_beside_voices
from audionet.training.start import groups_of

LABELS = ("go", "stop", "_unknown_")
CENTRES = np.random.default_rng(5).normal(size=(3, 8))


class Plain(nn.Module):
    """A network whose embedding of a clip is the clip."""

    n_bands, n_classes = 8, 3

    def __init__(self):
        super().__init__()
        self.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(8, 3))

    def embed(self, spectrogram):
        return spectrogram[:, 0]

    def forward(self, spectrogram):
        return self.head(self.embed(spectrogram))


def corpus_of(rows):
    """A corpus of (label, split, recorded, clip or None, speaker) rows; a clip is near the centre of its label."""
    draw = np.random.default_rng(0)
    labels = np.array([row[0] for row in rows])
    clips = np.array([CENTRES[row[0]] + 0.3 * draw.normal(size=8) if row[3] is None else row[3] for row in rows])
    waveforms = np.rint(clips * 4000).astype(np.int16)
    paths = ["spoken/" * (not row[2]) + f"{LABELS[row[0]]}/{number}" for number, row in enumerate(rows)]
    firsts = [next(i for i, other in enumerate(waveforms) if np.array_equal(other, each)) for each in waveforms]
    store = Store(
        waveforms=waveforms,
        labels=labels,
        label_names=LABELS,
        speakers=np.array([row[4] for row in rows]),
        splits=np.array([row[1] for row in rows]),
        paths=paths,
        lengths=np.full(len(rows), 8),
        background=np.zeros(0, np.int16),
        sample_rate=8000,
        skipped=[],
        first_alike=np.array(firsts),
        silent=[path for path, each in zip(paths, waveforms, strict=True) if not each.any()],
    )
    card: Any = SimpleNamespace(layout=SimpleNamespace(made=("spoken/",)), labels=SimpleNamespace(silence=None))
    return Corpus(card=card, store=store, labels=LABELS, label_index=labels)


def spoken(n_train=30, n_other=10):
    sizes = {"train": n_train, "validation": n_other, "test": n_other}
    return [(label, split, False, None, "") for label in range(3) for split, n in sizes.items() for _ in range(n)]


def recorded(label, n, clip=None, speaker=""):
    return [(label, "train", True, clip, speaker)] * n


def fit(rows, network=None):
    """Fit a network on rows; return the task and what was fitted."""
    task = Recognition(front_end=nn.Identity(), model=network or Plain(), n_classes=3)
    corpus = corpus_of(rows) if isinstance(rows, list) else rows
    data: Any = SimpleNamespace(corpus=corpus)
    with tempfile.TemporaryDirectory() as output:
        fitted = fit_beside_voices(task, data, output=output, values={"seed": 0})
        assert Path(output, "config.yaml").read_text().endswith("seed: 0\n")
    assert fitted.answers is task.answers and fitted.model is task.model
    return task, fitted


def test_without_recordings_it_learns_the_training_clips_and_tests_the_test_clips():
    network, corpus = Plain().eval(), corpus_of(spoken())
    task, fitted = fit(corpus, network)
    train, validation, test = (corpus.store.indices(split) for split in ("train", "validation", "test"))
    clips = torch.from_numpy(corpus.store.waveforms / np.float32(32768))
    expected = fit_head(clips[train], corpus.label_index[train])
    torch.testing.assert_close(network.head[1].weight, expected.weight, atol=1e-4, rtol=1e-4)
    with torch.inference_mode():
        logits = network(clips[:, None]).double().numpy()
    assert task.calibration == calibrate(logits[validation], corpus.label_index[validation], [True, True, False])
    assert task.answers.clips.tolist() == test.tolist() and fitted.validation is None
    assert task.answers.given.tolist() == logits[test].argmax(1).tolist()
    assert task.figures["accuracy"] == round(float((logits[test].argmax(1) == corpus.label_index[test]).mean()), 4)
    assert task.figures["test_clips"] == 30 == task.confusion.sum() and "accuracy_on_voices" not in task.figures


def test_each_recording_is_tested_by_a_head_that_did_not_learn_it(capsys):
    odd = CENTRES[1] + np.array([0, 0, 0, 0, 0, 0, 3.0, 3.0])  # near no other clip
    alone = [*spoken(), *recorded(0, 6), *recorded(1, 1, odd)]
    task, fitted = fit(alone)
    assert task.answers.clips.tolist() == list(range(150, 157))
    before = fitted.validation.logits[-1]
    # Learnt, it would be far more probable.
    with torch.inference_mode():
        network = Plain().eval()
        fit(alone, network)
        after = network(torch.from_numpy(np.rint(odd * 4000) / 32768).float()[None, None])[0].numpy()
    assert after[1] - after[0] > before[1] - before[0] + 0.5
    assert task.figures["test_clips"] == 7 and "accuracy_on_voices" in task.figures
    assert str(fitted.validation).startswith(f"{round(7 * task.figures['accuracy'])} of 7 right (95% interval")


def test_recordings_count_as_much_as_the_voices_but_none_for_more_than_twenty():
    corpus = corpus_of([*spoken(), *recorded(0, 10), *recorded(1, 1)])
    weights = _Clips(corpus).weights(np.zeros(0, int))
    assert weights[150:160].tolist() == [3.0] * 10 and weights[160] == MOST_WEIGHT
    assert set(weights[corpus.store.indices("test")]) == {0.0}
    without = _Clips(corpus).weights(np.array([0]))
    assert without[150] == 1.0 and not without[:30].any()


def test_recordings_of_the_wrong_word_are_found(capsys):
    rows = [*spoken(), *recorded(0, 9), *recorded(0, 1, CENTRES[1]), *recorded(1, 10)]
    suspects = fit(rows)[1].validation.suspects()
    assert [(suspect.clip, suspect.label, suspect.heard) for suspect in suspects] == [(9, 0, 1)]
    assert "1 recording may be of another word than the folder says; listen to them" in capsys.readouterr().err


def test_a_word_that_the_voices_say_otherwise_is_learnt_from_the_recordings_alone(capsys):
    elsewhere = -CENTRES[0]
    rows = [*spoken(), *recorded(0, 8, elsewhere), *recorded(1, 8)]
    network = Plain().eval()
    task, _ = fit([*rows, *recorded(0, 1, elsewhere + 0.05)], network)
    said = capsys.readouterr().err
    assert "note: go: the voices say something else than the recordings, of which they recognise 0%" in said
    assert "stop" not in said
    assert (task.answers.true == task.answers.given).all()


def test_silent_recordings_and_copies_are_not_learnt_from(capsys):
    rows = [*spoken(), *recorded(0, 4), *recorded(0, 1, np.zeros(8)), *recorded(1, 4, CENTRES[1])]
    corpus = corpus_of(rows)
    task, fitted = fit(corpus)
    assert "left out, since they hold no sound: go/154" in capsys.readouterr().err
    assert 154 not in task.answers.clips
    assert len(set(groups_of(corpus)[155:])) == 1  # one recording, so never in training and test
    assert len(set(fitted.validation.fold[4:])) == 1


def test_speakers_are_kept_together_where_there_are_three():
    two = corpus_of([*recorded(0, 2, None, "ann"), *recorded(1, 2, None, "bob")])
    assert len(set(groups_of(two))) == 4
    three = corpus_of([*recorded(0, 2, None, "ann"), *recorded(1, 2, None, "bob"), *recorded(1, 2, None, "cid")])
    assert [len(set(groups_of(three)[clips])) for clips in ([0, 1], [2, 3], [4, 5], [0, 2, 4])] == [1, 1, 1, 3]


def test_recordings_alone_without_any_voice():
    rows = [*recorded(0, 5), *recorded(1, 5), *recorded(2, 5)]
    task, _ = fit(rows)
    assert len(task.answers.clips) == 15 and "accuracy_on_voices" not in task.figures
    one_each = [*recorded(0, 1), *recorded(1, 1), *recorded(2, 1)]
    task, fitted = fit(one_each)
    assert "no recording could be tested" in str(fitted.validation)
    assert task.figures["test_clips"] == 0 and len(task.answers.clips) == 0


def test_a_threshold_follows_from_what_is_no_word_where_nothing_is_spoken_for_the_validation():
    rows = [*recorded(0, 8), *recorded(1, 8), *[(2, "train", False, None, "")] * 20]
    task, fitted = fit(rows)
    assert len(task.answers.clips) == 16 and (fitted.validation.fold >= 0).sum() == 16
    assert 0 <= task.calibration.threshold <= 1 and {"others_accepted", "words_rejected"} <= task.figures.keys()


def test_a_class_without_clips_is_refused():
    for silent in (recorded(2, 0), recorded(2, 2, np.zeros(8))):
        with pytest.raises(ValueError, match=f"recordings: expected some with sound of each class, got {LABELS[2]}"):
            fit([*recorded(0, 2), *recorded(1, 2), *silent])
