"""Which engine and which voice speaks in which split, and how many utterances each of them speaks."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from audionet.checks import check_no_misfits
from audionet.datasets.clip import SPLITS
from audionet.datasets.synthesis.voices import Engine

SHARES = {"test": 0.1, "validation": 0.1}  # the rest is for training

# The order in which whole engines are held out where nobody names any. The others are for training only.
_SPARED = ("pico", "festival", "piper", "flite", "hibari")
_FEWEST_GROUPS = 10  # an engine with fewer voices is not divided: they are worth more in the training


class Speaker(NamedTuple):
    """An engine and those of its voices that speak in a split."""

    engine: Engine
    voices: list[str]


def hold_out(
    engines: Sequence[str], validation: Sequence[str] | None, test: Sequence[str] | None
) -> dict[str, tuple[str, ...]]:
    """Choose the engines that speak in one split only.

    Args:
        engines: Names of the engines that speak the language.
        validation: Names of those for the validation; None to choose: one of four engines or more.
        test: Names of those for the test; None to choose: one of two engines or more, two of six or more.

    Returns:
        Names of the engines held out for "validation" and for "test"; none where their voices are divided instead.

    Raises:
        ValueError: An engine is named for both, or none is left to train on.

    Example:
        >>> hold_out(["espeak", "pico", "hibari"], None, None)
        {'validation': (), 'test': ('pico',)}
    """
    named = {*(validation or ()), *(test or ())}
    spare = [name for name in _SPARED if name in engines and name not in named]
    counts = {"test": (len(engines) >= 2) + (len(engines) >= 6), "validation": int(len(engines) >= 4)}
    chosen: dict[str, tuple[str, ...]] = {}
    for split, asked in (("test", test), ("validation", validation)):
        if asked is None:
            room = len(engines) - len(named) - 1  # one is left to train on
            taken = spare[: max(min(counts[split], room), 0)]
            spare = spare[len(taken) :]
            named.update(taken)
            chosen[split] = tuple(taken)
        else:
            chosen[split] = tuple(name for name in dict.fromkeys(asked) if name in engines)
    twice = sorted({*chosen["validation"]} & {*chosen["test"]})
    check_no_misfits(twice, "validation_engines", "other engines than test_engines", "name each once")
    held = {*chosen["validation"], *chosen["test"]}
    everything = [", ".join(sorted(held))] if held >= {*engines} else []
    advice = f"leave one of {', '.join(engines)} to train on, or install another"
    check_no_misfits(everything, "test_engines", "some of the engines that speak, and not all", advice)
    return {split: chosen[split] for split in ("validation", "test")}


def assign(
    engines: Mapping[str, Engine], held_out: Mapping[str, Sequence[str]], language: str
) -> dict[str, list[Speaker]]:
    """Give every split the engines and voices that speak in it.

    An engine that is held out speaks in its split, with all voices. The others train. Where no engine is held out for a
    split, those of ten voices or more leave some of them to it; if none has so many, the one with the most does.

    Args:
        engines: Engines that speak the language, by name.
        held_out: Names of those that are held out for a split, from `hold_out`.
        language: Code of the language.

    Returns:
        Speakers of each split; none of a split where there are too few voices to divide.
    """
    split_of = {name: split for split, names in held_out.items() for name in names}
    training = {name: engine.groups(language) for name, engine in engines.items() if name not in split_of}
    open_splits = [split for split in SHARES if not held_out.get(split)]
    divided = [name for name, groups in training.items() if len(groups) >= _FEWEST_GROUPS]
    divided = divided or [max(training, key=lambda name: len(training[name]))]
    speakers: dict[str, list[Speaker]] = {split: [] for split in SPLITS}
    for name, engine in engines.items():
        groups = engine.groups(language)
        if name in split_of:
            parts = {split_of[name]: groups}
        elif name in divided and open_splits:
            parts = divide(groups, open_splits)
        else:
            parts = {"train": groups}
        for split, part in parts.items():
            if voices := [voice for group in part for voice in group]:
                speakers[split].append(Speaker(engine, voices))
    return speakers


def divide(groups: Sequence[list[str]], splits: Sequence[str]) -> dict[str, list[list[str]]]:
    """Divide the voices of an engine: about a tenth for each of some splits, and the rest to train on.

    Groups of voices that sound alike stay whole, and fall to the splits in an order that their names alone decide.

    Args:
        groups: Voices that sound alike, a group each.
        splits: "validation" and "test", or one of them.

    Returns:
        Groups of each split, the training included; a split gets none where there are too few.
    """
    unit = min(map(len, groups))  # where each accent has each timbre, the number of accents
    n_units = sum(map(len, groups)) / unit
    # A large group would make up a whole split, so those are for training.
    small = [group for group in groups if len(group) <= 3 * unit]
    # The timbres of espeak-ng, after the plus sign, are divided in the same way in all languages.
    small.sort(key=lambda group: hashlib.sha256((group[0].partition("+")[2] or group[0]).encode()).digest())
    parts: dict[str, list[list[str]]] = {"train": list(groups)}
    for split in (split for split in SHARES if split in splits):
        missing = round(SHARES[split] * n_units) or 1
        parts[split] = []
        while missing > 0 and small and len(parts["train"]) > 1:
            group = small.pop()
            parts["train"].remove(group)
            parts[split].append(group)
            missing -= len(group) // unit
    return parts


def apportion(size: int, weights: Sequence[float]) -> list[int]:
    """Share out a number of utterances by weights, by the largest remainders.

    Example:
        >>> apportion(10, [3, 2, 2])
        [4, 3, 3]
    """
    total = sum(weights)
    exact = [size * weight / total for weight in weights]
    counts = [int(share) for share in exact]
    order = sorted(range(len(weights)), key=lambda position: counts[position] - exact[position])
    for position in order[: size - sum(counts)]:
        counts[position] += 1
    return counts
