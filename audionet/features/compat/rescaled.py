"""Another front-end between a gain and a standardisation, as pretrained networks are often fed."""

from dataclasses import replace

from torch import Tensor

from audionet.checks import check_that
from audionet.features.frontend import Axis, FrontEnd, State


class Rescaled(FrontEnd):
    """A front-end whose samples are multiplied by a gain and whose features are shifted and scaled.

    The features are (f(gain * x) - mean) / std, with constants that the makers of a network measured on their corpus.

    Args:
        front_end: The front-end f.
        gain: Factor of the samples: 1 for samples in [-1, 1], 32768 for those of 16-bit integers.
        mean: Subtracted from the features.
        std: Divides the features after that; not 0.

    Shape:
        (..., time) -> (..., band, frame), as the front-end's

    Raises:
        ValueError: ``std`` is 0.

    Example:
        >>> Rescaled(audionet.features.LogMel(), mean=-5.0, std=10.0)(torch.randn(16_000)).shape
        torch.Size([40, 101])
    """

    def __init__(self, front_end: FrontEnd, *, gain: float = 1.0, mean: float = 0.0, std: float = 1.0) -> None:
        super().__init__()
        check_that(std, "std", "a number other than 0", std)
        self.front_end, self.framing, self.lookahead = front_end, front_end.framing, front_end.lookahead
        self.sample_rate, self.n_bands, self.is_complex = front_end.sample_rate, front_end.n_bands, front_end.is_complex
        self.gain, self.mean, self.std = gain, mean, std

    def frames(self, waveform: Tensor) -> Tensor:
        """Map a padded waveform (..., time) to the front-end's (..., frame, band)."""
        return self.front_end.frames(waveform * self.gain)

    def across(self, x: Tensor, state: State, *, is_last: bool) -> tuple[Tensor, State]:
        """Do what the front-end does across frames, and shift and scale."""
        x, state = self.front_end.across(x, state, is_last=is_last)
        return (x - self.mean) / self.std, state

    @property
    def needs_clip(self) -> str | None:
        """The setting of the front-end that needs the whole clip."""
        return self.front_end.needs_clip

    @property
    def axis(self) -> Axis:
        """The front-end's bands."""
        return replace(self.front_end.axis, quantity=f"({self.front_end.axis.quantity} - {self.mean:g}) / {self.std:g}")
