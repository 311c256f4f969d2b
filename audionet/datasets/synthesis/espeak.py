"""The speech synthesiser espeak-ng, through ctypes.

espeak-ng and its data come inside the `espeakng-loader` wheel. The library keeps its state (flutter, echo, noise) from
one utterance to the next, so the same words would sound a little different after other words. Loading it takes a fifth
of a millisecond, so it is loaded afresh for every utterance: the arguments alone decide every sample.
"""

import _ctypes
import contextlib
import ctypes
import functools
import hashlib
import importlib
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np

from audionet.checks import check_at_least, check_one_of, check_that
from audionet.resources import cache_dir

SAMPLE_RATE = 22_050  # of espeak-ng, in hertz

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
_lock = threading.Lock()  # the library's state is global


def voices(language: str = "") -> list[str]:
    """List espeak-ng's voices, by the code of their language and accent.

    Args:
        language: Code of a language, such as "en", for its accents only; empty for all languages.

    Returns:
        Codes such as "en-us", sorted.

    Raises:
        ValueError: No voice speaks the language.
    """
    known = sorted(_identifiers())
    # Text in Latin letters sounds the same in en-shaw (Shavian letters) as in en-gb.
    accents = [code for code in known if f"{code}-".startswith(f"{language}-") and code != "en-shaw"]
    check_that(accents or not language, "language", f"one of {', '.join(known)}", language)
    return accents if language else known


@functools.cache
def variants() -> tuple[str, ...]:
    """List the timbres that any voice can have, sorted: "" for the voice's own, and names such as "f3"."""
    return ("", *sorted(os.listdir(os.path.join(_loader().get_data_path(), "voices", "!v"))))


def speak(
    text: str,
    *,
    voice: str = "en-us",
    variant: str = "",
    rate: int = 175,
    pitch: int = 50,
    pitch_range: int = 50,
) -> tuple[np.ndarray, int]:
    """Speak a text with espeak-ng.

    The same arguments give the same samples, whatever was spoken before. Exceptions are the variants Reed and caleb,
    which use random numbers, and systems whose C library never unloads a library (musl). The near-silence before and
    after the words is cut off, and the waveform is scaled to a peak of 0.7.

    Args:
        text: Words in the language of the voice.
        voice: Language and accent, one of `voices()`.
        variant: Timbre, one of `variants()`.
        rate: Words a minute, 80 to 450.
        pitch: Height of the voice, 0 to 99.
        pitch_range: Range of the intonation, from 0 (monotonous) to 99.

    Returns:
        The waveform (time,), float32 in [-1, 1], and its sample rate, 22,050 Hz.

    Raises:
        ValueError: The voice or variant is unknown, a value is out of its range, the text has nothing to speak, or the
            wheel is missing.

    Example:
        >>> waveform, sample_rate = speak("seven", voice="en-gb", variant="f3")
        >>> waveform.dtype, sample_rate, 0.2 < len(waveform) / sample_rate < 1.5
        (dtype('float32'), 22050, True)
    """
    identifiers = _identifiers()
    check_one_of(sorted(identifiers), "voice", voice)
    check_that(variant in variants(), "variant", f"'' or one of{', '.join(variants())[1:]}", variant)
    check_at_least(80, 450, whole=True, rate=rate)
    check_at_least(0, 99, whole=True, pitch=pitch, pitch_range=pitch_range)
    pieces: list[bytes] = []

    def collect(samples: int | None, count: int, _: int | None) -> int:
        if samples and count > 0:
            pieces.append(ctypes.string_at(samples, 2 * count))
        return 0

    with _library() as library:
        callback = _Callback(collect)  # the name keeps it alive while the library calls it
        library.espeak_SetSynthCallback(callback)
        library.espeak_ng_SetRandSeed(ctypes.c_long(1))
        name = identifiers[voice] + (f"+{variant}" if variant else "")
        if library.espeak_SetVoiceByName(name.encode()) != 0:
            raise ValueError(f"voice: expected espeak-ng to load {name}, got an error; install espeakng-loader anew")
        # Parameter 2 is the volume in percent: at 100 some variants clip.
        for number, value in {1: rate, 2: 60, 3: pitch, 4: pitch_range}.items():
            library.espeak_SetParameter(number, int(value), 0)
        encoded = text.encode()
        library.espeak_Synth(encoded, ctypes.c_size_t(len(encoded) + 1), 0, 0, 0, 1, None, None)  # 1: UTF-8
    waveform = np.frombuffer(b"".join(pieces), np.int16).astype(np.float32)
    peak = float(np.abs(waveform).max(initial=0))
    if peak < 100:
        raise ValueError(f"text: expected words in the language of {voice}, got nothing to speak in {text!r}")
    loud = np.flatnonzero(np.abs(waveform) > 0.003 * peak)  # -50 dB
    margin = SAMPLE_RATE // 100
    return waveform[max(loud[0] - margin, 0) : loud[-1] + margin] * np.float32(0.7 / peak), SAMPLE_RATE


def espeak_version() -> str:
    """Return espeak-ng's version.

    Raises:
        ValueError: The wheel is missing.
    """
    with _library() as library:
        library.espeak_Info.restype = ctypes.c_char_p
        version: bytes = library.espeak_Info(None)
    return version.decode()


def link_data(data: Path, cache: Path) -> Path:
    """Make a copy of espeak-ng's data folder, of links, in which the files of voices have names in lower case.

    espeak-ng looks for the file of a voice by its name in lower case. Where it finds none it reads the files of all its
    voices, which takes longer than to speak a word.

    Args:
        data: The data folder.
        cache: Folder for the copy, which is reused as long as the data are the same.

    Returns:
        The copy; `data` itself where links cannot be made, which is slower and sounds the same.
    """
    key = hashlib.sha256(f"{data} {data.stat().st_mtime_ns}".encode()).hexdigest()[:16]
    links = cache / f"espeak-ng-{key}"
    with contextlib.suppress(OSError):  # also where another process is first
        if not links.is_dir():
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=cache, prefix=f".{links.name}") as made:
                for file in filter(Path.is_file, data.rglob("*")):
                    name = file.relative_to(data).as_posix()
                    link = Path(made, "data", name.lower() if name.startswith("lang/") else name)
                    link.parent.mkdir(parents=True, exist_ok=True)
                    link.symlink_to(file)
                Path(made, "data").rename(links)
    return links if links.is_dir() else data


class _Voice(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_char_p),  # a byte of priority before the code
        ("identifier", ctypes.c_char_p),
    )


def _loader() -> ModuleType:
    try:
        return importlib.import_module("espeakng_loader")
    except ImportError:
        raise ValueError(
            'espeakng-loader: expected for synthetic words, got none; install it with `pip install "audionet[synth]"`'
        ) from None


@functools.cache
def _data() -> Path:
    return link_data(Path(_loader().get_data_path()), cache_dir())


@contextlib.contextmanager
def _library() -> Iterator[ctypes.CDLL]:
    """Load espeak-ng and unload it afterwards."""
    data = _data()
    with _lock:
        library = ctypes.CDLL(_loader().get_library_path())
        try:
            # 2: samples to the callback, in this thread; 0x8000: return on failure instead of ending the process.
            if library.espeak_Initialize(2, 0, str(data).encode(), 0x8000) != SAMPLE_RATE:
                raise ValueError(f"espeak-ng: expected its data in {data}, got an error; install espeakng-loader anew")
            yield library
        finally:
            library.espeak_Terminate()
            _ctypes.dlclose(library._handle)


@functools.cache
def _identifiers() -> dict[str, str]:
    """Map the code of every language and accent to espeak-ng's identifier of its voice."""
    with _library() as library:
        library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
        listed = library.espeak_ListVoices(None)
        found: dict[str, str] = {}
        number = 0
        while listed[number]:
            voice = listed[number].contents
            found.setdefault(voice.languages[1:].decode(), voice.identifier.decode())
            number += 1
    return found
