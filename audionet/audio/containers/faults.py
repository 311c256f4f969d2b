"""What is wrong with a sound file: an error, or with `lenient` a note."""

from audionet.audio.waveform import AudioError
from audionet.checks import listed

RESAVE = "fetch it again, or save what is left of it with: ffmpeg -i IN OUT.wav"
CONVERT = "if it is sound, convert it with: ffmpeg -i IN OUT.wav"

_KNOWN = "WAV, FLAC, OGG, MP3, AIFF, AU, W64 or CAF"
_MOST = 1000  # notes


class UnknownKind(AudioError):
    """A file of another kind than those that libsndfile reads.

    Attributes:
        head: The file's first bytes, behind its tags.
    """

    def __init__(self, head: bytes, message: str | None = None) -> None:
        super().__init__(message or f"is no {_KNOWN} file (it begins with {head!r}); {CONVERT}")
        self.head = head

    def __reduce__(self) -> tuple[type, tuple[bytes, str]]:
        """Return what makes the error again in another process, with the name that it has by then."""
        return UnknownKind, (self.head, str(self))


class Faults:
    """The faults of one file. Each raises an error, or with `lenient` all are noted and reading goes on.

    Args:
        lenient: Note the faults.

    Attributes:
        notes: The faults that were noted, each once.

    Example:
        >>> faults = Faults(lenient=True)
        >>> faults.add("is cut off: 999 of 1000 samples are there")
        >>> str(faults)
        'is cut off: 999 of 1000 samples are there; what is whole was read'
        >>> Faults(lenient=False).add("is cut off")
        Traceback (most recent call last):
        audionet.audio.waveform.AudioError: is cut off; fetch it again, or read what is whole: lenient=True, --lenient
    """

    def __init__(self, lenient: bool) -> None:
        self.lenient = lenient
        self.notes: list[str] = []

    def __str__(self) -> str:
        """Return what a warning says."""
        return f"{listed(self.notes)}; what is whole was read"

    def add(self, fault: str) -> None:
        """Raise an `AudioError` that tells of the fault, or note it.

        Raises:
            AudioError: The faults are not lenient, or more than is worth reading.
        """
        if not self.lenient:
            raise AudioError(f"{fault}; fetch it again, or read what is whole: lenient=True, --lenient")
        if len(self.notes) == _MOST:
            raise AudioError(f"is damaged in over {_MOST} places; {RESAVE}")
        if fault not in self.notes:
            self.notes.append(fault)
