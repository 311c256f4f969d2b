"""Filterbanks in the time domain: samples convolved with learned filters, and their strength pooled into frames."""

from collections.abc import Callable
from math import log, log1p, pi, sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audionet.features.frontend import Axis, Framing, FrontEnd, check_dtype, format_settings, is_whole
from audionet.features.functional import check_band_edges, check_offset, log_compress

_IN_CACHE = 2**18  # filtered samples that are computed at a time on the CPU
_IN_MEMORY = 2**27  # and elsewhere

# A Gaussian's standard deviation in samples is this over the width of its frequency response at half its height, in
# cycles a sample.
WIDTH = sqrt(2 * log(2)) / pi

Rectify = Callable[[Tensor], Tensor]


def filter_and_pool(waveform: Tensor, filters: Tensor, pooling: Tensor, *, hop_length: int, rectify: Rectify) -> Tensor:
    """Filter at every sample, rectify, and pool with a stride, all by valid convolutions.

    The filters run as products of spectra over pieces of the waveform that overlap by a kernel (overlap-save), which
    leaves nothing out. Without gradients that is done in float64: rounding is relative to the loudest band and depends
    on where pieces begin, so that in a band 80 dB below a stream and a clip would differ. With gradients it is done in
    the waveform's own type, twice as fast, and while compiled or exported by one convolution.

    Args:
        waveform: (..., time), at least kernel + window - 1 samples.
        filters: (part, filter, kernel), laid over the samples as they are, not flipped.
        pooling: (filter, window), likewise.
        hop_length: Samples from one frame to the next.
        rectify: Maps filtered samples (..., part, filter, time) to (..., filter, time).

    Returns:
        (..., frame, filter)

    Raises:
        ValueError: If the waveform is not of the filters' float type.
    """
    dtype = filters.dtype
    check_dtype(waveform, dtype)
    clips = waveform.reshape(-1, waveform.shape[-1])
    if not torch.compiler.is_compiling() and not torch.is_grad_enabled() and waveform.device.type != "mps":
        clips, filters, pooling = clips.double(), filters.double(), pooling.double()  # which mps does not have
    kernel_size, window = filters.shape[-1], pooling.shape[-1]
    n_frames = (clips.shape[-1] - kernel_size - window + 1) // hop_length + 1
    # A window covers some hops: what each hop adds to it is summed while its filtered samples are in the cache.
    n_shares = (window + hop_length - 1) // hop_length
    n_hops = n_frames + n_shares - 1
    shares = F.pad(pooling, (0, n_shares * hop_length - window)).unflatten(-1, (n_shares, hop_length))
    clips = F.pad(clips, (0, n_hops * hop_length + kernel_size - 1 - clips.shape[-1]))  # or cut, if that is negative
    x = (_convolve if torch.compiler.is_compiling() else _overlap_save)(clips, filters, shares, n_hops, rectify)
    x = torch.stack([x[:, share : share + n_frames, :, share] for share in range(n_shares)]).sum(0)
    return x.to(dtype).reshape(*waveform.shape[:-1], n_frames, filters.shape[1])


def _convolve(clips: Tensor, filters: Tensor, shares: Tensor, n_hops: int, rectify: Rectify) -> Tensor:
    """Map (clip, time) to (clip, hop, filter, share) by one convolution."""
    x = F.conv1d(clips[:, None], filters.flatten(0, 1)[:, None]).unflatten(1, filters.shape[:2])
    return torch.einsum("cfht,fst->chfs", rectify(x).unflatten(-1, (n_hops, shares.shape[-1])), shares)


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
    for some in pieces.split(max(n_at_once, 1)):
        spectra = torch.fft.rfft(some, n_fft)[:, None, None]
        x = rectify(torch.fft.irfft(spectra * responses, n_fft)[..., :step]).unflatten(-1, (n_together, hop_length))
        sums.append(torch.einsum("pfht,fst->phfs", x, shares))
    return torch.cat(sums).reshape(len(clips), n_pieces * n_together, n_filters, n_shares)


def _power_of_two(least: int) -> int:
    return 1 << (least - 1).bit_length()


def squared_modulus(x: Tensor) -> Tensor:
    """Map complex numbers, given as their two parts (..., 2, filter, time), to their squared modulus."""
    squares = x * x
    return squares[..., 0, :, :] + squares[..., 1, :, :]


def gabor_filters(center: Tensor, width: Tensor, kernel_size: int) -> Tensor:
    """Return complex Gabor filters, e^(2 pi i c t) e^(-t^2 / (2 w^2)) / (sqrt(2 pi) w) (Zeghidour et al. 2021, eq. 1).

    Args:
        center: c (filter,), in cycles a sample.
        width: w (filter,), in samples.
        kernel_size: Odd: t runs from -(kernel_size - 1) / 2 to (kernel_size - 1) / 2.

    Returns:
        (2, filter, kernel_size), the real and the imaginary parts.
    """
    t = torch.arange(kernel_size, dtype=center.dtype, device=center.device) - kernel_size // 2
    center, width = center[:, None], width[:, None]
    envelope = torch.exp(-(t**2) / (2 * width**2)) / (sqrt(2 * pi) * width)
    return torch.stack([torch.cos(2 * pi * center * t), torch.sin(2 * pi * center * t)]) * envelope


def mel_edges(n_edges: int, *, sample_rate: int, f_min: float, f_max: float) -> Tensor:
    """Return frequencies from ``f_min`` to ``f_max``, equally far apart on the HTK mel scale.

    Returns:
        (n_edges,) in cycles a sample, float64.

    Raises:
        ValueError: If they do not fit the sample rate.
    """
    check_band_edges(f_min, f_max, sample_rate)
    mels = torch.linspace(log1p(f_min / 700), log1p(f_max / 700), n_edges, dtype=torch.float64)
    return 700 * torch.expm1(mels) / sample_rate


def gabor_from_mel(n_filters: int, *, sample_rate: int, f_min: float, f_max: float) -> tuple[Tensor, Tensor]:
    """Return the Gabor filters whose power responses come closest to a mel filterbank's triangles of height 1.

    They have their centres and, as the roots of the triangles, their widths at half the height: three quarters of a
    triangle's base (Zeghidour et al. 2018, arXiv 1711.01161, section 2.1).

    Args:
        n_filters: How many.
        sample_rate: In hertz.
        f_min: Lower edge of the first triangle in hertz.
        f_max: Upper edge of the last triangle in hertz.

    Returns:
        Centres (n_filters,) in cycles a sample and widths (n_filters,) in samples, as for `gabor_filters`.

    Raises:
        ValueError: If the edges do not fit the sample rate.
    """
    edges = mel_edges(n_filters + 2, sample_rate=sample_rate, f_min=f_min, f_max=f_max)
    dtype = torch.get_default_dtype()
    return edges[1:-1].to(dtype), (WIDTH / (0.75 * (edges[2:] - edges[:-2]))).to(dtype)


def held(x: Tensor, low: float, high: float) -> Tensor:
    """Hold a parameter between limits, with the gradient of what is not: what has reached a limit can come back."""
    return x + (x.clamp(low, high) - x).detach()


def odd_length(name: str, length: int | None, *, at_16k: int, sample_rate: int) -> int:
    """Return a length in samples: as given, or ``at_16k`` scaled to the sample rate.

    Raises:
        ValueError: If it is not odd.
    """
    length = int((at_16k - 1) * sample_rate / 16_000) | 1 if length is None else length
    if not is_whole(length) or length < 3 or length % 2 == 0:
        raise ValueError(f"{name} = {length}: expected an odd number of samples, at least 3, so that it has a middle")
    return length


def check_n_filters(n_filters: int) -> None:
    """Raise a ValueError unless there is a filter."""
    if n_filters < 1:
        raise ValueError(f"n_filters = {n_filters}: expected at least 1 filter")


class ConvFilterbank(FrontEnd):
    """Time-domain filterbanks: convolutions whose every weight is learned, begun as a mel filterbank.

    Complex filters, squared modulus, a window that pools for each filter, and ln(|x| + offset). They begin as Gabor
    filters matched to mel triangles of height 1 and as squared Hann windows of sum 1: a sine of amplitude A at a
    filter's centre gives A^2 / 4. (Zeghidour et al., Learning filterbanks from raw speech for phone recognition, 2018,
    arXiv 1711.01161, section 2; there the offset is 1, for samples of 16-bit size.)

    Frames look at a kernel and a window, less a sample; the waveform is padded once, where the paper's code pads each
    convolution's input, so that frames at the ends differ from it.

    Args:
        sample_rate: In hertz.
        n_filters: Number of filters.
        f_min: Lower edge of the first mel triangle in hertz.
        f_max: Upper edge of the last in hertz; None for 0.4875 times the sample rate, which is 7,800 Hz of 16,000.
        kernel_size: Samples of a filter, odd; None for 25 ms.
        win_length: Samples that are pooled, odd; None for 25 ms.
        hop_length: Samples from one frame to the next; None for 10 ms.
        offset: What keeps the logarithm finite.
        center: Whether frame t is centred on sample t * hop_length.
        pad_mode: How the ends are padded when centred: "constant", zeros, as the paper has it, or as for `Framing`.

    Shape:
        (..., time) -> (..., n_filters, frame); frame = 1 + (time - 1) // hop_length when centred.

    Raises:
        ValueError: If there is no filter, a length is even, or the edges do not fit the sample rate.

    Example:
        >>> ConvFilterbank()(torch.randn(8, 16_000)).shape
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
        offset: float = 1e-7,
        center: bool = True,
        pad_mode: str = "constant",
    ) -> None:
        super().__init__()
        check_n_filters(n_filters)
        check_offset(offset)
        kernel_size = odd_length("kernel_size", kernel_size, at_16k=401, sample_rate=sample_rate)
        win_length = odd_length("win_length", win_length, at_16k=401, sample_rate=sample_rate)
        hop_length = sample_rate // 100 if hop_length is None else hop_length
        f_max = 0.4875 * sample_rate if f_max is None else f_max
        self.framing = Framing.centered(
            kernel_size + win_length - 1, hop_length=hop_length, center=center, pad_mode=pad_mode
        )
        self.sample_rate, self.offset, self.n_bands = sample_rate, offset, n_filters
        centers, widths = gabor_from_mel(n_filters, sample_rate=sample_rate, f_min=f_min, f_max=f_max)
        self.filters = nn.Parameter(gabor_filters(centers, widths, kernel_size))
        window = torch.hann_window(win_length + 2, periodic=False)[1:-1] ** 2
        self.pooling = nn.Parameter((window / window.sum()).repeat(n_filters, 1))

    def frames(self, waveform: Tensor) -> Tensor:
        """Map what is padded (..., time) to (..., frame, n_filters)."""
        hop_length = self.framing.hop_length
        x = filter_and_pool(waveform, self.filters, self.pooling, hop_length=hop_length, rectify=squared_modulus)
        return log_compress(x.abs(), offset=self.offset)

    @property
    def axis(self) -> Axis:
        """The filters, each where its response is strongest."""
        n_fft = 4096
        spectra = torch.fft.fft(torch.complex(*self.filters.detach()), n_fft).abs()
        cycles = torch.fft.fftfreq(n_fft, device=spectra.device)[spectra.argmax(-1)].abs()
        return Axis(quantity="ln power", frequencies=cycles * self.sample_rate)

    def extra_repr(self) -> str:
        """Say the sizes."""
        _, n_filters, kernel_size = self.filters.shape
        win_length, framing = self.pooling.shape[1], self.framing
        return format_settings(
            sample_rate=self.sample_rate,
            n_filters=n_filters,
            kernel_size=kernel_size,
            win_length=win_length,
            hop_length=framing.hop_length,
            offset=self.offset,
        )
