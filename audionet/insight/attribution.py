"""What decided: how much each place of a spectrogram speaks for a label.

Every method gives a map (batch, band, frame) of the same size as the spectrogram. They are a few lines of torch each:
captum (which the tests compare them with) has them too, but takes a second to import and knows neither a default stage
for Grad-CAM nor maps without bands.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audionet.checks import check_at_least, check_one_of, check_that
from audionet.insight.logit import Baseline, check_finite, filled, label_gradient, label_indices, label_logits
from audionet.insight.looking import stage_axes
from audionet.models.contract import stages_of
from audionet.models.trace import Axes

CHUNK = 64  # clips that go through the network at once


def saliency(network: nn.Module, spectrogram: Tensor, label_index: Tensor | int) -> Tensor:
    """Return how much the label's logit changes with each place: the absolute gradient (arXiv 1312.6034, section 3).

    Args:
        network: A recogniser's network, with ``n_bands``. It computes as in use and is left as it was.
        spectrogram: (batch, 1, band, frame). Of several planes, the largest gradient counts.
        label_index: Position of the label, one for all clips or (batch,).

    Returns:
        (batch, band, frame), at least 0.

    Raises:
        ValueError: The spectrogram is not finite, there is no such label, or weights of the network are NaN.

    Example:
        >>> network = audionet.models.create("tcresnet", n_classes=12)
        >>> saliency(network, torch.rand(2, 1, 40, 101), 3).shape
        torch.Size([2, 40, 101])
    """
    return label_gradient(network, spectrogram, label_index).abs().amax(1)


def gradient_input(
    network: nn.Module, spectrogram: Tensor, label_index: Tensor | int, *, baseline: Baseline = None
) -> Tensor:
    """Return the gradient times the distance from the baseline: what each place adds, were the network linear.

    Args:
        network: As for `saliency`.
        spectrogram: As for `saliency`.
        label_index: As for `saliency`.
        baseline: What stands for "nothing": a value, a tensor, or None for the clip's mean in each band.

    Returns:
        (batch, band, frame); below 0 where a place speaks against the label.

    Raises:
        ValueError: As for `saliency`.

    Example:
        >>> network = nn.Sequential(nn.Flatten(), nn.Linear(2, 1, bias=False))
        >>> network.n_bands, network[1].weight.data[:] = 1, 3.0
        >>> gradient_input(network, torch.tensor([[[[1.0, 2.0]]]]), 0, baseline=0.0)
        tensor([[[3., 6.]]])
    """
    gradient = label_gradient(network, spectrogram, label_index)
    return (gradient * (spectrogram - filled(spectrogram, baseline))).sum(1)


def smooth_grad(
    network: nn.Module,
    spectrogram: Tensor,
    label_index: Tensor | int,
    *,
    n_samples: int = 16,
    noise: float = 0.15,
    seed: int = 0,
) -> Tensor:
    """Return the absolute mean gradient over copies of the clip with noise: SmoothGrad (arXiv 1706.03825).

    Args:
        network: As for `saliency`.
        spectrogram: As for `saliency`.
        label_index: As for `saliency`.
        n_samples: Copies of each clip.
        noise: Standard deviation of the Gaussian noise, as a share of the clip's range from smallest to largest value.
        seed: Seed of the noise.

    Returns:
        (batch, band, frame), at least 0.

    Raises:
        ValueError: As for `saliency`; ``n_samples`` or ``noise`` is too small.

    Example:
        >>> network = audionet.models.create("tcresnet", n_classes=12)
        >>> smooth_grad(network, torch.rand(2, 1, 40, 101), 3, n_samples=2).shape
        torch.Size([2, 40, 101])
    """
    check_at_least(1, whole=True, n_samples=n_samples)
    check_at_least(0, noise=noise)
    check_finite(spectrogram)
    generator = torch.Generator().manual_seed(seed)
    deviation = noise * (spectrogram.amax((1, 2, 3), True) - spectrogram.amin((1, 2, 3), True))
    total = torch.zeros_like(spectrogram)
    for _ in range(n_samples):
        drawn = torch.randn(spectrogram.shape, generator=generator, dtype=spectrogram.dtype).to(spectrogram.device)
        total += label_gradient(network, spectrogram + deviation * drawn, label_index)
    return (total / n_samples).abs().amax(1)


def grad_cam(network: nn.Module, spectrogram: Tensor, label_index: Tensor | int, *, stage: str | None = None) -> Tensor:
    """Return where the maps of a stage that speak for the label are active: Grad-CAM (arXiv 1610.02391, eq. 1 and 2).

    Each map of the stage is weighted by the mean of the label's gradient over it; what of their sum is above 0 is
    brought to the size of the spectrogram. Maps without bands (batch, channel, frame) are spread over all bands.

    Args:
        network: As for `saliency`.
        spectrogram: As for `saliency`.
        label_index: As for `saliency`.
        stage: Name of the stage, one of the network's ``stages``; None for the last one that has frames.

    Returns:
        (batch, band, frame), at least 0.

    Raises:
        ValueError: As for `saliency`; there is no such stage, or it has no frames.

    Example:
        >>> network = audionet.models.create("tcresnet", n_classes=12)
        >>> grad_cam(network, torch.rand(2, 1, 40, 101), 3, stage="block2").shape
        torch.Size([2, 40, 101])
    """
    module, axes = _stage(network, stage)
    kept: list[Tensor] = []

    def keep(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> Tensor:
        kept.append(output)
        return output.clone()  # which a later layer may overwrite

    handle = module.register_forward_hook(keep)
    try:
        with torch.inference_mode(False), torch.enable_grad():
            logit = label_logits(network, spectrogram.detach().clone().requires_grad_(), label_index)
            (gradient,) = torch.autograd.grad(logit.sum(), kept[-1])
    finally:
        handle.remove()
    maps, gradient = (each.detach().movedim(axes.batch, 0) for each in (kept[-1], gradient))
    if maps.ndim == 3:  # (batch, channel, frame)
        maps, gradient = maps.unsqueeze(2), gradient.unsqueeze(2)
    weights = gradient.mean((2, 3), keepdim=True)
    active = (weights * maps).sum(1, keepdim=True).relu()
    return F.interpolate(active, size=spectrogram.shape[2:], mode="bilinear", align_corners=False).squeeze(1)


def occlusion(
    network: nn.Module,
    spectrogram: Tensor,
    label_index: Tensor | int,
    *,
    patch: tuple[int, int] = (8, 10),
    stride: tuple[int, int] = (4, 5),
    baseline: Baseline = None,
) -> Tensor:
    """Return how much the label's logit falls when a place is hidden (arXiv 1311.2901, section 4.2).

    A patch that moves over the spectrogram hides what is below it. A place gets the mean over the patches that hide it.

    Args:
        network: As for `saliency`.
        spectrogram: As for `saliency`.
        label_index: As for `saliency`.
        patch: Bands and frames that are hidden at once.
        stride: Bands and frames from one patch to the next, at most ``patch``.
        baseline: What is put in their place: a value, a tensor, or None for the clip's mean in each band.

    Returns:
        (batch, band, frame); below 0 where the label gains by hiding the place.

    Raises:
        ValueError: As for `saliency`; a patch is empty, or some places would be under none.

    Example:
        >>> network = nn.Sequential(nn.Flatten(), nn.Linear(2, 1, bias=False))
        >>> network.n_bands, network[1].weight.data[:] = 1, 3.0
        >>> occlusion(network, torch.tensor([[[[1.0, 2.0]]]]), 0, patch=(1, 1), stride=(1, 1), baseline=0.0)
        tensor([[[3., 6.]]])
    """
    check_at_least(1, whole=True, patch=min(patch), stride=min(stride))
    fits = stride[0] <= patch[0] and stride[1] <= patch[1]
    check_that(fits, "stride", f"at most the patch, {patch}", stride, "or some places would never be hidden")
    with torch.no_grad():
        whole = label_logits(network, spectrogram, label_index)
        hidden = _patches(spectrogram, patch, stride)
        replaced = filled(spectrogram, baseline)
        total = torch.zeros_like(spectrogram[:, 0])
        for part in hidden.split(max(1, CHUNK // len(spectrogram))):
            # (patch, batch, channel, band, frame)
            clips = torch.where(part[:, None, None], replaced, spectrogram)
            labels = label_indices(label_index, spectrogram).repeat(len(part))
            fall = whole - label_logits(network, clips.flatten(0, 1), labels).view(len(part), -1)
            total += torch.einsum("pb,pkf->bkf", fall, part.to(fall))
    return total / hidden.sum(0)


def integrated_gradients(
    network: nn.Module,
    spectrogram: Tensor,
    label_index: Tensor | int,
    *,
    baseline: Baseline = None,
    n_steps: int = 32,
) -> Tensor:
    """Return what each place adds to the label's logit on the way from the baseline (arXiv 1703.01365, eq. 1 and 3).

    The sum over all places is the logit of the clip less that of the baseline, the better the more steps.

    Args:
        network: As for `saliency`.
        spectrogram: As for `saliency`.
        label_index: As for `saliency`.
        baseline: Where the way begins: a value, a tensor, or None for the clip's mean in each band.
        n_steps: Points of the straight way whose gradients are averaged, each in the middle of its step.

    Returns:
        (batch, band, frame); below 0 where a place speaks against the label.

    Raises:
        ValueError: As for `saliency`; ``n_steps`` is below 1.

    Example:
        >>> network = audionet.models.create("tcresnet", n_classes=12).eval()
        >>> spectrogram = torch.rand(1, 1, 40, 101)
        >>> added = integrated_gradients(network, spectrogram, 3, baseline=0.0, n_steps=256)
        >>> difference = (network(spectrogram) - network(0 * spectrogram))[0, 3]
        >>> torch.allclose(added.sum(), difference, atol=0.01)
        True
    """
    check_at_least(1, whole=True, n_steps=n_steps)
    start = filled(spectrogram, baseline)
    way, labels = spectrogram - start, label_indices(label_index, spectrogram)
    points = (torch.arange(n_steps, dtype=way.dtype, device=way.device) + 0.5) / n_steps
    total = torch.zeros_like(way)
    for part in points.split(max(1, CHUNK // len(spectrogram))):
        clips = start + part[:, None, None, None, None] * way  # (step, batch, channel, band, frame)
        gradient = label_gradient(network, clips.flatten(0, 1), labels.repeat(len(part)))
        total += gradient.view_as(clips).sum(0)
    return (way * total / n_steps).sum(1)


METHODS: dict[str, Callable[[nn.Module, Tensor, Tensor | int], Tensor]] = {
    "saliency": saliency,
    "gradient_input": gradient_input,
    "smooth_grad": smooth_grad,
    "grad_cam": grad_cam,
    "occlusion": occlusion,
    "integrated_gradients": integrated_gradients,
}
"""The methods by name, each with its defaults."""


def _stage(network: nn.Module, stage: str | None) -> tuple[nn.Module, Axes]:
    """Return a stage and where its axes lie; the last one with frames, if none is named."""
    stages = stages_of(network)
    if stage is not None:
        check_one_of(stages, "stage", stage)
    axes = {name: found for name, found in stage_axes(network, stages).items() if found.frame is not None}
    check_that(axes, "network", "a stage with frames", "none", "use another method, such as occlusion")
    name = [*axes][-1] if stage is None else stage
    check_that(name in axes, "stage", f"one with frames, such as {[*axes][-1]}", name)
    return stages[name], axes[name]


def _patches(spectrogram: Tensor, patch: tuple[int, int], stride: tuple[int, int]) -> Tensor:
    """Return the places that each patch hides, (patch, band, frame) bool; the last ones reach to the edges."""
    rows, columns = (
        torch.stack([(place >= start) & (place < start + size) for start in range(0, last, step)])
        for place, size, step, last in (
            (torch.arange(n, device=spectrogram.device), size, step, step * (1 + math.ceil(max(0, n - size) / step)))
            for n, size, step in zip(spectrogram.shape[2:], patch, stride, strict=True)
        )
    )
    return (rows[:, None, :, None] & columns[None, :, None, :]).flatten(0, 1)
