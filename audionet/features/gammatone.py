"""The gammatone filterbank: the power of each band of the ear."""

from itertools import groupby
from math import gcd, pi

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audionet.checks import check_positive
from audionet.features.frontend import Axis, Framing, FrontEnd
from audionet.features.functional import check_dtype, map_parts
from audionet.features.mel import check_band_edges

_TAIL = 1e-6  # an impulse response ends where its envelope has fallen to this share of its peak
_IN_CACHE = 2**17  # filtered samples that are computed at a time, so that they stay in the CPU's cache


def erb(frequency: Tensor) -> Tensor:
    """Return the equivalent rectangular bandwidth of the ear in hertz, 24.7 (4.37 f / 1000 + 1).

    Glasberg and Moore, "Derivation of auditory filter shapes from notched-noise data", 1990, equation 3.

    Args:
        frequency: f in hertz, of any shape.
    """
    bandwidth: Tensor = 24.7 * (4.37 * frequency / 1000 + 1)
    return bandwidth


def gammatone_frequencies(*, n_bands: int, f_min: float, f_max: float) -> Tensor:
    """Return the centres (band,) in hertz of ``n_bands`` bands that are equally wide on the scale of ERBs.

    The scale is E(f) = 21.4 log10(4.37 f / 1000 + 1) (Glasberg and Moore 1990, equation 4).

    Args:
        n_bands: Number of bands.
        f_min: Lower edge of the first band in hertz.
        f_max: Upper edge of the last band in hertz.

    Example:
        >>> gammatone_frequencies(n_bands=3, f_min=50.0, f_max=8000.0).round().tolist()
        [261.0, 1286.0, 4452.0]
    """
    low, high = (21.4 * torch.log10(4.37 * torch.tensor([f_min, f_max], dtype=torch.float64) / 1000 + 1)).tolist()
    rates = low + (torch.arange(n_bands, dtype=torch.float64) + 0.5) * (high - low) / n_bands
    centers: Tensor = (10 ** (rates / 21.4) - 1) * 1000 / 4.37
    return centers


def gammatone_kernel(frequency: float, *, sample_rate: float, order: int = 4, bandwidth: float = 1.019) -> Tensor:
    """Return an impulse response (n,), float64: t**(order - 1) exp(-2 pi b t) cos(2 pi f t), with gain 1 at f.

    It ends where its envelope has fallen to a millionth of its peak.

    Args:
        frequency: The centre f in hertz.
        sample_rate: In hertz.
        order: Order n of the filter.
        bandwidth: b / ERB(f). The filter's own equivalent rectangular bandwidth is that of the ear if this is
            ((n - 1)!)^2 2^(2 n - 2) / (pi (2 n - 2)!) for order n: 1.019 for 4 (Patterson et al., "Complex sounds and
            auditory images", 1992).
    """
    decay = 2 * pi * bandwidth * float(erb(torch.tensor(frequency, dtype=torch.float64)))
    longest = (20 + 5 * order) / decay  # seconds; by then the envelope has long fallen that far
    t = torch.arange(int(longest * sample_rate) + 2, dtype=torch.float64) / sample_rate
    envelope = (decay * t) ** (order - 1) * torch.exp(-decay * t)
    t = t[: int((envelope > _TAIL * envelope.max()).nonzero().max()) + 1]
    kernel = envelope[: len(t)] * torch.cos(2 * pi * frequency * t)
    gain = torch.polar(kernel, -2 * pi * frequency * t).sum().abs()
    return kernel / gain


class _Bands(nn.Module):
    """Neighbouring bands, whose filters are of nearly one length, computed by FFTs of one size (overlap-save).

    Args:
        kernels: Impulse responses of the filters.
        unit: Samples over which power is summed.
    """

    response: Tensor

    def __init__(self, kernels: list[Tensor], unit: int) -> None:
        super().__init__()
        self.n_taps, self.unit = max(map(len, kernels)), unit
        self.n_fft = _fft_size(self.n_taps, unit)
        self.step = (self.n_fft - self.n_taps + 1) // unit * unit  # samples that an FFT filters
        taps = torch.stack([F.pad(kernel, (0, self.n_fft - len(kernel))) for kernel in kernels])
        # Kept as real numbers, because `.double()` and `.to` do not convert complex ones.
        response = torch.view_as_real(torch.fft.rfft(taps)).to(torch.get_default_dtype())
        self.register_buffer("response", response, persistent=False)

    def forward(self, waveform: Tensor, history: int) -> Tensor:
        """Map (clip, history + time) to the sums of squares (clip, band, time // unit)."""
        waveform = waveform[:, history + 1 - self.n_taps :]
        n_clips, n_samples = waveform.shape
        n_parts = (n_samples - self.n_taps + self.step) // self.step
        length = self.n_taps - 1 + self.step
        waveform = F.pad(waveform, (0, (n_parts - 1) * self.step + length - n_samples))
        parts = waveform.unfold(1, length, self.step).flatten(0, 1)  # (clip x part, length)
        n_at_once = max(_IN_CACHE // (len(self.response) * self.n_fft), 1)
        x = map_parts(parts, self._sums, span=length, hop_length=length, n_at_once=n_at_once)
        x = torch.unflatten(x, 0, (n_clips, n_parts)).transpose(1, 2).flatten(2)  # (clip, band, part x unit)
        return x[..., : (n_samples - self.n_taps + 1) // self.unit]

    def _sums(self, parts: Tensor) -> Tensor:
        """Map (part, n_taps - 1 + step) to (part, band, step // unit)."""
        spectrum = torch.fft.rfft(parts.unsqueeze(1), self.n_fft)
        y = torch.fft.irfft(spectrum * torch.view_as_complex(self.response), self.n_fft)
        y = y[..., self.n_taps - 1 : self.n_taps - 1 + self.step]
        y = torch.unflatten(y, -1, (-1, self.unit))
        sums: Tensor = torch.linalg.vecdot(y, y)  # three times as fast as (y * y).sum(-1)
        return sums


class Gammatone(FrontEnd):
    """Mean power of the bands of a gammatone filterbank (Patterson et al. 1992; Slaney 1993).

    Each band is the waveform convolved with `gammatone_kernel`, squared, and averaged over ``win_length`` samples. The
    filters are causal, as the ear's: their delay of about (order - 1) / (2 pi b) seconds remains.

    Args:
        sample_rate: In hertz.
        n_bands: Number of bands.
        f_min: Lower edge of the first band in hertz, see `gammatone_frequencies`.
        f_max: Upper edge of the last band in hertz; None for half the sample rate.
        order: Order of the filters.
        bandwidth: Bandwidth b of the filters in ERBs, see `gammatone_kernel`.
        win_length: Samples over which a frame averages.
        hop_length: Step between frames in samples.
        center: Whether frame t averages around sample t * hop_length; otherwise from there on.
        pad_mode: Padding of the ends, as for `Framing`. The beginning is also padded by the length of the filters.

    Shape:
        (..., time) -> (..., n_bands, frame); frame = 1 + time // hop_length when centred.

    Raises:
        ValueError: If a size is not positive or the band edges do not fit the sample rate; from ``forward``, if the
            waveform is too short, not float or not finite.

    Example:
        >>> Gammatone()(torch.randn(8, 16_000)).shape
        torch.Size([8, 64, 101])
    """

    def __init__(
        self,
        *,
        sample_rate: int = 16_000,
        n_bands: int = 64,
        f_min: float = 50.0,
        f_max: float | None = None,
        order: int = 4,
        bandwidth: float = 1.019,
        win_length: int = 480,
        hop_length: int = 160,
        center: bool = True,
        pad_mode: str = "constant",
    ) -> None:
        super().__init__()
        check_positive(n_bands=n_bands, order=order, win_length=win_length, hop_length=hop_length, bandwidth=bandwidth)
        f_max = sample_rate / 2 if f_max is None else f_max
        check_band_edges(f_min, f_max, sample_rate)
        self.sample_rate, self.n_bands, self.f_min, self.f_max = sample_rate, n_bands, f_min, f_max
        self.order, self.bandwidth, self.win_length = order, bandwidth, win_length
        centers = gammatone_frequencies(n_bands=n_bands, f_min=f_min, f_max=f_max).tolist()
        kernels = [gammatone_kernel(f, sample_rate=sample_rate, order=order, bandwidth=bandwidth) for f in centers]
        self.unit = gcd(win_length, hop_length)  # samples whose squares are summed once, for all frames
        groups = groupby(kernels, lambda kernel: _fft_size(len(kernel), self.unit))
        self.groups = nn.ModuleList([_Bands(list(group), self.unit) for _, group in groups])
        self.history = max(map(len, kernels)) - 1
        half = win_length // 2 if center else 0
        span, left = self.history + win_length, self.history + half
        self.framing = Framing(span=span, hop_length=hop_length, left=left, right=half, pad_mode=pad_mode)

    def frames(self, waveform: Tensor) -> Tensor:
        """Map a padded waveform (..., time) to (..., frame, n_bands)."""
        check_dtype(waveform, next(self.buffers()).dtype)
        clips = waveform.reshape(-1, waveform.shape[-1])
        n_units, step = self.win_length // self.unit, self.framing.hop_length // self.unit
        squares = torch.cat([group(clips, self.history) for group in self.groups], 1)  # (clip, band, time // unit)
        x = squares.unfold(-1, n_units, step).sum(-1).mT / self.win_length
        return x.reshape(*waveform.shape[:-1], *x.shape[1:])

    @property
    def middle(self) -> int:
        """Samples from t * hop_length to the middle of frame t's average, without the filters' memory before it."""
        return self.framing.latency + 1 - self.win_length + self.win_length // 2

    @property
    def axis(self) -> Axis:
        """The bands."""
        frequencies = gammatone_frequencies(n_bands=self.n_bands, f_min=self.f_min, f_max=self.f_max)
        return Axis(quantity="power", frequencies=frequencies)


def _fft_size(n_taps: int, unit: int) -> int:
    """Return a power of two so much longer than the filter that most samples of an FFT are valid."""
    return 1 << (max(4 * n_taps, n_taps + unit, 1024) - 1).bit_length()
