"""Checks of arguments that are made in many places, in the library's one form of error, and the words for it."""

import math
import sys
from collections.abc import Collection, Iterable
from difflib import get_close_matches
from numbers import Real
from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def listed(names: Iterable[object], most: int = 3, *, separator: str = ", ") -> str:
    """Join the first few of many names for a message.

    Example:
        >>> listed(["a", "b", "c", "d", "e"])
        'a, b, c and 2 more'
    """
    texts = [str(name) for name in names]
    more = f"{separator if separator.isspace() else ' '}and {len(texts) - most} more" if len(texts) > most else ""
    return separator.join(texts[:most]) + more


def nearest(name: object, known: Iterable[str], otherwise: str = "choose one of them") -> str:
    """Return the advice for an unknown name: a question about the nearest known one.

    Args:
        name: The unknown name.
        known: The known names.
        otherwise: Advice if none of them is near.

    Example:
        >>> nearest("sevn", ["six", "seven"])
        "did you mean 'seven'?"
    """
    names = {each.casefold(): each for each in known}
    near = get_close_matches(str(name).casefold(), names, n=1, cutoff=0.5)
    return f"did you mean {names[near[0]]!r}?" if near else otherwise


def check_one_of(known: Collection[object], name: object, got: object, otherwise: str = "choose one of them") -> None:
    """Refuse a value that is not among the known ones, which are names as a rule.

    Args:
        known: Values that fit.
        name: Name of the value.
        got: The value.
        otherwise: Advice if no known name is near.

    Raises:
        ValueError: The value is not known.

    Example:
        >>> check_one_of(["six", "seven"], "label", "sevn")
        Traceback (most recent call last):
        ValueError: label: expected one of six, seven, got 'sevn'; did you mean 'seven'?
    """
    if got not in (fitting := list(known)):
        names = list(map(str, fitting))
        raise ValueError(f"{name}: expected one of {', '.join(names)}, got {got!r}; {nearest(got, names, otherwise)}")


def check_that(fits: object, name: object, expected: str, got: object, advice: str = "") -> None:
    """Refuse a value that does not fit.

    Args:
        fits: Whether the value fits.
        name: Name of the value, or path of a file.
        expected: Description of the values that fit.
        got: The value.
        advice: What to do about it, if the description does not say so already.

    Raises:
        ValueError: It does not fit.

    Example:
        >>> check_that(False, "size", "a number of bytes", -1, "count them")
        Traceback (most recent call last):
        ValueError: size: expected a number of bytes, got -1; count them
    """
    if not fits:
        raise ValueError(f"{name}: expected {expected}, got {got!r}{advice and '; '}{advice}")


def check_rows(fits: "Tensor", name: object, expected: str, advice: str = "") -> None:
    """Refuse a tensor that has rows that do not fit, and name the first three.

    Args:
        fits: (row,) bool, whether each row fits.
        name: Name of the tensor.
        expected: Description of the rows that fit.
        advice: What to do about the others, if the description does not say so already.

    Raises:
        ValueError: A row does not fit.

    Example:
        >>> check_rows(torch.tensor([True, False]), "clips", "finite samples", "leave them out")
        Traceback (most recent call last):
        ValueError: clips: expected finite samples, got others in rows 1; leave them out
    """
    if wrong := (~fits).flatten().nonzero().flatten().tolist():
        raise ValueError(f"{name}: expected {expected}, got others in rows {listed(wrong)}{advice and '; '}{advice}")


def check_no_misfits(misfits: Collection[object], name: object, expected: str, advice: str = "") -> None:
    """Refuse a collection that has misfits, and name the first five.

    Args:
        misfits: Those that do not fit.
        name: Name of the collection, or path of a file.
        expected: Description of what fits.
        advice: What to do about the misfits, if the description does not say so already.

    Raises:
        ValueError: There is a misfit.

    Example:
        >>> check_no_misfits(["a.txt"], "corpus", "recordings")
        Traceback (most recent call last):
        ValueError: corpus: expected recordings, got a.txt
    """
    if misfits:
        raise ValueError(f"{name}: expected {expected}, got {listed(misfits, 5)}{advice and '; '}{advice}")


def check_at_least(minimum: float, maximum: float = math.inf, /, *, whole: bool = False, **values: object) -> None:
    """Refuse the first value that is no finite number within bounds, by the name that it is given here.

    Args:
        minimum: Smallest number that fits.
        maximum: Largest number that fits.
        whole: Refuse fractions.
        **values: Values by name.

    Raises:
        ValueError: A value does not fit.

    Example:
        >>> check_at_least(1, n_layers=4, n_cycles=0)
        Traceback (most recent call last):
        ValueError: n_cycles: expected at least 1, got 0
        >>> check_at_least(0, 1, p=1.5)
        Traceback (most recent call last):
        ValueError: p: expected a number from 0 to 1, got 1.5
    """
    if maximum < math.inf:
        expected = f"a {'whole ' if whole else ''}number from {minimum:g} to {maximum:g}"
    else:
        expected = f"{'a whole number of ' if whole else ''}at least {minimum:g}"
    for name, value in values.items():
        fits = _is_finite(value) and minimum <= value <= maximum and not (whole and value % 1)
        check_that(fits, name, expected, value)


def _is_finite(value: object) -> TypeGuard[float]:
    """Tell whether this is a number that a float can be; a whole one of 400 digits cannot."""
    return isinstance(value, Real) and abs(value) <= sys.float_info.max  # type: ignore[operator]


def check_positive(**values: object) -> None:
    """Refuse the first value that is no finite number above 0, by the name that it is given here.

    Raises:
        ValueError: A value does not fit.

    Example:
        >>> check_positive(bandwidth=0.0)
        Traceback (most recent call last):
        ValueError: bandwidth: expected more than 0, got 0.0
    """
    for name, value in values.items():
        check_that(_is_finite(value) and value > 0, name, "more than 0", value)


def check_spectrogram(spectrogram: "Tensor", n_bands: int, in_channels: int = 1) -> None:
    """Refuse a tensor that is no batch of spectrograms with the network's number of bands.

    Raises:
        ValueError: The shape is not (batch, in_channels, n_bands, frame).
    """
    if spectrogram.ndim != 4 or spectrogram.shape[1:3] != (in_channels, n_bands):
        advice = "give the network n_bands of its front-end" if n_bands > 1 else "use the front-end Waveform"
        expected = f"(batch, {in_channels}, n_bands = {n_bands}, frame)"
        raise ValueError(f"spectrogram: expected {expected}, got {tuple(spectrogram.shape)}; {advice}")


def check_device(device: "str | torch.device") -> "torch.device":
    """Return the device to compute on, if this machine has it.

    Args:
        device: "cpu", an accelerator such as "cuda" or "mps", or one of several, such as "cuda:1".

    Raises:
        ValueError: The machine does not have it; the message lists those that it has.

    Example:
        >>> check_device("cpu")
        device(type='cpu')
    """
    import torch

    known = ["cpu"]
    if accelerator := torch.accelerator.current_accelerator(check_available=True):
        kind = accelerator.type
        known += [kind, *(f"{kind}:{index}" for index in range(torch.accelerator.device_count()))]
    if str(device) not in known:
        listing = ", ".join(known)
        raise ValueError(f"device: expected one of {listing}, got {str(device)!r}; `audionet doctor` tells more")
    return torch.device(device)
