"""Front-ends by name."""

from typing import Any

from audionet.features.cepstral import LFCC, MFCC
from audionet.features.chroma import Chroma
from audionet.features.compat.kaldi import KaldiFbank, KaldiMFCC
from audionet.features.compat.whisper import WhisperLogMel
from audionet.features.compat.yamnet import YamnetLogMel
from audionet.features.constant_q import CQT, VQT
from audionet.features.deltas import Deltas
from audionet.features.descriptors import RMS, SpectralCentroid, SpectralFlatness, SpectralRolloff, ZeroCrossingRate
from audionet.features.frontend import FrontEnd
from audionet.features.gammatone import Gammatone
from audionet.features.learned.conv_filterbank import ConvFilterbank
from audionet.features.learned.leaf import LEAF
from audionet.features.learned.sincnet import SincNet
from audionet.features.pcen import PCEN
from audionet.features.spectral import LinearFilterbank, LogMel, MelSpectrogram, Spectrogram
from audionet.features.waveform import Waveform

_KINDS: tuple[type[FrontEnd], ...] = (
    Waveform,
    Spectrogram,
    LinearFilterbank,
    MelSpectrogram,
    LogMel,
    MFCC,
    LFCC,
    PCEN,
    CQT,
    VQT,
    Chroma,
    Gammatone,
    KaldiFbank,
    KaldiMFCC,
    WhisperLogMel,
    YamnetLogMel,
    SpectralCentroid,
    SpectralRolloff,
    SpectralFlatness,
    ZeroCrossingRate,
    RMS,
    SincNet,
    LEAF,
    ConvFilterbank,
)
FEATURES = {kind.__name__: kind for kind in _KINDS}


def create(name: str, *, deltas: int = 0, **arguments: Any) -> FrontEnd:
    """Build a front-end.

    Args:
        name: A key of ``FEATURES``; upper and lower case are the same.
        deltas: Times that slopes over time are taken and put beside the bands, see `Deltas`.
        **arguments: Its own.

    Raises:
        ValueError: The name is unknown or an argument does not fit.
    """
    known = {kind.lower(): kind for kind in FEATURES}
    if name.lower() not in known:
        raise ValueError(f"unknown front-end {name!r}; known: {', '.join(FEATURES)}")
    try:
        front_end = FEATURES[known[name.lower()]](**arguments)
    except TypeError as error:
        raise ValueError(f"front-end {name}: {error}") from error
    return Deltas(front_end, order=deltas) if deltas else front_end
