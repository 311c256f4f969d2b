"""MP3 files: MPEG-1, 2 or 2.5 Layer III (ISO 11172-3, ISO 13818-3)."""

import io
import re
from functools import lru_cache
from typing import BinaryIO, NamedTuple

from audionet.audio.containers.contents import Contents, id3_size, read_at
from audionet.audio.containers.faults import RESAVE, Faults, UnknownKind
from audionet.audio.containers.limits import check_seconds
from audionet.audio.waveform import AudioError

_INFO = b"Xing", b"Info"
_ZEROS = re.compile(rb"\0*")
_SYNC = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb]")


class _Frame(NamedTuple):
    rate: int  # Hz
    n_samples: int
    size: int  # bytes
    info: int  # where the frame of information keeps its tag
    kind: int  # header bits that all frames of a file share: version, layer, rate, mono or not


class _Info(NamedTuple):
    """The frame of information (Xing, Info) before the frames of sound."""

    content: bytes
    tag_at: int  # where its tag begins
    n_frames: int  # it promises; 0 is unknown
    size_at: int | None  # where it has the size of the file


def check(stream: BinaryIO, size: int, max_seconds: float | None, faults: Faults) -> list[Contents]:
    """Check that an MP3 file is a chain of as many frames as its frame of information promises.

    Joined files are several chains; tags and frames of information may stand between them. The returned stream holds
    the frames alone, because mpg123 writes notes about tags to standard error. Before them is a frame of information
    with the right count, because libsndfile would guess it from the first frame and stop there.
    """
    content = read_at(stream, 0)
    start = _behind_tags(content, 0, size)
    first = _frame(content[start : start + 4])
    found = start if first and _info(content, start, first) else _next_frame(content, start)
    if found is None and first:  # too short for others to follow
        found = start
    first = None if found is None else _frame(content[found : found + 4])
    if found is None or first is None:
        raise UnknownKind(content[start : start + 12])
    if found > start:
        faults.add(f"has {found - start} bytes before its first frame that are no sound")
    chains, infos, n_frames = [], [], 0
    while found is not None:
        if info := _info(content, found, first):
            infos.append(info)
            check_seconds(info.n_frames * first.n_samples / first.rate, max_seconds)
            found += len(info.content)
        end = found
        while (frame := _frame(content[end : end + 4])) and frame.kind == first.kind and end + frame.size <= size:
            if content[end + first.info : end + first.info + 4] in _INFO:  # of the next file
                break
            end += frame.size
            n_frames += 1
            check_seconds(n_frames * first.n_samples / first.rate, max_seconds)
        chains.append(content[found:end])
        found = _next_frame(content, end, first.kind)
        following = size if found is None else found
        if _behind_tags(content, end, following, padded=found is None) < following:
            faults.add(f"is damaged or cut off at byte {end} of {size}")
    n_promised = sum(info.n_frames for info in infos)
    if n_frames < n_promised - len(infos):  # some encoders count the frame of information too
        faults.add(f"is cut off: {n_frames} of its {n_promised} frames are there")
    if n_frames == 0:
        raise AudioError(f"is damaged or cut off: it has no frame of sound; {RESAVE}")
    return [Contents(_joined(chains, infos, n_frames))]


def _joined(chains: list[bytes], infos: list[_Info], n_frames: int) -> BinaryIO:
    """Put a frame of information with the right count before the chains."""
    chain = b"".join(chains)
    if not (infos and infos[0].n_frames):
        return io.BytesIO(_counting(chain[:4], n_frames) + chain)
    info = bytearray(infos[0].content)
    if abs(n_frames - infos[0].n_frames) > 1:
        info[infos[0].tag_at + 8 : infos[0].tag_at + 12] = n_frames.to_bytes(4)
    if infos[0].size_at is not None:  # mpg123 warns when tags were counted in
        info[infos[0].size_at : infos[0].size_at + 4] = (len(info) + len(chain)).to_bytes(4)
    return io.BytesIO(info + chain)


def _counting(header: bytes, n_frames: int) -> bytes:
    """Make a frame of information for the frames whose first has this header."""
    header = bytes([header[0], header[1] | 1, header[2] & 0x0D | 0x80, header[3]])  # no CRC, a roomy bit rate
    frame = _frame(header)
    assert frame is not None
    tag = b"Xing" + (1).to_bytes(4) + n_frames.to_bytes(4)
    return (header.ljust(frame.info, b"\0") + tag).ljust(frame.size, b"\0")


# ---- frames and tags ---------------------------------------------------------------------------------------


@lru_cache(maxsize=256)  # the frames of a file have few headers
def _frame(head: bytes) -> _Frame | None:
    """Read the 4 bytes of the header of a Layer III frame (ISO 11172-3, 2.4.1.3); return None for anything else."""
    word = int.from_bytes(head)
    version, layer, bitrate, rate = word >> 19 & 3, word >> 17 & 3, word >> 12 & 15, word >> 10 & 3
    if len(head) < 4 or word >> 21 != 0x7FF or version == 1 or layer != 1 or bitrate in (0, 15) or rate == 3:
        return None
    mpeg1, mono = version == 3, word >> 6 & 3 == 3
    if mpeg1:
        kbps = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)[bitrate - 1]
    else:
        kbps = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)[bitrate - 1]
    hz = (44_100, 48_000, 32_000)[rate] // {3: 1, 2: 2, 0: 4}[version]
    n_samples = 1152 if mpeg1 else 576
    size = n_samples // 8 * kbps * 1000 // hz + (word >> 9 & 1)
    side_info = (17 if mono else 32) if mpeg1 else (9 if mono else 17)
    return _Frame(hz, n_samples, size, 4 + side_info, (word & 0xFFFE0C00) + mono)


def _next_frame(content: bytes, start: int, kind: int | None = None) -> int | None:
    """Find, from a position on, a frame that others of its kind follow: one of the given kind, or two of any kind."""
    for match in _SYNC.finditer(content, start):
        position = match.start()
        frames = [_frame(content[position : position + 4])]
        while (frame := frames[-1]) and len(frames) < (3 if kind is None else 2):
            position += frame.size
            frames.append(_frame(content[position : position + 4]))
        if {frame and frame.kind for frame in frames} == {kind or (frames[0] and frames[0].kind)} - {None}:
            return match.start()
    return None


def _info(content: bytes, position: int, first: _Frame) -> _Info | None:
    """Read the frame at a position if it is one of information: name, flags, and where these say so the numbers."""
    frame = _frame(content[position : position + 4])
    if frame is None or frame.kind != first.kind:
        return None
    found = content[position : position + frame.size]
    tag = found[frame.info : frame.info + 12].ljust(12, b"\0")
    if not tag.startswith(_INFO):
        return None
    has_count, has_size = tag[7] & 1, tag[7] & 2
    size_at = frame.info + (12 if has_count else 8)
    return _Info(found, frame.info, int.from_bytes(tag[8:]) if has_count else 0, size_at if has_size else None)


def _behind_tags(content: bytes, position: int, end: int, *, padded: bool = False) -> int:
    """Return where the tags at a position end, and with ``padded`` the zeros around them, too."""
    while position < end:
        zeros = _ZEROS.match(content, position, end) if padded else None
        position = zeros.end() if zeros else position
        head = content[position : position + 16]
        n_bytes = id3_size(head)
        if head.startswith(b"TAG"):
            n_bytes = 128
        elif head.startswith(b"APETAGEX"):
            n_bytes = 32 + int.from_bytes(head[12:16], "little")
        elif head.startswith(b"LYRICSBEGIN"):
            n_bytes = max(content.find(b"LYRICS200", position, end) + 9 - position, 0)
        if not n_bytes:
            break
        position += n_bytes
    return min(position, end)
