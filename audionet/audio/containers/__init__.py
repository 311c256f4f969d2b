"""Checks that a sound file is whole, and tells what of it is to be decoded. Each kind of file has a module.

libsndfile reads what a damaged file still holds and says nothing. Therefore a file is checked before it decodes, and
what is decoded is compared with what its headers promise. The messages say what is wrong and what to do;
`waveform.naming` puts the file's name before them.
"""

import io
import os
from importlib import import_module
from typing import BinaryIO

from audionet.audio.containers.contents import Contents, id3_size, read_at
from audionet.audio.containers.faults import RESAVE, Faults, UnknownKind
from audionet.audio.waveform import AudioError

_KINDS = {
    b"RIFF": "riff",
    b"RIFX": "riff",
    b"RF64": "riff",
    b"BW64": "riff",
    b"fLaC": "flac",
    b"OggS": "ogg",
    b"FORM": "aiff",
    b".snd": "au",
    b"dns.": "au",
    b"riff": "w64",
    b"caff": "caf",
}
_SMALL = 1 << 18  # bytes


def check_container(stream: BinaryIO, max_seconds: float | None, faults: Faults) -> list[Contents]:
    """Check that a sound file is whole, before it is decoded. Its content tells its kind.

    Args:
        stream: A binary file that can seek; it is read from its beginning.
        max_seconds: Files that are longer by their headers are refused; None lifts the limit.
        faults: Takes what is wrong with the file.

    Returns:
        What is to be decoded, one after the other.

    Raises:
        UnknownKind: The file is of another kind than those that libsndfile reads.
        AudioError: The file is empty or too long, or the faults are not lenient and it is cut off or damaged, or
            nothing of it can be read.

    Example:
        >>> check_container(io.BytesIO(), max_seconds=600, faults=Faults(lenient=False))
        Traceback (most recent call last):
        audionet.audio.waveform.AudioError: is empty (0 bytes); fetch or record it again
    """
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    if size <= _SMALL:  # one read, and no more seeks on the disk
        stream = io.BytesIO(stream.read())
    start, head = 0, read_at(stream, 0, 12)
    if not head:
        raise AudioError("is empty (0 bytes); fetch or record it again")
    while n_bytes := id3_size(head):  # tags, one after the other
        start += n_bytes
        head = read_at(stream, start, 12)
    if len(head) < 4:
        raise AudioError(f"is cut off inside its header ({size} bytes); {RESAVE}")
    may_be_mp3 = start > 0 or head[0] == 0xFF or not any(head)  # zeros may stand before the first frame
    kind = _KINDS.get(head[:4], "mp3" if may_be_mp3 else None)
    if kind is None:
        raise UnknownKind(head)
    if start and kind != "mp3":  # libsndfile counts the tag as sound in some formats
        stream, size = io.BytesIO(read_at(stream, start)), size - start
    contents: list[Contents] = import_module(f"{__name__}.{kind}").check(stream, size, max_seconds, faults)
    return contents
