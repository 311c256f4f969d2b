"""One clip of a corpus, and the splits it may be in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

Split = Literal["train", "validation", "test"]
SPLITS: tuple[str, ...] = get_args(Split)


@dataclass(frozen=True, slots=True)
class Clip:
    """One labelled clip: a recording, a synthetic word or a silence.

    Attributes:
        path: Path of the file relative to the corpus root, with forward slashes; the name of a clip that has no file.
        label: Class of the clip.
        speaker: Who speaks; empty where the corpus does not say.
        split: "train", "validation" or "test"; empty before a split rule has chosen.
        silence: Whether this is a silence without a file; `audionet.datasets.classes` says what it contains.
    """

    path: str
    label: str
    speaker: str = ""
    split: str = ""
    silence: bool = False


@dataclass(frozen=True)
class Listing:
    """The clips that a layout finds, with what else it knows of them for the split rules.

    Attributes:
        clips: Clips without a split.
        fields: What the file name or the table row of each clip says, as {field: value}.
        folder: Folder that the layout searched.
        prefix: What precedes the path below that folder in the clips' paths.
    """

    clips: list[Clip]
    fields: list[Mapping[str, str]] = field(default_factory=list)
    folder: Path = Path()
    prefix: str = ""
