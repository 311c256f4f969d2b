"""`alexa`, `computer` and `jarvis` from text alone: found in recordings of people, and not heard in other speech."""

from argparse import Namespace

import numpy as np

from benchmarks.people.hearing import Heard
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
    """Measure a recogniser of the three words, and openWakeWord's `alexa` beside it.

    A wake word is right if the recogniser's answer to the recording is that word: a word that is as probable as the
    bundle's threshold asks, in the clip with the most speech. A spoken request, which holds none of the words, is cut
    into windows as long as the recogniser's clips; it is right if none of them is answered with a word.
    """
    words, requests = find("wake words", options.data), find("requests", options.data)
    if options.model is not None:
        measure(book, Heard(options.model), words, requests)
    if not options.no_peers:
        measure_peer(book, words, requests)


def measure(book: Book, heard: Heard, words: Recordings, requests: Recordings, **what: object) -> None:
    """Write down what a recogniser answers to the wake words and to the requests."""
    what = {"row": "wake", "subject": heard.subject, **what}
    if book.has(**what, line=ALL):
        return
    answers, true = heard.answers(heard.clips(words)), words.labels
    false, seconds = [], 0.0
    for waveform in requests.waveforms(heard.recognizer.sample_rate):
        false.append(heard.answers(heard.windows(waveform, HOP_SECONDS)))
        seconds += len(waveform) / heard.recognizer.sample_rate
    windows, calm = np.concatenate(false) != "", np.array([not (answer != "").any() for answer in false])
    right = answers == true
    shares = {word: round(float(np.mean(right[true == word])), 4) for word in WORDS}
    taken = {word: int(np.sum(np.concatenate(false) == word)) for word in WORDS}
    alexa = np.concatenate([answers[true != "alexa"] == "alexa", [(answer == "alexa").any() for answer in false]])
    book.add(count(right), **what, line=FOUND, more=shares)
    book.add(count(~right & (answers != "")), **what, line=CONFUSED)
    book.add(count(windows), **what, line=WINDOWS, more=taken)
    book.add(windows.sum() / (seconds / 3600), **what, line=HOURLY)
    book.add(count(right[true == "alexa"]), **what, line=ALEXA)
    book.add(count(alexa), **what, line=NOT_ALEXA)
    book.add(Count(int(right.sum() + calm.sum()), len(right) + len(calm)), **what, line=ALL)


def measure_peer(book: Book, words: Recordings, requests: Recordings) -> None:
    """Write down in which recordings openWakeWord's `alexa` hears its word anywhere."""
    what = {"row": "wake", "system": "openWakeWord"}
    if book.has(**what, line=NOT_ALEXA):
        return
    alexa, model = words.labels == "alexa", OpenWakeWord("alexa")
    others = [*words.take(~alexa).waveforms(RATE), *requests.waveforms(RATE)]
    book.add(count([model.hears(each) for each in words.take(alexa).waveforms(RATE)]), **what, line=ALEXA)
    book.add(count([model.hears(each) for each in others]), **what, line=NOT_ALEXA)
