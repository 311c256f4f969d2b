"""Deltas: slopes over time of any front-end's bands."""

from numbers import Integral

import torch
from torch import Tensor

from audionet.checks import check_that
from audionet.features.frontend import Axis, FrontEnd, State


def deltas(x: Tensor, *, width: int = 9) -> Tensor:
    """Return the slope of each band over time, by regression over ``width`` frames (Young et al., The HTK Book, 5.16).

    The slope at t is sum n x[t + n] / sum n^2 over n from -m to m, with m = (width - 1) / 2 and the first and the last
    frame repeated beyond the ends: torchaudio's, and librosa's for mode="nearest".

    Args:
        x: (..., frame, band).
        width: Frames of the regression, odd and at least 3.

    Returns:
        The same shape.

    Raises:
        ValueError: If ``width`` is even or too small.

    Example:
        >>> deltas(torch.arange(5.0).unsqueeze(-1), width=3).flatten()
        tensor([0.5000, 1.0000, 1.0000, 1.0000, 0.5000])
    """
    return _next_slopes(x, x[..., :0, :], _half(width), is_last=True)[0]


_MOST_ORDERS = 10  # slopes of slopes; more say nothing, and take long


class Deltas(FrontEnd):
    """The bands of a front-end together with their slopes, the slopes of these, and so on (Furui, 1986).

    Args:
        front_end: The front-end of the bands.
        order: How many times slopes are taken: 1 for deltas, 2 for deltas and double deltas.
        width: Frames of the regression, odd and at least 3.

    Shape:
        (..., time) -> (..., (order + 1) * band, frame)

    Raises:
        ValueError: If ``order`` or ``width`` does not fit.

    Example:
        >>> Deltas(audionet.features.MFCC(n_mfcc=13), order=2)(torch.randn(8, 16_000)).shape
        torch.Size([8, 39, 101])
    """

    def __init__(self, front_end: FrontEnd, *, order: int = 2, width: int = 9) -> None:
        super().__init__()
        fits = isinstance(order, Integral) and 1 <= order <= _MOST_ORDERS
        check_that(fits, "order", f"a whole number from 1 to {_MOST_ORDERS}", order)
        self.front_end, self.framing, self.order, self.width = front_end, front_end.framing, order, width
        self.sample_rate, self.is_complex = front_end.sample_rate, front_end.is_complex
        self.n_bands = (order + 1) * front_end.n_bands
        self.lookahead = front_end.lookahead + order * _half(width)

    def frames(self, waveform: Tensor) -> Tensor:
        """Map what is padded (..., time) to the front-end's (..., frame, band)."""
        return self.front_end.frames(waveform)

    def across(self, x: Tensor, state: State, *, is_last: bool) -> tuple[Tensor, State]:
        """Put the slopes beside the bands, as soon as all frames of a regression are there."""
        inner = {name.removeprefix("inner."): value for name, value in state.items() if name.startswith("inner.")}
        x, inner = self.front_end.across(x, inner, is_last=is_last)
        kept = {f"inner.{name}": value for name, value in inner.items()}
        ready = []
        for number in range(self.order + 1):
            waiting = f"waiting{number}"  # frames of this order that have no slopes yet
            ready.append(torch.cat([state[waiting], x], -2) if waiting in state else x)
            if number < self.order:
                past = state.get(f"past{number}", x[..., :0, :])
                x, kept[f"past{number}"] = _next_slopes(x, past, _half(self.width), is_last)
        n_frames = ready[-1].shape[-2]
        kept |= {f"waiting{number}": part[..., n_frames:, :] for number, part in enumerate(ready)}
        return torch.cat([part[..., :n_frames, :] for part in ready], -1), kept

    @property
    def needs_clip(self) -> str | None:
        """The setting that needs the whole clip."""
        return self.front_end.needs_clip

    @property
    def middle(self) -> int:
        """Samples from t * hop_length to the middle of frame t of the bands."""
        return self.front_end.middle

    @property
    def axis(self) -> Axis:
        """The bands, and above them their slopes."""
        axis = self.front_end.axis
        return Axis(quantity=axis.quantity, band=f"{axis.band}, then its slopes")


def _half(width: int) -> int:
    check_that(width >= 3 and width % 2, "width", "an odd number of frames, at least 3", width)
    return (width - 1) // 2


def _next_slopes(x: Tensor, past: Tensor, m: int, is_last: bool) -> tuple[Tensor, Tensor]:
    """Return the slopes that the next frames (..., frame, band) complete, and the frames that later slopes need."""
    past = past if past.shape[-2] else x[..., :1, :].repeat_interleave(m, -2)  # none, where there is no frame
    x = torch.cat([past, x], -2)
    if is_last:
        x = torch.cat([x, x[..., -1:, :].repeat_interleave(m, -2)], -2)
    return (_slopes(x, m), x[..., -2 * m :, :]) if x.shape[-2] > 2 * m else (x[..., :0, :], x)


def _slopes(x: Tensor, m: int) -> Tensor:
    """Return the slopes (..., frame - 2 m, band) of all frames that have m neighbours on either side."""
    n_frames = x.shape[-2] - 2 * m
    rises = [n * (x[..., m + n : m + n + n_frames, :] - x[..., m - n : m - n + n_frames, :]) for n in range(1, m + 1)]
    slopes: Tensor = torch.stack(rises).sum(0) / (2 * sum(n * n for n in range(1, m + 1)))
    return slopes
