"""Writing: from a waveform to a sound file."""

import errno
import io
import os
from contextlib import nullcontext, suppress
from pathlib import Path
from stat import S_ISDIR
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import soundfile

from audionet.audio.containers.limits import check_sample_rate
from audionet.audio.waveform import AudioError, check_finite, check_waveform, explaining, from_tensor, naming
from audionet.files import whole_file

if TYPE_CHECKING:
    import torch

_FORMATS = {".wav": "WAV", ".flac": "FLAC", ".ogg": "OGG", ".mp3": "MP3"}
_INTEGER_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}


def save_audio(
    path: str | os.PathLike[str] | BinaryIO,
    waveform: "np.ndarray | torch.Tensor",
    sample_rate: int,
    *,
    subtype: str | None = None,
) -> None:
    """Save a waveform. The extension (.wav, .flac, .ogg, .mp3) tells the format.

    The file appears whole or not at all. What `decode` reads from integer samples is saved back to the same integers.

    Args:
        path: Path of the file; an existing file is replaced. A binary file object, such as ``sys.stdout.buffer``, gets
            a WAV file.
        waveform: (channel, time) or (time,), float, NumPy or torch, within [-1, 1] unless the subtype is FLOAT or
            DOUBLE, because other subtypes would clip it.
        sample_rate: Sample rate, in Hz.
        subtype: soundfile's name of the sample type, such as PCM_24 or FLOAT; None takes PCM_16 for WAV and
            FLAC, VORBIS for OGG and MPEG_LAYER_III for MP3.

    Raises:
        AudioError: The waveform, rate, extension or subtype cannot be saved, or the place cannot be written.

    Example:
        >>> save_audio("tone.wav", np.sin(np.arange(16_000) / 5), 16_000)
        >>> audionet.load_audio("tone.wav")[0].shape
        torch.Size([1, 16000])
    """
    with naming(path):
        target = Path(path) if isinstance(path, (str, os.PathLike)) else path
        container = _container(target) if isinstance(target, Path) else "WAV"
        content = _content(waveform, sample_rate, container, subtype)
        advice = f"see that its folder exists, may be written and has {len(content)} bytes of room"
        with explaining("cannot be written", advice):
            with whole_file(target) if isinstance(target, Path) else nullcontext(target) as file:
                file.write(content)


def encode_audio(
    waveform: "np.ndarray | torch.Tensor", sample_rate: int, extension: str = ".flac", *, subtype: str | None = None
) -> bytes:
    """Return the content of the file that `save_audio` would write for a waveform.

    Args:
        waveform: As for `save_audio`.
        sample_rate: As for `save_audio`.
        extension: Extension of such a file, which tells the format.
        subtype: As for `save_audio`.

    Raises:
        AudioError: The waveform, rate, extension or subtype cannot be saved.

    Example:
        >>> encode_audio(np.sin(np.arange(16_000) / 5), 16_000)[:4]
        b'fLaC'
    """
    return _content(waveform, sample_rate, _container(Path(f"sound{extension}")), subtype)


def check_target(path: str | os.PathLike[str]) -> None:
    """Refuse a path that `save_audio` could not write, so that a long computation does not end in this error.

    Raises:
        AudioError: The extension is unknown, the folder is missing or cannot be written, or it cannot have a file of
            this name.

    Example:
        >>> check_target("tone.doc")
        Traceback (most recent call last):
        audionet.audio.waveform.AudioError: tone.doc: extension: expected one of .wav, .flac, .ogg, .mp3, ...
    """
    with naming(path), explaining("cannot be written", "see that its folder exists and may be written"):
        _container(Path(path))
        with suppress(FileNotFoundError):  # any other failure, as for a name that is too long, is one of writing, too
            if S_ISDIR(os.stat(path).st_mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        TemporaryFile(dir=Path(path).parent).close()


def _content(waveform: "np.ndarray | torch.Tensor", sample_rate: int, container: str, subtype: str | None) -> bytes:
    """Return the content of a file of a waveform."""
    subtype = subtype or soundfile.default_subtype(container)
    samples = _checked(waveform, sample_rate, container, subtype)
    return _encode(samples, int(sample_rate), container, subtype)


def _checked(waveform: "np.ndarray | torch.Tensor", sample_rate: int, container: str, subtype: str) -> np.ndarray:
    """Return the waveform as (time, channel), float, or refuse it."""
    waveform = check_waveform(from_tensor(waveform))
    check_sample_rate(sample_rate)
    if waveform.ndim > 2 or (waveform.ndim == 2 and len(waveform) > 256):
        raise AudioError(f"waveform: expected (channel, time) or (time,), got shape {waveform.shape}; reshape it")
    if container == "OGG" and sample_rate > 192_000:  # libsndfile crashes
        raise AudioError(f"sample_rate: expected at most 192000 Hz in OGG, got {sample_rate}; resample, or save a .wav")
    if not soundfile.check_format(container, subtype):
        known = ", ".join(soundfile.available_subtypes(container))
        raise AudioError(f"subtype: expected one of {known} in {container}, got {subtype!r}; choose another")
    peak = check_finite(waveform)
    if peak > 1 and subtype.upper() not in ("FLOAT", "DOUBLE"):
        raise AudioError(
            f"waveform: expected samples in [-1, 1] for {subtype}, got a peak of {peak:g}; scale it by 1 / {peak:g}, "
            "or save a .wav with subtype='FLOAT'"
        )
    return np.atleast_2d(waveform).T


def _encode(samples: np.ndarray, sample_rate: int, container: str, subtype: str) -> bytes:
    """Encode (time, channel) in memory."""
    bits = _INTEGER_BITS.get(subtype.upper())
    if bits:  # libsndfile would scale by 2^(bits - 1) - 1, and decoding by 2^(bits - 1)
        full_scale = 2 ** (bits - 1)
        integers = np.rint(samples.astype(np.float64) * full_scale).clip(-full_scale, full_scale - 1)
        samples = integers.astype(np.int32) << (32 - bits)
    content = io.BytesIO()
    n_channels = samples.shape[1]
    try:
        with soundfile.SoundFile(content, "w", sample_rate, n_channels, subtype=subtype, format=container) as file:
            for start in range(0, len(samples), 1 << 16):  # libsndfile overflows its stack on long OGG writes
                file.write(samples[start : start + (1 << 16)])
    except soundfile.LibsndfileError as error:
        reason = str(error.error_string).removeprefix("Error : ").rstrip(".")
        raise AudioError(
            f"{container} cannot hold {n_channels} channels of {subtype} at {sample_rate} Hz ({reason}); "
            "change them, or save a .wav"
        ) from None
    return content.getvalue()


def _container(target: Path) -> str:
    container = _FORMATS.get(target.suffix.lower())
    if container is None:
        raise AudioError(f"extension: expected one of {', '.join(_FORMATS)}, got {target.suffix!r}; choose one of them")
    return container
