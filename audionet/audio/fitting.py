"""Bringing a recording to the length of a clip: padding it, or finding the window that holds the speech."""

from collections.abc import Iterator
from numbers import Integral

import numpy as np

from audionet.audio.waveform import AudioError, check_waveform, resample, to_mono

_HOP, _FRAME = 0.01, 0.04  # seconds; a frame holds three periods of the lowest voice
_BAND = 200.0, 4000.0  # Hz, where speech is; hum, rumble and a constant lie below
_VOICES = 75.0, 400.0  # Hz, pitches of people
_MARGIN = 3.0  # dB above the noise that count as nothing
_VOICED, _UNVOICED = 60.0, 30.0  # dB above that, as much as counts
_QUIETEST = 60.0  # dB below the loudest frame, where noise is taken to begin if there is less
_PERIODIC = 0.4, 0.75  # correlation with a pitch period ago, of frames that are noise and of voiced ones
_WEIGHT = 0.15  # of a frame that is not voiced, such as one of a pop, a slam or a breath
_SPOKEN = 0.1  # of the most speech in a frame, which is speech still
_PAUSE = 0.15  # seconds, within a word
_BLOCK = 1024  # frames at once


def fit(waveform: np.ndarray, length: int, sample_rate: float) -> np.ndarray:
    """Pad or cut a waveform to a length.

    A shorter waveform is centred between zeros. Of a longer one the window with the most speech is kept, as near to its
    middle as may be. Frames of 40 ms count by the square of their level between 200 and 4000 Hz, in decibels above the
    noise: voiced ones up to 60 dB, others up to 30 dB and a seventh as much, and all less towards the window's ends.
    The square lets a word stand out of noise that is nearly as loud. A pop or a slam is short, a breath has no voice,
    and hum and rumble lie below, so that none of them outweighs a word. Of equal windows it is the middle one.

    Args:
        waveform: (..., time), float; the frames of all leading axes are summed.
        length: The wanted number of samples.
        sample_rate: Samples per second.

    Returns:
        The waveform (..., length). It is the same array when it has that length already.

    Raises:
        AudioError: The length is below 1, or the array is no float waveform.

    Example:
        >>> fit(np.array([1.0, 2.0]), 4, sample_rate=8000)
        array([0., 1., 2., 0.])
    """
    waveform = check_waveform(waveform)
    if not (isinstance(length, Integral) and length >= 1):
        raise AudioError(f"length: expected a whole number of at least 1 sample, got {length!r}; give that of a clip")
    n_missing = length - waveform.shape[-1]
    if n_missing == 0:
        return waveform
    if n_missing > 0:
        sides = [(0, 0)] * (waveform.ndim - 1) + [(n_missing // 2, n_missing - n_missing // 2)]
        return np.pad(waveform, sides)
    start = window_start(waveform, length, sample_rate)
    return waveform[..., start : start + length].copy()  # a view would keep the whole recording in memory


def to_clip(waveform: np.ndarray, from_rate: float, to_rate: float, length: int | None = None) -> np.ndarray:
    """Turn a recording into a network's input: mix it to mono, resample it, and fit it to a length.

    Args:
        waveform: (channel, time), float, of at most 8 channels.
        from_rate: Its sample rate, in Hz.
        to_rate: The wanted sample rate, in Hz.
        length: The wanted number of samples; None keeps all.

    Returns:
        The clip, (length,) or (time,).

    Raises:
        AudioError: The array is no float waveform (channel, time) of at most 8 channels, a rate is not above 0, the
            length is below 1, or no sample would be left.

    Example:
        >>> to_clip(np.zeros((2, 4000), np.float32), 8000, 16_000, 16_000).shape
        (16000,)
    """
    clip = resample(to_mono(waveform)[0], from_rate, to_rate)
    return clip if length is None else fit(clip, length, to_rate)


def window_start(waveform: np.ndarray, length: int, sample_rate: float) -> int:
    """Return the first sample of the window that `fit` keeps of a longer waveform."""
    hop = max(round(_HOP * sample_rate), 1)
    n_frames = max(round(length / hop), 1)
    weights = np.bartlett(n_frames + 2)[1:-1]  # less towards the ends, so that what it holds lies in its middle
    speech = np.pad(_speech(waveform, sample_rate, hop), (0, n_frames))
    n_starts = (waveform.shape[-1] - length) // hop + 1
    score = np.convolve(speech, weights[::-1])[n_frames - 1 :][:n_starts]
    best = np.flatnonzero(score >= score.max() * (1 - 1e-6))  # rounding must not decide between equals
    return int(best[len(best) // 2]) * hop


def speech_span(waveform: np.ndarray, sample_rate: float) -> tuple[int, int]:
    """Return where the stretch with the most speech of a waveform begins and ends.

    A frame holds speech where it is a tenth as much like it, by the measure of `fit`, as the frame that is most like
    it. Pauses of less than 150 ms, such as that before a "t", lie within a stretch.

    Args:
        waveform: (time,), float.
        sample_rate: Samples per second.

    Returns:
        Samples from the waveform's beginning; all of it where nothing stands out.

    Example:
        >>> time = np.arange(16_000) / 16_000
        >>> tone = np.sin(2 * np.pi * 250 * time) * ((time > 0.25) & (time < 0.75))
        >>> speech_span(tone, 16_000)
        (3840, 12320)
    """
    hop = max(round(_HOP * sample_rate), 1)
    speech = _speech(waveform, sample_rate, hop)
    (frames,) = np.nonzero(speech > _SPOKEN * speech.max())
    if not len(frames):
        return 0, len(waveform)
    stretches = np.split(frames, np.flatnonzero(np.diff(frames) > round(_PAUSE / _HOP)) + 1)
    longest = max(stretches, key=lambda stretch: float(speech[stretch].sum()))
    return int(longest[0]) * hop, min(int(longest[-1] + 1) * hop, len(waveform))


def _speech(waveform: np.ndarray, sample_rate: float, hop: int) -> np.ndarray:
    """Return how much each frame, (frame,), is like speech. The middle of frame t lies at t * hop."""
    blocks = list(_levels_and_periodicities(waveform.reshape(-1, waveform.shape[-1]), sample_rate, hop))
    levels, periodicities = map(np.concatenate, zip(*blocks, strict=True))
    decibels = 10 * np.log10(levels + 1e-12)
    noise = max(np.percentile(decibels, 20), decibels.max() - _QUIETEST)
    level = np.maximum(decibels - noise - _MARGIN, 0)
    voiced = np.clip((periodicities - _PERIODIC[0]) / (_PERIODIC[1] - _PERIODIC[0]), 0, 1)
    loud, less_loud = np.minimum(level, _VOICED) ** 2, np.minimum(level, _UNVOICED) ** 2
    speech: np.ndarray = voiced * loud + _WEIGHT * (1 - voiced) * less_loud
    return speech


def _levels_and_periodicities(
    rows: np.ndarray, sample_rate: float, hop: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield blocks of two values a frame: its power in the band, and its correlation with a pitch period before.

    The correlation is that of Boersma, "Accurate short-term analysis of the fundamental frequency" (1993), equation 9:
    the autocorrelation of the windowed frame, divided by the window's.
    """
    size = max(round(_FRAME * sample_rate), 4)
    lags = slice(max(int(sample_rate / _VOICES[1]), 1), max(int(sample_rate / _VOICES[0]) + 1, 2))
    n_fft = 1 << (size + lags.stop - 1).bit_length()  # so much that no lag meets the frame's other end
    window = np.blackman(size + 2)[1:-1].astype(np.float32)  # steep enough that rumble does not leak into the band
    of_window = np.fft.irfft(np.abs(np.fft.rfft(window, n_fft)) ** 2)
    frequencies = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    band = (frequencies >= min(_BAND[0], sample_rate / 8)) & (frequencies <= _BAND[1])
    padded = np.pad(rows, ((0, 0), (size // 2, size - size // 2)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size, axis=-1)[:, ::hop]
    for start in range(0, frames.shape[1], _BLOCK):
        spectrum = np.fft.rfft(frames[:, start : start + _BLOCK] * window, n_fft)
        power = ((spectrum.real**2 + spectrum.imag**2) * band).sum(0)
        correlation = np.fft.irfft(power)
        level = correlation[:, 0]
        pitch = (correlation[:, lags] * (of_window[0] / of_window[lags])).max(-1)
        yield level, pitch / np.maximum(level, 1e-20)
