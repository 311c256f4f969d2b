"""One number a frame: the place and the shape of a spectrum."""

import torch
from torch import Tensor

from audionet.checks import check_that
from audionet.features.frontend import Axis, FrontEnd
from audionet.features.functional import check_offset
from audionet.features.spectral import Spectrogram


class SpectralDescriptor(FrontEnd):
    """The base of front-ends that describe a spectrum by one number, `describe`.

    Args:
        sample_rate: In hertz.
        n_fft: FFT size in samples.
        win_length: Window length in samples, at most ``n_fft``; None for ``n_fft``.
        hop_length: Step between frames in samples.
        frame_length: Samples of a frame, as for `Spectrogram`; None for ``n_fft``.
        center: Whether frame t is centred on sample t * hop_length; otherwise it begins there.
        pad_mode: Padding of the ends when centred, as for `Framing`.

    Shape:
        (..., time) -> (..., 1, frame)

    Attributes:
        quantity: The name of the number, with its unit.
        power: Power of the spectrum: 2 for power, 1 for magnitude.
        frequencies: Frequencies of the FFT's bins in hertz, (n_fft // 2 + 1,).
    """

    quantity: str
    frequencies: Tensor
    power = 1.0
    n_bands = 1

    def __init__(
        self,
        *,
        sample_rate: int = 16_000,
        n_fft: int = 512,
        win_length: int | None = 480,
        hop_length: int = 160,
        frame_length: int | None = None,
        center: bool = True,
        pad_mode: str = "reflect",
    ) -> None:
        super().__init__()
        self.spectrogram = Spectrogram(
            sample_rate=sample_rate,
            n_fft=n_fft,
            win_length=win_length,
            hop_length=hop_length,
            frame_length=frame_length,
            power=self.power,
            center=center,
            pad_mode=pad_mode,
        )
        self.framing, self.sample_rate = self.spectrogram.framing, sample_rate
        frequencies = torch.arange(n_fft // 2 + 1) * (sample_rate / n_fft)
        self.register_buffer("frequencies", frequencies, persistent=False)

    def block(self, frames: Tensor) -> Tensor:
        """Map (..., frame, span) to (..., frame, 1)."""
        return self.describe(self.spectrogram.block(frames))

    def describe(self, spectrum: Tensor) -> Tensor:
        """Map a spectrum (..., frame, frequency) to (..., frame, 1)."""
        raise NotImplementedError

    @property
    def axis(self) -> Axis:
        """The number."""
        return Axis(quantity=self.quantity)


class SpectralCentroid(SpectralDescriptor):
    """The mean frequency of the magnitude spectrum in hertz; 0 for digital silence.

    It is sum f |X(f)| / sum |X(f)|, as `librosa.feature.spectral_centroid`, whose defaults are sample_rate=22_050,
    n_fft=2048, win_length=None, hop_length=512, pad_mode="constant".

    Args:
        sample_rate: In hertz.
        n_fft: FFT size in samples.
        win_length: Window length in samples, at most ``n_fft``; None for ``n_fft``.
        hop_length: Step between frames in samples.
        frame_length: Samples of a frame, as for `Spectrogram`; None for ``n_fft``.
        center: Whether frame t is centred on sample t * hop_length; otherwise it begins there.
        pad_mode: Padding of the ends when centred, as for `Framing`.

    Shape:
        (..., time) -> (..., 1, frame)

    Raises:
        ValueError: As `Spectrogram`.

    Example:
        >>> SpectralCentroid()(torch.randn(8, 16_000)).shape
        torch.Size([8, 1, 101])
    """

    quantity = "spectral centroid (Hz)"

    def describe(self, spectrum: Tensor) -> Tensor:
        """Map magnitudes (..., frame, frequency) to (..., frame, 1)."""
        moments = torch.stack([self.frequencies, torch.ones_like(self.frequencies)], 1)
        weighted, total = torch.split(spectrum @ moments, 1, -1)
        # A floor of something tiny would have an infinite slope.
        return weighted / torch.where(total < torch.finfo(total.dtype).tiny, torch.ones_like(total), total)


class SpectralRolloff(SpectralDescriptor):
    """The frequency in hertz below which a share of the magnitude lies; 0 for digital silence.

    It is the lowest FFT bin up to which the magnitudes sum to at least ``share`` of all, as
    `librosa.feature.spectral_rolloff`, whose ``roll_percent`` is ``share``; its other defaults are those of
    `SpectralCentroid`. It moves from bin to bin, so it has no gradient.

    Args:
        sample_rate: In hertz.
        n_fft: FFT size in samples.
        win_length: Window length in samples, at most ``n_fft``; None for ``n_fft``.
        hop_length: Step between frames in samples.
        frame_length: Samples of a frame, as for `Spectrogram`; None for ``n_fft``.
        center: Whether frame t is centred on sample t * hop_length; otherwise it begins there.
        pad_mode: Padding of the ends when centred, as for `Framing`.
        share: Share of the magnitude, between 0 and 1.

    Shape:
        (..., time) -> (..., 1, frame)

    Raises:
        ValueError: If ``share`` is not between 0 and 1; as `Spectrogram`.

    Example:
        >>> SpectralRolloff()(torch.randn(8, 16_000)).shape
        torch.Size([8, 1, 101])
    """

    quantity = "spectral rolloff (Hz)"

    def __init__(
        self,
        *,
        sample_rate: int = 16_000,
        n_fft: int = 512,
        win_length: int | None = 480,
        hop_length: int = 160,
        frame_length: int | None = None,
        center: bool = True,
        pad_mode: str = "reflect",
        share: float = 0.85,
    ) -> None:
        super().__init__(
            sample_rate=sample_rate,
            n_fft=n_fft,
            win_length=win_length,
            hop_length=hop_length,
            frame_length=frame_length,
            center=center,
            pad_mode=pad_mode,
        )
        check_that(0 < share < 1, "share", "more than 0 and less than 1", share)
        self.share = share

    def describe(self, spectrum: Tensor) -> Tensor:
        """Map magnitudes (..., frame, frequency) to (..., frame, 1)."""
        below = spectrum.detach().cumsum(-1)
        bins = (below < self.share * below[..., -1:]).sum(-1, keepdim=True)
        return bins.to(spectrum.dtype) * (self.sample_rate / self.spectrogram.n_fft)


class SpectralFlatness(SpectralDescriptor):
    """The noisiness of a spectrum: from near 0 for a tone to 1 for a flat spectrum, such as digital silence.

    It is the geometric over the arithmetic mean of max(|X|^2, offset), as `librosa.feature.spectral_flatness`, whose
    ``amin`` is ``offset``; its other defaults are those of `SpectralCentroid`.

    Args:
        sample_rate: In hertz.
        n_fft: FFT size in samples.
        win_length: Window length in samples, at most ``n_fft``; None for ``n_fft``.
        hop_length: Step between frames in samples.
        frame_length: Samples of a frame, as for `Spectrogram`; None for ``n_fft``.
        center: Whether frame t is centred on sample t * hop_length; otherwise it begins there.
        pad_mode: Padding of the ends when centred, as for `Framing`.
        offset: The floor of power, which keeps the logarithm finite.

    Shape:
        (..., time) -> (..., 1, frame)

    Raises:
        ValueError: If ``offset`` is too small; as `Spectrogram`.

    Example:
        >>> SpectralFlatness()(torch.randn(8, 16_000)).shape
        torch.Size([8, 1, 101])
    """

    quantity = "spectral flatness"
    power = 2.0

    def __init__(
        self,
        *,
        sample_rate: int = 16_000,
        n_fft: int = 512,
        win_length: int | None = 480,
        hop_length: int = 160,
        frame_length: int | None = None,
        center: bool = True,
        pad_mode: str = "reflect",
        offset: float = 1e-10,
    ) -> None:
        super().__init__(
            sample_rate=sample_rate,
            n_fft=n_fft,
            win_length=win_length,
            hop_length=hop_length,
            frame_length=frame_length,
            center=center,
            pad_mode=pad_mode,
        )
        check_offset(offset)
        self.offset = offset

    def describe(self, spectrum: Tensor) -> Tensor:
        """Map power (..., frame, frequency) to (..., frame, 1)."""
        x = spectrum.clamp(min=self.offset)
        return x.log().mean(-1, keepdim=True).exp() / x.mean(-1, keepdim=True)
