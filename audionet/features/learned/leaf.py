"""LEAF: a front-end of which filters, pooling and compression are learned."""

from math import inf, pi, sqrt

import torch
from torch import Tensor, nn

from audionet.features.frontend import Axis, Framing, FrontEnd, State, format_settings
from audionet.features.learned.conv_filterbank import (
    WIDTH,
    check_n_filters,
    filter_and_pool,
    gabor_filters,
    gabor_from_mel,
    held,
    odd_length,
    squared_modulus,
)
from audionet.features.pcen import follow

_EPS = 1e-12  # what keeps sPCEN's division finite, the paper's
_LEAST = 1e-4  # of what has to stay positive and that the paper leaves free


class LEAF(FrontEnd):
    """LEAF (Zeghidour et al., LEAF: a learnable frontend for audio classification, 2021, arXiv 2101.08596).

    Complex Gabor filters (eq. 1), squared modulus, a Gaussian that pools for each filter (eq. 3), and sPCEN: PCEN whose
    gain (alpha), bias (delta), power (r) and smoothing (s) each filter learns, starting from the first frame (eq. 5).
    The filters begin at a mel filterbank.

    Parameters are held to the paper's limits as they are used: centres between 0 and half the sample rate, widths such
    that the responses' widths at half their height are 1 / kernel_size to 1 / 4 of the sample rate, Gaussians of
    2 / win_length to 1 / 2 of half a window, gain up to 1, power up to 1, smoothing up to 1. Beyond the paper,
    gain is 0 or more and bias, power and smoothing are 1e-4 or more.

    Frames look at a kernel and a window, less a sample. The waveform is padded once, where the paper's code pads each
    convolution's input ("same"): at the ends of a clip frames differ from it. That code also leaves out the factor
    before the Gaussian in eq. 3 and raises what is pooled to 1e-5; here the equations hold.

    Args:
        sample_rate: In hertz.
        n_filters: Number of filters.
        f_min: Lower edge of the first mel triangle in hertz.
        f_max: Upper edge of the last in hertz; None for 0.4875 times the sample rate, which is 7,800 Hz of 16,000.
        kernel_size: Samples of a filter, odd; None for 25 ms.
        win_length: Samples that are pooled, odd; None for 25 ms.
        hop_length: Samples from one frame to the next; None for 10 ms.
        center: Whether frame t is centred on sample t * hop_length.
        pad_mode: How the ends are padded when centred: "constant", zeros, as the paper has it, or as for `Framing`.

    Shape:
        (..., time) -> (..., n_filters, frame); frame = 1 + (time - 1) // hop_length when centred.

    Raises:
        ValueError: If there is no filter, a length is even, or the edges do not fit the sample rate.

    Attributes:
        center_frequency: (n_filters,) in cycles a sample.
        width: (n_filters,), of the filters' Gaussians in samples.
        pooling_width: (n_filters,), of the pooling Gaussians in half windows.
        gain: (n_filters,), like bias, power and smoothing.

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
        super().__init__()
        check_n_filters(n_filters)
        self.kernel_size = odd_length("kernel_size", kernel_size, at_16k=401, sample_rate=sample_rate)
        self.win_length = odd_length("win_length", win_length, at_16k=401, sample_rate=sample_rate)
        hop_length = sample_rate // 100 if hop_length is None else hop_length
        f_max = 0.4875 * sample_rate if f_max is None else f_max
        span = self.kernel_size + self.win_length - 1
        self.framing = Framing.centered(span, hop_length=hop_length, center=center, pad_mode=pad_mode)
        self.sample_rate, self.n_bands = sample_rate, n_filters
        centers, widths = gabor_from_mel(n_filters, sample_rate=sample_rate, f_min=f_min, f_max=f_max)
        self.center_frequency, self.width = nn.Parameter(centers), nn.Parameter(self._limited(widths))
        self.pooling_width = nn.Parameter(torch.full((n_filters,), 0.4))
        self.gain, self.bias = nn.Parameter(torch.full((n_filters,), 0.96)), nn.Parameter(torch.full((n_filters,), 2.0))
        self.power, self.smoothing = (nn.Parameter(torch.full((n_filters,), value)) for value in (0.5, 0.04))

    def _limited(self, width: Tensor) -> Tensor:
        return held(width, 4 * WIDTH, max(self.kernel_size, 4) * WIDTH)

    def frames(self, waveform: Tensor) -> Tensor:
        """Map what is padded (..., time) to the pooled power of each filter (..., frame, n_filters)."""
        filters = gabor_filters(held(self.center_frequency, 0.0, 0.5), self._limited(self.width), self.kernel_size)
        pooling = gaussian_pooling(held(self.pooling_width, 2 / self.win_length, 0.5), self.win_length)
        hop_length = self.framing.hop_length
        return filter_and_pool(waveform, filters, pooling, hop_length=hop_length, rectify=squared_modulus)

    def across(self, x: Tensor, state: State, *, is_last: bool) -> tuple[Tensor, State]:
        """Compress by sPCEN."""
        return follow(
            x,
            state,
            gain=held(self.gain, 0.0, 1.0),
            bias=held(self.bias, _LEAST, inf),
            power=held(self.power, _LEAST, 1.0),
            smoothing=held(self.smoothing, _LEAST, 1.0),
            eps=_EPS,
            initial=None,
        )

    @property
    def axis(self) -> Axis:
        """The filters' centres."""
        return Axis(quantity="sPCEN", frequencies=self.center_frequency.detach().clamp(0.0, 0.5) * self.sample_rate)

    def extra_repr(self) -> str:
        """Say the sizes."""
        return format_settings(
            sample_rate=self.sample_rate,
            n_filters=len(self.width),
            kernel_size=self.kernel_size,
            win_length=self.win_length,
            hop_length=self.framing.hop_length,
        )


def gaussian_pooling(width: Tensor, win_length: int) -> Tensor:
    """Return the Gaussians that pool, e^(-t^2 / (2 w^2)) / (sqrt(2 pi) w) (Zeghidour et al. 2021, eq. 3).

    Args:
        width: (filter,), w in units of half a window, (win_length - 1) / 2 samples.
        win_length: Odd.

    Returns:
        (filter, win_length)
    """
    half = win_length // 2
    t = torch.arange(win_length, dtype=width.dtype, device=width.device) - half
    samples = half * width[:, None]
    return torch.exp(-(t**2) / (2 * samples**2)) / (sqrt(2 * pi) * samples)
