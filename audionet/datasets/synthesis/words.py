"""Synthetic words: a list of utterances by many engines, voices, rates and pitches, spoken one by one when needed."""

import re
import warnings
import zlib
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from audionet.audio import resample
from audionet.checks import check_at_least, check_that, listed
from audionet.console import note
from audionet.datasets.clip import Clip
from audionet.datasets.synthesis.casting import check_names
from audionet.datasets.synthesis.sharing import SHARES, Speaker, apportion, assign, hold_out
from audionet.datasets.synthesis.voices import (
    MissingEngine,
    SpeechError,
    known_engines,
    language_codes,
    open_engine,
    speaking,
)
from audionet.datasets.synthesis.voices.scripts import languages_of
from audionet.labels import UNKNOWN

COMMANDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
# The other words of Speech Commands v2.
OTHERS = tuple(
    "zero one two three four five six seven eight nine bed bird cat dog happy house marvin sheila tree wow "
    "backward forward follow learn visual".split()
)

_NAME = re.compile(
    r"(?P<text>.+)/(?P<engine>[^/:]+):(?P<voice>[^:]+)_rate(?P<rate>\d\.\d+)_pitch(?P<pitch>\d\.\d+)\.wav", re.DOTALL
)


def render(path: str, *, sample_rate: int = 16_000) -> np.ndarray:
    """Speak a clip that `index` has listed; its path says the word, the engine, the voice, the rate and the pitch.

    Args:
        path: Path of a clip, such as "yes/espeak:en-us+f3_rate0.910_pitch1.100.wav".
        sample_rate: Sample rate of the result, in hertz.

    Returns:
        The waveform (time,), float32.

    Raises:
        ValueError: The path has another form, or `Engine.speak` refuses its values.
        SpeechError: The engine is not installed any more, or failed.

    Example:
        >>> waveform = render("yes/espeak:en-us+f3_rate0.910_pitch1.100.wav", sample_rate=16_000)
        >>> waveform.dtype, waveform.ndim
        (dtype('float32'), 1)
    """
    match = _NAME.fullmatch(path)
    if not match:
        raise ValueError(f"path: expected a name like 'yes/espeak:en-us+f3_rate0.910_pitch1.100.wav', got {path!r}")
    try:
        engine = open_engine(match["engine"])
    except MissingEngine as error:
        raise SpeechError(str(error)) from None
    waveform = engine.speak(match["text"], voice=match["voice"], rate=float(match["rate"]), pitch=float(match["pitch"]))
    return resample(waveform, engine.sample_rate, sample_rate)


def index(
    words: Sequence[str] = COMMANDS,
    unknown: Sequence[str] = OTHERS,
    *,
    clips_per_label: int = 500,
    training_only: bool = False,
    language: str = "en",
    engines: Sequence[str] | None = None,
    validation_engines: Sequence[str] | None = None,
    test_engines: Sequence[str] | None = None,
    seed: int = 0,
) -> list[Clip]:
    """List utterances of words by many voices; nothing is spoken yet. Which engines speak is said.

    Engines and voices, not clips, are split, about 80/10/10. An engine that is held out for the test is not heard in
    training. Where none is held out, voices are divided, always in the same way: a timbre of espeak-ng for the test is
    not heard in training with any accent, nor is one that sounds like it. Another seed gives other utterances by the
    same voices of each split. The clips of a word do not depend on the other words. The utterances of a word are shared
    out over the engines by their weights, and each engine's over its voices, so that an engine of a hundred timbres
    does not drown the others.

    Args:
        words: Words with a class of their own.
        unknown: Words spoken in turns for the class `_unknown_`; may be empty.
        clips_per_label: Clips of each word, and of the unknown words together, in all splits together.
        training_only: Let only the voices for training speak, of all engines that are not named for another split: all
            clips are in that split.
        language: Code of the language that the words are in, such as "en"; its accents speak them. Or one of these,
            such as "en-gb".
        engines: Names of the engines that may speak; None for all that are installed.
        validation_engines: Names of the engines for the validation alone; none to divide voices instead; None to choose
            one where four engines speak the language.
        test_engines: Names of the engines for the test alone; none to divide voices instead; None to choose one where
            two engines speak the language, and two where six do.
        seed: Decides voices, rates and pitches.

    Returns:
        Clips: `path` is all that `render` needs, `label` is the word or "_unknown_", `speaker` is engine and voice.

    Raises:
        ValueError: There are no words, a word comes twice or cannot be a label, there are fewer than 10 clips a label
            for all splits, no engine knows the language or a word, or none is left to train on.

    Example:
        >>> clips = index(["yes", "no"], [], clips_per_label=10, engines=["espeak"])
        >>> len(clips), clips[0].label, clips[0].split
        (20, 'yes', 'test')
    """
    check_names(words, unknown)
    check_at_least(1 if training_only else 10, clips_per_label=clips_per_label)  # one each to validate and test
    shares = {} if training_only else SHARES
    speakers = _cast(language, engines, validation_engines, test_engines, shares)
    sizes = {split: round(clips_per_label * share) for split, share in shares.items()}
    sizes["train"] = clips_per_label - sum(sizes.values())
    texts_of = {word: [word] for word in words} | ({UNKNOWN: list(unknown)} if unknown else {})
    for text in (*words, *unknown):
        _check_known(text, language, speakers["train"])
    clips = []
    for label, texts in texts_of.items():
        for split, size in sizes.items():
            clips += _utter(label, texts, split, size, speakers[split] or speakers["train"], language, seed)
    return clips


def utterances(
    texts: Mapping[str, Sequence[str]],
    counts: Mapping[str, int],
    *,
    label: str = UNKNOWN,
    language: str = "en",
    engines: Sequence[str] | None = None,
    validation_engines: Sequence[str] | None = None,
    test_engines: Sequence[str] | None = None,
    seed: int = 0,
    say: bool = True,
) -> list[Clip]:
    """List utterances of other texts in each split, by the voices that `index` gives to it.

    Args:
        texts: Texts of each split, spoken in turns. What no engine knows is left out.
        counts: Utterances of each split.
        label: Label of the clips.
        language: As for `index`, and so the others.
        engines: Names of the engines that may speak.
        validation_engines: Names of the engines for the validation alone.
        test_engines: Names of the engines for the test alone.
        seed: Decides voices, rates and pitches.
        say: Whether to say which engines speak; `index` of the same engines has said so already.

    Raises:
        ValueError: No engine knows the language, or none is left to train on.

    Example:
        >>> clips = utterances({"train": ["low", "tow"], "test": ["mow"]}, {"train": 3, "test": 1}, engines=["espeak"])
        >>> [(clip.path.split("/")[0], clip.split) for clip in clips]
        [('low', 'train'), ('tow', 'train'), ('low', 'train'), ('mow', 'test')]
    """
    splits = [split for split in texts if split != "train"]
    speakers = _cast(language, engines, validation_engines, test_engines, splits, say=say)
    clips = []
    for split, of_split in texts.items():
        clips += _utter(label, of_split, split, counts[split], speakers[split] or speakers["train"], language, seed)
    return clips


def _cast(
    language: str,
    engines: Sequence[str] | None,
    validation_engines: Sequence[str] | None,
    test_engines: Sequence[str] | None,
    splits: Collection[str],
    *,
    say: bool = True,
) -> dict[str, list[Speaker]]:
    """Return who speaks in which split, and say so. Without splits to test on, what is not held out by name trains."""
    chosen = {"engines": engines, "validation_engines": validation_engines, "test_engines": test_engines}
    engines, validation_engines, test_engines = (
        None if names is None else known_engines(names, what) for what, names in chosen.items()
    )
    found = speaking(language, may_speak(engines, validation_engines, test_engines))
    if not splits:
        validation_engines, test_engines = validation_engines or (), test_engines or ()
    speakers = assign(found.engines, hold_out([*found.engines], validation_engines, test_engines), language)
    if say:
        named = {*(engines or ()), *(validation_engines or ()), *(test_engines or ())}
        _say(language, speakers, splits, found.missing, named)
    return speakers


def _utter(
    label: str, texts: Sequence[str], split: str, size: int, speakers: Sequence[Speaker], language: str, seed: int
) -> list[Clip]:
    """Return the utterances of a label in a split, by the engines that know its texts."""
    known = {
        speaker.engine.name: [text for text in texts if speaker.engine.knows(text, language)] for speaker in speakers
    }
    able = [speaker for speaker in speakers if known[speaker.engine.name]]
    clips: list[Clip] = []
    for (engine, voices), count in zip(able, apportion(size, [speaker.engine.weight for speaker in able]), strict=True):
        generator = np.random.default_rng([seed, zlib.crc32(f"{label}/{split}/{engine.name}".encode())])
        # Every voice once before any comes twice.
        turns = [turn for _ in range(-(-count // len(voices))) for turn in generator.permutation(len(voices))]
        low, high = np.log([engine.rates, engine.pitches]).T
        factors = np.exp(generator.uniform(low, high, (count, 2))).tolist()
        for number, (rate, pitch) in enumerate(factors):
            text = known[engine.name][len(clips) % len(known[engine.name])]
            speaker = f"{engine.name}:{voices[turns[number]]}"
            clips.append(Clip(f"{text}/{speaker}_rate{rate:.3f}_pitch{pitch:.3f}.wav", label, speaker, split))
    return clips


def fingerprint(language: str = "en", engines: Sequence[str] | None = None) -> str:
    """Return a text that changes when `render` may sound different, for the key of a clip store.

    Args:
        language: Code of the language that is spoken.
        engines: Names of the engines that may speak; None for all that are installed.
    """
    versions = [f"{name} {engine.version()}" for name, engine in speaking(language, engines).engines.items()]
    return f"audionet.datasets.synthesis 2, {language}: {', '.join(versions)}"


def may_speak(engines: Sequence[str] | None, *held_out: Sequence[str] | None) -> list[str] | None:
    """Return the names of the engines that may speak, those that are held out for a split among them; None for all.

    Example:
        >>> may_speak(["espeak"], None, ["pico"])
        ['espeak', 'pico']
    """
    if engines is None:
        return None
    return list(dict.fromkeys([*engines, *(name for names in held_out for name in names or ())]))


def _check_known(text: str, language: str, speakers: Sequence[Speaker]) -> None:
    """Refuse a word that no engine to train on can speak."""
    if any(speaker.engine.knows(text, language) for speaker in speakers):
        return
    names = listed([speaker.engine.name for speaker in speakers], 10)
    written = [code for code in languages_of(text, language_codes()) if code != language]
    advice = f"write it in the letters of {language}"
    if not any(map(str.isalnum, text)):
        advice = "write it in letters or digits"
    elif written:
        advice = f"its letters are those of {listed(map(repr, written), 4)}: name that language, or {advice}"
    check_that(False, "words", f"words of the language {language!r} that {names} can speak", text, advice)


def _say(
    language: str,
    speakers: Mapping[str, list[Speaker]],
    splits: Collection[str],
    missing: Mapping[str, str],
    named: set[str],
) -> None:
    """Say who speaks in which split, who does not, and what to know of few voices."""
    by_split = {split: [speaker.engine.name for speaker in speakers[split]] for split in ("train", *splits)}
    for name in sorted(named.intersection(missing)):
        warnings.warn(f"left out: {missing[name]}", stacklevel=3)
    parts = [f"{split} {', '.join(names)}" for split, names in by_split.items() if names]
    absent = [name for name in missing if name not in named]
    others = f"; not {', '.join(absent)}: `audionet doctor` says why" if absent else ""
    note(f"who speaks {language}: {'; '.join(parts)}{others}")
    one = {name for names in by_split.values() for name in names}
    if len(one) == 1 and one.isdisjoint(named):
        warnings.warn(
            f"only {one.pop()} speaks {language} here: what is learnt from the voices of one engine carries over to "
            "people less well; install others, which `audionet doctor` lists, or add recordings",
            stacklevel=3,
        )
    if lacking := [split for split, names in by_split.items() if not names]:
        warnings.warn(
            f"so few voices speak {language} here that the same are heard in training and in {' and '.join(lacking)}",
            stacklevel=3,
        )
