"""Looking inside: how long one waits for the page on one clip, and for a map of 3,000 clips."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import Figure

ROOT = Path(__file__).resolve().parents[1]
REPEATS = 3
N_CLIPS, N_CHANNELS, N_LABELS = 3000, 128, 12


def page() -> tuple[float, float]:
    """Return the seconds that `audionet inspect` takes for one clip, and the megabytes of its page."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["inspect", "commands", str(ROOT / "tests" / "data" / "stop.wav"), "--output", folder]
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "audionet", *words], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - start, Path(folder, "inspection.html").stat().st_size / 1e6


def tsne(n_clips: int) -> float:
    """Return the seconds that t-SNE takes for made-up embeddings in as many clouds as there are labels."""
    import numpy as np

    from audionet.insight import project

    random = np.random.default_rng(0)
    centers = 3 * random.normal(size=(N_LABELS, N_CHANNELS))
    embeddings = centers[np.arange(n_clips) % N_LABELS] + random.normal(size=(n_clips, N_CHANNELS))
    start = time.perf_counter()
    project(embeddings.astype(np.float32), method="tsne", seed=0)
    return time.perf_counter() - start


def run(*, tiny: bool = False) -> tuple[dict[str, Any], list[Figure]]:
    """Measure both."""
    n_clips, repeats = (300, 1) if tiny else (N_CLIPS, REPEATS)
    pages = [page() for _ in range(repeats)]
    maps = [tsne(n_clips) for _ in range(repeats)]
    return {"clips of the map": str(n_clips)}, [
        Figure("inspect one clip, cold", "s", [seconds for seconds, _ in pages], at_most=15),
        Figure("its page", "MB", [size for _, size in pages], at_most=20),
        Figure("t-SNE", "s", maps, at_most=45),
    ]
