"""The network of a page: an ONNX model from the waveform to the probabilities and to what every stage makes of it."""

import io
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from audionet.checks import check_that
from audionet.export.source import Source, session_of
from audionet.export.tracing import OPSET, joined
from audionet.insight.looking import in_order, stage_axes
from audionet.models import trace
from audionet.models.contract import stages_of

TOLERANCE = 1e-3
"""Largest difference of a stage's values from torch's, relative to the largest value of the stage where that is
above 1: decibels have three digits left in float32."""


class Watched(nn.Module):
    """A network that also returns what it makes of a spectrogram on the way.

    Args:
        network: A recogniser's network.
        temperature: What the logits are divided by before the softmax.

    Attributes:
        stages: Names of the stages.

    Shape:
        (batch, 1, n_bands, frame) -> probabilities (batch, n_classes), the spectrogram itself, and for each stage
        (batch, channel, band, frame), (batch, channel, frame) or (batch, channel)

    Example:
        >>> watched = Watched(audionet.models.create("tcresnet", n_classes=12), 1.0)
        >>> watched.stages
        ('stem', 'block1', 'block2', 'block3')
        >>> [tuple(output.shape) for output in watched(torch.zeros(1, 1, 40, 101))[:3]]
        [(1, 12), (1, 1, 40, 101), (1, 16, 101)]
    """

    def __init__(self, network: nn.Module, temperature: float) -> None:
        super().__init__()
        self.network, self.temperature = network, temperature
        stages = stages_of(network)
        self._axes = stage_axes(network, stages)
        self._modules_of = {name: stages[name] for name in self._axes}
        self.stages = tuple(self._axes)

    def forward(self, spectrogram: Tensor) -> tuple[Tensor, ...]:
        """Return the probabilities, the spectrogram, and the maps of every stage."""
        kept = trace.outputs(self.network, {**self._modules_of, "": self.network}, spectrogram)
        probabilities = (kept[""] / self.temperature).softmax(-1)
        return probabilities, spectrogram.clone(), *(in_order(kept[name], axes) for name, axes in self._axes.items())


def watched_model(source: Source) -> tuple[bytes, tuple[str, ...]]:
    """Export a recogniser with its stages, and compare what ONNX Runtime makes of clips with what torch makes of them.

    Args:
        source: The recogniser.

    Returns:
        The file, from "waveform" (1, clip_length) to "probabilities", "spectrogram" and each stage by its name; and the
        names of the stages.

    Raises:
        ValueError: The network cannot be exported, or a value differs by more than `TOLERANCE`.
    """
    recognizer = source.recognizer
    watched = Watched(trace.plain(recognizer.network), recognizer.temperature).eval()
    names = ("probabilities", "spectrogram", *watched.stages)
    probe = next(probe for probe in source.probes if probe.waveform.shape == (1, recognizer.clip_length))
    features = torch.from_numpy(probe.features)
    model = joined(source.front_end.model, _traced(watched, features, names))
    with torch.no_grad():
        expected = watched(features)
    outputs = session_of(model).run(names, {"waveform": probe.waveform})
    for name, made, theirs in zip(names, outputs, expected, strict=True):
        difference = float((torch.from_numpy(made) - theirs).abs().max() / theirs.abs().max().clamp_min(1))
        check_that(difference <= TOLERANCE, f"output {name}", f"torch's values within {TOLERANCE:g}", difference)
    content: bytes = model.SerializeToString()
    return content, watched.stages


def _traced(watched: Watched, features: Tensor, names: tuple[str, ...]) -> Any:
    """Return the ONNX model of a network for one clip."""
    import onnx

    file = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # what Python computes from the shape is constant: there is only one
        older: Any = torch.onnx.export  # whose types allow no file in memory
        older(
            watched,
            (features,),
            file,
            dynamo=False,
            input_names=["features"],
            output_names=names,
            opset_version=OPSET,
        )
    return onnx.load_model_from_string(file.getvalue())
