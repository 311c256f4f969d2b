"""Batched augmentation of waveforms and spectrograms, on whatever device they are.

Every random number is drawn on the CPU from the generator passed in, so that the same seed gives the same parameters
on any device. Waveforms are (batch, time), mono, float.
"""

import inspect
import math
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F
from torchaudio.functional import resample

SILENCE_NOISE = (0.0, 1.0)  # amplitude of the noise that fills clips of digital silence (TensorFlow's input_data.py)


def uniform(n: int, low: float, high: float, like: Tensor, generator: Generator) -> Tensor:
    """Draw (n,) from U(low, high) on the CPU and hand them over on ``like``'s device."""
    return (low + (high - low) * torch.rand(n, generator=generator)).to(like.device, like.dtype)


def to_float(pcm: Tensor) -> Tensor:
    """Turn int16 samples into float32 in [-1, 1); float samples pass."""
    return pcm if pcm.is_floating_point() else pcm.to(torch.float32) / 32768


class TimeShift(nn.Module):
    """Move each clip by U(-seconds, seconds) to a whole sample; what enters is silence."""

    def __init__(self, *, sample_rate: int, seconds: float = 0.1) -> None:
        super().__init__()
        self.n_samples = round(seconds * sample_rate)

    def forward(self, waveform: Tensor, generator: Generator) -> Tensor:
        """Map (batch, time) to (batch, time)."""
        batch, time = waveform.shape
        shift = torch.randint(-self.n_samples, self.n_samples + 1, (batch,), generator=generator)
        padded = F.pad(waveform, (self.n_samples, self.n_samples))
        windows = padded.unfold(-1, time, 1)  # (batch, 2 * n_samples + 1, time), a view
        return windows[torch.arange(batch, device=waveform.device), (self.n_samples - shift).to(waveform.device)]


class Speed(nn.Module):
    """Play each clip faster or slower by up to ``amount``, about its centre; the pitch moves with it.

    The rates are the fractions with denominators up to ten, so that clips of one rate are resampled together, exactly.
    """

    def __init__(self, *, amount: float = 0.2) -> None:
        super().__init__()
        fractions = {Fraction(n, d) for d in range(1, 11) for n in range(1, 21)}
        self.rates = sorted(rate for rate in fractions if float(abs(rate - 1)) <= amount)

    def forward(self, waveform: Tensor, generator: Generator) -> Tensor:
        """Map (batch, time) to (batch, time)."""
        batch, time = waveform.shape
        drawn = torch.randint(len(self.rates), (batch,), generator=generator)
        result = waveform.clone()
        for index in drawn.unique().tolist():
            rows = (drawn == index).nonzero()[:, 0].to(waveform.device)
            rate = self.rates[index]
            played = resample(waveform[rows], rate.numerator, rate.denominator)
            missing = time - played.shape[-1]
            result[rows] = F.pad(played, (missing // 2, missing - missing // 2))  # a negative pad crops
        return result


class Gain(nn.Module):
    """Scale each clip by U(min_db, max_db)."""

    def __init__(self, *, min_db: float = -12.0, max_db: float = 6.0) -> None:
        super().__init__()
        self.min_db, self.max_db = min_db, max_db

    def forward(self, waveform: Tensor, generator: Generator) -> Tensor:
        """Map (batch, time) to (batch, time)."""
        db = uniform(len(waveform), self.min_db, self.max_db, waveform, generator)
        return waveform * 10 ** (db / 20)[:, None]


class Equalize(nn.Module):
    """Filter each clip with a smooth random response: tilt, bands and a low-pass, without phase.

    Args:
        sample_rate: In hertz.
        tilt_db: Slope over the whole spectrum, U(-tilt_db, tilt_db), on an octave scale.
        band_db: Gain of each of ``n_bands`` bands, U(-band_db, band_db), interpolated on an octave scale.
        n_bands: Number of bands.
        low_pass_hz: Lowest cut-off; it is log-uniform between this and half the sample rate. None for no low-pass.
        low_pass_p: Probability of the low-pass.
    """

    def __init__(
        self,
        *,
        sample_rate: int,
        tilt_db: float = 6.0,
        band_db: float = 6.0,
        n_bands: int = 8,
        low_pass_hz: float | None = None,
        low_pass_p: float = 0.5,
    ) -> None:
        super().__init__()
        self.sample_rate, self.tilt_db, self.band_db, self.n_bands = sample_rate, tilt_db, band_db, n_bands
        self.low_pass_hz, self.low_pass_p = low_pass_hz, low_pass_p

    def forward(self, waveform: Tensor, generator: Generator) -> Tensor:
        """Map (batch, time) to (batch, time)."""
        batch, time = waveform.shape
        nyquist = self.sample_rate / 2
        hertz = torch.linspace(0, nyquist, time // 2 + 1, device=waveform.device, dtype=waveform.dtype)
        octave = torch.log2(1 + hertz / 250) / math.log2(1 + nyquist / 250)  # 0 to 1
        bands = uniform(batch * self.n_bands, -self.band_db, self.band_db, waveform, generator)
        tilt = uniform(batch, -self.tilt_db, self.tilt_db, waveform, generator)
        position = octave * (self.n_bands - 1)
        left = position.long().clamp(max=self.n_bands - 2)
        hat = position - left
        bands = bands.view(batch, self.n_bands)
        db = bands[:, left] * (1 - hat) + bands[:, left + 1] * hat + tilt[:, None] * (2 * octave - 1)
        if self.low_pass_hz is not None:
            drawn = uniform(batch, math.log(self.low_pass_hz), math.log(nyquist), waveform, generator).exp()
            skipped = uniform(batch, 0, 1, waveform, generator) >= self.low_pass_p
            cutoff = torch.where(skipped, math.inf, drawn)
            db = db - 10 * torch.log10(1 + (hertz / cutoff[:, None]) ** 8)  # fourth-order Butterworth
        return torch.fft.irfft(torch.fft.rfft(waveform) * 10 ** (db / 20), time)


class Reverb(nn.Module):
    """Convolve each clip with exponentially decaying noise behind its direct sound, at the clip's own energy.

    Args:
        sample_rate: In hertz.
        min_rt60: Shortest time to decay by 60 dB, in seconds.
        max_rt60: Longest.
        max_wet: Largest energy of the reverberation relative to the direct sound; it is U(0, max_wet).
    """

    def __init__(self, *, sample_rate: int, min_rt60: float = 0.1, max_rt60: float = 0.5, max_wet: float = 1.0) -> None:
        super().__init__()
        self.sample_rate, self.min_rt60, self.max_rt60, self.max_wet = sample_rate, min_rt60, max_rt60, max_wet

    def forward(self, waveform: Tensor, generator: Generator) -> Tensor:
        """Map (batch, time) to (batch, time)."""
        batch, time = waveform.shape
        n_response = round(self.max_rt60 * self.sample_rate)
        rt60 = uniform(batch, self.min_rt60, self.max_rt60, waveform, generator)
        wet = uniform(batch, 0, self.max_wet, waveform, generator)
        noise = torch.randn(batch, n_response, generator=generator).to(waveform)
        seconds = torch.arange(n_response, device=waveform.device) / self.sample_rate
        tail = noise * 10 ** (-3 * seconds / rt60[:, None])
        response = tail * (wet / tail.square().sum(-1)).sqrt()[:, None]
        response[:, 0] += 1
        response = response / response.square().sum(-1, keepdim=True).sqrt()
        n_fft = time + n_response
        return torch.fft.irfft(torch.fft.rfft(waveform, n_fft) * torch.fft.rfft(response, n_fft), n_fft)[:, :time]


class BackgroundNoise(nn.Module):
    """Add a random stretch of a background recording, at an amplitude or at a signal-to-noise ratio.

    Clips of digital silence, which stand for the silence class, get the noise at U(0, 1) of its own amplitude.

    Args:
        background: (time,), int16 or float, the recordings end to end.
        p: Probability for a clip that is not silence.
        max_amplitude: The noise is scaled by U(0, max_amplitude). Either this or the ratio is given.
        min_snr_db: Lowest ratio of the clip's power (where it sounds) to the noise's, in decibels.
        max_snr_db: Highest.
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
            raise ValueError("noise takes either max_amplitude, or both min_snr_db and max_snr_db")
        if background.numel() == 0:
            raise ValueError(
                "the corpus has no background recordings for `noise`: name some in its card, or drop `noise`"
            )
        self.background = background  # no buffer: DDP would send it to every process at every step
        self.p, self.max_amplitude, self.min_snr_db, self.max_snr_db = p, max_amplitude, min_snr_db, max_snr_db

    def forward(self, waveform: Tensor, generator: Generator) -> Tensor:
        """Map (batch, time) to (batch, time)."""
        batch, time = waveform.shape
        if len(self.background) < time:
            raise ValueError(
                f"the background recordings have {len(self.background)} samples, the clips {time}: "
                "give `noise` recordings longer than one clip"
            )
        self.background = self.background.to(waveform.device)
        start = torch.randint(len(self.background) - time + 1, (batch,), generator=generator)
        noise = to_float(self.background.unfold(0, time, 1)[start.to(waveform.device)]).to(waveform.dtype)
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
        return waveform + noise * torch.where(sounding == 0, silence_scale, scale)[:, None]


WAVEFORM_AUGMENTATIONS: dict[str, type[nn.Module]] = {
    "speed": Speed,
    "time_shift": TimeShift,
    "equalize": Equalize,
    "reverb": Reverb,
    "gain": Gain,
    "noise": BackgroundNoise,
}


class Augment(nn.Module):
    """A chain of waveform augmentations, each applied to a clip with its own probability, in the order given.

    Args:
        augmentations: Name (a key of ``WAVEFORM_AUGMENTATIONS``) to its arguments, with ``p`` its probability; None in
            place of the arguments leaves it out.
        sample_rate: In hertz, for those that need it.
        background: (time,), int16 or float, for ``noise``.
        p: Probability that a clip goes through the chain at all; clips of digital silence always do.

    Shape:
        (batch, time) -> (batch, time), within [-1, 1]

    Raises:
        ValueError: If a name is unknown or an argument does not fit.
    """

    def __init__(
        self,
        augmentations: dict[str, dict[str, Any] | None],
        *,
        sample_rate: int,
        background: Tensor,
        p: float = 1.0,
    ) -> None:
        super().__init__()
        self.p = p
        self.steps = nn.ModuleList()
        self.probabilities: list[float] = []
        for name, given in augmentations.items():
            if name not in WAVEFORM_AUGMENTATIONS:
                raise ValueError(f"unknown augmentation {name!r}; known: {', '.join(WAVEFORM_AUGMENTATIONS)}")
            if given is None:
                continue
            arguments = dict(given)
            if not 0 <= arguments.get("p", 1.0) <= 1:
                raise ValueError(f"augmentation {name}: p = {arguments['p']}: expected a probability, 0 to 1")
            if name == "noise":  # keeps its p, because silence gets noise whatever it is
                arguments["background"], probability = background, 1.0
            else:
                probability = arguments.pop("p", 1.0)
            build = WAVEFORM_AUGMENTATIONS[name]
            if "sample_rate" in inspect.signature(build).parameters:
                arguments["sample_rate"] = sample_rate
            try:
                self.steps.append(build(**arguments))
            except TypeError as error:
                raise ValueError(f"augmentation {name}: {error}") from error
            self.probabilities.append(probability)

    def forward(self, waveform: Tensor, generator: Generator) -> Tensor:
        """Map (batch, time) to (batch, time)."""
        original = waveform
        for step, p in zip(self.steps, self.probabilities, strict=True):
            if p >= 1:
                waveform = step(waveform, generator)
                continue
            rows = (torch.rand(len(waveform), generator=generator) < p).nonzero()[:, 0].to(waveform.device)
            if len(rows):
                waveform = waveform.index_copy(0, rows, step(waveform[rows], generator))
        waveform = waveform.clamp(-1, 1)
        if self.p >= 1:
            return waveform
        spared = (torch.rand(len(waveform), generator=generator) >= self.p).to(waveform.device)
        return torch.where((spared & original.any(-1))[:, None], original, waveform)


class SpecAugment(nn.Module):
    """Mask random stretches of frames and of bands (Park et al., 2019, arXiv 1904.08779, without the time warp).

    Args:
        n_time_masks: Masks along time.
        time_width: Longest, in frames; each is U{0, ..., time_width}.
        n_frequency_masks: Masks along frequency.
        frequency_width: Widest, in bands.
        p: Probability for a clip.
        fill: "zero", as BC-ResNet's released code, or "mean", each clip's own mean.

    Shape:
        (batch, 1, band, frame) -> the same
    """

    def __init__(
        self,
        *,
        n_time_masks: int = 2,
        time_width: int = 20,
        n_frequency_masks: int = 2,
        frequency_width: int = 5,
        p: float = 1.0,
        fill: str = "zero",
    ) -> None:
        super().__init__()
        if fill not in ("zero", "mean"):
            raise ValueError(f"fill = {fill!r}: expected 'zero' or 'mean'")
        self.masks = ((n_frequency_masks, frequency_width, -2), (n_time_masks, time_width, -1))
        self.p, self.fill = p, fill

    def forward(self, spectrogram: Tensor, generator: Generator) -> Tensor:
        """Map (batch, 1, band, frame) to the same shape."""
        batch = len(spectrogram)
        fill = spectrogram.mean((1, 2, 3), keepdim=True) if self.fill == "mean" else spectrogram.new_zeros(())
        chosen = torch.rand(batch, 1, generator=generator) < self.p
        hidden = torch.zeros((), dtype=torch.bool, device=spectrogram.device)
        for n_masks, width, axis in self.masks:
            size = spectrogram.shape[axis]
            length = (torch.rand(batch, n_masks, generator=generator) * (width + 1)).long().clamp(max=size) * chosen
            start = (torch.rand(batch, n_masks, generator=generator) * (size - length + 1)).long()
            place = torch.arange(size)
            hit = ((place >= start[..., None]) & (place < (start + length)[..., None])).any(1).to(spectrogram.device)
            hidden = hidden | (hit[:, None, :, None] if axis == -2 else hit[:, None, None, :])
        return torch.where(hidden, fill, spectrogram)


def mixup(waveform: Tensor, targets: Tensor, *, alpha: float, p: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """Blend each clip and its target with another of the batch (Zhang et al., 2018, arXiv 1710.09412, eq. 1).

    Args:
        waveform: (batch, time).
        targets: (batch, n_classes), probabilities.
        alpha: Of the Beta(alpha, alpha) that the share is drawn from.
        p: Probability for a clip.
        generator: Source of all randomness.

    Returns:
        The mixed waveform and targets.
    """
    batch = len(waveform)
    draw = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
    share = torch.from_numpy(np.where(draw.random(batch) < p, draw.beta(alpha, alpha, batch), 1.0))
    share = torch.maximum(share, 1 - share).to(waveform)[:, None]  # the larger share stays with the clip itself
    partner = torch.randperm(batch, generator=generator).to(waveform.device)
    return waveform.lerp(waveform[partner], 1 - share), targets.lerp(targets[partner], 1 - share)
