"""Networks, one architecture a file.

Recognisers map a spectrogram (batch, 1, n_mels, frame), or a waveform as (batch, 1, 1, time), to logits
(batch, n_classes); WaveNets map samples (batch, time) to what they say of each next one.
"""

from inspect import signature
from typing import Any

from torch import nn

from audionet.models.bcresnet import BCResNet
from audionet.models.tcresnet import TCResNet
from audionet.models.wavenet.autoencoder import WaveNetAutoencoder
from audionet.models.wavenet.classifier import WaveNetClassifier
from audionet.models.wavenet.network import WaveNet

__all__ = [
    "MODELS",
    "BCResNet",
    "TCResNet",
    "WaveNet",
    "WaveNetAutoencoder",
    "WaveNetClassifier",
    "band_arguments",
    "create",
]

MODELS: dict[str, type[nn.Module]] = {
    "bcresnet": BCResNet,
    "tcresnet": TCResNet,
    "wavenet": WaveNet,
    "wavenet_autoencoder": WaveNetAutoencoder,
    "wavenet_classifier": WaveNetClassifier,
}


def band_arguments(name: str, n_bands: int) -> dict[str, int]:
    """Return the arguments that fit a recogniser to a front-end's number of bands: none for one that takes any.

    Raises:
        ValueError: If the name is unknown.
    """
    return {"n_mels": n_bands} if "n_mels" in signature(_known(name)).parameters else {}


def create(name: str, **arguments: Any) -> nn.Module:
    """Build the network called ``name`` (a key of ``MODELS``) with its own arguments.

    Raises:
        ValueError: If the name is unknown or an argument does not fit.
    """
    try:
        return _known(name)(**arguments)
    except TypeError as error:
        raise ValueError(f"model {name}: {error}") from error


def _known(name: str) -> type[nn.Module]:
    if name not in MODELS:
        raise ValueError(f"unknown model {name!r}; known: {', '.join(MODELS)}")
    return MODELS[name]
