"""Every figure on real people by a command, and the table of all.

    python -m benchmarks.people commands --model commands --half even
    python -m benchmarks.people few fsdd --embedding embedding
    python -m benchmarks.people wake --model wake.safetensors
    python -m benchmarks.people rejections --model commands
    python -m benchmarks.people table

The recordings lie in ../shared/data, or in --data. Figures are added to results.jsonl in --output, and what is there is
not measured again, so that an interrupted command goes on; another bundle, preset or flag is measured anew. Google's
embeddings of the clips are kept there, too. No result depends on the number of threads; OMP_NUM_THREADS=1 is quick.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.people import commands, few, microphones, rejections, table, wake
from benchmarks.people.results import Book


def make_parser() -> argparse.ArgumentParser:
    """Describe the commands."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.people", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the real recordings")
    shared.add_argument("--output", type=Path, default=Path("runs/people"), help="folder of the figures and the runs")
    shared.add_argument("--no_peers", action="store_true", help="leave out Google's embedding and other peers")
    rows = parser.add_subparsers(dest="row", required=True, metavar="ROW")

    row = rows.add_parser("commands", parents=[shared], help="12 classes by a recogniser that is there")
    row.add_argument("--model", required=True, help="bundle of the 12 classes")
    _add_half(row)
    row.set_defaults(run=commands.run_model)

    row = rows.add_parser("devices", parents=[shared], help="the same through twelve made-up devices")
    row.add_argument("--model", required=True, help="bundle of the 12 classes")
    _add_half(row)
    row.set_defaults(run=microphones.run)

    row = rows.add_parser("few", parents=[shared], help="few recordings of one speaker")
    row.add_argument("set", choices=few.SHOTS)
    row.add_argument("--embedding", help="bundle of an embedding; without it the peers alone")
    row.add_argument("--preset", default="words", help="preset whose augmentation makes copies of the recordings")
    row.add_argument("--k", type=int, nargs="+", help="recordings of each word; by default those of the table")
    row.add_argument("--draws", type=int, default=5, help="how often recordings are drawn")
    row.set_defaults(run=few.run)

    row = rows.add_parser("wake", parents=[shared], help="alexa, computer and jarvis from text alone")
    row.add_argument("--model", help="bundle of the three words; without it the peer alone")
    row.set_defaults(run=wake.run)

    row = rows.add_parser("rejections", parents=[shared], help="unlearnt words and noise")
    row.add_argument("--model", required=True, help="bundle of a recogniser")
    _add_half(row)
    row.set_defaults(run=rejections.run)

    row = rows.add_parser("table", parents=[shared], help="print what has been measured, as Markdown")
    row.set_defaults(run=table.run)
    return parser


def _add_half(parser: argparse.ArgumentParser) -> None:
    help = "speakers of the shared half that are tested: choose on the odd ones, report on the even ones, once"
    parser.add_argument("--half", choices=("odd", "even", "all"), default="odd", help=help)


def main() -> None:
    """Run one command."""
    options = make_parser().parse_args()
    command = "python -m benchmarks.people " + " ".join(sys.argv[1:])
    options.run(options, Book(options.output, command))


if __name__ == "__main__":
    main()
