"""Front-ends: waveform (..., time) to time-frequency (..., band, frame), as torch modules."""

from audionet.features.cepstral import LFCC, MFCC
from audionet.features.deltas import Deltas, deltas
from audionet.features.descriptors import RMS, SpectralCentroid, SpectralFlatness, SpectralRolloff, ZeroCrossingRate
from audionet.features.framing import FrontEnd
from audionet.features.kaldi import KaldiFbank, KaldiMFCC
from audionet.features.presets import WhisperLogMel, YamnetLogMel, like
from audionet.features.registry import FEATURES, create
from audionet.features.spectral import Filterbank, LinearFilterbank, Logarithm, LogMel, MelSpectrogram, Spectrogram
from audionet.features.streaming import Stream
from audionet.features.waveform import Waveform

__all__ = [
    "FEATURES",
    "LFCC",
    "MFCC",
    "RMS",
    "Deltas",
    "Filterbank",
    "FrontEnd",
    "KaldiFbank",
    "KaldiMFCC",
    "LinearFilterbank",
    "LogMel",
    "Logarithm",
    "MelSpectrogram",
    "SpectralCentroid",
    "SpectralFlatness",
    "SpectralRolloff",
    "Spectrogram",
    "Stream",
    "Waveform",
    "WhisperLogMel",
    "YamnetLogMel",
    "ZeroCrossingRate",
    "create",
    "deltas",
    "like",
]
