"""Which clip is cut from four seconds with a spoken digit and other sounds: is the word in it, and is it heard?

python -m benchmarks.windows ../shared/data

The words are the 300 test clips of FSDD, spoken by six people; `audionet.audio.fit` was tuned on three of them. The
other sounds are recordings of background, and pops, slams and breaths that are made here.
"""

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from audionet import audio, load_recognizer
from audionet.audio.fitting import window_start
from benchmarks.measure import interleaved, machine, ratios

RATE, SECONDS = 8000, 4
N_SAMPLES = RATE * SECONDS
PEOPLE = {"tuned on": ("george", "jackson", "lucas"), "not tuned on": ("nicolas", "theo", "yweweler")}
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TIME = np.arange(N_SAMPLES) / RATE
Window = Callable[[np.ndarray, int], int]


def most_energy(waveform: np.ndarray, length: int) -> int:
    """Return the start of the window with the most energy, which is the obvious choice."""
    total = np.concatenate(([0.0], np.cumsum(np.square(waveform, dtype=np.float64))))
    return int(np.argmax(total[length:] - total[:-length]))


def most_speech(waveform: np.ndarray, length: int) -> int:
    """Return the start of the window that audionet cuts."""
    return window_start(waveform, length, RATE)


def sounds(random: np.random.Generator) -> dict[str, np.ndarray]:
    """Make the short sounds that stand beside a word."""
    slam, breath = np.arange(RATE // 5) / RATE, round(0.7 * RATE)
    smooth = np.convolve(random.standard_normal(breath), np.hanning(5), "same") * np.hanning(breath)
    bang = 0.7 * np.sign(random.standard_normal(len(slam))) + 0.3 * np.sin(2 * np.pi * 70 * slam)
    return {
        "pop": 0.9 * np.sign(random.standard_normal(RATE // 20)),
        "slam": np.exp(-slam / 0.07) * bang,
        "breath": 0.5 * smooth / np.abs(smooth).max(),
    }


def scenes(
    word: np.ndarray, noises: list[np.ndarray], random: np.random.Generator
) -> tuple[int, dict[str, np.ndarray]]:
    """Put a word into four seconds of each kind; return where it begins, and the waveforms."""
    at = int(random.integers(N_SAMPLES - len(word)))
    spoken = np.zeros(N_SAMPLES)
    spoken[at : at + len(word)] = word
    plain = spoken + 0.0003 * random.standard_normal(N_SAMPLES)
    places = np.arange(0, N_SAMPLES - RATE, RATE // 10)
    away = int(random.choice(places[(places + RATE < at) | (places > at + len(word) + 0.3 * RATE)]))
    made = {"quiet": plain, "faint": 0.05 * plain}
    for name, sound in sounds(random).items():
        made[name] = plain.copy()
        made[name][away : away + len(sound)] += sound
    made["hum"] = plain + 0.5 * np.sin(2 * np.pi * 50 * TIME)
    made["rumble"] = plain + 0.8 * np.sin(2 * np.pi * 10 * TIME) * (np.abs(TIME - away / RATE - 0.3) < 0.3)
    noise = noises[random.integers(len(noises))]
    first = random.integers(len(noise) - N_SAMPLES)
    noise = noise[first : first + N_SAMPLES]
    for decibels in (20, 10, 5):
        gain = np.sqrt(np.mean(word**2) / np.mean(noise**2) / 10 ** (decibels / 10))
        made[f"background, {decibels} dB below"] = spoken + gain * noise
    return at, {name: waveform.astype(np.float32) for name, waveform in made.items()}


def measure(root: Path, people: tuple[str, ...], windows: dict[str, Window]) -> dict[str, list[float]]:
    """Return for each kind of scene, and each way to cut, the shares of words that are whole, and heard right."""
    recognizer, random = load_recognizer("digits"), np.random.default_rng(0)
    length = recognizer.clip_length
    noises = [audio.read_mono(path, RATE) for path in sorted((root / "background_noise").glob("*.wav"))]
    right: dict[str, list[tuple[bool, ...]]] = {}
    for path in sorted(root.glob("fsdd/recordings/*_[0-4].wav")):
        digit, person, _ = path.stem.split("_")
        if person not in people:
            continue
        word = audio.read_mono(path, RATE)[:length]
        at, made = scenes(0.3 * word / np.abs(word).max(), noises, random)
        for kind, waveform in made.items():
            row: list[bool] = []
            for window in windows.values():
                start = window(waveform, length)
                kept = min(at + len(word), start + length) - max(at, start)
                best = recognizer.recognize(waveform[start : start + length], RATE, top_k=1)[0]
                row += [kept >= len(word) - 0.05 * RATE, best.label == NAMES[int(digit)]]
            right.setdefault(kind, []).append(tuple(row))
    return {kind: np.mean(rows, 0).tolist() for kind, rows in right.items()}


def cost(root: Path, seconds: int) -> tuple[float, list[float]]:
    """Return the milliseconds that a window takes, and its time over that of decoding the recording from a WAV."""
    path = min((root / "background_noise").glob("*.wav"))
    waveform = np.resize(audio.decode(path)[0][0], seconds * 16_000)
    audio.save_audio(content := io.BytesIO(), waveform, 16_000)
    wav = content.getvalue()
    work = {"window": lambda: window_start(waveform, 16_000, 16_000), "decoding": lambda: audio.decode(wav)}
    times = interleaved(work, 9)
    return 1e3 * float(np.median(times["window"])), ratios(times["window"], times["decoding"])


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.windows", description=__doc__)
    parser.add_argument("root", type=Path, help="folder that holds fsdd and background_noise")
    root = parser.parse_args().root
    torch.set_num_threads(1)
    print(*(f"- {name}: {value}" for name, value in machine().items()), sep="\n")
    for name, people in PEOPLE.items():
        print(f"\nThe three people {name} ({', '.join(people)}):\n")
        print("| scene | most energy: word whole | heard right | most speech: word whole | heard right |")
        print("| --- | --- | --- | --- | --- |")
        for kind, values in measure(root, people, {"energy": most_energy, "speech": most_speech}).items():
            print(f"| {kind} | {' | '.join(f'{value:.1%}' for value in values)} |", flush=True)
    print("\n| length | window, ms | times decoding a WAV |\n| --- | --- | --- |")
    for seconds in (4, 60):
        milliseconds, over = cost(root, seconds)
        print(f"| {seconds} s | {milliseconds:.1f} | {np.median(over):.1f} ({min(over):.1f} – {max(over):.1f}) |")


if __name__ == "__main__":
    main()
