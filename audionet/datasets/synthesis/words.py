"""Synthetic words: espeak-ng speaks any word with many voices, accents, rates and pitches; nothing to download.

espeak-ng and its data come inside the `espeakng-loader` wheel and are driven through ctypes. The library keeps its
state (flutter, echo, noise) from one utterance to the next, so the same words would sound a little different after
other words. Loading it costs a fifth of a millisecond, so it is loaded afresh for every utterance: what is heard then
depends on nothing but the arguments, bit for bit.
"""

import _ctypes
import ctypes
import functools
import hashlib
import os
import re
import shutil
import sys
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import numpy as np

from audionet.audio import resample
from audionet.datasets.clip import Clip
from audionet.resources import cache_dir

SAMPLE_RATE = 22_050  # Hz, of espeak-ng

COMMANDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
# The other words of Speech Commands v2.
OTHERS = tuple(
    "zero one two three four five six seven eight nine bed bird cat dog happy house marvin sheila tree wow "
    "backward forward follow learn visual".split()
)

# Variants that sound alike stand on one line and share a split. Grouped by the distance between their mel spectrograms
# of four words: within a group (average linkage) under half of the median between any two variants. The first one, "",
# is the voice without a variant. Left out are those that speak with random numbers of the C library (Reed, caleb),
# copies of "" (fast, Mr serious), whispers (a manner, not a timbre, so that only one split would have it) and robots
# (robosoft*, RicishayMax*, UniRobot, anikaRobot, Demonic).
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

_RATE = range(80, 451)  # words a minute
_PITCH = range(0, 100)
_SPLITS = {"validation": 0.1, "test": 0.1}  # the rest is for training
_NAME = re.compile(
    r"(?P<text>.+)/(?P<voice>[^/+]+?)(?:\+(?P<variant>[^/]+?))?"
    r"_rate(?P<rate>\d+)_pitch(?P<pitch>\d+)_range(?P<pitch_range>\d+)\.wav",
    re.DOTALL,
)


def voices(language: str = "") -> list[str]:
    """List espeak-ng's voices, by the code of their language and accent.

    Args:
        language: Code of a language, such as "en": its accents only; "": all languages.

    Returns:
        Codes such as "en-us", sorted.

    Raises:
        ValueError: No voice speaks the language.
    """
    known = sorted(_identifiers())
    # Text in Latin letters sounds the same in en-shaw (Shavian letters) as in en-gb.
    accents = [code for code in known if f"{code}-".startswith(f"{language}-") and code != "en-shaw"]
    if language and not accents:
        raise ValueError(f"language: expected one of {', '.join(known)}; got {language!r}")
    return accents if language else known


@functools.cache
def variants() -> tuple[str, ...]:
    """List the variants that can be put on any voice: "" for none, and names such as "f3"; sorted."""
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

    The same arguments give the same samples, whatever was spoken before (not so with the variants Reed and caleb, and
    on systems that cannot unload a library). The near-silence before and after the words is cut off, and the waveform
    scaled to a peak of 0.7.

    Args:
        text: Words in the language of the voice.
        voice: Language and accent, one of `voices()`.
        variant: Timbre, one of `variants()`.
        rate: Words a minute, 80 to 450.
        pitch: 0 to 99.
        pitch_range: 0 (monotonous) to 99.

    Returns:
        The waveform (time,), float32 in [-1, 1], and its sample rate, 22,050 Hz.

    Raises:
        ValueError: An unknown voice or variant, a value out of its range, a text without anything to speak, or the
            wheel is missing.
    """
    identifiers = _identifiers()
    if voice not in identifiers:
        raise ValueError(f"voice: expected one of {', '.join(sorted(identifiers))}; got {voice!r}")
    if variant not in variants():
        raise ValueError(f"variant: expected '' or one of{', '.join(variants())[1:]}; got {variant!r}")
    values = {"rate": (1, rate, _RATE), "pitch": (3, pitch, _PITCH), "pitch_range": (4, pitch_range, _PITCH)}
    for argument, (_, value, allowed) in values.items():
        if value not in allowed:
            raise ValueError(f"{argument}: expected a whole number from {allowed[0]} to {allowed[-1]}; got {value!r}")
    pieces: list[bytes] = []

    @_Callback
    def collect(samples: int | None, count: int, _: int | None) -> int:
        if samples and count > 0:
            pieces.append(ctypes.string_at(samples, 2 * count))
        return 0

    with _library() as library:
        library.espeak_SetSynthCallback(collect)
        library.espeak_ng_SetRandSeed(ctypes.c_long(1))
        name = identifiers[voice] + (f"+{variant}" if variant else "")
        if library.espeak_SetVoiceByName(name.encode()) != 0:
            raise ValueError(f"espeak-ng cannot load its voice {name}: install espeakng-loader anew")
        library.espeak_SetParameter(2, 60, 0)  # volume, percent: at 100 some variants clip
        for number, value, _ in values.values():
            library.espeak_SetParameter(number, int(value), 0)
        encoded = text.encode()
        library.espeak_Synth(encoded, ctypes.c_size_t(len(encoded) + 1), 0, 0, 0, 1, None, None)  # 1: UTF-8
    waveform = np.frombuffer(b"".join(pieces), np.int16).astype(np.float32)
    peak = float(np.abs(waveform).max(initial=0))
    if peak < 100:
        raise ValueError(f"text: {voice} has nothing to speak in {text!r}; give words in the voice's language")
    loud = np.flatnonzero(np.abs(waveform) > 0.003 * peak)  # -50 dB
    margin = SAMPLE_RATE // 100
    return waveform[max(loud[0] - margin, 0) : loud[-1] + margin] * np.float32(0.7 / peak), SAMPLE_RATE


def render(path: str, *, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Make the audio of a clip of `index` from its name.

    Args:
        path: A clip's path, such as "yes/en-us+f3_rate160_pitch45_range60.wav".
        sample_rate: Of the result, Hz.

    Returns:
        The waveform (time,), float32.

    Raises:
        ValueError: Not such a name, or one that `speak` refuses.
    """
    match = _NAME.fullmatch(path)
    if not match:
        raise ValueError(f"path: expected a name like 'yes/en-us+f3_rate160_pitch45_range60.wav'; got {path!r}")
    text, voice, variant, *numbers = match.groups()
    rate, pitch, pitch_range = map(int, numbers)
    waveform, from_rate = speak(
        text, voice=voice, variant=variant or "", rate=rate, pitch=pitch, pitch_range=pitch_range
    )
    return resample(waveform, from_rate, sample_rate)


def index(
    words: Sequence[str] = COMMANDS,
    unknown: Sequence[str] = OTHERS,
    *,
    clips_per_label: int = 500,
    language: str = "en",
    seed: int = 0,
) -> list[Clip]:
    """List utterances of words by many voices; nothing is spoken yet.

    Timbres, not clips, are split, about 80/10/10 and always in the same way: a variant of the test is not heard in
    training with any accent, nor is one that sounds like it. Another seed gives other utterances by the same voices
    of each split. A word's clips do not depend on the other words.

    Args:
        words: Words with a class of their own.
        unknown: Words spoken in turns for the class `_unknown_`; may be empty.
        clips_per_label: Clips of each word, and of the unknown words together.
        language: Code of the language that the words are in; its accents speak them, see `voices`.
        seed: Of the choice of voices, rates and pitches.

    Returns:
        Clips: `path` is all that `render` needs, `label` the word or "_unknown_", `speaker` accent and variant.

    Raises:
        ValueError: No words, a word twice or one that cannot be a label, fewer than 10 clips, or a language that
            espeak-ng has not.
    """
    if not words:
        raise ValueError("words: expected at least one word, got none")
    for word in (*words, *unknown):
        if not word.strip() or not word.isprintable() or word.startswith("_"):
            raise ValueError(f"words: expected words to speak, got {word!r}")
        if (*words, *unknown).count(word) > 1:
            raise ValueError(f"words: expected each word once among words and unknown; {word!r} is there twice")
    if clips_per_label < 10:
        raise ValueError(f"clips_per_label: expected at least 10, one each to validate and test; got {clips_per_label}")
    accents = voices(language)
    split_of = _splits()
    sizes = {split: round(clips_per_label * share) for split, share in _SPLITS.items()}
    sizes["train"] = clips_per_label - sum(sizes.values())
    texts_of = {word: [word] for word in words}
    if unknown:
        texts_of["_unknown_"] = list(unknown)
    clips = []
    for label, texts in texts_of.items():
        for split, size in sizes.items():
            speakers = [(accent, variant) for accent in accents for variant in split_of if split_of[variant] == split]
            generator = np.random.default_rng([seed, zlib.crc32(f"{label}/{split}".encode())])
            # Every voice once before any comes twice.
            turns = [turn for _ in range(-(-size // len(speakers))) for turn in generator.permutation(len(speakers))]
            for number in range(size):
                accent, variant = speakers[turns[number]]
                speaker = accent + (f"+{variant}" if variant else "")
                rate, pitch, span = generator.integers((110, 20, 20), (231, 81, 91))
                text = texts[number % len(texts)]
                path = f"{text}/{speaker}_rate{rate}_pitch{pitch}_range{span}.wav"
                clips.append(Clip(path, label, speaker, split))
    return clips


def espeak_version() -> str:
    """Return espeak-ng's version.

    Raises:
        ValueError: The wheel is missing.
    """
    with _library() as library:
        library.espeak_Info.restype = ctypes.c_char_p
        return library.espeak_Info(None).decode()


def fingerprint() -> str:
    """Name what decides how `render` sounds, for the key of a clip store."""
    return f"audionet.datasets.synthesis 1, espeak-ng {espeak_version()}"


def noise(sample_rate: int, seconds: float, seed: int = 0) -> np.ndarray:
    """Make background noise for corpora that have none.

    Six sections or more of about 5 s, each with its own random parameters, in turns: white, pink (1/f), brown (1/f²),
    band-passed, mains hum, and speech-shaped noise modulated at the rate of syllables, as many voices at once.

    Args:
        sample_rate: Hz.
        seconds: Length.
        seed: Of all that is random.

    Returns:
        The noise (time,), float32, every section with a peak of 0.8.

    Raises:
        ValueError: No sample fits into `seconds`.
    """
    n_samples = round(seconds * sample_rate)
    if n_samples < 1:
        raise ValueError(f"seconds: expected at least one sample at {sample_rate} Hz; got {seconds} s")
    kinds: tuple[Callable[[int, float, np.random.Generator], np.ndarray], ...] = (
        *(functools.partial(_coloured, exponent=exponent) for exponent in (0.0, 1.0, 2.0)),
        *(_band, _hum, _babble),
    )
    generator = np.random.default_rng(seed)
    sections = []
    n_sections = min(max(round(seconds / 5), len(kinds)), n_samples)
    edges = np.linspace(0, n_samples, n_sections + 1).astype(int)
    for number, length in enumerate(np.diff(edges)):
        section = kinds[number % len(kinds)](int(length), sample_rate, generator)
        sections.append((section * (0.8 / np.abs(section).max())).astype(np.float32))
    return np.concatenate(sections)


def _coloured(
    length: int, sample_rate: float, generator: np.random.Generator, *, exponent: float, low_hz: float = 20.0
) -> np.ndarray:
    """Noise whose power falls as 1 / frequency ** exponent above `low_hz`."""
    frequency = np.fft.rfftfreq(length, 1 / sample_rate)
    spectrum = np.fft.rfft(generator.standard_normal(length)) / np.maximum(frequency, low_hz) ** (exponent / 2)
    return np.fft.irfft(spectrum, length)


def _band(length: int, sample_rate: float, generator: np.random.Generator) -> np.ndarray:
    """White noise through a smooth band-pass with a random centre and a width of half to two octaves."""
    centre, octaves = generator.uniform(np.log2(150), np.log2(0.4 * sample_rate)), generator.uniform(0.5, 2)
    distance = np.log2(np.fft.rfftfreq(length, 1 / sample_rate) + 1e-3) - centre
    gain = np.exp(-0.5 * (2 * distance / octaves) ** 2)
    return np.fft.irfft(np.fft.rfft(generator.standard_normal(length)) * gain, length)


def _hum(length: int, sample_rate: float, generator: np.random.Generator) -> np.ndarray:
    """Mains at 50 or 60 Hz with its harmonics, over a little pink noise."""
    time = np.arange(length) / sample_rate
    hum = 0.05 * _normalised(_coloured(length, sample_rate, generator, exponent=1.0))
    base = generator.choice([50.0, 60.0])
    for harmonic in range(1, min(20, int(sample_rate / 2 / base))):
        phase = generator.uniform(0, 2 * np.pi)
        hum += generator.uniform(0, 1) / harmonic * np.sin(2 * np.pi * base * harmonic * time + phase)
    return hum


def _babble(length: int, sample_rate: float, generator: np.random.Generator) -> np.ndarray:
    """Sum of six noises with the spectrum of speech, each swelling a few times a second."""
    total = np.zeros(length)
    time = np.arange(length) / sample_rate
    for _ in range(6):
        voice = _coloured(length, sample_rate, generator, exponent=2.0, low_hz=generator.uniform(300, 700))
        wobble = _coloured(length, sample_rate, generator, exponent=4.0, low_hz=1.0)
        syllables = np.sin(2 * np.pi * generator.uniform(2, 6) * time + 2 * _normalised(wobble))
        total += _normalised(voice) * (0.55 + 0.45 * syllables) ** 2
    return total


def _normalised(waveform: np.ndarray) -> np.ndarray:
    return waveform / (waveform.std() + 1e-12)


def _splits() -> dict[str, str]:
    """Give every variant of `TIMBRES` its split: whole groups, in an order that only their names decide."""
    # A large group would make up a whole split, so those are for training.
    small = [group for group in TIMBRES if len(group) <= 3]
    small.sort(key=lambda group: hashlib.sha256(group[0].encode()).digest())
    split_of = {variant: "train" for group in TIMBRES for variant in group}
    for split, share in _SPLITS.items():
        missing = round(share * len(split_of))
        while missing > 0:
            group = small.pop()
            split_of |= dict.fromkeys(group, split)
            missing -= len(group)
    return split_of


# ---- espeak-ng ------------------------------------------------------------------------------------------------

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
_lock = threading.Lock()  # the library's state is global


class _Voice(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_char_p),  # a byte of priority before the code
        ("identifier", ctypes.c_char_p),
    )


def _loader() -> ModuleType:
    try:
        import espeakng_loader
    except ImportError:
        raise ValueError('synthetic words need espeak-ng: install it with `pip install "audionet[synth]"`') from None
    return espeakng_loader


@functools.cache
def _data() -> str:
    """Return a copy of espeak-ng's data folder, made of links, whose voices have names in lower case.

    espeak-ng looks for a voice's file by its name in lower case and, where it finds none, reads the files of all its
    voices, which takes longer than to speak a word.
    """
    data = Path(_loader().get_data_path())
    key = hashlib.sha256(f"{data} {data.stat().st_mtime_ns}".encode()).hexdigest()[:16]
    links = cache_dir() / f"espeak-ng-{key}"
    if links.is_dir():
        return str(links)
    try:
        links.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f"{links.name}-", dir=links.parent))
        for file in filter(Path.is_file, data.rglob("*")):
            name = file.relative_to(data).as_posix()
            link = made / (name.lower() if name.startswith("lang/") else name)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file)
    except OSError:  # a folder that cannot be written, a system without links: slower, but the same
        return str(data)
    try:
        made.rename(links)
    except OSError:  # another process was first
        shutil.rmtree(made)
    return str(links)


@contextmanager
def _library() -> Iterator[ctypes.CDLL]:
    """Load espeak-ng afresh, and unload it afterwards."""
    data = _data()
    with _lock:
        library = ctypes.CDLL(_loader().get_library_path())
        try:
            # 2: samples to the callback, in this thread; 0x8000: return on failure instead of ending the process.
            if library.espeak_Initialize(2, 0, data.encode(), 0x8000) != SAMPLE_RATE:
                raise ValueError(f"espeak-ng cannot use its data in {data}: install espeakng-loader anew")
            yield library
        finally:
            library.espeak_Terminate()
            if sys.platform == "win32":
                _ctypes.FreeLibrary(library._handle)
            else:
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
