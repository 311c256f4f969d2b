"""Front-ends built on the short-time Fourier transform, as modules that hold their window and filters."""

from typing import Any

import torch
from torch import Tensor, nn
from torchaudio.functional import create_dct

from audionet.features.functional import log_compress, mel_matrix, spectrogram

MEAN_AXES: dict[str | None, tuple[int, ...]] = {None: (), "clip": (-2, -1), "band": (-1,)}


class Spectrogram(nn.Module):
    """Short-time Fourier transform with a periodic Hann window.

    Args:
        n_fft: FFT size in samples.
        win_length: Window length in samples, at most ``n_fft``.
        hop_length: Step between frames in samples.
        power: 2 for power, 1 for magnitude, None for the complex spectrum.
        center: Whether frame t is centred on sample t * hop_length.
        pad_mode: How the ends are padded when centred: "reflect" (torchaudio's default) or "constant" (librosa's).

    Shape:
        (..., time) -> (..., n_fft // 2 + 1, frame); frame = 1 + time // hop_length when centred.

    Raises:
        ValueError: If the sizes contradict each other; from ``forward``, if the waveform is too short or not float.

    Example:
        >>> Spectrogram()(torch.randn(8, 16_000)).shape
        torch.Size([8, 257, 101])
    """

    window: Tensor

    def __init__(
        self,
        *,
        n_fft: int = 512,
        win_length: int = 480,
        hop_length: int = 160,
        power: float | None = 2.0,
        center: bool = True,
        pad_mode: str = "reflect",
    ) -> None:
        super().__init__()
        if not 0 < win_length <= n_fft:
            raise ValueError(f"win_length = {win_length}: expected 1 to n_fft = {n_fft} samples")
        if hop_length < 1:
            raise ValueError(f"hop_length = {hop_length}: expected at least 1 sample")
        if power is not None and power <= 0:
            raise ValueError(f"power = {power}: expected 2 (power), 1 (magnitude) or None (the complex spectrum)")
        if pad_mode not in ("reflect", "constant"):
            raise ValueError(f"pad_mode = {pad_mode!r}: expected 'reflect' or 'constant'")
        self.n_fft, self.hop_length, self.power = n_fft, hop_length, power
        self.center, self.pad_mode = center, pad_mode
        self.register_buffer("window", torch.hann_window(win_length), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Map (..., time) to (..., n_fft // 2 + 1, frame)."""
        return spectrogram(
            waveform,
            self.window,
            n_fft=self.n_fft,
            hop_length=self.hop_length,
            power=self.power,
            center=self.center,
            pad_mode=self.pad_mode,
        )


class MelSpectrogram(nn.Module):
    """A spectrogram summed into triangular mel bands.

    Args:
        sample_rate: In hertz.
        n_mels: Number of bands.
        f_min: Lower edge of the first band in hertz.
        f_max: Upper edge of the last band in hertz; None for half the sample rate.
        mel_scale: "htk" (torchaudio's default) or "slaney" (librosa's).
        norm: None for triangles of height 1 (torchaudio's default), "slaney" for area 1 (librosa's).
        n_fft: FFT size in samples.
        power: 2 for power, 1 for magnitude.
        **spectrogram: The other arguments of `Spectrogram`.

    Shape:
        (..., time) -> (..., n_mels, frame)

    Raises:
        ValueError: If the band edges do not fit the sample rate or a band would be empty.
    """

    filters: Tensor

    def __init__(
        self,
        *,
        sample_rate: int = 16_000,
        n_mels: int = 40,
        f_min: float = 0.0,
        f_max: float | None = None,
        mel_scale: str = "htk",
        norm: str | None = None,
        n_fft: int = 512,
        power: float = 2.0,
        **spectrogram: Any,
    ) -> None:
        super().__init__()
        if power is None:
            raise ValueError("power = None: mel bands sum a real spectrum; expected 2 (power) or 1 (magnitude)")
        self.spectrogram = Spectrogram(n_fft=n_fft, power=power, **spectrogram)
        filters = mel_matrix(
            sample_rate=sample_rate,
            n_fft=n_fft,
            n_mels=n_mels,
            f_min=f_min,
            f_max=sample_rate / 2 if f_max is None else f_max,
            mel_scale=mel_scale,
            norm=norm,
        )
        self.register_buffer("filters", filters, persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Map (..., time) to (..., n_mels, frame)."""
        return (self.spectrogram(waveform).mT @ self.filters).mT


class LogMel(nn.Module):
    """The logarithm of a mel spectrogram; the defaults are BC-ResNet's front-end (arXiv 2106.04140, section 4.1).

    Args:
        scale: "log" for ln(x + offset), "db" for 10 log10(max(x, offset)).
        offset: What keeps the logarithm finite.
        top_db: For "db", the floor below each clip's maximum, in decibels.
        subtract_mean: "clip" to remove each clip's own mean, so that its level does not matter; "band" to remove each
            band's mean over the clip, so that the microphone's response does not matter either; None to keep both.
        **mel: The arguments of `MelSpectrogram`.

    Shape:
        (..., time) -> (..., n_mels, frame)

    Raises:
        ValueError: If ``scale`` or ``subtract_mean`` is unknown.
    """

    def __init__(
        self,
        *,
        scale: str = "log",
        offset: float = 1e-6,
        top_db: float | None = None,
        subtract_mean: str | None = None,
        **mel: Any,
    ) -> None:
        super().__init__()
        if scale not in ("log", "db"):
            raise ValueError(f"scale = {scale!r}: expected 'log' or 'db'")
        if subtract_mean not in MEAN_AXES:
            raise ValueError(f"subtract_mean = {subtract_mean!r}: expected 'clip', 'band' or None")
        self.mel = MelSpectrogram(**mel)
        self.scale, self.offset, self.top_db, self.subtract_mean = scale, offset, top_db, subtract_mean

    def forward(self, waveform: Tensor) -> Tensor:
        """Map (..., time) to (..., n_mels, frame)."""
        x = log_compress(self.mel(waveform), scale=self.scale, offset=self.offset, top_db=self.top_db)
        axes = MEAN_AXES[self.subtract_mean]
        return x - x.mean(axes, keepdim=True) if axes else x


class MFCC(nn.Module):
    """Mel-frequency cepstral coefficients: an orthonormal DCT-II over the bands of a log-mel spectrogram.

    Args:
        n_mfcc: Number of coefficients, at most ``n_mels``.
        n_mels: Number of mel bands.
        scale: "db" (torchaudio's and librosa's default) or "log".
        offset: What keeps the logarithm finite.
        top_db: For "db", the floor below each clip's maximum, in decibels.
        **mel: The other arguments of `MelSpectrogram`.

    Shape:
        (..., time) -> (..., n_mfcc, frame)

    Raises:
        ValueError: If ``n_mfcc`` exceeds ``n_mels``.
    """

    dct: Tensor

    def __init__(
        self,
        *,
        n_mfcc: int = 40,
        n_mels: int = 40,
        scale: str = "db",
        offset: float = 1e-10,
        top_db: float | None = 80.0,
        **mel: Any,
    ) -> None:
        super().__init__()
        if not 0 < n_mfcc <= n_mels:
            raise ValueError(f"n_mfcc = {n_mfcc}: expected 1 to n_mels = {n_mels}")
        self.log_mel = LogMel(scale=scale, offset=offset, top_db=top_db, n_mels=n_mels, **mel)
        self.register_buffer("dct", create_dct(n_mfcc, n_mels, norm="ortho"), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Map (..., time) to (..., n_mfcc, frame)."""
        return (self.log_mel(waveform).mT @ self.dct).mT
