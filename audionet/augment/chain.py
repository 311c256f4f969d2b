"""A chain of augmentations, each with its own probability."""

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Generator, Tensor, nn

from audionet.augment.registry import AUGMENTATIONS
from audionet.checks import check_at_least
from audionet.registry import NamedArguments


class Augment(NamedArguments, nn.Module):
    """A chain of waveform augmentations, each applied to a clip with its own probability, in the order given.

    Args:
        augmentations: Arguments of each augmentation by its name in ``AUGMENTATIONS``, as {"gain": {"max_db": 0}}. An
            argument ``p`` is the probability that a clip is changed. None in place of the arguments leaves it out.
        sample_rate: Sample rate in hertz.
        background: (time,), int16 or float, for ``noise``; it may be empty where that is not used.
        speech: (time,), int16 or float, for ``other_speech``; None where that is not used.
        p: Probability that a clip goes through the chain at all; silences always do.

    Shape:
        (batch, time) -> (batch, time), within [-1, 1]; the call takes the generator and, where there is a class without
        speech, (batch,) bool, which clips are its silences.

    Raises:
        ValueError: A name is unknown, or an argument does not fit.

    Example:
        >>> chain = Augment(
        ...     {"time_shift": {"seconds": 0.1, "p": 0.8}, "gain": {"min_db": -12, "max_db": 0}},
        ...     sample_rate=sample_rate,
        ...     background=torch.empty(0),
        ... )
        >>> chain(waveform, torch.Generator().manual_seed(0)).shape == waveform.shape
        True
    """

    def __init__(
        self,
        augmentations: Mapping[str, Mapping[str, Any] | None],
        *,
        sample_rate: int,
        background: Tensor,
        speech: Tensor | None = None,
        p: float = 1.0,
    ) -> None:
        super().__init__()
        check_at_least(0, 1, p=p)
        self.p = p
        self.steps = nn.ModuleList()
        self.probabilities: list[float] = []
        self.takes_silence: list[bool] = []
        speech = torch.empty(0) if speech is None else speech
        known = {"sample_rate": sample_rate, "background": background, "speech": speech}
        for name, given in augmentations.items():
            kind = AUGMENTATIONS[name]
            if given is None:
                continue
            parameters = inspect.signature(kind).parameters
            arguments = {**given, **{key: value for key, value in known.items() if key in parameters}}
            chance = 1.0 if "p" in parameters else arguments.pop("p", 1.0)
            try:
                check_at_least(0, 1, p=chance)
                self.steps.append(kind(**arguments))
                self.probabilities.append(chance)
                self.takes_silence.append("silence" in inspect.signature(self.steps[-1].forward).parameters)
            except (TypeError, ValueError) as error:
                raise ValueError(f"augmentation {name}: {error}") from error

    def forward(self, waveform: Tensor, generator: Generator, silence: Tensor | None = None) -> Tensor:
        """Map (batch, time) to (batch, time); ``silence``, (batch,) bool, says which clips are silences."""
        original = waveform
        if silence is None:
            silence = torch.zeros(len(waveform), dtype=torch.bool)
        silence = silence.to(waveform.device)
        is_ours = False  # a copy that may be written into; what comes in, or out of a step, is somebody else's
        for step, p, of_silence in zip(self.steps, self.probabilities, self.takes_silence, strict=True):
            if p >= 1:
                waveform = step(waveform, generator, **({"silence": silence} if of_silence else {}))
                is_ours = False
                continue
            rows = (torch.rand(len(waveform), generator=generator) < p).nonzero()[:, 0].to(waveform.device)
            if len(rows):
                given = {"silence": silence[rows]} if of_silence else {}
                changed = step(waveform[rows], generator, **given)
                waveform = waveform if is_ours else waveform.clone()
                is_ours = True
                waveform.index_copy_(0, rows, changed)
        waveform = waveform.clamp(-1, 1)
        if self.p >= 1:
            return waveform
        spared = (torch.rand(len(waveform), generator=generator) >= self.p).to(waveform.device)
        return torch.where((spared & ~silence)[:, None], original, waveform)
