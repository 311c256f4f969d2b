"""One file that holds a trained network and everything needed to use it.

A bundle is a `.safetensors` file: the weights under `model.` and `features.`, and under the metadata key
`audionet` a JSON text with the architecture's name and arguments, the front-end's, the sample rate, the
labels and a record of the training. Nothing in it can execute: names are looked up among the architectures
of this library, never imported. A checksum over the description and the tensors tells a damaged file.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialize
from torch import Tensor, nn

from audionet import features as front_ends
from audionet import models
from audionet.version import __version__

FORMAT_VERSION = 1
TASKS = ("recognition", "generation")
_COMMANDS = {"recognition": "recognize", "generation": "generate"}
_SHIPPED = Path(__file__).parent / "pretrained"


class BundleError(ValueError):
    """A bundle that cannot be found, read, trusted or written; the message says which and why."""


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A trained network, ready for use.

    Attributes:
        task: What it is for: "recognition" or "generation".
        model: The network in evaluation mode. Recognition: (batch, 1, n_mels, frame) -> (batch, n_labels) logits;
            generation: a `WaveNet` or a `WaveNetAutoencoder`.
        model_name: Its name in `audionet.models`.
        model_arguments: What `audionet.models.create` was given besides the name.
        features: The front-end in evaluation mode: (batch, 1, time) -> (batch, 1, n_mels, frame). For generation the
            local conditioning's, (batch, time) -> (batch, n_mels, frame); None without one.
        features_name: Its name in `audionet.features`; None without one.
        features_arguments: What `audionet.features.create` was given besides the name.
        sample_rate: In Hz, of the waveforms.
        clip_length: Samples of one clip. Generation makes that unless told otherwise; for a network that is told how
            long its clip is, it is the middle one of the lengths that it was trained on.
        value_lengths: For such a network, the same of the clips of each value of each category,
            {category: {value: samples}}.
        labels: Name of each output of a recogniser, in order; none for generation.
        training: How it was made: data, accuracy, command, seed, date, versions.
        library_version: The audionet that wrote it.
    """

    task: str
    model: nn.Module
    model_name: str
    model_arguments: Mapping[str, Any]
    sample_rate: int
    clip_length: int
    features: nn.Module | None = None
    features_name: str | None = None
    features_arguments: Mapping[str, Any] = field(default_factory=dict)
    value_lengths: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    training: Mapping[str, Any] = field(default_factory=dict)
    library_version: str = __version__


def shipped(task: str) -> list[str]:
    """Names of the bundles for a task inside the package, which `find` and `load` take in place of a path."""
    return sorted(path.stem for path in (_SHIPPED / task).glob("*.safetensors"))


def find(name_or_path: str | os.PathLike[str], task: str | None = None) -> Path:
    """The file of a shipped bundle's name or of a path.

    Args:
        name_or_path: The name, or the path.
        task: What it is wanted for, where one name is shipped for two tasks; None: the first that has it.

    Raises:
        BundleError: There is no such file.
    """
    for known in TASKS if task is None else (task, *TASKS):
        if name_or_path in shipped(known):
            return _SHIPPED / known / f"{name_or_path}.safetensors"
    path = Path(name_or_path)
    if not path.is_file():
        names = {known: shipped(known) for known in TASKS if task in (None, known)}
        listed = "; ".join(f"for {known}: {', '.join(found)}" for known, found in names.items() if found)
        raise BundleError(
            f"{path}: no such bundle; give the path of a .safetensors file that training wrote, "
            f"or one of the shipped names ({listed or 'none in this installation'})"
        )
    return path


def save(
    path: str | os.PathLike[str],
    *,
    task: str,
    model: nn.Module,
    model_name: str,
    model_arguments: Mapping[str, Any],
    sample_rate: int,
    clip_length: int,
    features: nn.Module | None = None,
    features_name: str | None = None,
    features_arguments: Mapping[str, Any] | None = None,
    labels: Sequence[str] = (),
    training: Mapping[str, Any] | None = None,
    value_lengths: Mapping[str, Mapping[str, int]] | None = None,
) -> None:
    """Write a bundle; the arguments are the fields of `Bundle`.

    The file appears under its name only when complete and read back successfully, so that a bundle that
    exists is one that `load` takes.

    Raises:
        BundleError: The parts do not fit together, or the description is not representable as JSON.
    """
    description = {
        "format": FORMAT_VERSION,
        "library_version": __version__,
        "task": task,
        "model": {"name": model_name, "arguments": dict(model_arguments)},
        "features": {"name": features_name, "arguments": dict(features_arguments or {})},
        "sample_rate": sample_rate,
        "clip_length": clip_length,
        "value_lengths": {name: dict(lengths) for name, lengths in (value_lengths or {}).items()},
        "labels": list(labels),
        "training": dict(training or {}),
    }
    try:
        description = json.loads(json.dumps(description, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise BundleError(f"{path}: arguments, labels and training must be plain JSON values, but {error}") from error
    # Copies, because safetensors refuses tensors that share memory.
    tensors = {
        f"{prefix}.{name}": tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for prefix, module in (("model", model), ("features", features))
        if module is not None
        for name, tensor in module.state_dict().items()
    }
    text = json.dumps({**description, "sha256": _digest(description, tensors)})

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(serialize(tensors, metadata={"audionet": text}))
        load(temporary)
        os.replace(temporary, path)
    except BundleError as error:
        raise BundleError(str(error).replace(str(temporary), str(path))) from error
    finally:
        temporary.unlink(missing_ok=True)


def load(name_or_path: str | os.PathLike[str], wanted: str | None = None) -> Bundle:
    """Read a bundle by the name of a shipped one or by its path, on the CPU.

    Args:
        name_or_path: The name, or the path.
        wanted: The task: "recognition" or "generation"; None: for what it is.

    Raises:
        BundleError: There is no such file, or it is damaged, not a bundle, made by a newer audionet, for another
            task, or its parts do not fit together.
    """
    path = find(name_or_path, wanted)
    description, tensors = _read(path)
    try:
        task, labels, training = description["task"], tuple(description["labels"]), description["training"]
        sample_rate, clip_length = description["sample_rate"], description["clip_length"]
        value_lengths = {name: dict(lengths) for name, lengths in description.get("value_lengths", {}).items()}
        model_name, model_arguments = description["model"]["name"], dict(description["model"]["arguments"])
        features_name = description["features"]["name"]
        features_arguments = dict(description["features"]["arguments"])
        library_version = description["library_version"]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{path}: its description is incomplete ({error}); make it again") from error
    if task not in TASKS:
        raise BundleError(f"{path}: made for the task {task!r}, but this audionet knows {', '.join(TASKS)}")
    if wanted not in (None, task):
        raise BundleError(f"{path}: made for {task}, not for {wanted}; use it with `audionet {_COMMANDS[task]}`")
    if not all(isinstance(value, int) and value > 0 for value in (sample_rate, clip_length)):
        raise BundleError(
            f"{path}: sample_rate and clip_length must be positive whole numbers, got {sample_rate!r} and "
            f"{clip_length!r}"
        )
    if not all(
        isinstance(value, int) and value > 0 for lengths in value_lengths.values() for value in lengths.values()
    ):
        raise BundleError(f"{path}: value_lengths must be positive whole numbers, got {value_lengths!r}")
    if features_arguments.get("sample_rate", sample_rate) != sample_rate:
        raise BundleError(
            f"{path}: its front-end is for {features_arguments['sample_rate']} Hz, but its clips are at "
            f"{sample_rate} Hz"
        )
    if not all(isinstance(label, str) and label for label in labels) or len(set(labels)) != len(labels):
        raise BundleError(f"{path}: labels must be distinct, non-empty names, got {list(labels)}")

    features = None
    if features_name is not None:
        features = _module(path, "features", front_ends.create, features_name, features_arguments, tensors)
    bundle = Bundle(
        task=task,
        model=_module(path, "model", models.create, model_name, model_arguments, tensors),
        model_name=model_name,
        model_arguments=model_arguments,
        features=features,
        features_name=features_name,
        features_arguments=features_arguments,
        sample_rate=sample_rate,
        clip_length=clip_length,
        value_lengths=value_lengths,
        labels=labels,
        training=training,
        library_version=library_version,
    )
    if unknown := [name for name in tensors if not name.startswith(("model.", "features."))]:
        raise BundleError(f"{path}: holds tensors that belong to nothing: {_some(unknown)}")
    _try_out(path, bundle)
    return bundle


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The description and the tensors of a file whose format version and checksum are right."""
    try:
        with path.open("rb") as file:
            start = file.read(9)
        if start[8:] != b"{":  # after the header's length as 8 bytes comes its JSON object
            raise BundleError(
                f"{path}: not a safetensors file; a bundle is the .safetensors that training writes at its "
                "end, not a checkpoint"
            )
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise BundleError(f"{path}: damaged or cut short ({error}); copy or download it again") from error
    if "audionet" not in metadata:
        raise BundleError(
            f"{path}: a safetensors file, but not an audionet bundle (its metadata has no 'audionet' entry)"
        )
    try:
        description = json.loads(metadata["audionet"])
        if description["format"] > FORMAT_VERSION:
            raise BundleError(
                f"{path}: made by audionet {description.get('library_version')} in bundle format "
                f"{description['format']}, but this is audionet {__version__}, which reads up to format "
                f"{FORMAT_VERSION}; pip install --upgrade audionet"
            )
        digest = description.pop("sha256")
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"{path}: its description is damaged ({error}); copy it again") from error
    if digest != _digest(description, tensors):
        raise BundleError(f"{path}: damaged (its checksum does not match); copy or download it again")
    return description, tensors


def _digest(description: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of everything that a bundle says."""
    sha256 = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        sha256.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        sha256.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return sha256.hexdigest()


def _module(
    path: Path,
    part: str,
    create: Callable[..., nn.Module],
    name: str,
    arguments: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
) -> nn.Module:
    """Make one part of a bundle and give it its weights."""
    try:
        with torch.random.fork_rng(devices=[]):  # the initial weights must not use up the caller's numbers
            module = create(name, **arguments)
    except (TypeError, ValueError, RuntimeError) as error:
        raise BundleError(f"{path}: its {part} cannot be made by audionet {__version__}: {error}") from error
    expected = module.state_dict()
    prefix = f"{part}."
    found = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
    common = expected.keys() & found.keys()
    problems = {
        "missing": expected.keys() - found.keys(),
        "not of this architecture": found.keys() - expected.keys(),
        "of another shape": {key for key in common if expected[key].shape != found[key].shape},
        "not finite": {key for key, value in found.items() if not value.isfinite().all()},
    }
    if wrong := [f"{_some(names)} {problem}" for problem, names in problems.items() if names]:
        raise BundleError(f"{path}: the tensors of its {part} ({name}) do not fit: {'; '.join(wrong)}")
    module.load_state_dict(found)
    return module.eval()


def _try_out(path: Path, bundle: Bundle) -> None:
    """Refuse a bundle whose parts do not fit together, by sending silence through."""
    try:
        with torch.inference_mode():
            (_recognise if bundle.task == "recognition" else _predict)(bundle)
    except (ValueError, RuntimeError, AttributeError, TypeError) as error:
        raise BundleError(f"{path}: its parts do not fit together for {bundle.task}: {error}") from error


def _recognise(bundle: Bundle) -> None:
    if bundle.features is None:
        raise ValueError("there is no front-end")
    logits = bundle.model(bundle.features(torch.zeros(1, 1, bundle.clip_length)))
    if logits.shape != (1, len(bundle.labels)):
        raise ValueError(f"{len(bundle.labels)} labels, but the model's output for one clip is {tuple(logits.shape)}")


def _predict(bundle: Bundle) -> None:
    model: Any = bundle.model  # which has what a WaveNet has, or is refused for the lack of it
    hop, n_samples = model.hop_length, max(model.hop_length, 2)
    conditions = {name: torch.zeros(1, dtype=torch.int64) for name in model.categories}
    frames = None if bundle.features is None else bundle.features(torch.zeros(1, bundle.clip_length))
    part = None if frames is None else frames[..., :2]
    outputs = model(model.distribution.from_waveform(torch.zeros(1, n_samples)), conditions, part)
    if outputs.shape != (1, n_samples, model.distribution.n_outputs):
        raise ValueError(f"the model's output for {n_samples} samples is {tuple(outputs.shape)}")
    if frames is not None and frames.shape[-1] != (expected := 1 + bundle.clip_length // hop):
        raise ValueError(
            f"the front-end gives {frames.shape[-1]} frames of {bundle.clip_length} samples, where the model's hop of "
            f"{hop} needs {expected}"
        )


def _some(names: Sequence[str] | set[str]) -> str:
    """The first few of many names."""
    listed = sorted(names)
    return ", ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "")
