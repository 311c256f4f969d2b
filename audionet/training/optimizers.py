"""Optimizers put together from torch's, and the schedule of their learning rates."""

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim import Optimizer


class ChainedOptimizer(Optimizer):
    """Several optimizers that step as one, each on parameters of its own.

    Args:
        optimizers: The optimizers; their parameter groups become this one's, with all their settings.
    """

    def __init__(self, optimizers: Sequence[Optimizer]) -> None:
        self.optimizers = list(optimizers)
        super().__init__([group for each in optimizers for group in each.param_groups], {})
        self._share()

    def _share(self) -> None:
        # The same dictionaries, so that a rate that a schedule writes here reaches the optimizers.
        self.param_groups = [group for each in self.optimizers for group in each.param_groups]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Step each optimizer once, after one call of the closure."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for each in self.optimizers:
            each.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Return the states of all optimizers."""
        return {"optimizers": [each.state_dict() for each in self.optimizers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the states of all optimizers."""
        for each, state in zip(self.optimizers, state_dict["optimizers"], strict=True):
            each.load_state_dict(state)
        self._share()


def muon_and_adam(
    model: nn.Module,
    *,
    matrix_learning_rate: float,
    learning_rate: float,
    betas: tuple[float, float],
    ends: Collection[str],
) -> Optimizer:
    """Return an optimizer that steps the matrices between hidden layers by Muon and all else by Adam.

    Muon makes a matrix's update orthogonal, so that all its directions learn at one pace (Jordan et al., 2024).

    Args:
        model: The network.
        matrix_learning_rate: Muon's learning rate, in the scale of Adam's (Liu et al., Muon is scalable, 2025, eq. 4).
        learning_rate: Adam's learning rate.
        betas: Adam's decay rates of the first and the second moment.
        ends: Names of the input and output layers, which Adam updates instead of Muon.
    """
    linear = {name: module for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    matrices: list[Tensor] = [layer.weight for name, layer in linear.items() if name.split(".")[-1] not in ends]
    taken = {id(matrix) for matrix in matrices}
    others = [parameter for parameter in model.parameters() if id(parameter) not in taken]
    # Without weight decay the matrices grow with every step, until all gates are saturated.
    muon = torch.optim.Muon(matrices, matrix_learning_rate, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    return ChainedOptimizer([torch.optim.Adam(others, learning_rate, betas=betas), muon])


def warmup_cosine(step: int, *, n_warmup: float, n_total: float) -> float:
    """Return the factor of the learning rate: it rises linearly from 0 to 1, then falls along a cosine to 0.

    Example:
        >>> [round(warmup_cosine(step, n_warmup=2, n_total=6), 3) for step in range(7)]
        [0.0, 0.5, 1.0, 0.854, 0.5, 0.146, 0.0]
    """
    if step < n_warmup:
        return step / n_warmup
    return 0.5 * (1 + math.cos(math.pi * (step - n_warmup) / max(n_total - n_warmup, 1)))


def with_warmup_cosine(
    task: LightningModule, optimizer: Optimizer, *, warmup_epochs: float
) -> OptimizerLRSchedulerConfig:
    """Return the optimizer with `warmup_cosine` per step over the training, as ``configure_optimizers`` returns it.

    The warm-up is half of the training at most.
    """

    def factor(step: int) -> float:
        # The length of the training is asked for only while it runs: asked for earlier, Lightning sets up the loader
        # before it has read the checkpoint, and a resumed run would begin its epoch again.
        if step == 0:
            return 0.0 if warmup_epochs > 0 else 1.0
        n_total = task.trainer.estimated_stepping_batches  # infinite where only the time is limited
        n_epoch = math.ceil(task.trainer.num_training_batches / task.trainer.accumulate_grad_batches)
        n_warmup = round(warmup_epochs * n_epoch)
        return warmup_cosine(step, n_warmup=min(n_warmup, n_total / 2), n_total=n_total)

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def follow_schedules(trainer: Trainer) -> bool:
    """Set the learning rates to what the schedules say of the present step; tell whether they were others.

    They are where a run goes on that began with another length: its checkpoint has the rates of its own schedule, which
    at the end are 0.

    Args:
        trainer: Trainer whose training is set up.
    """
    has_changed = False
    for config in trainer.lr_scheduler_configs:
        schedule = config.scheduler
        if not isinstance(schedule, torch.optim.lr_scheduler.LambdaLR):
            continue  # others keep their length in their state
        groups = schedule.optimizer.param_groups
        for group, base, factor in zip(groups, schedule.base_lrs, schedule.lr_lambdas, strict=True):
            rate = base * factor(schedule.last_epoch)
            has_changed |= rate != group["lr"]
            group["lr"] = rate
    return has_changed
