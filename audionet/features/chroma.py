"""Chroma: the spectrum folded into one octave."""

from math import inf, isfinite

import torch
from torch import Tensor

from audionet.checks import check_positive, check_that
from audionet.features.frontend import Axis
from audionet.features.spectral import Filterbank, Spectrogram

_PITCHES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")


def chroma_matrix(
    sample_rate: float,
    n_fft: int,
    n_chroma: int = 12,
    tuning: float = 0.0,
    ctroct: float = 5.0,
    octwidth: float | None = 2.0,
    base_c: bool = True,
) -> Tensor:
    """Return the (n_fft // 2 + 1, n_chroma) filterbank of Ellis, which is librosa's `filters.chroma`.

    An FFT bin of pitch p, in chroma steps above A0 (27.5 Hz), weighs on chroma c as exp(-2 (d / w)^2), where d is the
    distance from p to c around the octave and w the distance to the next bin's pitch, at least 1. The weights of a bin
    have the 2-norm 1, times exp(-((p / n_chroma - ctroct) / octwidth)^2 / 2), so that octaves far from the middle
    count less (Ellis, "Chroma feature analysis and synthesis", 2007).

    Args:
        sample_rate: In hertz.
        n_fft: FFT size in samples.
        n_chroma: Steps of an octave.
        tuning: Deviation of the sound from A4 = 440 Hz, in steps.
        ctroct: The octave with the largest weight, in octaves above A0.
        octwidth: Octaves to either side at which the weight falls to 0.61; None for equal weights.
        base_c: Whether the first chroma is C; otherwise A.

    Raises:
        ValueError: If a size is not positive.
    """
    check_positive(sample_rate=sample_rate, n_fft=n_fft, n_chroma=n_chroma)
    if octwidth is not None:
        check_positive(octwidth=octwidth)
    check_that(isfinite(tuning), "tuning", "a number of steps", tuning)
    # One bin beyond the last, for the distance to it.
    frequencies = torch.arange(1, n_fft // 2 + 2, dtype=torch.float64) * sample_rate / n_fft
    pitches = n_chroma * torch.log2(frequencies / 27.5) - tuning
    # The constant has no pitch; Ellis puts it one and a half octaves below bin 1.
    pitches = torch.cat([pitches[:1] - 1.5 * n_chroma, pitches])
    widths = pitches.diff().clamp(min=1).unsqueeze(1)
    pitches = pitches[:-1].unsqueeze(1)
    half = round(n_chroma / 2)
    distances = (pitches - torch.arange(n_chroma) + half).remainder(n_chroma) - half  # (bin, chroma)
    filters: Tensor = torch.exp(-2 * (distances / widths) ** 2)
    filters = filters / torch.linalg.vector_norm(filters, dim=1, keepdim=True)
    if octwidth is not None:
        filters = filters * torch.exp(-0.5 * ((pitches / n_chroma - ctroct) / octwidth) ** 2)
    if base_c:
        filters = filters.roll(-3 * (n_chroma // 12), 1)
    return filters.to(torch.get_default_dtype())


class Chroma(Filterbank):
    """Power in each pitch class, whatever its octave: `librosa.feature.chroma_stft` with its tuning given.

    The bands of `chroma_matrix`, with each frame divided by its norm.

    Args:
        sample_rate: In hertz.
        n_chroma: Steps of an octave.
        norm: The p of the p-norm to which each frame is scaled: infinity (the largest value becomes 1), 1, 2, ...; None
            to leave frames as they are.
        tuning: Deviation of the sound from A4 = 440 Hz, in steps.
        ctroct: The octave with the largest weight, in octaves above A0.
        octwidth: Octaves to either side at which the weight falls to 0.61; None for equal weights.
        base_c: Whether the first chroma is C; otherwise A.
        n_fft: FFT size in samples.
        win_length: Window length in samples, at most ``n_fft``; None for ``n_fft``.
        hop_length: Step between frames in samples.
        frame_length: Samples of a frame, as for `Spectrogram`; None for ``n_fft``.
        power: 2 for power, 1 for magnitude.
        center: Whether frame t is centred on sample t * hop_length; otherwise it begins there.
        pad_mode: Padding of the ends when centred, as for `Framing`.

    Shape:
        (..., time) -> (..., n_chroma, frame)

    Raises:
        ValueError: As `chroma_matrix` and `Spectrogram`; if ``norm`` is not positive.

    Example:
        >>> Chroma()(torch.randn(8, 16_000)).shape
        torch.Size([8, 12, 32])
    """

    def __init__(
        self,
        *,
        sample_rate: int = 16_000,
        n_chroma: int = 12,
        norm: float | None = inf,
        tuning: float = 0.0,
        ctroct: float = 5.0,
        octwidth: float | None = 2.0,
        base_c: bool = True,
        n_fft: int = 2048,
        win_length: int | None = None,
        hop_length: int = 512,
        frame_length: int | None = None,
        power: float | None = 2.0,
        center: bool = True,
        pad_mode: str = "constant",
    ) -> None:
        check_that(norm is None or norm > 0, "norm", "more than 0, or None to leave frames as they are", norm)
        filters = chroma_matrix(sample_rate, n_fft, n_chroma, tuning, ctroct, octwidth, base_c)
        spectrogram = Spectrogram(
            sample_rate=sample_rate,
            n_fft=n_fft,
            win_length=win_length,
            hop_length=hop_length,
            frame_length=frame_length,
            power=power,
            center=center,
            pad_mode=pad_mode,
        )
        super().__init__(filters, spectrogram)
        self.n_chroma, self.norm, self.base_c = n_chroma, norm, base_c

    def block(self, frames: Tensor) -> Tensor:
        """Map (..., frame, span) to (..., frame, n_chroma).

        The sum over the bins is in float64. In float32 its order, which depends on how many frames are computed at a
        time, would make a stream and a clip differ by 1e-6.
        """
        spectrum = self.spectrogram.block(frames)
        exact = torch.float64 if frames.device.type != "mps" else spectrum.dtype  # mps has no float64
        x = (spectrum.to(exact) @ self.filters.to(exact)).to(spectrum)
        if self.norm is None:
            return x
        size = torch.linalg.vector_norm(x, self.norm, -1, keepdim=True)
        return x / torch.where(size < torch.finfo(x.dtype).tiny, torch.ones_like(size), size)  # silence stays

    @property
    def axis(self) -> Axis:
        """The pitch classes, named where there are twelve."""
        names = _PITCHES if self.base_c else _PITCHES[9:] + _PITCHES[:9]
        quantity = "power" if self.norm is None else "chroma"
        return Axis(quantity=quantity, names=names if self.n_chroma == 12 else (), band="pitch class")
