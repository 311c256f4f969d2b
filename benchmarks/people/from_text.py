"""Recognisers that are trained from text alone, once a seed, and beside them the peer that learns the same clips."""

from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.people import runs
from benchmarks.people.hearing import Heard, Hearer
from benchmarks.people.trained_peer import trained


def trainings(
    options: Namespace, row: str, train: Callable[[Path, Path, list[str]], Path], recipe: str = "words"
) -> Iterator[tuple[Sequence[Hearer], dict[str, Any]]]:
    """Train once a seed; yield what is to be tested each time, and which sample it is.

    Last comes Google's embedding, fitted on the training clips of the first seed. Where a bundle is given in place of
    training, it comes alone.

    Args:
        options: Options of the command.
        row: Row of the results.
        train: Trains in a folder, by a preset and flags, and returns the bundle.
        recipe: Whose presets are meant by name.
    """
    if getattr(options, "model", None) is not None:
        yield [Heard(options.model)], {}
        return
    config = runs.preset(options.preset, recipe)
    subject = runs.identity(config, *options.flags)
    folder = options.output / "runs" / f"{row}-{subject}"
    for seed in options.seeds:
        bundle = train(folder / f"seed{seed}", config, ["--seed", str(seed), *options.flags])
        yield [Heard(bundle, subject)], {"sample": {"seed": seed}}
    if options.seeds and not options.no_peers:
        yield trained(folder / f"seed{options.seeds[0]}", options.output, options.per_label), {}
