"""W64 files (Sony's Wave64): WAV with longer names and sizes."""

from typing import BinaryIO

from audionet.audio.containers.chunks import check_behind, check_samples, chunks, up_to_data
from audionet.audio.containers.contents import Contents, read_at, spliced
from audionet.audio.containers.faults import Faults
from audionet.audio.containers.limits import check_seconds
from audionet.audio.containers.riff import read_format

_HEAD = 24  # bytes of a name and a size, which counts them


def check(stream: BinaryIO, size: int, max_seconds: float | None, faults: Faults) -> list[Contents]:
    """Check that the data chunk of a W64 file holds the bytes that it declares, and that no others are there."""
    rest = chunks(stream, 40, size, "little", name_bytes=16, size_bytes=8, alignment=8, counts_head=True)
    before = up_to_data(rest, size)
    form = read_format(stream, before.get(b"fmt "), "little", faults)
    _, start, n_bytes = before[b"data"]
    n_there = size - start
    check_samples(n_bytes, n_there, faults)
    n_bytes = min(n_bytes, n_there)
    if form.byte_rate:
        check_seconds(n_bytes / form.byte_rate, max_seconds)
    check_behind(stream, rest, size, faults, sound=(b"data", b"riff"), n_head=_HEAD)
    if faults.notes:
        n_bytes = form.whole(n_bytes)
    if faults.notes or size > start + n_bytes:  # libsndfile would read on
        head = bytearray(read_at(stream, 0, start))
        head[16:24] = (start + n_bytes).to_bytes(8, "little")
        head[-8:] = (n_bytes + _HEAD).to_bytes(8, "little")
        stream = spliced(bytes(head), stream, start, start + n_bytes)
    return [Contents(stream, form.n_samples(n_bytes))]
