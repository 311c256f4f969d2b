"""Base of the learned front-ends: samples are convolved with filters, and their strength is pooled into frames."""

from collections.abc import Callable
from math import log, pi, sqrt
from numbers import Integral

import torch
from torch import Tensor
from torch.nn import functional as F

from audionet.checks import check_at_least, check_that
from audionet.features.frontend import Framing, FrontEnd, format_settings
from audionet.features.functional import check_dtype
from audionet.features.mel import check_band_edges, mel_frequencies

_IN_CACHE = 2**18  # filtered samples computed at a time on the CPU
_IN_MEMORY = 2**27  # and on other devices

# A Gaussian's standard deviation in samples is this over the width of its frequency response at half its height, in
# cycles a sample.
WIDTH = sqrt(2 * log(2)) / pi

Rectify = Callable[[Tensor], Tensor]


class TimeDomain(FrontEnd):
    """A front-end that convolves the waveform with filters and pools what they pass over a window.

    A frame sees ``kernel_size + win_length - 1`` samples.

    Args:
        sample_rate: In hertz.
        n_filters: Number of filters.
        kernel_size: Samples of a filter, odd; None for 25 ms.
        win_length: Samples that are pooled, odd; None for 25 ms.
        hop_length: Samples from one frame to the next; None for 10 ms.
        center: Whether frame t is centred on sample t * hop_length.
        pad_mode: Padding of centred frames, as for `Framing`.

    Raises:
        ValueError: There is no filter, or a length is even.
    """

    def __init__(
        self,
        sample_rate: int,
        n_filters: int,
        kernel_size: int | None,
        win_length: int | None,
        hop_length: int | None,
        *,
        center: bool,
        pad_mode: str,
    ) -> None:
        super().__init__()
        check_at_least(1, n_filters=n_filters)
        kernel_size = odd_length(0.025, sample_rate) if kernel_size is None else kernel_size
        win_length = odd_length(0.025, sample_rate) if win_length is None else win_length
        hop_length = sample_rate // 100 if hop_length is None else hop_length
        for name, length in (("kernel_size", kernel_size), ("win_length", win_length)):
            fits = isinstance(length, Integral) and length >= 3 and length % 2 == 1
            check_that(fits, name, "an odd number of samples, at least 3", length, "only that has a middle")
        span = kernel_size + win_length - 1
        self.framing = Framing.centered(span, hop_length=hop_length, center=center, pad_mode=pad_mode)
        self.sample_rate, self.n_bands = sample_rate, n_filters
        self.kernel_size, self.win_length = kernel_size, win_length

    @property
    def kernels(self) -> Tensor:
        """The filters as they are now, (part, n_filters, kernel_size): of complex ones, real and imaginary parts."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        """Return the sizes."""
        return format_settings(
            sample_rate=self.sample_rate,
            n_filters=self.n_bands,
            kernel_size=self.kernel_size,
            win_length=self.win_length,
            hop_length=self.framing.hop_length,
        )


def odd_length(seconds: float, sample_rate: int) -> int:
    """Return a duration in samples, rounded to an odd number."""
    return int(seconds * sample_rate) | 1


def clamp_straight_through(x: Tensor, low: float, high: float) -> Tensor:
    """Clamp a parameter, and pass its gradient straight through, so that a parameter at a limit can leave it."""
    return x + (x.clamp(low, high) - x).detach()


def squared_modulus(x: Tensor) -> Tensor:
    """Return the squared modulus (..., filter, time) of real and imaginary parts (..., 2, filter, time)."""
    squares = x * x
    return squares[..., 0, :, :] + squares[..., 1, :, :]


def filter_and_pool(
    waveform: Tensor, filters: Tensor, pooling: Tensor, *, hop_length: int, rectify: Rectify = squared_modulus
) -> Tensor:
    """Filter a waveform at every sample, rectify, and pool with a stride, all by valid convolutions.

    The filters are applied by the FFT, over pieces of the waveform that overlap by a kernel (overlap-save). This is
    exact. Without gradients it runs in float64. In float32 its rounding error is relative to the loudest band and
    depends on where pieces begin, so that a stream and a clip would differ in a band that is 80 dB lower. With
    gradients it runs in the waveform's own type, which takes half the time. Compiled or exported, it is one
    convolution.

    Args:
        waveform: (..., time), at least kernel + window - 1 samples.
        filters: (part, filter, kernel), correlated with the samples, not flipped.
        pooling: Window of each filter, (filter, window), likewise.
        hop_length: Samples from one frame to the next.
        rectify: Maps filtered samples (..., part, filter, time) to (..., filter, time). The default is for complex
            filters, whose parts are the real and the imaginary one.

    Returns:
        (..., frame, filter)

    Raises:
        ValueError: The waveform is not of the filters' float type.
    """
    dtype = filters.dtype
    check_dtype(waveform, dtype)
    clips = waveform.reshape(-1, waveform.shape[-1])
    if not torch.compiler.is_compiling() and not torch.is_grad_enabled() and waveform.device.type != "mps":
        clips, filters, pooling = clips.double(), filters.double(), pooling.double()  # which mps does not have
    kernel_size, window = filters.shape[-1], pooling.shape[-1]
    n_frames = (clips.shape[-1] - kernel_size - window + 1) // hop_length + 1
    # A window covers several hops. The share of each hop in it is summed while the filtered samples are in the cache.
    n_shares = (window + hop_length - 1) // hop_length
    n_hops = n_frames + n_shares - 1
    shares = F.pad(pooling, (0, n_shares * hop_length - window)).reshape(-1, n_shares, hop_length)
    clips = F.pad(clips, (0, n_hops * hop_length + kernel_size - 1 - clips.shape[-1]))  # a negative number cuts
    x = (_convolve if torch.compiler.is_compiling() else _overlap_save)(clips, filters, shares, n_hops, rectify)
    x = torch.stack([x[:, share : share + n_frames, :, share] for share in range(n_shares)]).sum(0)
    return x.to(dtype).reshape(*waveform.shape[:-1], n_frames, filters.shape[1])


def _convolve(clips: Tensor, filters: Tensor, shares: Tensor, n_hops: int, rectify: Rectify) -> Tensor:
    """Map (clip, time) to (clip, hop, filter, share) by one convolution."""
    x = F.conv1d(clips[:, None], filters.flatten(0, 1)[:, None])
    x = rectify(x.reshape(-1, *filters.shape[:2], x.shape[-1]))
    return torch.einsum("cfht,fst->chfs", x.reshape(*x.shape[:2], n_hops, shares.shape[-1]), shares)


def _overlap_save(clips: Tensor, filters: Tensor, shares: Tensor, n_hops: int, rectify: Rectify) -> Tensor:
    """Map (clip, time) to (clip, hop, filter, share) by products of spectra."""
    n_parts, n_filters, kernel_size = filters.shape
    n_shares, hop_length = shares.shape[1:]
    n_fft = _power_of_two(4 * (kernel_size - 1) + hop_length)
    n_together = min((n_fft - kernel_size + 1) // hop_length, n_hops)
    n_fft = _power_of_two(n_together * hop_length + kernel_size - 1)
    n_pieces = (n_hops + n_together - 1) // n_together
    step = n_together * hop_length
    clips = F.pad(clips, (0, n_pieces * step + kernel_size - 1 - clips.shape[-1]))
    pieces = clips.unfold(-1, step + kernel_size - 1, step).flatten(0, 1)

    responses = torch.fft.rfft(filters, n_fft).conj().resolve_conj()
    n_at_once = (_IN_CACHE if clips.device.type == "cpu" else _IN_MEMORY) // (n_parts * n_filters * n_fft)
    sums = []
    for some in torch.split(pieces, max(n_at_once, 1)):
        spectra = torch.fft.rfft(some, n_fft)[:, None, None]
        x = rectify(torch.fft.irfft(spectra * responses, n_fft)[..., :step])
        sums.append(torch.einsum("pfht,fst->phfs", x.reshape(*x.shape[:2], n_together, hop_length), shares))
    return torch.cat(sums).reshape(len(clips), n_pieces * n_together, n_filters, n_shares)


def _power_of_two(least: int) -> int:
    return 1 << (least - 1).bit_length()


def gabor_filters(center: Tensor, width: Tensor, kernel_size: int) -> Tensor:
    """Return complex Gabor filters, e^(2 pi i c t) e^(-t^2 / (2 w^2)) / (sqrt(2 pi) w) (Zeghidour et al. 2021, eq. 1).

    Args:
        center: Frequencies c in cycles a sample, (filter,).
        width: Standard deviations w in samples, (filter,).
        kernel_size: Samples of a filter, odd: t runs from -(kernel_size - 1) / 2 to (kernel_size - 1) / 2.

    Returns:
        Real and imaginary parts, (2, filter, kernel_size).
    """
    turn = 2 * pi * center[:, None] * _times(kernel_size, center)
    return torch.stack([turn.cos(), turn.sin()]) * gaussian(width, kernel_size)


def gaussian(width: Tensor, length: int) -> Tensor:
    """Return Gaussian windows, e^(-t^2 / (2 w^2)) / (sqrt(2 pi) w) (Zeghidour et al. 2021, eq. 3).

    Args:
        width: Standard deviations w in samples, (filter,).
        length: Samples of a window, odd: t runs from -(length - 1) / 2 to (length - 1) / 2.

    Returns:
        (filter, length)
    """
    width = width[:, None]
    return torch.exp(-(_times(length, width) ** 2) / (2 * width**2)) / (sqrt(2 * pi) * width)


def _times(length: int, like: Tensor) -> Tensor:
    return torch.arange(length, dtype=like.dtype, device=like.device) - length // 2


def mel_edges(n_edges: int, *, sample_rate: int, f_min: float, f_max: float) -> Tensor:
    """Return frequencies from ``f_min`` to ``f_max``, equally far apart on the HTK mel scale.

    Returns:
        Frequencies in cycles a sample, (n_edges,), float64.

    Raises:
        ValueError: The range does not fit the sample rate.
    """
    check_band_edges(f_min, f_max, sample_rate)
    return mel_frequencies(n_edges, f_min=f_min, f_max=f_max) / sample_rate


def gabor_from_mel(n_filters: int, *, sample_rate: int, f_min: float, f_max: float | None) -> tuple[Tensor, Tensor]:
    """Return the Gabor filters whose power responses approximate mel triangles of height 1.

    The filters have the triangles' centres. Their width at half the height is that of a triangle's square root, three
    quarters of the triangle's base (Zeghidour et al. 2018, arXiv 1711.01161, section 2.1).

    Args:
        n_filters: Number of filters.
        sample_rate: In hertz.
        f_min: Lower edge of the first triangle in hertz.
        f_max: Upper edge of the last triangle in hertz; None for 0.4875 of the sample rate, 7,800 Hz of 16,000.

    Returns:
        Centres in cycles a sample and widths in samples, (n_filters,) each, as `gabor_filters` takes them.

    Raises:
        ValueError: The edges do not fit the sample rate.
    """
    f_max = 0.4875 * sample_rate if f_max is None else f_max
    edges = mel_edges(n_filters + 2, sample_rate=sample_rate, f_min=f_min, f_max=f_max)
    dtype = torch.get_default_dtype()
    return edges[1:-1].to(dtype), (WIDTH / (0.75 * (edges[2:] - edges[:-2]))).to(dtype)
