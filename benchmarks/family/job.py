"""One training of the comparison, in a process of its own."""

from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.family import table
from benchmarks.family.members import Member
from benchmarks.fsdd import SPEAKERS
from benchmarks.people.scores import Count

BATCHES = {table.TEXT: 800, table.DIGITS: 300}
"""Batches that a training sees; a deep network without large strides learns nothing in half as many."""


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
            "sample": {"seed": self.seed, "batches": BATCHES[self.line]},
        }


def learn(job: Job, output: Path, shared: Path) -> tuple[Count, dict[str, float]]:
    """Train one network, or one for each speaker left out; return the share of the clips, and that of each speaker."""
    from benchmarks.family import streams
    from benchmarks.family.train import trained

    name, arguments, seed, n_steps = job.member.name, job.member.arguments, job.seed, BATCHES[job.line]
    if job.line == table.TEXT:
        return trained(name, arguments, streams.from_text(output, shared, seed, n_steps), seed), {}
    counts = {}
    for speaker in SPEAKERS:
        data = streams.without_speaker(output, shared, speaker, seed, n_steps)
        counts[speaker] = trained(name, arguments, data, seed)
    shares = {speaker: round(each.share, 4) for speaker, each in counts.items()}
    return Count(sum(each.right for each in counts.values()), sum(each.of for each in counts.values())), shares
