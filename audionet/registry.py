"""Classes by name: audionet's own, those that a user's module adds, and those that installed packages offer."""

import inspect
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from numbers import Integral, Real
from pkgutil import resolve_name
from types import NoneType, UnionType
from typing import Any, Generic, Self, TypeVar, get_args

from audionet.checks import check_one_of, check_that, nearest

T = TypeVar("T")


class Registry(Mapping[str, type[T]], Generic[T]):
    """A mapping of names to classes, which are imported when they are first asked for.

    Upper and lower case are the same. A name that is not known yet is looked up among the entry points of installed
    packages.

    Args:
        kind: Word for one of the classes in messages, such as "front-end".
        homes: Module of each of audionet's own classes, as {"LogMel": "audionet.features.spectral:LogMel"}.
        group: Group of the entry points, such as "audionet.features".
        common: Arguments that all of them take beside their own.

    Example:
        >>> registry = Registry("container", {"ordered": "collections:OrderedDict"}, group="audionet.examples")
        >>> registry["ordered"]
        <class 'collections.OrderedDict'>
        >>> registry.create("orderd")
        Traceback (most recent call last):
        ValueError: container: expected one of ordered, got 'orderd'; did you mean 'ordered'?
    """

    def __init__(self, kind: str, homes: Mapping[str, str], *, group: str, common: Iterable[str] = ()) -> None:
        self.kind, self.group, self.common = kind, group, frozenset(common)
        self._entries: dict[str, str | type[T]] = {**homes}  # a class, or where to import it from

    def add(self, name: str, kind: type[T]) -> None:
        """Add a class under a name of its own, as a user's module does when it is imported.

        Raises:
            ValueError: Another class has the name already.
        """
        if self._entries.get(self._known(name), kind) is not kind:
            raise ValueError(f"{self.kind} {name!r}: the name is taken; choose another")
        self._entries[name] = kind

    def create(self, name: str, **arguments: Any) -> T:
        """Build the class called ``name`` with its own arguments.

        Raises:
            ValueError: The name is unknown, or an argument does not fit.
        """
        kind = self[name]
        try:
            return kind(**arguments)
        except TypeError as error:
            raise ValueError(f"{self.kind} {name}: {error}") from error

    def home(self, name: str) -> str | None:
        """Return where to import one of audionet's own classes from; None of another."""
        found = self._entries.get(self._known(name))
        return found if isinstance(found, str) else None

    def __getitem__(self, name: str) -> type[T]:
        """Return the class.

        Raises:
            ValueError: The name is unknown; the message gives the nearest known one.
        """
        found = self._entries.get(self._known(name))
        if found is None:
            from importlib.metadata import entry_points  # seldom needed

            offered = [*entry_points(group=self.group, name=name)]
            known = [*self, *(entry.name for entry in offered)]
            check_one_of(known, self.kind, name, "one of your own is known once --import names its module")
            found = offered[0].load()
        kind: type[T] = resolve_name(found) if isinstance(found, str) else found
        return kind

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._known(name) in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def _known(self, name: str) -> str:
        """Return the name as it is spelled here."""
        return next((known for known in self if known.lower() == name.lower()), name)


class NamedArguments:
    """A base for classes that people configure: a misspelled argument, or text for a number, is refused."""

    def __new__(cls, *_: Any, **arguments: Any) -> Self:
        """Check the names of the arguments, and that numbers are numbers.

        Raises:
            TypeError: A name is unknown.
            ValueError: A value that should be a number is not.
        """
        parameters = inspect.signature(cls).parameters if arguments else {}
        takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
        for name in () if takes_any else arguments.keys() - parameters.keys():
            advice = nearest(name, parameters, f"it takes {', '.join(parameters)}")
            raise TypeError(f"{cls.__name__} has no argument {name!r}; {advice}")
        for name in parameters.keys() & arguments.keys():
            _check_number(name, arguments[name], parameters[name].annotation)
        return super().__new__(cls)


def _check_number(name: str, value: object, annotation: object) -> None:
    """Refuse what is no number, or no whole one, for a parameter that is annotated as a number."""
    kinds = set(get_args(annotation)) if isinstance(annotation, UnionType) else {annotation}
    if not {int, float} & kinds or not kinds <= {int, float, NoneType} or (value is None and NoneType in kinds):
        return
    fits = isinstance(value, Real) and not isinstance(value, bool)
    if isinstance(value, Real) and not isinstance(value, Integral) and float not in kinds:
        fits = float(value).is_integer()
    check_that(fits, name, "a number" if float in kinds else "a whole number", value)


def import_modules(names: Iterable[str]) -> None:
    """Import modules by name, also from the current folder, so that they add their classes to the registries.

    Raises:
        ValueError: There is no such module.

    Example:
        >>> import_modules(["my_network"])
        Traceback (most recent call last):
        ValueError: import: expected a module in this folder or an installed one, got 'my_network'; check its name
    """
    for name in names:
        if "" not in sys.path and os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())
        try:
            import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise  # the module is there, and one that it imports is missing
            raise ValueError(
                f"import: expected a module in this folder or an installed one, got {name!r}; check its name"
            ) from None
