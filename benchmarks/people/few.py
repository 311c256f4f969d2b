"""Few recordings of one speaker: how well are other people understood, and that speaker's own other recordings?"""

import time
from argparse import Namespace
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import yaml

from audionet import bundle, load_embedder, training
from audionet.augment import Augment
from audionet.datasets.synthesis import make_noise
from audionet.inference import Embedder
from audionet.training.head import PENALTY
from benchmarks.people import peers, runs
from benchmarks.people.recordings import Recordings, find
from benchmarks.people.results import Book, identity
from benchmarks.people.scores import Count, count
from benchmarks.people.splits import draw, left_out

SHOTS = {"fsdd": (1, 3, 5, 10), "arabic": (1, 3, 4)}
FIRST = "first"
_TESTED_FIRST = 20  # recordings of each word and speaker that are tested where the first are learnt
_NOISE_SECONDS = 60.0


class System(Protocol):
    """What learns some of the recordings and answers all of them."""

    name: str
    subject: str

    def answers(self, rows: np.ndarray, seed: int) -> Iterator[np.ndarray]:
        """Learn the recordings in some rows; yield the answer to each recording, once for each setting to try."""


class Ours:
    """An embedding of ours, and a head fitted on augmented copies of the recordings.

    Args:
        path: Bundle of the embedding, or name of a shipped one.
        recordings: All recordings.
        preset: Preset of the recognition recipe whose augmentation makes the copies; "none" for no copies.
        clip_seconds: Length of the clips; None for the embedding's own.
        c: Penalty of the head; None for that of `fit_head`.
    """

    name = "audionet"

    def __init__(
        self, path: str, recordings: Recordings, preset: str, clip_seconds: float | None = None, c: float | None = None
    ) -> None:
        self.subject = f"{identity(bundle.find(path, 'embedding'))} {preset} {clip_seconds} {c}"
        self._embedder: Embedder = load_embedder(path)
        self._recordings = recordings
        rate = self._embedder.sample_rate
        self._length = self._embedder.clip_length if clip_seconds is None else round(clip_seconds * rate)
        self._penalty = PENALTY if c is None else c
        self._augment = None
        if preset != "none":
            chain = yaml.safe_load(runs.preset(preset).read_text())["augment"]
            noise = torch.from_numpy(make_noise(rate, _NOISE_SECONDS))
            self._augment = Augment(chain, sample_rate=rate, background=noise)
        self.seconds = 0.0

    @cached_property
    def _clips(self) -> np.ndarray:
        return self._recordings.clips(self._embedder.sample_rate, self._length)

    @cached_property
    def _embeddings(self) -> torch.Tensor:
        return torch.from_numpy(self._embedder.embed_clips(self._clips))

    def answers(self, rows: np.ndarray, seed: int) -> Iterator[np.ndarray]:
        """Learn the recordings in some rows, and yield the answer to each recording; ``seconds`` is what that took."""
        words, labels = np.unique(self._recordings.labels[rows], return_inverse=True)
        clips, everything, start = self._clips[rows], self._embeddings, time.perf_counter()
        copies = training.embed_copies(
            clips,
            front_end=self._embedder.front_end,
            network=self._embedder.network,
            augment=self._augment,
            n_copies=0 if self._augment is None else training.copies_for(labels),
            seed=seed,
        )
        head = training.fit_head(copies.embeddings, labels[copies.clip], weights=copies.weights, c=self._penalty)
        self.seconds = time.perf_counter() - start
        with torch.inference_mode():
            yield words[head(everything).argmax(-1).numpy()]


class Peer:
    """Features of a peer, and logistic regression with both penalties, of which the better counts."""

    subject = ""

    def __init__(self, name: str, recordings: Recordings, cache: Path) -> None:
        self.name, self._recordings, self._cache = name, recordings, cache

    @cached_property
    def _features(self) -> np.ndarray:
        if self.name == "MFCC":
            return peers.mfccs(self._recordings.waveforms(peers.RATE))
        return peers.Google(self._cache).embed(self._recordings.clips(peers.RATE, peers.LENGTH))

    def answers(self, rows: np.ndarray, seed: int) -> Iterator[np.ndarray]:
        """Learn the recordings in some rows, and yield the answer to each recording, for each penalty."""
        for c in peers.PENALTIES:
            yield peers.classifier(self._features[rows], self._recordings.labels[rows], c).predict(self._features)


def run(options: Namespace, book: Book) -> None:
    """Measure few recordings of FSDD or of the Arabic digits."""
    recordings = find(options.set, options.data)
    systems: list[System] = []
    if options.embedding is not None:
        systems.append(Ours(options.embedding, recordings, options.preset, options.clip_seconds, options.c))
    if not options.no_peers:
        systems += [Peer(name, recordings, options.output) for name in ("Google", "MFCC")]
    for number in (*range(options.draws), FIRST):
        for k in options.k or SHOTS[options.set]:
            for system in systems:
                _measure(book, system, recordings, options.set, k, number)


def line(k: int, side: str, *, drawn: bool = True) -> str:
    """Return the line of a figure: of the other speakers ("others"), or of the speaker's own recordings ("own")."""
    which = f"{k} of one speaker" if drawn else f"the first {k} of one speaker"
    tested = "the others tested" if side == "others" else "that speaker's others tested"
    return f"{which}, {tested}"


def _measure(book: Book, system: System, recordings: Recordings, name: str, k: int, number: int | str) -> None:
    """Learn k recordings of each speaker in turn, test on all others, and write both figures down."""
    drawn = number != FIRST
    what = {"row": f"few-{name}", "system": system.name, "subject": system.subject}
    sample = {"draw": number} if drawn else {}
    lines = {side: line(k, side, drawn=drawn) for side in ("others", "own")}
    if all(book.has(**what, line=name, sample=sample) for name in lines.values()):
        return
    found: dict[str, dict[str, Count]] = {"others": {}, "own": {}}
    seconds = []
    takes = np.array([int(path.stem.rpartition("_")[2]) for path in recordings.paths])
    for speaker, own in left_out(recordings.speakers):
        if drawn:
            rows, tested = draw(recordings.labels, own, k, int(number), speaker), np.ones(len(own), bool)
        else:
            (rows,), tested = np.nonzero(own & np.isin(takes, np.unique(takes)[:k])), takes < _TESTED_FIRST
        tested[rows] = False
        rights = [answer == recordings.labels for answer in system.answers(rows, int(number) if drawn else 0)]
        for side, mask in (("others", tested & ~own), ("own", tested & own)):
            if mask.any():
                found[side][speaker] = max(count(right[mask]) for right in rights)
        seconds.append(getattr(system, "seconds", 0.0))
    for side, name in lines.items():
        if found[side]:
            total = Count(*np.sum([*found[side].values()], 0).tolist())
            more = {"speakers": {speaker: round(each.share, 4) for speaker, each in found[side].items()}}
            slowest = {"seconds, at most": round(max(seconds), 1)} if max(seconds) else {}
            book.add(total, **what, line=name, sample=sample, more=more | slowest)
