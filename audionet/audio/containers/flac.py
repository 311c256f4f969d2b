"""FLAC files (RFC 9639)."""

import io
from collections.abc import Iterable
from itertools import islice
from typing import BinaryIO, NamedTuple

from audionet.audio.containers.contents import Contents, find, read_at
from audionet.audio.containers.faults import RESAVE, Faults, UnknownKind
from audionet.audio.containers.flac_frames import Frame, frames_from, is_whole, renumbered
from audionet.audio.containers.limits import JOINED_SECONDS, check_rate, check_seconds
from audionet.audio.waveform import AudioError

_BEGINNING = b"fLaC\0\0\0\x22"  # of a file: its name, and the head of STREAMINFO
_READABLE_BITS = (8, 16, 24)  # of libsndfile


class _Info(NamedTuple):
    """What STREAMINFO, the first block of metadata, says of the whole file."""

    block_length: int  # samples of a frame; the last one may be shorter
    kind: tuple[int, int, int]  # rate in Hz, channels, bits of a sample
    n_samples: int  # of a channel; 0 is unknown
    md5: bytes | None


def check(stream: BinaryIO, size: int, max_seconds: float | None, faults: Faults) -> list[Contents]:
    """Check that the metadata of a FLAC file is whole, and that its frames follow each other up to its end.

    libFLAC plays silence in the place of a frame that is missing, and any order.
    """
    info, start = _info(stream, size)
    rate, _, n_bits = info.kind
    check_rate(rate)
    check_seconds(info.n_samples / rate, max_seconds)
    if n_bits not in _READABLE_BITS:
        raise UnknownKind(read_at(stream, 0, 12))
    if start == size:
        wrong = f"is cut off: none of its {info.n_samples} samples are there" if info.n_samples else "has no samples"
        raise AudioError(f"{wrong}; {RESAVE}")
    following = find(stream, _BEGINNING, start)
    if following is not None:
        faults.add(f"is followed by another FLAC file, at byte {following}")
        stream, size = io.BytesIO(read_at(stream, 0, following)), following
    headers = frames_from(stream, start)
    is_signed = info.md5 is not None and info.n_samples > 0
    if is_signed and not faults.lenient:  # whatever is wrong with the frames behind the first, the checksum tells
        _in_order(islice(headers, 1), info, max_seconds, faults)
        return [Contents(stream, info.n_samples, info.md5)]
    frames = _in_order(headers, info, max_seconds, faults)
    n_samples = sum(frame.n_samples for frame in dict(frames).values())
    if info.n_samples not in (0, n_samples):
        faults.add(f"is damaged or cut off: {n_samples} of its {info.n_samples} samples are there")
    if faults.lenient and (repaired := _repaired(stream, size, start, frames, faults)):
        return [Contents(repaired)]
    return [Contents(stream, n_samples, info.md5)]


def _info(stream: BinaryIO, size: int) -> tuple[_Info, int]:
    """Read STREAMINFO, and find where the frames begin."""
    position, last = 4, False
    while not last:
        block = read_at(stream, position, 4)
        position += 4 + int.from_bytes(block[1:])
        if len(block) < 4 or position > size:
            raise AudioError(f"is cut off inside its header ({size} bytes); {RESAVE}")
        last = block[0] >= 0x80
    first = read_at(stream, 4, 38)
    if first[0] & 0x7F or len(first) < 38:
        raise AudioError(f"is damaged in its header; {RESAVE}")
    numbers = int.from_bytes(first[14:22])  # 20 bits of rate, 3 of channels, 5 of bits a sample, 36 of samples
    kind = numbers >> 44, (numbers >> 41 & 7) + 1, (numbers >> 36 & 31) + 1
    md5 = first[22:38] if any(first[22:38]) else None
    return _Info(int.from_bytes(first[6:8]), kind, numbers & (2**36 - 1), md5), position


def _in_order(
    headers: Iterable[Frame], info: _Info, max_seconds: float | None, faults: Faults
) -> list[tuple[int, Frame]]:
    """Return the frames with their first samples, and see that each begins where the one before ends."""
    rate, n_channels, n_bits = info.kind
    found: list[tuple[int, Frame]] = []
    begin = expected = 0
    for frame in headers:
        first = frame.number if frame.counts_samples else frame.number * info.block_length
        agrees = frame.kind == info.kind or all(
            own in (None, said) for own, said in zip(frame.kind, info.kind, strict=True)
        )
        if not found and agrees and first > JOINED_SECONDS * rate:  # a broadcast that is on the air
            begin = expected = first
        if first != expected and not (agrees and first < expected + JOINED_SECONDS * rate):
            continue  # no frame: bytes look so by chance
        if not agrees:
            faults.add(
                f"is damaged: its header tells of {rate} Hz, {n_channels} channels and {n_bits} bits, its frames do not"
            )
        if first != expected:
            faults.add(f"is damaged: the frame of sample {first} stands where that of sample {expected} is due")
        found.append((first, frame))
        expected = first + frame.n_samples
        check_seconds((expected - begin) / rate, max_seconds)
    return found


def _repaired(
    stream: BinaryIO, size: int, start: int, frames: list[tuple[int, Frame]], faults: Faults
) -> BinaryIO | None:
    """Put the frames that are whole, numbered anew, into a file without a promised length; None if nothing is wrong."""
    if read_at(stream, size - 128, 3) == b"TAG":
        size -= 128
    ends = [frame.start for _, frame in frames[1:]] + [size]
    contents = {
        first: (frame, read_at(stream, frame.start, end - frame.start))
        for (first, frame), end in zip(frames, ends, strict=True)
    }
    n_samples = 0
    whole: list[bytes] = []
    for _, (frame, content) in sorted(contents.items()):
        if is_whole(content):
            number = n_samples if frame.counts_samples else len(whole)
            whole.append(renumbered(content, frame, number) if number != frame.number else content)
            n_samples += frame.n_samples
    if len(whole) < len(contents):
        faults.add(f"is damaged or cut off: {len(contents) - len(whole)} of its {len(contents)} frames are not whole")
    if not faults.notes:
        return None
    header = bytearray(read_at(stream, 0, start))
    header[21] &= 0xF0
    header[22:42] = bytes(20)  # the last 32 of 36 bits of the length, and the checksum
    return io.BytesIO(bytes(header) + b"".join(whole))
