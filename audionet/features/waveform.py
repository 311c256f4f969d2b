"""The front-end of networks that hear the waveform itself."""

from torch import Tensor, nn

from audionet.features.functional import check_waveform


class Waveform(nn.Module):
    """Hand the waveform on as a single band, one sample a frame.

    Args:
        sample_rate: In hertz; nothing is computed with it, but the network is for this rate alone.

    Shape:
        (..., time) -> (..., 1, time)

    Raises:
        ValueError: From ``forward``, if the waveform is empty or not float.

    Example:
        >>> Waveform()(torch.randn(8, 16_000)).shape
        torch.Size([8, 1, 16000])
    """

    def __init__(self, *, sample_rate: int = 16_000) -> None:
        super().__init__()
        self.sample_rate = sample_rate

    def forward(self, waveform: Tensor) -> Tensor:
        """Map (..., time) to (..., 1, time)."""
        check_waveform(waveform)
        return waveform.unsqueeze(-2)
