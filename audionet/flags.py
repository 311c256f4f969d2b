"""The values of a recipe: what its parts take, what a preset gives, and the flags that change single values.

A recipe describes the arguments of classes that take seconds to import, such as Lightning's Trainer. `add_arguments`
therefore reads them from the source code and imports nothing: a help or a wrong flag is answered at once.
"""

import ast
import builtins
import sys
import typing
from collections.abc import Callable, Collection, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import docstring_parser
from jsonargparse import ArgumentParser, Namespace

Arguments = dict[str, typing.Any]
"""Arguments of something; with its name among them, {"name": ..., **arguments}, where a preset chooses what."""


def add_arguments(parser: ArgumentParser, target: str, prefix: str, *, skip: Collection[str] = ()) -> None:
    """Add an argument ``--prefix.name`` for each parameter of a class or of a function, without importing it.

    Type, default and help come from the source: from the annotation, from the literal default, and from the Args
    section of the docstring. A name in an annotation that is not Python's own stands for any value.

    Args:
        parser: Parser that gets the arguments.
        target: Module and name, such as "audionet.training.recognition:Recognition".
        prefix: What comes before each name.
        skip: Parameters to leave out.

    Raises:
        ValueError: There is no such class or function, or a default is not a literal.

    Example:
        >>> parser = ArgumentParser()
        >>> add_arguments(parser, "audionet.training.data:ClipData", "data", skip={"corpus"})
        >>> parser.parse_args(["--data.batch_size", "20"]).data
        Namespace(batch_size=20, seed=0)
    """
    function, docstrings = _definition(target)
    documented = [each for text in docstrings for each in docstring_parser.google.parse(text).params]
    helps = {each.arg_name: each.description for each in documented}
    group = parser.add_argument_group(f"--{prefix}", f"arguments of {target.partition(':')[2]}")
    for parameter, default in _parameters(function.args):
        if parameter.arg not in {"self", *skip}:
            group.add_argument(
                f"--{prefix}.{parameter.arg}",
                type=_type(parameter.annotation),
                help=helps.get(parameter.arg),
                **({"required": True} if default is None else {"default": ast.literal_eval(default)}),
            )


def add_run_arguments(parser: ArgumentParser, *, output: str, ema_decay: float | None = None) -> None:
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
    add("--ema_decay", type=float | None, default=ema_decay, help="average the weights with this decay")
    add("--find_learning_rate", type=bool, default=False, help="search for task.learning_rate first")
    set_by_us = {"logger", "callbacks", "default_root_dir", "use_distributed_sampler"}
    add_arguments(parser, "lightning.pytorch.trainer.trainer:Trainer", "trainer", skip=set_by_us)
    logger = "more loggers: Lightning's by class name, such as WandbLogger, or {class_path, init_args}; or a list"
    add("--trainer.logger", type=str | Arguments | list[str | Arguments] | None, default=None, help=logger)


def parse(parser: ArgumentParser, arguments: Sequence[str], *, named: Sequence[str]) -> Namespace:
    """Read a preset and flags.

    Some values are {"name": ..., **arguments of what is so called}. A flag that changes the name, such as
    ``--features.name leaf``, drops the preset's arguments, which belong to another class; those of flags stay.

    Args:
        parser: Parser of the recipe, with an argument ``--config`` for presets.
        arguments: Arguments of the command line.
        named: Names of the values that are of this form.

    Returns:
        The values; ``as_dict`` gives them as a preset has them.
    """
    presets, flags = _parted(list(arguments))
    config = parser.parse_args(arguments)
    # The parser merges dictionaries of presets and flags; parsing each alone tells which argument came from where.
    before, alone = parser.parse_args(presets), parser.parse_args(flags)
    for name in named:
        if config[name] and before[name] and config[name]["name"] != before[name]["name"]:
            config[name] = alone[name]
    config.pop("config", None)
    return config


def run_script(main: Callable[[], object]) -> None:
    """Run a recipe; it ends with a message instead of a traceback where a value or a file is wrong."""
    try:
        main()
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


def _parted(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return the arguments that name presets, and all others."""
    presets: list[str] = []
    flags: list[str] = []
    for argument in arguments:
        is_preset = argument.startswith("--config=") or argument == "--config" or presets[-1:] == ["--config"]
        (presets if is_preset else flags).append(argument)
    return presets, flags


def _definition(target: str) -> tuple[ast.FunctionDef, list[str]]:
    """Find a function, or a class's ``__init__``, in its module's source; return it with the docstrings on it."""
    module, _, name = target.partition(":")
    for node in ast.parse(_source(module).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return node, [ast.get_docstring(node) or ""]
        if isinstance(node, ast.ClassDef) and node.name == name:
            for member in node.body:
                if isinstance(member, ast.FunctionDef) and member.name == "__init__":
                    return member, [ast.get_docstring(each) or "" for each in (node, member)]
    raise ValueError(f"target: expected a function, or a class with an __init__ of its own, got {target}")


def _source(module: str) -> Path:
    """Return a module's file; only the package at the top is asked for, because finding a submodule imports it."""
    top, *rest = module.split(".")
    spec = find_spec(top)
    if spec is None or spec.origin is None:
        raise ValueError(f"target: expected an installed package or a module beside the recipe, got {top}")
    return Path(spec.origin).parent.joinpath(*rest).with_suffix(".py") if rest else Path(spec.origin)


def _parameters(arguments: ast.arguments) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    """Yield each parameter with its default; None for one that has to be given."""
    positional = [*arguments.posonlyargs, *arguments.args]
    n_required = len(positional) - len(arguments.defaults)
    yield from zip(positional, [*[None] * n_required, *arguments.defaults], strict=True)
    yield from zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)


class _Names(dict[str, object]):
    """Names that an annotation may use; any other stands for any value."""

    def __missing__(self, name: str) -> object:
        return typing.Any


_NAMES = {name: getattr(typing, name) for name in ("Any", "Literal", "Mapping", "Optional", "Sequence", "Union")}


def _type(annotation: ast.expr | None) -> object:
    """Evaluate an annotation; one that cannot be evaluated stands for any value."""
    if annotation is None:
        return typing.Any
    code = compile(ast.Expression(annotation), "annotation", "eval")
    try:
        return eval(code, {"__builtins__": {}}, _Names(vars(builtins) | _NAMES))
    except (AttributeError, TypeError):  # such as `torch.Tensor`, which would have to be imported
        return typing.Any
