"""What the modules of a network return on the way, and how their axes lie."""

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

LONG = 1 << 16  # frames of an input that is long for any network; a skeleton computes nothing


def outputs(
    network: nn.Module,
    modules: Mapping[str, nn.Module],
    spectrogram: Tensor,
    keep: Callable[[Tensor], Any] = torch.clone,
) -> dict[str, Any]:
    """Run a network and return what its modules return on the way.

    Args:
        network: Network that holds the modules.
        modules: The modules by name.
        spectrogram: Input of the network.
        keep: What is kept of an output, before a later layer may overwrite it: a copy.

    Returns:
        What is kept of the last output of each module that ran, by its name, in the order of running.

    Example:
        >>> network = audionet.models.create("tcresnet", n_classes=12)
        >>> outputs(network, {"stem": network.stem}, torch.zeros(2, 1, 40, 101))["stem"].shape
        torch.Size([2, 16, 101])
    """
    kept: dict[str, Any] = {}

    def keeper(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_: nn.Module, __: Any, output: Any) -> None:
            if isinstance(output, Tensor):
                kept[name] = keep(output)

        return hook

    handles = [module.register_forward_hook(keeper(name)) for name, module in modules.items()]
    try:
        network(spectrogram)
    finally:
        for handle in handles:
            handle.remove()
    return kept


def skeleton(network: nn.Module) -> nn.Module:
    """Return a copy of a network that has shapes and no values: running it costs little and computes nothing.

    Example:
        >>> skeleton(nn.Linear(2, 3))(torch.empty(5, 2, device="meta")).shape
        torch.Size([5, 3])
    """
    return _made_plain(copy.deepcopy(network).to("meta"))


def plain(network: nn.Module) -> nn.Module:
    """Return a copy of a network on the CPU, for evaluation, that computes as its paper says, not the fastest way.

    Example:
        >>> plain(nn.Dropout()).training
        False
    """
    return _made_plain(copy.deepcopy(network).cpu())


def _made_plain(network: nn.Module) -> nn.Module:
    """Make a network compute as its paper says, for evaluation, and return it."""
    for module in network.eval().modules():
        if hasattr(module, "is_plain"):
            vars(module)["is_plain"] = True
    return network


def blank(network: nn.Module, n_clips: int, n_frames: int, device: str = "cpu") -> Tensor:
    """Return spectrograms of zeros that fit a network: (n_clips, in_channels, n_bands, n_frames).

    Example:
        >>> blank(audionet.models.create("tcresnet", n_classes=12), 2, 101).shape
        torch.Size([2, 1, 40, 101])
    """
    in_channels, n_bands = getattr(network, "in_channels", 1), getattr(network, "n_bands", 1)
    dtype = next((parameter.dtype for parameter in network.parameters()), None)
    return torch.zeros(n_clips, in_channels, n_bands, n_frames, device=device, dtype=dtype)


def shapes(network: nn.Module, names: Iterable[str], n_clips: int, n_frames: int) -> dict[str, tuple[int, ...]]:
    """Return the shape of what each module returns, in the order of running.

    Args:
        network: A `skeleton`.
        names: Names of its modules.
        n_clips: Spectrograms of the batch.
        n_frames: Frames of each.
    """
    modules = {name: network.get_submodule(name) for name in names}
    return outputs(network, modules, blank(network, n_clips, n_frames, "meta"), lambda output: tuple(output.shape))


class Axes(NamedTuple):
    """Where the axes of a module's output lie.

    Attributes:
        batch: The axis of the batch.
        frame: The axis of the frames once the batch is moved to the front; None where the output has none.
        stride: Frames of the spectrogram from one frame of the output to the next; 0 where it has none.
    """

    batch: int
    frame: int | None
    stride: int


def find_axes(network: nn.Module, names: Iterable[str]) -> dict[str, Axes]:
    """Return where the axes of what each module returns lie, from how its shape follows the input's.

    Args:
        network: A `skeleton`.
        names: Names of its modules.

    Example:
        >>> find_axes(skeleton(audionet.models.create("tcresnet", n_classes=12)), ["stem", "head"])
        {'stem': Axes(batch=0, frame=2, stride=1), 'head': Axes(batch=0, frame=None, stride=0)}
    """
    names = [*names]
    one, two = shapes(network, names, 1, LONG), shapes(network, names, 2, LONG)
    longer = shapes(network, names, 1, 2 * LONG)
    found = {}
    for name, shape in one.items():
        batch = _differing(shape, two[name]) or 0
        frame = _differing(shape, longer[name])
        stride = 0 if frame is None else round(LONG / (longer[name][frame] - shape[frame]))
        found[name] = Axes(batch, frame if frame is None or frame > batch else frame + 1, stride)
    return found


def _differing(shape: tuple[int, ...], other: tuple[int, ...]) -> int | None:
    """Return the last axis in which two shapes differ."""
    return next((axis for axis in reversed(range(len(shape))) if shape[axis] != other[axis]), None)
