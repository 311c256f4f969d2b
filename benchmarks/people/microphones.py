"""The 12 classes through twelve made-up devices: how far does the worst one fall behind the clean recordings?"""

from argparse import Namespace

from benchmarks.devices import DEVICES, through_devices
from benchmarks.people.commands import half, whom
from benchmarks.people.hearing import Heard
from benchmarks.people.results import Book
from benchmarks.people.scores import Count, of_all, of_words

CLEAN, WORST = "clean recordings", "points lost by the worst device"


def run(options: Namespace, book: Book) -> None:
    """Test a recogniser on what each device hands on."""
    measure(book, Heard(options.model), options)


def measure(book: Book, heard: Heard, options: Namespace, **what: object) -> None:
    """Write down the accuracy of the clean recordings, of those by each device, and what the worst device costs."""
    which = whom(options.half)
    what = {"row": "devices", "subject": heard.subject, **what}
    if book.has(**what, line=f"{WORST}, {which}"):
        return
    recordings = half(options.data, options.half)
    clips, true = heard.clips(recordings), recordings.labels.tolist()
    heard_clips = {CLEAN: clips} | through_devices(clips, heard.sample_rate)
    found: dict[str, Count] = {}
    for name, each in heard_clips.items():
        probabilities = heard.probabilities(each)
        found[name] = of_all(probabilities, heard.labels, true)
        more = {"ten words": round(of_words(probabilities, heard.labels, true).share, 4)}
        book.add(found[name], **what, line=f"{name.replace('_', ' ')}, {which}", more=more)
    worst = min(DEVICES, key=lambda name: found[name].share)
    lost = 100 * (found[CLEAN].share - found[worst].share)
    book.add(lost, **what, unit="points", line=f"{WORST}, {which}", more={"worst": worst})
