"""One clip of a corpus, and the splits it may be in."""

from collections.abc import Mapping, Sequence
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
        root: The corpus root.
        folder: Folder that the layout searched.
        prefix: What precedes the path below that folder in the clips' paths.
        empty: Class folders without a clip, with what they hold, as {class: text}.
        left_out: Why files below that folder are no clips, as {path: reason}.
    """

    clips: list[Clip]
    fields: Sequence[Mapping[str, str]] = ()
    root: Path = Path()
    folder: Path = Path()
    prefix: str = ""
    empty: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
