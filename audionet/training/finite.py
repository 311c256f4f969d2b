"""The end of a training whose loss or weights are no longer finite."""

from collections.abc import Mapping

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch import Tensor


class FiniteTraining(Callback):
    """A callback that ends a training at its first loss that is not finite.

    On a GPU the loss is looked at there, and the answer is fetched where lines are logged and checkpoints are taken, so
    that no step waits for it.
    """

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note what is not finite from the beginning, such as a mask of -inf."""
        self.first = torch.tensor(-1, device=pl_module.device)
        self.allowed = _not_finite(pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Look at the loss."""
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        if not isinstance(loss, Tensor):
            return
        is_first = (self.first < 0) & ~loss.detach().isfinite().all()
        self.first = torch.where(is_first, trainer.global_step, self.first)
        is_logged = trainer.global_step % max(trainer.log_every_n_steps, 1) == 0  # type: ignore[attr-defined]
        if loss.device.type == "cpu" or is_logged:
            self._check_loss(pl_module)

    def check(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Refuse a state with losses or weights that are not finite.

        Raises:
            ValueError: It is not finite.
        """
        self._check_loss(pl_module)
        if broken := _not_finite(pl_module) - self.allowed:
            raise ValueError(_message(pl_module, f"weights that are not finite ({min(broken)})", trainer.global_step))

    def _check_loss(self, pl_module: LightningModule) -> None:
        if (step := int(self.first)) >= 0:
            raise ValueError(_message(pl_module, "a loss that is not finite", step))


def _not_finite(module: LightningModule) -> set[str]:
    floating = {name: value for name, value in module.state_dict().items() if value.is_floating_point()}
    if not floating:
        return set()
    are_finite = torch.stack([value.isfinite().all() for value in floating.values()]).tolist()
    return {name for name, is_finite in zip(floating, are_finite, strict=True) if not is_finite}


def _message(module: LightningModule, what: str, step: int) -> str:
    names = ("learning_rate", "matrix_learning_rate", "front_end_learning_rate")
    rates = {name: rate for name in names if (rate := getattr(module, name, None)) is not None}
    given = " and ".join(f"task.{name} {rate}" for name, rate in rates.items()) or "this learning rate"
    return (
        f"training: expected finite numbers, got {what} at step {step} with {given}; begin again with a lower rate and "
        "another --output (checkpoints/last.ckpt, if there is one, is from before)"
    )
