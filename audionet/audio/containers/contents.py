"""What of a file is to be decoded, and reading at a position."""

from typing import BinaryIO, NamedTuple


class Contents(NamedTuple):
    """What libsndfile is to decode.

    Attributes:
        streams: Whole files, one after the other in time: mostly one, the same that was checked.
        n_samples: Samples of a channel that they hold together, by their headers; None where these do not say.
    """

    streams: list[BinaryIO]
    n_samples: int | None = None


def read_at(stream: BinaryIO, position: int, n_bytes: int = -1) -> bytes:
    """Read bytes from a position on, all of them by default."""
    stream.seek(position)
    return stream.read(n_bytes)
