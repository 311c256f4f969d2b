"""The front-end of Whisper."""

from dataclasses import replace

from torch import Tensor

from audionet.checks import check_that
from audionet.features.frontend import Axis, FrontEnd, State
from audionet.features.spectral import LogMel


class WhisperLogMel(FrontEnd):
    """The log-mel spectrogram of Whisper (arXiv 2212.04356; log_mel_spectrogram in its audio.py).

    x = log10(max(mel, 1e-10)) is floored at max(x) - 8 and scaled to (x + 4) / 4. The last frame is dropped. Whisper
    first fits clips to 30 s, as `audionet.audio.fit` does. It takes the maximum over a batch, this class over each
    clip, which is the same where Whisper gets one clip at a time.

    Args:
        sample_rate: In hertz; Whisper's is 16,000.
        n_mels: Number of bands: 80, or 128 for large-v3.
        n_fft: Size of the FFT and of the window in samples.
        hop_length: Samples from one frame to the next, at most half of ``n_fft``.
        top_db: Distance of the floor from each clip's maximum in decibels, 10 for each unit of log10. None for no
            floor, which a stream needs. The numbers are then Whisper's above its floor only.
        allow_empty_bands: Whether a band may lie between two FFT bins, which a warning then says; it is always empty.

    Shape:
        (..., time) -> (..., n_mels, time // hop_length)

    Raises:
        ValueError: ``hop_length`` is too long; as `LogMel`.

    Example:
        >>> WhisperLogMel(n_mels=128)(torch.randn(480_000)).shape
        torch.Size([128, 3000])
    """

    def __init__(
        self,
        *,
        sample_rate: int = 16_000,
        n_mels: int = 80,
        n_fft: int = 400,
        hop_length: int = 160,
        top_db: float | None = 80.0,
        allow_empty_bands: bool = False,
    ) -> None:
        super().__init__()
        expected = f"at most {n_fft // 2}, half of n_fft = {n_fft}"
        check_that(hop_length <= n_fft // 2, "hop_length", expected, hop_length)
        self.decibels = LogMel(
            sample_rate=sample_rate,
            n_mels=n_mels,
            mel_scale="slaney",
            norm="slaney",
            n_fft=n_fft,
            win_length=None,
            hop_length=hop_length,
            scale="db",
            offset=1e-10,
            top_db=top_db,
            allow_empty_bands=allow_empty_bands,
        )
        # A hop less of padding behind the clip drops the last frame and leaves the others as they are.
        framing = self.decibels.framing
        self.framing = replace(framing, right=framing.right - hop_length)
        self.sample_rate, self.n_bands = sample_rate, n_mels

    def block(self, frames: Tensor) -> Tensor:
        """Map (..., frame, span) to decibels (..., frame, n_mels)."""
        return self.decibels.block(frames)

    def across(self, x: Tensor, state: State, *, is_last: bool) -> tuple[Tensor, State]:
        """Floor and scale decibels (..., frame, n_mels)."""
        x, state = self.decibels.across(x, state, is_last=is_last)
        return (x / 10 + 4) / 4, state

    @property
    def needs_clip(self) -> str | None:
        """The setting that depends on the whole clip."""
        return self.decibels.needs_clip

    @property
    def axis(self) -> Axis:
        """The mel bands."""
        return replace(self.decibels.axis, quantity="(log10 power + 4) / 4")
