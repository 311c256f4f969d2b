"""How samples become frames: the base of all front-ends."""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import overload

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audionet.features.checks import check_array, check_choice, check_waveform, is_whole
from audionet.registry import NamedArguments

PAD_MODES = ("reflect", "symmetric", "edge", "constant")
_FRAMES_AT_ONCE = 300  # so that intermediates stay in the CPU's cache, which is three times as fast

State = dict[str, Tensor]
Map = Callable[[Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class Framing:
    """The places of frames: frame t sees the ``span`` samples from t * hop_length - left on.

    Attributes:
        span: Samples that a frame sees.
        hop_length: Samples from one frame to the next.
        left: Samples of padding before the clip.
        right: Samples of padding behind the clip.
        pad_mode: Values of the padding: "reflect" mirrors the clip at its first and its last sample, "symmetric" does
            so with that sample twice, "edge" repeats that sample, "constant" is zeros.
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
                raise ValueError(f"{name}: expected a whole number of samples, at least 1, got {length}")
        check_choice("pad_mode", self.pad_mode, PAD_MODES)

    @property
    def margin(self) -> int:
        """Samples at either end of a clip from which its padding is made."""
        if self.pad_mode == "constant" or not self.left + self.right:
            return 0
        return 1 if self.pad_mode == "edge" else max(self.left, self.right) + (self.pad_mode == "reflect")

    @property
    def shortest(self) -> int:
        """Samples of the shortest clip that can be padded and holds a frame."""
        return max(1, self.margin, self.span - self.left - self.right)

    @property
    def latency(self) -> int:
        """Samples behind t * hop_length that frame t waits for."""
        return self.span - self.left - 1

    def pad(self, waveform: Tensor) -> Tensor:
        """Check a waveform (..., time) and pad it to (..., left + time + right).

        Raises:
            ValueError: It is not float, not finite or too short.
        """
        check_waveform(waveform, self.shortest)
        return self.extend(waveform)

    def extend(self, waveform: Tensor) -> Tensor:
        """Pad a waveform (..., time) without a check."""
        if not self.left + self.right:
            return waveform
        time = waveform.shape[-1]
        if self.pad_mode in ("reflect", "symmetric"):  # takes a third of the time of torch's own reflection
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
        quantity: The measured quantity, with its unit.
        frequencies: Centres of the bands in hertz, (band,); None where bands are no frequencies.
        names: Names of the bands, where they have some, such as pitch classes.
        band: The word for a band.
    """

    quantity: str = "value"
    frequencies: Tensor | None = None
    names: tuple[str, ...] = ()
    band: str = "band"


class FrontEnd(NamedArguments, nn.Module):
    """A front-end: (..., time) -> (..., band, frame), from samples in [-1, 1].

    A front-end defines `block`, a function of the samples of each frame alone, which `frames` maps over a padded
    waveform. `across` computes what needs neighbouring frames, such as a slope over time. Both are pure functions, so
    that a front-end can also run on a stream (`audionet.features.Stream`).

    Attributes:
        framing: The places of the frames.
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

    @overload
    def __call__(self, waveform: Tensor) -> Tensor: ...

    @overload
    def __call__(self, waveform: np.ndarray) -> np.ndarray: ...

    def __call__(self, waveform: Tensor | np.ndarray) -> Tensor | np.ndarray:
        """Map (..., time) to (..., band, frame), a tensor to a tensor, a NumPy array to a NumPy array.

        An array may be of any float type and is computed without gradients. Autocasting is off inside, because spectra
        in 16 bits have two digits.

        Raises:
            ValueError: The waveform is not float, not finite or too short.
        """
        if isinstance(waveform, np.ndarray):
            with torch.no_grad():
                return self(self.to_tensor(waveform)).cpu().numpy()
        if torch.is_autocast_enabled(waveform.device.type):
            with torch.autocast(waveform.device.type, enabled=False):
                return self(waveform)
        made: Tensor = super().__call__(waveform)
        return made

    def to_tensor(self, waveform: object) -> Tensor:
        """Return a NumPy array as a tensor of the front-end's device and float type.

        Raises:
            ValueError: It is not an array of finite floats.
        """
        given = check_array(waveform)
        return given.to(next(chain(self.parameters(), self.buffers()), given))

    def forward(self, waveform: Tensor) -> Tensor:
        """Map (..., time) to (..., band, frame)."""
        return self.across(self.frames(self.framing.pad(waveform)), {}, is_last=True)[0].mT

    def frames(self, waveform: Tensor) -> Tensor:
        """Map a padded waveform (..., time), at least one span long, to (..., frame, band).

        A front-end whose frames share work overrides this instead of `block`.
        """
        return map_frames(waveform, self.block, span=self.framing.span, hop_length=self.framing.hop_length)

    def block(self, frames: Tensor) -> Tensor:
        """Map frames (..., frame, span) to (..., frame, band), each by itself."""
        raise NotImplementedError

    def across(self, x: Tensor, state: State, *, is_last: bool) -> tuple[Tensor, State]:
        """Map frames that follow each other to the output.

        Args:
            x: (..., frame, band), the next frames.
            state: The state that the call before returned; empty before the first frame.
            is_last: Whether no frame follows.

        Returns:
            (..., frame, band), the frames that are ready, and the state for the next call.
        """
        return x, {}

    @property
    def needs_clip(self) -> str | None:
        """The setting that needs the whole clip, which rules out a stream; None for none."""
        return None

    @property
    def axis(self) -> Axis:
        """The bands, as pictures name them."""
        return Axis()

    @property
    def middle(self) -> int:
        """Samples from t * hop_length to the middle of frame t, where a periodic window is highest."""
        return self.framing.span // 2 - self.framing.left

    def extra_repr(self) -> str:
        """Return the arguments of the constructor that are plain values, as far as they are kept."""
        names = inspect.signature(type(self)).parameters
        kept = {name: getattr(self, name, getattr(self.framing, name, self)) for name in names}
        return format_settings(**{n: value for n, value in kept.items() if isinstance(value, int | float | str | None)})


def map_frames(waveform: Tensor, block: Map, *, span: int, hop_length: int, n_at_once: int = _FRAMES_AT_ONCE) -> Tensor:
    """Cut a waveform into frames and map them, as many at a time as the cache holds.

    Args:
        waveform: (..., time), padded.
        block: Maps frames (clip, frame, span) to (clip, frame, ...).
        span: Samples of a frame.
        hop_length: Samples from one frame to the next.
        n_at_once: Frames that are mapped at a time.

    Returns:
        (..., frame, ...), with the trailing axes of ``block``.
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
        (..., frame, ...), as the function returns for the whole waveform.
    """
    clips = waveform.reshape(-1, waveform.shape[-1])
    n_frames = (clips.shape[-1] - span) // hop_length + 1
    if torch.compiler.is_compiling() or clips.device.type != "cpu" or len(clips) * n_frames <= n_at_once:
        mapped = function(clips)
    elif n_frames <= n_at_once:
        mapped = torch.cat([function(part) for part in torch.split(clips, n_at_once // n_frames)])
    else:
        starts = range(0, n_frames * hop_length, n_at_once * hop_length)
        length = (n_at_once - 1) * hop_length + span
        mapped = torch.stack(
            [torch.cat([function(clip[None, start : start + length])[0] for start in starts]) for clip in clips]
        )
    return mapped.reshape(*waveform.shape[:-1], *mapped.shape[1:])


def format_settings(**values: object) -> str:
    """Return settings as front-ends print them: "n_fft=512, hop_length=160"."""
    return ", ".join(f"{name}={value!r}" for name, value in values.items())


def name_power(power: float | None) -> str:
    """Return the quantity that |X|**power is; pictures of complex numbers show their magnitude."""
    return "power" if power == 2 else "magnitude" if power in (1, None) else f"magnitude^{power}"
