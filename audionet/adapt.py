"""A trained network for other labels: its body and its front-end stay, its classifier is new."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from torch import Tensor, nn

from audionet import bundle
from audionet.bundle import Bundle, Part
from audionet.checks import check_that, listed
from audionet.console import note

if TYPE_CHECKING:
    from jsonargparse import Namespace

GENTLE = 0.05  # learning rate of a training that goes on from trained weights


def load_start(name_or_path: str | os.PathLike[str]) -> Bundle:
    """Load the bundle that a training starts from.

    Args:
        name_or_path: Name of a shipped embedding or recogniser, or path of one. Where a name is shipped for several
            tasks, the recogniser is meant.

    Raises:
        audionet.bundle.BundleError: There is no such bundle, or it cannot be trusted.
        ValueError: It is for generation, or its network makes no embeddings.

    Example:
        >>> load_start("digits").model.name
        'cnn_tdnn'
    """
    start = bundle.load(name_or_path)
    fits = start.front_end is not None and hasattr(start.model.module, "embed")
    advice = "give an embedding or a recogniser"
    check_that(fits, "init", "a bundle whose network makes embeddings", f"one for {start.task}", advice)
    return start


def follow(config: "Namespace", given: Sequence[str]) -> Bundle | None:
    """Let the values of a recipe be those of the bundle that its training starts from, if there is one.

    Front-end, network and sample rate are the bundle's, and so is the length of a clip unless a preset or a flag says
    ``data.clip_seconds``; the learning rate is half of the usual one unless they say ``task.learning_rate``.

    Args:
        config: Values that `audionet.flags.parse` has read; ``init`` among them names the bundle. They are changed.
        given: Arguments of the command line.

    Returns:
        The bundle; None where ``init`` is None.

    Raises:
        audionet.bundle.BundleError: There is no such bundle, or it cannot be trusted.
        ValueError: A flag asks for another front-end, network or sample rate, or the bundle is for generation.
    """
    name = config.init
    if name is None:
        return None
    start = load_start(name)
    for flag in ("features", "model"):
        asked = [each for each in given if _flag(each) == flag or _flag(each).startswith(f"{flag}.")]
        check_that(not asked, flag, f"none with --init {name}, which brings its own", asked, "leave one of them out")
    assert start.front_end is not None
    rate, seconds = start.sample_rate, start.clip_length / start.sample_rate
    flags = set(map(_flag, given))
    fits = "data.sample_rate" not in flags or config.data.sample_rate in (rate, None)
    advice = "leave it out; recordings of any rate are brought to it"
    check_that(fits, "data.sample_rate", f"{rate} Hz, that of {name}", config.data.sample_rate, advice)
    config.features = {"name": start.front_end.name, **start.front_end.arguments}
    config.features.pop("sample_rate", None)
    config.model = {"name": start.model.name, **start.model.arguments}
    config.model.pop("n_classes", None)
    config.data.sample_rate = rate
    said = flags | _in_presets(given)
    if "data.clip_seconds" not in said or config.data.clip_seconds is None:
        config.data.clip_seconds = seconds
    if "task.learning_rate" not in said:
        config.task.learning_rate = GENTLE
    what = f"{start.model.name} on {start.front_end.name}"
    note(f"from {name}: {what}, clips of {config.data.clip_seconds:g} s at {rate} Hz")
    return start


def _flag(argument: str) -> str:
    """Return the name of a flag, as a preset has it; empty for a value."""
    return argument[2:].partition("=")[0].replace("-", "_") if argument.startswith("--") else ""


def _in_presets(given: Sequence[str]) -> set[str]:
    """Return the names of the values that the presets of a command line set."""
    names: set[str] = set()
    paths = [each.partition("=")[2] for each in given if each.startswith("--config=")]
    paths += [path for flag, path in pairwise(given) if flag == "--config"]
    for path in paths:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}  # one that sets nothing
        names |= {f"{group}.{name}" for group, each in values.items() if isinstance(each, dict) for name in each}
    return names


def adapt(start: Bundle, labels: Sequence[str], *, clip_length: int | None = None) -> Bundle:
    """Return a recogniser of other labels that has the front-end and the network of a bundle.

    All weights are the bundle's but those of the classifier, which are initial: `audionet.training.fit_head` fits some.
    Temperature and thresholds, which belong to the old classifier, are gone.

    Args:
        start: Bundle of an embedding or a recogniser. It is not changed.
        labels: Name of each class.
        clip_length: Samples of a clip; None for the bundle's.

    Raises:
        ValueError: The network cannot be made for these labels, or has no ``head``.

    Example:
        >>> words = adapt(load_start("digits"), ["yes", "no", "stop"])
        >>> words.labels, words.sample_rate, words.model.arguments["n_classes"]
        (('yes', 'no', 'stop'), 16000, 3)
    """
    n_classes = {"model": {"n_classes": len(labels)}}
    parts = {
        field: bundle.new_part(field, name=part.name, **part.arguments | n_classes.get(field, {}))
        for field, part in start.parts.items()
    }
    take_weights(parts, start)
    return replace(
        start,
        task="recognition",
        model=parts["model"],
        front_end=parts["front_end"],
        labels=tuple(labels),
        clip_length=start.clip_length if clip_length is None else clip_length,
        value_lengths={},
        training={},
        temperature=1.0,
        threshold=0.0,
        detection={},
    )


def take_weights(parts: Mapping[str, Part], start: Bundle) -> None:
    """Give parts the weights of a bundle's, but for those of the classifier.

    Args:
        parts: A front-end and a network like the bundle's, by their fields in it.
        start: The bundle.

    Raises:
        ValueError: They differ by more than a classifier called ``head``.
    """
    for field, part in start.parts.items():
        module = parts[field].module
        taken, replaced = _body(part.module), _body(module)
        others = [
            name
            for name in {**taken, **replaced}
            if name not in taken or name not in replaced or taken[name].shape != replaced[name].shape
        ]
        advice = "let its classifier be called head, as audionet.models.RecognitionNetwork says"
        check_that(not others, part.name, "a part that differs by a classifier alone", listed(others), advice)
        module.load_state_dict(taken, strict=False)


def _body(module: nn.Module) -> dict[str, Tensor]:
    """Return the weights of a module, but for those of a classifier."""
    return {name: each for name, each in module.state_dict().items() if not name.startswith("head.")}
