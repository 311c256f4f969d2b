"""Front-ends built on the short-time Fourier transform, as modules that hold their window and filters."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from audionet.features.frontend import Axis, Framing, FrontEnd, State, format_settings
from audionet.features.functional import center_window, check_offset, log_compress, spectrum
from audionet.features.mel import linear_matrix, mel_frequencies, mel_matrix

MEAN_AXES: dict[str | None, tuple[int, ...]] = {None: (), "clip": (-2, -1), "band": (-2,)}


class Spectrogram(FrontEnd):
    """Short-time Fourier transform with a periodic Hann window.

    Args:
        sample_rate: In hertz; only pictures ask for it.
        n_fft: FFT size in samples.
        win_length: Window length in samples, at most ``n_fft``; None for ``n_fft``.
        hop_length: Step between frames in samples.
        power: 2 for power, 1 for magnitude, None for the complex spectrum.
        frame_length: Samples of a frame, with the window in its middle; None for ``n_fft``, as torch has it.
            With ``win_length``, as TensorFlow and Kaldi have it, the FFT is filled up behind the window.
        center: Whether frame t is centred on sample t * hop_length.
        pad_mode: How the ends are padded when centred: "reflect" (torchaudio's default) or "constant" (librosa's).

    Shape:
        (..., time) -> (..., n_fft // 2 + 1, frame); frame = 1 + time // hop_length when centred.

    Raises:
        ValueError: If the sizes contradict each other; from ``forward``, if the waveform is too short, not float or not
            finite.

    Example:
        >>> Spectrogram()(torch.randn(8, 16_000)).shape
        torch.Size([8, 257, 101])
    """

    window: Tensor

    def __init__(
        self,
        *,
        sample_rate: int = 16_000,
        n_fft: int = 512,
        win_length: int | None = 480,
        hop_length: int = 160,
        frame_length: int | None = None,
        power: float | None = 2.0,
        center: bool = True,
        pad_mode: str = "reflect",
    ) -> None:
        super().__init__()
        win_length = n_fft if win_length is None else win_length
        frame_length = n_fft if frame_length is None else frame_length
        if not 0 < win_length <= n_fft:
            raise ValueError(
                f"win_length = {win_length}: expected 1 to n_fft = {n_fft} samples; raise n_fft or shorten the window"
            )
        if not win_length <= frame_length <= n_fft:
            raise ValueError(f"frame_length = {frame_length}: expected win_length = {win_length} to n_fft = {n_fft}")
        if power is not None and not power > 0:
            raise ValueError(f"power = {power}: expected 2 (power), 1 (magnitude) or None (the complex spectrum)")
        self.framing = Framing.centered(frame_length, hop_length=hop_length, center=center, pad_mode=pad_mode)
        self.sample_rate, self.n_fft, self.power = sample_rate, n_fft, power
        self.win_length, self.n_bands, self.is_complex = win_length, n_fft // 2 + 1, power is None
        self.register_buffer("window", center_window(torch.hann_window(win_length), frame_length), persistent=False)

    def block(self, frames: Tensor) -> Tensor:
        """Map (..., frame, frame_length) to (..., frame, n_fft // 2 + 1)."""
        return spectrum(frames, self.window, n_fft=self.n_fft, power=self.power)

    @property
    def axis(self) -> Axis:
        """The bins of the FFT."""
        # A picture of complex numbers shows their magnitude.
        quantity = "power" if self.power == 2 else "magnitude" if self.power in (1, None) else f"magnitude^{self.power}"
        return Axis(quantity=quantity, frequencies=torch.arange(self.n_fft // 2 + 1) * self.sample_rate / self.n_fft)

    def extra_repr(self) -> str:
        """Say the sizes."""
        hop, padding = self.framing.hop_length, self.framing.pad_mode if self.framing.left else None
        return format_settings(
            n_fft=self.n_fft, win_length=self.win_length, hop_length=hop, power=self.power, padding=padding
        )


class Filterbank(FrontEnd):
    """A spectrogram summed into bands by a matrix.

    Args:
        filters: (n_fft // 2 + 1, band).
        spectrogram: Of a real power.

    Shape:
        (..., time) -> (..., band, frame)
    """

    filters: Tensor

    def __init__(self, filters: Tensor, spectrogram: Spectrogram) -> None:
        super().__init__()
        if spectrogram.power is None:
            raise ValueError("power = None: bands sum a real spectrum; expected 2 (power) or 1 (magnitude)")
        self.spectrogram, self.framing, self.sample_rate = spectrogram, spectrogram.framing, spectrogram.sample_rate
        self.n_bands = filters.shape[1]
        self.register_buffer("filters", filters, persistent=False)

    def block(self, frames: Tensor) -> Tensor:
        """Map (..., frame, span) to (..., frame, band)."""
        return self.spectrogram.block(frames) @ self.filters

    @property
    def axis(self) -> Axis:
        """The bands, each where its weight lies."""
        bins = torch.arange(len(self.filters)).to(self.filters) * self.sample_rate / self.spectrogram.n_fft
        return replace(self.spectrogram.axis, frequencies=bins @ self.filters / self.filters.sum(0))

    def extra_repr(self) -> str:
        """Say how many bands of what."""
        return format_settings(sample_rate=self.sample_rate, n_bands=self.filters.shape[1])


class MelSpectrogram(Filterbank):
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
        f_max = sample_rate / 2 if f_max is None else f_max
        filters = mel_matrix(
            sample_rate=sample_rate,
            n_fft=n_fft,
            n_mels=n_mels,
            f_min=f_min,
            f_max=f_max,
            mel_scale=mel_scale,
            norm=norm,
        )
        super().__init__(filters, Spectrogram(sample_rate=sample_rate, n_fft=n_fft, power=power, **spectrogram))
        self.f_min, self.f_max, self.mel_scale = f_min, f_max, mel_scale

    @property
    def axis(self) -> Axis:
        """The bands, each where its triangle is highest."""
        edges = mel_frequencies(self.n_bands + 2, f_min=self.f_min, f_max=self.f_max, mel_scale=self.mel_scale)
        return replace(super().axis, frequencies=edges[1:-1])


class LinearFilterbank(Filterbank):
    """A spectrogram summed into triangular bands that are equally wide in hertz.

    Args:
        sample_rate: In hertz.
        n_bands: Number of bands.
        f_min: Lower edge of the first band in hertz.
        f_max: Upper edge of the last band in hertz; None for half the sample rate.
        n_fft: FFT size in samples.
        power: 2 for power, 1 for magnitude.
        **spectrogram: The other arguments of `Spectrogram`.

    Shape:
        (..., time) -> (..., n_bands, frame)

    Raises:
        ValueError: If the band edges do not fit the sample rate or a band would be empty.
    """

    def __init__(
        self,
        *,
        sample_rate: int = 16_000,
        n_bands: int = 40,
        f_min: float = 0.0,
        f_max: float | None = None,
        n_fft: int = 512,
        power: float = 2.0,
        **spectrogram: Any,
    ) -> None:
        f_max = sample_rate / 2 if f_max is None else f_max
        filters = linear_matrix(sample_rate=sample_rate, n_fft=n_fft, n_bands=n_bands, f_min=f_min, f_max=f_max)
        super().__init__(filters, Spectrogram(sample_rate=sample_rate, n_fft=n_fft, power=power, **spectrogram))
        self.f_min, self.f_max = f_min, f_max

    @property
    def axis(self) -> Axis:
        """The bands, each where its triangle is highest."""
        edges = torch.linspace(self.f_min, self.f_max, self.filters.shape[1] + 2)
        return replace(super().axis, frequencies=edges[1:-1])


class Logarithm(FrontEnd):
    """The logarithm of bands.

    Args:
        bands: What it is of.
        scale: "log" for ln(x + offset), "db" for 10 log10(max(x, offset)).
        offset: What keeps the logarithm finite.
        top_db: For "db", the floor below each clip's maximum, in decibels.
        subtract_mean: "clip" to remove each clip's own mean, so that its level does not matter; "band" to remove each
            band's mean over the clip, so that the microphone's response does not matter either; None to keep both.

    Shape:
        (..., time) -> (..., band, frame)

    Raises:
        ValueError: If ``scale`` or ``subtract_mean`` is unknown.
    """

    def __init__(
        self,
        bands: Filterbank,
        *,
        scale: str = "log",
        offset: float = 1e-6,
        top_db: float | None = None,
        subtract_mean: str | None = None,
    ) -> None:
        super().__init__()
        if scale not in ("log", "db"):
            raise ValueError(f"scale = {scale!r}: expected 'log' or 'db'")
        if subtract_mean not in MEAN_AXES:
            raise ValueError(f"subtract_mean = {subtract_mean!r}: expected 'clip', 'band' or None")
        if top_db is not None and not top_db >= 0:
            raise ValueError(f"top_db = {top_db} dB: expected 0 or more, or None for no floor")
        check_offset(offset)
        self.bands, self.framing, self.sample_rate = bands, bands.framing, bands.sample_rate
        self.n_bands = bands.n_bands
        self.scale, self.offset, self.top_db, self.subtract_mean = scale, offset, top_db, subtract_mean

    def block(self, frames: Tensor) -> Tensor:
        """Map (..., frame, span) to (..., frame, band), before anything that looks at the whole clip."""
        return log_compress(self.bands.block(frames), scale=self.scale, offset=self.offset)

    def across(self, x: Tensor, state: State, *, is_last: bool) -> tuple[Tensor, State]:
        """Do what looks at the whole clip."""
        if self.scale == "db" and self.top_db is not None:
            x = torch.maximum(x, x.amax((-2, -1), keepdim=True) - self.top_db)
        axes = MEAN_AXES[self.subtract_mean]
        return (x - x.mean(axes, keepdim=True) if axes else x), {}

    @property
    def needs_clip(self) -> str | None:
        """The setting that looks at the whole clip."""
        if self.scale == "db" and self.top_db is not None:
            return f"top_db = {self.top_db}"
        return f"subtract_mean = {self.subtract_mean!r}" if self.subtract_mean else None

    @property
    def axis(self) -> Axis:
        """The bands, and what the logarithm is of."""
        bands = self.bands.axis
        of = {"log": f"ln {bands.quantity}", "db": f"10 log10 {bands.quantity}"}
        level = "power (dB)" if (self.scale, bands.quantity) == ("db", "power") else of[self.scale]
        less = f", less the {self.subtract_mean}'s mean" if self.subtract_mean else ""
        return replace(bands, quantity=level + less)

    def extra_repr(self) -> str:
        """Say how."""
        db = {} if self.scale == "log" else {"top_db": self.top_db}
        return format_settings(scale=self.scale, offset=self.offset, **db, subtract_mean=self.subtract_mean)


class LogMel(Logarithm):
    """The logarithm of a mel spectrogram; the defaults are BC-ResNet's front-end (arXiv 2106.04140, section 4.1).

    Args:
        scale: As for `Logarithm`, like the next three.
        offset: See there.
        top_db: See there.
        subtract_mean: See there.
        **mel: The arguments of `MelSpectrogram`.

    Shape:
        (..., time) -> (..., n_mels, frame)

    Raises:
        ValueError: As `Logarithm` and `MelSpectrogram`.
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
        super().__init__(MelSpectrogram(**mel), scale=scale, offset=offset, top_db=top_db, subtract_mean=subtract_mean)
