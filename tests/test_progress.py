"""What a training says: the whole of it in one line, and nothing of Lightning's."""

import io
import itertools
import re
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from audionet.training import fit_and_test
from audionet.training.progress import TotalProgress, total_batches

PLAIN = {"accelerator": "cpu", "max_epochs": 2}


class Task(lightning.LightningModule):
    """A network of six parameters that logs what a recogniser does."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Linear(2, 2)

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        loss: Tensor = 0 * self.model(batch).sum() + 0.25
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self.log("validation_accuracy", 0.875, prog_bar=True)

    test_step = validation_step

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.05)


class Data(lightning.LightningDataModule):
    """Four batches of each split."""

    def train_dataloader(self) -> DataLoader[Tensor]:
        batches: Any = torch.ones(4, 3, 2)
        return DataLoader(batches, batch_size=None)

    val_dataloader = test_dataloader = train_dataloader


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_pipe_gets_one_line_an_epoch_and_no_chatter(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit_and_test(Task(), Data(), output=tmp_path, monitor=None, trainer=PLAIN)
    told = capfd.readouterr()
    first, *epochs = told.err.splitlines()
    assert first == "training Linear with 6 parameters on CPU: 8 batches of 4 an epoch"
    assert [line.partition(", ")[0] for line in epochs] == ["epoch 1 of 2", "epoch 2 of 2"]
    assert all("loss 0.25, validation accuracy 87.5%" in line for line in epochs)
    assert told.out == "" and [str(each.message) for each in caught] == []


def test_the_progress_bar_can_be_left_out(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    settings = PLAIN | {"enable_progress_bar": False}
    fit_and_test(Task(), Data(), output=tmp_path, monitor=None, trainer=settings)
    assert capfd.readouterr() == ("", "")


def test_a_terminal_shows_the_share_the_figures_and_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "150")
    ticks = itertools.count(0, 30)
    progress = TotalProgress(clock=lambda: float(next(ticks)))
    off: Any = dict.fromkeys(("enable_progress_bar", "enable_model_summary", "enable_checkpointing", "logger"), False)
    trainer = lightning.Trainer(accelerator="cpu", max_epochs=2, callbacks=[progress], **off)
    trainer.fit(Task(), Data())
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.getvalue())
    (left,) = re.findall(r"50% epoch 1 of 2, loss 0.25, validation accuracy 87.5%, (\S+) left", shown)[:1]
    assert left.count(":") == 1 and int(left.partition(":")[0]) >= 2  # each look at the clock takes 30 s
    assert "100% epoch 2 of 2" in shown and "v_num" not in shown and "FLOPs" not in shown
    assert progress.bar is None


@pytest.mark.parametrize(
    ("max_epochs", "max_steps", "accumulate", "total"),
    [(3, -1, 1, 30), (3, 8, 1, 8), (None, 8, 4, 32), (-1, -1, 1, None), (100, 8, 1, 8)],
)
def test_the_length_of_a_training(max_epochs: int | None, max_steps: int, accumulate: int, total: int | None) -> None:
    trainer: Any = SimpleNamespace(
        max_epochs=max_epochs, max_steps=max_steps, accumulate_grad_batches=accumulate, num_training_batches=10
    )
    assert total_batches(trainer) == total
