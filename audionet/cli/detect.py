"""`audionet detect`."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from audionet.checks import check_that
from audionet.cli.main import complain, source_of
from audionet.cli.parsing import PositiveInt, Share

if TYPE_CHECKING:
    from audionet.decoding import Event


def detect(
    model: str,
    *files: str,
    keywords: str | None = None,
    threshold: Share | None = None,
    thresholds: Mapping[str, Any] = MappingProxyType({}),
    json: bool = False,
    labels: str | None = None,
    raw_rate: PositiveInt | None = None,
    raw_format: str = "s16le",
    raw_channels: PositiveInt = 1,
    device: str = "cpu",
) -> int:
    """Find keywords in recordings of any length, or in a stream on standard input, and print when each was said.

    Args:
        model: Name of a shipped bundle (see `audionet models list`) or path of one.
        files: Audio files, or folders of them; - for standard input, where WAV and raw samples are heard as they come.
        keywords: Words to wait for, with commas between them; all words of the bundle where they are left out.
        threshold: Score from which on a word is reported, 0 to 1; the bundle's where it is left out.
        thresholds: Scores of single words, such as stop=0.8, in place of --threshold; may be repeated.
        json: Print a JSON line for each event.
        labels: File to write the events to, as a label track that Audacity imports; of one recording only.
        raw_rate: Sample rate in Hz of samples without a header.
        raw_format: Format of samples without a header: u8, s16le, s24le, s32le, f32le or f64le.
        raw_channels: Number of channels of samples without a header.
        device: Device that computes: cpu, cuda, cuda:1, mps.

    Example:
        audionet detect digits seven.wav
        audionet detect digits --keywords six,seven --threshold 0.7 --json seven.wav
        audionet detect commands --labels stop.txt stop.wav
    """
    from audionet.audio import sounds_among

    paths = sounds_among(files)  # before the network is loaded, which takes seconds
    alone = labels is None or len(paths) == 1
    check_that(alone, "labels", "one recording", len(paths), "leave --labels out, or name one file")
    from audionet.audio import AudioError, Raw
    from audionet.audio.containers.faults import UnknownKind
    from audionet.inference import load_detector

    chosen = dict(thresholds) or threshold
    detector = load_detector(model, device, keywords=words_of(keywords), thresholds=chosen)
    raw = None if raw_rate is None else Raw(raw_rate, raw_format, raw_channels)
    code = 0
    for path in paths:
        found: list[Event] = []
        try:
            for event in detector.detect_stream(source_of(path), raw):
                found.append(event)
                show(event, json, str(path))
        except UnknownKind as error:
            code = 1
            complain(f"{error}; if it is samples without a header, give their rate with --raw-rate")
        except AudioError as error:
            code = 1
            complain(error)
        finally:  # also of a stream that Ctrl-C ends
            if labels is not None and (found or not code):
                write_labels(labels, found)
        if not (found or json or code):
            print(f"{path}: none of these", flush=True)
    return code


def words_of(keywords: str | None) -> list[str] | None:
    """Return the words between the commas; None for none given, which stands for all.

    Example:
        >>> words_of("lights on, stop")
        ['lights on', 'stop']
    """
    return None if keywords is None else [word.strip() for word in keywords.split(",")]


def show(event: "Event", json: bool, name: str) -> None:
    """Print an event, as a line of JSON or of text."""
    start, end = round(event.start, 3), round(event.end, 3)
    if json:
        from json import dumps

        answer = {"keyword": event.keyword, "start": start, "end": end, "score": round(event.score, 4)}
        print(dumps({"file": name, **answer}), flush=True)
    else:
        print(f"{name}: {start:.2f} to {end:.2f} s: {event.keyword} {event.score:.1%}", flush=True)


def write_labels(path: str, events: "list[Event]") -> None:
    """Write a label track: a line for each event, with its start and its end in seconds and the word, between tabs."""
    from audionet.files import whole_file

    lines = (f"{event.start:.6f}\t{event.end:.6f}\t{event.keyword}\n" for event in events)
    with whole_file(Path(path)) as file:
        file.write("".join(lines).encode())
