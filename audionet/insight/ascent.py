"""Activation maximisation: a sound, or a spectrogram, that excites a unit of a network more and more."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audionet.checks import check_at_least, check_positive, check_that
from audionet.features.frontend import FrontEnd
from audionet.insight.excitation import Unit, map_of, stages_with
from audionet.insight.looking import evaluating, input_gradient, stage_axes, stage_maps
from audionet.models import trace

_LOUDNESS = 0.05  # root mean square of the noise that a sound begins as
_N_FRAMES = 101
_N_DRAWS = 16  # noises, of which the ascent begins with the one that excites the unit most
_KNOTS = 8  # of the envelopes that make noises differ, over the clip and over the frequencies


class Maximized(NamedTuple):
    """What excites a unit, made by gradient ascent.

    Attributes:
        waveform: The sound in [-1, 1], (time,); None where the spectrogram itself was changed.
        spectrogram: (in_channels, band, frame).
        before: The unit's mean activation at the start.
        after: The same at the end.
        history: The same before each step, for the input as it was shifted.
    """

    waveform: Tensor | None
    spectrogram: Tensor
    before: float
    after: float
    history: list[float]


def maximize(
    network: nn.Module,
    unit: Unit,
    front_end: FrontEnd | None = None,
    *,
    start: Tensor | None = None,
    length: int | None = None,
    n_steps: int = 40,
    learning_rate: float = 0.2,
    decay: float = 0.01,
    jitter: float = 0.05,
    total_variation: float = 0.5,
    seed: int = 0,
) -> Maximized:
    """Change noise step by step so that it excites a unit more: into a sound, if there is a front-end.

    Of several noises, the ascent begins with the one that excites the unit most. The gradient of the unit's mean
    activation flows through the front-end to the samples (Erhan et al., 2009, Visualizing higher-layer features of a
    deep network). Adam climbs it in the Fourier coefficients (Olah et al., 2017, Feature visualization). Three rules
    keep the result natural:

    - decay: each step makes the input a little weaker, so that what does not count disappears (Yosinski et al., 2015,
      arXiv 1506.06579);
    - jitter: each step sees the input shifted in time by a random amount, around its ends;
    - total variation: each step makes the spectrogram smoother, too (Mahendran and Vedaldi, 2015, arXiv 1412.0035).

    Args:
        network: A recogniser's network, with ``n_bands``.
        unit: Channel of a stage, as ("block1", 5), or class, as ("head", label_index).
        front_end: The recogniser's, (..., time) -> (..., band, frame); None for changing the spectrogram itself, which
            no sound need have.
        start: What to begin with: a waveform (time,), or without a front-end a spectrogram (in_channels, band, frame);
            None for noise.
        length: Samples of the noise, or without a front-end its frames; None for a second, or 101 frames.
        n_steps: Steps of the ascent.
        learning_rate: Size of a step, relative to the root mean square of the start.
        decay: Share of the input that a step takes away.
        jitter: Largest shift, as a share of the input's length.
        total_variation: Length of the gradient that smoothes, as a share of that which excites; below 1, so that the
            unit is excited more.
        seed: Seed of the noise and of the shifts.

    Raises:
        ValueError: There is no such unit, no gradient reaches the network's input, the unit does not depend on the
            start, or an argument does not fit.

    Example:
        >>> recognizer = audionet.load_recognizer("digits")
        >>> seven = ("head", recognizer.labels.index("seven"))
        >>> found = maximize(recognizer.network, seven, recognizer.front_end, n_steps=10)
        >>> found.waveform.shape, found.after > found.before + 2
        (torch.Size([16000]), True)
    """
    check_at_least(1, whole=True, n_steps=n_steps)
    check_at_least(0, 0.99, decay=decay, total_variation=total_variation)
    check_at_least(0, 0.5, jitter=jitter)
    check_positive(learning_rate=learning_rate)
    generator = torch.Generator().manual_seed(seed)
    hear = nn.Identity() if front_end is None else front_end
    axes = (-2, -1) if front_end is None else (-1,)
    with evaluating(network):
        activation = _activation_of(network, unit)
        if start is None:
            noises = _noises(network, front_end, length, generator)
            with torch.no_grad():
                start = max(noises.split(1), key=lambda noise: float(activation(hear(noise))))
        else:
            start = _checked(start, front_end)
        coefficients = torch.fft.rfftn(start, dim=axes, norm="ortho").requires_grad_()
        optimizer = torch.optim.Adam([coefficients], lr=learning_rate * float(start.square().mean().sqrt()))
        made, history = start, []
        for _ in range(n_steps):
            shift = round((2 * float(torch.rand((), generator=generator)) - 1) * jitter * start.shape[-1])
            spectrogram = hear(_made(coefficients, start, axes).roll(shift, -1))
            value, direction = _uphill(activation, spectrogram, total_variation)
            (gradient,) = torch.autograd.grad(spectrogram, coefficients, direction)
            coefficients.grad = -gradient
            optimizer.step()
            coefficients.data *= 1 - decay
            history.append(value)
        with torch.no_grad():
            made = _made(coefficients, start, axes)
            before, after = float(activation(hear(start))), float(activation(spectrogram := hear(made)))
    return Maximized(None if front_end is None else made[0, 0], spectrogram[0], before, after, history)


def _activation_of(network: nn.Module, unit: Unit) -> Callable[[Tensor], Tensor]:
    """Return the function that maps spectrograms to the mean activation of a unit."""
    stages = stages_with(network, [unit])
    axes = stage_axes(network, stages)
    return lambda spectrogram: map_of(stage_maps(network, stages, axes, spectrogram), unit).mean()


def _noises(network: nn.Module, front_end: FrontEnd | None, length: int | None, generator: torch.Generator) -> Tensor:
    """Return noises (draw, 1, time), or spectrograms of noise (draw, in_channels, band, frame).

    Their loudness follows other slow curves over time and over frequency in each.
    """
    if front_end is None:
        shape = trace.blank(network, _N_DRAWS, _N_FRAMES if length is None else length).shape
        even = torch.randn(shape, generator=generator)
        slow = torch.randn(*shape[:2], _KNOTS, _KNOTS, generator=generator)
        return (even + F.interpolate(slow, shape[2:], mode="bilinear")).to(_device(network))
    length = front_end.sample_rate if length is None else length
    check_at_least(1, whole=True, length=length)
    spectra = torch.fft.rfft(torch.randn(_N_DRAWS, 1, length, generator=generator))
    over_frequency, over_time = (
        F.interpolate(torch.randn(_N_DRAWS, 1, _KNOTS, generator=generator), size, mode="linear").exp()
        for size in (spectra.shape[-1], length)
    )
    noise: Tensor = torch.fft.irfft(spectra * over_frequency, length) * over_time
    return (_LOUDNESS * noise / noise.square().mean(-1, keepdim=True).sqrt()).to(_device(network))


def _device(network: nn.Module) -> torch.device:
    return next((parameter.device for parameter in network.parameters()), torch.device("cpu"))


def _checked(start: Tensor, front_end: FrontEnd | None) -> Tensor:
    """Return a start that a caller gave with the axes that are missing: (1, 1, time), or (1, in_channels, ...)."""
    n_axes, expected = (3, "(in_channels, band, frame)") if front_end is None else (1, "(time,)")
    check_that(start.ndim == n_axes, "start", expected, tuple(start.shape))
    check_that(start.isfinite().all() and start.any(), "start", "a sound", "silence, NaN or infinity")
    return start.detach()[None] if front_end is None else start.detach()[None, None]


def _made(coefficients: Tensor, like: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Return the signal of Fourier coefficients; a waveform stays within [-1, 1]."""
    signal: Tensor = torch.fft.irfftn(coefficients, [like.shape[axis] for axis in axes], dim=axes, norm="ortho")
    return signal / signal.detach().abs().max().clamp(min=1.0) if len(axes) == 1 else signal


def _uphill(
    activation: Callable[[Tensor], Tensor], spectrogram: Tensor, total_variation: float
) -> tuple[float, Tensor]:
    """Return the activation for a spectrogram, and the direction in which it rises and the spectrogram gets smooth."""
    leaf = spectrogram.detach().requires_grad_()
    value = activation(leaf)
    if (gradient := input_gradient(value, leaf)) is None:
        raise ValueError(
            "network: expected one that passes gradients to its input, got one that does not, such as a WaveNet "
            "classifier, which rounds the samples to codes; look at the clips that most_exciting finds"
        )
    if not (length := gradient.norm()) > 0:
        raise ValueError(
            "unit: expected one that depends on what the ascent starts with, got one of gradient 0; start with a clip "
            "that excites it, as most_exciting finds, or call it dead if there is none"
        )
    variation = leaf.diff(dim=-1).square().sum() + leaf.diff(dim=-2).square().sum()
    (rougher,) = torch.autograd.grad(variation, leaf)
    smoother = -rougher / rougher.norm().clamp(min=torch.finfo(rougher.dtype).tiny)
    return value.item(), gradient / length + total_variation * smoother
