"""What every recipe's training shares: checkpoints, logs, averaged weights, resuming, and the test at the end."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
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
from audionet.console import note, same_command
from audionet.files import remove_partials
from audionet.locks import only_one
from audionet.training.averaging import AverageWeights
from audionet.training.checkpoints import (
    Checkpoints,
    State,
    WholeCheckpointIO,
    check_folder,
    farewell,
    last_checkpoint,
    read_checkpoint,
)
from audionet.training.data import CorpusData
from audionet.training.finite import FiniteTraining
from audionet.training.identity import check_identity, run_identity
from audionet.training.interrupt import StopRequests
from audionet.training.loggers import MetricsFile, make_loggers
from audionet.training.progress import TotalProgress, quiet_lightning
from audionet.training.record import write_config
from audionet.training.trainer_flags import refusal, refused_in_a_sentence, trainer_arguments


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
        ValueError: ``output`` holds a run already and ``resume`` is not asked for; another process trains there; the
            run to go on with is damaged or was another one; an argument of the trainer does not fit; the loss is no
            longer finite.
        OSError: The disk is full or cannot be written; the checkpoint before is whole.
        SystemExit: The run was asked to stop, as by Ctrl-C; the checkpoint is written.
    """
    given = trainer_arguments(trainer or {})
    check_folder(output, resume=resume)
    _check_test(data, given.get("limit_test_batches"))
    with _alone(output):
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
        longest = given.pop("max_time", None)
        timer = Timer(longest, verbose=False)
        more = [timer, *_callbacks(given.get("enable_progress_bar"), ema_decay)]
        # Checkpoints first: what is logged as a step begins belongs to the step, and averages are held before they go.
        with refused_in_a_sentence():
            fitted = _make_trainer(given, output, loggers, [checkpoints, stop, finite, *callbacks, *more])
        if values is not None:
            write_config(output, values)
            for logger in loggers[1:]:  # beside metrics.csv lies config.yaml
                logger.log_hyperparams(dict(values))
        try:
            fitted.fit(task, data, ckpt_path=None if before is None else str(last), weights_only=True)
            check_that(last.exists(), "trainer.max_time", "time for a step", longest, "raise it or leave it out")
            kept = read_checkpoint(last)
            # Not by `ckpt_path`: there the averaging callback would put back the weights that it averages.
            task.load_state_dict((kept["callbacks"]["Checkpoints"]["best"] or kept)["state_dict"])
            fitted.test(task, data, verbose=False)
            if fitted.received_sigterm:  # while it was tested
                sys.exit()
        except SystemExit:  # Lightning's answer to Ctrl-C
            sys.exit(farewell(last))
        except OSError as error:
            if error.errno is None or error.filename is not None:
                raise
            what = f"the files of the run cannot be written ({error.strerror})"
            raise OSError(f"{output}: {what}; free some space, and {same_command()} goes on") from error
        except MisconfigurationException as error:
            raise refusal(error) from error
    return fitted


@rank_zero_only
def _clear(output: Path) -> None:
    """Remove what a run left that came to no checkpoint."""
    (output / "metrics.csv").unlink(missing_ok=True)
    for events in (output / "tensorboard").glob("events.out.tfevents.*"):
        events.unlink()


def _check_test(data: LightningDataModule, share: object) -> None:
    """Refuse data without a test clip, or a share of the test batches that is less than one, before the training."""
    if not isinstance(data, CorpusData):
        return
    data.check_tested()
    if isinstance(share, float) and share < 1:
        n_batches = len(data.test_dataloader())
        expected = f"a share of the {n_batches} test batches that is one at least"
        check_that(int(share * n_batches) >= 1, "trainer.limit_test_batches", expected, share)


@contextmanager
def _alone(output: Path) -> Iterator[None]:
    """Make the folder of a run, and keep other trainings out of it."""
    output.mkdir(parents=True, exist_ok=True)
    with only_one(output, "training", wait=False) if getattr(rank_zero_only, "rank", 0) == 0 else nullcontext():
        yield


def _begin(output: Path, resume: bool) -> State | None:
    """Make the folder ready for a run; return the checkpoint to go on from, if there is one."""
    last = last_checkpoint(output)
    for folder in (output, last.parent):
        rank_zero_only(remove_partials)(folder)
    if last.exists():
        return read_checkpoint(last)
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


def _callbacks(has_progress: object, ema_decay: float | None) -> list[Callback]:
    callbacks: list[Callback] = [LearningRateMonitor("step")]
    if has_progress is not False:
        callbacks.append(TotalProgress())
    if ema_decay is not None:
        callbacks.append(AverageWeights(ema_decay))
    return callbacks
