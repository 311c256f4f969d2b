"""A shipped recogniser as a detector of people's words: false rejects against false alarms per hour.

    python -m benchmarks.detection [--data ../shared/data] [--model commands] [--output runs/detection]

Positives are the words by the people whom `commands` did not hear in training: the test split of its record. Negatives
are the spoken requests, and the utterances of AN4 that hold none of the words. Thresholds are set on one of the two and
counted on the other, each in turn. Beside that stands the curve on both together, whose points choose their thresholds
on what they are counted on.
"""

import argparse
import json
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import audionet
from audionet.datasets import cards, plain_card
from audionet.evaluate import HeardWords, Positive, Tracks, hear, thresholds_for
from audionet.evaluate.detection import RATES, DetectionEvaluation
from audionet.inference import Recognizer
from audionet.labels import is_word
from audionet.plots import plot_detection
from audionet.plots.style import png
from audionet.report.detection import alarms, rejects
from benchmarks.measure import machine
from benchmarks.people.recordings import find


def an4(root: Path, words: Sequence[str]) -> tuple[list[Path], dict[str, int]]:
    """Return the utterances of AN4 that hold none of some words, and how many hold each of the others."""
    files = {path.stem: path for path in sorted(root.glob("an4/*/*/*.flac"))}
    left, held = [], dict.fromkeys(words, 0)
    for part in ("train", "test"):
        for line in (root / "an4" / f"{part}.transcription").read_text().splitlines():
            match = re.fullmatch(r"(.*)\((\S+)\)\s*", line)
            assert match, line
            said = {*match[1].lower().split()}
            if not said & {*words} and match[2] in files:
                left.append(files[match[2]])
            for word in said & {*words}:
                held[word] += 1
    return left, {word: count for word, count in held.items() if count}


def hear_words(recognizer: Recognizer, data: Path) -> HeardWords:
    """Let a detector hear the words that were kept for the test when `commands` was trained."""
    root = data / "speech_commands_test_half"
    clips = [clip for clip in cards.index(plain_card(root), root) if clip.split == "test" and is_word(clip.label)]
    positives = {root / clip.path: Positive(root / clip.path, clip.label, clip.speaker) for clip in clips}
    tracks = hear(recognizer, [*positives], "words")
    return HeardWords(tuple(positives[track.path] for track in tracks.tracks), tracks)


def evaluated(words: HeardWords, heard: Tracks, thresholds: dict[str, float]) -> DetectionEvaluation:
    """Count what thresholds reject and raise."""
    events, fired = tuple(heard.events(thresholds)), words.fired(thresholds)
    return DetectionEvaluation(thresholds, words, heard, ("",) * len(heard.tracks), heard.alarms, events, fired)


def rows(words: HeardWords, negatives: dict[str, Tracks]) -> list[tuple[str, ...]]:
    """Return the figures, the head first."""
    table: list[tuple[str, ...]] = [("thresholds", "wanted an hour", "false rejects", "false alarms", "hours")]
    for on, other in (("requests", "an4"), ("an4", "requests")):
        for rate in RATES:
            found = evaluated(words, negatives[other], thresholds_for(rate, negatives[on])[0])
            point = found.at_thresholds(found.keywords)
            shown = rejects(point.n_rejected, point.n_positives), alarms(point.n_alarms, point.hours)
            table.append((f"set on {on}, counted on {other}", f"{rate:g}", *shown, f"{point.hours:.2f}"))
    both = together(negatives)
    found = evaluated(words, both, dict.fromkeys(both.settings.keywords, 0.5))
    for rate in RATES:
        point = found.point(rate, found.keywords)
        shown = rejects(point.n_rejected, point.n_positives), alarms(point.n_alarms, point.hours)
        table.append(("set and counted on both", f"{rate:g}", *shown, f"{point.hours:.2f}"))
    point = found.at_thresholds(found.keywords)
    shown = rejects(point.n_rejected, point.n_positives), alarms(point.n_alarms, point.hours)
    table.append(("0.5, counted on both", "-", *shown, f"{point.hours:.2f}"))
    return table


def together(negatives: dict[str, Tracks]) -> Tracks:
    """Return all negatives as one."""
    every = [*negatives.values()]
    return Tracks(every[0].settings, tuple(track for tracks in every for track in tracks.tracks))


def main() -> None:
    """Measure, print, and keep the figures and the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the real recordings")
    parser.add_argument("--model", default="commands", help="a shipped recogniser of the ten words, or a bundle")
    parser.add_argument("--output", type=Path, default=Path("runs/detection"), help="folder for the figures")
    options = parser.parse_args()
    facts, start = machine(), time.perf_counter()
    recognizer = audionet.load_recognizer(options.model)
    words = hear_words(recognizer, options.data)
    spelled, held = an4(options.data, [*recognizer.thresholds])
    requests = find("requests", options.data).paths.tolist()
    negatives = {"requests": hear(recognizer, requests, "requests"), "an4": hear(recognizer, spelled, "an4")}
    both = evaluated(words, together(negatives), dict.fromkeys(recognizer.thresholds, 0.5))
    table = rows(words, negatives)
    settings = both.negatives.settings
    facts["settings"] = (
        f"smoothing {settings.smoothing}, hysteresis {settings.hysteresis:g}, refractory {settings.refractory:g} s"
    )
    facts["left out of an4"] = f"utterances that hold {held}"
    facts["words"] = f"{len(words.positives)} by {len({said.speaker for said in words.positives})} people"
    facts["area, to one alarm an hour"] = f"{both.area(both.keywords):.1%}"
    facts["heard"] = f"{sum(len(track.times) for track in both.negatives.tracks)} windows without a word, in all "
    facts["heard"] += f"{time.perf_counter() - start:.0f} s"
    print("\n".join(f"- {name}: {value}" for name, value in facts.items()), "", sep="\n")
    for number, row in enumerate(table):
        print(f"| {' | '.join(row)} |", *(["| --- | --- | --- | --- | --- |"] if number == 0 else []), sep="\n")
    keep(options.output, facts, table, both)


def keep(output: Path, facts: dict[str, str], table: Sequence[Sequence[str]], both: DetectionEvaluation) -> None:
    """Write the figures, the curve of each word and the highest false alarms."""
    output.mkdir(parents=True, exist_ok=True)
    names = {"all": both.keywords} | {keyword: [keyword] for keyword in both.keywords}
    picture = plot_detection({name: both.curve(keywords) for name, keywords in names.items()})
    (output / "detection.png").write_bytes(png(picture))
    highest = sorted((alarm for of in both.peaks.values() for alarm in of), key=lambda alarm: -alarm.score)[:20]
    files = [both.negatives.tracks[alarm.place].path.name for alarm in highest]
    figures: dict[str, Any] = {**facts, "table": table}
    figures["highest"] = [(name, *alarm) for name, alarm in zip(files, highest, strict=True)]
    figures["area"] = {name: both.area(keywords) for name, keywords in names.items()}
    (output / "detection.json").write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
