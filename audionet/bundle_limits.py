"""What a bundle may ask for: the form and the size of the values in its description, and the tensors that it makes.

A right checksum says that a file is as it was written, not that it means well. So nothing in it can take all memory or
all time: values are checked before anything is made of them, and what they make is counted while it is made.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Generator, Tag, Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from audionet.audio.containers.limits import RATES
from audionet.checks import check_no_misfits, check_one_of, check_that

MOST_TEXT = 1 << 24
"""Letters of a description, at most."""

MOST_SECONDS = {"recognition": 600, "generation": 3600}
"""Length of a clip, at most, by task."""

_DEEPEST = 32  # levels of lists and objects within each other
_LARGEST = 1 << 20  # whole number among the arguments of a part, where the highest sample rate is one million
_LARGEST_TENSOR = 1 << 29  # bytes


def check_description(description: Mapping[str, Any]) -> None:
    """Check the fields of a description of the present format.

    Raises:
        ValueError: A value is missing, of another type or out of bounds.
    """
    deepest = max((depth for depth, _ in _values(description)), default=0)
    check_that(deepest <= _DEEPEST, "description", f"at most {_DEEPEST} levels of lists and objects", deepest)
    wild = [value for _, value in _values(description) if isinstance(value, float) and not math.isfinite(value)]
    check_no_misfits(wild, "description", "finite numbers")
    check_one_of(MOST_SECONDS, "task", description["task"], "a newer audionet may know it")
    for name, kind in (("library_version", str), ("training", dict), ("value_lengths", dict)):
        check_that(isinstance(description[name], kind), name, _WORDS[kind], description[name])
    check_part("model", description["model"])
    if description["front_end"] is not None:
        check_part("front_end", description["front_end"])
    rate = description["sample_rate"]
    check_that(type(rate) is int and rate in RATES, "sample_rate", f"{RATES[0]} to {RATES[-1]} Hz", rate)
    longest = MOST_SECONDS[description["task"]] * rate
    _check_lengths("clip_length", [description["clip_length"]], longest)
    for category, lengths in description["value_lengths"].items():
        check_that(isinstance(lengths, dict), f"value_lengths, {category}", _WORDS[dict], lengths)
        _check_lengths("value_lengths", lengths.values(), longest)
    own = (description["front_end"] or {"arguments": {}})["arguments"].get("sample_rate", rate)
    check_that(own == rate, "front_end", f"the sample rate of the clips, {rate} Hz", own, "make it again")
    labels = description["labels"]
    fits = isinstance(labels, list) and all(isinstance(label, str) and label for label in labels)
    check_that(fits and len({*labels}) == len(labels), "labels", "distinct names that are not empty", labels)


def check_part(name: str, part: object) -> None:
    """Check name and arguments of a part; the part itself checks what they mean.

    Raises:
        ValueError: It is no object of a name and arguments, or an argument is out of bounds.
    """
    is_part = isinstance(part, dict) and isinstance(part.get("name"), str) and isinstance(part.get("arguments"), dict)
    check_that(is_part, name, "an object of a name and arguments", part)
    numbers = [value for _, value in _values(part) if isinstance(value, int)]
    too_large = [number for number in numbers if abs(number) > _LARGEST]
    check_no_misfits(too_large, name, f"whole numbers up to {_LARGEST} among its arguments")


class Allowance(TorchDispatchMode):
    """Count the tensors that are made while it is active, and refuse those that would be too large or too many.

    Random numbers are drawn from a generator of its own: torch's, which all threads share, stays as it is.

    Args:
        n_bytes: Bytes of all tensors together, those included that are soon gone.
        n_tensors: Number of tensors.

    Raises:
        ValueError: The allowance is used up; from within, where a tensor is made.
    """

    def __init__(self, *, n_bytes: int, n_tensors: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.n_bytes, self.n_tensors = n_bytes, n_tensors
        self.generator = Generator().manual_seed(0)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Do without torch's compiler, whose import takes longer than any bundle."""
        return False

    def __torch_dispatch__(
        self,
        function: Any,
        types: Sequence[type],
        arguments: Sequence[Any] = (),
        named: Mapping[str, Any] | None = None,
    ) -> Any:
        """Apply an operation."""
        named = dict(named or {})
        makes = not (function.is_view or function._schema.is_mutable)
        if makes:
            _check_tensor(_asked_elements(function, arguments) * 4)
        if Tag.nondeterministic_seeded in function.tags and _takes_generator(function.overloadpacket):
            function, named["generator"] = function.overloadpacket, named.get("generator") or self.generator
        made = function(*arguments, **named)
        for tensor in (made if isinstance(made, list | tuple) else (made,)) if makes else ():
            if isinstance(tensor, Tensor):
                self._count(tensor.nbytes)
        return made

    def _count(self, n_bytes: int) -> None:
        _check_tensor(n_bytes)
        self.n_bytes, self.n_tensors = self.n_bytes - n_bytes, self.n_tensors - 1
        if self.n_bytes < 0 or self.n_tensors < 0:
            raise ValueError("sizes: expected those of parts that fit the file, got far larger ones; make it again")


def _check_tensor(n_bytes: int) -> None:
    expected = f"tensors of at most {_LARGEST_TENSOR >> 20} MB"
    check_that(n_bytes <= _LARGEST_TENSOR, "sizes", expected, f"one of {n_bytes >> 20} MB")


def _takes_generator(operation: Any) -> bool:
    forms = [getattr(operation, form)._schema for form in operation.overloads()]
    return any(argument.name == "generator" for form in forms for argument in form.arguments)


def _asked_elements(function: Any, arguments: Sequence[Any]) -> int:
    """Return the elements that an operation is going to make, where its arguments say so before it is done."""
    shapes = [argument.shape for argument in arguments if isinstance(argument, Tensor)]
    if Tag.pointwise in function.tags:
        return math.prod(np.broadcast_shapes(*shapes))  # torch's own imports sympy, which takes half a second
    if shapes or not arguments:
        return 0
    if isinstance(arguments[0], list):  # a shape, or tensors that are put together
        if not all(isinstance(size, int) for size in arguments[0]):
            return 0
        return math.prod(arguments[0])
    if function.overloadpacket is torch.ops.aten.arange:
        first, last, step = (0, arguments[0], 1) if len(arguments) == 1 else (*arguments, 1)[:3]
        return int((last - first) / step)
    return 0


def _values(value: object) -> Iterator[tuple[int, object]]:
    """Yield the values in lists and objects, at any depth, and their depths."""
    waiting = [(0, value)]
    while waiting:
        depth, value = waiting.pop()
        yield depth, value
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        waiting += [(depth + 1, each) for each in inner]


def _check_lengths(name: str, lengths: Any, longest: int) -> None:
    wrong = [length for length in lengths if not (type(length) is int and 0 < length <= longest)]
    check_no_misfits(wrong, name, f"positive whole numbers of samples, up to {longest}")


_WORDS = {str: "a text", dict: "an object"}
