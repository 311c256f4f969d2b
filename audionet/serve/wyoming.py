"""Home Assistant's protocol: clients send sound over TCP, and are told of the keywords in it.

A client may ask what there is (`describe`), choose keywords (`detect`), and then sends `audio-start`, `audio-chunk`s of
16-bit PCM at any rate, and `audio-stop`. It is told of each keyword at once (`detection`), and at the end if there was
none (`not-detected`). See the Wyoming protocol, https://github.com/OHF-Voice/wyoming.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sized
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event, async_read_event
from wyoming.info import Attribution, Describe, Info, WakeModel, WakeProgram
from wyoming.ping import Ping, Pong
from wyoming.server import AsyncEventHandler
from wyoming.wake import Detect, Detection, NotDetected

from audionet import __version__, audio
from audionet.checks import check_that
from audionet.inference import Detector
from audionet.serve.limits import Limits
from audionet.serve.work import Busy, Work

LONGEST_MESSAGE = 1 << 20
"""Bytes of the longest part of a message that is taken: 32 s at 16 kHz."""

Start = Callable[[list[str] | None], Detector]
"""Returns a new detector of the chosen keywords, of all for None."""


@asynccontextmanager
async def serving(
    start: Start, listening: socket.socket, work: Work, *, max_clients: int = Limits().streams
) -> AsyncIterator[None]:
    """Serve as long as the context lasts.

    Args:
        start: Makes a detector for each stream.
        listening: Socket that listens, of `audionet.serve.listen`.
        work: Where the networks compute.
        max_clients: Clients at a time; one more is told so, and its connection is closed.
    """
    clients: dict[asyncio.Task[None], Client] = {}

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(reader, writer, start=start, work=work, clients=clients, max_clients=max_clients)
        clients[task := asyncio.create_task(client.run())] = client
        task.add_done_callback(clients.pop)

    server = await asyncio.start_server(connected, sock=listening)
    try:
        yield
    finally:
        server.close()
        ending = dict(clients)
        for client in ending.values():
            await client.stop()
        await asyncio.gather(*ending, return_exceptions=True)
        work.close()


class Client(AsyncEventHandler):
    """One client, and the stream that it sends.

    Args:
        reader: Where its messages come from.
        writer: Where the answers go.
        start: Makes a detector for each stream.
        work: Where the network computes.
        clients: Those that are connected, this one among them.
        max_clients: How many there may be.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        start: Start,
        work: Work,
        clients: Sized,
        max_clients: int,
    ) -> None:
        super().__init__(reader, writer)
        self._start, self._work, self._clients, self._max_clients = start, work, clients, max_clients
        self._names: list[str] | None = None
        self._detector: Detector | None = None
        self._n_detected = 0

    async def run(self) -> None:
        """Answer messages until the client leaves, or sends what cannot be understood."""
        try:
            expected, n_clients = f"at most {self._max_clients} at a time", len(self._clients)
            check_that(n_clients <= self._max_clients, "clients", expected, n_clients, "try again later")
            reader: Any = _Bounded(self.reader)  # all of a StreamReader that is asked for
            while (event := await async_read_event(reader)) and await self.handle_event(event):
                pass
        except (ValueError, Busy, _TooLong) as error:
            await self.write_event(Error(str(error)).event())
        except (KeyError, TypeError, AttributeError) as error:
            await self.write_event(Error(f"message: expected one of Wyoming, got one with {error!r}").event())
        except (EOFError, ConnectionError):
            pass  # the client left in the middle of a message
        finally:
            self.writer.close()

    async def handle_event(self, event: Event) -> bool:
        """Answer a message. Messages of other kinds are passed over, as the protocol asks.

        Raises:
            ValueError: The message asks for a keyword that there is not, or its sound cannot be used.
        """
        if Describe.is_type(event.type):
            await self.write_event(describe(self._start(None).keywords).event())
        elif Ping.is_type(event.type):
            await self.write_event(Pong(text=Ping.from_event(event).text).event())
        elif Detect.is_type(event.type):
            self._names = Detect.from_event(event).names or None
            self._start(self._names)  # which refuses unknown ones before there is sound
        elif AudioStart.is_type(event.type):
            self._begin()
        elif AudioChunk.is_type(event.type):
            await self._hear(AudioChunk.from_event(event))
        elif AudioStop.is_type(event.type) and self._detector:
            await self._tell(self._detector.finish)
            if not self._n_detected:
                await self.write_event(NotDetected().event())
            self._detector = None
        return True

    def _begin(self) -> Detector:
        self._detector, self._n_detected = self._start(self._names), 0
        return self._detector

    async def _hear(self, chunk: AudioChunk) -> None:
        """Push a chunk of PCM."""
        detector = self._detector or self._begin()
        fits = chunk.width == 2 and chunk.channels >= 1 and len(chunk.audio) % (2 * chunk.channels) == 0
        got = f"{len(chunk.audio)} bytes, {8 * chunk.width} bits, {chunk.channels} channels"
        check_that(fits, "audio-chunk", "whole samples of 16 bits", got, "send signed 16-bit PCM")
        frames = np.frombuffer(chunk.audio, "<i2").reshape(-1, chunk.channels)
        samples = audio.to_mono(audio.to_float(frames.T))[0]
        await self._tell(lambda: detector.push(samples, chunk.rate), chunk.timestamp)

    async def _tell(self, push: Callable[[], list[Any]], timestamp: int | None = None) -> None:
        """Do a detector's work in a thread, and tell the client of its events."""
        for event in await self._work.run(push):
            self._n_detected += 1
            when = round(1000 * event.end) if timestamp is None else timestamp
            await self.write_event(Detection(name=event.keyword, timestamp=when).event())


def describe(keywords: tuple[str, ...]) -> Info:
    """Return what the server says of itself: one program, with one model a keyword.

    Example:
        >>> [model.name for model in describe(("yes", "no")).wake[0].models]
        ['yes', 'no']
    """
    about: dict[str, Any] = {"attribution": Attribution("audionet", ""), "installed": True, "version": __version__}
    models = [WakeModel(name=word, description=word, languages=[], phrase=word, **about) for word in keywords]
    return Info(wake=[WakeProgram(name="audionet", description="Keywords by audionet", models=models, **about)])


class _TooLong(Exception):
    """A message that is not read; no ValueError, which the package takes for the end of the connection."""


class _Bounded:
    """A reader of messages that are not too long."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self.readline = reader.readline  # which has a limit of its own

    async def readexactly(self, n_bytes: int) -> bytes:
        if n_bytes > LONGEST_MESSAGE:
            raise _TooLong(f"message: expected at most {LONGEST_MESSAGE} bytes, got {n_bytes}; send shorter chunks")
        return await self._reader.readexactly(n_bytes)
