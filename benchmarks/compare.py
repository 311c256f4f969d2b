"""Time the same work in this checkout and in an older one, in turn, so that a machine that slows down does so for both.

    git worktree add ../before COMMIT
    python -m benchmarks.compare ../before [--rounds 9] [--only TEXT]

Prints how many times as fast this checkout is as the older one: the median of the ratios of neighbouring runs.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.measure import Figure, machine, markdown, ratios

HERE = Path(__file__).resolve().parents[1]
WORKLOADS = HERE / "benchmarks" / "workloads.py"

Run = Callable[[], float]  # returns the seconds that the work took


@contextmanager
def worker(checkout: Path) -> Iterator[tuple[list[str], Callable[[str], float]]]:
    """Start a process that imports a checkout; it lists its workloads and runs the one that is asked for."""
    process = subprocess.Popen(
        [sys.executable, str(WORKLOADS)],
        env={**os.environ, "PYTHONPATH": str(checkout)},
        cwd=checkout,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    questions, answers = process.stdin, process.stdout

    def run(name: str) -> float:
        print(name, file=questions, flush=True)
        return float(answers.readline())

    try:
        yield answers.readline().strip().split(";"), run
    finally:
        questions.close()
        process.wait()


def command(checkout: Path, *arguments: str) -> Run:
    """Return what runs a Python command in a checkout and returns the processor time of all its processes."""

    def run() -> float:
        with tempfile.TemporaryDirectory() as folder:
            before = os.times()
            filled = [argument.replace("OUTPUT", folder) for argument in arguments]
            subprocess.run(
                [sys.executable, *filled],
                cwd=checkout,
                env={**os.environ, "PYTHONPATH": str(checkout)},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    return run


def commands(checkout: Path, sounds: str) -> dict[str, Run]:
    """Return whole processes by what a user types."""
    entry = "import sys\ntry: from audionet.cli.main import main\nexcept ImportError: from audionet.cli import main"
    cli = ("-c", f"{entry}\nsys.exit(main())")
    recipe = str(checkout / "recipes" / "recognition" / "train.py")
    return {
        "python -c 'import torch'": command(checkout, "-c", "import torch"),
        "audionet --help": command(checkout, *cli, "--help"),
        "audionet recognize digits": command(checkout, *cli, "recognize", "digits", "tests/data/seven.wav"),
        "audionet features of 50 files": command(checkout, *cli, "features", sounds, "--output", "OUTPUT"),
        "train.py --help": command(checkout, recipe, "--help"),
        "train.py with a wrong flag": command(checkout, recipe, "--task.learning_rte", "1"),
    }


def make_sounds(folder: Path, n_files: int) -> None:
    """Write one-second files of noise."""
    import numpy as np

    from audionet import save_audio

    generator = np.random.default_rng(0)
    for number in range(n_files):
        save_audio(folder / f"{number}.wav", 0.1 * generator.standard_normal(16_000).astype(np.float32), 16_000)


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description="Compare with another checkout.")
    parser.add_argument("before", type=Path, help="folder of the older checkout")
    parser.add_argument("--rounds", type=int, default=9, help="timed runs of each")
    parser.add_argument("--only", default="", help="part of the names of the work to time")
    options = parser.parse_args()
    facts = machine()
    figures = []
    with ExitStack() as stack:
        sounds = stack.enter_context(tempfile.TemporaryDirectory())
        make_sounds(Path(sounds), 50)
        checkouts = (options.before.resolve(), HERE)
        (old_names, old_run), (new_names, new_run) = (stack.enter_context(worker(checkout)) for checkout in checkouts)
        old, new = (commands(checkout, sounds) for checkout in checkouts)
        pairs: dict[str, tuple[Run, Run]] = {name: (old[name], new[name]) for name in new}
        for name in new_names:
            if name in old_names:
                pairs[name] = (lambda name=name: old_run(name), lambda name=name: new_run(name))  # type: ignore[misc]
        for name, (before, now) in pairs.items():
            if options.only in name:
                before(), now()  # warm up
                seconds = [(before(), now()) for _ in range(options.rounds)]
                values = ratios((pair[0] for pair in seconds), (pair[1] for pair in seconds))
                figures.append(Figure(name, "times as fast", values))
                print(f"{name}: {sorted(values)[len(values) // 2]:.3f}", file=sys.stderr, flush=True)
    print(
        markdown("This checkout against an older one", f"python -m benchmarks.compare {options.before}", facts, figures)
    )


if __name__ == "__main__":
    main()
