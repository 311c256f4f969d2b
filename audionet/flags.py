"""The values of a recipe: what its parts take, what a preset gives, and the flags that change single values.

A recipe describes the arguments of classes that take seconds to import, such as Lightning's Trainer. What they take is
read from their source code by `audionet.signatures`, so a help, a wrong flag or a value out of its range is answered at
once.
"""

import os
import re
import sys
import typing
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from pathlib import Path

import yaml
from jsonargparse import ArgumentParser, Namespace

from audionet.checks import check_that, listed, nearest
from audionet.console import plain_warnings, same_command, sentence
from audionet.randomness import check_seed
from audionet.registry import Registry
from audionet.signatures import arguments_of, check_values, literal_of

Arguments = dict[str, typing.Any]
"""Arguments of something; with its name among them, {"name": ..., **arguments}, where a preset chooses what."""

FILLED_IN = {"sample_rate", "background", "speech", "n_classes", "categories"}
"""Arguments that a recipe takes from its data."""

KINDS_OF_VALUE = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "dict": "{name: value}",
    "Sequence": "a list, such as [a, b]",
    "NoneType": "null",
}


class RecipeParser(ArgumentParser):
    """A parser of flags and presets, whose errors are one sentence, and which takes no flag that is cut short.

    Attributes:
        described: Prefix and class or function of the flags that `add_arguments` has added.
        mappings: The same of the flags that `add_part` has added.
        source: What messages put first: the presets, while only these are read.
    """

    def __init__(self, **arguments: typing.Any) -> None:
        super().__init__(**arguments, allow_abbrev=False)
        self.described: list[tuple[str, str]] = []
        self.mappings: list[tuple[str, str]] = []
        self.source = ""

    def error(self, message: str, ex: Exception | None = None) -> typing.NoReturn:
        """Print the message in one sentence and exit with code 2."""
        sentence = self.source + self._sentence(message)
        if not self.exit_on_error:
            super().error(sentence, ex)
        self.exit(2, f"error: {sentence}\n")

    def _sentence(self, message: str) -> str:
        if unknown := re.match(r"unrecognized arguments: (\S+)|Option '(.+)' is not accepted", message):
            flag = unknown[1] or f"--{unknown[2]}"
            known = [string for action in self._actions for string in action.option_strings]
            advice = _nearest_flag(flag.partition("=")[0], known, f"{self.prog} --help lists them")
            return f"{flag}: expected a flag of this recipe, got an unknown one; {advice}"
        if wrong := re.match(r"Parser key \"(.+?)\":\s*(.*)", message, re.DOTALL):
            kinds = [
                KINDS_OF_VALUE.get(kind, kind)
                for kind in re.findall(r"Expected a <class '(?:[\w.]+\.)?(\w+)'>", message)
            ]
            value = re.search(r"(?:Got value|Given value): (.*)", message)
            if kinds and value:
                is_named = kinds[0] == KINDS_OF_VALUE["dict"] and wrong[1] not in dict(self.mappings)
                advice = f"; give --{wrong[1]}.name {value[1]}" if is_named else ""
                return f"{wrong[1]}: expected {' or '.join(kinds)}, got {value[1]}{advice}"
            message = f"{wrong[1]}: {wrong[2]}"
        return " ".join(re.sub(r"^argument (--[\w.]+)[^:]*", r"\1", message).split())


def add_arguments(parser: RecipeParser, target: str, prefix: str, *, skip: Collection[str] = ()) -> None:
    """Add an argument ``--prefix.name`` for each parameter of a class or of a function, without importing it.

    Type, default and help come from the source: from the annotation, from the literal default, and from the Args
    section of the docstring. `parse` makes the checks of a single argument that it finds there.

    Args:
        parser: Parser that gets the arguments.
        target: Module and name, such as "audionet.training.recognition:Recognition".
        prefix: What comes before each name.
        skip: Parameters to leave out.

    Raises:
        ValueError: There is no such class or function.

    Example:
        >>> parser = RecipeParser()
        >>> add_arguments(parser, "audionet.training.data:ClipData", "data", skip={"corpus"})
        >>> parser.parse_args(["--data.batch_size", "20"]).data
        Namespace(batch_size=20, epoch_batches=1, recorded_share=0.4, seed=0)
    """
    parser.described.append((prefix, target))
    group = parser.add_argument_group(f"--{prefix}", f"arguments of {target.partition(':')[2]}")
    for argument in arguments_of(target):
        if argument.name not in skip:
            group.add_argument(
                f"--{prefix}.{argument.name}",
                type=argument.annotation,
                help=argument.help,
                **({"required": True} if argument.is_required else {"default": argument.default}),
            )


def add_run_arguments(parser: RecipeParser, *, output: str, ema_decay: float | None = None) -> None:
    """Add the arguments that every training has, those of Lightning's Trainer among them as ``--trainer.name``.

    Args:
        parser: Parser that gets the arguments.
        output: Default of ``--output``.
        ema_decay: Default of ``--ema_decay``.
    """
    add = parser.add_argument
    add("--config", action="config", help="preset: a YAML file of values")
    add("--output", type=str, default=output, help="folder for all that the run leaves")
    add("--resume", type=bool, default=False, help="go on from the output folder's last checkpoint")
    add("--seed", type=int, default=0, help="seed of everything that is drawn")
    add("--ema_decay", type=float | None, default=ema_decay, help="average the weights with this decay, below 1")
    add("--find_learning_rate", type=bool, default=False, help="search for task.learning_rate first")
    set_by_us = {"logger", "callbacks", "default_root_dir", "use_distributed_sampler"}
    add_arguments(parser, "lightning.pytorch.trainer.trainer:Trainer", "trainer", skip=set_by_us)
    logger = "more loggers: Lightning's by class name, such as WandbLogger, or {class_path, init_args}; or a list"
    add("--trainer.logger", type=str | Arguments | list[str | Arguments] | None, default=None, help=logger)


def add_part(parser: RecipeParser, name: str, target: str | None, *, help: str) -> None:
    """Add a flag ``--name`` that takes a mapping of arguments, or each as ``--name.argument``.

    Args:
        parser: Parser that gets the flag.
        name: Its name.
        target: Class or function that takes the arguments, as for `add_arguments`; None for one that is not known here.
        help: Help of the flag.
    """
    parser.add_argument(f"--{name}", type=Arguments | None, default=None, help=help)
    if target is not None:
        parser.mappings.append((name, target))


def add_augmentations(parser: RecipeParser, names: Collection[str]) -> None:
    """Add a flag ``--augment.name`` for each augmentation, in the order that they are applied in."""
    kinds: dict[str, str] = literal_of("audionet.augment.registry:KINDS")
    for name in names:
        target = f"audionet.augment:{kinds[name]}" if name in kinds else None
        add_part(parser, f"augment.{name}", target, help="its arguments, and p, the share of the clips")


def parse(
    parser: RecipeParser,
    arguments: Sequence[str],
    *,
    named: Mapping[str, Registry[typing.Any]],
    preset: str | Path | None = None,
) -> Namespace:
    """Read a preset and flags.

    Some values are {"name": ..., **arguments of what is so called}. A flag that changes the name, such as
    ``--features.name leaf``, drops the preset's arguments, which belong to another class; those of flags stay.

    Args:
        parser: Parser of the recipe, with an argument ``--config`` for presets.
        arguments: Arguments of the command line; a hyphen in the name of a flag stands for an underscore.
        named: The values that are of this form, and what the names stand for.
        preset: Preset where none is named; None for the defaults of the flags.

    Returns:
        The values; ``as_dict`` gives them as a preset has them. ``~`` at the front of a path is the home folder.

    Raises:
        ValueError: A preset is no YAML file, a value is out of its range, or what a name stands for has no such
            argument.
        SystemExit: A flag is unknown or of another kind; or the help was asked for, which also lists the arguments of
            what the names stand for.
    """
    presets, flags = _parted([_underscored(argument) for argument in arguments])
    if preset is not None and not presets:
        presets = [f"--config={preset}"]
    parser.source = _check_presets([each.removeprefix("--config=") for each in presets if each != "--config"])
    before = parser.parse_args(presets)
    parser.source = ""
    helps = {"--help", "-h"}.intersection(flags)
    flags = [flag for flag in flags if flag not in helps]
    config = parser.parse_args(presets + flags)
    # The parser merges dictionaries of presets and flags; parsing each alone tells which argument came from where.
    alone = parser.parse_args(flags)
    for name in named:
        if config[name] and before[name] and config[name].get("name") != before[name].get("name"):
            config[name] = alone[name]
    config.pop("config", None)
    for name, value in list(config.items()):
        if isinstance(value, str):  # a shell does not do it behind an equals sign, nor does YAML
            config[name] = os.path.expanduser(value)
    if helps:
        parser.print_help()
        print(*_part_helps(parser, config, named), sep="\n")
        parser.exit()
    _check(parser, config, named)
    return config


def run_script(main: Callable[[], object]) -> None:
    """Run a recipe; it ends with a message instead of a traceback where a value or a file is wrong, or by Ctrl-C."""
    try:
        with plain_warnings():
            main()
    except KeyboardInterrupt:
        sys.exit(f"interrupted; {same_command()} goes on with what there is of the run")
    except (ValueError, OSError) as error:
        sys.exit(f"error: {sentence(error)}")


def _underscored(argument: str) -> str:
    name, equals, value = argument.partition("=")
    return name[:2] + name[2:].replace("-", "_") + equals + value if name.startswith("--") else argument


def _nearest_flag(flag: str, known: Collection[str], otherwise: str) -> str:
    """Return the advice for an unknown flag: what its group holds, or the flags whose last names are nearest."""
    if group := [each for each in known if each.startswith(f"{flag}.")]:
        return f"its values are flags of their own, {listed(group)}"
    last = flag.rpartition(".")[2].lstrip("-")
    likeness = {each: SequenceMatcher(None, each.rpartition(".")[2].lstrip("-"), last).ratio() for each in known}
    best = max(likeness.values())
    near = [each for each in known if likeness[each] == best]
    if best < 0.6:
        return otherwise
    near = [each for each in near if each.rpartition(".")[0] == flag.rpartition(".")[0]] or near
    return f"did you mean {' or '.join(map(repr, near))}?"


def _check_presets(paths: Sequence[str]) -> str:
    """Refuse presets that are no YAML files of values; return what messages about their values put first."""
    for path in paths:
        near = nearest(path, map(str, Path(path).parent.glob("*.yaml")), "see the folder presets beside the recipe")
        check_that(Path(path).is_file(), "config", "a preset, which is a YAML file", path, near)
        try:
            values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"{path}: expected a YAML file, got {' '.join(str(error).split())}") from None
        check_that(isinstance(values, dict), path, "keys and values", values)
    return f"{', '.join(paths)}: " if paths else ""


def _parted(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return the arguments that name presets, and all others."""
    presets: list[str] = []
    flags: list[str] = []
    for argument in arguments:
        is_preset = argument.startswith("--config=") or argument == "--config" or presets[-1:] == ["--config"]
        (presets if is_preset else flags).append(argument)
    return presets, flags


def _chosen(
    parser: RecipeParser, config: Namespace, named: Mapping[str, Registry[typing.Any]]
) -> Iterator[tuple[str, str, str, str, Collection[str], Arguments]]:
    """Yield each part of known source: flag, kind, name, class, arguments that all of its kind take, and values."""
    for field, registry in named.items():
        if (value := config[field]) is not None:
            check_that(value.get("name"), field, "a name among its values", value, f"give --{field}.name")
            if target := registry.home(str(value["name"])):
                yield field, registry.kind, value["name"], target, {"name", *registry.common}, value
    for flag, target in parser.mappings:
        name = flag.rpartition(".")[2]
        yield flag, "augmentation", name, target, {"p"}, config[flag] or {}


def _check(parser: RecipeParser, config: Namespace, named: Mapping[str, Registry[typing.Any]]) -> None:
    """Refuse what is out of its range, and arguments that a part does not have.

    Raises:
        ValueError: There is such a value.
    """
    if "seed" in config:
        check_seed(config["seed"])
    for prefix, target in parser.described:
        check_values(target, config[prefix].as_dict(), f"{prefix}.")
    for flag, kind, name, target, common, value in _chosen(parser, config, named):
        known = [argument.name for argument in arguments_of(target)]
        for given in value:
            if given not in (*known, *common):
                advice = nearest(
                    given, [each for each in known if each not in FILLED_IN], f"see --help --{flag}.name {name}"
                )
                raise ValueError(f"{kind} {name}: --{flag}.{given} is none of its arguments; {advice}")
        check_values(target, value, f"{flag}.")


def _part_helps(parser: RecipeParser, config: Namespace, named: Mapping[str, Registry[typing.Any]]) -> Iterator[str]:
    """Yield the help of the arguments of each part."""
    for field, registry in named.items():
        yield f"--{field}.name is one of {', '.join(registry)}; --help lists the arguments of the one that is given.\n"
    for flag, _, _, target, _, _ in _chosen(parser, config, named):
        shown = RecipeParser(usage="", add_help=False)
        add_arguments(shown, target, flag, skip=FILLED_IN)
        yield shown.format_help().partition("\n\n")[2]
