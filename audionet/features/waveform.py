"""The front-end of networks that take the waveform itself."""

from torch import Tensor

from audionet.features.frontend import Axis, Framing, FrontEnd, State


class Waveform(FrontEnd):
    """The waveform as a single band, with one sample in each frame.

    Args:
        sample_rate: In hertz. No number depends on it, but the network is for this rate alone.
        normalize: Whether each clip gets a mean of 0 and a variance of 1, (x - mean) / sqrt(variance + 1e-7), as
            wav2vec 2.0 and HuBERT are fed.

    Shape:
        (..., time) -> (..., 1, time)

    Raises:
        ValueError: From ``forward``, if the waveform is empty, not float or not finite.

    Example:
        >>> Waveform()(torch.randn(8, 16_000)).shape
        torch.Size([8, 1, 16000])
    """

    def __init__(self, *, sample_rate: int = 16_000, normalize: bool = False) -> None:
        super().__init__()
        self.framing = Framing(span=1, hop_length=1)
        self.sample_rate, self.n_bands, self.normalize = sample_rate, 1, normalize

    def frames(self, waveform: Tensor) -> Tensor:
        """Map (..., time) to (..., time, 1)."""
        return waveform.unsqueeze(-1)

    def across(self, x: Tensor, state: State, *, is_last: bool) -> tuple[Tensor, State]:
        """Normalise the samples (..., time, 1) of a clip."""
        if self.normalize:
            centred = x - x.mean(-2, keepdim=True)
            x = centred / (centred.square().mean(-2, keepdim=True) + 1e-7).sqrt()
        return x, {}

    @property
    def needs_clip(self) -> str | None:
        """The setting that needs the whole clip."""
        return "normalize = True" if self.normalize else None

    @property
    def axis(self) -> Axis:
        """The samples themselves."""
        return Axis(quantity="amplitude")
