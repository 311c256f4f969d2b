"""A network of timm as a recogniser: its weights from a file, its bundle, and what it says if something is missing."""

import sys

import pytest
import torch
from safetensors.torch import save_file

from audionet import bundle, models
from audionet.models.timm_backbone import embedding_size, read_state

timm = pytest.importorskip("timm")
BACKBONE = "test_efficientnet"


@pytest.fixture(scope="module")
def reference():
    torch.manual_seed(0)
    return timm.create_model(BACKBONE, num_classes=10).eval()


@pytest.fixture
def path(reference, tmp_path):
    save_file(reference.state_dict(), tmp_path / "weights.safetensors")
    return tmp_path / "weights.safetensors"


@pytest.mark.parametrize("kind", ["safetensors", "pth", "checkpoint"])
def test_weights_of_a_file_see_a_spectrogram_as_a_grey_picture(kind, reference, tmp_path):
    path = tmp_path / f"weights.{kind}"
    state = reference.state_dict()
    if kind == "safetensors":
        save_file(state, path)
    else:
        torch.save({"epoch": 3, "state_dict": state} if kind == "checkpoint" else state, path)
    network = models.TimmBackbone(n_classes=3, backbone=BACKBONE, weights=str(path)).eval()
    spectrogram = torch.randn(2, 1, 40, 101)
    with torch.inference_mode():
        expected = reference.global_pool(reference.forward_features(spectrogram.expand(-1, 3, -1, -1)))
        torch.testing.assert_close(network.embed(spectrogram), expected, rtol=1e-4, atol=1e-5)


def test_weights_of_another_network_are_refused(path):
    with pytest.raises(ValueError, match=r"expected the state of timm's test_convnext, got .* and \d+ more; give the"):
        models.TimmBackbone(n_classes=3, backbone="test_convnext", weights=str(path))


@pytest.mark.parametrize("content", [b"nothing of the kind", b""])
@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_files_without_weights_are_refused(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name}: expected the weights of a network, got"):
        read_state(tmp_path / name)
    torch.save([torch.zeros(2)], tmp_path / "list.pth")
    with pytest.raises(ValueError, match=r"list.pth: expected tensors by name, got something else"):
        read_state(tmp_path / "list.pth")


def test_a_file_that_would_run_code_is_refused(tmp_path):
    class Runs:
        def __reduce__(self):
            return (print, ("it ran",))

    torch.save({"weight": Runs()}, tmp_path / "weights.pth")
    with pytest.raises(ValueError, match="expected the weights of a network"):
        read_state(tmp_path / "weights.pth")


def test_a_missing_file_is_told():
    with pytest.raises(ValueError, match="expected \"pretrained\" or the path .*, got 'nowhere.pth', where no file is"):
        models.TimmBackbone(n_classes=3, backbone=BACKBONE, weights="nowhere.pth")


def test_without_a_connection_pretrained_weights_are_told_to_be_out_of_reach(monkeypatch, tmp_path):
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        ValueError, match=r"weights: expected those that timm offers for 'resnet18', got .*; connect this"
    ):
        models.TimmBackbone(n_classes=3, backbone="resnet18", weights="pretrained")


def test_without_timm_the_extra_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ValueError, match=r"the library timm for 'resnet18', got .*; pip install 'audionet\[timm\]'"):
        models.create("timm", n_classes=3, backbone="resnet18")


@pytest.mark.parametrize(
    ("backbone", "message"),
    [
        ("resnet_18", r"timm.list_models\(\), got 'resnet_18'; did you mean 'resnet18'\?"),
        ("hf-hub:timm/resnet18", r"timm.list_models\(\), got"),
        ("resnet18.nobody", "a network that timm can make, got 'resnet18.nobody': Invalid pretrained tag"),
        ("test_vit", "takes a spectrogram of 40 bands and 101 frames, got 'test_vit': .* choose a convolutional one"),
    ],
)
def test_backbones_that_cannot_be_are_told(backbone, message):
    with pytest.raises(ValueError, match=f"backbone: expected .*{message}"):
        models.TimmBackbone(n_classes=3, backbone=backbone)


def test_the_size_of_the_embedding_is_tried():
    backbone = timm.create_model("mobilenetv3_small_050", in_chans=2, num_classes=0)
    assert backbone.training
    assert embedding_size(backbone, "mobilenetv3_small_050", 2, 40) == 1024 != backbone.num_features
    assert backbone.training
    maps = timm.create_model(BACKBONE, in_chans=1, num_classes=0, global_pool="")
    with pytest.raises(ValueError, match="expected one that gives a vector"):
        embedding_size(maps, BACKBONE, 1, 40)


def test_stages_are_timms_features_and_three_planes_fit():
    network = models.TimmBackbone(n_classes=3, backbone="test_resnet", in_channels=3).eval()
    assert [*network.stages] == ["act1", "layer1", "layer2", "layer3", "layer4"]
    assert network(torch.randn(2, 3, 40, 60)).shape == (2, 3)


def test_a_bundle_holds_the_weights_and_asks_for_no_others(path, tmp_path):
    part = bundle.new_part("model", name="timm", n_classes=2, backbone=BACKBONE, weights=str(path))
    assert part.arguments == {"n_classes": 2, "backbone": BACKBONE}
    front_end = bundle.new_part("front_end", name="LogMel", sample_rate=16_000)
    whole = bundle.Bundle(
        task="recognition",
        model=part,
        front_end=front_end,
        sample_rate=16_000,
        clip_length=16_000,
        labels=("no", "yes"),
    )
    bundle.save(tmp_path / "timm.safetensors", whole)
    path.unlink()
    loaded = bundle.load(tmp_path / "timm.safetensors").model.module
    spectrogram = torch.randn(1, 1, 40, 101)
    with torch.inference_mode():
        torch.testing.assert_close(loaded(spectrogram), part.module.eval()(spectrogram))
