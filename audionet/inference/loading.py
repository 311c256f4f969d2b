"""From the name or path of a bundle to the object that uses it."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, overload

import torch

from audionet import bundle
from audionet.checks import check_that

if TYPE_CHECKING:  # at run time, each is imported where it is needed
    from audionet.inference.detector import Detector
    from audionet.inference.embedder import Embedder
    from audionet.inference.generator import Generator
    from audionet.inference.onnx_recognizer import OnnxRecognizer
    from audionet.inference.recognizer import Recognizer

Name = str | os.PathLike[str]


@overload
def load(name_or_path: Name, device: str | torch.device = "cpu", *, task: Literal["recognition"]) -> "Recognizer": ...
@overload
def load(name_or_path: Name, device: str | torch.device = "cpu", *, task: Literal["generation"]) -> "Generator": ...
@overload
def load(name_or_path: Name, device: str | torch.device = "cpu", *, task: Literal["embedding"]) -> "Embedder": ...
@overload
def load(
    name_or_path: Name, device: str | torch.device = "cpu", *, task: str | None = None
) -> "Recognizer | Generator | Embedder": ...
def load(
    name_or_path: Name, device: str | torch.device = "cpu", *, task: str | None = None
) -> "Recognizer | Generator | Embedder":
    """Load a trained network by the name of a shipped bundle or by the path of one.

    Type checkers know what `load_recognizer`, `load_generator` and `load_embedder` return, and this one where the task
    is given.

    Args:
        name_or_path: A shipped name, as `audionet models list` gives them, or a `.safetensors` file.
        device: Device that computes: "cpu", "cuda", "cuda:1", "mps".
        task: "recognition", "generation" or "embedding": the task that it must be for, and the one that is meant where
            a name is shipped for several. None takes what it is for, and recognition where there are several.

    Returns:
        A Recognizer, a Generator or an Embedder, by the bundle's task.

    Raises:
        audionet.bundle.BundleError: There is no such bundle, it is for another task, or it cannot be trusted.
        ValueError: The device cannot be used here.

    Example:
        >>> load("digits").labels[:3]
        ('zero', 'one', 'two')
        >>> load("digits", task="generation").categories["label"][:3]
        ['zero', 'one', 'two']
    """
    loaded = bundle.load(name_or_path, task)
    if loaded.task == "recognition":
        from audionet.inference.recognizer import Recognizer

        return Recognizer(loaded, device)
    if loaded.task == "embedding":
        from audionet.inference.embedder import Embedder

        return Embedder(loaded, device)
    from audionet.inference.generator import Generator

    return Generator(loaded, device)


def load_recognizer(name_or_path: Name, device: str | torch.device = "cpu") -> "Recognizer":
    """Load a recogniser: `load` for the task "recognition".

    Example:
        >>> load_recognizer("digits").recognize_file("seven.wav")[0].label
        'seven'
    """
    return load(name_or_path, device, task="recognition")


def load_generator(name_or_path: Name, device: str | torch.device = "cpu") -> "Generator":
    """Load a generator: `load` for the task "generation".

    Example:
        >>> load_generator("digits").generate(0.1, label="seven", seed=0).shape  # (batch, time) at 8 kHz
        torch.Size([1, 800])
    """
    return load(name_or_path, device, task="generation")


def load_embedder(name_or_path: Name = "embedding", device: str | torch.device = "cpu") -> "Embedder":
    """Load an embedder, the shipped one unless another is named: `load` for the task "embedding"."""
    return load(name_or_path, device, task="embedding")


def load_detector(
    name_or_path: Name,
    device: str | torch.device = "cpu",
    *,
    keywords: Sequence[str] | None = None,
    thresholds: float | Mapping[str, float] | None = None,
    hop_seconds: float = 0.15,
    smoothing: int = 2,
    hysteresis: float = 0.7,
    refractory: float = 0.5,
    n_streams: int = 1,
) -> "Detector":
    """Load a recogniser as a detector of its words in streams.

    Args:
        name_or_path: A shipped name, a `.safetensors` file, or an `.onnx` file of `audionet export`, which is faster.
        device: Device that computes: "cpu", "cuda", "cuda:1", "mps"; "cpu" for an `.onnx` file.
        keywords: The words to wait for; None for all words of the recogniser.
        thresholds: Score from which on a keyword is reported: one for all, or {keyword: score}; None for the bundle's.
        hop_seconds: From one window to the next.
        smoothing: Number of windows whose scores are averaged.
        hysteresis: An event ends when its score falls below this share of its threshold.
        refractory: Seconds in which a keyword is not reported again.
        n_streams: Number of streams that are heard side by side.

    Raises:
        audionet.bundle.BundleError: There is no such bundle, it is not for recognition, or it cannot be trusted.
        ValueError: The device cannot be used here, or a setting does not fit.

    Example:
        >>> load_detector("digits", keywords=["six", "seven"])
        <Detector of six, seven: windows of 1 s every 0.15 s, of 1 stream>
    """
    from audionet.inference.detector import Detector

    return Detector(
        _clip_recognizer(name_or_path, device),
        keywords=keywords,
        thresholds=thresholds,
        hop_seconds=hop_seconds,
        smoothing=smoothing,
        hysteresis=hysteresis,
        refractory=refractory,
        n_streams=n_streams,
    )


def _clip_recognizer(name_or_path: Name, device: str | torch.device) -> "Recognizer | OnnxRecognizer":
    if not os.fspath(name_or_path).lower().endswith(".onnx"):
        return load_recognizer(name_or_path, device)
    from audionet.inference.onnx_recognizer import OnnxRecognizer

    check_that(str(device) == "cpu", "device", "cpu for an ONNX file", str(device), "load the bundle for another")
    return OnnxRecognizer(name_or_path)
