"""Networks on a stream: what 20 ms of sound cost, step by step and by computing the last second anew."""

import math
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import onnxruntime
import torch
from torch import Tensor, nn

from audionet import models
from audionet.models import FixedStep, StreamingNetwork
from benchmarks.measure import Figure, interleaved

NETWORKS: dict[str, dict[str, Any]] = {
    "tcresnet": {},
    "matchboxnet": {},
    "cnn_tdnn": {},
    "ds_cnn": {},
    "bcresnet": {},
}
CHUNK, WINDOW = 2, 101  # frames of 20 ms and of a second, one every 10 ms
N_CHUNKS, REPEATS = 40, 5


def session_of(module: nn.Module, inputs: tuple[Tensor, ...]) -> Callable[[], object]:
    """Return a call of a module by ONNX Runtime on one core, on these inputs."""
    names = [f"input{number}" for number in range(len(inputs))]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/network.onnx"
        with warnings.catch_warnings(action="ignore"):  # of shapes that become constants
            torch.onnx.export(module, inputs, path, dynamo=False, input_names=names)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    arrays = {name: value.numpy() for name, value in zip(names, inputs, strict=True)}
    return partial(session.run, None, arrays)


def ways(name: str) -> dict[str, tuple[Callable[[], object], int]]:
    """Return the ways to take the next frames with a network, each with the frames that a call takes."""
    network = models.create(name, n_classes=12, **NETWORKS[name]).eval()
    streaming = StreamingNetwork(network)
    chunk, window = torch.randn(1, 1, 40, CHUNK), torch.randn(1, 1, 40, WINDOW)
    state = streaming.start(1)
    for _ in range(WINDOW):  # beyond the padding before the recording
        _, state = streaming.step(chunk, state)

    def step() -> None:
        nonlocal state
        _, state = streaming.step(chunk, state)

    n_frames = math.lcm(CHUNK, streaming.stride)
    fixed = FixedStep(streaming, n_frames).eval()
    return {
        f"{name}: a step, torch": (step, CHUNK),
        f"{name}: a second anew, torch": (partial(network, window), CHUNK),
        f"{name}: a step of {n_frames} frames, ONNX Runtime": (
            session_of(fixed, (torch.randn(1, 1, 40, n_frames), *fixed.start(1))),
            n_frames,
        ),
        f"{name}: a second anew, ONNX Runtime": (session_of(network, (window,)), CHUNK),
    }


def run(*, tiny: bool = False) -> tuple[dict[str, Any], list[Figure]]:
    """Measure the networks."""
    torch.set_num_threads(1)
    n_chunks, repeats, figures = (2, 1, []) if tiny else (N_CHUNKS, REPEATS, list[Figure]())
    for name in NETWORKS:
        with torch.inference_mode():
            calls = ways(name)

            def repeated(call: Callable[[], object]) -> None:
                for _ in range(n_chunks):
                    call()

            seconds = interleaved(
                {way: partial(repeated, call) for way, (call, _) in calls.items()}, repeats, clock=time.thread_time
            )
        for way, (_, n_frames) in calls.items():
            values = [1000 * each / n_chunks * CHUNK / n_frames for each in seconds[way]]
            figures.append(Figure(way, "ms for 20 ms", values))
    return {"chunks a repeat": str(n_chunks), "threads": "1"}, figures
