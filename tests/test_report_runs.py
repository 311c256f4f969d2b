"""What a recipe leaves for people: the report of a run, its errors, and the model card."""

import csv
import re
from collections.abc import Callable
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import audionet
from audionet import bundle, evaluate, models, report
from audionet.datasets import Corpus, Store, plain_card, read_card
from audionet.metrics import Answers, per_class
from audionet.report.tables import score_table
from audionet.training.record import command_line

LABELS = ("yes", "Yes", "on/off", "../../x", "مرحبا", "喂", "a|b `c`", "<b>bold</b>", "n" * 300, "\udcff")
TRAINING = {
    "data": "Ten labels",
    "accuracy": 0.4,
    "test_clips": 10,
    "test_speakers": 2,
    "test_is_synthetic": False,
    "parameters": 1234,
    "seed": 0,
    "command": "python my_recipe/train.py --output out",
    "date": "2026-01-01",
    "versions": "audionet 0, torch 0",
}


def corpus_of(labels: tuple[str, ...], *, card: str | None = None, untested: int | None = None) -> Corpus:
    """Make a corpus of noise: a clip for each label in each split, by two speakers; one label may have none to test."""
    rows = [(row, split) for split in ("train", "validation", "test") for row in range(len(labels))]
    rows = [(row, split) for row, split in rows if (row, split) != (untested, "test")]
    label_index = np.array([row for row, _ in rows])
    store = Store(
        waveforms=np.random.default_rng(0).integers(-3000, 3000, (len(rows), 8000), np.int16),
        labels=label_index,
        label_names=labels,
        speakers=np.array(["ann", "ben"])[np.arange(len(rows)) % 2],
        splits=np.array([split for _, split in rows]),
        paths=[f"{row}/{split}.wav" for row, split in rows],
        lengths=np.full(len(rows), 8000),
        background=np.zeros(0, np.int16),
        sample_rate=8000,
        skipped=[],
        first_alike=np.arange(len(rows)),
    )
    described = replace(plain_card("sounds"), license="CC BY-SA 4.0") if card is None else read_card(card)
    return Corpus(card=described, store=store, labels=labels, label_index=label_index)


def answers_of(corpus: Corpus) -> Answers:
    """Return answers of which the first four are right and the others wrong, the last the most confident."""
    clips = corpus.store.indices("test")
    true = corpus.label_index[clips]
    given = np.where(np.arange(len(clips)) < 4, true, 0)
    return Answers(clips, true, given, np.linspace(0.2, 0.95, len(clips)))


@pytest.fixture
def finished(tmp_path: Path, write_bundle: Callable[..., Path]) -> Path:
    """Return the bundle of a run that has ended, of ten odd labels."""
    folder = tmp_path / "runs" / "my words"
    folder.mkdir(parents=True)
    (folder / "metrics.csv").write_text("step,validation_accuracy\n0,0.25\n1,0.5\n")
    return write_bundle(folder / "model.safetensors", labels=LABELS, training=TRAINING)


@pytest.fixture
def quick_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw no spectrograms, which take most of the time and are tested elsewhere."""
    monkeypatch.setattr("audionet.report.clips.png", lambda figure: b"")


def test_a_run_with_odd_labels_leaves_its_report(finished: Path, tmp_path: Path) -> None:
    corpus = corpus_of(LABELS)
    settings = {"task": {"learning_rate": 0.25}, "model": {"name": "tcresnet", "width": None}}
    page = report.report_recognition(finished, corpus=corpus, answers=answers_of(corpus), settings=settings)
    text = page.read_text(encoding="utf-8")
    assert "<b>" not in text
    for label in LABELS[:8]:
        assert escape(label) in text
    assert "4 of 10 test clips named right, 95% interval 16.8% to 68.7%" in text
    assert "Clips of one speaker are alike" in text
    assert "<dt>task.learning_rate</dt><dd>0.25</dd>" in text and "model.width" not in text
    assert text.count("<audio") == 10 + 6 and "6 test clips were taken for something else" in text
    with (finished.parent / "errors.csv").open(newline="", encoding="utf-8") as file:
        errors = [*csv.DictReader(file)]
    assert [error["true"] for error in errors] == ["\\udcff", *LABELS[8:3:-1]] and {e["given"] for e in errors} == {
        "yes"
    }
    assert [float(error["probability"]) for error in errors] == sorted(float(e["probability"]) for e in errors)[::-1]
    files = {path for path in tmp_path.rglob("*.wav")}
    assert len(files) == 16 and {path.parent.parent for path in files} == {finished.parent}
    assert '<p class="note">speaker ' in text and "s 4 of 5" not in text
    with (finished.parent / "clips.csv").open(newline="", encoding="utf-8") as file:
        kinds = [*csv.DictReader(file)]
    assert len(kinds) == 30 and {kind["speaker"] for kind in kinds} == {"ann", "ben"}
    assert sum(int(kind["clips"]) for kind in kinds if kind["split"] == "test") == 10


@pytest.mark.usefixtures("quick_pictures")
def test_a_label_without_test_clips_is_listed_and_not_scored(finished: Path) -> None:
    corpus = corpus_of(LABELS, untested=1)
    page = report.report_recognition(finished, corpus=corpus, answers=answers_of(corpus), settings={})
    text = page.read_text(encoding="utf-8")
    assert '<th scope="row">Yes</th><td>–</td><td>–</td><td>–</td><td>–</td><td>0</td><td>1</td><td>1</td>' in text
    assert "Without test clips, and so not scored: Yes." in text
    scores = per_class([[2, 0], [0, 0]], ["a", "b"])
    assert "<td>100.0%</td><td>2</td>" in score_table(scores, ["", ""], {})


def front_matter(card: Path) -> dict[str, Any]:
    head, end, _ = card.read_text(encoding="utf-8").removeprefix("---\n").partition("\n---\n")
    assert end
    values = yaml.safe_load(head)
    assert isinstance(values, dict)
    return values


def run_its_code(card: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(card.parent)
    (block,) = re.findall(r"```python\n(.*?)```", card.read_text(encoding="utf-8"), re.DOTALL)
    assert len(block.split("\n\n", 1)[1].splitlines()) <= 3
    exec(compile(block, "README.md", "exec"), {})


@pytest.mark.usefixtures("quick_pictures")
def test_the_card_has_the_form_of_the_hub_and_its_code_runs(
    finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = corpus_of(LABELS)
    report.report_recognition(finished, corpus=corpus, answers=answers_of(corpus), settings={})
    card = finished.with_name("README.md")
    values = front_matter(card)
    assert values["license"] == "cc-by-sa-4.0" and values["library_name"] == "audionet"
    assert values["pipeline_tag"] == "audio-classification" and values["tags"] == ["audionet", "tcresnet"]
    (model,) = values["model-index"]
    (result,) = model["results"]
    assert model["name"] == "my words" and result["task"]["type"] == "audio-classification"
    assert (
        result["dataset"].keys() >= {"type", "name"} and result["dataset"]["type"] == values["datasets"][0] == "sounds"
    )
    assert result["metrics"][0]["type"] == values["metrics"][0] == "accuracy" and result["metrics"][0]["value"] == 0.4
    text = card.read_text(encoding="utf-8")
    assert "40.0% (95% interval 16.8% to 68.7%) on 10 clips of 2 speakers" in text and "smoke" not in text
    assert "a\\|b \\`c\\`" in text and "\\<b\\>" in text and "| ../../x | 1 | 1 | 1 |" in text
    assert "$ python my_recipe/train.py --output out" in text and "Class folders of" not in text
    run_its_code(card, monkeypatch)
    assert "Prediction(label=" in capsys.readouterr().out


@pytest.mark.usefixtures("quick_pictures")
def test_a_figure_on_synthetic_clips_is_called_a_smoke_test(finished: Path, write_bundle: Callable[..., Path]) -> None:
    corpus = corpus_of(LABELS, card="words")
    training = TRAINING | {"test_is_synthetic": True}
    write_bundle(finished, labels=LABELS, training=training)
    page = report.report_recognition(finished, corpus=corpus, answers=answers_of(corpus), settings={})
    assert corpus.is_synthetic and "smoke test" in page.read_text(encoding="utf-8")
    values = front_matter(finished.with_name("README.md"))
    assert "smoke test" in values["model-index"][0]["results"][0]["metrics"][0]["name"]
    assert values["license"] == "unknown" and values["language"] == ["en"]
    assert report.summary(training).endswith("10 clips of 2 synthetic voices: a smoke test")
    assert "40.0%</strong> <em>synthetic</em>" in page.read_text(encoding="utf-8")


PEOPLE = {"accuracy": 0.9, "clips": 100, "what": "half of an archive", "speakers": 30}


@pytest.mark.usefixtures("quick_pictures")
def test_what_commands_reaches_on_people_stands_beside_a_synthetic_figure(
    finished: Path, write_bundle: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_bundle(tmp_path / "shipped/recognition/commands.safetensors", training=TRAINING | {"people": PEOPLE})
    monkeypatch.setattr(bundle, "SHIPPED", tmp_path / "shipped")
    said = "90.0%</strong> is what the shipped recogniser commands reaches on people (95% interval 82.6% to 94.5%)"
    for is_synthetic in (True, False):
        write_bundle(finished, labels=LABELS, training=TRAINING | {"test_is_synthetic": is_synthetic})
        corpus = corpus_of(LABELS)
        page = report.report_recognition(finished, corpus=corpus, answers=answers_of(corpus), settings={})
        assert (said in page.read_text(encoding="utf-8")) == is_synthetic
    assert bundle.load("commands").test_figure == "90.0% on people"


def test_what_a_bundle_knows_of_itself_is_said(write_bundle: Callable[..., Path]) -> None:
    known = {"calibration_error": 0.012, "others_accepted": 0.04, "words_rejected": 0.05, "people": PEOPLE}
    path = write_bundle(training=TRAINING | known | {"test_is_synthetic": True}, threshold=0.75)
    assert report.figures(path) == [
        "test accuracy 40.0% (95% interval 16.8% to 68.7%) on 10 clips of 2 synthetic voices: a smoke test",
        "Its probabilities are off by 1.2 points in the mean.",
        "At the threshold 0.75, 4.0% of the clips that hold none of its words are answered with a word, and 5.0% of "
        "its words with none.",
        "on people: 90.0% (95% interval 82.6% to 94.5%) of 100 recordings by 30 people: half of an archive",
    ]
    corpus = corpus_of(LABELS)
    text = " ".join(report.write_model_card(path, bundle.load(path), corpus, "a.wav").read_text().split())
    assert "On people: 90.0% (95% interval" in text and "At the threshold 0.75, 4.0% of the clips" in text
    assert "where no word is as probable as 0.75, the answer is none of them" in text
    unmeasured = write_bundle(training=TRAINING | {"test_is_synthetic": True})
    assert report.figures(unmeasured) == [report.summary(TRAINING | {"test_is_synthetic": True})]
    assert bundle.load(unmeasured).test_figure == "40.0%, synthetic"


def test_a_readme_of_somebody_else_stays(finished: Path) -> None:
    corpus, other = corpus_of(LABELS), finished.with_name("README.md")
    other.write_text("My project\n")
    for _ in range(2):
        card = report.write_model_card(finished, bundle.load(finished), corpus, "a.wav")
        assert card.name == "model_card.md" and other.read_text() == "My project\n"
    other.unlink()
    assert report.write_model_card(finished, bundle.load(finished), corpus, "a.wav") == other


def small_wavenet(path: Path, **changes: Any) -> Path:
    arguments: dict[str, Any] = {"n_layers": 2, "n_cycles": 1, "residual_channels": 4, "gate_channels": 8}
    arguments |= {"skip_channels": 4, "output_channels": 4, "categories": {"label": ["kick", "hi-hat"]}} | changes
    model = bundle.Part("wavenet", arguments, models.create("wavenet", **arguments))
    training = {**TRAINING, "bits_per_sample": 3.25}
    del training["accuracy"]
    kind = bundle.Bundle(task="generation", model=model, sample_rate=8000, clip_length=800, training=training)
    bundle.save(path, kind)
    return path


@pytest.mark.usefixtures("quick_pictures")
def test_the_report_of_a_generator_plays_what_it_made_beside_recordings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = small_wavenet(tmp_path / "model.safetensors")
    (tmp_path / "metrics.csv").write_text("step,validation_bits\n0,4.5\n1,3.5\n")
    made, real = torch.rand(2, 800) - 0.5, torch.rand(2, 1600) - 0.5
    page = report.report_generation(
        path,
        corpus=corpus_of(("kick", "hi-hat")),
        made=made,
        recordings=real,
        values={"label": ["kick", "hi-hat"]},
        settings={"seed": 3},
    )
    text = page.read_text(encoding="utf-8")
    assert text.count("<audio") == 4 and text.count("<h4>recorded</h4>") == 2 and "recogniser" not in text
    assert '<th scope="row">kick</th><td>1</td><td>1</td><td>1</td>' in text and "<dt>seed</dt><dd>3</dd>" in text
    recorded, rate = audionet.load_audio(tmp_path / "recorded" / "01-hi-hat.wav")
    assert rate == 8000 and torch.allclose(recorded[0], real[1], atol=1e-4)
    card = tmp_path / "README.md"
    values = front_matter(card)
    assert values["pipeline_tag"] == "text-to-audio" and values["metrics"] == ["bits_per_sample"]
    assert "3.250 bits per sample on 10 clips of 2 speakers" in card.read_text(encoding="utf-8")
    run_its_code(card, monkeypatch)
    assert (tmp_path / "new.wav").exists()


def test_a_recogniser_judges_only_what_it_knows(capsys: pytest.CaptureFixture[str]) -> None:
    assert report.load_judge(None, ["kick"]) is None
    judge = report.load_judge("digits", ["seven", "one"])
    assert judge is not None and capsys.readouterr().err == ""
    assert report.load_judge("digits", ["seven", "kick"]) is None
    assert capsys.readouterr().err == "judge: digits does not know kick, so it does not judge what is generated\n"
    with pytest.raises(bundle.BundleError, match="nobody"):
        report.load_judge("nobody", ["kick"])


def test_the_command_names_the_script_that_ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert command_line(tmp_path / "mine" / "train.py", ["--seed", "1 2"]) == "python mine/train.py --seed '1 2'"
    assert command_line("train.py", []) == "python train.py"


@pytest.fixture
def strangers(tmp_path: Path) -> Path:
    """Write a folder of recordings by two people, of two labels that the recogniser knows and one that it does not."""
    generator = np.random.default_rng(1)
    for label in ("zero", "one", "tree"):
        (tmp_path / "strangers" / label).mkdir(parents=True)
        for speaker in ("eve", "ida"):
            path = tmp_path / "strangers" / label / f"{speaker}_nohash_0.wav"
            audionet.save_audio(path, generator.uniform(-0.5, 0.5, 6000), 8000)
    return tmp_path / "strangers"


DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "_unknown_")


def test_people_are_tested_and_recorded(strangers: Path, write_bundle: Callable[..., Path]) -> None:
    path = write_bundle(labels=DIGITS, training=TRAINING, threshold=0.9)
    found = report.try_on_people(path, strangers)
    assert found is not None and found.threshold == 0 and len(found.right) == 6
    assert [found.labels[true] for true in found.answers.true] == ["one"] * 2 + ["_unknown_"] * 2 + ["zero"] * 2
    kept = bundle.load(path)
    expected = {"accuracy": round(found.accuracy, 4), "clips": 6, "what": "strangers", "speakers": 2}
    assert kept.training == TRAINING | {"people": expected} and kept.threshold == 0.9
    assert report.figures(path)[-1].endswith("of 6 recordings by 2 people: strangers")


def test_a_folder_that_cannot_be_used_after_the_training_costs_nothing(
    strangers: Path, write_bundle: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_bundle(labels=DIGITS, training=TRAINING, threshold=0.9)
    before = path.read_bytes()
    for file in strangers.glob("*/*.wav"):
        file.write_bytes(b"RIFF")
    for folder, message in ((strangers, "expected a file that can be read"), (strangers / "gone", "expected a folder")):
        assert report.try_on_people(path, folder) is None
        said = capsys.readouterr().err
        assert "note: not tested on real recordings: " in said and message in said
    assert path.read_bytes() == before


@pytest.mark.usefixtures("quick_pictures")
def test_people_have_a_part_of_the_report(finished: Path, strangers: Path, write_bundle: Callable[..., Path]) -> None:
    write_bundle(finished, labels=DIGITS, training=TRAINING, threshold=0.9)
    people = report.try_on_people(finished, strangers)
    assert people is not None
    corpus = corpus_of(DIGITS)
    page = report.report_recognition(finished, corpus=corpus, answers=answers_of(corpus), settings={}, people=people)
    text = " ".join(page.read_text(encoding="utf-8").split())
    n_right = int(people.right.sum())
    assert f"<strong>{n_right / 6:.1%}</strong> on real recordings, strangers: {n_right} of 6 named right" in text
    part = text.partition("<h2>On real recordings: strangers</h2>")[2]
    assert f"{n_right} of 6 are named right" in part and "None of them was trained on." in part
    assert "At the threshold 0.9, 0 of 2 clips that hold none of the words are answered with a word" in part
    assert '<th scope="row">eve</th>' in part and '<th scope="row">ida</th>' in part
    assert f"{6 - n_right} recordings were taken for something else" in part


def test_recordings_that_no_recogniser_of_these_labels_knows(strangers: Path) -> None:
    assert len(evaluate.recordings_in(strangers)) == len(evaluate.recordings_in(strangers, ["zero", "ten"])) == 6
    assert len(evaluate.recordings_in(strangers, ["ten", "_unknown_"])) == 6
    with pytest.raises(ValueError, match=r"strangers: expected folders called nine, ten, got 'one, tree, zero'; call"):
        evaluate.recordings_in(strangers, ["nine", "ten"])
