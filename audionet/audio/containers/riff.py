"""WAV files: RIFF WAVE, RIFX in the other order of bytes, and RF64 for more than 4 GiB (EBU Tech 3306)."""

import struct
from typing import BinaryIO, NamedTuple

from audionet.audio.containers.chunks import Chunk, Order, check_behind, check_samples, chunks, up_to_data
from audionet.audio.containers.contents import Contents, read_at, spliced
from audionet.audio.containers.faults import RESAVE, Faults, UnknownKind
from audionet.audio.containers.limits import check_rate, check_seconds
from audionet.audio.waveform import AudioError

_PLAIN = (1, 3, 6, 7)  # integers, floats, A-law and mu-law: each sample has its own bytes
_EXTENSIBLE = 0xFFFE
_SOUND = (b"data", b"RIFF", b"RIFX", b"RF64", b"BW64")


class Format(NamedTuple):
    """What the chunk "fmt " says."""

    byte_rate: int  # bytes a second; 0 if the codec packs samples
    block_bytes: int  # of a sample of all channels, or of a block of such a codec; 0 is unknown

    def whole(self, n_bytes: int) -> int:
        """Return the bytes of the blocks that are whole, where the codec packs samples."""
        return n_bytes - n_bytes % self.block_bytes if self.block_bytes and not self.byte_rate else n_bytes

    def n_samples(self, n_bytes: int) -> int | None:
        """Return the samples of a channel; None if the codec packs them."""
        return n_bytes // self.block_bytes if self.byte_rate else None


def check(stream: BinaryIO, size: int, max_seconds: float | None, faults: Faults) -> list[Contents]:
    """Check that the data chunk of a WAV file holds the bytes that it declares, and that no others are there."""
    head = read_at(stream, 0, 12)
    if len(head) < 12:
        raise AudioError(f"is cut off inside its header ({size} bytes); {RESAVE}")
    if head[8:] != b"WAVE":
        raise UnknownKind(head)
    order: Order = "big" if head.startswith(b"RIFX") else "little"
    before = up_to_data(chunks(stream, 12, size, order), size)
    is_long = head.startswith((b"RF64", b"BW64")) and b"ds64" in before and before[b"ds64"].size >= 16
    form = read_format(stream, before.get(b"fmt "), order, faults)
    data, riff_size = before[b"data"], int.from_bytes(head[4:8], order)
    n_bytes, n_there = data.size, size - data.start
    if is_long and n_bytes == 2**32 - 1:
        riff_size, n_bytes = struct.unpack("<QQ", read_at(stream, before[b"ds64"].start, 16))
    # Written to a pipe, the size is unknown: 0, or just under 2^31, 2^32 or 2^64 (ffmpeg, sox, arecord).
    is_unknown = -n_bytes % 2**31 <= 4096 and (n_bytes > n_there or (n_bytes == 0 and riff_size + 8 != size))
    if is_unknown:
        is_told = data.start < riff_size + 8 < (2**62 if is_long else 2**31 - 4096)
        n_bytes = riff_size + 8 - data.start if is_told else n_there
    check_samples(n_bytes, n_there, faults)
    n_bytes = min(n_bytes, n_there)
    if form.byte_rate:
        check_seconds(n_bytes / form.byte_rate, max_seconds)
    end = data.start + n_bytes
    behind = chunks(stream, end + (n_bytes % 2 and read_at(stream, end, 1) == b"\0"), size, order)
    check_behind(stream, behind, size, faults, sound=_SOUND, may_be_zeros=end >= riff_size + 8 - 1)
    if faults.notes:
        n_bytes = form.whole(n_bytes)
    if is_unknown or faults.notes or head.startswith(b"BW64"):
        stream = spliced(_head(stream, before, n_bytes, order, is_long), stream, data.start, data.start + n_bytes)
    return [Contents(stream, form.n_samples(n_bytes))]


def read_format(stream: BinaryIO, chunk: Chunk | None, order: Order, faults: Faults) -> Format:
    """Read the chunk "fmt ", and see that its numbers agree."""
    if chunk is None or chunk.size < 16:
        raise AudioError(f"is damaged: it has no format before its samples; {RESAVE}")
    content = read_at(stream, chunk.start, min(chunk.size, 26))
    sign = ">" if order == "big" else "<"
    codec, n_channels, rate, byte_rate, sample_bytes, n_bits = struct.unpack(f"{sign}HHIIHH", content[:16])
    check_rate(rate)
    if codec == _EXTENSIBLE and len(content) == 26:
        (codec,) = struct.unpack(f"{sign}H", content[24:])
    if codec not in _PLAIN:
        return Format(0, sample_bytes)
    one = -(-n_bits // 8)
    agrees = sample_bytes in (n_channels * one, n_channels * 4 * (one == 3))  # 24 bits may lie in 4 bytes
    if not sample_bytes or not agrees or byte_rate not in (0, rate * sample_bytes):
        faults.add(
            f"is damaged: its header tells of {rate} Hz, {n_channels} channels and {n_bits} bits, which do not make "
            f"{sample_bytes} bytes a sample and {byte_rate} a second"
        )
    return Format(rate * sample_bytes, sample_bytes)


def _head(stream: BinaryIO, before: dict[bytes, Chunk], n_bytes: int, order: Order, is_long: bool) -> bytes:
    """Return what stands before the samples, with their right size."""
    start = before[b"data"].start
    head = bytearray(read_at(stream, 0, start))
    size, riff_size = n_bytes, start + n_bytes - 8
    if is_long:
        place = before[b"ds64"].start
        head[:4] = b"RF64"
        head[place : place + 16] = struct.pack("<QQ", riff_size, n_bytes)
        size = riff_size = 2**32 - 1
    head[4:8] = min(riff_size, 2**32 - 1).to_bytes(4, order)
    head[-4:] = min(size, 2**32 - 1).to_bytes(4, order)
    return bytes(head)
