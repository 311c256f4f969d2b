"""Fair timing on a noisy machine, and tables that say what was measured, where, and how much it varied."""

import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

from audionet import __version__

PACKAGES = ("torch", "torchaudio", "lightning", "numpy")


@dataclass(frozen=True)
class Figure:
    """A measured quantity: one value a repeat, and the bound that is wanted of their median."""

    name: str
    unit: str
    values: Sequence[float]
    at_least: float | None = None
    at_most: float | None = None


def interleaved(
    work: Mapping[str, Callable[[], object]],
    repeats: int,
    *,
    warm_up: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Time callables in turn, so that a machine that slows down does so for all of them.

    Args:
        work: What to time, by name.
        repeats: Timed calls of each.
        warm_up: Calls of each before those.
        clock: Tells the time in seconds; `time.thread_time` leaves out what a busy machine lets one thread wait.

    Returns:
        Seconds of each call; the i-th calls of all stand next to each other in time, so divide those.
    """
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for repeat in range(-warm_up, repeats):
        for name, call in work.items():
            start = clock()
            call()
            if repeat >= 0:
                seconds[name].append(clock() - start)
    return seconds


def ratios(numerators: Iterable[float], denominators: Iterable[float]) -> list[float]:
    """Divide repeat by repeat."""
    return [a / b for a, b in zip(numerators, denominators, strict=True)]


def machine() -> dict[str, str]:
    """Say what the figures were measured on: hardware, how busy it was, and versions."""
    cpu = platform.processor() or platform.machine()
    if (info := Path("/proc/cpuinfo")).exists():
        models = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = next(iter(models), cpu)
    packages = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)
    return {
        "hardware": f"{cpu}, {os.cpu_count()} cores",
        "load": f"{os.getloadavg()[0]:.1f} processes in the minute before",
        "versions": f"audionet {__version__}, Python {platform.python_version()}, {packages}",
        "system": f"{platform.system()} {platform.release()}",
    }


def peak_memory() -> float:
    """Return the most memory that this process had resident, in MB (Linux)."""
    # Not getrusage: its maximum also counts the parent, in whose memory a new process starts.
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6


def record(command: str, facts: dict[str, Any], figures: Sequence[Figure]) -> dict[str, Any]:
    """Put a benchmark's figures and where they come from into plain JSON values."""
    return {"command": command, **facts, "figures": [asdict(figure) for figure in figures]}


def markdown(title: str, command: str, facts: dict[str, Any], figures: Sequence[Figure]) -> str:
    """Show the same as a section with a table."""
    lines = [f"## {title}", "", f"    {command}", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += [
        "",
        "| measured | median | min – max | unit | repeats | wanted |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for figure in figures:
        low, high = min(figure.values), max(figure.values)
        cells = (figure.name, _number(median(figure.values)), f"{_number(low)} – {_number(high)}", figure.unit)
        lines.append(f"| {' | '.join(cells)} | {len(figure.values)} | {_wanted(figure)} |")
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _wanted(figure: Figure) -> str:
    middle = median(figure.values)
    if figure.at_least is not None:
        return f"≥ {_number(figure.at_least)}: {'met' if middle >= figure.at_least else 'missed'}"
    if figure.at_most is not None:
        return f"< {_number(figure.at_most)}: {'met' if middle < figure.at_most else 'missed'}"
    return ""
