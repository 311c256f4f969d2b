"""Who speaks the synthetic clips of a corpus, what is no word of it, and what an engine failed to speak."""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from audionet.checks import check_that
from audionet.console import note
from audionet.datasets import synthesis
from audionet.datasets.cards import Card
from audionet.datasets.classes import ClassSelection, PooledClass
from audionet.datasets.clip import Clip
from audionet.datasets.layouts import SynthesisLayout
from audionet.datasets.synthesis.changes import CHANGES
from audionet.datasets.synthesis.negatives import NEGATIVE, SYNTHETIC, negatives
from audionet.labels import SILENCE, UNKNOWN

_FAILURE = re.compile(r"(?P<clip>.*/(?P<engine>[^/:]+):[^:]+\.wav): (?P<error>.*)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Voices:
    """What a user chooses of the synthetic voices; None leaves a choice to the card, or to the engines at hand.

    Attributes:
        language: Code of the language.
        engines: Names of the engines that may speak.
        validation_engines: Names of the engines for the validation alone.
        test_engines: Names of the engines for the test alone.
    """

    language: str | None = None
    engines: Sequence[str] | None = None
    validation_engines: Sequence[str] | None = None
    test_engines: Sequence[str] | None = None

    @property
    def chosen(self) -> dict[str, Any]:
        """What is not left to others, as arguments of `synthesis.index`."""
        values = {name: value for name, value in vars(self).items() if value is not None}
        return {name: value if isinstance(value, str) else tuple(value) for name, value in values.items()}

    @property
    def name(self) -> str | None:
        """Part of the name of a folder: the language."""
        return self.language and f"in_{self.language}"

    def applied_to(self, card: Card, root: str | Path | None, synthetic: int, has_negatives: bool) -> Card:
        """Return a card whose layout has these voices; of one of recordings alone it is said that they are not used.

        Args:
            card: Card of the corpus.
            root: Folder that the user names for it.
            synthetic: Utterances of each label that join recordings.
            has_negatives: Whether other words do.

        Raises:
            ValueError: The card's clips are all synthetic, and there is a folder, or more utterances are to join them.
        """
        if isinstance(card.layout, SynthesisLayout):
            expected, advice = f"none with the card {card.name}, whose clips are all synthetic", "leave one of them out"
            check_that(root is None, "root", expected, root, f"{advice}: --data.card null reads the folder")
            check_that(not synthetic, "synthetic", expected, synthetic, advice)
            return replace(card, layout=replace(card.layout, **self.chosen))
        # A preset may choose voices for its own words, and the user another corpus.
        if self.chosen and not (synthetic or has_negatives):
            note(f"{card.name}: {', '.join(self.chosen)} not used, since all clips are recordings")
        return card

    def utterances(self, clips: Sequence[Clip], clips_per_label: int) -> list[Clip]:
        """Return synthetic utterances of the labels of some clips, for training."""
        words = sorted({clip.label for clip in clips if not clip.label.startswith("_")})
        spoken = synthesis.index(words, (), clips_per_label=clips_per_label, training_only=True, **self.chosen)
        return [replace(clip, path=SYNTHETIC + clip.path) for clip in spoken]

    def negatives(self, card: Card, clips: Sequence[Clip], *, asked: bool = True) -> tuple[Card, list[Clip]]:
        """Return the negatives of a corpus, and a card that has their classes, by its own names for them.

        Args:
            card: Card of the corpus.
            clips: Its clips.
            asked: Whether they are asked for; otherwise it is said how to do without.
        """
        labels, chosen = card.labels, dict(self.chosen)
        if isinstance(card.layout, SynthesisLayout):
            chosen = {name: getattr(card.layout, name) for name in vars(self)}
        unknown = labels.unknown or (PooledClass(UNKNOWN) if labels.keep and UNKNOWN not in labels.keep else None)
        silence = labels.silence or (PooledClass(SILENCE) if labels.keep and SILENCE not in labels.keep else None)
        names = {UNKNOWN: unknown.label if unknown else UNKNOWN, SILENCE: silence.label if silence else SILENCE}
        # Who speaks the words of the corpus, or joins them, has been named when these were listed.
        say = "" not in card.layout.made and not any(clip.path.startswith(SYNTHETIC) for clip in clips)
        made = [replace(clip, label=names[clip.label]) for clip in negatives(clips, say=say, **chosen)]
        counts = " and ".join(f"{sum(clip.label == name for clip in made)} of {name}" for name in names.values())
        advice = "" if asked else "; --data.negatives false leaves them out"
        note(f"{card.name}: clips are made for what is no word, {counts}{advice}")
        return replace(card, labels=ClassSelection(labels.keep, unknown, silence)), made

    def fingerprint(self) -> str:
        """Return a text that changes when the utterances may sound different."""
        may_speak = synthesis.may_speak(self.engines, self.validation_engines, self.test_engines)
        return synthesis.fingerprint(self.language or "en", may_speak)


def lacks_negatives(card: Card) -> bool:
    """Tell whether a card is a folder that keeps all classes, or a word list, and has no class for other sounds."""
    is_open = isinstance(card.layout, SynthesisLayout) or not card.labels.keep
    return is_open and not (card.labels.unknown or card.labels.silence)


def may_lack(card: Card) -> tuple[str, ...]:
    """Return what the paths of the clips that may be lacking begin with, those that are spoken."""
    if "" in card.layout.made:
        return ("",)
    return SYNTHETIC, *(f"{NEGATIVE}{change}/{SYNTHETIC}" for change in CHANGES)


def warn_of_unspoken(messages: Sequence[str], clips: Sequence[Clip], name: str) -> None:
    """Warn of the utterances that engines failed to speak, in one sentence an engine.

    Args:
        messages: Messages of the clip store about clips that are left out; those about recordings are passed over.
        clips: All clips.
        name: Name of the folder of the clip store.
    """
    failures: dict[str, list[re.Match[str]]] = {}
    for match in filter(None, map(_FAILURE.fullmatch, messages)):
        failures.setdefault(match["engine"], []).append(match)
    for engine, matches in failures.items():
        count = sum(clip.speaker.startswith(f"{engine}:") for clip in clips)
        warnings.warn(
            f"left out: {engine} failed at {len(matches)} of its {count} utterances, such as {matches[0]['clip']} "
            f"({matches[0]['error']}); to let it try again, `audionet data cache --clear stores/{name}`",
            stacklevel=3,
        )
