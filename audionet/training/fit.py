"""What every recipe's training shares: checkpoints, logs, averaged weights, resuming, and the test at the end."""

import logging
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning import LightningDataModule, LightningModule, Trainer
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import (
    Callback,
    Checkpoint,
    LearningRateMonitor,
    Timer,
)
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from audionet.checks import check_that
from audionet.console import note
from audionet.files import remove_partials
from audionet.training.averaging import AverageWeights
from audionet.training.checkpoints import Checkpoints, State, WholeCheckpointIO, last_checkpoint, read_checkpoint
from audionet.training.finite import FiniteTraining
from audionet.training.identity import check_identity, run_identity
from audionet.training.interrupt import StopRequests
from audionet.training.loggers import MetricsFile, make_loggers
from audionet.training.progress import TotalProgress
from audionet.training.record import write_config
from audionet.training.settings import trainer_arguments

# What Lightning says of every run of ours and nobody can act on.
CHATTER = (
    "Experiment logs directory",
    "Total length of `list` across ranks is zero",
    "`isinstance\\(treespec, LeafSpec\\)`",
    "The '\\w+_dataloader' does not have many workers",
    "The number of training batches .* is smaller than the logging interval",
    "You're resuming from a checkpoint that ended before the epoch ended",  # batches know their place
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
        monitor: Logged quantity that tells which weights are the best; the last weights are tested where it is None or
            was never logged.
        mode: Whether the "max" or the "min" of that quantity is the best.
        resume: Go on from the last checkpoint in ``output``, if there is one; the run ends as one that was not
            interrupted.
        ema_decay: Decay of an exponential moving average of the weights, which is then what is validated, tested and
            left in ``task``; None for no average.
        callbacks: Further callbacks.
        trainer: Further arguments of `lightning.Trainer`; ``logger`` is what `make_loggers` adds to the others.
        values: Values of the run, by which it can be repeated: they are written to ``config.yaml`` and logged as
            hyperparameters; None to write nothing.

    Returns:
        The trainer; ``task`` holds the tested weights.

    Raises:
        ValueError: ``output`` holds a run already and ``resume`` is not asked for; the run to go on with is damaged or
            was another one; an argument of the trainer does not fit; the loss is no longer finite.
        OSError: The disk is full or cannot be written; the checkpoint before is whole.
        SystemExit: The run was asked to stop, as by Ctrl-C; the checkpoint is written.
    """
    given = trainer_arguments(trainer or {})
    before = _begin(output, resume)
    identity = run_identity(task, data, trainer=given, values=values or {}, ema_decay=ema_decay)
    if before is not None:
        check_identity(before["callbacks"]["Checkpoints"]["identity"], identity)
    n_steps = None if before is None else int(before["global_step"])
    loggers = make_loggers(output, given.pop("logger", None), n_steps=n_steps)
    metrics = loggers[0]
    assert isinstance(metrics, MetricsFile)
    quiet_lightning()
    stop, finite = StopRequests(), FiniteTraining()
    last = last_checkpoint(output)
    checkpoints = Checkpoints(
        last.parent, monitor=monitor, mode=mode, identity=identity, metrics=metrics, stop=stop, finite=finite
    )
    timer = Timer(given.pop("max_time", None), verbose=False)
    # Checkpoints first: what is logged as a step begins belongs to the step, and averages are held before they go.
    ours = [checkpoints, stop, finite, *callbacks, timer, *_callbacks(given.get("enable_progress_bar"), ema_decay)]
    try:
        fitted = _make_trainer(given, output, loggers, ours)
        if values is not None:
            write_config(output, values)
            for logger in loggers[1:]:  # beside metrics.csv lies config.yaml
                logger.log_hyperparams(dict(values))
        fitted.fit(task, data, ckpt_path=None if before is None else str(last), weights_only=True)
        kept = read_checkpoint(last)
        # Not by `ckpt_path`: there the averaging callback would put back the weights that it averages.
        task.load_state_dict((kept["callbacks"]["Checkpoints"]["best"] or kept)["state_dict"])
        fitted.test(task, data, verbose=False)
    except SystemExit:  # Lightning's answer to Ctrl-C, once the checkpoint is written
        sys.exit(f"interrupted at step {fitted.global_step}; the same command with --resume true goes on from there")
    except MisconfigurationException as error:
        raise ValueError(f"trainer: {' '.join(str(error).split())}") from error
    return fitted


@rank_zero_only
def _clear(output: Path) -> None:
    """Remove what a run left that came to no checkpoint."""
    (output / "metrics.csv").unlink(missing_ok=True)
    for events in (output / "tensorboard").glob("events.out.tfevents.*"):
        events.unlink()


def check_output(output: Path, resume: bool) -> None:
    """Refuse a folder for a run that is a file, or holds a run that is not to be gone on with.

    Raises:
        ValueError: It does not fit.
    """
    check_that(not output.is_file(), "output", "a folder", str(output), "choose another --output")
    is_free = resume or not last_checkpoint(output).exists()
    advice = "go on with it (--resume true) or choose another --output"
    check_that(is_free, "output", "a folder that holds no run yet", str(output), advice)


def _begin(output: Path, resume: bool) -> State | None:
    """Make the folder ready for a run; return the checkpoint to go on from, if there is one."""
    check_output(output, resume)
    last = last_checkpoint(output)
    output.mkdir(parents=True, exist_ok=True)
    for folder in (output, last.parent):
        rank_zero_only(remove_partials)(folder)
    if last.exists():
        return read_checkpoint(last)
    bundle = output / "model.safetensors"
    expected = "a folder without the bundle of a finished run, whose checkpoints are gone"
    check_that(not bundle.exists(), "output", expected, str(bundle), "choose another --output")
    if resume:
        note(f"{output}: no checkpoint to go on from, so the training begins")
    _clear(output)
    return None


def _make_trainer(
    arguments: Mapping[str, Any], output: Path, loggers: Sequence[Logger], callbacks: Sequence[Callback]
) -> Trainer:
    plugins = arguments.get("plugins") or []
    others = plugins if isinstance(plugins, list) else [plugins]
    return Trainer(
        **{**arguments, "plugins": [WholeCheckpointIO(), *others], "enable_progress_bar": False},  # ours is none of its
        logger=list(loggers),
        callbacks=list(callbacks),
        enable_checkpointing=any(isinstance(callback, Checkpoint) for callback in callbacks),  # ours are no such
        default_root_dir=output,
        use_distributed_sampler=False,  # the data module deals the batches to the processes
    )


def quiet_lightning() -> None:
    """Turn off Lightning's messages that are the same for every run."""
    for message in CHATTER:
        warnings.filterwarnings("ignore", message)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)


def _callbacks(has_progress: object, ema_decay: float | None) -> list[Callback]:
    callbacks: list[Callback] = [LearningRateMonitor("step")]
    if has_progress is not False:
        callbacks.append(TotalProgress())
    if ema_decay is not None:
        callbacks.append(AverageWeights(ema_decay))
    return callbacks
