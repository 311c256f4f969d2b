"""The values of a recipe: a preset's, and the flags that change them."""

from collections.abc import Sequence
from typing import Any

from jsonargparse import ArgumentParser, Namespace


def parse(parser: ArgumentParser, arguments: Sequence[str], *, named: Sequence[str]) -> Namespace:
    """Read a preset and flags.

    Some values are {"name": ..., **arguments of what is so called}. A flag that changes the name alone, such as
    ``--features.name leaf``, leaves behind what the preset has for another one; arguments given as flags stay.

    Args:
        parser: Of the recipe, with an argument ``--config`` for presets.
        arguments: Of the command line.
        named: The values that are named in this way.
    """
    presets, flags = _parted(list(arguments))
    config = parser.parse_args(arguments)
    before, alone = parser.parse_args(presets), parser.parse_args(flags)
    for name in named:
        if config[name] and before[name] and config[name]["name"] != before[name]["name"]:
            config[name] = alone[name]
    return config


def split_name(described: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Part {"name": ..., **arguments} into its name and its arguments."""
    return described["name"], {key: value for key, value in described.items() if key != "name"}


def _parted(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return what names presets, and all else."""
    presets: list[str] = []
    flags: list[str] = []
    for argument in arguments:
        is_preset = argument.startswith("--config=") or argument == "--config" or presets[-1:] == ["--config"]
        (presets if is_preset else flags).append(argument)
    return presets, flags
