"""How samples become frames: what all front-ends share."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from numbers import Integral
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audionet.registry import NamedArguments

PAD_MODES = ("reflect", "symmetric", "edge", "constant")
_FRAMES_AT_ONCE = 300  # so that intermediates stay in the CPU's cache, which is three times as fast

State = dict[str, Tensor]
Map = Callable[[Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class Framing:
    """Where frames lie: frame t sees the ``span`` samples from t * hop_length - left on.

    Attributes:
        span: Samples that a frame sees.
        hop_length: Samples from one frame to the next.
        left: Samples that are put before the clip.
        right: Samples that are put behind it.
        pad_mode: What is put there: "reflect", the clip mirrored at its first and last sample, "symmetric", mirrored
            with that sample twice, "edge", that sample alone, or "constant", zeros.
    """

    span: int
    hop_length: int
    left: int = 0
    right: int = 0
    pad_mode: str = "constant"

    @classmethod
    def centered(cls, span: int, *, hop_length: int, center: bool = True, pad_mode: str = "reflect") -> "Framing":
        """Return the framing whose frame t is centred on sample t * hop_length, or without ``center`` begins there."""
        half = span // 2 if center else 0
        return cls(span=span, hop_length=hop_length, left=half, right=half, pad_mode=pad_mode)

    def __post_init__(self) -> None:
        for name, length in (("hop_length", self.hop_length), ("frame length", self.span)):
            if not is_whole(length) or length < 1:
                raise ValueError(f"{name} = {length}: expected at least 1 sample, a whole number")
        if self.pad_mode not in PAD_MODES:
            raise ValueError(f"pad_mode = {self.pad_mode!r}: expected one of {', '.join(map(repr, PAD_MODES))}")

    @property
    def margin(self) -> int:
        """Samples at either end of a clip that its padding is made of."""
        if self.pad_mode == "constant" or not self.left + self.right:
            return 0
        return 1 if self.pad_mode == "edge" else max(self.left, self.right) + (self.pad_mode == "reflect")

    @property
    def shortest(self) -> int:
        """Samples that a clip needs at least."""
        return max(1, self.margin, self.span - self.left - self.right)

    @property
    def latency(self) -> int:
        """Samples behind t * hop_length that must have come before frame t is complete."""
        return self.span - self.left - 1

    def pad(self, waveform: Tensor) -> Tensor:
        """Check (..., time) and lengthen it to (..., left + time + right).

        Raises:
            ValueError: It is not float, not finite or too short.
        """
        check_waveform(waveform, self.shortest)
        return self.extend(waveform)

    def extend(self, waveform: Tensor) -> Tensor:
        """Lengthen (..., time) unseen."""
        if not self.left + self.right:
            return waveform
        time = waveform.shape[-1]
        if self.pad_mode in ("reflect", "symmetric"):  # in a third of the time that torch takes to reflect
            skipped = 1 if self.pad_mode == "reflect" else 0  # the sample that mirrors
            before = waveform[..., skipped : skipped + self.left].flip(-1)
            behind = waveform[..., time - skipped - self.right : time - skipped].flip(-1)
            return torch.cat([before, waveform, behind], -1)
        # Torch repeats the last sample only along the last of two or three axes.
        flat = waveform.reshape(1, math.prod(waveform.shape[:-1]), time)
        mode = "replicate" if self.pad_mode == "edge" else "constant"
        return F.pad(flat, (self.left, self.right), mode).view(*waveform.shape[:-1], self.left + time + self.right)


@dataclass(frozen=True, kw_only=True, eq=False)
class Axis:
    """What a picture says of a front-end's bands.

    Attributes:
        quantity: What is measured in them, with its unit.
        frequencies: Their centres in hertz, (band,); None where they are no frequencies.
        names: Their names, where they have some, such as pitch classes.
        band: What else a band is.
    """

    quantity: str = "value"
    frequencies: Tensor | None = None
    names: tuple[str, ...] = ()
    band: str = "band"


class FrontEnd(NamedArguments, nn.Module):
    """A front-end: (..., time) -> (..., band, frame), from samples in [-1, 1].

    A front-end defines `block`, a function of the samples of each frame alone, which `frames` maps over a padded
    waveform. What also looks at the frames around, such as a slope over time, is `across`. Both are pure functions, so
    a front-end can run on a stream as well (`audionet.features.Stream`).

    Attributes:
        framing: Where the frames lie.
        sample_rate: In hertz.
        n_bands: Bands of the output.
        is_complex: Whether the output is complex.
        lookahead: Frames that `across` waits for.
    """

    framing: Framing
    sample_rate: int
    n_bands: int
    is_complex: bool = False
    lookahead: int = 0

    def __call__(self, waveform: Any, *arguments: Any, **named: Any) -> Any:
        """Map a tensor to a tensor, and a NumPy array of any float type, without gradients, to a NumPy array.

        Autocasting is off inside: in 16 bits spectra have two digits.
        """
        if isinstance(waveform, Tensor) and torch.is_autocast_enabled(waveform.device.type):
            with torch.autocast(waveform.device.type, enabled=False):
                return super().__call__(waveform, *arguments, **named)
        if not isinstance(waveform, np.ndarray):
            return super().__call__(waveform, *arguments, **named)
        check_array(waveform)
        given = torch.from_numpy(np.array(waveform, order="C"))
        ours = next(chain(self.parameters(), self.buffers()), given)
        with torch.no_grad():
            return super().__call__(given.to(ours), *arguments, **named).cpu().numpy()

    def forward(self, waveform: Tensor) -> Tensor:
        """Map (..., time) to (..., band, frame)."""
        return self.across(self.frames(self.framing.pad(waveform)), {}, is_last=True)[0].mT

    def frames(self, waveform: Tensor) -> Tensor:
        """Map a padded waveform (..., time), at least one span long, to (..., frame, band).

        A front-end whose frames share work overrides this instead of `block`.
        """
        return map_frames(waveform, self.block, span=self.framing.span, hop_length=self.framing.hop_length)

    def block(self, frames: Tensor) -> Tensor:
        """Map frames (clip, frame, span) to (clip, frame, band), each by itself."""
        raise NotImplementedError

    def across(self, x: Tensor, state: State, *, is_last: bool) -> tuple[Tensor, State]:
        """Go over frames that follow each other.

        Args:
            x: (..., frame, band), the frames that come next.
            state: What the call before returned; empty before the first frame.
            is_last: Whether no frame follows.

        Returns:
            (..., frame, band), the frames that are ready, and the state for the next call.
        """
        return x, {}

    @property
    def needs_clip(self) -> str | None:
        """The setting that looks at the whole clip, so that there can be no stream; None for none."""
        return None

    @property
    def axis(self) -> Axis:
        """What the bands are, for pictures."""
        return Axis()

    @property
    def middle(self) -> int:
        """Samples from t * hop_length to the middle of what frame t looks at, where a periodic window is highest."""
        return self.framing.span // 2 - self.framing.left


def map_frames(waveform: Tensor, block: Map, *, span: int, hop_length: int, n_at_once: int = _FRAMES_AT_ONCE) -> Tensor:
    """Cut a waveform into frames and map them, as many at a time as the cache holds.

    Args:
        waveform: (..., time), padded.
        block: Maps frames (clip, frame, span) to (clip, frame, ...).
        span: Samples of a frame.
        hop_length: Samples from one frame to the next.
        n_at_once: Frames that are mapped at a time.

    Returns:
        (..., frame, ...), whatever the block makes of a frame.
    """

    def cut(part: Tensor) -> Tensor:
        return block(part.unfold(-1, span, hop_length))

    return map_parts(waveform, cut, span=span, hop_length=hop_length, n_at_once=n_at_once)


def map_parts(waveform: Tensor, function: Map, *, span: int, hop_length: int, n_at_once: int) -> Tensor:
    """Map a waveform by parts of at most ``n_at_once`` frames, so that intermediates stay in the CPU's cache.

    Args:
        waveform: (..., time), padded.
        function: Maps (clip, time) to (clip, frame, ...).
        span: Samples of a frame.
        hop_length: Samples from one frame to the next.
        n_at_once: Frames that are mapped at a time.

    Returns:
        (..., frame, ...), the same as the function returns for the whole waveform.
    """
    clips = waveform.reshape(-1, waveform.shape[-1])
    n_frames = (clips.shape[-1] - span) // hop_length + 1
    if torch.compiler.is_compiling() or clips.device.type != "cpu" or len(clips) * n_frames <= n_at_once:
        mapped = function(clips)
    elif n_frames <= n_at_once:
        mapped = torch.cat([function(part) for part in clips.split(n_at_once // n_frames)])
    else:
        starts = range(0, n_frames * hop_length, n_at_once * hop_length)
        length = (n_at_once - 1) * hop_length + span
        mapped = torch.stack(
            [torch.cat([function(clip[None, start : start + length])[0] for start in starts]) for clip in clips]
        )
    return mapped.reshape(*waveform.shape[:-1], *mapped.shape[1:])


def check_waveform(waveform: Tensor, n_samples: int = 1, *, name: str = "waveform") -> None:
    """Raise a ValueError that begins with ``name`` unless this is float, finite, and ``n_samples`` long.

    Whether it is finite is looked at on the CPU only: a GPU would have to be waited for.
    """
    if not waveform.is_floating_point():
        raise ValueError(
            f"{name} is {waveform.dtype}: front-ends take float samples in [-1, 1]; "
            "divide 16-bit integers by 32768.0 first"
        )
    if waveform.ndim == 0 or waveform.shape[-1] < n_samples:
        raise ValueError(
            f"{name} has shape {tuple(waveform.shape)}: its last axis (time) needs at least {n_samples} samples; "
            "pad it with audionet.audio.fit"
        )
    if torch.compiler.is_compiling() or waveform.device.type != "cpu":
        return
    if n_samples and not waveform.numel():
        raise ValueError(f"{name} has shape {tuple(waveform.shape)}: there is no clip in it")
    # The sum says it in a fraction of the time; one that overflows says nothing.
    if not waveform.detach().sum().isfinite() and not (finite := waveform.isfinite()).all():
        place = tuple((~finite).nonzero()[0].tolist())
        raise ValueError(f"{name} is {waveform[place].item()} at {place}: expected finite samples; mend or drop it")


def is_whole(number: Any) -> bool:
    """Say whether this is an int, of Python or NumPy."""
    return isinstance(number, Integral)


def check_dtype(waveform: Tensor, ours: torch.dtype) -> None:
    """Raise a ValueError unless ``waveform`` is of the front-end's own float type."""
    if waveform.dtype != ours and waveform.dtype.itemsize < 4:
        raise ValueError(f"waveform is {waveform.dtype}, too short for spectra: convert it, with waveform.to({ours})")
    if waveform.dtype != ours:
        raise ValueError(
            f"waveform is {waveform.dtype}, the front-end {ours}: "
            f"convert one, with waveform.to({ours}) or front_end.to({waveform.dtype})"
        )


def check_array(waveform: Any) -> None:
    """Raise a ValueError unless this is an array of finite floats."""
    if not isinstance(waveform, np.ndarray) or waveform.dtype.kind != "f":
        got = waveform.dtype if isinstance(waveform, np.ndarray) else f"a {type(waveform).__name__}"
        raise ValueError(
            f"waveform is {got}: front-ends take float samples in [-1, 1]; divide 16-bit integers by 32768.0 first"
        )
    check_waveform(torch.from_numpy(np.array(waveform, order="C")), 0)


def format_settings(**values: object) -> str:
    """Return settings as front-ends print them: "n_fft=512, hop_length=160"."""
    return ", ".join(f"{name}={value!r}" for name, value in values.items())
