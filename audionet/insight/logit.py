"""The logit of a label, and its gradient with respect to the spectrogram."""

import torch
from torch import Tensor, nn

from audionet.checks import check_that
from audionet.insight.looking import evaluating

Baseline = Tensor | float | None
"""What stands for "nothing": a value, or a tensor that fits the spectrogram; None for the clip's mean in each band."""


def label_logits(network: nn.Module, spectrogram: Tensor, label_index: Tensor | int) -> Tensor:
    """Return the logit of each clip's label.

    Args:
        network: A recogniser's network, with ``n_bands``. It computes as in use and is left as it was.
        spectrogram: (batch, 1, band, frame).
        label_index: Position of the label, one for all clips or (batch,).

    Returns:
        (batch,)

    Raises:
        ValueError: The spectrogram is not finite, there is no such label, or weights of the network are NaN.

    Example:
        >>> network = nn.Sequential(nn.Flatten(), nn.Identity())
        >>> network.n_bands = 1
        >>> label_logits(network, torch.tensor([[[[1.0, 2.0]]], [[[3.0, 4.0]]]]), torch.tensor([0, 1]))
        tensor([1., 4.])
    """
    check_finite(spectrogram)
    indices = label_indices(label_index, spectrogram)
    with evaluating(network):
        logits: Tensor = network(spectrogram)
    least, most = int(indices.min()), int(indices.max())
    known = f"0 to {logits.shape[1] - 1}, a position in the labels"
    check_that(0 <= least and most < logits.shape[1], "label_index", known, least if least < 0 else most)
    return logits.gather(1, indices[:, None])[:, 0]


def label_gradient(network: nn.Module, spectrogram: Tensor, label_index: Tensor | int) -> Tensor:
    """Return the gradient of each clip's logit of its label with respect to the clip.

    Args:
        network: As for `label_logits`.
        spectrogram: As for `label_logits`.
        label_index: As for `label_logits`.

    Returns:
        (batch, 1, band, frame), as the spectrogram.

    Raises:
        ValueError: As for `label_logits`, or no gradient reaches the spectrogram.

    Example:
        >>> network = nn.Sequential(nn.Flatten(), nn.Identity())
        >>> network.n_bands = 1
        >>> label_gradient(network, torch.tensor([[[[1.0, 2.0]]]]), 1)
        tensor([[[[0., 1.]]]])
    """
    with torch.inference_mode(False), torch.enable_grad():
        given = spectrogram.detach().clone().requires_grad_()
        logit = label_logits(network, given, label_index).sum()
        gradient = torch.autograd.grad(logit, given, allow_unused=True)[0] if logit.requires_grad else None
    if gradient is None:
        expected = "logits with a gradient down to the spectrogram"
        advice = "as of a network that rounds samples to codes; look at its occlusion or Grad-CAM"
        raise ValueError(f"network: expected {expected}, got {type(network).__name__} without; {advice}")
    return gradient


def label_indices(label_index: Tensor | int, spectrogram: Tensor) -> Tensor:
    """Return the position of each clip's label, (batch,).

    Raises:
        ValueError: They are no whole numbers, or not as many as there are clips.

    Example:
        >>> label_indices(3, torch.zeros(2, 1, 40, 101))
        tensor([3, 3])
    """
    indices = torch.as_tensor(label_index, device=spectrogram.device)
    is_whole = not indices.is_floating_point() and indices.ndim <= 1 and indices.numel() in (1, len(spectrogram))
    check_that(is_whole, "label_index", "a whole number, or one for each clip", label_index)
    return indices.long().expand(len(spectrogram)).clone()


def check_finite(spectrogram: Tensor) -> None:
    """Refuse a tensor that is no batch of spectrograms, or has values that are no numbers.

    Raises:
        ValueError: It does.

    Example:
        >>> check_finite(torch.zeros(40, 101))
        Traceback (most recent call last):
        ValueError: spectrogram: expected (batch, 1, band, frame), got (40, 101)
    """
    fits = spectrogram.ndim == 4 and spectrogram.numel()
    check_that(fits, "spectrogram", "(batch, 1, band, frame)", tuple(spectrogram.shape))
    is_finite = bool(spectrogram.isfinite().all())
    check_that(is_finite, "spectrogram", "finite values", "NaN or infinity", "repair the clip or drop it")


def filled(spectrogram: Tensor, baseline: Baseline) -> Tensor:
    """Return a baseline as large as the spectrogram.

    Args:
        spectrogram: (batch, 1, band, frame).
        baseline: A value, a tensor that fits the spectrogram, or None for the clip's mean in each band.

    Raises:
        ValueError: The spectrogram is none, or not finite.

    Example:
        >>> filled(torch.tensor([[[[1.0, 3.0]]]]), None)
        tensor([[[[2., 2.]]]])
    """
    check_finite(spectrogram)
    if baseline is None:
        baseline = spectrogram.mean(-1, keepdim=True)
    return torch.as_tensor(baseline, dtype=spectrogram.dtype, device=spectrogram.device).expand_as(spectrogram)
