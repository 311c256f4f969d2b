"""What every recipe's training shares: checkpoints, logs, averaged weights, resuming, and the test at the end."""

import logging
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import (
    Callback,
    LearningRateMonitor,
    ModelCheckpoint,
    Timer,
)
from lightning.pytorch.loggers import CSVLogger

from audionet.checks import check_that
from audionet.training.averaging import AverageWeights
from audionet.training.interrupt import StopBetweenSteps
from audionet.training.loggers import make_loggers
from audionet.training.progress import TotalProgress
from audionet.training.record import write_config

# What Lightning says of every run of ours and nobody can act on.
CHATTER = (
    "Experiment logs directory",
    "Total length of `list` across ranks is zero",
    "`isinstance\\(treespec, LeafSpec\\)`",
    "The '\\w+_dataloader' does not have many workers",
    "The number of training batches .* is smaller than the logging interval",
    "Checkpoint directory .* exists and is not empty",
)


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
    trainer: Mapping[str, Any] | None = None,
    values: Mapping[str, object] | None = None,
) -> Trainer:
    """Train, keep the best and the last checkpoint, and test the best.

    Args:
        task: What is trained.
        data: Data module that serves the batches.
        output: Folder for checkpoints, ``metrics.csv``, ``config.yaml`` and TensorBoard's logs.
        monitor: Logged quantity that tells which weights are the best; None to test the last weights.
        mode: Whether the "max" or the "min" of that quantity is the best.
        resume: Go on from the last checkpoint in ``output``, if there is one.
        ema_decay: Decay of an exponential moving average of the weights, which is then what is validated, tested and
            left in ``task``; None for no average.
        callbacks: Further callbacks.
        trainer: Further arguments of `lightning.Trainer`; ``logger`` is what `make_loggers` adds to the others.
        values: Values of the run, by which it can be repeated: they are written to ``config.yaml`` and logged as
            hyperparameters; None to write nothing.

    Returns:
        The trainer; ``task`` holds the tested weights.

    Raises:
        ValueError: ``output`` holds a run already and ``resume`` is not asked for, or a logger cannot be made.
        SystemExit: Ctrl-C was pressed; the checkpoint is written.
    """
    last = last_checkpoint(output)
    is_free = resume or not last.exists()
    advice = "go on with it (--resume true) or choose another --output"
    check_that(is_free, "output", "a folder that holds no run yet", str(output), advice)
    arguments = dict(trainer or {})
    arguments["enable_model_summary"] = bool(arguments.get("enable_model_summary"))  # a table, where one line does
    loggers = make_loggers(output, arguments.pop("logger", None))
    quiet_lightning()
    fitted = Trainer(
        **arguments | {"enable_progress_bar": False},  # `TotalProgress` is none of Lightning's
        logger=loggers,
        callbacks=[*callbacks, *_callbacks(arguments, last.parent, monitor, mode, ema_decay)],
        default_root_dir=output,
        use_distributed_sampler=False,  # the data module deals the batches to the processes
    )
    if values is not None:
        write_config(output, values)
        for logger in loggers:
            if not isinstance(logger, CSVLogger):  # beside metrics.csv lies config.yaml
                logger.log_hyperparams(dict(values))
    try:
        fitted.fit(task, data, ckpt_path=str(last) if last.exists() else None, weights_only=True)
    except SystemExit:  # Lightning's answer to Ctrl-C, once the checkpoint is written
        sys.exit(f"interrupted at step {fitted.global_step}; the same command with --resume true goes on from there")
    tested = last if monitor is None else last.with_name("best.ckpt")
    # Not by `ckpt_path`: there the averaging callback would put back the weights that it averages.
    task.load_state_dict(torch.load(tested, map_location="cpu", weights_only=True)["state_dict"])
    fitted.test(task, data, verbose=False)
    return fitted


def last_checkpoint(output: Path) -> Path:
    """Return the path of a run's last checkpoint, whether it is there or not."""
    return output / "checkpoints" / "last.ckpt"


def quiet_lightning() -> None:
    """Turn off Lightning's messages that are the same for every run."""
    for message in CHATTER:
        warnings.filterwarnings("ignore", message)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)


def _callbacks(
    trainer: Mapping[str, Any], checkpoints: Path, monitor: str | None, mode: str, ema_decay: float | None
) -> list[Callback]:
    keep_last = ModelCheckpoint(checkpoints, "last", save_on_exception=True, enable_version_counter=False)
    callbacks: list[Callback] = [keep_last, LearningRateMonitor("step"), Timer()]
    if monitor is not None:
        callbacks.append(ModelCheckpoint(checkpoints, "best", monitor, mode=mode, enable_version_counter=False))
    if trainer.get("enable_progress_bar") is not False:
        callbacks.append(TotalProgress())
    if ema_decay is not None:
        callbacks.append(AverageWeights(ema_decay))
    callbacks.append(StopBetweenSteps())  # behind the averaging, which would miss the last step
    return callbacks
