"""A network of a bundle for other labels: all weights but the classifier's, and the values of a recipe that follow."""

from typing import Any

import pytest
import torch
from jsonargparse import Namespace

from audionet import adapt, bundle, models
from audionet.bundle import BundleError, Part


@pytest.fixture
def embedding(write_bundle, tmp_path):
    network = {"n_classes": 0, "n_bands": 20}
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = Part("tcresnet", network, models.create("tcresnet", **network))
    return write_bundle(tmp_path / "embedding.safetensors", task="embedding", labels=(), model=model, training={})


@pytest.mark.parametrize("of", ["embedding", "recogniser"])
def test_everything_but_the_classifier_is_the_bundles(embedding, write_bundle, of):
    levels = {"thresholds": {"one": 0.9}, "false_alarms_per_hour": 0.5, "negative_hours": 9.0}
    detection = levels | {"alarms": 4, "interval": [0.12, 1.14]}
    recognizer = write_bundle(temperature=2.0, threshold=0.5, detection=detection)
    start = adapt.load_start(embedding if of == "embedding" else recognizer)
    words = adapt.adapt(start, ("yes", "no", "stop"))
    assert (words.task, words.labels, words.training) == ("recognition", ("yes", "no", "stop"), {})
    assert (words.temperature, words.threshold, words.detection) == (1.0, 0.0, {})
    assert (words.sample_rate, words.clip_length) == (start.sample_rate, start.clip_length)
    assert words.model.arguments == {"n_classes": 3, "n_bands": 20}
    old, new = start.model.module.state_dict(), words.model.module.state_dict()
    kept = [name for name in new if not name.startswith("head.")]
    assert len(kept) > 10 and all(torch.equal(old[name], new[name]) for name in kept)
    assert new["head.1.weight"].shape == (3, 48)
    spectrogram = torch.randn(2, 1, 20, 50, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        adapted: Any = words.model.module.eval()
        original: Any = start.model.module
        torch.testing.assert_close(adapted.embed(spectrogram), original.embed(spectrogram))
    words.model.module.load_state_dict({name: value + 1 for name, value in new.items()})
    assert torch.equal(start.model.module.state_dict()[kept[0]], old[kept[0]])  # of the start, nothing is changed
    assert adapt.adapt(start, ("a", "b"), clip_length=4000).clip_length == 4000
    bundle.checked(words)


def test_what_cannot_be_started_from_is_refused(tmp_path, write_bundle):
    with pytest.raises(ValueError, match="init: expected a bundle whose network makes embeddings, got 'one for gener"):
        adapt.load_start(bundle.find("digits", "generation"))
    with pytest.raises(BundleError, match="nowhere: expected the path of a .safetensors file"):
        adapt.load_start("nowhere")


def values(path, **data):
    """Values of a recipe, with its defaults."""
    given = {"sample_rate": 16_000, "clip_seconds": 1.0, **data}
    task = {"learning_rate": 0.1}
    return Namespace(
        init=str(path),
        features={"name": "LogMel"},
        model={"name": "bcresnet"},
        data=Namespace(**given),
        task=Namespace(**task),
    )


def test_values_follow_the_bundle(write_bundle, capsys, tmp_path, monkeypatch):
    path = write_bundle(clip_length=6000)
    config = values(path)
    start = adapt.follow(config, ["--init", "words", "--data.root", "my_words"])
    assert start is not None and start.clip_length == 6000
    assert config.features == {"name": "LogMel", "n_mels": 20}
    assert config.model == {"name": "tcresnet", "n_bands": 20}
    assert (config.data.sample_rate, config.data.clip_seconds) == (8000, 0.75)
    assert config.task.learning_rate == 0.05
    assert "tiny.safetensors: tcresnet on LogMel, clips of 0.75 s at 8000 Hz" in capsys.readouterr().err
    monkeypatch.chdir(tmp_path)
    again = values(path, sample_rate=8000, clip_seconds=0.75)  # as config.yaml of that run has them
    again.task.learning_rate = 0.05
    (tmp_path / "config.yaml").write_text("{data: {clip_seconds: 0.75}, task: {learning_rate: 0.05}}")
    adapt.follow(again, ["--config", "config.yaml"])
    assert (again.data, again.task, again.features, again.model) == (
        config.data,
        config.task,
        config.features,
        config.model,
    )


def test_what_is_asked_for_is_kept_or_refused(write_bundle, tmp_path):
    path = write_bundle()
    config = values(path, clip_seconds=1.5)
    config.task.learning_rate = 0.1
    adapt.follow(config, ["--data.clip-seconds", "1.5", "--task.learning_rate=0.1"])
    assert (config.data.clip_seconds, config.task.learning_rate) == (1.5, 0.1)
    preset = tmp_path / "preset.yaml"
    preset.write_text("{seed: 0, data: {clip_seconds: 1.0, sample_rate: 16000}, task: {learning_rate: 0.1}}")
    for given in (["--config", str(preset)], [f"--config={preset}"]):
        config = values(path)
        adapt.follow(config, given)
        assert (config.data.clip_seconds, config.data.sample_rate, config.task.learning_rate) == (1.0, 8000, 0.1)
    preset.write_text("# nothing yet\n")
    config = values(path, clip_seconds=2.0)
    adapt.follow(config, ["--config", str(preset)])
    assert (config.data.clip_seconds, config.task.learning_rate) == (1.0, 0.05)
    for flag in ("--model.width=2", "--model", "--features.n_mels"):
        with pytest.raises(ValueError, match=r"(model|features): expected none with --init .*, which brings its own"):
            adapt.follow(values(path), [flag, "2"])
    with pytest.raises(ValueError, match="data.sample_rate: expected 8000 Hz, that of .*, got 16000; leave it out"):
        adapt.follow(values(path), ["--data.sample_rate=16000"])
    adapt.follow(values(path, sample_rate=8000), ["--data.sample_rate=8000"])
    none = values(path)
    none.init = None
    assert adapt.follow(none, ["--model.width=2"]) is None and none.model == {"name": "bcresnet"}


def test_networks_that_differ_by_more_than_a_classifier_are_refused(write_bundle):
    start = adapt.load_start(write_bundle())
    wider = bundle.new_part("model", name="tcresnet", n_classes=10, n_bands=20, depth=14)
    before = wider.module.state_dict()["stem.weight"].clone()
    assert start.front_end is not None
    with pytest.raises(
        ValueError, match="tcresnet: expected a part that differs by a classifier alone, got .*blocks.1.body.0.weight"
    ):
        adapt.take_weights({"model": wider, "front_end": start.front_end}, start)
    assert torch.equal(wider.module.state_dict()["stem.weight"], before)  # nothing was taken
