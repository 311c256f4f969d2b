"""What the header of a sound file may claim: its sample rate and its length."""

from numbers import Real

from audionet.audio.waveform import AudioError

RATES = range(100, 1_000_001)  # Hz; a header outside of this is damaged (libsndfile reads some 0 Hz as 1 Hz)
JOINED_SECONDS = 60  # a stream that begins later than this was joined on the air; else its beginning is missing


def check_rate(rate: int) -> None:
    """Refuse a sample rate, in Hz, outside of ``RATES``."""
    if rate not in RATES:
        raise AudioError(
            f"its header gives a sample rate of {rate} Hz, expected {RATES[0]} to {RATES[-1]}; "
            "fetch it again, or export it with its true rate"
        )


def check_sample_rate(rate: object, advice: str = "give another, such as 16000") -> int:
    """Return a sample rate that a caller gives, in Hz, as an int; 16000.0 is one.

    Raises:
        AudioError: It is no whole number in ``RATES``.

    Example:
        >>> check_sample_rate(16e3)
        16000
        >>> check_sample_rate("16k")
        Traceback (most recent call last):
        audionet.audio.waveform.AudioError: sample_rate: expected a whole number of Hz, 100 to 1000000, got '16k'; ...
    """
    number = float(rate) if isinstance(rate, Real) else 0.0
    if not (RATES[0] <= number <= RATES[-1] and number.is_integer()):
        limits = f"{RATES[0]} to {RATES[-1]}"
        raise AudioError(f"sample_rate: expected a whole number of Hz, {limits}, got {rate!r}; {advice}")
    return int(number)


def check_seconds(seconds: float, max_seconds: float | None) -> None:
    """Refuse a length above the limit; None is no limit."""
    if max_seconds is not None and seconds > max_seconds:
        raise AudioError(
            f"lasts {seconds:.0f} s, over the limit of {max_seconds:g} s; cut it, or give a higher "
            "max_seconds= (None lifts the limit)"
        )
