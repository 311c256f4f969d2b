"""MP3 files (ISO 11172-3, Layer III)."""

import io
from typing import BinaryIO, NamedTuple

from audionet.audio.containers.contents import Contents, read_at
from audionet.audio.containers.faults import RESAVE, Faults, UnknownKind
from audionet.audio.containers.limits import check_seconds
from audionet.audio.waveform import AudioError


class _Mp3Frame(NamedTuple):
    rate: int  # Hz
    n_samples: int
    size: int  # bytes
    info: int  # where the frame of information keeps its tag
    kind: int  # header bits that all frames of a file share: version, layer, rate, mono or not


def _mp3_frame(head: bytes) -> _Mp3Frame | None:
    """Read the header of an MPEG-1, 2 or 2.5 Layer III frame (ISO 11172-3, 2.4.1.3); return None for anything else."""
    word = int.from_bytes(head[:4])
    version, layer, bitrate, rate = word >> 19 & 3, word >> 17 & 3, word >> 12 & 15, word >> 10 & 3
    if len(head) < 4 or word >> 21 != 0x7FF or version == 1 or layer != 1 or bitrate in (0, 15) or rate == 3:
        return None
    mpeg1, mono = version == 3, word >> 6 & 3 == 3
    if mpeg1:
        kbps = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)[bitrate - 1]
    else:
        kbps = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)[bitrate - 1]
    hz = (44_100, 48_000, 32_000)[rate] // {3: 1, 2: 2, 0: 4}[version]
    n_samples = 1152 if mpeg1 else 576
    size = n_samples // 8 * kbps * 1000 // hz + (word >> 9 & 1)
    side_info = (17 if mono else 32) if mpeg1 else (9 if mono else 17)
    return _Mp3Frame(hz, n_samples, size, 4 + side_info, (word & 0xFFFE0C00) + mono)


def check(stream: BinaryIO, size: int, max_seconds: float | None, faults: Faults) -> Contents:
    """Check that an MP3 file is an unbroken chain of as many frames as its frame of information (Xing, Info) promises.

    The returned stream holds the chain alone, because mpg123 writes notes about tags to standard error. Where the count
    is missing or too small (concatenated files), libsndfile would guess the length from the first frame and stop there.
    Then a frame with the right count is put before the chain.
    """
    first = _mp3_frame(read_at(stream, 0, 4))
    if first is None:
        raise UnknownKind(read_at(stream, 0, 12))
    head = read_at(stream, 0, first.size)
    info = head[first.info :].ljust(12, b"\0")  # name, flags, and where these say so the number of frames
    has_info = info.startswith((b"Xing", b"Info"))
    has_count, has_size = has_info and info[7] & 1, has_info and info[7] & 2
    n_promised = int.from_bytes(info[8:12]) if has_count else 0
    check_seconds(n_promised * first.n_samples / first.rate, max_seconds)

    position, n_frames = 0, -int(has_info)
    frame: _Mp3Frame | None = first
    while frame and frame.kind == first.kind:
        position += frame.size
        n_frames += 1
        check_seconds(n_frames * first.n_samples / first.rate, max_seconds)
        tail = read_at(stream, position, 128)
        frame = _mp3_frame(tail)
    tagged = tail.startswith((b"APETAGEX", b"LYRICSBEGIN")) or (tail.startswith(b"TAG") and position + 128 == size)
    if position > size or (tail.strip(b"\0") and not tagged):
        raise AudioError(f"is damaged or cut off at byte {min(position, size)} of {size}; {RESAVE}")
    if n_frames < n_promised - 1:  # some encoders count the frame of information too
        raise AudioError(f"is cut off: {n_frames} of its {n_promised} frames are there; {RESAVE}")

    prefix = b""
    if n_frames > n_promised + 1:
        header = bytes([head[0], head[1] | 1, head[2] & 0x0D | 0x80, head[3]])  # no CRC, a roomy bit rate
        counting = _mp3_frame(header)
        assert counting is not None
        prefix = header.ljust(counting.info, b"\0") + b"Xing" + (1).to_bytes(4) + n_frames.to_bytes(4)
        prefix = prefix.ljust(counting.size, b"\0")
    chain = bytearray(read_at(stream, 0, position))
    if has_size:  # in bytes; mpg123 warns when tags were counted in
        field = first.info + (12 if has_count else 8)
        chain[field : field + 4] = len(chain).to_bytes(4)
    return Contents([io.BytesIO(prefix + chain)])
