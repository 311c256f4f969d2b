"""Whether an exported model says what torch says."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

from audionet.checks import check_that
from audionet.inference import Recognizer

TOLERANCE = 1e-5
"""Greatest difference of a probability from torch's with which a model is written: float32 has rounded some hundred
times by then, in another order."""

LEVELS = (1.0, 0.1, 1e-3, 0.0)
"""Peaks of what models are tried out on: full scale, speech, a whisper in the next room, digital silence."""


Pair = tuple[np.ndarray, np.ndarray]
"""What a model is given, and what torch makes of it."""


class Probe(NamedTuple):
    """What a model is tried out on, and what torch makes of it.

    Attributes:
        waveform: (batch, time).
        features: The front-end's, (batch, 1, band, frame).
        probabilities: The recogniser's, (batch, n_classes).
    """

    waveform: np.ndarray
    features: np.ndarray
    probabilities: np.ndarray


def make_probes(recognizer: Recognizer) -> list[Probe]:
    """Return noise that swells, at all `LEVELS`: clips, several and one alone, then waveforms of other lengths.

    A length that the recogniser itself refuses is left out.
    """
    length = recognizer.clip_length
    found = [_probe(recognizer, len(LEVELS), length), _probe(recognizer, 1, length)]
    for other in (3 * length // 2 + 1, 4 * length // 5):
        try:
            found.append(_probe(recognizer, 3, other))
        except (ValueError, RuntimeError):  # too short for the network, or laid out for one length
            continue
    return found


def _probe(recognizer: Recognizer, n_clips: int, length: int) -> Probe:
    generator = torch.Generator().manual_seed(n_clips)
    noise = torch.rand(n_clips, length, generator=generator) * 2 - 1
    waveform = noise * torch.tensor(LEVELS)[:n_clips, None] * torch.linspace(0, 1, length)
    with torch.no_grad():
        features = recognizer.front_end(waveform).unsqueeze(1)
        probabilities = recognizer.probabilities(recognizer.network(features))
    return Probe(waveform.numpy(), features.numpy(), probabilities.numpy())


def differences(session: Any, pairs: Iterable[Pair]) -> Iterator[float]:
    """Yield the greatest difference of each output of a session from what is expected; infinity for another shape."""
    name = session.get_inputs()[0].name
    for given, expected in pairs:
        try:
            (made,) = session.run(None, {name: given})
        except Exception:  # of onnxruntime's own kinds: a shape that does not fit
            made = np.zeros(0)
        fits = made.shape == expected.shape and np.isfinite(made).all()
        yield float(np.abs(made - expected).max()) if fits else float("inf")


def check_difference(path: object, difference: float) -> None:
    """Refuse a model whose probabilities are not torch's.

    Raises:
        ValueError: The difference is above the tolerance.
    """
    expected = f"torch's probabilities within {TOLERANCE:g}"
    got = "others" if difference == float("inf") else f"others by up to {difference:.2g}"
    advice = "nothing was written; tell the authors which network and front-end it is"
    check_that(difference <= TOLERANCE, path, expected, got, advice)
