"""From a card to a corpus that is ready to be served: its clip store, its classes and its categories."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from audionet import resources
from audionet.audio import FULL_SCALE, save_audio
from audionet.checks import check_at_least, check_no_misfits, check_one_of, check_that, listed
from audionet.console import note
from audionet.datasets import cards, natural, synthesis
from audionet.datasets.background_noise import noise_for
from audionet.datasets.cards import Card
from audionet.datasets.classes import ClassSelection, is_filled
from audionet.datasets.clip import SPLITS, Clip
from audionet.datasets.plain import choose_card
from audionet.datasets.remarks import remark
from audionet.datasets.rendering import render
from audionet.datasets.store import Store, open_store
from audionet.datasets.utterances import Voices, lacks_negatives, may_lack, warn_of_unspoken
from audionet.files import safe_names
from audionet.randomness import random_generator


@dataclass(frozen=True, kw_only=True, eq=False)
class Corpus:
    """A collection of recordings as clips of one length, with what a network can learn from them.

    Attributes:
        card: Description of the corpus.
        store: The clips.
        labels: Names of the classes, in the order of a network's outputs.
        label_index: (clip,) int64, the position of each clip's label in ``labels``.
    """

    card: Card
    store: Store
    labels: tuple[str, ...]
    label_index: np.ndarray

    @property
    def sample_rate(self) -> int:
        """Sample rate in hertz."""
        return self.store.sample_rate

    @property
    def clip_length(self) -> int:
        """Samples of a clip."""
        return int(self.store.waveforms.shape[1])

    @property
    def has_validation(self) -> bool:
        """Whether there is a validation split."""
        return len(self.store.indices("validation")) > 0

    @property
    def untested(self) -> tuple[str, ...]:
        """Labels without test clips."""
        tested = {*self.label_index[self.store.indices("test")].tolist()}
        return tuple(label for position, label in enumerate(self.labels) if position not in tested)

    @property
    def made_silences(self) -> np.ndarray:
        """Whether a clip is a silence that the augmentation fills with noise, (clip,) bool."""
        made = f"{synthesis.BACKGROUND}train/"
        return np.array([is_filled(path) or path.startswith(made) for path in self.store.paths])

    @property
    def recorded(self) -> np.ndarray:
        """Whether a clip is a recording, neither an utterance by an engine nor a silence that is made, (clip,) bool."""
        made, silence = self.card.layout.made, f"{self.silence}/"
        return np.array([not (path.startswith(made) or path.startswith(silence)) for path in self.store.paths], bool)

    @property
    def added(self) -> np.ndarray:
        """Whether a clip was made to join recordings, (clip,) bool; of a corpus that is all synthetic, no clip."""
        made = [path.startswith(synthesis.MADE) for path in self.store.paths]
        return np.array(made, bool) & (not self.is_synthetic)

    @property
    def silence(self) -> str | None:
        """Label of the class without speech; None where there is none."""
        pool = self.card.labels.silence
        return None if pool is None else pool.label

    @property
    def is_synthetic(self) -> bool:
        """Whether no clip to test on is a recording, so that a figure on them is a smoke test."""
        test = self.store.indices("test")
        return not self.recorded[test if len(test) else slice(None)].any()

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the number of clips of each label in each split, {label: {split: clips}}."""
        n_labels = len(self.labels)
        of = {split: np.bincount(self.label_index[self.store.indices(split)], minlength=n_labels) for split in SPLITS}
        return {label: {split: int(of[split][row]) for split in SPLITS} for row, label in enumerate(self.labels)}

    def n_speakers(self, split: str) -> int:
        """Return how many speakers of a split are known by name; 0 where the corpus does not tell who speaks."""
        return len({*self.store.speakers[~self.added & (self.store.splits == split)]} - {""})

    def categories(self, names: Sequence[str]) -> dict[str, list[str]]:
        """Return the values of categories in the training clips, as `audionet.models.WaveNet` takes them.

        Args:
            names: Some of "label" and "speaker".

        Raises:
            ValueError: The corpus does not tell a category, or another split has a value that is not trained on.
        """
        return {name: self._trained_values(name) for name in names}

    def category_index(self, name: str) -> np.ndarray:
        """Return the position of each clip's value among the values of a category, (clip,) int64."""
        values = self._trained_values(name)
        return np.array([values.index(value) for value in self._values(name)])

    def _values(self, category: str) -> np.ndarray:
        known: dict[str, np.ndarray] = {
            "label": np.array(self.labels)[self.label_index],
            "speaker": self.store.speakers,
        }
        check_one_of(known, "conditions", category, "leave it out")
        return known[category]

    def _trained_values(self, category: str) -> list[str]:
        of_clips = self._values(category)
        seen = set(of_clips[self.store.indices("train")])
        values = [label for label in self.labels if label in seen] if category == "label" else sorted(seen)
        check_that(
            "" not in values, "conditions", f"what {self.card.name} names of its clips", category, "leave it out"
        )
        unheard = sorted(set(of_clips) - seen)
        expected, advice = f"each {category} among the training clips", "leave it out or choose another split"
        check_no_misfits(unheard, "conditions", expected, advice)
        return values

    def export_clips(self, split: str, folder: Path, *, per_label: int, seed: int = 0) -> list[tuple[Path, str]]:
        """Write clips of a split as WAV files.

        Args:
            split: "train", "validation" or "test".
            folder: Folder to write to; it is made where it is missing.
            per_label: Clips of each label, at most.
            seed: Decides which ones.

        Returns:
            Each file with its label.
        """
        indices = random_generator(seed, "exported clips").permutation(self.store.indices(split))
        written = []
        folder.mkdir(parents=True, exist_ok=True)
        names = safe_names(self.labels)
        for position, label in enumerate(self.labels):
            for number, index in enumerate(indices[self.label_index[indices] == position][:per_label]):
                path = folder / f"{names[label]}{f'-{number}' if per_label > 1 else ''}.wav"
                self.save_clip(index, path)
                written.append((path, label))
        return written

    def save_clip(self, position: int, path: Path) -> None:
        """Write a clip, by its position in the store, as a sound file."""
        save_audio(path, self.store.waveforms[position] / np.float32(FULL_SCALE), self.sample_rate)


def open_corpus(
    card: str | Path | Card | None = "auto",
    *,
    root: str | Path | None = None,
    split: str | None = None,
    test_speaker: str | None = None,
    synthetic: int = 0,
    language: str | None = None,
    engines: Sequence[str] | None = None,
    validation_engines: Sequence[str] | None = None,
    test_engines: Sequence[str] | None = None,
    sample_rate: int | None = 16_000,
    clip_seconds: float | None = 1.0,
    background: str | Path | None = None,
    words_only: bool = False,
    negatives: bool | None = False,
    workers: int | None = None,
    skip_bad: bool = False,
    progress: bool = True,
) -> Corpus:
    """Open a corpus; its clip store is built first where it is missing or out of date.

    Args:
        card: Name of a dataset card, a card.yaml, or the folder of one; None to read ``root`` as a plain folder of
            class folders; "auto" to do so if there is a root without a card.yaml, and without a root to make the
            synthetic words of "words".
        root: Folder that holds the corpus; None for the one that `audionet data get` writes to.
        split: One of the card's split rules; None for the card's own choice.
        test_speaker: Speaker to test on, where the split leaves one out.
        synthetic: Utterances of each label by synthetic voices that join the training clips, so that a corpus of few
            speakers learns from many; the labels must then be words to speak.
        language: Code of the language of synthetic words, and of those that the words must not be taken for, such as
            "lt" or "en-gb"; None for the card's, or English.
        engines: Names of the speech synthesisers that may speak, such as ["espeak", "pico"]; None for the card's, or
            all that are installed.
        validation_engines: Names of those for the validation alone; none to divide voices instead; None for the card's,
            or to choose one where four speak the language.
        test_engines: Names of those for the test alone; none to divide voices instead; None for the card's, or to
            choose one where two speak the language, and two where six do.
        sample_rate: Sample rate of the clips, 1000 to 768,000 Hz; None for that of the recordings, at most 22,050.
        clip_seconds: Length that every clip is padded or cut to, 0.05 to 3600; None for that of the longest recording,
            at most 4, where longer recordings are cut into pieces that are clips of their own.
        background: Folder of noise recordings; None for the card's own, or synthetic noise where it has none.
        words_only: Leave out the classes of unknown words and of silence.
        negatives: Add other words, parts of words, sounds that are like speech, and silences, as classes of their own
            or to those that there are; None to do so for folders and word lists that have no such classes.
        workers: Processes that build the store; None for one a core.
        skip_bad: Leave out files that cannot be used instead of refusing.
        progress: Show a bar while the store is built, if standard error is a terminal.

    Raises:
        ValueError: A number is out of its range, the corpus is missing or does not fit its card, a class has no
            training clips, or files cannot be used (all are named).
    """
    check_at_least(1000, 768_000, whole=True, sample_rate=16_000 if sample_rate is None else sample_rate)
    check_at_least(0.05, 3600, clip_seconds=1.0 if clip_seconds is None else clip_seconds)
    check_at_least(0, whole=True, synthetic=synthetic)
    check_at_least(1, whole=True, workers=1 if workers is None else workers)
    voices = Voices(
        language=language, engines=engines, validation_engines=validation_engines, test_engines=test_engines
    )
    card = choose_card(card, root)
    has_negatives = not words_only and (lacks_negatives(card) if negatives is None else negatives)
    card = voices.applied_to(card, root, synthetic, has_negatives)
    if words_only:
        card = replace(card, labels=ClassSelection(keep=card.labels.keep))
    root = card.default_root if root is None else Path(root)
    clips = cards.index(card, root, split=split, test_speaker=test_speaker)
    if sample_rate is None or clip_seconds is None:
        clips, sample_rate, clip_seconds = natural.follow(card, root, clips, split, sample_rate, clip_seconds)
    contents = [card.layout.fingerprint(root)]
    if synthetic:
        clips += voices.utterances(clips, synthetic)
        note(f"{card.name}: {synthetic} synthetic utterances of each label join the training clips")
    if has_negatives:
        card, made = voices.negatives(card, clips, asked=negatives is not None)
        clips += made
    if any(synthesis.SYNTHETIC in clip.path for clip in clips):
        contents.append(voices.fingerprint())
    classes = card.labels.names(clip.label for clip in clips)
    _check_trained(card, classes, clips)
    noise, noise_contents = noise_for(card, root, background, sample_rate)
    added = f"synthetic{synthetic}" * bool(synthetic), "negatives" * has_negatives
    folder = _store_folder(card, root, split, test_speaker, *added, voices.name)
    store = open_store(
        clips,
        partial(render, layout=card.layout, root=root, sample_rate=sample_rate, engines=synthesis.added_engines()),
        folder=folder,
        fingerprint=" ".join([*contents, *noise_contents]),
        sample_rate=sample_rate,
        clip_length=round(clip_seconds * sample_rate),
        background=noise,
        workers=workers,
        skip_bad=skip_bad,
        may_lack=may_lack(card),
        progress=progress,
    )
    if store.skipped:
        warn_of_unspoken(store.skipped, clips, folder.name)
        usable = set(store.paths)
        _check_trained(card, classes, [clip for clip in clips if clip.path in usable])
    label_index = np.array([classes.index(name) for name in store.label_names])[store.labels]
    corpus = Corpus(card=card, store=store, labels=classes, label_index=label_index)
    remark(corpus)
    return corpus


def _check_trained(card: Card, classes: Sequence[str], clips: Sequence[Clip]) -> None:
    """Check that every class has training clips: a network cannot learn the others, but would be tested on them."""
    trained = {clip.label for clip in clips if clip.split == "train"}
    lacking = [label for label in classes if label not in trained]
    expected = "training clips of each class"
    advice = "add recordings, choose another --data.split, or leave the class out"
    check_no_misfits([f"none of {listed(lacking, 20)}"] if lacking else [], f"corpus {card.name}", expected, advice)


def _store_folder(card: Card, root: Path, *choices: str | None) -> Path:
    """Return the folder of a corpus's stores. Corpora of one name in two places do not replace each other's."""
    is_usual = root == resources.data_root(card.root or card.name)
    place = None if is_usual else hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:8]
    name = "-".join(filter(None, (card.name, *choices, place)))
    return resources.cache_dir() / "stores" / safe_names([name])[name]
