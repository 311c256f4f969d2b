"""The page of a detector: what it rejects and what it raises, as curve and in figures, with their intervals."""

import os
from collections.abc import Sequence
from pathlib import Path

from audionet.evaluate.detection import RATES, DetectionEvaluation
from audionet.metrics import exact_interval, hours_needed, poisson_interval
from audionet.plots.detection import plot_detection
from audionet.plots.style import png
from audionet.report.page import image, page_text, section, write_page
from audionet.report.tables import name_table

_MOST_CURVES = 11  # of single keywords, beside that of all
_MOST_NAMES = 20

Row = tuple[str, ...]


def rejects(n_rejected: int, n: int) -> str:
    """Return how many recordings were rejected, with the exact 95% interval.

    Example:
        >>> rejects(1, 40)
        '1 of 40: 2.5%, 0.1 to 13.2%'
    """
    low, high = exact_interval(n_rejected, n)
    return f"{n_rejected} of {n}: {100 * n_rejected / n:.1f}%, {100 * low:.1f} to {100 * high:.1f}%"


def alarms(n_alarms: int, hours: float) -> str:
    """Return how many false alarms there were an hour, with the exact 95% interval.

    Example:
        >>> alarms(1, 2.0)
        '1: 0.50 an hour, 0.01 to 2.79'
    """
    low, high = poisson_interval(n_alarms, hours)
    return f"{n_alarms}: {n_alarms / hours:.2f} an hour, {low:.2f} to {high:.2f}"


def caution(hours: float, n_alarms: int, rate: float) -> str:
    """Return what some hours say of a rate of false alarms; empty where they are enough to be sure of it.

    Example:
        >>> caution(1.6, 0, 0.5)
        '1.60 h say little: that there are at most 0.5 false alarms an hour is sure after 7.4 h with no more of them'
    """
    if poisson_interval(n_alarms, hours)[1] <= rate:
        return ""
    needed = hours_needed(rate, n_alarms)
    return (
        f"{hours:.2f} h say little: that there are at most {rate:g} false alarms an hour is sure after {needed:.1f} h "
        "with no more of them"
    )


def detection_rows(found: DetectionEvaluation) -> list[Row]:
    """Return the figures of all keywords together and of each, with their head, as rows of a table."""
    rows: list[Row] = [
        (
            "keyword",
            "rejected at its threshold",
            "false alarms",
            *(f"rejected at {rate:g} an hour" for rate in RATES),
            "area",
        )
    ]
    names = {"all": found.keywords} | {keyword: [keyword] for keyword in found.keywords}
    for name, keywords in names.items():
        here = found.at_thresholds(keywords)
        points = [found.point(rate, keywords) for rate in RATES]
        rows.append(
            (
                name,
                rejects(here.n_rejected, here.n_positives),
                alarms(here.n_alarms, here.hours),
                *(rejects(point.n_rejected, point.n_positives) for point in points),
                f"{found.area(keywords):.1%}",
            )
        )
    return rows if len(found.keywords) > 1 else rows[:1] + rows[2:]


def detection_lines(found: DetectionEvaluation) -> list[str]:
    """Return what stands below the figures: how sure they are, latency, the worst speakers and rooms, a line each."""
    hours = found.negatives.hours
    lines = [f"{len(found.words.positives)} recordings of keywords; {hours:.2f} h without any"]
    lines += filter(None, [caution(hours, len(found.events), RATES[-1])])
    if (late := found.latency) is not None:
        lines.append(
            f"reported {late.median:.2f} s after the end of the word in the median, {late.p95:.2f} s for 95% of the "
            f"{late.n_words} whose end is known"
        )
    for kind, names in (("speakers", found.by_speaker), ("rooms", found.by_room)):
        if len(names) > 1:
            name, (n_right, n) = next(iter(names.items()))
            lines.append(f"{len(names)} {kind}, the worst of which is {name}: {rejects(n - n_right, n)} rejected")
    if len(found.alarms_by_room) > 1:
        worst = max(found.alarms_by_room.items(), key=lambda each: each[1][0] / each[1][1])
        lines.append(f"most false alarms are in {worst[0]}: {alarms(*worst[1])}, in {worst[1][1]:.2f} h")
    return lines


def write_detection(path: str | os.PathLike[str], found: DetectionEvaluation, *, model: str) -> Path:
    """Write a page with the DET curves, the figures of each keyword, and those of speakers and rooms.

    Args:
        path: Path of the page; folders above it are made.
        found: What the detector made of the recordings.
        model: Name or path of its bundle.

    Returns:
        The path.

    Raises:
        OSError: It cannot be written.
    """
    head, *rows = detection_rows(found)
    here = found.at_thresholds(found.keywords)
    curves = {"all": found.keywords} if len(found.keywords) > 1 else {}
    curves |= {keyword: [keyword] for keyword in found.keywords[:_MOST_CURVES]}
    figure = plot_detection({name: found.curve(keywords) for name, keywords in curves.items()}, [here])
    described = "The share of rejected keywords over the false alarms per hour, with the thresholds marked"
    cards = [
        section("False rejects against false alarms", image(png(figure), described)),
        section("Figures", name_table(head, rows), wide=True),
        *_names("Speakers", found.by_speaker),
        *_names("Rooms", found.by_room),
    ]
    rooms = [(room, alarms(n, hours), f"{hours:.2f}") for room, (n, hours) in found.alarms_by_room.items()]
    if len(rooms) > 1:
        cards.append(section("Rooms without a keyword", name_table(("room", "false alarms", "hours"), rooms)))
    page = page_text(
        title=f"Detection: {model}",
        figure=f"{here.false_rejects:.1%}",
        meaning=f"of the keywords rejected ({rejects(here.n_rejected, here.n_positives)}), with false alarms "
        f"{alarms(here.n_alarms, here.hours)}",
        notes=[*detection_lines(found), *(f"left out: {error}" for error in found.errors), INTERVALS],
        sections=cards,
    )
    return write_page(path, page)


def _names(heading: str, right: dict[str, tuple[int, int]]) -> Sequence[str]:
    rows = [(name, rejects(n - n_right, n)) for name, (n_right, n) in right.items()]
    return (
        [section(heading, name_table((heading.lower().removesuffix("s"), "rejected"), rows[:_MOST_NAMES]))]
        if rows
        else []
    )


INTERVALS = (
    "Intervals are exact ones of 95%, Clopper and Pearson's of shares and Garwood's of rates, and count recordings and "
    "false alarms as independent of each other: with few speakers, they are wider."
)
