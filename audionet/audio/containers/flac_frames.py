"""The frames of a FLAC file (RFC 9639, 9): found by their headers, without decoding."""

import re
from collections.abc import Iterator
from functools import cache
from typing import BinaryIO, NamedTuple

from audionet.audio.containers.contents import read_at

_SYNC = re.compile(rb"\xff[\xf8\xf9][\x10-\xff][\x00-\xae]")
_LONGEST = 16  # bytes of a header
_BLOCK = 1 << 20  # bytes searched at a time
_RATES = (None, 88_200, 176_400, 192_000, 8000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000)  # Hz
_BITS = (None, 8, 12, None, 16, 20, 24, 32)


class Frame(NamedTuple):
    """The header of a frame.

    Attributes:
        start: Its position in the file.
        size: Its bytes, with the checksum.
        counts_samples: Whether its number is that of its first sample; else it is that of the frame.
        number: That number.
        n_samples: Samples of a channel.
        kind: Rate in Hz, channels, and bits a sample; None is that of the file.
    """

    start: int
    size: int
    counts_samples: bool
    number: int
    n_samples: int
    kind: tuple[int | None, int, int | None]


def frames_from(stream: BinaryIO, position: int) -> Iterator[Frame]:
    """Yield from a position on whatever looks like the header of a frame, in the order of the file."""
    n_bytes = _BLOCK
    while n_bytes == _BLOCK:
        block = read_at(stream, position, _BLOCK)
        n_bytes = len(block)
        for match in _SYNC.finditer(block):
            at = match.start()
            if at > _BLOCK - _LONGEST:  # the next block holds all of it
                break
            frame = _frame(block[at : at + _LONGEST], position + at)
            if frame:
                yield frame
        position += _BLOCK - _LONGEST + 1


def _frame(head: bytes, position: int) -> Frame | None:
    """Read a header; None if its checksum is another, or a field has a forbidden value."""
    if len(head) < _LONGEST:
        head = head.ljust(_LONGEST, b"\0")
    block, rate, channels, bits = head[2] >> 4, head[2] & 15, head[3] >> 4, head[3] >> 1 & 7
    n_coded = _leading_ones(head[4]) if head[4] > 0x7F else 0  # bytes of the number, but 0 for a single one
    if block == 0 or rate == 15 or channels > 10 or bits == 3 or head[3] & 1 or n_coded in (1, 8):
        return None
    end = 4 + max(n_coded, 1)
    number = head[4] & (0x7F >> n_coded)
    for byte in head[5:end]:
        number = number << 6 | byte & 0x3F
    n_extra = {6: 1, 7: 2}.get(block, 0)
    extra = int.from_bytes(head[end : end + n_extra])
    end += n_extra
    n_samples = extra + 1 if n_extra else 192 if block == 1 else 144 << block if block < 6 else 1 << block
    n_extra = {12: 1, 13: 2, 14: 2}.get(rate, 0)
    extra = int.from_bytes(head[end : end + n_extra])
    end += n_extra
    hz = extra * {12: 1000, 13: 1, 14: 10}[rate] if n_extra else _RATES[rate]
    if _crc(head[:end], 0x07, 8) != head[end]:
        return None
    kind = hz, channels + 1 if channels < 8 else 2, _BITS[bits]
    return Frame(position, end + 1, bool(head[1] & 1), number, n_samples, kind)


def is_whole(frame: bytes) -> bool:
    """Say whether a frame, from its header to its end, has the checksum in its last two bytes."""
    return _crc(frame, 0x8005, 16) == 0


def renumbered(content: bytes, header: Frame, number: int) -> bytes:
    """Give a frame another number, which its two checksums cover."""
    behind = 4 + max(_leading_ones(content[4]), 1)
    head = content[:4] + _coded(number) + content[behind : header.size - 1]
    frame = head + _crc(head, 0x07, 8).to_bytes() + content[header.size : -2]
    return frame + _crc(frame, 0x8005, 16).to_bytes(2)


def _leading_ones(byte: int) -> int:
    return 8 - (~byte & 0xFF).bit_length()


def _coded(number: int) -> bytes:
    """Code a number as UTF-8 does, up to 36 bits."""
    if number < 0x80:
        return number.to_bytes()
    tail: list[int] = []
    while number >= 0x40 >> len(tail):
        tail.append(number & 0x3F | 0x80)
        number >>= 6
    return bytes([0xFF80 >> len(tail) & 0xFF | number, *reversed(tail)])


@cache
def _crc_table(polynomial: int, n_bits: int) -> list[int]:
    """Return what each byte does to a checksum."""
    table = []
    for byte in range(256):
        crc = byte << n_bits - 8
        for _ in range(8):
            crc = crc << 1 ^ (polynomial | 1 << n_bits if crc >> n_bits - 1 else 0)
        table.append(crc)
    return table


def _crc(content: bytes, polynomial: int, n_bits: int) -> int:
    """Compute a cyclic checksum, most significant bit first, that begins with 0."""
    table, mask, shift = _crc_table(polynomial, n_bits), (1 << n_bits) - 1, n_bits - 8
    crc = 0
    for byte in content:
        crc = (crc << 8 & mask) ^ table[crc >> shift ^ byte]
    return crc
