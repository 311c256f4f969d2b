"""How samples become frames: the base of all front-ends."""

import inspect
import math
from dataclasses import dataclass
from itertools import chain
from numbers import Integral
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audionet.audio.waveform import as_array
from audionet.checks import check_one_of, check_that
from audionet.features.functional import map_frames
from audionet.registry import NamedArguments

PAD_MODES = ("reflect", "symmetric", "edge", "constant")

State = dict[str, Tensor]


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
            fits = isinstance(length, Integral) and length >= 1
            check_that(fits, name, "a whole number of samples, at least 1", length)
        check_one_of(PAD_MODES, "pad_mode", self.pad_mode)

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
    def __call__(self, waveform: np.ndarray | list[Any]) -> np.ndarray: ...

    def __call__(self, waveform: Tensor | np.ndarray | list[Any]) -> Tensor | np.ndarray:
        """Map (..., time) to (..., band, frame), a tensor to a tensor, a NumPy array or a list to a NumPy array.

        An array may be of any float type and byte order and is computed without gradients. Autocasting is off inside,
        because spectra in 16 bits have two digits.

        Raises:
            ValueError: The waveform is not float, not finite or too short.
        """
        if not isinstance(waveform, Tensor):
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
        return self.across(self.frames(self.framing.pad(waveform)), {}, is_last=True)[0].transpose(-1, -2)

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


def format_settings(**values: object) -> str:
    """Return settings as front-ends print them: "n_fft=512, hop_length=160"."""
    return ", ".join(f"{name}={value!r}" for name, value in values.items())


def name_power(power: float | None) -> str:
    """Return the quantity that |X|**power is; pictures of complex numbers show their magnitude."""
    return "power" if power == 2 else "magnitude" if power in (1, None) else f"magnitude^{power}"


def check_waveform(waveform: Tensor, n_samples: int = 1, *, name: str = "waveform") -> None:
    """Raise a ValueError that begins with ``name`` unless this is float, finite, and ``n_samples`` long.

    Finiteness is checked on the CPU only, because it would have to wait for a GPU.
    """
    if not waveform.is_floating_point():
        raise _not_float(name, waveform.dtype)
    if waveform.ndim == 0 or waveform.shape[-1] < n_samples:
        raise ValueError(
            f"{name}: expected at least {n_samples} samples along the last axis (time), got shape "
            f"{tuple(waveform.shape)}; pad it with audionet.audio.fit"
        )
    if torch.compiler.is_compiling() or waveform.device.type != "cpu":
        return
    if n_samples and not waveform.numel():
        raise ValueError(f"{name}: expected at least one clip, got shape {tuple(waveform.shape)}")
    # The sum tells it in a fraction of the time, unless it overflows.
    if not waveform.detach().sum().isfinite() and not (finite := waveform.isfinite()).all():
        place = tuple((~finite).nonzero()[0].tolist())
        raise ValueError(
            f"{name}: expected finite samples, got {waveform[place].item()} at {place}; repair the clip or drop it"
        )


def check_array(waveform: object) -> Tensor:
    """Return a NumPy array, or a list of floats or of clips of one length, as a tensor.

    Raises:
        ValueError: It does not hold finite floats.
    """
    array = as_array(waveform)
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
        raise _not_float("waveform", array.dtype if isinstance(array, np.ndarray) else type(array).__name__)
    given = torch.from_numpy(np.array(array, order="C"))  # a copy, as a tensor cannot be of what is read only
    check_waveform(given, 0)
    return given


def _not_float(name: str, got: object) -> ValueError:
    advice = "divide 16-bit integers by 32768.0 first, read a file with audionet.load_audio"
    return ValueError(f"{name}: expected float samples in [-1, 1], got {got}; {advice}")
