"""Checks of arguments that are made in many places, in the library's one form of error."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def check_at_least(minimum: float, **values: float) -> None:
    """Refuse the first value below a minimum, by the name that it is given here.

    Raises:
        ValueError: A value is too small or NaN.

    Example:
        >>> check_at_least(1, n_layers=4, n_cycles=0)
        Traceback (most recent call last):
        ValueError: n_cycles: expected at least 1, got 0
    """
    for name, value in values.items():
        if not value >= minimum:  # also where it is NaN
            raise ValueError(f"{name}: expected at least {minimum:g}, got {value:g}")


def check_spectrogram(spectrogram: "Tensor", n_bands: int) -> None:
    """Refuse what is not a batch of spectrograms with the network's number of bands.

    Raises:
        ValueError: The shape is not (batch, 1, n_bands, frame).
    """
    if spectrogram.ndim != 4 or spectrogram.shape[1:3] != (1, n_bands):
        advice = "give the network n_bands of its front-end" if n_bands > 1 else "use the front-end Waveform"
        raise ValueError(
            f"spectrogram: expected (batch, 1, n_bands = {n_bands}, frame), got {tuple(spectrogram.shape)}; {advice}"
        )
