"""What a bundle can be for, and the trial that shows whether its parts fit together and give numbers.

A part of a clip is tried where the parts take it, which goes fast for clips of any length. The tensors that are made
meanwhile are counted, so that no bundle takes all memory or all time.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import torch
from torch import Generator, Tag, Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from audionet.checks import check_that, listed

if TYPE_CHECKING:
    from audionet.models import RecognitionNetwork, SampleModel

_PART_OF_A_CLIP = 1 << 13  # samples
_LARGEST = 1 << 29  # bytes of a tensor


def _probes(length: int) -> list[Tensor]:
    """Return what parts are tried out on, each (1, length): silence, and noise at full scale."""
    generator = torch.Generator().manual_seed(0)
    return [torch.zeros(1, length), torch.rand(1, length, generator=generator) * 2 - 1]


def _check_finite(name: str, numbers: Tensor) -> None:
    check_that(numbers.isfinite().all(), name, "finite numbers for silence and for noise", "others")


def _recognize(model: nn.Module, front_end: nn.Module | None, n_samples: int, labels: Sequence[str]) -> None:
    if front_end is None:
        raise ValueError("front_end: expected one, got none")
    for clip in _probes(n_samples):
        logits = model(front_end(clip[None]))
        expected = f"one for each of the logits {tuple(logits.shape)}"
        check_that(logits.shape == (1, len(labels)), "labels", expected, len(labels))
        _check_finite("model", logits)


def _generate(model: nn.Module, front_end: nn.Module | None, n_samples: int, labels: Sequence[str]) -> None:
    check_that(not labels, "labels", "none for generation, whose values are the model's categories", listed(labels))
    network = cast("SampleModel", model)  # refused by an AttributeError if it is none
    hop, n_tried = network.hop_length, max(network.hop_length, 2)
    conditions = {name: torch.zeros(1, dtype=torch.int64) for name in network.categories}
    for number, samples in enumerate(_probes(n_tried)):
        frames = None if front_end is None else front_end(_probes(n_samples)[number])
        part = None if frames is None else frames[..., :2]
        outputs = network(network.distribution.from_waveform(samples), conditions, part)
        fits = outputs.shape == (1, n_tried, network.distribution.n_outputs)
        check_that(fits, "model", f"outputs for {n_tried} samples", tuple(outputs.shape))
        _check_finite("model", outputs)
        if frames is not None:
            n_frames = 1 + n_samples // hop
            expected = f"{n_frames} frames of {n_samples} samples, for the model's hop of {hop}"
            check_that(frames.shape[-1] == n_frames, "front_end", expected, frames.shape[-1])


def _embed(model: nn.Module, front_end: nn.Module | None, n_samples: int, labels: Sequence[str]) -> None:
    if front_end is None:
        raise ValueError("front_end: expected one, got none")
    check_that(not labels, "labels", "none for an embedding, which knows no classes", listed(labels))
    network = cast("RecognitionNetwork", model)
    check_that(network.n_classes == 0, "model", "n_classes=0, a network without a classifier", network.n_classes)
    for clip in _probes(n_samples):
        embedding = network.embed(front_end(clip[None]))
        fits = embedding.ndim == 2 and len(embedding) == 1
        check_that(fits, "model", "embeddings (batch, channels)", tuple(embedding.shape))
        _check_finite("model", embedding)


class Task(NamedTuple):
    """What a bundle can be for.

    Attributes:
        use: What uses it, such as a command.
        trial: A trial of model, front-end, so many samples and labels. It raises an error if they do not fit together,
            or if what comes out for silence and for noise is not finite.
        figure: Name of its test figure in the training record.
        shown: Format of that figure.
    """

    use: str
    trial: Callable[[nn.Module, nn.Module | None, int, Sequence[str]], None]
    figure: str
    shown: str

    def try_out(self, model: nn.Module, front_end: nn.Module | None, clip_length: int, labels: Sequence[str]) -> None:
        """Try a part of a clip, and the whole where the parts refuse it, as a network for clips of one length does.

        Raises:
            Exception: Of whatever kind: the parts do not fit together, or give no numbers.
        """
        try:
            self.trial(model, front_end, min(clip_length, _PART_OF_A_CLIP), labels)
        except Exception:
            if clip_length <= _PART_OF_A_CLIP:
                raise
            self.trial(model, front_end, clip_length, labels)


TASKS = {
    "recognition": Task("`audionet recognize`", _recognize, "accuracy", "{:.1%}"),
    "generation": Task("`audionet generate`", _generate, "bits_per_sample", "{:.2f} bits"),
    "embedding": Task("audionet.load or a recipe's --init", _embed, "few_shot_accuracy", "{:.1%} few-shot"),
}
"""All tasks by name."""


class Allowance(TorchDispatchMode):
    """Count the tensors that are made while it is active, and refuse those that would be too large or too many.

    Random numbers are drawn from a generator of its own: torch's, which all threads share, stays as it is.

    Args:
        n_bytes: Bytes of all tensors together, those included that are soon gone.
        n_tensors: Number of tensors.
        given: Tensors of the file. Each allows 64 others, and 16 times its bytes, also for a single one.

    Raises:
        ValueError: The allowance is used up; from within, where a tensor is made.
    """

    def __init__(self, *, n_bytes: int, n_tensors: int, given: Collection[Tensor] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        more = 16 * sum(tensor.nbytes for tensor in given)
        self.n_bytes, self.n_tensors, self.largest = n_bytes + more, n_tensors + 64 * len(given), _LARGEST + more
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
            self._check(_asked_elements(function, arguments) * 4)
        if Tag.nondeterministic_seeded in function.tags and _takes_generator(function.overloadpacket):
            function, named["generator"] = function.overloadpacket, named.get("generator") or self.generator
        made = function(*arguments, **named)
        for tensor in (made if isinstance(made, list | tuple) else (made,)) if makes else ():
            if isinstance(tensor, Tensor):
                self._count(tensor.nbytes)
        return made

    def _count(self, n_bytes: int) -> None:
        self._check(n_bytes)
        self.n_bytes, self.n_tensors = self.n_bytes - n_bytes, self.n_tensors - 1
        if self.n_bytes < 0 or self.n_tensors < 0:
            raise ValueError("sizes: expected those of parts that fit the file, got far larger ones; make it again")

    def _check(self, n_bytes: int) -> None:
        expected = f"tensors of at most {self.largest >> 20} MB"
        check_that(n_bytes <= self.largest, "sizes", expected, f"one of {n_bytes >> 20} MB")


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
