"""From a card to its clip store."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from audionet import resources
from audionet.datasets import cards, synthesis
from audionet.datasets.cards import Card
from audionet.datasets.clip import Clip
from audionet.datasets.layouts import Layout, SynthesisLayout
from audionet.datasets.recordings import read_background, scan
from audionet.datasets.store import Store, open_store

NOISE_SECONDS = 300.0  # of synthetic noise, for a corpus without recordings of any

_SYNTHETIC = "_synthetic_/"


def open_corpus(
    card: Card,
    *,
    root: Path | None = None,
    split: str | None = None,
    test_speaker: str | None = None,
    synthetic: int = 0,
    sample_rate: int = 16_000,
    clip_length: int = 16_000,
    background: Path | None = None,
    workers: int | None = None,
    skip_bad: bool = False,
    progress: bool = True,
) -> Store:
    """Index a corpus and open its clip store, which is built first where it is missing or out of date.

    Args:
        card: The corpus.
        root: Folder that holds it; None: where `audionet data get` puts it.
        split: One of the card's split rules; None: its own choice.
        test_speaker: Speaker to test on, where the split leaves one out.
        synthetic: Utterances of each label by espeak-ng's voices that join the training clips, so that a corpus of
            few speakers learns from many; the labels must then be words to speak.
        sample_rate: Hz.
        clip_length: Samples.
        background: Folder of noise recordings; None: the card's own, or synthetic noise where it has none.
        workers: Processes that build the store; None: one for each core.
        skip_bad: Leave out files that cannot be used instead of refusing.
        progress: Show a bar when standard error is a terminal.

    Raises:
        ValueError: The corpus is missing or does not fit its card, or files cannot be used (all are named).
    """
    root = card.default_root if root is None else root
    clips = cards.index(card, root, split=split, test_speaker=test_speaker)
    contents = [card.layout.fingerprint(root)]
    if synthetic and not isinstance(card.layout, SynthesisLayout):
        clips += _synthetic_clips(clips, synthetic)
        contents.append(synthesis.fingerprint())
    render = partial(_render, layout=card.layout, root=root, sample_rate=sample_rate)
    noises = cards.background(card, root, folder=background)
    if noises:
        noise = partial(read_background, noises, sample_rate=sample_rate)
        contents.append(scan(noises[0].parent))
    else:
        noise = partial(synthesis.make_noise, sample_rate, NOISE_SECONDS)
    parts = (card.name, split, test_speaker, f"synthetic{synthetic}" if synthetic else None)
    return open_store(
        clips,
        render,
        folder=resources.cache_dir() / "stores" / "-".join(filter(None, parts)),
        fingerprint=" ".join(contents),
        sample_rate=sample_rate,
        clip_length=clip_length,
        background=noise,
        workers=workers,
        skip_bad=skip_bad,
        progress=progress,
    )


def _synthetic_clips(clips: Sequence[Clip], clips_per_label: int) -> list[Clip]:
    words = sorted({clip.label for clip in clips if not clip.label.startswith("_")})
    spoken = synthesis.index(words, (), clips_per_label=clips_per_label)
    return [replace(clip, path=_SYNTHETIC + clip.path) for clip in spoken if clip.split == "train"]


def _render(path: str, *, layout: Layout, root: Path, sample_rate: int) -> np.ndarray:
    if path.startswith(_SYNTHETIC):
        return synthesis.render(path.removeprefix(_SYNTHETIC), sample_rate=sample_rate)
    return layout.render(path, root=root, sample_rate=sample_rate)
