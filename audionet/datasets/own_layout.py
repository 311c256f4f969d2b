"""How a user's own words lie: utterances by engines, recordings in class folders, and stretches of other recordings."""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from audionet.datasets import synthesis
from audionet.datasets.clip import Clip, Listing
from audionet.datasets.layouts import FolderLayout, SynthesisLayout
from audionet.datasets.recordings import scan
from audionet.datasets.splits import Rule
from audionet.datasets.stretches import stretches
from audionet.labels import SILENCE, UNKNOWN, spelled


@dataclass(frozen=True, kw_only=True)
class OwnWords(SynthesisLayout):
    """Words that engines speak, and recordings of the same words in class folders.

    Attributes:
        spoken: The words that engines speak; all but those that are known by recordings alone.
        recordings: How the recordings lie in the corpus root; None for the engines alone.
        negatives: Folders of recordings in which none of the words is said; stretches of them train as unknown, at most
            as many as there are training clips of a word.
        rule: Split rule of the recordings. None where they are few: all are for the test then, by classifiers that have
            learnt the others.
    """

    kind: ClassVar[str] = "own words"
    made: ClassVar[tuple[str, ...]] = FolderLayout.made
    spoken: tuple[str, ...] = ()
    recordings: FolderLayout | None = None
    negatives: tuple[str, ...] = ()
    rule: Rule | None = None

    @property
    def few(self) -> bool:
        """Whether there are recordings, and so few that a network does not learn them but only its classifier."""
        return self.recordings is not None and self.rule is None

    @property
    def trains(self) -> bool:
        """Whether there are enough training clips of each word for a whole network."""
        return not self.few or self.spoken == self.words

    def index(self, root: Path) -> Listing:
        """List utterances, recordings and stretches of others, with their splits.

        Raises:
            ValueError: A word cannot be spoken, or the recordings do not fit their layout.
        """
        listing = self._words(root)
        if not self.negatives:
            return listing
        n_trained = sum(clip.split == "train" and clip.label in self.words for clip in listing.clips)
        found = stretches(self.negatives, max(n_trained // len(self.words), 1))
        return replace(listing, clips=[*listing.clips, *found])

    def _words(self, root: Path) -> Listing:
        """List utterances and recordings, with their splits."""
        clips: list[Clip] = []
        if self.spoken:
            arguments = {field.name: getattr(self, field.name) for field in fields(SynthesisLayout)}
            spoken = synthesis.index(**arguments | {"words": self.spoken})
            clips = [replace(clip, path=synthesis.SYNTHETIC + clip.path) for clip in spoken]
        if self.recordings is None:
            return Listing(clips)
        listing = self.recordings.index(root)
        words = {spelled(word): word for word in self.words}
        recorded = self.rule.assign(listing) if self.rule else listing.clips
        for clip in recorded:
            label = words.get(spelled(clip.label), SILENCE if clip.label == SILENCE else UNKNOWN)
            split = clip.split or ("test" if self.trains or label in self.spoken else "train")
            clips.append(replace(clip, label=label, split=split))
        return replace(listing, clips=clips, fields=())

    def render(self, path: str, *, root: Path, sample_rate: int) -> np.ndarray:
        """Return the waveform of a recording, (time,) float32, by its path.

        Raises:
            AudioError: The file cannot be used.
        """
        assert self.recordings is not None
        return self.recordings.render(path, root=root, sample_rate=sample_rate)

    def fingerprint(self, root: Path) -> str:
        """Return a text that changes when the words may sound different, or a recording does."""
        spoken = super().fingerprint(root)
        folders = [*(() if self.recordings is None else (root,)), *self.negatives]
        return " ".join([spoken, *map(scan, folders)])
