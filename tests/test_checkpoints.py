"""Checkpoints: whole or not at all, of this run alone, never of numbers that are not finite; one run in a folder."""

import csv
import errno
import os
import signal
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from torch import Tensor

from audionet import features, models
from audionet.datasets import Corpus, open_corpus
from audionet.locks import only_one
from audionet.training import ClipData, Generation, Recognition, checkpoints, fit_and_test, optimizers
from audionet.training.checkpoints import last_checkpoint, read_checkpoint, write_checkpoint
from audionet.training.finite import _message

QUIET = {"accelerator": "cpu", "enable_progress_bar": False, "log_every_n_steps": 1, "num_sanity_val_steps": 0}


class Task(Recognition):
    """The training of a small network, whose loss can be made to be anything at a step."""

    wrong: dict[int, float] = {}

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        return super().loss(logits, targets) + self.wrong.get(self.global_step + 1, 0.0)


@pytest.fixture
def corpus(tone_folder: Path) -> Corpus:
    return open_corpus(None, root=tone_folder, sample_rate=8000, clip_seconds=0.5)


def train(corpus: Corpus, output: Path, *, resume: bool = False, **changes: Any) -> tuple[Task, lightning.Trainer]:
    """Train for two epochs of five steps, with a checkpoint after each."""
    trainer = QUIET | {"max_epochs": 2} | changes.pop("trainer", {})
    front_end = features.create(
        "LogMel", sample_rate=8000, n_fft=256, win_length=changes.pop("win_length", 240), n_mels=20
    )
    torch.manual_seed(0)
    model = models.create("tcresnet", n_classes=len(corpus.labels), n_bands=20, width=0.5)
    task = Task(front_end=front_end, model=model, n_classes=len(corpus.labels), learning_rate=0.01)
    task.wrong = changes.pop("wrong", {})
    data = ClipData(corpus, batch_size=changes.pop("batch_size", 16))
    settings = {"monitor": "validation_accuracy", **changes}
    return task, fit_and_test(task, data, output=output, resume=resume, trainer=trainer, **settings)


@pytest.fixture(autouse=True)
def _after_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take a checkpoint after each step."""
    monkeypatch.setattr(checkpoints, "SECONDS", 0)
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)


@pytest.mark.parametrize(
    ("trainer", "has_best"),
    [
        ({"check_val_every_n_epoch": 5}, False),
        ({"max_steps": 2}, False),
        ({"limit_val_batches": 0}, False),
        ({"fast_dev_run": True}, True),
        ({"max_time": "00:00:10:00", "max_epochs": 1}, True),
        ({"overfit_batches": 2}, True),
    ],
    ids=lambda value: str(value),
)
def test_the_last_weights_are_kept_where_there_are_no_best(
    corpus: Corpus, tmp_path: Path, trainer: dict[str, object], has_best: bool
) -> None:
    task, fitted = train(corpus, tmp_path, trainer=trainer)
    kept = read_checkpoint(last_checkpoint(tmp_path))
    best = kept["callbacks"]["Checkpoints"]["best"]
    assert (best is not None) == has_best == last_checkpoint(tmp_path).with_name("best.ckpt").exists()
    for name, value in (best or kept)["state_dict"].items():
        assert torch.equal(value, task.state_dict()[name]), name
    assert int(task.confusion.sum()) > 0
    assert "test_accuracy" in (tmp_path / "metrics.csv").read_text()


@pytest.mark.parametrize(
    "trainer",
    [
        {"max_epochs": 0},
        {"max_steps": 0},
        {"limit_train_batches": 0},
        {"limit_test_batches": 0.0},
        {"enable_checkpointing": False},
        {"precision": "13"},
        {"limit_train_batches": 0.01},
        {"limit_test_batches": 0.01},
        {"max_time": "00:00:00:00"},
    ],
    ids=lambda value: str(value),
)
def test_a_trainer_that_cannot_work_is_refused_before_a_step(
    corpus: Corpus, tmp_path: Path, trainer: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match=f"trainer.*|{next(iter(trainer))}"):
        train(corpus, tmp_path, trainer=trainer)
    assert not last_checkpoint(tmp_path).exists()


def test_a_loss_that_is_not_finite_ends_the_run_and_leaves_the_good(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a loss that is not finite at step 4 with task.learning_rate 0.01 and"):
        train(corpus, tmp_path, wrong={4: float("nan")})
    kept = read_checkpoint(last_checkpoint(tmp_path))
    assert kept["global_step"] == 3
    assert all(value.isfinite().all() for value in kept["state_dict"].values())


def test_the_rate_that_may_be_too_high_is_named() -> None:
    message = _message(Generation(model=torch.nn.Linear(1, 1), matrix_learning_rate=1e30), "a loss", 3)
    assert "with task.learning_rate 0.001 and task.matrix_learning_rate 1e+30; begin again with a lower rate" in message


def test_weights_that_are_not_finite_are_never_kept(corpus: Corpus, tmp_path: Path) -> None:
    class Break(lightning.Callback):
        def on_train_batch_end(self, trainer: lightning.Trainer, task: lightning.LightningModule, *_: object) -> None:
            if trainer.global_step == 3:
                next(task.model.parameters()).data.fill_(float("inf"))  # type: ignore[union-attr]

    with pytest.raises(ValueError, match="weights that are not finite .* at step 3"):
        train(corpus, tmp_path, callbacks=[Break()])
    assert read_checkpoint(last_checkpoint(tmp_path))["global_step"] == 2


@pytest.mark.parametrize("damage", ["cut", "bit", "text", "foreign", "older", "empty"])
def test_a_damaged_or_foreign_checkpoint_is_refused_in_a_sentence(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "last.ckpt"
    kept: dict[str, object] = {"identity": {}, "best": None, "n_metrics": 0}
    write_checkpoint(path, {"state_dict": {"a": torch.zeros(1000)}, "callbacks": {"Checkpoints": kept}})
    read_checkpoint(path)
    whole = path.read_bytes()
    if damage == "foreign":
        torch.save({"state_dict": {}}, path)
    elif damage == "older":
        torch.save({"state_dict": {}, "callbacks": {"Checkpoints": {"best": None}}}, path)
    else:
        middle = len(whole) // 2
        turned = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
        path.write_bytes({"cut": whole[:middle], "bit": turned, "text": b"no checkpoint", "empty": b""}[damage])
    with pytest.raises(ValueError, match=f"{path}: expected a .*checkpoint.*; restore it .* or remove its folder"):
        read_checkpoint(path)


def test_a_full_disk_leaves_the_checkpoint_before(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync
    n_written = 0

    def fill(descriptor: int) -> None:
        nonlocal n_written
        n_written += 1
        if n_written == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fill)
    path = last_checkpoint(tmp_path)
    with pytest.raises(OSError, match=f"{path}: the checkpoint cannot be written .No space left on device.; free"):
        train(corpus, tmp_path, monitor=None)
    assert read_checkpoint(path)["global_step"] == 1
    assert [each.name for each in path.parent.iterdir()] == ["last.ckpt"]


def test_what_a_kill_left_is_removed_by_the_next_run(corpus: Corpus, tmp_path: Path) -> None:
    last_checkpoint(tmp_path).parent.mkdir()
    left = [
        last_checkpoint(tmp_path).parent / f".{'0' * 16}.partial",
        tmp_path / "tensorboard" / "events.out.tfevents.1",
    ]
    left[1].parent.mkdir()
    for path in left:
        path.touch()
    (tmp_path / "metrics.csv").write_text("step,train_loss\n0,77.0\n")
    train(corpus, tmp_path, trainer={"max_steps": 2})
    assert not any(path.exists() for path in left)
    assert "77.0" not in (tmp_path / "metrics.csv").read_text()


def test_one_training_at_a_time_in_a_folder(corpus: Corpus, tmp_path: Path) -> None:
    with only_one(tmp_path, "training"), pytest.raises(ValueError, match="process .* is training here; wait until"):
        train(corpus, tmp_path)


def test_curves_that_are_lost_are_said(corpus: Corpus, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    train(corpus, tmp_path, trainer={"max_steps": 2})
    (tmp_path / "metrics.csv").write_bytes(b"step,\xff")
    train(corpus, tmp_path, resume=True, trainer={"max_steps": 3})
    assert f"note: {tmp_path / 'metrics.csv'} lacks 4 of the 4 lines" in capfd.readouterr().err


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_test_that_is_interrupted_is_said_to_go_on(corpus: Corpus, tmp_path: Path, name: str) -> None:
    class Press(lightning.Callback):
        def on_test_batch_end(self, *_: object) -> None:
            os.kill(os.getpid(), getattr(signal, name))

    with pytest.raises(SystemExit, match="interrupted; the same command with --resume true goes on from step 2"):
        train(corpus, tmp_path, trainer={"max_steps": 2}, callbacks=[Press()])


def test_an_end_before_the_first_checkpoint_is_no_promise(corpus: Corpus, tmp_path: Path) -> None:
    class Press(lightning.Callback):
        def on_train_batch_start(self, *_: object) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    checkpoints.SECONDS = 60
    with pytest.raises(SystemExit, match="interrupted before the first checkpoint; the same command begins again"):
        train(corpus, tmp_path, callbacks=[Press()])
    assert not last_checkpoint(tmp_path).exists()


def test_a_finished_run_without_its_checkpoints_is_not_overwritten(corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").touch()
    for resume in (True, False):
        with pytest.raises(ValueError, match="output: expected a folder without what is left of .* or choose another"):
            train(corpus, tmp_path, resume=resume)


def test_another_run_is_refused_and_this_one_goes_on(corpus: Corpus, tone_folder: Path, tmp_path: Path) -> None:
    values = {"features": {"name": "LogMel"}, "seed": 0, "output": "here", "steps": 5, "trainer": {"max_epochs": 1}}
    train(corpus, tmp_path, trainer={"max_epochs": 1}, values=values)

    def refuse(message: str, corpus: Corpus = corpus, **changes: Any) -> None:
        with pytest.raises(ValueError, match=f"{message}; go on with what it began with, or choose another --output"):
            train(corpus, tmp_path, resume=True, **{"values": values, **changes})

    refuse("features.name: expected LogMel, .* got MFCC", values=values | {"features": {"name": "MFCC"}})
    refuse("seed: expected 0, .* got 1", values=values | {"seed": 1})
    refuse("front_end: expected LogMel.*, got LogMel.*", win_length=200)
    refuse("data.batch_size: expected 16, .* got 8", batch_size=8)
    refuse("ema_decay: expected None, .* got 0.9", ema_decay=0.9)
    refuse("trainer.accumulate_grad_batches: expected None, .* got 2", trainer={"accumulate_grad_batches": 2})
    (tone_folder / "low").rename(tone_folder / "another")
    renamed = open_corpus(None, root=tone_folder, sample_rate=8000, clip_seconds=0.5)
    refuse(r"labels: expected \['high', 'low', 'middle'\], .* got \['another', 'high', 'middle'\]", renamed)
    (tone_folder / "another").rename(tone_folder / "low")
    moved = tone_folder.rename(tone_folder.with_name("moved"))
    same = open_corpus(None, root=moved, sample_rate=8000, clip_seconds=0.5)
    free = values | {"output": "there", "steps": 10, "trainer": {"max_epochs": 2}}
    _, fitted = train(same, tmp_path, resume=True, values=free)
    assert fitted.current_epoch == 2
    _, again = train(same, tmp_path, resume=True, values=free)  # a finished run is tested again
    lines = (tmp_path / "metrics.csv").read_text().splitlines()
    assert again.current_epoch == 2 and sum("test_accuracy" in line for line in lines) == 1
    column = lines[0].split(",").index("test_accuracy")
    assert sum(bool(line.split(",")[column]) for line in lines[1:]) == 1


BY_STEPS: dict[str, Any] = {"max_epochs": -1}
LENGTHENED: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {  # epochs of five steps
    "within an epoch": ({"max_steps": 2}, {"max_steps": 4}, BY_STEPS),
    "into the third epoch": ({"max_steps": 7}, {"max_steps": 13}, BY_STEPS),
    "after a whole epoch": ({"max_steps": 5}, {"max_steps": 8}, BY_STEPS),
    "by epochs": ({"max_epochs": 1}, {"max_epochs": 3}, {}),
    "from steps to epochs": ({"max_epochs": -1, "max_steps": 7}, {"max_epochs": 3}, {}),
    "validated often": ({"max_steps": 7}, {"max_steps": 12}, {**BY_STEPS, "val_check_interval": 0.4}),
    "not validated": ({"max_epochs": 1}, {"max_epochs": 2}, {"limit_val_batches": 0}),
    "gradients added up": ({"max_steps": 4}, {"max_steps": 8}, {**BY_STEPS, "accumulate_grad_batches": 2}),
    "overfit": ({"max_steps": 3}, {"max_steps": 5}, {**BY_STEPS, "overfit_batches": 2}),
}


@pytest.mark.parametrize("name", LENGTHENED)
def test_a_training_that_is_lengthened_ends_as_one_of_that_length(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(optimizers, "warmup_cosine", lambda step, **_: 1.0)  # a cosine depends on where it ends
    short, long, both = LENGTHENED[name]
    whole, fitted = train(corpus, tmp_path / "whole", trainer=both | long)
    train(corpus, tmp_path / "parts", trainer=both | short)
    longer, again = train(corpus, tmp_path / "parts", resume=True, trainer=both | long)
    for key, value in whole.state_dict().items():
        assert torch.equal(value, longer.state_dict()[key]), key
    assert (tmp_path / "parts" / "metrics.csv").read_text() == (tmp_path / "whole" / "metrics.csv").read_text()
    assert again.current_epoch == fitted.current_epoch and again.global_step == fitted.global_step


def test_a_training_that_is_lengthened_takes_the_longer_schedule_and_says_so(
    corpus: Corpus, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def rates(folder: Path) -> list[str]:
        with (folder / "metrics.csv").open(newline="") as file:
            return [row["lr-SGD"] for row in csv.DictReader(file) if row["lr-SGD"]]

    train(corpus, tmp_path / "whole", trainer=BY_STEPS | {"max_steps": 8})
    train(corpus, tmp_path / "parts", trainer=BY_STEPS | {"max_steps": 3})
    assert "another length" not in capfd.readouterr().err
    for _ in range(2):
        train(corpus, tmp_path / "parts", resume=True, trainer=BY_STEPS | {"max_steps": 8})
        whole, parts = rates(tmp_path / "whole"), rates(tmp_path / "parts")
        assert len(whole) == 8 and parts[3:] == whole[3:] and parts[2] != whole[2]
    said = "note: this run began with another length: from step 3 on its learning rate is that of a training of 8 steps"
    assert capfd.readouterr().err.count(said) == 1  # there was nothing to train the second time


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_stop_between_steps_and_are_as_before(corpus: Corpus, tmp_path: Path, name: str) -> None:
    number = getattr(signal, name)
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("the tests themselves were told to ignore it, as nohup does")
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]

    class Press(lightning.Callback):
        def on_train_batch_end(self, trainer: lightning.Trainer, *_: object) -> None:
            if trainer.global_step == 5:  # the last of an epoch
                os.kill(os.getpid(), number)

    with pytest.raises(SystemExit, match="interrupted; the same command with --resume true goes on from step 5"):
        train(corpus, tmp_path, callbacks=[Press()])
    assert read_checkpoint(last_checkpoint(tmp_path))["global_step"] == 5
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before
