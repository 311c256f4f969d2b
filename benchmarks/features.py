"""Front-ends: a folder of sounds to features on disk."""

import tempfile
import time
from pathlib import Path

import numpy as np

from audionet.audio import save_audio
from audionet.features import LogMel
from audionet.features.extract import extract, make_plan
from benchmarks.measure import Figure

SAMPLE_RATE = 16_000
N_FILES = 10_000
REPEATS = 5
N_WORKERS = 2


def folder(*, tiny: bool = False) -> list[Figure]:
    """Time the log-mels of one-second files, from WAV to .npy; files and processes are warm."""
    n_files, repeats = (100, 2) if tiny else (N_FILES, REPEATS)
    with tempfile.TemporaryDirectory() as temporary:
        sounds = _make_sounds(Path(temporary) / "sounds", n_files)
        rates = {}
        for workers in (N_WORKERS, 1):
            values = []
            for repeat in range(repeats + 1):
                start = time.perf_counter()
                output = Path(temporary) / f"{workers}-{repeat}"
                plan = make_plan(sounds, output, base=Path(temporary) / "sounds", settings={})
                n_bad = sum(len(bad) for _, bad in extract(plan, LogMel(), workers=workers))
                values.append(n_files / (time.perf_counter() - start))
                if n_bad:
                    raise RuntimeError(f"{n_bad} of {n_files} files could not be read")
            rates[workers] = values[1:]  # the first starts the processes
    name = f"{n_files:,} one-second WAVs to log-mels on disk"
    return [
        Figure(f"{name}, {N_WORKERS} processes", "files/s", rates[N_WORKERS], at_least=4000),
        Figure(f"{name}, 1 process", "files/s", rates[1]),
    ]


def _make_sounds(place: Path, n_files: int) -> list[Path]:
    """Write noise, 100 files a folder."""
    generator = np.random.default_rng(0)
    sounds = [place / f"{number // 100:03}" / f"{number:05}.wav" for number in range(n_files)]
    for sound in sounds:
        sound.parent.mkdir(parents=True, exist_ok=True)
        save_audio(sound, generator.uniform(-0.5, 0.5, SAMPLE_RATE), SAMPLE_RATE)
    return sounds
