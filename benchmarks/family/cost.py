"""What a network costs: parameters, multiplications, time on one core."""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from audionet import models
from benchmarks.family.members import Member
from benchmarks.family.train import build

N_BANDS, N_FRAMES, N_CLASSES, HOP_MS = 40, 101, 12, 10
BATCH_SIZE = 64


def costs(member: Member, repeats: int = 30) -> dict[str, Any]:
    """Return what a network costs on one core, for 40 bands and 101 frames.

    Args:
        member: Which.
        repeats: Times that each latency is taken; the median counts.

    Returns:
        Parameters, MACs, receptive field in milliseconds (None for the whole clip), milliseconds of a clip by torch and
        by ONNX Runtime (None where it cannot be exported), and clips a second in training.
    """
    torch.set_num_threads(1)
    torch.manual_seed(0)
    sizes = {"n_classes": N_CLASSES, "n_bands": N_BANDS, "n_frames": N_FRAMES}
    network = build(member.name, member.arguments, **sizes).eval()
    table = models.layer_table(network, N_FRAMES)
    field = models.receptive_field(network)
    clip = torch.randn(1, 1, N_BANDS, N_FRAMES)
    with torch.inference_mode():
        eager = _milliseconds(lambda: network(clip), repeats)
    return {
        "parameters": sum(layer.parameters for layer in table),
        "macs": sum(layer.macs for layer in table),
        "sees_ms": None if field.frames is None else field.frames * HOP_MS,
        "eager_ms": eager,
        "onnx_ms": _onnx(network, clip, repeats),
        "training_clips_per_second": _training(network),
    }


def _milliseconds(work: Callable[[], object], repeats: int) -> float:
    """Return the median time of a piece of work in milliseconds."""
    taken = []
    for _ in range(repeats + 3):
        begin = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - begin))
    return median(taken[3:])


def _onnx(network: nn.Module, clip: torch.Tensor, repeats: int) -> float:
    """Return the milliseconds of a clip by ONNX Runtime on one core."""
    import onnxruntime

    with TemporaryDirectory() as folder:
        path = str(Path(folder, "network.onnx"))
        torch.onnx.export(network, (clip,), path, dynamo=False, input_names=["x"])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return _milliseconds(lambda: session.run(None, {"x": clip.numpy()}), repeats)


def _training(network: nn.Module) -> float:
    """Return the clips a second that a training step takes, forward and backward."""
    network.train()
    spectrogram, labels = torch.randn(BATCH_SIZE, 1, N_BANDS, N_FRAMES), torch.arange(BATCH_SIZE) % N_CLASSES

    def step() -> None:
        network.zero_grad(set_to_none=True)
        F.cross_entropy(network(spectrogram), labels).backward()

    return 1000 * BATCH_SIZE / _milliseconds(step, 5)
