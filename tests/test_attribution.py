"""What decided: each method against an independent computation, and against captum where it is installed."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audionet import models
from audionet.insight import (
    METHODS,
    grad_cam,
    gradient_input,
    integrated_gradients,
    occlusion,
    saliency,
    smooth_grad,
)

SMALL: dict[str, dict[str, float]] = {
    "tcresnet": {},
    "cnn_tdnn": {"n_channels": 8, "n_embedding": 8},
    "bcresnet": {"tau": 0.25},
}


class OfSpectrograms(nn.Sequential):
    """Layers that look like a recogniser's."""

    n_bands = 40


@pytest.fixture(scope="module", params=SMALL)
def network(request: pytest.FixtureRequest) -> nn.Module:
    """Return a network in float64 whose batch norms have seen something."""
    torch.manual_seed(0)
    made = models.create(request.param, n_classes=5, **SMALL[request.param])
    for module in made.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = None  # the mean of all batches
    with torch.no_grad():
        for _ in range(3):
            made(3 * torch.randn(8, 1, 40, 24) + 1)
    return made.double().eval()


@pytest.fixture
def spectrogram() -> Tensor:
    """Return two clips in float64."""
    return 3 * torch.randn(2, 1, 40, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) + 1


LABELS = torch.tensor([3, 1])


def test_the_gradient_is_the_slope_of_the_logit(network: nn.Module, spectrogram: Tensor) -> None:
    found = saliency(network, spectrogram, LABELS)
    assert found.shape == (2, 40, 24)
    for band, frame in ((0, 0), (17, 13), (39, 23)):
        step = torch.zeros_like(spectrogram)
        step[:, :, band, frame] = 1e-6
        with torch.no_grad():
            rise = (network(spectrogram + step) - network(spectrogram - step)).gather(1, LABELS[:, None])[:, 0] / 2e-6
        assert torch.allclose(found[:, band, frame], rise.abs(), atol=1e-6)


def test_integrated_gradients_are_complete(network: nn.Module, spectrogram: Tensor) -> None:
    """Their sum is the logit less the baseline's, up to the steps in which they go round the corners of the ReLUs."""
    for baseline, nothing in ((None, spectrogram.mean(-1, keepdim=True)), (0.5, torch.full_like(spectrogram, 0.5))):
        added = integrated_gradients(network, spectrogram, LABELS, baseline=baseline, n_steps=64)
        with torch.no_grad():
            difference = network(spectrogram) - network(nothing.expand_as(spectrogram))
        missed = (added.sum((1, 2)) - difference.gather(1, LABELS[:, None])[:, 0]).abs()
        assert (missed < 0.05 * added.abs().sum((1, 2))).all()


def test_integrated_gradients_of_a_smooth_network_are_complete(spectrogram: Tensor) -> None:
    torch.manual_seed(0)
    layers = (nn.Conv2d(1, 4, 5), nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))
    smooth = OfSpectrograms(*layers).double()
    added = integrated_gradients(smooth, spectrogram, LABELS, baseline=0.5, n_steps=200)
    with torch.no_grad():
        difference = smooth(spectrogram) - smooth(torch.full_like(spectrogram, 0.5))
    expected = difference.gather(1, LABELS[:, None])[:, 0]
    assert expected.abs().min() > 0.005
    assert torch.allclose(added.sum((1, 2)), expected, rtol=1e-3)


def test_on_a_linear_network_all_that_say_what_a_place_adds_agree() -> None:
    torch.manual_seed(0)
    last = nn.Linear(12, 3)
    linear = OfSpectrograms(nn.Flatten(), last)
    clips = torch.randn(2, 1, 3, 4)
    expected = (last.weight[torch.tensor([2, 0])] * (clips - 0.3).flatten(1)).view(2, 3, 4)
    label = torch.tensor([2, 0])
    for found in (
        gradient_input(linear, clips, label, baseline=0.3),
        integrated_gradients(linear, clips, label, baseline=0.3, n_steps=1),
        occlusion(linear, clips, label, baseline=0.3, patch=(1, 1), stride=(1, 1)),
    ):
        assert torch.allclose(found, expected, atol=1e-5)
    assert torch.allclose(smooth_grad(linear, clips, label), saliency(linear, clips, label), atol=1e-6)


def test_occlusion_is_the_mean_fall_over_the_patches_of_a_place(network: nn.Module, spectrogram: Tensor) -> None:
    found = occlusion(network, spectrogram, LABELS, patch=(15, 10), stride=(10, 6), baseline=-2.0)
    total, times = torch.zeros(2, 40, 24, dtype=torch.float64), torch.zeros(40, 24)
    with torch.no_grad():
        whole = network(spectrogram)
        for row in (0, 10, 20, 30):
            for column in (0, 6, 12, 18):
                hidden = spectrogram.clone()
                hidden[:, :, row : row + 15, column : column + 10] = -2.0
                fall = (whole - network(hidden)).gather(1, LABELS[:, None])[:, 0]
                total[:, row : row + 15, column : column + 10] += fall[:, None, None]
                times[row : row + 15, column : column + 10] += 1
    assert torch.allclose(found, total / times)


def test_grad_cam_follows_its_equations(spectrogram: Tensor) -> None:
    torch.manual_seed(0)
    network = models.TCResNet(n_classes=5).double().eval()
    found = grad_cam(network, spectrogram, LABELS, stage="block2")
    stem, block1, block2, block3 = network.stages.values()
    maps = block2(block1(stem(spectrogram[:, 0]))).detach().requires_grad_()
    logits = network.head(block3(maps).mean(-1))
    logits.gather(1, LABELS[:, None]).sum().backward()
    weights = maps.grad.mean(2, keepdim=True)
    active = (weights * maps).sum(1).relu().detach()
    expected = F.interpolate(active[:, None], size=24, mode="linear", align_corners=False)
    assert active.max() > 0
    assert torch.allclose(found, expected.expand(-1, 40, -1))
    last = grad_cam(network, spectrogram, LABELS)
    assert torch.equal(last, grad_cam(network, spectrogram, LABELS, stage="block3"))


def test_grad_cam_of_maps_whose_batch_lies_elsewhere(spectrogram: Tensor) -> None:
    torch.manual_seed(0)
    network = models.BCResNet(n_classes=5, tau=0.25).double().eval()
    for stage in ("stem", "stage3", "tail"):
        both = grad_cam(network, spectrogram, LABELS, stage=stage)
        alone = [grad_cam(network, spectrogram[[n]], int(LABELS[n]), stage=stage) for n in (0, 1)]
        assert both.shape == (2, 40, 24) and both.max() > 0
        assert torch.allclose(both, torch.cat(alone), atol=1e-9)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_gives_the_place_that_alone_decides(name: str) -> None:
    """The network adds up a square of 10 bands and 12 frames; everything else counts for nothing."""

    class Square(nn.Module):
        n_bands = 40

        def __init__(self) -> None:
            super().__init__()
            self.maps = nn.ReLU(inplace=True)

        def forward(self, spectrogram: Tensor) -> Tensor:
            maps = self.maps(spectrogram.clone())
            square = maps[:, :, 16:26, 20:32].flatten(1).sum(1, keepdim=True)
            return torch.cat([square, -square], 1)

    network = Square()
    clip = torch.full((1, 1, 40, 60), 0.01)
    clip[:, :, 16:26, 20:32] = 1 + torch.rand(10, 12, generator=torch.Generator().manual_seed(0))
    found = METHODS[name](network, clip, 0)[0]
    most = found.flatten().topk(120).indices
    inside = ((most // 60 >= 16) & (most // 60 < 26) & (most % 60 >= 20) & (most % 60 < 32)).float().mean()
    assert inside > (0.7 if name == "occlusion" else 0.99)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_leaves_everything_as_it_was(name: str, spectrogram: Tensor) -> None:
    torch.manual_seed(0)
    network = models.CNNTDNN(n_classes=5, n_channels=8).double()
    network.stem.eval()
    before, clip = {key: value.clone() for key, value in network.state_dict().items()}, spectrogram.clone()
    with torch.inference_mode():
        found = METHODS[name](network, spectrogram, LABELS)
    assert torch.equal(found, METHODS[name](network, spectrogram, LABELS))
    assert network.training and network.blocks.training and not network.stem.training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert torch.equal(clip, spectrogram)
    assert not found.requires_grad and all(parameter.grad is None for parameter in network.parameters())
    assert not any(module._forward_hooks for module in network.modules())


# ---- captum ----------------------------------------------------------------------------------------------------------


def test_captum_finds_the_same(network: nn.Module, spectrogram: Tensor) -> None:
    captum = pytest.importorskip("captum.attr")
    zero = torch.zeros_like(spectrogram)
    pairs: list[tuple[Tensor, Callable[[], Tensor]]] = [
        (
            saliency(network, spectrogram, LABELS),
            lambda: captum.Saliency(network).attribute(spectrogram.clone(), LABELS),
        ),
        (
            gradient_input(network, spectrogram, LABELS, baseline=0.0),
            lambda: captum.InputXGradient(network).attribute(spectrogram.clone(), LABELS),
        ),
        (
            occlusion(network, spectrogram, LABELS, patch=(15, 10), stride=(10, 6), baseline=0.0),
            lambda: captum.Occlusion(network).attribute(
                spectrogram, (1, 15, 10), (1, 10, 6), baselines=zero, target=LABELS
            ),
        ),
        (
            integrated_gradients(network, spectrogram, LABELS, baseline=0.0, n_steps=20),
            lambda: captum.IntegratedGradients(network).attribute(
                spectrogram, zero, LABELS, n_steps=20, method="riemann_middle"
            ),
        ),
    ]
    for ours, theirs in pairs:
        assert torch.allclose(ours, theirs()[:, 0].detach().double(), atol=1e-5)


def test_captum_finds_the_same_by_grad_cam(spectrogram: Tensor) -> None:
    captum = pytest.importorskip("captum.attr")
    torch.manual_seed(0)
    network = models.TCResNet(n_classes=5).double().eval()
    theirs = captum.LayerGradCam(network, network.stages["block2"]).attribute(spectrogram, LABELS).relu()
    expected = F.interpolate(theirs.detach(), size=24, mode="linear", align_corners=False)
    ours = grad_cam(network, spectrogram, LABELS, stage="block2")
    assert torch.allclose(ours, expected.expand(-1, 40, -1), atol=1e-9)


# ---- what cannot be --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("label_index", [-1, 5, torch.tensor([0, 5]), 1.5, torch.tensor([0, 1, 2])])
def test_a_label_that_there_is_not(name: str, label_index: Tensor | int) -> None:
    network = models.TCResNet(n_classes=5)
    with pytest.raises(ValueError, match="label_index: expected"):
        METHODS[name](network, torch.rand(2, 1, 40, 60), label_index)


@pytest.mark.parametrize("name", METHODS)
def test_broken_weights_and_broken_clips(name: str) -> None:
    network, clip = models.TCResNet(n_classes=5), torch.rand(1, 1, 40, 60)
    with pytest.raises(ValueError, match="spectrogram: expected finite"):
        METHODS[name](network, clip * math.nan, 0)
    with pytest.raises(ValueError, match="spectrogram: expected"):
        METHODS[name](network, clip[0], 0)
    with torch.no_grad():
        next(network.head.parameters())[2, 3] = math.nan
    with pytest.raises(ValueError, match="network: expected finite weights, got NaN or infinity in head"):
        METHODS[name](network, clip, 0)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("n_frames", [1, 9])
def test_a_clip_shorter_than_the_receptive_field_has_a_map(name: str, n_frames: int) -> None:
    torch.manual_seed(0)
    network = models.CNNTDNN(n_classes=5, n_channels=8)
    found = METHODS[name](network, torch.rand(1, 1, 40, n_frames), 0)
    assert found.shape == (1, 40, n_frames) and found.isfinite().all()


@pytest.mark.parametrize("name", METHODS)
def test_a_silent_clip_has_a_map_without_an_end(name: str) -> None:
    network = models.TCResNet(n_classes=5)
    assert METHODS[name](network, torch.full((1, 1, 40, 60), -20.0), 0).isfinite().all()


def test_stages_and_patches_that_there_are_not() -> None:
    network, clip = models.TCResNet(n_classes=5), torch.rand(1, 1, 40, 60)
    with pytest.raises(ValueError, match="stage: expected one of stem, .*did you mean 'block1'"):
        grad_cam(network, clip, 0, stage="blok1")
    with pytest.raises(ValueError, match="stage: expected one with frames, such as block3, got 'pooling'"):
        grad_cam(models.CNNTDNN(n_classes=5, n_channels=8), clip, 0, stage="pooling")
    with pytest.raises(ValueError, match="network: expected a stage with frames, got 'none'; use another"):
        grad_cam(OfSpectrograms(nn.AdaptiveAvgPool2d(1), nn.Flatten()), clip, 0)
    with pytest.raises(ValueError, match="patch: expected"):
        occlusion(network, clip, 0, patch=(0, 3))
    with pytest.raises(ValueError, match=r"stride: expected at most the patch, \(4, 4\)"):
        occlusion(network, clip, 0, patch=(4, 4), stride=(5, 1))
    for argument in ({"n_samples": 0}, {"noise": -1.0}):
        with pytest.raises(ValueError, match="expected"):
            smooth_grad(network, clip, 0, **argument)
    with pytest.raises(ValueError, match="n_steps: expected"):
        integrated_gradients(network, clip, 0, n_steps=0)
