"""Steps of any size over a `Machine`, of many streams, each at its own place."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, fx, nn

from audionet.checks import check_at_least, check_spectrogram, check_that
from audionet.models import trace
from audionet.models.streaming.local import LocalPart
from audionet.models.streaming.machine import Buffers, Machine

NONE = -1  # the place of a frame that is not there


class NetworkState(NamedTuple):
    """What a network on a stream remembers between steps.

    Attributes:
        position: (stream,), frames that have come, the lead of the first step among them.
        pending: (stream, in_channels, n_bands, stride - 1), the last frames that came.
        buffers: The frames that operations still need, each (stream, ..., frame).
    """

    position: Tensor
    pending: Tensor
    buffers: Buffers


class Steps:
    """A `Machine` that takes chunks of any number of frames, and gives each output as soon as it is complete.

    Args:
        network: Network in evaluation mode.
        part: What `local_part` returned for it.

    Attributes:
        stride: Frames of the spectrogram from one output to the next.
        delay: Frames that must have come behind the first of an output's before it is given.
    """

    def __init__(self, network: nn.Module, part: LocalPart) -> None:
        # Outputs are complete with the frame that ends a stride only if strides begin at the right place.
        machines = [Machine(network, part, lead) for lead in range(part.outputs[0].stride)]
        self.machine = min(machines, key=lambda machine: machine.delay - machine.lead)
        self.network, self.stride = network, self.machine.stride
        self.delay = self.stride + self.machine.delay - self.machine.lead - 1

    def start(self, n_streams: int) -> NetworkState:
        """Return the state of streams of which nothing has come."""
        check_at_least(1, whole=True, n_streams=n_streams)
        device = next(self.network.parameters()).device
        pending = trace.blank(self.network, n_streams, self.stride - 1, str(device))
        position = torch.full((n_streams,), self.machine.lead, device=device)
        return NetworkState(position, pending, self.machine.start(n_streams))

    def reset(self, state: NetworkState, streams: Tensor) -> NetworkState:
        """Return the state in which some streams, (stream,) bool, begin anew."""
        check_streams(streams, len(state.position), "streams")
        return _merged(streams, self.start(len(streams)), state)

    def step(
        self, chunk: Tensor, state: NetworkState, active: Tensor | None = None
    ) -> tuple[list[Tensor], Tensor, NetworkState]:
        """Take the next frames of the active streams.

        Args:
            chunk: (stream, in_channels, n_bands, frame), of any number of frames.
            state: What the step before returned, or `start`.
            active: (stream,) bool, the streams that the frames are for; None for all.

        Returns:
            The outputs, each (stream, ..., frame); the place of each among all of its stream, (stream, frame), `NONE`
            where there is none; and the state.
        """
        self._check(chunk, state)
        active = torch.ones_like(state.position, dtype=torch.bool) if active is None else active
        check_streams(active, len(state.position), "active")
        frames = torch.cat([state.pending, chunk], -1)
        n_strides = (state.position % self.stride + chunk.shape[-1]) // self.stride
        outputs, places, buffers = self._run(frames, state, torch.where(active, n_strides, 0))
        n_left = frames.shape[-1] - state.pending.shape[-1]
        after = NetworkState(state.position + chunk.shape[-1], frames[..., n_left:], buffers)
        return outputs, places, _merged(active, after, state)

    def finish(self, state: NetworkState) -> tuple[list[Tensor], Tensor]:
        """Return the outputs that the end of all streams completes, and their places."""
        machine = self.machine
        lengths = machine.lengths(state.position - machine.lead)
        n_outputs = lengths[machine.outputs[0].node]
        n_given = (state.position - machine.delay).div(self.stride, rounding_mode="floor")
        n_strides = (n_outputs - n_given).clamp(min=0)
        silence = state.pending.new_zeros(*state.pending.shape[:-1], int(n_strides.max()) * self.stride)
        frames = torch.cat([state.pending, silence], -1)
        outputs, places, _ = self._run(frames, state, n_strides, lengths)
        return outputs, torch.where(places < n_outputs[:, None], places, NONE)

    def _run(
        self, frames: Tensor, state: NetworkState, n_strides: Tensor, lengths: Mapping[fx.Node, Tensor] | None = None
    ) -> tuple[list[Tensor], Tensor, Buffers]:
        """Take a number of strides of each stream: of those pending and new frames that have not been taken.

        Streams may stand at different places in a stride, so that some take one more than others.
        """
        machine, stride = self.machine, self.stride
        n_pending = state.position % stride
        position, first, buffers = state.position - n_pending, stride - 1 - n_pending, state.buffers
        outputs = [[frames.new_empty(len(frames), *output.shape, 0)] for output in machine.outputs]
        places = [position.new_empty(len(frames), 0)]
        moving = n_strides > 0
        least = int(n_strides[moving].min()) if moving.any() else 0
        for n_more, streams in ((least, moving), (int(n_strides.max()) - least, n_strides > least)):
            if n_more == 0:
                continue
            taken = first[:, None] + torch.arange(n_more * stride, device=first.device)
            taken = taken.clamp(max=frames.shape[-1] - 1)  # of those that stand still
            chunk = frames.gather(-1, taken[:, None, None].expand(-1, *frames.shape[1:3], -1))
            is_inside = lengths is None and bool((position[streams] >= machine.warm_up).all())
            made, after = machine.advance(chunk, position, buffers, lengths=lengths, is_inside=is_inside)
            buffers = tuple(_where(streams, *pair) for pair in zip(after, buffers, strict=True))
            for values, more in zip(outputs, made, strict=True):
                values.append(more)
            place = (position - machine.delay).div(stride, rounding_mode="floor")[:, None]
            place = place + torch.arange(n_more, device=place.device)
            places.append(torch.where(streams[:, None] & (place >= 0), place, NONE))
            position, first = position + n_more * stride, first + n_more * stride
        return [torch.cat(values, -1) for values in outputs], torch.cat(places, -1), buffers

    def _check(self, chunk: Tensor, state: NetworkState) -> None:
        n_streams, in_channels, n_bands, _ = state.pending.shape
        check_spectrogram(chunk, n_bands, in_channels)
        check_that(len(chunk) == n_streams, "chunk", f"{n_streams} streams, as many as the state has", len(chunk))
        dtype = state.pending.dtype
        check_that(
            chunk.dtype == dtype, "chunk", f"{dtype}, the network's", chunk.dtype, f"give it as chunk.to({dtype})"
        )


def check_streams(streams: Tensor, n_streams: int, name: str) -> None:
    """Refuse a mask that is not (stream,) bool."""
    fits = streams.dtype == torch.bool and streams.shape == (n_streams,)
    check_that(fits, name, f"({n_streams},) bool", f"{tuple(streams.shape)} {streams.dtype}")


def _merged(streams: Tensor, one: NetworkState, other: NetworkState) -> NetworkState:
    """Return the state of some streams from one, and of the others from another."""
    position, pending = _where(streams, one.position, other.position), _where(streams, one.pending, other.pending)
    return NetworkState(
        position, pending, tuple(_where(streams, *pair) for pair in zip(one.buffers, other.buffers, strict=True))
    )


def _where(streams: Tensor, one: Tensor, other: Tensor) -> Tensor:
    return torch.where(streams.view(-1, *[1] * (one.ndim - 1)), one, other)
