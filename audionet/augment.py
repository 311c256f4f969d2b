"""Batched augmentation of waveforms and spectrograms, on whatever device they are.

Every random number is drawn on the CPU from the generator passed in, so that the same seed gives the same parameters
on any device. Waveforms are (batch, time), mono, float.

`Augment` finds a waveform augmentation by its name in `AUGMENTATIONS`. It is a torch module whose
`forward(waveform, generator)` maps (batch, time) to (batch, time). Where its constructor takes `sample_rate` or
`background`, or its `forward` takes `silence`, (batch,) bool, the chain fills them in. The chain applies the
probability `p`, unless the constructor takes that, too.
"""

import inspect
import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from audionet.audio import FULL_SCALE
from audionet.checks import check_at_least, check_one_of, check_that
from audionet.registry import NamedArguments, Registry

SILENCE_NOISE = (
    0.0,
    1.0,
)  # amplitude of the noise that fills the clips of the silence class (TensorFlow's input_data.py)

KINDS = {
    "speed": "Speed",
    "time_shift": "TimeShift",
    "equalize": "Equalize",
    "reverb": "Reverb",
    "gain": "Gain",
    "noise": "BackgroundNoise",
}
"""The class of each augmentation."""

AUGMENTATIONS: Registry[nn.Module] = Registry(
    "augmentation",
    {name: f"audionet.augment:{kind}" for name, kind in KINDS.items()},
    group="audionet.augmentations",
)


def uniform(n: int, low: float, high: float, like: Tensor, generator: Generator) -> Tensor:
    """Draw (n,) from U(low, high) on the CPU; return it on the device and with the type of ``like``."""
    return (low + (high - low) * torch.rand(n, generator=generator)).to(like.device, like.dtype)


def to_float(pcm: Tensor) -> Tensor:
    """Scale int16 samples to float32 in [-1, 1); float samples are returned as they are.

    Example:
        >>> to_float(torch.tensor([0, 16384, -32768], dtype=torch.int16))
        tensor([ 0.0000,  0.5000, -1.0000])
    """
    return pcm if pcm.is_floating_point() else pcm.to(torch.float32) / FULL_SCALE


class TimeShift(NamedArguments, nn.Module):
    """A move of each clip by a whole number of samples, U(-seconds, seconds); silence enters.

    Args:
        sample_rate: Sample rate in hertz.
        seconds: Largest move to either side.

    Raises:
        ValueError: An argument is out of its range.

    Example:
        >>> shift = TimeShift(sample_rate=10, seconds=0.2)
        >>> shift(torch.tensor([[0.0, 0.0, 1.0, 0.0, 0.0]]), torch.Generator().manual_seed(1))
        tensor([[1., 0., 0., 0., 0.]])
    """

    def __init__(self, *, sample_rate: int, seconds: float = 0.1) -> None:
        super().__init__()
        check_at_least(1, sample_rate=sample_rate)
        check_at_least(0, seconds=seconds)
        self.n_samples = round(seconds * sample_rate)

    def forward(self, waveform: Tensor, generator: Generator) -> Tensor:
        """Map (batch, time) to (batch, time)."""
        batch, time = waveform.shape
        shift = torch.randint(-self.n_samples, self.n_samples + 1, (batch,), generator=generator)
        padded = F.pad(waveform, (self.n_samples, self.n_samples))
        windows = padded.unfold(-1, time, 1)  # (batch, 2 * n_samples + 1, time), a view
        return windows[torch.arange(batch, device=waveform.device), (self.n_samples - shift).to(waveform.device)]


class Speed(NamedArguments, nn.Module):
    """A change of each clip's speed about its centre, which moves the pitch with it.

    The rates are fractions with denominators up to ten, so that clips of one rate are resampled together, exactly.

    Args:
        amount: Largest distance of the rate from 1, up to 1.

    Raises:
        ValueError: An argument is out of its range.

    Example:
        >>> [str(rate) for rate in Speed(amount=0.15).rates]
        ['6/7', '7/8', '8/9', '9/10', '1', '11/10', '10/9', '9/8', '8/7']
    """

    def __init__(self, *, amount: float = 0.2) -> None:
        super().__init__()
        check_at_least(0, 1, amount=amount)
        fractions = {Fraction(n, d) for d in range(1, 11) for n in range(1, 21)}
        self.rates = sorted(rate for rate in fractions if float(abs(rate - 1)) <= amount)

    def forward(self, waveform: Tensor, generator: Generator) -> Tensor:
        """Map (batch, time) to (batch, time)."""
        from torchaudio.functional import resample  # takes a second to import

        batch, time = waveform.shape
        drawn = torch.randint(len(self.rates), (batch,), generator=generator)
        result = waveform.clone()
        for index in sorted(set(drawn.tolist())):
            rows = (drawn == index).nonzero()[:, 0].to(waveform.device)
            rate = self.rates[index]
            played = resample(waveform[rows], rate.numerator, rate.denominator)
            missing = time - played.shape[-1]
            result[rows] = F.pad(played, (missing // 2, missing - missing // 2))  # a negative pad crops
        return result


class Gain(NamedArguments, nn.Module):
    """A gain for each clip, U(min_db, max_db).

    Args:
        min_db: Lowest gain in decibels.
        max_db: Highest gain in decibels.

    Raises:
        ValueError: An argument is out of its range.

    Example:
        >>> Gain(min_db=-6, max_db=-6)(torch.ones(1, 3), torch.Generator())
        tensor([[0.5012, 0.5012, 0.5012]])
    """

    def __init__(self, *, min_db: float = -12.0, max_db: float = 6.0) -> None:
        super().__init__()
        _check_range(min_db=min_db, max_db=max_db)
        self.min_db, self.max_db = min_db, max_db

    def forward(self, waveform: Tensor, generator: Generator) -> Tensor:
        """Map (batch, time) to (batch, time)."""
        db = uniform(len(waveform), self.min_db, self.max_db, waveform, generator)
        return waveform * 10 ** (db / 20)[:, None]


class Equalize(NamedArguments, nn.Module):
    """A filter for each clip with a smooth random response: tilt, bands and a low-pass, without phase.

    Args:
        sample_rate: Sample rate in hertz.
        tilt_db: Largest slope over the whole spectrum, on an octave scale; it is U(-tilt_db, tilt_db).
        band_db: Largest gain of a band; it is U(-band_db, band_db), interpolated between bands on an octave scale.
        n_bands: Number of bands, at least 2.
        low_pass_hz: Lowest cut-off; it is log-uniform between this and half the sample rate. None for no low-pass.
        low_pass_p: Probability of the low-pass.

    Raises:
        ValueError: An argument is out of its range.

    Example:
        >>> equalize = Equalize(sample_rate=sample_rate, low_pass_hz=3000)
        >>> equalize(waveform, torch.Generator().manual_seed(0)).shape == waveform.shape
        True
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
        check_at_least(1, sample_rate=sample_rate)
        check_at_least(0, tilt_db=tilt_db, band_db=band_db)
        check_at_least(2, n_bands=n_bands, whole=True)
        check_at_least(0, 1, low_pass_p=low_pass_p)
        if low_pass_hz is not None:
            check_at_least(1, sample_rate / 2, low_pass_hz=low_pass_hz)
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
        filtered: Tensor = torch.fft.irfft(torch.fft.rfft(waveform) * 10 ** (db / 20), time)
        return filtered


class Reverb(NamedArguments, nn.Module):
    """A room for each clip: exponentially decaying noise follows the direct sound.

    The response has an energy of 1, so that the clip keeps its own.

    Args:
        sample_rate: Sample rate in hertz.
        min_rt60: Shortest reverberation time, to a decay of 60 dB, in seconds.
        max_rt60: Longest reverberation time in seconds.
        max_wet: Largest energy of the reverberation relative to the direct sound; it is U(0, max_wet).

    Raises:
        ValueError: An argument is out of its range.

    Example:
        >>> reverb = Reverb(sample_rate=sample_rate, max_rt60=0.3)
        >>> reverb(waveform, torch.Generator().manual_seed(0)).shape == waveform.shape
        True
    """

    def __init__(self, *, sample_rate: int, min_rt60: float = 0.1, max_rt60: float = 0.5, max_wet: float = 1.0) -> None:
        super().__init__()
        check_at_least(1, sample_rate=sample_rate)
        check_at_least(1 / sample_rate, min_rt60=min_rt60, max_rt60=max_rt60)
        _check_range(min_rt60=min_rt60, max_rt60=max_rt60)
        check_at_least(0, max_wet=max_wet)
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
        heard: Tensor = torch.fft.irfft(torch.fft.rfft(waveform, n_fft) * torch.fft.rfft(response, n_fft), n_fft)
        return heard[:, :time]


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
            _check_range(min_snr_db=min_snr_db, max_snr_db=max_snr_db)
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


class Augment(NamedArguments, nn.Module):
    """A chain of waveform augmentations, each applied to a clip with its own probability, in the order given.

    Args:
        augmentations: Arguments of each augmentation by its name in ``AUGMENTATIONS``, as {"gain": {"max_db": 0}}. An
            argument ``p`` is the probability that a clip is changed. None in place of the arguments leaves it out.
        sample_rate: Sample rate in hertz.
        background: (time,), int16 or float, for ``noise``; it may be empty where that is not used.
        p: Probability that a clip goes through the chain at all; silences always do.

    Shape:
        (batch, time) -> (batch, time), within [-1, 1]; the call takes the generator and, where there is a class without
        speech, (batch,) bool, which clips are its silences.

    Raises:
        ValueError: A name is unknown, or an argument does not fit.

    Example:
        >>> chain = Augment(
        ...     {"time_shift": {"seconds": 0.1, "p": 0.8}, "gain": {"min_db": -12, "max_db": 0}},
        ...     sample_rate=sample_rate,
        ...     background=torch.empty(0),
        ... )
        >>> chain(waveform, torch.Generator().manual_seed(0)).shape == waveform.shape
        True
    """

    def __init__(
        self,
        augmentations: Mapping[str, Mapping[str, Any] | None],
        *,
        sample_rate: int,
        background: Tensor,
        p: float = 1.0,
    ) -> None:
        super().__init__()
        check_at_least(0, 1, p=p)
        self.p = p
        self.steps = nn.ModuleList()
        self.probabilities: list[float] = []
        self.takes_silence: list[bool] = []
        known = {"sample_rate": sample_rate, "background": background}
        for name, given in augmentations.items():
            kind = AUGMENTATIONS[name]
            if given is None:
                continue
            parameters = inspect.signature(kind).parameters
            arguments = {**given, **{key: value for key, value in known.items() if key in parameters}}
            chance = 1.0 if "p" in parameters else arguments.pop("p", 1.0)
            try:
                check_at_least(0, 1, p=chance)
                self.steps.append(kind(**arguments))
                self.probabilities.append(chance)
                self.takes_silence.append("silence" in inspect.signature(self.steps[-1].forward).parameters)
            except (TypeError, ValueError) as error:
                raise ValueError(f"augmentation {name}: {error}") from error

    def forward(self, waveform: Tensor, generator: Generator, silence: Tensor | None = None) -> Tensor:
        """Map (batch, time) to (batch, time); ``silence``, (batch,) bool, says which clips are silences."""
        original = waveform
        if silence is None:
            silence = torch.zeros(len(waveform), dtype=torch.bool)
        silence = silence.to(waveform.device)
        for step, p, of_silence in zip(self.steps, self.probabilities, self.takes_silence, strict=True):
            if p >= 1:
                waveform = step(waveform, generator, **({"silence": silence} if of_silence else {}))
                continue
            rows = (torch.rand(len(waveform), generator=generator) < p).nonzero()[:, 0].to(waveform.device)
            if len(rows):
                given = {"silence": silence[rows]} if of_silence else {}
                waveform = waveform.index_copy(0, rows, step(waveform[rows], generator, **given))
        waveform = waveform.clamp(-1, 1)
        if self.p >= 1:
            return waveform
        spared = (torch.rand(len(waveform), generator=generator) >= self.p).to(waveform.device)
        return torch.where((spared & ~silence)[:, None], original, waveform)


class SpecAugment(NamedArguments, nn.Module):
    """Masks on random stretches of frames and of bands (Park et al., 2019, arXiv 1904.08779, without the time warp).

    Args:
        n_time_masks: Number of masks along time.
        time_width: Longest mask in frames; each is U{0, ..., time_width}. One may hide all frames.
        n_frequency_masks: Number of masks along frequency.
        frequency_width: Widest mask in bands; each is U{0, ..., frequency_width}. One may hide all bands.
        p: Probability that a clip is masked.
        fill: "zero", as in BC-ResNet's released code, or "mean", each clip's own mean.

    Shape:
        (batch, 1, band, frame) -> (batch, 1, band, frame)

    Raises:
        ValueError: An argument is out of its range.

    Example:
        >>> mask = SpecAugment(n_time_masks=1, time_width=3, n_frequency_masks=0)
        >>> mask(torch.ones(1, 1, 2, 6), torch.Generator().manual_seed(0))
        tensor([[[[0., 0., 0., 1., 1., 1.],
                  [0., 0., 0., 1., 1., 1.]]]])
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
        check_one_of(("zero", "mean"), "fill", fill)
        check_at_least(0, n_time_masks=n_time_masks, time_width=time_width, whole=True)
        check_at_least(0, n_frequency_masks=n_frequency_masks, frequency_width=frequency_width, whole=True)
        check_at_least(0, 1, p=p)
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
        alpha: Parameter of the distribution Beta(alpha, alpha) that the share is drawn from.
        p: Probability that a clip is mixed.
        generator: Source of all randomness.

    Returns:
        The mixed waveform and targets.

    Raises:
        ValueError: An argument is out of its range.

    Example:
        >>> targets = torch.eye(2)
        >>> _, mixed = mixup(torch.zeros(2, 5), targets, alpha=1.0, p=1.0, generator=torch.Generator().manual_seed(0))
        >>> mixed.sum(1)
        tensor([1., 1.])
    """
    check_at_least(1e-6, alpha=alpha)
    check_at_least(0, 1, p=p)
    batch = len(waveform)
    draw = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
    share = torch.from_numpy(np.where(draw.random(batch) < p, draw.beta(alpha, alpha, batch), 1.0))
    share = torch.maximum(share, 1 - share).to(waveform)[:, None]  # the larger share stays with the clip itself
    partner = torch.randperm(batch, generator=generator).to(waveform.device)
    return waveform.lerp(waveform[partner], 1 - share), targets.lerp(targets[partner], 1 - share)


def _check_range(**ends: float) -> None:
    """Check the ends of a range, the lower one first, as {name: value}."""
    check_at_least(-1e9, 1e9, whole=False, **ends)
    (low_name, low), (high_name, high) = ends.items()
    check_that(low <= high, low_name, f"at most {high_name}, {high:g}", low)
