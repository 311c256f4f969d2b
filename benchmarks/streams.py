"""How soon and how well words are found in a stream: real words, laid into real background noise at random times.

    python -m benchmarks.streams --half odd

The recordings lie in ../shared/data, or in --data. The shipped `commands` was trained on these recordings, so it finds
more of them than of strangers'; what is compared are hops and smoothings.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audionet import load_recognizer
from audionet.audio.fitting import speech_span
from audionet.decoding import Event, EventSettings, detect
from audionet.inference import Recognizer
from audionet.labels import SILENCE, is_word
from audionet.randomness import random_generator
from benchmarks.measure import machine
from benchmarks.people.commands import half
from benchmarks.people.recordings import find

FINE = 0.05  # seconds; every hop that is tried is a multiple
PAUSE = 0.4, 1.2  # seconds between two recordings
PATIENCE = 0.75  # seconds behind a word in which an event counts as its own
TRIED = {0.05: (4, 6), 0.1: (1, 2, 3, 4), 0.15: (1, 2, 3), 0.2: (1, 2)}
"""Windows whose scores are averaged, for each number of seconds from window to window."""


@dataclass(frozen=True, eq=False)
class Spoken:
    """A stream of words: its samples (time,), and the label, start and end of each word, in seconds."""

    samples: np.ndarray
    words: list[tuple[str, float, float]]


def main() -> None:
    """Print how many words are found, what else is reported, and how late, for hops and smoothings."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streams", description="How soon words are found.")
    parser.add_argument("--model", default="commands", help="bundle of a recogniser")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the real recordings")
    parser.add_argument("--half", choices=("odd", "even", "all"), default="odd", help="choose on odd, report on even")
    parser.add_argument("--words", type=int, default=260, help="number of recordings")
    parser.add_argument("--snr", type=float, nargs="+", default=[10, 25], help="signal-to-noise ratios in dB")
    options = parser.parse_args()
    recognizer = load_recognizer(options.model)
    print("; ".join(f"{name}: {value}" for name, value in machine().items()))
    print("| SNR | hop, s | smoothing | found | wrong word | other sound | median, ms | 95%, ms | within 250 ms |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for snr in options.snr:
        spoken = lay_out(recognizer, options, snr)
        scores = score(recognizer, spoken.samples)
        for hop, smoothing in ((hop, smoothing) for hop, several in TRIED.items() for smoothing in several):
            step = round(hop / FINE)
            figures = [_figures(recognizer, spoken, scores, step, smoothing, phase) for phase in range(step)]
            found, wrong, other, median, late, soon = np.mean(figures, axis=0)
            counts = f"{found:.1%} | {wrong:.1%} | {other:.1f}"
            print(
                f"| {snr:g} dB | {hop:g} | {smoothing} | {counts} | {median:.0f} | {late:.0f} | {soon:.1%} |",
                flush=True,
            )


def lay_out(recognizer: Recognizer, options: argparse.Namespace, snr: float) -> Spoken:
    """Lay recordings of a half of the speakers into background noise, with pauses between them."""
    recordings = half(options.data, options.half)
    generator = random_generator(0, "words in a stream")
    order = [row for row in generator.permutation(len(recordings)) if recordings.labels[row] != SILENCE][
        : options.words
    ]
    rate, parts, words, position = recognizer.sample_rate, [], [], 0
    for row, samples in zip(order, recordings.take(np.array(order)).waveforms(rate), strict=True):
        pause = np.zeros(round(generator.uniform(*PAUSE) * rate), np.float32)
        first, last = speech_span(samples, rate)
        position += len(pause)
        words.append((str(recordings.labels[row]), (position + first) / rate, (position + last) / rate))
        position += len(samples)
        parts += [pause, samples]
    clean = np.concatenate(parts)
    noise = np.resize(np.concatenate(find("background", options.data).waveforms(rate)), len(clean))
    power = np.mean([np.mean(part**2) for part in parts[1::2]])
    noisy = clean + noise * np.sqrt(power / np.mean(noise**2) / 10 ** (snr / 10))
    return Spoken(noisy.astype(np.float32), words)


def score(recognizer: Recognizer, samples: np.ndarray, at_once: int = 32) -> np.ndarray:
    """Return the probabilities of the windows every 50 ms, (window, n_classes)."""
    hop, length = round(FINE * recognizer.sample_rate), recognizer.clip_length
    padded = np.concatenate([np.zeros(length - hop, np.float32), samples])
    windows = np.lib.stride_tricks.sliding_window_view(padded, length)[::hop]
    parts = [windows[first : first + at_once] for first in range(0, len(windows), at_once)]
    return np.concatenate([recognizer.clip_probabilities(part) for part in parts])


def _figures(
    recognizer: Recognizer, spoken: Spoken, scores: np.ndarray, step: int, smoothing: int, phase: int
) -> tuple[float, ...]:
    """Return the shares of words found and of wrong ones, the other reports, and the lateness, of one hop."""
    keywords = [label for label in recognizer.labels if is_word(label)]
    thresholds = tuple(recognizer.thresholds[keyword] for keyword in keywords)
    settings = EventSettings(keywords=tuple(keywords), thresholds=thresholds, smoothing=smoothing)
    columns = [recognizer.labels.index(keyword) for keyword in keywords]
    times = FINE * (1 + np.arange(len(scores)))
    events = detect(scores[phase::step][:, columns], times[phase::step], settings)
    late, n_wrong, n_other = _matched(events, spoken.words, keywords)
    n_words = sum(label in keywords for label, _, _ in spoken.words)
    soon = float(np.mean([each <= 250 for each in late]))
    return len(late) / n_words, n_wrong / n_words, n_other, *np.percentile(late, [50, 95]), soon


def _matched(
    events: list[Event], words: list[tuple[str, float, float]], keywords: list[str]
) -> tuple[list[float], int, int]:
    """Return how late each word that was found is reported, in ms, the wrong words, and the reports of other sound."""
    late: dict[int, float] = {}
    n_wrong = n_other = 0
    for event in events:
        near = [row for row, (_, start, end) in enumerate(words) if start <= event.end <= end + PATIENCE]
        row = min(near, key=lambda row: abs(words[row][2] - event.end)) if near else None
        if row is None or words[row][0] not in keywords:
            n_other += 1
        elif words[row][0] != event.keyword:
            n_wrong += 1
        else:
            late.setdefault(row, 1000 * (event.end - words[row][2]))
    return [*late.values()], n_wrong, n_other


if __name__ == "__main__":
    main()
