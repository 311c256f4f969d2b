"""New sound from a trained WaveNet."""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch import Tensor

from audionet import audio
from audionet.bundle import Bundle
from audionet.inference.devices import usable
from audionet.models import WaveNet, WaveNetAutoencoder
from audionet.models.wavenet.distributions import N_UNIFORMS, over_amplitudes

MAX_SECONDS = 3600.0
MAX_BATCH = 1024
TEMPERATURES = (0.01, 10.0)
PRECISIONS = ("float32", "bfloat16", "int8")

_CHUNK_SECONDS = 0.05  # made at a time, unless told otherwise: what one waits for a key press to take effect
_BLOCK = 256  # samples whose conditioning is laid out at a time, where it changes: some MB a stream

Category = str | Sequence[str]


class Engine(Protocol):
    """A way to compute samples: `Kernel` or `Stepwise` of `audionet.inference.wavenet`."""

    def start(self, batch: int) -> Any:
        """Return the state before the first sample."""
        ...

    def run(
        self,
        state: Any,
        *,
        bias: np.ndarray,
        uniforms: np.ndarray,
        temperature: float,
        top_k: int | None,
        top_p: float | None,
        forced: np.ndarray | None = None,
        outputs: np.ndarray | None = None,
    ) -> np.ndarray:
        """Make samples and move the state on."""
        ...


class Generator:
    """Makes sound with the WaveNet of a bundle.

    The same arguments give the same samples, whether whole or in a stream of chunks, alone or in a batch: stream i
    draws its random numbers from (seed, i).

    Args:
        bundle: Of the task "generation".
        device: Where to compute. On the CPU the compiled kernel does it, elsewhere torch, on CUDA by graphs.
        precision: How the kernel keeps the weights: "float32", or smaller and faster "bfloat16" or "int8".

    Raises:
        ValueError: The device is not usable here, or there is no such precision.

    Attributes:
        bundle: The network and its description.
        sample_rate: In Hz.
        categories: What it can be conditioned on, {name: values}.
        wavenet: The network that generates; of an autoencoder, its decoder.

    Example:
        >>> import audionet
        >>> generator = audionet.load("digits", task="generation")  # doctest: +SKIP
        >>> generator.generate(label="seven", speaker="jackson", seed=0).shape  # doctest: +SKIP
        torch.Size([1, 9600])
    """

    def __init__(self, bundle: Bundle, device: str | torch.device = "cpu", *, precision: str = "float32") -> None:
        if precision not in PRECISIONS:
            raise ValueError(f"precision: expected one of {', '.join(PRECISIONS)}; got {precision!r}")
        self.bundle, self.device = bundle, usable(device)
        self.sample_rate = bundle.sample_rate
        model = bundle.model.module.to(self.device)
        self._features = None if bundle.front_end is None else bundle.front_end.module.to(self.device)
        self._autoencoder = model if isinstance(model, WaveNetAutoencoder) else None
        self.wavenet = cast(WaveNet, model if self._autoencoder is None else self._autoencoder.decoder)
        self.categories = self.wavenet.categories
        self._engine: Callable[[], Engine]
        # Imported now, not by the first sample: numba takes half a second.
        if self.device.type == "cpu":
            from audionet.inference.wavenet.kernel import Kernel

            self._engine = partial(Kernel, self.wavenet, precision=precision)
        else:
            from audionet.inference.wavenet.stepwise import Stepwise

            self._engine = partial(Stepwise, self.wavenet)

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
            seconds: How long; None: as the clips it was trained on mostly are, or as the frames last. A network that is
                told the place in the clip ends what it says there, and by default takes the time that is usual for each
                stream's categories; a stream that ends before the longest is filled with silence.
            count: How many, if neither categories, prime nor frames say so by their number.
            temperature: Below 1 the probable becomes more probable, above 1 less; 0.01 to 10.
            top_k: Draw from the k most probable codes or components only; None: from all.
            top_p: Draw from the most probable codes or components that together reach this probability only.
            seed: Decides everything that is drawn.
            prime: Sound to go on from, (time,) or (batch, time) in [-1, 1] at the generator's rate; not in the result.
            frames: Local conditioning, (batch, band, frame) or (band, frame), as `frames_of` makes it.
            **categories: A value for each category, or one a stream, such as label="seven"; one that is left out is
                drawn.

        Returns:
            (batch, time) float32 in [-1, 1].

        Raises:
            ValueError: A category, length, number or shape is not as described; the message says the range.
        """
        chunks = self.stream(
            seconds,
            count=count,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            seed=seed,
            prime=prime,
            frames=frames,
            **cast(dict[str, Any], categories),
        )
        return torch.cat(list(chunks), 1)

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

        Args:
            seconds: As for `generate`, like the others.
            chunk_seconds: Length of a piece.
            count: See there.
            temperature: See there.
            top_k: See there.
            top_p: See there.
            seed: See there.
            prime: See there.
            frames: See there.
            **categories: See there.

        Returns:
            An iterator over pieces (batch, n) float32. What is wrong with the arguments is said at once.

        Raises:
            ValueError: See there.
        """
        _check_sampling(temperature, top_k, top_p, has_choice=self.wavenet.distribution.has_choice)
        if not isinstance(seed, int) or seed < 0:
            raise ValueError(f"seed: expected a whole number from 0 on, got {seed!r}")
        primed = None if prime is None else self._checked_prime(prime)
        framed = self._checked_frames(frames)
        batch = self._batch(count, primed, framed, categories)
        chunk = round(chunk_seconds * self.sample_rate)
        if chunk < 1:
            raise ValueError(
                f"chunk_seconds: expected at least one sample, {1 / self.sample_rate:g}; got {chunk_seconds}"
            )
        chosen = self.choose(batch, seed=seed, **cast(dict[str, Any], categories))
        conditions, lengths = self.positions(chosen), self._lengths(seconds, primed, framed, chosen, batch)
        if primed is not None:
            primed = np.broadcast_to(primed, (batch, primed.shape[1]))
        if framed is not None:
            framed = framed.expand(batch, -1, -1)
            if framed.shape[2] * self.wavenet.hop_length < max(lengths) + (0 if primed is None else primed.shape[1]):
                raise ValueError(f"frames: {framed.shape[2]} frames do not cover {max(lengths)} samples")
        return self._pieces(lengths, chunk, conditions, batch, primed, framed, seed, temperature, top_k, top_p)

    def frames_of(self, waveform: Tensor | np.ndarray, sample_rate: int) -> Tensor:
        """Make the local conditioning of a recording: a vocoder's mel spectrogram, an autoencoder's code.

        Args:
            waveform: (time,) or (channel, time), float in [-1, 1].
            sample_rate: Of the waveform, in Hz; it is resampled to the generator's.

        Returns:
            (1, band, frame), for ``frames``.

        Raises:
            ValueError: This network has no local conditioning, or the waveform is not as described.
        """
        samples = np.asarray(waveform)  # as it comes: integers are refused, not taken for full scale
        mono = audio.to_mono(samples[None] if samples.ndim == 1 else samples)
        resampled = torch.from_numpy(audio.resample(mono, sample_rate, self.sample_rate)).to(self.device, torch.float32)
        with torch.inference_mode():
            if self._features is not None:
                return self._features(resampled)
            if self._autoencoder is not None:
                return self._autoencoder.encode(resampled)
        raise ValueError("this network is not conditioned on a recording; it takes no frames")

    @property
    def needs_frames(self) -> bool:
        """Whether it generates from local conditioning."""
        return self.wavenet.local_bands > 0

    def expect(self, waveform: Tensor, *, frames: Tensor | None = None, **categories: Category) -> Tensor:
        """Say what it expects of each sample of a sound from those before it.

        Args:
            waveform: Whole clips (batch, time) in [-1, 1] at the generator's rate.
            frames: Local conditioning, as for `generate`.
            **categories: As for `generate`; what is left out is drawn by the seed 0.

        Returns:
            (batch, time, 256): probabilities over the codes of mu-law.

        Raises:
            ValueError: As for `generate`.
        """
        samples = torch.from_numpy(self._checked_prime(waveform)).to(self.device)
        conditions = self.positions(self.choose(len(samples), **cast(dict[str, Any], categories)))
        with torch.inference_mode():
            outputs = self.wavenet(samples, conditions, self._checked_frames(frames))
            return over_amplitudes(self.wavenet.distribution, outputs).cpu()

    # ---- one generation ----------------------------------------------------------------------------------------

    def _pieces(
        self,
        lengths: list[int],
        chunk: int,
        conditions: dict[str, Tensor],
        batch: int,
        prime: np.ndarray | None,
        frames: Tensor | None,
        seed: int,
        temperature: float,
        top_k: int | None,
        top_p: float | None,
    ) -> Iterator[Tensor]:
        engine = self._engine()  # made anew each time, so that it has the weights of now
        state = engine.start(batch)
        generators = [np.random.default_rng((seed, stream)) for stream in range(batch)]
        model, n_primed = self.wavenet, 0 if prime is None else prime.shape[1]
        ends = n_primed + torch.tensor(lengths)
        total = int(ends.max())
        with torch.inference_mode():
            start = torch.zeros(batch, dtype=torch.int64, device=self.device)
            places = model.places_from(start, total, ends.to(self.device))
            bias = model.global_bias(conditions, batch, places).view(batch, -1, *model.gate_bias.shape)
            local = model.local_signal(frames, total)

        def run(first: int, last: int) -> np.ndarray:
            biases = bias
            with torch.inference_mode():
                if places is not None:
                    biases = biases[:, torch.arange(first, last, device=self.device) // model.place_length]
                if local is not None:
                    biases = biases + model.local_bias(local[:, first:last])
            return engine.run(
                state,
                bias=biases.detach().float().cpu().numpy(),
                uniforms=np.stack([generator.random((last - first, N_UNIFORMS)) for generator in generators]),
                temperature=temperature,
                top_k=top_k,
                top_p=top_p,
                forced=None if prime is None else prime[:, first:last],
            )

        block = chunk if places is None and local is None else _BLOCK
        for first in range(0, n_primed, block):
            run(first, min(first + block, n_primed))
        for first in range(n_primed, total, chunk):
            last = min(first + chunk, total)
            parts = [run(start, min(start + block, last)) for start in range(first, last, block)]
            waveform = model.distribution.to_waveform(torch.from_numpy(np.concatenate(parts, 1)))
            yield waveform.masked_fill(torch.arange(first, last) >= ends[:, None], 0)

    # ---- what is asked for ---------------------------------------------------------------------------------------

    def choose(self, count: int = 1, *, seed: int = 0, **categories: Category) -> dict[str, list[str]]:
        """Say what each stream is conditioned on: what is asked for, and what is drawn for the rest.

        Args:
            count: Number of streams.
            seed: Decides what is drawn.
            **categories: As for `generate`.

        Returns:
            {name: a value for each stream}, which `generate` takes as categories.

        Raises:
            ValueError: A category or a value that this network does not know; the message lists those it knows.
        """
        self._check_known(categories)
        chosen = {}
        for number, (name, values) in enumerate(self.categories.items()):
            asked = categories.get(name)
            if asked is None:
                draws = [np.random.default_rng((seed, stream, number)) for stream in range(count)]
                chosen[name] = [values[draw.integers(len(values))] for draw in draws]
            else:
                names = [asked] if isinstance(asked, str) else list(asked)
                if unknown := [value for value in names if value not in values]:
                    raise ValueError(f"{name}: {unknown[0]!r} is not among those it knows: {', '.join(values)}")
                chosen[name] = names * (count if len(names) == 1 else 1)
        return chosen

    def positions(self, chosen: dict[str, list[str]]) -> dict[str, Tensor]:
        """Return the positions (batch,) of values in each category's, which `wavenet` takes as conditions."""
        return {
            name: torch.tensor([self.categories[name].index(value) for value in values], device=self.device)
            for name, values in chosen.items()
        }

    def _check_known(self, categories: dict[str, Category]) -> None:
        if unknown := categories.keys() - self.categories.keys():
            known = ", ".join(self.categories) or "nothing: it has no categories"
            raise ValueError(f"{sorted(unknown)[0]}: this network is conditioned on {known}")

    def _batch(
        self, count: int, prime: np.ndarray | None, frames: Tensor | None, categories: dict[str, Category]
    ) -> int:
        """How many streams, as all that says so agree."""
        self._check_known(categories)
        sizes = {"count": count}
        sizes |= {name: len(values) for name, values in categories.items() if not isinstance(values, str)}
        sizes |= {"prime": 1 if prime is None else len(prime), "frames": 1 if frames is None else len(frames)}
        if not all(1 <= size <= MAX_BATCH for size in sizes.values()):
            raise ValueError(f"count: expected 1 to {MAX_BATCH} at a time, got {sizes}")
        if len(set(sizes.values()) - {1}) > 1:
            raise ValueError(f"the numbers of streams do not agree: {sizes}")
        return max(sizes.values())

    def _lengths(
        self,
        seconds: float | None,
        prime: np.ndarray | None,
        frames: Tensor | None,
        chosen: dict[str, list[str]],
        batch: int,
    ) -> list[int]:
        """Samples to make of each stream."""
        if seconds is not None:
            if not 1 / self.sample_rate <= seconds <= MAX_SECONDS:
                raise ValueError(f"seconds: expected {1 / self.sample_rate:g} to {MAX_SECONDS:g}, got {seconds!r}")
            return [round(seconds * self.sample_rate)] * batch
        usual = self.bundle.clip_length
        if frames is None and not self.wavenet.n_places:
            return [usual] * batch
        if frames is None:
            # A label that takes longer than others does so in every voice.
            shares = [
                [self.bundle.value_lengths.get(name, {}).get(value, usual) / usual for value in values]
                for name, values in chosen.items()
            ]
            return [max(round(usual * math.prod(stream)), 1) for stream in zip([1.0] * batch, *shares, strict=True)]
        n_primed = 0 if prime is None else prime.shape[1]
        if (covered := frames.shape[2] * self.wavenet.hop_length - n_primed) < 1:
            raise ValueError(
                f"frames: they end within the {n_primed} samples of the prime; give those of what follows too"
            )
        return [covered] * batch

    def _checked_prime(self, prime: Tensor | np.ndarray) -> np.ndarray:
        """The prime (batch, time) as samples."""
        waveform = torch.as_tensor(prime)
        waveform = waveform[None] if waveform.ndim == 1 else waveform
        if waveform.ndim != 2 or waveform.shape[1] == 0 or not waveform.is_floating_point():
            raise ValueError(
                "prime: expected a float waveform (time,) or (batch, time) in [-1, 1], "
                f"got {tuple(waveform.shape)} {waveform.dtype}"
            )
        if not waveform.abs().max() <= 1:  # also where NaN
            raise ValueError("prime: expected samples in [-1, 1], got larger ones or NaN")
        return self.wavenet.distribution.from_waveform(waveform.cpu()).numpy()

    def _checked_frames(self, frames: Tensor | None) -> Tensor | None:
        """The frames (batch, band, frame) on the device."""
        bands = self.wavenet.local_bands
        if frames is None:
            if bands:
                raise ValueError(
                    f"frames: this network needs {bands} bands at a hop of {self.wavenet.hop_length} samples; "
                    "frames_of(waveform, sample_rate) makes them of a recording"
                )
            return None
        if not bands:
            raise ValueError("frames: this network has no local conditioning and takes no frames")
        frames = torch.as_tensor(frames, dtype=torch.float32)
        frames = frames[None] if frames.ndim == 2 else frames
        if frames.ndim != 3 or frames.shape[1] != bands or frames.shape[2] == 0:
            raise ValueError(
                f"frames: expected (batch, {bands} bands, frame) at a hop of {self.wavenet.hop_length} samples, "
                f"got {tuple(frames.shape)}"
            )
        if not frames.isfinite().all():
            raise ValueError("frames: expected finite numbers, got NaN or infinite ones")
        return frames.to(self.device)


def _check_sampling(temperature: float, top_k: int | None, top_p: float | None, *, has_choice: bool) -> None:
    low, high = TEMPERATURES
    if not low <= temperature <= high:
        raise ValueError(f"temperature: expected {low:g} to {high:g}, got {temperature!r}")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k: expected at least 1, or None for all, got {top_k!r}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p: expected more than 0 and at most 1, got {top_p!r}")
    if not has_choice and (top_k, top_p) != (None, None):
        raise ValueError("top_k and top_p: a Gaussian output has no codes to choose from; use temperature")
