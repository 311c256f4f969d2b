"""The engine hibari of `hibari-tts`: a small network that speaks English, ten milliseconds a word."""

import functools
from typing import Any

import numpy as np

from audionet.datasets.synthesis.voices.engine import Engine, find_package, package_version
from audionet.datasets.synthesis.voices.scripts import LATIN, scripts_of


class Hibari(Engine):
    """The engine hibari.

    Its voices are "heart", which comes with it, and those that were downloaded with it before. The network says how the
    fundamental frequency goes; the pitch scales that, and the formants stay.

    Raises:
        MissingEngine: The package hibari is missing.
    """

    name, install = "hibari", 'install it with `pip install "audionet[synth]"`'
    weight = 2.0
    pitches = (0.65, 1.3)

    def __init__(self) -> None:
        self.sample_rate: int = find_package(type(self), "hibari").SAMPLE_RATE
        known = find_package(type(self), "hibari.voices")
        self.catalog = {
            name: (about["language"].casefold(),) for name, about in known.VOICES.items() if _is_here(known, name)
        }

    def knows(self, text: str, language: str) -> bool:
        """Tell whether a text can be spoken: it has letters or digits, and Latin ones only."""
        return super().knows(text, language) and scripts_of(text) <= LATIN

    def version(self) -> str:
        """Return the version of hibari-tts."""
        return package_version("hibari-tts")

    def _speak(self, text: str, voice: str, rate: float, pitch: float) -> np.ndarray:
        speaker, dsp = _load(voice), find_package(type(self), "hibari.dsp")
        generator = np.random.default_rng(0)  # of the breath
        pieces = [np.zeros(1, np.float32)]
        for phonemes in speaker.phonemize(text):
            inputs = {"ids": np.array([speaker.ids(phonemes)], np.int64), "speed": np.array([rate], np.float32)}
            *spectra, f0 = (output[0] for output in speaker.sess.run(None, inputs))
            pieces.append(dsp.synth(*spectra, f0 * np.float32(pitch), generator))
        return np.concatenate(pieces)


@functools.cache
def _load(voice: str) -> Any:
    return find_package(Hibari, "hibari").Hibari(voice=voice, threads=1)


def _is_here(known: Any, name: str) -> bool:
    try:
        known.voice_path(name, download_missing=False)
    except FileNotFoundError:
        return False
    return True
