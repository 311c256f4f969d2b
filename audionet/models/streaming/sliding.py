"""What a network says of a window that slides over a stream, without computing the window anew."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn

from audionet.checks import check_at_least, check_that
from audionet.models.streaming.local import arguments_of, call, from_stream, local_part
from audionet.models.streaming.network import check_streamable
from audionet.models.streaming.steps import NONE, NetworkState, Steps


class Embeddings(NamedTuple):
    """One embedding of each of several streams.

    Attributes:
        values: (stream, n_embedding), for ``network.head``.
        places: (stream,), the place of the window's last frame among all of its stream; -1 where it is not full yet,
            and the values mean nothing.
    """

    values: Tensor
    places: Tensor


class SlidingState(NamedTuple):
    """What a `SlidingNetwork` remembers between steps.

    Attributes:
        stream: The state of the network on the stream.
        windows: The last frames that the pooling sees, each (stream, ..., window).
        places: (stream,), the place of the last of them among all of its stream; -1 before the first.
    """

    stream: NetworkState
    windows: tuple[Tensor, ...]
    places: Tensor


class SlidingNetwork:
    """The embedding of the last frames of a stream: what the network pools over a clip, it pools over these.

    The embedding is exactly that of the network's pooling over those frames of the whole recording; where the pooling
    is the mean over time, it is ``network.frames(recording)[..., window].mean(-1)``. It is not that of a clip cut out
    of the recording: at the ends of a clip the network sees zeros, and here the sound around it.

    Args:
        network: Network in evaluation mode, on spectrograms.
        window: Frames of the network over which it pools; a clip of n frames has about n / `stride` of them.

    Raises:
        ValueError: The network is in training mode, or takes waveforms; what it pools has different strides.

    Attributes:
        stride: Frames of the spectrogram from one frame of the network to the next.
        delay: Frames of the spectrogram that must have come behind number ``stride * n`` before frame n counts.

    Example:
        >>> network = audionet.models.create("tcresnet", n_classes=3).eval()
        >>> sliding, spectrogram = SlidingNetwork(network, window=13), torch.randn(1, 1, 40, 300)
        >>> with torch.inference_mode():
        ...     embeddings, state = sliding.step(spectrogram, sliding.start(1))
        ...     last, frames = int(embeddings.places[0]), network.frames(spectrogram)
        ...     torch.testing.assert_close(embeddings.values, frames[..., last - 12 : last + 1].mean(-1))
        ...     network.head(embeddings.values).shape
        torch.Size([1, 3])
    """

    def __init__(self, network: nn.Module, window: int) -> None:
        check_at_least(1, whole=True, window=window)
        check_streamable(network)
        part = local_part(network, "embed")
        strides = {output.stride for output in part.outputs}
        check_that(len(strides) == 1, "network", "one that pools frames of one stride", f"strides {sorted(strides)}")
        self.network, self.window, self._part, self._steps = network, window, part, Steps(network, part)
        self.stride, self.delay = self._steps.stride, self._steps.delay

    def start(self, n_streams: int) -> SlidingState:
        """Return the state of streams of which nothing has come."""
        stream = self._steps.start(n_streams)
        windows = [stream.pending.new_zeros(n_streams, *output.shape, self.window) for output in self._part.outputs]
        return SlidingState(stream, tuple(windows), torch.full_like(stream.position, NONE))

    def reset(self, state: SlidingState, streams: Tensor) -> SlidingState:
        """Return the state in which some streams, (stream,) bool, begin anew."""
        stream = self._steps.reset(state.stream, streams)
        return SlidingState(stream, state.windows, torch.where(streams, NONE, state.places))

    def step(self, chunk: Tensor, state: SlidingState, active: Tensor | None = None) -> tuple[Embeddings, SlidingState]:
        """Take the next frames of the spectrograms, and return the embeddings of the windows that then are the last.

        Args:
            chunk: (stream, in_channels, n_bands, frame), of any number of frames.
            state: What the step before returned, or `start`. It is not changed.
            active: (stream,) bool, the streams that the chunk is for, while the others stand still; None for all.

        Raises:
            ValueError: The chunk does not fit the state.
        """
        outputs, places, stream = self._steps.step(chunk, state.stream, active)
        # The new frames of a stream lie next to each other; the last that is there ends the window.
        places = torch.cat([state.places[:, None], places], 1)
        n_past = ((places != NONE) * torch.arange(places.shape[1], device=places.device)).amax(1, keepdim=True)
        taken = n_past + torch.arange(self.window, device=places.device)
        windows = tuple(
            torch.cat([window, frames], -1).gather(-1, _spread(taken, window))
            for window, frames in zip(state.windows, outputs, strict=True)
        )
        last = places.amax(1)
        values = self._pooled(windows)
        return Embeddings(values, torch.where(last >= self.window - 1, last, NONE)), SlidingState(stream, windows, last)

    def _pooled(self, windows: tuple[Tensor, ...]) -> Tensor:
        """Return what the network makes of all frames of the windows, (stream, n_embedding)."""
        values: dict[fx.Node, Any] = {
            output.node: from_stream(window, output.axes)
            for output, window in zip(self._part.outputs, windows, strict=True)
        }
        for node in self._part.rest:
            values[node] = call(self.network, node, arguments_of(node, values.__getitem__))
        pooled: Tensor = values[self._part.rest[-1]]
        return pooled


def _spread(taken: Tensor, window: Tensor) -> Tensor:
    """Return the indices (stream, frame) for all that lies between streams and frames of (stream, ..., frame)."""
    return taken.view(-1, *[1] * (window.ndim - 2), taken.shape[-1]).expand(*window.shape[:-1], -1)
