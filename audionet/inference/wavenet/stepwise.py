"""WaveNet sample by sample with torch: each layer keeps a queue of its past (Paine et al., Fast WaveNet, 2016).

A step then costs one sample. This is the plain form of what `kernel` compiles for the CPU. On a GPU a step is captured
as a CUDA graph and replayed: one launch for each sample instead of some hundreds.
"""

import numpy as np
import torch
from torch import Tensor

from audionet.models.wavenet.distributions import DEFAULT_SAMPLING, N_UNIFORMS, Sampling
from audionet.models.wavenet.layers import gated
from audionet.models.wavenet.network import WaveNet

State = dict[str, Tensor]


class Stepwise:
    """An engine on the device of its network that makes one sample after the other, for one generation at a time.

    It reads the network's weights where they are, so it follows new ones.

    Args:
        model: The network.
        block: Samples whose random numbers and biases lie on the device at a time.
    """

    def __init__(self, model: WaveNet, *, block: int = 256) -> None:
        self.model, self.block = model, block
        self._steps: dict[tuple[bool, Sampling], _Step] = {}

    def start(self, batch: int) -> State:
        """Return the state before the first sample of a batch of streams: queues full of zeros.

        Returns:
            "position": (); "stream": (batch, R), the sample before, embedded; "queue0" ...: (slot, batch, R).
        """
        self._steps = {}
        stream = self.model.skip.weight.new_zeros(batch, self.model.layers[0].residual_channels)
        state = {"position": torch.zeros((), dtype=torch.int64, device=stream.device), "stream": stream}
        for number, layer in enumerate(self.model.layers):
            state[f"queue{number}"] = stream.new_zeros(layer.shifts[0], *stream.shape)
        return state

    @torch.inference_mode()
    def run(
        self,
        state: State,
        *,
        bias: np.ndarray,
        uniforms: np.ndarray,
        sampling: Sampling = DEFAULT_SAMPLING,
        forced: np.ndarray | None = None,
        outputs: np.ndarray | None = None,
    ) -> np.ndarray:
        """Make samples and move the state on, in place, as `Engine.run` describes it."""
        batch, n_samples = uniforms.shape[:2]
        forced = np.zeros((batch, 0)) if forced is None else forced
        is_varying = bias.shape[1] > 1
        key = (is_varying, sampling)
        if key not in self._steps:
            self._steps[key] = _Step(self.model, state, self.block, is_varying, sampling)
        step = self._steps[key]
        blocks = []
        for first in range(0, n_samples, self.block):
            block = slice(first, min(first + self.block, n_samples))
            step.fill(bias[:, block] if is_varying else bias, uniforms[:, block], forced[:, block])
            step.repeat(block.stop - first)
            # A copy: on the CPU it would be the buffer itself, where the next block comes.
            blocks.append(step.samples[: block.stop - first].T.cpu().numpy().copy())
            if outputs is not None:
                outputs[:, block] = step.outputs[: block.stop - first].transpose(0, 1).cpu().numpy()
        return np.concatenate(blocks or [np.zeros((batch, 0))], 1)


class _Step:
    """The work of one sample, on buffers that stay where they are, as a captured graph demands."""

    def __init__(self, model: WaveNet, state: State, block: int, is_varying: bool, sampling: Sampling) -> None:
        self.model, self.state, self.sampling = model, state, sampling
        stream, distribution = state["stream"], model.distribution
        batch = len(stream)
        # Time first: one index finds a sample's numbers.
        self.bias = stream.new_empty(block if is_varying else 1, batch, *model.gate_bias.shape)
        self.uniforms = torch.empty(block, batch, N_UNIFORMS, dtype=torch.float64, device=stream.device)
        dtype = torch.int64 if distribution.is_discrete else torch.float32
        self.samples = torch.zeros(block, batch, dtype=dtype, device=stream.device)
        self.outputs = stream.new_empty(block, batch, distribution.n_outputs)
        self.now, self.n_forced = torch.zeros(2, 1, dtype=torch.int64, device=stream.device)
        self.graph: torch.cuda.CUDAGraph | None = None

    def fill(self, bias: np.ndarray, uniforms: np.ndarray, forced: np.ndarray) -> None:
        """Copy the numbers of a block of samples into the buffers."""
        for buffer, values in ((self.bias, bias), (self.uniforms, uniforms), (self.samples, forced)):
            buffer[: values.shape[1]] = torch.from_numpy(np.ascontiguousarray(values.swapaxes(0, 1))).to(buffer.device)
        self.n_forced.fill_(forced.shape[1])
        self.now.zero_()

    def repeat(self, n_samples: int) -> None:
        """Make the samples of a block."""
        if self.now.device.type == "cuda" and self.graph is None:
            self._capture()
        make_one = self.advance if self.graph is None else self.graph.replay
        for _ in range(n_samples):
            make_one()

    def advance(self) -> None:
        """Make one sample."""
        distribution, now = self.model.distribution, self.now
        outputs = self.predict(self.bias.index_select(0, now if len(self.bias) > 1 else now * 0)[0])
        drawn = distribution.sample(outputs, self.uniforms.index_select(0, now)[0], self.sampling)
        sample = torch.where(now < self.n_forced, self.samples.index_select(0, now)[0], drawn)
        self.samples.index_copy_(0, now, sample[None])
        self.outputs.index_copy_(0, now, outputs[None])
        self.state["stream"].copy_(self.model.input(sample))
        self.state["position"].add_(1)
        now.add_(1)

    def predict(self, bias: Tensor) -> Tensor:
        """Compute a sample's outputs (batch, n_outputs) from its bias (batch, n_layers, G); enqueue its signals."""
        stream, position, units = self.state["stream"], self.state["position"], []
        for number, layer in enumerate(self.model.layers):
            queue = self.state[f"queue{number}"]
            # The signal of `shift` samples ago lies `shift` slots behind this one's own, which still holds the oldest.
            taps = [queue.index_select(0, ((position - shift) % len(queue))[None])[0] for shift in layer.shifts[:-1]]
            queue.index_copy_(0, (position % len(queue))[None], stream[None])
            weight = layer.dilated.weight[:, : len(layer.shifts) * stream.shape[1]]
            unit = gated(torch.cat([*taps, stream], -1) @ weight.T + bias[:, number])
            units.append(unit)
            stream = stream if layer.residual is None else stream + layer.residual(unit)
        return self.model.head(torch.cat(units, -1))

    def _capture(self) -> None:
        changed = [*self.state.values(), self.samples, self.now]
        before = [tensor.clone() for tensor in changed]
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):  # capturing demands runs before it, which are then undone
            for _ in range(3):
                self.advance()
        torch.cuda.current_stream().wait_stream(side)
        for tensor, value in zip(changed, before, strict=True):
            tensor.copy_(value)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.advance()
