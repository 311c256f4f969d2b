"""Google's embedding and a logistic head, fitted on the very clips that a recogniser of ours was trained on."""

import inspect
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from audionet import datasets
from audionet.audio import FULL_SCALE, fit
from audionet.datasets import Corpus
from benchmarks.people.hearing import Hearer
from benchmarks.people.peers import LENGTH, PENALTIES, RATE, Google, classifier


def corpus_of(run: Path) -> Corpus:
    """Open the corpus of a finished run, by the values that it left in its config.yaml."""
    values = yaml.safe_load((run / "config.yaml").read_text())
    opener: Any = datasets.open_words if "words" in values["data"] else datasets.open_corpus
    taken = inspect.signature(opener).parameters
    given = {name: value for name, value in values["data"].items() if name in taken}
    corpus: Corpus = opener(**given | ({"seed": values["seed"]} if "seed" in taken else {}))
    return corpus


class Trained(Hearer):
    """Google's embedding with a head of its own for the classes of a corpus.

    Silences that our training fills with noise are filled with noise once, at a level between none and full scale.

    Args:
        corpus: The corpus; of its training clips, the first ``per_label`` of each class in a drawn order are learnt.
        cache: Folder of the embeddings.
        per_label: Clips of each class, at most; one takes 20 ms or more.
        c: Penalty of the logistic regression.
    """

    system, sample_rate, clip_length, threshold = "Google", RATE, LENGTH, 0.0

    def __init__(self, corpus: Corpus, cache: Path, *, per_label: int, c: float) -> None:
        self._google, self._corpus, self._per_label, self._c = Google(cache), corpus, per_label, c
        self.labels = list(corpus.labels)
        self.subject = f"{per_label} clips of each class"

    @cached_property
    def _head(self) -> Any:
        corpus, draw = self._corpus, np.random.default_rng(0)
        order = draw.permutation(corpus.store.indices("train"))
        rows = [order[corpus.label_index[order] == label][: self._per_label] for label in range(len(self.labels))]
        chosen = np.concatenate(rows)
        clips = np.stack([self._clip(row, draw) for row in chosen])
        return classifier(self._google.embed(clips), corpus.label_index[chosen], self._c)

    def _clip(self, row: int, draw: np.random.Generator) -> np.ndarray:
        waveform = self._corpus.store.waveforms[row] / np.float32(FULL_SCALE)
        if self._corpus.made_silences[row]:
            noise, length = self._corpus.store.background, self._corpus.clip_length
            start = draw.integers(max(len(noise) - length, 0) + 1)
            waveform = noise[start : start + length] / np.float32(FULL_SCALE) * draw.uniform()
        return fit(waveform.astype(np.float32), LENGTH, RATE)

    def probabilities(self, clips: np.ndarray) -> np.ndarray:
        """Return the probabilities (clip, label) of clips (clip, time)."""
        found: np.ndarray = self._head.predict_proba(self._google.embed(clips))
        return found


def trained(run: Path, cache: Path, per_label: int) -> list[Trained]:
    """Return the peer for each penalty, of which the better counts."""
    corpus = corpus_of(run)
    return [Trained(corpus, cache, per_label=per_label, c=c) for c in PENALTIES]
