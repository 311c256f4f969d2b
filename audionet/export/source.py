"""What is exported: a recogniser, its name, and what several formats have in common of it, which is made once."""

import os
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from audionet.bundle import Bundle, BundleError
from audionet.export.checking import Probe, make_probes
from audionet.export.pictures import as_pictures
from audionet.export.tracing import Graph, front_end_graph, joined, network_graph
from audionet.files import whole_file
from audionet.inference import Recognizer
from audionet.inference.onnx_description import METADATA, OnnxDescription
from audionet.onnx_session import open_session


class Exported(NamedTuple):
    """A file or folder that was written, and what there is to say of it."""

    path: Path
    remarks: tuple[str, ...]


class Source:
    """A recogniser to export.

    Args:
        bundle: Bundle of the task "recognition".
        name: What files are called after.
        calibration: Folder with a folder of recordings for each label, for the formats that need one.
        onnxruntime_web: Folder or .tgz of onnxruntime-web, for the page; None for the package that npm brings.

    Attributes:
        recognizer: The recogniser, on the CPU.
        name: What files are called after.
        calibration: The folder, if there is one.
        onnxruntime_web: The folder or package, if one is named.

    Raises:
        BundleError: The bundle is for another task.
    """

    def __init__(
        self,
        bundle: Bundle,
        name: str,
        calibration: str | os.PathLike[str] | None = None,
        onnxruntime_web: str | os.PathLike[str] | None = None,
    ) -> None:
        if bundle.task != "recognition":
            raise BundleError(
                f"{name}: expected a bundle for recognition, got one for {bundle.task}; of the others nothing can be "
                "exported: use them with audionet.load"
            )
        self.recognizer, self.name = Recognizer(bundle), name
        self.calibration = None if calibration is None else Path(calibration)
        self.onnxruntime_web = None if onnxruntime_web is None else Path(onnxruntime_web)

    @cached_property
    def probes(self) -> list[Probe]:
        """What models are tried out on, and what torch makes of it."""
        return make_probes(self.recognizer)

    @cached_property
    def front_end(self) -> Graph:
        """The front-end's graph."""
        pairs = [(probe.waveform, probe.features) for probe in self.probes]
        return front_end_graph(self.recognizer.front_end, pairs)

    @cached_property
    def network(self) -> Graph:
        """The network's graph."""
        pairs = [(probe.features, probe.probabilities) for probe in self.probes]
        return network_graph(self.recognizer.network, self.recognizer.temperature, pairs)

    @cached_property
    def whole(self) -> Graph:
        """The graph from the waveform to the probabilities, in float32, whose convolutions pictures make faster."""
        model = joined(self.front_end.model, as_pictures(self.network.model))
        return Graph(model, self.front_end.any_length and self.network.any_length)

    def described(self, kind: str, precision: str, *, any_length: bool, greatest_difference: float) -> OnnxDescription:
        """Return what a file says of itself."""
        recognizer = self.recognizer
        return OnnxDescription(
            kind=kind,
            precision=precision,
            labels=tuple(recognizer.labels),
            sample_rate=recognizer.sample_rate,
            clip_length=recognizer.clip_length,
            any_length=any_length,
            thresholds=dict(recognizer.thresholds),
            threshold=recognizer.threshold,
            greatest_difference=greatest_difference,
        )


def session_of(model: Any) -> Any:
    """Return ONNX Runtime's session of a model in memory."""
    return open_session(model.SerializeToString())


def write_model(path: Path, model: Any, described: OnnxDescription) -> None:
    """Write a model that has been checked, with what it says of itself.

    Raises:
        OSError: The file cannot be written.
    """
    del model.metadata_props[:]
    model.metadata_props.add(key=METADATA, value=described.dump())
    content = model.SerializeToString()
    open_session(content)  # what cannot be opened does not get a name
    with whole_file(path, sync=True) as file:
        file.write(content)
