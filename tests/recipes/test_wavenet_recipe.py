"""The WaveNet recipe as a user runs it: every preset, a run from end to end, and wrong inputs."""

import csv
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

import audionet
from audionet import bundle_format, models
from audionet.bundle import BundleError
from audionet.datasets import Corpus, Store, read_card
from audionet.features import FEATURES
from audionet.flags import parse
from audionet.training import CropData, Generation, windows_for

RECIPE = Path(__file__).parents[2] / "recipes" / "wavenet"
PRESETS = sorted((RECIPE / "presets").glob("*.yaml"))
# NSynth's network is for a GPU: the same, narrower.
NARROWER = {"nsynth_autoencoder": ["--model.residual_channels=32", "--model.gate_channels=64"]}


def noise_of(card: str, *, sample_rate: int | None, clip_seconds: float | None, **_: object) -> Corpus:
    """Make a corpus as a card describes it, of noise: two clips a class and split, by one speaker."""
    sample_rate = sample_rate or 8000
    described, clip_length = read_card("words" if card == "auto" else card), round((clip_seconds or 1.0) * sample_rate)
    described = replace(described, labels=replace(described.labels, unknown=None, silence=None))
    known = sorted(described.labels.names())
    splits = np.repeat(["train", "validation", "test"], 2 * len(known))
    waveforms = np.random.default_rng(0).integers(-3000, 3000, (len(splits), clip_length), np.int16)
    store = Store(
        waveforms=waveforms,
        labels=np.tile(np.arange(len(known)), 6),
        label_names=tuple(known),
        speakers=np.full(len(splits), "ann"),
        splits=splits,
        paths=[str(number) for number in range(len(splits))],
        lengths=np.full(len(splits), clip_length),
        background=np.zeros(0, np.int16),
        sample_rate=sample_rate,
        skipped=[],
        first_alike=np.arange(len(splits)),
    )
    return Corpus(card=described, store=store, labels=store.label_names, label_index=store.labels)


@pytest.fixture
def noise(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let every corpus be noise, so that none is downloaded."""
    monkeypatch.setattr(audionet.datasets, "open_corpus", noise_of)
    yield


def test_the_presets_are_those_the_documents_name() -> None:
    names = {preset.stem for preset in PRESETS}
    known = {"sounds", "words", "vocoder", "fsdd_digits", "sc09", "ljspeech_vocoder", "nsynth_autoencoder", "smoke"}
    assert names == known


@pytest.mark.usefixtures("noise")
@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.stem)
def test_every_preset_describes_parts_that_fit(recipe: ModuleType, preset: Path) -> None:
    flags = [*NARROWER.get(preset.stem, []), "--data.batch_size=2"]
    config = parse(
        recipe.make_parser(), ["--config", str(preset), *flags], named={"features": FEATURES, "model": models.MODELS}
    )
    data, parts = recipe.make_data_and_parts(config)
    assert data.crops.window <= data.corpus.clip_length, "a window of more than a clip is padding"
    model, front_end, margin = parts.model.module, None, 0
    if parts.front_end is not None:
        front_end, arguments = parts.front_end.module, parts.front_end.arguments
        assert arguments["hop_length"] == model.hop_length
        margin = -(-arguments["n_fft"] // 2 // model.hop_length) * model.hop_length
    assert data.crops.margin == margin
    step = model.step_length
    seconds = (model.receptive_field // step + 2) * step / parts.sample_rate  # less than the preset's will do here
    less = CropData(
        data.corpus,
        **windows_for(model, front_end),
        window_seconds=seconds,
        conditions=config.data.conditions,
        batch_size=2,
    )
    batch = next(iter(less.train_dataloader()))
    task = Generation(model=model, front_end=front_end, margin=margin, **config.task).eval()
    with torch.no_grad():
        bits = task.bits(batch)
    assert bits.ndim == 1 and len(bits) == batch["counted"].sum() and len(bits) >= step
    assert bits.isfinite().all()
    if config.judge is not None:
        heard = audionet.load_recognizer(config.judge).labels
        assert set(data.categories.get("label", [])) <= set(heard)


def test_sc09_has_the_size_and_the_context_of_sashimi_s_wavenet(recipe: ModuleType) -> None:
    config = recipe.make_parser().parse_args(["--config", str(RECIPE / "presets" / "sc09.yaml")])
    model: Any = models.create(**config.model)
    assert sum(parameter.numel() for parameter in model.parameters()) == pytest.approx(4.2e6, rel=0.02)
    assert model.receptive_field == 4093  # samples, the padding in its settings


def test_flags_change_single_values_of_a_preset(recipe: ModuleType) -> None:
    arguments = ["--config", str(RECIPE / "presets" / "words.yaml"), "--model.n_layers=20", "--data.conditions=[]"]
    config = recipe.make_parser().parse_args([*arguments, "--trainer.strategy=ddp", "--ema_decay=null"])
    assert config.model["n_layers"] == 20 and config.model["n_cycles"] == 2
    assert config.data.conditions == [] and config.trainer.strategy == "ddp" and config.ema_decay is None


def test_the_smoke_preset_from_end_to_end(
    run: Callable[..., subprocess.CompletedProcess[str]], few_words: Path, tmp_path: Path
) -> None:
    pytest.importorskip("espeakng_loader", reason="the extra `synth` is not installed")
    cache = tmp_path / "cache"
    smoke = RECIPE / "presets" / "smoke.yaml"
    done = run(
        "--config", smoke, "--data.card", few_words, "--output", "out", "--n_generated", 4, cwd=tmp_path, cache=cache
    )
    assert done.returncode == 0, done.stderr[-3000:]
    output = tmp_path / "out"
    assert "bits per sample" in done.stdout and "report" in done.stdout
    made = {"model.safetensors", "report.html", "README.md", "metrics.csv", "checkpoints", "generated", "tensorboard"}
    assert made <= {path.name for path in output.iterdir()}

    generator = audionet.load_generator(output / "model.safetensors")
    clip = generator.generate(0.1, label="yes", seed=3)
    assert clip.shape == (1, 800) and clip.abs().max() > 0
    assert torch.equal(clip, generator.generate(0.1, label="yes", seed=3))
    command = generator.bundle.training["command"].split()
    assert command[0] == "python" and (tmp_path / command[1]).samefile(RECIPE / "train.py") and str(smoke) in command

    files = sorted((output / "generated").iterdir())
    assert len(files) == 4
    assert {path.stem.split("-")[1] for path in files} <= set(generator.categories["label"])
    waveform, sample_rate = audionet.load_audio(files[0])
    assert sample_rate == 8000 and waveform.shape == (1, 8000)
    assert (output / "report.html").read_text().count("<audio") == 8  # a recording beside each
    assert {path.name for path in (output / "recorded").iterdir()} == {path.name for path in files}
    with (output / "metrics.csv").open() as stream:
        bits = [float(row["test_bits"]) for row in csv.DictReader(stream) if row["test_bits"]]
    assert len(bits) == 1 and 0 < bits[0] < 8 and f"{bits[0]:.3f}" in done.stdout

    again = run("--config", smoke, "--data.card", few_words, "--output", "out", cwd=tmp_path, cache=cache)
    assert again.returncode == 1 and "holds no run yet" in again.stderr and "Traceback" not in again.stderr

    longer = ["--resume", "true", "--trainer.max_epochs", 2, "--n_generated", 1]
    resumed = run("--config", smoke, "--data.card", few_words, "--output", "out", *longer, cwd=tmp_path, cache=cache)
    assert resumed.returncode == 0, resumed.stderr[-3000:]
    with (output / "metrics.csv").open() as stream:
        epochs = {row["epoch"] for row in csv.DictReader(stream) if row["validation_bits"]}
    assert epochs == {"0", "1"}, "the second run goes on with the second epoch"


QUICK = ["--trainer.max_epochs=1", "--data.epoch_batches=2", "--trainer.accelerator=cpu"]
QUICK += ["--trainer.enable_progress_bar=false"]
SMALL = ["--model.n_layers=4", "--model.n_cycles=1", "--model.residual_channels=8", "--model.gate_channels=16"]
SMALL += ["--model.skip_channels=8", "--model.output_channels=8"]
MEL = ["--features.name=LogMel", "--features.n_fft=256", "--features.win_length=256", "--features.hop_length=64"]
MEL += ["--features.n_mels=20", "--features.pad_mode=constant", "--model.local_bands=20", "--model.upsample=[8,8]"]
CODE = ["--model.encoder_layers=2", "--model.encoder_cycles=1", "--model.encoder_channels=8", "--model.upsample=[8,8]"]


@pytest.mark.parametrize(
    "kind",
    [
        ["--model.name=wavenet", "--model.output=logistic_mixture", *MEL],
        ["--model.name=wavenet_autoencoder", "--data.conditions=[]", *CODE],
    ],
    ids=["vocoder", "autoencoder"],
)
def test_networks_that_follow_a_recording_from_end_to_end(
    recipe: ModuleType, tone_folder: Path, tmp_path: Path, kind: list[str]
) -> None:
    data = ["--data.card=null", f"--data.root={tone_folder}", "--data.sample_rate=8000", "--data.clip_seconds=0.5"]
    data += ["--data.window_seconds=0.1", "--data.batch_size=8", "--n_generated=2", "--ema_decay=null"]
    recipe.main([*data, *QUICK, *SMALL, *kind, f"--output={tmp_path / 'out'}"])
    generator = audionet.load_generator(tmp_path / "out" / "model.safetensors")
    waveform, sample_rate = audionet.load_audio(next((tone_folder / "low").iterdir()))
    frames = generator.frames_of(waveform, sample_rate)
    assert generator.generate(0.5, frames=frames, seed=0).shape == (1, 4000)
    assert len(list((tmp_path / "out" / "generated").iterdir())) == 2


@pytest.mark.parametrize(
    ("lengths", "labels", "rate"),
    [
        ({f"{drum}/{number}.wav": 0.1 + 0.02 * number for drum in ("hat", "kick") for number in range(4)}, 2, 44_100),
        ({f"{number}.wav": 0.1 for number in range(5)}, 1, 16_000),
        ({"long.wav": 13.0}, 1, 4000),
    ],
    ids=["class folders", "five files", "one long file"],
)
def test_a_folder_of_sounds_needs_no_preset_and_no_other_flag(
    recipe: ModuleType, tmp_path: Path, lengths: dict[str, float], labels: int, rate: int
) -> None:
    generator = np.random.default_rng(0)
    for name, seconds in lengths.items():
        (tmp_path / "drums" / name).parent.mkdir(parents=True, exist_ok=True)
        sound = generator.uniform(-0.5, 0.5, (2, round(seconds * rate))).astype(np.float32)
        audionet.save_audio(tmp_path / "drums" / name, sound, rate)
    output = tmp_path / "out"
    quick = [*QUICK, *SMALL, "--n_generated=1"]
    recipe.main([f"--data.root={tmp_path / 'drums'}", f"--output={output}", *quick])
    bundle = audionet.load_generator(output / "model.safetensors").bundle
    assert bundle.sample_rate == min(rate, 22_050) and len(bundle.value_lengths["label"]) == labels
    assert bundle.clip_length == pytest.approx(min(max(lengths.values()), 13 / 4) * bundle.sample_rate, rel=0.3)


def test_one_short_sound_is_refused_before_training(recipe: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "drums").mkdir()
    audionet.save_audio(tmp_path / "drums" / "kick.wav", torch.ones(1, 4000) / 2, 8000)
    with pytest.raises(ValueError, match="corpus: expected clips to test on .* of drums, got 0; add recordings"):
        recipe.main([f"--data.root={tmp_path / 'drums'}", f"--output={tmp_path / 'out'}"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data.card", "no_such"], "no_such"),
        (["--data.root", "nowhere"], "nowhere"),
        (["--data.card", "words"], "root: expected none with the card words, whose clips are all synthetic"),
        (["--data.conditions", "[label,mood]"], "conditions: expected one of label, speaker, got 'mood'; leave it out"),
        (["--data.conditions", "[speaker]"], "expected what tones names of its clips, got 'speaker'; leave it out"),
        (["--data.window_seconds", "0.01"], "window_seconds: expected room for more than"),
        (["--model.name", "wavenet5"], "network: expected one of alexnet.*got 'wavenet5'; did you mean 'wavenet'"),
        (
            ["--model.name", "wavenet", "--model.n_layer", "3"],
            "network wavenet: --model.n_layer is none of its arguments; did you mean 'n_layers'",
        ),
        (["--model.n_layers", "4", "--model.n_cycles", "3"], "n_layers: expected a multiple of n_cycles = 3, got 4"),
        (["--model.name", "wavenet", "--model.output", "mulaw"], "output: expected one of softmax"),
        (["--features.name", "LogMel", "--features.n_mel", "3"], "front-end LogMel"),
        (
            ["--features.name", "LogMel", "--features.hop_length", "80"],
            "features.hop_length: expected 1, the product of model.upsample, got 80",
        ),
        (["--judge", "nobody"], "nobody"),
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
    given = ["--data.card", "null", "--data.root", str(tone_folder), "--data.sample_rate", "8000"]
    given += ["--data.clip_seconds", "0.5", "--data.window_seconds", "0.5", "--data.batch_size", "16"]
    with pytest.raises((ValueError, SystemExit)) as caught:
        recipe.main([*given, "--output", str(tmp_path / "out"), *arguments])
    assert re.search(message, f"{caught.value} {capsys.readouterr().err}")


def test_what_could_not_be_saved_is_refused_before_the_first_step(
    recipe: ModuleType, tone_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle_format, "_LONGEST", {"recognition": 10, "generation": 10})
    given = [
        "--data.card=null",
        f"--data.root={tone_folder}",
        "--data.sample_rate=8000",
        "--data.batch_size=16",
        "--data.clip_seconds=0.5",
        "--data.window_seconds=0.5",
    ]
    with pytest.raises(BundleError, match="clip_length: .*up to 10, got"):
        recipe.main([*given, "--output", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()
