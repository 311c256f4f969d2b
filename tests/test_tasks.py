"""Training: the schedule, exact resuming, averaged weights, and two processes that end with one model."""

import csv
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from torch import Tensor

from audionet import features, models
from audionet.augment import Augment, SpecAugment
from audionet.datasets.datamodule import ClipDataModule
from audionet.tasks import Recognition, fit_and_test, training_record
from audionet.tasks.recognition import warmup_cosine

QUIET = {"accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False, "log_every_n_steps": 1}


def make(folder: Path, **changes: Any) -> tuple[Recognition, ClipDataModule]:
    data = ClipDataModule(card=None, root=str(folder), sample_rate=8000, clip_seconds=0.5, batch_size=16)
    torch.manual_seed(0)
    arguments: dict[str, Any] = {
        "features": features.create("LogMel", sample_rate=8000, n_fft=256, win_length=240, hop_length=80, n_mels=20),
        "model": models.create("tcresnet", n_classes=3, n_mels=20),
        "labels": data.labels,
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


def weights(task: Recognition) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in task.model.state_dict().items()}


def assert_same(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name


def logged_losses(run: Path) -> list[tuple[str, str]]:
    with (run / "metrics.csv").open() as stream:
        return [(row["step"], row["train_loss"]) for row in csv.DictReader(stream) if row["train_loss"]]


class StopAt(lightning.Callback):
    """Interrupt, as Ctrl-C does, once a number of steps is done."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            raise KeyboardInterrupt


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
    assert int(task.confusion.sum()) == len(data.store.indices("test"))
    assert float(trainer.callback_metrics["test_accuracy"]) >= 0.9
    assert {path.name for path in (tmp_path / "run" / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    header = (tmp_path / "run" / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {"train_loss", "validation_accuracy", "test_accuracy", "lr-SGD"} <= set(header)


@pytest.mark.parametrize("epochs", [1.0, 2.0, 2.4])
def test_a_resumed_run_equals_an_uninterrupted_one(tone_folder: Path, tmp_path: Path, epochs: float) -> None:
    settings: dict[str, Any] = {"monitor": None, "trainer": QUIET | {"max_epochs": 4}}
    whole, data = make(tone_folder)
    fit_and_test(whole, data, output=tmp_path / "whole", **settings)

    first, data = make(tone_folder)
    step = round(epochs * len(data.train_dataloader()))
    stopped = settings | {"callbacks": [StopAt(step)]}
    with pytest.raises(SystemExit, match="--resume true"):
        fit_and_test(first, data, output=tmp_path / "parts", **stopped)
    second, data = make(tone_folder)
    torch.manual_seed(99)  # nothing may depend on the state that the interrupted process had
    fit_and_test(second, data, output=tmp_path / "parts", resume=True, **settings)
    assert_same(weights(second), weights(whole))
    assert torch.equal(second.confusion, whole.confusion)
    logged = logged_losses(tmp_path / "whole")
    del logged[step - 1]  # the step that was interrupted before it was logged
    assert logged_losses(tmp_path / "parts") == logged


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
    with pytest.raises(ValueError, match="already holds a run: .*--resume"):
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


def test_a_silent_training_clip_becomes_noise(tone_folder: Path) -> None:
    task, _ = make(tone_folder)
    task.generator = torch.Generator().manual_seed(0)
    assert task.augment is not None
    silent = task.augment(torch.zeros(4, 4000), task.generator)
    assert (silent.square().mean(-1) > 0).all()


def test_the_record_is_plain() -> None:
    record = training_record(data="Words", seed=3, command="python x", seconds=1.6, accuracy=0.5)
    assert record["training_seconds"] == 2 and record["accuracy"] == 0.5
    assert f"torch {torch.__version__}" in record["versions"]


TWO_PROCESSES = """
import hashlib, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_tasks import QUIET, fit_and_test, make, weights

task, data = make(Path({folder!r}))
trainer = fit_and_test(task, data, output=Path({output!r}), monitor="validation_accuracy",
                       trainer=QUIET | dict(max_epochs=2, devices=2, strategy="ddp"))
digest = hashlib.sha256(b"".join(value.numpy().tobytes() for value in weights(task).values()
                                 if value.is_floating_point() and value.requires_grad is False)).hexdigest()
parameters = hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in task.model.parameters())).hexdigest()
Path({output!r}, f"rank{{trainer.global_rank}}.txt").write_text(f"{{parameters}} {{int(task.confusion.sum())}}")
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
    n_test = len(make(tone_folder)[1].store.indices("test"))
    assert int(ranks[0][1]) == n_test  # each test clip counted once, over both processes
