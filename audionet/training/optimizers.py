"""Optimizers that torch has, put together."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


class Together(Optimizer):
    """Several optimizers that step as one, each on parameters of its own.

    Args:
        optimizers: What steps; their parameter groups, with all settings, are its own.
    """

    def __init__(self, optimizers: Sequence[Optimizer]) -> None:
        self.optimizers = list(optimizers)
        super().__init__([group for each in optimizers for group in each.param_groups], {})
        self._share()

    def _share(self) -> None:
        # The same dictionaries, so that what a schedule writes reaches them.
        self.param_groups = [group for each in self.optimizers for group in each.param_groups]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Let each step once, after one call of the closure."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for each in self.optimizers:
            each.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Return the state of each."""
        return {"optimizers": [each.state_dict() for each in self.optimizers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Give each its state back."""
        for each, state in zip(self.optimizers, state_dict["optimizers"], strict=True):
            each.load_state_dict(state)
        self._share()


def muon_and_adam(
    model: nn.Module,
    *,
    matrix_learning_rate: float,
    learning_rate: float,
    betas: tuple[float, float],
    ends: Iterable[str],
) -> Optimizer:
    """Step the matrices between hidden layers by Muon (Jordan et al., 2024), all else by Adam.

    Muon makes a matrix's update orthogonal, so that all its directions learn at one pace.

    Args:
        model: Whose parameters.
        matrix_learning_rate: Of Muon, in the scale of Adam's (Liu et al., Muon is scalable, 2025, eq. 4).
        learning_rate: Of Adam.
        betas: Of Adam.
        ends: Names of linear layers that do not lie between hidden ones: the first, the last.
    """
    linear = {name: module for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    matrices: list[Tensor] = [layer.weight for name, layer in linear.items() if name.split(".")[-1] not in ends]
    taken = {id(matrix) for matrix in matrices}
    others = [parameter for parameter in model.parameters() if id(parameter) not in taken]
    # Without decay the matrices grow with every step, until all gates are saturated.
    muon = torch.optim.Muon(matrices, matrix_learning_rate, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    return Together([torch.optim.Adam(others, learning_rate, betas=betas), muon])
