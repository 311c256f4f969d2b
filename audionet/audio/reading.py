"""Reading: from a file or bytes to a waveform. It imports no torch at the top, so decoding workers start fast."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from audionet.audio.containers.limits import check_sample_rate
from audionet.audio.decoding import Sound, Source, opened
from audionet.audio.fitting import fit
from audionet.audio.resampling import resample_blocks
from audionet.audio.waveform import AudioError, to_mono

if TYPE_CHECKING:
    import torch

MAX_SAMPLES = 200_000_000
"""Samples, those of all channels together, that are held at once unless the limit of seconds is lifted: 800 MB."""


def decode(source: Source, *, max_seconds: float | None = 600.0, lenient: bool = False) -> tuple[np.ndarray, int]:
    """Decode a WAV, FLAC, OGG (Vorbis, Opus) or MP3 file. Its content tells the format, not its name.

    Integer samples of b bits are divided by 2^(b - 1), so they lie in [-1, 1). Float and lossy files may go a
    little beyond [-1, 1] and are kept as they are, because clipping would change the sound.

    Args:
        source: A path, the file's bytes, or a binary file object. A file object is read from its beginning
            (one that cannot seek: from where it stands) and left open.
        max_seconds: Longer files are refused, if possible from their header; None lifts the limit.
        lenient: Of a damaged or cut-off file, read what is whole, and warn of the rest, instead of refusing it.

    Returns:
        The waveform (channel, time), float32, and the sample rate in Hz.

    Raises:
        AudioError: The file is missing, unreadable, empty, cut off, damaged, too long, or holds NaN, Inf or
            unscaled samples.

    Warns:
        AudioWarning: A part of the file was left out.

    Example:
        >>> waveform, sample_rate = decode("seven.wav")
        >>> waveform.shape, sample_rate
        ((1, 9559), 16000)
    """
    with opened(source, max_seconds, lenient) as sound:
        return _joined(_limited(sound.blocks, max_seconds)), sound.rate


def load_audio(
    source: Source,
    sample_rate: int | None = None,
    *,
    mono: bool = False,
    max_seconds: float | None = 600.0,
    lenient: bool = False,
) -> tuple["torch.Tensor", int]:
    """Load a sound file as a tensor. It reads and refuses the same files as `decode`.

    Args:
        source: A path, the file's bytes, or a binary file object.
        sample_rate: Resample to this rate, in Hz; None keeps the file's own.
        mono: Mix the channels to one.
        max_seconds: Longer files are refused; None lifts the limit.
        lenient: Of a damaged or cut-off file, read what is whole, and warn of the rest, instead of refusing it.

    Returns:
        The waveform (channel, time), float32, and its sample rate in Hz.

    Raises:
        AudioError: The file cannot be used. The message names it, what is wrong and what to do.

    Warns:
        AudioWarning: A part of the file was left out.

    Example:
        >>> waveform, sample_rate = load_audio("seven.wav", sample_rate=32_000)
        >>> waveform.shape
        torch.Size([1, 19118])
    """
    import torch

    wanted = None if sample_rate is None else check_sample_rate(sample_rate)
    with opened(source, max_seconds, lenient) as sound:
        rate = wanted or sound.rate
        return torch.from_numpy(_joined(_limited(_converted(sound, rate, mono), max_seconds))), rate


def read_mono(
    source: Source,
    sample_rate: int,
    length: int | None = None,
    *,
    max_seconds: float | None = 600.0,
    lenient: bool = False,
) -> np.ndarray:
    """Decode a file, mix it to mono, resample it, and pad or cut it to a length as `fit` does.

    Args:
        source: A path, the file's bytes, or a binary file object.
        sample_rate: The wanted sample rate, in Hz.
        length: The wanted number of samples; None keeps all.
        max_seconds: Longer files are refused; None lifts the limit.
        lenient: Of a damaged or cut-off file, read what is whole, and warn of the rest, instead of refusing it.

    Returns:
        The waveform (time,), float32.

    Raises:
        AudioError: The file cannot be used. The message names it, what is wrong and what to do.

    Warns:
        AudioWarning: A part of the file was left out.

    Example:
        >>> read_mono("seven.wav", 8000).shape, read_mono("seven.wav", 8000, 8000).shape
        ((4780,), (8000,))
    """
    with opened(source, max_seconds, lenient) as sound:
        waveform = _joined(_limited(_converted(sound, sample_rate, mono=True), max_seconds))[0]
        return waveform if length is None else fit(waveform, length, sample_rate)


def read_pieces(
    source: Source, sample_rate: int, length: int, *, max_seconds: float | None = 600.0, lenient: bool = False
) -> Iterator[np.ndarray]:
    """Read a file as `read_mono` does, but piece by piece, so that a long one needs no more memory than a short one.

    Args:
        source: A path, the file's bytes, or a binary file object.
        sample_rate: The wanted sample rate, in Hz.
        length: Number of samples of a piece, at least; the last one may have fewer.
        max_seconds: Longer files are refused; None lifts the limit.
        lenient: Of a damaged or cut-off file, read what is whole, and warn of the rest, instead of refusing it.

    Yields:
        Pieces (time,), float32.

    Raises:
        AudioError: The file cannot be used; this may show only when the last piece is asked for.

    Warns:
        AudioWarning: A part of the file was left out.

    Example:
        >>> [len(piece) for piece in read_pieces("seven.wav", 8000, 10_000)]
        [4780]
    """
    with opened(source, max_seconds, lenient) as sound:
        held: list[np.ndarray] = []
        for block in _converted(sound, sample_rate, mono=True):
            held.append(block[0])
            if sum(map(len, held)) >= length:
                yield np.concatenate(held)
                held = []
        if held:
            yield np.concatenate(held)


def _converted(sound: Sound, sample_rate: int, mono: bool) -> Iterator[np.ndarray]:
    """Mix and resample a sound block by block, so that many channels at a high rate need little memory."""
    blocks = map(to_mono, sound.blocks) if mono else sound.blocks
    return resample_blocks(blocks, sound.rate, check_sample_rate(sample_rate))


def _limited(blocks: Iterable[np.ndarray], max_seconds: float | None) -> Iterator[np.ndarray]:
    """Yield blocks (channel, time) that together are not more than can be held."""
    n_samples = 0
    for block in blocks:
        n_samples += block.size
        if max_seconds is not None and n_samples > MAX_SAMPLES:
            raise AudioError(
                f"holds more than {MAX_SAMPLES:,} samples in its {len(block)} channels; mix it to mono with "
                "load_audio(path, mono=True), give a lower sample_rate=, or lift the limits with max_seconds=None"
            )
        yield block


def _joined(blocks: Iterable[np.ndarray]) -> np.ndarray:
    """Join arrays (row, time) in time. Each is freed when it is copied, unless the caller holds it."""
    held = deque(blocks)
    if len(held) == 1:
        return np.ascontiguousarray(held[0])
    whole = np.empty((len(held[0]), sum(block.shape[-1] for block in held)), held[0].dtype)
    start = 0
    while held:
        block = held.popleft()
        whole[:, start : start + block.shape[-1]] = block
        start += block.shape[-1]
    return whole
