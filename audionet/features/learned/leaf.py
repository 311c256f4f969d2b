"""LEAF: a front-end of which filters, pooling and compression are learned."""

from math import inf

import torch
from torch import Tensor, nn

from audionet.features.frontend import Axis, State
from audionet.features.learned.time_domain import (
    WIDTH,
    TimeDomain,
    clamp_straight_through,
    filter_and_pool,
    gabor_filters,
    gabor_from_mel,
    gaussian,
)
from audionet.features.per_channel_energy import pcen_step

_EPS = 1e-12  # the paper's, which keeps sPCEN's division finite
_LEAST = 1e-4  # of values that must stay positive and that the paper does not limit


class LEAF(TimeDomain):
    """LEAF (Zeghidour et al., LEAF: a learnable frontend for audio classification, 2021, arXiv 2101.08596).

    Complex Gabor filters (eq. 1), their squared modulus, a Gaussian pooling window for each filter (eq. 3), and sPCEN
    (eq. 5). sPCEN is a PCEN that starts from the first frame, and of which each filter learns gain (alpha), bias
    (delta), power (r) and smoothing (s). The filters start as a mel filterbank.

    Parameters are clamped to the paper's limits where they are used. Centres lie between 0 and half the sample rate.
    Widths keep the responses' widths at half their height between 1 / kernel_size and 1 / 4 of the sample rate.
    Pooling widths are 2 / win_length to 1 / 2 of half a window. Gain, power and smoothing are at most 1. Beyond the
    paper, gain is at least 0, and bias, power and smoothing are at least 1e-4.

    A frame sees a kernel and a window, less a sample. The waveform is padded once. The paper's code pads the input of
    each convolution ("same"), so that its frames at the ends differ. It also omits the factor before the Gaussian in
    eq. 3, and floors the pooled energy at 1e-5; here the equations hold.

    Args:
        sample_rate: In hertz.
        n_filters: Number of filters.
        f_min: Lower edge of the first mel triangle in hertz.
        f_max: Upper edge of the last mel triangle in hertz; None for 0.4875 of the sample rate, 7,800 Hz of 16,000.
        kernel_size: Samples of a filter, odd; None for 25 ms.
        win_length: Samples that are pooled, odd; None for 25 ms.
        hop_length: Samples from one frame to the next; None for 10 ms.
        center: Whether frame t is centred on sample t * hop_length.
        pad_mode: Padding of centred frames: "constant", zeros, as in the paper, or as for `Framing`.

    Shape:
        (..., time) -> (..., n_filters, frame); frame = 1 + (time - 1) // hop_length when centred.

    Raises:
        ValueError: There is no filter, a length is even, or the edges do not fit the sample rate.

    Attributes:
        center_frequency: Centres of the filters in cycles a sample, (n_filters,).
        width: Standard deviations of the filters in samples, (n_filters,).
        pooling_width: Standard deviations of the pooling windows in half windows, (n_filters,).
        gain: (n_filters,), as are bias, power and smoothing.

    Example:
        >>> LEAF()(torch.randn(8, 16_000)).shape
        torch.Size([8, 40, 100])
    """

    def __init__(
        self,
        *,
        sample_rate: int = 16_000,
        n_filters: int = 40,
        f_min: float = 60.0,
        f_max: float | None = None,
        kernel_size: int | None = None,
        win_length: int | None = None,
        hop_length: int | None = None,
        center: bool = True,
        pad_mode: str = "constant",
    ) -> None:
        super().__init__(sample_rate, n_filters, kernel_size, win_length, hop_length, center=center, pad_mode=pad_mode)
        centers, widths = gabor_from_mel(n_filters, sample_rate=sample_rate, f_min=f_min, f_max=f_max)
        self.center_frequency, self.width = nn.Parameter(centers), nn.Parameter(self._limited(widths))
        self.pooling_width = nn.Parameter(torch.full((n_filters,), 0.4))
        self.gain, self.bias = nn.Parameter(torch.full((n_filters,), 0.96)), nn.Parameter(torch.full((n_filters,), 2.0))
        self.power, self.smoothing = (nn.Parameter(torch.full((n_filters,), value)) for value in (0.5, 0.04))

    def _limited(self, width: Tensor) -> Tensor:
        return clamp_straight_through(width, 4 * WIDTH, max(self.kernel_size, 4) * WIDTH)

    @property
    def kernels(self) -> Tensor:
        """The filters as they are now, their real and imaginary parts (2, n_filters, kernel_size)."""
        center = clamp_straight_through(self.center_frequency, 0.0, 0.5)
        return gabor_filters(center, self._limited(self.width), self.kernel_size)

    def frames(self, waveform: Tensor) -> Tensor:
        """Map a padded waveform (..., time) to the pooled power of each filter (..., frame, n_filters)."""
        half_windows = clamp_straight_through(self.pooling_width, 2 / self.win_length, 0.5)
        pooling = gaussian(self.win_length // 2 * half_windows, self.win_length)
        return filter_and_pool(waveform, self.kernels, pooling, hop_length=self.framing.hop_length)

    def across(self, x: Tensor, state: State, *, is_last: bool) -> tuple[Tensor, State]:
        """Compress pooled power (..., frame, n_filters) by sPCEN."""
        return pcen_step(
            x,
            state,
            gain=clamp_straight_through(self.gain, 0.0, 1.0),
            bias=clamp_straight_through(self.bias, _LEAST, inf),
            power=clamp_straight_through(self.power, _LEAST, 1.0),
            smoothing=clamp_straight_through(self.smoothing, _LEAST, 1.0),
            eps=_EPS,
            initial=None,
        )

    @property
    def axis(self) -> Axis:
        """The centres of the filters."""
        return Axis(quantity="sPCEN", frequencies=self.center_frequency.detach().clamp(0.0, 0.5) * self.sample_rate)
