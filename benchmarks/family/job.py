"""One training of the comparison, in a process of its own."""

from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.family import table
from benchmarks.family.members import Member
from benchmarks.fsdd import SPEAKERS
from benchmarks.people.scores import Count


class Budget(NamedTuple):
    """What a training may see: so many batches of so many clips."""

    n_batches: int
    batch_size: int


BUDGETS = {table.TEXT: Budget(800, 64), table.DIGITS: Budget(400, 16)}
"""What a training sees. A deep network without large strides learns nothing in half as many batches. Of the digits,
with six trainings a seed, smaller batches teach more in the same time, by the training clips that are right at the end.
"""


class Job(NamedTuple):
    """One figure: a network, what it learns, and the seed."""

    member: Member
    line: str
    seed: int

    @property
    def key(self) -> dict[str, Any]:
        """What tells its result from others."""
        return {
            "row": self.member.title,
            "line": self.line,
            "subject": table.subject(self.member),
            "sample": {"seed": self.seed, "batches": BUDGETS[self.line].n_batches},
        }


def learn(job: Job, output: Path, shared: Path) -> tuple[Count, dict[str, float]]:
    """Train one network, or one for each speaker left out; return the share of the clips, and that of each speaker."""
    from benchmarks.family import streams
    from benchmarks.family.train import trained

    name, arguments, seed, budget = job.member.name, job.member.arguments, job.seed, BUDGETS[job.line]
    if job.line == table.TEXT:
        return trained(name, arguments, streams.from_text(output, shared, seed, *budget), seed), {}
    counts = {}
    for speaker in SPEAKERS:
        data = streams.without_speaker(output, shared, speaker, seed, *budget)
        counts[speaker] = trained(name, arguments, data, seed)
    shares = {speaker: round(each.share, 4) for speaker, each in counts.items()}
    return Count(sum(each.right for each in counts.values()), sum(each.of for each in counts.values())), shares
