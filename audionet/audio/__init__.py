"""Sound files, and the few operations that every waveform needs before a network hears it."""

from audionet.audio.containers import AudioError
from audionet.audio.reading import (
    Source,
    check_target,
    decode,
    fit,
    load_audio,
    read_clip,
    resample,
    save_audio,
    to_mono,
)

__all__ = [
    "AudioError",
    "Source",
    "check_target",
    "decode",
    "fit",
    "load_audio",
    "read_clip",
    "resample",
    "save_audio",
    "to_mono",
]
