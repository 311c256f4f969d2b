"""Detection over a WebSocket: raw samples come in chunks, events go out as JSON."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from weakref import WeakSet

import numpy as np
from aiohttp import WSCloseCode, WSMsgType, web

from audionet.checks import check_at_least, check_no_misfits, check_one_of
from audionet.decoding import Event
from audionet.inference import Detector, Recognizer
from audionet.serve.answers import number
from audionet.serve.limits import Limits
from audionet.serve.work import Busy, Work

OPEN = web.AppKey("open", WeakSet[web.WebSocketResponse])
"""The streams of an app that are open."""

FORMATS = {"int16": ("<i2", 32768.0), "float32": ("<f4", 1.0)}
"""Formats of samples, which are mono: numpy's type, and the value of full scale."""

RATES = 4000, 192_000
"""Lowest and highest sample rate, in Hz."""


def to_samples(chunk: bytes, sample_format: str) -> np.ndarray:
    r"""Return the samples (time,) float32 of a chunk.

    Raises:
        ValueError: It ends within a sample.

    Example:
        >>> to_samples(b"\x00\x40\x00\xc0", "int16")
        array([ 0.5, -0.5], dtype=float32)
    """
    kind, full_scale = FORMATS[sample_format]
    size = np.dtype(kind).itemsize
    if len(chunk) % size:
        raise ValueError(f"chunk: expected whole samples of {size} bytes, got {len(chunk)} bytes; cut between samples")
    return (np.frombuffer(chunk, kind) / np.float32(full_scale)).astype(np.float32)


async def detect(request: web.Request, recognizer: Recognizer, work: Work, limits: Limits) -> web.WebSocketResponse:
    """Hear one stream to its end.

    The query may name the rate and the format of the samples. Each binary message is a chunk. The text "end" ends the
    stream: the events that its end brings follow, and then {"done": true, "seconds": ...}. An error is {"error": ...},
    and ends the connection.

    Raises:
        ValueError: The query is not as described.
    """
    rate, sample_format = _asked(request.query, recognizer)
    detector, n_samples = Detector(recognizer), 0
    seconds = limits.body_seconds
    socket = web.WebSocketResponse(max_msg_size=limits.max_chunk, heartbeat=seconds, receive_timeout=seconds)
    await socket.prepare(request)
    request.app[OPEN].add(socket)
    try:
        async for message in socket:
            if message.type == WSMsgType.TEXT and message.data == "end":
                await _tell(socket, await work.run(detector.finish))
                await socket.send_json({"done": True, "seconds": n_samples / rate})
                await socket.close()
            elif message.type == WSMsgType.BINARY:
                samples = to_samples(message.data, sample_format)
                n_samples += len(samples)
                check_at_least(0, limits.stream_seconds, seconds=n_samples / rate)
                await _tell(socket, await work.run(partial(detector.push, samples, rate)))
            elif message.type == WSMsgType.TEXT:
                raise ValueError(f'message: expected binary chunks, or the text "end", got {message.data[:80]!r}')
    except TimeoutError:
        await _refuse(socket, f"stream: expected a chunk within {seconds:g} s, got none; connect again")
    except (ValueError, Busy) as error:
        await _refuse(socket, str(error))
    return socket


def _asked(query: Mapping[str, str], recognizer: Recognizer) -> tuple[int, str]:
    """Return the rate and the format of the samples that a query names, by default the network's rate and int16."""
    check_no_misfits(sorted(query.keys() - {"sample_rate", "format"}), "query", "sample_rate and format only")
    sample_format = query.get("format", "int16")
    check_one_of(FORMATS, "format", sample_format)
    rate = number("sample_rate", query.get("sample_rate", str(recognizer.sample_rate)))
    check_at_least(*RATES, whole=True, sample_rate=rate)
    return int(rate), sample_format


async def _tell(socket: web.WebSocketResponse, events: Sequence[Event]) -> None:
    for event in events:
        await socket.send_json(event._asdict())


async def _refuse(socket: web.WebSocketResponse, reason: str) -> None:
    with suppress(ConnectionError):  # the client may have gone
        await socket.send_json({"error": reason})
    await socket.close(code=WSCloseCode.POLICY_VIOLATION)
