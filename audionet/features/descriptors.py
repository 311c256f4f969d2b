"""One number a frame: where a spectrum lies, how noisy and how loud a sound is."""

from typing import Any

import torch
from torch import Tensor

from audionet.features.frontend import Axis, Framing, FrontEnd, format_settings, map_frames
from audionet.features.functional import check_offset
from audionet.features.spectral import Spectrogram


class SpectralDescriptor(FrontEnd):
    """What describes a spectrum by one number.

    Args:
        spectrogram: Of a real power.

    Shape:
        (..., time) -> (..., 1, frame)

    Attributes:
        quantity: What the number is, with its unit.
    """

    quantity: str
    n_bands = 1

    def __init__(self, spectrogram: Spectrogram) -> None:
        super().__init__()
        self.spectrogram, self.framing, self.sample_rate = spectrogram, spectrogram.framing, spectrogram.sample_rate

    def block(self, frames: Tensor) -> Tensor:
        """Map (..., frame, span) to (..., frame, 1)."""
        return self.describe(self.spectrogram.block(frames))

    def describe(self, spectrum: Tensor) -> Tensor:
        """Map (..., frame, frequency) to (..., frame, 1)."""
        raise NotImplementedError

    @property
    def axis(self) -> Axis:
        """The number."""
        return Axis(quantity=self.quantity)


class SpectralCentroid(SpectralDescriptor):
    """The mean frequency of the magnitude spectrum in hertz; 0 for digital silence.

    sum f |X(f)| / sum |X(f)|: `librosa.feature.spectral_centroid`, whose defaults are here sample_rate=22_050,
    n_fft=2048, win_length=None, hop_length=512, pad_mode="constant".

    Args:
        **spectrogram: The arguments of `Spectrogram`, without ``power``.

    Shape:
        (..., time) -> (..., 1, frame)

    Raises:
        ValueError: As `Spectrogram`.

    Example:
        >>> SpectralCentroid()(torch.randn(8, 16_000)).shape
        torch.Size([8, 1, 101])
    """

    quantity = "spectral centroid (Hz)"
    moments: Tensor

    def __init__(self, **spectrogram: Any) -> None:
        super().__init__(Spectrogram(power=1.0, **spectrogram))
        n_fft = self.spectrogram.n_fft
        frequencies = torch.arange(n_fft // 2 + 1) * (self.sample_rate / n_fft)
        self.register_buffer("moments", torch.stack([frequencies, torch.ones_like(frequencies)], 1), persistent=False)

    def describe(self, spectrum: Tensor) -> Tensor:
        """Map magnitudes (..., frame, frequency) to (..., frame, 1)."""
        weighted, total = (spectrum @ self.moments).split(1, -1)
        # Not clamped at something tiny: the slope would be infinite.
        return weighted / torch.where(total < torch.finfo(total.dtype).tiny, torch.ones_like(total), total)


class SpectralRolloff(SpectralDescriptor):
    """The frequency in hertz up to which a share of the magnitude lies; 0 for digital silence.

    The lowest FFT bin up to which the magnitudes sum to at least ``share`` of all: `librosa.feature.spectral_rolloff`,
    whose ``roll_percent`` is ``share``, and whose other defaults are those of `SpectralCentroid`. It moves from bin to
    bin, so it has no gradient.

    Args:
        share: Between 0 and 1.
        **spectrogram: The arguments of `Spectrogram`, without ``power``.

    Shape:
        (..., time) -> (..., 1, frame)

    Raises:
        ValueError: If ``share`` is not as described; as `Spectrogram`.
    """

    quantity = "spectral rolloff (Hz)"

    def __init__(self, *, share: float = 0.85, **spectrogram: Any) -> None:
        super().__init__(Spectrogram(power=1.0, **spectrogram))
        if not 0 < share < 1:
            raise ValueError(f"share = {share}: expected more than 0 and less than 1")
        self.share = share

    def describe(self, spectrum: Tensor) -> Tensor:
        """Map magnitudes (..., frame, frequency) to (..., frame, 1)."""
        below = spectrum.detach().cumsum(-1)
        bins = (below < self.share * below[..., -1:]).sum(-1, keepdim=True)
        return bins.to(spectrum.dtype) * (self.sample_rate / self.spectrogram.n_fft)

    def extra_repr(self) -> str:
        """Say the share."""
        return format_settings(share=self.share)


class SpectralFlatness(SpectralDescriptor):
    """How noise-like a spectrum is: from near 0 for a tone to 1 for a flat one, such as digital silence.

    The geometric over the arithmetic mean of max(|X|^2, offset): `librosa.feature.spectral_flatness`, whose ``amin`` is
    ``offset``, and whose other defaults are those of `SpectralCentroid`.

    Args:
        offset: The floor that keeps the logarithm finite.
        **spectrogram: The arguments of `Spectrogram`, without ``power``.

    Shape:
        (..., time) -> (..., 1, frame)

    Raises:
        ValueError: If ``offset`` is not above 0; as `Spectrogram`.
    """

    quantity = "spectral flatness"

    def __init__(self, *, offset: float = 1e-10, **spectrogram: Any) -> None:
        super().__init__(Spectrogram(power=2.0, **spectrogram))
        check_offset(offset)
        self.offset = offset

    def describe(self, spectrum: Tensor) -> Tensor:
        """Map power (..., frame, frequency) to (..., frame, 1)."""
        x = spectrum.clamp(min=self.offset)
        return x.log().mean(-1, keepdim=True).exp() / x.mean(-1, keepdim=True)

    def extra_repr(self) -> str:
        """Say the floor."""
        return format_settings(offset=self.offset)


class ZeroCrossingRate(FrontEnd):
    """The share of samples in a frame whose sign is not that of the sample before.

    `librosa.feature.zero_crossing_rate`, whose default sizes are frame_length=2048, hop_length=512: what is not below
    -threshold counts as positive, and the first sample of a frame as no change. It is a count, so it has no gradient.

    Args:
        sample_rate: In hertz; only pictures ask for it.
        frame_length: Samples of a frame, at least 2.
        hop_length: Step between frames in samples.
        threshold: How far below zero a negative sample is.
        center: Whether frame t is centred on sample t * hop_length.
        pad_mode: How the ends are padded when centred: "edge" (librosa's), "reflect", "symmetric" or "constant".

    Shape:
        (..., time) -> (..., 1, frame); frame = 1 + time // hop_length when centred and ``frame_length`` is even.

    Raises:
        ValueError: If an argument is not as described; from ``forward``, if the waveform is too short, not float or not
            finite.
    """

    n_bands = 1

    def __init__(
        self,
        *,
        sample_rate: int = 16_000,
        frame_length: int = 512,
        hop_length: int = 160,
        threshold: float = 1e-10,
        center: bool = True,
        pad_mode: str = "edge",
    ) -> None:
        super().__init__()
        if frame_length < 2:
            raise ValueError(f"frame_length = {frame_length}: expected at least 2 samples")
        if not threshold >= 0:
            raise ValueError(f"threshold = {threshold}: expected 0 or more")
        self.framing = Framing.centered(frame_length, hop_length=hop_length, center=center, pad_mode=pad_mode)
        self.sample_rate, self.threshold = sample_rate, threshold

    def frames(self, waveform: Tensor) -> Tensor:
        """Map a padded waveform (..., time) to (..., frame, 1)."""
        is_negative = waveform < -self.threshold
        changes = (is_negative[..., 1:] ^ is_negative[..., :-1]).to(waveform.dtype)
        # All samples of a frame but the first may differ from the one before.
        return map_frames(changes, self.block, span=self.framing.span - 1, hop_length=self.framing.hop_length)

    def block(self, frames: Tensor) -> Tensor:
        """Map changes of sign (..., frame, span - 1) to (..., frame, 1)."""
        return frames.sum(-1, keepdim=True) / self.framing.span

    @property
    def axis(self) -> Axis:
        """The rate."""
        return Axis(quantity="zero-crossing rate")

    def extra_repr(self) -> str:
        """Say the sizes."""
        return _sizes(self)


class RMS(FrontEnd):
    """The root of the mean square of a frame.

    `librosa.feature.rms`, whose defaults are frame_length=2048, hop_length=512, pad_mode="constant".

    Args:
        sample_rate: In hertz; only pictures ask for it.
        frame_length: Samples of a frame.
        hop_length: Step between frames in samples.
        center: Whether frame t is centred on sample t * hop_length.
        pad_mode: How the ends are padded when centred: "reflect", "symmetric", "edge" or "constant".

    Shape:
        (..., time) -> (..., 1, frame); frame = 1 + time // hop_length when centred and ``frame_length`` is even.

    Raises:
        ValueError: If an argument is not as described; from ``forward``, if the waveform is too short, not float or not
            finite.
    """

    n_bands = 1

    def __init__(
        self,
        *,
        sample_rate: int = 16_000,
        frame_length: int = 512,
        hop_length: int = 160,
        center: bool = True,
        pad_mode: str = "reflect",
    ) -> None:
        super().__init__()
        if frame_length < 1:
            raise ValueError(f"frame_length = {frame_length}: expected at least 1 sample")
        self.framing = Framing.centered(frame_length, hop_length=hop_length, center=center, pad_mode=pad_mode)
        self.sample_rate = sample_rate

    def block(self, frames: Tensor) -> Tensor:
        """Map (..., frame, span) to (..., frame, 1)."""
        # The norm's gradient at digital silence is 0, the root's would be infinite.
        return torch.linalg.vector_norm(frames, dim=-1, keepdim=True) / self.framing.span**0.5

    @property
    def axis(self) -> Axis:
        """The level."""
        return Axis(quantity="root mean square")

    def extra_repr(self) -> str:
        """Say the sizes."""
        return _sizes(self)


def _sizes(front_end: FrontEnd) -> str:
    framing = front_end.framing
    padding = framing.pad_mode if framing.left else None
    return format_settings(frame_length=framing.span, hop_length=framing.hop_length, padding=padding)
