"""FLAC files (RFC 9639)."""

from typing import BinaryIO

from audionet.audio.containers.contents import Contents, read_at
from audionet.audio.containers.faults import RESAVE, Faults
from audionet.audio.containers.limits import check_rate
from audionet.audio.waveform import AudioError


def check(stream: BinaryIO, size: int, max_seconds: float | None, faults: Faults) -> Contents:
    """Check that the metadata of a FLAC file (RFC 9639) is whole. libFLAC itself notices missing frames."""
    position, last = 4, False
    while not last:
        block = read_at(stream, position, 4)
        position += 4 + int.from_bytes(block[1:])
        if len(block) < 4 or position > size:
            raise AudioError(f"is cut off inside its header ({size} bytes); {RESAVE}")
        last = block[0] >= 0x80
    # The first block is STREAMINFO. Its sample rate has 20 bits from byte 18 on, its number of samples the last 36.
    info = read_at(stream, 18, 8)
    check_rate(int.from_bytes(info[:3]) >> 4)
    if position == size:
        n_samples = int.from_bytes(info[3:]) & (2**36 - 1)
        wrong = f"is cut off: none of its {n_samples} samples are there" if n_samples else "has no samples"
        raise AudioError(f"{wrong}; {RESAVE}")
    return Contents([stream])
