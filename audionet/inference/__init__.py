"""Using trained networks. `load` is the way in.

Names are imported when first used: the engines of generation also run where no library reads sound files.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, overload

if TYPE_CHECKING:
    import torch

    from audionet.inference.generator import Generator
    from audionet.inference.recognizer import Prediction, Recognizer

__all__ = ["Generator", "Prediction", "Recognizer", "load"]

_HOMES = {"Generator": "generator", "Prediction": "recognizer", "Recognizer": "recognizer"}
_USES = {"recognition": "Recognizer", "generation": "Generator"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


@overload
def load(
    name_or_path: str | os.PathLike[str], device: "str | torch.device" = "cpu", *, task: Literal["recognition"]
) -> "Recognizer": ...


@overload
def load(
    name_or_path: str | os.PathLike[str], device: "str | torch.device" = "cpu", *, task: Literal["generation"]
) -> "Generator": ...


@overload
def load(name_or_path: str | os.PathLike[str], device: "str | torch.device" = "cpu", *, task: None = None) -> Any: ...


def load(
    name_or_path: str | os.PathLike[str], device: "str | torch.device" = "cpu", *, task: str | None = None
) -> "Recognizer | Generator":
    """Load a trained network by the name of a shipped bundle or by the path of one.

    Args:
        name_or_path: A shipped name, as `audionet models list` gives them, or a `.safetensors` file.
        device: Where to compute: "cpu", "cuda", "cuda:1", "mps".
        task: "recognition" or "generation", where a name is shipped for both or to be sure; None: for what it is.

    Returns:
        The object that uses it, by the bundle's task: a Recognizer or a Generator.

    Raises:
        audionet.bundle.BundleError: There is no such bundle, it is for another task, or it cannot be trusted.
        ValueError: The device is not usable here.
    """
    from audionet import bundle

    loaded = bundle.load(name_or_path, task)
    return __getattr__(_USES[loaded.task])(loaded, device)
