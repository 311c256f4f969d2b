"""The engine Festival, where the system has its command: the voices that are installed beside it."""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO

import numpy as np

from audionet.audio import read_mono, resample
from audionet.datasets.synthesis.voices.engine import Engine, MissingEngine, SpeechError, shift_pitch
from audionet.datasets.synthesis.voices.helper import SECONDS, Helper

_CODES = {
    **{"english": "en", "british_english": "en-gb", "american_english": "en-us", "scots_gaelic": "gd", "spanish": "es"},
    **{"castilian_spanish": "es", "italian": "it", "finnish": "fi", "czech": "cs", "russian": "ru", "welsh": "cy"},
    **{"hindi": "hi", "telugu": "te", "marathi": "mr", "polish": "pl", "catalan": "ca", "basque": "eu"},
    **{"german": "de", "swedish": "sv", "croatian": "hr", "arabic": "ar"},
}
_ACCENTS = {"american": "-us", "british": "-gb", "scottish": "-gb-scotland"}
_MARK = b"audionet has heard it"
_WORD = b"audionet says "


class Festival(Engine):
    """The engine Festival, which speaks in a process that stays, since it takes a second to start.

    Its voices are those that it lists, such as "kal_diphone". The pitch of diphone voices is set; that of others is
    shifted, and their formants with it.

    Raises:
        MissingEngine: The command, or a voice of a known language, is missing.
    """

    name, install = "festival", "install the system's packages festival and festvox-us-slt-hts"
    silence = 0.01
    sample_rate = 16_000

    def __init__(self) -> None:
        command = shutil.which("festival")
        if command is None:
            raise MissingEngine(f"festival: expected the command festival, got none; {self.install}")
        self._helper = Helper("festival", [command, "--pipe"], answers="stderr")
        self._command = command
        try:
            said = self._ask(
                "(mapcar (lambda (v) (let ((d (cadr (voice.description v))))"
                f' (format stderr "{_WORD.decode()}%s %s %s\\n" v'
                " (cadr (assoc 'language d)) (cadr (assoc 'dialect d))))) (voice.list))"
            )
        except SpeechError as error:
            raise MissingEngine(f"festival: expected its command to run, got: {error}; {self.install} anew") from None
        self.catalog = {}
        for name, language, dialect in (line.split() for line in sorted(said)):
            if language in _CODES:
                self.catalog[name] = (_CODES[language] + (_ACCENTS.get(dialect, "") if language == "english" else ""),)
        if not self.catalog:
            raise MissingEngine(f"festival: expected a voice, got none; {self.install}")

    def knows(self, text: str, language: str) -> bool:
        """Tell whether a text can be spoken: it has letters or digits, in English nothing beyond ASCII."""
        return super().knows(text, language) and (text.isascii() or not language.startswith("en"))

    def version(self) -> str:
        """Return Festival's version."""
        ran = subprocess.run([self._command, "--version"], capture_output=True, text=True, timeout=SECONDS)
        words = ran.stdout.partition("System:")[2].split()
        return words[0] if words else "unknown"

    def _speak(self, text: str, voice: str, rate: float, pitch: float) -> np.ndarray:
        shift = 1.0 if voice.endswith("diphone") else pitch
        slow = rate / shift  # so that it keeps its length once it is shifted up
        with tempfile.TemporaryDirectory(prefix="audionet-festival-") as folder:
            file = Path(folder, "spoken.wav")
            self._ask(
                f"(voice_{voice}) (Parameter.set 'Duration_Stretch {1 / slow:.5f})"
                f" (if (boundp 'hts_engine_params)"
                f' (set! hts_engine_params (cons (list "-r" {slow:.5f}) hts_engine_params)))'
                f" (if (and (boundp 'int_lr_params) (assoc 'target_f0_mean int_lr_params))"
                f" (set! int_lr_params (cons (list 'target_f0_mean (* {pitch / shift:.5f}"
                f" (cadr (assoc 'target_f0_mean int_lr_params)))) int_lr_params)))"
                f" (utt.save.wave (utt.synth (Utterance Text {_quoted(text)})) {_quoted(str(file))} 'riff)"
            )
            if not file.is_file():
                raise SpeechError(f"festival failed to speak {text!r} with {voice}")
            return resample(shift_pitch(read_mono(file, 32_000), shift, 32_000), 32_000, self.sample_rate)

    def _ask(self, command: str) -> list[str]:
        """Let Festival evaluate a command, and return what it says."""

        def read(stream: IO[bytes]) -> bytes:
            said = b""
            while not said.rstrip().endswith(_MARK):
                line = stream.readline()
                if not line:
                    raise EOFError
                said += line
            return said

        request = f'{command} (format stderr "\\n{_MARK.decode()}\\n")\n'
        lines = self._helper.ask(request.encode(), read).splitlines()
        return [line.removeprefix(_WORD).decode(errors="replace") for line in lines if line.startswith(_WORD)]


def _quoted(text: str) -> str:
    """Return a text as a string of Scheme, in one line."""
    plain = " ".join(text.split()).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"'
