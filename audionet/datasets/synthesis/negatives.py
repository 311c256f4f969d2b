"""What a recogniser must not take for a word: other words, parts of words, speech that says nothing, and silences.

All of it is listed as clips that `changes.render` makes when they are needed, as synthetic words are. A share is made
of the corpus's own clips, so that nothing but the words tells the classes apart: where every word was recorded and
every other clip made, a network would learn to tell what is recorded from what is made.
"""

import itertools
import math
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from audionet.console import note
from audionet.datasets.clip import SPLITS, Clip
from audionet.datasets.synthesis.changes import CHANGES, PARTS
from audionet.datasets.synthesis.confusables import Apart, check_apart, confusables
from audionet.datasets.synthesis.lexicon import words_of
from audionet.datasets.synthesis.phonemes import differences, phonemes, sounds_of
from audionet.datasets.synthesis.voices.espeak_library import codes
from audionet.datasets.synthesis.words import utterances
from audionet.labels import SILENCE, UNKNOWN

# What the paths of clips begin with that `words.render` and `changes.render` make.
SYNTHETIC, NEGATIVE = "_synthetic_/", "_negative_/"
MADE = (SYNTHETIC, NEGATIVE)
BACKGROUND = f"{NEGATIVE}background/"  # of silences that hold background noise

_MOST = 4000  # unknown clips in a split
_USUAL = {"train": 150}  # unknown clips in a split, if there are as many of words; 10 in the others
_FEW = 10
_LONG = 6  # sounds from which on half of a word is told from the word: people leave out the end of "up"
_LENGTH = 5  # words of a sentence
_ALIKE = 1.0  # sounds: a part of a word that differs from a word by less is one
# Shares of the unknown clips; mumbling and notes of instruments take what is left.
_SPOKEN = 0.5
_SENTENCES = 0.15
_SHARES = {
    "first_half": 0.05,
    "second_half": 0.05,
    "exchanged": 0.03,
    "backwards": 0.05,
    "shuffled": 0.04,
    "crowd": 0.04,
}
_WORDLESS = "mumble", "notes"
# Shares of the silences; background noise takes what is left.
_SILENCES = {"floor": 0.25, "digital": 0.1}


def negatives(
    clips: Sequence[Clip],
    *,
    language: str = "en",
    engines: Sequence[str] | None = None,
    validation_engines: Sequence[str] | None = None,
    test_engines: Sequence[str] | None = None,
    seed: int = 0,
    say: bool = True,
) -> list[Clip]:
    """List clips of `_unknown_` and `_silence_` that go with the words of a corpus.

    There are three times as many unknown clips as clips of a word, or a quarter of the clips of all words if that is
    more; 150 to train on at least, but in no split more than there are clips of words. Half of them are words that
    sound like those of the corpus, parts of its phrases, and other words of the language, by other voices in each
    split, and no word in two splits. The others are excerpts of running speech, rows of such words; halves of clips of
    long words, of six sounds or more; clips and other words backwards, in shuffled pieces, and as a crowd; and
    mumbling and notes of instruments. There are as many silences as clips of a word: background noise, quiet
    microphones, and digital silence.

    Args:
        clips: Clips of the corpus, with labels and splits. Those whose label begins with "_" are not asked for.
        language: Code of the language that the words are in. Labels that are no words of letters, such as "a1", have
            none that sound like them; other words of the language are spoken all the same.
        engines: Names of the engines that may speak, as for `words.index`.
        validation_engines: Names of those for the validation alone.
        test_engines: Names of those for the test alone.
        seed: Decides all that is random.
        say: Whether to say which engines speak, as for `words.utterances`.

    Returns:
        Clips whose paths `audionet.datasets.rendering` knows.

    Raises:
        ValueError: No engine speaks the language.

    Example:
        >>> corpus = [Clip(f"{word}/{n}.wav", word, split="train") for word in ("stop", "go") for n in range(50)]
        >>> made = negatives(corpus)
        >>> len(made), made[0].label, made[-1].path
        (150, '_unknown_', '_negative_/digital/train/4')
    """
    kept = [clip for clip in clips if not clip.label.startswith("_")]
    labels = sorted({clip.label for clip in kept})
    sizes = _sizes([clip.split for clip in kept], len(labels))
    spoken: list[Clip] = []
    running: list[Clip] = []
    fitting: dict[str, set[str]] = {}
    if _can_read(language):
        words = _readable(labels, language)
        if words:
            check_apart([*words.values()], language)
        fitting = _fitting(words, language)
        has_parts = any(not changes.isdisjoint(PARTS) for changes in fitting.values())
        share = _SPOKEN + (0 if has_parts else sum(_SHARES[kind] for kind in PARTS))
        counts = {split: round(share * n_unknown) for split, (n_unknown, _) in sizes.items()}
        texts = _texts([*words.values()], language, counts, seed)
        utter = partial(
            utterances,
            label=UNKNOWN,
            language=language,
            engines=engines,
            validation_engines=validation_engines,
            test_engines=test_engines,
            seed=seed,
        )
        spoken = [replace(clip, path=SYNTHETIC + clip.path) for clip in utter(texts, counts, say=say)]
        counts = {split: round(_SENTENCES * n_unknown) for split, (n_unknown, _) in sizes.items()}
        excerpts = utter(_sentences(texts, counts, seed), counts, say=False)
        running = [replace(clip, path=f"{NEGATIVE}excerpt/{SYNTHETIC}{clip.path}") for clip in excerpts]
    made = []
    for split, (n_unknown, n_silence) in sizes.items():
        own, others, rows = ([clip for clip in of if clip.split == split] for of in (kept, spoken, running))
        changed = _changed(own, others, fitting, n_unknown, [seed, zlib.crc32(split.encode())])
        unknown = [*others, *rows, *changed][:n_unknown]
        turns = zip(range(len(unknown), n_unknown), itertools.cycle(_WORDLESS), strict=False)
        wordless = [f"{NEGATIVE}{kind}/{split}/{number}" for number, kind in turns]
        made += [*unknown, *(Clip(path, UNKNOWN, split=split) for path in wordless), *_silences(split, n_silence)]
    return made


def can_be_spoken(label: str) -> bool:
    """Tell whether a label can be a word or a phrase that is spoken, such as "lights_on", and not a code like "a1".

    Example:
        >>> can_be_spoken("lights_on"), can_be_spoken("Küche"), can_be_spoken("a1"), can_be_spoken("b")
        (True, True, False, False)
    """
    letters = re.sub(r"[\s_'’-]+", "", label)
    return len(letters) > 1 and any(map(str.isalpha, letters)) and not any(map(str.isdigit, letters))


def _can_read(language: str) -> bool:
    """Tell whether espeak-ng knows how words of a language sound; if not, why no other words are spoken is said."""
    try:
        return bool(codes(language))
    except ValueError as error:
        note(f"no other words join {UNKNOWN}: {error}")
        return False


def _readable(labels: Sequence[str], language: str) -> dict[str, str]:
    """Return the text of each label that is a word which espeak-ng can read by the rules of the language."""
    texts = {label: label.replace("_", " ") for label in labels if can_be_spoken(label)}
    sounds = sounds_of([*texts.values()], language)
    return {label: text for label, text in texts.items() if text in sounds}


def _sizes(splits: Sequence[str], n_words: int) -> dict[str, tuple[int, int]]:
    """Return how many unknown clips and silences each split gets, if it has clips of words; no more than of those."""
    sizes = {}
    for split in SPLITS:
        if kept := splits.count(split):
            a_word = kept / n_words
            n_unknown = math.ceil(max(3 * a_word, kept / 4, min(_USUAL.get(split, _FEW), kept)))
            sizes[split] = min(n_unknown, kept, _MOST), max(math.ceil(a_word), min(_FEW, kept // 2))
    return sizes


# ---- other words ---------------------------------------------------------------------------------------------------


def _texts(words: Sequence[str], language: str, sizes: Mapping[str, int], seed: int) -> dict[str, list[str]]:
    """Return the texts that are spoken in each split. Half of them sound like the words; none is in two splits."""
    total = sum(sizes.values())
    apart = Apart(words, language)
    near = apart.among([part for word in words for part in _parts(word)])
    near += confusables(words, language, count=math.ceil(total / 2 / len(words))) if words else ()
    longest = max((len(word) for word in words), default=8) + 2
    usual = [text for text in words_of(language) if len(text) <= longest and text not in {*near}]
    drawn = [usual[place] for place in np.random.default_rng([seed, 1]).permutation(len(usual))[:total]]
    dealt = zip(sizes, _dealt(near, sizes), _dealt(apart.among(drawn), sizes), strict=True)
    return {split: [*first, *second] for split, first, second in dealt}


def _sentences(texts: Mapping[str, Sequence[str]], counts: Mapping[str, int], seed: int) -> dict[str, list[str]]:
    """Return rows of the other words of each split, which are spoken as running speech."""
    generator = np.random.default_rng([seed, 2])
    return {
        split: [" ".join(generator.choice(words, _LENGTH)) for _ in range(counts[split])] if words else []
        for split, words in texts.items()
    }


def _parts(phrase: str) -> list[str]:
    """Return the parts of a phrase: without its first words, and without its last ones."""
    words = phrase.split()
    return [" ".join(part) for place in range(1, len(words)) for part in (words[place:], words[:place])]


def _dealt(texts: Sequence[str], sizes: Mapping[str, int]) -> list[list[str]]:
    """Deal texts to splits in proportion to their sizes, so that each gets some of the first."""
    turns = sorted((turn / size, split) for split, size in sizes.items() for turn in range(size))
    hands: dict[str, list[str]] = {split: [] for split in sizes}
    for text, (_, split) in zip(texts, itertools.cycle(turns), strict=False):
        hands[split].append(text)
    return list(hands.values())


# ---- parts of words, and speech without words ----------------------------------------------------------------------


def _fitting(words: Mapping[str, str], language: str) -> dict[str, set[str]]:
    """Return the changes that make no word sound like a word, {label: changes}.

    Backwards, "no" is "on"; half of "stop" is "up"; and a short word is often said without its end.

    Args:
        words: Word of each label that is one.
        language: Code of the language.
    """
    sounds = {label: phonemes(word, language) for label, word in words.items()}
    fitting = {}
    for label, of in sounds.items():
        made = {"backwards": [of[::-1]]} | {kind: [] for kind in PARTS}
        for middle in (len(of) // 2, -(-len(of) // 2)):
            for kind, part in zip(PARTS, (of[:middle], of[middle:], of[middle:] + of[:middle]), strict=True):
                made[kind].append(part)
        like = {
            kind for kind, parts in made.items() for word in sounds.values() if differences(word, parts).min() < _ALIKE
        }
        fitting[label] = {*CHANGES} - like - ({*PARTS} if len(of) < _LONG else set())
    return fitting


def _changed(
    own: Sequence[Clip], others: Sequence[Clip], fitting: Mapping[str, set[str]], n_unknown: int, seed: Sequence[int]
) -> list[Clip]:
    """List what is made of clips: parts are of the corpus's own, the rest half of them and half of other words."""
    generator = np.random.default_rng(seed)
    made = []
    for kind, share in _SHARES.items():
        count = round(share * n_unknown)
        n_own = count if kind in PARTS else count - min(count // 2, len(others))
        usable = [clip for clip in own if kind in fitting.get(clip.label, {*CHANGES} - {*PARTS})]
        taken = _drawn(usable, n_own, generator)
        if kind not in PARTS:
            taken += _drawn(others, count - len(taken), generator)
        made += [Clip(f"{NEGATIVE}{kind}/{clip.path}", UNKNOWN, split=clip.split) for clip in taken]
    return made


def _drawn(clips: Sequence[Clip], count: int, generator: np.random.Generator) -> list[Clip]:
    return [clips[place] for place in generator.permutation(len(clips))[:count]]


def _silences(split: str, count: int) -> list[Clip]:
    """List silences: those that the background fills, quiet microphones and digital silence."""
    counts = {kind: math.ceil(share * count) for kind, share in _SILENCES.items()}
    n_background = count - sum(counts.values())
    background = [
        Clip(f"{BACKGROUND}{split}/{number}", SILENCE, split=split, silence=True) for number in range(n_background)
    ]
    made = [f"{NEGATIVE}{kind}/{split}/{number}" for kind, count in counts.items() for number in range(count)]
    return [*background, *(Clip(path, SILENCE, split=split) for path in made)]
