"""Recordings of keywords: which word each holds, who speaks, in which room, and where the word ends."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audionet.checks import check_that, listed
from audionet.console import note
from audionet.datasets.clip import Clip
from audionet.datasets.layouts import FileLayout, FolderLayout
from audionet.evaluate.recordings import known_as, layout_of
from audionet.evaluate.tracks import Tracks, hear, smoothed
from audionet.inference.windows import ClipRecognizer
from audionet.labels import is_word


@dataclass(frozen=True)
class Positive:
    """A recording of a keyword.

    Attributes:
        file: The file.
        keyword: The word.
        speaker: Who speaks; empty where nothing tells.
        room: Where; empty where nothing tells.
        end: Where the word ends, in seconds; None where nothing tells.
    """

    file: Path
    keyword: str
    speaker: str = ""
    room: str = ""
    end: float | None = None


@dataclass(frozen=True, eq=False)
class HeardWords:
    """Recordings of keywords, and their scores.

    Attributes:
        positives: The recordings that could be read.
        tracks: Their scores, in the same order.
    """

    positives: tuple[Positive, ...]
    tracks: Tracks

    @property
    def scores(self) -> np.ndarray:
        """The highest score of the keyword in each recording, (recording,)."""
        keywords, smoothing = self.tracks.settings.keywords, self.tracks.settings.smoothing
        pairs = zip(self.positives, self.tracks.tracks, strict=True)
        return np.array(
            [smoothed(track.scores, smoothing)[:, keywords.index(said.keyword)].max() for said, track in pairs]
        )

    def of(self, keyword: str) -> np.ndarray:
        """Whether each recording is one of a keyword, (recording,) bool."""
        return np.array([said.keyword == keyword for said in self.positives])

    def fired(self, thresholds: Mapping[str, float]) -> np.ndarray:
        """Return when the keyword of each recording is first reported, (recording,) in seconds; NaN for never."""
        times = np.full(len(self.positives), np.nan)
        for event in reversed(self.tracks.events(thresholds)):
            if event.keyword == self.positives[event.place].keyword:
                times[event.place] = event.time
        return times


def hear_positives(recognizer: ClipRecognizer, folder: str | os.PathLike[str]) -> HeardWords:
    """Let a detector hear the recordings of a folder that `positives_in` lists.

    Raises:
        ValueError: They do not fit, as described there, or none of them can be read.
    """
    said = {positive.file: positive for positive in positives_in(folder, [*recognizer.thresholds])}
    tracks = hear(recognizer, [*said], "positives")
    return HeardWords(tuple(said[track.path] for track in tracks.tracks), tracks)


def positives_in(folder: str | os.PathLike[str], keywords: Sequence[str]) -> list[Positive]:
    """List the recordings of keywords in a folder that has a folder of them for each.

    The folder is read as a corpus is: with a `card.yaml` as that says, otherwise as `audionet.datasets.plain_card`
    describes it. The card tells who speaks, or names that begin with SPEAKER_nohash_. The room is the field `room` of a
    card's pattern or table; otherwise the folder within the class folder, such as alexa/kitchen/1.wav. Where a word
    ends is told by a label track of Audacity beside the recording, such as 1.txt beside 1.wav: lines of start, end and
    label, with tabs between them.

    Raises:
        ValueError: There is no such folder, it holds no recording of a keyword, or a label track is none.
    """
    folder, layout = Path(folder), layout_of(folder)
    listing = layout.index(folder)
    found = sorted({clip.label for clip in listing.clips})
    truths = known_as(found, keywords)
    advice = "call the class folders as the model calls its words"
    check_that(truths, "positives", f"folders called {listed(keywords, 40)}", listed(found, 20), advice)
    if others := [label for label in found if label not in truths and is_word(label)]:
        note(f"positives: left out {listed(others, 10)}, which the model does not know")
    return [
        Positive(
            folder / clip.path,
            truths[clip.label],
            clip.speaker,
            fields.get("room") or _folder_within(clip, layout, listing.prefix),
            word_end(folder / clip.path),
        )
        for clip, fields in zip(listing.clips, listing.fields, strict=True)
        if clip.label in truths
    ]


def word_end(file: Path) -> float | None:
    r"""Return where the last label of a label track beside a recording ends, in seconds; None where there is none.

    Raises:
        ValueError: The file beside it is no label track.

    Example:
        >>> _ = Path("seven.txt").write_text("0.12\t0.71\tseven\n")
        >>> word_end(Path("seven.wav"))
        0.71
    """
    track = file.with_suffix(".txt")
    if not track.is_file():
        return None
    try:
        rows = [line.split("\t") for line in track.read_text(encoding="utf-8").splitlines() if line.strip()]
        ends = [float(row[1]) for row in rows if not row[0].startswith("\\")]  # of frequencies
    except (ValueError, IndexError):
        ends = []
    advice = "export it from Audacity again, or move it away"
    check_that(ends, track, "lines of start, end and label, with tabs between them", "others", advice)
    return max(ends)


def _folder_within(clip: Clip, layout: FileLayout, prefix: str) -> str:
    """Return the folders between a class folder and a recording in it."""
    if not isinstance(layout, FolderLayout):
        return ""
    return "/".join(clip.path.removeprefix(prefix).split("/")[layout.depth + 1 : -1])
