"""Recognition by an exported ONNX file, without torch."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from audionet.checks import check_at_least, check_that, listed
from audionet.inference.onnx_description import METADATA, OnnxDescription, parse
from audionet.onnx_session import open_session


class OnnxRecognizer:
    """A recogniser in a file that `audionet export` wrote, computed by ONNX Runtime.

    It hears clips, as a `Detector` gives them to it: `audionet.load_detector("digits.onnx")`.

    Args:
        path: The file, of the format `onnx` or `int8`.
        n_threads: Threads that compute.

    Attributes:
        description: What the file says of itself.
        labels: Names of the classes, in the order of the probabilities.
        sample_rate: Samples per second of a clip.
        clip_length: Samples of a clip.
        thresholds: Score from which on each word is reported in a stream, {label: probability}.
        threshold: Probability from which on the answer to a clip is a word.

    Raises:
        ValueError: There is no such file; it is damaged, none that `audionet export` wrote, or no recogniser; or the
            extra `export` is not installed.
    """

    def __init__(self, path: str | os.PathLike[str], *, n_threads: int = 1) -> None:
        check_at_least(1, whole=True, n_threads=n_threads)
        self._session, described = open_exported(path, kind="recognizer", n_threads=n_threads)
        self.description = described
        self.labels, self.sample_rate, self.clip_length = described.labels, described.sample_rate, described.clip_length
        self.thresholds, self.threshold = described.thresholds, described.threshold

    def __repr__(self) -> str:
        seconds, precision = self.clip_length / self.sample_rate, self.description.precision
        return (
            f"<OnnxRecognizer of {listed(self.labels)}: {precision}, clips of {seconds:g} s at {self.sample_rate} Hz>"
        )

    def clip_probabilities(self, clips: np.ndarray) -> np.ndarray:
        """Return the probabilities of all labels for clips.

        Args:
            clips: (batch, clip_length), float in [-1, 1]. Where the file takes any length, clips may have another.

        Returns:
            (batch, n_classes), float32.

        Raises:
            ValueError: The clips have another shape or length, or are not finite.
        """
        clips = np.asarray(clips, np.float32)
        length = "time" if self.description.any_length else self.clip_length
        fits = clips.ndim == 2 and clips.size and (self.description.any_length or clips.shape[1] == self.clip_length)
        check_that(fits, "clips", f"(batch, {length})", clips.shape)
        check_that(np.isfinite(clips).all(), "clips", "finite samples", "others")
        (probabilities,) = self._session.run(None, {"waveform": clips})
        result: np.ndarray = probabilities
        return result


def open_exported(path: str | os.PathLike[str], *, kind: str, n_threads: int = 1) -> tuple[Any, OnnxDescription]:
    """Open a file that `audionet export` wrote, and read what it says of itself.

    Args:
        path: The file.
        kind: What it must be: "recognizer" or "stream".
        n_threads: Threads that compute.

    Returns:
        ONNX Runtime's session, and the description.

    Raises:
        ValueError: As for `OnnxRecognizer`.
    """
    path = Path(path)
    check_that(path.is_file(), path, "an exported .onnx file", "no such file")
    try:
        session = open_session(path, n_threads=n_threads)
    except ImportError as error:
        raise ValueError(f"{path}: expected onnxruntime, got none ({error}); pip install 'audionet[export]'") from None
    except Exception as error:  # of onnxruntime's kinds, which it does not export
        reason = " ".join(str(error).split())
        if "xternal" in reason:
            advice = "copy the file with its weights beside it, under the name that it had"
            expected = "its weights in another file beside it"
            raise ValueError(f"{path}: expected {expected}, got none ({reason}); {advice}") from error
        raise ValueError(f"{path}: damaged or no ONNX model ({reason}); copy or export it again") from error
    metadata = session.get_modelmeta().custom_metadata_map
    advice = "give one that audionet export wrote"
    check_that(METADATA in metadata, path, "what audionet says of its models", sorted(metadata), advice)
    try:
        described = parse(metadata[METADATA])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    check_that(described.kind == kind, path, f"a {kind}", f"a {described.kind}", "export it with another --format")
    found = session.get_outputs()[0].shape[-1]
    check_that(found == len(described.labels), path, f"{len(described.labels)} probabilities", found, "export it again")
    return session, described
