"""WaveNet generation on the CPU: weights packed for the compiled loop, streams divided over cores."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from audionet.checks import check_at_least, check_one_of, check_that
from audionet.inference.wavenet import compiled
from audionet.inference.wavenet.sampling import PRECISIONS
from audionet.models.wavenet import distributions
from audionet.models.wavenet.distributions import DEFAULT_SAMPLING, N_CODES, N_UNIFORMS, Sampling
from audionet.models.wavenet.layers import ValueInput
from audionet.models.wavenet.network import WaveNet
from audionet.parallel import usable_cores

_DISTRIBUTIONS = {
    distributions.Softmax: compiled.SOFTMAX,
    distributions.LogisticMixture: compiled.LOGISTIC_MIXTURE,
    distributions.Gaussian: compiled.GAUSSIAN,
}


@dataclass
class State:
    """The kernel's memory of a batch of streams.

    Attributes:
        rings: (batch, slot, R) float32, the past inputs of all layers, each in a ring of its receptive field's length.
        previous: (batch,) float32, the last samples.
        clock: Samples made so far.
    """

    rings: np.ndarray
    previous: np.ndarray
    clock: int = 0


class Kernel:
    """An engine on the CPU: all layers and all samples of a WaveNet in one compiled loop.

    The weights are copied, so a kernel does not follow later changes of the network. The first use on a machine
    compiles for some seconds and says so in the log; the code is kept beside the package, in numba's cache, or in
    `AUDIONET_CACHE`.

    Args:
        model: The network.
        precision: Form of the weights: "float32", "bfloat16", or "int8" with a scale for each output. The signals that
            meet int8 weights are rounded to 16 bits.
        threads: Cores that several streams are divided over; None for all that this process may use.

    Raises:
        ValueError: There is no such precision, or threads is not a positive number.
    """

    def __init__(self, model: WaveNet, *, precision: str = "float32", threads: int | None = None) -> None:
        check_one_of(PRECISIONS, "precision", precision)
        self.threads = usable_cores() if threads is None else threads
        check_at_least(1, threads=self.threads)
        self._distribution = model.distribution
        self._gates = tuple(model.gate_bias.shape)  # (n_layers, G)
        self._half = _padded(self._gates[1] // 2)
        weights, biases, embedding = _pack(model, PRECISIONS.index(precision))
        self._rings = (model.receptive_field - 1, embedding.shape[1])
        self._network = (  # all that `compiled.generate` needs to know of it, in its order
            PRECISIONS.index(precision),
            _DISTRIBUTIONS[type(model.distribution)],
            model.kernel_size,
            embedding.shape[1],
            self._half,
            _padded(model.skip.out_features),
            _padded(model.hidden.out_features),
            model.distribution.n_outputs,
            np.array(model.dilations, dtype=np.int64),
            weights,
            biases,
            embedding,
        )

    def start(self, batch: int) -> State:
        """Return the state before the first sample of a batch of streams: zeros in all layers.

        Raises:
            ValueError: The batch is empty.
        """
        check_at_least(1, batch=batch)
        rings = np.zeros((batch, *self._rings), np.float32)
        return State(rings, np.zeros(batch, np.float32))

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
        batch, n_outputs = len(state.previous), self._distribution.n_outputs
        forced = np.zeros((batch, 0)) if forced is None else forced
        self._check(state, bias, uniforms, forced, outputs)
        n_samples = uniforms.shape[1]
        samples = np.empty((batch, n_samples), np.float32)
        written = np.empty((batch, 0 if outputs is None else n_samples, n_outputs), np.float32)
        gate_bias = self._padded_bias(bias)
        uniforms, forced = _plain(uniforms, np.float64), _plain(forced, np.float32)

        def run(first: int, last: int) -> None:
            streams = slice(first, last)
            compiled.generate(
                next(tile for tile in compiled.TILES if tile >= last - first),
                *self._network,
                state.rings[streams],
                state.previous[streams],
                state.clock,
                gate_bias[streams],
                uniforms[streams],
                forced[streams],
                sampling.temperature,
                n_outputs if sampling.top_k is None else sampling.top_k,
                1.0 if sampling.top_p is None else sampling.top_p,
                samples[streams],
                written[streams],
            )

        n_groups = max(min(self.threads, batch), -(-batch // compiled.TILES[-1]))
        edges = [group * batch // n_groups for group in range(n_groups + 1)]
        if n_groups == 1:
            run(0, batch)
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                list(pool.map(run, edges[:-1], edges[1:]))
        state.clock += n_samples
        if outputs is not None:
            outputs[:] = written
        return samples.astype(np.int64) if self._distribution.is_discrete else samples

    def _check(
        self, state: State, bias: np.ndarray, uniforms: np.ndarray, forced: np.ndarray, outputs: np.ndarray | None
    ) -> None:
        """Refuse what the compiled loop would read or write beyond its end."""
        batch = len(state.previous)
        n_samples = uniforms.shape[1] if uniforms.ndim == 3 else 1
        n_biases = 1 if bias.ndim > 1 and bias.shape[1] == 1 else n_samples
        n_forced = forced.shape[1] if forced.ndim == 2 else 0
        for name, array, sizes in (
            ("state", state.rings, self._rings),
            ("uniforms", uniforms, (n_samples, N_UNIFORMS)),
            ("bias", bias, (n_biases, *self._gates)),
            ("forced", forced, (min(n_forced, n_samples),)),
            ("outputs", outputs, (n_samples, self._distribution.n_outputs)),
        ):
            if array is not None:
                check_that(array.shape == (batch, *sizes), name, f"the shape {(batch, *sizes)}", array.shape)
        if self._distribution.is_discrete and not ((forced >= 0) & (forced < N_CODES)).all():
            raise ValueError(f"forced: expected codes from 0 to {N_CODES - 1}, got others")

    def _padded_bias(self, bias: np.ndarray) -> np.ndarray:
        """Bring (..., G) to (..., 2 H), each half padded."""
        if self._gates[1] < 2 * self._half:
            bias = _wide(bias.reshape(*bias.shape[:-1], 2, -1), 4).reshape(*bias.shape[:-1], -1)
        return _plain(bias, np.float32)


def _plain(array: np.ndarray, dtype: type) -> np.ndarray:
    return np.require(array, dtype, ["C", "W"])


# ---- packing ----


def _padded(n: int) -> int:
    return -(-n // compiled.LANES) * compiled.LANES


def _numbers(tensor: Tensor) -> np.ndarray:
    return tensor.detach().float().cpu().numpy()


def _wide(array: np.ndarray, *axes: int) -> np.ndarray:
    """Fill axes up with zeros to whole vectors."""
    return np.pad(array, [(0, _padded(n) - n if axis in axes else 0) for axis, n in enumerate(array.shape)])


def _pack(model: WaveNet, precision: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lay out weights (bytes), biases and embedding as `compiled.generate` reads them."""
    layers = list(model.layers)
    n_layers, half = len(layers), model.gate_bias.shape[1] // 2
    taps, residual = model.kernel_size, layers[0].residual_channels
    gates = np.stack([_numbers(layer.dilated.weight)[:, : taps * residual] for layer in layers])
    back = np.zeros((n_layers, residual, half), np.float32)  # the last layer's is left out again
    back_bias = np.zeros((n_layers - 1, residual), np.float32)
    for number, layer in enumerate(layers):
        if layer.residual is not None:
            back[number], back_bias[number] = _numbers(layer.residual.weight), _numbers(layer.residual.bias)
    packed_gates = _packed(gates.reshape(n_layers, 2, half, taps, residual), precision)
    packed_back = _packed(back[:, None, :, None], precision)
    stack = np.concatenate([packed_gates, packed_back], 1).ravel()[: -packed_back.shape[1]]

    head = [model.skip, model.hidden, model.output]
    inputs = [(n_layers, half), (1, model.skip.out_features), (1, model.hidden.out_features)]
    matrices = [
        _packed(_numbers(linear.weight).reshape(1, 1, -1, *sizes), precision).ravel()
        for linear, sizes in zip(head, inputs, strict=True)
    ]
    biases = [_wide(back_bias, 1).ravel(), *(_wide(_numbers(linear.bias), 0) for linear in head)]
    embedding = _numbers(model.input.weight)
    if isinstance(model.input, ValueInput):  # slope and intercept
        embedding = np.stack([embedding[:, 0], _numbers(model.input.bias)])
    return _aligned(np.concatenate([stack, *matrices])), np.concatenate(biases), _wide(embedding, 1)


def _packed(matrices: np.ndarray, precision: int) -> np.ndarray:
    """Pack (matrix, group of outputs, output, group of inputs, input) as (matrix, byte); groups start whole vectors."""
    matrices = _wide(matrices, 2, 4)
    count, n_inputs = len(matrices), matrices.shape[3] * matrices.shape[4]
    matrices = matrices.reshape(count, -1, n_inputs)
    matrices = np.pad(matrices, [(0, 0), (0, -matrices.shape[1] % compiled.BLOCK), (0, 0)])
    blocks = matrices.reshape(count, -1, compiled.BLOCK, n_inputs)
    if precision == compiled.INT8:
        scales = np.maximum(np.abs(blocks).max(-1, keepdims=True), 1e-30) / np.float32(127)
        rounded = np.rint(blocks / scales).astype(np.int8)
        steps = rounded.reshape(*blocks.shape[:3], n_inputs // 2, 2).swapaxes(2, 3)
        parts = [part.reshape(*blocks.shape[:2], -1).view(np.uint8) for part in (scales, steps)]
        return np.concatenate(parts, -1).reshape(count, -1)
    steps = (blocks if precision == compiled.FLOAT32 else _halves(blocks)).swapaxes(2, 3)
    return np.ascontiguousarray(steps).view(np.uint8).reshape(count, -1)


def _halves(weights: np.ndarray) -> np.ndarray:
    """Round float32 (..., n) to 16 bits, two in each of (..., n / 2) uint32."""
    bits = np.ascontiguousarray(weights).view(np.uint32).astype(np.int64)
    even, odd = bits[..., 0::2], bits[..., 1::2]
    lower = (even + 0x7FFF + (even >> 16 & 1)) >> 16
    # The odd number is read with the bits of the even one behind its own. Take the nearest such number, but no
    # subnormal one, which would be slow.
    size = np.maximum((odd & 0x7FFFFFFF) - lower + 0x8000 >> 16, np.where(lower == 0, 0, 0x80))
    packed: np.ndarray = (odd >> 31 << 31) | (size << 16) | lower
    return packed.astype(np.uint32)


def _aligned(array: np.ndarray) -> np.ndarray:
    """Copy to memory that starts at a line of the cache, so that no vector lies across two."""
    memory = np.empty(array.nbytes + 63, np.uint8)
    start = -memory.ctypes.data % 64
    memory[start : start + array.nbytes] = array
    return memory[start : start + array.nbytes]
