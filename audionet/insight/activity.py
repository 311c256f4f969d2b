"""What the stages of a network answer to a clip, and the channels that answer to nothing."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from audionet.checks import check_at_least
from audionet.insight.looking import clips_of, evaluating, stage_axes, stage_maps
from audionet.models.contract import stages_of


def activations(network: nn.Module, spectrogram: Tensor) -> dict[str, Tensor]:
    """Return the activation maps of every stage of a network for some clips.

    The network computes as in use, without dropout, and is left as it was.

    Args:
        network: A recogniser's network, with ``n_bands``.
        spectrogram: (batch, in_channels, n_bands, frame).

    Returns:
        The maps of each stage by its name, in the order of the data: (batch, channel, band, frame), (batch, channel,
        frame) of a stage without bands, or (batch, channel) of one that has pooled the clip. The axes lie so whatever
        the layout inside of the network is.

    Raises:
        ValueError: The network does not map spectrograms or has weights that are NaN, the spectrogram has another shape
            or values that are not finite, or it is so short that a layer has nothing left.

    Example:
        >>> recognizer = audionet.load_recognizer("digits")
        >>> maps = activations(recognizer.network, recognizer.front_end(torch.zeros(1, 1, 16_000)))
        >>> {stage: tuple(each.shape) for stage, each in maps.items() if stage in ("stem", "block1", "pooling")}
        {'stem': (1, 32, 10, 51), 'block1': (1, 96, 51), 'pooling': (1, 128)}
    """
    stages = stages_of(network)
    with evaluating(network), torch.no_grad():
        return stage_maps(network, stages, stage_axes(network, stages), spectrogram)


class ChannelActivity(NamedTuple):
    """How often the channels of a stage are active over a corpus.

    Attributes:
        clips: Share of the clips in which each channel is ever active, (channel,).
        places: Share of the places, bands and frames of all clips, at which it is active, (channel,).
        dead: Whether it is active in no clip, (channel,).
        nearly_dead: Whether it is active in some clips, but in few, (channel,).
    """

    clips: np.ndarray
    places: np.ndarray
    dead: np.ndarray
    nearly_dead: np.ndarray


def dead_filters(
    network: nn.Module, spectrograms: Tensor | Iterable[Tensor], *, threshold: float = 1e-6, rare: float = 0.01
) -> dict[str, ChannelActivity]:
    """Report which channels of each stage a corpus leaves silent.

    A channel is active where its absolute value exceeds the threshold, and nowhere if its value is the same throughout
    the corpus, as that of a filter without weights is. A rectified channel that is never active gets no gradient and
    does not recover in training: a large learning rate leaves such channels behind.

    Args:
        network: A recogniser's network, with ``n_bands``.
        spectrograms: Batches (batch, in_channels, n_bands, frame), or a single one. Clips may differ in length.
        threshold: Absolute value up to which a channel is not active.
        rare: Share of the clips up to which a channel is nearly dead.

    Returns:
        The activity of each stage's channels, by its name.

    Raises:
        ValueError: The network or a spectrogram does not fit, as for `activations`, there is no clip, all clips are
            silent, or a limit is out of its range.

    Example:
        >>> network = audionet.models.create("tcresnet", n_classes=3)
        >>> _ = network.stem.weight.data[:5].zero_()
        >>> report = dead_filters(network, torch.randn(8, 1, 40, 101))
        >>> np.flatnonzero(report["stem"].dead)
        array([0, 1, 2, 3, 4])
    """
    check_at_least(0, threshold=threshold)
    check_at_least(0, 1, rare=rare)
    stages = stages_of(network)
    counts: dict[str, list[_Count]] = {}
    with evaluating(network), torch.no_grad():
        axes = stage_axes(network, stages)
        for batch in clips_of(spectrograms):
            for stage, maps in stage_maps(network, stages, axes, batch).items():
                counts.setdefault(stage, []).append(_count(maps.reshape(*maps.shape[:2], -1), threshold))
    return {stage: _activity(parts, rare) for stage, parts in counts.items()}


class _Count(NamedTuple):
    """What is counted of a stage's maps: clips and places where each channel is active, and its extremes."""

    n_clips: int
    n_places: int
    clips: Tensor
    places: Tensor
    least: Tensor
    most: Tensor


def _count(maps: Tensor, threshold: float) -> _Count:
    """Count the activity of each channel of maps (batch, channel, place)."""
    is_active = maps.abs() > threshold
    batch, _, place = maps.shape
    clips, places = is_active.any(2).sum(0), is_active.sum((0, 2))
    return _Count(batch, batch * place, clips, places, maps.amin((0, 2)), maps.amax((0, 2)))


def _activity(parts: list[_Count], rare: float) -> ChannelActivity:
    """Return the activity of a stage's channels over all batches."""
    n_clips, n_places = sum(part.n_clips for part in parts), sum(part.n_places for part in parts)
    least, most = (torch.stack([getattr(part, name) for part in parts]) for name in ("least", "most"))
    varies = (least.amin(0) < most.amax(0)) | (n_places == 1)
    clips, places = (
        (torch.stack([getattr(part, name) for part in parts]).sum(0) * varies / n).cpu().numpy()
        for name, n in (("clips", n_clips), ("places", n_places))
    )
    return ChannelActivity(clips, places, clips == 0, (clips > 0) & (clips <= rare))
