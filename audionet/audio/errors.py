"""The one error of sound files and waveforms."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


class AudioError(ValueError):
    """A sound file or waveform that cannot be used. The message names it, what is wrong and what to do."""


@contextmanager
def naming(source: object) -> Iterator[None]:
    """Put the name of a file before the message of every `AudioError` raised inside."""
    try:
        yield
    except AudioError as error:
        if isinstance(source, (bytes, bytearray, memoryview)):
            name = "<bytes>"
        elif isinstance(source, (str, os.PathLike)):
            name = str(os.fspath(source))
        else:
            name = "<file object>"
        raise AudioError(f"{name}: {error}") from None
