"""Real words of a language, from what is installed with the engines; none are shipped with audionet.

For English it is the 13,000 words that hibari's dictionary and its tagger both know, which are the common ones, where
hibari is installed. In most languages it is the names of emojis: Unicode's CLDR names each of them, and espeak-ng's
dictionaries hold these names as plain text. That makes 1,500 to 1,900 everyday words in each of 60 languages (a hammer,
a rose, to laugh, Lithuania), 500 in ten more, and none in the others.
"""

import functools
import gzip
import importlib.util
import json
import re
import struct
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from audionet.datasets.synthesis.phonemes import sounds_of
from audionet.datasets.synthesis.voices import espeak_library as espeak

_FEW = 100  # words

# Beginnings of words that no report should show or play.
_RUDE = re.compile(
    "(arse|bastard|bitch|bugger|cock|cunt|dick|dyke|fag|fart|fuck|nig|piss|prick|pussy|rape|shit|slut|tit|twat|wank|whor)"
)


def words_of(language: str) -> dict[str, tuple[str, ...]]:
    """Return real words of a language with their sounds, {word: sounds}, sorted.

    Args:
        language: Code of a language or an accent that espeak-ng knows, such as "lt" or "en-us".

    Returns:
        Words of letters, in lower case, with their `phonemes`. Words that espeak-ng reads by the rules of another
        language are left out. Where under a hundred words are known, the numbers from 0 to
        100 join them, which engines speak as words.

    Raises:
        ValueError: espeak-ng does not know the language, or the wheel is missing.

    Example:
        >>> words = words_of("lt")
        >>> len(words) > 1500, words["namas"]
        (True, ('n', 'a', 'm', 'a', 's'))
    """
    espeak.codes(language)
    return _words_of(language)


@functools.cache
def _words_of(language: str) -> dict[str, tuple[str, ...]]:
    family = language.split("-")[0]
    found = {word.lower() for name in _emoji_names(family) for word in _letters(name).split()}
    if family == "en":
        found.update(_english())
    words = sorted(word for word in found if not _RUDE.match(word))
    if len(words) < _FEW:
        words += map(str, range(101))
    return {word: sounds for word, sounds in sounds_of(words, language).items() if len(sounds) > 1}


def _letters(text: str) -> str:
    """Return a text with a space for whatever is no letter and no mark of one, such as a vowel sign of Hindi."""
    return "".join(sign if unicodedata.category(sign)[0] in "LM" else " " for sign in text)


def _english() -> set[str]:
    """Return the common words of hibari's dictionary of American English; none where hibari is not installed."""
    package = importlib.util.find_spec("hibari")
    places = package.submodule_search_locations if package else None
    files = [Path(place, "assets", name) for place in places or () for name in ("lexicon_us_gold", "tagger")]
    if not files or not all(file.with_suffix(".json.gz").is_file() for file in files):
        return set()
    spoken, tagger = (json.loads(gzip.decompress(file.with_suffix(".json.gz").read_bytes())) for file in files)
    return {word for word in tagger["vocab"] if word in spoken and word.isascii() and word.isalpha() and word.islower()}


def _emoji_names(language: str) -> Iterator[str]:
    """Yield the texts that espeak-ng's dictionary of a language gives for symbols.

    The file is a hash table of 1,024 chains after a header of 8 bytes. An entry is its length, a byte that holds the
    length of its key and two flags, the key, and what is spoken, up to a zero. Where the key is no word but a symbol,
    what is spoken is a text.
    """
    file = Path(espeak.data_folder(), f"{language}_dict")
    table = file.read_bytes() if file.is_file() else b""
    place, chains = 8, struct.unpack_from("<I", table)[0] if table else 0
    while chains:
        length = table[place]
        if not length:
            place, chains = place + 1, chains - 1
            continue
        kind, entry = table[place + 1], table[place + 2 : place + length]
        key, spoken = entry[: kind & 0x3F], entry[kind & 0x3F :].partition(b"\0")[0]
        place += length
        # 0x80: nothing is spoken; 0x40: the key is a compressed word.
        if kind < 0x40 and key[0] >= 0xE2 and not key.decode(errors="replace")[0].isalpha():
            yield spoken.decode(errors="ignore")
