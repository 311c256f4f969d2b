"""Front-ends: waveform (..., time) to time-frequency (..., band, frame), as torch modules."""

from audionet.features.cepstral import LFCC, MFCC
from audionet.features.deltas import Deltas, deltas
from audionet.features.framing import FrontEnd
from audionet.features.registry import FEATURES, create
from audionet.features.spectral import Filterbank, LinearFilterbank, Logarithm, LogMel, MelSpectrogram, Spectrogram
from audionet.features.streaming import Stream
from audionet.features.waveform import Waveform

__all__ = [
    "FEATURES",
    "LFCC",
    "MFCC",
    "Deltas",
    "Filterbank",
    "FrontEnd",
    "LinearFilterbank",
    "LogMel",
    "Logarithm",
    "MelSpectrogram",
    "Spectrogram",
    "Stream",
    "Waveform",
    "create",
    "deltas",
]
