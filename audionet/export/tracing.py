"""From a recogniser to an ONNX model: the front-end's graph, the network's graph, and both put together.

Torch has two exporters. The older one traces a module in less than a second, but what Python computes from a length
becomes a constant. The newer one follows lengths, takes ten times as long, and exports a pooling to a grid wrongly
without an error. So each part is traced and tried out at several lengths. What is wrong at others than the clips' is
given to the newer exporter if it is a front-end, and otherwise traced for clips of one length.
"""

import io
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from audionet.export.checking import Pair, differences
from audionet.export.constants import compact
from audionet.models.trace import plain
from audionet.onnx_session import open_session

OPSET = 18
"""Version of ONNX's operators, which both exporters write, and ONNX Runtime reads since 1.14."""

FREE, NEWER, FIXED = "traced", "exported", "traced for one length"


class Graph(NamedTuple):
    """An ONNX model, and whether it takes any length or only that of the clips."""

    model: Any
    any_length: bool


class Features(nn.Module):
    """A front-end that maps (batch, time) to what networks take, (batch, 1, band, frame)."""

    def __init__(self, front_end: nn.Module) -> None:
        super().__init__()
        self.front_end = front_end

    def forward(self, waveform: Tensor) -> Tensor:
        """Map (batch, time) to (batch, 1, band, frame)."""
        features: Tensor = self.front_end(waveform)
        return features.unsqueeze(1)


class Probabilities(nn.Module):
    """A network that maps features (batch, 1, band, frame) to probabilities (batch, n_classes)."""

    def __init__(self, network: nn.Module, temperature: float) -> None:
        super().__init__()
        self.network, self.temperature = network, temperature

    def forward(self, features: Tensor) -> Tensor:
        """Map (batch, 1, band, frame) to (batch, n_classes)."""
        logits: Tensor = self.network(features)
        return (logits / self.temperature).softmax(-1)


def front_end_graph(front_end: nn.Module, pairs: Sequence[Pair]) -> Graph:
    """Export a front-end: "waveform" (batch, time) to "features" (batch, 1, band, frame).

    Args:
        front_end: The front-end, on the CPU.
        pairs: Waveforms (batch, time), clips first, and the features (batch, 1, band, frame) of each.

    Raises:
        ValueError: No exporter can.
    """
    largest = max(float(np.abs(features).max()) for _, features in pairs)
    tolerance = 1e-3 * max(1, largest / 100)  # decibels have three digits left, hertz are large numbers
    ways = (FREE, NEWER, FIXED)
    model, any_length = _first_that_works(Features(front_end), ("waveform", "features"), ways, pairs, tolerance)
    return Graph(compact(model), any_length)


def network_graph(network: nn.Module, temperature: float, pairs: Sequence[Pair]) -> Graph:
    """Export a network: "features" (batch, 1, band, frame) to "probabilities" (batch, n_classes).

    Args:
        network: The network, on the CPU.
        temperature: What its logits are divided by.
        pairs: Features (batch, 1, band, frame), of clips first, and the probabilities (batch, n_classes) of each.

    Raises:
        ValueError: The exporter cannot.
    """
    module = Probabilities(plain(network), temperature)
    return _first_that_works(module, ("features", "probabilities"), (FREE, FIXED), pairs, tolerance=1e-3)


def joined(first: Any, second: Any) -> Any:
    """Return the model that feeds the output of a model to another, whose input has the same name."""
    import onnx
    from onnx import compose

    models = [
        compose.add_prefix(model, prefix, rename_inputs=False, rename_outputs=False)
        for model, prefix in ((first, "1/"), (second, "2/"))
    ]
    for model in models:
        model.ir_version = max(first.ir_version, second.ir_version)
    name = first.graph.output[0].name
    whole = compose.merge_models(models[0], models[1], io_map=[(name, name)], producer_name="audionet")
    onnx.checker.check_model(whole)
    return whole


def _first_that_works(
    module: nn.Module,
    names: tuple[str, str],
    ways: Sequence[str],
    pairs: Sequence[Pair],
    tolerance: float,
) -> Graph:
    """Export a module in the first way whose model gives what is expected, for clips or for all lengths."""
    clip_length, problems = pairs[0][0].shape[-1], []
    for way in ways:
        tried = [pair for pair in pairs if way != FIXED or pair[0].shape[-1] == clip_length]
        try:
            model = _export(module.eval(), torch.from_numpy(pairs[0][0]), names, way)
            difference = max(differences(open_session(model.SerializeToString()), tried))
        except Exception as error:  # exporters raise what they like
            problems.append(f"{way}: {str(error).partition(chr(10))[0][:200]}")
            continue
        if difference <= tolerance:
            return Graph(model, way != FIXED and len(pairs) > 2)
        problems.append(f"{way}: wrong by {difference:.2g}")
    reasons = "; ".join(problems)
    raise ValueError(
        f"{names[1]}: expected a part that torch can export, got {reasons}; change the front-end or network"
    )


def _export(module: nn.Module, example: Tensor, names: tuple[str, str], way: str) -> Any:
    """Return the ONNX model of a module, for any batch."""
    import onnx

    last = example.ndim - 1
    common: dict[str, Any] = {"input_names": names[:1], "output_names": names[1:], "opset_version": OPSET}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        if way == NEWER:
            length = torch.export.Dim("time", min=example.shape[-1] // 2)
            shapes = ({0: torch.export.Dim("batch"), last: length},)
            program = torch.onnx.export(module, (example,), dynamo=True, dynamic_shapes=shapes, verbose=False, **common)
            assert program is not None
            for node in program.model.graph:
                node.metadata_props.clear()  # lines of Python, three times as long as the graph
            return program.model_proto
        axes = {names[0]: {0: "batch"} | ({last: "time"} if way == FREE else {}), names[1]: {0: "batch"}}
        file = io.BytesIO()
        older: Any = torch.onnx.export  # whose types allow no file in memory
        older(module, (example,), file, dynamo=False, dynamic_axes=axes, **common)
        return onnx.load_model_from_string(file.getvalue())
