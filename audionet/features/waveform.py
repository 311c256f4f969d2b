"""The front-end of networks that take the waveform itself."""

from torch import Tensor

from audionet.features.frontend import Axis, Framing, FrontEnd


class Waveform(FrontEnd):
    """The waveform as a single band, with one sample in each frame.

    Args:
        sample_rate: In hertz. No number depends on it, but the network is for this rate alone.

    Shape:
        (..., time) -> (..., 1, time)

    Raises:
        ValueError: From ``forward``, if the waveform is empty, not float or not finite.

    Example:
        >>> Waveform()(torch.randn(8, 16_000)).shape
        torch.Size([8, 1, 16000])
    """

    def __init__(self, *, sample_rate: int = 16_000) -> None:
        super().__init__()
        self.framing = Framing(span=1, hop_length=1)
        self.sample_rate, self.n_bands = sample_rate, 1

    def frames(self, waveform: Tensor) -> Tensor:
        """Map (..., time) to (..., time, 1)."""
        return waveform.unsqueeze(-1)

    @property
    def axis(self) -> Axis:
        """The samples themselves."""
        return Axis(quantity="amplitude")
