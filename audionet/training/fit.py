"""What every recipe's training shares: checkpoints, logs, resuming, and the record of the run."""

import datetime
import logging
import signal
import sys
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import lightning
import torch
from lightning import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import (
    Callback,
    EMAWeightAveraging,
    LearningRateMonitor,
    ModelCheckpoint,
    RichModelSummary,
    RichProgressBar,
    Timer,
)
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from audionet.version import __version__

CHECKPOINTS = "checkpoints"

# What Lightning says of every run of ours and nobody can act on.
CHATTER = (
    "Experiment logs directory",
    "Total length of `list` across ranks is zero",
    "Precision .* is not supported by the model summary",
    "`isinstance\\(treespec, LeafSpec\\)`",
    "The '\\w+_dataloader' does not have many workers",
)


class StopBetweenSteps(Callback):
    """Let Ctrl-C take effect between two steps, so that the checkpoint then written is exact; a second one at once."""

    def __init__(self) -> None:
        self.is_asked = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take over the signal, where this thread may."""
        if threading.current_thread() is threading.main_thread():
            self.previous = signal.signal(signal.SIGINT, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.is_asked = True
        signal.signal(signal.SIGINT, self.previous)

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Stop if asked."""
        if self.is_asked:
            raise KeyboardInterrupt

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Give the signal back."""
        if hasattr(self, "previous"):
            signal.signal(signal.SIGINT, self.previous)


def fit_and_test(
    task: LightningModule,
    data: LightningDataModule,
    *,
    output: Path,
    monitor: str | None,
    mode: str = "max",
    resume: bool = False,
    ema_decay: float | None = None,
    callbacks: Sequence[Callback] = (),
    trainer: dict[str, Any] | None = None,
) -> Trainer:
    """Train, keep the best and the last checkpoint, and test the best.

    Args:
        task: What to train.
        data: What on.
        output: Folder for checkpoints, ``metrics.csv`` and TensorBoard's logs.
        monitor: The logged quantity that says which weights are the best; None: the last weights are tested.
        mode: Whether its "max" or its "min" is the best.
        resume: Go on from the last checkpoint in ``output``, if there is one.
        ema_decay: Decay of an exponential moving average of the weights, which is then what is validated, tested and
            left in ``task``; None for none.
        callbacks: Further callbacks.
        trainer: Further arguments of `lightning.Trainer`.

    Returns:
        The trainer; ``task`` holds the tested weights.

    Raises:
        ValueError: If ``output`` holds a run already and ``resume`` is not asked for.
    """
    last = output / CHECKPOINTS / "last.ckpt"
    if last.exists() and not resume:
        raise ValueError(f"{output} already holds a run: go on with it (--resume true) or choose another --output")
    keep_last = ModelCheckpoint(last.parent, "last", save_on_exception=True, enable_version_counter=False)
    added: list[Callback] = [*callbacks, keep_last, LearningRateMonitor("step"), Timer()]
    if monitor is not None:
        added.append(ModelCheckpoint(last.parent, "best", monitor, mode=mode, enable_version_counter=False))
    arguments = {"enable_progress_bar": True, "enable_model_summary": True, **(trainer or {})}
    if arguments["enable_progress_bar"] is not False:
        added.append(RichProgressBar(refresh_rate=10))  # each refresh makes a GPU wait
    if arguments["enable_model_summary"] is not False:
        added.append(RichModelSummary())
    if ema_decay is not None:
        added.append(EMAWeightAveraging(decay=ema_decay))
    added.append(StopBetweenSteps())  # behind the averaging, which would miss the last step
    for message in CHATTER:
        warnings.filterwarnings("ignore", message)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    fitted = Trainer(
        **arguments,
        logger=[_csv_logger(output), TensorBoardLogger(output, "", "tensorboard")],
        callbacks=added,
        default_root_dir=output,
        use_distributed_sampler=False,  # the data module deals the batches to the processes
    )
    try:
        fitted.fit(task, data, ckpt_path=str(last) if last.exists() else None, weights_only=True)
    except SystemExit:  # Lightning's answer to Ctrl-C, once the checkpoint is written
        sys.exit(f"interrupted at step {fitted.global_step}; the same command with --resume true goes on from there")
    tested = last if monitor is None else last.with_name("best.ckpt")
    # Not by `ckpt_path`: there the averaging callback would put back the weights that it averages.
    task.load_state_dict(torch.load(tested, map_location="cpu", weights_only=True)["state_dict"])
    fitted.test(task, data, verbose=False)
    return fitted


def _csv_logger(output: Path) -> CSVLogger:
    """Log to metrics.csv, behind what a run that is resumed has written there."""
    path = output / "metrics.csv"
    before = path.read_bytes() if path.exists() else b""
    logger = CSVLogger(output, "", "")
    if before and rank_zero_only.rank == 0:  # type: ignore[attr-defined]
        writer = logger.experiment  # whose making removes the file
        path.write_bytes(before)
        writer.metrics_keys = before.decode().splitlines()[0].split(",")
    return logger


def training_record(fitted: Trainer, *, data: str, seed: int, command: str, **results: Any) -> dict[str, Any]:
    """Say how a model was made, for its bundle and its report: plain JSON values.

    Args:
        fitted: What `fit_and_test` returned; it knows the seconds of the training, those before it was resumed too.
        data: What the model was trained on.
        seed: The run's.
        command: What was typed.
        **results: Anything else, such as the accuracy.
    """
    callbacks: list[Callback] = fitted.callbacks  # type: ignore[attr-defined]
    (timer,) = (callback for callback in callbacks if isinstance(callback, Timer))
    versions = {"audionet": __version__, "torch": torch.__version__, "lightning": lightning.__version__}
    return {
        "data": data,
        **results,
        "seed": seed,
        "command": command,
        "date": datetime.date.today().isoformat(),
        "training_seconds": round(timer.time_elapsed()),
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }
