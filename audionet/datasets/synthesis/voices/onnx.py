"""Sessions of onnxruntime with one thread each, for the engines that run a network in this process."""

from pathlib import Path
from typing import Any

from audionet.datasets.synthesis.voices.engine import Engine, find_package
from audionet.onnx_session import open_session as open_onnx


def open_session(engine: type[Engine], model: Path | bytes) -> Any:
    """Return onnxruntime's session of a model.

    Args:
        engine: The engine that asks, for messages.
        model: The model's file, or what is in it.

    Raises:
        MissingEngine: onnxruntime is missing.
    """
    find_package(engine, "onnxruntime")
    return open_onnx(model)
