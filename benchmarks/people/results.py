"""What has been measured: one JSON line a figure, added to a file, so that an interrupted benchmark goes on."""

import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.measure import machine
from benchmarks.people.scores import Count

SYSTEMS = ("audionet", "Google", "MFCC", "openWakeWord")
"""Who answered: what is made here; Google's speech embedding; 13 MFCCs; openWakeWord's trained model."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """One figure.

    Attributes:
        row: Subcommand that made it.
        line: Which line of the table it belongs to, within the row.
        system: One of ``SYSTEMS``.
        subject: What was measured: a bundle by its hash, or a preset and its flags by theirs.
        sample: Which of several equal measurements this is, such as {"seed": 0} or {"draw": 3}.
        value: The figure: a share of ``of``, or in ``unit``.
        of: Clips that the share is of; 0 for other units.
        unit: What the figure counts, such as "minutes"; empty for a share, or a number without a unit.
        more: Anything further: per speaker, per word.
        made: Command, machine, versions and date.
    """

    row: str
    line: str
    system: str = SYSTEMS[0]
    subject: str = ""
    sample: Mapping[str, Any] = field(default_factory=dict)
    value: float
    of: int = 0
    unit: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)
    made: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What tells a measurement from others: everything but its outcome."""
        return json.dumps([self.row, self.line, self.system, self.subject, dict(self.sample)], sort_keys=True)


class Book:
    """The figures of a folder.

    Args:
        folder: Folder of `results.jsonl`; it is made where it is missing.
        command: The command that is running, which is noted beside each figure.

    Attributes:
        folder: The folder.
        results: All figures so far, in the order in which they were made.
    """

    def __init__(self, folder: Path, command: str = "") -> None:
        self.folder, self.command = folder, command
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "results.jsonl"
        self.results: list[Result] = []
        if self._path.exists():
            self.results = [Result(**row) for line in self._path.read_text().splitlines() if (row := _parsed(line))]

    def has(self, **what: Any) -> bool:
        """Tell whether a figure is there already, by all that `Result.key` holds."""
        key = Result(**what, value=0.0).key
        return any(result.key == key for result in self.results)

    def add(self, figure: Count | float, **what: Any) -> None:
        """Write a figure down and print it."""
        made = {"command": self.command, "date": time.strftime("%Y-%m-%d %H:%M"), **machine()}
        value, of = (figure.share, figure.of) if isinstance(figure, Count) else (float(figure), 0)
        result = Result(**what, value=value, of=of, made=made)
        with self._path.open("a+b") as stream:
            # A process that was killed may have left a line without its end, which must not take this one with it.
            cut = stream.tell() and (stream.seek(-1, os.SEEK_END), stream.read())[1] != b"\n"
            stream.write((b"\n" if cut else b"") + json.dumps(asdict(result)).encode() + b"\n")
        self.results.append(result)
        at = ", ".join(f"{name} {value}" for name, value in result.sample.items())
        print(f"{result.row} · {result.line} · {result.system}{f' · {at}' if at else ''}: {shown(result)}", flush=True)


def _parsed(line: str) -> dict[str, Any] | None:
    """Return the values of a line; None for one that was cut off when its process was killed."""
    try:
        values = json.loads(line)
    except ValueError:
        return None
    return values if isinstance(values, dict) else None


def shown(result: Result) -> str:
    """Write a figure as the table does."""
    if result.of:
        return f"{100 * result.value:.1f}% of {result.of:,}"
    return f"{result.value:.3f}{f' {result.unit}' if result.unit else ''}"


def identity(path: Path) -> str:
    """Return what tells a file from others, by its content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10]
