"""Front-ends: waveform (..., time) to time-frequency (..., band, frame), as torch modules."""

from typing import TYPE_CHECKING, Any

from audionet.features.cepstral import LFCC, MFCC
from audionet.features.chroma import Chroma
from audionet.features.compat.kaldi import KaldiFbank, KaldiMFCC
from audionet.features.compat.like import like
from audionet.features.compat.whisper import WhisperLogMel
from audionet.features.compat.yamnet import YamnetLogMel
from audionet.features.constant_q import CQT, VQT
from audionet.features.deltas import Deltas, deltas
from audionet.features.descriptors import RMS, SpectralCentroid, SpectralFlatness, SpectralRolloff, ZeroCrossingRate
from audionet.features.frontend import FrontEnd
from audionet.features.gammatone import Gammatone
from audionet.features.learned.conv_filterbank import ConvFilterbank
from audionet.features.learned.leaf import LEAF
from audionet.features.learned.sincnet import SincNet
from audionet.features.pcen import PCEN, pcen
from audionet.features.registry import FEATURES, create
from audionet.features.spectral import Filterbank, LinearFilterbank, Logarithm, LogMel, MelSpectrogram, Spectrogram
from audionet.features.streaming import Stream
from audionet.features.waveform import Waveform

if TYPE_CHECKING:
    from audionet.features.sklearn import FeatureTransformer

__all__ = [
    "CQT",
    "Chroma",
    "ConvFilterbank",
    "Deltas",
    "FEATURES",
    "FeatureTransformer",
    "Filterbank",
    "FrontEnd",
    "Gammatone",
    "KaldiFbank",
    "KaldiMFCC",
    "LEAF",
    "LFCC",
    "LinearFilterbank",
    "LogMel",
    "Logarithm",
    "MFCC",
    "MelSpectrogram",
    "PCEN",
    "RMS",
    "SincNet",
    "SpectralCentroid",
    "SpectralFlatness",
    "SpectralRolloff",
    "Spectrogram",
    "Stream",
    "VQT",
    "Waveform",
    "WhisperLogMel",
    "YamnetLogMel",
    "ZeroCrossingRate",
    "create",
    "deltas",
    "like",
    "pcen",
]


def __getattr__(name: str) -> Any:
    if name == "FeatureTransformer":  # scikit-learn is for those who use it
        from audionet.features.sklearn import FeatureTransformer

        return FeatureTransformer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
