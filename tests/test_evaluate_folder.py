"""A recogniser on a folder of recordings: what is right, what is counted, what is said of labels it does not know."""

import json
import os
import signal
from pathlib import Path
from unicodedata import normalize

import numpy as np
import pytest

import audionet
from audionet import audio, evaluate, metrics
from audionet.cli import main as cli
from audionet.evaluate import NONE, Evaluation, evaluate_folder
from audionet.report import write_evaluation

LABELS = ("low", "middle", "high", "_unknown_", "_silence_")


@pytest.fixture
def write_recognizer(write_bundle):
    """Write a recogniser of so many labels, with random weights: its answers are what they are."""

    def write(labels=LABELS, **changes):
        import torch

        from audionet import bundle, models

        network = {"n_classes": len(labels), "n_bands": 20}
        with torch.random.fork_rng():
            torch.manual_seed(3)
            model = bundle.Part("tcresnet", network, models.create("tcresnet", **network))
        return write_bundle(labels=labels, model=model, **changes)

    return write


@pytest.fixture
def folder(tmp_path):
    """Recordings by two speakers, of words, of one that no recogniser knows, and of silence."""
    draw = np.random.default_rng(0)
    for label in ("low", "high", "eleven", "_silence_"):
        (tmp_path / "sounds" / label).mkdir(parents=True)
        for number in range(6):
            speaker = "ann" if number < 4 else "bob"
            sound = (0.15 * draw.standard_normal(6000) * np.hanning(6000)).astype(np.float32)
            audio.save_audio(tmp_path / "sounds" / label / f"{speaker}_nohash_{number}.wav", sound, 8000)
    return tmp_path / "sounds"


def made_up(true, given, **changes):
    """An evaluation of answers by position in low, middle, high, unknown, silence, none."""
    n = len(true)
    fields = {
        "labels": (*LABELS, NONE),
        "folder": Path("sounds"),
        "paths": tuple(f"{number}.wav" for number in range(n)),
        "found": tuple((*LABELS, NONE)[label] for label in true),
        "speakers": ("ann", "bob") * (n // 2) + ("ann",) * (n % 2),
        "answers": metrics.Answers(np.arange(n), np.array(true), np.array(given), np.linspace(0.5, 0.99, n)),
        "threshold": 0.0,
    }
    return Evaluation(**{**fields, **changes})


def test_what_is_counted():
    found = made_up([0, 0, 1, 2, 2, 3, 3, 4, 5], [0, 1, 1, 5, 3, 3, 0, 4, 2])
    assert found.right.tolist() == [True, False, True, False, False, True, False, True, False]
    assert found.accuracy == pytest.approx(4 / 9) and found.interval == metrics.wilson_interval(4, 9)
    assert found.rejected == (2, 5)  # of the five words one was answered with none, one as unknown
    assert found.false_words == (2, 4)  # an unknown word and one that is none of the labels
    assert found.confusions[0][2] == 1 and ("high", NONE, 1) in found.confusions and len(found.confusions) == 5
    assert [row[0] for row in found.worst] == ["8.wav", "6.wav", "4.wav", "3.wav", "1.wav"]
    assert found.worst[0] == ("8.wav", NONE, "high", pytest.approx(0.99))
    assert found.by_speaker == {"ann": (2, 5), "bob": (2, 4)} and [*found.by_speaker] == ["ann", "bob"]
    scores = {score.label: score for score in found.scores}
    assert [*scores] == [*LABELS, NONE] and scores["low"].recall == 0.5 and scores["low"].precision == 0.5
    assert [score.label for score in made_up([0, 1], [0, 0]).scores] == ["low", "middle"]


def test_answers_are_those_of_the_files_one_by_one(write_recognizer, folder, capsys):
    recognizer = audionet.load_recognizer(write_recognizer())
    found = evaluate_folder(recognizer, folder, batch_size=5)
    assert len(found.paths) == 24 and len(set(found.paths)) == 24 and set(found.speakers) == {"ann", "bob"}
    for row, path in enumerate(found.paths):
        best = recognizer.recognize_file(folder / path, top_k=1)[0]
        label = path.split("/")[0]
        assert found.labels[found.answers.given[row]] == best.label
        assert found.answers.probability[row] == pytest.approx(best.probability, abs=1e-5)
        assert found.found[row] == label
        assert found.labels[found.answers.true[row]] == ("_unknown_" if label == "eleven" else label)
    assert "eleven: not known to the recogniser, so _unknown_ is the right answer" in capsys.readouterr().err


def test_below_the_threshold_the_answer_is_none_of_these(write_recognizer, folder):
    recognizer = audionet.load_recognizer(write_recognizer())
    found = evaluate_folder(recognizer, folder, threshold=1.0)
    is_other = np.isin(found.found, ["eleven", "_silence_"])
    np.testing.assert_array_equal(found.right, is_other)  # everything is rejected, which is right for no word
    assert found.rejected == (12, 12) and found.false_words == (0, 12) and found.threshold == 1.0
    of_bundle = audionet.load_recognizer(write_recognizer(threshold=1.0))
    np.testing.assert_array_equal(evaluate_folder(of_bundle, folder).answers.given, found.answers.given)


def test_labels_that_are_not_known_where_there_is_no_unknown_class(write_recognizer, folder, capsys):
    recognizer = audionet.load_recognizer(write_recognizer(labels=("low", "middle", "high")))
    found = evaluate_folder(recognizer, folder)
    assert set(found.found) == {"low", "high"}
    said = capsys.readouterr().err
    assert "_silence_, eleven: left out, since the recogniser neither knows them nor has a class _unknown_" in said
    with_threshold = evaluate_folder(recognizer, folder, threshold=0.9)
    assert len(with_threshold.paths) == 24 and with_threshold.false_words[1] == 12
    assert "so none of these is the right answer" in capsys.readouterr().err


def test_the_names_of_folders_may_be_spelled_otherwise(write_recognizer, folder, capsys):
    labels = ("lights on", "Küche", "middle", "_unknown_", "_silence_")
    recognizer = audionet.load_recognizer(write_recognizer(labels=labels))
    (folder / "low").rename(folder / "Lights_On")
    (folder / "high").rename(folder / normalize("NFD", "küche"))
    found = evaluate_folder(recognizer, folder)
    truths = {labels[true] for true in found.answers.true}
    assert truths == {"lights on", "Küche", "_unknown_", "_silence_"}
    assert capsys.readouterr().err.count("not known to the recogniser") == 1
    assert evaluate.recordings_in(folder, ["Lights on"])
    two = audionet.load_recognizer(write_recognizer(labels=("lights on", "Lights_on", "lights-on", "_unknown_", "a")))
    assert {two.labels[true] for true in evaluate_folder(two, folder).answers.true} == {"_unknown_"}  # nobody can tell


def test_folders_of_splits_and_a_card(write_recognizer, folder, tmp_path):
    recognizer = audionet.load_recognizer(write_recognizer())
    for split in ("train", "test"):
        (tmp_path / "corpus" / split).mkdir(parents=True)
    (folder / "low").rename(tmp_path / "corpus" / "train" / "low")
    (folder / "high").rename(tmp_path / "corpus" / "test" / "high")
    assert {*evaluate_folder(recognizer, tmp_path / "corpus").found} == {"low", "high"}
    (tmp_path / "corpus" / "card.yaml").write_text(
        "{name: mine, title: Mine, description: d, homepage: h, license: l, citation: c, sample_rate: 8000, "
        "layout: {kind: folders, folder: test, labels: {high: middle}}, split: all, splits: {all: {kind: stratified}}}"
    )
    assert {*evaluate_folder(recognizer, tmp_path / "corpus").found} == {"middle"}


def test_folders_that_cannot_be_evaluated_are_refused(write_recognizer, folder, tmp_path):
    recognizer = audionet.load_recognizer(write_recognizer(labels=("yes", "no")))
    with pytest.raises(ValueError, match=r"nowhere: expected a folder, got 'nothing there'; name a folder with"):
        evaluate_folder(recognizer, tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"a.txt: expected a folder, got 'a file'"):
        (tmp_path / "a.txt").touch()
        evaluate_folder(recognizer, tmp_path / "a.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty: expected audio files laid out by folders"):
        evaluate_folder(recognizer, tmp_path / "empty")
    with pytest.raises(ValueError, match="labels: expected folders called yes, no, got '_silence_, eleven, high, low'"):
        evaluate_folder(recognizer, folder)
    with pytest.raises(ValueError, match="threshold"):
        evaluate_folder(recognizer, folder, threshold=1.5)


def call(capsys, *arguments):
    code = cli.main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_the_command_prints_figures_scores_and_errors(capsys, write_recognizer, folder, tmp_path):
    path = write_recognizer()
    found = evaluate_folder(audionet.load_recognizer(path), folder)
    capsys.readouterr()
    code, out, _ = call(capsys, "evaluate", path, folder, "--errors", 3)
    n_right = int(found.right.sum())
    assert code == 0 and out.startswith(f"accuracy {n_right / 24:.1%}: {n_right} of 24 right (95% interval ")
    assert f"{found.false_words[0]} of 12 other sounds" in out and "2 speakers, the worst of whom is" in out
    assert out.count(" taken for ") == 3 and all(f"\n{label} " in out for label in ("low", "high", "_silence_"))
    code, out, _ = call(capsys, "evaluate", path, folder, "--json", "--threshold", 0.9)
    told = json.loads(out)
    assert code == 0 and told["threshold"] == 0.9 and told["clips"] == 24 and len(told["answers"]) == 24
    assert sum(answer["right"] for answer in told["answers"]) == told["right"]


def test_the_page_plays_the_worst_errors(capsys, write_recognizer, folder, tmp_path):
    page = tmp_path / "pages" / "low & high.html"
    code, out, _ = call(capsys, "evaluate", write_recognizer(), folder, "--report", page)
    text = page.read_text()
    assert code == 0 and f"report  {page}" in out and [*page.parent.iterdir()] == [page]
    found = evaluate_folder(audionet.load_recognizer(write_recognizer()), folder)
    assert text.count("<audio") == min(len(found.worst), 10) > 0
    assert f"{found.accuracy:.1%}" in text and "95% interval" in text and found.worst[0][0] in text


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("has_page", [False, True])
def test_a_kill_leaves_the_page_before_or_none_and_never_a_half(
    write_recognizer, folder, tmp_path, monkeypatch, has_page
):
    page = tmp_path / "page.html"
    if has_page:
        page.write_text("before")
    recognizer = audionet.load_recognizer(write_recognizer())
    found = evaluate_folder(recognizer, folder)
    monkeypatch.setattr("audionet.files.os.replace", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    if (child := os.fork()) == 0:
        write_evaluation(page, found, recognizer, model="m")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    monkeypatch.undo()
    assert (page.read_text() if page.exists() else None) == ("before" if has_page else None)
    write_evaluation(page, found, recognizer, model="m")
    assert page.read_text().rstrip().endswith("</html>")


def test_files_that_cannot_be_read_are_named_and_the_others_evaluated(capsys, write_recognizer, folder):
    (folder / "low" / "ann_nohash_0.wav").write_bytes(b"RIFF")
    code, out, err = call(capsys, "evaluate", write_recognizer(), folder)
    assert code == 1 and "of 23 right" in out and "ann_nohash_0.wav" in err
    for path in folder.rglob("*.wav"):
        path.write_bytes(b"RIFF")
    code, out, err = call(capsys, "evaluate", write_recognizer(), folder)
    assert (code, out) == (1, "") and "expected a file that can be read, got '24 others'" in err
