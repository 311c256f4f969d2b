"""What a map of saliency shows: accuracy with the most salient fifth of the spectrogram alone, and without it.

    python -m benchmarks.saliency ../shared/data/speech_commands_test_half --from-voices TC-ResNet14-1.5 CNN-TDNN
    python -m benchmarks.saliency FOLDER --model commands

With `--from-voices`, networks of the comparison learn from synthetic voices alone, one a seed, and are kept as bundles
in `--output`: they have never heard anybody. Tested are those of the drawn clips that a network answers right as a
whole, for of the others there is nothing to lose. Masks are compared within a network; the figures claim nothing of its
accuracy.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import audionet
from audionet.insight.worth import COARSENESS, Worth, measure_worth
from audionet.metrics import wilson_interval
from audionet.plots import plot_worth
from audionet.plots.style import png
from benchmarks.measure import machine


def share_of(right: Sequence[np.ndarray]) -> str:
    """Write the share of right answers, (clip,) or (draw, clip) of each network: the mean and what it ranges over.

    The range is that of the networks; of a single one, the 95% interval.
    """
    shares = [float(each.mean()) for each in right]
    low, high = min(shares), max(shares)
    if len(shares) == 1:
        low, high = wilson_interval(shares[0] * right[0].shape[-1], right[0].shape[-1])
    return f"{100 * float(np.mean(shares)):.1f} ({100 * low:.1f} to {100 * high:.1f})"


def table(worths: Sequence[Worth]) -> str:
    """Show what was found with networks of one kind as a table."""
    part = f"{worths[0].share:.0%}"
    heads = ("method", f"{part} kept", f"{part} at random kept", f"{part} removed", f"{part} at random removed")
    lines = [f"| {' | '.join(heads)} | as coarse | shows something |", "| --- " * 7 + "|"]
    for name in worths[0].kept:
        coarse = COARSENESS[name]
        columns = (
            [worth.kept[name] for worth in worths],
            [worth.random_kept[coarse] for worth in worths],
            [worth.removed[name] for worth in worths],
            [worth.random_removed[coarse] for worth in worths],
        )
        shows = sum(worth.shows[name] for worth in worths)
        told = ("no", "yes")[shows] if len(worths) == 1 else f"{shows} of {len(worths)}"
        lines.append(f"| {' | '.join((name, *map(share_of, columns), coarse, told))} |")
    return "\n".join(lines)


def measured(path: Path | str, options: argparse.Namespace) -> Worth:
    """Measure with one recogniser; write down the figures and the picture where there is a folder for them."""
    start = time.perf_counter()
    found = measure_worth(
        audionet.load_recognizer(path),
        options.folder,
        share=options.share,
        n_draws=options.draws,
        most=options.most,
        seed=options.seed,
    )
    worth, seconds = found.of_right(), time.perf_counter() - start
    print(f"{path}: right {len(worth.right)} of {len(found.right)}, in {seconds:.0f} s", flush=True)
    if options.output:
        name = Path(path).name.removesuffix(".safetensors")
        shares = {
            kind: {key: np.atleast_2d(right).mean(1).tolist() for key, right in getattr(worth, kind).items()}
            for kind in ("kept", "removed", "random_kept", "random_removed")
        }
        options.output.mkdir(parents=True, exist_ok=True)
        (options.output / f"{name}.png").write_bytes(png(plot_worth(worth)))
        figures = {"clips": len(worth.right), "shares": shares}
        (options.output / f"{name}.json").write_text(json.dumps(figures, indent=2))
    return worth


def main() -> None:
    """Train what is missing, measure, and print a table for each kind of network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with a folder of recordings for each label")
    parser.add_argument("--model", default="commands", help="a shipped recogniser, or a bundle")
    parser.add_argument(
        "--from-voices", nargs="+", default=[], metavar="TITLE", help="networks of the comparison instead"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of their initial weights")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the real recordings")
    parser.add_argument("--batches", type=Path, default=Path("runs/family"), help="folder of the comparison's batches")
    parser.add_argument("--most", type=int, default=300, help="recordings, drawn at random")
    parser.add_argument("--share", type=float, default=0.2)
    parser.add_argument("--draws", type=int, default=5, help="random choices for each clip")
    parser.add_argument("--seed", type=int, default=0, help="of the draws")
    parser.add_argument("--output", type=Path, default=None, help="folder for pictures, figures and what is trained")
    options = parser.parse_args()
    print("\n".join(f"- {name}: {value}" for name, value in machine().items()))
    if not options.from_voices:
        print(table([measured(options.model, options)]))
        return
    from benchmarks.family.bundles import from_voices

    folders = {"folder": options.output or Path("runs/saliency"), "batches": options.batches, "shared": options.data}
    for title in options.from_voices:
        print(table([measured(from_voices(title, seed, **folders), options) for seed in options.seeds]), flush=True)


if __name__ == "__main__":
    main()
