"""The table of all that has been measured, beside what was measured before and what is wanted."""

from argparse import Namespace
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.people import wake
from benchmarks.people.results import SYSTEMS, Book, Result


class Line(NamedTuple):
    """A line of the table: where its figures are, its words, and the bound that is wanted of the mean."""

    row: str
    line: str
    text: str = ""
    at_least: float | None = None
    at_most: float | None = None


EVEN = "even half of the speakers"
LINES = (
    Line("commands-text", f"ten words, {EVEN}", "ten words from text alone", 0.93),
    Line("commands-text", f"12 classes, {EVEN}", "ten words, unknown and silence, from text alone", 0.92),
    *(
        Line(
            "few-fsdd",
            f"{k} of one speaker, the others tested",
            f"ten digits (FSDD), {k} recordings of one speaker, five others tested",
            0.93 if k == 10 else None,
        )
        for k in (1, 3, 5, 10)
    ),
    *(
        Line(
            "few-fsdd",
            f"{k} of one speaker, the speaker's own others tested",
            f"the same, {k} recordings, that speaker's own others tested",
            bound,
        )
        for k, bound in ((3, 0.97), (10, 0.99))
    ),
    *(
        Line(
            "few-arabic",
            f"{k} of one speaker, the others tested",
            f"ten Arabic digits, {k} recordings of one speaker, eleven others tested",
        )
        for k in (1, 3, 4)
    ),
    Line("wake", wake.ALL, "alexa, computer, jarvis from text alone: right of all", 0.95),
    Line("wake", wake.ALEXA, "the same: alexa found"),
    Line("wake", wake.NOT_ALEXA, "the same: alexa heard in other wake words and requests"),
)
_SPREAD_FROM = 2  # measurements that have a range


def rows(book: Book) -> list[list[str]]:
    """Return the cells of each line that has a figure, further lines after those that are wanted."""
    wanted = {(line.row, line.line) for line in LINES}
    further = {(each.row, each.line): None for each in book.results if (each.row, each.line) not in wanted}
    lines = [*LINES, *(Line(row, line) for row, line in further)]
    found = []
    for line in lines:
        of = {system: newest(book, line, system) for system in SYSTEMS}
        if any(of.values()):
            name = line.text or f"{line.row}: {line.line}"
            found.append([name, *(cell(results) for results in of.values()), verdict(line, of)])
    return found


def newest(book: Book, line: Line, system: str) -> list[Result]:
    """Return the figures of a system for a line, those of the subject that was measured last, one a sample."""
    same = [each for each in book.results if (each.row, each.line, each.system) == (line.row, line.line, system)]
    by_sample = {each.key: each for each in same if each.subject == same[-1].subject}
    return list(by_sample.values())


def mean(results: Sequence[Result]) -> float:
    """Return the mean of figures; shares count by their clips."""
    weights = [each.of or 1 for each in results]
    return sum(each.value * weight for each, weight in zip(results, weights, strict=True)) / sum(weights)


def cell(results: Sequence[Result]) -> str:
    """Write the mean and the range of figures.

    Example:
        >>> cell([Result(row="", line="", value=value, of=10) for value in (0.5, 0.7)])
        '60.0 (50.0 – 70.0)'
    """
    if not results:
        return "–"
    percent = bool(results[0].of)
    written = [f"{100 * value:.1f}" if percent else f"{value:.3g}" for value in (mean(results), *_range(results))]
    return written[0] if len(results) < _SPREAD_FROM else f"{written[0]} ({written[1]} – {written[2]})"


def _range(results: Sequence[Result]) -> tuple[float, float]:
    values = [each.value for each in results]
    return min(values), max(values)


def verdict(line: Line, of: dict[str, list[Result]]) -> str:
    """Say whether the bound is met, and whether a peer is ahead."""
    ours = of[SYSTEMS[0]]
    said = []
    if line.at_least is not None:
        said.append(f"≥ {100 * line.at_least:g}" + (f": {_met(mean(ours) >= line.at_least)}" if ours else ""))
    if line.at_most is not None:
        said.append(f"≤ {100 * line.at_most:g}" + (f": {_met(mean(ours) <= line.at_most)}" if ours else ""))
    return "; ".join(said)


def _met(fits: bool) -> str:
    return "met" if fits else "missed"


def run(options: Namespace, book: Book) -> None:
    """Print the table."""
    names = ("measured", *SYSTEMS, "wanted")
    print(f"| {' | '.join(names)} |\n|{' --- |' * len(names)}")
    for cells in rows(book):
        print(f"| {' | '.join(cells)} |")
