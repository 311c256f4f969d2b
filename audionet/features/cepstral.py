"""Cepstral coefficients: the logarithm of bands, decorrelated."""

from math import pi

import torch
from torch import Tensor
from torchaudio.functional import create_dct

from audionet.checks import check_that
from audionet.features.frontend import Axis, FrontEnd, State
from audionet.features.spectral import Logarithm, LogMel


class Cepstrum(FrontEnd):
    """An orthonormal DCT-II over logarithmic bands.

    Args:
        logarithm: The front-end that computes the bands.
        n_coefficients: Number of coefficients to keep, at most the number of bands.
        lifter: L, which multiplies coefficient n by 1 + L / 2 sin(pi (n + 1) / L), as in librosa; 0 for none.

    Shape:
        (..., time) -> (..., n_coefficients, frame)

    Raises:
        ValueError: If there are fewer bands than coefficients, or ``lifter`` is negative.
    """

    dct: Tensor

    def __init__(self, logarithm: Logarithm, *, n_coefficients: int, lifter: float) -> None:
        super().__init__()
        check_that(lifter >= 0, "lifter", "0 (none) or more", lifter)
        self.logarithm, self.lifter = logarithm, lifter
        self.framing, self.sample_rate, self.n_bands = logarithm.framing, logarithm.sample_rate, n_coefficients
        dct = create_dct(n_coefficients, logarithm.n_bands, norm="ortho")
        if lifter:
            dct = dct * (1 + lifter / 2 * torch.sin(pi * torch.arange(1, n_coefficients + 1) / lifter))
        self.register_buffer("dct", dct, persistent=False)

    def block(self, frames: Tensor) -> Tensor:
        """Map (..., frame, span) to the logarithmic bands (..., frame, band)."""
        return self.logarithm.block(frames)

    def across(self, x: Tensor, state: State, *, is_last: bool) -> tuple[Tensor, State]:
        """Apply the floor and the mean of the clip, which come before the DCT, and the DCT."""
        x, state = self.logarithm.across(x, state, is_last=is_last)
        return x @ self.dct, state

    @property
    def needs_clip(self) -> str | None:
        """The setting that needs the whole clip."""
        return self.logarithm.needs_clip

    @property
    def axis(self) -> Axis:
        """The coefficients."""
        return Axis(quantity=f"DCT of {self.logarithm.axis.quantity}", band="coefficient")


class MFCC(Cepstrum):
    """Mel-frequency cepstral coefficients.

    Args:
        sample_rate: In hertz.
        n_mfcc: Number of coefficients, at most ``n_mels``.
        n_mels: Number of bands.
        f_min: Lower edge of the first band in hertz.
        f_max: Upper edge of the last band in hertz; None for half the sample rate.
        mel_scale: "htk" (torchaudio's default) or "slaney" (librosa's).
        norm: None for triangles of height 1 (torchaudio's default), "slaney" for area 1 (librosa's).
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
        (..., time) -> (..., n_mfcc, frame)

    Raises:
        ValueError: If ``n_mfcc`` exceeds ``n_mels`` or ``lifter`` is negative; as `Logarithm` and its bands.

    Example:
        >>> MFCC(n_mfcc=13)(torch.randn(8, 16_000)).shape
        torch.Size([8, 13, 101])
    """

    def __init__(
        self,
        *,
        sample_rate: int = 16_000,
        n_mfcc: int = 40,
        n_mels: int = 40,
        f_min: float = 0.0,
        f_max: float | None = None,
        mel_scale: str = "htk",
        norm: str | None = None,
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
        check_that(1 <= n_mfcc <= n_mels, "n_mfcc", f"1 to n_mels = {n_mels}", n_mfcc)
        logarithm = LogMel(
            sample_rate=sample_rate,
            n_mels=n_mels,
            f_min=f_min,
            f_max=f_max,
            mel_scale=mel_scale,
            norm=norm,
            n_fft=n_fft,
            win_length=win_length,
            hop_length=hop_length,
            frame_length=frame_length,
            power=power,
            center=center,
            pad_mode=pad_mode,
            scale=scale,
            offset=offset,
            top_db=top_db,
            subtract_mean=subtract_mean,
            allow_empty_bands=allow_empty_bands,
        )
        super().__init__(logarithm, n_coefficients=n_mfcc, lifter=lifter)
