"""Speed of sample-by-sample generation on the CPU: one core, all cores, long clips, the wait for a first sample."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audionet.inference.wavenet.kernel import Kernel
from audionet.inference.wavenet.stepwise import Stepwise
from audionet.models import WaveNet
from benchmarks.measure import Figure, interleaved

REPEATS = 5
SAMPLE_RATE = 16_000
BOUND = Path(__file__).resolve().parents[2] / "shared" / "tools" / "weight_stream_bound.c"
WANTED = {"float32": 16_000, "bfloat16": 28_000, "int8": 40_000}
STREAMS = 16

FIRST_SAMPLE = """
import time
import numpy as np
from benchmarks.generation import make_bundle
from audionet.inference import Generator
generator = Generator(make_bundle())
start = time.perf_counter()
next(generator.stream(1.0, chunk_seconds=1 / 16_000))
print(time.perf_counter() - start)
"""

PEAK = """
import sys
from benchmarks.generation import generate, make_model
from audionet.inference.wavenet.kernel import Kernel
from benchmarks.measure import peak_memory
model = make_model()
bias = model.bias(batch=1, time=1).steps.detach().numpy()
generate(Kernel(model, precision="bfloat16"), bias, int(sys.argv[1]))
print(peak_memory())
"""


def make_model() -> WaveNet:
    """The shape that speeds are compared at: 30 layers, R 64, gate 128, S 256, A 256, kernel 2; random weights."""
    torch.manual_seed(0)
    return WaveNet(
        n_layers=30, n_cycles=3, residual_channels=64, gate_channels=128, skip_channels=256, output_channels=256
    ).eval()


def make_bundle() -> Any:
    """The same, ready for a `Generator`."""
    from audionet.bundle import Bundle, Part

    model = Part("wavenet", {}, make_model())
    return Bundle(task="generation", model=model, sample_rate=SAMPLE_RATE, clip_length=SAMPLE_RATE)


def generate(engine: Kernel | Stepwise, bias: np.ndarray, n_samples: int, batch: int = 1) -> None:
    """Make ``n_samples`` of ``batch`` streams in chunks, so that their random numbers take next to no memory."""
    generator, state = np.random.default_rng(0), engine.start(batch)
    biases = np.repeat(bias, batch, 0)
    for first in range(0, n_samples, 4096):
        uniforms = generator.random((batch, min(4096, n_samples - first), 2))
        engine.run(state, bias=biases, uniforms=uniforms)


def memory_bounds(folder: str) -> Callable[[], dict[str, float]] | None:
    """A measurement of how often a second one core can stream the weights, or None without a compiler or the source."""
    if not BOUND.exists() or shutil.which("gcc") is None:
        return None
    program = f"{folder}/bound"
    command = ["gcc", "-O3", "-march=native", "-o", program, str(BOUND)]
    if subprocess.run(command, capture_output=True).returncode != 0:
        return None

    def measure() -> dict[str, float]:
        done = subprocess.run([program], capture_output=True, text=True, check=True)
        return dict(zip(WANTED, map(float, re.findall(r"(\d+) samples/s", done.stdout)), strict=True))

    return measure


def run(*, tiny: bool = False) -> tuple[dict[str, Any], list[Figure]]:
    """Measure; ``tiny`` only sees that everything runs.

    Returns:
        What else there is to know, and the figures.
    """
    repeats, seconds = (2, 0.02) if tiny else (REPEATS, 0.5)
    model, n_samples = make_model(), round(seconds * SAMPLE_RATE)
    with torch.inference_mode():
        bias = model.bias(batch=1, time=1).steps.detach().numpy()
    kernels = {precision: Kernel(model, precision=precision, threads=1) for precision in WANTED}
    shared = {precision: Kernel(model, precision=precision) for precision in WANTED}
    work: dict[str, Callable[[], object]] = {
        precision: partial(generate, kernel, bias, n_samples) for precision, kernel in kernels.items()
    }
    work |= {
        f"{name} x {STREAMS}": partial(generate, kernel, bias, n_samples, STREAMS) for name, kernel in shared.items()
    }
    work["stepwise"] = partial(generate, Stepwise(model), bias, n_samples // 20)
    bounds: dict[str, list[float]] = {precision: [] for precision in WANTED}
    with tempfile.TemporaryDirectory() as folder:
        if (measure := memory_bounds(folder)) is not None:

            def note() -> None:
                for precision, value in measure().items():
                    bounds[precision].append(value)

            work["bound"] = note
        torch.set_num_threads(1)
        took = interleaved(work, repeats)
    rate = {name: [n_samples / value for value in values] for name, values in took.items()}
    figures = []
    for precision, wanted in WANTED.items():
        figures.append(Figure(f"one stream, one core, {precision}", "samples/s", rate[precision], at_least=wanted))
        if measured := bounds[precision][1:]:
            share = [a / b for a, b in zip(rate[precision], measured, strict=True)]
            figures.append(Figure(f"streaming the weights alone, {precision}", "samples/s", measured))
            figures.append(Figure(f"one stream as a share of that, {precision}", "ratio", share))
    for precision in WANTED:
        together = [STREAMS * value for value in rate[f"{precision} x {STREAMS}"]]
        name = f"{STREAMS} streams on {len(os.sched_getaffinity(0))} cores, together, {precision}"
        figures.append(Figure(name, "samples/s", together, at_least=80_000))
    figures.append(Figure("one stream, torch step by step", "samples/s", [value / 20 for value in rate["stepwise"]]))
    figures += _lengths(kernels["bfloat16"], bias, tiny=tiny)
    waits = []
    for _ in range(2 if tiny else REPEATS):
        waits.append(_printed(FIRST_SAMPLE))
    figures.append(Figure("first sample after the call, new process, warm cache", "s", waits, at_most=0.3))
    return {"shape": "30 layers, R 64, gate 128, S 256, A 256, kernel 2, softmax; random weights, seed 0"}, figures


def _lengths(kernel: Kernel, bias: np.ndarray, *, tiny: bool) -> list[Figure]:
    """Cost against length, and the memory that a long one adds."""
    lengths = (0.01, 0.1) if tiny else (1, 60)
    took = {}
    for seconds in lengths:
        work = {"one": partial(generate, kernel, bias, round(seconds * SAMPLE_RATE))}
        took[seconds] = interleaved(work, 1 if seconds > 10 else 3, warm_up=0)["one"]
    # In processes of their own: the peak of this one is of all that it has done.
    short_peak, long_peak = (_printed(PEAK, str(round(seconds * SAMPLE_RATE))) for seconds in lengths)
    short, long = (np.median(took[seconds]) / seconds for seconds in lengths)
    name = f"cost of a second: {lengths[1]} s against {lengths[0]} s, bfloat16"
    return [
        Figure(name, "ratio", [float(long / short)]),
        Figure(f"peak memory of {lengths[1]} s over that of {lengths[0]} s", "MB", [long_peak - short_peak]),
    ]


def _printed(script: str, *arguments: str) -> float:
    """The number that a script prints in a new process."""
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
    return float(done.stdout)
