"""CAF files (Apple's Core Audio Format)."""

import struct
from math import isfinite
from typing import BinaryIO

from audionet.audio.containers.chunks import check_behind, check_samples, chunks, up_to_data
from audionet.audio.containers.contents import Contents, read_at, spliced
from audionet.audio.containers.faults import RESAVE, Faults, UnknownKind
from audionet.audio.containers.limits import check_rate, check_seconds
from audionet.audio.waveform import AudioError

_PLAIN = (b"lpcm", b"alaw", b"ulaw")  # of the codecs; libsndfile reads but its own files of ALAC
_HEAD = 12  # bytes of a name and a size
_INSIDE = 4  # bytes of the chunk data before its samples: a count of edits
_UNKNOWN = 2**64 - 1


def check(stream: BinaryIO, size: int, max_seconds: float | None, faults: Faults) -> list[Contents]:
    """Check that the data chunk of a CAF file is whole. Its size may be unknown, where it is the last one."""
    rest = chunks(stream, 8, size, "big", size_bytes=8, alignment=1)
    before = up_to_data(rest, size)
    if b"desc" not in before:
        raise AudioError(f"is damaged: it has no description before its samples; {RESAVE}")
    fields = read_at(stream, before[b"desc"].start, 32).ljust(32, b"\0")
    rate, codec, _, packet_bytes, packet_samples, *_ = struct.unpack(">d4s5I", fields)
    if codec not in _PLAIN:
        raise UnknownKind(read_at(stream, 0, 12))
    check_rate(round(rate) if isfinite(rate) else 0)
    data = before[b"data"]
    start, n_there = data.start + _INSIDE, size - data.start - _INSIDE
    is_unknown = data.size == _UNKNOWN
    n_bytes = n_there if is_unknown else data.size - _INSIDE
    check_samples(n_bytes, n_there, faults)
    n_bytes = max(min(n_bytes, n_there), 0)
    check_behind(stream, rest, size, faults, sound=(b"data", b"caff"), n_head=_HEAD)
    n_samples = n_bytes // packet_bytes * packet_samples if packet_bytes else None
    if n_samples is not None:
        check_seconds(n_samples / rate, max_seconds)
        if is_unknown or faults.notes:
            head = read_at(stream, 0, start - _HEAD - _INSIDE + 4) + struct.pack(">QI", n_bytes + _INSIDE, 0)
            stream = spliced(head, stream, start, start + n_bytes)
    return [Contents(stream, n_samples)]
