"""`audionet models list` and `show`."""

from collections.abc import Mapping
from inspect import signature
from pathlib import Path
from re import fullmatch
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from audionet.checks import check_one_of, check_that
from audionet.console import print_table

if TYPE_CHECKING:
    from audionet.bundle import Bundle
    from audionet.features import FrontEnd

GENERATORS = ("wavenet", "wavenet_autoencoder")  # see samples, not spectrograms: `audionet inspect` shows their layers


def models_list() -> None:
    """List the trained networks that come with audionet, and the architectures.

    Example:
        audionet models list
    """
    from audionet import bundle, models
    from audionet.bundle_tasks import TASKS

    rows = [("NAME", "TASK", "ARCHITECTURE", "KNOWS", "TEST", "TRAINED ON")]
    for task in TASKS:
        for name in bundle.shipped(task):
            loaded = bundle.load(name, task)
            knows = ", ".join(f"{len(values)} {category}s" for category, values in loaded.categories.items())
            data = str(loaded.training.get("data", "not recorded"))
            rows.append((name, task, loaded.model.name, knows, loaded.test_figure, data))
    print_table(rows)
    print(f"\nArchitectures to train: {', '.join(models.MODELS)}")


def models_show(name: str, *, input: str | None = None, model: Mapping[str, Any] = MappingProxyType({})) -> None:
    """Show what a trained network is and knows, or which arguments an architecture takes, and its layers.

    The layers come with the volume after each of them, its parameters and MACs (multiplications, each with its
    addition) with their shares of all, and what one output sees in milliseconds and hertz.

    Args:
        name: Name of a shipped bundle, path of one, or name of an architecture (see `audionet models list`).
        input: Bands and frames of the spectrogram, such as 64x301; 40x101 for an architecture, or a trained network's.
        model: Argument of the architecture, such as `--model depth=18`; may be repeated.

    Example:
        audionet models show commands
        audionet models show bcresnet
        audionet models show resnet --input 64x301 --model depth=18
    """
    from audionet import bundle, bundle_tasks, models
    from audionet.cli.arguments import print_arguments

    tasks = [task for task in bundle_tasks.TASKS if name in bundle.shipped(task)]
    if not tasks and name in models.MODELS:
        rows = [] if name in GENERATORS else _architecture_rows(name, input or "40x101", model)
        print_arguments(models.MODELS[name], "--model")
        _print_layers(rows)
        return
    if not tasks and not Path(name).is_file():
        shipped = [each for task in bundle_tasks.TASKS for each in bundle.shipped(task)]
        check_one_of(dict.fromkeys([*shipped, *models.MODELS]), "name", name, "or give the path of a bundle")
    check_that(not model, "model", "no arguments for a trained network, which has its own", dict(model), "leave it out")
    for task in tasks or (None,):
        loaded = bundle.load(name, task)
        rows = [] if loaded.task == "generation" else _trained_rows(loaded, input)
        _show(loaded)
        _print_layers(rows)


def _architecture_rows(name: str, size: str, arguments: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the layers of an architecture with initial weights, for spectrograms of 16 kHz with a hop of 10 ms."""
    from audionet import features, insight, models

    n_bands, n_frames = _bands_and_frames(size)
    own = {"n_classes": 12, "n_bands": n_bands}
    if "n_frames" in signature(models.MODELS[name]).parameters:
        own["n_frames"] = n_frames
    network = models.create(name, **own | dict(arguments))
    front_end = features.create("LogMel", sample_rate=16_000, n_mels=n_bands)
    return insight.layer_rows(models.layer_table(network, n_frames), front_end)


def _trained_rows(loaded: "Bundle", size: str | None) -> list[tuple[str, ...]]:
    """Return the layers of a trained recogniser, for its own clips or a size."""
    import torch

    from audionet import insight, models

    front_end = cast("FrontEnd", loaded.parts["front_end"].module)
    n_frames = front_end(torch.zeros(loaded.clip_length)).shape[-1]
    if size is not None:
        n_bands, n_frames = _bands_and_frames(size)
        advice = "leave the size out for that of its clips"
        check_that(n_bands == front_end.n_bands, "input", f"{front_end.n_bands} bands, its own", size, advice)
    return insight.layer_rows(models.layer_table(loaded.model.module, n_frames), front_end)


def _print_layers(rows: list[tuple[str, ...]]) -> None:
    """Print the table of a recogniser's layers; nothing for another network."""
    from audionet.insight import LAYER_HEADS

    if rows:
        print()
        print_table([LAYER_HEADS, *rows])


def _bands_and_frames(size: str) -> tuple[int, int]:
    """Return the bands and frames of a size such as 40x101."""
    match = fullmatch(r"([1-9][0-9]*)[x×]([1-9][0-9]*)", size.strip())
    if match is None:
        raise ValueError(f"input: expected bands and frames such as 40x101, got {size!r}")
    return int(match[1]), int(match[2])


def _show(loaded: "Bundle") -> None:
    """Print all that a bundle says of itself."""
    rows = [("task", loaded.task), ("test", loaded.test_figure)]
    for field, part in loaded.parts.items():
        arguments = ", ".join(f"{key}={value!r}" for key, value in part.arguments.items() if key != "categories")
        rows.append((field.replace("_", "-"), f"{part.name}({arguments})"))
    parameters = sum(each.numel() for part in loaded.parts.values() for each in part.module.parameters())
    seconds = f"{loaded.clip_length / loaded.sample_rate:g} s at {loaded.sample_rate} Hz"
    rows += [("parameters", f"{parameters:,}"), ("clips", seconds)]
    rows += [(f"{category}s", " ".join(map(str, values))) for category, values in loaded.categories.items()]
    rows += _thresholds(loaded.detection)
    rows += [(key.replace("_", " "), str(value)) for key, value in loaded.training.items()]
    print_table(rows)


def _thresholds(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what `audionet calibrate` wrote into a bundle; nothing where it did not."""
    if not found:
        return []
    (low, high), hours = found["interval"], found["negative_hours"]
    raised = f"{found['alarms']} in {hours:.2f} h, {low:.2f} to {high:.2f} an hour; {found['false_alarms_per_hour']:g}"
    levels = ", ".join(f"{keyword} {threshold:.4g}" for keyword, threshold in found["thresholds"].items())
    return [("thresholds", levels), ("false alarms", f"{raised} were wanted")]
