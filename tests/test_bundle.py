"""Bundles: what is written is read back, and what is not sound is refused with its reason."""

import json
import struct
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from audionet import __version__, bundle, bundle_tasks, features, models
from audionet.bundle import Bundle, BundleError, Part
from audionet.bundle_format import FORMAT_VERSION, checksum
from audionet.bundle_tasks import TASKS
from tests import mutations


def rewrite(path, tensors=None, **changes):
    """Change a bundle's description or tensors, with a checksum that is right again."""
    with safe_open(path, framework="pt") as file:
        description = json.loads(file.metadata()["audionet"])
    tensors = load_file(path) if tensors is None else tensors
    description = {key: value for key, value in (description | changes).items() if value is not ...}
    del description["sha256"]
    description["sha256"] = checksum(description, tensors)
    save_file(tensors, path, metadata={"audionet": json.dumps(description)})


def test_what_is_saved_is_loaded(write_bundle):
    torch.manual_seed(7)
    model = models.create("tcresnet", n_classes=10, n_bands=20)
    arguments = {"n_classes": 10, "n_bands": 20}
    path = write_bundle(model=Part("tcresnet", arguments, model.train()))

    loaded: Any = bundle.load(path)

    assert loaded.task == "recognition"
    assert (loaded.sample_rate, loaded.clip_length) == (8000, 8000)
    assert loaded.labels[3] == "three" and len(loaded.labels) == 10
    assert loaded.training == {"data": "made up", "accuracy": 0.5, "seed": 0}
    assert (loaded.model.name, loaded.model.arguments) == ("tcresnet", arguments)
    assert loaded.library_version == __version__
    network, front_end = loaded.model.module, loaded.front_end.module
    assert not any(module.training for module in (*network.modules(), *front_end.modules()))
    assert model.training, "saving must leave the caller's model as it was"
    clip = torch.randn(2, 1, 8000)
    model.eval()
    with torch.inference_mode():
        assert torch.equal(network(front_end(clip)), model(front_end(clip)))


def test_same_content_gives_the_same_bytes(write_bundle, tmp_path):
    first, second = write_bundle(tmp_path / "a.safetensors"), write_bundle(tmp_path / "b.safetensors")
    assert first.read_bytes() == second.read_bytes()


def test_saving_and_loading_leave_random_numbers_and_threads_alone(write_bundle):
    state, n_threads = torch.get_rng_state(), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        bundle.load(write_bundle())
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(n_threads)
    assert torch.equal(torch.get_rng_state(), state)


def test_every_flipped_byte_is_noticed(write_bundle):
    path = write_bundle()
    sound = path.read_bytes()
    header_end = 8 + struct.unpack("<Q", sound[:8])[0]
    step = (len(sound) - header_end) // 40
    for position in (*range(0, header_end, 97), *range(header_end, len(sound), step), len(sound) - 1):
        damaged = bytearray(sound)
        damaged[position] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(BundleError, match="tiny.safetensors"):
            bundle.load(path)


@pytest.mark.parametrize("share", [0.0, 0.0005, 0.02, 0.5, 0.999])
def test_cut_short(write_bundle, share):
    path = write_bundle()
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(BundleError, match="expected a safetensors file|damaged or cut short"):
        bundle.load(path)


def test_missing_file_lists_what_is_shipped(monkeypatch, tmp_path):
    monkeypatch.setattr(bundle, "SHIPPED", tmp_path)
    for task in TASKS:
        (tmp_path / task).mkdir()
        (tmp_path / task / "digits.safetensors").touch()
    with pytest.raises(BundleError, match=r"nowhere: expected .*for recognition: digits; for generation: digits"):
        bundle.load("nowhere")


def test_shipped_names_stand_for_files(monkeypatch, write_bundle, tmp_path):
    folder = tmp_path / "recognition"
    write_bundle(folder / "digits.safetensors")
    write_bundle(folder / "commands.safetensors")
    monkeypatch.setattr(bundle, "SHIPPED", tmp_path)
    assert bundle.shipped("recognition") == ["commands", "digits"]
    assert bundle.find("digits") == folder / "digits.safetensors"
    assert bundle.load("digits").labels[0] == "zero"


def test_a_checkpoint_is_not_a_bundle(tmp_path):
    path = tmp_path / "last.ckpt"
    torch.save({"state_dict": {}}, path)
    with pytest.raises(BundleError, match="expected a safetensors file.*no checkpoint"):
        bundle.load(path)


def test_foreign_safetensors(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(3)}, path, metadata={"format": "pt"})
    with pytest.raises(BundleError, match=r"metadata: expected those of a bundle, .*'format': 'pt'"):
        bundle.load(path)


def test_newer_format_says_to_upgrade(write_bundle):
    path = write_bundle()
    rewrite(path, format=FORMAT_VERSION + 1, library_version="9.1.0", labels=...)
    with pytest.raises(BundleError, match=r"audionet 9\.1\.0.*pip install --upgrade audionet"):
        bundle.load(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"model": {"name": "my_net", "arguments": {}}},
            "bcresnet.*my_net.*import the module that adds it: .*--import",
        ),
        ({"model": {"name": "os.system", "arguments": {"command": "id"}}}, "bcresnet.*os.system"),
        ({"model": {"name": "tcresnet", "arguments": {"n_classes": 10, "n_bands": 20, "w": 1}}}, "tcresnet"),
        ({"model": {"name": "tcresnet", "arguments": {"n_classes": 9, "n_bands": 20}}}, "of another shape"),
        (
            {"front_end": {"name": "Cochlea", "arguments": {}}},
            "Cochlea.*LogMel.*import the module that adds it: .*--import",
        ),
        ({"front_end": {"name": "LogMel", "arguments": {"sample_rate": 16000}}}, "8000 Hz, got 16000"),
        ({"front_end": {"name": "LogMel", "arguments": {"sample_rate": 8000}}}, "do not fit together"),
        ({"labels": ["a", "b"]}, r"labels: .*\(1, 10\), got 2"),
        ({"labels": ["a"] * 10}, "distinct"),
        ({"labels": [["a"]] * 10}, "distinct"),
        ({"labels": ...}, "incomplete.*labels"),
        (
            {"model": {"name": "tcresnet", "arguments": "n_classes"}},
            "model: expected an object of a name and arguments",
        ),
        ({"task": "juggling"}, "recognition, generation, embedding, got .juggling."),
        ({"sample_rate": 0}, "sample_rate: expected 100 to 1000000 Hz, got 0"),
        ({"sample_rate": True}, "sample_rate: expected 100 to 1000000 Hz, got True"),
        ({"clip_length": "1 s"}, "clip_length.*positive"),
        ({"value_lengths": {"label": {"yes": 0}}}, "value_lengths: expected positive whole numbers of samples.*got 0"),
        ({"value_lengths": [8000]}, r"value_lengths: expected an object, got \[8000\]"),
    ],
)
def test_description_that_does_not_fit(write_bundle, changes, message):
    path = write_bundle()
    rewrite(path, **changes)
    with pytest.raises(BundleError, match=message):
        bundle.load(path)


DETECTION = {
    "thresholds": {"one": 0.9, "two": 1},
    "false_alarms_per_hour": 0.5,
    "negative_hours": 12.5,
    "alarms": 6,
    "interval": [0.17, 1.05],
}


def test_calibrated_thresholds_are_optional(write_bundle, tmp_path):
    path = write_bundle(detection=DETECTION)
    assert bundle.load(path).detection == DETECTION
    rewrite(path, detection=...)  # as written before there were any
    assert bundle.load(path).detection == {}
    rewrite(path, detection={}, format=2, temperature=..., threshold=...)
    assert bundle.load(path).detection == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"thresholds": {}}, "thresholds: expected {keyword: score}"),
        ({"thresholds": [0.5]}, "thresholds: expected {keyword: score}"),
        ({"thresholds": {"eleven": 0.5}}, "expected words among labels, got eleven"),
        ({"thresholds": {"one": 0}}, "thresholds: expected above 0 to 1, got 0"),
        ({"thresholds": {"one": 1.01}}, "thresholds: expected above 0 to 1, got 1.01"),
        ({"thresholds": {"one": "0.5"}}, "expected numbers, got 0.5"),
        ({"thresholds": {"one": True}}, "expected numbers, got True"),
        ({"false_alarms_per_hour": 0}, "false_alarms_per_hour: expected more than 0"),
        ({"negative_hours": -1.0}, "negative_hours: expected more than 0"),
        ({"alarms": 1.5}, "alarms: expected a whole number"),
        ({"alarms": -1}, "alarms"),
        ({"interval": [2, 1]}, "interval: expected rising ends"),
        ({"interval": [0.0]}, r"interval: expected \[low, high\]"),
        ({"interval": None}, r"interval: expected \[low, high\]"),
        (
            {"import": "os"},
            "expected thresholds, .* or nothing, got .*import.*; run audionet calibrate again",
        ),
    ],
)
def test_thresholds_that_do_not_fit(write_bundle, changes, message):
    path = write_bundle()
    rewrite(path, detection=DETECTION | changes)
    with pytest.raises(BundleError, match=f"detection.*{message}"):
        bundle.load(path)
    rewrite(path, detection=[DETECTION])
    with pytest.raises(BundleError, match="detection: expected an object"):
        bundle.load(path)


def test_tensors_that_do_not_fit(write_bundle):
    path = write_bundle()
    tensors = load_file(path)
    name = next(name for name in tensors if name.endswith("weight"))

    rewrite(path, {key: value for key, value in tensors.items() if key != name})
    with pytest.raises(BundleError, match=f"{name.removeprefix('model.')} missing"):
        bundle.load(path)

    rewrite(path, tensors | {"model.surplus": torch.zeros(1)})
    with pytest.raises(BundleError, match="surplus not of this architecture"):
        bundle.load(path)

    rewrite(path, tensors | {"optimizer.step": torch.zeros(1)})
    with pytest.raises(BundleError, match="optimizer.step"):
        bundle.load(path)

    rewrite(path, tensors | {name: torch.full_like(tensors[name], torch.nan)})
    with pytest.raises(BundleError, match="not finite"):
        bundle.load(path)


def test_what_cannot_be_loaded_is_not_saved(write_bundle, tmp_path):
    path = write_bundle()
    before = path.read_bytes()
    arguments = {"n_classes": 10, "n_bands": 20}
    diverged = models.create("tcresnet", **arguments)
    next(diverged.parameters()).data.fill_(torch.inf)

    with pytest.raises(BundleError, match=r"/tiny\.safetensors: .*not finite"):
        write_bundle(model=Part("tcresnet", arguments, diverged))
    with pytest.raises(BundleError, match="labels: .*got 3"):
        write_bundle(labels=("a", "b", "c"))
    with pytest.raises(BundleError, match="plain JSON"):
        write_bundle(training={"where": Path("x")})
    with pytest.raises(BundleError, match="plain JSON"):
        write_bundle(training={"loss": float("nan")})

    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["tiny.safetensors"]


# ---- no training is lost for its sizes ------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [601, 8000])
def test_recognisers_of_long_clips_are_saved(write_bundle, seconds):
    assert bundle.load(write_bundle(clip_length=seconds * 8000)).clip_length == seconds * 8000


def test_networks_that_take_much_memory_for_a_clip_are_saved(write_bundle):
    _, name, arguments, _, _ = mutations.SOUND["wavenet_classifier"]
    model = Part(name, arguments, models.create(name, **arguments))
    labels, front_end = ("yes", "no", "on"), Part("Waveform", {}, features.create("Waveform"))
    path = write_bundle(model=model, front_end=front_end, labels=labels, clip_length=1 << 25)  # 1 GB a layer
    assert bundle.load(path).labels == labels


class OfOneLength(torch.nn.Module):
    """A network for clips of 20,000 samples alone, with weights in one large tensor."""

    def __init__(self, n_classes):
        super().__init__()
        self.head = torch.nn.Linear(20_000, n_classes)

    def forward(self, spectrogram):
        return self.head(spectrogram.flatten(1))


def of_one_length(n_classes=3):
    """Return the parts of a bundle with such a network."""
    model = Part("of_one_length", {"n_classes": n_classes}, OfOneLength(n_classes))
    front_end = Part("Waveform", {}, features.create("Waveform"))
    return {"model": model, "front_end": front_end, "labels": tuple(map(str, range(n_classes))), "clip_length": 20_000}


def test_a_network_for_clips_of_one_length_is_saved(write_bundle, registries_as_they_were):
    models.MODELS.add("of_one_length", OfOneLength)
    assert bundle.load(write_bundle(**of_one_length())).model.name == "of_one_length"
    with pytest.raises(BundleError, match="do not fit together for recognition: mat1 and mat2"):
        write_bundle(**of_one_length() | {"clip_length": 20_001})


def test_what_a_file_holds_may_be_larger_than_any_limit(write_bundle, registries_as_they_were, monkeypatch):
    models.MODELS.add("of_one_length", OfOneLength)
    path = write_bundle(**of_one_length(50))
    monkeypatch.setattr(bundle_tasks, "_LARGEST", 1 << 17)  # less than a clip's bytes, and than the weights'
    assert len(bundle.load(path).labels) == 50
    with pytest.raises(BundleError, match="front_end: LogMel cannot be made .*sizes: expected tensors of at most"):
        front_end = {"sample_rate": 8000, "n_mels": 4000, "n_fft": 1 << 15}
        rewrite(path, front_end={"name": "LogMel", "arguments": front_end})
        bundle.load(path)


def test_what_is_checked_before_a_training_is_saved_after_it(write_bundle, tmp_path):
    sound = bundle.load(write_bundle())
    state = torch.get_rng_state()
    assert bundle.checked(sound) is sound
    assert torch.equal(torch.get_rng_state(), state)
    for changes, message in (
        ({"labels": ("a", "b")}, "bundle: its parts do not fit together for recognition: labels: .*got 2"),
        ({"clip_length": 10**9}, "bundle: clip_length: .*got 1000000000"),
        ({"model": Part("tcresnet", {"n_classes": 9, "n_bands": 20}, sound.model.module)}, "of another shape"),
        ({"model": Part("tcresnet", {"n_classes": Path()}, sound.model.module)}, "bundle: .*plain JSON"),
    ):
        with pytest.raises(BundleError, match=message):
            bundle.checked(replace(sound, **changes))
        with pytest.raises(BundleError, match=message.removeprefix("bundle: ")):
            bundle.save(tmp_path / "new.safetensors", replace(sound, **changes))


# ---- a right checksum around what cannot be -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clip_length": 10**9}, "clip_length: .*up to 67108864, got 1000000000"),
        ({"clip_length": True}, "clip_length: .*got True"),
        ({"sample_rate": 2}, "sample_rate: expected 100 to"),
        ({"labels": [str(number) for number in range(10**5)]}, "labels: .*got 100000"),
        ({"labels": "yes"}, "labels: expected distinct"),
        ({"temperature": 0.0}, "temperature: expected 0.01 to 100, got 0"),
        ({"temperature": True}, "temperature: expected 0.01 to 100, got True"),
        ({"threshold": 1.5}, "threshold: expected 0 to 1, got 1.5"),
        ({"threshold": None}, "threshold: expected 0 to 1, got None"),
        ({"training": [[]]}, "training: expected an object"),
        ({"training": {"loss": float("nan")}}, "description: expected finite numbers, got nan"),
        ({"training": {"loss": 10**5000}}, "description is damaged.*digits"),
        ({"training": {"text": "x" * (1 << 24)}}, "description: expected at most 16777216 letters"),
        ({"format": True}, "format: expected"),
        ({"front_end": {"name": 5, "arguments": {}}}, "front_end: expected an object of a name and arguments"),
        ({"front_end": {"name": "LogMel", "arguments": {"n_mels": 10**9}}}, "front_end: expected whole numbers up to"),
        ({"front_end": {"name": "LogMel", "arguments": {"n_fft": 10**5, "n_mels": 10**5}}}, "sizes: expected"),
        ({"front_end": {"name": "LogMel", "arguments": {"hop_length": 0}}}, "hop_length"),
        (
            {"front_end": {"name": "MFCC", "arguments": {"deltas": 10**6}}},
            "order: expected a whole number from 1 to 10",
        ),
        ({"front_end": {"name": "Gammatone", "arguments": {"bandwidth": 1e-9}}}, "cannot be made"),
        (
            {"model": {"name": "tcresnet", "arguments": {"n_classes": 10, "n_bands": 20, "width": 1e6}}},
            "sizes: expected",
        ),
        ({"model": {"name": "wavenet", "arguments": {"n_layers": 10**8}}}, "model: expected whole numbers up to"),
        ({"model": {"name": "wavenet", "arguments": {"n_layers": 10**6, "n_cycles": 1}}}, "at most 20 layers a cycle"),
        ({"model": {"name": "wavenet", "arguments": {"n_layers": 10**6, "n_cycles": 10**6}}}, "sizes: expected"),
        ({"model": {"name": "wavenet", "arguments": {"categories": "x"}}}, "wavenet cannot be made"),
        ({"model": {"name": "wavenet", "arguments": {"categories": {"label": "ab"}}}}, "categories, label: expected"),
    ],
)
def test_what_would_take_all_memory_or_time_is_refused(write_bundle, changes, message):
    path = write_bundle()
    description, tensors = mutations.read(path)
    for name in ("front_end",) if "front_end" in changes and isinstance(changes["front_end"]["name"], str) else ():
        changes[name]["arguments"]["sample_rate"] = 8000
    if message.endswith("digits"):  # which json writes only on request
        write_text(path, description | {"training": {"loss": 1}}, '"loss": 1', f'"loss": {"1" * 5000}')
    else:
        mutations.write(path, description | changes, tensors)
    with pytest.raises(BundleError, match=rf"tiny\.safetensors: .*({message})"):
        bundle.load(path)


def write_text(path, description, old, new):
    """Replace text in a description, whose checksum nobody gets to compare."""
    tensors = load_file(path)
    save_file(tensors, path, metadata={"audionet": json.dumps(description | {"sha256": ""}).replace(old, new)})


def test_a_description_as_deep_as_an_abyss(write_bundle):
    path = write_bundle()
    description, tensors = mutations.read(path)
    write_text(path, description | {"training": "deep"}, '"deep"', "[" * 10_000 + "]" * 10_000)
    with pytest.raises(BundleError, match=r"tiny\.safetensors: its description is damaged"):
        bundle.load(path)
    deep: Any = {}
    for _ in range(40):
        deep = {"a": deep}
    mutations.write(path, description | {"training": deep}, tensors)
    with pytest.raises(BundleError, match="description: expected at most 32 levels"):
        bundle.load(path)


@pytest.mark.parametrize(
    ("ending", "change", "message"),
    [
        ("head.1.weight", lambda x: x.to(torch.float8_e4m3fn), "of another type"),
        ("head.1.weight", lambda x: x.to(torch.complex64), "of another type"),
        ("head.1.weight", lambda x: x.double() * 1e200, "not finite"),
        ("head.1.weight", lambda x: torch.full_like(x, 1e38), "finite numbers for silence and for noise"),
        ("running_var", lambda x: torch.full_like(x, -1.0), "finite numbers for silence and for noise"),
    ],
)
def test_weights_that_give_no_numbers(write_bundle, ending, change, message):
    path = write_bundle()
    description, tensors = mutations.read(path)
    name = next(name for name in tensors if name.endswith(ending))
    mutations.write(path, description, tensors | {name: change(tensors[name])})
    with pytest.raises(BundleError, match=rf"tiny\.safetensors: .*{message}"):
        bundle.load(path)


def test_weights_of_16_bits_are_taken(write_bundle):
    path = write_bundle()
    description, tensors = mutations.read(path)
    halves = {name: x.bfloat16() if x.is_floating_point() else x for name, x in tensors.items()}
    mutations.write(path, description, halves)
    assert next(bundle.load(path).model.module.parameters()).dtype == torch.float32


def test_changed_bundles_are_refused_or_work(tmp_path):
    """A slice of the campaign."""
    sound = [mutations.read(path) for path in mutations.write_sound(tmp_path)]
    generator = np.random.default_rng(7)
    path = tmp_path / "changed.safetensors"
    taken = 0
    for _ in range(40):
        mutations.write(path, *mutations.mutated(*sound[generator.integers(len(sound))], generator))
        taken += mutations.use(path)
    assert 0 < taken < 20


def test_threads_that_load_at_once_leave_random_numbers_and_threads_alone(write_bundle, tmp_path):
    paths = [write_bundle(), write_generator(tmp_path / "generator.safetensors", "global")] * 8
    state, n_threads = torch.get_rng_state(), torch.get_num_threads()
    with ThreadPoolExecutor(8) as pool:
        loaded = list(pool.map(bundle.load, paths))
    assert torch.equal(torch.get_rng_state(), state) and torch.get_num_threads() == n_threads
    for found in loaded[2:]:
        first = loaded[0] if found.task == loaded[0].task else loaded[1]
        for name, tensor in found.model.module.state_dict().items():
            assert torch.equal(tensor, first.model.module.state_dict()[name]), name


def test_what_draws_while_it_is_made_uses_numbers_of_its_own(write_bundle, monkeypatch):
    draws = []

    class Drawing(models.TCResNet):
        def __init__(self, **arguments):
            super().__init__(**arguments)
            state = torch.get_rng_state()
            draws.append([torch.rand(2), torch.randn_like(torch.zeros(2)), torch.randperm(5), torch.randint(9, (3,))])
            assert torch.equal(torch.get_rng_state(), state)

    path = write_bundle()
    monkeypatch.setitem(vars(models.MODELS)["_entries"], "tcresnet", Drawing)
    for _ in range(2):
        bundle.load(path)
    assert all(torch.equal(a, b) for a, b in zip(*draws, strict=True))


# ---- format 2 -----------------------------------------------------------------------------------------------------


def test_format_2_has_neither_temperature_nor_threshold(write_bundle):
    path = write_bundle(temperature=1.7, threshold=0.8)
    loaded = bundle.load(path)
    assert (loaded.temperature, loaded.threshold) == (1.7, 0.8)
    rewrite(path, temperature=...)
    with pytest.raises(BundleError, match=r"its description is incomplete \('temperature'\)"):
        bundle.load(path)
    rewrite(path, format=2, threshold=...)
    loaded = bundle.load(path)
    assert (loaded.temperature, loaded.threshold, loaded.labels[3]) == (1.0, 0.0, "three")


# ---- format 1 -----------------------------------------------------------------------------------------------------


def as_format_1(path):
    """Rewrite a bundle as audionet 0.1 wrote it."""
    with safe_open(path, framework="pt") as file:
        description = json.loads(file.metadata()["audionet"])
    tensors = {
        f"features.{name.removeprefix('front_end.')}" if name.startswith("front_end.") else name: tensor
        for name, tensor in load_file(path).items()
    }
    front_end = description["front_end"] or {"name": None, "arguments": {}}
    rewrite(path, tensors, format=1, features=front_end, front_end=..., temperature=..., threshold=...)


def test_format_1_is_read(write_bundle):
    arguments = {"sample_rate": 8000, "n_filters": 20}
    front_end = Part("ConvFilterbank", arguments, features.create("ConvFilterbank", **arguments))  # has weights
    path = write_bundle(front_end=front_end)
    expected, clip = bundle.load(path), torch.randn(1, 1, 8000)
    as_format_1(path)
    found = bundle.load(path)
    assert (found.task, found.labels, found.training) == (expected.task, expected.labels, expected.training)
    assert found.front_end is not None and (found.front_end.name, found.front_end.arguments) == (
        "ConvFilterbank",
        arguments,
    )
    for old, new in zip(found.parts.values(), expected.parts.values(), strict=True):
        assert old.module.state_dict().keys() == new.module.state_dict().keys()
    with torch.inference_mode():
        assert torch.equal(
            found.model.module(found.front_end.module(clip)), expected.model.module(front_end.module(clip))
        )


def test_a_bcresnet_of_format_1_ends_in_a_convolution(write_bundle):
    path, arguments = write_bundle(), {"n_classes": 10, "n_bands": 40}
    front_end = {"sample_rate": 8000, "n_mels": 40}
    write_bundle(
        model=Part("bcresnet", arguments, models.create("bcresnet", **arguments)),
        front_end=Part("LogMel", front_end, features.create("LogMel", **front_end)),
    )
    expected = bundle.load(path).model.module
    as_format_1(path)
    tensors = {}
    for name, tensor in load_file(path).items():
        name = name.replace("model.head.", "model.head.5.").replace("model.tail.", "model.head.")
        tensors[name] = tensor[..., None, None] if name == "model.head.5.weight" else tensor
    rewrite(path, tensors, model={"name": "bcresnet", "arguments": {"n_classes": 10, "n_mels": 40}})
    found = bundle.load(path).model
    assert found.arguments == arguments
    for name, tensor in found.module.state_dict().items():
        assert torch.equal(tensor, expected.state_dict()[name]), name


@pytest.mark.parametrize(
    ("task", "name"), [(task, name) for task in TASKS for name in bundle.shipped(task) if task == "generation"]
)
def test_shipped_bundles_are_files_of_format_1(task, name):
    with safe_open(bundle.find(name, task), framework="pt") as file:
        assert json.loads(file.metadata()["audionet"])["format"] == 1
    loaded = bundle.load(name, task)
    assert loaded.task == task and loaded.test_figure != "not recorded"


def test_a_generator_of_format_1_has_no_front_end(tmp_path):
    path = write_generator(tmp_path / "old.safetensors")
    as_format_1(path)
    assert bundle.load(path).front_end is None


def test_a_damaged_description_of_format_1_is_incomplete(write_bundle):
    path = write_bundle()
    as_format_1(path)
    rewrite(path, features=...)
    with pytest.raises(BundleError, match=r"tiny\.safetensors: its description is incomplete \('features'\)"):
        bundle.load(path)


# ---- generation ---------------------------------------------------------------------------------------------------

STACK: dict[str, Any] = {
    "n_layers": 4,
    "n_cycles": 2,
    "residual_channels": 8,
    "gate_channels": 8,
    "skip_channels": 8,
    "output_channels": 8,
}
CATEGORIES = {"label": ["yes", "no"], "speaker": ["a", "b", "c"]}
MEL: dict[str, Any] = {
    "sample_rate": 8000,
    "n_fft": 64,
    "win_length": 64,
    "hop_length": 20,
    "n_mels": 5,
    "pad_mode": "constant",
}
LOCAL: dict[str, Any] = {"local_bands": 5, "local_channels": 3, "upsample": [4, 5]}
GENERATORS: dict[str, tuple[str, dict[str, Any], dict[str, Any] | None]] = {
    "plain": ("wavenet", STACK, None),
    "global": ("wavenet", STACK | {"categories": CATEGORIES, "output": "gaussian"}, None),
    "vocoder": ("wavenet", STACK | LOCAL | {"categories": CATEGORIES, "output": "logistic_mixture"}, MEL),
    "autoencoder": (
        "wavenet_autoencoder",
        STACK | {"encoder_layers": 2, "encoder_cycles": 1, "encoder_channels": 4, "upsample": [4, 5]},
        None,
    ),
}


def write_generator(path, kind="plain", *, mel=None, **changes):
    """Write a tiny generation bundle with random weights; keywords replace the fields of its `Bundle`."""
    name, arguments, front_end = GENERATORS[kind]
    front_end = mel or front_end
    torch.manual_seed(0)
    values: dict[str, Any] = {
        "task": "generation",
        "model": Part(name, arguments, models.create(name, **arguments)),
        "sample_rate": 8000,
        "clip_length": 800,
        "value_lengths": {"label": {"yes": 700, "no": 900}},
        "training": {"data": "made up", "bits_per_sample": 3.5},
    }
    if front_end is not None:
        values["front_end"] = Part("LogMel", front_end, features.create("LogMel", **front_end))
    bundle.save(path, Bundle(**values | changes))
    return path


@pytest.mark.parametrize("kind", GENERATORS)
def test_a_generator_that_is_saved_is_loaded(tmp_path, kind):
    name, arguments, front_end = GENERATORS[kind]
    torch.manual_seed(7)
    model: Any = models.create(name, **arguments)
    path = write_generator(tmp_path / "new.safetensors", kind, model=Part(name, arguments, model.train()))
    loaded: Any = bundle.load(path, "generation")

    assert (loaded.task, loaded.labels) == ("generation", ())
    assert (loaded.sample_rate, loaded.clip_length) == (8000, 800)
    assert loaded.value_lengths == {"label": {"yes": 700, "no": 900}}
    assert (loaded.model.name, loaded.model.arguments) == (name, arguments)
    assert loaded.training == {"data": "made up", "bits_per_sample": 3.5}
    network = loaded.model.module
    assert not any(module.training for module in network.modules())
    assert network.categories == arguments.get("categories", {})
    waveform = (torch.randn(2, 200) / 4).clamp(-1, 1)
    samples = model.distribution.from_waveform(waveform)
    conditions = {key: torch.tensor([0, 1]) for key in network.categories}
    frames = None
    if front_end is None:
        assert loaded.front_end is None
    else:
        assert (loaded.front_end.name, loaded.front_end.arguments) == ("LogMel", front_end)
        frames = loaded.front_end.module(waveform)
        assert torch.equal(frames, features.create("LogMel", **front_end)(waveform))
    with torch.inference_mode():
        assert torch.equal(network(samples, conditions, frames), model(samples, conditions, frames))


@pytest.mark.parametrize("kind", GENERATORS)
def test_a_generator_with_weights_that_are_not_numbers_is_refused(tmp_path, kind):
    path = write_generator(tmp_path / "new.safetensors", kind)
    tensors = load_file(path)
    name = next(name for name in tensors if name.endswith("hidden.weight"))
    tensors[name][0, 0] = torch.nan
    rewrite(path, tensors)
    with pytest.raises(BundleError, match=f"{name.removeprefix('model.')} not finite"):
        bundle.load(path)


def test_a_bundle_for_the_other_task_is_refused(write_bundle, tmp_path):
    with pytest.raises(
        BundleError, match="task: expected 'generation', got 'recognition'; use it with `audionet recognize`"
    ):
        bundle.load(write_bundle(), "generation")
    path = write_generator(tmp_path / "new.safetensors")
    with pytest.raises(
        BundleError, match="task: expected 'recognition', got 'generation'; use it with `audionet generate`"
    ):
        bundle.load(path, "recognition")
    assert bundle.load(path).task == "generation"


def test_a_name_may_be_shipped_for_both_tasks(monkeypatch, write_bundle, tmp_path):
    monkeypatch.setattr(bundle, "SHIPPED", tmp_path)
    recogniser = write_bundle(tmp_path / "recognition" / "digits.safetensors")
    write_bundle(tmp_path / "recognition" / "commands.safetensors")
    generator = write_generator(tmp_path / "generation" / "digits.safetensors")
    assert (bundle.shipped("recognition"), bundle.shipped("generation")) == (["commands", "digits"], ["digits"])
    assert bundle.find("digits", "generation") == generator
    assert bundle.find("digits", "recognition") == bundle.find("digits") == recogniser
    assert bundle.load("digits", "generation").task == "generation"
    with pytest.raises(BundleError, match="commands.safetensors: task: expected 'generation', got 'recognition'"):
        bundle.load("commands", "generation")  # says what it is, not that there is none
    with pytest.raises(BundleError, match=r"nowhere: expected .*\(for generation: digits\), got neither"):
        bundle.load("nowhere", "generation")


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("vocoder", {"mel": MEL | {"n_mels": 4}}, r"expected \(batch, 5 bands, frame\) .*got \(1, 4, 2\)"),
        ("vocoder", {"mel": MEL | {"hop_length": 25}}, "expected 41 frames of 800 samples, .* hop of 20, got 33"),
        ("vocoder", {"front_end": None}, r"frames: expected \(batch, 5 bands, frame\) .*got None"),
        ("plain", {"mel": MEL}, "frames: expected None without local conditioning, got"),
        ("autoencoder", {"mel": MEL}, "frames: expected None, because the samples are encoded"),
    ],
)
def test_generators_whose_parts_do_not_fit_are_not_saved(tmp_path, kind, changes, message):
    with pytest.raises(BundleError, match=message):
        write_generator(tmp_path / "new.safetensors", kind, **changes)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "message"), [({"skip_channels": 9}, "of another shape"), ({"n_cycles": 3}, "n_layers.* multiple")]
)
def test_arguments_that_do_not_make_the_network_are_not_saved(tmp_path, changes, message):
    part = Part("wavenet", STACK | changes, models.create("wavenet", **STACK))
    with pytest.raises(BundleError, match=message):
        write_generator(tmp_path / "new.safetensors", model=part)
    assert not list(tmp_path.iterdir())


def test_a_recogniser_is_no_generator(write_bundle, tmp_path):
    with pytest.raises(BundleError, match="do not fit together for generation"):
        write_bundle(tmp_path / "new.safetensors", task="generation")
    with pytest.raises(BundleError, match="do not fit together for recognition: front_end: expected one, got none"):
        write_generator(tmp_path / "new.safetensors", task="recognition", labels=("a",))
