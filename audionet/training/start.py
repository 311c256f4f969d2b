"""The classifier of a network whose body is trained already: fitted on a corpus before, or instead of, a training."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from lightning.pytorch.utilities import rank_zero_only
from torch import nn

from audionet.checks import listed
from audionet.console import note
from audionet.labels import is_word
from audionet.metrics import Answers, calibrate
from audionet.models.contract import linear_of
from audionet.training.data import ClipData
from audionet.training.folds import CrossValidation, cross_validate
from audionet.training.head import Copies, copies_for, embed_copies, fit_head
from audionet.training.recognition import Recognition
from audionet.training.record import write_config

if TYPE_CHECKING:
    from audionet.datasets.corpus import Corpus

FEW_CLIPS = 500  # of words to train on, up to which a fitted classifier is better than a training of the whole
FEW_TESTS = 5  # of a word, below which each clip is tested by a classifier that was fitted on the others
QUIET = 33  # of 32768, a peak of -60 dB
MOST_CHECKED = 5000  # clips that are looked through for those of another word


@dataclass(frozen=True, eq=False)
class HeadFit:
    """A classifier that was fitted in place of a training.

    Attributes:
        model: The network, with the classifier in its place.
        answers: What the test clips were taken for, by positions in the corpus's store.
        seconds: How long it took.
        validation: How it was tested where clips are few; None where it was tested on clips of the test split.
    """

    model: nn.Module
    answers: Answers
    seconds: float
    validation: CrossValidation | None

    @property
    def is_global_zero(self) -> bool:
        """Whether this process writes files, as a trainer says it of several."""
        return getattr(rank_zero_only, "rank", 0) == 0


def is_small(corpus: "Corpus") -> bool:
    """Tell whether a corpus has so few clips of words that a classifier is fitted and nothing more trained."""
    return sum(counts["train"] for label, counts in corpus.counts().items() if is_word(label)) < FEW_CLIPS


def start_head(task: Recognition, data: ClipData) -> None:
    """Fit the classifier on the training clips and copies of them that the task's augmentation makes.

    Recordings that sound like another word than their label says are named on standard error.

    Args:
        task: What is going to be trained; its network's body is trained already. It gets the classifier.
        data: Data module that serves the corpus.

    Raises:
        ValueError: The network's ``head`` holds no linear layer, or several.
    """
    _fit(task, data, data.corpus.store.indices("train"))


def fit_head_only(
    task: Recognition, data: ClipData, *, output: str | os.PathLike[str], values: Mapping[str, object]
) -> HeadFit:
    """Fit the classifier in place of a training, and test it.

    Where a word has fewer than five test clips, all clips are learnt, and each is tested by a classifier that was
    fitted on the others: whole speakers where three or more are known. ``data.corpus`` then has training clips alone.
    Otherwise training and validation clips are learnt, and the test clips tested. Temperature and threshold follow from
    what classifiers answered for learnt clips that they were not fitted on.

    Args:
        task: Network with a trained body, front-end and augmentation. It gets the classifier, ``calibration`` and
            ``answers``.
        data: Data module that serves the corpus.
        output: Folder of the run, which gets its ``config.yaml``.
        values: Values of the run, as a preset has them.

    Raises:
        ValueError: The network's ``head`` holds no linear layer, or several.
        OSError: The folder cannot be written.
    """
    started = time.monotonic()
    corpus = data.corpus
    task.words = [is_word(label) for label in corpus.labels]
    tests = [counts["test"] for label, counts in corpus.counts().items() if is_word(label)]
    if min(tests) < FEW_TESTS:
        note(
            f"a word has only {min(tests)} test clips, so all clips are learnt, and each is tested by a classifier "
            "that is fitted on the others"
        )
        data.corpus = replace(corpus, store=replace(corpus.store, splits=np.full(len(corpus.store), "train")))
        validation = _fit(task, data, np.arange(len(corpus.store)), most_checked=len(corpus.store))
        assert validation is not None
        _calibrate(task, validation)
        (clips,) = np.nonzero(validation.fold >= 0)
        task.keep_answers(clips, validation.labels[clips], validation.logits[clips])
        note(str(validation))
    else:
        validation, test = None, corpus.store.indices("test")
        _calibrate(task, _fit(task, data, np.setdiff1d(np.arange(len(corpus.store)), test)))
        task.keep_answers(test, corpus.label_index[test], _logits(task, data, test))
    write_config(Path(output), values)
    return HeadFit(task.model, task.answers, time.monotonic() - started, validation)


def _calibrate(task: Recognition, validation: CrossValidation | None) -> None:
    """Fit temperature and threshold on the clips that were tested, where there are some."""
    if validation is not None and (tested := validation.fold >= 0).any():
        task.calibration = calibrate(validation.logits[tested], validation.labels[tested], task.words)


def _fit(
    task: Recognition, data: ClipData, clips: np.ndarray, *, most_checked: int | None = None
) -> CrossValidation | None:
    """Fit the classifier on some clips; return how well others of them were heard, unless they are very many."""
    corpus, head = data.corpus, linear_of(task.model)
    labels = corpus.label_index[clips]
    copies = embed_clips(task, corpus, clips, n_copies=copies_for(labels))
    validation = None
    if len(clips) <= (MOST_CHECKED if most_checked is None else most_checked):
        tested = ~corpus.added | (corpus.store.splits == "test")
        groups = groups_of(corpus)[clips]
        validation = cross_validate(copies, labels, n_classes=task.n_classes, groups=groups, tested=tested[clips])
        name_suspects(corpus, clips, validation)
    fitted = fit_head(
        copies.embeddings, torch.from_numpy(labels)[copies.clip], weights=copies.weights, n_classes=task.n_classes
    )
    head.load_state_dict(fitted.state_dict())
    return validation


def embed_clips(
    task: Recognition, corpus: "Corpus", clips: np.ndarray | slice = slice(None), *, n_copies: np.ndarray
) -> Copies:
    """Return embeddings of some clips of a corpus, and of copies that the task's augmentation makes, if it has one.

    Args:
        task: Front-end, network and augmentation.
        corpus: The corpus.
        clips: Positions of the clips in its store.
        n_copies: Copies of each of them.
    """
    return embed_copies(
        corpus.store.waveforms[clips],
        front_end=task.front_end,
        network=task.network,
        augment=task.augment,
        n_copies=0 if task.augment is None else n_copies,
        silence=corpus.made_silences[clips],
        seed=task.seed,
    )


def groups_of(corpus: "Corpus") -> np.ndarray:
    """Return what must not be parted, a name for each clip: the same samples, or whole speakers if three are known."""
    store, made = corpus.store, corpus.added
    alike = np.char.add("clip ", store.first_alike.astype(str))
    people = {*store.speakers[~made].tolist()} - {""}
    by_speaker = (store.speakers != "") & (made | (len(people) >= 3))
    return np.where(by_speaker, store.speakers, alike)


def name_suspects(corpus: "Corpus", clips: np.ndarray, validation: CrossValidation) -> None:
    """Say which recordings are probably of another word, hold next to nothing, or are the only one of their word."""
    paths, made, labels = corpus.store.paths, ~corpus.recorded[clips], corpus.labels
    word = np.array([is_word(label) for label in labels])[validation.labels]
    suspects = [
        f"{paths[clips[each.clip]]} (sounds like {labels[each.heard]}, {each.probability:.0%})"
        for each in validation.suspects()
        if not made[each.clip]
    ]
    if suspects:
        note(
            f"{len(suspects)} recording{'s' * (len(suspects) > 1)} may be of another word than the folder says; listen "
            f"to them, they are learnt as they are: {listed(suspects, 10)}"
        )
    peaks = np.abs(corpus.store.waveforms[clips].astype(np.int32)).max(1)
    if quiet := [paths[clip] for clip in clips[word & ~made & (peaks > 0) & (peaks < QUIET)]]:
        note(f"{len(quiet)} recordings hold next to no sound: {listed(quiet, 5)}; record them again, nearer or louder")
    lone = sorted({labels[label] for label in validation.labels[(validation.fold < 0) & word & ~made]})
    if lone:
        note(f"{listed(lone, 10)}: one recording, speaker or sound alone, so it cannot be tested; record some more")


def _logits(task: Recognition, data: ClipData, clips: np.ndarray) -> np.ndarray:
    """Return the network's logits for clips, (clip, n_classes)."""
    was_training = task.training
    task.eval()
    rows = []
    with torch.inference_mode():
        for start in range(0, len(clips), data.batch_size):
            waveforms = data.corpus.store.waveforms[clips[start : start + data.batch_size]]
            rows.append(task(torch.from_numpy(waveforms)).double().numpy())
    task.train(was_training)
    return np.concatenate(rows)
