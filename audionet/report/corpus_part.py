"""The parts of a page about many recordings: their embedding, the nearest training clips, the most confused pairs."""

from collections.abc import Iterator, Sequence
from html import escape

import numpy as np
import torch

from audionet.checks import listed
from audionet.datasets.clip import Clip
from audionet.evaluate import known_as
from audionet.insight.neighbors import Embedded, most_confused, nearest, project
from audionet.labels import UNKNOWN
from audionet.report.clip_map import Point, clip_map
from audionet.report.page import section, shown
from audionet.report.players import fairly, fitting, player, sound_text
from audionet.report.subject import LeftOut, Subject

_MOST_PAIRS, _MOST_NEAREST = 5, 5
_LAYOUTS = {"t-SNE": "tsne", "PCA": "pca"}
_NO_RECORDINGS = "there are no recordings; give --recordings DIR"


def map_section(subject: Subject) -> str:
    """Return the card of the embedding's map, whose points play their clips.

    Raises:
        LeftOut: There are no recordings.
        ValueError: There are too few of them, or the embedding is not finite.
    """
    found = subject.recordings or subject.training
    if found is None:
        raise LeftOut(_NO_RECORDINGS)
    layouts, notes = {}, [f"{len(found.clips):,} of {found.n_found:,} recordings are here."]
    for name, method in _LAYOUTS.items():
        try:
            layouts[name] = project(found.embeddings, method, seed=subject.seed)
        except ValueError as error:
            if method == "pca":
                raise
            notes.append(f"{name} is left out: {error}.")
    order = fairly(found.labels)
    is_silent: list[bool] = []

    def sounds_in_order() -> Iterator[str]:
        for row in order:
            waveform = subject.hear(found.folder / found.clips[row].path)
            is_silent.append(not waveform.any())
            yield sound_text(waveform, subject.sample_rate)

    sounds = fitting(sounds_in_order(), subject.room)
    number = {row: place for place, row in enumerate(order[: len(sounds)])}
    if len(sounds) < len(order):
        notes.append(f"{len(sounds):,} of them can be heard, of each label as many; the others are smaller points.")
    if n_silent := sum(is_silent[: len(sounds)]):
        notes.append(f"{n_silent:,} of those that can be heard are silent.")
    is_told = any(clip.speaker for clip in found.clips)
    answers = _answers(subject, found.embeddings)
    points = [
        Point(clip.path, (clip.label, clip.speaker) if is_told else (clip.label,), number.get(row), answers[row])
        for row, clip in enumerate(found.clips)
    ]
    if len({*found.labels}) == 1:
        notes.append(f"All are of one class, {found.labels[0]}: whether classes are apart cannot be seen.")
    note = "".join(f'<p class="note">{escape(text)}</p>' for text in notes)
    ways = ("label", "speaker") if is_told else ("label",)
    return section("How recordings lie", note + clip_map(points, layouts, ways, sounds), wide=True)


def nearest_section(subject: Subject) -> str:
    """Return the card of the training clips that are nearest to each clip that is looked at.

    Raises:
        LeftOut: There are no training clips, or none to find the nearest of.
    """
    if subject.training is None:
        raise LeftOut("there are no training clips; give --training DIR")
    clips = [clip for clip in subject.clips if not clip.is_silent]
    if not clips:
        raise LeftOut("there is no clip with a sound to find the nearest of; give FILE")
    embeddings = subject.embedder.embed_clips(np.stack([clip.waveform for clip in clips]))
    training = subject.training
    found = nearest(embeddings, training.embeddings, _MOST_NEAREST + 1)  # one of them may be the clip itself
    content = []
    for clip, rows, cosines in zip(clips, found.rows.tolist(), found.similarity.tolist(), strict=True):
        paths = [(training.folder / training.clips[row].path).resolve() for row in rows]
        others = [place for place, path in enumerate(paths) if path != clip.path.resolve()][:_MOST_NEAREST]
        near = "".join(_heard(subject, training, rows[place], f"cosine {cosines[place]:.3f}") for place in others)
        content.append(f'<h3>{shown(clip.name)}</h3><div class="pictures">{near}</div>')
    return section("Nearest training clips", "".join(content), wide=True)


def confused_section(subject: Subject) -> str:
    """Return the card of the pairs of labels that are taken for each other most, with a clip of each.

    Raises:
        LeftOut: There are no labels, no recordings, or those of fewer than two labels.
    """
    found = subject.recordings
    if subject.recognizer is None:
        raise LeftOut("the network has no labels to confuse")
    if found is None:
        raise LeftOut(_NO_RECORDINGS)
    known, labels = known_as(sorted({*found.labels}), subject.recognizer.labels), subject.recognizer.labels
    otherwise = UNKNOWN if UNKNOWN in labels else None
    true = [known.get(label, otherwise) for label in found.labels]
    places = np.array([-1 if label is None else labels.index(label) for label in true])
    if len({*places[places >= 0].tolist()}) < 2:
        got = listed(sorted({*found.labels}), 10)
        raise LeftOut(f"it takes recordings of two labels of the network, and these are of {got}")
    pairs = most_confused(_probabilities(subject, found.embeddings), places, most=_MOST_PAIRS)
    content = []
    for pair in pairs:
        names = labels[pair.first], labels[pair.second]
        errors = f"{pair.n_errors} taken for the other" if pair.n_errors else "none taken for the other"
        clips = "".join(
            _heard(subject, found, row, _answers(subject, found.embeddings[[row]])[0]) for row in pair.clips
        )
        content.append(
            f"<h3>{shown(names[0])} and {shown(names[1])}</h3>"
            f'<p class="note">{errors}; the other is given a probability of {pair.mean:.1%} on average</p>'
            f'<div class="pictures">{clips}</div>'
        )
    note = '<p class="note">Of each label, the clip that is most like the other.</p>'
    return section("Most confused", note + "".join(content), wide=True)


def _heard(subject: Subject, found: Embedded, row: int, told: str) -> str:
    """Return a recording to hear, with its label and a word about it."""
    clip = found.clips[row]
    waveform = subject.hear(found.folder / clip.path)
    return (
        f"<figure>{player(waveform, subject.sample_rate, clip.path)}<figcaption>{shown(clip.label)}{_speaker(clip)}, "
        f'{escape(told)}<br><span class="file">{shown(clip.path)}</span></figcaption></figure>'
    )


def _speaker(clip: Clip) -> str:
    return f" by {shown(clip.speaker)}" if clip.speaker else ""


def _probabilities(subject: Subject, embeddings: np.ndarray) -> np.ndarray:
    """Return the probabilities (clip, label) of clips from their embeddings."""
    assert subject.recognizer is not None
    network = subject.recognizer.network
    with torch.inference_mode():
        logits = network.get_submodule("head")(torch.from_numpy(embeddings).to(subject.recognizer.device))
        return np.asarray(subject.recognizer.probabilities(logits).cpu())


def _answers(subject: Subject, embeddings: np.ndarray) -> Sequence[str]:
    """Return what the network takes each clip for; empty texts without labels."""
    if subject.recognizer is None:
        return [""] * len(embeddings)
    given = _probabilities(subject, embeddings)
    labels = subject.recognizer.labels
    return [f"{labels[row.argmax()]} {row.max():.1%}" for row in given]
