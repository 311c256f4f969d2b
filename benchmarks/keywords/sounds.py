"""The recordings that all systems hear, as files: as they are, and with background noise 10 dB below the speech."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from audionet.audio import read_mono, save_audio
from audionet.audio.fitting import speech_span
from audionet.console import progress
from audionet.files import whole_file
from audionet.randomness import random_generator
from benchmarks.detection import an4
from benchmarks.keywords.talk import speak
from benchmarks.people.recordings import find

RATE = 16_000
WORDS = ("alexa", "computer", "jarvis")
CONDITIONS: dict[str, float | None] = {"as recorded": None, "10 dB": 10.0}
"""How far the noise lies below the speech, in dB; None for no noise."""
AROUND = 1.0
"""Seconds before and after a keyword, of silence or of the noise, which are not counted among the hours."""

_LEAST = 0.5  # seconds of a stretch of noise, at least
_PEAK = 0.99


@dataclass(frozen=True)
class Sound:
    """A recording, as it lies in a folder of one condition.

    Attributes:
        path: The file.
        set: A keyword, or what else is heard in it: "requests", "an4", "talk".
        keyword: The word that is said; empty for none.
        end: Where the word ends, in seconds of the file; None for none.
        seconds: Its length without what lies around it.
    """

    path: Path
    set: str
    keyword: str
    end: float | None
    seconds: float


def prepare(condition: str, data: Path, output: Path, talk_hours: float) -> list[Sound]:
    """Return the recordings of a condition, which are written first where they are missing.

    Args:
        condition: Key of `CONDITIONS`.
        data: Folder of the real recordings.
        output: Folder of what the benchmark keeps.
        talk_hours: Hours of synthesised talk in other languages.
    """
    folder = output / "sounds" / condition.replace(" ", "_")
    index = folder / f"index_{talk_hours:g}.json"
    if not index.exists():
        written = [asdict(sound) | {"path": sound.path.name} for sound in _write(condition, data, output, talk_hours)]
        with whole_file(index) as stream:
            stream.write(json.dumps(written).encode())
    rows = json.loads(index.read_text())
    return [Sound(**row | {"path": folder / row["set"] / row["path"]}) for row in rows]


def sources(data: Path, output: Path, talk_hours: float) -> dict[str, list[Path]]:
    """Return the files of each set: keywords, and speech that holds none of them."""
    words = find("wake words", data)
    found = {word: sorted(words.take(words.labels == word).paths) for word in WORDS}
    left, _ = an4(data, WORDS)
    talk = speak(output / "talk", talk_hours)
    return found | {"requests": sorted(find("requests", data).paths), "an4": sorted(left), "talk": talk}


def with_noise(waveform: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """Add noise of the same length, so that the span with the speech is so many dB louder; both (time,) float."""
    first, last = speech_span(waveform, RATE)
    speech, behind = np.mean(waveform[first:last] ** 2), max(float(np.mean(noise**2)), 1e-12)
    mixed: np.ndarray = waveform + noise * np.sqrt(speech / behind / 10 ** (snr_db / 10))
    return mixed * min(1.0, _PEAK / float(np.abs(mixed).max()))


def _write(condition: str, data: Path, output: Path, talk_hours: float) -> Iterator[Sound]:
    """Write the recordings of a condition, each with a stretch of noise of its own."""
    snr_db, folder = CONDITIONS[condition], output / "sounds" / condition.replace(" ", "_")
    backgrounds = find("background", data).waveforms(RATE)
    sets = sources(data, output, talk_hours)
    with progress(condition, sum(map(len, sets.values()))) as advance:
        for name, files in sets.items():
            (folder / name).mkdir(parents=True, exist_ok=True)
            for path in files:
                waveform, n_around = read_mono(path, RATE), round(AROUND * RATE) if name in WORDS else 0
                end = speech_span(waveform, RATE)[1] if name in WORDS else None
                seconds = len(waveform) / RATE
                waveform = np.pad(waveform, n_around)
                if snr_db is not None:
                    noise = _stretch(backgrounds, len(waveform), f"{name}/{path.stem}")
                    waveform = with_noise(waveform, noise, snr_db)
                target = folder / name / f"{path.stem}.flac"
                save_audio(target, waveform.astype(np.float32), RATE)
                yield Sound(
                    target,
                    name,
                    name if name in WORDS else "",
                    None if end is None else (n_around + end) / RATE,
                    seconds,
                )
                advance(1)


def _stretch(backgrounds: Sequence[np.ndarray], length: int, name: str) -> np.ndarray:
    """Return a stretch of one of the recordings of noise, by the name of what it lies behind, (time,)."""
    draw = random_generator(0, f"background of {name}")
    noise = backgrounds[int(draw.integers(len(backgrounds)))]
    start = draw.integers(len(noise) - round(_LEAST * RATE))
    return np.resize(np.roll(noise, -start), length)
