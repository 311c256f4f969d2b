"""Recognisers as files that run without torch: each format, what is refused, and the class that uses them."""

import sys
from typing import Any

import numpy as np
import pytest
import torch

from audionet import bundle, features, models
from audionet.bundle import Bundle, BundleError, Part
from audionet.cli.main import main
from audionet.export import constants, int8, pictures, source, tracing, write_formats
from audionet.features.fourier import best_columns, first_stage
from audionet.inference import Detector, OnnxRecognizer, Recognizer
from audionet.inference.onnx_description import METADATA, parse
from audionet.onnx_session import open_session

onnx = pytest.importorskip("onnx", reason="the extra `export` is not installed")
pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")
pytest.importorskip("onnxscript", reason="the extra `export` is not installed")

RATE, LENGTH = 8000, 4000
DECIBELS = {"n_mels": 20, "scale": "db", "offset": 1e-9, "top_db": 60.0, "subtract_mean": "band"}
TOLERANCE = 1e-5  # of float32 sums in another order; see audionet.export.checking


def recognizer_bundle(front_end: str, network: str, of_front_end: dict[str, Any], of_network: dict[str, Any]) -> Bundle:
    """A recogniser of three tones with random weights, whose running statistics are of noise."""
    of_front_end = {"sample_rate": RATE, **of_front_end}
    made = features.create(front_end, **of_front_end)
    of_network = {"n_classes": 3, "n_bands": made.n_bands, **of_network}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: Any = models.create(network, **of_network).train()
        noise = torch.randn(8, 1, LENGTH) * torch.logspace(-2, 0, 8)[:, None, None]
        with torch.no_grad():
            for _ in range(3):
                model(made(noise))
    return Bundle(
        task="recognition",
        model=Part(network, of_network, model.eval()),
        front_end=Part(front_end, of_front_end, made),
        sample_rate=RATE,
        clip_length=LENGTH,
        labels=("low", "middle", "high"),
        temperature=0.5,
        threshold=0.6,
    )


@pytest.fixture
def tiny() -> Bundle:
    return recognizer_bundle("LogMel", "tcresnet", DECIBELS, {"width": 0.5})


def waveforms(n_clips: int, length: int = LENGTH) -> np.ndarray:
    """Noise that the exporters have not seen, from full scale to silence."""
    levels = np.array([1.0, 0.1, 1e-3, 0.0])[np.arange(n_clips) % 4]
    samples: np.ndarray = np.random.default_rng(5).uniform(-1, 1, (n_clips, length)) * levels[:, None]
    return samples.astype(np.float32)


@pytest.mark.parametrize(
    "front_end, network, of_front_end, of_network, any_length",
    [
        ("LogMel", "cnn_tdnn", DECIBELS, {"n_channels": 16, "n_embedding": 16}, True),
        ("LogMel", "resnet", {"n_mels": 20, "n_fft": 400, "win_length": 400}, {"depth": 8, "width": 0.25}, True),
        ("LogMel", "lenet", {"n_mels": 40, "hop_length": 40}, {}, False),  # whose pooling to a grid is for one length
    ],
)
def test_onnx_is_torch(front_end, network, of_front_end, of_network, any_length, tmp_path):
    loaded = recognizer_bundle(front_end, network, of_front_end, of_network)
    (written,) = write_formats(loaded, tmp_path, name="tones")
    assert written.path == tmp_path / "tones.onnx"
    assert [path.name for path in tmp_path.iterdir()] == ["tones.onnx"]
    recognizer, exported = Recognizer(loaded), OnnxRecognizer(written.path)
    for given in (waveforms(1), waveforms(5)):
        made = exported.clip_probabilities(given)
        np.testing.assert_allclose(made, recognizer.clip_probabilities(given), rtol=0, atol=TOLERANCE)
    assert exported.description.any_length == any_length
    longer = waveforms(2, 2 * LENGTH + 77)
    if any_length:
        made = exported.clip_probabilities(longer)
        np.testing.assert_allclose(made, recognizer.clip_probabilities(longer), rtol=0, atol=TOLERANCE)
    else:
        assert f"waveforms of {LENGTH} samples only" in written.remarks
        with pytest.raises(ValueError, match=rf"clips: expected \(batch, {LENGTH}\), got \(2, 8077\)"):
            exported.clip_probabilities(longer)


def test_a_front_end_that_no_exporter_follows_is_for_one_length(tiny, tmp_path, monkeypatch):
    export = tracing._export

    def fixed(module, example, names, way):
        if way != tracing.FIXED:
            raise RuntimeError("taken away")
        return export(module, example, names, way)

    monkeypatch.setattr(tracing, "_export", fixed)
    (written,) = write_formats(tiny, tmp_path, name="tones")
    exported, given = OnnxRecognizer(written.path), waveforms(3)
    assert not exported.description.any_length
    expected = Recognizer(tiny).clip_probabilities(given)
    np.testing.assert_allclose(exported.clip_probabilities(given), expected, rtol=0, atol=TOLERANCE)


def test_the_file_says_what_it_is(tiny, tmp_path):
    (written,) = write_formats(tiny, tmp_path / "new" / "folder", name="a/b")
    assert written.path.name == "a_b.onnx"
    model = onnx.load(written.path)
    assert [entry.key for entry in model.metadata_props] == [METADATA]
    described = parse(model.metadata_props[0].value)
    assert described.labels == ("low", "middle", "high")
    assert (described.sample_rate, described.clip_length, described.threshold) == (RATE, LENGTH, 0.6)
    assert described.thresholds == Recognizer(tiny).thresholds
    assert described.greatest_difference <= TOLERANCE
    assert repr(OnnxRecognizer(written.path)) == (
        "<OnnxRecognizer of low, middle, high: float32, clips of 0.5 s at 8000 Hz>"
    )


@pytest.mark.parametrize("sizes", [[1, 160, 160, 3999, 4000, 9001], [8000], [400] * 12])
def test_a_stream_equals_the_network_on_the_same_windows(sizes, tiny, tmp_path):
    (written,) = write_formats(tiny, tmp_path, ["stream"], name="tones")
    session, recognizer = open_session(written.path), Recognizer(tiny)
    heard = state = np.zeros((4, LENGTH), np.float32)
    for size, samples in zip(sizes, np.split(waveforms(4, sum(sizes)), np.cumsum(sizes)[:-1], 1), strict=True):
        assert samples.shape[1] == size
        heard = np.concatenate([heard, samples], 1)
        probabilities, state = session.run(["probabilities", "next_state"], {"samples": samples, "state": state})
        np.testing.assert_array_equal(state, heard[:, -LENGTH:])
        expected = recognizer.clip_probabilities(heard[:, -LENGTH:])
        np.testing.assert_allclose(probabilities, expected, rtol=0, atol=TOLERANCE)


def test_int8_is_small_and_answers_alike(tiny, tone_folder, tmp_path):
    tiny = recognizer_bundle("LogMel", "tcresnet", DECIBELS, {})
    paths = [file.path for file in write_formats(tiny, tmp_path, ["onnx", "int8"], name="t", calibration=tone_folder)]
    assert [path.name for path in paths] == ["t.onnx", "t_int8.onnx"]
    assert paths[1].stat().st_size < 0.55 * paths[0].stat().st_size  # the front-end is in float32 in both
    recordings, _ = int8.read_recordings(Recognizer(tiny), tone_folder)
    plain, small = (OnnxRecognizer(path) for path in paths)
    assert small.description.precision == "int8"
    expected, made = (each.clip_probabilities(recordings.clips) for each in (plain, small))
    assert 1e-4 < np.abs(made - expected).max() < 0.1, "8 bits are near, and not the same"


def test_int8_holds_out_other_people(tiny, tmp_path):
    from audionet import save_audio

    for person in ("anna", "ben", "carl", "dora"):
        for label in ("low", "HIGH", "else"):
            (tmp_path / label).mkdir(exist_ok=True)
            number = ord(person[0]) - ord("a") + (10 if label == "HIGH" else 0)
            save_audio(tmp_path / label / f"{person}_nohash_0.wav", np.full(LENGTH, number / 100, np.float32), RATE)
    measured, held_out = int8.read_recordings(Recognizer(tiny), tmp_path)
    people = [{round(float(clip[0]) * 100) % 10 for clip in half.clips} for half in (measured, held_out)]
    assert people == [{0, 2}, {1, 3}]
    assert [sorted({*half.label_index.tolist()}) for half in (measured, held_out)] == [[0, 2], [0, 2]]


def test_int8_that_answers_otherwise_is_refused(tiny, tone_folder, tmp_path, monkeypatch):
    quantized = int8.quantized

    def broken(network, features):
        model = quantized(network, features)
        for tensor in model.graph.initializer:
            if tensor.data_type == onnx.TensorProto.FLOAT and "scale" in tensor.name:
                tensor.CopyFrom(onnx.numpy_helper.from_array(-onnx.numpy_helper.to_array(tensor), tensor.name))
        return model

    monkeypatch.setattr(int8, "quantized", broken)
    monkeypatch.setattr(int8, "AGREEMENT", 1.01)
    with pytest.raises(
        ValueError, match=r"t_int8.onnx: expected .* of torch's answers, got .* of 60'; nothing was wri"
    ):
        write_formats(tiny, tmp_path / "out", ["int8"], name="t", calibration=tone_folder)
    assert not [*(tmp_path / "out").iterdir()]


def test_int8_needs_recordings(tiny, tone_folder, tmp_path):
    with pytest.raises(ValueError, match="calibration: expected a folder of recordings for int8, .*--calibration DIR"):
        write_formats(tiny, tmp_path / "out", ["int8"], name="t")
    with pytest.raises(ValueError, match="no_such_folder: expected a folder, got 'nothing there'"):
        write_formats(tiny, tmp_path / "out", ["int8"], name="t", calibration=tmp_path / "no_such_folder")
    for path in sorted(tone_folder.rglob("*.wav"))[1:]:
        path.unlink()
    with pytest.raises(ValueError, match="tones: expected readable recordings of two people"):
        write_formats(tiny, tmp_path / "out", ["int8"], name="t", calibration=tone_folder)
    assert not [*(tmp_path / "out").iterdir()]


def test_what_the_exporter_does_wrong_is_refused(tiny, tmp_path, monkeypatch):
    export, join = tracing._export, tracing.joined

    def damaged(model):
        for tensor in model.graph.initializer:
            if tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) > 1:
                tensor.CopyFrom(onnx.numpy_helper.from_array(1.1 * onnx.numpy_helper.to_array(tensor), tensor.name))
        return model

    with monkeypatch.context() as patch:
        patch.setattr(tracing, "_export", lambda *arguments: damaged(export(*arguments)))
        with pytest.raises(
            ValueError, match="probabilities: expected a part that torch can export, got traced: wrong by"
        ):
            write_formats(tiny, tmp_path, ["onnx", "stream"], name="tones")
    with monkeypatch.context() as patch:
        patch.setattr(source, "joined", lambda *models: damaged(join(*models)))
        with pytest.raises(ValueError, match=r"tones.onnx: expected torch's probabilities within 1e-05, got .*nothing"):
            write_formats(tiny, tmp_path, ["onnx"], name="tones")
        with pytest.raises(ValueError, match=r"tones_stream.onnx: expected torch's probabilities within 1e-05"):
            write_formats(tiny, tmp_path, ["stream"], name="tones")
    assert not [*tmp_path.iterdir()]


def test_bad_requests(tiny, tmp_path, monkeypatch, capsys):
    with pytest.raises(ValueError, match="format: expected one of onnx, .*'onx'; did you mean 'onnx'?"):
        write_formats(tiny, tmp_path / "out", ["onnx", "onx"], name="tones")
    with pytest.raises(ValueError, match="format: expected some of onnx, .*, got 'none'"):
        write_formats(tiny, tmp_path / "out", [], name="tones")
    with pytest.raises(ValueError, match="format: expected one of onnx, .*'wyoming', which is a server, not a file"):
        write_formats(tiny, tmp_path / "out", ["wyoming"], name="tones")
    generator = bundle.load("digits", "generation")
    with pytest.raises(BundleError, match="digits: expected a bundle for recognition, got one for generation"):
        write_formats(generator, tmp_path / "out", name="digits")
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ValueError, match=r"export: expected its packages, got .*pip install 'audionet\[export\]'"):
        write_formats(tiny, tmp_path / "out", name="tones")
    assert not (tmp_path / "out").exists()
    monkeypatch.undo()
    (tmp_path / "taken").write_text("a file")
    assert main(["export", "commands", "--output", str(tmp_path / "taken")]) == 1
    assert capsys.readouterr().err.startswith("audionet: error: ") and not (tmp_path / "taken").is_dir()


def test_the_shipped_commands_by_the_command(tmp_path, capsys):
    from audionet import load_audio, load_recognizer

    assert main(["export", "commands", "--output", str(tmp_path)]) == 0
    assert "commands.onnx: 1,4" in capsys.readouterr().out, "kilobytes: 347 thousand parameters and the front-end"
    recognizer, exported = load_recognizer("commands"), OnnxRecognizer(tmp_path / "commands.onnx")
    clip = recognizer.to_clip(*load_audio("tests/data/stop.wav"))[None]
    (made,) = exported.clip_probabilities(clip)
    assert exported.labels[made.argmax()] == "stop"
    np.testing.assert_allclose(made, recognizer.clip_probabilities(clip)[0], rtol=0, atol=TOLERANCE)


def test_a_detector_takes_the_file(tiny, tmp_path, capsys):
    from audionet import load, load_detector, save_audio

    path = write_formats(tiny, tmp_path, name="tones")[0].path
    found = load_detector(path, thresholds=0.4, hop_seconds=0.1, smoothing=1)
    sound = waveforms(1, 3 * LENGTH)[0]
    events = found.detect(sound, RATE)
    assert events and events == Detector(OnnxRecognizer(path), thresholds=0.4, hop_seconds=0.1, smoothing=1).detect(
        sound, RATE
    )
    by_torch = Detector(Recognizer(tiny), thresholds=0.4, hop_seconds=0.1, smoothing=1).detect(sound, RATE)
    assert [event[:3] for event in events] == [event[:3] for event in by_torch]
    assert [event.score for event in events] == pytest.approx([event.score for event in by_torch], abs=TOLERANCE)
    with pytest.raises(ValueError, match="device: expected cpu for an ONNX file, got 'cuda'"):
        load_detector(path, "cuda")
    save_audio(tmp_path / "sound.wav", sound, RATE)
    assert main(["detect", str(path), "--threshold", "0.4", str(tmp_path / "sound.wav")]) == 0
    assert capsys.readouterr().out
    with pytest.raises(
        BundleError, match="tones.onnx: expected the .safetensors file of a bundle, got one of audionet"
    ):
        load(path)
    assert main(["recognize", str(path), str(tmp_path / "sound.wav")]) == 1
    assert "and this one to audionet detect or audionet.load_detector" in capsys.readouterr().err


def test_files_that_are_no_recognizer(tiny, tmp_path, monkeypatch):
    path = write_formats(tiny, tmp_path, ["stream", "onnx"], name="tones")[1].path
    with pytest.raises(ValueError, match="nothing.onnx: expected an exported .onnx file, got 'no such file'"):
        OnnxRecognizer(tmp_path / "nothing.onnx")
    with pytest.raises(ValueError, match="expected a recognizer, got 'a stream'; export it with another --format"):
        OnnxRecognizer(tmp_path / "tones_stream.onnx")
    whole = path.read_bytes()
    (tmp_path / "cut.onnx").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="cut.onnx: damaged or no ONNX model"):
        OnnxRecognizer(tmp_path / "cut.onnx")
    model = onnx.load(path)
    model.metadata_props[0].value = model.metadata_props[0].value.replace('"clip_length": 4000', '"clip_length": "4 s"')
    onnx.save(model, tmp_path / "changed.onnx")
    with pytest.raises(ValueError, match="changed.onnx: clip_length: expected a whole number of at least 1, got '4 s'"):
        OnnxRecognizer(tmp_path / "changed.onnx")
    model.metadata_props[0].value = "{}"
    onnx.save(model, tmp_path / "empty.onnx")
    with pytest.raises(ValueError, match="empty.onnx: its description is damaged"):
        OnnxRecognizer(tmp_path / "empty.onnx")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(ValueError, match="other.onnx: expected what audionet says of its models"):
        OnnxRecognizer(tmp_path / "other.onnx")
    onnx.save(
        onnx.load(path), tmp_path / "split.onnx", save_as_external_data=True, location="weights", size_threshold=1
    )
    (tmp_path / "weights").unlink()
    with pytest.raises(ValueError, match="split.onnx: expected its weights in another file beside it"):
        OnnxRecognizer(tmp_path / "split.onnx")
    exported = OnnxRecognizer(path)
    for clips, message in (
        (np.zeros(LENGTH), r"clips: expected \(batch, time\), got \(4000,\)"),
        (np.full((1, LENGTH), np.nan), "clips: expected finite samples"),
    ):
        with pytest.raises(ValueError, match=message):
            exported.clip_probabilities(clips)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ValueError, match=r"expected onnxruntime, got none .*; pip install 'audionet\[export\]'"):
        OnnxRecognizer(path)


@pytest.mark.parametrize("n_fft, length", [(512, 512), (400, 400), (512, 400), (1024, 1024), (540, 301)])
def test_large_constants_are_written_as_operations(n_fft, length):
    window = torch.hann_window(length) + 0.1
    n_columns = best_columns(n_fft)
    window = torch.nn.functional.pad(window, (0, -length % n_columns))
    stage = first_stage(window, n_fft, n_columns).numpy()
    triangles = features.LogMel(n_mels=80, n_fft=512).bands.filters.numpy()
    matrices = {"stage": stage, "triangles": triangles, "other": stage * 1.01 + 0.01}
    given = [onnx.numpy_helper.from_array(value, name) for name, value in matrices.items()]
    nodes = [onnx.helper.make_node("Identity", [name], [f"{name}_out"]) for name in matrices]
    outputs = [onnx.helper.make_tensor_value_info(f"{name}_out", 1, value.shape) for name, value in matrices.items()]
    graph = onnx.helper.make_graph(nodes, "constants", [], outputs, given)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8)
    small = constants.compact(model)
    assert [tensor.name for tensor in small.graph.initializer] == ["other"]
    assert small.ByteSize() < stage.nbytes + triangles.nbytes / 6
    made = open_session(small.SerializeToString()).run(None, {})
    np.testing.assert_array_equal(made[1], triangles)
    np.testing.assert_array_equal(made[2], matrices["other"])
    np.testing.assert_allclose(made[0], stage, rtol=0, atol=2e-6)  # of an angle up to 2 pi in float32


class OverTime(torch.nn.Module):
    """Convolutions over time whose outputs are added, normalised, multiplied, pooled, and seen as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = torch.nn.Conv1d(20, 16, 3, stride=2, padding=1), torch.nn.BatchNorm1d(16)
        self.shared = torch.nn.Conv1d(16, 16, 5, padding=4, dilation=2, groups=4)
        self.last = torch.nn.Conv1d(16, 3, 1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        x = self.first(features.squeeze(1))
        x = x + self.norm(self.shared(self.shared(x)).relu().sigmoid())  # a norm behind no convolution
        x = self.last(x * x.softmax(-1)) * x.mean((-2, -1), keepdim=True)
        mean: torch.Tensor = x.mean(-1)
        return mean


def test_convolutions_over_time_are_over_pictures():
    torch.manual_seed(0)
    network, given = OverTime().eval(), torch.randn(2, 1, 20, 50)
    model = tracing._export(network, given, ("features", "probabilities"), tracing.FREE)
    expected = network(given).detach().numpy()
    made = pictures.as_pictures(model)
    onnx.checker.check_model(made, full_check=True)
    sizes = {tensor.name: len(tensor.dims) for tensor in made.graph.initializer}
    assert [sizes[node.input[1]] for node in made.graph.node if node.op_type == "Conv"] == [4, 4, 4, 4]
    kinds = [node.op_type for node in made.graph.node]
    assert kinds.count("Unsqueeze") == 2, "before the first convolution, and behind what is no picture"
    (found,) = open_session(made.SerializeToString()).run(None, {"features": given.numpy()})
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_what_is_no_convolution_over_time_stays():
    model = tracing._export(
        models.create("resnet", n_classes=3, n_bands=20, depth=8, width=0.25).eval(),
        torch.randn(2, 1, 20, 50),
        ("features", "probabilities"),
        tracing.FREE,
    )
    before = model.SerializeToString()
    assert pictures.as_pictures(model).SerializeToString() == before
