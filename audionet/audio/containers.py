"""Checks that a WAV, FLAC, OGG or MP3 file is whole.

libsndfile reads what a cut-off file still holds and says nothing. Therefore the headers are checked before it decodes.
The messages say what is wrong and what to do; `waveform.naming` puts the file's name before them.
"""

import io
import os
import zlib
from typing import BinaryIO, Literal, NamedTuple

from audionet.audio.waveform import AudioError

RATES = range(100, 1_000_001)  # Hz; a header outside of this is damaged (libsndfile reads some 0 Hz as 1 Hz)
RESAVE = "fetch it again, or save what is left of it with: ffmpeg -i IN OUT.wav"

_SMALL = 1 << 18  # bytes
_CONVERT = "if it is sound, convert it with: ffmpeg -i IN OUT.wav"


def check_rate(rate: int) -> None:
    """Refuse a sample rate, in Hz, outside of ``RATES``."""
    if rate not in RATES:
        raise AudioError(
            f"its header gives a sample rate of {rate} Hz, expected {RATES[0]} to {RATES[-1]}; "
            "fetch it again, or export it with its true rate"
        )


def check_seconds(seconds: float, max_seconds: float | None) -> None:
    """Refuse a length above the limit; None is no limit."""
    if max_seconds is not None and seconds > max_seconds:
        raise AudioError(
            f"lasts {seconds:.0f} s, over the limit of {max_seconds:g} s; cut it, or give a higher "
            "max_seconds= (None lifts the limit)"
        )


def check_container(stream: BinaryIO, max_seconds: float | None) -> BinaryIO:
    """Check from its headers that a sound file is whole. The kind is found from its content.

    Args:
        stream: A binary file that can seek; it is read from its beginning.
        max_seconds: Files that are longer by their headers are refused; None lifts the limit.

    Returns:
        The stream for libsndfile, at its start: the same one, or a repaired copy in memory.

    Raises:
        AudioError: The file is empty, cut off, damaged, too long or of another kind.

    Example:
        >>> check_container(io.BytesIO(), max_seconds=600)
        Traceback (most recent call last):
        audionet.audio.waveform.AudioError: is empty (0 bytes); fetch or record it again
    """
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    if size <= _SMALL:  # one read, and no more seeks on the disk
        stream = io.BytesIO(stream.read())
    start, head = 0, _read_at(stream, 0, 12)
    if not head:
        raise AudioError("is empty (0 bytes); fetch or record it again")
    while head.startswith(b"ID3") and len(head) >= 10:  # tags, one after the other
        n_bytes = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        start += 10 + n_bytes + (10 if head[5] & 0x10 else 0)
        head = _read_at(stream, start, 12)
    if len(head) < 4:
        raise AudioError(f"is cut off inside its header ({size} bytes); {RESAVE}")
    if first := _mp3_frame(head):
        return _checked_mp3(stream, start, size, first, max_seconds)
    if start:  # libsndfile counts the tag as sound in some formats
        stream = io.BytesIO(_read_at(stream, start))
        size -= start
    if head.startswith((b"RIFF", b"RIFX")):
        stream = _checked_wav(stream, size, max_seconds)
    elif head.startswith(b"fLaC"):
        _check_flac(stream, size)
    elif head.startswith(b"OggS"):
        _check_ogg(stream, size, max_seconds)
    else:
        raise AudioError(f"is no WAV, FLAC, OGG or MP3 file (it begins with {head!r}); {_CONVERT}")
    stream.seek(0)
    return stream


def _read_at(stream: BinaryIO, position: int, n_bytes: int = -1) -> bytes:
    """Read bytes from a position on, all of them by default."""
    stream.seek(position)
    return stream.read(n_bytes)


def _checked_wav(stream: BinaryIO, size: int, max_seconds: float | None) -> BinaryIO:
    """Check that the data chunk of a RIFF WAVE file holds the bytes that it declares."""
    head = _read_at(stream, 0, 12)
    if len(head) < 12:
        raise AudioError(f"is cut off inside its header ({size} bytes); {RESAVE}")
    if head[8:] != b"WAVE":
        raise AudioError(f"is a RIFF file of kind {head[8:]!r}, not a WAV; {_CONVERT}")
    order: Literal["little", "big"] = "little" if head.startswith(b"RIFF") else "big"
    riff_size, byte_rate, position = int.from_bytes(head[4:8], order), 0, 12
    while True:
        chunk = _read_at(stream, position, 24)  # name, size, and of "fmt ": format, channels, rate, bytes a second
        if len(chunk) < 8:
            raise AudioError(f"is cut off before its samples ({size} bytes, no data chunk); {RESAVE}")
        n_declared = int.from_bytes(chunk[4:8], order)
        if chunk.startswith(b"data"):
            break
        if chunk.startswith(b"fmt ") and len(chunk) == 24:
            check_rate(int.from_bytes(chunk[12:16], order))
            byte_rate = int.from_bytes(chunk[16:20], order)
        position += 8 + n_declared + n_declared % 2
    n_there = size - position - 8
    # Written to a pipe, the size is unknown: 0, or just under 2^31 or 2^32 (ffmpeg, sox, arecord).
    if -n_declared % 2**31 > 4096:
        if n_declared > n_there:
            raise AudioError(
                f"is cut off: its header promises {n_declared} bytes of samples, {n_there} are there; {RESAVE}"
            )
    elif n_declared == 0 and riff_size + 8 != size and n_there > 0:
        if byte_rate:
            check_seconds(n_there / byte_rate, max_seconds)
        content = bytearray(_read_at(stream, 0))
        content[position + 4 : position + 8] = b"\xff" * 4  # libsndfile takes 0 at its word, but not this
        return io.BytesIO(content)
    return stream


def _check_flac(stream: BinaryIO, size: int) -> None:
    """Check that the metadata of a FLAC file (RFC 9639) is whole. libFLAC itself notices missing frames."""
    position, last = 4, False
    while not last:
        block = _read_at(stream, position, 4)
        position += 4 + int.from_bytes(block[1:])
        if len(block) < 4 or position > size:
            raise AudioError(f"is cut off inside its header ({size} bytes); {RESAVE}")
        last = block[0] >= 0x80
    # The first block is STREAMINFO. Its sample rate has 20 bits from byte 18 on, its number of samples the last 36.
    info = _read_at(stream, 18, 8)
    check_rate(int.from_bytes(info[:3]) >> 4)
    if position == size:
        n_samples = int.from_bytes(info[3:]) & (2**36 - 1)
        wrong = f"is cut off: none of its {n_samples} samples are there" if n_samples else "has no samples"
        raise AudioError(f"{wrong}; {RESAVE}")


def _check_ogg(stream: BinaryIO, size: int, max_seconds: float | None) -> None:
    """Check that the pages of an Ogg file (RFC 3533) are sound up to the one that ends its only stream.

    libogg silently drops a page with a wrong checksum, so the checksums are computed here.
    """
    position, rate, n_streams, ended = 0, 1, 0, False
    while position < size:
        page = _read_at(stream, position, 27)
        if not page.startswith(b"OggS"):
            if ended:  # padding
                break
            raise AudioError(f"is damaged or cut off at byte {position} of {size}; {RESAVE}")
        segments = stream.read(int.from_bytes(page[26:]))  # their sizes; the last byte of the header is their number
        packets = stream.read(sum(segments))
        end = position + 27 + int.from_bytes(page[26:]) + sum(segments)
        if end > size:
            raise AudioError(f"is cut off inside its last page ({size} bytes); {RESAVE}")
        if _ogg_checksum(page[:22] + bytes(4) + page[26:] + segments + packets) != page[22:26]:
            raise AudioError(f"is damaged in the page at byte {position} of {size}; {RESAVE}")
        if page[5] & 2:  # a stream begins
            n_streams += 1
            rate = 48_000 if packets.startswith(b"OpusHead") else int.from_bytes(packets[12:16], "little")
            check_rate(rate)
        check_seconds(int.from_bytes(page[6:14], "little", signed=True) / rate, max_seconds)
        position, ended = end, bool(page[5] & 4)
    if not ended:
        raise AudioError(f"is cut off: its end-of-stream mark is missing; {RESAVE}")
    if n_streams != 1:  # libsndfile would read the first and drop the others
        raise AudioError(f"holds {n_streams} streams, expected one; join them with: ffmpeg -i IN OUT.wav")


_REVERSED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _ogg_checksum(page: bytes) -> bytes:
    """Compute CRC-32 with Ogg's bit order and no inversions from zlib's, which is its mirror image."""
    mirrored = ~zlib.crc32(page.translate(_REVERSED_BITS), 0xFFFFFFFF) & 0xFFFFFFFF
    return mirrored.to_bytes(4).translate(_REVERSED_BITS)


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


def _checked_mp3(stream: BinaryIO, start: int, size: int, first: _Mp3Frame, max_seconds: float | None) -> BinaryIO:
    """Check that an MP3 file is an unbroken chain of as many frames as its frame of information (Xing, Info) promises.

    The returned stream holds the chain alone, because mpg123 writes notes about tags to standard error. Where the count
    is missing or too small (concatenated files), libsndfile would guess the length from the first frame and stop there.
    Then a frame with the right count is put before the chain.
    """
    head = _read_at(stream, start, first.size)
    info = head[first.info :].ljust(12, b"\0")  # name, flags, and where these say so the number of frames
    has_info = info.startswith((b"Xing", b"Info"))
    has_count, has_size = has_info and info[7] & 1, has_info and info[7] & 2
    n_promised = int.from_bytes(info[8:12]) if has_count else 0
    check_seconds(n_promised * first.n_samples / first.rate, max_seconds)

    position, n_frames = start, -int(has_info)
    frame: _Mp3Frame | None = first
    while frame and frame.kind == first.kind:
        position += frame.size
        n_frames += 1
        check_seconds(n_frames * first.n_samples / first.rate, max_seconds)
        tail = _read_at(stream, position, 128)
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
    chain = bytearray(_read_at(stream, start, position - start))
    if has_size:  # in bytes; mpg123 warns when tags were counted in
        field = first.info + (12 if has_count else 8)
        chain[field : field + 4] = len(chain).to_bytes(4)
    return io.BytesIO(prefix + chain)
