"""Keywords for ESPHome: what a chip computes, what is refused, and what Home Assistant's package hears.

What needs tensorflow is skipped where it is missing, as in CI: it is larger than everything else together.
"""

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from audionet import features, models, save_audio
from audionet.bundle import Bundle, Part
from audionet.export import esphome, write_formats
from audionet.export.keyword_step import keyword_layers, keyword_step
from audionet.models import StreamingNetwork

for package in ("onnx", "onnxruntime", "onnxscript"):
    pytest.importorskip(package, reason="the extra `export` is not installed")
with suppress(ValueError):  # before a test imports tensorflow by itself
    esphome.check_packages()

LABELS = ("_silence_", "_unknown_", "alexa")
CAUSAL = {"width": 0.5, "causal": True}


def made(
    network: str = "tcresnet",
    of_network: dict[str, Any] = CAUSAL,
    front_end: str = "MicroFrontend",
    labels: tuple[str, ...] = LABELS,
) -> Bundle:
    """A recogniser with random weights, whose running statistics are those of noise that swells."""
    made_front_end = features.create(front_end)
    of_network = {"n_classes": len(labels), "n_bands": 40, **of_network}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: Any = models.create(network, **of_network).train()
        with torch.no_grad():
            for _ in range(3):
                model(26 * torch.rand(8, 1, 40, 98) * torch.rand(8, 1, 1, 98))
    return Bundle(
        task="recognition",
        model=Part(network, of_network, model.eval()),
        front_end=Part(front_end, {}, made_front_end),
        sample_rate=16_000,
        clip_length=16_000,
        labels=labels,
        temperature=0.5,
        threshold=0.6,
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"labels": ("_unknown_", "on", "off")},
            "labels: expected one keyword, got 'on, off'; each keyword is a file of its own: train",
        ),
        ({"labels": ("_unknown_", "_silence_")}, "labels: expected one keyword"),
        ({"labels": ("_a_", "_b_", "_c_", "on")}, "labels: expected one or two beside the keyword, got 3"),
        (
            {"front_end": "LogMel"},
            "front_end: expected MicroFrontend, got 'LogMel'; train one with recipes/words/presets/esphome.yaml",
        ),
        (
            {"of_network": {"padding_mode": "reflect"}},
            "network: expected one that is local in time, .*; train one with recipes",
        ),
        (
            {"of_network": {"activation": "gelu"}},
            r"network: .*, got 'TCResNet, whose layer blocks\S* \(GELU\) is another",
        ),
        (
            {"network": "matchboxnet", "of_network": {}},
            "network: expected one of 1D convolutions, .*MatchboxNet, whose layer",
        ),
        ({}, "calibration: expected a folder of recordings for esphome, got 'none'; give --calibration DIR"),
    ],
    ids=str,
)
def test_what_stands_in_the_way_is_told_and_nothing_written(changes, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        write_formats(made(**changes), tmp_path, ["esphome"], name="alexa")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("package", ["tensorflow", "pymicro_wakeword"])
def test_a_missing_package_is_told(package, tmp_path, monkeypatch):
    for each in ("tensorflow", "pymicro_wakeword"):
        monkeypatch.setitem(sys.modules, each, sys)  # any module
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ValueError, match=rf"esphome: .*{package}.*; pip install 'audionet\[esphome\]'"):
        write_formats(made(), tmp_path, ["esphome"], name="alexa", calibration=tmp_path)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(("n_classes", "tolerance"), [(2, 1e-6), (3, 0.015)])
def test_the_last_layers_are_the_softmax_of_the_keyword(n_classes, tolerance):
    """Of three, the logarithm is at most 0.06 from its curve, of which the sigmoid leaves a quarter."""
    generator = np.random.default_rng(0)
    weight, bias = generator.normal(size=(n_classes, 8)).astype(np.float32), generator.normal(size=n_classes)
    x = 3 * generator.normal(size=(500, 8)).astype(np.float32)
    logits = torch.from_numpy(x @ weight.T + bias)
    for label_index in range(n_classes):
        y = x
        for number, layer in enumerate(keyword_layers(weight, bias.astype(np.float32), label_index)):
            y = (np.maximum(y, 0) if number else y) @ layer.weight.T + layer.bias
        made = torch.from_numpy(y)[:, 0].sigmoid()
        torch.testing.assert_close(made, logits.softmax(-1)[:, label_index].float(), rtol=0, atol=tolerance)


def test_a_step_says_what_the_recogniser_says_of_the_same_frames():
    bundle = made()
    step = keyword_step(bundle.model.module, label_index=2, temperature=0.5, n_frames=98)
    assert (step.window, step.machine.stride, step.machine.delay) == (13, 8, 0)
    spectrogram = 26 * torch.rand(1, 1, 40, 98, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        network: Any = bundle.model.module
        expected = (network(spectrogram) / 0.5).softmax(-1)[0, 2]
        (probability,) = step.probabilities(spectrogram)
    torch.testing.assert_close(probability, expected)


def test_a_causal_network_sees_nothing_that_comes_after():
    network: Any = models.create("tcresnet", n_classes=3, causal=True).eval()
    spectrogram = torch.randn(1, 1, 40, 80, generator=torch.Generator().manual_seed(0))
    changed = spectrogram.clone()
    changed[..., 41:] = 0
    frames, others = (network.frames(each) for each in (spectrogram, changed))
    assert frames.shape == (1, 48, 10)
    assert torch.equal(frames[..., :6], others[..., :6]) and not torch.equal(frames[..., 6], others[..., 6])
    assert StreamingNetwork(network).delay == 0
    with pytest.raises(ValueError, match="padding_mode: expected 'zeros' for a causal network, got 'reflect'"):
        models.create("tcresnet", n_classes=3, causal=True, padding_mode="reflect")


@pytest.mark.parametrize(
    "of_network",
    [CAUSAL, {"width": 0.5}, {"depth": 14, "width": 0.5, "causal": True}],
    ids=["causal", "not causal", "deep"],
)
def test_tensorflow_computes_what_torch_computes(of_network):
    """In floats, sums of float32 in another order: 1e-5."""
    tf = pytest.importorskip("tensorflow", reason="the extra `esphome` is not installed")
    from audionet.export.tflite import step_function

    bundle = made(of_network=of_network, labels=LABELS[1:])
    step = keyword_step(bundle.model.module, label_index=1, temperature=0.5, n_frames=98)
    spectrogram = 26 * torch.rand(1, 1, 40, 480, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = step.probabilities(spectrogram).numpy()
    _, function = step_function(step, 40)
    chunks = np.split(spectrogram[0, 0].T.numpy()[None], 60, 1)
    found = np.array([function(tf.constant(chunk)).numpy().item() for chunk in chunks])
    first, warm_up = step.machine.delay // 8 + step.window - 1, -(-step.machine.warm_up // 8)
    compared = found[first + warm_up :]
    assert len(compared) > 10 and compared.std() > 1e-3
    np.testing.assert_allclose(compared, expected[warm_up : warm_up + len(compared)], rtol=0, atol=1e-5)


def test_the_files_are_heard_by_home_assistants_package(tmp_path, monkeypatch):
    pytest.importorskip("tensorflow", reason="the extra `esphome` is not installed")
    package = pytest.importorskip("pymicro_wakeword", reason="the extra `esphome` is not installed")
    from audionet.export import tflite

    bundle, folder = trained(tmp_path, monkeypatch)
    (written,) = write_formats(bundle, tmp_path / "out", ["esphome"], name="alexa", calibration=folder)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"alexa.tflite", "alexa.json"}
    assert written.remarks[:2] == ("alexa, with alexa.json", "one probability every 80 ms, 0 ms late")
    model = written.path.read_bytes()
    assert len(model) < 60_000
    interpreter = tflite.interpreter_of(model)
    (given,), (returned,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert given["dtype"] == np.int8 and [*given["shape"]] == [1, 8, 40]
    assert given["quantization"] == (26 / 256, -128)  # which ESPHome takes for granted
    assert returned["dtype"] == np.uint8 and [*returned["shape"]] == [1, 1]
    manifest = json.loads((tmp_path / "out" / "alexa.json").read_text())
    assert manifest["version"] == 2 and manifest["wake_word"] == "alexa"
    assert manifest["micro"]["probability_cutoff"] == 0.6 and 8000 < manifest["micro"]["tensor_arena_size"] < 40_000
    wake_word = package.MicroWakeWord.from_config(tmp_path / "out" / "alexa.json")
    for label, is_heard in (("alexa", True), ("_unknown_", False)):
        wake_word.reset()
        samples = np.concatenate([tone(label, number) for number in (90, 91)])
        data = (32_767 * samples).astype(np.int16).tobytes()
        answers = [
            wake_word.process_streaming(each) for each in package.MicroWakeWordFeatures().process_streaming(data)
        ]
        assert any(answers[98:]) == is_heard  # once a second has been heard
    monkeypatch.setattr(esphome, "NEAR", -1.0)
    with pytest.raises(ValueError, match=r"expected 95% of probabilities within -1 of torch's, got '0.0% of \d+'"):
        write_formats(bundle, tmp_path / "other", ["esphome"], name="alexa", calibration=folder)
    assert not [*(tmp_path / "other").iterdir()]


def tone(label: str, number: int) -> np.ndarray:
    """A second of noise, with a tone in its middle."""
    generator = np.random.default_rng([number, LABELS.index(label)])
    seconds = np.arange(16_000) / 16_000
    hertz = {"_silence_": 0, "_unknown_": 300, "alexa": 900}[label] * generator.uniform(0.9, 1.1)
    heard = np.sin(2 * np.pi * hertz * seconds) * (abs(seconds - 0.5) < 0.3)
    samples: np.ndarray = (0.3 * heard + 0.01 * generator.standard_normal(16_000)).astype(np.float32)
    return samples


def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Bundle, Path]:
    """A recogniser that has learnt the tones, and a folder of them by ten people."""
    monkeypatch.setenv("AUDIONET_CACHE", str(tmp_path / "cache"))
    for label in LABELS:
        for number in range(10):
            (tmp_path / "tones" / label).mkdir(parents=True, exist_ok=True)
            save_audio(tmp_path / "tones" / label / f"p{number}_nohash_0.wav", tone(label, number), 16_000)
    bundle = made()
    network = bundle.model.module.train()
    clips = torch.from_numpy(np.stack([tone(label, number) for label in LABELS for number in range(10)]))
    assert bundle.front_end is not None
    spectrograms, truths = bundle.front_end.module(clips)[:, None], torch.arange(3).repeat_interleave(10)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(25):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(spectrograms), truths).backward()
        optimizer.step()
    network.eval()
    return bundle, tmp_path / "tones"
