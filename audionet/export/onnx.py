"""The format `onnx`: from the waveform to the probabilities in one float32 model, with the front-end inside."""

from pathlib import Path

from audionet.export.checking import check_difference, differences
from audionet.export.source import Exported, Source, session_of, write_model


def write(source: Source, folder: Path) -> Exported:
    """Write NAME.onnx: "waveform" (batch, time), float in [-1, 1], to "probabilities" (batch, n_classes).

    Raises:
        ValueError: The network or the front-end cannot be exported, or the model's probabilities are not torch's.
        OSError: The file cannot be written.
    """
    path, (model, any_length) = folder / f"{source.name}.onnx", source.whole
    clip_length = source.recognizer.clip_length
    tried = [probe for probe in source.probes if any_length or probe.waveform.shape[-1] == clip_length]
    difference = max(differences(session_of(model), [(probe.waveform, probe.probabilities) for probe in tried]))
    check_difference(path, difference)
    described = source.described("recognizer", "float32", any_length=any_length, greatest_difference=difference)
    write_model(path, model, described)
    return Exported(path, (length_remark(source, any_length), f"torch's probabilities within {difference:.1g}"))


def length_remark(source: Source, any_length: bool) -> str:
    """Return which waveforms a model takes, in words."""
    return "waveforms of any length" if any_length else f"waveforms of {source.recognizer.clip_length} samples only"
