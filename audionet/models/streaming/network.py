"""Networks frame by frame, as sound comes: all frames together are those of the whole recording."""

from typing import NamedTuple

from torch import Tensor, nn

from audionet.checks import check_that
from audionet.models.streaming.local import LocalPart, layer_of, local_part
from audionet.models.streaming.steps import NetworkState, Steps


class Frames(NamedTuple):
    """Frames of several streams.

    Attributes:
        values: (stream, channel, frame).
        places: (stream, frame), which of all frames of its stream each is, from 0 on; -1 where there is none.
    """

    values: Tensor
    places: Tensor

    def of(self, stream: int) -> Tensor:
        """Return the frames of one stream, (channel, frame)."""
        return self.values[stream][:, self.places[stream] >= 0]


class StreamingNetwork:
    """A network on spectrograms that arrive in chunks of any number of frames, of many streams at once.

    All frames together, those of `finish` among them, are those that ``network.frames`` returns for the whole
    recording, with the zeros that it adds at both ends. Each is given as soon as the last frame that it sees has come.

    Args:
        network: Network in evaluation mode that is local in time: each of its ``frames`` depends on some frames of the
            spectrogram around it. Its weights are read where they are.

    Raises:
        ValueError: The network is in training mode, or takes waveforms, or a layer of it looks at all frames, or at
            where they end in another way than by zeros: the message names the layer.

    Attributes:
        stride: Frames of the spectrogram from one frame to the next.
        delay: Frames of the spectrogram that must have come behind number ``stride * n`` before frame n is given.

    Example:
        >>> network = audionet.models.create("tcresnet", n_classes=3).eval()
        >>> streaming = StreamingNetwork(network)
        >>> state, spectrogram, frames = streaming.start(1), torch.randn(1, 1, 40, 101), []
        >>> with torch.inference_mode():
        ...     for chunk in spectrogram.split(2, -1):
        ...         made, state = streaming.step(chunk, state)
        ...         frames.append(made.of(0))
        ...     frames.append(streaming.finish(state).of(0))
        ...     torch.testing.assert_close(torch.cat(frames, -1), network.frames(spectrogram)[0])
    """

    def __init__(self, network: nn.Module) -> None:
        self.network, self.part = network, frames_part(network)
        self._steps = Steps(network, self.part)
        self.stride, self.delay = self._steps.stride, self._steps.delay

    def start(self, n_streams: int) -> NetworkState:
        """Return the state of streams of which nothing has come."""
        return self._steps.start(n_streams)

    def reset(self, state: NetworkState, streams: Tensor) -> NetworkState:
        """Return the state in which some streams, (stream,) bool, begin anew."""
        return self._steps.reset(state, streams)

    def step(self, chunk: Tensor, state: NetworkState, active: Tensor | None = None) -> tuple[Frames, NetworkState]:
        """Take the next frames of the spectrograms, and return the frames that they complete.

        Args:
            chunk: (stream, in_channels, n_bands, frame), of any number of frames.
            state: What the step before returned, or `start`. It is not changed.
            active: (stream,) bool, the streams that the chunk is for, while the others stand still; None for all.

        Returns:
            The frames of all streams, and the state after them. Streams that began at different times may have
            different numbers of them.

        Raises:
            ValueError: The chunk does not fit the state.
        """
        (values,), places, state = self._steps.step(chunk, state, active)
        return Frames(values, places), state

    def finish(self, state: NetworkState) -> Frames:
        """Return the frames that the end of the recordings completes.

        A recording of which the network has nothing left gives no frames.
        """
        (values,), places = self._steps.finish(state)
        return Frames(values, places)


def frames_part(network: nn.Module) -> LocalPart:
    """Return what a network does for its ``frames``, all of which has to act on a stream."""
    check_streamable(network)
    part = local_part(network, "frames" if hasattr(network, "frames") else "embed")
    is_local = hasattr(network, "frames") and len(part.rest) == 1
    got = f"{type(network).__name__}, whose layer {layer_of(part.rest[0])} looks at all frames, or at their ends"
    advice = "choose another network, no normalisation over the clip, and a padding with zeros"
    check_that(is_local, "network", "one that is local in time", got, advice)
    return part


def check_streamable(network: nn.Module) -> None:
    """Refuse a network that is trained now, or that takes waveforms."""
    check_that(not network.training, "network", "one in evaluation mode", "one in training", "call network.eval()")
    kind, n_bands = type(network).__name__, getattr(network, "n_bands", 1)
    check_that(n_bands > 1, "network", "one on spectrograms", f"{kind}, on waveforms")
