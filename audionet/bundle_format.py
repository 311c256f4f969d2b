"""The file of a bundle: a description (JSON) and tensors, in a safetensors file with a checksum over both.

`audionet.bundle` says what they mean. This module reads and writes them, brings older formats to the present one, and
checks that no value is out of bounds: a right checksum says that a file is as it was written, not that it means well.
Its errors do not name the file; `audionet.bundle` puts the name before them.

A description of format 3 is {"format", "library_version", "task", "model", "front_end", "sample_rate", "clip_length",
"labels", "temperature", "threshold", "detection", "value_lengths", "training", "sha256"}; a part is {"name",
"arguments"}, and "front_end" may be null. "detection" may be missing; see `check_detection`. Tensors are named "model."
or "front_end." and the name in that module. Format 2 had no "temperature" and no "threshold". Format 1 had "features"
where format 2 has "front_end", and other names for some arguments and tensors of networks.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialize
from torch import Tensor, nn

from audionet import __version__
from audionet.audio.containers.limits import RATES
from audionet.checks import check_at_least, check_no_misfits, check_one_of, check_positive, check_that, listed
from audionet.labels import is_word

Json = dict[str, Any]
"""A JSON object."""

FORMAT_VERSION = 3
"""Format that is written; it and all before it can be read."""

_MOST_TEXT = 1 << 24  # letters of a description
_DEEPEST = 32  # levels of lists and objects within each other
_LARGEST = 1 << 20  # whole number among the arguments of a part, where the highest sample rate is one million
# Samples of a clip: an hour at 16 kHz, and more than at 48.
_LONGEST = {"recognition": 1 << 26, "generation": 1 << 28, "embedding": 1 << 26}
_WORDS = {str: "a text", dict: "an object"}
_RANGES = {"temperature": (0.01, 100.0), "threshold": (0.0, 1.0)}
_DETECTION = ("thresholds", "false_alarms_per_hour", "negative_hours", "alarms", "interval")
_NEW_IN_FORMAT_3 = {"temperature": 1.0, "threshold": 0.0}

# What format 1 called otherwise, for each network: {name in format 1: name now}.
_ARGUMENTS_OF_FORMAT_1 = {"bcresnet": {"n_mels": "n_bands"}, "tcresnet": {"n_mels": "n_bands"}}
_TENSORS_OF_FORMAT_1 = {  # beginnings of names; the first that fits counts
    "bcresnet": {"head.5.": "head.", "head.": "tail."},
    "wavenet": {"place.": "places.from_start.", "place_from_end.": "places.from_end.", "mix.": "places.mix."},
    "wavenet_autoencoder": {
        "decoder.place.": "decoder.places.from_start.",
        "decoder.place_from_end.": "decoder.places.from_end.",
        "decoder.mix.": "decoder.places.mix.",
    },
}
_LINEAR_NOW = {"bcresnet": "model.head.weight"}  # a 1 × 1 convolution in format 1


def encode(description: Json, tensors: Mapping[str, Tensor]) -> tuple[str, dict[str, Tensor]]:
    """Return the text of a description, with a checksum, and copies of the tensors.

    Args:
        description: Description of the present format, without format, version and checksum.
        tensors: Weights by name; they may share memory.

    Raises:
        ValueError: A value of the description is none that JSON can hold.
    """
    described = {"format": FORMAT_VERSION, "library_version": __version__, **description}
    try:
        described = json.loads(json.dumps(described, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(f"arguments, labels, training: expected plain JSON values, but {error}") from error
    # Copies, because safetensors refuses tensors that share memory.
    copies = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }
    return json.dumps({**described, "sha256": checksum(described, copies)}), copies


def dump(text: str, tensors: Mapping[str, Tensor]) -> bytes:
    """Return the content of a file from what `encode` returned."""
    content: bytes = serialize(dict(tensors), metadata={"audionet": text})
    return content


def read(path: Path) -> tuple[str, dict[str, Tensor]]:
    """Return the text of the description and the tensors of a file, for `decode`.

    Raises:
        ValueError: The file is damaged or no bundle.
    """
    try:
        with path.open("rb") as file:
            start = file.read(9)
        # After the header's length as 8 bytes comes its JSON object.
        advice = "give the .safetensors that training writes at its end, no checkpoint"
        check_that(start[8:] == b"{", "content", "a safetensors file", start, advice)
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, AttributeError) as error:  # the last for a type that torch does not have
        raise ValueError(f"damaged or cut short ({error}); copy or download it again") from error
    check_that("audionet" in metadata, "metadata", "those of a bundle, which training writes", metadata)
    return metadata["audionet"], tensors


def decode(text: str, tensors: dict[str, Tensor]) -> tuple[Json, dict[str, Tensor]]:
    """Return description and tensors, as the present format has them.

    Raises:
        ValueError: They are damaged or of a newer format, or a value of the description is out of bounds.
    """
    check_that(len(text) <= _MOST_TEXT, "description", f"at most {_MOST_TEXT} letters", len(text))
    try:
        description = json.loads(text)
        version, expected = description["format"], description.pop("sha256", None)
        is_known, found = type(version) is int and 1 <= version <= FORMAT_VERSION, checksum(description, tensors)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"its description is damaged ({error}); copy or download it again") from error
    known = f"at most {FORMAT_VERSION}, which audionet {__version__} reads"
    advice = f"audionet {description.get('library_version')} wrote it: pip install --upgrade audionet"
    check_that(is_known, "format", known, version, advice)
    if found != expected:
        raise ValueError("damaged (its checksum does not match); copy or download it again")
    try:
        if version == 1:
            description, tensors = upgrade(description, tensors)
        if version < 3:
            description |= _NEW_IN_FORMAT_3
        description.setdefault("detection", {})
        check_description(description)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"its description is incomplete ({error}); make it again") from error
    return description, tensors


def checksum(description: Json, tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256, in hexadecimal, of a description (without its checksum) and of all tensors."""
    sha256 = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        sha256.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        sha256.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return sha256.hexdigest()


def check_description(description: Mapping[str, Any]) -> None:
    """Check the fields of a description of the present format.

    Raises:
        ValueError: A value is missing, of another type or out of bounds.
    """
    deepest = max((depth for depth, _ in _values(description)), default=0)
    check_that(deepest <= _DEEPEST, "description", f"at most {_DEEPEST} levels of lists and objects", deepest)
    wild = [value for _, value in _values(description) if isinstance(value, float) and not math.isfinite(value)]
    check_no_misfits(wild, "description", "finite numbers")
    check_one_of(_LONGEST, "task", description["task"], "a newer audionet may know it")
    for name, kind in (("library_version", str), ("training", dict), ("value_lengths", dict)):
        check_that(isinstance(description[name], kind), name, _WORDS[kind], description[name])
    check_part("model", description["model"])
    if description["front_end"] is not None:
        check_part("front_end", description["front_end"])
    rate = description["sample_rate"]
    check_that(type(rate) is int and rate in RATES, "sample_rate", f"{RATES[0]} to {RATES[-1]} Hz", rate)
    longest = _LONGEST[description["task"]]
    _check_lengths("clip_length", [description["clip_length"]], longest)
    for category, lengths in description["value_lengths"].items():
        check_that(isinstance(lengths, dict), f"value_lengths, {category}", _WORDS[dict], lengths)
        _check_lengths("value_lengths", lengths.values(), longest)
    own = (description["front_end"] or {"arguments": {}})["arguments"].get("sample_rate", rate)
    check_that(own == rate, "front_end", f"the sample rate of the clips, {rate} Hz", own, "make it again")
    for name, (least, most) in _RANGES.items():
        number = description[name]
        check_that(type(number) in (int, float) and least <= number <= most, name, f"{least:g} to {most:g}", number)
    labels = description["labels"]
    fits = isinstance(labels, list) and all(isinstance(label, str) and label for label in labels)
    check_that(fits and len({*labels}) == len(labels), "labels", "distinct names that are not empty", labels)
    check_detection(description["detection"], labels if description["task"] == "recognition" else [])


def check_detection(detection: object, labels: Sequence[str]) -> None:
    """Check what a bundle says of detection: nothing, {}, or thresholds and how they were found.

    {"thresholds": {keyword: score}, "false_alarms_per_hour": the rate that was wanted of all keywords together,
    "negative_hours": hours without a keyword that they were found on, "alarms": false alarms in these hours at the
    thresholds, "interval": [low, high], their exact 95% interval per hour}.

    Args:
        detection: What it says.
        labels: Labels of the recogniser, some of which are keywords; empty for another task.

    Raises:
        ValueError: It says anything else, or a value is out of bounds.
    """
    check_that(isinstance(detection, dict), "detection", _WORDS[dict], detection)
    assert isinstance(detection, dict)
    if not detection:
        return
    expected = f"{', '.join(_DETECTION)}, or nothing"
    check_that({*detection} == {*_DETECTION}, "detection", expected, [*detection], "run audionet calibrate again")
    thresholds, ends = detection["thresholds"], detection["interval"]
    check_that(isinstance(thresholds, dict) and thresholds, "detection, thresholds", "{keyword: score}", thresholds)
    known = [label for label in labels if is_word(label)]
    check_no_misfits([word for word in thresholds if word not in known], "detection, thresholds", "words among labels")
    rates = {f"detection, {name}": detection[name] for name in ("false_alarms_per_hour", "negative_hours")}
    check_that(isinstance(ends, list) and len(ends) == 2, "detection, interval", "[low, high]", ends)
    numbers = [*thresholds.values(), *rates.values(), detection["alarms"], *ends]
    check_no_misfits([each for each in numbers if type(each) not in (int, float)], "detection", "numbers")
    wild = [score for score in thresholds.values() if not 0 < score <= 1]
    check_no_misfits(wild, "detection, thresholds", "above 0 to 1")
    check_positive(**rates)
    check_at_least(0, whole=True, **{"detection, alarms": detection["alarms"]})
    check_that(0 <= ends[0] <= ends[1], "detection, interval", "rising ends from 0 on", ends)


def check_part(name: str, part: object) -> None:
    """Check name and arguments of a part; the part itself checks what they mean.

    Raises:
        ValueError: It is no object of a name and arguments, or an argument is out of bounds.
    """
    is_part = isinstance(part, dict) and isinstance(part.get("name"), str) and isinstance(part.get("arguments"), dict)
    check_that(is_part, name, "an object of a name and arguments", part)
    numbers = [value for _, value in _values(part) if isinstance(value, int)]
    too_large = [number for number in numbers if abs(number) > _LARGEST]
    check_no_misfits(too_large, name, f"whole numbers up to {_LARGEST} among its arguments")


def _values(value: object) -> Iterator[tuple[int, object]]:
    """Yield the values in lists and objects, at any depth, and their depths."""
    waiting = [(0, value)]
    while waiting:
        depth, value = waiting.pop()
        yield depth, value
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        waiting += [(depth + 1, each) for each in inner]


def _check_lengths(name: str, lengths: Any, longest: int) -> None:
    wrong = [length for length in lengths if not (type(length) is int and 0 < length <= longest)]
    check_no_misfits(wrong, name, f"positive whole numbers of samples, up to {longest}")


def upgrade(description: Json, tensors: Mapping[str, Tensor]) -> tuple[Json, dict[str, Tensor]]:
    """Return a description and tensors of format 1 as format 2 has them."""
    network, front_end = description["model"]["name"], description["features"]
    names = _ARGUMENTS_OF_FORMAT_1.get(network, {})
    arguments = {names.get(name, name): value for name, value in description["model"]["arguments"].items()}
    upgraded = {
        "value_lengths": {},  # early bundles do not have it
        **description,
        "model": {"name": network, "arguments": arguments},
        "front_end": None if front_end["name"] is None else front_end,
    }
    beginnings = {f"model.{old}": f"model.{new}" for old, new in _TENSORS_OF_FORMAT_1.get(network, {}).items()}
    beginnings["features."] = "front_end."
    renamed = {_renamed(name, beginnings): tensor for name, tensor in tensors.items()}
    if (linear := _LINEAR_NOW.get(network)) in renamed:
        renamed[linear] = renamed[linear].flatten(1)
    return upgraded, renamed


def _renamed(name: str, beginnings: Mapping[str, str]) -> str:
    """Return a name with its beginning replaced, if it is one of those."""
    for old, new in beginnings.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name


def load_weights(module: nn.Module, tensors: Mapping[str, Tensor], kind: str) -> None:
    """Give a module its tensors: those named ``kind``, a dot, and the name in the module.

    Raises:
        ValueError: Tensors are missing, of another architecture, of another shape or type, or not finite.
    """
    expected = module.state_dict()
    prefix = f"{kind}."
    found = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
    common = expected.keys() & found.keys()
    others = {key for key in common if not _is_like(found[key].dtype, expected[key].dtype)}
    problems = {
        "missing": expected.keys() - found.keys(),
        "not of this architecture": found.keys() - expected.keys(),
        "of another shape": {key for key in common if expected[key].shape != found[key].shape},
        "of another type": others,
        "not finite": {key for key in common - others if not found[key].to(expected[key].dtype).isfinite().all()},
    }
    wrong = [f"{listed(sorted(names))} {problem}" for problem, names in problems.items() if names]
    check_no_misfits(wrong, kind, f"the tensors of {type(module).__name__}")
    module.load_state_dict(found)


def _is_like(found: torch.dtype, expected: torch.dtype) -> bool:
    """Tell whether tensors of a type can be taken for another: floats of 16 bits or more for each other."""
    floats = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
    return found == expected or (found in floats and expected in floats)
