"""A made-up folder of drums, what a WaveNet learns of it, and what a Gaussian of the same power would take.

python -m benchmarks.drums make drums
python recipes/wavenet/train.py --data.root drums --output runs/drums
python -m benchmarks.drums measure drums runs/drums/model.safetensors [--png drums.png]
"""

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audionet.audio import save_audio
from audionet.randomness import random_generator

SAMPLE_RATE = 44_100
COUNT = 20  # sounds of each drum


def kick(generator: np.random.Generator) -> np.ndarray:
    """Make a sine that falls from some 150 to some 50 Hz and fades, with a click at its start."""
    time = _time(generator.uniform(0.25, 0.4))
    low, drop = generator.uniform(45, 60), generator.uniform(80, 120)
    phase = 2 * np.pi * (low * time + drop * 0.03 * (1 - np.exp(-time / 0.03)))
    click = 0.2 * generator.standard_normal(len(time)) * np.exp(-time / 0.002)
    return (np.sin(phase) + click) * np.exp(-time / generator.uniform(0.06, 0.1))


def snare(generator: np.random.Generator) -> np.ndarray:
    """Make a tone of some 200 Hz and noise, which fade."""
    time = _time(generator.uniform(0.2, 0.3))
    tone = np.sin(2 * np.pi * generator.uniform(180, 220) * time) * np.exp(-time / 0.05)
    rattle = 0.4 * generator.standard_normal(len(time)) * np.exp(-time / generator.uniform(0.04, 0.07))
    return 0.6 * tone + rattle


def hat(generator: np.random.Generator) -> np.ndarray:
    """Make noise without low frequencies, which fades fast."""
    time = _time(generator.uniform(0.1, 0.2))
    noise = np.diff(generator.standard_normal(len(time) + 2), n=2)
    return 0.25 * noise * np.exp(-time / generator.uniform(0.015, 0.03))


DRUMS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {"kick": kick, "snare": snare, "hat": hat}


def make(folder: str | Path, *, count: int = COUNT, seed: int = 0, flat: bool = False) -> None:
    """Write stereo sounds of each drum: 0.1 to 0.4 s, 44.1 kHz.

    Args:
        folder: Folder to write to.
        count: Sounds of each drum.
        seed: Decides the sounds.
        flat: Write into the folder itself, instead of a folder for each drum.
    """
    for name, drum in DRUMS.items():
        for number in range(count):
            generator = random_generator(seed, f"a made-up {name}", number)
            sound = drum(generator)
            level, side = generator.uniform(0.5, 0.9) / np.abs(sound).max(), generator.uniform(0.8, 1)
            path = Path(folder, "" if flat else name, f"{name}{number:02}.wav")
            path.parent.mkdir(parents=True, exist_ok=True)
            save_audio(path, (level * np.stack([sound, side * sound])).astype(np.float32), SAMPLE_RATE)


def _time(seconds: float) -> np.ndarray:
    return np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE


def gaussian_bits(samples: Tensor) -> float:
    """Return the bits per sample, in codes of mu-law, that a Gaussian of the samples' power takes.

    Each code costs -log2 of the Gaussian's mass between the amplitudes that are given this code. For small steps it is
    the differential entropy log2(2 pi e power) / 2 less the mean of log2 of the steps.

    Args:
        samples: (time,), float in [-1, 1].
    """
    from audionet.models.wavenet.distributions import N_CODES, Softmax

    codes = Softmax().from_waveform(samples)
    # The code of x is floor((mu_law(x) + 1) / 2 * 255 + 0.5), so that its edges are where that is whole.
    compressed = (torch.arange(1, N_CODES, dtype=torch.float64) - 0.5) / (N_CODES - 1) * 2 - 1
    edges = compressed.sign() * torch.expm1(compressed.abs() * math.log(N_CODES)) / (N_CODES - 1)
    normal = torch.distributions.Normal(0.0, samples.double().square().mean().sqrt())
    below = torch.cat([torch.zeros(1), normal.cdf(edges), torch.ones(1)])
    return float(-below.diff().clamp(min=1e-300).log2()[codes].mean())


def code_bits(samples: Tensor) -> float:
    """Return the entropy of the samples' codes, each taken alone: what the best network without a memory takes."""
    from audionet.models.wavenet.distributions import Softmax

    shares = torch.bincount(Softmax().from_waveform(samples)).double() / len(samples)
    return float(-(shares[shares > 0] * shares[shares > 0].log2()).sum())


def character(sound: np.ndarray, sample_rate: int) -> dict[str, float]:
    """Return what tells drums apart: the mean frequency of the spectrum's power, and when 90% of the energy is out."""
    power = np.abs(np.fft.rfft(sound)) ** 2
    energy = np.cumsum(sound.astype(np.float64) ** 2)
    return {
        "centre, Hz": float((np.fft.rfftfreq(len(sound), 1 / sample_rate) * power).sum() / power.sum()),
        "90% of the energy, ms": float(1000 * np.searchsorted(energy, 0.9 * energy[-1]) / sample_rate),
    }


def measure(folder: str, model: str, *, count: int, png: Path | None) -> dict[str, object]:
    """Compare a generator with the recordings that it was trained and tested on."""
    from audionet.datasets import open_corpus
    from audionet.datasets.clip import SPLITS
    from audionet.inference import load_generator
    from audionet.training import CropData

    generator = load_generator(model)
    corpus = open_corpus(root=folder, sample_rate=None, clip_seconds=None, words_only=True)
    data = CropData(corpus, context=generator.wavenet.receptive_field, window_seconds=None, batch_size=1)
    test = torch.from_numpy(np.concatenate(data.recordings("test")[0]))
    figures: dict[str, object] = {
        "bits per sample, WaveNet": generator.bundle.training["bits_per_sample"],
        "bits per sample, Gaussian of the same power": round(gaussian_bits(test), 2),
        "bits per sample, each code alone": round(code_bits(test), 2),
        "test samples": len(test),
    }
    real: list[np.ndarray] = []
    labels: list[str] = []
    for split in SPLITS:
        real += data.recordings(split)[0]
        labels += data.recordings(split)[1]["label"]
    shown = []
    for label in corpus.labels:
        made = [sound.numpy() for sound in generator.generate(count=count, label=label, seed=0)]
        known = [sound for sound, name in zip(real, labels, strict=True) if name == label]
        for kind, sounds in (("recorded", known), ("generated", made)):
            values = [character(sound, corpus.sample_rate) for sound in sounds]
            figures[f"{label}, {kind}"] = {
                name: f"{np.median([v[name] for v in values]):.0f}"
                f" ({min(v[name] for v in values):.0f} – {max(v[name] for v in values):.0f})"
                for name in values[0]
            }
            shown.append((f"{label}, {kind}", sounds[:4]))
    if png:
        plot(shown, corpus.sample_rate, png)
    return figures


def plot(rows: list[tuple[str, list[np.ndarray]]], sample_rate: int, path: Path) -> None:
    """Draw the spectrograms of sounds, a row for each kind."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(rows), 4, figsize=(10, 2 * len(rows)), squeeze=False)
    for row, (name, sounds) in zip(axes, rows, strict=True):
        row[0].set_ylabel(name)
        for place, sound in zip(row, sounds, strict=False):
            place.specgram(sound + 1e-6, NFFT=512, noverlap=384, Fs=sample_rate, vmin=-120, vmax=-30)
    figure.savefig(path, dpi=70, bbox_inches="tight")


def main() -> None:
    """Make the folder, or measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drums", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make", help="write the drums")
    making.add_argument("folder")
    making.add_argument("--count", type=int, default=COUNT, help="sounds of each drum")
    making.add_argument("--flat", action="store_true", help="without a folder for each drum")
    measuring = commands.add_parser("measure", help="compare what was learnt with the recordings")
    measuring.add_argument("folder")
    measuring.add_argument("model")
    measuring.add_argument("--count", type=int, default=20, help="sounds of each drum to generate")
    measuring.add_argument("--png", type=Path, help="draw spectrograms of some")
    options = parser.parse_args()
    if options.command == "make":
        make(options.folder, count=options.count, flat=options.flat)
    else:
        figures = measure(options.folder, options.model, count=options.count, png=options.png)
        print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
