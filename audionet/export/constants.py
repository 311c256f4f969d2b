"""Large constants of a front-end in a model, written as how to compute them.

The waves of a Fourier transform and the triangles of a filterbank are 110 kB, more than many a network. ONNX Runtime
computes what depends on no input once, when it opens the file.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from audionet.features.fourier import first_stage

_LEAST = 1 << 12  # elements of a constant that is worth it
_FEW = 1 / 4  # share of elements that are not zero


def compact(model: Any) -> Any:
    """Replace each large constant that is a stage of a Fourier transform, or mostly zeros, by operations.

    Args:
        model: An ONNX model, which is changed.

    Returns:
        The model.
    """
    from onnx import numpy_helper

    graph = model.graph
    tensors = [(each, each.name, each) for each in graph.initializer]
    tensors += [(node, node.output[0], node.attribute[0].t) for node in graph.node if node.op_type == "Constant"]
    for holder, name, tensor in tensors:
        if np.prod(tensor.dims) < _LEAST:
            continue
        nodes = [*_operations(name, numpy_helper.to_array(tensor))]
        if nodes:
            (graph.initializer if holder is tensor else graph.node).remove(holder)
            for place, node in enumerate(nodes):
                graph.node.insert(place, node)
    return model


def _operations(name: str, constant: np.ndarray) -> Iterator[Any]:
    """Yield the nodes that compute a constant as an output of that name; none for one that has to be kept."""
    if constant.dtype != np.float32:
        return
    if np.count_nonzero(constant) <= _FEW * constant.size:
        yield from _sparse(name, constant)
    elif constant.ndim == 3 and (n_fft := _size_of_transform(constant)):
        yield from _first_stage(name, constant, n_fft)


def _size_of_transform(constant: np.ndarray) -> int | None:
    """Return the FFT size of which a constant (column, 2 * first, row) is the first stage, None if it is of none."""
    n_columns, n_first = len(constant), constant.shape[1] // 2
    for n_fft in (n_columns * (2 * n_first - 2), n_columns * (2 * n_first - 1)):
        made = first_stage(torch.from_numpy(_window(constant)), n_fft, n_columns).numpy()
        if made.shape == constant.shape and np.abs(made - constant).max() < 1e-6:
            return int(n_fft)
    return None


def _window(constant: np.ndarray) -> np.ndarray:
    """Return the window (frame_length,) in a first stage, whose first wave is 1."""
    return constant[:, 0].T.flatten()


class _Nodes:
    """Makes the nodes that compute a constant, whose inputs and outputs are named after it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, kind: str, inputs: str, output: str, **attributes: Any) -> Any:
        """Return the node of an operator; the constant itself is the output without a name."""
        from onnx import helper

        given = [f"{self.name}/{each}" for each in inputs.split()]
        return helper.make_node(kind, given, [f"{self.name}/{output}" if output else self.name], **attributes)

    def constants(self, **values: Any) -> Iterator[Any]:
        """Yield the nodes of constants, numbers or arrays."""
        from onnx import numpy_helper

        for name, value in values.items():
            yield self("Constant", "", name, value=numpy_helper.from_array(np.asarray(value)))


def _sparse(name: str, constant: np.ndarray) -> Iterator[Any]:
    """Yield the nodes that put the few values of a constant between its zeros."""
    made, places = _Nodes(name), np.flatnonzero(constant)
    values = {"values": constant.ravel()[places], "places": places.astype(np.int32)}
    yield from made.constants(**values, shape=np.array(constant.shape), size=np.array([constant.size]))
    yield made("ConstantOfShape", "size", "zeros")
    yield made("ScatterElements", "zeros places values", "flat")
    yield made("Reshape", "flat shape", "")


def _first_stage(name: str, constant: np.ndarray, n_fft: int) -> Iterator[Any]:
    """Yield the nodes that compute what `audionet.features.fourier.first_stage` does."""
    from onnx import TensorProto

    made, (n_columns, n_waves, n_rows) = _Nodes(name), constant.shape
    numbers = {"zero": 0, "one": 1, "length": n_columns * n_rows, "n_first": n_waves // 2, "n_fft": n_fft}
    turn, grid = np.float32(2 * np.pi / n_fft), np.array([n_rows, n_columns, n_waves])
    yield from made.constants(**numbers, axis=[1], turn=turn, window=_window(constant)[:, None], grid=grid)
    yield made("Range", "zero length one", "row")
    yield made("Unsqueeze", "row axis", "n")
    yield made("Range", "zero n_first one", "first")
    yield made("Mul", "n first", "products")
    yield made("Mod", "products n_fft", "turns")
    yield made("Cast", "turns", "floats", to=TensorProto.FLOAT)
    yield made("Mul", "floats turn", "angles")
    for wave in ("Cos", "Sin"):
        yield made(wave, "angles", wave)
        yield made("Mul", f"{wave} window", f"windowed{wave}")
    yield made("Concat", "windowedCos windowedSin", "matrix", axis=1)
    yield made("Reshape", "matrix grid", "cube")
    yield made("Transpose", "cube", "", perm=[1, 2, 0])
