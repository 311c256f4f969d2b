"""Matrices of a Fourier transform in a model, written as how to compute them.

A front-end's cosines and sines are half a megabyte, more than many a network. ONNX Runtime computes what depends on no
input once, when it opens the file.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

_LEAST = 1 << 12  # elements of a matrix that is worth it


def compact(model: Any) -> Any:
    """Replace each constant cos(2 pi i j / n) or sin(2 pi i j / n) of a model by operations, and return the model."""
    from onnx import numpy_helper

    graph = model.graph
    tensors = [(each, each.name, each) for each in graph.initializer]
    tensors += [(node, node.output[0], node.attribute[0].t) for node in graph.node if node.op_type == "Constant"]
    for holder, name, tensor in tensors:
        found = _recognized(numpy_helper.to_array(tensor)) if np.prod(tensor.dims) >= _LEAST else None
        if found is not None:
            (graph.initializer if holder is tensor else graph.node).remove(holder)
            for place, node in enumerate(_operations(name, tuple(tensor.dims), *found)):
                graph.node.insert(place, node)
    return model


def _recognized(matrix: np.ndarray) -> tuple[str, int, int] | None:
    """Return the operator, the first i and n of a matrix; None for any other array."""
    if matrix.ndim != 2 or matrix.dtype != np.float32 or min(matrix.shape) < 2:
        return None
    rows, columns = matrix.shape
    n_fft = 2 * (columns - 1)
    for n in (n_fft, n_fft + 1):
        for operator, first in (("Cos", 0), ("Sin", 1)):
            turns = np.arange(first, first + rows)[:, None] * np.arange(columns) % n
            if np.abs({"Cos": np.cos, "Sin": np.sin}[operator](2 * np.pi / n * turns) - matrix).max() < 1e-6:
                return operator, first, n
    return None


def _operations(name: str, shape: tuple[int, ...], operator: str, first: int, n: int) -> Iterator[Any]:
    """Yield the nodes that compute operator(2 pi i j / n) as an output of that name."""
    from onnx import TensorProto, helper

    def made(kind: str, inputs: str, output: str, **attributes: Any) -> Any:
        made_of = [f"{name}/{each}" for each in inputs.split()]
        return helper.make_node(kind, made_of, [f"{name}/{output}" if output else name], **attributes)

    numbers = {"first": first, "last": first + shape[0], "zero": 0, "columns": shape[1], "one": 1, "n": n}
    for key, value in numbers.items():
        yield made("Constant", "", key, value_int=value)
    yield made("Constant", "", "axes", value_ints=[1])
    yield made("Constant", "", "turn", value_float=2 * np.pi / n)
    yield made("Range", "first last one", "row")
    yield made("Unsqueeze", "row axes", "i")
    yield made("Range", "zero columns one", "j")
    yield made("Mul", "i j", "products")
    yield made("Mod", "products n", "turns")
    yield made("Cast", "turns", "floats", to=TensorProto.FLOAT)
    yield made("Mul", "floats turn", "angles")
    yield made(operator, "angles", "")
