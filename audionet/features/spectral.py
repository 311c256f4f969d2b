"""Front-ends built on the short-time Fourier transform: `Spectrogram`, `MelSpectrogram`, `LogMel`."""

from dataclasses import replace

import torch
from torch import Tensor

from audionet.checks import check_one_of, check_that
from audionet.features.frontend import Axis, Framing, FrontEnd, State, name_power
from audionet.features.functional import center_window, check_offset, check_power, log_compress, spectrum
from audionet.features.mel import mel_frequencies, mel_matrix

MEAN_AXES: dict[str | None, tuple[int, ...]] = {None: (), "clip": (-2, -1), "band": (-2,)}


class Spectrogram(FrontEnd):
    """The short-time Fourier transform with a periodic Hann window.

    Args:
        sample_rate: In hertz; only pictures use it.
        n_fft: FFT size in samples.
        win_length: Window length in samples, at most ``n_fft``; None for ``n_fft``.
        hop_length: Step between frames in samples.
        frame_length: Samples of a frame, with the window in its middle; None for ``n_fft``; ``win_length`` as in Kaldi.
        power: 2 for power, 1 for magnitude, None for the complex spectrum.
        center: Whether frame t is centred on sample t * hop_length; otherwise it begins there.
        pad_mode: Padding of the ends when centred: "reflect", "constant", "symmetric" or "edge", as for `Framing`.

    Shape:
        (..., time) -> (..., n_fft // 2 + 1, frame); frame = 1 + time // hop_length when centred.

    Raises:
        ValueError: If the sizes contradict each other; from ``forward``, if the waveform is not as described.

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
        check_that(1 <= win_length <= n_fft, "win_length", f"1 to n_fft = {n_fft}", win_length)
        expected = f"{win_length} to n_fft = {n_fft}"
        check_that(win_length <= frame_length <= n_fft, "frame_length", expected, frame_length)
        check_power(power)
        self.framing = Framing.centered(frame_length, hop_length=hop_length, center=center, pad_mode=pad_mode)
        self.sample_rate, self.n_fft, self.win_length, self.power = sample_rate, n_fft, win_length, power
        self.n_bands, self.is_complex = n_fft // 2 + 1, power is None
        self.register_buffer("window", center_window(torch.hann_window(win_length), frame_length), persistent=False)

    def block(self, frames: Tensor) -> Tensor:
        """Map (..., frame, frame_length) to (..., frame, n_fft // 2 + 1)."""
        return spectrum(frames, self.window, n_fft=self.n_fft, power=self.power)

    @property
    def axis(self) -> Axis:
        """The bins of the FFT."""
        bins = torch.arange(self.n_bands)
        return Axis(quantity=name_power(self.power), frequencies=bins * self.sample_rate / self.n_fft)


class Filterbank(FrontEnd):
    """A spectrogram summed into bands by a matrix.

    Args:
        filters: The weight of each bin in each band, (n_fft // 2 + 1, band).
        spectrogram: The spectrogram, of a real power.
    """

    filters: Tensor

    def __init__(self, filters: Tensor, spectrogram: Spectrogram) -> None:
        super().__init__()
        fits = spectrogram.power is not None
        check_that(fits, "power", "2 (power) or 1 (magnitude), as bands sum a real spectrum", spectrogram.power)
        self.spectrogram, self.framing, self.sample_rate = spectrogram, spectrogram.framing, spectrogram.sample_rate
        self.n_bands = filters.shape[1]
        self.register_buffer("filters", filters, persistent=False)

    def block(self, frames: Tensor) -> Tensor:
        """Map (..., frame, span) to (..., frame, band)."""
        return self.spectrogram.block(frames) @ self.filters

    @property
    def axis(self) -> Axis:
        """The bands, each at the mean frequency of its weights."""
        bins = torch.arange(len(self.filters)).to(self.filters) * self.sample_rate / self.spectrogram.n_fft
        return replace(self.spectrogram.axis, frequencies=bins @ self.filters / self.filters.sum(0))


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
        win_length: Window length in samples, at most ``n_fft``; None for ``n_fft``.
        hop_length: Step between frames in samples.
        frame_length: Samples of a frame, as for `Spectrogram`; None for ``n_fft``.
        power: 2 for power, 1 for magnitude.
        center: Whether frame t is centred on sample t * hop_length; otherwise it begins there.
        pad_mode: Padding of the ends when centred, as for `Framing`.
        allow_empty_bands: Whether a band may lie between two FFT bins, which a warning then says; it is always empty.

    Shape:
        (..., time) -> (..., n_mels, frame)

    Raises:
        ValueError: If the band edges do not fit the sample rate or a band would be empty; as `Spectrogram`.
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
        matrix = mel_matrix(sample_rate, n_fft, n_mels, f_min, f_max, mel_scale, norm, allow_empty=allow_empty_bands)
        super().__init__(matrix, spectrogram)
        self.f_min, self.f_max, self.mel_scale = f_min, f_max, mel_scale

    @property
    def axis(self) -> Axis:
        """The bands, each where its triangle is highest."""
        edges = mel_frequencies(self.n_bands + 2, f_min=self.f_min, f_max=self.f_max, mel_scale=self.mel_scale)
        return replace(super().axis, frequencies=edges[1:-1])


class Logarithm(FrontEnd):
    """The logarithm of bands.

    Args:
        bands: The front-end that computes them.
        scale: "log" for ln(x + offset), "db" for 10 log10(max(x, offset)).
        offset: A small number that keeps the logarithm finite, in units of the bands.
        top_db: For "db", the floor below each clip's maximum in decibels; None for no floor.
        subtract_mean: "clip" to remove each clip's own mean, "band" that of each of its bands, None for neither.

    Shape:
        (..., time) -> (..., band, frame)

    Raises:
        ValueError: If an argument is not as described.
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
        check_one_of(("log", "db"), "scale", scale)
        check_one_of(MEAN_AXES, "subtract_mean", subtract_mean)
        check_that(top_db is None or top_db >= 0, "top_db", "0 dB or more, or None for no floor", top_db)
        check_offset(offset)
        self.bands, self.framing = bands, bands.framing
        self.sample_rate, self.n_bands = bands.sample_rate, bands.n_bands
        self.scale, self.offset, self.top_db, self.subtract_mean = scale, offset, top_db, subtract_mean

    def block(self, frames: Tensor) -> Tensor:
        """Map (..., frame, span) to the logarithm (..., frame, band), without floor and mean of the clip."""
        return log_compress(self.bands.block(frames), scale=self.scale, offset=self.offset)

    def across(self, x: Tensor, state: State, *, is_last: bool) -> tuple[Tensor, State]:
        """Apply the floor below the clip's maximum, and subtract the mean."""
        if self.scale == "db" and self.top_db is not None:
            x = torch.maximum(x, x.amax((-2, -1), keepdim=True) - self.top_db)
        return (x - x.mean(axes, keepdim=True) if (axes := MEAN_AXES[self.subtract_mean]) else x), {}

    @property
    def needs_clip(self) -> str | None:
        """The setting that needs the whole clip."""
        if self.scale == "db" and self.top_db is not None:
            return f"top_db = {self.top_db}"
        return f"subtract_mean = {self.subtract_mean!r}" if self.subtract_mean else None

    @property
    def axis(self) -> Axis:
        """The bands, with the logarithm's unit."""
        of = self.bands.axis.quantity
        level = {"log": f"ln {of}", "db": "power (dB)" if of == "power" else f"10 log10 {of}"}[self.scale]
        level += f", less the {self.subtract_mean}'s mean" if self.subtract_mean else ""
        return replace(self.bands.axis, quantity=level)


class LogMel(Logarithm):
    """The logarithm of a mel spectrogram; the defaults are BC-ResNet's front-end (arXiv 2106.04140, section 4.1).

    Args:
        sample_rate: In hertz.
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
        scale: "log" for ln(x + offset), "db" for 10 log10(max(x, offset)).
        offset: A small number that keeps the logarithm finite, in units of the bands.
        top_db: For "db", the floor below each clip's maximum in decibels; None for no floor.
        subtract_mean: "clip" to remove each clip's own mean, "band" that of each of its bands, None for neither.
        allow_empty_bands: Whether a band may lie between two FFT bins, which a warning then says; it is always empty.

    Shape:
        (..., time) -> (..., n_mels, frame)

    Example:
        >>> LogMel()(torch.randn(8, 16_000)).shape
        torch.Size([8, 40, 101])
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
        win_length: int | None = 480,
        hop_length: int = 160,
        frame_length: int | None = None,
        power: float | None = 2.0,
        center: bool = True,
        pad_mode: str = "reflect",
        scale: str = "log",
        offset: float = 1e-6,
        top_db: float | None = None,
        subtract_mean: str | None = None,
        allow_empty_bands: bool = False,
    ) -> None:
        mel = MelSpectrogram(
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
            allow_empty_bands=allow_empty_bands,
        )
        super().__init__(mel, scale=scale, offset=offset, top_db=top_db, subtract_mean=subtract_mean)
