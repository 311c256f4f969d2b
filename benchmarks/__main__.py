"""Run the quick benchmarks and print a table for each.

    python -m benchmarks [startup] [training] [generation] [features] [inside] [detector] [export] [web] [stepping]
        [--output figures.json] [--tiny]

The long ones are commands of their own: `python -m benchmarks.fsdd`, `benchmarks.digits`, `benchmarks.drums`,
`benchmarks.vocoder`, `benchmarks.gpu`, `benchmarks.people`, `benchmarks.devices`, `benchmarks.saliency`,
`benchmarks.family`, `benchmarks.streams`, `benchmarks.detection`.
"""

import argparse
import json
from importlib import import_module
from pathlib import Path

from benchmarks.measure import machine, markdown, record

QUICK = ("startup", "training", "generation", "features", "inside", "detector", "export", "web", "stepping")


def main() -> None:
    """Run the benchmarks that are named, or all quick ones."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Run the quick benchmarks.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(QUICK)}; all of them by default")
    parser.add_argument("--output", type=Path, help="write all values as JSON, too")
    parser.add_argument("--tiny", action="store_true", help="only see that everything runs: the figures mean nothing")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in QUICK]:
        parser.error(f"unknown benchmark {unknown[0]!r}; known: {', '.join(QUICK)}")
    records = {}
    for name in options.names or QUICK:
        command = f"python -m benchmarks {name}{' --tiny' if options.tiny else ''}"
        facts = machine()  # the load before we add our own
        further, figures = import_module(f"benchmarks.{name}").run(tiny=options.tiny)
        facts |= further
        print(markdown(name, command, facts, figures), flush=True)
        records[name] = record(command, facts, figures)
    if options.output:
        options.output.write_text(json.dumps(records, indent=2) + "\n")


if __name__ == "__main__":
    main()
