"""The recognition recipe as a user runs it: every preset, a run from end to end, and wrong inputs."""

import csv
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

import audionet
from audionet import bundle_format, features, models
from audionet.augment import AUGMENTATIONS, Augment, SpecAugment
from audionet.bundle import BundleError
from audionet.datasets import read_card

RECIPE = Path(__file__).parents[2] / "recipes" / "recognition"
PRESETS = sorted((RECIPE / "presets").glob("*.yaml"))


def test_the_presets_are_those_the_documents_name() -> None:
    names = {preset.stem for preset in PRESETS}
    assert names == {
        "smoke",
        "words",
        "commands",
        "fsdd",
        "wavenet_classifier",
        "speech_commands_v2_12",
        "speech_commands_v2_35",
    }


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.stem)
def test_every_preset_describes_parts_that_fit(recipe: ModuleType, preset: Path) -> None:
    config = recipe.make_parser().parse_args(["--config", str(preset)])
    if config.data.card != "auto":
        read_card(config.data.card)
    rate = config.data.sample_rate
    described = dict(config.features)
    front_end = features.create(described.pop("name"), **described, sample_rate=rate)
    described = dict(config.model)
    model = models.create(described.pop("name"), **described, n_classes=12).eval()
    generator = torch.Generator().manual_seed(0)
    augment = Augment(config.augment.as_dict(), sample_rate=rate, background=torch.randn(2 * rate), p=config.augment_p)
    waveform = augment(torch.randn(3, round(rate * config.data.clip_seconds)).clamp(-1, 1) / 4, generator)
    spectrogram = front_end(waveform)[:, None]
    if config.spec_augment is not None:
        spectrogram = SpecAugment(**config.spec_augment)(spectrogram, generator)
    assert model(spectrogram).shape == (3, 12)


def test_the_recipe_lists_every_augmentation(recipe: ModuleType) -> None:
    assert recipe.make_parser().get_defaults().augment.as_dict() == dict.fromkeys(AUGMENTATIONS)  # in their order


def test_flags_change_single_values_of_a_preset(recipe: ModuleType) -> None:
    arguments = ["--config", str(RECIPE / "presets" / "words.yaml"), "--augment.gain.max_db=3", "--augment.reverb=null"]
    config = recipe.make_parser().parse_args([*arguments, "--trainer.strategy=ddp", "--trainer.num_nodes=2"])
    assert config.augment["gain"] == {"min_db": -12, "max_db": 3}
    assert config.augment["reverb"] is None and config.augment["noise"]["p"] == 0.8
    assert config.trainer.strategy == "ddp" and config.trainer.num_nodes == 2


def test_the_smoke_preset_from_end_to_end(
    run: Callable[..., subprocess.CompletedProcess[str]], few_words: Path, tmp_path: Path
) -> None:
    pytest.importorskip("espeakng_loader", reason="the extra `synth` is not installed")
    cache = tmp_path / "cache"
    smoke = RECIPE / "presets" / "smoke.yaml"
    done = run("--config", smoke, "--data.card", few_words, "--output", "out", cwd=tmp_path, cache=cache)
    assert done.returncode == 0, done.stderr[-3000:]
    output = tmp_path / "out"
    assert "test accuracy" in done.stdout and "report" in done.stdout
    made = {"model.safetensors", "report.html", "README.md", "confusion.png", "curves.png", "metrics.csv", "errors.csv"}
    assert made | {"checkpoints", "clips", "errors"} <= {path.name for path in output.iterdir()}
    assert "95% interval" in done.stdout and "a smoke test" in done.stdout

    recognizer = audionet.load_recognizer(output / "model.safetensors")
    clips = sorted((output / "clips").iterdir())
    assert len(clips) == 12
    assert len(recognizer.recognize_file(clips[0])) == 12
    with (output / "metrics.csv").open() as stream:
        accuracy = [row["test_accuracy"] for row in csv.DictReader(stream) if row["test_accuracy"]]
    assert len(accuracy) == 1 and f"{float(accuracy[0]):.1%}" in done.stdout
    command = recognizer.bundle.training["command"].split()
    assert command[0] == "python" and (tmp_path / command[1]).samefile(RECIPE / "train.py") and str(smoke) in command
    with (output / "errors.csv").open() as stream:
        n_wrong = len([*csv.DictReader(stream)])
    n_tested = recognizer.bundle.training["test_clips"]
    assert f"{1 - n_wrong / n_tested:.1%}" in done.stdout and f"{n_tested} clips" in done.stdout

    again = run("--config", smoke, "--data.card", few_words, "--output", "out", cwd=tmp_path, cache=cache)
    assert again.returncode == 1 and "holds no run yet" in again.stderr and "Traceback" not in again.stderr

    longer = ["--resume", "true", "--trainer.max_epochs", "2"]
    resumed = run("--config", smoke, "--data.card", few_words, "--output", "out", *longer, cwd=tmp_path, cache=cache)
    assert resumed.returncode == 0, resumed.stderr[-3000:]


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.stem)
def test_no_preset_trains_on_something_else_than_the_folder_that_is_named(
    recipe: ModuleType, preset: Path, tone_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A card of a synthetic corpus gives way to a root; one of recordings reads its own corpus there, or nothing."""
    opened: list[audionet.datasets.Corpus] = []

    def stop(corpus: audionet.datasets.Corpus, **_: object) -> None:
        opened.append(corpus)
        sys.exit()

    monkeypatch.setattr(audionet.training, "ClipData", stop)
    given = ["--config", str(preset), "--data.root", str(tone_folder), "--data.negatives", "false"]
    if preset.stem != "commands":  # which has the sample rate of the embedding below it
        given += ["--data.sample_rate", "8000"]
    if preset.stem in ("words", "smoke", "commands"):
        with pytest.raises(SystemExit):
            recipe.main(given)
    else:
        with pytest.raises(ValueError, match="root: expected a folder .* or read class folders .* --data.card null"):
            recipe.main(given)
        with pytest.raises(SystemExit):
            recipe.main([*given, "--data.card", "null", "--data.synthetic", "0"])
    assert opened[0].labels == ("high", "low", "middle")
    with pytest.raises(ValueError, match="root: expected none with the card words, whose clips are all synthetic, got"):
        recipe.main([*given, "--data.card", "words"])


def test_folders_of_splits_in_a_wrapper_from_end_to_end(
    run: Callable[..., subprocess.CompletedProcess[str]], tone_folder: Path, tmp_path: Path
) -> None:
    """And a word without test clips, one with clips that hold no sound, files that cannot be read, and links.

    Real speech is told from the clips, and recordings of people are tested after the training.
    """
    corpus = tmp_path / "archive" / "my_words"
    for split, numbers in (("train", range(30)), ("valid", range(30, 35)), ("test", range(35, 40))):
        for word in ("low", "middle", "high"):
            for number in numbers:
                (corpus / split / word).mkdir(parents=True, exist_ok=True)
                os.link(tone_folder / word / f"{number:02d}.wav", corpus / split / word / f"{number - numbers[0]}.wav")
    shutil.rmtree(corpus / "test" / "high")
    audionet.save_audio(corpus / "train" / "low" / "dead.wav", np.zeros(4000, np.float32), 8000)
    (corpus / "train" / "low" / "take.raw").write_bytes(b"?")
    (corpus / "train" / "low" / "up").symlink_to(corpus)
    data = ["--data.root", corpus.parent, "--data.sample_rate", "8000", "--data.clip_seconds", "0.5"]
    data += ["--data.engines", "[espeak]"]
    people = ["--data.real_test", tone_folder, "--data.real_speech", tone_folder, "--task.domain_weight", "0.1"]
    smoke = ["--config", RECIPE / "presets" / "smoke.yaml", "--data.batch_size", "30"]
    done = run(*smoke, *data, *people, "--output", "out", cwd=tmp_path, cache=tmp_path / "cache")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "on 25 clips" in done.stdout  # 10 of words, 10 of what is none, 5 silences
    notes = [line for line in done.stderr.splitlines() if line.startswith("note: ")]
    for said in (
        "the class folders are taken from the folder my_words in it",
        "its folders are taken as the splits: test as test, train as train, valid as validation",
        "1 (no sound file by its extension): train/low/take.raw; 1 (a link to a folder above): train/low/up",
        "1 clips hold no sound but keep their labels: my_words/train/low/dead.wav",
        "no test clips, and so no score, of high",
    ):
        assert sum(said in note for note in notes) == 1, said
    recognizer = audionet.load_recognizer(tmp_path / "out" / "model.safetensors")
    assert recognizer.labels == ("high", "low", "middle", "_unknown_", "_silence_")
    record = recognizer.bundle.training["people"]
    assert (record["clips"], record["what"]) == (120, tone_folder.name)
    assert f"on people: {record['accuracy']:.1%}" in done.stdout
    assert "On real recordings" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "train_domain_loss" in (tmp_path / "out" / "metrics.csv").read_text().splitlines()[0]


COMPLEX = ["--features.name", "spectrogram", "--features.power", "null", "--model.name", "tcresnet"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data.card", "no_such"], "no_such"),
        (["--data.card", "null", "--data.root", "nowhere"], "nowhere"),
        (["--model.name", "lenet5"], "network: expected one of alexnet.*got 'lenet5'; did you mean 'lenet'"),
        (["--augment.echo.p", "1"], "augment.echo"),
        (["--features.n_mel", "3"], "front-end LogMel"),
        (["--features.n_mels", "64"], "n_bands: expected a multiple of 40.*got 64"),
        (["--features.name", "leaf", "--features.n_filters", "0"], "n_filters"),
        (COMPLEX, "front_end: expected real numbers, got the complex"),
        (["--data.batch_size", "many"], "data.batch_size"),
        (["--trainer.epochs", "3"], "epochs"),
    ],
)
def test_wrong_settings_get_one_clear_message(
    recipe: ModuleType,
    tone_folder: Path,
    tmp_path: Path,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [
        "--data.card",
        "null",
        "--data.root",
        str(tone_folder),
        "--data.sample_rate",
        "8000",
        "--data.batch_size",
        "16",
        "--data.negatives",
        "false",
    ]
    with pytest.raises((ValueError, SystemExit)) as caught:
        recipe.main([*given, "--output", str(tmp_path / "out"), *arguments])
    assert re.search(message, f"{caught.value} {capsys.readouterr().err}")


def test_what_could_not_be_saved_is_refused_before_the_first_step(
    recipe: ModuleType, tone_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle_format, "_LONGEST", {"recognition": 10, "generation": 10})
    given = ["--data.card=null", f"--data.root={tone_folder}", "--data.sample_rate=8000", "--data.batch_size=16"]
    given += ["--data.negatives=false"]
    with pytest.raises(BundleError, match="clip_length: .*up to 10, got"):
        recipe.main([*given, "--output", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()
