"""One labelled recording of a corpus."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clip:
    """One labelled recording.

    Attributes:
        path: Path of the file relative to the corpus root, with forward slashes; for a clip without a file (a
            synthetic word, a silence to be drawn) its name.
        label: Class of the clip.
        speaker: Who speaks; empty where the corpus does not say.
        split: "train", "validation" or "test".
    """

    path: str
    label: str
    speaker: str
    split: str
