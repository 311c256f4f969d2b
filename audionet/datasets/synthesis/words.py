"""Synthetic words: a list of utterances by many voices, accents, rates and pitches, spoken one by one when needed."""

import hashlib
import re
import zlib
from collections.abc import Sequence

import numpy as np

from audionet.audio import resample
from audionet.checks import check_at_least, check_that
from audionet.datasets.clip import Clip
from audionet.datasets.synthesis.espeak import SAMPLE_RATE, espeak_version, speak, voices

COMMANDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
# The other words of Speech Commands v2.
OTHERS = tuple(
    "zero one two three four five six seven eight nine bed bird cat dog happy house marvin sheila tree wow "
    "backward forward follow learn visual".split()
)

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

_SHARES = {"validation": 0.1, "test": 0.1}  # the rest is for training
_NAME = re.compile(
    r"(?P<text>.+)/(?P<voice>[^/+]+?)(?:\+(?P<variant>[^/]+?))?"
    r"_rate(?P<rate>\d+)_pitch(?P<pitch>\d+)_range(?P<pitch_range>\d+)\.wav",
    re.DOTALL,
)


def render(path: str, *, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Speak a clip that `index` has listed; its path says the word, the voice, the rate and the pitch.

    Args:
        path: Path of a clip, such as "yes/en-us+f3_rate160_pitch45_range60.wav".
        sample_rate: Sample rate of the result, in hertz.

    Returns:
        The waveform (time,), float32.

    Raises:
        ValueError: The path has another form, or `speak` refuses its values.

    Example:
        >>> waveform = render("yes/en-us+f3_rate160_pitch45_range60.wav", sample_rate=16_000)
        >>> waveform.dtype, waveform.ndim
        (dtype('float32'), 1)
    """
    match = _NAME.fullmatch(path)
    if not match:
        raise ValueError(f"path: expected a name like 'yes/en-us+f3_rate160_pitch45_range60.wav', got {path!r}")
    said = match.groupdict("")
    numbers = {name: int(said[name]) for name in ("rate", "pitch", "pitch_range")}
    waveform, from_rate = speak(said["text"], voice=said["voice"], variant=said["variant"], **numbers)
    return resample(waveform, from_rate, sample_rate)


def index(
    words: Sequence[str] = COMMANDS,
    unknown: Sequence[str] = OTHERS,
    *,
    clips_per_label: int = 500,
    training_only: bool = False,
    language: str = "en",
    seed: int = 0,
) -> list[Clip]:
    """List utterances of words by many voices; nothing is spoken yet.

    Timbres, not clips, are split, about 80/10/10 and always in the same way. A timbre of the test is not heard in
    training with any accent, nor is one that sounds like it. Another seed gives other utterances by the same voices of
    each split. The clips of a word do not depend on the other words.

    Args:
        words: Words with a class of their own.
        unknown: Words spoken in turns for the class `_unknown_`; may be empty.
        clips_per_label: Clips of each word, and of the unknown words together, in all splits together.
        training_only: Let only the voices for training speak: all clips are in that split.
        language: Code of the language that the words are in; its accents speak them.
        seed: Decides voices, rates and pitches.

    Returns:
        Clips: `path` is all that `render` needs, `label` is the word or "_unknown_", `speaker` is accent and timbre.

    Raises:
        ValueError: There are no words, a word comes twice or cannot be a label, there are fewer than 10 clips a label
            for all splits, or espeak-ng does not know the language.

    Example:
        >>> clips = index(["yes", "no"], [], clips_per_label=10)
        >>> len(clips), clips[0].label, clips[0].split
        (20, 'yes', 'validation')
    """
    _check_words(words, unknown)
    check_at_least(1 if training_only else 10, clips_per_label=clips_per_label)  # one each to validate and test
    accents = voices(language)
    split_of = _split_timbres()
    shares = {} if training_only else _SHARES
    sizes = {split: round(clips_per_label * share) for split, share in shares.items()}
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


def fingerprint() -> str:
    """Return a text that changes when `render` may sound different, for the key of a clip store."""
    return f"audionet.datasets.synthesis 1, espeak-ng {espeak_version()}"


def _check_words(words: Sequence[str], unknown: Sequence[str]) -> None:
    check_that(words, "words", "at least one word", words)
    for word in (*words, *unknown):
        spoken = word.strip() and word.isprintable() and not word.startswith("_")
        check_that(spoken, "words", "words to speak", word)
        check_that((*words, *unknown).count(word) == 1, "words", "each word once among words and unknown", word)


def _split_timbres() -> dict[str, str]:
    """Return the split of every variant of `TIMBRES`: groups stay whole, in an order that their names alone decide."""
    # A large group would make up a whole split, so those are for training.
    small = [group for group in TIMBRES if len(group) <= 3]
    small.sort(key=lambda group: hashlib.sha256(group[0].encode()).digest())
    split_of = {variant: "train" for group in TIMBRES for variant in group}
    for split, share in _SHARES.items():
        missing = round(share * len(split_of))
        while missing > 0:
            group = small.pop()
            split_of |= dict.fromkeys(group, split)
            missing -= len(group)
    return split_of
