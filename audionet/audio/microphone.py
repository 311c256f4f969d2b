"""Microphones: the devices that there are, and the samples that one of them gives.

The package sounddevice is imported here alone, and only when a microphone is asked for.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

import numpy as np

from audionet.audio.waveform import AudioError
from audionet.checks import nearest

_BLOCK_SECONDS = 0.02
_MOST_SILENT = 2.0  # seconds without a block after which a device counts as gone


class Microphone(NamedTuple):
    """An input device.

    Attributes:
        number: Its number, by which the system knows it.
        name: Its name.
        sample_rate: The sample rate that it gives, in Hz.
        is_default: Whether the system takes it where none is named.
    """

    number: int
    name: str
    sample_rate: int
    is_default: bool


class Captured(NamedTuple):
    """Samples (time,), float32, and the seconds of sound that were lost before them."""

    samples: np.ndarray
    lost: float


def microphones() -> list[Microphone]:
    """List the input devices.

    Raises:
        AudioError: The package sounddevice or its library is missing, or the sound system does not answer.
    """
    library = _library()
    with _explaining(library):
        default = library.default.device[0]
        return [
            Microphone(number, str(each["name"]), round(each["default_samplerate"]), number == default)
            for number, each in enumerate(library.query_devices())
            if each["max_input_channels"] > 0
        ]


def find_microphone(device: str | None = None) -> Microphone:
    """Return an input device by its number or a part of its name; the system's default for None.

    Raises:
        AudioError: There is none, or none or several of that name; or as `microphones`.
    """
    known = microphones()
    if not known:
        raise AudioError("microphone: expected an input device, got none; plug one in, or allow its use")
    if device is None:
        return next((each for each in known if each.is_default), known[0])
    exact = [each for each in known if device in (str(each.number), each.name)]
    alike = exact or [each for each in known if device.casefold() in each.name.casefold()]
    if len(alike) == 1:
        return alike[0]
    names = [f"{each.number} {each.name}" for each in alike or known]
    advice = "give its number" if alike else nearest(device, [each.name for each in known], "see --list-devices")
    raise AudioError(f"device: expected one of {', '.join(names)}, got {device!r}; {advice}")


@contextmanager
def recording(microphone: Microphone) -> Iterator[Iterator[Captured]]:
    """Record from a microphone, mono and at its own sample rate, until the context is left.

    Yields:
        Blocks of samples, as they come.

    Raises:
        AudioError: The device cannot be opened; from the blocks: it has stopped, such as one that was unplugged.
    """
    library = _library()
    blocks: SimpleQueue[Captured] = SimpleQueue()
    ends: list[float] = []  # when the block before was over, by the device's clock

    def take(samples: np.ndarray, n_samples: int, time: Any, status: Any) -> None:
        lost = time.inputBufferAdcTime - ends.pop() if ends and status.input_overflow else 0.0
        ends[:] = [time.inputBufferAdcTime + n_samples / microphone.sample_rate]
        blocks.put(Captured(samples[:, 0].copy(), max(lost, 0.0)))

    block = round(_BLOCK_SECONDS * microphone.sample_rate)
    with _explaining(library):
        stream = library.InputStream(
            samplerate=microphone.sample_rate,
            blocksize=block,
            device=microphone.number,
            channels=1,
            dtype="float32",
            callback=take,
        )
        with stream:
            yield _taken(blocks, stream, microphone.name)


def _taken(blocks: "SimpleQueue[Captured]", stream: Any, name: str) -> Iterator[Captured]:
    """Yield the blocks of a device until it stops."""
    while True:
        try:
            yield blocks.get(timeout=_MOST_SILENT if stream.active else 0.0)
        except Empty:
            raise AudioError(f"{name}: no sound comes any more; see that it is plugged in and not taken away") from None


def _library() -> Any:
    """Import sounddevice."""
    try:
        import sounddevice
    except ImportError:
        raise AudioError(
            "microphone: expected the package sounddevice, got none; pip install 'audionet[mic]'"
        ) from None
    except OSError as error:
        advice = "install it, for example by: apt install libportaudio2"
        raise AudioError(f"microphone: expected the library PortAudio, got none ({error}); {advice}") from None
    return sounddevice


@contextmanager
def _explaining(library: Any) -> Iterator[None]:
    """Turn an error of the sound system into an `AudioError`."""
    try:
        yield
    except library.PortAudioError as error:
        advice = "see that it is plugged in and that no other program holds it, or choose another (--list-devices)"
        raise AudioError(f"microphone: cannot be used ({' '.join(str(error).split())}); {advice}") from None
