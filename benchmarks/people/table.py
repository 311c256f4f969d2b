"""The table of all that has been measured, beside what was measured before and what is wanted."""

from argparse import Namespace
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.people import digits, few, folds, microphones, minutes, rejections, wake
from benchmarks.people.commands import ACCEPTED, REJECTED, whom
from benchmarks.people.results import SYSTEMS, Book, Result


class Line(NamedTuple):
    """A line of the table: where its figures are, its words, and what is wanted of their mean.

    Attributes:
        row: Row of the results.
        line: Their line.
        text: What the table calls it; empty for row and line.
        least: Bounds from below, as ours must be at least; of several, the first is the first goal.
        most: Bound from above.
        ahead: Whether ours must be ahead of Google's embedding.
    """

    row: str
    line: str
    text: str = ""
    least: tuple[float, ...] = ()
    most: float | None = None
    ahead: bool = False


_EVEN = whom("even")
LINES = (
    Line("commands-text", f"ten words, {_EVEN}", "ten words from text alone", (0.9, 0.93), ahead=True),
    Line("commands-text", f"12 classes, {_EVEN}", "with unknown and silence, from text alone", (0.88, 0.92)),
    Line("folds", f"ten words, {folds.WHOM}", "ten words, with real clips of four folds, on the fifth", ahead=True),
    Line("folds", f"12 classes, {folds.WHOM}", "the same with unknown and silence", (0.95,)),
    Line("folds", f"{REJECTED}, {folds.WHOM}", "the same: words not answered, at the shipped threshold", most=0.05),
    Line("folds", f"{ACCEPTED}, {folds.WHOM}", "the same: unknown and silence answered with a word", most=0.05),
    Line("devices", f"{microphones.CLEAN}, {_EVEN}", "12 classes, clean recordings"),
    Line("devices", f"{microphones.WORST}, {_EVEN}", "the same by the worst of twelve devices: points lost", most=4),
    Line("wake", wake.ALL, "alexa, computer, jarvis from text alone: right of all", (0.95,)),
    Line("wake", wake.ALEXA, "the same: alexa found"),
    Line("wake", wake.NOT_ALEXA, "the same: recordings without it in which alexa is heard"),
    Line("wake", wake.HOURLY, "the same: false answers an hour of spoken requests"),
    Line("fsdd-text", digits.TEXT, "ten digits (FSDD) from text alone, theo and yweweler", (0.92,)),
    Line("fsdd", digits.MEAN, "FSDD, one speaker left out: mean of the six", (0.95,)),
    Line("fsdd", digits.WORST, "the same: the worst of the six", (0.9,)),
    *(
        Line("few-fsdd", few.line(k, "others"), f"FSDD, {k} a word of one speaker: five others", bounds, ahead=True)
        for k, bounds in ((1, ()), (3, ()), (5, ()), (10, (0.93,)))
    ),
    *(
        Line("few-fsdd", few.line(k, "own"), f"the same, {k} a word: that speaker's own others", (bound,))
        for k, bound in ((3, 0.97), (10, 0.99))
    ),
    *(
        Line(
            "few-arabic", few.line(k, "others"), f"Arabic digits, {k} a word of one speaker: eleven others", ahead=True
        )
        for k in (1, 3, 4)
    ),
    Line("rejections", rejections.WORDS, "unlearnt words answered with a word, at the shipped threshold", most=0.05),
    Line("rejections", rejections.NOISE, "noise answered with a word, likewise", most=0.05),
    Line("rejections", rejections.REJECTED, "own words not answered, likewise", most=0.05),
    Line("minutes", minutes.LINE, "train-words with three phrases, first to last line: minutes", most=10),
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
    """Say what is wanted, and whether it is met."""
    ours, google = of[SYSTEMS[0]], of.get("Google")
    bounds = [(">=", bound) for bound in line.least] + ([] if line.most is None else [("<=", line.most)])
    shown = {">=": "≥", "<=": "≤"}
    said = []
    for sign, bound in bounds:
        scale = 100 if bound < 1 else 1
        met = ours and (mean(ours) >= bound if sign == ">=" else mean(ours) <= bound)
        said.append(f"{shown[sign]} {scale * bound:g}" + (f": {_met(bool(met))}" if ours else ""))
    if line.ahead:
        said.append("ahead of Google" + (f": {_met(mean(ours) > mean(google))}" if ours and google else ""))
    return ", ".join(said)


def _met(fits: bool) -> str:
    return "met" if fits else "missed"


def run(options: Namespace, book: Book) -> None:
    """Print the table."""
    names = ("measured", *SYSTEMS, "wanted")
    print(f"| {' | '.join(names)} |\n|{' --- |' * len(names)}")
    for cells in rows(book):
        print(f"| {' | '.join(cells)} |")
