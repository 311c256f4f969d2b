"""The search for a learning rate before a training."""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lightning import LightningDataModule, Trainer
from lightning.pytorch.tuner import lr_finder
from lightning.pytorch.tuner.tuning import Tuner
from lightning.pytorch.utilities import rank_zero_only

from audionet.console import note
from audionet.files import whole_file
from audionet.training.checkpoints import farewell, last_checkpoint
from audionet.training.generation import Generation
from audionet.training.progress import quiet_lightning
from audionet.training.recognition import Recognition

LOWEST, HIGHEST, N_STEPS = 1e-5, 1.0, 100  # of the rates that are tried


def find_learning_rate(
    task: Recognition | Generation,
    data: LightningDataModule,
    *,
    output: Path,
    trainer: Mapping[str, Any] | None = None,
) -> float:
    """Find a learning rate by Lightning's range test (Smith, 2017).

    The rate rises from step to step, until the loss diverges. A tenth of the rate with the lowest loss is printed and
    becomes ``task.learning_rate``. Weights and data are afterwards as they were. All parameters learn at the rate that
    is tried. A run that is resumed keeps its rate.

    Args:
        task: What is going to be trained.
        data: Data module that serves the batches.
        output: Folder of the run; ``learning_rate.json`` there gets the rate, those that were tried and their losses.
        trainer: Further arguments of `lightning.Trainer`.

    Returns:
        The rate; the task's own where the loss falls nowhere.

    Raises:
        OSError: The folder cannot be written.
    """
    file = output / "learning_rate.json"
    if last_checkpoint(output).exists():
        if file.exists():
            task.learning_rate = json.loads(file.read_text())["learning_rate"]
    else:
        try:
            rates, losses = _try_rates(task, data, output, trainer or {})
        except SystemExit:  # Lightning's answer to Ctrl-C
            sys.exit(farewell(last_checkpoint(output)))
        task.learning_rate = suggest_rate(rates, losses) or task.learning_rate
        _tell(file, task.learning_rate, rates, losses)
    return task.learning_rate


def suggest_rate(rates: Sequence[float], losses: Sequence[float], *, skip: int = 10) -> float | None:
    """Return a tenth of the rate with the lowest loss: well before the loss rises, and still fast.

    Args:
        rates: Learning rates, rising.
        losses: Smoothed loss at each.
        skip: Steps at the beginning to leave out, where the smoothed loss has not settled.

    Returns:
        The rate; None where the loss falls nowhere.

    Example:
        >>> suggest_rate([1e-4, 1e-3, 1e-2, 1e-1, 1.0], [2.5, 2.4, 1.6, 1.5, 3.0], skip=0)
        0.01
    """
    settled = [(loss, rate) for rate, loss in zip(rates[skip:], losses[skip:], strict=True) if math.isfinite(loss)]
    lowest = min(settled, default=None)
    return None if lowest is None or lowest == settled[0] else lowest[1] / 10


def _try_rates(
    task: Recognition | Generation, data: LightningDataModule, output: Path, trainer: Mapping[str, Any]
) -> tuple[list[float], list[float]]:
    quiet_lightning()
    note(f"training for {N_STEPS} steps to find a learning rate")
    output.mkdir(parents=True, exist_ok=True)
    for left in output.glob(".lr_find_*.ckpt"):  # by a search that was killed
        left.unlink()
    off = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary", "use_distributed_sampler")
    alone = {"max_epochs": -1, "num_sanity_val_steps": 0, "default_root_dir": output, **dict.fromkeys(off, False)}
    names = vars(lr_finder)
    names["tqdm"] = partial(names["tqdm"], disable=None)  # Lightning's bar is for a terminal only
    tuner = Tuner(Trainer(**{**trainer, **alone}))
    finder = tuner.lr_find(task, data, min_lr=LOWEST, max_lr=HIGHEST, num_training=N_STEPS, update_attr=False)
    return (finder.results["lr"], finder.results["loss"]) if finder else ([], [])  # None of a fast_dev_run


@rank_zero_only
def _tell(file: Path, found: float, rates: list[float], losses: list[float]) -> None:
    with whole_file(file) as stream:
        stream.write(json.dumps({"learning_rate": found, "rates": rates, "losses": losses}).encode())
    print(f"learning rate {found:.2g}, see {file}")
