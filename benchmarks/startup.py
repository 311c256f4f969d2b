"""How long one waits: commands, imports, the first batch, opening and building clip stores; each in a fresh process."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.compare import command, make_sounds
from benchmarks.measure import Figure, interleaved, peak_memory, ratios

if TYPE_CHECKING:
    import numpy as np

REPEATS = 7
BUILD_REPEATS = 3
BATCH_SIZE = 100
N_SOUNDS = 50
ROOT = Path(__file__).resolve().parents[1]


def first_batch() -> dict[str, float]:
    """From making the data module of the synthetic words to the first training batch."""
    from audionet.datasets import open_corpus
    from audionet.training import ClipData

    start = time.perf_counter()
    data = ClipData(open_corpus("words", engines=["espeak"]), batch_size=BATCH_SIZE)
    next(iter(data.train_dataloader()))
    return {"seconds": time.perf_counter() - start, "clips": len(data.corpus.store)}


def no_file(path: str) -> "np.ndarray":
    """Stand in for what reads a file: the made-up clips have none."""
    raise ValueError(f"{path}: no file was expected")


def open_large_store(folder: str, n_clips: int) -> dict[str, float]:
    """Open the store of ``n_clips`` made-up clips and take a batch from it; the first time, build it."""
    import numpy as np

    from audionet.datasets.clip import Clip
    from audionet.datasets.store import open_store

    # Silences need no files, and in training their samples are zeros: only the disk is busy while they are built.
    names = ((f"word{row % 35}", row) for row in range(n_clips))
    clips = [Clip(f"{label}/train/{row}", label, f"speaker{row % 2600}", "train", silence=True) for label, row in names]
    start = time.perf_counter()
    store = open_store(
        clips,
        no_file,
        folder=folder,
        fingerprint="made up",
        sample_rate=16_000,
        clip_length=16_000,
        background=partial(np.zeros, 16_000, np.float32),
        progress=False,
    )
    store.waveforms[np.random.default_rng(0).integers(n_clips, size=BATCH_SIZE)]
    return {"seconds": time.perf_counter() - start, "megabytes": peak_memory(), "bytes": store.waveforms.nbytes}


def in_new_process(function: Callable[..., dict[str, float]], *arguments: Any, cache: str) -> dict[str, float]:
    """Call a function of this module in a fresh interpreter whose caches lie in ``cache``."""
    call = (
        f"import json; from benchmarks import startup; print(json.dumps(startup.{function.__name__}(*{arguments!r})))"
    )
    environment = {**os.environ, "AUDIONET_CACHE": cache}
    done = subprocess.run([sys.executable, "-c", call], cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)
    printed: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return printed


def beside_torch(repeats: int) -> list[Figure]:
    """Measure commands as multiples of ``import torch``, and the processor time of the features of 50 files."""
    recipe = str(ROOT / "recipes" / "recognition" / "train.py")
    commands = {
        'python -c "import torch"': ["-c", "import torch"],
        "audionet recognize digits seven.wav": ["-m", "audionet", "recognize", "digits", "tests/data/seven.wav"],
        "train.py --help": [recipe, "--help"],
        "train.py with a wrong flag": [recipe, "--task.learning_rte", "1"],
    }
    quiet = partial(subprocess.run, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds = interleaved({name: partial(quiet, [sys.executable, *rest]) for name, rest in commands.items()}, repeats)
    torch = seconds.pop('python -c "import torch"')
    limits = {"audionet recognize digits seven.wav": 1.15}
    figures = [
        Figure(
            f"`{name}` over `import torch`, whole processes",
            "times",
            ratios(each, torch),
            at_most=limits.get(name, 1.2),
        )
        for name, each in seconds.items()
    ]
    with tempfile.TemporaryDirectory() as temporary:
        make_sounds(Path(temporary), N_SOUNDS)
        values = []
        for repeat in range(repeats):
            features = command(ROOT, "-m", "audionet", "features", temporary, "--output", f"OUTPUT/{repeat}")
            values.append(features())
    return [*figures, Figure(f"`audionet features` of {N_SOUNDS} files, processor time", "s", values, at_most=2.5)]


def run(*, tiny: bool = False) -> tuple[dict[str, Any], list[Figure]]:
    """Measure; ``tiny`` only sees that everything runs.

    Returns:
        What else there is to know, and the figures.
    """
    repeats, build_repeats = (2, 1) if tiny else (REPEATS, BUILD_REPEATS)
    silent = partial(subprocess.run, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    commands: dict[str, Callable[[], object]] = {
        "audionet --help": partial(silent, [str(Path(sys.executable).with_name("audionet")), "--help"]),
        'python -c "import audionet"': partial(silent, [sys.executable, "-c", "import audionet"]),
        "python -c pass": partial(silent, [sys.executable, "-c", "pass"]),
    }
    limits = {"audionet --help": 0.5, 'python -c "import audionet"': 0.3}
    figures = [
        Figure(f"`{name}`, whole process", "s", seconds, at_most=limits.get(name))
        for name, seconds in interleaved(commands, repeats).items()
    ]

    figures += beside_torch(repeats)

    with tempfile.TemporaryDirectory() as temporary:
        caches = [f"{temporary}/{number}" for number in range(build_repeats)]
        built = [in_new_process(first_batch, cache=cache) for cache in caches]
        warm = [in_new_process(first_batch, cache=caches[-1]) for _ in range(repeats)]
        n_clips = f"{built[0]['clips']:,} synthetic words"
        figures += [
            Figure(
                f"building the store of {n_clips} from nothing", "s", [each["seconds"] for each in built], at_most=15
            ),
            Figure(f"first batch, warm store of {n_clips}", "s", [each["seconds"] for each in warm], at_most=1),
        ]

    with tempfile.TemporaryDirectory() as temporary:
        open_large = partial(in_new_process, open_large_store, temporary, 2_000 if tiny else 100_000, cache=temporary)
        open_large()
        opened = [open_large() for _ in range(repeats)]
        name = f"opening a store of {opened[0]['bytes'] // 32_000:,} clips ({opened[0]['bytes'] / 1e9:.1f} GB)"
        figures += [
            Figure(f"{name}, and a batch", "s", [each["seconds"] for each in opened], at_most=1),
            Figure(f"{name}: peak resident memory", "MB", [each["megabytes"] for each in opened], at_most=300),
        ]
    return {"batch": f"{BATCH_SIZE} clips of 1 s at 16 kHz; a warm store's pages are in memory"}, figures
