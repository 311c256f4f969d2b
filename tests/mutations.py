"""Bundles that somebody has changed, with checksums that are right again."""

import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from audionet import bundle, features, models
from audionet.bundle import Bundle, BundleError, Part
from audionet.bundle_format import checksum
from audionet.inference.loading import load_generator, load_recognizer

_DEEP: Any = []
for _ in range(200):
    _DEEP = [_DEEP]
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 7, 0.5, 10**4, 10**6, 10**9, 10**30, -(10**9), 1e30, 1e300, 1e-300),
    *(float("nan"), float("inf"), "", "x", "softmax", [], ["x", "x"], [1, 10**9], {}, {"x": 1}, {"x": "y"}, _DEEP),
)
"""What a value of a description is replaced by."""

_STACK = {
    **{"n_layers": 4, "n_cycles": 2, "kernel_size": 2, "residual_channels": 8, "gate_channels": 8},
    **{"skip_channels": 8, "output_channels": 8, "n_mixtures": 2},
}
_MEL = {"sample_rate": 8000, "n_fft": 64, "win_length": 64, "hop_length": 20, "n_mels": 5, "pad_mode": "constant"}
_CATEGORIES = {"label": ["yes", "no"], "speaker": ["a", "b", "c"]}
_LOGMEL = {"sample_rate": 8000, "n_mels": 40, "n_fft": 512, "win_length": 240, "hop_length": 80, "f_min": 0.0}
_SINCNET = {"sample_rate": 8000, "n_filters": 20, "win_length": 201, "hop_length": 80}
SOUND: Mapping[str, tuple[str, str, dict[str, Any], str | None, dict[str, Any]]] = {
    "bcresnet": (
        "recognition",
        "bcresnet",
        {"n_classes": 3, "tau": 1, "n_bands": 40, "dropout": 0.1},
        "LogMel",
        _LOGMEL,
    ),
    "tcresnet": ("recognition", "tcresnet", {"n_classes": 3, "width": 0.5, "n_bands": 20}, "SincNet", _SINCNET),
    "wavenet_classifier": ("recognition", "wavenet_classifier", {"n_classes": 3, **_STACK}, "Waveform", {}),
    "wavenet": (
        "generation",
        "wavenet",
        {**_STACK, "categories": _CATEGORIES, "category_channels": 4, "n_places": 3},
        None,
        {},
    ),
    "vocoder": (
        *("generation", "wavenet"),
        {**_STACK, "output": "logistic_mixture", "local_bands": 5, "local_channels": 3, "upsample": [4, 5]},
        *("LogMel", _MEL),
    ),
    "wavenet_autoencoder": (
        *("generation", "wavenet_autoencoder"),
        {**_STACK, "encoder_layers": 2, "encoder_cycles": 1, "encoder_channels": 4, "upsample": [4, 5]},
        *(None, {}),
    ),
}
"""Small bundles: task, network and its arguments, front-end and its arguments."""


def write_sound(folder: Path) -> list[Path]:
    """Write the bundles of ``SOUND``, with random weights, and return their paths."""
    paths = []
    for kind, (task, network, arguments, front_end, settings) in SOUND.items():
        torch.manual_seed(0)
        parts: dict[str, Any] = {"model": Part(network, arguments, models.create(network, **arguments))}
        if front_end is not None:
            parts["front_end"] = Part(front_end, settings, features.create(front_end, **settings))
        own: dict[str, Any] = {"labels": ("yes", "no", "on")} if task == "recognition" else {}
        own |= {"value_lengths": {"label": {"yes": 700, "no": 900}}} if kind == "wavenet" else {}
        training = {"data": "made up", "accuracy": 0.5, "bits_per_sample": 3.5, "seed": 0}
        paths.append(folder / f"{kind}.safetensors")
        bundle.save(paths[-1], Bundle(task=task, sample_rate=8000, clip_length=800, training=training, **own, **parts))
    return paths


def read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the description of a bundle, without its checksum, and its tensors."""
    with safe_open(path, framework="pt") as file:
        description = json.loads(file.metadata()["audionet"])
    return {name: value for name, value in description.items() if name != "sha256"}, load_file(path)


def write(path: Path, description: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Write a bundle with a right checksum, whatever is in it."""
    found = {**description, "sha256": checksum(dict(description), tensors)}
    save_file(dict(tensors), path, metadata={"audionet": json.dumps(found)})


def mutated(
    description: Mapping[str, Any], tensors: Mapping[str, Tensor], generator: Generator
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return a description and tensors in which one to three things have changed."""
    changed, weights = copy.deepcopy(dict(description)), dict(tensors)
    for _ in range(generator.integers(1, 4)):
        if generator.random() < 0.25:
            _change_tensors(weights, generator)
            continue
        places = list(_places(changed))
        holder, key = places[generator.integers(len(places))]
        if generator.random() < 0.1:
            del holder[key]
        else:
            holder[key] = copy.deepcopy(VALUES[generator.integers(len(VALUES))])
    return changed, weights


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each list or object at any depth, with each of its keys."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        if value is not _DEEP:
            yield value, key
            yield from _places(value[key]) if not _is_deep(value[key]) else ()


def _is_deep(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 1 and isinstance(value[0], list)


def _change_tensors(tensors: dict[str, Tensor], generator: Generator) -> None:
    """Change one tensor: its values, type, shape or name."""
    name = sorted(tensors)[generator.integers(len(tensors))]
    tensor = tensors[name]
    numbers = (float("nan"), float("inf"), 1e38, -1e38, -1.0, 0.0, 1e30)
    types = (torch.float8_e4m3fn, torch.complex64, torch.int8, torch.bool, torch.float16, torch.float64)
    what = generator.integers(5)
    if what == 0:
        tensors[name] = torch.full_like(tensor, numbers[generator.integers(len(numbers))], dtype=torch.float32)
    elif what == 1:
        tensors[name] = tensor.float().to(types[generator.integers(len(types))])
    elif what == 2:
        tensors[name] = torch.cat([tensor.reshape(-1), torch.zeros(1, dtype=tensor.dtype)])
    elif what == 3:
        del tensors[name]
    else:
        tensors[f"{name}.more"] = torch.zeros(2)


def use(path: Path) -> bool:
    """Load a bundle and use it for a moment; return whether it was taken.

    Raises:
        AssertionError: It was taken, and what it gives are no numbers.
    """
    try:
        task = bundle.load(path).task
    except BundleError as error:
        assert str(path) in str(error) and len(str(error)) < 3000
        return False
    noise = np.random.default_rng(0).uniform(-1, 1, 8000).astype(np.float32)
    if task == "recognition":
        predictions = load_recognizer(path).recognize(noise, 8000)
        assert all(0 <= probability <= 1 for _, probability in predictions) and predictions
        return True
    made = load_generator(path)
    frames = made.frames_of(noise, 8000)[..., :4] if made.needs_frames else None
    with torch.inference_mode():
        samples = made.wavenet.distribution.from_waveform(
            torch.zeros(1, 4 if frames is None else 4 * made.wavenet.hop_length)
        )
        chosen = made.positions(made.choose(1))
        assert made.wavenet(samples[:, :64], chosen, frames).isfinite().all()
    repr(made)
    return True
