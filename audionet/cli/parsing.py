"""From a function to its parser.

The signature of a command tells its arguments, its docstring the help. Parameters before a ``*`` are positional
arguments. Those behind it are options. Both are required where they have no default. A mapping is an option that may be
repeated, of the form ``--option name=value`` or ``--option.name value``. Every command also takes ``--import``.
`jsonargparse.auto_cli` does nearly the same. It is not used here because importing it takes a tenth of the time that
importing torch takes, and because its errors span several lines.
"""

import inspect
import json
import os
import re
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from types import NoneType
from typing import Annotated, Any, NoReturn, get_args, get_origin

from audionet.checks import nearest
from audionet.registry import import_modules

Command = Callable[..., int | None]
"""A command: it returns its exit code, or None for success."""

PositiveInt = Annotated[int, "above 0"]
Share = Annotated[float, "0 to 1"]
Several = tuple[str, ...]


class UsageError(ValueError):
    """A command line that fits no command."""


class _Parser(ArgumentParser):
    """A parser whose errors are exceptions of one line."""

    def error(self, message: str) -> NoReturn:
        """Raise a `UsageError` with the message and the command that shows the help."""
        raise UsageError(f"{message.removeprefix('argument ')}; see {self.prog} --help")


def run(command: Command, name: str, words: Iterable[str]) -> int:
    """Call a function with the arguments that a command line gives.

    Args:
        command: The function. Its parameters are annotated with str, int, float, bool, ``PositiveInt``, ``Share``,
            ``Several``, or a mapping of str to str or Any, or one of these or None. A bool whose default is False is a
            switch; another takes true or false. An option of ``Several`` takes one text or more, and may be repeated.
            Of ``*words: str`` there must be one at least, of ``*words: str | None`` there may be none.
        name: Name of the command, such as "audionet recognize", for its help.
        words: The words after the name.

    Returns:
        Exit code of the command.

    Raises:
        UsageError: The words do not fit the parameters.
        SystemExit: The help was asked for and has been printed.

    Example:
        >>> def repeat(word: str, *, times: PositiveInt = 1) -> None:
        ...     print(*[word] * times)
        >>> run(repeat, "repeat", ["seven", "--times", "3"])
        seven seven seven
        0
    """
    signature = inspect.signature(command)
    parser = make_parser_of(command, name)
    given = vars(parser.parse_intermixed_args([*undotted(words, parser)]))
    import_modules(given.pop("import"))
    for key, parameter in signature.parameters.items():
        kind = _kind(parameter)
        if get_origin(kind) is Mapping or kind == Several:
            given[key] = (dict if get_origin(kind) is Mapping else tuple)(given[key])
    bound = inspect.BoundArguments(signature, OrderedDict(given))
    return command(*bound.args, **bound.kwargs) or 0


def summary(documented: object) -> str:
    """Return the first paragraph of a docstring on one line.

    Example:
        >>> summary(summary)
        'Return the first paragraph of a docstring on one line.'
    """
    return " ".join((inspect.getdoc(documented) or "").partition("\n\n")[0].split())


def make_parser(name: str, about: str, below: str, usage: str | None = None) -> ArgumentParser:
    """Make a parser without arguments, whose help begins with one text and ends with another."""
    raw = RawDescriptionHelpFormatter
    return _Parser(prog=name, usage=usage, description=about, epilog=below, formatter_class=raw, allow_abbrev=False)


def make_parser_of(command: Command, name: str) -> ArgumentParser:
    """Make the parser of a command from its signature and its docstring."""
    documentation = inspect.getdoc(command) or ""
    parser = make_parser(name, summary(command), "example:\n" + documentation.partition("Example:\n")[2])
    helps = dict(re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", documentation, re.MULTILINE))
    for key, parameter in inspect.signature(command).parameters.items():
        text = " ".join(helps.get(key, "").split())
        _add(parser, parameter, text.replace("%", "%%"))
    own = "Module that adds a network or front-end of your own, from the current folder too; may be repeated."
    parser.add_argument("--import", action="append", default=[], metavar="MODULE", help=own)
    return parser


def _add(parser: ArgumentParser, parameter: inspect.Parameter, text: str) -> None:
    """Add the argument of a parameter."""
    kind, option = _kind(parameter), "--" + parameter.name.replace("_", "-")
    required = parameter.default is parameter.empty
    if kind is bool and parameter.default is False:
        parser.add_argument(option, help=text, action="store_true")
    elif get_origin(kind) is Mapping:
        parser.add_argument(option, help=text, action="append", default=[], type=_reader(kind), metavar="NAME=VALUE")
    elif kind == Several:
        metavar = parameter.name.upper().removesuffix("S")
        given: dict[str, Any] = {"nargs": "+", "action": "extend", "default": [], "metavar": metavar}
        parser.add_argument(option, help=text, required=required, type=_reader(str), **given)
    elif parameter.kind is parameter.KEYWORD_ONLY:
        text += "" if required or parameter.default is None else f" (default: {parameter.default})"
        parser.add_argument(option, help=text, required=required, default=parameter.default, type=_reader(kind))
    else:
        many = "*" if NoneType in get_args(parameter.annotation) else "+"
        number = many if parameter.kind is parameter.VAR_POSITIONAL else None if required else "?"
        metavar = parameter.name.upper().removesuffix("S" if number else "")
        parser.add_argument(parameter.name, help=text, nargs=number, type=_reader(kind), metavar=metavar)


def _kind(parameter: inspect.Parameter) -> object:
    """Return the type of a parameter, without its None."""
    kinds = get_args(parameter.annotation)
    kind: object = kinds[0] if NoneType in kinds else parameter.annotation
    return kind


def _text(text: str) -> str:
    if not text:  # as of a variable of the shell that is not set; as a path it would mean the current folder
        raise ValueError
    return text


def _positive(text: str) -> int:
    if int(text) < 1:
        raise ValueError
    return int(text)


def _yes_or_no(text: str) -> bool:
    return {"true": True, "yes": True, "false": False, "no": False}[text.lower()]


def _share(text: str) -> float:
    if not 0 <= float(text) <= 1:
        raise ValueError
    return float(text)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError
    return name, value


def _typed_pair(text: str) -> tuple[str, object]:
    """Read NAME=VALUE, where the value is JSON, or else text."""
    name, value = _pair(text)
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


_READERS: dict[object, tuple[Callable[[str], object], str]] = {
    bool: (_yes_or_no, "true or false"),
    str: (_text, "text"),
    int: (int, "a whole number"),
    float: (float, "a number"),
    PositiveInt: (_positive, "a whole number above 0"),
    Share: (_share, "a number from 0 to 1"),
    Mapping[str, str]: (_pair, "NAME=VALUE"),
    Mapping[str, Any]: (_typed_pair, "NAME=VALUE"),
}


def _reader(kind: object) -> Callable[[str], object]:
    """Return the function that reads a value of a type."""
    read, expected = _READERS[kind]

    def checked(text: str) -> object:
        try:
            return read(text)
        except (KeyError, ValueError):
            raise ArgumentTypeError(f"expected {expected}, got {text!r}") from None

    return checked


def undotted(words: Iterable[str], parser: ArgumentParser) -> Iterator[str]:
    """Yield the words as argparse takes them: options with hyphens, and ``--option name=value`` for a mapping.

    ``--option.name value`` and ``--option.name=value`` are other ways to write that. Behind ``--`` there are no
    options. A file such as -x.wav becomes ./-x.wav, since argparse takes it for an option even there.

    Raises:
        UsageError: There is no such option.
    """
    known = parser._option_string_actions  # argparse offers no other list of them
    remaining = iter(words)
    for word in remaining:
        option, dot, rest = word.partition("=")[0].partition(".")
        if word == "--":
            yield from (f"./{path}" if path.startswith("-") and path != "-" else path for path in remaining)
            return
        if not option.startswith("--"):
            is_file = word.startswith("-") and word not in known and os.path.isfile(word)
            yield f"./{word}" if is_file else word
            continue
        hyphened = option.replace("_", "-")
        if hyphened not in known:
            advice = nearest(hyphened, known, f"see {parser.prog} --help")
            raise UsageError(f"{option}: expected an option of {parser.prog}, got an unknown one; {advice}")
        if dot:
            yield hyphened
            yield "=".join([rest, *([word.partition("=")[2]] if "=" in word else islice(remaining, 1))])
        else:
            yield hyphened + word.removeprefix(option)
