"""Runs the cases of a campaign in a worker process, which may crash, hang or take all memory."""

import faulthandler
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

import numpy as np

from audionet.randomness import random_generator

Good = Literal["refused", "whole"]
OUTCOMES = ("refused", "whole", "crash", "hang", "memory", "other", "wrong", "lost")
"""What can become of a case. Refused: with a documented error. Only the first two are wanted."""

_MOST_BYTES = 1_000_000_000  # that a case may add to what the worker holds
_LIMIT = 4 * _MOST_BYTES  # of addresses, which nobody counts as memory; protects the machine


class Lost(Exception):
    """What was there, or should be, is gone."""


class Hang(Exception):
    """A process that a case has started does not end."""


class Crash(Exception):
    """A process that a case has started has ended without an answer."""


@dataclass(frozen=True)
class Campaign:
    """Many cases of one kind.

    Attributes:
        name: Its name on the command line.
        case: Runs one case with its random numbers, in a new folder. Returns "refused" after a documented error, or
            "whole". An AssertionError is a silently wrong answer; any other exception is what it says.
        count: Number of cases.
        tiny: Number of cases of the slice that takes seconds.
        prepare: Makes what the cases share, once in each worker.
        seconds: Processor time that a case may take.
        wall: Seconds after which a case that waits counts as one that hangs.
    """

    name: str
    case: Callable[[np.random.Generator, Path], Good]
    count: int
    tiny: int
    prepare: Callable[[], object] | None = None
    seconds: float = 5.0
    wall: float = 60.0


@dataclass
class Row:
    """What has become of a campaign's cases.

    Attributes:
        outcomes: How many cases had each of ``OUTCOMES``.
        failures: A text for each case whose outcome is not wanted, which begins with its number.
        seconds: Time that all took.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0


def run(campaign: Campaign, *, seed: int, count: int, first: int = 0, most_seconds: float = inf) -> Row:
    """Run so many cases of a campaign, from the first one on; fewer if the time is up."""
    row, start = Row(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="campaign-") as folder:
        worker: _Worker | None = None
        for number in range(first, first + count):
            if time.monotonic() - start > most_seconds:
                break
            worker = worker or _Worker(campaign, seed, Path(folder))
            outcome, text = worker.ask(number)
            row.outcomes[outcome] += 1
            if outcome not in ("refused", "whole"):
                row.failures.append(f"{number}: {outcome}: {text}")
            if outcome in ("crash", "hang"):
                worker = None
        if worker:
            worker.end()
    row.seconds = time.monotonic() - start
    return row


class _Worker:
    """A process that runs cases, one after the other."""

    def __init__(self, campaign: Campaign, seed: int, folder: Path) -> None:
        self.campaign, self.log = campaign, folder / "log"
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other, campaign, seed, folder, self.log))
        self.process.start()
        other.close()
        self.is_ready = False

    def ask(self, number: int) -> tuple[str, str]:
        """Have a case run; return its outcome and what is to be said of it."""
        try:
            self.is_ready = self.is_ready or bool(self.connection.recv())
            self.connection.send(number)
            if self.connection.poll(self.campaign.wall):
                answer: tuple[str, str] = self.connection.recv()
                return answer
            reason = "hang", f"waits for over {self.campaign.wall:.0f} s"
        except (EOFError, OSError):
            self.process.join()
            is_late = self.process.exitcode == -signal.SIGPROF
            reason = ("hang" if is_late else "crash"), f"ended with {self.process.exitcode}"
        self.end()
        said = self.log.read_text(errors="replace").strip()[-1500:]
        return reason[0], f"{reason[1]}\n{said}"

    def end(self) -> None:
        """End the process."""
        self.connection.close()
        self.process.join(10 if self.process.is_alive() else 0)
        self.process.kill()
        self.process.join()


def _serve(connection: Connection, campaign: Campaign, seed: int, folder: Path, log: Path) -> None:
    """Run the cases whose numbers are asked for, until nobody asks."""
    tempfile.tempdir = str(folder)
    with log.open("w") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
    faulthandler.enable()
    faulthandler.register(signal.SIGPROF, chain=True)  # tells where, then ends
    if campaign.prepare:
        campaign.prepare()
    resource.setrlimit(resource.RLIMIT_AS, (_memory("VmSize") + _LIMIT, resource.RLIM_INFINITY))
    connection.send("ready")
    while True:
        try:
            number = connection.recv()
        except EOFError:
            return
        connection.send(_outcome(campaign, random_generator(seed, campaign.name, number)))


def _outcome(campaign: Campaign, generator: np.random.Generator) -> tuple[str, str]:
    Path("/proc/self/clear_refs").write_text("5")  # the highest use of memory is counted anew
    before = _memory("VmRSS")
    signal.setitimer(signal.ITIMER_PROF, campaign.seconds)
    try:
        with tempfile.TemporaryDirectory() as folder:
            outcome = _named(lambda: campaign.case(generator, Path(folder)))
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    more = _memory("VmHWM") - before
    return ("memory", f"{more / 1e9:.1f} GB") if more > _MOST_BYTES else outcome


def _named(case: Callable[[], Good]) -> tuple[str, str]:
    names = {MemoryError: "memory", AssertionError: "wrong", Lost: "lost", Hang: "hang", Crash: "crash"}
    try:
        return case(), ""
    except Exception as error:
        name: Any = next((name for kind, name in names.items() if isinstance(error, kind)), "other")
        place = traceback.extract_tb(error.__traceback__)[-1]
        return name, f"{type(error).__name__}: {error} ({place.filename}:{place.lineno})"


def _memory(name: str) -> int:
    """Return a value of this process's memory in bytes."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{name}:"))
    return 1024 * int(line.split()[1])
