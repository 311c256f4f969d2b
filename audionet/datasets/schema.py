"""Values from a YAML file, checked against dataclasses whose annotations say what is allowed."""

import dataclasses
import re
import types
import typing
from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import TypeVar

from audionet.checks import check_one_of, check_that, nearest
from audionet.files import safe_names

T = TypeVar("T")

# Ours, although jsonargparse and pydantic read typed values too: a card is written by hand, so a message must name the
# key, say in plain words what is expected and know YAML's traps; and listing the cards must not wait for a library.

_WORDS: dict[object, str] = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
_WORDS |= {types.NoneType: "nothing"}


def read(kind: type[T], values: object) -> T:
    """Build a dataclass from the values of a YAML file.

    An annotation may be a scalar, a literal, a tuple or mapping of one type, another dataclass, or a union. In a union
    of dataclasses each has a class attribute `kind`, and the key of that name chooses one. A `__post_init__` may raise
    a ValueError whose text begins with the key. A field with the metadata {"read": False} is no key.

    Args:
        kind: The dataclass.
        values: What `yaml.safe_load` returned.

    Raises:
        ValueError: A key is unknown, missing or of the wrong type; the text begins with the key.

    Example:
        >>> @dataclasses.dataclass
        ... class Size:
        ...     width: int
        ...     unit: str = "mm"
        >>> read(Size, {"width": 3})
        Size(width=3, unit='mm')
        >>> read(Size, {"width": 3, "units": "cm"})
        Traceback (most recent call last):
        ValueError: units: unknown key, expected one of width, unit; did you mean 'unit'?
    """
    parsed = _parse(kind, values, "")
    assert isinstance(parsed, kind)
    return parsed


def check_name(key: str, value: str, expected: str) -> None:
    """Check that a value is a name that any system takes for a file or a folder: no path, no device, nothing hidden.

    Args:
        key: Key of the value.
        value: The name.
        expected: Description of the names that fit.

    Raises:
        ValueError: It is none, or is not in Unicode's composed form (NFC).
    """
    name = safe_names([value])[value]
    check_that(name == value, key, expected, value, f"such as {name}")


def check_folder(key: str, value: str, *, below: bool = False) -> None:
    """Check that a value is a folder of the corpus.

    Args:
        key: Key of the value.
        value: Relative path.
        below: Refuse the corpus root itself.

    Raises:
        ValueError: The path is absolute or leads out of the corpus.
    """
    path = PurePosixPath(value)
    leaves = path.is_absolute() or PureWindowsPath(value).drive or ".." in path.parts or "\\" in value
    inside = not leaves and value.isprintable() and (path.parts or not below)
    check_that(inside, key, "a folder below the corpus root, such as recordings", value)


def check_pattern(key: str, value: str, group: str) -> None:
    """Check that a value is a regular expression with a named group.

    Raises:
        ValueError: It is not.
    """
    try:
        groups = re.compile(value).groupindex
    except re.error as error:
        raise ValueError(f"{key}: expected a regular expression, got {value!r}: {error}") from None
    check_that(group in groups, key, f"a named group (?P<{group}>...)", value)


def _parse(kind: object, value: object, key: str) -> object:
    """Turn a value of a YAML file into the annotated type `kind`."""
    choices = _choices(kind, value, key)
    for choice in choices:
        origin, arguments = typing.get_origin(choice), typing.get_args(choice)
        if origin is tuple and isinstance(value, list):
            return tuple(_parse(arguments[0], item, f"{key}[{n}]") for n, item in enumerate(value))
        if origin is Mapping and isinstance(value, dict):
            names = [_parse(str, name, f"the name {name!r} in {key}") for name in value]
            return {name: _parse(arguments[1], value[name], f"{key}.{name}") for name in names}
        if isinstance(choice, type) and dataclasses.is_dataclass(choice) and isinstance(value, dict):
            return _parse_dataclass(choice, value, key)
        if type(value) is choice or (origin is typing.Literal and value in arguments):
            return value
        if choice is float and type(value) is int and value.bit_length() < 1024:  # as large as a float can be
            return float(value)
    # YAML reads these as truth values, and they are the very words of speech commands.
    advice = "; put words such as yes, no, on, off in quotes" if type(value) is bool else ""
    advice = "; put numbers that are names in quotes" if type(value) is int and str in choices else advice
    raise ValueError(f"{key or 'the card'}: expected {_describe(kind)}, got {value!r}{advice}")


def _choices(kind: object, value: object, key: str) -> tuple[object, ...]:
    """Return the types that a value may have; among dataclasses with a `kind`, the one that the value names."""
    kinds = _members(kind)
    by_name = {str(choice.kind): choice for choice in kinds if hasattr(choice, "kind")}
    if not by_name:
        return kinds
    name = value.get("kind") if isinstance(value, dict) else None
    check_one_of(list(by_name), f"{key}.kind", name)
    return (by_name[str(name)],)


def _parse_dataclass(kind: type, values: dict[object, object], key: str) -> object:
    prefix = f"{key}." if key else ""
    fields = {item.name: item for item in dataclasses.fields(kind) if item.metadata.get("read", True)}
    hints = typing.get_type_hints(kind)
    arguments = {}
    for name, value in values.items():
        if name == "kind" and hasattr(kind, "kind"):
            continue
        if name not in fields:
            advice = nearest(name, fields)
            raise ValueError(f"{prefix}{name}: unknown key, expected one of {', '.join(fields)}; {advice}")
        arguments[str(name)] = _parse(hints[str(name)], value, f"{prefix}{name}")
    for name, item in fields.items():
        if name not in arguments and item.default is item.default_factory:  # both are missing
            raise ValueError(f"{prefix}{name}: missing, expected {_describe(hints[name])}")
    try:
        built: object = kind(**arguments)
    except ValueError as error:
        raise ValueError(f"{prefix}{error}") from None
    return built


def _members(kind: object) -> tuple[object, ...]:
    """Return the members of a union; of another type, the type itself."""
    return typing.get_args(kind) if typing.get_origin(kind) in (types.UnionType, typing.Union) else (kind,)


def _describe(kind: object) -> str:
    texts = []
    for member in _members(kind):
        origin, arguments = typing.get_origin(member), typing.get_args(member)
        if origin is tuple:
            texts.append(f"a list of {_describe(arguments[0])}")
        else:
            texts += arguments if origin is typing.Literal else [_WORDS.get(member, "keys and values")]
    return " or ".join(texts)
