"""The average of a network's weights over its training, which is what is validated, tested and kept."""

from collections.abc import Callable

import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor

from audionet.checks import check_that


def warm_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """Return the update of an exponential moving average whose memory grows with the number of its steps.

    Step n keeps min(decay, (1 + n) / (10 + n)) of the average. The random weights of the first steps are so forgotten
    within a few steps, and the memory is never longer than a share of the training so far.

    Args:
        decay: Largest share of the average that a step keeps, at least 0 and below 1.

    Returns:
        A function of the average, the current value, and the number of values that are in the average already, as
        `torch.optim.swa_utils.AveragedModel` takes it. Integers, such as counters, are not averaged but copied.

    Raises:
        ValueError: The decay is out of its range.

    Example:
        >>> update = warm_average(0.999)
        >>> update(torch.tensor(0.0), torch.tensor(1.0), 1)
        tensor(0.8182)
    """
    check_that(0 <= decay < 1, "ema_decay", "a number from 0 to below 1", decay, "0.999 remembers a thousand steps")

    def update(average: Tensor, current: Tensor, n_averaged: Tensor | int) -> Tensor:
        if not (average.is_floating_point() or average.is_complex()):
            return current
        n = torch.as_tensor(n_averaged, dtype=torch.float64 if average.device.type == "cpu" else torch.float32)
        kept = ((1 + n) / (10 + n)).clamp(max=decay)  # a tensor: reading its value would make a GPU wait
        return average.lerp(current, (1 - kept).to(average.dtype))

    return update


class AverageWeights(WeightAveraging):
    """A callback that averages weights and buffers by `warm_average`, step by step, and resumes exactly.

    Args:
        decay: Decay of the average, at least 0 and below 1.

    Raises:
        ValueError: The decay is out of its range.
    """

    def __init__(self, decay: float) -> None:
        super().__init__(avg_fn=warm_average(decay))
