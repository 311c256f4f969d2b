"""The search for a learning rate before a training."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning import LightningDataModule, Trainer
from lightning.pytorch.tuner.tuning import Tuner

from audionet.training.fit import last_checkpoint, quiet_lightning
from audionet.training.generation import Generation
from audionet.training.recognition import Recognition

N_STEPS = 100


def find_learning_rate(
    task: Recognition | Generation,
    data: LightningDataModule,
    *,
    output: Path,
    trainer: Mapping[str, Any] | None = None,
) -> float:
    """Find a learning rate by Lightning's range test (Smith, 2017), in which the rate rises until the loss diverges.

    The rate at which the loss falls fastest becomes ``task.learning_rate``. Weights and data are afterwards as they
    were. All parameters learn at the rate that is tried. A run that is resumed takes the rate that it found before.

    Args:
        task: What is going to be trained.
        data: Data module that serves the batches.
        output: Folder of the run; ``learning_rate.json`` there gets the rate, those that were tried and their losses.
        trainer: Further arguments of `lightning.Trainer`.

    Returns:
        The rate; the task's own where the losses do not tell a better one.
    """
    file = output / "learning_rate.json"
    if not (last_checkpoint(output).exists() and file.exists()):
        output.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(_search(task, data, output, trainer or {})))
    task.learning_rate = json.loads(file.read_text())["learning_rate"]
    return task.learning_rate


def _search(
    task: Recognition | Generation, data: LightningDataModule, output: Path, trainer: Mapping[str, Any]
) -> dict[str, object]:
    quiet_lightning()
    alone: dict[str, object] = {
        "max_epochs": -1,
        "num_sanity_val_steps": 0,
        "logger": False,
        "enable_checkpointing": False,
    }
    alone |= {"enable_model_summary": False, "use_distributed_sampler": False, "default_root_dir": output}
    given = task.learning_rate
    finder = Tuner(Trainer(**{**trainer, **alone})).lr_find(
        task, data, min_lr=given / 1000, max_lr=given * 100, num_training=N_STEPS, update_attr=False
    )
    assert finder is not None
    return {
        "learning_rate": finder.suggestion() or given,
        "tried": finder.results["lr"],
        "loss": finder.results["loss"],
    }
