"""Who speaks the synthetic clips of a corpus, and what an engine failed to speak."""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from audionet.checks import check_that
from audionet.console import note
from audionet.datasets import synthesis
from audionet.datasets.cards import Card
from audionet.datasets.clip import Clip
from audionet.datasets.layouts import SynthesisLayout
from audionet.datasets.rendering import SYNTHETIC

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
    def chosen(self) -> dict[str, str | tuple[str, ...]]:
        """What is not left to others, as arguments of `synthesis.index`."""
        values = {name: value for name, value in vars(self).items() if value is not None}
        return {name: value if isinstance(value, str) else tuple(value) for name, value in values.items()}

    @property
    def name(self) -> str | None:
        """Part of the name of a folder: the language."""
        return self.language and f"in_{self.language}"

    def of(self, card: Card, root: str | Path | None, synthetic: int) -> Card:
        """Return a card whose layout has these voices; of one of recordings alone it is said that they are not used.

        Args:
            card: Card of the corpus.
            root: Folder that the user names for it.
            synthetic: Utterances of each label that join recordings.

        Raises:
            ValueError: The card's clips are all synthetic, and there is a folder, or more utterances are to join them.
        """
        if isinstance(card.layout, SynthesisLayout):
            expected, advice = f"none with the card {card.name}, whose clips are all synthetic", "leave one of them out"
            check_that(root is None, "root", expected, root, f"{advice}: --data.card null reads the folder")
            check_that(not synthetic, "synthetic", expected, synthetic, advice)
            return replace(card, layout=replace(card.layout, **self.chosen))
        if self.chosen and not synthetic:  # a preset may choose for its own words, and the user another corpus
            note(f"{card.name}: {', '.join(self.chosen)} not used, since all clips are recordings")
        return card

    def utterances(self, clips: Sequence[Clip], clips_per_label: int) -> list[Clip]:
        """Return synthetic utterances of the labels of some clips, for training."""
        words = sorted({clip.label for clip in clips if not clip.label.startswith("_")})
        spoken = synthesis.index(words, (), clips_per_label=clips_per_label, training_only=True, **self.chosen)  # type: ignore[arg-type]
        return [replace(clip, path=SYNTHETIC + clip.path) for clip in spoken]

    def fingerprint(self) -> str:
        """Return a text that changes when the utterances may sound different."""
        may_speak = synthesis.may_speak(self.engines, self.validation_engines, self.test_engines)
        return synthesis.fingerprint(self.language or "en", may_speak)


def may_lack(card: Card) -> str | None:
    """Return what the paths of the clips that may be lacking begin with, those that are spoken."""
    return "" if isinstance(card.layout, SynthesisLayout) else SYNTHETIC


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
