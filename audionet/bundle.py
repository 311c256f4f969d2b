"""One file that holds a trained network and everything needed to use it.

A bundle is a `.safetensors` file: the weights of its parts, and a JSON text with name and arguments of each part, the
sample rate, the labels and a record of the training (see `audionet.bundle_format`). Nothing in it can execute: a name
is looked up among the networks and front-ends that are known, never imported. A checksum tells a damaged file.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path

import torch
from torch import Tensor, nn

from audionet import __version__, features, models
from audionet.bundle_format import Json, decode, dump, encode, load_weights, read
from audionet.bundle_tasks import TASKS, Allowance
from audionet.checks import check_no_misfits, check_that, nearest
from audionet.files import whole_file
from audionet.parallel import one_thread

SHIPPED = Path(__file__).parent / "pretrained"
"""Folder of the bundles that come with audionet, with one folder a task."""


class BundleError(ValueError):
    """A bundle that cannot be found, read, trusted or written; the message says which and why."""


@dataclass(frozen=True)
class Part:
    """A module of a bundle, and how it was made.

    Attributes:
        name: Its name in `audionet.models.MODELS` or `audionet.features.FEATURES`.
        arguments: What its `create` was given besides the name; JSON values.
        module: The module itself.
    """

    name: str
    arguments: Json
    module: nn.Module


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A trained network, ready for use.

    Attributes:
        task: A key of ``TASKS``: "recognition", "generation" or "embedding".
        model: The network: an `audionet.models.RecognitionNetwork`, for "embedding" one without a classifier, or for
            generation a `SampleModel`.
        front_end: The front-end: (batch, 1, time) to (batch, 1, n_bands, frame). For generation, that of the local
            conditioning: (batch, time) to (batch, n_bands, frame); None without one.
        sample_rate: Samples per second of the waveforms.
        clip_length: Samples of one clip, and what generation makes by default: for a network that is told the length,
            the median of the training clips.
        labels: Name of each class of a recogniser, in order; empty for the other tasks.
        temperature: What a recogniser's logits are divided by, so that a probability of 90% is right nine times in ten.
        threshold: Probability of a word from which on a recogniser answers with it; 0 to answer always.
        detection: Threshold of each keyword of a detector, and how they were found, as
            `audionet.bundle_format.check_detection` describes it; empty where nobody calibrated them.
        value_lengths: Median clip length for each value of each category, {category: {value: samples}}; empty for a
            network that is not told how long its clip is.
        training: How it was made: data, accuracy, command, seed, date, versions; JSON values.
        library_version: Version of audionet that wrote it.
    """

    task: str
    model: Part
    front_end: Part | None = None
    sample_rate: int
    clip_length: int
    labels: tuple[str, ...] = ()
    temperature: float = 1.0
    threshold: float = 0.0
    detection: Json = field(default_factory=dict)
    value_lengths: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    training: Json = field(default_factory=dict)
    library_version: str = __version__

    @property
    def parts(self) -> dict[str, Part]:
        """The parts that there are, by the name of their field."""
        parts = {"model": self.model, "front_end": self.front_end}
        return {name: part for name, part in parts.items() if part is not None}

    @property
    def categories(self) -> Mapping[str, Sequence[str]]:
        """The values by category: the labels of a recogniser, what a generator can be conditioned on."""
        return {"label": self.labels} if self.labels else self.model.arguments.get("categories", {})

    @property
    def test_figure(self) -> str:
        """The figure of its task, as the training recorded it: on people where that was measured, or on test clips."""
        figure, people = self.training.get(TASKS[self.task].figure), self.training.get("people")
        if isinstance(people, Mapping):
            return f"{people['accuracy']:.1%} on people"
        shown = TASKS[self.task].shown.format(figure) if isinstance(figure, float) else "not recorded"
        return f"{shown}, synthetic" if self.training.get("test_is_synthetic") else shown


def new_part(field: str, *, name: str, **arguments: object) -> Part:
    """Build a part by its name, with initial weights.

    Args:
        field: Where it belongs in a `Bundle`: "model" or "front_end".
        name: Name of the network or front-end.
        **arguments: Arguments of its own.

    Raises:
        ValueError: The name is unknown, or an argument does not fit.

    Example:
        >>> new_part("front_end", name="LogMel", sample_rate=16_000, n_mels=64).module.n_bands
        64
    """
    create, known = _PARTS[field]
    return Part(name, _without_start(known, name, arguments), create(name, **arguments))


def shipped(task: str) -> list[str]:
    """Return the names of the bundles that come with audionet for a task; `find` and `load` take them for a path.

    Example:
        >>> shipped("recognition")
        ['commands', 'digits']
    """
    return sorted(path.stem for path in (SHIPPED / task).glob("*.safetensors"))


def find(name_or_path: str | os.PathLike[str], task: str | None = None) -> Path:
    """Return the path of a bundle.

    Args:
        name_or_path: Name of a shipped bundle, or path of a file.
        task: Task that comes first where a name is shipped for two; None for the order of ``TASKS``.

    Raises:
        BundleError: There is no such file.
    """
    for known in TASKS if task is None else (task, *TASKS):
        if name_or_path in shipped(known):
            return SHIPPED / known / f"{name_or_path}.safetensors"
    path = Path(name_or_path)
    if path.suffix == ".onnx":
        advice = "give that one here, and this one to audionet detect or audionet.load_detector"
        raise BundleError(f"{path}: expected the .safetensors file of a bundle, got one of audionet export; {advice}")
    if not path.is_file():
        names = {known: shipped(known) for known in TASKS if task in (None, known)}
        advice = nearest(path, {name for found in names.values() for name in found}, "check its spelling")
        known_names = "; ".join(f"for {known}: {', '.join(found)}" for known, found in names.items() if found)
        raise BundleError(
            f"{path}: expected the path of a .safetensors file that training wrote, or a shipped name "
            f"({known_names or 'none in this installation'}), got neither; {advice}"
        )
    return path


def save(path: str | os.PathLike[str], bundle: Bundle) -> None:
    """Write a bundle.

    The file is read back and tried out before it appears under its name, so that `load` takes every file that exists.

    Args:
        path: Path of the file; missing folders above it are made.
        bundle: The bundle. Its modules are not changed.

    Raises:
        BundleError: The parts do not fit together, or a value is none that JSON can hold.
        OSError: The file cannot be written.
    """
    path = Path(path)
    with _named(path):
        content = dump(*_encoded(bundle))
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path, sync=True) as file:
            file.write(content)
            file.flush()
            _load(Path(file.name), bundle.task)


def checked(bundle: Bundle) -> Bundle:
    """Check before a training that `save` will take the bundle after it.

    All that `save` checks and that no training changes is checked: the form and the size of the values, whether the
    arguments make parts like those that are there, and whether these fit together and give numbers.

    Args:
        bundle: The bundle, with the initial weights. Its modules are not changed, and no random numbers are drawn.

    Returns:
        The bundle.

    Raises:
        BundleError: `save` would refuse it.
    """
    with _named("bundle"):
        _made(*decode(*_encoded(bundle)), bundle.task)
    return bundle


def load(name_or_path: str | os.PathLike[str], task: str | None = None) -> Bundle:
    """Read a bundle and try it out, on the CPU and in evaluation mode.

    Args:
        name_or_path: Name of a shipped bundle, or path of a file.
        task: Task that it must be for; None for any.

    Raises:
        BundleError: There is no such file; or it is damaged, no bundle, of a newer format, for another task, or of a
            network or front-end that is not known here; or its parts do not fit together.

    Example:
        >>> digits = load("digits", task="recognition")
        >>> digits.model.name, digits.front_end.name, digits.sample_rate
        ('cnn_tdnn', 'LogMel', 16000)
    """
    path = find(name_or_path, task)
    with _named(path):
        return _load(path, task)


def _encoded(bundle: Bundle) -> tuple[str, dict[str, Tensor]]:
    description = {each.name: getattr(bundle, each.name) for each in fields(Bundle) if each.name != "library_version"}
    description |= {kind: {"name": part.name, "arguments": part.arguments} for kind, part in bundle.parts.items()}
    tensors = {
        f"{kind}.{name}": tensor
        for kind, part in bundle.parts.items()
        for name, tensor in part.module.state_dict().items()
    }
    return encode(description, tensors)


@contextmanager
def _named(path: Path | str) -> Iterator[None]:
    """Turn an error about a value into one about the bundle, with the file's name before its message."""
    try:
        yield
    except ValueError as error:
        reason = str(error)
        reason = reason if len(reason) <= _MOST_LETTERS else f"{reason[:_MOST_LETTERS]} ..."  # what it got may be long
        raise BundleError(f"{path}: {reason}") from error


def _load(path: Path, wanted: str | None) -> Bundle:
    return _made(*decode(*read(path)), wanted)


def _made(description: Json, tensors: Mapping[str, Tensor], wanted: str | None) -> Bundle:
    """Make the bundle that is described, and try it out."""
    task = description["task"]
    check_that(wanted in (None, task), "task", repr(wanted), task, f"use it with {TASKS[task].use}")
    values = {each.name: description[each.name] for each in fields(Bundle)}
    parts = {name: values[name] for name in _PARTS if values[name] is not None}
    unknown = sorted(name for name in tensors if name.partition(".")[0] not in parts)
    check_no_misfits(unknown, "tensors", f"those of {' and '.join(parts)}")
    values |= {name: _make(name, part["name"], part["arguments"], tensors) for name, part in parts.items()}
    bundle = Bundle(**values | {"labels": tuple(values["labels"])})
    try:
        with one_thread(), torch.inference_mode(), Allowance(**_TRIAL, given=tensors.values()):
            front_end = None if bundle.front_end is None else bundle.front_end.module
            TASKS[task].try_out(bundle.model.module, front_end, bundle.clip_length, bundle.labels)
    except Exception as error:  # of whatever kind: the parts may be anyone's
        raise ValueError(f"its parts do not fit together for {task}: {error}") from error
    return bundle


def _make(kind: str, name: str, arguments: Json, tensors: Mapping[str, Tensor]) -> Part:
    """Make the model or the front-end and give it its weights."""
    create, known = _PARTS[kind]
    try:
        with Allowance(**_MADE[kind], given=tensors.values()):
            arguments = _without_start(known, name, arguments)
            module = create(name, **arguments)
    except Exception as error:  # of whatever kind: the part may be anyone's
        advice = "make it again with this audionet" if name in known else _IMPORT_IT
        raise ValueError(f"{kind}: {name} cannot be made by audionet {__version__} ({error}); {advice}") from error
    load_weights(module, tensors, kind)
    return Part(name, arguments, module.eval())


def _without_start(known: Mapping[str, type[nn.Module]], name: str, arguments: Json) -> Json:
    """Leave out the arguments that say only where training starts, which a bundle has behind it."""
    left_out = getattr(known[name], "starting_arguments", ())
    return {argument: value for argument, value in arguments.items() if argument not in left_out}


# What makes each part of a bundle, and the names that are known.
_PARTS: dict[str, tuple[Callable[..., nn.Module], Mapping[str, type[nn.Module]]]] = {
    "model": (models.create, models.MODELS),
    "front_end": (features.create, features.FEATURES),
}
# What may be made: far more than parts and trials need, and no more than a few seconds take. Some times what the file
# holds comes on top; a front-end computes its own.
_MADE = {"model": {"n_bytes": 1 << 28, "n_tensors": 1 << 12}, "front_end": {"n_bytes": 1 << 29, "n_tensors": 1 << 15}}
_TRIAL = {"n_bytes": 1 << 33, "n_tensors": 1 << 16}
_MOST_LETTERS = 2000  # of a message
_IMPORT_IT = "if it is your own, import the module that adds it: by --import MODULE, or before audionet.load"
