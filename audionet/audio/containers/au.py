"""AU files (Sun's and NeXT's, also .snd), in either order of bytes."""

import struct
from typing import BinaryIO

from audionet.audio.containers.chunks import Chunk, check_behind, check_samples
from audionet.audio.containers.contents import Contents, read_at, spliced
from audionet.audio.containers.faults import RESAVE, Faults
from audionet.audio.containers.limits import check_rate, check_seconds
from audionet.audio.waveform import AudioError

_BYTES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}  # of a sample; other codecs pack them
_UNKNOWN = 2**32 - 1


def check(stream: BinaryIO, size: int, max_seconds: float | None, faults: Faults) -> list[Contents]:
    """Check that an AU file holds as many bytes as its header says, and no more."""
    head = read_at(stream, 0, 24)
    if len(head) < 24:
        raise AudioError(f"is cut off inside its header ({size} bytes); {RESAVE}")
    order = ">" if head.startswith(b".snd") else "<"
    start, n_bytes, codec, rate, n_channels = struct.unpack(f"{order}5I", head[4:])
    check_rate(rate)
    if not 24 <= start <= size:
        raise AudioError(f"is damaged or cut off inside its header ({size} bytes); {RESAVE}")
    n_there = size - start
    if n_bytes == _UNKNOWN:
        n_bytes = n_there
    check_samples(n_bytes, n_there, faults)
    n_bytes = min(n_bytes, n_there)
    n_behind = n_there - n_bytes
    check_behind(stream, [Chunk(b"", size - n_behind, n_behind)] if n_behind else [], size, faults, sound=())
    sample_bytes = n_channels * _BYTES.get(codec, 0)
    n_samples = n_bytes // sample_bytes if sample_bytes else None
    if n_samples is not None:
        check_seconds(n_samples / rate, max_seconds)
    if faults.notes or n_behind:  # libsndfile would read on in some codecs
        head = head[:8] + struct.pack(f"{order}I", n_bytes) + head[12:] + read_at(stream, 24, start - 24)
        stream = spliced(head, stream, start, start + n_bytes)
    return [Contents(stream, n_samples)]
