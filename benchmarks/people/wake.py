"""`alexa`, `computer` and `jarvis` from text alone: found in recordings of people, and not heard in other speech."""

from argparse import Namespace
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from benchmarks.people import runs
from benchmarks.people.from_text import trainings
from benchmarks.people.hearing import Hearer
from benchmarks.people.peers import RATE, OpenWakeWord
from benchmarks.people.recordings import Recordings, find
from benchmarks.people.results import Book
from benchmarks.people.scores import Count, count

HOP_SECONDS = 0.5
"""From the start of one window of a spoken request to that of the next."""
WORDS = ("alexa", "computer", "jarvis")
FOUND, CONFUSED = "wake words answered with themselves", "wake words answered with another of them"
WINDOWS, HOURLY = "windows of spoken requests answered with a word", "false answers an hour of spoken requests"
ALL = "right of all: wake words answered with themselves, requests in which no window is answered"
ALEXA, NOT_ALEXA = "alexa found", "alexa heard in other wake words and requests"


def run(options: Namespace, book: Book) -> None:
    """Measure recognisers of the three words, and the peers beside them.

    A wake word is right if the recogniser's answer to the recording is that word: a word that is as probable as the
    bundle's threshold asks, in the clip with the most speech. A spoken request, which holds none of the words, is cut
    into windows as long as the recogniser's clips; it is right if none of them is answered with a word.
    """
    words, requests = find("wake words", options.data), find("requests", options.data)
    if not options.no_peers:
        measure_alexa(book, words, requests)
    for hearers, what in trainings(options, "wake", partial(runs.train_words, WORDS)):
        measure(book, hearers, words, requests, **what)


class Answers(NamedTuple):
    """What was answered: to each wake word (recording,), and to the windows of each request; "" for none of these."""

    words: np.ndarray
    requests: list[np.ndarray]

    def right_of_all(self, true: np.ndarray) -> Count:
        """Count the recordings that are right as a whole."""
        calm = [not (windows != "").any() for windows in self.requests]
        right = self.words == true
        return Count(int(right.sum()) + sum(calm), len(right) + len(calm))


def measure(book: Book, hearers: Sequence[Hearer], words: Recordings, requests: Recordings, **what: Any) -> None:
    """Write down what is answered to wake words and to requests, by that of several which is right most often."""
    what |= {"row": "wake", "system": hearers[0].system, "subject": hearers[0].subject}
    if book.has(**what, line=ALL):
        return
    true, waveforms = words.labels, requests.waveforms(hearers[0].sample_rate)
    found = [
        Answers(
            hearer.answers(hearer.clips(words)), [hearer.answers(hearer.windows(w, HOP_SECONDS)) for w in waveforms]
        )
        for hearer in hearers
    ]
    best = max(found, key=lambda answers: answers.right_of_all(true).right)
    right, false = best.words == true, np.concatenate(best.requests)
    hours = sum(map(len, waveforms)) / hearers[0].sample_rate / 3600
    alexa = [*(best.words[true != "alexa"] == "alexa"), *((each == "alexa").any() for each in best.requests)]
    shares = {word: round(float(np.mean(right[true == word])), 4) for word in WORDS}
    book.add(count(right), **what, line=FOUND, more=shares)
    book.add(count(~right & (best.words != "")), **what, line=CONFUSED)
    book.add(count(false != ""), **what, line=WINDOWS, more={word: int(np.sum(false == word)) for word in WORDS})
    book.add(float(np.sum(false != "")) / hours, **what, line=HOURLY, unit="an hour")
    book.add(count(right[true == "alexa"]), **what, line=ALEXA)
    book.add(count(np.array(alexa)), **what, line=NOT_ALEXA)
    book.add(best.right_of_all(true), **what, line=ALL)


def measure_alexa(book: Book, words: Recordings, requests: Recordings) -> None:
    """Write down in which recordings openWakeWord's `alexa` hears its word anywhere."""
    what = {"row": "wake", "system": "openWakeWord"}
    if book.has(**what, line=NOT_ALEXA):
        return
    alexa, model = words.labels == "alexa", OpenWakeWord("alexa")
    others = [*words.take(~alexa).waveforms(RATE), *requests.waveforms(RATE)]
    book.add(count([model.hears(each) for each in words.take(alexa).waveforms(RATE)]), **what, line=ALEXA)
    book.add(count([model.hears(each) for each in others]), **what, line=NOT_ALEXA)
