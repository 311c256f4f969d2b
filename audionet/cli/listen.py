"""`audionet listen`."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from audionet.cli.detect import show, words_of
from audionet.cli.parsing import Share
from audionet.console import note, print_table

if TYPE_CHECKING:
    from audionet.audio.microphone import Microphone
    from audionet.cli.live import Screen
    from audionet.inference import Detector


def listen(
    model: str = "commands",
    *,
    keywords: str | None = None,
    threshold: Share | None = None,
    thresholds: Mapping[str, Any] = MappingProxyType({}),
    device: str | None = None,
    list_devices: bool = False,
    json: bool = False,
) -> None:
    """Wait for keywords at the microphone, and print when each was said. Ctrl-C ends it.

    In a terminal it shows the last seconds of sound, the score of each word with its threshold, and the last events.

    Args:
        model: Name of a shipped bundle (see `audionet models list`) or path of one.
        keywords: Words to wait for, with commas between them; all words of the bundle where they are left out.
        threshold: Score from which on a word is reported, 0 to 1; the bundle's where it is left out.
        thresholds: Scores of single words, such as stop=0.8, in place of --threshold; may be repeated.
        device: Number or name of the microphone; the system's where it is left out.
        list_devices: List the microphones that there are, and end.
        json: Print a JSON line for each event, without a picture.

    Example:
        audionet listen --list-devices
        audionet listen commands --keywords stop,go --json
    """
    from audionet.audio.microphone import find_microphone, microphones

    if list_devices:
        rows = [
            [str(each.number), each.name, f"{each.sample_rate} Hz", "*" * each.is_default] for each in microphones()
        ]
        print_table([["number", "microphone", "rate", "default"], *rows])
        return
    microphone = find_microphone(device)  # before the network is loaded, which takes seconds
    from audionet.inference import load_detector
    from audionet.parallel import one_thread

    chosen = dict(thresholds) or threshold
    detector = load_detector(model, keywords=words_of(keywords), thresholds=chosen)
    try:
        with one_thread(), screen(microphone, detector, sys.stdout.isatty() and not json) as shown:
            hear(microphone, detector, json, shown)
    except KeyboardInterrupt:
        pass


def hear(microphone: "Microphone", detector: "Detector", json: bool, shown: "Screen | None") -> None:
    """Push what the microphone gives into the detector, and show what it finds, until an exception ends it."""
    from audionet.audio.microphone import recording

    with recording(microphone) as blocks:
        for samples, lost in blocks:
            events = detector.gap(lost) if lost else []
            if lost:
                note(f"{lost:.2f} s of sound were lost: the machine is too busy")
            events += detector.push(samples, microphone.sample_rate)
            if shown:
                shown.update(samples, detector.state.events.scores[0].tolist(), events)
            else:
                for event in events:
                    show(event, json, microphone.name)


@contextmanager
def screen(microphone: "Microphone", detector: "Detector", wanted: bool) -> "Iterator[Screen | None]":
    """Open the picture in the terminal; None where it is not wanted."""
    if not wanted:
        yield None
        return
    from rich.live import Live

    from audionet.cli.live import Screen

    with Live(refresh_per_second=12) as live:
        yield Screen(live, microphone.sample_rate, detector.keywords, detector.settings.thresholds)
