"""Every recogniser: its contract, gradients, lengths, places in time, ONNX, initial values, and one batch learnt."""

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audionet import models
from audionet.models.contract import stages_of

# Arguments of a small form of each network.
SMALL: dict[str, dict[str, Any]] = {
    "alexnet": {"width": 0.0625},
    "all_conv": {"width": 0.0625},
    "bcresnet": {},
    "bn_inception": {"width": 0.05},
    "cnn_tdnn": {"n_channels": 16, "n_embedding": 16},
    "convnext": {"width": 0.1, "patch": 1},
    "ds_cnn": {"width": 0.25},
    "fully_connected": {},
    "googlenet": {"width": 0.05},
    "inception_resnet": {"version": 1, "width": 0.05},
    "inception_v3": {"width": 0.05},
    "inception_v4": {"width": 0.05},
    "keyword_resnet": {"width": 0.25},
    "lenet": {},
    "matchboxnet": {"width": 0.25},
    "one_layer": {"width": 0.25},
    "resnet": {"depth": 8, "width": 0.25},
    "tcresnet": {},
    "timm": {"backbone": "test_efficientnet"},
    "vgg": {"depth": 11, "width": 0.0625},
    "wavenet_classifier": {
        "n_layers": 4,
        "n_cycles": 2,
        "residual_channels": 8,
        "gate_channels": 16,
        "skip_channels": 16,
    },
    "xnor": {"width": 0.0625},
    "zfnet": {"width": 0.0625},
}
GENERATORS = {"wavenet", "wavenet_autoencoder"}
ON_WAVEFORMS = {"wavenet_classifier"}
N_CLASSES = 5


def build(name: str, n_classes: int = N_CLASSES, seed: int = 0) -> Any:
    if name == "timm":
        pytest.importorskip("timm")
    torch.manual_seed(seed)
    return models.create(name, n_classes=n_classes, **SMALL[name])


def noise(network: Any, n_clips: int, n_frames: int | None = None, seed: int = 0) -> Tensor:
    """Return clips of noise of the network's own kind: spectrograms of a second, or a waveform."""
    n_frames = n_frames or (101 if network.n_bands > 1 else 800)
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n_clips, 1, network.n_bands, n_frames, generator=generator) * (
        1.0 if network.n_bands > 1 else 0.3
    )


def settle(network: Any, spectrogram: Tensor) -> Any:
    """Give the running statistics and the untrained scales values that hide nothing, and return it for evaluation."""
    network.train()
    with torch.no_grad():
        for _ in range(3):
            network(spectrogram)
    return network.eval()


def test_every_network_is_here():
    assert SMALL.keys() | GENERATORS == set(models.MODELS)


@pytest.mark.parametrize("name", SMALL)
def test_the_contract(name):
    network = build(name)
    spectrogram = noise(network, 3)
    network = settle(network, spectrogram)
    with torch.inference_mode():
        embedding = network.embed(spectrogram)
        assert (network.n_classes, embedding.ndim, len(embedding)) == (N_CLASSES, 2, 3)
        assert torch.equal(network(spectrogram), network.head(embedding))
        assert network(spectrogram).shape == (3, N_CLASSES)
        bare = build(name, n_classes=0).eval()
        assert torch.equal(bare(spectrogram), bare.embed(spectrogram))
        assert bare(spectrogram).shape == embedding.shape
        for wrong in (spectrogram[:, 0], spectrogram.repeat(1, 1, 2, 1), spectrogram.repeat(1, 2, 1, 1)):
            with pytest.raises(ValueError, match="spectrogram: expected"):
                network(wrong)
    stages = stages_of(network)
    assert isinstance(network.stages, Mapping)
    assert set(stages.values()) <= set(network.modules())
    ran = models.outputs(network, stages, spectrogram)
    assert [*ran] == [*stages], "stages run in their order"
    with pytest.raises(ValueError, match="n_classes: expected a whole number of at least 0"):
        build(name, n_classes=-1)


@pytest.mark.parametrize("name", SMALL)
def test_gradients_reach_every_parameter(name):
    network = build(name).train()
    spectrogram = noise(network, 4).requires_grad_()
    probe = torch.randn(4, N_CLASSES, generator=torch.Generator().manual_seed(1))
    if hasattr(network, "logits_and_loss"):
        logits, loss = network.logits_and_loss(spectrogram)
        ((logits * probe).sum() + loss).backward()
    else:
        (network(spectrogram) * probe).sum().backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name
        assert parameter.grad.abs().max() > 0, parameter_name
    if name not in ON_WAVEFORMS:  # whose samples become codes
        assert spectrogram.grad is not None
        assert spectrogram.grad.abs().max() > 0


@pytest.mark.parametrize("name", SMALL)
def test_clips_of_any_length(name):
    network = build(name).eval()
    lengths = (120, 160, 801) if name in ON_WAVEFORMS else (60, 101, 150)
    with torch.inference_mode():
        for n_frames in lengths:
            logits = network(noise(network, 2, n_frames))
            assert logits.shape == (2, N_CLASSES)
            assert logits.isfinite().all()


@pytest.mark.parametrize("name", [name for name in SMALL if name not in ON_WAVEFORMS])
def test_frames_depend_on_their_place_alone(name):
    """A stretch that is as long as the receptive field gives the same vector wherever it is cut out."""
    network = build(name)
    if not hasattr(network, "frames"):
        pytest.skip(f"{name} looks at whole clips")
    network = settle(network, noise(network, 3)).double()
    field = models.receptive_field(network)
    assert field.frames is not None and field.stride is not None
    # The part begins four strides after the whole and ends four before it, and its middle vector sees neither end.
    margin = 4 * field.stride
    length = field.stride * -(-(field.frames + margin) // field.stride)
    whole = noise(network, 1, length + 2 * margin).double()
    with torch.inference_mode():
        frames, part = network.frames(whole), network.frames(whole[..., margin : margin + length])
    middle = part.shape[-1] // 2
    torch.testing.assert_close(part[..., middle], frames[..., middle + 4], rtol=1e-9, atol=1e-9)
    assert (part[..., middle] - frames[..., middle + 5]).abs().max() > 1e-6


@pytest.mark.filterwarnings("ignore")  # the exporter's own, of shapes that become constants
@pytest.mark.parametrize("name", [name for name in SMALL if name not in ON_WAVEFORMS])
def test_onnx_equals_torch(name, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    network = build(name)
    network = settle(network, noise(network, 3))
    spectrogram = noise(network, 2, seed=1)
    path = str(tmp_path / "network.onnx")
    # The older exporter, which takes a second for what takes the newer one up to a minute.
    torch.onnx.export(network, (spectrogram,), path, dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "batch"}})
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    spectrogram = noise(network, 3, seed=2)
    with torch.inference_mode():
        expected = network(spectrogram)
    (logits,) = session.run(None, {"x": spectrogram.numpy()})
    scale = float(expected.abs().max())
    torch.testing.assert_close(torch.from_numpy(logits), expected, rtol=0, atol=1e-4 * scale)


@pytest.mark.parametrize("name", SMALL)
def test_initial_values_follow_the_seed(name):
    one, same, other = (build(name, seed=seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(value, same[key]) for key, value in one.items())
    assert any(not torch.equal(value, other[key]) for key, value in one.items())


@pytest.mark.parametrize("name", SMALL)
def test_one_batch_is_learnt(name):
    network = build(name).train()
    for module in network.modules():
        if isinstance(module, nn.Dropout | nn.Dropout2d):
            module.p = 0.0
    spectrogram = noise(network, N_CLASSES, 60 if network.n_bands > 1 else None)
    label_index = torch.arange(N_CLASSES)
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    for _ in range(150):
        loss = F.cross_entropy(network(spectrogram), label_index)
        if loss < 0.1:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.1


def test_a_family_is_imported_when_it_is_asked_for():
    homes = {name: str(models.MODELS.home(name)).partition(":")[0] for name in SMALL}
    code = (
        "import sys, audionet.models as models\n"
        "before = {*sys.modules}\n"
        "models.create('tcresnet', n_classes=3)\n"
        f"print(*sorted((before | {{*sys.modules}}) & {{*{[*homes.values()]}, 'timm', 'torchvision', 'torch.onnx'}}))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert [name for name in loaded if name.startswith("audionet.")] == [homes["tcresnet"]]
    assert not {"timm", "torchvision"} & {*loaded}


def test_an_unknown_network_is_told_with_the_nearest():
    with pytest.raises(ValueError, match="network: expected .*'tcresnt'; did you mean 'tcresnet'"):
        models.create("tcresnt", n_classes=3)
