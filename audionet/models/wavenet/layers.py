"""The parts of WaveNet's figure 4: the input layer, for codes or for values, and one layer of the stack."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audionet.checks import check_at_least, check_that
from audionet.models.wavenet.distributions import N_CODES

_MOST_DOUBLINGS = 20  # layers of a cycle: its last dilation is half a million samples


def cycled_dilations(n_layers: int, n_cycles: int, *, prefix: str = "n_") -> list[int]:
    """Return the dilations 1, 2, 4 ..., gone through once for each cycle.

    Args:
        n_layers: Dilated layers, in all cycles together.
        n_cycles: Number of cycles; divides n_layers.
        prefix: Beginning of the arguments' names in messages.

    Raises:
        ValueError: A number is not positive, the layers do not divide, or a cycle has too many.

    Example:
        >>> cycled_dilations(6, 2)
        [1, 2, 4, 1, 2, 4]
    """
    layers = f"{prefix}layers"
    counts: dict[str, Any] = {layers: n_layers, f"{prefix}cycles": n_cycles}
    check_at_least(1, **counts)
    check_that(n_layers % n_cycles == 0, layers, f"a multiple of {prefix}cycles = {n_cycles}", n_layers)
    length = n_layers // n_cycles
    expected = f"at most {_MOST_DOUBLINGS} layers a cycle, whose dilations double"
    check_that(length <= _MOST_DOUBLINGS, layers, expected, length, f"raise {prefix}cycles")
    return [1 << layer % length for layer in range(n_layers)]


class CodeInput(nn.Embedding):
    """An embedding that brings codes into the residual stream.

    Neighbouring codes sound alike, so their embeddings begin alike: as steps of a random walk.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(N_CODES, channels)
        walk = torch.randn(N_CODES, channels).cumsum(0)
        walk = (walk - walk.mean(0)) / walk.std(0)
        self.weight.data = walk + 0.1 * torch.randn(N_CODES, channels)


class ValueInput(nn.Linear):
    """A linear layer that brings values in [-1, 1] into the residual stream."""

    def __init__(self, channels: int) -> None:
        super().__init__(1, channels)

    def forward(self, samples: Tensor) -> Tensor:
        """Map samples (...) to (..., R)."""
        return super().forward(samples[..., None])


class Layer(nn.Module):
    """The gated unit with its residual connection (eq. 2 and figure 4 of the paper).

    A dilated convolution sees the stream at a few times, a dilation apart. Here it is a linear layer over
    copies of the stream that are shifted by those times and laid side by side. That is one large matrix product, which
    is faster than a dilated convolution, and the same that generation computes for a single sample.

    Args:
        residual_channels: Width of the residual stream, R.
        gate_channels: Width of filter and gate together, G.
        shifts: Samples by which each copy of the stream is shifted, the largest first and 0 last.
        local_channels: Width of the local conditioning; 0 for none.
        is_last: Whether it is the last layer. Nobody reads its stream, so it has no residual connection.
    """

    def __init__(
        self, residual_channels: int, gate_channels: int, shifts: Sequence[int], *, local_channels: int, is_last: bool
    ) -> None:
        super().__init__()
        self.residual_channels, self.shifts = residual_channels, shifts
        # The oldest shift comes first, the local conditioning last. The bias comes with the conditions.
        self.dilated = nn.Linear(len(shifts) * residual_channels + local_channels, gate_channels, bias=False)
        self.residual = None if is_last else nn.Linear(gate_channels // 2, residual_channels)

    def forward(self, stream: Tensor, bias: Tensor, local: Tensor | None) -> tuple[Tensor, Tensor]:
        """Advance the residual stream.

        Args:
            stream: (batch, time, R); before its start are zeros.
            bias: (batch, n, 1, G), each for time / n samples.
            local: (batch, time, local_channels) or None.

        Returns:
            The stream (batch, time, R) and the unit's output (batch, time, G / 2).
        """
        time = stream.shape[1]
        shifted = [F.pad(stream, (0, 0, shift, 0))[:, :time] if shift else stream for shift in self.shifts]
        gates = self.dilated(torch.cat(shifted if local is None else [*shifted, local], -1))
        unit = gated((gates.unflatten(1, (bias.shape[1], -1)) + bias).flatten(1, 2))
        return (stream if self.residual is None else stream + self.residual(unit)), unit


def gated(gates: Tensor) -> Tensor:
    """Return tanh of the first half of the channels times the sigmoid of the second."""
    filter_, gate = gates.chunk(2, -1)
    return torch.tanh(filter_) * torch.sigmoid(gate)
