"""Stands in for the library lazy_loader on machines that lack it, such as those that lend a GPU; import it first."""

import ast
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any


def attach_stub(package: str, file: str) -> tuple[Any, Any, list[str]]:
    """Return a package's ``__getattr__``, ``__dir__`` and ``__all__`` from the stub beside it."""
    homes = {
        alias.name: f".{node.module}" if node.module else ""
        for node in ast.parse(Path(file).with_suffix(".pyi").read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
    }

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if not homes[name]:
            return import_module(f"{package}.{name}")
        return getattr(import_module(package + homes[name]), name)

    return get, lambda: sorted(homes), sorted(homes)


try:
    import lazy_loader  # noqa: F401
except ImportError:
    sys.modules["lazy_loader"] = ModuleType("lazy_loader")
    vars(sys.modules["lazy_loader"])["attach_stub"] = attach_stub
