"""The front-end of TensorFlow Lite for Microcontrollers, in its own whole numbers."""

import warnings
from collections.abc import Callable
from functools import cache
from math import pi

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from audionet.audio import FULL_SCALE
from audionet.checks import check_that
from audionet.features.frontend import Axis, Framing, FrontEnd, State
from audionet.features.functional import is_exporting
from audionet.features.mel import mel_frequencies, straight_mel_matrix

SAMPLE_RATE = 16_000
N_BANDS = 40
SCALE = 10 / 256
"""One step of the features."""

_N_FFT, _POINTS = 512, 256  # the transform of 512 real samples is one of 256 complex points
_ONE = 2.0**15  # of sines and cosines
_WEIGHT = 2.0**12  # of windows and filters
_SHARE = 2.0**14  # of smoothing
_FINE = 2.0**10  # of the noise
_F_MIN, _F_MAX = 125.0, 7500.0
_SMOOTHING = (0.025, 0.06)  # of even and of odd bands
_REMAINING = int(0.05 * _SHARE)  # of a band at least
_GAIN_STRENGTH, _GAIN_OFFSET, _GAIN_BITS = 0.95, 80.0, 21
_BAND_BITS = 3  # by which bands are too small: 9 of the transform, less 6 of the root of the weights
_RATIO_BITS = 12  # of the ratio of a band to its noise


class MicroFrontend(FrontEnd):
    """The microfrontend of TensorFlow Lite for Microcontrollers, as ESPHome's micro_wake_word sets it.

    Mel bands of magnitudes, less the noise that a slow average finds in each (spectral subtraction), divided by that
    noise to the power 0.95 (PCAN, per-channel amplitude normalisation), and their logarithm. Everything is computed in
    whole numbers, as on a chip without floats, and so what they lose is in the features of quiet bands. The numbers
    are those of the package pymicro-features, so that a network hears in training what it hears on the chip: all but
    one in ten thousand, as one of the filters' weights is so near to a half that C libraries round it both ways. No
    gradient reaches the waveform.

    Samples are rounded to 16 bits, and clipped. Frames are 30 ms long and 10 ms apart, without padding. The noise is 0
    before the first frame, so that the first second of a clip is louder than it would be in a stream.

    Args:
        sample_rate: In hertz; there is no other than 16,000.

    Shape:
        (..., time) -> (..., 40, 1 + (time - 480) // 160), steps of 10 / 256 from 0 to about 26

    Raises:
        ValueError: The sample rate is another; from ``forward``, the waveform is too short, not float or not finite.

    Example:
        >>> MicroFrontend()(torch.randn(8, 16_000) / 10).shape
        torch.Size([8, 40, 98])
    """

    window: Tensor
    turns: Tensor
    last_turns: Tensor
    filters: Tensor
    smoothing: Tensor
    gains: Tensor
    logarithms: Tensor

    def __init__(self, *, sample_rate: int = SAMPLE_RATE) -> None:
        super().__init__()
        advice = "resample with audionet.audio.resample"
        check_that(sample_rate == SAMPLE_RATE, "sample_rate", f"{SAMPLE_RATE} Hz", f"{sample_rate} Hz", advice)
        self.framing = Framing(span=480, hop_length=160)
        self.sample_rate, self.n_bands = sample_rate, N_BANDS
        filters = straight_mel_matrix(sample_rate, _N_FFT, N_BANDS, _F_MIN, _F_MAX)[1:_POINTS]
        shares = torch.tensor(_SMOOTHING, dtype=torch.float64).repeat(N_BANDS // 2)
        tables = {
            "window": hann_between(self.framing.span),
            "turns": _turns(torch.arange(_POINTS) / _POINTS),
            "last_turns": _turns(torch.arange(1, _POINTS // 2 + 1) / _N_FFT + 0.25),
            "filters": _nearest(filters.double() * _WEIGHT),
            "smoothing": (shares * _SHARE).floor(),
            "gains": gain_table(),
            "logarithms": logarithm_table(),
        }
        for name, table in tables.items():  # whole numbers, of which float32 keeps those up to 2**24
            self.register_buffer(name, table.float(), persistent=False)

    def block(self, frames: Tensor) -> Tensor:
        """Map (..., frame, span) to the magnitudes of the mel bands (..., frame, 40), whole numbers."""
        samples = _nearest(frames.detach().double() * FULL_SCALE).clamp(-FULL_SCALE, FULL_SCALE - 1)
        x = (samples * self.window.double() / _WEIGHT).floor()
        # The loudest sample of the frame fills the 16 bits of the transform.
        room = 2.0 ** (15 - _bits(x.abs().amax(-1, keepdim=True))).clamp(min=0)
        energy = spectrum_energy(x * room, self.turns.double(), self.last_turns.double())
        return (_nearest((energy @ self.filters.double()).sqrt()) / room).floor().to(frames.dtype)

    def across(self, x: Tensor, state: State, *, is_last: bool) -> tuple[Tensor, State]:
        """Take the noise from the bands, divide them by it, and take their logarithm."""
        if not is_exporting() and not x.shape[-2]:
            return x, state
        bands = x.double()
        before = state.get("noise", 0 * bands[..., :1, :])
        noise = noise_of(bands, before, self.smoothing.double())
        clear = (bands - noise / _FINE).clamp(min=0).floor()
        clear = torch.maximum(clear, (bands * _REMAINING / _SHARE).floor())
        values = whole_logarithm(normalized(clear, noise, self.gains.double()), self.logarithms.double())
        return (values * SCALE).to(x.dtype), {"noise": noise[..., -1:, :]}

    @property
    def axis(self) -> Axis:
        """The bands, each where its triangle is highest."""
        return Axis(quantity="ln PCAN", frequencies=mel_frequencies(N_BANDS + 2, f_min=_F_MIN, f_max=_F_MAX)[1:-1])


def hann_between(length: int) -> Tensor:
    """Return a Hann window in 4096ths, whose zeros lie half a sample before the first and behind the last, (length,).

    It is rounded from float32, as there.
    """
    turn = torch.tensor(pi, dtype=torch.float32) * 2 / length * (torch.arange(length, dtype=torch.float32) + 0.5)
    return _nearest((0.5 - 0.5 * turn.double().cos().float()) * _WEIGHT)


def spectrum_energy(x: Tensor, turns: Tensor, last_turns: Tensor) -> Tensor:
    """Return |X / 512|**2 of the real transform in 16 bits, which rounds after every product and halving.

    It is the complex transform of even and odd samples by radix 4 (KISS FFT): four times, parts are divided by four,
    turned, and put together.

    Args:
        x: (..., 480), whole numbers of 16 bits.
        turns: Cosine and sine of each 256th of a turn, (2, 256), in 32768ths.
        last_turns: Those of the step from complex to real, (2, 128).

    Returns:
        (..., 255), of bins 1 to 255.
    """
    x = F.pad(x, (0, _N_FFT - x.shape[-1])).unflatten(-1, (4, 4, 4, 4, 2))
    n = x.ndim
    re, im = x.permute(*range(n - 5), n - 2, n - 3, n - 4, n - 5, n - 1).flatten(-5, -2).unbind(-1)
    for step in (1, 4, 16, 64):
        parts = [part.unflatten(-1, (-1, 4, step)) for part in (re, im)]
        place = torch.arange(4, device=x.device)[:, None] * torch.arange(step, device=x.device)
        cos, sin = turns[:, place * (_POINTS // 4 // step)]
        re, im = _turned(_divided(parts[0], 4), _divided(parts[1], 4), cos, sin)
        (a, b, c, d), (ai, bi, ci, di) = re.unbind(-2), im.unbind(-2)
        a, c, ai, ci = a + c, a - c, ai + ci, ai - ci
        b, d, bi, di = b + d, b - d, bi + di, bi - di
        re = torch.stack([a + b, c + di, a - b, c - di], -2).flatten(-3)
        im = torch.stack([ai + bi, ci - d, ai - bi, ci + d], -2).flatten(-3)
    half = slice(1, _POINTS // 2 + 1)
    re, re_mirrored = _divided(re[..., half], 2), _divided(re.flip(-1)[..., : _POINTS // 2], 2)
    im, im_mirrored = _divided(im[..., half], 2), _divided(-im.flip(-1)[..., : _POINTS // 2], 2)
    odd_re, odd_im = _turned(re - re_mirrored, im - im_mirrored, last_turns[0], last_turns[1])
    re, im = re + re_mirrored, im + im_mirrored
    lower = ((re + odd_re) / 2).floor().square() + ((im + odd_im) / 2).floor().square()
    upper = ((re - odd_re) / 2).floor().square() + ((odd_im - im) / 2).floor().square()
    return torch.cat([lower[..., :-1], upper.flip(-1)], -1)


def noise_of(bands: Tensor, before: Tensor, smoothing: Tensor) -> Tensor:
    """Return the slow average of each band in 1024ths, rounded down at every frame.

    Args:
        bands: (..., frame, band), at least one frame.
        before: The average before, (..., 1, band).
        smoothing: Weight of the newest frame in 16384ths, (band,).
    """
    average = _exportable_average() if is_exporting() else _average
    return average(bands * (smoothing * _FINE / _SHARE), before, 1 - smoothing / _SHARE)


def _average(news: Tensor, before: Tensor, kept: Tensor) -> Tensor:
    found = []
    for new in news.split(1, -2):
        before = torch.addcmul(new, before, kept).floor()
        found.append(before)
    return torch.cat(found, -2)


@cache
def _exportable_average() -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """Return `_average` as a loop over any number of frames in the ONNX file."""
    with warnings.catch_warnings():
        # Deprecated, as is the exporter, which takes loops in no other way.
        warnings.simplefilter("ignore", FutureWarning)
        scripted: Callable[[Tensor, Tensor, Tensor], Tensor] = torch.jit.script(_average)
    return scripted


def normalized(bands: Tensor, noise: Tensor, gains: Tensor) -> Tensor:
    """Return the bands over a power of their noise, in 64ths: r**2 / 4 of ratios r below 2, and r - 1 of others.

    Args:
        bands: (..., band).
        noise: The same shape.
        gains: What `gain_table` returns.
    """
    bits = _bits(noise)
    y0, a1, a2 = gains[bits.long()].unbind(-1)
    place = (noise * 2.0 ** (11 - bits)).floor() - 1024 * (noise > 0)
    gain = y0 + ((((a2 * place / 32).floor() + a1 * 32) * place + 2.0**14) / 2.0**15).floor()
    ratio = (bands * gain / 2.0 ** (_GAIN_BITS - _BAND_BITS - _RATIO_BITS)).floor()
    low = (ratio.square() / 2.0 ** (2 * _RATIO_BITS - 4)).floor()
    return torch.where(ratio < 2 * 2**_RATIO_BITS, low, (ratio / 64).floor() - 64)


def whole_logarithm(values: Tensor, table: Tensor) -> Tensor:
    """Return 64 ln(8 x) of whole numbers, 0 of 0.

    Args:
        values: Any shape.
        table: What `logarithm_table` returns.
    """
    x = (values * 2.0**_BAND_BITS).clamp(min=1)
    whole = _bits(x) - 1
    part = ((x / 2.0**whole - 1) * 2.0**16).floor()
    segment = (part / 512).floor()
    start, end = table[segment.long()], table[segment.long() + 1]
    # The table's differences should count 128 times as much; they do not there either.
    part = part + start + ((end - start) * (part - 512 * segment) / 2.0**16).floor()
    natural = _nearest((whole * 2.0**16 + part) * _LN_2 / 2.0**16)
    return _nearest(natural * 64 / 2.0**16)


_LN_2 = 45_426  # in 65536ths


def gain_table() -> Tensor:
    """Return a parabola of the gain 2**21 / (noise / 128 + 80)**0.95 for each number of bits of the noise, (33, 3)."""
    start = np.concatenate([[0.0], 2.0 ** np.arange(32)])
    end = np.where(start < 2**31, 2 * start, 2.0**32 - 1)
    y0, middle, y2 = (
        np.floor(2.0**_GAIN_BITS * (x * 2.0**_BAND_BITS / _FINE + _GAIN_OFFSET) ** -_GAIN_STRENGTH + 0.5)
        for x in (start, 1.5 * start, end)
    )
    a1 = 4 * (middle - y0) - (y2 - y0)
    table = np.stack([y0, a1, y2 - y0 - a1], -1)
    table[:2, 1:] = 0  # of 0 and 1 only
    return torch.from_numpy(table)


def logarithm_table() -> Tensor:
    """Return log2(1 + x) - x in 65536ths at each 128th, (129,)."""
    x = torch.arange(129, dtype=torch.float64) / 128
    return _nearest((torch.log2(1 + x) - x) * 2.0**16)


def _nearest(x: Tensor) -> Tensor:
    return (x + 0.5).floor()


def _bits(x: Tensor) -> Tensor:
    """Return how many bits whole numbers have, 0 of 0."""
    return torch.log2(x + 0.5).floor() + 1


def _divided(x: Tensor, n: int) -> Tensor:
    return (x * (32_767 // n / _ONE)).add_(0.5).floor_()


def _turned(re: Tensor, im: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
    """Return re + i im, times cos + i sin."""
    turned = (re * cos).addcmul_(im, sin, value=-1).add_(0.5).floor_()
    return turned, (re * sin).addcmul_(im, cos).add_(0.5).floor_()


def _turns(turns: Tensor) -> Tensor:
    """Return cosine and sine of parts of a turn, clockwise; (2, ...)."""
    angle = -2 * pi * turns.double()
    return _nearest(32_767 * torch.stack([angle.cos(), angle.sin()])) / _ONE
