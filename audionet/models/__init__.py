"""Networks: spectrogram (batch, 1, n_mels, frame) to logits (batch, n_classes); one architecture a file."""

from typing import Any

from torch import nn

from audionet.models.bcresnet import BCResNet
from audionet.models.tcresnet import TCResNet

__all__ = ["MODELS", "BCResNet", "TCResNet", "create"]

MODELS: dict[str, type[nn.Module]] = {"bcresnet": BCResNet, "tcresnet": TCResNet}


def create(name: str, **arguments: Any) -> nn.Module:
    """Build the network called ``name`` (a key of ``MODELS``) with its own arguments.

    Raises:
        ValueError: If the name is unknown or an argument does not fit.
    """
    if name not in MODELS:
        raise ValueError(f"unknown model {name!r}; known: {', '.join(MODELS)}")
    try:
        return MODELS[name](**arguments)
    except TypeError as error:
        raise ValueError(f"model {name}: {error}") from error
