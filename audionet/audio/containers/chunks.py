"""Chunks: names, sizes and contents, of which WAV, RF64, W64, AIFF and CAF files are made."""

from collections.abc import Container, Iterable, Iterator
from typing import BinaryIO, Literal, NamedTuple

from audionet.audio.containers.contents import read_at
from audionet.audio.containers.faults import RESAVE, Faults
from audionet.audio.waveform import AudioError

_TAGS = (b"TAG", b"ID3", b"APETAGEX", b"LYRICSBEGIN")  # that programs for MP3 put behind anything
_BLOCK = 1 << 20  # bytes
_MOST = 10_000  # chunks; no program writes a tenth of it

Order = Literal["little", "big"]
"""Order of the bytes of a number."""


class Chunk(NamedTuple):
    """A chunk.

    Attributes:
        name: Its name, of 4 bytes; empty for what stands behind the last chunk and is none.
        start: Position of its content.
        size: Bytes of content, as it says; they may reach beyond the end of the file.
    """

    name: bytes
    start: int
    size: int


def chunks(
    stream: BinaryIO,
    position: int,
    end: int,
    order: Order,
    *,
    name_bytes: int = 4,
    size_bytes: int = 4,
    alignment: int = 2,
    counts_head: bool = False,
) -> Iterator[Chunk]:
    """Yield the chunks from a position on, up to one that reaches beyond the end.

    Args:
        stream: The file.
        position: Where the first one begins.
        end: Where the file ends.
        order: Order of the bytes of a size.
        name_bytes: Bytes of a name.
        size_bytes: Bytes of a size.
        alignment: Bytes of which each chunk takes a multiple.
        counts_head: The sizes count name and size, too.

    Raises:
        AudioError: There are more chunks than any file has.
    """
    n_head, n_chunks = name_bytes + size_bytes, 0
    while position < end:
        n_chunks += 1
        if n_chunks > _MOST:
            raise AudioError(f"is damaged: it has more than {_MOST} chunks; {RESAVE}")
        head = read_at(stream, position, n_head)
        size = int.from_bytes(head[name_bytes:], order) - (n_head if counts_head else 0)
        if len(head) < n_head or size < 0 or not all(0x20 <= byte < 0x7F for byte in head[:4]):
            yield Chunk(b"", position, end - position)
            return
        yield Chunk(head[:4], position + n_head, size)
        position += n_head + size
        gap = -position % alignment if counts_head else -size % alignment
        if position < end and (alignment > 2 or read_at(stream, position, 1) == b"\0"):
            position += gap  # but some programs forget the byte after an odd chunk


def up_to_data(found: Iterable[Chunk], size: int) -> dict[bytes, Chunk]:
    """Take the chunks up to the one called data, which holds the samples; return them by their names.

    Raises:
        AudioError: None is called so; ``size`` is that of the file, for the message.
    """
    taken: dict[bytes, Chunk] = {}
    for chunk in found:
        taken[chunk.name] = chunk
        if chunk.name == b"data":
            return taken
    raise AudioError(f"is cut off before its samples ({size} bytes, no data chunk); {RESAVE}")


def check_samples(n_promised: int, n_there: int, faults: Faults) -> None:
    """Compare the bytes of samples that a header promises with those up to the end of the file."""
    if n_promised > n_there:
        faults.add(f"is cut off: its header promises {n_promised} bytes of samples, {n_there} are there")


def check_behind(
    stream: BinaryIO,
    behind: Iterable[Chunk],
    end: int,
    faults: Faults,
    *,
    sound: Container[bytes],
    n_head: int = 8,
    may_be_zeros: bool = True,
) -> None:
    """See that behind the samples stand only chunks without sound, a tag, or zeros that fill up the file.

    Args:
        stream: The file.
        behind: What stands there.
        end: Where the file ends.
        faults: Takes what is wrong.
        sound: Names of chunks that are sound.
        n_head: Bytes of a name and a size.
        may_be_zeros: Whether the zeros are outside of what the header describes.
    """
    for name, start, size in behind:
        if name in sound:
            faults.add(f"holds a second sound behind the first (its chunk {name.decode()!r} at byte {start - n_head})")
        elif not name or start + size > end:
            start -= n_head if name else 0
            is_tag = read_at(stream, start, 16).startswith(_TAGS)
            if not is_tag and not (may_be_zeros and _is_zeros(stream, start)):
                faults.add(f"is damaged: the {end - start} bytes at its end are no samples by its header, and no chunk")


def _is_zeros(stream: BinaryIO, position: int) -> bool:
    """Say whether a stream ends with zeros from a position on."""
    while block := read_at(stream, position, _BLOCK):
        if block.strip(b"\0"):
            return False
        position += len(block)
    return True
