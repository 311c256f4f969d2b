"""Noise behind a clip."""

import torch
from torch import Generator, Tensor, nn

from audionet.augment.drawing import check_range, to_float, uniform
from audionet.checks import check_at_least
from audionet.registry import NamedArguments

SILENCE_NOISE = (
    0.0,
    1.0,
)  # amplitude of the noise that fills the clips of the silence class (TensorFlow's input_data.py)


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
        batch, time = waveform.shape
        # It moves to the clips once and stays there. A buffer would be sent by DDP to every process at every step.
        self.background = background = self.background.to(waveform.device)
        if len(background) < time:
            raise ValueError(
                f"background: expected at least as many samples as a clip has, {time}, got {len(background)}; "
                "give longer recordings"
            )
        start = torch.randint(len(background) - time + 1, (batch,), generator=generator)
        noise = to_float(background.unfold(0, time, 1)[start.to(waveform.device)]).to(waveform.dtype)
        # A filter leaves a little everywhere, so what sounds is what lies within 60 dB of the peak.
        sounding = (waveform.abs() > 1e-3 * waveform.abs().amax(-1, keepdim=True)).sum(-1)
        if self.max_amplitude is not None:
            scale = uniform(batch, 0, self.max_amplitude, waveform, generator)
        else:
            assert self.min_snr_db is not None and self.max_snr_db is not None
            snr_db = uniform(batch, self.min_snr_db, self.max_snr_db, waveform, generator)
            power = waveform.square().sum(-1) / sounding.clamp(min=1)
            noise_power = noise.square().mean(-1).clamp(min=1e-10)
            scale = (power / noise_power).sqrt() * 10 ** (-snr_db / 20)
        scale = scale * (uniform(batch, 0, 1, waveform, generator) < self.p)
        silence_scale = uniform(batch, *SILENCE_NOISE, waveform, generator)
        if silence is not None:
            scale = torch.where(silence.to(scale.device), silence_scale, scale)
        return waveform + noise * scale[:, None]
