"""What an exported file says of itself: JSON text among the metadata of the ONNX model, under the name "audionet"."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from audionet import __version__
from audionet.checks import check_at_least, check_one_of, check_that

METADATA = "audionet"
"""Key of the text in the model's metadata_props."""

KINDS = ("recognizer", "stream")
PRECISIONS = ("float32", "int8")


@dataclass(frozen=True, kw_only=True)
class OnnxDescription:
    """What an exported recogniser is, as `audionet export` writes it.

    Attributes:
        kind: "recognizer" for a whole clip at once, "stream" for the next samples and what was heard before.
        precision: Numbers that the network computes with: "float32", or "int8" in its convolutions and products.
        labels: Names of the classes, in the order of the outputs.
        sample_rate: Samples per second of the waveform.
        clip_length: Samples of the clips that the network was trained on.
        any_length: Whether waveforms of other lengths are taken, too.
        thresholds: Score from which on each word is reported in a stream, {label: probability}.
        threshold: Probability from which on the answer to a clip is a word.
        greatest_difference: The greatest difference from torch's probabilities that was found when it was written.
        library_version: Version of audionet that wrote it.
    """

    kind: str
    precision: str
    labels: tuple[str, ...]
    sample_rate: int
    clip_length: int
    any_length: bool
    thresholds: Mapping[str, float]
    threshold: float
    greatest_difference: float
    library_version: str = __version__

    def __post_init__(self) -> None:
        check_one_of(KINDS, "kind", self.kind)
        check_one_of(PRECISIONS, "precision", self.precision)
        fits = all(isinstance(label, str) and label for label in self.labels) and len({*self.labels}) == len(
            self.labels
        )
        check_that(fits and self.labels, "labels", "distinct names that are not empty", self.labels)
        check_at_least(1, whole=True, sample_rate=self.sample_rate, clip_length=self.clip_length)
        check_that(self.thresholds.keys() <= {*self.labels}, "thresholds", "labels", [*self.thresholds])
        for threshold in (self.threshold, *self.thresholds.values()):
            check_at_least(0, 1, threshold=threshold)

    def dump(self) -> str:
        """Return the text that `parse` reads."""
        return json.dumps(asdict(self))


def parse(text: str) -> OnnxDescription:
    """Read the text of a description.

    Raises:
        ValueError: It is damaged, or a value is missing or out of bounds.

    Example:
        >>> described = OnnxDescription(
        ...     kind="recognizer", precision="float32", labels=("stop",), sample_rate=16_000, clip_length=16_000,
        ...     any_length=True, thresholds={"stop": 0.5}, threshold=0.5, greatest_difference=0.0,
        ... )
        >>> parse(described.dump()) == described
        True
    """
    try:
        values: dict[str, Any] = json.loads(text)
        return OnnxDescription(**values | {"labels": tuple(values["labels"])})
    except (TypeError, KeyError, AttributeError, RecursionError, json.JSONDecodeError) as error:
        raise ValueError(f"its description is damaged or of another audionet ({error}); export it again") from error
