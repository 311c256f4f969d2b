"""What one output of each layer sees of the spectrogram, measured on the network itself.

The spectrogram becomes NaN up to some frame, or from some frame on, and so does whatever depends on it. This holds for
any network, without knowing how its layers are connected. What a layer sees is what any of its channels sees, so that
convolutions need not tell their channels apart.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from audionet.checks import check_that
from audionet.models import trace
from audionet.models.contract import stages_of

FIRST_FRAMES, MOST_FRAMES = 64, 2048  # what is tried
CHUNK = 8  # clips that go through the network at once


class _Reach(TorchDispatchMode):
    """Convolutions that tell only what is NaN, of all channels together, and so cost what those of one channel do."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run an operation; a convolution with a kernel of ones on whether any channel is NaN."""
        if func is not torch.ops.aten.convolution.default or args[6]:
            return func(*args, **(kwargs or {}))
        x, weight, _, *geometry = args
        hidden = x.isnan().any(1, keepdim=True).to(x.dtype)
        kernel = torch.ones_like(weight[:1, :1])
        hit = func(hidden, kernel, None, *geometry[:-1], 1) > 0  # the last is the number of groups
        output = torch.zeros_like(hit, dtype=x.dtype).masked_fill(hit, math.nan)
        return output.expand(-1, len(weight), *hit.shape[2:]).contiguous()


class ReceptiveField(NamedTuple):
    """What one output sees of the spectrogram.

    Attributes:
        bands: Bands that it depends on, at most those that there are.
        frames: Frames that it depends on; None where it sees the whole clip, or more than 2048 frames.
        stride: Frames from one output to the next; None where there is one for the clip.
    """

    bands: int
    frames: int | None
    stride: int | None


def receptive_field(network: nn.Module) -> ReceptiveField:
    """Return what the deepest outputs of a recogniser see that do not see the whole clip.

    Args:
        network: Network with ``n_bands``, that maps (batch, in_channels, n_bands, frame).

    Raises:
        ValueError: The network takes waveforms.

    Example:
        >>> receptive_field(audionet.models.create("tcresnet", n_classes=12))
        ReceptiveField(bands=40, frames=171, stride=8)
    """
    names = {module: name for name, module in network.named_modules()}
    fields = [*receptive_fields(network, [names[stage] for stage in stages_of(network).values()]).values()]
    return next((field for field in reversed(fields) if field.frames is not None), fields[-1])


def receptive_fields(network: nn.Module, names: Iterable[str]) -> dict[str, ReceptiveField]:
    """Return what one output of each of a recogniser's modules sees of the spectrogram.

    Args:
        network: Network with ``n_bands``, that maps (batch, in_channels, n_bands, frame).
        names: Names of its modules.

    Raises:
        ValueError: The network takes waveforms, whose samples it may turn into codes.

    Example:
        >>> receptive_fields(audionet.models.create("tcresnet", n_classes=12), ["stem"])
        {'stem': ReceptiveField(bands=40, frames=3, stride=1)}
    """
    n_bands = getattr(network, "n_bands", 1)
    check_that(n_bands > 1, "network", "one on spectrograms", "one on waveforms", "a WaveNet says its receptive_field")
    network = trace.plain(network)
    axes = trace.find_axes(trace.skeleton(network), names)
    n_frames, local = _long_enough(network, axes)
    frames = _frames(network, {name: axes[name] for name in local}, n_frames)
    bands = _bands(network, axes)
    return {name: ReceptiveField(bands[name], frames.get(name), axis.stride or None) for name, axis in axes.items()}


def _long_enough(network: nn.Module, axes: Mapping[str, trace.Axes]) -> tuple[int, list[str]]:
    """Return a number of frames in whose middle no output sees an end, and the modules with such outputs."""
    n_frames, found, longest = FIRST_FRAMES, list[str](), FIRST_FRAMES
    while True:
        before = _reached(network, axes, n_frames, [n_frames // 2], until=True)
        after = _reached(network, axes, n_frames, [n_frames // 2], until=False)
        inside = [
            name
            for name in axes
            if before[name].shape[1] > 2
            and 0 < before[name].sum() < before[name].shape[1]
            and 0 < after[name].sum() < after[name].shape[1]
        ]
        if len(inside) > len(found):
            found = inside
            # From the first output that sees the second half to the last one that sees the first: a field and a stride.
            spans = [(int(before[name].sum() + after[name].sum()) - before[name].shape[1], name) for name in found]
            longest = max((span + 2) * axes[name].stride for span, name in spans)
        if n_frames >= MOST_FRAMES or len(found) == sum(axis.frame is not None for axis in axes.values()):
            return max(FIRST_FRAMES, 2 * longest), found
        n_frames *= 2


def _frames(network: nn.Module, axes: Mapping[str, trace.Axes], n_frames: int) -> dict[str, int]:
    """Return how many frames one output of each module depends on."""
    if not axes:
        return {}
    # While the border moves by a stride, each module has one output whose first, and one whose last input it passes.
    places = [n_frames // 2 + step for step in range(max(axis.stride for axis in axes.values()) + 1)]
    before = _reached(network, axes, n_frames, places, until=True)
    after = _reached(network, axes, n_frames, places, until=False)
    found = {}
    for name, axis in axes.items():
        first = _border(before[name])  # outputs that see something up to each place
        step = int((first[1:] > first[:-1]).nonzero()[0, 0])
        begin = places[step + 1] - axis.stride * int(first[step])  # of what output 0 sees, at this stride
        last = _border(~after[name])  # outputs that see nothing from each place on
        step = int((last[1:] > last[:-1]).nonzero()[0, 0])
        end = places[step] - axis.stride * int(last[step])
        found[name] = end - begin + 1
    return found


def _border(reached: Tensor) -> Tensor:
    """Return which output (place, frame) is the first that is not reached, (place,).

    The search begins at a quarter of the clip, which what is padded at the ends does not reach.
    """
    quarter = reached.shape[1] // 4
    return quarter + reached[:, quarter:].cumprod(1).sum(1)


def _reached(
    network: nn.Module, axes: Mapping[str, trace.Axes], n_frames: int, places: list[int], *, until: bool
) -> dict[str, Tensor]:
    """Return which outputs of each module depend on the frames up to each place, or from it on: (place, frame)."""
    frame, place = torch.arange(n_frames), torch.tensor(places)[:, None]
    hidden = frame <= place if until else frame >= place
    return _nan(network, axes, hidden[:, None, None, :], n_frames, {name: axis.frame for name, axis in axes.items()})


def _bands(network: nn.Module, axes: Mapping[str, trace.Axes]) -> dict[str, int]:
    """Return how many bands one output of each module depends on."""
    band = torch.arange(getattr(network, "n_bands", 1))
    kept = {name: 2 if axis.frame == 3 else None for name, axis in axes.items()}  # of (batch, channel, band, frame)
    hidden = band <= band[:, None]
    before = _nan(network, axes, hidden[:, None, :, None], FIRST_FRAMES, kept)
    hidden = band >= band[:, None]
    after = _nan(network, axes, hidden[:, None, :, None], FIRST_FRAMES, kept)
    return {name: _middle(after[name].sum(0) - (~before[name]).sum(0)) for name in axes}


def _middle(counts: Tensor) -> int:
    """Return the count of the output in the middle, which sees least beyond the first and the last band."""
    return int(counts[len(counts) // 2])


def _nan(
    network: nn.Module,
    axes: Mapping[str, trace.Axes],
    hidden: Tensor,
    n_frames: int,
    kept: Mapping[str, int | None],
) -> dict[str, Tensor]:
    """Return which outputs of each module depend on hidden inputs: (clip, output) along the axis that is kept."""
    found: dict[str, list[Tensor]] = {name: [] for name in axes}
    modules = {name: network.get_submodule(name) for name in axes}
    for part in hidden.split(CHUNK):
        spectrogram = trace.blank(network, len(part), n_frames).masked_fill(part, math.nan)
        with torch.no_grad(), _Reach():  # type: ignore[no-untyped-call]
            reached = trace.outputs(network, modules, spectrogram, torch.isnan)
        for name, output in reached.items():
            clips, axis = output.movedim(axes[name].batch, 0), kept[name]
            rows = clips.any(tuple(other for other in range(1, clips.ndim) if other != axis))
            found[name].append(rows if axis is not None else rows[:, None])
    return {name: torch.cat(rows) for name, rows in found.items()}
