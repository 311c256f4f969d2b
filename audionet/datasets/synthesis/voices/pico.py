"""The engine SVOX Pico of `py-nanotts`: six languages, a voice each, five milliseconds a word."""

import json
import struct
import sys
from pathlib import Path
from typing import IO

import numpy as np

from audionet.datasets.synthesis.voices import pico_process
from audionet.datasets.synthesis.voices.engine import Engine, SpeechError, find_package, package_version
from audionet.datasets.synthesis.voices.helper import Helper
from audionet.datasets.synthesis.voices.scripts import LATIN, scripts_of


class Pico(Engine):
    """The engine SVOX Pico, in a process of its own, which its crashes do not leave.

    Its voices are "en-us", "en-gb", "de-de", "es-es", "fr-fr" and "it-it".

    Raises:
        MissingEngine: The package py-nanotts is missing.
    """

    name, install = "pico", 'install it with `pip install "audionet[synth]"`'
    weight = 2.0
    pitches = (0.65, 1.35)
    sample_rate = 16_000

    def __init__(self) -> None:
        package = find_package(type(self), "py_nanotts")
        self._voices = {voice.value.casefold(): voice.value for voice in package.Voice}
        self.catalog = {voice: (voice,) for voice in self._voices}
        folder = Path(str(package.__file__)).parents[1]
        # -I and -S: the process needs no packages but one, and starts twice as fast without a look at all of them.
        self._helper = Helper("pico", [sys.executable, "-I", "-S", pico_process.__file__, str(folder)])

    def knows(self, text: str, language: str) -> bool:
        """Tell whether a text can be spoken: it has letters or digits, and Latin ones only."""
        return super().knows(text, language) and scripts_of(text) <= LATIN

    def version(self) -> str:
        """Return the version of py-nanotts."""
        return package_version("py-nanotts")

    def _speak(self, text: str, voice: str, rate: float, pitch: float) -> np.ndarray:
        plain = text.translate(dict.fromkeys(map(ord, "<>&"), " "))  # they would begin a command
        request = {"text": plain, "voice": self._voices[voice], "speed": rate, "pitch": pitch}
        answer = self._helper.ask(json.dumps(request).encode() + b"\n", _read)
        if not answer[0]:
            raise SpeechError(f"pico failed to speak {text!r}: {answer[1:].decode(errors='replace')}")
        return np.frombuffer(answer[1:], np.int16) / np.float32(1 << 15)


def _read(stream: IO[bytes]) -> bytes:
    head = stream.read(5)
    if len(head) < 5:
        raise EOFError
    is_good, size = struct.unpack("<BI", head)
    body = stream.read(size)
    if len(body) < size:
        raise EOFError
    return bytes([is_good]) + body
