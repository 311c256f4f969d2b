"""Front-ends: waveform (..., time) to time-frequency (..., band, frame), as torch modules."""

from typing import Any

from torch import nn

from audionet.features.spectral import MFCC, LogMel, MelSpectrogram, Spectrogram
from audionet.features.waveform import Waveform

__all__ = ["FEATURES", "MFCC", "LogMel", "MelSpectrogram", "Spectrogram", "Waveform", "create"]

FEATURES: dict[str, type[nn.Module]] = {
    "Spectrogram": Spectrogram,
    "MelSpectrogram": MelSpectrogram,
    "LogMel": LogMel,
    "MFCC": MFCC,
    "Waveform": Waveform,
}


def create(name: str, **arguments: Any) -> nn.Module:
    """Build the front-end called ``name`` (a key of ``FEATURES``) with its own arguments.

    Raises:
        ValueError: If the name is unknown or an argument does not fit.
    """
    if name not in FEATURES:
        raise ValueError(f"unknown front-end {name!r}; known: {', '.join(FEATURES)}")
    try:
        return FEATURES[name](**arguments)
    except TypeError as error:
        raise ValueError(f"front-end {name}: {error}") from error
