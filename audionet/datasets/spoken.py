"""Words of many languages, spoken by all engines, as a corpus; and unlabelled speech of people, in pieces."""

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from audionet import resources
from audionet.audio import AudioError, find_sounds, rate_and_seconds, read_mono
from audionet.checks import check_at_least, check_no_misfits, check_that, listed
from audionet.console import note
from audionet.datasets import synthesis
from audionet.datasets.background_noise import noise_for
from audionet.datasets.cards import Card
from audionet.datasets.clip import Clip
from audionet.datasets.corpus import Corpus
from audionet.datasets.layouts import SynthesisLayout
from audionet.datasets.recordings import scan
from audionet.datasets.store import Store, open_store
from audionet.datasets.synthesis.voices import speaking
from audionet.datasets.utterances import may_lack, warn_of_unspoken

PEAK = 0.7  # of a piece of speech, as engines speak
QUIETEST = 0.01  # peak of a piece that counts as speech
_OVERLAP = 0.4  # of a piece and the next one, so that a word that one of them cuts is whole in another


def open_spoken(
    words: Mapping[str, Sequence[str]],
    *,
    clips_per_word: int = 8,
    english_clips_per_word: int = 21,
    n_test_words: int = 40,
    engines: Sequence[str] | None = None,
    background: str | Path | None = None,
    sample_rate: int = 16_000,
    clip_seconds: float = 1.5,
    workers: int | None = None,
    progress: bool = True,
    seed: int = 0,
) -> Corpus:
    """Open a corpus of words of many languages; its clip store is built first where it is missing.

    The label of a word is "lt:labas", so that a word of two languages is two classes. The last words of the first
    language are for the test: they are heard in no training. A word or a language that no engine here speaks is left
    out, and so is an utterance that an engine fails to speak; all of it is said.

    Args:
        words: Words by the code of their language.
        clips_per_word: Clips of each word, shared out over the engines that speak its language.
        english_clips_per_word: Clips of each English word, which most engines speak.
        n_test_words: Words for the test, at least 2.
        engines: Names of the engines that may speak; None for all that are installed.
        background: Folder of noise recordings; None for synthetic noise.
        sample_rate: Sample rate of the clips in hertz.
        clip_seconds: Length that every clip is padded or cut to.
        workers: Processes that build the store; None for one a core.
        progress: Show a bar while the store is built, if standard error is a terminal.
        seed: Decides voices, rates and pitches.

    Raises:
        ValueError: A number is out of its range, no engine speaks any of the words, or there are too few of them.
    """
    check_at_least(1, whole=True, clips_per_word=clips_per_word, english_clips_per_word=english_clips_per_word)
    check_at_least(2, whole=True, n_test_words=n_test_words)
    check_at_least(1000, 768_000, whole=True, sample_rate=sample_rate)
    check_at_least(0.05, 3600, clip_seconds=clip_seconds)
    first = next(iter(words), "")
    tested = {f"{first}:{word}" for word in list(dict.fromkeys(words.get(first, ())))[-n_test_words:]}
    clips, prints = [], []
    for language, listing in known_words(words, engines).items():
        count = english_clips_per_word if language.partition("-")[0] == "en" else clips_per_word
        for clip in _utterances(listing, count, language, engines, seed):
            label = f"{language}:{clip.label}"
            clips.append(replace(clip, label=label, split="test" if label in tested else "train"))
        prints.append(synthesis.fingerprint(language, engines))
    n_trained = len({clip.label for clip in clips if clip.split == "train"})
    check_that(n_trained > 1, "words", f"two words beside the {len(tested)} for the test", n_trained, "add words")
    card = _card(sorted({clip.label for clip in clips}), sample_rate)
    noise, noise_prints = noise_for(card, Path(), background, sample_rate)
    key = hashlib.sha256("\0".join(f"{clip.label} {clip.path}" for clip in clips).encode()).hexdigest()[:8]
    folder = resources.cache_dir() / "stores" / f"{card.name}-{key}"
    store = open_store(
        clips,
        partial(synthesis.render, sample_rate=sample_rate),
        folder=folder,
        fingerprint=" ".join([*prints, *noise_prints]),
        sample_rate=sample_rate,
        clip_length=round(clip_seconds * sample_rate),
        background=noise,
        workers=workers,
        may_lack=may_lack(card),
        progress=progress,
    )
    warn_of_unspoken(store.skipped, clips, folder.name)
    return Corpus(card=card, store=store, labels=store.label_names, label_index=store.labels)


def _utterances(
    words: Sequence[str], clips_per_word: int, language: str, engines: Sequence[str] | None, seed: int
) -> list[Clip]:
    """List utterances of the words of one language."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that one engine alone speaks a language: of so many, that is usual
        return synthesis.index(
            words,
            (),
            clips_per_label=clips_per_word,
            training_only=True,
            language=language,
            engines=engines,
            seed=seed,
        )


def known_words(words: Mapping[str, Sequence[str]], engines: Sequence[str] | None = None) -> dict[str, list[str]]:
    """Return the words that an engine can speak, by language; say what is left out.

    Args:
        words: Words by the code of their language.
        engines: Names of the engines that may speak; None for all that are installed.

    Raises:
        ValueError: No engine speaks any of them.
    """
    known, unspoken, unknown = {}, [], []
    for language, listing in words.items():
        try:
            able = speaking(language, engines).engines.values()
        except ValueError:
            unspoken.append(language)
            continue
        spoken = [word for word in dict.fromkeys(listing) if any(engine.knows(word, language) for engine in able)]
        unknown += [f"{language}:{word}" for word in listing if word not in {*spoken}]
        if spoken:
            known[language] = spoken
    if unspoken:
        note(f"left out: no engine here speaks {listed(unspoken, 30)}; `audionet doctor` lists engines")
    if unknown:
        note(f"left out {len(unknown)} words that no engine here can speak: {listed(unknown, 10)}")
    check_that(known, "words", "words that an engine here can speak", "none", "`audionet doctor` lists engines")
    return known


def open_speech(
    folders: Sequence[str | Path],
    *,
    sample_rate: int = 16_000,
    clip_seconds: float = 1.5,
    workers: int | None = None,
    progress: bool = True,
) -> Store | None:
    """Open a store of unlabelled speech: pieces of all recordings in some folders; None for no folders.

    A recording is cut into overlapping pieces of the clip length, each of them scaled to one peak; what is quieter than
    -40 dB is left out. Files that cannot be read are left out with a warning.

    Args:
        folders: Folders of recordings, at any depth.
        sample_rate: Sample rate of the clips in hertz.
        clip_seconds: Length of a piece.
        workers: Processes that build the store; None for one a core.
        progress: Show a bar while the store is built, if standard error is a terminal.

    Raises:
        ValueError: A folder holds no recordings, or none has speech.
    """
    if not folders:
        return None
    clips = []
    for folder in map(Path, folders):
        check_that(folder.is_dir(), "real_speech", "a folder of recordings", str(folder), "check its spelling")
        sounds = find_sounds(folder)
        check_no_misfits([] if sounds.files else [str(folder)], "real_speech", "folders that hold recordings")
        clips += [Clip(str(folder.resolve() / name), "speech", "", "train") for name in sounds.files]
    length = round(clip_seconds * sample_rate)
    n_pieces = {clip.path: count_pieces(clip.path, length, sample_rate) for clip in clips}
    cut = [replace(clip, path=f"{clip.path}@{number}") for clip in clips for number in range(n_pieces[clip.path])]
    check_that(cut, "real_speech", "recordings that can be read", "none")
    key = hashlib.sha256("\0".join(clip.path for clip in cut).encode(errors="surrogateescape")).hexdigest()[:8]
    return open_store(
        cut,
        partial(render_piece, length=length, sample_rate=sample_rate),
        folder=resources.cache_dir() / "stores" / f"speech-{key}",
        fingerprint=" ".join(scan(folder) for folder in folders),
        sample_rate=sample_rate,
        clip_length=length,
        workers=workers,
        skip_bad=True,
        progress=progress,
    )


def count_pieces(path: str, length: int, sample_rate: int) -> int:
    """Return how many pieces of a length a recording gives; one of a file that cannot be read, which is then named."""
    try:
        _, seconds = rate_and_seconds(path)
    except (AudioError, OSError):
        return 1
    return 1 + max(int((seconds * sample_rate - length) // _hop(length)), 0)


def render_piece(path: str, *, length: int, sample_rate: int) -> np.ndarray:
    """Return a piece of a recording, (time,) float32, by "file@number"; silence where it is too quiet to be speech."""
    file, _, number = path.rpartition("@")
    start = int(number) * _hop(length)
    piece = read_mono(file, sample_rate)[start : start + length]
    peak = float(np.abs(piece).max(initial=0))
    return piece * np.float32(PEAK / peak) if peak >= QUIETEST else np.zeros(length, np.float32)


def _hop(length: int) -> int:
    return round(length * (1 - _OVERLAP))


def _card(labels: Sequence[str], sample_rate: int) -> Card:
    languages = sorted({label.partition(":")[0] for label in labels})
    return Card(
        name="spoken",
        title="Synthetic words of many languages",
        description=f"{len(labels)} words of {listed(languages, 30)}, spoken by speech synthesisers.",
        homepage="",
        license="unknown",
        citation="",
        sample_rate=sample_rate,
        layout=SynthesisLayout(words=tuple(labels)),
    )
