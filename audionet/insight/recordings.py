"""The recordings of a folder, as a recogniser hears them."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from audionet.audio import AudioError
from audionet.checks import check_at_least, check_that
from audionet.evaluate import recordings_in
from audionet.inference import Recognizer
from audionet.inference.hearing import Part
from audionet.labels import UNKNOWN, spelled
from audionet.randomness import random_generator


class HeardClips(NamedTuple):
    """What a recogniser hears of the recordings of a folder.

    Attributes:
        clips: (clip, time) float32.
        label_indices: (clip,), what was said, as a position in the recogniser's labels.
        paths: Path of each recording below the folder.
        errors: What is wrong with the files that could not be read.
    """

    clips: Tensor
    label_indices: Tensor
    paths: tuple[str, ...]
    errors: tuple[AudioError, ...]


def heard_clips(
    recognizer: Recognizer, folder: str | os.PathLike[str], *, most: int | None = None, seed: int = 0
) -> HeardClips:
    """Read the recordings of a folder that has a folder of them for each label.

    Labels that the recogniser does not know count as its class of unknown words; where it has none, they are left out.

    Args:
        recognizer: The recogniser.
        folder: The folder, read as `audionet.evaluate.evaluate_folder` does.
        most: Recordings that are read, drawn at random where there are more; None for all.
        seed: Number that decides which.

    Raises:
        ValueError: There is no such folder, it holds no recordings of a known label that can be read, or nothing can be
            heard in any of them.

    Example:
        >>> Path("words", "seven").mkdir(parents=True)
        >>> audionet.save_audio("words/seven/1.wav", waveform, sample_rate)
        >>> heard = heard_clips(audionet.load_recognizer("digits"), "words")
        >>> heard.clips.shape, heard.paths
        (torch.Size([1, 16000]), ('seven/1.wav',))
    """
    known = {spelled(label): position for position, label in enumerate(recognizer.labels)}
    otherwise = known.get(spelled(UNKNOWN), -1)
    found = [
        (clip.path, known.get(spelled(clip.label), otherwise)) for clip in recordings_in(folder, recognizer.labels)
    ]
    found = [(path, label) for path, label in found if label >= 0]
    if most is not None and len(found) > most:
        check_at_least(1, whole=True, most=most)
        drawn = random_generator(seed, "clips to look at").choice(len(found), most, replace=False)
        found = [found[row] for row in sorted(drawn.tolist())]
    parts = [
        each
        for batch in recognizer.hearing.batches([Path(folder) / path for path, _ in found], batch_size=32)
        for each in batch
    ]
    heard = [
        (part.clip, label, path) for part, (path, label) in zip(parts, found, strict=True) if isinstance(part, Part)
    ]
    errors = tuple(part for part in parts if isinstance(part, AudioError))
    check_that(heard, folder, "a file that can be read", f"{len(errors)} others", str(errors[0]) if errors else "")
    clips = torch.from_numpy(np.stack([clip for clip, _, _ in heard])).float()
    check_that(bool((clips != 0).any()), folder, "recordings with sound", f"{len(clips)} of silence")
    return HeardClips(clips, torch.tensor([label for _, label, _ in heard]), tuple(path for *_, path in heard), errors)
