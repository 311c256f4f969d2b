"""Ogg files (RFC 3533) of Vorbis, Opus or FLAC: one stream, several chained in time, or one beside what is no sound."""

import io
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from audionet.audio.containers.contents import Contents, find, read_at
from audionet.audio.containers.faults import RESAVE, Faults, UnknownKind
from audionet.audio.containers.limits import JOINED_SECONDS, check_rate, check_seconds
from audionet.audio.waveform import AudioError

_CODECS = {b"\x01vorbis": "vorbis", b"OpusHead": "opus", b"\x7fFLAC": "flac"}


class _Page(NamedTuple):
    start: int  # positions in the file
    body: int
    end: int
    flags: int
    granule: int  # samples of the stream up to the end of the page; -1 where no packet ends in it
    serial: int  # of the stream
    number: int

    @property
    def is_first(self) -> bool:
        return bool(self.flags & 2)

    @property
    def is_last(self) -> bool:
        return bool(self.flags & 4)


class _Sound:
    """One logical stream, and its pages that are good."""

    def __init__(self, codec: str, rate: int, first: _Page) -> None:
        self.codec, self.rate, self.pages = codec, rate, [first]
        self.begin = self.end = 0  # granule positions of the first page with samples and of the last one
        self.ended = first.is_last

    def add(self, page: _Page, faults: Faults) -> None:
        """Add a page, unless it is out of order."""
        expected = (self.pages[-1].number + 1) % 2**32
        if self.ended or page.number < expected:
            faults.add(f"is damaged: its page {page.number} comes twice or too late")
            return
        joined = not self.begin and page.granule > JOINED_SECONDS * self.rate  # a broadcast that is on the air
        if page.number > expected and not joined:
            faults.add(f"is damaged: pages are missing, from {expected} to {page.number - 1}")
        if 0 <= page.granule < self.end:
            faults.add(f"is damaged: its page {page.number} goes back in time")
        self.end = max(page.granule, self.end)
        self.begin = self.begin or self.end
        self.pages.append(page)
        self.ended = page.is_last


def check(stream: BinaryIO, size: int, max_seconds: float | None, faults: Faults) -> list[Contents]:
    """Check the pages of an Ogg file: their checksums, their numbers, and the mark that ends each stream.

    libogg silently drops a page with a wrong checksum, and libsndfile reads the first stream alone.
    """
    sounds: list[_Sound] = []
    current: dict[int, _Sound | None] = {}  # by serial number; None is no sound, such as Skeleton or a film
    n_pages = 0
    for page in _pages(stream, size, faults):
        n_pages += 1
        sound = current.get(page.serial)
        if page.is_first and (sound is None or sound.ended or len(sound.pages) > 1):
            sound = _sound_of(stream, page)
            if sound and any(not other.ended and len(other.pages) == 1 for other in sounds):
                faults.add("holds several sounds at the same time, expected one")
                sound = None
            current[page.serial] = sound
            sounds += [sound] if sound else []
        elif page.serial not in current:
            faults.add(f"is damaged: its page at byte {page.start} belongs to no stream")
        elif sound:
            sound.add(page, faults)
            check_seconds((sound.end - sound.begin) / sound.rate, max_seconds)
    if not current:
        raise AudioError(f"is damaged: the page that begins its stream is missing; {RESAVE}")
    if not sounds:
        raise UnknownKind(read_at(stream, 0, 12))
    if not all(sound.ended for sound in sounds):
        faults.add("is cut off: its end-of-stream mark is missing")
    if len(sounds) == 1 and len(sounds[0].pages) == n_pages and sounds[0].codec == "vorbis" and not faults.notes:
        return [Contents(stream)]
    return [contents for sound in sounds for contents in _contents(stream, sound, max_seconds, faults)]


def _sound_of(stream: BinaryIO, page: _Page) -> _Sound | None:
    """Return the stream that begins with a page, or None if it is no sound that libsndfile reads."""
    head = read_at(stream, page.body, min(page.end - page.body, 64))
    codec = next((codec for magic, codec in _CODECS.items() if head.startswith(magic)), None)
    if codec is None:
        return None
    if codec == "opus":
        rate = 48_000  # of the granule positions, whatever was recorded
    elif codec == "flac":
        rate = int.from_bytes(head[27:30]) >> 4
    else:
        rate = int.from_bytes(head[12:16], "little")
    check_rate(rate)
    return _Sound(codec, rate, page)


def _contents(stream: BinaryIO, sound: _Sound, max_seconds: float | None, faults: Faults) -> list[Contents]:
    """Make a file of one stream alone."""
    if sound.codec == "flac":  # its packets are a FLAC file, behind 9 bytes of the first
        from audionet.audio.containers import flac

        content = b"".join(read_at(stream, page.body, page.end - page.body) for page in sound.pages)[9:]
        return flac.check(io.BytesIO(content), len(content), max_seconds, faults)
    pages = [read_at(stream, page.start, page.end - page.start) for page in sound.pages]
    if sound.codec == "opus":
        pages = _from_zero(sound, pages)
    return [Contents(io.BytesIO(b"".join(pages)))]


def _from_zero(sound: _Sound, pages: list[bytes]) -> list[bytes]:
    """Let the granule positions of Opus begin at 0.

    Before the sound are samples that the encoder adds. libsndfile drops them only there.
    """
    first = next((n for n, page in enumerate(sound.pages) if page.granule > 0), 0)
    late = sound.begin - _opus_samples(pages[first])
    if late <= 0:
        return pages
    shifted = pages[:first]
    for page, content in zip(sound.pages[first:], pages[first:], strict=True):
        granule = max(page.granule - late, -1)
        shifted.append(_signed(content[:6] + granule.to_bytes(8, "little", signed=True) + content[14:]))
    return shifted


# ---- pages -------------------------------------------------------------------------------------------------


def _pages(stream: BinaryIO, size: int, faults: Faults) -> Iterator[_Page]:
    """Yield the pages that are whole. What stands behind the last one may be padding, but no page."""
    position = 0
    while position < size:
        page = _page_at(stream, position)
        if page:
            yield page
            position = page.end
            continue
        following = find(stream, b"OggS", position + 1)
        if following is not None:
            faults.add(f"is damaged in the page at byte {position} of {size}")
        elif read_at(stream, position, 4) == b"OggS":
            faults.add(f"is damaged in the page at byte {position} of {size}, or cut off there")
        position = size if following is None else following


def _page_at(stream: BinaryIO, position: int) -> _Page | None:
    """Read the page at a position; None if none is there, or one that is cut off or has another checksum."""
    header = read_at(stream, position, 27)
    if len(header) < 27 or not header.startswith(b"OggS"):
        return None
    sizes = stream.read(header[26])
    body = stream.read(sum(sizes))
    if len(sizes) < header[26] or len(body) < sum(sizes) or _signed(header + sizes + body)[22:26] != header[22:26]:
        return None
    start = position + len(header) + len(sizes)
    granule = int.from_bytes(header[6:14], "little", signed=True)
    serial, number = (int.from_bytes(header[at : at + 4], "little") for at in (14, 18))
    return _Page(position, start, start + len(body), header[5], granule, serial, number)


_REVERSED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _signed(page: bytes) -> bytes:
    """Put its checksum into a page: CRC-32 in Ogg's bit order and without inversions, from zlib's mirror image."""
    page = page[:22] + bytes(4) + page[26:]
    mirrored = ~zlib.crc32(page.translate(_REVERSED_BITS), 0xFFFFFFFF) & 0xFFFFFFFF
    return page[:22] + mirrored.to_bytes(4).translate(_REVERSED_BITS) + page[26:]


def _opus_samples(page: bytes) -> int:
    """Count the samples, at 48 kHz, of the packets that end in a page (RFC 6716, 3.1)."""
    position, size, n_samples = 27 + page[26], 0, 0
    for n_bytes in page[27:position]:
        size += n_bytes
        if n_bytes == 255:  # the packet goes on
            continue
        packet, position, size = page[position : position + size], position + size, 0
        if packet:
            mode, count = packet[0] >> 3, packet[0] & 3
            if mode >= 16:
                frame = 120 << (mode & 3)
            elif mode >= 12:
                frame = 480 << (mode & 1)
            else:
                frame = (480, 960, 1920, 2880)[mode & 3]
            n_samples += frame * ((packet[1] & 63 if len(packet) > 1 else 0) if count == 3 else min(count, 1) + 1)
    return n_samples
