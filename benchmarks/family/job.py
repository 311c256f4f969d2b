"""One training of the comparison, in a process of its own."""

from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from benchmarks.family import table
from benchmarks.family.members import Member
from benchmarks.fsdd import SPEAKERS
from benchmarks.people.scores import Count


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
            "sample": {"seed": self.seed},
        }


def learn(job: Job, output: Path, shared: Path) -> tuple[Count, dict[str, float]]:
    """Train one network, or one for each speaker left out; return the share of the clips, and that of each speaker."""
    from benchmarks.family import streams
    from benchmarks.family.train import trained

    name, arguments = job.member.name, job.member.arguments
    if job.line == table.TEXT:
        return trained(name, arguments, streams.from_text(output, shared, job.seed), job.seed), {}
    counts = {
        speaker: trained(name, arguments, streams.without_speaker(output, shared, speaker, job.seed), job.seed)
        for speaker in SPEAKERS
    }
    of = sum(each.of for each in counts.values())
    shares = {speaker: round(each.share, 4) for speaker, each in counts.items()}
    return Count(mean(shares.values()), of), shares
