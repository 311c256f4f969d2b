"""Noise that is made: backgrounds for corpora that have none, mumbling, and what a quiet microphone hears."""

import functools
from collections.abc import Callable

import numpy as np

from audionet.checks import check_that


def make_noise(sample_rate: int, seconds: float, seed: int = 0) -> np.ndarray:
    """Make background noise for corpora that have none.

    The track has six sections or more of about 5 s, each with its own random parameters. Six kinds of noise take turns:
    white, pink (1/f), brown (1/f²), band-passed, mains hum, and babble, which is the sum of six noises with the
    spectrum of speech, modulated at the rate of syllables.

    Args:
        sample_rate: Sample rate in hertz.
        seconds: Length of the track.
        seed: Decides all that is random.

    Returns:
        The noise (time,), float32. Every section has a peak of 0.8.

    Raises:
        ValueError: The track is shorter than a sample.

    Example:
        >>> track = make_noise(16_000, seconds=30)
        >>> track.shape, float(abs(track).max())
        ((480000,), 0.800000011920929)
    """
    n_samples = _n_samples(sample_rate, seconds)
    kinds: tuple[Callable[[int, float, np.random.Generator], np.ndarray], ...] = (
        *(functools.partial(_colored, exponent=exponent) for exponent in (0.0, 1.0, 2.0)),
        *(_band, _hum, _babble),
    )
    generator = np.random.default_rng(seed)
    sections = []
    n_sections = min(max(round(seconds / 5), len(kinds)), n_samples)
    edges = np.linspace(0, n_samples, n_sections + 1).astype(int)
    for number, length in enumerate(np.diff(edges)):
        section = kinds[number % len(kinds)](int(length), sample_rate, generator)
        sections.append((section * (0.8 / np.abs(section).max())).astype(np.float32))
    return np.concatenate(sections)


def make_mumble(sample_rate: int, seconds: float, seed: int = 0) -> np.ndarray:
    """Make sound that is like speech and says nothing: two to seven syllables a second by a voice without words.

    It is a voiced source of random pitch, or a breath, through three resonances as in Klatt (1980). The resonances
    glide between random places of vowels from syllable to syllable.

    Args:
        sample_rate: Sample rate in hertz.
        seconds: Length of the waveform.
        seed: Decides all that is random.

    Returns:
        The waveform (time,), float32, with a peak of 0.7.

    Raises:
        ValueError: It is shorter than a sample.

    Example:
        >>> mumble = make_mumble(16_000, seconds=1)
        >>> mumble.shape, float(abs(mumble).max())
        ((16000,), 0.699999988079071)
    """
    n_samples = _n_samples(sample_rate, seconds)
    generator = np.random.default_rng(seed)
    n_syllables = max(round(seconds * generator.uniform(2, 7)), 1)
    ends = np.linspace(0, n_samples, 2 * n_syllables + 1)  # consonant, vowel, consonant, ...

    def glide(values: np.ndarray) -> np.ndarray:
        curve: np.ndarray = np.interp(np.arange(n_samples), ends, values)
        return curve

    pitch = glide(generator.uniform(80, 250) * 2 ** generator.uniform(-0.3, 0.3, len(ends)))
    voice = _pulses(pitch, sample_rate)
    breath = generator.standard_normal(n_samples)
    opened = np.where(np.arange(len(ends)) % 2, 1.0, generator.uniform(0, 0.4, len(ends)))
    voiced = glide(np.where(np.arange(len(ends)) % 2, 1.0, generator.choice([0.0, 1.0], len(ends))))
    sound = glide(opened) * (voiced * _normalized(voice) + (1 - 0.95 * voiced) * 0.3 * breath)
    spectrum = np.fft.rfft(sound)
    frequency = np.fft.rfftfreq(n_samples, 1 / sample_rate)
    # Each vowel filters the whole, and the filtered ones are blended one into the next.
    blended = np.zeros(n_samples)
    for number in range(n_syllables):
        gain = np.ones(len(frequency))
        for low, high, width in ((250, 850, 90), (700, 2400, 120), (2300, 3200, 180)):
            gain *= 1 / np.hypot(1, (frequency - generator.uniform(low, high)) / width) ** 0.5
        near = np.maximum(1 - np.abs(np.arange(n_samples) * n_syllables / n_samples - number - 0.5), 0)
        blended += near * np.fft.irfft(spectrum * gain, n_samples)
    return _at_peak(blended)


def make_notes(sample_rate: int, seconds: float, seed: int = 0) -> np.ndarray:
    """Make what an instrument plays that holds its notes, as winds and strings do: one to three notes, one by one.

    Args:
        sample_rate: Sample rate in hertz.
        seconds: Length of the waveform.
        seed: Decides all that is random: pitches from 40 to 1200 Hz, vibrato, attack, and the colour of the sound.

    Returns:
        The waveform (time,), float32, with a peak of 0.7.

    Raises:
        ValueError: It is shorter than a sample.

    Example:
        >>> notes = make_notes(16_000, seconds=1)
        >>> notes.shape, float(abs(notes).max())
        ((16000,), 0.699999988079071)
    """
    n_samples = _n_samples(sample_rate, seconds)
    generator = np.random.default_rng(seed)
    time = np.arange(n_samples) / sample_rate
    sound = np.zeros(n_samples)
    n_notes = int(generator.integers(1, 4))
    starts = np.sort(generator.uniform(-0.2, 0.8, n_notes)) * seconds
    for start, end in zip(starts, [*starts[1:], starts[-1] + seconds * generator.uniform(0.3, 1)], strict=True):
        vibrato = 1 + generator.uniform(0, 0.02) * np.sin(2 * np.pi * generator.uniform(4, 7) * time)
        pitch = np.exp(generator.uniform(np.log(40), np.log(1200))) * vibrato
        attack, release = generator.uniform(0.005, 0.15, 2)
        swell = np.minimum((time - start) / attack, (end - time) / release).clip(0, 1)
        breath = generator.uniform(0, 0.1) * generator.standard_normal(n_samples)
        sound += swell * (_normalized(_pulses(pitch, sample_rate)) + breath)
    frequency = np.fft.rfftfreq(n_samples, 1 / sample_rate)
    gain = (1 + frequency / generator.uniform(100, 1000)) ** -generator.uniform(0.5, 2.5)
    for centre in np.exp(generator.uniform(np.log(200), np.log(3000), 3)):  # what the body amplifies
        gain *= 1 + generator.uniform(0, 4) / np.hypot(1, (frequency - centre) / generator.uniform(80, 400))
    return _at_peak(np.fft.irfft(np.fft.rfft(sound) * gain, n_samples))


def _at_peak(sound: np.ndarray) -> np.ndarray:
    scaled: np.ndarray = (sound * (0.7 / max(np.abs(sound).max(), 1e-9))).astype(np.float32)
    return scaled


def make_floor(sample_rate: int, seconds: float, seed: int = 0) -> np.ndarray:
    """Make what a microphone hears where nothing sounds: white, pink or brown noise, or hum, of -80 to -40 dB.

    Args:
        sample_rate: Sample rate in hertz.
        seconds: Length of the waveform.
        seed: Decides all that is random.

    Returns:
        The waveform (time,), float32; decibels are those of its root mean square below full scale.

    Raises:
        ValueError: It is shorter than a sample.

    Example:
        >>> floor = make_floor(16_000, seconds=1)
        >>> floor.shape, bool(abs(floor).max() < 0.1)
        ((16000,), True)
    """
    n_samples = _n_samples(sample_rate, seconds)
    generator = np.random.default_rng(seed)
    kind, decibels = generator.integers(4), generator.uniform(-80, -40)
    noise = (
        _hum(n_samples, sample_rate, generator)
        if kind == 3
        else _colored(n_samples, sample_rate, generator, exponent=float(kind))
    )
    return (_normalized(noise) * 10 ** (decibels / 20)).astype(np.float32)


def _n_samples(sample_rate: int, seconds: float) -> int:
    n_samples = round(seconds * sample_rate)
    check_that(n_samples >= 1, "seconds", f"at least one sample at {sample_rate} Hz", seconds)
    return n_samples


def _pulses(pitch: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return a pulse, smoothed as the glottis does, at each period of a pitch, (time,) in hertz."""
    phase = np.cumsum(pitch / sample_rate)
    pulses = np.diff(np.floor(phase), prepend=0.0)
    frequency = np.fft.rfftfreq(len(pulses), 1 / sample_rate)
    smoothed = np.fft.irfft(np.fft.rfft(pulses) / (1 + (frequency / 200) ** 2) ** 0.5, len(pulses))
    smoothed -= smoothed.mean()
    return smoothed


def _colored(
    length: int, sample_rate: float, generator: np.random.Generator, *, exponent: float, low_hz: float = 20.0
) -> np.ndarray:
    """Return noise whose power falls as 1 / frequency ** exponent above `low_hz`."""
    frequency = np.fft.rfftfreq(length, 1 / sample_rate)
    spectrum = np.fft.rfft(generator.standard_normal(length)) / np.maximum(frequency, low_hz) ** (exponent / 2)
    return np.fft.irfft(spectrum, length)


def _band(length: int, sample_rate: float, generator: np.random.Generator) -> np.ndarray:
    """Return white noise through a smooth band-pass with a random centre and a width of half to two octaves."""
    center, octaves = generator.uniform(np.log2(150), np.log2(0.4 * sample_rate)), generator.uniform(0.5, 2)
    distance = np.log2(np.fft.rfftfreq(length, 1 / sample_rate) + 1e-3) - center
    gain = np.exp(-0.5 * (2 * distance / octaves) ** 2)
    return np.fft.irfft(np.fft.rfft(generator.standard_normal(length)) * gain, length)


def _hum(length: int, sample_rate: float, generator: np.random.Generator) -> np.ndarray:
    """Return mains hum at 50 or 60 Hz with its harmonics, over a little pink noise."""
    time = np.arange(length) / sample_rate
    hum = 0.05 * _normalized(_colored(length, sample_rate, generator, exponent=1.0))
    base = generator.choice([50.0, 60.0])
    for harmonic in range(1, min(20, int(sample_rate / 2 / base))):
        phase = generator.uniform(0, 2 * np.pi)
        hum += generator.uniform(0, 1) / harmonic * np.sin(2 * np.pi * base * harmonic * time + phase)
    return hum


def _babble(length: int, sample_rate: float, generator: np.random.Generator) -> np.ndarray:
    """Return the sum of six noises with the spectrum of speech, each swelling a few times a second."""
    total = np.zeros(length)
    time = np.arange(length) / sample_rate
    for _ in range(6):
        voice = _colored(length, sample_rate, generator, exponent=2.0, low_hz=generator.uniform(300, 700))
        wobble = _colored(length, sample_rate, generator, exponent=4.0, low_hz=1.0)
        syllables = np.sin(2 * np.pi * generator.uniform(2, 6) * time + 2 * _normalized(wobble))
        total += _normalized(voice) * (0.55 + 0.45 * syllables) ** 2
    return total


def _normalized(waveform: np.ndarray) -> np.ndarray:
    normalized: np.ndarray = waveform / (waveform.std() + 1e-12)
    return normalized
