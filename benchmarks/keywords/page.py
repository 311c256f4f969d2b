"""The page of the benchmark in the documentation: tables between its marks, and a picture for each keyword."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from audionet.evaluate import Tracks
from audionet.metrics import OperatingPoint
from audionet.plots import plot_detection, style
from benchmarks.keywords.cost import Cost
from benchmarks.keywords.figures import RATES, Figures, figures
from benchmarks.keywords.sounds import WORDS, Sound

BEGIN, END = "<!-- keywords: begin -->", "<!-- keywords: end -->"
Row = tuple[str, ...]


def publish(
    sounds: Mapping[str, Sequence[Sound]],
    heard: Mapping[str, Mapping[str, Tracks]],
    costs: Mapping[str, Cost],
    facts: Mapping[str, str],
    docs: Path,
) -> None:
    """Write the tables between their marks on the page, and the pictures beside it.

    Args:
        sounds: The recordings of each condition.
        heard: What each system has made of them, by condition and system.
        costs: What the systems cost.
        facts: What the figures were measured on.
        docs: Folder of keywords.md, which is begun where it is missing, and of assets/.
    """
    page, assets = docs / "keywords.md", docs / "assets"
    parts = ["; ".join(f"{name}: {value}" for name, value in facts.items()) + "."]
    for condition, systems in heard.items():
        for keyword in WORDS:
            found = {
                name: figures(keyword, sounds[condition], tracks)
                for name, tracks in systems.items()
                if keyword in tracks.settings.keywords
            }
            picture = f"keywords_{keyword}_{condition.replace(' ', '_')}.png"
            (assets / picture).write_bytes(
                style.png(plot_detection({name: each.curve for name, each in found.items()}))
            )
            hours = next(iter(found.values())).points[0].hours
            parts += [f"### {keyword}, {condition}", f"Against {hours:.2f} hours without the word."]
            parts += [f"![false rejects over false alarms of {keyword}, {condition}](assets/{picture})", _table(found)]
    parts += ["### Cost", _costs(costs)]
    written = page.read_text() if page.exists() else f"# Who finds a keyword\n\n{BEGIN}\n{END}\n"
    before, _, rest = written.partition(BEGIN)
    page.write_text(f"{before}{BEGIN}\n" + "\n\n".join(parts) + f"\n{END}{rest.partition(END)[2]}")


def _table(found: Mapping[str, Figures]) -> str:
    """Return the figures of one keyword under one condition."""
    head = (
        "system",
        *(f"rejected at ≤ {rate:g} an hour" for rate in RATES),
        f"false alarms there ({RATES[0]:g})",
        "at its own threshold: rejected",
        "an hour",
        "late, ms: median, 95%",
    )
    rows: list[Row] = []
    for name, each in found.items():
        own = ("–", "–") if each.own is None else (_rejects(each.own), f"{each.own.false_alarms:.1f}")
        late = "–" if each.late is None else f"{1000 * each.late.median:.0f}, {1000 * each.late.p95:.0f}"
        where = ", ".join(f"{count} in {name}" for name, count in each.alarms.items()) or "none"
        rows.append((name, *map(_rejects, each.points), where, *own, late))
    return _markdown(head, rows)


def _rejects(point: OperatingPoint) -> str:
    low, high = point.rejects_interval
    return f"{100 * point.false_rejects:.1f}% ({100 * low:.1f} to {100 * high:.1f})"


def _costs(costs: Mapping[str, Cost]) -> str:
    rows = [
        (name, str(cost.n_keywords), f"{100 * cost.share:.2f}%", f"{cost.size / 1000:,.0f} kB")
        for name, cost in costs.items()
    ]
    return _markdown(("system", "keywords", "of a core, live", "size"), rows)


def _markdown(head: Row, rows: Sequence[Row]) -> str:
    lines = [" | ".join(head), " | ".join(["---"] * len(head)), *(" | ".join(row) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines)
