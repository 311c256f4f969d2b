"""SincNet: band-pass filters of which the cutoffs are learned."""

from math import pi

import torch
from torch import Tensor, nn

from audionet.checks import check_that
from audionet.features.frontend import Axis, format_settings
from audionet.features.functional import check_offset, log_compress
from audionet.features.learned.time_domain import (
    TimeDomain,
    clamp_straight_through,
    filter_and_pool,
    mel_edges,
    odd_length,
)


def sinc_filters(low: Tensor, high: Tensor, window: Tensor) -> Tensor:
    """Return band-pass filters, 2 f2 sinc(2 pi f2 t) - 2 f1 sinc(2 pi f1 t), times a window.

    Here sinc(x) = sin(x) / x (Ravanelli & Bengio, Speaker recognition from raw waveform with SincNet, 2018, arXiv
    1808.00158, eq. 4, 7 and 8).

    Args:
        low: Lower cutoffs f1 in cycles a sample, (filter,).
        high: Upper cutoffs f2 in cycles a sample, (filter,).
        window: Window over the kernel, (kernel_size,), odd: t runs from -(kernel_size - 1) / 2 to
            (kernel_size - 1) / 2. The paper's is Hamming's.

    Returns:
        (filter, kernel_size)
    """
    t = torch.arange(1, len(window) // 2 + 1, dtype=low.dtype, device=low.device)
    # One half, since the filters are symmetric; the middle would be 0 / 0.
    right = (torch.sin(2 * pi * high[:, None] * t) - torch.sin(2 * pi * low[:, None] * t)) / (pi * t)
    return torch.cat([right.flip(-1), 2 * (high - low)[:, None], right], -1) * window


class SincNet(TimeDomain):
    """SincNet's band-pass filters as a front-end (Ravanelli & Bengio, 2018, arXiv 1808.00158).

    Each filter learns two cutoffs: f1 = |low| and f2 = f1 + min_bandwidth + |width| (eq. 5 and 6, with a least
    bandwidth), up to half the sample rate. The filters start as adjacent bands on the mel scale. Their outputs at every
    sample are rectified (absolute value), averaged over ``win_length`` samples every ``hop_length``, and compressed,
    ln(x + offset). In the paper, a maximum over three samples and a layer normalisation follow the filters; a network
    may have the latter.

    A frame sees a kernel and a window, less a sample. The waveform is padded once.

    Args:
        sample_rate: In hertz.
        n_filters: Number of filters.
        f_min: Lower cutoff of the first filter in hertz.
        f_max: Upper cutoff of the last in hertz; None for half the sample rate.
        min_bandwidth: Least bandwidth in hertz.
        kernel_size: Samples of a filter, odd; None for 251 at 16 kHz, and the same duration at other rates.
        win_length: Samples that are averaged, odd; None for 25 ms.
        hop_length: Samples from one frame to the next; None for 10 ms.
        offset: Offset that keeps the logarithm finite.
        center: Whether frame t is centred on sample t * hop_length.
        pad_mode: Padding of centred frames: "constant", zeros, or as for `Framing`.

    Shape:
        (..., time) -> (..., n_filters, frame); frame = 1 + (time - 1) // hop_length when centred.

    Raises:
        ValueError: There is no filter, a length is even, or the cutoffs do not fit the sample rate or are closer than
            ``min_bandwidth``.

    Attributes:
        low: Lower cutoffs in cycles a sample, (n_filters,). In this unit an optimiser's step is the same at all sample
            rates.
        width: Bandwidths beyond the least, in cycles a sample, (n_filters,).

    Example:
        >>> SincNet()(torch.randn(8, 16_000)).shape
        torch.Size([8, 80, 100])
    """

    window: Tensor

    def __init__(
        self,
        *,
        sample_rate: int = 16_000,
        n_filters: int = 80,
        f_min: float = 30.0,
        f_max: float | None = None,
        min_bandwidth: float = 5.0,
        kernel_size: int | None = None,
        win_length: int | None = None,
        hop_length: int | None = None,
        offset: float = 1e-4,
        center: bool = True,
        pad_mode: str = "constant",
    ) -> None:
        kernel_size = odd_length(250 / 16_000, sample_rate) if kernel_size is None else kernel_size
        super().__init__(sample_rate, n_filters, kernel_size, win_length, hop_length, center=center, pad_mode=pad_mode)
        check_offset(offset)
        self.min_bandwidth, self.offset = min_bandwidth, offset
        f_max = sample_rate / 2 if f_max is None else f_max
        edges = mel_edges(n_filters + 1, sample_rate=sample_rate, f_min=f_min, f_max=f_max)
        narrowest = sample_rate * float(edges.diff()[0])
        bands = f"the narrowest of n_filters = {n_filters} bands between {f_min:g} and {f_max:g} Hz"
        expected = f"above 0 and below {narrowest:.4g} Hz, {bands}"
        check_that(0 < min_bandwidth < narrowest, "min_bandwidth", expected, min_bandwidth)
        window = torch.hamming_window(self.kernel_size, periodic=False)
        self.register_buffer("window", window, persistent=False)
        dtype = torch.get_default_dtype()
        self.low = nn.Parameter(edges[:-1].to(dtype))
        self.width = nn.Parameter((edges.diff() - min_bandwidth / sample_rate).to(dtype))

    @property
    def cutoffs(self) -> tuple[Tensor, Tensor]:
        """Lower and upper cutoffs (n_filters,) in cycles a sample."""
        least = self.min_bandwidth / self.sample_rate
        low = clamp_straight_through(self.low.abs(), 0.0, 0.5 - least)
        return low, clamp_straight_through(low + least + self.width.abs(), 0.0, 0.5)

    @property
    def kernels(self) -> Tensor:
        """The filters as they are now, (1, n_filters, kernel_size)."""
        return sinc_filters(*self.cutoffs, self.window)[None]

    def frames(self, waveform: Tensor) -> Tensor:
        """Map a padded waveform (..., time) to (..., frame, n_filters)."""
        kernels = self.kernels
        pooling = kernels.new_full((self.n_bands, self.win_length), 1 / self.win_length)
        amplitude = filter_and_pool(
            waveform, kernels, pooling, hop_length=self.framing.hop_length, rectify=lambda x: x.squeeze(-3).abs()
        )
        return log_compress(amplitude, offset=self.offset)

    @property
    def axis(self) -> Axis:
        """The middle of each band."""
        low, high = self.cutoffs
        return Axis(quantity="ln amplitude", frequencies=(low + high).detach() / 2 * self.sample_rate)

    def extra_repr(self) -> str:
        """Return the sizes, the least bandwidth and the offset."""
        return f"{super().extra_repr()}, {format_settings(min_bandwidth=self.min_bandwidth, offset=self.offset)}"
