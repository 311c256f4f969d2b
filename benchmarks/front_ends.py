"""Accuracy on FSDD, each speaker left out in turn, of one small network behind each front-end; hours on a CPU.

    python -m benchmarks.front_ends --root ../shared/data/fsdd --jobs 2 [--names LogMel LEAF ...] [--json accuracy.json]

The network and its training are the same for all and short, so that the figures compare front-ends and nothing else:
TC-ResNet8, 8 epochs, the augmentation of the preset `fsdd`, no synthetic voices. What is finished is kept in --output,
so that an interrupted benchmark goes on where it stopped.
"""

import argparse
import json
from concurrent.futures import Executor, Future
from pathlib import Path
from statistics import mean
from typing import Any

from audionet.features import create
from benchmarks.fsdd import SPEAKERS, spread, train, trainers

TRAINING = ["--model", json.dumps({"name": "tcresnet"}), "--data.synthetic", "0", "--trainer.max_epochs", "8"]
TRAINING += ["--spec_augment", "null"]  # whose width is meant for 40 bands
SIZES = {"n_fft": 256, "win_length": 240, "hop_length": 80}  # at 8 kHz: 32, 30 and 10 ms
PRESET = {"scale": "db", "offset": 1e-9, "top_db": 60, "subtract_mean": "band"}
# What each row is: the front-end's name, and what differs from its defaults.
FRONT_ENDS: dict[str, tuple[str, dict[str, Any]]] = {
    "Spectrogram": ("Spectrogram", SIZES),
    "LinearFilterbank": ("LinearFilterbank", SIZES),
    "MelSpectrogram": ("MelSpectrogram", SIZES),
    "LogMel": ("LogMel", SIZES),
    "LogMel, dB, mean of each band removed": ("LogMel", SIZES | PRESET),
    "MFCC": ("MFCC", SIZES),
    "MFCC, 13 with two deltas": ("MFCC", {**SIZES, "n_mfcc": 13, "deltas": 2}),
    "LFCC": ("LFCC", SIZES | {"n_bands": 40}),
    "KaldiFbank": ("KaldiFbank", {"n_mels": 40}),
    "KaldiMFCC": ("KaldiMFCC", {}),
    "PCEN": ("PCEN", SIZES),
    "PCEN, trainable": ("PCEN", SIZES | {"trainable": True}),
    "CQT": ("CQT", {"hop_length": 80, "f_min": 65.4, "n_bins": 60}),
    "VQT": ("VQT", {"hop_length": 80, "f_min": 65.4, "n_bins": 60}),
    "Chroma": ("Chroma", SIZES | {"n_fft": 512}),
    "Gammatone": ("Gammatone", {}),
    "SpectralCentroid": ("SpectralCentroid", SIZES),
    "SpectralRolloff": ("SpectralRolloff", SIZES),
    "SpectralFlatness": ("SpectralFlatness", SIZES),
    "ZeroCrossingRate": ("ZeroCrossingRate", {"frame_length": 256, "hop_length": 80}),
    "RMS": ("RMS", {"frame_length": 256, "hop_length": 80}),
    "SincNet": ("SincNet", {}),
    "LEAF": ("LEAF", {}),
    "ConvFilterbank": ("ConvFilterbank", {}),
}


def main() -> None:
    """Train them all and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="../shared/data/fsdd", help="folder with FSDD's `recordings`")
    parser.add_argument("--names", nargs="+", default=list(FRONT_ENDS), choices=FRONT_ENDS, metavar="NAME")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=2, help="trainings at a time")
    parser.add_argument("--output", type=Path, default=Path("runs/benchmark_front_ends").absolute())
    parser.add_argument("--json", type=Path, default=None, help="where to write the accuracies")
    options = parser.parse_args()

    # By seed first, so that every front-end has a figure early.
    wanted = [(seed, name, speaker) for seed in options.seeds for name in options.names for speaker in SPEAKERS]

    def start(pool: Executor, seed: int, title: str, speaker: str) -> Future[float]:
        name, arguments = FRONT_ENDS[title]
        run = options.output / f"{title.replace(', ', '-').replace(' ', '_')}-{speaker}-seed{seed}"
        flags = ["--features", json.dumps({"name": name, **arguments}), *TRAINING]
        return pool.submit(train, run, str(Path(options.root).absolute()), seed, speaker, flags)

    with trainers(options.jobs) as pool:
        runs = {job: start(pool, *job) for job in wanted}
        results = {job: run.result() for job, run in runs.items()}

    mean_of = f"mean of the six speakers, {len(options.seeds)} seeds"
    print(f"\n| front-end | | {mean_of} | worst speaker |\n| --- | --- | --- | --- |")
    for name in options.names:
        means = [mean(results[seed, name, speaker] for speaker in SPEAKERS) for seed in options.seeds]
        by_speaker = {speaker: [results[seed, name, speaker] for seed in options.seeds] for speaker in SPEAKERS}
        worst = min(SPEAKERS, key=lambda speaker: mean(by_speaker[speaker]))
        kind, arguments = FRONT_ENDS[name]
        learns = any(True for _ in create(kind, sample_rate=8000, **arguments).parameters())
        made = "learned" if learns else "hand-made"
        print(f"| {name} | {made} | {spread(means)} | {worst} {spread(by_speaker[worst])} |")
    if options.json:
        named = {f"{name} {speaker} seed {seed}": value for (seed, name, speaker), value in results.items()}
        options.json.write_text(json.dumps(named, indent=2))


if __name__ == "__main__":
    main()
