"""Every convnet under one budget, tested on people: some hours on two cores, and it goes on where it stopped.

    python -m benchmarks.family                             all networks, three seeds, costs, and the table in the docs
    python -m benchmarks.family --minutes 60                as far as an hour goes; the next call does the rest
    python -m benchmarks.family --only table                the table and the picture of what is there

All networks learn from the same augmented batches, in the same order, with the same optimizer: 800 batches of 64 clips
that engines spoke, for the ten words, "unknown" and "silence", tested on the even half's speakers of the shared half
of Speech Commands' test archive; and 400 batches of 16 of FSDD's digits by five speakers, tested on the sixth, six
times.
"""

import argparse
import os
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path

from benchmarks.family import table
from benchmarks.family.job import Job, learn
from benchmarks.family.members import MEMBERS, Member
from benchmarks.people.results import Book
from benchmarks.people.scores import Count

REPOSITORY = Path(__file__).parents[2]
PHASES = ("accuracy", "cost", "table")


def main() -> None:
    """Train what is missing, measure the costs, and publish the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the real recordings")
    parser.add_argument("--output", type=Path, default=Path("runs/family"), help="folder of the batches")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent, help="folder of results.jsonl")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--lines", nargs="+", choices=[table.TEXT, table.DIGITS], default=[table.TEXT, table.DIGITS])
    parser.add_argument("--titles", nargs="+", default=None, help="networks by their titles; all of them by default")
    parser.add_argument("--jobs", type=int, default=2, help="trainings at a time, of one thread each")
    parser.add_argument("--minutes", type=float, default=600, help="no training begins later than this")
    parser.add_argument("--only", nargs="+", choices=PHASES, default=PHASES)
    options = parser.parse_args()
    book = Book(options.results, "python -m benchmarks.family")
    members = [member for member in MEMBERS if options.titles is None or member.title in options.titles]
    if "accuracy" in options.only:
        wanted = (Job(member, line, seed) for seed in options.seeds for line in options.lines for member in members)
        train([job for job in wanted if not book.has(**job.key)], book, options)
    if "cost" in options.only:
        measure(members, book)
    if "table" in options.only:
        table.publish(book, REPOSITORY / "docs" / "models.md", REPOSITORY / "docs" / "assets" / "family.png")


def train(jobs: list[Job], book: Book, options: argparse.Namespace) -> None:
    """Train in processes of one thread, and write down each result as it comes."""
    os.environ["OMP_NUM_THREADS"] = "1"  # which libraries read as they are imported
    end = time.monotonic() + 60 * options.minutes
    remaining: Iterator[Job] = iter(jobs)
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        running: dict[Future[tuple[Count, dict[str, float]]], Job] = {}
        while True:
            while len(running) < options.jobs and time.monotonic() < end and (job := next(remaining, None)):
                running[pool.submit(learn, job, options.output, options.data)] = job
            if not running:
                return
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                job = running.pop(done)
                figure, speakers = done.result()
                book.add(figure, **job.key, more={"speakers": speakers} if speakers else {})


def measure(members: list[Member], book: Book) -> None:
    """Measure what the networks cost, all of them in one run, for they are compared."""
    from benchmarks.family.cost import costs

    for member in members:
        found = costs(member)
        key = {"row": member.title, "line": table.COST, "subject": table.subject(member)}
        book.add(found["macs"] / 1e6, **key, unit="M MACs", more=found)


if __name__ == "__main__":
    main()
