"""Split rules, and the selection of classes that TensorFlow's speech-commands example makes."""

import hashlib
import math
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from audionet.datasets.cards import Column, Field, Hash, Labels, Lists, Rule, Speaker
from audionet.datasets.clip import Clip

SPLITS = ("train", "validation", "test")

# Of TensorFlow's examples/speech_commands/input_data.py. The order of the splits matters: one generator
# serves all.
_MAX_NUM_WAVS_PER_CLASS = 2**27 - 1
_SEED = 59185
_SHUFFLE_ORDER = ("validation", "test", "train")


def which_set(name: str, validation: float = 10.0, test: float = 10.0) -> str:
    """Choose a file's split by its name alone, as Speech Commands does.

    The SHA-1 of the base name without everything from `_nohash_` on, taken modulo 2^27 and as a percentage;
    so all files of one speaker are in the same split, and adding files moves none.

    Args:
        name: File name or path.
        validation: Percentage for validation.
        test: Percentage for the test.

    Returns:
        "train", "validation" or "test".
    """
    base = re.sub(r"_nohash_.*$", "", name.rsplit("/", 1)[-1])
    number = int(hashlib.sha1(base.encode(), usedforsecurity=False).hexdigest(), 16)
    percentage = number % (_MAX_NUM_WAVS_PER_CLASS + 1) * (100.0 / _MAX_NUM_WAVS_PER_CLASS)
    if percentage < validation:
        return "validation"
    return "test" if percentage < validation + test else "train"


def assign(
    found: Sequence[tuple[Clip, dict[str, str]]],
    rule: Rule,
    folder: Path = Path(),
    prefix: str = "",
    test_speaker: str | None = None,
) -> list[Clip]:
    """Give every clip its split.

    Args:
        found: Clips, each with the fields that the layout read (groups of a pattern, columns of a table).
        rule: The split rule. Of `Hash` with a test folder only the percentages: the caller adds the folder's
            clips.
        folder: The layout's folder, which holds the lists of `Lists`; other rules need none.
        prefix: What the clips' paths have before those of the lists: "" or the layout's folder with a slash.
        test_speaker: The speaker to test on, for `Speaker` only.

    Raises:
        ValueError: The rule asks for a field, list or speaker that is not there, or a test speaker is given
            to another rule than `Speaker`.
    """
    if test_speaker is not None and not isinstance(rule, Speaker):
        raise ValueError(
            f"test_speaker={test_speaker!r} needs a split that leaves one speaker out, this one is by "
            f"{rule.kind}: choose the card's split of kind speaker"
        )
    clips = [clip for clip, _ in found]
    match rule:
        case Hash():
            test = 10.0 if isinstance(rule.test, str) else rule.test
            splits = [which_set(clip.path, rule.validation, test) for clip in clips]
        case Lists():
            splits = _by_lists(clips, rule, folder, prefix)
        case Field():
            validation, tested = set(map(str, rule.validation)), set(map(str, rule.test))
            values = _values(found, rule.field)
            splits = ["test" if v in tested else "validation" if v in validation else "train" for v in values]
        case Column():
            splits = [rule.names.get(value, value) for value in _values(found, rule.column)]
            if wrong := [clip for clip, split in zip(clips, splits, strict=True) if split not in SPLITS]:
                raise ValueError(
                    f"{rule.column}: expected {', '.join(SPLITS)} or one of the rule's names "
                    f"({', '.join(rule.names) or 'none'}); not so for {few(clip.path for clip in wrong)}"
                )
        case Speaker():
            splits = _by_speaker(clips, rule, test_speaker)
    return [replace(clip, split=split) for clip, split in zip(clips, splits, strict=True)]


def select(clips: Iterable[Clip], labels: Labels) -> list[Clip]:
    """Keep the wanted classes, pool the other words as unknown, and add silence.

    As `prepare_data_index` of TensorFlow's input_data.py: in each split there are ceil(kept clips *
    percentage / 100) silences and as many unknowns, cut from the split's own other words after a shuffle
    with seed 59185; a clip never changes its split. Where there are fewer other words all are taken. A
    silence has the path `<label>/<split>/<number>` and no file: the clip store draws it.

    Args:
        clips: Clips with labels and splits; sorted by path before anything is drawn.
        labels: The selection.

    Returns:
        Clips sorted by path.

    Raises:
        ValueError: A class to keep has no clips.
    """
    clips = sorted(clips, key=lambda clip: clip.path)
    if not labels.keep:
        selected = clips
    else:
        if missing := set(labels.keep).difference(clip.label for clip in clips):
            present = sorted({clip.label for clip in clips})
            raise ValueError(f"no clips with the label {few(sorted(missing))}: there are {few(present, 40)}")
        selected = [clip for clip in clips if clip.label in labels.keep]
    size = {split: sum(clip.split == split for clip in selected) for split in SPLITS}
    generator = random.Random(_SEED)
    pooled: list[Clip] = []
    for split in _SHUFFLE_ORDER:
        if labels.silence:
            count = math.ceil(size[split] * labels.silence.percentage / 100)
            name = labels.silence.label
            pooled += [Clip(f"{name}/{split}/{number}", name, "", split) for number in range(count)]
        if labels.unknown:
            others = [clip for clip in clips if clip.split == split and clip.label not in labels.keep]
            generator.shuffle(others)
            count = math.ceil(size[split] * labels.unknown.percentage / 100)
            pooled += [replace(clip, label=labels.unknown.label) for clip in others[:count]]
    return sorted(selected + pooled, key=lambda clip: clip.path)


def _values(found: Sequence[tuple[Clip, dict[str, str]]], name: str) -> list[str]:
    missing = [clip.path for clip, fields in found if name not in fields]
    if missing:
        known = sorted(found[0][1])
        raise ValueError(f"no field {name!r}: the layout gives {', '.join(known) or 'none'}")
    return [fields[name] for _, fields in found]


def _by_lists(clips: Sequence[Clip], rule: Lists, folder: Path, prefix: str) -> list[str]:
    listed: dict[str, str] = {}
    paths = {clip.path for clip in clips}
    for split, name in (("validation", rule.validation), ("test", rule.test)):
        if name is None:
            continue
        file = folder / name
        if not file.is_file():
            raise ValueError(f"{file}: no such file, expected the list of the {split} clips, one path a line")
        lines = [prefix + line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
        if absent := [line for line in lines if line not in paths]:
            raise ValueError(f"{file}: {len(absent)} of its {len(lines)} paths are not in the corpus: {few(absent)}")
        if twice := [line for line in lines if listed.get(line, split) != split]:
            raise ValueError(f"{file}: also listed for {listed[twice[0]]}: {few(twice)}")
        listed |= dict.fromkeys(lines, split)
    return [listed.get(clip.path, "train") for clip in clips]


def _by_speaker(clips: Sequence[Clip], rule: Speaker, test_speaker: str | None) -> list[str]:
    known = sorted({clip.speaker for clip in clips} - {""})
    for name, value in (("test_speaker", test_speaker), ("validation", rule.validation)):
        if value not in known and (value is not None or name == "test_speaker"):
            raise ValueError(f"{name}: expected one of the speakers {few(known, 40) or '(none)'}; got {value!r}")
    named = {rule.validation: "validation", test_speaker: "test"}
    return [named.get(clip.speaker, "train") for clip in clips]


def few(items: Iterable[str], count: int = 5) -> str:
    """Join the first few of many names for an error message."""
    items = list(items)
    return ", ".join(items[:count]) + (f" and {len(items) - count} more" if len(items) > count else "")
