"""The format `stream`: one step of a stream, with what was heard before as an input and an output."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from audionet.export.checking import LEVELS, check_difference
from audionet.export.source import Exported, Source, session_of, write_model
from audionet.export.tracing import OPSET, joined


def write(source: Source, folder: Path) -> Exported:
    """Write NAME_stream.onnx: "samples" (batch, time) and "state" to "probabilities" and "next_state".

    The state (batch, clip_length) is the last samples that were heard, zeros before the first. Any number of samples
    may come at a time. The probabilities are those of the last clip_length samples, exactly as the recogniser gives
    them for such a clip, whatever its front-end looks at.

    Raises:
        ValueError: The network or the front-end cannot be exported, or the model's probabilities are not torch's.
        OSError: The file cannot be written.
    """
    path = folder / f"{source.name}_stream.onnx"
    model = joined(_window(source.recognizer.clip_length), source.whole.model)
    difference = _difference(session_of(model), source)
    check_difference(path, difference)
    described = source.described("stream", "float32", any_length=True, greatest_difference=difference)
    write_model(path, model, described)
    return Exported(path, ("any number of samples a step", f"torch's probabilities within {difference:.1g}"))


def _window(clip_length: int) -> Any:
    """Return the model that puts new samples behind the state and keeps the last ones as window and next state."""
    from onnx import TensorProto, checker, helper

    float32, bounds = TensorProto.FLOAT, {"starts": -clip_length, "ends": np.iinfo(np.int64).max, "axes": 1}
    values = [helper.make_tensor_value_info(*value) for value in (
        ("samples", float32, ["batch", "time"]),
        ("state", float32, ["batch", clip_length]),
        ("waveform", float32, ["batch", clip_length]),
        ("next_state", float32, ["batch", clip_length]),
    )]  # fmt: skip
    nodes = [
        helper.make_node("Concat", ["state", "samples"], ["heard"], axis=1),
        helper.make_node("Slice", ["heard", *bounds], ["waveform"]),
        helper.make_node("Identity", ["waveform"], ["next_state"]),
    ]
    tensors = [helper.make_tensor(name, TensorProto.INT64, [1], [value]) for name, value in bounds.items()]
    graph = helper.make_graph(nodes, "window", values[:2], values[2:], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    checker.check_model(model)
    return model


def _difference(session: Any, source: Source) -> float:
    """Return the greatest difference of a stream in steps of several sizes from torch on the same windows."""
    import torch

    recognizer, generator = source.recognizer, np.random.default_rng(0)
    length, n_streams = recognizer.clip_length, len(LEVELS)
    noise = generator.uniform(-1, 1, (n_streams, 2 * length)) * np.array(LEVELS)[:, None]
    heard = np.concatenate([np.zeros((n_streams, length)), noise], 1).astype(np.float32)
    state, worst = heard[:, :length], 0.0
    for start, end in pairwise((0, 1, length // 3, length, 2 * length)):
        given = {"samples": heard[:, length + start : length + end], "state": state}
        probabilities, state = session.run(["probabilities", "next_state"], given)
        with torch.no_grad():
            window = torch.from_numpy(heard[:, end : end + length])
            expected = recognizer.probabilities(recognizer.network(recognizer.front_end(window[:, None])))
        worst = max(worst, float(np.abs(probabilities - expected.numpy()).max()))
    return worst
