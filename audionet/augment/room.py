"""Rooms with six walls, whose reflections are those of mirror images (Allen and Berkley, 1979)."""

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Generator, Tensor, nn

from audionet.augment.drawing import check_range
from audionet.checks import check_at_least
from audionet.randomness import check_seed
from audionet.registry import NamedArguments

SPEED_OF_SOUND = 343.0
SMALLEST, LARGEST = np.array([1.5, 1.5, 2.0]), np.array([8.0, 6.0, 3.5])  # metres
MARGIN = 0.2  # metres between a wall and what is in the room
CROSSOVER = 1500.0  # hertz, between the walls' reflection of low and of high tones
LOWEST = 60.0  # hertz that a response begins at: images alone would pile up below it


class Room(NamedArguments, nn.Module):
    """A room for each clip, one of a bank of responses that is computed once: walls, a mouth and a microphone.

    Sizes, places and reverberation times are drawn from the seed. The walls reflect high tones less than low ones.
    The direct sound stays where it is, and the response has an energy of 1, so that the clip keeps its own.

    Args:
        sample_rate: Sample rate in hertz.
        n_rooms: Size of the bank.
        min_rt60: Shortest reverberation time, to a decay of 60 dB, in seconds.
        max_rt60: Longest reverberation time in seconds.
        seconds: Length of a response.
        seed: Seed of the bank.

    Raises:
        ValueError: An argument is out of its range.

    Example:
        >>> room = Room(sample_rate=sample_rate, n_rooms=2, seconds=0.1)
        >>> room(waveform, torch.Generator().manual_seed(0)).shape == waveform.shape
        True
    """

    def __init__(
        self,
        *,
        sample_rate: int,
        n_rooms: int = 64,
        min_rt60: float = 0.1,
        max_rt60: float = 0.6,
        seconds: float = 0.3,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_at_least(200, sample_rate=sample_rate)
        check_at_least(1, 10_000, n_rooms=n_rooms, whole=True)
        check_at_least(0.02, 10, min_rt60=min_rt60, max_rt60=max_rt60)
        check_range(min_rt60=min_rt60, max_rt60=max_rt60)
        check_at_least(0.01, 2, seconds=seconds)
        check_seed(seed)
        self.bank = room_bank(sample_rate, n_rooms, min_rt60, max_rt60, seconds, seed)
        self.spectra = torch.empty(0)  # of the bank, for the clips' length, type and device

    def forward(self, waveform: Tensor, generator: Generator) -> Tensor:
        """Map (batch, time) to (batch, time)."""
        batch, time = waveform.shape
        drawn = torch.randint(len(self.bank), (batch,), generator=generator).to(waveform.device)
        n_fft = fast_length(time + self.bank.shape[1])
        if self.spectra.shape[1:] != (n_fft // 2 + 1,) or self.spectra.real.dtype != waveform.dtype:
            self.spectra = torch.fft.rfft(self.bank.to(waveform.dtype), n_fft)
        self.spectra = self.spectra.to(waveform.device)
        heard: Tensor = torch.fft.irfft(torch.fft.rfft(waveform, n_fft) * self.spectra[drawn], n_fft)
        return heard[:, :time]


@lru_cache(maxsize=4)
def room_bank(sample_rate: int, n_rooms: int, min_rt60: float, max_rt60: float, seconds: float, seed: int) -> Tensor:
    """Draw rooms and return their responses, (n_rooms, time), each with an energy of 1; the direct sound is first.

    Example:
        >>> room_bank(16_000, 2, 0.1, 0.3, 0.1, 0).shape
        torch.Size([2, 1600])
    """
    draw = np.random.default_rng(seed)
    time = round(seconds * sample_rate)
    fade = np.ones(time)
    fade[-time // 5 :] = np.cos(np.linspace(0, np.pi / 2, len(fade[-time // 5 :]))) ** 2
    bank = []
    for _ in range(n_rooms):
        size = draw.uniform(SMALLEST, LARGEST)
        mouth, microphone = draw.uniform(MARGIN, size - MARGIN, (2, 3))
        rt60 = draw.uniform(min_rt60, max_rt60)
        times = rt60, rt60 * draw.uniform(0.4, 1)
        low, high = (response(size, mouth, microphone, each, time, sample_rate) for each in times)
        bank.append(_in_two_bands(low, high, sample_rate) * fade)
    responses = torch.from_numpy(np.array(bank)).float()
    return responses / responses.square().sum(-1, keepdim=True).sqrt()


def response(
    size: np.ndarray, mouth: np.ndarray, microphone: np.ndarray, rt60: float, time: int, sample_rate: int
) -> np.ndarray:
    """Return a room's response from the direct sound on, (time,), by the images of the mouth behind all walls.

    Args:
        size: Length, width and height of the room in metres.
        mouth: Place of the source in the room in metres.
        microphone: Place of the microphone.
        rt60: Reverberation time in seconds, from which Eyring's formula gives the walls' reflection.
        time: Samples of the response.
        sample_rate: Sample rate in hertz.

    Example:
        >>> size, mouth, microphone = np.array([4.0, 3.0, 2.5]), np.array([1.0, 1.0, 1.2]), np.array([3.0, 2.0, 1.2])
        >>> response(size, mouth, microphone, 0.3, 100, 16_000)[:3].round(2)
        array([0.45, 0.  , 0.  ])
    """
    surface = 2 * (size[0] * size[1] + size[0] * size[2] + size[1] * size[2])
    reflection = math.sqrt(math.exp(-24 * math.log(10) / SPEED_OF_SOUND * size.prod() / surface / rt60))
    nearest = float(np.linalg.norm(mouth - microphone))
    reach = nearest + SPEED_OF_SOUND * time / sample_rate
    squares, bounces = [], []
    for length, source, place in zip(size, mouth, microphone, strict=True):
        number = np.arange(-math.ceil(reach / 2 / length) - 1, math.ceil(reach / 2 / length) + 2)
        # An image lies at 2 n L + x after 2 |n| bounces, and at 2 n L - x after |2 n - 1|.
        squares.append(np.concatenate([2 * number * length + source, 2 * number * length - source]) - place)
        bounces.append(np.concatenate([np.abs(2 * number), np.abs(2 * number - 1)]))
    x, y, z = (each**2 for each in squares)
    flat, n_flat = (x[:, None] + y).ravel(), (bounces[0][:, None] + bounces[1]).ravel()
    near = flat < reach**2
    distance = np.sqrt(flat[near][:, None] + z).ravel()
    n_bounces = (n_flat[near][:, None] + bounces[2]).ravel()
    delay = (distance - nearest) * (sample_rate / SPEED_OF_SOUND)
    within = delay < time - 1
    delay, loudness = delay[within], reflection ** n_bounces[within] / distance[within]
    first = delay.astype(int)
    share = delay - first  # a delay between two samples is shared by them
    return np.bincount(first, loudness * (1 - share), time) + np.bincount(first + 1, loudness * share, time)


def fast_length(length: int) -> int:
    """Return the smallest length of an FFT, a power of two or 3 or 5 times one, that is no shorter.

    Example:
        >>> fast_length(20_801)
        24576
    """
    power = 1 << max(0, math.ceil(math.log2(length)) - 3)
    return next(factor * power for factor in (5, 6, 8, 10, 12, 16) if factor * power >= length)


def _in_two_bands(low: np.ndarray, high: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return one response below the crossover and the other above it, without what lies below all speech."""
    n_fft = 2 * len(low)
    hertz = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    above = 1 / (1 + (CROSSOVER / hertz.clip(1)) ** 2)
    speech = 1 / (1 + (LOWEST / hertz.clip(1)) ** 4)
    spectrum = (np.fft.rfft(low, n_fft) * (1 - above) + np.fft.rfft(high, n_fft) * above) * speech
    return np.fft.irfft(spectrum, n_fft)[: len(low)]
