"""Cepstral coefficients: the logarithm of bands, decorrelated."""

from math import pi
from typing import Any

import torch
from torch import Tensor
from torchaudio.functional import create_dct

from audionet.features.frontend import Axis, FrontEnd, State, format_settings
from audionet.features.spectral import LinearFilterbank, Logarithm, LogMel


class Cepstrum(FrontEnd):
    """An orthonormal DCT-II over logarithmic bands.

    Args:
        logarithm: The bands.
        n_bands: How many they are.
        n_coefficients: How many to keep, at most ``n_bands``.
        lifter: Coefficient n is multiplied by 1 + lifter / 2 sin(pi (n + 1) / lifter), librosa's; 0 for not at all.

    Shape:
        (..., time) -> (..., n_coefficients, frame)
    """

    dct: Tensor

    def __init__(self, logarithm: Logarithm, *, n_bands: int, n_coefficients: int, lifter: float) -> None:
        super().__init__()
        if not lifter >= 0:
            raise ValueError(f"lifter = {lifter}: expected 0 (none) or more")
        self.logarithm, self.lifter = logarithm, lifter
        self.framing, self.sample_rate, self.n_bands = logarithm.framing, logarithm.sample_rate, n_coefficients
        dct = create_dct(n_coefficients, n_bands, norm="ortho")
        if lifter:
            dct = dct * (1 + lifter / 2 * torch.sin(pi * torch.arange(1, n_coefficients + 1) / lifter))
        self.register_buffer("dct", dct, persistent=False)

    def block(self, frames: Tensor) -> Tensor:
        """Map (..., frame, span) to the logarithmic bands (..., frame, band)."""
        return self.logarithm.block(frames)

    def across(self, x: Tensor, state: State, *, is_last: bool) -> tuple[Tensor, State]:
        """Do what looks at the whole clip, which comes before the DCT."""
        x, state = self.logarithm.across(x, state, is_last=is_last)
        return x @ self.dct, state

    @property
    def needs_clip(self) -> str | None:
        """The setting that looks at the whole clip."""
        return self.logarithm.needs_clip

    @property
    def axis(self) -> Axis:
        """The coefficients."""
        return Axis(quantity=f"DCT of {self.logarithm.axis.quantity}", band="coefficient")

    def extra_repr(self) -> str:
        """Say how many coefficients."""
        return format_settings(n_coefficients=self.dct.shape[1], lifter=self.lifter)


class MFCC(Cepstrum):
    """Mel-frequency cepstral coefficients.

    Args:
        n_mfcc: Number of coefficients, at most ``n_mels``.
        n_mels: Number of mel bands.
        lifter: As for `Cepstrum`.
        scale: "db" (torchaudio's and librosa's default) or "log".
        offset: What keeps the logarithm finite.
        top_db: For "db", the floor below each clip's maximum, in decibels.
        **mel: The other arguments of `LogMel`.

    Shape:
        (..., time) -> (..., n_mfcc, frame)

    Raises:
        ValueError: If ``n_mfcc`` exceeds ``n_mels``; as `LogMel`.
    """

    def __init__(
        self,
        *,
        n_mfcc: int = 40,
        n_mels: int = 40,
        lifter: float = 0.0,
        scale: str = "db",
        offset: float = 1e-10,
        top_db: float | None = 80.0,
        **mel: Any,
    ) -> None:
        if not 0 < n_mfcc <= n_mels:
            raise ValueError(f"n_mfcc = {n_mfcc}: expected 1 to n_mels = {n_mels}")
        log_mel = LogMel(scale=scale, offset=offset, top_db=top_db, n_mels=n_mels, **mel)
        super().__init__(log_mel, n_bands=n_mels, n_coefficients=n_mfcc, lifter=lifter)


class LFCC(Cepstrum):
    """Linear-frequency cepstral coefficients: MFCC's over bands that are equally wide in hertz.

    Args:
        n_lfcc: Number of coefficients, at most ``n_bands``.
        n_bands: Number of bands.
        lifter: As for `Cepstrum`.
        scale: "db" (torchaudio's default) or "log".
        offset: What keeps the logarithm finite.
        top_db: For "db", the floor below each clip's maximum, in decibels.
        subtract_mean: As for `Logarithm`.
        **bands: The other arguments of `LinearFilterbank`.

    Shape:
        (..., time) -> (..., n_lfcc, frame)

    Raises:
        ValueError: If ``n_lfcc`` exceeds ``n_bands``; as `LinearFilterbank`.
    """

    def __init__(
        self,
        *,
        n_lfcc: int = 40,
        n_bands: int = 128,
        lifter: float = 0.0,
        scale: str = "db",
        offset: float = 1e-10,
        top_db: float | None = 80.0,
        subtract_mean: str | None = None,
        **bands: Any,
    ) -> None:
        if not 0 < n_lfcc <= n_bands:
            raise ValueError(f"n_lfcc = {n_lfcc}: expected 1 to n_bands = {n_bands}")
        filters = LinearFilterbank(n_bands=n_bands, **bands)
        logarithm = Logarithm(filters, scale=scale, offset=offset, top_db=top_db, subtract_mean=subtract_mean)
        super().__init__(logarithm, n_bands=n_bands, n_coefficients=n_lfcc, lifter=lifter)
