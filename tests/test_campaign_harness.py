"""The campaigns' harness tells what becomes of a case."""

import os
import signal
import time
from pathlib import Path

import numpy as np

from tests.campaigns.harness import OUTCOMES, Campaign, Good, Lost, run


def case(generator: np.random.Generator, folder: Path) -> Good:
    """The outcomes come in their order."""
    number = len(list(folder.parent.glob("case*")))
    (folder.parent / f"case{number}").touch()
    match OUTCOMES[number]:
        case "refused":
            return "refused"
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "hang":
            while True:
                pass
        case "memory":
            np.empty(700_000_000)
        case "other":
            raise KeyError("x")
        case "wrong":
            raise AssertionError("2 is not 3")
        case "lost":
            raise Lost("all")
    return "whole"


def waits(generator: np.random.Generator, folder: Path) -> Good:
    time.sleep(60)
    return "whole"


def test_every_outcome_is_told() -> None:
    row = run(Campaign("made up", case, 8, 8, seconds=0.5), seed=0, count=8)
    assert row.outcomes == dict.fromkeys(OUTCOMES, 1)
    assert len(row.failures) == 6 and row.failures[0].startswith("2: crash: ended with -11\nFatal Python error")
    assert row.failures[3].startswith("5: other: KeyError: 'x' (") and "in case" in row.failures[1]
    assert run(Campaign("made up", waits, 1, 1, wall=0.5), seed=0, count=1).outcomes == {"hang": 1}
