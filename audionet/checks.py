"""Checks of arguments that are made in many places, in the library's one form of error."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from audionet.console import listed

if TYPE_CHECKING:
    from torch import Tensor


def check_that(fits: object, name: object, expected: str, got: object) -> None:
    """Refuse a value that does not fit.

    Args:
        fits: Whether the value fits.
        name: Name of the value, or path of a file.
        expected: What fits.
        got: The value.

    Raises:
        ValueError: It does not fit.

    Example:
        >>> check_that(False, "size", "a number of bytes", -1)
        Traceback (most recent call last):
        ValueError: size: expected a number of bytes, got -1
    """
    if not fits:
        raise ValueError(f"{name}: expected {expected}, got {got!r}")


def check_no_misfits(misfits: Collection[object], name: object, expected: str) -> None:
    """Refuse a collection that has misfits, and name the first five.

    Raises:
        ValueError: There is a misfit.

    Example:
        >>> check_no_misfits(["a.txt"], "corpus", "recordings")
        Traceback (most recent call last):
        ValueError: corpus: expected recordings, got a.txt
    """
    if misfits:
        raise ValueError(f"{name}: expected {expected}, got {listed(misfits, 5)}")


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
