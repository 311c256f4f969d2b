"""The classes of a corpus: those it keeps, unknown words, and silence.

All that concerns the silence class is here. `select` lists its clips, which have no files and are marked by
`Clip.silence`. `silence_samples` says what such a clip contains: in training it is digital silence, which
`audionet.augment.BackgroundNoise` fills with noise anew each time; in validation and test it is an excerpt of the
background noise, always the same one. A network that hears no noise in training would therefore learn another silence
than it is tested on, so whoever trains must ask for the augmentation `noise` where `Card.labels.silence` is set. The
silences of `synthesis.negatives` are excerpts in training, too.
"""

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from audionet.checks import check_at_least, check_no_misfits, check_that, listed
from audionet.datasets.clip import Clip
from audionet.labels import SILENCE, UNKNOWN

# As in TensorFlow's examples/speech_commands/input_data.py. One generator serves all splits, so their order matters.
_SEED = 59185
_SHUFFLE_ORDER = ("validation", "test", "train")


@dataclass(frozen=True)
class PooledClass:
    """A class beside the kept ones, made of other words or of silence.

    Attributes:
        label: Name of the class.
        percentage: Size of the class in each split, in percent of the split's clips of the kept classes.
    """

    label: str
    percentage: float = 10.0

    def __post_init__(self) -> None:
        check_at_least(0, percentage=self.percentage)


@dataclass(frozen=True)
class ClassSelection:
    """The classes that are used, and their order.

    Attributes:
        keep: Classes with a label of their own. The other words go to `unknown`, or are left out. Empty: all classes
            that the corpus has.
        unknown: Class that pools the words that are not kept; None for no such class.
        silence: Class without speech; None for no such class.
    """

    keep: tuple[str, ...] = ()
    unknown: PooledClass | None = None
    silence: PooledClass | None = None

    def __post_init__(self) -> None:
        expected = "the classes to keep, since unknown pools the others"
        check_that(self.keep or not self.unknown, "keep", expected, self.keep)

    def names(self, found: Iterable[str] = ()) -> tuple[str, ...]:
        """Return the labels in the order of a network's outputs.

        Args:
            found: Labels of the corpus's clips, for a selection that keeps all of them.

        Returns:
            The kept classes in their order, then unknown and silence. Where all are kept: the labels found, sorted,
            with `_unknown_` and `_silence_` last.

        Raises:
            ValueError: All classes are kept and none is given.

        Example:
            >>> ClassSelection(keep=("yes", "no"), silence=PooledClass("_silence_")).names()
            ('yes', 'no', '_silence_')
            >>> ClassSelection().names(["no", "_unknown_", "yes"])
            ('no', 'yes', '_unknown_')
        """
        if self.keep:
            return *self.keep, *(pooled.label for pooled in (self.unknown, self.silence) if pooled)
        labels = set(found)
        check_that(labels, "labels", "those of the clips, since the card keeps all classes", found)
        last = (UNKNOWN, SILENCE)
        return *sorted(labels.difference(last)), *(label for label in last if label in labels)


def select(clips: Iterable[Clip], selection: ClassSelection) -> list[Clip]:
    """Keep the wanted classes, pool the other words as unknown, and list silences.

    This is what `prepare_data_index` of TensorFlow's input_data.py does. Each split gets ceil(kept clips * percentage /
    100) silences, and as many unknown words out of its own other words, shuffled with the seed 59185. It gets all of
    them where there are fewer. No clip changes its split. A silence has the path `<label>/<split>/<number>`.

    Args:
        clips: Clips with labels and splits. They are sorted by path before anything is drawn.
        selection: The classes.

    Returns:
        Clips sorted by path.

    Raises:
        ValueError: A class to keep has no clips.

    Example:
        >>> clips = [Clip(f"yes/{number}.wav", "yes", split="train") for number in range(10)]
        >>> select(clips, ClassSelection(keep=("yes",), silence=PooledClass("_silence_")))[0].path
        '_silence_/train/0'
    """
    clips = sorted(clips, key=lambda clip: clip.path)
    present = sorted({clip.label for clip in clips})
    missing = sorted(set(selection.keep).difference(present))
    check_no_misfits(missing, "labels.keep", f"classes that the corpus has ({listed(present, 40)})")
    kept = [clip for clip in clips if not selection.keep or clip.label in selection.keep]
    generator = random.Random(_SEED)
    pooled: list[Clip] = []
    for split in _SHUFFLE_ORDER:
        size = sum(clip.split == split for clip in kept)
        if silence := selection.silence:
            numbers = range(math.ceil(size * silence.percentage / 100))
            names = (f"{silence.label}/{split}/{number}" for number in numbers)
            pooled += [Clip(name, silence.label, split=split, silence=True) for name in names]
        if unknown := selection.unknown:
            others = [clip for clip in clips if clip.split == split and clip.label not in selection.keep]
            generator.shuffle(others)
            count = math.ceil(size * unknown.percentage / 100)
            pooled += [replace(clip, label=unknown.label) for clip in others[:count]]
    return sorted(kept + pooled, key=lambda clip: clip.path)


def silence_samples(clip: Clip, background: np.ndarray, clip_length: int) -> np.ndarray:
    """Return what a silence contains.

    Args:
        clip: The silence.
        background: Noise, (time,) int16; one that is shorter than a clip is repeated.
        clip_length: Number of samples.

    Returns:
        (time,) int16: zeros in training, if `select` listed the clip; otherwise an excerpt of the background times
        U(0, 1). The clip's path alone decides both.
    """
    if is_filled(clip.path):
        return np.zeros(clip_length, np.int16)
    generator = np.random.default_rng(list(clip.path.encode()))
    start = generator.integers(max(len(background) - clip_length, 0) + 1)
    excerpt = np.resize(background[start : start + clip_length], clip_length)
    return np.rint(excerpt * generator.uniform()).astype(np.int16)


def is_filled(path: str) -> bool:
    """Tell by its path whether a clip is a silence to train on that `select` lists, which is nothing without noise."""
    label, _, number = path.partition("/train/")
    return number.isdecimal() and "/" not in label


def check_background(clips: Sequence[Clip], background: np.ndarray) -> None:
    """Check that there is noise for the silence class, if there is one.

    Raises:
        ValueError: The clips hold silences and the background is empty.
    """
    silence = next((clip for clip in clips if clip.silence), None)
    if silence is not None and not len(background):
        raise ValueError(
            f"background: expected recordings of noise for the class {silence.label}, got none; "
            "name a folder of them, or leave the class out"
        )
