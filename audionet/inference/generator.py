"""New sound from a trained WaveNet."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from audionet import audio
from audionet.audio.waveform import check_waveform, from_tensor
from audionet.bundle import Bundle
from audionet.checks import check_at_least, check_device, check_one_of, check_that, listed
from audionet.inference.wavenet import sampling as loop
from audionet.inference.wavenet.requests import Category, agreed_batch, checked_frames, checked_prime
from audionet.models import WaveNet, WaveNetAutoencoder
from audionet.models.wavenet.distributions import Sampling, over_amplitudes
from audionet.randomness import check_seed, random_generator

MAX_SECONDS = 3600.0

_CHUNK_SECONDS = 0.05  # of sound that is made at a time: how long a key press takes to have an effect


class Generator:
    """The WaveNet of a bundle, ready to make sound.

    The same arguments give the same samples, whether whole or in a stream of chunks, alone or in a batch. Stream i of a
    batch draws its samples by random numbers that follow from the seed and i.

    Args:
        bundle: A bundle of the task "generation".
        device: Device that computes: the CPU by the compiled kernel, any other by torch, CUDA with graphs.
        precision: Form of the weights in the kernel: "float32", or the smaller and faster "bfloat16" or "int8".

    Raises:
        ValueError: The device is not usable here, the precision is unknown, or the bundle holds no WaveNet.

    Attributes:
        bundle: The network and its description.
        sample_rate: Samples per second.
        categories: Values of each category that it can be conditioned on, {name: values}.
        wavenet: The network that generates; of an autoencoder, its decoder.

    Example:
        >>> generator = audionet.load_generator("digits")
        >>> generator
        <Generator by label (zero, one, two and 7 more) by speaker (george, jackson, lucas and 3 more): wavenet at
        8000 Hz, on cpu>
        >>> generator.generate(0.1, label="seven", seed=0).shape
        torch.Size([1, 800])
    """

    def __init__(self, bundle: Bundle, device: str | torch.device = "cpu", *, precision: str = "float32") -> None:
        check_one_of(loop.PRECISIONS, "precision", precision)
        self._engine: Callable[[], loop.Engine[Any]]
        self._encode: Callable[[Tensor], Tensor] | None
        self.bundle, self.device, self.sample_rate = bundle, check_device(device), bundle.sample_rate
        wavenet = bundle.model.module.to(self.device)
        self._encode = None if bundle.front_end is None else bundle.front_end.module.to(self.device)
        if isinstance(wavenet, WaveNetAutoencoder):
            self._encode, wavenet = wavenet.encode, wavenet.decoder
        if not isinstance(wavenet, WaveNet):
            raise ValueError(f"bundle: expected a WaveNet or a WaveNetAutoencoder, got {bundle.model.name}")
        self.wavenet, self.categories = wavenet, wavenet.categories
        # Imported now, not by the first sample: numba takes half a second.
        if self.device.type == "cpu":
            from audionet.inference.wavenet.kernel import Kernel

            self._engine = partial(Kernel, wavenet, precision=precision)
        else:
            from audionet.inference.wavenet.stepwise import Stepwise

            self._engine = partial(Stepwise, wavenet)

    def __repr__(self) -> str:
        categories = [f" by {name} ({listed(values)})" for name, values in self.categories.items()]
        return f"<Generator{''.join(categories)}: {self.bundle.model.name} at {self.sample_rate} Hz, on {self.device}>"

    def generate(
        self,
        seconds: float | None = None,
        *,
        count: int = 1,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
        prime: Tensor | np.ndarray | None = None,
        frames: Tensor | None = None,
        **categories: Category,
    ) -> Tensor:
        """Generate sound.

        Args:
            seconds: Length of the sound. None: as long as the frames, or else the usual length of a training clip. A
                network that is told the place in the clip ends its sound in that time. By default such a network takes
                for each stream the time that is usual for its categories; a stream that ends before the longest one is
                filled with silence.
            count: Number of streams, if neither categories, prime nor frames give it by theirs.
            temperature: Below 1 the probable becomes more probable, above 1 less; 0.01 to 10.
            top_k: Draw from the k most probable codes or components only; None for all.
            top_p: Draw from the most probable codes or components that together reach this probability only; None for
                all.
            seed: Number that decides everything that is drawn.
            prime: Sound to go on from, (time,) or (batch, time) in [-1, 1] at the generator's rate. The result begins
                after it.
            frames: Local conditioning, (batch, band, frame) or (band, frame), as `frames_of` makes it.
            **categories: A value for each category, or one for each stream, such as label="seven". One that is left out
                is drawn.

        Returns:
            (batch, time) float32 in [-1, 1].

        Raises:
            ValueError: A category, length, number or shape is not as described; the message says the range.
        """
        pieces = self.stream(
            seconds,
            chunk_seconds=_CHUNK_SECONDS,
            count=count,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            seed=seed,
            prime=prime,
            frames=frames,
            **categories,
        )
        return torch.cat(list(pieces), 1)

    def stream(
        self,
        seconds: float | None = None,
        *,
        chunk_seconds: float = _CHUNK_SECONDS,
        count: int = 1,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
        prime: Tensor | np.ndarray | None = None,
        frames: Tensor | None = None,
        **categories: Category,
    ) -> Iterator[Tensor]:
        """Generate sound piece by piece, as it is made; together the pieces are what `generate` returns.

        ``chunk_seconds`` is the length of a piece. The other arguments are those of `generate`.

        Returns:
            An iterator over pieces (batch, n) float32. Arguments are checked before it is returned.

        Raises:
            ValueError: As from `generate`, or chunk_seconds is shorter than a sample.
        """
        sampling, distribution = Sampling(temperature, top_k, top_p), self.wavenet.distribution
        if not distribution.has_choice and (top_k, top_p) != (None, None):
            raise ValueError("top_k, top_p: expected None, because a Gaussian output has no codes; use temperature")
        check_seed(seed)
        check_at_least(1 / self.sample_rate, chunk_seconds=chunk_seconds)
        primed = np.zeros((1, 0)) if prime is None else checked_prime(prime, self.wavenet)
        framed = checked_frames(frames, self.wavenet)
        batch, n_primed = agreed_batch(count, primed, framed, categories), primed.shape[1]
        chosen = self.choose(batch, seed=seed, **categories)
        lengths = self._lengths(seconds, n_primed, framed, chosen, batch)
        with torch.inference_mode():
            bias = self.wavenet.bias(
                self.positions(chosen),
                None if framed is None else framed.expand(batch, -1, -1),
                batch=batch,
                time=n_primed + max(lengths),
                length=n_primed + torch.tensor(lengths, device=self.device),
            )
        return loop.generate(
            self._engine(),  # made anew each time, so that it has the weights of now
            distribution,
            bias,
            lengths=lengths,
            chunk=round(chunk_seconds * self.sample_rate),
            seed=seed,
            sampling=sampling,
            prime=np.broadcast_to(primed, (batch, n_primed)),
        )

    def frames_of(self, waveform: Tensor | np.ndarray, sample_rate: int) -> Tensor:
        """Make the local conditioning of a recording: a vocoder's mel spectrogram, an autoencoder's code.

        Args:
            waveform: (time,) or (channel, time), float in [-1, 1].
            sample_rate: Samples per second of the waveform; it is resampled to the generator's rate.

        Returns:
            (1, band, frame), for ``frames``.

        Raises:
            ValueError: This network has no local conditioning, or the waveform is not as described.
        """
        mono = audio.to_mono(np.atleast_2d(check_waveform(from_tensor(waveform))))
        audio.check_scale(mono)
        resampled = torch.from_numpy(audio.resample(mono, sample_rate, self.sample_rate)).to(self.device, torch.float32)
        if self._encode is None:
            raise ValueError("frames_of: expected a network with local conditioning, got one that takes no frames")
        with torch.inference_mode():
            return self._encode(resampled)

    @property
    def needs_frames(self) -> bool:
        """Whether the network generates from local conditioning."""
        return self.wavenet.local_bands > 0

    def expect(self, waveform: Tensor, *, frames: Tensor | None = None, **categories: Category) -> Tensor:
        """Return the probabilities of each sample of a sound, given those before it.

        Args:
            waveform: Whole clips (batch, time) in [-1, 1] at the generator's rate.
            frames: Local conditioning, as for `generate`.
            **categories: As for `generate`; what is left out is drawn with seed 0.

        Returns:
            (batch, time, 256): probabilities over the codes of mu-law.

        Raises:
            ValueError: As from `generate`.
        """
        samples = torch.from_numpy(checked_prime(waveform, self.wavenet)).to(self.device)
        conditions = self.positions(self.choose(len(samples), seed=0, **categories))
        with torch.inference_mode():
            outputs = self.wavenet(samples, conditions, checked_frames(frames, self.wavenet))
            return over_amplitudes(self.wavenet.distribution, outputs).cpu()

    def choose(self, count: int = 1, *, seed: int = 0, **categories: Category) -> dict[str, list[str]]:
        """Return the values of each stream's categories: those asked for, and those drawn for the rest.

        Args:
            count: Number of streams.
            seed: Number that decides what is drawn.
            **categories: As for `generate`.

        Returns:
            {name: a value for each stream}, which `generate` takes as categories.

        Raises:
            ValueError: A category or a value that this network does not know; the message lists those it knows.
        """
        if unknown := sorted(categories.keys() - self.categories.keys()):
            known = ", ".join(self.categories) or "no categories"
            raise ValueError(f"{unknown[0]}: expected one of {known}, got another category")
        chosen = {}
        for number, (name, values) in enumerate(self.categories.items()):
            asked = categories.get(name)
            if asked is None:
                drawn = [random_generator(seed, "category of a stream", stream, number) for stream in range(count)]
                asked = [values[int(each.integers(len(values)))] for each in drawn]
            names = [asked] if isinstance(asked, str) else list(asked)
            for value in names:
                check_one_of(values, name, value)
            chosen[name] = names * (count if len(names) == 1 else 1)
        return chosen

    def positions(self, chosen: Mapping[str, Sequence[str]]) -> dict[str, Tensor]:
        """Return the positions (batch,) of values in each category's, which `wavenet` takes as conditions."""
        return {
            name: torch.tensor([self.categories[name].index(value) for value in values], device=self.device)
            for name, values in chosen.items()
        }

    def _lengths(
        self, seconds: float | None, n_primed: int, frames: Tensor | None, chosen: Mapping[str, list[str]], batch: int
    ) -> list[int]:
        """Return the number of samples to make of each stream."""
        if seconds is not None:
            check_at_least(1 / self.sample_rate, MAX_SECONDS, seconds=seconds)
            return [round(seconds * self.sample_rate)] * batch
        if frames is not None:
            covered = frames.shape[2] * self.wavenet.hop_length
            check_that(covered > n_primed, "frames", f"frames of the prime's {n_primed} samples and of more", covered)
            return [covered - n_primed] * batch
        usual = self.bundle.clip_length
        if not self.wavenet.n_places:
            return [usual] * batch
        # A label that takes longer than others does so in every voice.
        shares = [
            [self.bundle.value_lengths.get(name, {}).get(value, usual) / usual for value in values]
            for name, values in chosen.items()
        ]
        return [max(round(usual * math.prod(stream)), 1) for stream in zip([1.0] * batch, *shares, strict=True)]
