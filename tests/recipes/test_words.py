"""The recipe of a user's own words as a user runs it: from text alone, and from recordings, by the command."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from lightning.pytorch.utilities import rank_zero_only

import audionet
from audionet.augment import AUGMENTATIONS, Augment, SpecAugment

RECIPE = Path(__file__).parents[2] / "recipes" / "words"
PRESETS = sorted((RECIPE / "presets").glob("*.yaml"))

pytest.importorskip("espeakng_loader", reason="the extra `synth` is not installed")


def test_the_presets_are_those_the_documents_name() -> None:
    assert {preset.stem for preset in PRESETS} == {"esphome", "smoke", "words"}


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.stem)
def test_every_preset_describes_augmentations_that_fit(recipe: ModuleType, preset: Path) -> None:
    config = recipe.make_parser().parse_args(["--config", str(preset)])
    assert config.augment.as_dict().keys() == {*AUGMENTATIONS}
    augment = Augment(config.augment.as_dict(), sample_rate=16_000, background=torch.randn(32_000))
    generator = torch.Generator().manual_seed(0)
    waveform = augment(torch.randn(3, 20_000).clamp(-1, 1) / 4, generator)
    assert waveform.shape == (3, 20_000) and waveform.isfinite().all()
    if config.spec_augment is not None:
        assert SpecAugment(**config.spec_augment)(torch.randn(3, 1, 40, 101), generator).shape == (3, 1, 40, 101)


def test_from_text_alone_from_end_to_end(run: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    smoke = RECIPE / "presets" / "smoke.yaml"
    (tmp_path / "room").mkdir()
    audionet.save_audio(tmp_path / "room" / "1.wav", 0.1 * torch.randn(5 * 16_000).clamp(-3, 3), 16_000)
    room = "--data.negatives=[room]"
    done = run("--config", smoke, "--output", "out", room, cwd=tmp_path, cache=tmp_path / "cache")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "negatives: 2 of 2 stretches of 2 s train as _unknown_" in done.stderr
    output = tmp_path / "out"
    assert "test accuracy" in done.stdout and "a smoke test" in done.stdout
    made = {"model.safetensors", "report.html", "README.md", "config.yaml", "metrics.csv"}
    assert made <= {path.name for path in output.iterdir()}
    recognizer = audionet.load_recognizer(output / "model.safetensors")
    assert recognizer.labels == ("lights on", "stop", "_unknown_", "_silence_")
    assert 1.0 <= recognizer.clip_length / recognizer.sample_rate <= 2.0
    assert "others_accepted" in recognizer.bundle.training and recognizer.bundle.temperature != 1.0
    assert recognizer.bundle.training["test_is_synthetic"] is True


@pytest.fixture
def recordings(tone_folder: Path, tmp_path: Path) -> Path:
    """Write a folder of five recordings a word, and one file that is none."""
    folder = tmp_path / "mine"
    for word, tone in (("go", "low"), ("stop", "high")):
        (folder / word).mkdir(parents=True)
        for number in range(5):
            shutil.copy(tone_folder / tone / f"{number:02d}.wav", folder / word / f"{number}.wav")
    (folder / "go" / "damaged.wav").write_bytes(b"RIFF")
    return folder


def test_the_command_learns_recordings(recordings: Path, tmp_path: Path) -> None:
    arguments = [
        "--recordings",
        "mine",
        "--synthetic",
        "false",
        "--engines",
        "espeak",
        "--output",
        "taught.safetensors",
    ]
    environment = os.environ | {"AUDIONET_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "audionet", "train-words", *arguments]
    paths = {"PYTHONPATH": str(RECIPE.parents[1])}
    done = subprocess.run(command, cwd=tmp_path, env=environment | paths, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "cross-validated accuracy" in done.stdout and "taught.safetensors: use it with" in done.stdout
    assert "go/damaged.wav" in done.stderr
    recognizer = audionet.load_recognizer(tmp_path / "taught.safetensors")
    assert {*recognizer.labels} == {"go", "stop", "_unknown_", "_silence_"}
    heard = [recognizer.recognize_file(recordings / "stop" / f"{number}.wav")[0].label for number in range(5)]
    assert heard == ["stop"] * 5
    assert recognizer.bundle.training["test_clips"] == 10
    assert {"report.html", "README.md", "config.yaml"} <= {*os.listdir(tmp_path / "taught")}


def test_of_several_processes_one_writes(
    recipe: ModuleType, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUDIONET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(rank_zero_only, "rank", 1, raising=False)
    (recordings / "go" / "damaged.wav").unlink()
    own = [f"--data.recordings={recordings}", "--data.words=[]", "--data.synthetic=false", "--data.workers=1"]
    record = recipe.main([f"--config={RECIPE / 'presets' / 'smoke.yaml'}", "--output=out", *own])
    assert record["test_clips"] == 10 and not list(tmp_path.glob("out/*"))


def test_running_twice_is_refused(recipe: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out" / "checkpoints").mkdir(parents=True)
    (tmp_path / "out" / "checkpoints" / "last.ckpt").touch()
    with pytest.raises(ValueError, match="output: expected .* holds no run yet"):
        recipe.main(["--config", str(RECIPE / "presets" / "smoke.yaml"), "--output", "out"])
