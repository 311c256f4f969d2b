"""WAV files (RIFF WAVE)."""

import io
from typing import BinaryIO, Literal

from audionet.audio.containers.contents import Contents, read_at
from audionet.audio.containers.faults import RESAVE, Faults, UnknownKind
from audionet.audio.containers.limits import check_rate, check_seconds
from audionet.audio.waveform import AudioError


def check(stream: BinaryIO, size: int, max_seconds: float | None, faults: Faults) -> Contents:
    """Check that the data chunk of a RIFF WAVE file holds the bytes that it declares."""
    head = read_at(stream, 0, 12)
    if len(head) < 12:
        raise AudioError(f"is cut off inside its header ({size} bytes); {RESAVE}")
    if head[8:] != b"WAVE":
        raise UnknownKind(head)
    order: Literal["little", "big"] = "little" if head.startswith(b"RIFF") else "big"
    riff_size, byte_rate, position = int.from_bytes(head[4:8], order), 0, 12
    while True:
        chunk = read_at(stream, position, 24)  # name, size, and of "fmt ": format, channels, rate, bytes a second
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
        content = bytearray(read_at(stream, 0))
        content[position + 4 : position + 8] = b"\xff" * 4  # libsndfile takes 0 at its word, but not this
        return Contents([io.BytesIO(content)])
    return Contents([stream])
