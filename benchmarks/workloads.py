"""What `benchmarks.compare` times within a process: public names only, so that older checkouts can run it, too."""

import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional as F

import audionet
from audionet import features, models

Work = Callable[[], object]


def front_ends() -> dict[str, Work]:
    """Front-ends of 64 one-second clips on one thread, and a stream in chunks of 10 ms."""
    waveform = 0.1 * torch.randn(64, 16_000, generator=torch.Generator().manual_seed(0))
    names = ("LogMel", "MFCC", "PCEN", "CQT", "Chroma", "Gammatone", "KaldiFbank", "KaldiMFCC", "LEAF", "SincNet")
    made = {name: features.create(name) for name in names}
    chunks = np.split(waveform[:2].numpy().ravel(), 200)
    log_mel = made["LogMel"]

    def stream() -> None:
        running = features.Stream(log_mel)
        for chunk in chunks:
            running.push(chunk)

    return {f"{name}, 64 clips": lambda kind=kind: kind(waveform) for name, kind in made.items()} | {  # type: ignore[misc]
        "stream of a log-mel": stream
    }


def networks() -> dict[str, Work]:
    """Networks forward and backward on 32 clips."""
    spectrogram, targets = torch.randn(32, 1, 40, 101), torch.randint(12, (32,))

    def forward_backward(name: str) -> Work:
        model = models.create(name, n_classes=12)

        def call() -> None:
            model.zero_grad()
            with torch.enable_grad():
                F.cross_entropy(model(spectrogram), targets).backward()

        return call

    return {f"{name} forward + backward": forward_backward(name) for name in ("bcresnet", "tcresnet")}


def use() -> dict[str, Work]:
    """Shipped networks."""
    recognizer = audionet.load("digits", task="recognition")
    generator = audionet.load("digits", task="generation")
    noise = 0.1 * torch.randn(1, 16_000, generator=torch.Generator().manual_seed(0))
    asked = {"label": "seven", "speaker": "theo"}
    made = generator.generate(0.5, count=8, **asked)

    def bits() -> float:
        conditions = generator.positions({name: [value] * 8 for name, value in asked.items()})
        return audionet.evaluate.bits_per_sample(generator.wavenet, made, conditions=conditions)

    return {
        "load a recogniser": lambda: audionet.load("digits", task="recognition"),
        "recognise a waveform": lambda: recognizer.recognize(noise, 16_000),
        "recognise 32 files": lambda: list(recognizer.recognize_files(["tests/data/seven.wav"] * 32)),
        "generate, one stream": lambda: generator.generate(0.5, **asked),
        "generate, 16 streams": lambda: generator.generate(0.25, count=16, **asked),
        "bits per sample of 8 clips": bits,
    }


def main() -> None:
    """Answer each name on standard input with the seconds that the work took."""
    torch.set_num_threads(1)
    with torch.no_grad():
        work = {**front_ends(), **networks(), **use()}
        print(";".join(work), flush=True)
        for line in sys.stdin:
            call = work[line.strip()]
            start = time.perf_counter()
            call()
            print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
