"""The values of a run that are refused before its data are read: those of the trainer, and the names of parts."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeGuard

import torch
from jsonargparse import Namespace
from lightning import Trainer
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.accelerators import AcceleratorRegistry
from lightning.pytorch.strategies import StrategyRegistry
from torch import nn

from audionet.checks import check_at_least, check_one_of, check_that
from audionet.console import note
from audionet.features import FEATURES
from audionet.models import MODELS
from audionet.parallel import usable_cores
from audionet.training.averaging import warm_average
from audionet.training.checkpoints import check_folder
from audionet.training.progress import quiet_lightning


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_limit(value: object) -> bool:
    """Whether it is a share from 0.0 to 1.0, or a number of batches."""
    return _is_number(value) and (0 <= value <= 1 or (value > 1 and value % 1 == 0))


def _is_some(value: object) -> bool:
    return _is_limit(value) and value != 0


LIMIT = (_is_limit, "a share from 0.0 to 1.0 or a whole number of batches")
SOME = (_is_some, "a share above 0.0 and up to 1.0, or a whole number of batches")
COUNT = (_is_count, "a whole number of at least 1")
ENDLESS = (lambda value: _is_count(value) or value == -1, "a whole number of at least 1, or -1 for no limit")
FROM_0 = (lambda value: _is_count(value) or value == 0, "a whole number of at least 0")
POSITIVE = (lambda value: _is_number(value) and value > 0, "a number above 0")

RANGES: dict[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(("max_epochs", "max_steps"), ENDLESS),
    **dict.fromkeys(("num_nodes", "accumulate_grad_batches", "check_val_every_n_epoch"), COUNT),
    **dict.fromkeys(("min_epochs", "min_steps", "log_every_n_steps", "reload_dataloaders_every_n_epochs"), FROM_0),
    **dict.fromkeys(("limit_train_batches", "limit_test_batches"), SOME),
    **dict.fromkeys(("limit_val_batches", "overfit_batches"), LIMIT),
    "fast_dev_run": (lambda value: isinstance(value, bool) or FROM_0[0](value), "true, or a whole number of batches"),
    "num_sanity_val_steps": (lambda value: FROM_0[0](value) or value == -1, "-1 for all, or a whole number from 0 on"),
    "val_check_interval": (
        lambda value: _is_some(value) or isinstance(value, str | Mapping),
        "a share of an epoch above 0.0 and up to 1.0, or a whole number of batches",
    ),
    "gradient_clip_val": POSITIVE,
}
"""What fits where a value is given, and its description."""

CHOICES: dict[str, tuple[object, ...]] = {
    "precision": ("32-true", "32", 32, "bf16-mixed", "16-mixed"),  # weights stay float32
    "gradient_clip_algorithm": ("norm", "value"),
}
"""What fits where a value is one of a few; the first where none is given."""


def check_run(config: Namespace) -> None:
    """Refuse values of a recipe that cannot work on this machine, before anything slow is done.

    Args:
        config: Values that `audionet.flags.parse` has read: ``output``, ``resume``, ``data.root``, ``trainer``,
            ``ema_decay``, ``augment_p``, ``features``, ``model`` and ``task.warmup_epochs`` of them are looked at.

    Raises:
        ValueError: A value does not fit; the message names its flag.
    """
    check_that(config.output, "output", "a folder", config.output)
    check_folder(Path(config.output), resume=config.resume)
    if root := config.data.get("root"):
        apart = not Path(config.output).resolve().is_relative_to(Path(root).resolve())
        expected = f"a folder outside of data.root ({root}), where its sounds would be taken for clips"
        check_that(apart, "output", expected, config.output, "choose another --output")
    _check_on_lightning(trainer_arguments(config.trainer.as_dict()))
    if config.ema_decay is not None:
        warm_average(config.ema_decay)
    check_at_least(0, 1, augment_p=config.get("augment_p", 1.0))
    n_epochs, n_warmup = config.trainer.max_epochs or -1, config.task.get("warmup_epochs", 0)
    if 0 < n_epochs < 2 * n_warmup:
        note(f"half of the training is warm-up: task.warmup_epochs is {n_warmup:g}, trainer.max_epochs {n_epochs}")
    for registry, described in ((FEATURES, config.features), (MODELS, config.model)):
        if described is not None:
            registry[described["name"]]


def check_clip(front_end: nn.Module, model: nn.Module, *, sample_rate: int, clip_length: int) -> None:
    """Refuse clips that are too short for a front-end or a network, by trying one and a longer one.

    Args:
        front_end: Front-end, (batch, 1, time) -> (batch, 1, n_bands, frame).
        model: Network that takes what it makes.
        sample_rate: Sample rate in hertz.
        clip_length: Samples of a clip.

    Raises:
        ValueError: One of them refuses a clip of silence, and takes a longer one.
    """
    error = _refusal(front_end, model, clip_length)
    if error is not None and _refusal(front_end, model, max(10 * clip_length, 4 * sample_rate)) is None:
        got = f"{clip_length / sample_rate:g} s ({_line(error)})"
        raise ValueError(f"data.clip_seconds: expected longer clips for this front-end and network, got {got}")


def _refusal(front_end: nn.Module, model: nn.Module, clip_length: int) -> Exception | None:
    was_training = model.training
    try:
        with torch.inference_mode():
            model.eval()(front_end(torch.zeros(1, 1, clip_length)))
    except (ValueError, RuntimeError) as error:
        return error
    finally:
        model.train(was_training)
    return None


def trainer_arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `lightning.Trainer` for a run that leaves checkpoints and is tested.

    Args:
        given: Arguments as flags name them; None is each one's default. ``fast_dev_run`` becomes a run of so many
            batches of everything, which leaves what any run leaves.

    Raises:
        ValueError: One does not fit, or not this machine; the message names its flag.
    """
    values = {name: value for name, value in given.items() if value is not None}
    for name, (fits, expected) in RANGES.items():
        if name in values:
            check_that(fits(values[name]), f"trainer.{name}", expected, values[name])
    for name, known in CHOICES.items():
        check_one_of(known, f"trainer.{name}", values.get(name, known[0]))
    advice = "leave it out: a run goes on from its checkpoints, and tests the best of them"
    is_kept = values.get("enable_checkpointing", True)
    check_that(is_kept, "trainer.enable_checkpointing", "true", is_kept, advice)
    check_that(not values.get("barebones"), "trainer.barebones", "false, because a run is logged and kept", True)
    strategy = values.get("strategy", "auto")
    if isinstance(strategy, str):
        check_one_of(["auto", *StrategyRegistry.available_strategies()], "trainer.strategy", strategy)
    _check_devices(values.get("accelerator", "auto"), values.get("devices", "auto"))
    ours = ("enable_checkpointing", "fast_dev_run", "enable_model_summary")
    arguments = {name: value for name, value in given.items() if name not in ours}
    if n_tried := int(values.get("fast_dev_run", False)):
        limits = dict.fromkeys(("limit_train_batches", "limit_val_batches", "limit_test_batches", "max_steps"), n_tried)
        arguments |= {**limits, "max_epochs": 1, "check_val_every_n_epoch": 1, "val_check_interval": 1.0}
    has_table = bool(values.get("enable_model_summary"))  # of the layers, where one line does
    return {**arguments, "enable_model_summary": has_table}


def _check_on_lightning(arguments: Mapping[str, Any]) -> None:
    """Refuse what Lightning's trainer refuses, by making one."""
    quiet_lightning()
    off: dict[str, Any] = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar"), False)
    with refused_in_a_sentence():
        Trainer(**{**arguments, **off})


@contextmanager
def refused_in_a_sentence() -> Iterator[None]:
    """Let Lightning's refusal of a trainer's arguments be a ValueError of one sentence."""
    try:
        yield
    except (MisconfigurationException, TypeError, ValueError, RuntimeError) as error:
        raise refusal(error) from error


def refusal(error: Exception) -> ValueError:
    """Return Lightning's refusal in one sentence."""
    return ValueError(f"trainer: expected arguments that lightning.Trainer takes; it says: {_line(error)}")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def _check_devices(accelerator: object, devices: object) -> None:
    """Refuse an accelerator that is not there, and more devices than there are."""
    if not isinstance(accelerator, str):
        return
    known = ["auto", "gpu", *sorted(AcceleratorRegistry.available_accelerators())]
    check_one_of(known, "trainer.accelerator", accelerator)
    kinds = [kind for kind in known if kind not in ("auto", "gpu") and _is_there(kind)]
    there = ["auto", *(["gpu"] if {"cuda", "mps"}.intersection(kinds) else []), *kinds]
    expected = f"one that this machine has ({', '.join(there)})"
    check_that(accelerator in there, "trainer.accelerator", expected, accelerator, "`audionet doctor` tells more")
    is_cpu = accelerator == "cpu" or (accelerator == "auto" and kinds == ["cpu"])
    most = usable_cores() if is_cpu else max(torch.accelerator.device_count(), 1)
    if isinstance(devices, str) and devices.lstrip("-").isdigit():
        devices = int(devices)
    if isinstance(devices, int):
        fits = 1 <= devices <= most or (devices == -1 and not is_cpu)
        kind = "processes, one a core" if is_cpu else "devices"
        check_that(fits, "trainer.devices", f"1 to {most} {kind}", devices, "leave it out for a good choice")


def _is_there(kind: str) -> bool:
    is_available: bool = AcceleratorRegistry[kind]["accelerator"].is_available()
    return is_available
