"""The engine espeak-ng: over a hundred languages, two milliseconds a word, and 85 timbres for each of its voices."""

import ctypes
import math

import numpy as np

from audionet.checks import check_that, nearest
from audionet.datasets.synthesis.voices import espeak_library
from audionet.datasets.synthesis.voices.engine import Engine, SpeechError, is_accent
from audionet.datasets.synthesis.voices.espeak_library import accents, espeak_version, library, variants

# Variants that sound alike stand on one line and share a split. They are grouped by the distance between their mel
# spectrograms of four words: within a group (average linkage) it is under half of the median between any two variants.
# The first one, "", is the voice's own timbre. Left out are those that speak with random numbers of the C library
# (Reed, caleb), copies of "" (fast, Mr serious), whispers (a manner and not a timbre, which only one split would have)
# and robots (robosoft*, RicishayMax*, UniRobot, anikaRobot, Demonic).
TIMBRES = tuple(
    tuple(group.split(" "))
    for group in (
        " Alex Mike croak grandpa john m1 m3 m6 max",
        "adam benjamin edward edward2 klatt3 klatt4 klatt5 klatt6 mike2",
        "Diogo Henrique Hugo michel miguel",
        "iven iven2 iven3 iven4",
        "Mario Nguyen m7",
        "Michael gustave marcelo",
        "quincy rob robert",
        "steph steph2 steph3",
        "Andy AnxiousAndy",
        "Gene Gene2",
        "aunty linda",
        "f2 f5",
        "klatt klatt2",
        *"Alicia Andrea Annie Denis Jacky Lee Marco Storm Tweaky anika announcer antonio belinda boris".split(),
        *"david ed f1 f3 f4 grandma ian kaukovalta m2 m4 m5 m8 norbert pablo paul pedro sandro shelby".split(),
        *"travis victor zac".split(),
    )
)

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
_WORDS_A_MINUTE = 175


class Espeak(Engine):
    """The engine espeak-ng.

    Its voices are the code of a language or accent, and a timbre after a plus sign unless it is the voice's own:
    "en-us", "en-gb+f3". The same arguments give the same samples, whatever was spoken before. Exceptions are the
    timbres Reed and caleb, which use random numbers, and systems whose C library never unloads a library (musl).

    Example:
        >>> waveform = Espeak().speak("seven", voice="en-gb+f3")
        >>> waveform.dtype, 0.2 < len(waveform) / Espeak.sample_rate < 1.5
        (dtype('float32'), True)
    """

    name, install = "espeak", espeak_library.INSTALL
    weight = 3.0
    rates, pitches = (0.63, 1.32), (0.66, 1.5)
    sample_rate = espeak_library.SAMPLE_RATE

    def __init__(self) -> None:
        self._accents = accents()

    def languages(self) -> list[str]:
        """List the codes of the languages and accents, sorted."""
        return list(self._accents)

    def language_names(self) -> dict[str, str]:
        """Return the names of the languages and accents by their codes."""
        return {code: accent.name for code, accent in self._accents.items()}

    def voices(self, language: str = "") -> list[str]:
        """List the voices that speak a language, in any of its accents: each accent with each timbre."""
        return [voice for group in self.groups(language) for voice in group]

    def groups(self, language: str = "") -> list[list[str]]:
        """List the voices that speak a language; those of similar timbres stand together, with all accents."""
        codes = [code for code in self._accents if is_accent(code, language)]
        if not codes:
            return []
        return [[_voice(code, timbre) for timbre in group for code in codes] for group in TIMBRES]

    def knows(self, text: str, language: str) -> bool:
        """Tell whether a text can be spoken: espeak-ng spells kanji by the name of their script."""
        kanji = is_accent(language, "ja") and any("\u3400" <= letter <= "\u9fff" for letter in text)
        return super().knows(text, language) and not kanji

    def version(self) -> str:
        """Return espeak-ng's version."""
        return espeak_version()

    def _check_voice(self, voice: str) -> None:
        code, _, variant = voice.partition("+")
        fits = code in self._accents and variant in variants() and not voice.endswith("+")
        advice = nearest(voice, [voice for code in self._accents for voice in (code, f"{code}+f3")])
        check_that(fits, "voice", "a language or accent, and a timbre, such as en-us or en-gb+f3", voice, advice)

    def _speak(self, text: str, voice: str, rate: float, pitch: float) -> np.ndarray:
        pieces: list[bytes] = []

        def collect(samples: int | None, count: int, _: int | None) -> int:
            if samples and count > 0:
                pieces.append(ctypes.string_at(samples, 2 * count))
            return 0

        code, plus, variant = voice.partition("+")
        with library() as loaded:
            callback = _Callback(collect)  # the name keeps it alive while the library calls it
            loaded.espeak_SetSynthCallback(callback)
            loaded.espeak_ng_SetRandSeed(ctypes.c_long(1))
            name = self._accents[code].identifier + plus + variant
            if loaded.espeak_SetVoiceByName(name.encode()) != 0:
                raise SpeechError(f"voice: expected espeak-ng to load {name}, got an error; install it anew")
            # Pitch 50 is the voice's own, 100 twice it. The volume is in percent: at 100 some variants clip.
            height = min(max(round(50 + 50 * math.log2(pitch)), 0), 99)
            for parameter, value in {1: round(_WORDS_A_MINUTE * rate), 2: 60, 3: height}.items():
                loaded.espeak_SetParameter(parameter, value, 0)
            encoded = text.encode()
            loaded.espeak_Synth(encoded, ctypes.c_size_t(len(encoded) + 1), 0, 0, 0, 1, None, None)  # 1: UTF-8
        return np.frombuffer(b"".join(pieces), np.int16) / np.float32(1 << 15)


def _voice(code: str, timbre: str) -> str:
    return f"{code}+{timbre}" if timbre else code
