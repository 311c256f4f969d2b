"""The clips of a corpus that excite a unit of a network most, and where in them."""

import heapq
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from audionet.checks import check_at_least, check_one_of, check_that
from audionet.insight.looking import clips_of, evaluating, input_gradient, stage_axes, stage_maps
from audionet.models.contract import stages_of

Unit = tuple[str, int]
"""A channel of a stage, as ("block1", 5), or a class, as ("head", label_index)."""

_SHARE = 0.9  # of the squared gradient that lies within the part of a clip which excites a unit


class Excitation(NamedTuple):
    """A clip that excites a unit, and the part of it that does.

    Attributes:
        clip_index: Position of the clip in the corpus.
        value: The unit's largest activation within the clip.
        spectrogram: The clip, (in_channels, band, frame).
        frames: First frame of the part, and the one behind its last.
        bands: First band of the part, and the one behind its last.
    """

    clip_index: int
    value: float
    spectrogram: Tensor
    frames: tuple[int, int]
    bands: tuple[int, int]


def most_exciting(
    network: nn.Module, spectrograms: Tensor | Iterable[Tensor], units: Iterable[Unit], *, n_clips: int = 9
) -> dict[Unit, list[Excitation]]:
    """Find the clips of a corpus that excite units most, and where in them.

    The corpus goes through the network once, whatever the number of units. The part of a clip that excites a unit is
    the one on which its largest activation depends: it holds 90% of the squared gradient, band by band and frame by
    frame. It is smaller than the receptive field as a rule (Luo et al., 2016, arXiv 1701.04128), and the whole clip
    where no gradient reaches the clip, as in a network that rounds the samples to codes.

    Args:
        network: A recogniser's network, with ``n_bands``.
        spectrograms: Batches (batch, in_channels, n_bands, frame), or a single one. Clips may differ in length.
        units: Channels of stages, as ("block1", 5), and classes, as ("head", label_index).
        n_clips: Clips of each unit, at most.

    Returns:
        The clips of each unit, the most exciting first.

    Raises:
        ValueError: There is no such stage or channel, the network or a spectrogram does not fit, there is no clip, or
            all clips are silent.

    Example:
        >>> network = audionet.load_recognizer("digits").network
        >>> found = most_exciting(network, torch.randn(5, 1, 40, 101), [("block1", 5), ("head", 7)], n_clips=2)
        >>> {unit: len(clips) for unit, clips in found.items()}
        {('block1', 5): 2, ('head', 7): 2}
    """
    check_at_least(1, whole=True, n_clips=n_clips)
    best: dict[Unit, list[tuple[float, int, Tensor]]] = {unit: [] for unit in units}
    with evaluating(network):
        stages = stages_with(network, best)
        axes, n_before = stage_axes(network, stages), 0
        for batch in clips_of(spectrograms):
            with torch.no_grad():
                maps = stage_maps(network, stages, axes, batch)
            for unit, kept in best.items():
                for row, value in enumerate(map_of(maps, unit).reshape(len(batch), -1).amax(1).tolist()):
                    heapq.heappush(kept, (value, -n_before - row, batch[row]))  # of equal ones, the first stays
                    if len(kept) > n_clips:
                        heapq.heappop(kept)
            n_before += len(batch)
        found: dict[Unit, list[Excitation]] = {unit: [] for unit in best}
        for unit, kept in best.items():
            for value, index, clip in sorted(kept, reverse=True):
                leaf = clip[None].detach().requires_grad_()
                largest = map_of(stage_maps(network, stages, axes, leaf), unit).max()
                gradient = input_gradient(largest, leaf)
                weight = torch.zeros_like(clip[0]) if gradient is None else gradient[0].square().sum(0)
                found[unit].append(Excitation(-index, value, clip, _stretch(weight.sum(0)), _stretch(weight.sum(1))))
    return found


def stages_with(network: nn.Module, units: Iterable[Unit]) -> Mapping[str, nn.Module]:
    """Return the stages of a network that units are of; its classifier is one of them, called "head".

    Raises:
        ValueError: There is no such stage.

    Example:
        >>> [*stages_with(audionet.models.create("tcresnet", n_classes=3), [("block1", 5), ("head", 2)])]
        ['block1', 'head']
    """
    head = getattr(network, "head", None)
    known = {**stages_of(network)} | ({"head": head} if isinstance(head, nn.Module) else {})
    for stage, _ in units:
        check_one_of(known, "stage", stage)
    return {stage: known[stage] for stage, _ in units}


def map_of(maps: Mapping[str, Tensor], unit: Unit) -> Tensor:
    """Return the map (batch, ...) of a unit.

    Raises:
        ValueError: The stage has no such channel.

    Example:
        >>> map_of({"stem": torch.zeros(2, 16, 101)}, ("stem", 3)).shape
        torch.Size([2, 101])
    """
    stage, channel = unit
    n_channels = maps[stage].shape[1]
    check_that(0 <= channel < n_channels, "unit", f"a channel of {stage} from 0 to {n_channels - 1}", channel)
    return maps[stage][:, channel]


def _stretch(weight: Tensor) -> tuple[int, int]:
    """Return the middle stretch (first, behind the last) that holds most of a weight (place,); all, if it is zero."""
    total = weight.double().cumsum(0)
    if not total[-1]:
        return 0, len(weight)
    share = total / total[-1]
    edges = torch.tensor([(1 - _SHARE) / 2, (1 + _SHARE) / 2], dtype=share.dtype, device=share.device)
    first, last = torch.searchsorted(share, edges).tolist()
    return first, last + 1
