"""The training batches that all networks see: augmented once, and kept as spectrograms."""

import json
import runpy
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

import audionet
from audionet import flags
from audionet.datasets.batches import Batches
from audionet.files import whole_file
from audionet.randomness import random_generator
from benchmarks.people import commands, recordings
from benchmarks.people.recordings import Recordings
from benchmarks.people.runs import REPOSITORY, preset

TEN = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
FEATURES: dict[str, Any] = {"name": "LogMel", "scale": "db", "offset": 1e-9, "top_db": 60, "subtract_mean": "band"}
_AT_ONCE = 64  # clips of people that go through the front-end


class Data(NamedTuple):
    """What a training sees and is tested on.

    Attributes:
        spectrograms: (step, batch, band, frame) float16.
        targets: (step, batch, class) float32, target probabilities.
        test_spectrograms: (clip, band, frame) float16.
        test_labels: (clip,) int64.
    """

    spectrograms: np.ndarray
    targets: np.ndarray
    test_spectrograms: np.ndarray
    test_labels: np.ndarray


def from_text(folder: Path, shared: Path, seed: int, n_batches: int, batch_size: int) -> Data:
    """Return the ten words, "unknown" and "silence" as engines speak them, and the even half's speakers to test on.

    Args:
        folder: Where the batches are kept.
        shared: Folder of the real recordings.
        seed: Seed of all that is drawn.
        n_batches: Number of batches.
        batch_size: Clips of a batch.
    """

    def make() -> Data:
        words = ["--init", "null", "--data.words", json.dumps(TEN), "--features", json.dumps(FEATURES)]
        people = commands.half(shared, "even")
        return _drawn("words", "words", words, n_batches, batch_size, seed, people)

    return _kept(folder / f"text-{n_batches}-seed{seed}.npz", make)


def without_speaker(folder: Path, shared: Path, speaker: str, seed: int, n_batches: int, batch_size: int) -> Data:
    """Return FSDD's digits of five speakers, with the preset's augmentation, and the sixth to test on.

    Args:
        folder: Where the batches are kept.
        shared: Folder of the real recordings.
        speaker: Who is left out.
        seed: Seed of all that is drawn.
        n_batches: Number of batches.
        batch_size: Clips of a batch.
    """

    def make() -> Data:
        split = ["--data.split", "leave_one_speaker_out", "--data.test_speaker", speaker]
        everyone = recordings.find("fsdd", shared)
        words = ["--data.root", str(shared / "fsdd"), *split]
        people = everyone.take(everyone.speakers == speaker)
        return _drawn("recognition", "fsdd", words, n_batches, batch_size, seed, people)

    return _kept(folder / f"fsdd-{speaker}-{n_batches}-seed{seed}.npz", make)


def _kept(path: Path, make: Callable[[], Data]) -> Data:
    """Return what is in a file, which is made where it is missing."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = make()
        with whole_file(path) as stream:
            np.savez(stream, **made._asdict())
    with np.load(path) as arrays:
        return Data(**arrays)


def _drawn(
    recipe: str, name: str, words: list[str], n_batches: int, batch_size: int, seed: int, people: Recordings
) -> Data:
    """Draw the batches that a run of a recipe's preset would train on, and hear people as its networks would."""
    script: Any = runpy.run_path(str(REPOSITORY / "recipes" / recipe / "train.py"))
    named: dict[str, Any] = {"features": audionet.features.FEATURES, "model": audionet.models.MODELS}
    flagged = ["--config", str(preset(name, recipe)), "--seed", str(seed), *words]
    config = flags.parse(script["make_parser"](), flagged, named=named)
    values = config.data.as_dict()
    for other in ("batch_size", "epoch_batches", "recorded_share", "real_test", "real_speech"):
        values.pop(other, None)
    if recipe == "words":
        corpus = audionet.datasets.open_words(**values, seed=seed)
    else:
        corpus = audionet.datasets.open_corpus(**values)
    data = audionet.training.ClipData(corpus, batch_size=batch_size, seed=seed)
    task = script["make_task"](config, data, script["make_parts"](config, corpus, None))
    spectrograms, targets = [], []
    for step, batch in enumerate(islice(_batches(data, batch_size, seed), n_batches)):
        draw = random_generator(seed, "augmentation", step)
        task.generator = torch.Generator().manual_seed(int(draw.integers(2**63)))
        with torch.no_grad():
            spectrogram, target = task.inputs_and_targets(batch)
        spectrograms.append(spectrogram[:, 0].half().numpy())
        targets.append(target.numpy())
    labels = list(corpus.labels)
    clips = torch.from_numpy(people.clips(corpus.sample_rate, corpus.clip_length))
    with torch.no_grad():
        heard = torch.cat([task.front_end(part) for part in clips.split(_AT_ONCE)])
    true = np.array([labels.index(label) for label in people.labels])
    return Data(np.stack(spectrograms), np.stack(targets), heard.half().numpy(), true)


def _batches(data: Any, batch_size: int, seed: int) -> Iterator[Any]:
    """Yield training batches without an end, each epoch in an order of its own."""
    batches = Batches(*data.items("train"), batch_size=batch_size, seed=seed)
    while True:
        yield from batches
