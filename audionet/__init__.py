"""Sound meets convolutional networks: recognise speech commands, generate audio, extract features.

Importing this package is silent and fast: a name loads what it needs when it is first used.

Example:
    >>> import audionet
    >>> recognizer = audionet.load("digits")
    >>> waveform, sample_rate = audionet.load_audio("seven.wav")  # doctest: +SKIP
    >>> recognizer.recognize(waveform, sample_rate, top_k=1)  # doctest: +SKIP
    [Prediction(label='seven', probability=0.99)]
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from audionet.version import __version__

if TYPE_CHECKING:
    from audionet import audio, augment, bundle, datasets, evaluate, features, inference, models
    from audionet.audio import load_audio, save_audio
    from audionet.inference import load

__all__ = [
    "__version__",
    "audio",
    "augment",
    "bundle",
    "datasets",
    "evaluate",
    "features",
    "inference",
    "load",
    "load_audio",
    "models",
    "save_audio",
]

_HOMES = {"load": "audionet.inference", "load_audio": "audionet.audio", "save_audio": "audionet.audio"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'audionet' has no attribute {name!r}")
    home = import_module(_HOMES.get(name, f"audionet.{name}"))
    value = getattr(home, name) if name in _HOMES else home
    globals()[name] = value  # so that the next use does not come here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
