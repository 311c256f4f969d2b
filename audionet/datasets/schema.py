"""Values from a YAML file, checked against dataclasses whose annotations say what is allowed."""

import dataclasses
import difflib
import re
import types
import typing
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TypeVar

T = TypeVar("T")

# Ours, although jsonargparse and pydantic read typed values too: a card is written by hand, so a message must name the
# key, say in plain words what is expected and know YAML's traps; and listing the cards must not wait for a library.

_WORDS: dict[object, str] = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
_WORDS |= {dict: "keys and values", list: "a list", types.NoneType: "nothing"}


def read(kind: type[T], values: object) -> T:
    """Build a dataclass from the values of a YAML file.

    An annotation may be a scalar, a tuple or mapping of one type, another dataclass, or a union. In a union of
    dataclasses each has a class attribute `kind`, and the key of that name chooses one. A dataclass may have a class
    attribute `moved`, {former key or kind: how to write it now}. Its `__post_init__` may raise a ValueError whose text
    begins with the key. A field with the metadata {"read": False} is no key.

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
        ValueError: units: unknown key, expected one of width, unit; did you mean unit?
    """
    parsed = _parse(kind, values, "")
    assert isinstance(parsed, kind)
    return parsed


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
    if path.is_absolute() or ".." in path.parts or "\\" in value or (below and not path.parts):
        raise ValueError(f"{key}: expected a folder below the corpus root, such as recordings, got {value!r}")


def check_pattern(key: str, value: str, group: str) -> None:
    """Check that a value is a regular expression with a named group.

    Raises:
        ValueError: It is not.
    """
    try:
        groups = re.compile(value).groupindex
    except re.error as error:
        raise ValueError(f"{key}: expected a regular expression, got {value!r}: {error}") from None
    if group not in groups:
        raise ValueError(f"{key}: expected a named group (?P<{group}>...), got {value!r}")


def _parse(kind: object, value: object, key: str) -> object:
    """Turn a value of a YAML file into the annotated type `kind`."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return _parse_union(arguments, value, key)
    if origin is tuple and isinstance(value, list):
        return tuple(_parse(arguments[0], item, f"{key}[{n}]") for n, item in enumerate(value))
    if origin is Mapping and isinstance(value, dict):
        for name in value:
            _parse(str, name, f"the name {name!r} in {key}")
        return {name: _parse(arguments[1], item, f"{key}.{name}") for name, item in value.items()}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind) and isinstance(value, dict):
        return _parse_dataclass(kind, value, key)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is kind:
        return value
    raise _wrong(key, (kind,), value)


def _parse_union(kinds: tuple[object, ...], value: object, key: str) -> object:
    if tagged := {str(kind.kind): kind for kind in kinds if hasattr(kind, "kind")}:
        chosen = value.get("kind") if isinstance(value, dict) else None
        if not isinstance(value, dict) or not isinstance(chosen, str) or chosen not in tagged:
            advice = next((text for kind in kinds if (text := _advice(kind, str(chosen)))), "")
            raise ValueError(f"{key}.kind: expected one of {', '.join(tagged)}, got {chosen!r}{advice}")
        return _parse(tagged[chosen], {name: item for name, item in value.items() if name != "kind"}, key)
    if value is None and types.NoneType in kinds:
        return None
    for kind in kinds:
        if type(value) is kind or (kind is float and type(value) is int) or dataclasses.is_dataclass(kind):
            return _parse(kind, value, key)
    raise _wrong(key, kinds, value)


def _parse_dataclass(kind: type, values: dict[object, object], key: str) -> object:
    prefix = f"{key}." if key else ""
    fields = {item.name: item for item in dataclasses.fields(kind) if item.metadata.get("read", True)}
    for name in values:
        if name not in fields:
            near = difflib.get_close_matches(str(name), fields, n=1)
            advice = _advice(kind, str(name)) or (f"; did you mean {near[0]}?" if near else "")
            raise ValueError(f"{prefix}{name}: unknown key, expected one of {', '.join(fields)}{advice}")
    hints = typing.get_type_hints(kind)
    for name, item in fields.items():
        required = item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
        if required and name not in values:
            raise ValueError(f"{prefix}{name}: missing, expected {_describe(hints[name])}")
    parsed = {str(name): _parse(hints[str(name)], value, f"{prefix}{name}") for name, value in values.items()}
    try:
        built: object = kind(**parsed)
    except ValueError as error:
        raise ValueError(f"{prefix}{error}") from None
    return built


def _advice(kind: object, name: str) -> str:
    """Say how to write now what had another key or kind before."""
    moved: Mapping[str, str] = getattr(kind, "moved", {})
    return f"; {moved[name]}" if name in moved else ""


def _wrong(key: str, kinds: tuple[object, ...], value: object) -> ValueError:
    expected = " or ".join(_describe(kind) for kind in kinds)
    # YAML reads these as truth values, and they are the very words of speech commands.
    advice = "; put words such as yes, no, on, off in quotes" if type(value) is bool else ""
    advice = "; put numbers that are names in quotes" if type(value) is int and str in kinds else advice
    return ValueError(f"{key or 'the card'}: expected {expected}, got {value!r} ({_describe(type(value))}){advice}")


def _describe(kind: object) -> str:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        return f"a list of {_describe(arguments[0])}"
    if origin in (types.UnionType, typing.Union):
        return " or ".join(_describe(item) for item in arguments)
    if origin is Mapping or dataclasses.is_dataclass(kind):
        return "keys and values"
    return _WORDS.get(kind, str(kind))
