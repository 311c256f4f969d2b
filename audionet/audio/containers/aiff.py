"""AIFF and AIFF-C files (Apple's Audio Interchange File Format, 1989 and 1991)."""

import struct
from typing import BinaryIO

from audionet.audio.containers.chunks import Chunk, check_behind, check_samples, chunks
from audionet.audio.containers.contents import Contents, read_at, spliced
from audionet.audio.containers.faults import RESAVE, Faults, UnknownKind
from audionet.audio.containers.limits import check_rate, check_seconds
from audionet.audio.waveform import AudioError

_INTEGERS = (b"", b"NONE", b"twos", b"sowt", b"raw ", b"in24", b"in32", b"42ni", b"23ni")
_BYTES = {b"fl32": 4, b"FL32": 4, b"fl64": 8, b"FL64": 8, b"alaw": 1, b"ALAW": 1, b"ulaw": 1, b"ULAW": 1}
_INSIDE = 8  # bytes of the chunk SSND before its samples: their offset, and the size of a block


def check(stream: BinaryIO, size: int, max_seconds: float | None, faults: Faults) -> list[Contents]:
    """Check that the sound chunk of an AIFF file is whole, and holds as many samples as the common chunk says."""
    head = read_at(stream, 0, 12)
    if head[8:] not in (b"AIFF", b"AIFC"):
        raise UnknownKind(head)
    found: dict[bytes, Chunk] = {}
    for chunk in chunks(stream, 12, size, "big"):
        found.setdefault(chunk.name, chunk)
    if not {b"COMM", b"SSND"} <= found.keys():
        raise AudioError(f"is cut off before its samples ({size} bytes); {RESAVE}")
    common, sound = found[b"COMM"], found[b"SSND"]
    rate, n_promised, sample_bytes = _common(read_at(stream, common.start, min(common.size, 22)))
    check_rate(rate)
    start = sound.start + _INSIDE + int.from_bytes(read_at(stream, sound.start, 4))
    n_bytes = sound.start + sound.size - start
    is_unknown = n_promised == 0 and n_bytes <= 0 and start < size  # written to a pipe
    if is_unknown:
        n_bytes = size - start
        n_promised = n_bytes // sample_bytes if sample_bytes else 0
    check_seconds(n_promised / rate, max_seconds)
    check_samples(n_bytes, size - start, faults)
    if sample_bytes and n_promised != n_bytes // sample_bytes:
        faults.add(f"is damaged: its header promises {n_promised} samples, and its sound chunk has {n_bytes} bytes")
    n_bytes = max(min(n_bytes, size - start), 0)
    if not is_unknown:
        behind = chunks(stream, start + n_bytes + n_bytes % 2, size, "big")
        check_behind(stream, behind, size, faults, sound=(b"SSND", b"FORM"))
    n_samples = n_bytes // sample_bytes if sample_bytes else None
    if (is_unknown or faults.notes) and n_samples is not None and common.start < sound.start:
        opening = bytearray(read_at(stream, 0, sound.start) + bytes(_INSIDE))
        opening[4:8] = (len(opening) + n_bytes - 8).to_bytes(4)
        opening[common.start + 2 : common.start + 6] = n_samples.to_bytes(4)
        opening[sound.start - 4 : sound.start] = (_INSIDE + n_bytes).to_bytes(4)
        stream = spliced(bytes(opening), stream, start, start + n_bytes)
    return [Contents(stream, n_samples)]


def _common(content: bytes) -> tuple[int, int, int]:
    """Read the common chunk: sample rate, samples of a channel, and their bytes; 0 bytes if the codec packs them."""
    n_channels, n_samples, n_bits, exponent, mantissa = struct.unpack(">hIhHQ", content[:18].ljust(18, b"\0"))
    shift = 63 - (exponent - 16_383)  # the rate is a float of 80 bits
    rate = mantissa >> shift if 0 <= shift < 64 else 0
    codec = content[18:]
    one = -(-n_bits // 8) if codec in _INTEGERS else _BYTES.get(codec, 0)
    return rate, n_samples, max(n_channels * one, 0)
