"""The formats by name, and the writing of several at once."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from pkgutil import resolve_name

from audionet.bundle import Bundle
from audionet.checks import check_one_of, check_that
from audionet.export.source import Exported, Source
from audionet.files import safe_names

Write = Callable[[Source, Path], Exported]
"""What writes a format: of a source, into a folder that is there."""

FORMATS = {
    "onnx": "audionet.export.onnx:write",
    "int8": "audionet.export.int8:write",
    "stream": "audionet.export.stream:write",
    "web": "audionet.export.web.folder:write",
    "esphome": "audionet.export.esphome:write",
}
"""The function that writes each format, a `Write`, by module and name. A format is a module, and a line here."""

ELSEWHERE = {
    "wyoming": "is a server, not a file",
    "openwakeword": "classifies Google's embedding (1, 16, 96), and no network of audionet sees that",
}
"""Why something that others call a format is none here."""


def write_formats(
    bundle: Bundle,
    folder: str | os.PathLike[str],
    formats: Sequence[str] = ("onnx",),
    *,
    name: str,
    calibration: str | os.PathLike[str] | None = None,
    onnxruntime_web: str | os.PathLike[str] | None = None,
) -> list[Exported]:
    """Write a recogniser in some formats. Each is compared with torch first, and refused if it says something else.

    Args:
        bundle: Bundle of the task "recognition".
        folder: Folder for the files; it is made where it is missing.
        formats: Keys of `FORMATS`.
        name: What the files are called after.
        calibration: Folder with a folder of recordings for each label, by which "int8" and
            "esphome" choose their scales.
        onnxruntime_web: Folder or .tgz of onnxruntime-web for "web"; None for the package that npm brings.

    Returns:
        What was written for each format.

    Raises:
        ValueError: A format is unknown; it does not apply to the bundle, or needs what is not given; the extra
            `export` is not installed; or a model differs from torch. Formats before it have been written.
        OSError: A file cannot be written.

    Example:
        >>> from audionet.export import write_formats
        >>> written = write_formats(audionet.bundle.load("digits", "recognition"), "exported", name="digits")
        >>> [file.path.name for file in written]
        ['digits.onnx']
        >>> audionet.inference.OnnxRecognizer("exported/digits.onnx")
        <OnnxRecognizer of zero, one, two and 9 more: float32, clips of 1 s at 16000 Hz>
    """
    check_formats(formats)
    check_exporter()
    source = Source(bundle, next(iter(safe_names([name]).values())), calibration, onnxruntime_web)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return [_writer(each)(source, folder) for each in dict.fromkeys(formats)]


def check_formats(formats: Sequence[str]) -> None:
    """Refuse an unknown format, and none at all.

    Raises:
        ValueError: A name is no key of `FORMATS`.
    """
    check_that(formats, "format", f"some of {', '.join(FORMATS)}", "none")
    for each in formats:
        if each in ELSEWHERE:
            raise ValueError(f"format: expected one of {', '.join(FORMATS)}, got {each!r}, which {ELSEWHERE[each]}")
        check_one_of(FORMATS, "format", each)


def check_exporter() -> None:
    """Refuse to go on without the packages of the extra `export`.

    Raises:
        ValueError: One of them is missing or broken.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # as audionet.onnx_session does
    try:
        import onnx as onnx
        import onnxruntime as onnxruntime
        import onnxscript as onnxscript
    except ImportError as error:
        raise ValueError(f"export: expected its packages, got {error}; pip install 'audionet[export]'") from None


def _writer(name: str) -> Write:
    write: Write = resolve_name(FORMATS[name])
    return write
