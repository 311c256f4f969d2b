"""Live detection: the share of a core that it takes, the slowest chunks, and a day of sound.

python -m benchmarks detector
"""

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from audionet import bundle, export, load_detector
from audionet.parallel import one_thread
from benchmarks.measure import Figure, peak_memory

CHUNK_SECONDS = 0.02
DAY = 24 * 3600


def run(*, tiny: bool = False) -> tuple[dict[str, Any], list[Figure]]:
    """Push noise through the shipped `commands`: live in chunks of 20 ms, and a day of it in chunks of a minute."""
    repeats, seconds, day = (2, 2, 120) if tiny else (5, 30, DAY)
    with one_thread(), TemporaryDirectory() as folder:
        (exported,) = export.write_formats(bundle.load("commands"), folder, name="commands")
        figures = [*_live_figures("torch", "commands", seconds, repeats)]
        figures += _live_figures("ONNX Runtime", exported.path, seconds, repeats)
        grown, drift = _day(day)
    facts = {"chunk": f"{CHUNK_SECONDS * 1e3:g} ms", "sound": f"noise, {seconds} s a repeat; one thread"}
    figures += [
        Figure(f"memory that {day / 3600:.3g} h of sound add, with a window each second", "MB", [grown], at_most=10),
        Figure("drift of the time after them", "ms", [drift], at_most=1e-3),
    ]
    return facts, figures


def _noise(seconds: float, sample_rate: int) -> np.ndarray:
    noise = 0.05 * np.random.default_rng(0).standard_normal(round(seconds * sample_rate))
    return noise.astype(np.float32)


def _live_figures(engine: str, name: str | Path, seconds: int, repeats: int) -> Iterator[Figure]:
    shares, slowest = zip(*(_live(name, seconds) for _ in range(repeats)), strict=True)
    yield Figure(f"processor time, live, {engine}", "% of a core", shares, at_most=1)
    yield Figure(f"99th percentile of a chunk, {engine}", "ms", slowest, at_most=2)


def _live(name: str | Path, seconds: float) -> tuple[float, float]:
    """Return the share of a core in per cent, and the 99th percentile of a chunk in milliseconds."""
    detector = load_detector(name)
    rate = detector.recognizer.sample_rate
    chunks = np.split(_noise(seconds, rate), round(seconds / CHUNK_SECONDS))
    detector.detect(chunks[0], rate)  # nothing is loaded later
    took, before = [], time.process_time()
    for chunk in chunks:
        start = time.perf_counter()
        detector.push(chunk, rate)
        took.append(time.perf_counter() - start)
    return 100 * (time.process_time() - before) / seconds, 1e3 * float(np.percentile(took, 99))


def _day(seconds: int) -> tuple[float, float]:
    """Return the megabytes that a long stream adds to the memory, and how many milliseconds its time is off."""
    detector = load_detector("commands", hop_seconds=1.0)
    rate = detector.recognizer.sample_rate
    minute = _noise(60, rate)
    detector.push(minute, rate)
    before = peak_memory()
    for _ in range(seconds // 60 - 1):
        detector.push(minute)
    return peak_memory() - before, 1e3 * abs(detector.time - seconds)
