"""Quality of the shipped digits WaveNet: bits per sample of real clips, and what our recogniser hears in its own.

python -m benchmarks.digits --root ../shared/data/fsdd [--count 500] [--json digits.json] [--clips FOLDER]
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

import audionet
from audionet import bundle, evaluate
from audionet.audio import save_audio
from audionet.datasets import open_corpus
from audionet.inference import Generator
from audionet.inference.wavenet.kernel import Kernel
from audionet.inference.wavenet.sampling import PRECISIONS
from audionet.training import CropData
from benchmarks.measure import machine

BATCH = 50


def kernel_bits(generator: Generator, clips: list[np.ndarray], chosen: dict[str, list[str]], precision: str) -> float:
    """Return the bits per sample of clips by the compiled kernel, which hears each from its start."""
    model, total = generator.wavenet, 0.0
    kernel = Kernel(model, precision=precision)
    order = np.argsort([len(clip) for clip in clips])
    for first in range(0, len(clips), 8):
        batch = order[first : first + 8]
        time = max(len(clips[index]) for index in batch)
        waveforms = torch.from_numpy(np.stack([np.pad(clips[index], (0, time - len(clips[index]))) for index in batch]))
        samples = model.distribution.from_waveform(waveforms)
        positions = generator.positions({name: [values[index] for index in batch] for name, values in chosen.items()})
        with torch.inference_mode():
            lengths = torch.tensor([len(clips[index]) for index in batch])
            bias = model.bias(positions, batch=len(batch), time=time, length=lengths).between(0, time)
        outputs = np.empty((*samples.shape, model.distribution.n_outputs), np.float32)
        forced = {"uniforms": np.zeros((*samples.shape, 2)), "forced": samples.numpy(), "outputs": outputs}
        kernel.run(kernel.start(len(batch)), bias=bias.numpy(), **forced)
        bits = model.distribution.bits(torch.from_numpy(outputs), samples).numpy()
        total += sum(
            float(row[: len(clips[index])].sum(dtype=np.float64)) for row, index in zip(bits, batch, strict=True)
        )
    return total / sum(map(len, clips))


def main() -> None:
    """Measure, print, and keep what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.digits", description=__doc__)
    parser.add_argument("--root", required=True, help="folder of the Free Spoken Digit Dataset")
    parser.add_argument("--model", default="digits", help="bundle that generates")
    parser.add_argument("--judge", default="digits", help="bundle that recognises")
    parser.add_argument("--count", type=int, default=500, help="digits to generate")
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--top_p", type=float, default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write all values as JSON, too")
    parser.add_argument("--clips", type=Path, help="folder to save the first 20 generated clips in")
    options = parser.parse_args()
    generator = Generator(bundle.load(options.model, "generation"))
    corpus = open_corpus(
        "fsdd", root=options.root, split="official_validated", sample_rate=8000, clip_seconds=1.2, words_only=True
    )
    conditions = list(generator.categories)
    data = CropData(corpus, context=generator.wavenet.receptive_field, conditions=conditions, batch_size=8)
    judge = audionet.load(options.judge, task="recognition")
    figures: dict[str, object] = {"machine": machine(), "options": {k: str(v) for k, v in vars(options).items()}}

    test, spoken = data.recordings("test")
    bits = {precision: kernel_bits(generator, test, spoken, precision) for precision in PRECISIONS}
    figures["bits per sample, test clips"] = bits
    figures["price of smaller weights, bits"] = {name: bits[name] - bits["float32"] for name in PRECISIONS}
    figures["samples tested"] = sum(map(len, test))

    training, _ = data.recordings("train")
    known = generator.categories
    wanted = {name: [values[i % len(values)] for i in range(options.count)] for name, values in known.items()}
    # Every digit by every speaker: the speaker changes once the digits are through.
    wanted["speaker"] = [
        known["speaker"][i // len(known["label"]) % len(known["speaker"])] for i in range(options.count)
    ]
    made, start = [], time.perf_counter()
    for first in range(0, options.count, BATCH):
        part = {name: values[first : first + BATCH] for name, values in wanted.items()}
        sampling = {"temperature": options.temperature, "top_p": options.top_p, "seed": options.seed + first}
        made += list(generator.generate(**sampling, **part))
    seconds = time.perf_counter() - start
    figures["generation, samples/s"] = options.count * corpus.sample_rate / seconds
    summarize = evaluate.summarize
    figures["generated"] = summarize(judge, made, training, corpus.sample_rate, labels=wanted["label"])
    figures["real test clips"] = summarize(judge, test, training, corpus.sample_rate, labels=spoken["label"])
    heard = [judge.recognize(waveform, corpus.sample_rate, top_k=1)[0].label for waveform in made]
    right = np.array([a == b for a, b in zip(heard, wanted["label"], strict=True)])
    for name in known:
        shares = {value: right[[v == value for v in wanted[name]]].mean() for value in known[name]}
        figures[f"accuracy by {name}"] = {value: round(float(share), 3) for value, share in shares.items()}
    print(json.dumps(figures, indent=2))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    if options.clips:
        options.clips.mkdir(parents=True, exist_ok=True)
        for number, waveform in enumerate(made[:20]):
            name = f"{number:02}-{wanted['label'][number]}-{wanted['speaker'][number]}-heard-{heard[number]}.wav"
            save_audio(options.clips / name, waveform, corpus.sample_rate)


if __name__ == "__main__":
    main()
