"""Where a network begins to look at all frames, and what it does with a stream of them before.

The network is traced once. Convolutions, poolings, paddings and strided slices have an extent in time. Every other
operation has to act on each frame by itself, and so do the modules that are not looked into. That is tried: what it
makes of some frames must not change when the others become NaN, or are left out.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn

from audionet.checks import check_spectrogram
from audionet.models import trace
from audionet.models.layers import check_padding
from audionet.models.streaming.extents import MODULES, Extent, extent_of

N_FRAMES = 192  # of a clip, beside two of twice as many: how shapes differ tells where the axes lie
CUT = 80  # of so many frames, where those that an operation is tried on are cut; what it sees must not reach across
TOLERANCE = 1e-4  # of the largest value: a product of matrices may round otherwise for fewer columns


class Operation(NamedTuple):
    """An operation of a network that does not look at all frames.

    Attributes:
        node: The operation in the traced network.
        streams: What it acts on that lies on the stream.
        axes: Where the axes of what it returns lie; None where that does not lie on the stream, such as a weight.
        shape: Of what it returns, for a frame of one clip.
        extent: What it sees in time.
    """

    node: fx.Node
    streams: tuple[fx.Node, ...] = ()
    axes: trace.Axes | None = None
    shape: tuple[int, ...] = ()
    extent: Extent = Extent()

    @property
    def stride(self) -> int:
        """Frames of the spectrogram from one frame of what it returns to the next; 0 where there are none."""
        return self.axes.stride if self.axes else 0


class LocalPart(NamedTuple):
    """A network, divided into what acts on a stream of frames and what looks at all of them.

    Attributes:
        operations: What acts on the stream, in order.
        outputs: The last values on the stream, with which the rest begins.
        rest: What comes behind them, in order; the last is the output.
    """

    operations: list[Operation]
    outputs: list[Operation]
    rest: list[fx.Node]


@torch.no_grad()
def local_part(network: nn.Module, method: str) -> LocalPart:
    """Trace a method of a network, and divide it where operations begin to look at all frames.

    Args:
        network: Network in evaluation mode, on spectrograms (batch, in_channels, n_bands, frame).
        method: "frames" or "embed".

    Example:
        >>> part = local_part(audionet.models.create("tcresnet", n_classes=3).eval(), "embed")
        >>> [operation.node.name for operation in part.outputs], [node.name for node in part.rest]
        (['blocks_2_activation'], ['mean', 'output'])
    """
    spectrograms = [trace.blank(network, n_clips, n_clips * N_FRAMES) for n_clips in (1, 2)]
    tracer = _Tracer(_pointwise_modules(network, spectrograms))
    tracer.traced_func_name = method
    nodes = _needed(tracer.trace(network).nodes, {})
    runs = [_run(network, nodes, spectrogram) for spectrogram in spectrograms]
    known: dict[fx.Node, Operation] = {}
    for node in nodes:
        operation = _operation(network, node, runs, known)
        if operation is not None:
            known[node] = operation
    needed = _needed(nodes, known)
    outputs = [known[node] for node in needed if _is_stream(node, known)]
    return LocalPart([*known.values()], outputs, [node for node in needed if not _is_stream(node, known)])


def call(network: nn.Module, node: fx.Node, arguments: tuple[Any, Any]) -> Any:
    """Run an operation of a traced network, with the arguments that `arguments_of` returns."""
    (args, kwargs), target = arguments, node.target
    if node.op == "output":
        return args[0]
    if node.op == "get_attr":
        return attrgetter(str(target))(network)
    if node.op == "call_module":
        return network.get_submodule(str(target))(*args, **kwargs)
    if node.op == "call_method":
        return getattr(args[0], str(target))(*args[1:], **kwargs)
    assert callable(target)
    return target(*args, **kwargs)


def arguments_of(node: fx.Node, value: Callable[[fx.Node], Any]) -> tuple[Any, Any]:
    """Return the arguments of an operation, in order and by name.

    Args:
        node: The operation.
        value: Tells what an operation before it returned.
    """
    return fx.map_arg(node.args, value), fx.map_arg(node.kwargs, value)


def layer_of(node: fx.Node) -> str:
    """Return the name of the layer that an operation belongs to, and its class."""
    stack = [*node.meta.get("nn_module_stack", {}).values()]
    if not stack:
        return node.name
    name, kind = stack[-1]
    return f"{name} ({kind.__name__})"


def to_stream(x: Tensor, axes: trace.Axes | None) -> Tensor:
    """Move the axes of a value to (stream, ..., frame)."""
    assert axes is not None and axes.frame is not None
    x = x.movedim(axes.batch, 0) if axes.batch else x
    return x.movedim(axes.frame, x.ndim - 1) if axes.frame < x.ndim - 1 else x


def from_stream(x: Tensor, axes: trace.Axes | None) -> Tensor:
    """Move the axes (stream, ..., frame) to where they lie in a value."""
    assert axes is not None and axes.frame is not None
    x = x.movedim(x.ndim - 1, axes.frame) if axes.frame < x.ndim - 1 else x
    return x.movedim(0, axes.batch) if axes.batch else x


def _needed(nodes: Iterable[fx.Node], known: Mapping[fx.Node, Operation]) -> list[fx.Node]:
    """Return the operations that the last one needs, in order, back to the last that lie on the stream."""
    *before, output = nodes
    needed = {output}
    for node in reversed(before):
        if any(user in needed and not _is_stream(user, known) for user in node.users):
            needed.add(node)
    return [node for node in [*before, output] if node in needed]


def _is_stream(node: fx.Node, known: Mapping[fx.Node, Operation]) -> bool:
    return node in known and known[node].axes is not None


class _Tracer(fx.Tracer):
    """Traces a network down to the functions with an extent, and to modules that are one operation."""

    def __init__(self, pointwise: set[str]) -> None:
        super().__init__(autowrap_functions=(check_padding, check_spectrogram))
        self.pointwise = pointwise

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Tell whether a module is one operation."""
        is_of_torch = super().is_leaf_module(m, module_qualified_name) and not isinstance(m, MODULES)
        return is_of_torch or module_qualified_name in self.pointwise


def _pointwise_modules(network: nn.Module, spectrograms: Sequence[Tensor]) -> set[str]:
    """Return the names of the modules that hold no others, are not torch's, and act on each frame by itself."""
    modules = {
        name: module
        for name, module in network.named_modules()
        if next(module.children(), None) is None and not type(module).__module__.startswith("torch.nn")
    }
    runs: list[dict[str, tuple[Any, Any]]] = [{} for _ in spectrograms]
    for spectrogram, run in zip(spectrograms, runs if modules else (), strict=bool(modules)):
        handles = [module.register_forward_hook(partial(_note, run, name)) for name, module in modules.items()]
        network(spectrogram)
        for handle in handles:
            handle.remove()
    found = set[str]()
    for name in runs[0]:
        before, after = _axes([run[name][0] for run in runs]), _axes([run[name][1] for run in runs])
        if before and after:
            frames = _noise(network, _shape(runs[0][name][0], before))
            if _acts_on_each_frame(after, partial(_changed, modules[name], frames, before)):
                found.add(name)
    return found


def _note(run: dict[str, tuple[Any, Any]], name: str, _: nn.Module, args: tuple[Any, ...], output: Any) -> None:
    """Note what a module takes, if it is one thing, and what it returns."""
    run[name] = args[0] if len(args) == 1 else None, output


def _changed(module: nn.Module, frames: Tensor, axes: trace.Axes, change: Callable[[Tensor], Tensor]) -> Any:
    """Run a module on changed frames (stream, ..., frame)."""
    return module(from_stream(change(frames), axes))


def _run(network: nn.Module, nodes: list[fx.Node], spectrogram: Tensor) -> dict[fx.Node, tuple[Any, Any]]:
    """Return the arguments of each operation, and what it returns."""
    run: dict[fx.Node, tuple[Any, Any]] = {}
    for node in nodes:
        arguments = arguments_of(node, lambda before: run[before][1])
        run[node] = arguments, spectrogram if node.op == "placeholder" else call(network, node, arguments)
    return run


def _operation(
    network: nn.Module, node: fx.Node, runs: list[dict[fx.Node, tuple[Any, Any]]], known: dict[fx.Node, Operation]
) -> Operation | None:
    """Return what an operation does on a stream, or None if it looks at all frames, or behind one that does."""
    if node.op == "output" or any(before not in known for before in node.all_input_nodes):
        return None
    ((args, kwargs), value), *_ = results = [run[node] for run in runs]
    streams = tuple(before for before in node.all_input_nodes if known[before].axes)
    axes = _axes([result[1] for result in results])
    if not axes:  # a weight, or the size of something on the stream; but not a mean over all frames
        return None if streams and isinstance(value, Tensor) else Operation(node)
    operation = Operation(node, streams, axes, _shape(value, axes))
    if node.op == "placeholder":
        return operation
    extent = extent_of(node.target, args, kwargs) if callable(node.target) else Extent()
    for before in streams:
        if extent and known[before].extent.is_padding:
            extent = extent.behind(known[before].extent)
    if extent is None:
        return None
    if extent != Extent():
        return operation._replace(extent=extent) if axes.frame == len(operation.shape) + 1 else None

    def run_changed(change: Callable[[Tensor], Tensor]) -> Any:
        def returned(before: fx.Node) -> Any:
            axes, shape = known[before].axes, known[before].shape
            if axes:
                return from_stream(change(_noise(network, shape)), axes)
            return call(network, before, arguments_of(before, returned))

        return call(network, node, arguments_of(node, returned))

    return operation if _acts_on_each_frame(axes, run_changed) else None


def _acts_on_each_frame(axes: trace.Axes, run: Callable[[Callable[[Tensor], Tensor]], Tensor]) -> bool:
    """Tell whether some frames give the same if the others are NaN, and if they are left out.

    Args:
        axes: Where the axes of what is returned lie.
        run: Runs on noise that a function has changed, (stream, ..., frame).
    """
    for part in (slice(CUT), slice(CUT, None)):
        try:
            beside, alone = to_stream(run(partial(_hide, part)), axes), to_stream(run(partial(_cut, part)), axes)
        except (RuntimeError, ValueError, IndexError):  # of whatever it does with so few frames
            return False
        beside = beside[..., part]
        atol = TOLERANCE * float(alone.abs().max()) if alone.numel() else 0.0
        if beside.shape != alone.shape or not torch.allclose(beside, alone, rtol=0, atol=atol):
            return False
    return True


def _hide(part: slice, x: Tensor) -> Tensor:
    """Return frames of which all but a part are NaN."""
    hidden = torch.full_like(x, math.nan)
    hidden[..., part] = x[..., part]
    return hidden


def _cut(part: slice, x: Tensor) -> Tensor:
    """Return a part of the frames."""
    return x[..., part].clone()  # which an operation may overwrite


def _noise(network: nn.Module, shape: tuple[int, ...]) -> Tensor:
    """Return frames of noise for an operation, (1, ..., frame)."""
    noise = torch.randn(1, *shape, N_FRAMES, generator=torch.Generator().manual_seed(0))
    return noise.to(next(network.parameters()))


def _axes(values: list[Any]) -> trace.Axes | None:
    """Return where the axes of a value lie, from it for a clip and for two twice as long; None if it has no frames."""
    if not all(isinstance(value, Tensor) for value in values):
        return None
    sizes = [*zip(*(value.shape for value in values), strict=True)]
    changed = [axis for axis, (one, two) in enumerate(sizes) if one != two]
    if len(changed) != 2 or (1, 2) not in sizes:
        return None
    batch = sizes.index((1, 2))
    frame = sum(changed) - batch
    stride = round(N_FRAMES / (sizes[frame][1] - sizes[frame][0]))
    return trace.Axes(batch, frame if frame > batch else frame + 1, stride)


def _shape(value: Tensor, axes: trace.Axes) -> tuple[int, ...]:
    """Return the shape of a value without its streams and frames."""
    return tuple(to_stream(value, axes).shape[1:-1])
