"""The loop of generation: it asks an engine for samples, block by block, and hands them on as pieces of sound."""

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from audionet.models.wavenet.conditioning import GateBias
from audionet.models.wavenet.distributions import DEFAULT_SAMPLING, N_UNIFORMS, Distribution, Sampling
from audionet.randomness import random_generator

PRECISIONS = ("float32", "bfloat16", "int8")
"""How the compiled kernel can keep weights."""

_BLOCK = 256  # samples whose conditioning is laid out at a time, where it varies: some MB for each stream

S = TypeVar("S")


class Engine(Protocol[S]):
    """A way to compute samples: `Kernel` or `Stepwise`. S is the type of its state."""

    def start(self, batch: int) -> S:
        """Return the state before the first sample of a batch of streams."""

    def run(
        self,
        state: S,
        *,
        bias: np.ndarray,
        uniforms: np.ndarray,
        sampling: Sampling = DEFAULT_SAMPLING,
        forced: np.ndarray | None = None,
        outputs: np.ndarray | None = None,
    ) -> np.ndarray:
        """Make samples and move the state on, in place. Two runs make what one of their common length makes.

        Args:
            state: State that `start` or the run before has left.
            bias: (batch, 1 or n, n_layers, G), added to the signals in the gates of each layer.
            uniforms: (batch, n, 2) in [0, 1), the random numbers of the draws.
            sampling: Temperature, top-k and top-p.
            forced: (batch, m) samples that are taken instead of drawn, for the first m.
            outputs: (batch, n, n_outputs) float32, filled with the network's outputs.

        Returns:
            (batch, n) samples: int64 codes or float32 values.

        Raises:
            ValueError: A shape does not fit, or a forced sample is not possible.
        """


def generate(
    engine: Engine[S],
    distribution: Distribution,
    bias: GateBias,
    *,
    lengths: Sequence[int],
    chunk: int,
    seed: int,
    sampling: Sampling,
    prime: np.ndarray,
) -> Iterator[Tensor]:
    """Yield the sound of a batch of streams in pieces, as it is made.

    Stream i has a generator of its own, for the prime too. Its samples are therefore the same in any
    chunks, alone or in a batch.

    Args:
        engine: Engine that computes the samples.
        distribution: Distribution of the samples.
        bias: Bias that the conditions add to the gates, for the prime and all samples after it.
        lengths: Samples to make of each stream; after its end a stream is silent.
        chunk: Samples of a piece.
        seed: Seed of the random numbers.
        sampling: Temperature, top-k and top-p.
        prime: (batch, time) samples to go on from; time is 0 for none.

    Yields:
        Pieces (batch, n) float32 in [-1, 1].
    """
    state = engine.start(len(lengths))
    generators = [random_generator(seed, "samples of a stream", stream) for stream in range(len(lengths))]
    n_primed = prime.shape[1]
    ends = n_primed + torch.tensor(lengths)

    def run(first: int, last: int) -> np.ndarray:
        with torch.inference_mode():
            added = bias.between(first, last).float().cpu().numpy()
        return engine.run(
            state,
            bias=added,
            uniforms=np.stack([generator.random((last - first, N_UNIFORMS)) for generator in generators]),
            sampling=sampling,
            forced=prime[:, first:last],
        )

    total, block = int(ends.max()), chunk if bias.is_constant else _BLOCK
    for first in range(0, n_primed, block):
        run(first, min(first + block, n_primed))
    for first in range(n_primed, total, chunk):
        last = min(first + chunk, total)
        parts = [run(start, min(start + block, last)) for start in range(first, last, block)]
        waveform = distribution.to_waveform(torch.from_numpy(np.concatenate(parts, 1)))
        yield waveform.masked_fill(torch.arange(first, last) >= ends[:, None], 0)
