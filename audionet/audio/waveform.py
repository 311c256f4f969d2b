"""Arithmetic on waveforms: mono, resample, 16-bit integers and floats; and the one error of this folder."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Real

import numpy as np

FULL_SCALE = 32_768
"""A float sample x is the 16-bit integer round(x * FULL_SCALE), so 16-bit sources survive the round trip exactly."""

PEAK_LIMIT = 8.0
"""Largest sample of a recording, 18 dB over full scale: none in float is that hot, unscaled integers are."""

_FACTOR = 10_000  # between two rates of sound
_MIXABLE = 8  # channels: 7.1 surround


class AudioError(ValueError):
    """A sound file or waveform that cannot be used. The message names it, what is wrong and what to do."""


class AudioWarning(UserWarning):
    """A sound file of which a part was left out. The message names it and what is wrong."""


def name_of(source: object) -> str:
    """Return what messages call a path, bytes or a file object."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return "<bytes>"
    is_path = isinstance(source, (str, os.PathLike))
    path = source if is_path else getattr(source, "name", None)  # "<stdin>"; a number, of a file without a name
    return str(os.fspath(path)) if isinstance(path, (str, os.PathLike)) else "<file object>"


@contextmanager
def naming(source: object) -> Iterator[None]:
    """Put the name of a file before the message of every `AudioError` raised inside, which stays of its kind."""
    try:
        yield
    except AudioError as error:
        error.args = (f"{name_of(source)}: {error}",)
        raise error from None


@contextmanager
def explaining(failure: str, advice: str) -> Iterator[None]:
    """Turn an error of the operating system into an `AudioError`, such as "cannot be read (Is a directory); ..."."""
    try:
        yield
    except AudioError:
        raise
    except (OSError, ValueError) as error:  # a ValueError: a NUL in a path, a closed file
        raise AudioError(f"{failure} ({getattr(error, 'strerror', None) or error}); {advice}") from None


def to_mono(waveform: np.ndarray) -> np.ndarray:
    """Mix the channels of a waveform by their mean.

    Args:
        waveform: (channel, time), float, of at most 8 channels.

    Returns:
        The mix, (1, time). It is the same array when it has one channel already.

    Raises:
        AudioError: The array is no float waveform (channel, time), or has more than 8 channels. Those are a
            microphone array or separate tracks, whose mean means nothing.

    Example:
        >>> to_mono(np.array([[1.0, 0.0], [0.0, 0.5]]))
        array([[0.5 , 0.25]])
    """
    waveform = check_waveform(waveform)
    if waveform.ndim != 2:
        raise AudioError(f"waveform: expected (channel, time), got shape {waveform.shape}; reshape it")
    n_channels = len(waveform)
    if n_channels > _MIXABLE:
        raise AudioError(
            f"waveform: expected at most {_MIXABLE} channels to mix to mono, got {n_channels}; "
            "pick the channels to use, for example load_audio(path)[0][:1]"
        )
    return waveform if n_channels == 1 else waveform.mean(axis=0, keepdims=True)


def resample(waveform: np.ndarray, from_rate: float, to_rate: float) -> np.ndarray:
    """Change the sample rate with soxr's HQ filter (linear phase, 20-bit precision).

    Args:
        waveform: (..., time), float32 or float64.
        from_rate: Its sample rate, in Hz.
        to_rate: The wanted sample rate, in Hz.

    Returns:
        The waveform (..., round(time * to_rate / from_rate)), of the same dtype. It is the same array at equal rates.

    Raises:
        AudioError: A rate is not above 0, the array is no float waveform, or no sample would be left.

    Example:
        >>> resample(np.zeros((2, 8000), np.float32), 8000, 16000).shape
        (2, 16000)
    """
    waveform = check_waveform(waveform)
    check_rates(from_rate, to_rate)
    if from_rate == to_rate:
        return waveform
    import soxr  # only where it is needed: importing it takes as long as decoding some hundred files

    rows = waveform.reshape(-1, waveform.shape[-1])
    resampled = soxr.resample(rows.T, from_rate, to_rate).T  # soxr wants (time, channel)
    check_left(resampled.shape[-1], waveform.shape[-1], from_rate, to_rate)
    return np.ascontiguousarray(resampled).reshape(*waveform.shape[:-1], -1)


def to_int16(waveform: np.ndarray) -> np.ndarray:
    """Round float samples to 16-bit integers. Samples beyond full scale are clipped.

    Example:
        >>> to_int16(np.array([0.0, 0.5, 1.0, -1.0], np.float32))
        array([     0,  16384,  32767, -32768], dtype=int16)
    """
    return np.rint(waveform * np.float32(FULL_SCALE)).clip(-FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def to_float(integers: np.ndarray) -> np.ndarray:
    """Scale 16-bit integers to float32 samples in [-1, 1).

    Example:
        >>> to_float(np.array([0, 16384, -32768], np.int16))
        array([ 0. ,  0.5, -1. ], dtype=float32)
    """
    return integers / np.float32(FULL_SCALE)


# ---- checks ------------------------------------------------------------------------------------------------


def as_array(waveform: object) -> object:
    """Return a list or an object array of numbers, or of rows of one length, as an array of numbers.

    An array in another byte order becomes one in the machine's, one of more than 64 bits one of 64. Anything else is
    returned as it is.

    Raises:
        AudioError: The rows have different lengths.

    Example:
        >>> as_array([[0.5, 0.25]])
        array([[0.5 , 0.25]])
        >>> as_array(np.zeros(2, ">f4")).dtype
        dtype('float32')
    """
    is_boxed = isinstance(waveform, np.ndarray) and waveform.dtype == object
    if is_boxed or isinstance(waveform, (list, tuple)):
        try:
            waveform = np.array(waveform.tolist() if isinstance(waveform, np.ndarray) else waveform)
        except (ValueError, TypeError):
            raise AudioError(
                "waveform: expected samples, or rows of one length, got others; give clips of different lengths one by "
                "one, or pad them with audionet.audio.fit"
            ) from None
    if not isinstance(waveform, np.ndarray):
        return waveform
    dtype = waveform.dtype.newbyteorder("=")
    return waveform.astype(np.float64 if dtype.kind == "f" and dtype.itemsize > 8 else dtype, copy=False)


def from_tensor(waveform: object) -> object:
    """Return a tensor as a NumPy array, of float32 if NumPy does not know its floats; anything else as it is."""
    if not hasattr(waveform, "detach"):
        return waveform
    tensor = waveform.detach().cpu()
    return (tensor.float() if tensor.is_floating_point() and tensor.itemsize < 4 else tensor).numpy()


def check_waveform(waveform: object) -> np.ndarray:
    """Return a waveform as a float32 or float64 array; it is the same array if it is one.

    Raises:
        AudioError: It is neither an array nor a list, its samples are no floats, or it has none.
    """
    array = as_array(waveform)
    if not isinstance(array, np.ndarray):
        kind = type(array).__name__
        raise AudioError(f"waveform: expected a numpy array, got {kind}; a tensor gives one by .numpy()")
    if array.ndim == 0 or array.size == 0:
        raise AudioError(f"waveform: expected at least one sample, got shape {array.shape}; give a longer one")
    if array.dtype.kind in "iu":
        full_scale = 2 ** (8 * array.dtype.itemsize - 1)
        center = f" - {full_scale}" if array.dtype.kind == "u" else ""
        advice = f"scale them: (waveform.astype(np.float32){center}) / {full_scale}"
        if array.dtype.itemsize == 8:  # no recording has 64 bits
            advice = f"scale them: divide by their full scale, {FULL_SCALE} for 16 bits"
        raise AudioError(f"waveform: expected float samples in [-1, 1], got {array.dtype}; {advice}")
    if array.dtype.kind != "f":
        raise AudioError(f"waveform: expected float samples in [-1, 1], got {array.dtype}; use .astype(np.float32)")
    return array.astype(np.float32) if array.dtype.itemsize == 2 else array


def check_rates(from_rate: float, to_rate: float) -> None:
    """Refuse two sample rates between which no sound is resampled.

    Raises:
        AudioError: A rate is not above 0, or the one is more than 10,000 times the other.
    """
    for name, rate in (("from_rate", from_rate), ("to_rate", to_rate)):
        if not (isinstance(rate, Real) and math.isfinite(rate) and rate > 0):
            raise AudioError(f"{name}: expected above 0 Hz, got {rate!r}; give a sample rate such as 16000")
    if not 1 / _FACTOR <= to_rate / from_rate <= _FACTOR:  # soxr would compute a filter without end
        raise AudioError(
            f"to_rate: expected at most {_FACTOR} times from_rate or a part of it, got {to_rate} for {from_rate} Hz; "
            "give the rates of sound"
        )


def check_left(n_after: int, n_before: int, from_rate: float, to_rate: float) -> None:
    """Refuse a resampled waveform without a sample.

    Raises:
        AudioError: It has none.
    """
    if n_after == 0:
        raise AudioError(
            f"waveform: expected enough samples for one at {to_rate} Hz, got {n_before} at {from_rate} Hz; "
            "give a longer one"
        )


def check_finite(waveform: np.ndarray) -> float:
    """Return the largest magnitude of the samples.

    Raises:
        AudioError: Samples are NaN or infinite.
    """
    peak = float(max(waveform.max(), -waveform.min()))  # NaN passes through max
    if not math.isfinite(peak):
        n_bad = np.count_nonzero(~np.isfinite(waveform))
        raise AudioError(
            f"waveform: expected finite samples, got {n_bad} of {waveform.size} that are NaN or Inf; "
            "find where they come from"
        )
    return peak


def check_scale(waveform: np.ndarray) -> None:
    """Refuse samples that no recording has: NaN, infinite ones, and integers stored as float.

    Raises:
        AudioError: Samples are NaN or infinite, or exceed 8, which is 18 dB over full scale.
    """
    peak = check_finite(waveform)
    if peak > PEAK_LIMIT:
        raise AudioError(
            f"waveform: expected float samples in [-1, 1], got a peak of {peak:g}; "
            f"divide integers by their full scale ({FULL_SCALE} for 16 bits)"
        )
