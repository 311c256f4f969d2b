"""The engine Flite, where the system has its command: English, four voices, twenty milliseconds a word."""

import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from audionet.audio import read_mono
from audionet.datasets.synthesis.voices.engine import Engine, MissingEngine, SpeechError, shift_pitch
from audionet.datasets.synthesis.voices.helper import SECONDS

# Accents of the voices that Flite comes with; one that is not named here speaks American English.
_ACCENTS = {"awb": "en-gb-scotland", "kal16": "en-us", "rms": "en-us", "slt": "en-us", "kal_diphone": "en-us"}
_UNTUNED = ("rms",)  # whose pitch Flite does not set
_LEFT_OUT = ("kal", "awb_time")  # kal16 at half the sample rate, and a voice that tells the time only


class Flite(Engine):
    """The engine Flite; each utterance is a run of its command.

    Its voices are those that `flite -lv` lists, such as "slt".

    Raises:
        MissingEngine: The command is missing or does not run.
    """

    name, install = "flite", "install the system's package flite"
    weight = 2.0
    pitches = (0.75, 1.35)
    silence = 0.01  # a faint click and noise precede the words
    sample_rate = 16_000

    def __init__(self) -> None:
        listed = _run(["-lv"]).partition(":")[2].split()
        self.catalog = {voice: (_ACCENTS.get(voice, "en-us"),) for voice in sorted({*listed}.difference(_LEFT_OUT))}

    def knows(self, text: str, language: str) -> bool:
        """Tell whether a text can be spoken: it has letters or digits, and nothing beyond ASCII."""
        return super().knows(text, language) and text.isascii()

    def version(self) -> str:
        """Return Flite's version."""
        return _version()

    def _speak(self, text: str, voice: str, rate: float, pitch: float) -> np.ndarray:
        with tempfile.TemporaryDirectory(prefix="audionet-flite-") as folder:
            file = Path(folder, "spoken.wav")
            # Any text is one argument, which follows -t, so that none is an option or a file.
            shift = pitch if voice in _UNTUNED else 1.0  # of what is spoken slower by as much before
            settings = {"duration_stretch": shift / rate, "f0_shift": pitch / shift}
            chosen = [word for name, value in settings.items() for word in ("--setf", f"{name}={value:.5f}")]
            try:
                _run(["-voice", voice, *chosen, "-o", str(file), "-t", text])
                return shift_pitch(read_mono(file, self.sample_rate), shift, self.sample_rate)
            except (MissingEngine, OSError, ValueError) as error:
                raise SpeechError(f"flite failed to speak {text!r} with {voice}: {error}") from None


@functools.cache
def _version() -> str:
    words = _run(["--version"]).split()
    return next((word for word in words if word.startswith("flite-")), "unknown")


def _run(arguments: list[str]) -> str:
    """Run the command and return what it says.

    Raises:
        MissingEngine: It is missing, crashes or hangs.
    """
    command = shutil.which("flite")
    if command is None:
        raise MissingEngine(f"flite: expected the command flite, got none; {Flite.install}")
    try:
        ran = subprocess.run([command, *arguments], capture_output=True, timeout=SECONDS, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError) as error:
        raise MissingEngine(f"flite: expected its command to run, got {error}; {Flite.install} anew") from None
    if ran.returncode < 0:
        raise MissingEngine(f"flite: expected its command to run, got signal {-ran.returncode}; {Flite.install} anew")
    return (ran.stdout + ran.stderr).decode(errors="replace")
