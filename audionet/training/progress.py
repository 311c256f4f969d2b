"""What a training says of itself: one line that grows on a terminal, one line an epoch elsewhere."""

import logging
import sys
import time
import warnings
from collections.abc import Callable, Mapping

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

REFRESH_SECONDS = 0.5  # reading a loss makes a GPU wait

# What Lightning says of every run of ours and nobody can act on.
CHATTER = (
    "Experiment logs directory",
    "Total length of `list` across ranks is zero",
    "`isinstance\\(treespec, LeafSpec\\)`",
    "The '\\w+_dataloader' does not have many workers",
    "You passed in a `val_dataloader` but have no `validation_step`",  # and nothing to validate on
    "The number of training batches .* is smaller than the logging interval",
    "You're resuming from a checkpoint that ended before the epoch ended",  # batches know their place
)


def quiet_lightning() -> None:
    """Turn off Lightning's messages that are the same for every run."""
    for message in CHATTER:
        warnings.filterwarnings("ignore", message)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)


class TotalProgress(Callback):
    """A callback that shows how much of the whole training is done, its figures, and the time that is left.

    The figures are those that a task logs with ``prog_bar=True``. All goes to standard error.

    Args:
        clock: Returns the seconds from which the time left is reckoned.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.bar: Progress | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say what is trained, and begin to count."""
        if not trainer.is_global_zero:
            return
        self.total, self.begun = total_batches(trainer), trainer.fit_loop.total_batch_idx + 1
        self.started = self.shown = self.clock()
        print(headline(trainer, pl_module, self.total), file=sys.stderr)
        if sys.stderr.isatty():
            columns = (BarColumn(24), TaskProgressColumn(), TextColumn("{task.description}"))
            self.bar = Progress(*columns, console=Console(stderr=True))
            self.row = self.bar.add_task("", total=self.total, completed=self.begun)
            self.bar.start()

    def on_train_batch_end(self, trainer: Trainer, *_: object) -> None:
        """Move the line on, twice a second at most."""
        if self.bar is not None and self.clock() - self.shown >= REFRESH_SECONDS:
            self._move(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Move the line on, or print one, with the figures of the epoch."""
        if self.bar is not None:
            self._move(trainer)
        elif trainer.is_global_zero:
            print(self._line(trainer), file=sys.stderr, flush=True)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Leave the last line, also where the training was broken off."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    def _move(self, trainer: Trainer) -> None:
        assert self.bar is not None
        self.shown = self.clock()
        done = trainer.fit_loop.total_batch_idx + 1
        self.bar.update(self.row, completed=done, description=escape(self._line(trainer)), refresh=True)

    def _line(self, trainer: Trainer) -> str:
        done = trainer.fit_loop.total_batch_idx + 1
        n_epochs = trainer.max_epochs or -1
        parts = [f"epoch {trainer.current_epoch + 1}" + (f" of {n_epochs}" if n_epochs > 0 else "")]
        parts += figures(trainer.progress_bar_metrics)
        if self.total is not None and self.begun < done < self.total:
            left = (self.clock() - self.started) / (done - self.begun) * (self.total - done)
            parts.append(f"{duration(left)} left")
        return ", ".join(parts)


def total_batches(trainer: Trainer) -> int | None:
    """Return the training batches of a whole training; None where a limit of time alone ends it."""
    limits = []
    if trainer.max_epochs is not None and trainer.max_epochs >= 0:
        limits.append(trainer.max_epochs * trainer.num_training_batches)
    if trainer.max_steps >= 0:
        limits.append(trainer.max_steps * trainer.accumulate_grad_batches)
    return int(min(limits)) if limits and min(limits) < float("inf") else None


def headline(trainer: Trainer, task: LightningModule, total: int | None) -> str:
    """Return one line about the network, the device, and the length of the training."""
    network = getattr(task, "model", task)
    n_parameters = sum(parameter.numel() for parameter in network.parameters())
    device = trainer.strategy.root_device
    on = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()
    processes = f" in {trainer.world_size} processes" if trainer.world_size > 1 else ""
    length = (
        "until it is stopped" if total is None else f"{total:,} batches of {trainer.num_training_batches:,} an epoch"
    )
    return f"training {type(network).__name__} with {n_parameters:,} parameters on {on}{processes}: {length}"


def figures(logged: Mapping[str, float]) -> list[str]:
    """Return logged figures as words.

    Example:
        >>> figures({"train_loss": 0.3217, "validation_accuracy": 0.914})
        ['loss 0.3217', 'validation accuracy 91.4%']
    """
    return [
        f"{name.removeprefix('train_').replace('_', ' ')} {value:{'.1%' if name.endswith('accuracy') else '.4g'}}"
        for name, value in logged.items()
    ]


def duration(seconds: float) -> str:
    """Return a time in hours, minutes and seconds.

    Example:
        >>> duration(75.2), duration(3 * 3600 + 5)
        ('1:15', '3:00:05')
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
