"""What every look inside of a network begins with: a network in working order, its stages, and clips."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain

import torch
from torch import Tensor, nn

from audionet.checks import check_that, listed
from audionet.models import trace
from audionet.models.trace import Axes


def check_network(network: nn.Module) -> None:
    """Refuse a network that one cannot look inside of.

    Raises:
        ValueError: It does not map spectrograms, or a weight is NaN or infinite.

    Example:
        >>> network = audionet.models.create("tcresnet", n_classes=3)
        >>> network.stem.weight.data[0] = torch.nan
        >>> check_network(network)
        Traceback (most recent call last):
        ValueError: network: expected finite weights, got NaN or infinity in stem.weight; train it again, or load it ...
    """
    maps_spectrograms = isinstance(network, nn.Module) and hasattr(network, "n_bands")
    expected, advice = "one that maps spectrograms, with n_bands", "give a recogniser's"
    check_that(maps_spectrograms, "network", expected, type(network).__name__, advice)
    values = chain(network.named_parameters(), network.named_buffers())
    if lost := [name for name, value in values if value.is_floating_point() and not value.isfinite().all()]:
        raise ValueError(
            f"network: expected finite weights, got NaN or infinity in {listed(lost)}; train it again, or load it from "
            "before they were lost"
        )


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Let a network compute as it does in use, without dropout, and leave it as it was.

    Raises:
        ValueError: One cannot look inside of the network, as `check_network` says.

    Example:
        >>> network = nn.Sequential(nn.Dropout())
        >>> network.n_bands = 1
        >>> with evaluating(network):
        ...     network[0].training
        False
        >>> network[0].training
        True
    """
    check_network(network)
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def stage_axes(network: nn.Module, stages: Mapping[str, nn.Module]) -> dict[str, Axes]:
    """Return where the axes of what each stage of a network returns lie, for the stages that return maps.

    Args:
        network: A recogniser's network.
        stages: Modules of it by name.

    Example:
        >>> network = audionet.models.create("bcresnet", n_classes=3)
        >>> stage_axes(network, network.stages)["stage1"]
        Axes(batch=2, frame=3, stride=1)
    """
    names = {module: name for name, module in network.named_modules()}
    found = trace.find_axes(trace.skeleton(network), [names[module] for module in stages.values()])
    return {stage: found[names[module]] for stage, module in stages.items() if names[module] in found}


def stage_maps(
    network: nn.Module, stages: Mapping[str, nn.Module], axes: Mapping[str, Axes], spectrogram: Tensor
) -> dict[str, Tensor]:
    """Return what the stages of a network make of spectrograms, as `activations` does, with gradients.

    Args:
        network: A recogniser's network.
        stages: Modules of it by name.
        axes: Where the axes of their outputs lie, as `stage_axes` returns them.
        spectrogram: (batch, in_channels, n_bands, frame).

    Raises:
        ValueError: A value of the spectrogram is NaN or infinite, or the network refuses its shape.
    """
    if not spectrogram.isfinite().all():
        raise ValueError("spectrogram: expected finite values, got NaN or infinity; leave the clip out or repair it")
    outputs = trace.outputs(network, {stage: stages[stage] for stage in axes}, spectrogram)
    return {stage: in_order(output, axes[stage]) for stage, output in outputs.items()}


def input_gradient(value: Tensor, spectrogram: Tensor) -> Tensor | None:
    """Return the gradient of a value with respect to the spectrogram that it was computed from.

    Returns:
        The shape of the spectrogram; None for a network that no gradient flows through, such as a WaveNet classifier,
        which rounds the samples to codes.

    Example:
        >>> spectrogram = torch.tensor([1.0, 2.0], requires_grad=True)
        >>> input_gradient((spectrogram**2).sum(), spectrogram), input_gradient(torch.tensor(1.0), spectrogram)
        (tensor([2., 4.]), None)
    """
    return torch.autograd.grad(value, spectrogram, allow_unused=True)[0] if value.requires_grad else None


def clips_of(spectrograms: Tensor | Iterable[Tensor]) -> Iterator[Tensor]:
    """Yield the batches of a corpus, and refuse one without any sound.

    Args:
        spectrograms: Batches (batch, in_channels, n_bands, frame), or a single one.

    Raises:
        ValueError: There is no clip, or the spectrogram of every clip is constant, as that of silence is.

    Example:
        >>> [*clips_of(torch.zeros(2, 1, 40, 101))]
        Traceback (most recent call last):
        ValueError: spectrograms: expected clips with sound, got 2 of silence, whose values are all the same
    """
    n_clips, has_sound = 0, False
    for batch in [spectrograms] if isinstance(spectrograms, Tensor) else spectrograms:
        n_clips += len(batch)
        has_sound = has_sound or any(bool(clip.min() < clip.max()) for clip in batch)
        yield batch
    check_that(n_clips, "spectrograms", "at least one clip", n_clips)
    if not has_sound:
        raise ValueError(
            f"spectrograms: expected clips with sound, got {n_clips} of silence, whose values are all the same"
        )


def in_order(output: Tensor, axes: Axes) -> Tensor:
    """Move the batch of a stage's output to the front and its frames to the end.

    Example:
        >>> in_order(torch.zeros(16, 40, 2, 101), Axes(batch=2, frame=3, stride=1)).shape
        torch.Size([2, 16, 40, 101])
    """
    output = output.movedim(axes.batch, 0)
    return output if axes.frame is None else output.movedim(axes.frame, -1)
