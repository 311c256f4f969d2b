"""A keyword's step as a model of TensorFlow Lite in 8 bits, whose variables hold what it heard before."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from audionet.checks import check_that
from audionet.export.keyword_step import CONVOLUTION, INPUT, RELU, SUM, WEIGHT, KeywordStep, kind_of, weight_of

OPERATORS = (
    *("CALL_ONCE", "VAR_HANDLE", "RESHAPE", "READ_VARIABLE", "STRIDED_SLICE", "CONCATENATION", "ASSIGN_VARIABLE"),
    *("CONV_2D", "MUL", "ADD", "MEAN", "FULLY_CONNECTED", "LOGISTIC", "QUANTIZE", "DEPTHWISE_CONV_2D"),
    *("AVERAGE_POOL_2D", "MAX_POOL_2D", "PAD", "PACK", "SPLIT_V"),
)
"""What ESPHome's micro_wake_word computes; a model with another operator does not start there."""

MOST_VARIABLES = 20
"""Variables for which ESPHome makes room."""

LARGEST = 26 * 255 / 256
"""Feature that is the number 127; 0 is -128. ESPHome does not ask the model."""


def converted(step: KeywordStep, chunks: Sequence[np.ndarray]) -> bytes:
    """Return the .tflite file: int8 (1, stride, band) to uint8 (1, 1), the probability of the keyword.

    Args:
        step: The network.
        chunks: Features (1, stride, band) that follow each other, on which ranges are measured.

    Raises:
        ValueError: ESPHome has no room for so many variables, or no such operator.
    """
    import tensorflow as tf

    n_bands = chunks[0].shape[-1]
    module, function = step_function(step, n_bands)

    def measured() -> Iterator[list[np.ndarray]]:
        ends = np.zeros_like(chunks[0])
        ends[0, 0, 0] = LARGEST
        for chunk in (ends, *chunks):
            yield [chunk.clip(0, LARGEST)]

    with _silent():
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()], module)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = measured
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type, converter.inference_output_type = tf.int8, tf.uint8
        converter._experimental_variable_quantization = True
        model: bytes = converter.convert()
    others = {operation["op_name"] for operation in operations_of(model)} - {*OPERATORS}
    check_that(not others, "esphome", f"the operators {', '.join(OPERATORS)}", ", ".join(sorted(others)))
    return model


def step_function(step: KeywordStep, n_bands: int) -> tuple[Any, Any]:
    """Return TensorFlow's module of the variables, and the function (1, stride, band) -> (1, 1) of one step."""
    import tensorflow as tf

    machine = step.machine
    shapes = [(1, buffer.shape[-1], 1, buffer.shape[1]) for buffer in machine.start(1)]
    shapes.append((1, step.window - 1, 1, step.layers[0].weight.shape[1]))
    check_that(len(shapes) <= MOST_VARIABLES, "network", f"at most {MOST_VARIABLES} layers that remember", len(shapes))
    module = tf.Module()
    module.variables_of_step = [tf.Variable(tf.zeros(shape), name=f"heard{n}") for n, shape in enumerate(shapes)]

    @tf.function(autograph=False, input_signature=[tf.TensorSpec((1, machine.stride, n_bands), tf.float32)])  # type: ignore[untyped-decorator]
    def function(chunk: Any) -> Any:
        return _advance(tf, step, iter(module.variables_of_step), chunk)

    return module, function


def operations_of(model: bytes) -> list[dict[str, Any]]:
    """Return the operations of a .tflite file, each with its "op_name" and the numbers of its "outputs"."""
    found: list[dict[str, Any]] = interpreter_of(model)._get_ops_details()
    return found


def interpreter_of(model: bytes) -> Any:
    """Return TensorFlow's interpreter of a .tflite file, without what makes it faster."""
    import tensorflow as tf

    plain = tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    with _silent():
        return tf.lite.Interpreter(model_content=model, experimental_op_resolver_type=plain)


def arena_size(model: bytes) -> int:
    """Return how many bytes a chip needs to run a model, at most: all that operations return, and what they note."""
    interpreter = interpreter_of(model)
    tensors = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    operations = interpreter._get_ops_details()
    returned = [tensors[index] for operation in operations for index in operation["outputs"]]
    n_bytes: int = sum(int(np.prod(tensor["shape"])) * np.dtype(tensor["dtype"]).itemsize for tensor in returned)
    return 1024 * -(-(n_bytes + 256 * len(operations) + 2048) // 1024)


def _advance(tf: Any, step: KeywordStep, variables: Iterator[Any], chunk: Any) -> Any:
    """Take a step, as `Machine.advance` does beyond the warm-up; values are (1, frame, 1, channel)."""
    network, machine, values = step.network, step.machine, dict[Any, Any]()

    def put(frames: Any, n_kept: int) -> Any:
        if n_kept <= 0:
            return frames
        variable = next(variables)
        frames = tf.concat([variable, frames], 1)
        variable.assign(frames[:, -n_kept:])
        return frames

    for node, stage in machine.stages.items():
        held = {other: put(values[other], n)[:, : values[other].shape[1]] for other, n in stage.waits.items()}
        given: list[Any] = [held.get(other, values.get(other)) for other in node.all_input_nodes]
        kind = kind_of(network, node)
        if kind == INPUT:
            values[node] = tf.reshape(chunk, (1, chunk.shape[1], 1, chunk.shape[2]))
        elif kind == CONVOLUTION:
            frames, stride = put(given[0], stage.kept), stage.operation.extent.stride
            values[node] = _convolution(tf, network, node, frames, stride, max(-stage.kept, 0))
        elif kind == RELU:
            values[node] = tf.nn.relu(given[0])
        elif kind == SUM:
            values[node] = given[0] + given[1]
        elif kind != WEIGHT:
            values[node] = given[0]
    (last,) = machine.outputs
    pooled = tf.reduce_mean(put(values[last.node], step.window - 1), (1, 2))
    for number, (weight, bias) in enumerate(step.layers):
        pooled = tf.linalg.matmul(tf.nn.relu(pooled) if number else pooled, weight.T) + bias
    return tf.sigmoid(pooled)


def _convolution(tf: Any, network: Any, node: Any, frames: Any, stride: int, n_skipped: int) -> Any:
    """Return a convolution of torch, of frames that hold its padding already, and at first some that it does not see.

    These get weights of zero: a slice that leaves them out would be computed in floats.
    """
    _, weight, bias = node.args[:3]
    kernel = weight_of(network, weight)
    assert kernel is not None
    kernel = np.pad(kernel.T[:, None], [(n_skipped, 0), (0, 0), (0, 0), (0, 0)])  # (frame, 1, in, out)
    made = tf.nn.conv2d(frames, kernel, stride, "VALID")
    offsets = weight_of(network, bias)
    return made if offsets is None else made + offsets


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep back what TensorFlow tells of its progress, part of which goes straight to the file of standard error."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere), contextlib.redirect_stdout(nowhere):
        before = os.dup(2)
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(before, 2)
            os.close(before)
