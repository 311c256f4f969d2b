"""What is wrong with a sound file: an error, or with `lenient` a note."""

from audionet.audio.waveform import AudioError

RESAVE = "fetch it again, or save what is left of it with: ffmpeg -i IN OUT.wav"
CONVERT = "if it is sound, convert it with: ffmpeg -i IN OUT.wav"


class UnknownKind(AudioError):
    """A file of another kind than those that libsndfile reads.

    Attributes:
        head: The file's first bytes, behind its tags.
    """

    def __init__(self, head: bytes) -> None:
        super().__init__(f"is no WAV, FLAC, OGG or MP3 file (it begins with {head!r}); {CONVERT}")
        self.head = head


class Faults:
    """The faults of one file. Each raises an error, or with `lenient` all are noted and reading goes on.

    Args:
        lenient: Note the faults.

    Attributes:
        notes: The faults that were noted.

    Example:
        >>> faults = Faults(lenient=True)
        >>> faults.add("is cut off: 999 of 1000 samples are there")
        >>> faults.notes
        ['is cut off: 999 of 1000 samples are there']
        >>> Faults(lenient=False).add("is cut off")
        Traceback (most recent call last):
        audionet.audio.waveform.AudioError: is cut off; fetch it again, or read what is whole: lenient=True, --lenient
    """

    def __init__(self, lenient: bool) -> None:
        self.lenient = lenient
        self.notes: list[str] = []

    def add(self, fault: str) -> None:
        """Raise an `AudioError` that tells of the fault, or note it."""
        if not self.lenient:
            raise AudioError(f"{fault}; fetch it again, or read what is whole: lenient=True, --lenient")
        self.notes.append(fault)
