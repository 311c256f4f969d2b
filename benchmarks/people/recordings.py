"""The real recordings in ../shared/data: which there are, what is said in them, and by whom."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from audionet import audio
from audionet.labels import SILENCE

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True, eq=False)
class Recordings:
    """Recordings of people.

    Attributes:
        paths: The files.
        labels: What is said in each, (recording,) text.
        speakers: Who says it, (recording,) text; empty where that is not known, or nobody speaks.
    """

    paths: np.ndarray
    labels: np.ndarray
    speakers: np.ndarray

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, rows: np.ndarray) -> "Recordings":
        """Return some of them, by positions or by (recording,) bool."""
        return Recordings(self.paths[rows], self.labels[rows], self.speakers[rows])

    def waveforms(self, sample_rate: int) -> list[np.ndarray]:
        """Read them, (time,) float32 each."""
        return [audio.read_mono(path, sample_rate) for path in self.paths]

    def clips(self, sample_rate: int, length: int) -> np.ndarray:
        """Read them as a network hears them, (recording, length) float32: centred, or cut to the most speech."""
        return np.stack([audio.fit(waveform, length, sample_rate) for waveform in self.waveforms(sample_rate)])


def _of(paths: list[Path], said: Callable[[Path], tuple[str, str]]) -> Recordings:
    pairs = [said(path) for path in paths]
    labels, speakers = (np.array([pair[column] for pair in pairs]) for column in (0, 1))
    return Recordings(np.array(paths, dtype=object), labels, speakers)


def _command(path: Path) -> tuple[str, str]:
    match = re.search(r"([0-9a-f]+)_nohash", path.name)
    return path.parent.name, match[1] if match and path.parent.name != SILENCE else ""


def _digit(path: Path) -> tuple[str, str]:
    digit, speaker, _ = path.stem.split("_")
    return DIGITS[int(digit)], speaker


def _arabic(path: Path) -> tuple[str, str]:
    return path.parent.name, path.name.partition("_nohash")[0]


def _silent_speaker(path: Path, label: str | None = None) -> tuple[str, str]:
    return path.parent.name if label is None else label, ""


_KINDS: dict[str, tuple[str, Callable[[Path], tuple[str, str]]]] = {
    "commands": ("speech_commands_test_half/*/*.flac", _command),
    "fsdd": ("fsdd/recordings/*.wav", _digit),
    "arabic": ("digits_arabic/*/*.flac", _arabic),
    "wake words": ("wake_words/*/*.flac", _silent_speaker),
    "requests": ("spoken_requests/*.flac", partial(_silent_speaker, label="a request")),
    "background": ("background_noise/*.wav", partial(_silent_speaker, label="noise")),
    "notes": ("notes/*/*.mp3", partial(_silent_speaker, label="a note")),
}


def find(name: str, root: Path) -> Recordings:
    """Return the recordings of one kind below the folder of all.

    Args:
        name: "commands", "fsdd", "arabic", "wake words", "requests", "background" or "notes".
        root: The folder of all.

    Raises:
        ValueError: There are none.
    """
    pattern, said = _KINDS[name]
    paths = sorted(root.glob(pattern))
    if not paths:
        raise ValueError(f"data: expected recordings {root / pattern}, got none; name the folder that holds them")
    return _of(paths, said)
