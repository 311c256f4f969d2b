"""The front-end of NVIDIA NeMo's speech recognisers."""

from dataclasses import replace

import torch
from torch import Tensor

from audionet.checks import check_at_least, check_that
from audionet.features.frontend import Axis, FrontEnd, State, check_waveform
from audionet.features.functional import center_window
from audionet.features.spectral import LogMel

_STD_OFFSET = 1e-5  # CONSTANT in NeMo's features.py


class NemoLogMel(FrontEnd):
    """The log-mel spectrogram of NeMo (AudioToMelSpectrogramPreprocessor; FilterbankFeatures in its features.py).

    The clip is pre-emphasised as a whole, x[n] - preemphasis x[n - 1]. The window is a symmetric Hann window, the ends
    are padded with zeros, the bands are Slaney's, and the result is ln(mel + 2**-24). The last frame is dropped. Each
    band then loses its mean over the clip and is divided by its standard deviation. NeMo adds noise (dither) in
    training and zeros behind the last frame, up to a multiple of 16; neither is done here.

    Args:
        sample_rate: In hertz.
        n_mels: Number of bands: 64, or 80 and 128 for Conformer, Parakeet and Canary.
        f_min: Lower edge of the first band in hertz.
        f_max: Upper edge of the last band in hertz; None for half the sample rate.
        n_fft: FFT size in samples.
        win_length: Window length in samples: 320, or 400 for Conformer, Parakeet and Canary.
        hop_length: Samples from one frame to the next, at most half of ``n_fft``.
        preemphasis: Coefficient of the pre-emphasis, from 0 (none) to 1.
        normalize: Whether each band is standardised over the clip ("per_feature"); without it, as models that hear
            streams are trained, a band stays a logarithm.
        allow_empty_bands: Whether a band may lie between two FFT bins, which a warning then says; it is always empty.

    Shape:
        (..., time) -> (..., n_mels, time // hop_length)

    Raises:
        ValueError: ``hop_length`` is too long or ``preemphasis`` out of range; as `LogMel`.

    Example:
        >>> NemoLogMel(n_mels=80, win_length=400)(torch.randn(16_000)).shape
        torch.Size([80, 100])
    """

    def __init__(
        self,
        *,
        sample_rate: int = 16_000,
        n_mels: int = 64,
        f_min: float = 0.0,
        f_max: float | None = None,
        n_fft: int = 512,
        win_length: int = 320,
        hop_length: int = 160,
        preemphasis: float = 0.97,
        normalize: bool = True,
        allow_empty_bands: bool = False,
    ) -> None:
        super().__init__()
        expected = f"at most {n_fft // 2}, half of n_fft = {n_fft}"
        check_that(hop_length <= n_fft // 2, "hop_length", expected, hop_length)
        check_at_least(0, 1, preemphasis=preemphasis)
        self.logarithm = LogMel(
            sample_rate=sample_rate,
            n_mels=n_mels,
            f_min=f_min,
            f_max=f_max,
            mel_scale="slaney",
            norm="slaney",
            n_fft=n_fft,
            win_length=win_length,
            hop_length=hop_length,
            pad_mode="constant",
            offset=2**-24,
            allow_empty_bands=allow_empty_bands,
        )
        window = torch.hann_window(win_length, periodic=False)
        self.logarithm.bands.spectrogram.window = center_window(window, n_fft)
        # A hop less of padding behind the clip drops the last frame and leaves the others as they are.
        framing = self.logarithm.framing
        self.framing = replace(framing, right=framing.right - hop_length)
        self.sample_rate, self.n_bands = sample_rate, n_mels
        self.preemphasis, self.normalize = preemphasis, normalize

    def forward(self, waveform: Tensor) -> Tensor:
        """Map (..., time) to (..., band, frame)."""
        check_waveform(waveform, self.framing.shortest)
        emphasised = torch.cat([waveform[..., :1], waveform[..., 1:] - self.preemphasis * waveform[..., :-1]], -1)
        return self.across(self.frames(self.framing.extend(emphasised)), {}, is_last=True)[0].transpose(-1, -2)

    def block(self, frames: Tensor) -> Tensor:
        """Map frames of the pre-emphasised clip (..., frame, span) to the logarithm (..., frame, n_mels)."""
        return self.logarithm.block(frames)

    def across(self, x: Tensor, state: State, *, is_last: bool) -> tuple[Tensor, State]:
        """Standardise each band of a clip (..., frame, n_mels)."""
        if not self.normalize:
            return x, {}
        x = x - x[..., :1, :]  # so that the mean of a constant band, such as silence's, has no rounding to be divided
        centred = x - x.mean(-2, keepdim=True)
        variance = centred.square().sum(-2, keepdim=True) / max(x.shape[-2] - 1, 1)
        deviation = variance.clamp(min=torch.finfo(x.dtype).tiny).sqrt()  # whose slope at 0 is infinite
        return centred / (deviation + _STD_OFFSET), {}

    @property
    def needs_clip(self) -> str | None:
        """The setting that needs the whole clip: pre-emphasis, too, stops at the clip's end."""
        if self.normalize:
            return "normalize = True"
        return f"preemphasis = {self.preemphasis}" if self.preemphasis else None

    @property
    def axis(self) -> Axis:
        """The mel bands."""
        axis = self.logarithm.axis
        return replace(axis, quantity=f"{axis.quantity}, standardised") if self.normalize else axis
