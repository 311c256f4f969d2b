"""What a sound file lasts, without decoding it where its header tells."""

import os

import soundfile

from audionet.audio.decoding import opened


def rate_and_seconds(path: str | os.PathLike[str]) -> tuple[int, float]:
    """Return a sound file's sample rate in Hz and its length in seconds.

    They are its header's where libsndfile reads that; any other file is decoded. What a header promises may not be
    there: reading the file finds out.

    Raises:
        AudioError: The file is of an unknown kind, or a file without such a header cannot be decoded.

    Example:
        >>> rate_and_seconds("seven.wav")
        (16000, 0.5974375)
    """
    try:
        header = soundfile.info(os.fspath(path))
        if 0 < header.frames < 2**62:  # more is FLAC's "unknown", from a pipe
            return header.samplerate, header.frames / header.samplerate
    except (soundfile.LibsndfileError, TypeError):  # TypeError of a ".raw", which soundfile asks for its rate
        pass
    with opened(path, None) as sound:
        return sound.rate, sum(block.shape[-1] for block in sound.blocks) / sound.rate
