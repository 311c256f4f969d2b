"""What a map of saliency shows: accuracy with the most salient fifth of the spectrogram alone, and without it.

    python -m benchmarks.saliency ../shared/data/speech_commands_test_half [--model commands] [--most 300] [--seed 0]

Masks are compared within a network, on the same clips; the figures claim nothing of its accuracy.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

import audionet
from audionet.insight.worth import Worth, measure_worth
from audionet.metrics import wilson_interval
from audionet.plots import plot_worth
from audionet.plots.style import png
from benchmarks.measure import machine


def share_of(right: np.ndarray) -> str:
    """Write the share of right answers of each draw (clip,) or (draw, clip), and the 95% interval of a single one."""
    if right.ndim == 2:
        draws = right.mean(1)
        return f"{100 * draws.mean():.1f} ({100 * draws.min():.1f} to {100 * draws.max():.1f})"
    low, high = wilson_interval(int(right.sum()), len(right))
    return f"{100 * right.mean():.1f} ({100 * low:.1f} to {100 * high:.1f})"


def table(worth: Worth) -> str:
    """Show what was found as a table."""
    part = f"{worth.share:.0%}"
    lines = [f"| places | {part} kept | {part} removed | shows something |", "| --- | --- | --- | --- |"]
    lines.append(f"| all | {share_of(worth.right)} | | |")
    for name, shows in worth.shows.items():
        row = (name, share_of(worth.kept[name]), share_of(worth.removed[name]), "yes" if shows else "no")
        lines.append(f"| {' | '.join(row)} |")
    for name, kept in worth.random_kept.items():
        lines.append(f"| random {name} | {share_of(kept)} | {share_of(worth.random_removed[name])} | |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with a folder of recordings for each label")
    parser.add_argument("--model", default="commands", help="a shipped recogniser, or a bundle")
    parser.add_argument("--most", type=int, default=300, help="recordings, drawn at random")
    parser.add_argument("--share", type=float, default=0.2)
    parser.add_argument("--draws", type=int, default=5, help="random choices for each clip")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=None, help="folder for the picture and the figures")
    arguments = parser.parse_args()
    facts, start = machine(), time.perf_counter()
    recognizer = audionet.load_recognizer(arguments.model)
    worth = measure_worth(
        recognizer,
        arguments.folder,
        share=arguments.share,
        n_draws=arguments.draws,
        most=arguments.most,
        seed=arguments.seed,
    )
    facts["clips"] = f"{len(worth.right)}, in {time.perf_counter() - start:.0f} s"
    print("\n".join(f"- {name}: {value}" for name, value in facts.items()), table(worth), sep="\n\n")
    if arguments.output:
        arguments.output.mkdir(parents=True, exist_ok=True)
        (arguments.output / "worth.png").write_bytes(png(plot_worth(worth)))
        shares = {
            name: {key: np.atleast_2d(right).mean(1).tolist() for key, right in getattr(worth, name).items()}
            for name in ("kept", "removed", "random_kept", "random_removed")
        }
        (arguments.output / "worth.json").write_text(json.dumps({**facts, "shares": shares}, indent=2))


if __name__ == "__main__":
    main()
