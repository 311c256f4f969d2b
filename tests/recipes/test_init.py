"""The recognition recipe from a trained network on: of few recordings, of more, of one a word; and flags against it."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
import yaml

import audionet
from audionet import bundle, models

RECIPE = Path(__file__).parents[2] / "recipes" / "recognition"


@pytest.fixture
def flags_of(write_bundle: Callable[..., Path], tone_folder: Path, tmp_path: Path) -> Callable[..., list[str]]:
    """Flags of a run on the first tones of each pitch, from an embedding with random weights."""
    network = {"n_classes": 0, "n_bands": 20}
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = bundle.Part("tcresnet", network, models.create("tcresnet", **network))
    # The statistics of a network that is trained are those of what it hears; others would move while it is trained on.
    tones = torch.stack([audionet.load_audio(path)[0][0] for path in sorted(tone_folder.rglob("*.wav"))])
    spectrogram = audionet.features.LogMel(sample_rate=8000, n_mels=20)(tones)[:, None]
    with torch.no_grad():
        for _ in range(60):
            model.module(spectrogram)
    fields = {"task": "embedding", "labels": (), "model": model, "training": {}, "clip_length": 4000}
    path = write_bundle(tmp_path / "start.safetensors", **fields)

    def flags(n: int, *more: str) -> list[str]:
        for recording in tone_folder.rglob("*.wav"):
            if int(recording.stem) >= n:
                recording.unlink()
        root, output = f"--data.root={tone_folder}", f"--output={tmp_path / 'out'}"
        return [
            f"--init={path}",
            root,
            output,
            "--augment.gain.max_db=3",
            "--trainer.accelerator=cpu",
            "--data.negatives=false",
            *more,
        ]

    return flags


def weights(path: Path) -> dict[str, torch.Tensor]:
    return bundle.load(path).model.module.state_dict()


def test_of_few_recordings_a_classifier_is_fitted(
    recipe: ModuleType, flags_of: Callable[..., list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe.main(flags_of(8))
    printed = capsys.readouterr()
    assert "cross-validated accuracy" in printed.out and "on 24 clips" in printed.out
    assert "clips of 0.5 s at 8000 Hz" in printed.err and "each by a head fitted on the others" in printed.err
    output = tmp_path / "out"
    made = bundle.load(output / "model.safetensors")
    assert made.labels == ("high", "low", "middle") and made.training["accuracy"] > 0.9
    assert made.training["test_clips"] == 24 and "in 5 parts" in made.training["cross_validation"]
    old, new = weights(tmp_path / "start.safetensors"), made.model.module.state_dict()
    assert all(torch.equal(old[name], new[name]) for name in old)
    assert {"report.html", "README.md", "config.yaml"} <= {path.name for path in output.iterdir()}
    assert "curves.png" not in {path.name for path in output.iterdir()}
    values = yaml.safe_load((output / "config.yaml").read_text())
    assert values["model"] == {"name": "tcresnet", "n_bands": 20} and values["data"]["sample_rate"] == 8000
    answer = audionet.load_recognizer(output / "model.safetensors").recognize_file(
        tmp_path / "tones" / "low" / "00.wav"
    )
    assert answer[0].label == "low"


def test_of_more_everything_is_trained_on_from_there(
    recipe: ModuleType, flags_of: Callable[..., list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = recipe.main(
        flags_of(40, "--freeze=false", "--steps=4", "--data.batch_size=16", "--task.learning_rate=1e-4")
    )
    assert "cross_validation" not in record and record["accuracy"] > 0.9  # the classifier was fitted before
    assert "4 batches" in capsys.readouterr().err
    old, new = weights(tmp_path / "start.safetensors"), weights(record["bundle"])
    moved = [float((old[name] - new[name]).abs().max()) for name in old if name.endswith("0.weight")]
    assert all(0 < distance < 0.1 for distance in moved)
    assert yaml.safe_load((tmp_path / "out" / "config.yaml").read_text())["task"]["learning_rate"] == 1e-4


def test_of_one_recording_a_word_there_is_a_bundle_and_no_figure(
    recipe: ModuleType, flags_of: Callable[..., list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe.main(flags_of(1))
    printed = capsys.readouterr()
    assert "not tested: each word has one recording" in printed.out
    made = bundle.load(tmp_path / "out" / "model.safetensors")
    assert "accuracy" not in made.training and made.test_figure == "not recorded"
    assert not (tmp_path / "out" / "report.html").exists()


def test_flags_that_do_not_go_with_a_bundle_are_refused_before_anything_is_read(
    recipe: ModuleType, flags_of: Callable[..., list[str]], tmp_path: Path
) -> None:
    for flag, message in (
        ("--model.tau=2", "model: expected none with --init .*, which brings its own"),
        ("--data.sample_rate=16000", "data.sample_rate: expected 8000 Hz, that of .*start.safetensors, got 16000"),
        ("--init=nowhere", "nowhere: expected the path of a .safetensors file"),
    ):
        with pytest.raises(ValueError, match=message):
            recipe.main([*flags_of(8), flag])
    assert not (tmp_path / "out").exists()
