"""What a bundle can be for, and the trial that shows whether its parts fit together and give numbers."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

import torch
from torch import Tensor, nn

from audionet.checks import check_that, listed

if TYPE_CHECKING:
    from audionet.models import SampleModel


def _probes(length: int) -> list[Tensor]:
    """Return what parts are tried out on, each (1, length): silence, and noise at full scale."""
    generator = torch.Generator().manual_seed(0)
    return [torch.zeros(1, length), torch.rand(1, length, generator=generator) * 2 - 1]


def _check_finite(name: str, numbers: Tensor) -> None:
    check_that(numbers.isfinite().all(), name, "finite numbers for silence and for noise", "others")


def _recognize(model: nn.Module, front_end: nn.Module | None, clip_length: int, labels: Sequence[str]) -> None:
    if front_end is None:
        raise ValueError("front_end: expected one, got none")
    for clip in _probes(clip_length):
        logits = model(front_end(clip[None]))
        expected = f"one for each of the logits {tuple(logits.shape)}"
        check_that(logits.shape == (1, len(labels)), "labels", expected, len(labels))
        _check_finite("model", logits)


def _generate(model: nn.Module, front_end: nn.Module | None, clip_length: int, labels: Sequence[str]) -> None:
    check_that(not labels, "labels", "none for generation, whose values are the model's categories", listed(labels))
    network = cast("SampleModel", model)  # refused by an AttributeError if it is none
    hop, n_samples = network.hop_length, max(network.hop_length, 2)
    conditions = {name: torch.zeros(1, dtype=torch.int64) for name in network.categories}
    for number, samples in enumerate(_probes(n_samples)):
        frames = None if front_end is None else front_end(_probes(clip_length)[number])
        part = None if frames is None else frames[..., :2]
        outputs = network(network.distribution.from_waveform(samples), conditions, part)
        fits = outputs.shape == (1, n_samples, network.distribution.n_outputs)
        check_that(fits, "model", f"outputs for {n_samples} samples", tuple(outputs.shape))
        _check_finite("model", outputs)
        if frames is not None:
            n_frames = 1 + clip_length // hop
            expected = f"{n_frames} frames of {clip_length} samples, for the model's hop of {hop}"
            check_that(frames.shape[-1] == n_frames, "front_end", expected, frames.shape[-1])


class Task(NamedTuple):
    """What a bundle can be for.

    Attributes:
        command: The command that uses it.
        try_out: A trial of model, front-end, clip length and labels. It raises an error if they do not fit together, or
            if what comes out for silence and for noise is not finite.
        figure: Name of its test figure in the training record.
        shown: Format of that figure.
    """

    command: str
    try_out: Callable[[nn.Module, nn.Module | None, int, Sequence[str]], None]
    figure: str
    shown: str


TASKS = {
    "recognition": Task("recognize", _recognize, "accuracy", "{:.1%}"),
    "generation": Task("generate", _generate, "bits_per_sample", "{:.2f} bits"),
}
"""All tasks by name."""
