"""Ogg files (RFC 3533)."""

import zlib
from typing import BinaryIO

from audionet.audio.containers.contents import Contents, read_at
from audionet.audio.containers.faults import RESAVE, Faults
from audionet.audio.containers.limits import check_rate, check_seconds
from audionet.audio.waveform import AudioError


def check(stream: BinaryIO, size: int, max_seconds: float | None, faults: Faults) -> Contents:
    """Check that the pages of an Ogg file (RFC 3533) are sound up to the one that ends its only stream.

    libogg silently drops a page with a wrong checksum, so the checksums are computed here.
    """
    position, rate, n_streams, ended = 0, 1, 0, False
    while position < size:
        page = read_at(stream, position, 27)
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
    return Contents([stream])


_REVERSED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _ogg_checksum(page: bytes) -> bytes:
    """Compute CRC-32 with Ogg's bit order and no inversions from zlib's, which is its mirror image."""
    mirrored = ~zlib.crc32(page.translate(_REVERSED_BITS), 0xFFFFFFFF) & 0xFFFFFFFF
    return mirrored.to_bytes(4).translate(_REVERSED_BITS)
