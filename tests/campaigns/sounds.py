"""Sound files that are damaged anywhere."""

import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from audionet.audio import AudioError, AudioWarning, decode
from tests.campaigns.harness import Campaign, Good
from tests.hostile_archives import mutate
from tests.test_containers import WHOLE, mutated

Sound = tuple[np.ndarray, int]

_CHECKED = ("flac", "vorbis", "opus", "ogg flac")  # checksums cover all the sound
_COUNTED = ("WAV", "RF64", "W64")  # no checksum, but what the header says of the length is said twice


def _case(generator: np.random.Generator, folder: Path) -> Good:
    kind = list(WHOLE)[generator.integers(len(WHOLE))]
    damage: Callable[[bytes, np.random.Generator], bytes] = mutated if generator.random() < 0.5 else mutate
    content = damage(WHOLE[kind], generator)
    strict, said = _read(content, lenient=False)
    lenient, said_in_lenient = _read(content, lenient=True)
    assert not said, "a warning of what was not refused"
    if strict is None:
        assert lenient is None or said_in_lenient, "lenient reads what is refused, and says nothing"
        return "refused"
    assert lenient is not None and not said_in_lenient, "lenient finds a fault in what is read"
    assert np.array_equal(strict[0], lenient[0]) and strict[1] == lenient[1], "lenient reads something else"
    _check(kind, strict, _original(kind))
    return "whole"


def _check(kind: str, read: Sound, original: Sound) -> None:
    """Compare what was read of a damaged file with the original, as far as its format can tell."""
    assert read[0].size and np.isfinite(read[0]).all(), "no sound"
    assert read[0].size <= original[0].size, "samples out of nothing"
    if kind in _CHECKED + _COUNTED:
        assert read[0].shape == original[0].shape and read[1] == original[1], "other sizes"
    if kind in _CHECKED:
        assert np.array_equal(read[0], original[0]), "other samples"


def _read(content: bytes, lenient: bool) -> tuple[Sound | None, list[str]]:
    """Return the sound, None where it is refused, and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AudioWarning)
        try:
            return decode(content, lenient=lenient), [str(warning.message) for warning in caught]
        except AudioError as error:
            assert str(error).startswith("<bytes>: ") and "\n" not in str(error), f"no sentence: {error}"
            return None, []


@cache
def _original(kind: str) -> Sound:
    return decode(WHOLE[kind])


CAMPAIGNS = (Campaign("sounds", _case, count=10_000, tiny=100),)
