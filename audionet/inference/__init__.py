"""Using trained networks. `load` is the way in."""

import os

import torch

from audionet import bundle
from audionet.inference.recognizer import Prediction, Recognizer

__all__ = ["Prediction", "Recognizer", "load"]

_USES = {"recognition": Recognizer}


def load(name_or_path: str | os.PathLike[str], device: str | torch.device = "cpu") -> Recognizer:
    """Load a trained network by the name of a shipped bundle or by the path of one.

    Args:
        name_or_path: A shipped name, as `audionet models list` gives them, or a `.safetensors` file.
        device: Where to compute: "cpu", "cuda", "cuda:1", "mps".

    Returns:
        The object that uses it, by the bundle's task.

    Raises:
        audionet.bundle.BundleError: There is no such bundle, or it cannot be trusted.
        ValueError: The device is not usable here.
    """
    loaded = bundle.load(name_or_path)
    return _USES[loaded.task](loaded, device)
