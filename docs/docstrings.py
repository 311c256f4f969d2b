"""How the reference reads our docstrings: an `Example:` is code with its result, as `Examples:` is for griffe."""

import re
from typing import Any

import griffe


class Example(griffe.Extension):
    """Spell the heading as griffe wants it."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change a docstring before it is parsed."""
        if obj.docstring:
            obj.docstring.value = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
