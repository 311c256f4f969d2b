"""The part of a network that acts on a stream, step by step: each operation keeps the frames that it still needs.

A step takes a whole number of strides of the network. What an operation returns then lies a fixed number of frames
behind what came, what is kept has a fixed size, and a step is a plain function of tensors.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from audionet.models.streaming.extents import Extent, without_padding
from audionet.models.streaming.local import LocalPart, Operation, arguments_of, call, from_stream, to_stream

Buffers = tuple[Tensor, ...]


class Stage(NamedTuple):
    """An operation, and what it keeps between two steps.

    Attributes:
        operation: The operation.
        delay: Frames of the spectrogram that what it returns lies behind what came.
        waits: Frames by which values that it acts on are held back until the last of them is there.
        kept: Frames before the step's that it still sees; if negative, frames of the step that it skips.
        first: Frames of what it sees from the step's first back to the first that it sees.
        stride: Frames of the spectrogram from one frame of what it sees to the next.
    """

    operation: Operation
    delay: int = 0
    waits: Mapping[fx.Node, int] = {}
    kept: int = 0
    first: int = 0
    stride: int = 1


class Machine:
    """The part of a network that acts on a stream, laid out for steps.

    Args:
        network: The network, whose weights are read where they are.
        part: What `local_part` returned for it.
        lead: Frames by which the first step begins before the recording does.

    Attributes:
        outputs: What comes out.
        stride: Frames of the spectrogram from one output to the next.
        delay: Frames of the spectrogram that the outputs of a step lie behind what came.
        warm_up: Frames after which no operation sees the padding before the recording.
    """

    def __init__(self, network: nn.Module, part: LocalPart, lead: int) -> None:
        self.network, self.lead, self.outputs = network, lead, part.outputs
        self.stages: dict[fx.Node, Stage] = {}
        for operation in part.operations:
            self.stages[operation.node] = _stage(operation, self.stages, lead)
        ends = [self.stages[output.node] for output in part.outputs]
        self.stride, self.delay = part.outputs[0].stride, max(stage.delay for stage in ends)
        self.waits = {stage.operation.node: (self.delay - stage.delay) // self.stride for stage in ends}
        self.warm_up = max(stage.first * stage.stride for stage in self.stages.values())

    def start(self, n_streams: int) -> Buffers:
        """Return the frames that are kept before the first step, each (stream, ..., frame)."""
        like = next(self.network.parameters())
        kept: list[tuple[fx.Node, int]] = []
        for stage in self.stages.values():
            kept += stage.waits.items()
            kept += [(stage.operation.streams[0], stage.kept)] if stage.kept > 0 else []
        kept += [item for item in self.waits.items() if item[1]]
        return tuple(like.new_zeros(n_streams, *self.stages[node].operation.shape, n) for node, n in kept)

    def lengths(self, n_frames: Tensor) -> dict[fx.Node, Tensor]:
        """Return how many frames each value has in recordings of so many frames."""
        lengths: dict[fx.Node, Tensor] = {}
        for node, stage in self.stages.items():
            operation = stage.operation
            if operation.axes:
                before = lengths[operation.streams[0]] if operation.streams else n_frames
                lengths[node] = operation.extent.n_outputs(before)
        return lengths

    def advance(
        self,
        chunk: Tensor,
        position: Tensor,
        buffers: Buffers,
        *,
        lengths: Mapping[fx.Node, Tensor] | None = None,
        is_inside: bool = False,
    ) -> tuple[list[Tensor], Buffers]:
        """Take a step.

        Args:
            chunk: The next frames of the spectrogram, a whole number of strides: (stream, in_channels, n_bands, frame).
            position: (stream,), frames that came before, the lead among them.
            buffers: The frames that are kept.
            lengths: What `lengths` returned, where the recordings end.
            is_inside: Whether all streams are beyond the warm-up, and none ends.

        Returns:
            The outputs, each (stream, ..., frame), and the frames that are kept now.
        """
        values: dict[fx.Node, Any] = {}
        queues = _Queues(buffers)
        for node, stage in self.stages.items():
            if node.op == "placeholder":
                values[node] = chunk
                continue
            held = {other: self._held(other, n, values, queues) for other, n in stage.waits.items()}
            args, kwargs = arguments_of(node, ({**values, **held} if held else values).__getitem__)
            extent = stage.operation.extent
            if extent == Extent():
                values[node] = call(self.network, node, (args, kwargs))
            elif extent.is_padding:
                values[node] = without_padding(node.target, extent, args, kwargs)
            else:
                axes = self.stages[stage.operation.streams[0]].operation.axes
                frames = queues.put(to_stream(args[0], axes), stage.kept)
                inside = None if is_inside else _inside(stage, position, frames.shape[-1], lengths)
                if inside is not None:
                    frames = torch.where(_spread(inside, frames), frames, extent.fill)
                seen = without_padding(node.target, extent, (from_stream(frames, axes), *args[1:]), kwargs)
                values[node] = _inner_mean(seen, inside, stage.operation) if extent.is_inner_mean else seen
        outputs = [
            to_stream(self._held(node, n, values, queues), self.stages[node].operation.axes)
            for node, n in self.waits.items()
        ]
        return outputs, tuple(queues.after)

    def _held(self, node: fx.Node, n_frames: int, values: Mapping[fx.Node, Any], queues: "_Queues") -> Tensor:
        """Return a value, so many frames later."""
        axes, value = self.stages[node].operation.axes, values[node]
        frames = to_stream(value, axes)
        return from_stream(queues.put(frames, n_frames)[..., : frames.shape[-1]], axes)


class _Queues:
    """The frames that are kept, in the order in which operations ask for them."""

    def __init__(self, buffers: Buffers) -> None:
        self.before, self.after = iter(buffers), list[Tensor]()

    def put(self, frames: Tensor, n_kept: int) -> Tensor:
        """Return frames (stream, ..., frame) behind those that were kept, and keep the last; or leave out the first."""
        if n_kept <= 0:
            return frames[..., -n_kept:]
        frames = torch.cat([next(self.before), frames], -1)
        self.after.append(frames[..., -n_kept:])
        return frames


def _stage(operation: Operation, stages: Mapping[fx.Node, Stage], lead: int) -> Stage:
    """Return what an operation keeps, given the stages of those before it."""
    if not operation.axes:
        return Stage(operation)
    if not operation.streams:
        return Stage(operation, lead)
    delays = {node: stages[node].delay for node in operation.streams}
    latest, stride = max(delays.values()), stages[operation.streams[0]].operation.stride
    waits = {node: (latest - delay) // stride for node, delay in delays.items() if delay < latest}
    extent = operation.extent
    if extent == Extent() or extent.is_padding:
        return Stage(operation, latest, waits)
    # So many outputs are complete when `latest` frames are missing: all whose last frame has come.
    missing = max(-(-(latest // stride + extent.span - extent.left) // extent.stride) - 1, 0)
    delay = missing * extent.stride * stride
    kept = (delay - latest) // stride + extent.left
    return Stage(operation, delay, waits, kept, latest // stride + kept, stride)


def _inside(stage: Stage, position: Tensor, n_frames: int, lengths: Mapping[fx.Node, Tensor] | None) -> Tensor | None:
    """Return which of the frames that an operation sees are of the recording, (stream, frame); None if it does not ask.

    The others hold its padding.
    """
    operation = stage.operation
    if operation.extent.left + operation.extent.right == 0:
        return None
    place = torch.arange(n_frames, device=position.device) - stage.first
    place = position.div(stage.stride, rounding_mode="floor")[:, None] + place
    inside = place >= 0
    return inside if lengths is None else inside & (place < lengths[operation.streams[0]][:, None])


def _inner_mean(mean: Tensor, inside: Tensor | None, operation: Operation) -> Tensor:
    """Return the mean of the frames of the recording, given that of all."""
    if inside is None:
        return mean
    extent, means = operation.extent, to_stream(mean, operation.axes)
    share = F.avg_pool1d(inside.to(mean.dtype), extent.span, extent.stride).clamp(min=1 / extent.span)
    return from_stream(means / _spread(share, means), operation.axes)


def _spread(x: Tensor, like: Tensor) -> Tensor:
    """Return (stream, frame) in a shape that goes with (stream, ..., frame)."""
    return x.view(-1, *[1] * (like.ndim - 2), x.shape[-1])
