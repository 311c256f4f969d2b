"""The part of a sound that decided, to listen to."""

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from audionet.augment.short_time import frame_length, to_spectrum, to_waveform
from audionet.checks import check_at_least, check_that
from audionet.features.frontend import FrontEnd
from audionet.insight.places import most_relevant


def heard_part(
    waveform: Tensor | ArrayLike, relevance: Tensor | ArrayLike, front_end: FrontEnd, *, share: float = 0.2
) -> np.ndarray:
    """Return the part of a sound that the most relevant places of its spectrogram are made of.

    The places become a mask over the sound's short-time spectrum, whose phase stays as it is; what is heard is heard
    when it was said. Where the bands of the front-end are no frequencies, whole frames are chosen.

    Args:
        waveform: (time,), what the front-end heard.
        relevance: (band, frame), such as a map of `saliency`.
        front_end: The front-end, whose spectrogram the map is of.
        share: Share of the places that are chosen, above 0 and at most 1; places that are not above 0 are left out.

    Returns:
        (time,) float32.

    Raises:
        ValueError: The sound is silent, the map is not finite, has another size than the spectrogram or nothing in it
            that is above 0, or ``share`` is out of its range.

    Example:
        >>> recognizer = audionet.load_recognizer("digits")
        >>> clip = recognizer.to_clip(waveform, sample_rate)
        >>> spectrogram = recognizer.front_end(torch.from_numpy(clip)[None, None])
        >>> seven = recognizer.labels.index("seven")
        >>> map = audionet.insight.occlusion(recognizer.network, spectrogram, seven)
        >>> part = heard_part(clip, map[0], recognizer.front_end)
        >>> part.shape == clip.shape, bool(abs(part).sum() < abs(clip).sum())
        (True, True)
    """
    check_at_least(0, 1, share=share)
    values = torch.as_tensor(relevance).detach().cpu().double()
    check_that(bool(values.isfinite().all()), "relevance", "finite values", "NaN or infinity")
    if front_end.axis.frequencies is None:
        values = values.relu().mean(0, keepdim=True).expand(values.shape)
    chosen = most_relevant(values[None], share)[0] & (values > 0)
    advice = "the sound is silent, or nothing in it speaks for the label"
    check_that(bool(chosen.any()), "relevance", "a place that is above 0", "none", advice)
    return masked(waveform, chosen.numpy(), front_end)


def masked(waveform: Tensor | ArrayLike, mask: ArrayLike, front_end: FrontEnd) -> np.ndarray:
    """Return a sound each place of whose spectrogram is as loud as a mask says, with the phase that it had.

    Between the middles of bands and of frames the mask is interpolated; beyond the outermost it goes on as it is there.
    A mask of ones returns the sound.

    Args:
        waveform: (time,), what the front-end heard.
        mask: (band, frame), factors, or bool.
        front_end: The front-end, whose spectrogram the mask is of. Where its bands are no frequencies, all frequencies
            of a frame are multiplied by the mean over the bands.

    Returns:
        (time,) float32.

    Raises:
        ValueError: The sound is silent, or the mask has another size than its spectrogram.

    Example:
        >>> log_mel = audionet.features.LogMel(sample_rate=sample_rate)
        >>> same = masked(waveform[0], np.ones(log_mel(waveform[0]).shape), log_mel)
        >>> np.allclose(same, waveform[0], atol=1e-6)
        True
    """
    samples = torch.as_tensor(waveform).detach().cpu().float()
    check_that(samples.ndim == 1, "waveform", "(time,)", tuple(samples.shape), "give one channel")
    check_that(bool((samples != 0).any()), "waveform", "a sound", "silence, of which no part can be heard")
    gains = np.asarray(mask, np.float64)
    size = tuple(front_end(samples.numpy()).shape)
    check_that(gains.shape == size, "mask", f"{size}, as the spectrogram of this sound has", gains.shape)
    rate, n_fft = front_end.sample_rate, frame_length(front_end.sample_rate)
    spectrum = to_spectrum(samples[None], n_fft)[0]  # (frame, bin); frame t lies around sample t * n_fft / 2
    gains = _between_bands(gains, front_end, np.arange(n_fft // 2 + 1) * rate / n_fft)
    middles = np.arange(size[1]) * front_end.framing.hop_length + front_end.middle
    times = np.arange(len(spectrum)) * (n_fft // 2)
    gains = np.stack([np.interp(times, middles, row) for row in gains], 1)  # (frame, bin)
    part = to_waveform(spectrum[None] * torch.from_numpy(gains).float(), len(samples))[0]
    return part.numpy()


def _between_bands(mask: np.ndarray, front_end: FrontEnd, hertz: np.ndarray) -> np.ndarray:
    """Return a mask (band, frame) at other frequencies, (frequency, frame)."""
    frequencies = front_end.axis.frequencies
    if frequencies is None:
        return np.repeat(mask.mean(0, keepdims=True), len(hertz), 0)
    centers = frequencies.detach().cpu().double().numpy()
    order = np.argsort(centers, kind="stable")
    return np.stack([np.interp(hertz, centers[order], column[order]) for column in mask.T], 1)
