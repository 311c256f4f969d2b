"""FSDD with the `fsdd` preset: the official split, and leaving out one speaker after the other; some hours on a CPU.

    python -m benchmarks.fsdd --root ../shared/data/fsdd --jobs 2

Each training is a run of the recipe with one thread. What is finished is kept in --output, so that an interrupted
benchmark goes on where it stopped.
"""

import argparse
import csv
import json
import os
import runpy
import statistics
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from multiprocessing import get_context
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
RECIPE = REPOSITORY / "recipes" / "recognition"


def accuracy(run: Path) -> float | None:
    """Return the test accuracy that a run logged, None if it has not finished."""
    if not (run / "report.html").exists():
        return None
    with (run / "metrics.csv").open() as stream:
        return [float(row["test_accuracy"]) for row in csv.DictReader(stream) if row["test_accuracy"]][-1]


def trainers(jobs: int) -> ProcessPoolExecutor:
    """Return processes of one thread, each of which imports what the recipe does once and not for every training."""
    os.environ["OMP_NUM_THREADS"] = "1"  # which libraries read as they are imported
    return ProcessPoolExecutor(jobs, get_context("spawn"))


def train(run: Path, root: str, seed: int, speaker: str | None, extra: list[str]) -> float:
    """Run the recipe, unless it has run already, and return the test accuracy."""
    done = accuracy(run)
    if done is not None:
        return done
    flags = ["--config", str(RECIPE / "presets" / "fsdd.yaml"), "--data.root", root]
    flags += ["--output", str(run), "--seed", str(seed), "--resume", "true"]
    flags += ["--trainer.enable_progress_bar", "false", *extra]
    if speaker is not None:
        flags += ["--data.split", "leave_one_speaker_out", "--data.test_speaker", speaker]
    run.mkdir(parents=True, exist_ok=True)
    with (run / "log.txt").open("w") as log, redirect_stdout(log), redirect_stderr(log):
        runpy.run_path(str(RECIPE / "train.py"))["main"](flags)
    done = accuracy(run)
    assert done is not None
    print(f"{run.name}: {done:.1%}", flush=True)
    return done


def spread(values: list[float]) -> str:
    """Write mean and range in percent."""
    return f"{100 * statistics.mean(values):.1f} ({100 * min(values):.1f} to {100 * max(values):.1f})"


def main() -> None:
    """Train them all and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="../shared/data/fsdd", help="folder with FSDD's `recordings`")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=2, help="trainings at a time")
    parser.add_argument("--output", type=Path, default=Path("runs/benchmark_fsdd").absolute())
    parser.add_argument("--json", type=Path, default=None, help="where to write the accuracies")
    arguments, extra = parser.parse_known_args()

    # By seed first, so that every speaker has a figure early; the official split, which all recipes solve, once.
    wanted: list[tuple[int, str | None]] = [(arguments.seeds[0], None)]
    wanted += [(seed, speaker) for seed in arguments.seeds for speaker in SPEAKERS]

    root = str(Path(arguments.root).absolute())
    with trainers(arguments.jobs) as pool:
        runs = {
            (seed, speaker): pool.submit(
                train, arguments.output / f"{speaker or 'official'}-seed{seed}", root, seed, speaker, extra
            )
            for seed, speaker in wanted
        }
        results = {job: run.result() for job, run in runs.items()}

    print("\n| test speaker | accuracy, mean (range) over seeds |\n| --- | --- |")
    for speaker in SPEAKERS:
        print(f"| {speaker} | {spread([results[seed, speaker] for seed in arguments.seeds])} |")
    means = [statistics.mean(results[seed, speaker] for speaker in SPEAKERS) for seed in arguments.seeds]
    print(f"| mean of the six | {spread(means)} |")
    print(f"\nofficial split, seed {arguments.seeds[0]}: {results[arguments.seeds[0], None]:.1%}")
    if arguments.json:
        named = {f"{speaker or 'official'}-seed{seed}": value for (seed, speaker), value in results.items()}
        arguments.json.write_text(json.dumps(named, indent=2))


if __name__ == "__main__":
    main()
