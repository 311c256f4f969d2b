"""What `--import MODULE` does: a user's module adds its networks and front-ends when it is imported."""

import os
import sys
from collections.abc import Iterable
from importlib import import_module


def import_modules(names: Iterable[str]) -> None:
    """Import modules by name, also from the current folder.

    Raises:
        ValueError: There is no such module.

    Example:
        >>> import_modules(["my_network"])
        Traceback (most recent call last):
        ValueError: --import: expected a module in this folder or an installed one, got 'my_network'; check its name
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
                f"--import: expected a module in this folder or an installed one, got {name!r}; check its name"
            ) from None
