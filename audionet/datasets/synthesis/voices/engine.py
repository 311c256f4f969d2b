"""The contract of a speech synthesiser: what it is called, which languages and voices it has, and how it speaks."""

import os
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import ClassVar

import numpy as np

from audionet.audio import AudioError, resample
from audionet.checks import check_at_least, check_that, listed, nearest
from audionet.datasets.synthesis.voices.scripts import scripts_for, scripts_of

PEAK = 0.7
MARGIN_SECONDS = 0.01  # kept before and after what is heard


class MissingEngine(ValueError):
    """An engine that is not installed here. The message says how to install it."""


class SpeechError(AudioError):
    """An utterance that an engine failed to speak, although it should be able to."""


class Engine:
    """A speech synthesiser.

    A subclass says what it is in the class attributes, fills `catalog`, and implements `_speak` and `version`. Its
    constructor takes no arguments and raises `MissingEngine` where something is not installed. `ENGINES` knows it by
    its name, once it is added there or offered as an entry point of the group `audionet.voices`.

    Attributes:
        name: Short name, as in `ENGINES`.
        install: How to install what it needs.
        weight: Share of the utterances that it speaks, beside those of the other engines.
        rates: Lowest and highest factor of the rate at which it still sounds like a person.
        pitches: The same of the pitch.
        silence: Amplitude, as a fraction of the peak, below which the beginning and end of an utterance are cut off.
        sample_rate: Samples a second of what it speaks.
        catalog: The codes of the languages of each voice, as {"heart": ("en-us",)}.
        lacking: What has to be installed for it to speak more languages, by their codes.

    Example:
        >>> class Beep(Engine):
        ...     name, install, sample_rate = "beep", "nothing to install", 8000
        ...     catalog = {"low": ("en",), "high": ("en",)}
        ...
        ...     def _speak(self, text, voice, rate, pitch):
        ...         return np.sin(np.arange(4000 / rate) * pitch * (0.2 if voice == "low" else 0.4))
        ...
        ...     def version(self):
        ...         return "1"
        >>> len(Beep().speak("stop", voice="low", rate=2.0))
        2000
    """

    name: ClassVar[str]
    install: ClassVar[str]
    weight: ClassVar[float] = 1.0
    rates: ClassVar[tuple[float, float]] = (0.75, 1.3)
    pitches: ClassVar[tuple[float, float]] = (0.8, 1.25)
    silence: ClassVar[float] = 0.003  # -50 dB
    sample_rate: int
    catalog: Mapping[str, Sequence[str]]
    lacking: Mapping[str, str] = {}

    def languages(self) -> list[str]:
        """List the codes of the languages and accents, such as "en-us", sorted."""
        return sorted({code for codes in self.catalog.values() for code in codes})

    def language_names(self) -> dict[str, str]:
        """Return the names of some languages by their codes, for messages."""
        return {}

    def voices(self, language: str = "") -> list[str]:
        """List the voices that speak a language, in any of its accents; without a language, all of them."""
        return [voice for voice, codes in self.catalog.items() if any(is_accent(code, language) for code in codes)]

    def groups(self, language: str = "") -> list[list[str]]:
        """List the voices that speak a language; those that sound alike, and must share a split, stand together."""
        return [[voice] for voice in self.voices(language)]

    def knows(self, text: str, language: str) -> bool:
        """Tell whether a text can be spoken: it has letters or digits, and those of the language, as far as is known.

        Args:
            text: The text.
            language: Code of the language.
        """
        return any(map(str.isalnum, text)) and scripts_of(text) <= scripts_for(language)

    def speak(self, text: str, *, voice: str, rate: float = 1.0, pitch: float = 1.0) -> np.ndarray:
        """Speak a text; the same arguments give the same samples.

        The near-silence before and after the words is cut off, and the waveform is scaled to a peak of 0.7.

        Args:
            text: Words in the language of the voice.
            voice: One of `voices`.
            rate: Factor of the voice's own rate, 0.5 to 2.
            pitch: Factor of the voice's own pitch, 0.5 to 2.

        Returns:
            The waveform (time,), float32 in [-1, 1].

        Raises:
            ValueError: The voice is unknown or a factor is out of its range.
            SpeechError: The engine failed, or the text has nothing to speak.
        """
        self._check_voice(voice)
        check_at_least(0.5, 2, rate=rate, pitch=pitch)
        waveform = np.zeros(0, np.float32)
        if any(map(str.isalnum, text)):  # some engines make a noise of nothing
            waveform = self._spoken(text, voice, rate, pitch)
        peak = float(np.abs(waveform).max(initial=0))
        if not np.isfinite(waveform).all() or peak < 0.003:
            raise SpeechError(f"text: expected words that {self.name} can speak with {voice}, got {text!r}")
        loud = np.flatnonzero(np.abs(waveform) > self.silence * peak)
        margin = round(MARGIN_SECONDS * self.sample_rate)
        heard: np.ndarray = waveform[max(loud[0] - margin, 0) : loud[-1] + margin] * np.float32(PEAK / peak)
        return heard

    def _spoken(self, text: str, voice: str, rate: float, pitch: float) -> np.ndarray:
        """Return what `_speak` does, float32; if it raises or is no waveform, the engine failed, and no other does."""
        try:
            waveform = np.asarray(self._speak(text, voice, rate, pitch), np.float32)
            check_that(waveform.ndim == 1, "waveform", "(time,)", waveform.shape)
            check_at_least(1000, 768_000, whole=True, sample_rate=self.sample_rate)
            return waveform
        except AudioError:
            raise
        except Exception as error:
            what = str(error) if isinstance(error, MissingEngine) else repr(error)
            raise SpeechError(f"{self.name} failed to speak {text!r} with {voice}: {what}") from error

    @abstractmethod
    def version(self) -> str:
        """Return a text that changes when the engine may sound different."""
        raise NotImplementedError

    @abstractmethod
    def _speak(self, text: str, voice: str, rate: float, pitch: float) -> np.ndarray:
        """Return the waveform, (time,) in [-1, 1], as the engine speaks it."""
        raise NotImplementedError

    def _check_voice(self, voice: str) -> None:
        advice = nearest(voice, self.catalog)
        check_that(voice in self.catalog, "voice", f"one of {listed(self.catalog, 20)}", voice, advice)


def is_accent(code: str, language: str) -> bool:
    """Tell whether a code is that of a language or of one of its accents; all are of the language "".

    Example:
        >>> is_accent("en-us", "en"), is_accent("en-us", "en-gb"), is_accent("eno", "en")
        (True, False, False)
    """
    return not language or f"{code}-".casefold().startswith(f"{language}-".casefold())


def shift_pitch(waveform: np.ndarray, factor: float, sample_rate: int) -> np.ndarray:
    """Raise the pitch by a factor as a faster tape does: formants rise, too, and the waveform gets shorter.

    Spoken slower by the same factor before, it keeps its length, and sounds like someone with a shorter vocal tract.

    Args:
        waveform: (time,) float32.
        factor: Factor of all frequencies.
        sample_rate: Sample rate in hertz.
    """
    return resample(waveform, round(sample_rate * factor), sample_rate)


def find_package(engine: type[Engine], module: str) -> ModuleType:
    """Import the package of an engine.

    Raises:
        MissingEngine: It is not installed, or is broken.
    """
    # onnxruntime, which several packages import, would write a device id for its telemetry into the user's cache.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        return import_module(module)
    except Exception as error:  # a broken installation may raise anything
        what = "got none" if isinstance(error, ModuleNotFoundError) else f"got a broken one ({error})"
        raise MissingEngine(f"{engine.name}: expected the package {module}, {what}; {engine.install}") from None


def package_version(distribution: str) -> str:
    """Return the version of an installed distribution, such as "py-nanotts"; "unknown" where it has none."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"
