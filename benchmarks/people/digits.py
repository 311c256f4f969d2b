"""The ten English digits of FSDD: from text alone, and with all speakers but one."""

from argparse import Namespace
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from benchmarks.people import peers, runs
from benchmarks.people.from_text import trainings
from benchmarks.people.hearing import Heard, Hearer
from benchmarks.people.recordings import DIGITS, Recordings, find
from benchmarks.people.results import Book
from benchmarks.people.scores import Count, count, of_words
from benchmarks.people.splits import left_out

TEXT_SPEAKERS = ("theo", "yweweler")
TEXT = "theo and yweweler"
MEAN, WORST = "mean of the six", "worst of the six"


def run_text(options: Namespace, book: Book) -> None:
    """Measure recognisers of the ten digits that heard no recording."""
    recordings = find("fsdd", options.data)
    recordings = recordings.take(np.isin(recordings.speakers, TEXT_SPEAKERS))
    for hearers, what in trainings(options, "fsdd-text", partial(runs.train_words, DIGITS)):
        _test(book, hearers, recordings, **what)


def _test(book: Book, hearers: Sequence[Hearer], recordings: Recordings, **what: Any) -> None:
    """Write down how many digits are right, of the better of several hearers."""
    what |= {"row": "fsdd-text", "line": TEXT, "system": hearers[0].system, "subject": hearers[0].subject}
    if book.has(**what):
        return
    true = recordings.labels.tolist()
    found = [hearer.probabilities(hearer.clips(recordings)) for hearer in hearers]
    probabilities = max(found, key=lambda each: of_words(each, hearers[0].labels, true))
    shares = {
        speaker: of_words(probabilities[rows], hearers[0].labels, recordings.labels[rows].tolist()).share
        for speaker, rows in left_out(recordings.speakers)
    }
    book.add(of_words(probabilities, hearers[0].labels, true), **what, more=shares)


def run_leave_one_out(options: Namespace, book: Book) -> None:
    """Train with all speakers but one, in turn, and test on that one."""
    recordings, config = find("fsdd", options.data), runs.preset(options.preset)
    subject = runs.identity(config, *options.flags)
    folder = options.output / "runs" / f"fsdd-{subject}"
    flags = ["--data.root", str((options.data / "fsdd").absolute()), "--data.split", "leave_one_speaker_out"]
    for seed in options.seeds:
        counts = {}
        for speaker, own in left_out(recordings.speakers):
            chosen = [*flags, "--data.test_speaker", speaker, "--seed", str(seed), *options.flags]
            heard = Heard(runs.train("recognition", folder / f"{speaker}-seed{seed}", config, chosen), subject)
            tested = recordings.take(own)
            counts[speaker] = of_words(heard.probabilities(heard.clips(tested)), heard.labels, tested.labels.tolist())
        _write_left_out(book, counts, "audionet", subject=subject, sample={"seed": seed})
    if not options.no_peers:
        google = peers.Google(options.output).embed(recordings.clips(peers.RATE, peers.LENGTH))
        features = {"Google": google, "MFCC": peers.mfccs(recordings.waveforms(peers.RATE))}
        for name, each in features.items():
            _leave_peers_out(book, name, each, recordings)


def _leave_peers_out(book: Book, name: str, features: np.ndarray, recordings: Recordings) -> None:
    if book.has(row="fsdd", line=WORST, system=name):
        return
    found = []
    for c in peers.PENALTIES:
        counts = {}
        for speaker, own in left_out(recordings.speakers):
            head = peers.classifier(features[~own], recordings.labels[~own], c)
            counts[speaker] = count(head.predict(features[own]) == recordings.labels[own])
        found.append(counts)
    _write_left_out(book, max(found, key=lambda counts: sum(each.right for each in counts.values())), name)


def _write_left_out(book: Book, counts: dict[str, Count], system: str, **what: Any) -> None:
    what |= {"row": "fsdd", "system": system}
    if book.has(**what, line=WORST):
        return
    more = {speaker: round(each.share, 4) for speaker, each in counts.items()}
    total = Count(sum(each.right for each in counts.values()), sum(each.of for each in counts.values()))
    worst = min(counts, key=lambda speaker: counts[speaker].share)
    book.add(total, **what, line=MEAN, more=more)
    book.add(counts[worst], **what, line=WORST, more={"speaker": worst})
