"""Constant-Q and variable-Q transforms: bins that lie evenly on the scale of musical pitch."""

from functools import reduce
from math import ceil, floor, pi

import torch
from torch import Tensor, nn

from audionet.checks import check_positive, check_that
from audionet.features.frontend import Axis, Framing, FrontEnd, name_power
from audionet.features.functional import check_dtype, check_power, map_parts

_FRAMES_AT_ONCE = 800  # so that their samples stay in the cache
_TERMS = 128  # terms that a product sums at a time
_TOLERANCE = 1e-7  # share of its norm that a factored kernel may lose, which is the rounding of float32
_HANN_BANDWIDTH = 1.5  # equivalent noise bandwidth of the Hann window in bins (Harris 1978, table I)


def variable_q_kernel(frequency: float, length: float, *, sample_rate: float, norm: float = 1.0) -> Tensor:
    """Return the kernel of one bin (Brown 1991; librosa's `filters.wavelet`).

    It is h[n] = w[n] exp(2 pi i frequency n / sample_rate) for floor(-length / 2) <= n < floor(length / 2), with a
    periodic Hann window w.

    Args:
        frequency: In hertz.
        length: In samples, at least 1; may be fractional.
        sample_rate: In hertz.
        norm: The p for which sum |h|**p is 1.

    Returns:
        (floor(length / 2) - floor(-length / 2),), complex128.
    """
    n = torch.arange(floor(-length / 2), floor(length / 2), dtype=torch.float64)
    window = torch.hann_window(len(n), dtype=torch.float64)
    return torch.polar(window / torch.linalg.vector_norm(window, norm), 2 * pi * frequency / sample_rate * n)


class _Octave(nn.Module):
    """Neighbouring bins, whose kernels are factored so that frames share most of the work.

    A kernel spans many hops, so frames overlap. Cut into pieces of a hop each, the kernels of neighbouring bins are
    pieces of slow sinusoids of nearly one frequency, and a few vectors span them all (found by singular values). Each
    block of samples is projected on these once; a frame then sums over the projections of its blocks.

    Args:
        kernels: Factors of the samples of a frame, (sample, bin) complex128; an odd number of hops.
        hop_length: In samples.
    """

    basis: Tensor
    weights: Tensor

    def __init__(self, kernels: Tensor, hop_length: int) -> None:
        super().__init__()
        self.n_pieces = len(kernels) // hop_length
        parts = torch.view_as_real(kernels)  # (sample, bin, real or imaginary)
        pieces = parts.view(self.n_pieces, hop_length, -1).transpose(0, 1)  # (hop, piece, bin x part)
        vectors, values, _ = torch.linalg.svd(pieces.flatten(1), full_matrices=False)
        basis = vectors[:, values > _TOLERANCE * torch.linalg.vector_norm(kernels, dim=0).min()]
        weights = torch.einsum("nr,npc->prc", basis, pieces).flatten(0, 1)  # (piece x vector, bin x part)
        self.register_buffer("basis", basis.to(torch.get_default_dtype()), persistent=False)
        self.register_buffer("weights", weights.to(torch.get_default_dtype()), persistent=False)

    def forward(self, blocks: Tensor, n_blocks: int) -> Tensor:
        """Map blocks (clip, block, hop), of which ``n_blocks`` make a frame, to (clip, frame, bin x part)."""
        margin = (n_blocks - self.n_pieces) // 2
        x = _product(blocks[:, margin : blocks.shape[1] - margin], self.basis)
        pieces = x.unfold(1, self.n_pieces, 1).mT.flatten(-2)  # (clip, frame, piece x vector)
        return _product(pieces, self.weights)


class VQT(FrontEnd):
    """Variable-Q transform: `librosa.vqt`, with the kernels applied at the full sample rate.

    Bin k is centred on f = f_min 2**(k / bins_per_octave) and has the bandwidth B = alpha f + gamma, with
    alpha = (2**(2 / b) - 1) / (2**(2 / b) + 1) for b bins an octave. Its kernel (`variable_q_kernel`) is
    N = filter_scale sample_rate / (alpha f + gamma) samples long, and the bin at frame t is
    sqrt(N) sum_n h[n] x[t hop_length - n] (Brown 1991; Schörkhuber and Klapuri 2010; Schörkhuber et al. 2014).
    librosa halves the sample rate octave by octave as long as the hop is even, with kernels made for that rate, whose
    lengths are rounded to its samples: it then differs by some percent from this, and from itself with an odd hop.

    Args:
        sample_rate: In hertz.
        hop_length: Step between frames in samples.
        f_min: Frequency of the first bin in hertz; the default is C1.
        n_bins: Number of bins.
        bins_per_octave: Bins an octave.
        gamma: Part of the bandwidth that all bins share, in hertz: 0 for constant Q; None for 24.7 alpha / 0.108, which
            makes bandwidths a multiple of the ear's (Glasberg and Moore 1990).
        filter_scale: Factor of the length of all kernels; below 1 for finer time, above for finer frequency.
        norm: The p for which sum |h|**p is 1.
        power: 2 for power, 1 for magnitude, None for the complex transform.
        pad_mode: Padding of the ends, as for `Framing`.

    Shape:
        (..., time) -> (..., n_bins, 1 + time // hop_length)

    Raises:
        ValueError: If a size is not positive or the bins reach beyond half the sample rate; from ``forward``, if the
            waveform is too short, not float or not finite.

    Example:
        >>> VQT()(torch.randn(8, 16_000)).shape
        torch.Size([8, 84, 32])
    """

    def __init__(
        self,
        *,
        sample_rate: int = 16_000,
        hop_length: int = 512,
        f_min: float = 32.70319566257483,
        n_bins: int = 84,
        bins_per_octave: int = 12,
        gamma: float | None = None,
        filter_scale: float = 1.0,
        norm: float = 1.0,
        power: float | None = 1.0,
        pad_mode: str = "constant",
    ) -> None:
        super().__init__()
        check_positive(sample_rate=sample_rate, hop_length=hop_length, f_min=f_min, n_bins=n_bins)
        check_positive(bins_per_octave=bins_per_octave, filter_scale=filter_scale)
        check_that(norm > 0, "norm", "more than 0", norm)
        check_power(power)
        ratio = 2.0 ** (2 / bins_per_octave)
        alpha = (ratio - 1) / (ratio + 1)
        gamma = 24.7 * alpha / 0.108 if gamma is None else gamma
        check_that(gamma >= 0, "gamma", "0 Hz or more, or None for the ear's", gamma)
        frequencies = f_min * 2.0 ** (torch.arange(n_bins, dtype=torch.float64) / bins_per_octave)
        _check_highest(frequencies, alpha=alpha / filter_scale, gamma=gamma, sample_rate=sample_rate)
        lengths = filter_scale * sample_rate / (alpha * frequencies + gamma)

        octaves = []
        for start in range(n_bins % bins_per_octave - bins_per_octave, n_bins, bins_per_octave):
            bins = slice(max(start, 0), start + bins_per_octave)
            if pairs := list(zip(frequencies[bins].tolist(), lengths[bins].tolist(), strict=True)):
                octaves.append(_Octave(_kernels(pairs, hop_length, sample_rate=sample_rate, norm=norm), hop_length))
        self.octaves = nn.ModuleList(octaves)
        self.n_blocks = max(octave.n_pieces for octave in octaves)
        span = self.n_blocks * hop_length
        left = span // 2
        self.framing = Framing(span=span, hop_length=hop_length, left=left, right=span - left, pad_mode=pad_mode)
        self.sample_rate, self.f_min, self.n_bins, self.bins_per_octave = sample_rate, f_min, n_bins, bins_per_octave
        self.gamma, self.power, self.n_bands, self.is_complex = gamma, power, n_bins, power is None

    def frames(self, waveform: Tensor) -> Tensor:
        """Map a padded waveform (..., time) to (..., frame, n_bins)."""
        check_dtype(waveform, next(self.buffers()).dtype)
        span, hop_length = self.framing.span, self.framing.hop_length
        return map_parts(waveform, self._bins, span=span, hop_length=hop_length, n_at_once=_FRAMES_AT_ONCE)

    def _bins(self, waveform: Tensor) -> Tensor:
        """Map (clip, time) to (clip, frame, n_bins)."""
        blocks = waveform.unfold(1, self.framing.hop_length, self.framing.hop_length)  # (clip, block, hop)
        x = torch.cat([octave(blocks, self.n_blocks) for octave in self.octaves], -1)
        x = torch.unflatten(x, -1, (-1, 2))  # (clip, frame, bin, part)
        if self.power == 2:
            squares = x * x
            return squares[..., 0] + squares[..., 1]
        x = torch.view_as_complex(x)
        return x if self.power is None else x.abs().pow(self.power)

    @property
    def axis(self) -> Axis:
        """The bins."""
        frequencies = self.f_min * 2 ** (torch.arange(self.n_bins) / self.bins_per_octave)
        return Axis(quantity=name_power(self.power), frequencies=frequencies)


class CQT(VQT):
    """Constant-Q transform: `librosa.cqt`, with the kernels applied at the full sample rate.

    It is `VQT` with gamma = 0, so that all bins have the same ratio of frequency to bandwidth.

    Args:
        sample_rate: In hertz.
        hop_length: Step between frames in samples.
        f_min: Frequency of the first bin in hertz; the default is C1.
        n_bins: Number of bins.
        bins_per_octave: Bins an octave.
        filter_scale: Factor of the length of all kernels; below 1 for finer time, above for finer frequency.
        norm: The p for which sum |h|**p is 1.
        power: 2 for power, 1 for magnitude, None for the complex transform.
        pad_mode: Padding of the ends, as for `Framing`.

    Shape:
        (..., time) -> (..., n_bins, 1 + time // hop_length)

    Raises:
        ValueError: As `VQT`.

    Example:
        >>> CQT(n_bins=48, f_min=65.41)(torch.randn(8, 16_000)).shape
        torch.Size([8, 48, 32])
    """

    def __init__(
        self,
        *,
        sample_rate: int = 16_000,
        hop_length: int = 512,
        f_min: float = 32.70319566257483,
        n_bins: int = 84,
        bins_per_octave: int = 12,
        filter_scale: float = 1.0,
        norm: float = 1.0,
        power: float | None = 1.0,
        pad_mode: str = "constant",
    ) -> None:
        super().__init__(
            sample_rate=sample_rate,
            hop_length=hop_length,
            f_min=f_min,
            n_bins=n_bins,
            bins_per_octave=bins_per_octave,
            gamma=0.0,
            filter_scale=filter_scale,
            norm=norm,
            power=power,
            pad_mode=pad_mode,
        )


def _product(x: Tensor, matrix: Tensor) -> Tensor:
    """Multiply (..., term) by (term, n), a part of the terms at a time.

    Longer sums in float32 would differ by up to 1e-6 between the few rows of a stream and the many of a clip.
    """
    rows = x.reshape(-1, x.shape[-1])
    pairs = zip(torch.split(rows, _TERMS, 1), torch.split(matrix, _TERMS), strict=True)
    return reduce(torch.add, (part @ some for part, some in pairs)).view(*x.shape[:-1], matrix.shape[1])


def _check_highest(frequencies: Tensor, *, alpha: float, gamma: float, sample_rate: float) -> None:
    """Raise a ValueError that names the largest number of bins unless the highest ends below half the sample rate."""
    edges = frequencies + _HANN_BANDWIDTH / 2 * alpha * frequencies + gamma / 2
    n_fitting = int((edges <= sample_rate / 2).sum())
    limits = f"from f_min = {float(frequencies[0]):g} Hz below {sample_rate / 2:g} Hz, half the sample rate"
    do = f"the highest reaches {float(edges[-1]):g} Hz: lower {f'n_bins to {n_fitting}' if n_fitting else 'f_min'}"
    check_that(n_fitting == len(edges), "n_bins", f"at most {n_fitting} {limits}", len(edges), do)


def _kernels(pairs: list[tuple[float, float]], hop_length: int, *, sample_rate: float, norm: float) -> Tensor:
    """Return the factors of the samples of a frame (sample, bin), for bins of these frequencies and lengths.

    A frame is an odd number of hops long, so that the frames of all octaves begin on one grid of hops.
    """
    longest = max(length for _, length in pairs)
    before, behind = floor(longest / 2) - 1, -floor(-longest / 2)  # reach of the longest kernel, reversed in time
    n_pieces = 1
    while n_pieces * hop_length // 2 < before or ceil(n_pieces * hop_length / 2) - 1 < behind:
        n_pieces += 2
    kernels = torch.zeros(n_pieces * hop_length, len(pairs), dtype=torch.complex128)
    for k, (frequency, length) in enumerate(pairs):
        kernel = variable_q_kernel(frequency, length, sample_rate=sample_rate, norm=norm)
        first = n_pieces * hop_length // 2 - floor(length / 2) + 1
        kernels[first : first + len(kernel), k] = length**0.5 * kernel.flip(0)
    return kernels
