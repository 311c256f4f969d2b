"""Checkpoints from which a run goes on exactly: when they are taken, what is in them, and how they are read again."""

import copy
import io
import math
import os
import pickle
import time
import zipfile
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_only

from audionet.checks import check_that
from audionet.console import note, same_command
from audionet.files import whole_file
from audionet.training.finite import FiniteTraining
from audionet.training.identity import Identity
from audionet.training.interrupt import StopRequests
from audionet.training.loggers import MetricsFile
from audionet.training.optimizers import follow_schedules

SHARE = 0.02  # of the time that checkpoints may take
SECONDS = 60.0  # between checkpoints within an epoch

State = dict[str, Any]


class Checkpoints(Callback):
    """A callback that keeps the last and the best state of a run, and stops it when that is asked for.

    A checkpoint is taken between two steps: when everything of the one is done, with its validation and its lines in
    metrics.csv, and nothing of the next. It is taken after each epoch and each minute, if that takes a fiftieth of the
    time at most; when the run is asked to stop; and at the end, as if another step followed, so that a longer training
    goes on from there. ``last.ckpt`` holds all that the run needs to go on, the best weights among it; ``best.ckpt`` is
    a copy of these.

    Args:
        folder: Folder of the checkpoints.
        monitor: Logged quantity that tells which weights are the best; None to keep the last alone.
        mode: Whether the "max" or the "min" of that quantity is the best.
        identity: What the run is, as `audionet.training.identity.run_identity` tells it.
        metrics: The run's metrics.csv.
        stop: Requests to stop.
        finite: Finds what is not finite, of which no checkpoint is taken.
    """

    def __init__(
        self,
        folder: Path,
        *,
        monitor: str | None,
        mode: str,
        identity: Identity,
        metrics: MetricsFile,
        stop: StopRequests,
        finite: FiniteTraining,
    ) -> None:
        self.folder, self.monitor, self.mode, self.identity = folder, monitor, mode, identity
        self.metrics, self.stop, self.finite = metrics, stop, finite
        self.best: State | None = None
        self.copied: State | None = None  # the best that is in best.ckpt
        self.is_between_steps = self.is_at_end = self.is_resumed = False
        self.seconds = 0.0  # that the last checkpoint took

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin to count the time, and let the learning rate follow the schedule of a training of this length."""
        self.taken, self.is_resumed = time.monotonic(), False
        if follow_schedules(trainer) and trainer.is_global_zero:
            n_steps = trainer.estimated_stepping_batches
            note(
                f"this run began with another length: from step {trainer.global_step} on its learning rate is that of "
                f"a training of {n_steps} steps, so it does not end as one that had this length from the beginning"
            )

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int) -> None:
        """Take a checkpoint where one is due, and stop where that is asked for; all processes do so together."""
        if batch_idx % trainer.accumulate_grad_batches:
            return  # gradients that are added up over batches are in no checkpoint
        agree = trainer.strategy.reduce_boolean_decision
        is_asked = self.stop.is_made
        if agree(is_asked or self._is_due(trainer, batch_idx), all=False):
            self.is_between_steps = True
            self._take(trainer, pl_module)
            self.is_between_steps = False
            if agree(is_asked, all=False):
                raise KeyboardInterrupt

    def _is_due(self, trainer: Trainer, batch_idx: int) -> bool:
        passed = time.monotonic() - self.taken
        is_time = passed > SECONDS or (batch_idx == 0 and trainer.global_step > 0)
        return is_time and passed * SHARE > self.seconds

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Hold the weights that were validated, which may be averaged ones."""
        self.validated = copy.deepcopy(pl_module.state_dict())

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep these weights if they are the best so far."""
        score = trainer.callback_metrics.get(self.monitor or "")
        if score is not None and not trainer.sanity_checking and self._is_best(float(score)):
            self.best = {"score": float(score), "step": trainer.global_step, "state_dict": self.validated}
        del self.validated

    def _is_best(self, score: float) -> bool:
        if self.best is None:
            return math.isfinite(score)
        best: float = self.best["score"]
        return score > best if self.mode == "max" else score < best

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the last checkpoint."""
        self.is_between_steps = self.is_at_end = True
        self._take(trainer, pl_module)
        if self.stop.is_made:
            raise KeyboardInterrupt

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Count the last step of a resumed training that had nothing left to do, which the checkpoint takes back."""
        if self.is_resumed:
            trainer.fit_loop.epoch_loop._batches_that_stepped += 1

    def _take(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.finite.check(trainer, pl_module)
        started = time.monotonic()
        self.metrics.save()  # first, so that the lines that the checkpoint counts are there
        trainer.save_checkpoint(last_checkpoint(self.folder.parent))
        if self.best is not self.copied:
            rank_zero_only(write_checkpoint)(self.folder / "best.ckpt", self.best)
            self.copied = self.best
        self.taken = time.monotonic()
        self.seconds = self.taken - started

    def state_dict(self) -> State:
        """Return what the run is, its best weights, and the number of lines in metrics.csv."""
        return {"identity": self.identity, "best": self.best, "n_metrics": len(self.metrics.lines)}

    def load_state_dict(self, state_dict: State) -> None:
        """Go on with the best weights, and without the lines that were written after the checkpoint."""
        self.best, self.is_resumed = state_dict["best"], True
        self.metrics.cut(state_dict["n_metrics"])

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: State) -> None:
        """Let Lightning go on with the batch that comes next, which it has just fetched, or would at the end."""
        if self.is_at_end:
            _unfinish(checkpoint["loops"]["fit_loop"], trainer.num_training_batches)
        if self.is_between_steps:
            _unfetch(checkpoint["loops"]["fit_loop"])


def _unfinish(loop: State, n_batches: float) -> None:
    """Change the state of Lightning's loop to the one of a training that does not end here.

    Lightning counts the epoch in which it ends as a whole one, and would go on in the one after it.
    """
    batches, epochs = loop["epoch_loop.batch_progress"], loop["epoch_progress"]
    is_whole = batches["is_last_batch"] or batches["current"]["completed"] >= n_batches
    for counts in (epochs["total"], epochs["current"]):
        n_done = counts["completed"] - (not is_whole)
        counts.update(ready=n_done + 1, started=n_done + 1, processed=n_done, completed=n_done)
    if is_whole:
        batches["current"].update(dict.fromkeys(batches["current"], 0))


def _unfetch(loop: State) -> None:
    """Change the state of Lightning's loop to the one behind the step before, from which Lightning goes on exactly."""
    progress = loop["epoch_loop.batch_progress"]
    for counts in (progress["total"], progress["current"]):
        n_done = counts["completed"]
        counts.update(ready=n_done, started=n_done, processed=n_done, completed=n_done - 1)
    progress["is_last_batch"] = False
    loop["epoch_loop.state_dict"]["_batches_that_stepped"] -= 1


def last_checkpoint(output: Path) -> Path:
    """Return the path of a run's last checkpoint, whether it is there or not."""
    return output / "checkpoints" / "last.ckpt"


def check_folder(output: Path, *, resume: bool) -> None:
    """Refuse a folder in which no run can begin or go on.

    Args:
        output: Folder of the run.
        resume: Whether to go on with the run in it, if there is one.

    Raises:
        ValueError: It is a file, or holds another run or what is left of one.
    """
    last = last_checkpoint(output)
    is_folder = output.is_dir() or not os.path.lexists(output)
    check_that(is_folder, "output", "a folder", str(output), "choose another --output")
    is_free = resume or not last.exists()
    advice = "go on with it (--resume true) or choose another --output"
    check_that(is_free, "output", "a folder that holds no run yet", str(output), advice)
    for left in (output / "model.safetensors", last.with_name("best.ckpt")):
        expected = f"a folder without what is left of a run whose {last.name} is gone"
        is_free = last.exists() or not left.exists()
        check_that(is_free, "output", expected, str(left), "move it away or choose another --output")


def farewell(last: Path) -> str:
    """Return what is said where a run was interrupted: how it goes on, by its last checkpoint."""
    if not last.exists():
        return "interrupted before the first checkpoint; the same command begins again"
    step = read_checkpoint(last)["global_step"]
    return f"interrupted; {same_command()} goes on from step {step}"


def write_checkpoint(path: Path, checkpoint: object) -> None:
    """Write a checkpoint, whole or not at all; the one before stays until then.

    Raises:
        OSError: It cannot be written, as on a full disk.
    """
    content = io.BytesIO()
    torch.save(checkpoint, content)  # in memory, since on a full disk torch hides the system's error
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path, sync=True) as file:
            file.write(content.getbuffer())
    except OSError as error:
        raise OSError(
            f"{path}: the checkpoint cannot be written ({error.strerror}); free some space or make the folder "
            f"writable, and {same_command()} goes on"
        ) from error


def read_checkpoint(path: Path) -> State:
    """Read a checkpoint of a run.

    Raises:
        ValueError: It is damaged, or not one of `Checkpoints`.
    """
    advice = "restore it from a copy, or remove its folder to begin the run anew"
    try:
        with zipfile.ZipFile(path) as file:
            damaged = file.testzip()  # torch does not compare the checksums
        checkpoint = None if damaged else torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, ValueError, LookupError, EOFError, zipfile.BadZipFile, pickle.UnpicklingError):
        checkpoint = None
    if not isinstance(checkpoint, dict):
        raise ValueError(f"{path}: expected a whole checkpoint, got a damaged file or one of another kind; {advice}")
    kept = checkpoint.get("callbacks", {}).get("Checkpoints")
    if not (isinstance(kept, dict) and kept.keys() == {"identity", "best", "n_metrics"}):
        raise ValueError(f"{path}: expected a checkpoint of this version of audionet, got another; {advice}")
    return checkpoint


class WholeCheckpointIO(TorchCheckpointIO):
    """Lightning's way to write checkpoints, by `write_checkpoint`."""

    def save_checkpoint(
        self, checkpoint: State, path: str | os.PathLike[str], storage_options: object | None = None
    ) -> None:
        """Write a checkpoint."""
        write_checkpoint(Path(path), checkpoint)
