"""How long `audionet train-words` takes from its first line to its last, for three phrases."""

import shutil
import time
from argparse import Namespace

from benchmarks.people import runs
from benchmarks.people.results import Book

PHRASES = ("lights on", "lights off", "stop")
LINE = "train-words with three phrases, first to last line"


def run(options: Namespace, book: Book) -> None:
    """Train once, from nothing: what an earlier process began is thrown away, for a time cannot be gone on with.

    The clips are spoken anew, too, if the cache is empty; AUDIONET_CACHE names an empty one.
    """
    what = {"row": "minutes", "line": LINE, "subject": runs.identity(*options.flags)}
    if book.has(**what):
        return
    folder = options.output / "runs" / f"minutes-{what['subject']}"
    shutil.rmtree(folder, ignore_errors=True)
    start = time.perf_counter()
    runs.command(folder, PHRASES, options.flags)
    book.add((time.perf_counter() - start) / 60, **what, unit="minutes")
