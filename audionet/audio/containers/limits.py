"""What the header of a sound file may claim: its sample rate and its length."""

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


def check_seconds(seconds: float, max_seconds: float | None) -> None:
    """Refuse a length above the limit; None is no limit."""
    if max_seconds is not None and seconds > max_seconds:
        raise AudioError(
            f"lasts {seconds:.0f} s, over the limit of {max_seconds:g} s; cut it, or give a higher "
            "max_seconds= (None lifts the limit)"
        )
