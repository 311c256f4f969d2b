"""The format `int8`: the network in 8 bits, a third to a quarter of the size, behind the front-end in float32.

Static quantisation (Jacob et al., 2018, arXiv 1712.05877): the ranges of what flows through the network are measured on
recordings. Weights have 7 bits, each channel its own scale: processors without instructions for 8 × 8 bits add pairs of
products in 16, which overflow with all 8.
"""

import contextlib
import io
import logging
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import torch

from audionet.checks import check_that
from audionet.evaluate.recordings import known_as, recordings_in
from audionet.export.onnx import length_remark
from audionet.export.source import Exported, Source, session_of, write_model
from audionet.export.tracing import joined
from audionet.inference import Recognizer
from audionet.inference.hearing import Part

AGREEMENT = 0.9
"""Share of held-out recordings that must get the same answer as from float32 for a model to be written."""

MOST = 300
"""Recordings of which ranges are measured, at most."""

_AT_ONCE = 32


class Recordings(NamedTuple):
    """Recordings as a recogniser hears them: clips (clip, clip_length), and the position of each one's label."""

    clips: np.ndarray
    label_index: np.ndarray


def write(source: Source, folder: Path) -> Exported:
    """Write NAME_int8.onnx: "waveform" (batch, time), float in [-1, 1], to "probabilities" (batch, n_classes).

    Half of the people of the calibration folder, or of its recordings where no names tell who speaks, are held out; on
    these the model is compared with torch.

    Raises:
        ValueError: There is no calibration folder, or too little in it; the network cannot be exported; or the model
            answers otherwise than torch too often.
        OSError: The file cannot be written.
    """
    path, recognizer = folder / f"{source.name}_int8.onnx", source.recognizer
    advice = "give --calibration DIR, with a folder of recordings for each label"
    check_that(source.calibration is not None, "calibration", "a folder of recordings for int8", "none", advice)
    assert source.calibration is not None
    measured, held_out = read_recordings(recognizer, source.calibration)
    model = joined(source.front_end.model, quantized(source.network.model, _features(recognizer, measured.clips)))
    session = session_of(model)
    ours = np.concatenate([session.run(None, {"waveform": clips})[0] for clips in _batches(held_out.clips)])
    theirs = np.concatenate([recognizer.clip_probabilities(clips) for clips in _batches(held_out.clips)])
    answers, expected = ours.argmax(-1), theirs.argmax(-1)
    agreement, n = float((answers == expected).mean()), len(answers)
    advice = "nothing was written; calibrate on more recordings, as different as those that it will hear"
    check_that(agreement >= AGREEMENT, path, f"{AGREEMENT:.0%} of torch's answers", f"{agreement:.1%} of {n}", advice)
    any_length, difference = source.whole.any_length, float(np.abs(ours - theirs).max())
    write_model(
        path, model, source.described("recognizer", "int8", any_length=any_length, greatest_difference=difference)
    )
    accuracies = [float((each == held_out.label_index).mean()) for each in (expected, answers)]
    lost = f"right {accuracies[0]:.1%} in float32, {accuracies[1]:.1%} in int8"
    same = f"{agreement:.1%} of {n} held-out recordings answered as by torch, {lost}"
    return Exported(path, (length_remark(source, any_length), same))


def read_recordings(recognizer: Recognizer, folder: Path) -> tuple[Recordings, Recordings]:
    """Return the recordings of a folder for measuring ranges, and those that are held out, by other people.

    Raises:
        ValueError: There is no such folder, it holds nothing of the recogniser's labels, or all is by one person.
    """
    clips = recordings_in(folder, recognizer.labels)
    truths = known_as(sorted({clip.label for clip in clips}), recognizer.labels)
    known = [clip for clip in clips if clip.label in truths]
    by_whom = [clip.speaker or clip.path for clip in known]
    measured_on = {*sorted({*by_whom})[::2]}
    halves = []
    for is_measured in (True, False):
        chosen = [clip for clip, who in zip(known, by_whom, strict=True) if (who in measured_on) == is_measured]
        chosen = chosen[:: max(1, len(chosen) // MOST)][:MOST] if is_measured else chosen
        heard = recognizer.hearing.batches([folder / clip.path for clip in chosen], batch_size=_AT_ONCE)
        found = zip(chosen, (each for batch in heard for each in batch), strict=True)
        kept = [
            (part.clip, recognizer.labels.index(truths[clip.label])) for clip, part in found if isinstance(part, Part)
        ]
        check_that(kept, folder, "readable recordings of two people, or two at least", "fewer", "add some")
        halves.append(Recordings(np.stack([clip for clip, _ in kept]), np.array([index for _, index in kept])))
    return halves[0], halves[1]


def quantized(network: Any, features: np.ndarray) -> Any:
    """Return a network's model with its convolutions and matrix products in 8 bits.

    Args:
        network: The model, "features" to "probabilities".
        features: (clip, 1, band, frame), on which the ranges between its layers are measured.
    """
    import onnx
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        """Hands out one clip after the other, then None."""

        def __init__(self) -> None:
            self.remaining = iter(features)

        def get_next(self) -> dict[str, np.ndarray] | None:
            clip = next(self.remaining, None)
            return None if clip is None else {"features": clip[None]}

    with TemporaryDirectory() as folder, _silent():
        given, made = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
        onnx.save(network, given)
        quantization.quantize_static(
            given,
            made,
            Reader(),
            op_types_to_quantize=["Conv", "Gemm", "MatMul"],
            per_channel=True,
            reduce_range=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            calibrate_method=quantization.CalibrationMethod.Percentile,  # of outliers only, 1 value in 100,000
        )
        return onnx.load(made)


def _features(recognizer: Recognizer, clips: np.ndarray) -> np.ndarray:
    """Return the features (clip, 1, band, frame) of clips."""
    with torch.inference_mode():
        return recognizer.front_end(torch.from_numpy(clips)[:, None]).numpy()


def _batches(clips: np.ndarray) -> list[np.ndarray]:
    return [clips[start : start + _AT_ONCE] for start in range(0, len(clips), _AT_ONCE)]


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep back what the quantisation tells of its progress."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(before)
