"""Decoding of what libsndfile cannot read, such as m4a, webm and wma files, by the ffmpeg that PyAV carries.

A file's first bytes choose the kind, and ffmpeg is told which. Left to guess, it would also follow playlists to other
files and to the network.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from importlib.util import find_spec
from itertools import chain
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from audionet.audio.containers.faults import RESAVE, Faults
from audionet.audio.containers.limits import check_rate, check_seconds
from audionet.audio.waveform import AudioError
from audionet.files import AUDIO_EXTENSIONS, FFMPEG_EXTENSIONS

_BLOCK = 1 << 18  # samples of a block, at least: a frame alone is some milliseconds
_SLACK = 3  # frames by which a header may be wrong


class Kind(NamedTuple):
    """A kind of file: a name for messages, ffmpeg's name, and whether its header says how long it is."""

    name: str
    demuxer: str
    has_length: bool = True


_MPEG4 = Kind("MPEG-4 (m4a, mp4, 3gp, mov)", "mov")
_ASF = Kind("Windows Media (wma)", "asf")
_KINDS = {
    **dict.fromkeys([(4, name) for name in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")], _MPEG4),
    (0, b"\x1aE\xdf\xa3"): Kind("Matroska (webm, mkv)", "matroska"),
    (0, b"0&\xb2u\x8ef\xcf\x11"): _ASF,
    (0, b"#!AMR"): Kind("AMR", "amr", has_length=False),
    (8, b"AVI "): Kind("AVI", "avi"),
    (0, b"wvpk"): Kind("WavPack (wv)", "wv"),
    # Of these, libsndfile reads most codecs itself.
    (0, b"caff"): Kind("Core Audio (caf)", "caf"),
    (0, b"OggS"): Kind("Ogg (Speex)", "ogg", has_length=False),
    (0, b"fLaC"): Kind("FLAC of an unusual number of bits", "flac"),
}
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_AAC = Kind("AAC", "aac", has_length=False)


def kind_of(head: bytes) -> Kind | None:
    """Tell from the first 12 bytes of a file what only ffmpeg reads; None for anything else.

    Example:
        >>> kind_of(b"caff" + bytes(8)).name
        'Core Audio (caf)'
    """
    if len(head) >= 2 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:  # an ADTS header
        return _AAC
    return next((kind for (place, mark), kind in _KINDS.items() if head.startswith(mark, place)), None)


def is_here() -> bool:
    """Tell whether PyAV is installed."""
    return find_spec("av") is not None


def can_read(path: str | os.PathLike[str]) -> bool:
    """Tell from its extension whether a file of this kind can be read here: some take PyAV, the extra `formats`.

    Example:
        >>> can_read("seven.wav"), can_read("seven.txt")
        (True, False)
    """
    extension = os.path.splitext(path)[1].lower()
    return extension in AUDIO_EXTENSIONS and (extension not in FFMPEG_EXTENSIONS or is_here())


@contextmanager
def opened(
    stream: BinaryIO, kind: Kind, max_seconds: float | None, faults: Faults
) -> Iterator[tuple[int, Iterator[np.ndarray]]]:
    """Open the first sound track of a file.

    The samples that an encoder puts before and behind the sound are left out where the file says how many they are.

    Args:
        stream: A binary file that can seek, at its start.
        kind: What `kind_of` says of it.
        max_seconds: A file that is longer by its header is refused; None lifts the limit.
        faults: Takes what is wrong with the file.

    Yields:
        The sample rate in Hz, and an iterator over blocks (time, channel), float32.

    Raises:
        AudioError: PyAV is missing, the file is too long or without sound, or the faults are not lenient and it is
            damaged or cut off, or nothing of it can be read.
    """
    if not is_here():
        raise AudioError(
            f'is a file of kind {kind.name}, which needs PyAV; pip install "audionet[formats]", or convert it with: '
            "ffmpeg -i IN OUT.wav"
        )
    import av

    if kind is _ASF:
        _check_asf(stream, faults)
    try:
        with av.open(stream, format=kind.demuxer, metadata_errors="ignore") as container:
            if not container.streams.audio:
                raise AudioError(f"is a file of kind {kind.name} without a sound track; name another")
            track = container.streams.audio[0]
            seconds = _promised(container, track) if kind.has_length else 0.0
            check_seconds(seconds, max_seconds)
            frames = _frames(container, track, faults)
            first = next(frames, None)
            if first is None:
                raise AudioError("has a header but no samples; record or fetch it again")
            check_rate(first.sample_rate)
            rate, is_exact = first.sample_rate, track.time_base == Fraction(1, first.sample_rate)
            yield rate, _blocks(chain([first], frames), round(seconds * rate), is_exact, faults)
    except av.FFmpegError as error:
        raise AudioError(f"damaged, cut off or of an unknown kind ({error.strerror}); {RESAVE}") from None


def _check_asf(stream: BinaryIO, faults: Faults) -> None:
    """Compare a Windows Media file with the size in its header. ffmpeg makes its length fit what is there."""
    place = (head := stream.read(1 << 16)).find(_ASF_PROPERTIES)
    n_promised, n_bytes = int.from_bytes(head[place + 40 : place + 48], "little"), stream.seek(0, os.SEEK_END)
    stream.seek(0)
    if place >= 0 and n_bytes < n_promised:
        faults.add(f"is cut off: {n_bytes} of {n_promised} bytes are there")


def _promised(container: Any, track: Any) -> float:
    """Return the seconds that the header gives the sound track; 0 where it does not say."""
    if track.duration is not None:
        return float(track.duration * track.time_base)
    alone = len(container.streams) == 1  # or else the length is the longest track's
    return container.duration / 1e6 if alone and container.duration else 0.0


def _frames(container: Any, track: Any, faults: Faults) -> Iterator[Any]:
    """Decode the frames of a track as float32 planes."""
    import av

    resampler = av.AudioResampler(format="fltp")  # changes the kind of the samples only
    packets, is_whole, packet = container.demux(track), True, None
    while True:
        try:
            packet = next(packets, None)
            frames = packet.decode() if packet and not packet.is_corrupt else []
        except av.FFmpegError:
            frames = None
        if packet is None:
            return
        if is_whole and (frames is None or packet.is_corrupt):
            is_whole = False
            faults.add("is damaged or cut off: a part of it cannot be decoded")
        for frame in frames or []:
            yield from resampler.resample(frame)


def _blocks(frames: Iterator[Any], n_promised: int, is_exact: bool, faults: Faults) -> Iterator[np.ndarray]:
    """Join frames to blocks, and compare their number of samples with the promised one, if it is above 0.

    Up to three frames may lack, since some headers count those of the encoder's delay. Up to three more fill the
    encoder's last frames, and are cut where the header counts samples.
    """
    parts: list[np.ndarray] = []
    n_held = n_read = longest = 0
    for frame in frames:
        parts.append(frame.to_ndarray())
        n_held, n_read, longest = n_held + frame.samples, n_read + frame.samples, max(longest, frame.samples)
        if n_held * len(parts[0]) >= _BLOCK and len(parts) > _SLACK:
            yield np.concatenate(parts[:-_SLACK], 1).T
            parts = parts[-_SLACK:]
            n_held = sum(part.shape[1] for part in parts)
    if n_read + _SLACK * longest < n_promised:
        faults.add(f"is cut off: {n_read} of {n_promised} samples are there")
    n_more = n_read - n_promised if is_exact and n_promised else 0
    last = np.concatenate(parts, 1).T
    yield last[: len(last) - n_more] if 0 < n_more <= _SLACK * longest else last
