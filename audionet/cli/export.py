"""`audionet export`."""


def export(
    model: str,
    *,
    output: str,
    format: str = "onnx",
    calibration: str | None = None,
    onnxruntime_web: str | None = None,
) -> None:
    """Write a recogniser as files that run without torch, each compared with it first: ONNX, 8 bits, a stream.

    The front-end is inside, so that a file takes the waveform itself. Format onnx is the whole network, from a waveform
    to probabilities. int8 is the same in a third to a half of the size: recordings tell it the ranges of its numbers,
    and half of the people in them are held out to see what it loses. stream takes the next samples and what was heard
    before. web is a page on which the network listens in the browser, in a folder for any web server. esphome is one
    keyword for ESPHome's micro_wake_word on an ESP32, of a network that was trained for it.

    Args:
        model: Name of a shipped bundle (see `audionet models list`) or path of one.
        output: Folder for the files, which are called after the model; one that is there already is replaced.
        format: Formats to write, with commas between them: onnx, int8, stream, web, esphome.
        calibration: Folder with a folder of recordings for each label, for int8 and esphome.
        onnxruntime_web: Folder or .tgz of onnxruntime-web, for web; the package that npm brings by default.

    Example:
        audionet export digits --format onnx,stream --output exported
    """
    from pathlib import Path

    from audionet import bundle
    from audionet.export.formats import check_exporter, check_formats, write_formats

    formats = [each.strip() for each in format.split(",") if each.strip()]
    check_formats(formats)  # before the network is loaded, which takes seconds
    check_exporter()
    loaded = bundle.load(model) if Path(model).is_file() else bundle.load(model, "recognition")
    written = write_formats(
        loaded, output, formats, name=Path(model).stem, calibration=calibration, onnxruntime_web=onnxruntime_web
    )
    for path, remarks in written:
        print(f"{path}: {path.stat().st_size / 1e3:,.0f} kB; {'; '.join(remarks)}")
