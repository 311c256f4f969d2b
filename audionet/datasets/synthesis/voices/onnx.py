"""Sessions of onnxruntime with one thread each, for the engines that run a network in this process."""

from pathlib import Path
from typing import Any

from audionet.datasets.synthesis.voices.engine import Engine, find_package


def open_session(engine: type[Engine], model: Path | bytes) -> Any:
    """Return onnxruntime's session of a model.

    Args:
        engine: The engine that asks, for messages.
        model: The model's file, or what is in it.

    Raises:
        MissingEngine: onnxruntime is missing.
    """
    onnxruntime = find_package(engine, "onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # other workers use the other cores
    options.log_severity_level = 3
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
