"""Few recordings beside many synthetic clips: a classifier learns both, and each recording is tested by another one.

The body of the network stays as it is, so that all clips go through it once. What makes the classifier good on people
are the recordings, and what tells words that were not recorded, and other words, are the voices.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

from audionet.checks import check_no_misfits, listed
from audionet.console import note
from audionet.datasets.corpus import Corpus
from audionet.labels import SILENCE, is_word
from audionet.metrics import Answers, Calibration, calibrate, recognition_figures
from audionet.models.contract import linear_of
from audionet.training.data import ClipData
from audionet.training.folds import CrossValidation, cross_validate
from audionet.training.head import Copies, copies_for, fit_head
from audionet.training.recognition import Recognition
from audionet.training.record import write_config
from audionet.training.start import HeadFit, embed_clips, groups_of, name_suspects

MOST_WEIGHT = 20.0  # of a recording, beside a synthetic clip
AGREEING, ENOUGH = 0.25, 3  # share of a word's recordings that voices alone recognise; so many recordings tell that


def fit_beside_voices(
    task: Recognition, data: ClipData, *, output: str | os.PathLike[str], values: Mapping[str, object], n_folds: int = 5
) -> HeadFit:
    """Fit the classifier of a network on synthetic clips and recordings, and test each recording by one of the others.

    Of a word, the recordings together count as much as the synthetic training clips, but each no more than twenty of
    these. A word whose recordings sound like none of the voices is learnt from the recordings alone; this is said, and
    so is which recordings hold no sound and are left out, and which may be of another word. Without recordings, the
    test clips are tested.

    Args:
        task: Network with a trained body, front-end and augmentation. It gets the classifier, and what a test leaves:
            ``answers``, ``confusion``, ``calibration`` and ``figures``.
        data: Data module that serves the corpus.
        output: Folder of the run, which gets its ``config.yaml``.
        values: Values of the run, as a preset has them.
        n_folds: Parts of the recordings, which are tested one after the other.

    Raises:
        ValueError: A class has no clip with sound to learn from, or the network's ``head`` holds no linear layer, or
            several.
        OSError: The folder cannot be written.
    """
    started = time.monotonic()
    clips = _Clips(data.corpus)
    head = linear_of(task.model)
    copies = embed_clips(task, data.corpus, n_copies=clips.n_copies)
    weights = clips.weights(_disagreeing(clips, copies))
    learnt = weights > 0
    heard = {*clips.labels[learnt].tolist()}
    lacking = [label for position, label in enumerate(clips.names) if position not in heard]
    advice = "record them again, or let engines speak them"
    check_no_misfits(lacking, "recordings", "some with sound of each class", advice)
    own, labels = _of(copies, learnt), clips.labels[learnt]
    rows = own.weights.numpy() * weights[learnt][own.clip]
    head.load_state_dict(
        fit_head(own.embeddings, labels[own.clip], weights=rows, n_classes=task.n_classes).state_dict()
    )
    logits, fold = _logits(head, copies.embeddings[: len(clips.labels)]), np.full(len(clips.labels), -1)
    validation = None
    if clips.recorded.any():
        groups, tested = groups_of(data.corpus)[learnt], clips.tested[learnt]
        found = cross_validate(
            own,
            labels,
            n_classes=task.n_classes,
            groups=groups,
            tested=tested,
            weights=weights[learnt],
            n_folds=n_folds,
        )
        fold[learnt] = found.fold
        logits[fold >= 0] = found.logits[found.fold >= 0]
        (own_clips,) = np.nonzero(clips.recorded)
        validation = CrossValidation(fold[own_clips], clips.labels[own_clips], logits[own_clips])
        name_suspects(data.corpus, own_clips, validation)
        note(str(validation))
    _test(task, clips, logits, fold)
    write_config(Path(output), values)
    return HeadFit(task.model, task.answers, time.monotonic() - started, validation)


class _Clips:
    """What is known of the clips of a corpus: arrays with a value for each."""

    def __init__(self, corpus: Corpus) -> None:
        store = corpus.store
        self.names, self.labels, self.n_classes = corpus.labels, corpus.label_index, len(corpus.labels)
        self.words = np.array([is_word(label) for label in corpus.labels])
        of_silence = np.array([label == SILENCE for label in corpus.labels])[self.labels]
        silent = np.isin(np.array(store.paths, object), np.array(store.silent, object)) & corpus.recorded & ~of_silence
        if silent.any():
            dead = [store.paths[clip] for clip in np.flatnonzero(silent)]
            note(f"left out, since they hold no sound: {listed(dead, 5)}")
        self.recorded = corpus.recorded & ~silent
        self.made = ~corpus.recorded
        self.split = store.splits

    @property
    def validated(self) -> np.ndarray:
        """Whether a clip is made for the validation."""
        validated: np.ndarray = self.made & (self.split == "validation")
        return validated

    @property
    def tested(self) -> np.ndarray:
        """Whether a clip is tested by a classifier that was fitted on others: a recording; what is no word, if needed.

        Where no clip is made for the validation, the threshold follows from those.
        """
        others = self.made & (self.split == "train") & ~self.words[self.labels]
        tested: np.ndarray = self.recorded if self.validated.any() else self.recorded | others
        return tested

    @property
    def n_copies(self) -> np.ndarray:
        """Augmented copies of each clip that is learnt."""
        n_copies = np.where(self.made & (self.split == "train"), 1, 0)
        if self.recorded.any():
            n_copies[self.recorded] = copies_for(self.labels[self.recorded])
        return n_copies

    def weights(self, disagreeing: np.ndarray) -> np.ndarray:
        """Return how much each clip counts; 0 for those that are not learnt."""
        spoken = self.made & (self.split == "train") & ~np.isin(self.labels, disagreeing)
        n_spoken, n_recorded = (
            np.bincount(self.labels[of], minlength=self.n_classes) for of in (spoken, self.recorded)
        )
        each = np.clip(n_spoken / np.maximum(n_recorded, 1), 1, MOST_WEIGHT)
        weights: np.ndarray = np.where(self.recorded, each[self.labels], spoken.astype(float))
        return weights


def _disagreeing(clips: _Clips, copies: Copies) -> np.ndarray:
    """Return the words, by label position, whose recordings are something else than what the voices speak."""
    spoken = clips.made & (clips.split == "train")
    n_recorded, n_spoken = (np.bincount(clips.labels[of], minlength=clips.n_classes) for of in (clips.recorded, spoken))
    compared = np.flatnonzero(clips.words & (n_recorded >= ENOUGH) & (n_spoken > 0))
    if not len(compared):
        return compared
    known, labels = np.unique(clips.labels[spoken], return_inverse=True)
    plain = copies.embeddings[: len(clips.labels)]
    heard = known[_logits(fit_head(plain[spoken], labels), plain[clips.recorded]).argmax(1)]
    true = clips.labels[clips.recorded]
    shares = {label: float((heard[true == label] == label).mean()) for label in compared}
    others = [label for label, share in shares.items() if share < AGREEING]
    for label in others:
        note(
            f"{clips.names[label]}: the voices say something else than the recordings, of which they recognise "
            f"{shares[label]:.0%}; it is learnt from the recordings alone. Is the language right?"
        )
    return np.array(others, int)


def _of(copies: Copies, chosen: np.ndarray) -> Copies:
    """Return the embeddings of some clips, which are numbered anew."""
    rows = torch.from_numpy(chosen)[copies.clip]
    numbers = torch.from_numpy(np.cumsum(chosen) - 1)
    return Copies(copies.embeddings[rows], numbers[copies.clip[rows]])


def _logits(head: nn.Module, embeddings: torch.Tensor) -> np.ndarray:
    with torch.inference_mode():
        logits: np.ndarray = head(embeddings).double().numpy()
    return logits


def _test(task: Recognition, clips: _Clips, logits: np.ndarray, fold: np.ndarray) -> None:
    """Give the task what a test leaves, from logits (clip, n_classes); in a fold, those of a head without the clip."""
    task.words, labels = clips.words.tolist(), clips.labels
    chosen = np.flatnonzero(clips.validated | (fold >= 0))
    task.calibration = calibrate(logits[chosen], labels[chosen], task.words) if len(chosen) else Calibration()
    recorded, made = clips.recorded & (fold >= 0), clips.made & ((clips.split == "test") | (fold >= 0))
    tested, every = (np.flatnonzero(of) for of in (recorded if clips.recorded.any() else made, recorded | made))
    task.keep_answers(tested, labels[tested], logits[tested])
    if recorded.any():  # what is accepted and rejected is one of other words, too, which engines speak
        answers = Answers.of_logits(every, labels[every], logits[every], task.calibration.temperature)
        figures = recognition_figures(answers, task.words, task.calibration.threshold)
        task.figures |= {name: figures[name] for name in ("others_accepted", "words_rejected") if name in figures}
    voices = np.flatnonzero(made & clips.words[labels])
    if recorded.any() and len(voices):
        task.figures["accuracy_on_voices"] = round(float((logits[voices].argmax(1) == labels[voices]).mean()), 4)
