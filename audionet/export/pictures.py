"""Convolutions over time in a model as convolutions over pictures of one row.

From one convolution over pictures to the next, ONNX Runtime keeps a layout of its own, in which they take two thirds of
the time. (In WebAssembly it has none.)
"""

import copy
from typing import Any

_ALONG_THE_ROW = {"kernel_shape": 1, "strides": 1, "dilations": 1, "pads": 0}
_BY_ELEMENT = {"BatchNormalization", "Clip", "Elu", "HardSigmoid", "HardSwish", "LeakyRelu", "Relu", "Sigmoid", "Tanh"}
_OF_SEVERAL = {"Add", "Mul"}
_WITH_GRAPHS = {"If", "Loop", "Scan"}
_AXIS = "axis_of_the_row"


def as_pictures(model: Any) -> Any:
    """Make pictures (batch, channel, 1, frame) of what convolutions over (batch, channel, frame) take and give.

    Args:
        model: An ONNX model.

    Returns:
        A changed copy, with the same inputs and outputs; the model itself where it has graphs within graphs.
    """
    from onnx import TensorProto, helper

    if any(node.op_type in _WITH_GRAPHS for node in model.graph.node):
        return model
    model = copy.deepcopy(model)
    graph = model.graph
    pictures = _Pictures({tensor.name: tensor for tensor in graph.initializer})
    for node in graph.node:
        pictures.take(node)
    for output in graph.output:
        pictures.flatten(output.name)
    if pictures.made:
        graph.initializer.append(helper.make_tensor(_AXIS, TensorProto.INT64, [1], [2]))
        del graph.node[:]
        graph.node.extend(pictures.nodes)
        del graph.value_info[:]  # which tells the shapes that were
    return model


class _Pictures:
    """Takes the nodes of a graph one after the other.

    Attributes:
        nodes: The nodes so far.
        made: Names of what is there as a picture, too, called NAME/picture.
        unseen: Those of which nothing but the picture is there.
    """

    def __init__(self, tensors: dict[str, Any]) -> None:
        self.nodes: list[Any] = []
        self.made: set[str] = set()
        self.unseen: set[str] = set()
        self._tensors = tensors
        self._weights: set[str] = set()  # that have their axis

    def take(self, node: Any) -> None:
        """Add a node, of pictures where it can be and where that helps."""
        kind, inputs = node.op_type, [*node.input]
        if kind == "Conv" and self._is_over_time(inputs[1]):
            self._widen(node)
            self._add(node, 1)
        elif kind in _BY_ELEMENT and inputs[0] in self.made:
            self._add(node, 1)
        elif kind in _OF_SEVERAL and self.made.issuperset(inputs):
            self._add(node, len(inputs))
        else:
            for name in inputs:
                self.flatten(name)
            self.nodes.append(node)

    def flatten(self, name: str) -> None:
        """See to it that a tensor is there as it was."""
        if name in self.unseen:
            self._reshape("Squeeze", f"{name}/picture", name)
            self.unseen.remove(name)

    def _add(self, node: Any, n_pictures: int) -> None:
        """Add a node whose first inputs and output are pictures."""
        for place, name in enumerate(node.input[:n_pictures]):
            if name not in self.made:
                self._reshape("Unsqueeze", name, f"{name}/picture")
                self.made.add(name)
            node.input[place] = f"{name}/picture"
        (name,) = node.output
        node.output[0] = f"{name}/picture"
        self.made.add(name)
        self.unseen.add(name)
        self.nodes.append(node)

    def _reshape(self, kind: str, name: str, output: str) -> None:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, [name, _AXIS], [output]))

    def _is_over_time(self, weight: str) -> bool:
        return weight in self._weights or (weight in self._tensors and len(self._tensors[weight].dims) == 3)

    def _widen(self, node: Any) -> None:
        """Make a convolution one over pictures."""
        weight = node.input[1]
        if weight not in self._weights:
            self._tensors[weight].dims.insert(2, 1)
            self._weights.add(weight)
        for attribute in node.attribute:
            if attribute.name in _ALONG_THE_ROW:
                values = [number for value in attribute.ints for number in (_ALONG_THE_ROW[attribute.name], value)]
                del attribute.ints[:]
                attribute.ints.extend(values)
