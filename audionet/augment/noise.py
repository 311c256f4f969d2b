"""Noise behind a clip."""

import torch
from torch import Generator, Tensor, nn

from audionet.augment.drawing import check_range, to_float, uniform
from audionet.checks import check_at_least, check_that
from audionet.registry import NamedArguments

SILENCE_NOISE = (0.0, 1.0)
"""Lowest and highest amplitude of the noise that fills the clips of the silence class (TensorFlow's input_data.py)."""


class BackgroundNoise(NamedArguments, nn.Module):
    """A random stretch of background noise added to each clip, at an amplitude or at a signal-to-noise ratio.

    The silences, clips of the class without speech, always get noise, at U(0, 1) of its own amplitude.

    Args:
        background: (time,), int16 or float, the recordings end to end.
        p: Probability that a clip which is not silence gets noise.
        max_amplitude: Largest scale of the noise; it is U(0, max_amplitude). Either this or the ratio is given.
        min_snr_db: Lowest signal-to-noise ratio in decibels, measured where the clip sounds.
        max_snr_db: Highest signal-to-noise ratio in decibels.

    Raises:
        ValueError: An argument is out of its range, or the background is empty.

    Example:
        >>> noise = BackgroundNoise(torch.ones(100), max_amplitude=0.1)
        >>> noise(torch.zeros(1, 3), torch.Generator().manual_seed(0), silence=torch.tensor([True]))
        tensor([[0.1320, 0.1320, 0.1320]])
    """

    def __init__(
        self,
        background: Tensor,
        *,
        p: float = 1.0,
        max_amplitude: float | None = None,
        min_snr_db: float | None = None,
        max_snr_db: float | None = None,
    ) -> None:
        super().__init__()
        if (min_snr_db is None) != (max_snr_db is None) or (min_snr_db is None) == (max_amplitude is None):
            raise ValueError("noise: expected either max_amplitude, or both min_snr_db and max_snr_db")
        if background.numel() == 0:
            raise ValueError(
                "background: expected recordings of noise, got none; name some in the corpus's card, or drop `noise`"
            )
        check_at_least(0, 1, p=p)
        if max_amplitude is not None:
            check_at_least(0, max_amplitude=max_amplitude)
        if min_snr_db is not None and max_snr_db is not None:
            check_range(min_snr_db=min_snr_db, max_snr_db=max_snr_db)
        self.background = background
        self.p, self.max_amplitude, self.min_snr_db, self.max_snr_db = p, max_amplitude, min_snr_db, max_snr_db

    def forward(self, waveform: Tensor, generator: Generator, silence: Tensor | None = None) -> Tensor:
        """Map (batch, time) to (batch, time); ``silence``, (batch,) bool, says which clips are silences."""
        batch = len(waveform)
        # It moves to the clips once and stays there. A buffer would be sent by DDP to every process at every step.
        self.background = self.background.to(waveform.device)
        noise = stretches(self.background, waveform, generator, name="background")
        if self.max_amplitude is not None:
            scale = uniform(batch, 0, self.max_amplitude, waveform, generator)
        else:
            assert self.min_snr_db is not None and self.max_snr_db is not None
            snr_db = uniform(batch, self.min_snr_db, self.max_snr_db, waveform, generator)
            noise_power = noise.square().mean(-1).clamp(min=1e-10)
            scale = (sounding_power(waveform) / noise_power).sqrt() * 10 ** (-snr_db / 20)
        scale = scale * (uniform(batch, 0, 1, waveform, generator) < self.p)
        silence_scale = uniform(batch, *SILENCE_NOISE, waveform, generator)
        if silence is not None:
            scale = torch.where(silence.to(scale.device), silence_scale, scale)
        return waveform + noise * scale[:, None]


class OtherSpeech(NamedArguments, nn.Module):
    """Other people who talk behind each clip, one or several; silences, clips without speech, stay as they are.

    Args:
        speech: (time,), int16 or float, recordings of speech end to end.
        max_speakers: Most people at once; their number is U{1, ..., max_speakers}.
        min_snr_db: Lowest level of the clip above all of them, measured where either sounds, in decibels.
        max_snr_db: Highest level in decibels.

    Raises:
        ValueError: An argument is out of its range, or there is no speech.

    Example:
        >>> behind = OtherSpeech(waveform[0], min_snr_db=10, max_snr_db=20)
        >>> behind(waveform[:, :4000], torch.Generator().manual_seed(0)).shape
        torch.Size([1, 4000])
    """

    def __init__(
        self, speech: Tensor, *, max_speakers: int = 3, min_snr_db: float = 5.0, max_snr_db: float = 25.0
    ) -> None:
        super().__init__()
        if speech.numel() == 0:
            raise ValueError("speech: expected recordings of speech, got none; give some, or drop `other_speech`")
        check_at_least(1, 100, max_speakers=max_speakers, whole=True)
        check_range(min_snr_db=min_snr_db, max_snr_db=max_snr_db)
        self.speech, self.max_speakers = speech, max_speakers
        self.min_snr_db, self.max_snr_db = min_snr_db, max_snr_db

    def forward(self, waveform: Tensor, generator: Generator, silence: Tensor | None = None) -> Tensor:
        """Map (batch, time) to (batch, time); ``silence``, (batch,) bool, says which clips are silences."""
        batch = len(waveform)
        self.speech = self.speech.to(waveform.device)
        n_speakers = torch.randint(1, self.max_speakers + 1, (batch,), generator=generator)
        others = torch.zeros_like(waveform)
        for number in range(self.max_speakers):
            one = stretches(self.speech, waveform, generator, name="speech")
            others += one * (number < n_speakers).to(waveform)[:, None]
        snr_db = uniform(batch, self.min_snr_db, self.max_snr_db, waveform, generator)
        scale = (sounding_power(waveform) / sounding_power(others).clamp(min=1e-10)).sqrt() * 10 ** (-snr_db / 20)
        if silence is not None:
            scale = scale * ~silence.to(scale.device)
        return waveform + others * scale[:, None]


def stretches(recordings: Tensor, like: Tensor, generator: Generator, *, name: str) -> Tensor:
    """Draw a stretch of recordings for each clip of ``like``, (batch, time), with its type.

    Args:
        recordings: (time,), int16 or float, on the device of the clips.
        like: (batch, time), the clips.
        generator: Source of all randomness.
        name: Name of the recordings in a message.

    Raises:
        ValueError: The recordings are shorter than a clip.

    Example:
        >>> stretches(torch.arange(5.0), torch.zeros(2, 4), torch.Generator().manual_seed(0), name="background")
        tensor([[0., 1., 2., 3.],
                [1., 2., 3., 4.]])
    """
    batch, time = like.shape
    expected = f"at least as many samples as a clip has, {time}"
    check_that(len(recordings) >= time, name, expected, len(recordings), "give longer recordings")
    start = torch.randint(len(recordings) - time + 1, (batch,), generator=generator)
    return to_float(recordings.unfold(0, time, 1)[start.to(like.device)]).to(like.dtype)


def sounding_power(waveform: Tensor) -> Tensor:
    """Return the mean power of clips where they sound, (batch,): within 60 dB of the peak; a filter leaves a little.

    Example:
        >>> sounding_power(torch.tensor([[0.0, 1.0, 1.0, 0.0]]))
        tensor([1.])
    """
    sounding = (waveform.abs() > 1e-3 * waveform.abs().amax(-1, keepdim=True)).sum(-1)
    return waveform.square().sum(-1) / sounding.clamp(min=1)
