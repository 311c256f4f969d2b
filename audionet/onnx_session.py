"""Sessions of ONNX Runtime, as all of audionet opens them."""

import os
from typing import Any


def open_session(source: str | os.PathLike[str] | bytes, *, n_threads: int = 1) -> Any:
    """Return ONNX Runtime's session of a model, on the CPU and silent about what is no error.

    Args:
        source: Path of the model, or what is in its file.
        n_threads: Threads that compute. One is the fastest for networks for short clips, and leaves the other cores to
            others.

    Raises:
        ImportError: onnxruntime is not installed.
        Exception: Of onnxruntime's own kinds: the model is damaged, or of operators that it does not have.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # it would write a device id into the user's cache
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = n_threads, 1
    options.log_severity_level = 4
    model = source if isinstance(source, bytes) else os.fspath(source)
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
