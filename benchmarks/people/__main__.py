"""Every figure on real people by a command, and the table of all.

    python -m benchmarks.people commands --model commands --half even
    python -m benchmarks.people commands-text --seeds 0 1 2 --half even [--any.value=… of the recipe]
    python -m benchmarks.people few fsdd --embedding embedding
    python -m benchmarks.people wake --model wake.safetensors
    python -m benchmarks.people table

The recordings lie in ../shared/data, or in --data. Figures are added to results.jsonl in --output, and what is there is
not measured again, so that an interrupted command goes on; another bundle, preset or flag is measured anew; after a
change of the code, take another --output. Google's embeddings of the clips are kept there, too.
"""

import argparse
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.people import commands, digits, few, folds, microphones, minutes, rejections, table, wake
from benchmarks.people.results import Book


def make_parser() -> argparse.ArgumentParser:
    """Describe the commands."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.people", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    rows = parser.add_subparsers(dest="row", required=True, metavar="ROW")

    row = _row(rows, "commands", commands.run_model, "12 classes by a recogniser that is there")
    row.add_argument("--model", required=True, help="bundle of the 12 classes")
    _add_half(row)

    row = _row(rows, "commands-text", commands.run_text, "12 classes from text alone", trains="commands")
    _add_half(row)

    row = _row(rows, "folds", folds.run, "12 classes, with real clips of four folds of five", trains="commands")
    row.add_argument("--folds", type=int, nargs="+", default=list(range(folds.N_FOLDS)), help="which to test")

    row = _row(rows, "devices", microphones.run, "12 classes through twelve made-up devices")
    row.add_argument("--model", required=True, help="bundle of the 12 classes")
    _add_half(row)

    row = _row(rows, "wake", wake.run, "alexa, computer and jarvis from text alone", trains="words")
    row.add_argument("--model", help="bundle of the three words, in place of training")

    row = _row(rows, "fsdd-text", digits.run_text, "FSDD's digits from text alone", trains="words")
    row.add_argument("--model", help="bundle of the ten digits, in place of training")

    _row(rows, "fsdd", digits.run_leave_one_out, "FSDD, leaving out one speaker after the other", trains="fsdd")

    row = _row(rows, "few", few.run, "few recordings of one speaker")
    row.add_argument("set", choices=few.SHOTS)
    row.add_argument("--embedding", help="bundle of an embedding; without it the peers alone")
    row.add_argument("--preset", default="words", help="preset whose augmentation makes copies, or none")
    row.add_argument("--clip_seconds", type=float, help="length of the clips, if not the embedding's own")
    row.add_argument("--c", type=float, help="penalty of the head, if not that of fit_head")
    row.add_argument("--k", type=int, nargs="+", help="recordings of each word; by default those of the table")
    row.add_argument("--draws", type=int, default=5, help="how often recordings are drawn")

    row = _row(rows, "rejections", rejections.run, "unlearnt words and noise")
    row.add_argument("--model", required=True, help="bundle of a recogniser")
    _add_half(row)

    _row(rows, "minutes", minutes.run, "how long train-words takes", trains="")
    _row(rows, "table", table.run, "print what has been measured, as Markdown")
    return parser


def _row(
    rows: Any, name: str, run: Callable[..., None], help: str, *, trains: str | None = None
) -> argparse.ArgumentParser:
    """Add a command; ``trains`` is the preset of one that trains, "" for one that takes no preset."""
    row: argparse.ArgumentParser = rows.add_parser(name, help=help, description=help, allow_abbrev=False)
    row.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the real recordings")
    row.add_argument("--output", type=Path, default=Path("runs/people"), help="folder of the figures and the runs")
    row.add_argument("--no_peers", action="store_true", help="leave out Google's embedding and other peers")
    row.set_defaults(run=run, trains=trains is not None)
    if trains:
        row.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2], help="none for the peers that need no run")
        row.add_argument("--per_label", type=int, default=300, help="training clips of each class that the peer learns")
        row.add_argument("--preset", default=trains, help="preset of the recipe, or its path")
    return row


def _add_half(parser: argparse.ArgumentParser) -> None:
    help = "speakers of the shared half that are tested: choose on the odd ones, report on the even ones, once"
    parser.add_argument("--half", choices=("odd", "even", "all"), default="odd", help=help)


def main() -> None:
    """Run one command; of one that trains, unknown flags are the training's."""
    parser = make_parser()
    options, flags = parser.parse_known_args()
    options.flags = flags
    if flags and not options.trains:
        parser.error(f"unknown flags: {' '.join(flags)}")
    command = f"python -m benchmarks.people {shlex.join(sys.argv[1:])}"
    options.run(options, Book(options.output, command))


if __name__ == "__main__":
    main()
