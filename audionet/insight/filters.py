"""What a network has learned to look for first: its first filters, its front-end's, the templates of its classes."""

from itertools import chain
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from audionet.checks import check_at_least, check_that
from audionet.features.frontend import FrontEnd
from audionet.features.learned.time_domain import TimeDomain
from audionet.insight.looking import check_network
from audionet.models import trace
from audionet.models.contract import linear_of

_FINER = 16  # points of a response in the width of one bin of the kernel's own transform


def first_filters(network: nn.Module, *, plane: int = 0) -> np.ndarray:
    """Return the filters of a network's first layer as pictures of what they look for in the spectrogram.

    Those of a 2D convolution are patches. A 1D convolution over time has the bands as channels, so that its filters
    span all of them. Those of a fully connected layer are as large as the spectrogram.

    Args:
        network: A recogniser's network, with ``n_bands``.
        plane: Plane of the input: 0, or up to 2 where it has first and second differences, too.

    Returns:
        (filter, band, frame); neighbouring values belong to inputs that are the layer's dilation apart.

    Raises:
        ValueError: The first layer is another, the network has no such plane or weights that are NaN.

    Example:
        >>> first_filters(audionet.load_recognizer("digits").network).shape
        (16, 5, 5)
        >>> first_filters(audionet.models.create("tcresnet", n_classes=3)).shape
        (16, 40, 3)
    """
    check_network(network)
    weighty = [
        name
        for name, module in network.named_modules()
        if isinstance(weight := getattr(module, "weight", None), Tensor) and weight.ndim >= 2
    ]
    first = next(iter(trace.shapes(trace.skeleton(network), weighty, 1, trace.LONG)))
    layer = network.get_submodule(first)
    if not isinstance(layer, nn.Conv2d | nn.Conv1d | nn.Linear):
        expected = "a convolution or a fully connected layer over the spectrogram first"
        raise ValueError(f"network: expected {expected}, got {type(layer).__name__}; look at its activations")
    return _pictures(layer.weight, network, plane, over_all_bands=not isinstance(layer, nn.Conv2d))


def templates(network: nn.Module, *, plane: int = 0) -> np.ndarray:
    """Return the template of each class of a linear model: the weights from the spectrogram to its logit.

    A class's logit is the sum over the spectrogram times its template, and a bias: how well the two agree.

    Args:
        network: A linear model, such as ``create("fully_connected", hidden=(), ...)``.
        plane: Plane of the input: 0, or up to 2 where it has first and second differences, too.

    Returns:
        (class, band, frame)

    Raises:
        ValueError: The network is no linear model, so that its classes have no templates, or as for `first_filters`.

    Example:
        >>> network = audionet.models.create("fully_connected", n_classes=12, hidden=())
        >>> templates(network).shape
        (12, 40, 101)
        >>> templates(audionet.models.create("tcresnet", n_classes=12))
        Traceback (most recent call last):
        ValueError: network: expected a linear model, whose classes have templates, got 'TCResNet'; ...
    """
    check_network(network)
    learned, in_head = (
        {*chain(part.parameters(), part.buffers())} if isinstance(part, nn.Module) else set()
        for part in (network, getattr(network, "head", None))
    )
    check_that(
        learned and learned == in_head,
        "network",
        "a linear model, whose classes have templates",
        type(network).__name__,
        "look at what excites a class, or at its activations",
    )
    return _pictures(linear_of(network).weight, network, plane, over_all_bands=True)


def _pictures(weight: Tensor, network: nn.Module, plane: int, *, over_all_bands: bool) -> np.ndarray:
    """Return weights (filter, ...) of one plane of the input as pictures (filter, band, frame)."""
    n_planes = getattr(network, "in_channels", 1)
    check_at_least(0, n_planes - 1, whole=True, plane=plane)
    if over_all_bands:
        weight = weight.reshape(len(weight), n_planes, getattr(network, "n_bands", 1), -1)
    return weight[:, plane].detach().cpu().numpy().copy()  # which a training does not change


class LearnedFilters(NamedTuple):
    """The filters of a learned front-end, and what they pass.

    Attributes:
        kernels: The filters as waveforms, (part, filter, time): of complex ones, real and imaginary parts.
        sample_rate: In hertz.
        frequencies: In hertz, (frequency,).
        responses: Amplitude of what each filter passes of a tone, relative to the largest, (filter, frequency).
        centers: Middle between the frequencies on both sides at which the response is half its largest, in hertz,
            (filter,); NaN for a filter of zeros.
        bandwidths: Distance of these frequencies in hertz, (filter,).
    """

    kernels: np.ndarray
    sample_rate: int
    frequencies: np.ndarray
    responses: np.ndarray
    centers: np.ndarray
    bandwidths: np.ndarray


def learned_filters(front_end: FrontEnd) -> LearnedFilters:
    """Return the filters of a learned front-end with their centre frequencies and bandwidths in hertz.

    Both are measured on the filters themselves, so that all front-ends can be compared. A short filter is wider than
    its parameters say: one of 16 ms passes at least some 110 Hz.

    Args:
        front_end: `SincNet`, `LEAF` or `ConvFilterbank`, also within `Deltas`.

    Raises:
        ValueError: The front-end has no learned filters, or some that are NaN.

    Example:
        >>> found = learned_filters(audionet.features.LEAF())
        >>> found.centers[::13].round().tolist(), found.bandwidths[::13].round().tolist()
        ([106.0, 1033.0, 3027.0, 7314.0], [74.0, 153.0, 329.0, 708.0])
    """
    learned = next((part for part in front_end.modules() if isinstance(part, TimeDomain)), None)
    if learned is None:
        expected, advice = "one whose filters are learned", "its bands are fixed: see front_end.axis"
        raise ValueError(f"front_end: expected {expected}, got {type(front_end).__name__}; {advice}")
    with torch.no_grad():
        kernels = learned.kernels.double().cpu()
    check_that(kernels.isfinite().all(), "front_end", "finite filters", "NaN or infinity", "train it again")
    n_fft = _FINER << (kernels.shape[-1] - 1).bit_length()
    responses = torch.fft.rfft(kernels, n_fft).abs().square().sum(0).sqrt().numpy()
    largest = responses.max(1, keepdims=True)
    responses /= np.where(largest > 0, largest, 1.0)
    frequencies = np.arange(responses.shape[1]) * learned.sample_rate / n_fft
    low, high = np.transpose([_half_height(each, frequencies) for each in responses])
    return LearnedFilters(kernels.numpy(), learned.sample_rate, frequencies, responses, (low + high) / 2, high - low)


def _half_height(response: np.ndarray, frequencies: np.ndarray) -> tuple[float, float]:
    """Return the frequencies on both sides of a response's peak at which it is half as high, or the ends."""
    peak = int(response.argmax())
    if not response[peak]:
        return np.nan, np.nan
    half = response[peak] / 2
    below, above = np.flatnonzero(response[:peak] <= half), np.flatnonzero(response[peak:] <= half) + peak
    low, high = frequencies[0], frequencies[-1]
    if below.size:
        low = np.interp(half, response[below[-1] : below[-1] + 2], frequencies[below[-1] : below[-1] + 2])
    if above.size:
        high = np.interp(-half, -response[above[0] - 1 : above[0] + 1], frequencies[above[0] - 1 : above[0] + 1])
    return float(low), float(high)
