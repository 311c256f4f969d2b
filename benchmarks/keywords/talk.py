"""Talk in other languages, by an engine that no training has heard: hours of speech without a keyword."""

from pathlib import Path

import numpy as np

from audionet.audio import rate_and_seconds, save_audio
from audionet.datasets.synthesis import Engine, open_engine
from audionet.datasets.word_lists import frequent_words
from audionet.randomness import random_generator

HELD_OUT = "pico"
"""The engine that talks, and speaks in no training of the benchmark."""
LANGUAGES = ("de", "es", "fr", "it")
_N_WORDS = 2000  # the most frequent ones of each language
_SENTENCE = 6, 16  # words
_PAUSE = 0.2, 0.8  # seconds between sentences
_SECONDS = 120.0  # of a file, at least


def speak(folder: Path, hours: float) -> list[Path]:
    """Return files of talk that last so long together; what is there already is not spoken again.

    The sentences are rows of frequent words, at all rates and pitches of the engine, the languages in turn.
    """
    engine = open_engine(HELD_OUT)
    lists = frequent_words(1, _N_WORDS, languages=LANGUAGES)
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    seconds = 0.0
    while seconds < 3600 * hours:
        language = LANGUAGES[len(files) % len(LANGUAGES)]
        path = folder / f"{language}_{len(files):04d}.flac"
        if not path.exists():
            save_audio(path, _talk(engine, language, lists[language], len(files)), engine.sample_rate)
        seconds += rate_and_seconds(path)[1]
        files.append(path)
    return files


def _talk(engine: Engine, language: str, words: list[str], number: int) -> np.ndarray:
    """Return some minutes of talk, (time,) float32."""
    draw = random_generator(0, f"talk in {language}", number)
    voices, parts, length = engine.voices(language), [], 0
    while length < _SECONDS * engine.sample_rate:
        sentence = " ".join(draw.choice(words, draw.integers(*_SENTENCE)))
        factors = {"rate": draw.uniform(*engine.rates), "pitch": draw.uniform(*engine.pitches)}
        spoken = engine.speak(sentence, voice=str(draw.choice(voices)), **factors)
        parts += [spoken, np.zeros(round(draw.uniform(*_PAUSE) * engine.sample_rate), np.float32)]
        length += len(parts[-2]) + len(parts[-1])
    return np.concatenate(parts)
