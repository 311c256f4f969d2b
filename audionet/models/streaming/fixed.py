"""A network's step of a fixed number of frames, for exporters."""

import torch
from torch import Tensor, nn

from audionet.checks import check_at_least, check_that
from audionet.models.streaming.machine import Machine
from audionet.models.streaming.network import StreamingNetwork


class FixedStep(nn.Module):
    """A step of a fixed number of frames as a function of tensors: ``(chunk, *state) -> (frames, *state)``.

    All shapes are fixed but the number of streams, and nothing depends on values, so that ``torch.onnx.export`` takes
    it. The frames are those of `StreamingNetwork` ``delay`` frames of the spectrogram late: the n-th step returns those
    from number ``(n * n_frames - delay) / stride`` on. Those before number 0 are zeros. The end of a recording adds no
    zeros: who wants the frames that see it takes `StreamingNetwork.finish`.

    Args:
        streaming: The network.
        n_frames: Frames of the spectrogram a step, a multiple of the network's stride.

    Raises:
        ValueError: ``n_frames`` is no multiple of the stride; from ``forward``, the chunk has another number of frames.

    Attributes:
        delay: Frames of the spectrogram, a multiple of the stride.

    Example:
        >>> network = audionet.models.create("tcresnet", n_classes=3).eval()
        >>> step = FixedStep(StreamingNetwork(network), n_frames=8)
        >>> frames, *state = step(torch.randn(1, 1, 40, 8), *step.start(1))
        >>> frames.shape, step.delay, state[0]
        (torch.Size([1, 48, 1]), 80, tensor([8]))
    """

    def __init__(self, streaming: StreamingNetwork, n_frames: int) -> None:
        super().__init__()
        check_at_least(1, n_frames=n_frames, whole=True)
        multiple = f"a multiple of {streaming.stride}, the stride of the network"
        check_that(n_frames % streaming.stride == 0, "n_frames", multiple, n_frames)
        self.network, self.n_frames, self.stride = streaming.network, n_frames, streaming.stride
        self._machine = Machine(streaming.network, streaming.part, lead=0)
        self.delay = self._machine.delay

    def start(self, n_streams: int) -> tuple[Tensor, ...]:
        """Return the state before the first step.

        Returns:
            (stream,) int64, the frames that have come; and the frames that operations still need, each (stream, ...,
            frame).
        """
        check_at_least(1, whole=True, n_streams=n_streams)
        buffers = self._machine.start(n_streams)
        return torch.zeros(n_streams, dtype=torch.int64, device=buffers[0].device), *buffers

    def forward(self, chunk: Tensor, position: Tensor, *buffers: Tensor) -> tuple[Tensor, ...]:
        """Take a step.

        Args:
            chunk: The next frames of the spectrogram, (stream, in_channels, n_bands, n_frames).
            position: The first value of the state.
            *buffers: Its other values.

        Returns:
            (stream, channel, n_frames / stride), and the state after the step.
        """
        n_frames = chunk.shape[-1]
        check_that(n_frames == self.n_frames, "chunk", f"{self.n_frames} frames a step", n_frames)
        (frames,), kept = self._machine.advance(chunk, position, buffers)
        place = torch.arange(self.n_frames // self.stride, device=position.device) * self.stride - self.delay
        is_there = position[:, None] + place >= 0
        return torch.where(is_there[:, None], frames, 0.0), position + self.n_frames, *kept
