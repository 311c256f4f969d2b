"""Auxiliary classifiers equal torchvision's, share in the loss of a training, and are left out of everything else."""

from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audionet import bundle, models
from audionet.features import LogMel
from audionet.models import googlenet, inception_v3
from audionet.training import Recognition

SMALL: dict[str, dict[str, Any]] = {"googlenet": {"width": 0.05, "norm": "batch"}, "inception_v3": {"width": 0.05}}
N_HEADS = {"googlenet": 2, "inception_v3": 1}


def build(name: str, **arguments: Any) -> Any:
    torch.manual_seed(0)
    return models.create(name, n_classes=3, **{"auxiliary": True, "dropout": None, **SMALL[name], **arguments})


def noise(n_clips: int = 4) -> Tensor:
    return torch.randn(n_clips, 1, 40, 101, generator=torch.Generator().manual_seed(1))


def without_dropout(network: nn.Module) -> nn.Module:
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return network


@pytest.mark.parametrize("home", [googlenet, inception_v3], ids=["googlenet", "inception_v3"])
def test_a_classifier_equals_torchvisions(home):
    name = home.__name__.rpartition(".")[2]
    torchvision = pytest.importorskip(f"torchvision.models.{'inception' if home is inception_v3 else name}")
    n_in, size = (512, 14) if home is googlenet else (768, 17)  # the paper's maps
    torch.manual_seed(0)
    theirs = torchvision.InceptionAux(n_in, 10).eval()
    ours = home.auxiliary_classifier(n_in, 10, width=1, norm="batch", activation="relu").eval()
    ours.load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True)))
    for module in ours.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-3  # torch's own is 1e-5; no paper gives it
    maps = torch.randn(2, n_in, size, size)
    pooled = maps if home is googlenet else F.avg_pool2d(maps, 5, 3)  # which averages other places than ours
    with torch.inference_mode():
        torch.testing.assert_close(ours(pooled), theirs(maps), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", SMALL)
def test_only_training_sees_the_classifiers(name):
    network, plain, spectrogram = build(name).eval(), build(name, auxiliary=False).eval(), noise()
    state = plain.state_dict()
    assert all(torch.equal(value, network.state_dict()[key]) for key, value in state.items())
    assert {key.split(".")[0] for key in network.state_dict().keys() - state.keys()} == {"auxiliary"}
    with torch.inference_mode():
        logits, others = network.auxiliary_logits(spectrogram)
        assert torch.equal(logits, plain(spectrogram)) and torch.equal(logits, network(spectrogram))
        assert plain.auxiliary_logits(spectrogram)[1] == []
        ran = [[*models.outputs(each, dict(each.named_modules()), spectrogram)] for each in (network, plain)]
    assert [each.shape for each in others] == N_HEADS[name] * [(4, 3)]
    assert ran[0] == ran[1]  # which `audionet models show` lists


@pytest.mark.parametrize("name", SMALL)
def test_the_task_adds_three_tenths_of_each_loss(name, monkeypatch):
    network = without_dropout(build(name))
    task = Recognition(front_end=LogMel(sample_rate=16_000, n_mels=40), model=network, n_classes=3, label_smoothing=0.1)
    logged: dict[str, float] = {}
    monkeypatch.setattr(task, "log", lambda name, value, **_: logged.update({name: value.item()}))
    waveform, label = torch.randn(4, 16_000, generator=torch.Generator().manual_seed(2)), torch.tensor([0, 1, 2, 1])
    loss = task.training_step({"waveform": waveform, "label": label}, 0)
    logits, others = cast(Any, network).auxiliary_logits(task.front_end(waveform[:, None]))
    first, *second = (F.cross_entropy(each, label, label_smoothing=0.1).item() for each in (logits, *others))
    assert loss.item() == pytest.approx(first + 0.3 * sum(second))
    assert logged == pytest.approx({"train_loss": first, "train_second_loss": 0.3 * sum(second)})
    loss.backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, key
    task.model = without_dropout(build(name, auxiliary=False))
    assert task.training_step({"waveform": waveform, "label": label}, 0).item() == pytest.approx(first)


def test_a_bundle_keeps_the_classifiers(tmp_path: Path) -> None:
    arguments = {"n_classes": 3, "width": 0.05, "auxiliary": True, "n_bands": 40}
    clips: dict[str, Any] = {"sample_rate": 16_000, "clip_length": 16_000, "labels": ("a", "b", "c")}
    front_end = bundle.new_part("front_end", name="LogMel", sample_rate=16_000)
    model = bundle.new_part("model", name="googlenet", **arguments)
    bundle.save(
        tmp_path / "a.safetensors", bundle.Bundle(task="recognition", front_end=front_end, model=model, **clips)
    )
    loaded = bundle.load(tmp_path / "a.safetensors").model.module
    with torch.inference_mode():
        expected, got = (cast(Any, each.eval()).auxiliary_logits(noise()) for each in (model.module, loaded))
    torch.testing.assert_close(got, expected, rtol=0, atol=0)


@pytest.mark.parametrize("name", SMALL)
def test_what_has_no_classes_has_no_further_classifiers(name):
    with pytest.raises(ValueError, match="auxiliary: expected False for a network without classes, got True"):
        models.create(name, n_classes=0, width=0.05, auxiliary=True)
    with pytest.raises(ValueError, match="domain_weight: expected 0 for .* auxiliary classifiers, got 0.1"):
        speech = torch.zeros(2, 16_000, dtype=torch.int16).numpy()
        front_end = LogMel(sample_rate=16_000, n_mels=40)
        Recognition(front_end=front_end, model=build(name), n_classes=3, domain_weight=0.1, speech=speech)
