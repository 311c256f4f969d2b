"""What is made of a word so that it is none any more, and the sounds without words: the waveforms of negatives."""

import functools
import zlib
from collections.abc import Callable, Sequence

import numpy as np

from audionet.checks import check_one_of
from audionet.datasets.synthesis.noise import make_floor, make_mumble, make_notes

_FRAME_SECONDS = 0.01
_FADE_SECONDS = 0.005
_SECONDS = 1.5  # of sounds without words and of running speech, and of a crowd at least


def render(path: str, base: Callable[[str], np.ndarray], *, sample_rate: int) -> np.ndarray:
    """Return the waveform of a negative, (time,) float32; the path alone decides it.

    Args:
        path: Kind and number, such as "mumble/7", or kind and path of the clip that is changed, such as
            "backwards/stop/1.wav".
        base: Returns the waveform of the clip that is changed, by its path.
        sample_rate: Sample rate in hertz.

    Raises:
        ValueError: There is no such kind.

    Example:
        >>> render("second_half/stop/1.wav", lambda path: np.ones(8000, np.float32), sample_rate=8000).shape
        (4800,)
    """
    kind, _, rest = path.partition("/")
    check_one_of([*SOUNDS, *CHANGES], "path", kind)
    seed = zlib.crc32(path.encode(errors="surrogateescape"))
    if kind in SOUNDS:
        return SOUNDS[kind](sample_rate, _SECONDS, seed)
    waveform = base(rest)
    waveform = waveform[_sounding(waveform, sample_rate)] if len(waveform) else np.zeros(1)
    changed = CHANGES[kind](waveform, sample_rate, np.random.default_rng(seed))
    return changed.astype(np.float32)


def digital_silence(sample_rate: int, seconds: float, seed: int = 0) -> np.ndarray:
    """Return zeros, (time,) float32, as from a muted microphone or a noise gate; nothing is random."""
    return np.zeros(round(seconds * sample_rate), np.float32)


def _sounding(waveform: np.ndarray, sample_rate: int) -> slice:
    """Return where a waveform sounds: from the first to the last frame within 30 dB of the loudest."""
    length = round(_FRAME_SECONDS * sample_rate)
    levels = _levels(waveform, length)
    loud = np.flatnonzero(levels >= levels.max(initial=0) * 10 ** (-30 / 20))
    return slice(loud[0] * length, (loud[-1] + 1) * length)


def _levels(waveform: np.ndarray, length: int) -> np.ndarray:
    """Return the root mean square of each frame of some samples, the last one padded with zeros, (frame,)."""
    frames = np.pad(waveform, (0, -len(waveform) % length)).reshape(-1, length)
    levels: np.ndarray = np.sqrt(np.square(frames, dtype=np.float64).mean(1))
    return levels


def _halves(waveform: np.ndarray, sample_rate: int, _: np.random.Generator, *, order: Sequence[int]) -> np.ndarray:
    """Return one half of a waveform, or both in another order; it is cut where it is quietest near the middle."""
    length, start = round(_FRAME_SECONDS * sample_rate), len(waveform) * 2 // 5
    levels = _levels(waveform[start : len(waveform) * 3 // 5], length)
    middle = start + length * int(levels.argmin()) if len(levels) else len(waveform) // 2
    halves = waveform[:middle], waveform[middle:]
    return _joined([halves[number] for number in order], sample_rate)


def _joined(pieces: Sequence[np.ndarray], sample_rate: int) -> np.ndarray:
    """Join pieces of a waveform, each faded in and out."""
    fade = _FADE_SECONDS * sample_rate
    inside = (np.minimum(np.arange(len(piece)), np.arange(len(piece))[::-1]) for piece in pieces)
    return np.concatenate([piece * np.minimum(of / fade, 1) for piece, of in zip(pieces, inside, strict=True)])


def _backwards(waveform: np.ndarray, sample_rate: int, _: np.random.Generator) -> np.ndarray:
    return waveform[::-1]


def _shuffled(waveform: np.ndarray, sample_rate: int, generator: np.random.Generator) -> np.ndarray:
    """Return pieces of 60 to 120 ms in random order, another one first."""
    count = max(round(len(waveform) / sample_rate / generator.uniform(0.06, 0.12)), 2)
    pieces = np.array_split(waveform, count)
    order = generator.permutation(count)
    order = np.roll(order, 1) if order[0] == 0 else order
    return _joined([pieces[place] for place in order], sample_rate)


def _crowd(waveform: np.ndarray, sample_rate: int, generator: np.random.Generator) -> np.ndarray:
    """Return what sounds like many who talk at once: a waveform at other speeds, also backwards, over itself."""
    total = np.zeros(max(len(waveform), round(_SECONDS * sample_rate)))
    for number in range(8):
        places = np.arange(0, len(waveform), generator.uniform(0.8, 1.25))
        voice = np.interp(places, np.arange(len(waveform)), waveform[:: -1 if number % 2 else 1])
        pause = round(generator.uniform(0, 0.3) * sample_rate)
        repeated = np.resize(np.pad(voice, (0, pause)), len(total))
        total += generator.uniform(0.4, 1) * np.roll(repeated, generator.integers(len(total)))
    total *= 0.7 / max(np.abs(total).max(), 1e-9)
    return total


def _excerpt(waveform: np.ndarray, sample_rate: int, generator: np.random.Generator) -> np.ndarray:
    """Return a piece of running speech, which begins and ends anywhere."""
    length = round(_SECONDS * sample_rate)
    start = int(generator.integers(max(len(waveform) - length, 0) + 1))
    return _joined([waveform[start : start + length]], sample_rate)


PARTS = ("first_half", "second_half", "exchanged")
CHANGES: dict[str, Callable[[np.ndarray, int, np.random.Generator], np.ndarray]] = {
    "first_half": functools.partial(_halves, order=[0]),
    "second_half": functools.partial(_halves, order=[1]),
    "exchanged": functools.partial(_halves, order=[1, 0]),
    "backwards": _backwards,
    "shuffled": _shuffled,
    "crowd": _crowd,
    "excerpt": _excerpt,
}
SOUNDS: dict[str, Callable[[int, float, int], np.ndarray]] = {
    "mumble": make_mumble,
    "notes": make_notes,
    "floor": make_floor,
    "digital": digital_silence,
}
