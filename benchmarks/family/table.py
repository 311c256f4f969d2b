"""The table and the picture of the comparison, and their place in the documentation."""

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from math import cos, radians, sin
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from matplotlib.transforms import Bbox

from audionet.plots import style
from benchmarks.family.members import MEMBERS, Member
from benchmarks.people.results import Book, Result

BEGIN, END = "<!-- family: begin -->", "<!-- family: end -->"
COLORS = {"plain": "#888888", "classic": "#0072b2", "residual": "#d55e00", "keyword": "#009e73"}
_ANGLES, _DISTANCES = (0, 180, 45, 135, -45, -135, 90, -90), (2, 8, 14, 20)  # from a dot to its name, in points
TEXT, DIGITS, COST = "12 classes from text alone", "FSDD, one speaker left out", "cost"


class Row(NamedTuple):
    """One network's figures.

    Attributes:
        member: Which.
        text: Shares of the clips of people that are understood, one a seed.
        digits: Shares for each speaker left out, one mapping a seed.
        cost: From `benchmarks.family.cost.costs`.
    """

    member: Member
    text: list[float]
    digits: list[Mapping[str, float]]
    cost: Mapping[str, Any]


def subject(member: Member) -> str:
    """Return what tells a member from others: its architecture and arguments."""
    return f"{member.name} {json.dumps(dict(member.arguments), sort_keys=True)}"


def rows(book: Book) -> list[Row]:
    """Return the figures of all networks whose costs were measured."""
    found = []
    for member in MEMBERS:
        own = [result for result in book.results if result.subject == subject(member)]
        newest: dict[str, list[Result]] = {line: [] for line in (TEXT, DIGITS, COST)}
        for result in own:
            newest[result.line].append(result)
        if not newest[COST]:
            continue
        text, digits = ([*{str(each.sample): each for each in newest[line]}.values()] for line in (TEXT, DIGITS))
        speakers = [each.more["speakers"] for each in digits]
        found.append(Row(member, [each.value for each in text], speakers, newest[COST][-1].more))
    return found


def markdown(all_rows: list[Row]) -> str:
    """Return the table, without the columns of what was not measured yet."""
    columns: dict[str, Callable[[Row], str]] = {
        "network": lambda row: row.member.title,
        "year": lambda row: str(row.member.year),
        "parameters": lambda row: f"{row.cost['parameters'] / 1000:,.0f} k",
        "MACs": lambda row: f"{row.cost['macs'] / 1e6:,.1f} M",
        "sees": lambda row: f"{row.cost['sees_ms']:,} ms" if row.cost["sees_ms"] else "the clip",
        "people, from text alone": _text,
        "digits of a speaker left out: mean, worst": _digits,
        "ms, torch": lambda row: f"{row.cost['eager_ms']:.2f}",
        "ms, ONNX": lambda row: f"{row.cost['onnx_ms']:.2f}",
        "clips/s trained": lambda row: f"{row.cost['training_clips_per_second']:,.0f}",
    }
    cells = {head: [cell(row) for row in all_rows] for head, cell in columns.items()}
    heads = [head for head, column in cells.items() if any(column)]
    lines = [" | ".join(heads), " | ".join(["---"] + ["---:"] * (len(heads) - 1))]
    lines += [" | ".join(cells[head][number] for head in heads) for number in range(len(all_rows))]
    return "\n".join(f"| {line} |" for line in lines)


def picture(all_rows: list[Row]) -> bytes:
    """Return the accuracy on people over the multiplications of a clip, as a PNG."""
    figure, axes = style.make_figure(9, 6)
    shown = [row for row in all_rows if row.text]
    for kind, color in COLORS.items():
        own = [row for row in shown if row.member.kind == kind]
        axes.scatter(
            [row.cost["macs"] / 1e6 for row in own],
            [100 * mean(row.text) for row in own],
            s=[_area(row) for row in own],
            color=color,
            alpha=0.75,
            label=kind,
        )
    axes.set_xscale("log")
    axes.set_xlabel("million multiplications a clip of one second (area: parameters)")
    axes.set_ylabel("% of people's clips understood, learnt from text alone")
    axes.legend(frameon=False)
    style.make_plain(axes, grid=True)
    _name(axes, shown)
    return style.png(figure)


def _area(row: Row) -> float:
    """Return the area of a network's dot, in square points."""
    return float(10 + row.cost["parameters"] ** 0.5 / 4)


def _name(axes: Any, shown: Sequence[Row]) -> None:
    """Write each name beside its dot, where it lies on no other name and on no dot, as far as there is room."""
    places = [(row.cost["macs"] / 1e6, 100 * mean(row.text)) for row in shown]
    radii = [_area(row) ** 0.5 / 2 for row in shown]
    pixels = axes.figure.dpi / 72  # a point
    dots = zip(axes.transData.transform(places), radii, strict=True)
    taken = [Bbox([center - pixels * radius, center + pixels * radius]) for center, radius in dots]
    for row, place, radius in zip(shown, places, radii, strict=True):
        label = axes.annotate(row.member.title, place, (0, 0), textcoords="offset points", fontsize=7, va="center")
        tried: list[tuple[int, int, dict[str, Any], Bbox]] = []
        for distance, angle in product(_DISTANCES, _ANGLES):
            across, up = ((radius + distance) * way(radians(angle)) for way in (cos, sin))
            beside = "center" if angle in (90, -90) else "left" if across > 0 else "right"
            where = {"position": (across, up), "ha": beside}
            label.set(**where)
            box = label.get_window_extent()
            tried.append((box.count_overlaps(taken), len(tried), where, box))
        _, _, where, box = min(tried, key=lambda found: found[:2])
        label.set(**where)
        taken.append(box)


def publish(book: Book, page: Path, image: Path) -> None:
    """Write the table between its marks on a page, and the picture beside it."""
    all_rows, shown = rows(book), ""
    if any(row.text for row in all_rows):
        image.write_bytes(picture(all_rows))
        shown = f"![accuracy against cost](assets/{image.name})\n\n"
    before, _, rest = page.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n{shown}{markdown(all_rows)}\n{END}{after}")


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
