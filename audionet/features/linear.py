"""Front-ends over bands that are equally wide in hertz."""

from dataclasses import replace

import torch

from audionet.checks import check_that
from audionet.features.cepstral import Cepstrum
from audionet.features.frontend import Axis
from audionet.features.mel import linear_matrix
from audionet.features.spectral import Filterbank, Logarithm, Spectrogram


class LinearFilterbank(Filterbank):
    """A spectrogram summed into triangular bands that are equally wide in hertz.

    Args:
        sample_rate: In hertz.
        n_bands: Number of bands.
        f_min: Lower edge of the first band in hertz.
        f_max: Upper edge of the last band in hertz; None for half the sample rate.
        n_fft: FFT size in samples.
        win_length: Window length in samples, at most ``n_fft``; None for ``n_fft``.
        hop_length: Step between frames in samples.
        frame_length: Samples of a frame, as for `Spectrogram`; None for ``n_fft``.
        power: 2 for power, 1 for magnitude.
        center: Whether frame t is centred on sample t * hop_length; otherwise it begins there.
        pad_mode: Padding of the ends when centred, as for `Framing`.
        allow_empty_bands: Whether a band may lie between two FFT bins, which a warning then says; it is always empty.

    Shape:
        (..., time) -> (..., n_bands, frame)

    Raises:
        ValueError: If the band edges do not fit the sample rate or a band would be empty; as `Spectrogram`.

    Example:
        >>> LinearFilterbank(n_bands=20)(torch.randn(8, 16_000)).shape
        torch.Size([8, 20, 101])
    """

    def __init__(
        self,
        *,
        sample_rate: int = 16_000,
        n_bands: int = 40,
        f_min: float = 0.0,
        f_max: float | None = None,
        n_fft: int = 512,
        win_length: int | None = 480,
        hop_length: int = 160,
        frame_length: int | None = None,
        power: float | None = 2.0,
        center: bool = True,
        pad_mode: str = "reflect",
        allow_empty_bands: bool = False,
    ) -> None:
        f_max = sample_rate / 2 if f_max is None else f_max
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
        matrix = linear_matrix(sample_rate, n_fft, n_bands, f_min, f_max, allow_empty=allow_empty_bands)
        super().__init__(matrix, spectrogram)
        self.f_min, self.f_max = f_min, f_max

    @property
    def axis(self) -> Axis:
        """The bands, each where its triangle is highest."""
        edges = torch.linspace(self.f_min, self.f_max, self.n_bands + 2)
        return replace(super().axis, frequencies=edges[1:-1])


class LFCC(Cepstrum):
    """Linear-frequency cepstral coefficients: those of bands that are equally wide in hertz.

    Args:
        sample_rate: In hertz.
        n_lfcc: Number of coefficients, at most ``n_bands``.
        n_bands: Number of bands.
        f_min: Lower edge of the first band in hertz.
        f_max: Upper edge of the last band in hertz; None for half the sample rate.
        n_fft: FFT size in samples.
        win_length: Window length in samples, at most ``n_fft``; None for ``n_fft``.
        hop_length: Step between frames in samples.
        frame_length: Samples of a frame, as for `Spectrogram`; None for ``n_fft``.
        power: 2 for power, 1 for magnitude.
        center: Whether frame t is centred on sample t * hop_length; otherwise it begins there.
        pad_mode: Padding of the ends when centred, as for `Framing`.
        lifter: L, which multiplies coefficient n by 1 + L / 2 sin(pi (n + 1) / L), as in librosa; 0 for none.
        scale: "db" for 10 log10(max(x, offset)), torchaudio's and librosa's default, or "log" for ln(x + offset).
        offset: A small number that keeps the logarithm finite, in units of the bands.
        top_db: For "db", the floor below each clip's maximum in decibels; None for no floor.
        subtract_mean: "clip" to remove the mean of the clip, its level; "band" that of each band, the microphone's
            response as well; None for neither.
        allow_empty_bands: Whether a band may lie between two FFT bins, which a warning then says; it is always empty.

    Shape:
        (..., time) -> (..., n_lfcc, frame)

    Raises:
        ValueError: If ``n_lfcc`` exceeds ``n_bands`` or ``lifter`` is negative; as `Logarithm` and its bands.

    Example:
        >>> LFCC(n_lfcc=13)(torch.randn(8, 16_000)).shape
        torch.Size([8, 13, 101])
    """

    def __init__(
        self,
        *,
        sample_rate: int = 16_000,
        n_lfcc: int = 40,
        n_bands: int = 128,
        f_min: float = 0.0,
        f_max: float | None = None,
        n_fft: int = 512,
        win_length: int | None = 480,
        hop_length: int = 160,
        frame_length: int | None = None,
        power: float | None = 2.0,
        center: bool = True,
        pad_mode: str = "reflect",
        lifter: float = 0.0,
        scale: str = "db",
        offset: float = 1e-10,
        top_db: float | None = 80.0,
        subtract_mean: str | None = None,
        allow_empty_bands: bool = False,
    ) -> None:
        check_that(1 <= n_lfcc <= n_bands, "n_lfcc", f"1 to n_bands = {n_bands}", n_lfcc)
        bands = LinearFilterbank(
            sample_rate=sample_rate,
            n_bands=n_bands,
            f_min=f_min,
            f_max=f_max,
            n_fft=n_fft,
            win_length=win_length,
            hop_length=hop_length,
            frame_length=frame_length,
            power=power,
            center=center,
            pad_mode=pad_mode,
            allow_empty_bands=allow_empty_bands,
        )
        logarithm = Logarithm(bands, scale=scale, offset=offset, top_db=top_db, subtract_mean=subtract_mean)
        super().__init__(logarithm, n_coefficients=n_lfcc, lifter=lifter)
