"""One number a frame, of the samples themselves: the rate of zero crossings, and the level."""

from math import sqrt

import torch
from torch import Tensor

from audionet.checks import check_that
from audionet.features.frontend import Axis, Framing, FrontEnd
from audionet.features.functional import map_frames


class ZeroCrossingRate(FrontEnd):
    """The share of samples in a frame whose sign is not that of the sample before.

    As `librosa.feature.zero_crossing_rate`, whose default sizes are frame_length=2048, hop_length=512: a sample that is
    not below -threshold counts as positive, and the first sample of a frame as no change. It has no gradient.

    Args:
        sample_rate: In hertz; only pictures use it.
        frame_length: Samples of a frame, at least 2.
        hop_length: Step between frames in samples.
        threshold: Distance below zero from which a sample is negative.
        center: Whether frame t is centred on sample t * hop_length; otherwise it begins there.
        pad_mode: Padding of the ends when centred: "edge" (librosa's), "reflect", "symmetric" or "constant".

    Shape:
        (..., time) -> (..., 1, frame); frame = 1 + time // hop_length when centred and ``frame_length`` is even.

    Raises:
        ValueError: If an argument is not as described; from ``forward``, if the waveform is not.

    Example:
        >>> ZeroCrossingRate()(torch.randn(8, 16_000)).shape
        torch.Size([8, 1, 101])
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
        check_that(frame_length >= 2, "frame_length", "at least 2 samples", frame_length)
        check_that(threshold >= 0, "threshold", "0 or more", threshold)
        self.framing = Framing.centered(frame_length, hop_length=hop_length, center=center, pad_mode=pad_mode)
        self.sample_rate, self.frame_length, self.threshold = sample_rate, frame_length, threshold

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


class RMS(FrontEnd):
    """The root of the mean square of a frame.

    As `librosa.feature.rms`, whose defaults are frame_length=2048, hop_length=512, pad_mode="constant".

    Args:
        sample_rate: In hertz; only pictures use it.
        frame_length: Samples of a frame.
        hop_length: Step between frames in samples.
        center: Whether frame t is centred on sample t * hop_length; otherwise it begins there.
        pad_mode: Padding of the ends when centred: "reflect", "symmetric", "edge" or "constant".

    Shape:
        (..., time) -> (..., 1, frame); frame = 1 + time // hop_length when centred and ``frame_length`` is even.

    Raises:
        ValueError: If an argument is not as described; from ``forward``, if the waveform is not.

    Example:
        >>> RMS()(torch.randn(8, 16_000)).shape
        torch.Size([8, 1, 101])
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
        self.framing = Framing.centered(frame_length, hop_length=hop_length, center=center, pad_mode=pad_mode)
        self.sample_rate, self.frame_length = sample_rate, frame_length

    def block(self, frames: Tensor) -> Tensor:
        """Map (..., frame, span) to (..., frame, 1)."""
        # The norm's gradient at digital silence is 0, the root's would be infinite.
        norm: Tensor = torch.linalg.vector_norm(frames, dim=-1, keepdim=True)
        return norm / sqrt(self.framing.span)

    @property
    def axis(self) -> Axis:
        """The level."""
        return Axis(quantity="root mean square")
