"""Training, of recognition and of generation: the schedule, exact resuming, averaged weights, two processes."""

import csv
import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Timer
from matplotlib.figure import Figure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor

from audionet import evaluate, features, models
from audionet.augment import Augment, SpecAugment
from audionet.datasets import open_corpus
from audionet.datasets.batches import ClipBatch
from audionet.metrics import Calibration, calibrate
from audionet.training import (
    ClipData,
    CropData,
    Generation,
    LogSound,
    Recognition,
    fit_and_test,
    training_record,
    windows_for,
)
from audionet.training.optimizers import warmup_cosine

HOP = 40
QUIET = {"accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False, "log_every_n_steps": 1}


def make(folder: Path, **changes: Any) -> tuple[Recognition, ClipData]:
    corpus = open_corpus(None, root=folder, sample_rate=8000, clip_seconds=0.5)
    data = ClipData(corpus, batch_size=16)
    torch.manual_seed(0)
    arguments: dict[str, Any] = {
        "front_end": features.create("LogMel", sample_rate=8000, n_fft=256, win_length=240, hop_length=80, n_mels=20),
        "model": models.create("tcresnet", n_classes=3, n_bands=20),
        "n_classes": 3,
        "augment": Augment(
            {"time_shift": {"seconds": 0.05, "p": 0.5}, "noise": {"min_snr_db": 0, "max_snr_db": 20}},
            sample_rate=8000,
            background=data.background,
        ),
        "spec_augment": SpecAugment(frequency_width=3, time_width=5),
        "mixup_alpha": 0.3,
        "warmup_epochs": 1,
    }
    return Recognition(**arguments | changes), data


def make_generation(
    folder: Path, *, window_seconds: float = 0.05, has_frames: bool = False, n_places: int = 0, **changes: Any
) -> tuple[Generation, CropData]:
    """Make a tiny WaveNet that knows the labels; rows are longer than clips, and clips longer than windows."""
    corpus = open_corpus(None, root=folder, sample_rate=8000, clip_seconds=0.6)
    local: dict[str, Any] = {}
    if has_frames:
        sizes: dict[str, Any] = {"n_fft": 80, "win_length": 80, "hop_length": HOP, "n_mels": 8, "pad_mode": "constant"}
        changes |= {"front_end": features.create("LogMel", sample_rate=8000, **sizes), "margin": HOP}
        local = {"local_bands": 8, "local_channels": 8, "upsample": (5, 8)}
    torch.manual_seed(0)
    model: Any = models.create(
        "wavenet",
        n_layers=6,
        n_cycles=2,
        residual_channels=12,
        gate_channels=16,
        skip_channels=16,
        output_channels=16,
        categories=corpus.categories(["label"]),
        n_places=n_places,
        place_length=100,
        **local,
    )
    windows = windows_for(model, changes.get("front_end"))
    data = CropData(corpus, **windows | {"learns_end": True}, window_seconds=window_seconds, batch_size=16)
    return Generation(model=model, **{"learning_rate": 1e-2, **changes}), data


def weights(task: Generation | Recognition) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in task.model.state_dict().items()}


def assert_same(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name


def logged(run: Path, name: str) -> list[tuple[str, str]]:
    with (run / "metrics.csv").open() as stream:
        return [(row["step"], row[name]) for row in csv.DictReader(stream) if row[name]]


class StopAt(lightning.Callback):
    """Press Ctrl-C once a number of steps is done."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            signal.raise_signal(signal.SIGINT)


def test_the_rate_rises_linearly_and_falls_as_a_cosine() -> None:
    rate = [warmup_cosine(step, n_warmup=10, n_total=110) for step in range(111)]
    assert rate[:11] == pytest.approx([step / 10 for step in range(11)])
    assert rate[60] == pytest.approx(0.5)
    assert rate[35] == pytest.approx(0.5 * (1 + math.cos(math.pi / 4)))
    assert rate[110] == pytest.approx(0)


def test_training_learns_and_ends_with_scores(tone_folder: Path, tmp_path: Path) -> None:
    task, data = make(tone_folder, spec_augment=None, mixup_alpha=0.0)
    trainer = fit_and_test(
        task, data, output=tmp_path / "run", monitor="validation_accuracy", trainer=QUIET | {"max_epochs": 12}
    )
    assert int(task.confusion.sum()) == len(data.corpus.store.indices("test"))
    assert float(trainer.callback_metrics["test_accuracy"]) >= 0.9
    assert {path.name for path in (tmp_path / "run" / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    header = (tmp_path / "run" / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {"train_loss", "validation_accuracy", "test_accuracy", "lr-SGD"} <= set(header)
    assert task.figures["accuracy"] == pytest.approx(float(trainer.callback_metrics["test_accuracy"]), abs=1e-4)
    of_validation = calibrate(*logits_of(task, data, "validation"), [True] * 3)
    assert task.calibration == pytest.approx(of_validation, rel=1e-3, abs=2e-3)  # of other batches
    logits, true = logits_of(task, data, "test")
    expected = torch.from_numpy(logits / task.calibration.temperature).softmax(-1).amax(-1)
    assert task.answers.probability == pytest.approx(expected.numpy(), abs=1e-6)
    assert task.answers.true.tolist() == true.tolist()


def logits_of(task: Recognition, data: ClipData, split: str) -> tuple[np.ndarray, np.ndarray]:
    clips = data.corpus.store.indices(split)
    task.eval()
    with torch.inference_mode():
        logits = task(torch.from_numpy(data.corpus.store.waveforms[clips]))
    return logits.double().numpy(), data.corpus.label_index[clips]


@pytest.mark.parametrize("n_batches", [0, 1])
def test_calibration_takes_no_more_than_the_validation_does(tone_folder: Path, tmp_path: Path, n_batches: int) -> None:
    task, data = make(tone_folder)
    data.batch_size = 5
    trainer = QUIET | {"max_epochs": 1, "limit_val_batches": n_batches}
    fit_and_test(task, data, output=tmp_path / "run", monitor=None, trainer=trainer)
    logits, true = (part[: 5 * n_batches] for part in logits_of(task, data, "validation"))
    expected = calibrate(logits, true, [True] * 3) if n_batches else Calibration()
    assert task.calibration == pytest.approx(expected, rel=1e-3, abs=2e-3)


def test_other_words_and_noise_count_for_the_threshold(tone_folder: Path, tmp_path: Path) -> None:
    (tone_folder / "low").rename(tone_folder / "_unknown_")
    task, data = make(tone_folder)
    fit_and_test(task, data, output=tmp_path / "run", monitor=None, trainer=QUIET | {"max_epochs": 2})
    words = [label != "_unknown_" for label in data.corpus.labels]
    assert task.words == words and sum(words) == 2
    assert task.calibration == pytest.approx(calibrate(*logits_of(task, data, "validation"), words), rel=1e-3, abs=2e-3)
    assert {"others_accepted", "words_rejected"} <= task.figures.keys()


@pytest.mark.parametrize("epochs", [1.0, 2.0, 2.4])
def test_a_resumed_run_equals_an_uninterrupted_one(
    tone_folder: Path, tmp_path: Path, epochs: float, capfd: pytest.CaptureFixture[str]
) -> None:
    settings: dict[str, Any] = {"monitor": None, "trainer": QUIET | {"max_epochs": 4}}
    whole, data = make(tone_folder)
    fit_and_test(whole, data, output=tmp_path / "whole", **settings)

    first, data = make(tone_folder)
    step = round(epochs * len(data.train_dataloader()))
    stopped = settings | {"callbacks": [StopAt(step)]}
    with pytest.raises(SystemExit, match="--resume true"):
        fit_and_test(first, data, output=tmp_path / "parts", **stopped)
    before = torch.load(tmp_path / "parts" / "checkpoints" / "last.ckpt", weights_only=True)["callbacks"]["Timer"]
    second, data = make(tone_folder)
    torch.manual_seed(99)  # nothing may depend on the state that the interrupted process had
    resumed = fit_and_test(second, data, output=tmp_path / "parts", resume=True, **settings)
    (timer,) = (x for x in resumed.callbacks if isinstance(x, Timer))  # type: ignore[attr-defined]
    assert timer.time_elapsed() > before["time_elapsed"]["train"] > 0
    assert "another length" not in capfd.readouterr().err
    assert_same(weights(second), weights(whole))
    assert torch.equal(second.confusion, whole.confusion)
    assert (tmp_path / "parts" / "metrics.csv").read_bytes() == (tmp_path / "whole" / "metrics.csv").read_bytes()


def test_a_learned_front_end_learns_along_and_resumes(tone_folder: Path, tmp_path: Path) -> None:
    def make_learned() -> tuple[Recognition, ClipData]:
        torch.manual_seed(0)
        return make(tone_folder, front_end=features.create("LEAF", sample_rate=8000, n_filters=20, kernel_size=51))

    def learned(task: Recognition) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in task.front_end.named_parameters()}

    settings: dict[str, Any] = {"monitor": None, "trainer": QUIET | {"max_epochs": 2}}
    whole, data = make_learned()
    before = learned(whole)
    fit_and_test(whole, data, output=tmp_path / "whole", **settings)
    still = {name: int((learned(whole)[name] == value).sum()) for name, value in before.items()}
    assert still == dict.fromkeys(before, 0)

    first, data = make_learned()
    stopped = settings | {"callbacks": [StopAt(len(data.train_dataloader()))]}
    with pytest.raises(SystemExit, match="--resume true"):
        fit_and_test(first, data, output=tmp_path / "parts", **stopped)
    second, data = make_learned()
    fit_and_test(second, data, output=tmp_path / "parts", resume=True, **settings)
    assert_same(learned(second), learned(whole))
    assert_same(weights(second), weights(whole))


def test_mixed_precision_reaches_the_network_alone(tone_folder: Path, tmp_path: Path) -> None:
    task, data = make(tone_folder)
    seen = []
    task.model.register_forward_hook(lambda _, inputs, output: seen.append((inputs[0].dtype, output.dtype)))
    settings = QUIET | {"max_epochs": 1, "precision": "bf16-mixed"}
    fit_and_test(task, data, output=tmp_path / "run", monitor=None, trainer=settings)
    assert set(seen) == {(torch.float32, torch.bfloat16)}
    assert all(value.dtype == torch.float32 for value in task.model.parameters())


def test_a_folder_with_a_run_is_not_overwritten(tone_folder: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"output": tmp_path / "run", "monitor": None, "trainer": QUIET | {"max_epochs": 1}}
    fit_and_test(*make(tone_folder), **settings)
    with pytest.raises(ValueError, match="output: expected a folder that holds no run yet, .*--resume"):
        fit_and_test(*make(tone_folder), **settings)


def test_averaged_weights_are_what_is_left(tone_folder: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"monitor": None, "trainer": QUIET | {"max_epochs": 2}}
    plain, data = make(tone_folder)
    fit_and_test(plain, data, output=tmp_path / "plain", **settings)
    averaged, data = make(tone_folder)
    fit_and_test(averaged, data, output=tmp_path / "averaged", ema_decay=0.9, **settings)
    assert not torch.equal(weights(averaged)["stem.weight"], weights(plain)["stem.weight"])
    followed, data = make(tone_folder)
    fit_and_test(followed, data, output=tmp_path / "followed", ema_decay=0.0, **settings)
    assert_same(weights(followed), weights(plain))  # without memory the average is the weights themselves


def test_a_silence_becomes_noise_and_a_word_without_sound_does_not(tone_folder: Path) -> None:
    task, _ = make(tone_folder)
    silence = torch.tensor([True, False])
    batch: ClipBatch = {"waveform": torch.zeros(2, 4000), "label": torch.tensor([0, 1]), "silence": silence}
    heard: list[torch.Tensor] = []
    task.front_end.register_forward_pre_hook(lambda _, inputs: heard.append(inputs[0]))
    task.generator = torch.Generator().manual_seed(0)
    task.inputs_and_targets(batch)
    assert (heard[0].abs().amax((1, 2)) > 1e-3).tolist() == [True, False]


def test_the_record_is_plain(tone_folder: Path) -> None:
    task, data = make(tone_folder)
    timer = Timer()
    timer.load_state_dict({"time_elapsed": {"train": 1.6}})
    trainer = lightning.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, callbacks=[timer])
    trainer.strategy.connect(task)
    record = training_record(trainer, data.corpus, seed=3, command="python x", accuracy=0.5)
    assert record["training_seconds"] == 2 and record["accuracy"] == 0.5 and record["seed"] == 3
    assert record["parameters"] == sum(parameter.numel() for parameter in task.model.parameters())
    assert record["test_clips"] == len(data.corpus.store.indices("test"))
    assert json.loads(json.dumps(record)) == record
    assert f"torch {torch.__version__}" in str(record["versions"])


# ---- generation ---------------------------------------------------------------------------------------------------


def bits_of_whole_clips(task: Generation, data: CropData, split: str = "test") -> float:
    """Bits per sample of a split's clips, each through the network whole and without what fills its row."""
    clips, values = data.recordings(split)
    assert {len(clip) for clip in clips} == {4000} and data.corpus.store.waveforms.shape[1] == 4800
    positions = [data.categories["label"].index(value) for value in values["label"]]
    return evaluate.bits_per_sample(
        task.model,  # type: ignore[arg-type]
        torch.from_numpy(np.stack(clips)),
        conditions={"label": torch.tensor(positions)},
    )


@pytest.mark.parametrize("n_places", [0, 7])
def test_generation_learns_and_its_bits_are_those_of_whole_clips(
    tone_folder: Path, tmp_path: Path, n_places: int
) -> None:
    task, data = make_generation(tone_folder, n_places=n_places)
    untrained = bits_of_whole_clips(task, data)
    trainer = fit_and_test(
        task,
        data,
        output=tmp_path / "run",
        monitor="validation_bits",
        mode="min",
        trainer=QUIET | {"max_epochs": 8, "gradient_clip_val": 1.0},
    )
    bits = trainer.callback_metrics["test_bits"].item()
    assert bits == pytest.approx(bits_of_whole_clips(task, data), abs=1e-5)
    assert bits < 0.85 * untrained and 7 < untrained < 9
    validation = [float(value) for _, value in logged(tmp_path / "run", "validation_bits")]
    assert min(validation) == pytest.approx(bits_of_whole_clips(task, data, "validation"), abs=1e-5)
    assert {path.name for path in (tmp_path / "run" / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}


def test_the_rate_of_a_training_follows_its_schedule(tone_folder: Path, tmp_path: Path) -> None:
    rates = {None: {"lr-Adam": 1e-2}, 0.03: {"lr-ChainedOptimizer/pg1": 1e-2, "lr-ChainedOptimizer/pg2": 0.03}}
    for warmup_epochs, matrix_rate in ((0.0, None), (1.0, 0.03)):
        task, data = make_generation(tone_folder, warmup_epochs=warmup_epochs, matrix_learning_rate=matrix_rate)
        n_epoch = len(data.train_dataloader())
        n_warmup = round(warmup_epochs * n_epoch)
        run = tmp_path / f"run{n_warmup}"
        fit_and_test(task, data, output=run, monitor=None, trainer=QUIET | {"max_epochs": 2})
        factors = [warmup_cosine(step, n_warmup=n_warmup, n_total=2 * n_epoch) for step in range(2 * n_epoch)]
        assert max(factors) == 1
        for name, peak in rates[matrix_rate].items():
            assert [float(rate) for _, rate in logged(run, name)] == pytest.approx([peak * x for x in factors]), name


@pytest.mark.parametrize("epochs", [1.0, 1.5])
def test_a_resumed_generation_equals_an_uninterrupted_one(tone_folder: Path, tmp_path: Path, epochs: float) -> None:
    settings: dict[str, Any] = {
        "monitor": "validation_bits",
        "mode": "min",
        "ema_decay": 0.9,
        "trainer": QUIET | {"max_epochs": 3},
    }
    whole, data = make_generation(tone_folder)
    expected = fit_and_test(whole, data, output=tmp_path / "whole", **settings)

    first, data = make_generation(tone_folder)
    step = round(epochs * len(data.train_dataloader()))
    with pytest.raises(SystemExit, match="--resume true"):
        fit_and_test(first, data, output=tmp_path / "parts", callbacks=[StopAt(step)], **settings)
    second, data = make_generation(tone_folder)
    torch.manual_seed(99)
    resumed = fit_and_test(second, data, output=tmp_path / "parts", resume=True, **settings)
    assert_same(weights(second), weights(whole))
    assert resumed.callback_metrics["test_bits"] == expected.callback_metrics["test_bits"]
    assert (tmp_path / "parts" / "metrics.csv").read_bytes() == (tmp_path / "whole" / "metrics.csv").read_bytes()


def test_averaged_weights_are_what_is_validated_heard_and_tested(tone_folder: Path, tmp_path: Path) -> None:
    heard = []

    def listen() -> tuple[Tensor, dict[str, Figure]]:
        heard.append(weights(task))
        return torch.zeros(80), {}

    settings: dict[str, Any] = {"monitor": None, "trainer": QUIET | {"max_epochs": 2}}
    plain, data = make_generation(tone_folder)
    fit_and_test(plain, data, output=tmp_path / "plain", **settings)
    task, data = make_generation(tone_folder)
    logs = [LogSound(listen, 8000)]
    trainer = fit_and_test(task, data, output=tmp_path / "run", ema_decay=0.9, callbacks=logs, **settings)
    assert not torch.equal(weights(task)["output.weight"], weights(plain)["output.weight"])
    assert_same(heard[-1], weights(task))
    assert trainer.callback_metrics["test_bits"].item() == pytest.approx(bits_of_whole_clips(task, data), abs=1e-5)
    assert float(logged(tmp_path / "run", "validation_bits")[-1][1]) == pytest.approx(
        bits_of_whole_clips(task, data, "validation"), abs=1e-5
    )


@pytest.mark.parametrize("has_validation", [True, False])
def test_sound_and_pictures_are_logged(tone_folder: Path, tmp_path: Path, has_validation: bool) -> None:
    made = 0.5 * torch.sin(torch.arange(800) / 5)

    def make_sound() -> tuple[Tensor, dict[str, Figure]]:
        return made, {"spectrogram": Figure(figsize=(1, 1)), "heat map": Figure(figsize=(1, 1))}

    if not has_validation:
        (tone_folder / "validation_list.txt").write_text("")
        (tone_folder / "testing_list.txt").write_text("low/00.wav\n")
    task, data = make_generation(tone_folder)
    assert data.corpus.has_validation == has_validation
    settings = QUIET | {"max_epochs": 2, "num_sanity_val_steps": 1}  # what the sanity check makes is not logged
    fit_and_test(
        task, data, output=tmp_path / "run", monitor=None, callbacks=[LogSound(make_sound, 8000)], trainer=settings
    )
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"), size_guidance={"audio": 0, "images": 0})
    events.Reload()
    steps = [len(data.train_dataloader()) * epoch for epoch in (1, 2)]
    assert events.Tags()["audio"] == ["generated"]
    audio = events.Audio("generated")
    assert [event.step for event in audio] == steps
    assert audio[0].sample_rate == 8000 and audio[0].length_frames == 800
    samples = np.frombuffer(audio[0].encoded_audio_string[44:], np.int16) / 32767  # behind the header of a WAV file
    assert np.abs(samples - made.numpy()).max() < 1e-4
    assert set(events.Tags()["images"]) == {"spectrogram", "heat map"}
    assert [event.step for event in events.Images("heat map")] == steps


def test_local_conditioning_reaches_the_network_in_time(tone_folder: Path, tmp_path: Path) -> None:
    task, data = make_generation(tone_folder, window_seconds=0.5, has_frames=True)
    model: Any = task.model
    before = weights(task)
    trainer = fit_and_test(task, data, output=tmp_path / "run", monitor=None, trainer=QUIET | {"max_epochs": 1})
    assert all(not torch.equal(value, before[name]) for name, value in weights(task).items() if "upsampler" in name)
    steps = [float(value) for _, value in logged(tmp_path / "run", "train_bits")]
    assert steps[-1] < steps[0] - 0.05

    clips, values = data.recordings("test")
    waveforms = torch.from_numpy(np.stack(clips))
    conditions = {"label": torch.tensor([data.categories["label"].index(value) for value in values["label"]])}
    with torch.inference_mode():
        assert task.front_end is not None
        frames = task.front_end(waveforms)[..., :100]  # a window is a whole clip: 100 frames of 40 samples
        expected = evaluate.bits_per_sample(model, waveforms, conditions=conditions, frames=frames)
        wrong = evaluate.bits_per_sample(model, waveforms, conditions=conditions, frames=frames.roll(3, 1))
    assert trainer.callback_metrics["test_bits"].item() == pytest.approx(expected, abs=1e-5)
    assert abs(wrong - expected) > 1e-4


def test_frames_of_a_window_within_a_clip_are_the_clips(tone_folder: Path) -> None:
    task, data = make_generation(tone_folder, has_frames=True)
    assert task.front_end is not None
    seen: list[Tensor] = []
    task.model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[2]))
    clips, starts, ends = data.crops.tiles(data.corpus.store.indices("test")[:1])
    task.bits(data.crops.take(clips, starts, ends))
    whole = task.front_end(torch.from_numpy(data.recordings("test")[0][0]))
    assert len(starts) > 5 and seen[0].shape == (len(starts), 8, 10)
    for start, window in zip(starts // HOP, seen[0], strict=True):
        inside = window[:, : whole.shape[1] - start]  # the last window goes on behind the clip
        torch.testing.assert_close(inside, whole[:, start : start + 10], rtol=0, atol=1e-5)


def test_processes_count_for_as_many_samples_as_they_have(tone_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task, data = make_generation(tone_folder)
    batches, values, gathered = list(data.test_dataloader()), {}, []
    monkeypatch.setattr(task, "log", lambda name, value, **_: values.update({name: value.item()}))

    def count(part: list[Any]) -> None:
        task.on_test_epoch_start()
        for number, batch in enumerate(part):
            with torch.inference_mode():
                task.test_step(batch, number)
        task.on_test_epoch_end()

    monkeypatch.setattr(task, "all_gather", lambda value: value)
    count(batches)
    alone = values["test_bits"]
    assert alone == pytest.approx(bits_of_whole_clips(task, data), abs=1e-5)

    def all_gather(value: Tensor) -> Tensor:
        gathered.append(value)
        return torch.stack(gathered)

    monkeypatch.setattr(task, "all_gather", all_gather)
    for part in (batches[:1], batches[1:], []):  # the last process has nothing to do
        count(part)
    assert values["test_bits"] == pytest.approx(alone, abs=1e-5)
    assert {value.device.type for value in gathered} == {task.device.type}


TWO_PROCESSES = """
import hashlib, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_training import QUIET, fit_and_test, make, weights

task, data = make(Path({folder!r}))
trainer = fit_and_test(task, data, output=Path({output!r}), monitor="validation_accuracy",
                       trainer=QUIET | dict(max_epochs=2, devices=2, strategy="ddp"))
digest = hashlib.sha256(b"".join(value.numpy().tobytes() for value in weights(task).values()
                                 if value.is_floating_point() and value.requires_grad is False)).hexdigest()
parameters = hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in task.model.parameters())).hexdigest()
said = parameters, int(task.confusion.sum()), task.calibration.temperature
Path({output!r}, f"rank{{trainer.global_rank}}.txt").write_text(" ".join(map(str, said)))
"""


def test_two_processes_end_with_one_model(tone_folder: Path, tmp_path: Path) -> None:
    script = tmp_path / "two.py"
    output = tmp_path / "run"
    script.write_text(
        TWO_PROCESSES.format(tests=str(Path(__file__).parent), folder=str(tone_folder), output=str(output))
    )
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PL_TORCH_DISTRIBUTED_BACKEND": "gloo"}
    done = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    ranks = [(output / f"rank{rank}.txt").read_text().split() for rank in range(2)]
    assert ranks[0] == ranks[1]
    n_test = len(make(tone_folder)[1].corpus.store.indices("test"))
    assert int(ranks[0][1]) == n_test  # each test clip counted once, over both processes
