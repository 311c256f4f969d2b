"""Copy-synthesis by a vocoder: how far the sound that it makes from mel spectrograms is from the recordings.

python recipes/wavenet/train.py --config recipes/wavenet/presets/vocoder.yaml --output runs/vocoder
python -m benchmarks.vocoder runs/vocoder/model.safetensors [FOLDER OF CLASS FOLDERS] [--count 40]

Beside it stand Griffin and Lim's method from the same spectrograms, and white noise of each recording's power.
"""

import argparse
import json

import librosa
import numpy as np
import torch
from torch import Tensor

from audionet.datasets import open_corpus
from audionet.inference import Generator, load_generator
from audionet.metrics import stft_distance
from audionet.randomness import random_generator
from audionet.training import CropData

DECIBELS = 20 / np.log(10)  # of one unit of a natural logarithm


def griffin_lim(generator: Generator, frames: Tensor, n_samples: int) -> np.ndarray:
    """Make sound (time,) from the mel magnitudes of frames (band, frame), by 60 steps from a random phase."""
    front_end = generator.bundle.front_end
    assert front_end is not None
    arguments = front_end.arguments
    mel = (frames.double().exp() - arguments["offset"]).clamp(min=0).numpy()
    filters = front_end.module.get_buffer("bands.filters").double().numpy().T
    magnitudes = librosa.util.nnls(filters, mel)
    return librosa.griffinlim(
        magnitudes,
        n_iter=60,
        hop_length=arguments["hop_length"],
        win_length=arguments["win_length"],
        n_fft=arguments["n_fft"],
        length=n_samples,
        pad_mode="constant",
        random_state=0,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vocoder", description=__doc__)
    parser.add_argument("model", help="bundle of a vocoder")
    parser.add_argument("root", nargs="?", help="folder of recordings; the synthetic words by default")
    parser.add_argument("--count", type=int, default=40, help="test clips")
    parser.add_argument("--temperature", type=float, default=0.8)
    options = parser.parse_args()
    generator = load_generator(options.model)
    rate = generator.sample_rate
    corpus = open_corpus(root=options.root, sample_rate=rate, clip_seconds=None, words_only=True)
    data = CropData(corpus, context=1, conditions=[], batch_size=1)
    recordings, noise = data.recordings("test")[0], random_generator(0, "white noise of a benchmark")
    distances: dict[str, list[tuple[float, float]]] = {}
    for recording in [recordings[each * len(recordings) // options.count] for each in range(options.count)]:
        real = torch.from_numpy(recording)
        frames = generator.frames_of(real, rate)
        made = {
            "WaveNet": generator.generate(frames=frames, temperature=options.temperature, seed=0)[0, : len(real)],
            "Griffin-Lim": torch.from_numpy(griffin_lim(generator, frames[0], len(real))).float().clamp(-1, 1),
            "white noise": torch.from_numpy(noise.normal(0, recording.std(), len(real))).float().clamp(-1, 1),
        }
        for name, sound in made.items():
            log_mel = float((generator.frames_of(sound, rate) - frames).abs().mean()) * DECIBELS
            distances.setdefault(name, []).append((log_mel, float(stft_distance(sound[None], real[None])[0])))
    figures: dict[str, object] = {
        name: {
            "log-mel distance, dB": f"{np.mean([each[0] for each in values]):.2f}",
            "multi-resolution STFT distance": f"{np.mean([each[1] for each in values]):.3f}",
        }
        for name, values in distances.items()
    }
    figures["clips"] = options.count
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
