"""The library espeak-ng, through ctypes.

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
from typing import NamedTuple

from audionet.checks import check_that, nearest
from audionet.datasets.synthesis.voices.engine import MissingEngine, is_accent
from audionet.resources import cache_dir

SAMPLE_RATE = 22_050  # of espeak-ng, in hertz
INSTALL = 'install it with `pip install "audionet[synth]"`'

_lock = threading.Lock()  # the library's state is global


class Accent(NamedTuple):
    """A language or accent of espeak-ng.

    Attributes:
        identifier: What espeak-ng calls its voice, such as "gmw/en-US".
        name: Its name, such as "English (America)".
    """

    identifier: str
    name: str


@functools.cache
def accents() -> dict[str, Accent]:
    """Return espeak-ng's languages and accents by code, such as "en-us".

    Raises:
        MissingEngine: The wheel is missing.
    """
    with library() as loaded:
        loaded.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
        listed = loaded.espeak_ListVoices(None)
        found: dict[str, Accent] = {}
        number = 0
        while listed[number]:
            voice = listed[number].contents
            accent = Accent(voice.identifier.decode(), voice.name.decode())
            found.setdefault(voice.languages[1:].decode(), accent)
            number += 1
    # Text in Latin letters sounds the same in en-shaw (Shavian letters) as in en-gb.
    return {code: found[code] for code in sorted(found) if code != "en-shaw"}


def codes(language: str = "") -> list[str]:
    """List the codes of espeak-ng's languages and accents, sorted.

    Args:
        language: Code of a language, such as "en", for its accents only; empty for all languages.

    Raises:
        ValueError: espeak-ng does not speak the language.
        MissingEngine: The wheel is missing.
    """
    known = accents()
    found = [code for code in known if is_accent(code, language)]
    check_that(found, "language", f"one of {', '.join(known)}", language, nearest(language, known))
    return found


@functools.cache
def variants() -> tuple[str, ...]:
    """List the timbres that any voice can have, sorted: "" for the voice's own, and names such as "f3"."""
    return ("", *sorted(os.listdir(os.path.join(_loader().get_data_path(), "voices", "!v"))))


@contextlib.contextmanager
def library() -> Iterator[ctypes.CDLL]:
    """Load espeak-ng and unload it afterwards."""
    data = data_folder()
    with _lock:
        loaded = ctypes.CDLL(_loader().get_library_path())
        try:
            # 2: samples to the callback, in this thread; 0x8000: return on failure instead of ending the process.
            if loaded.espeak_Initialize(2, 0, str(data).encode(), 0x8000) != SAMPLE_RATE:
                raise MissingEngine(f"espeak: expected its data in {data}, got an error; install espeakng-loader anew")
            yield loaded
        finally:
            loaded.espeak_Terminate()
            _ctypes.dlclose(loaded._handle)


def espeak_version() -> str:
    """Return espeak-ng's version.

    Raises:
        MissingEngine: The wheel is missing.
    """
    with library() as loaded:
        loaded.espeak_Info.restype = ctypes.c_char_p
        version: bytes = loaded.espeak_Info(None)
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
        raise MissingEngine(f"espeak: expected the package espeakng-loader, got none; {INSTALL}") from None


@functools.cache
def data_folder() -> Path:
    """Return the folder of espeak-ng's data, with links so that voices are found at once.

    Raises:
        MissingEngine: The wheel is missing.
    """
    return link_data(Path(_loader().get_data_path()), cache_dir())
