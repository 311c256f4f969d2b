"""The table and the picture of the comparison, and their place in the documentation."""

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from audionet.plots import style
from benchmarks.family.members import MEMBERS, Member
from benchmarks.people.results import Book, Result

BEGIN, END = "<!-- family: begin -->", "<!-- family: end -->"
COLORS = {"plain": "#888888", "classic": "#0072b2", "residual": "#d55e00", "keyword": "#009e73"}
TEXT, DIGITS, COST = "12 classes from text alone", "FSDD, one speaker left out", "cost"


class Row(NamedTuple):
    """One network's figures.

    Attributes:
        member: Which.
        text: Shares of the clips of people that are understood, one a seed.
        digits: Shares for each speaker left out, one mapping a seed.
        cost: From `benchmarks.family.cost.costs`; empty where it was not measured.
    """

    member: Member
    text: list[float]
    digits: list[Mapping[str, float]]
    cost: Mapping[str, Any]


def subject(member: Member) -> str:
    """Return what tells a member from others: its architecture and arguments."""
    return f"{member.name} {json.dumps(dict(member.arguments), sort_keys=True)}"


def rows(book: Book) -> list[Row]:
    """Return the figures of all networks of which some were measured."""
    found = []
    for member in MEMBERS:
        own = [result for result in book.results if result.subject == subject(member)]
        newest: dict[str, list[Result]] = {line: [] for line in (TEXT, DIGITS, COST)}
        for result in own:
            newest[result.line].append(result)
        text, digits = ([*{str(each.sample): each for each in newest[line]}.values()] for line in (TEXT, DIGITS))
        cost = newest[COST][-1].more if newest[COST] else {}
        if text or digits:
            found.append(Row(member, [each.value for each in text], [each.more["speakers"] for each in digits], cost))
    return found


def markdown(all_rows: list[Row]) -> str:
    """Return the table."""
    heads = [
        "network",
        "year",
        "parameters",
        "MACs",
        "sees",
        "people, from text alone",
        "digits of a speaker left out: mean, worst",
        "ms, torch",
        "ms, ONNX",
        "clips/s trained",
    ]
    lines = ["| " + " | ".join(heads) + " |", "| --- |" + " ---: |" * (len(heads) - 1)]
    for row in all_rows:
        cost = row.cost
        measured = (
            [
                f"{cost['parameters'] / 1000:,.0f} k",
                f"{cost['macs'] / 1e6:,.1f} M",
                "the clip" if cost["sees_ms"] is None else f"{cost['sees_ms']:,} ms",
            ]
            if cost
            else ["", "", ""]
        )
        times = (
            [f"{cost['eager_ms']:.2f}", f"{cost['onnx_ms']:.2f}", f"{cost['training_clips_per_second']:,.0f}"]
            if cost
            else ["", "", ""]
        )
        cells = [row.member.title, str(row.member.year), *measured, _text(row), _digits(row), *times]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def picture(all_rows: list[Row]) -> bytes:
    """Return the accuracy on people over the multiplications of a clip, as a PNG."""
    figure, axes = style.make_figure(9, 6)
    shown = [row for row in all_rows if row.cost and row.text]
    for kind, color in COLORS.items():
        own = [row for row in shown if row.member.kind == kind]
        axes.scatter(
            [row.cost["macs"] / 1e6 for row in own],
            [100 * mean(row.text) for row in own],
            s=[10 + row.cost["parameters"] ** 0.5 / 4 for row in own],
            color=color,
            alpha=0.75,
            label=kind,
        )
    for row in shown:
        place = (row.cost["macs"] / 1e6, 100 * mean(row.text))
        axes.annotate(row.member.title, place, xytext=(4, 4), textcoords="offset points", fontsize=7)
    axes.set_xscale("log")
    axes.set_xlabel("million multiplications a clip of one second (area: parameters)")
    axes.set_ylabel("% of people's clips understood, learnt from text alone")
    axes.legend(frameon=False)
    style.make_plain(axes, grid=True)
    return style.png(figure)


def publish(book: Book, page: Path, image: Path) -> None:
    """Write the table between its marks on a page, and the picture beside it."""
    all_rows = rows(book)
    image.write_bytes(picture(all_rows))
    before, _, rest = page.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    shown = f"{BEGIN}\n![accuracy against cost](assets/{image.name})\n\n{markdown(all_rows)}\n{END}"
    page.write_text(before + shown + after)


def _text(row: Row) -> str:
    """Write the mean over the seeds, and its range."""
    if not row.text:
        return ""
    span = f" ({100 * min(row.text):.1f} to {100 * max(row.text):.1f})" if len(row.text) > 1 else ""
    return f"{100 * mean(row.text):.1f}{span}"


def _digits(row: Row) -> str:
    """Write the mean over speakers and seeds, and that of the speaker who is understood worst."""
    if not row.digits:
        return ""
    speakers = {name: mean(each[name] for each in row.digits) for name in row.digits[0]}
    return f"{100 * mean(speakers.values()):.1f}, {100 * min(speakers.values()):.1f}"
