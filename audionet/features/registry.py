"""Front-ends by name."""

from typing import TYPE_CHECKING

from audionet.registry import Registry

if TYPE_CHECKING:
    from audionet.features.frontend import FrontEnd

_NAMES = (
    *("Waveform", "Spectrogram", "LinearFilterbank", "MelSpectrogram", "LogMel", "MFCC", "LFCC", "PCEN"),
    *("CQT", "VQT", "Chroma", "Gammatone", "KaldiFbank", "KaldiMFCC", "WhisperLogMel", "YamnetLogMel", "NemoLogMel"),
    "MicroFrontend",
    *("SpectralCentroid", "SpectralRolloff", "SpectralFlatness", "ZeroCrossingRate", "RMS"),
    *("SincNet", "LEAF", "ConvFilterbank"),
)
FEATURES: "Registry[FrontEnd]" = Registry(
    "front-end",
    {name: f"audionet.features:{name}" for name in _NAMES},
    group="audionet.features",
    common={"deltas"},
)


def create(name: str, *, deltas: int = 0, **arguments: object) -> "FrontEnd":
    """Build a front-end.

    Args:
        name: A key of ``FEATURES``; upper and lower case are the same.
        deltas: How many times slopes over time are taken and put beside the bands, see `Deltas`.
        **arguments: Arguments of the front-end.

    Raises:
        ValueError: The name is unknown or an argument does not fit.

    Example:
        >>> create("LogMel", n_mels=64)(waveform).shape
        torch.Size([1, 64, 60])
    """
    front_end = FEATURES.create(name, **arguments)
    if not deltas:
        return front_end
    from audionet.features.slopes import Deltas

    return Deltas(front_end, order=deltas)
