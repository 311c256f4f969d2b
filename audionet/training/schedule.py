"""The learning rate's way through a training: up, then down a cosine."""

import math

import torch
from lightning import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig


def warmup_cosine(step: int, *, n_warmup: int, n_total: int) -> float:
    """Return the learning rate's factor: linear from 0 to 1 over ``n_warmup`` steps, then a cosine to 0."""
    if step < n_warmup:
        return step / n_warmup
    return 0.5 * (1 + math.cos(math.pi * (step - n_warmup) / max(n_total - n_warmup, 1)))


def with_warmup_cosine(
    task: LightningModule, optimizer: torch.optim.Optimizer, *, warmup_epochs: float
) -> OptimizerLRSchedulerConfig:
    """Return what ``configure_optimizers`` returns: the optimizer, and `warmup_cosine` per step over the training."""

    def rate(step: int) -> float:
        # The length of the training is asked for only while it runs: asked for earlier, Lightning sets up the loader
        # before it has read the checkpoint, and a resumed run would begin its epoch again.
        if step == 0:
            return 0.0 if warmup_epochs > 0 else 1.0
        n_total = int(task.trainer.estimated_stepping_batches)
        n_warmup = round(n_total * warmup_epochs / (task.trainer.max_epochs or 1))
        return warmup_cosine(step, n_warmup=n_warmup, n_total=n_total)

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
