"""ONNX Runtime against torch, from waveform to probabilities, one clip at a time; sizes, and what 8 bits lose."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audionet import bundle, features, models
from audionet.bundle import Bundle, Part
from audionet.export import write_formats
from audionet.export.int8 import read_recordings
from audionet.inference import OnnxRecognizer, Recognizer
from benchmarks.measure import Figure, interleaved

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
DIGITS = "zero one two three four five six seven eight nine".split()
REPEATS, AT_ONCE = 100, 32


def tcresnet8() -> Bundle:
    """Return TC-ResNet8 with random weights, which is enough for its time and size."""
    torch.manual_seed(0)
    of_network, of_front_end = {"n_classes": 12, "n_bands": 40}, {"sample_rate": 16_000, "n_mels": 40}
    labels = bundle.load("commands", "recognition").labels
    return Bundle(
        task="recognition",
        model=Part("tcresnet", of_network, models.create("tcresnet", n_classes=12, n_bands=40).eval()),
        front_end=Part("LogMel", of_front_end, features.create("LogMel", sample_rate=16_000, n_mels=40)),
        sample_rate=16_000,
        clip_length=16_000,
        labels=labels,
    )


def figures(name: str, loaded: Bundle, repeats: int, calibration: Path | None) -> Iterator[Figure]:
    """Yield the times, sizes and, with recordings, the answers of a bundle's files."""
    recognizer = Recognizer(loaded)
    with tempfile.TemporaryDirectory() as folder:
        formats = ["onnx", *(["int8"] if calibration else [])]
        written = write_formats(loaded, folder, formats, name=name, calibration=calibration)
        exported = {kind: OnnxRecognizer(file.path) for kind, file in zip(formats, written, strict=True)}
        clip = np.random.default_rng(0).uniform(-0.1, 0.1, (1, loaded.clip_length)).astype(np.float32)
        work = {"torch": lambda: recognizer.clip_probabilities(clip)}
        work |= {kind: lambda each=each: each.clip_probabilities(clip) for kind, each in exported.items()}
        seconds = interleaved(work, repeats, warm_up=10, clock=time.thread_time)
        for kind, file in zip(formats, written, strict=True):
            most = {"onnx": 600.0, "int8": 200.0}[kind]
            yield Figure(f"{name}, {kind}: file", "kB", [file.path.stat().st_size / 1e3], at_most=most)
        for kind, taken in seconds.items():
            at_most = 0.5 if kind == "onnx" else None
            yield Figure(
                f"{name}, {kind}: one clip, time of the processor",
                "ms",
                [1e3 * each for each in taken],
                at_most=at_most,
            )
        if calibration is not None and name in bundle.shipped("recognition"):
            yield from answers(name, recognizer, exported, calibration)


def answers(name: str, recognizer: Recognizer, exported: dict[str, OnnxRecognizer], folder: Path) -> Iterator[Figure]:
    """Yield the accuracy of torch and of the files on the recordings on which int8 did not measure its ranges."""
    _, (clips, true) = read_recordings(recognizer, folder)
    batches = np.array_split(clips, 1 + len(clips) // AT_ONCE)
    kinds: dict[str, Any] = {"torch": recognizer, **exported}
    given = {
        kind: np.concatenate([each.clip_probabilities(batch).argmax(-1) for batch in batches])
        for kind, each in kinds.items()
    }
    for kind, each in given.items():
        yield Figure(f"{name}, {kind}: right of {len(true)}", "%", [100 * float((each == true).mean())])
        if kind != "torch":
            same = 100 * float((each == given["torch"]).mean())
            yield Figure(f"{name}, {kind}: answered as by torch", "%", [same])


def class_folders(recordings: Path, folder: Path) -> Path:
    """Put links to FSDD's official test, the indices 0 to 4, into a folder for each digit, and return their folder."""
    for path in sorted(recordings.glob("*_[0-4].wav")):
        digit, speaker, index = path.stem.split("_")
        home = folder / DIGITS[int(digit)]
        home.mkdir(exist_ok=True)
        (home / f"{speaker}_nohash_{index}.wav").symlink_to(path.resolve())
    return folder


def run(*, tiny: bool = False) -> tuple[dict[str, Any], list[Figure]]:
    """Measure two shipped recognisers and TC-ResNet8, on one thread; without int8 where there are no recordings."""
    torch.set_num_threads(1)
    has_data = DATA.is_dir() and not tiny
    words = DATA / "speech_commands_test_half" if has_data else None
    made: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        digits = class_folders(DATA / "fsdd" / "recordings", Path(folder)) if has_data else None
        for name, recordings in {} if tiny else {"commands": words, "digits": digits}.items():
            made += figures(name, bundle.load(name, "recognition"), REPEATS, recordings)
        made += figures("TC-ResNet8", tcresnet8(), 3 if tiny else REPEATS, words)
    return {"threads": "1", "weights of TC-ResNet8": "random"}, made
