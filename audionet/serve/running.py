"""A server from its start to Ctrl-C."""

import asyncio
import errno
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from aiohttp import web

from audionet.serve.http import ASKED

_SILENT_SECONDS = 15.0  # that a connection may take for its first request, and lie idle after one
_LEAVING_SECONDS = 2.0  # that the last answers may take when the server ends


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Args:
        host: Address or name of this machine.
        port: Number of the port; 0 for any that is free.

    Raises:
        ValueError: The port is taken or not open to this user, or the host is none of this machine.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        known = {
            errno.EADDRINUSE: f"http: expected a free port, got {port}, which another program uses; name another",
            errno.EACCES: f"http: expected a port that is open to you, got {port}; name one above 1023",
        }
        other = f"host: expected an address of this machine, got {host!r} ({error.strerror or error})"
        raise ValueError(known.get(error.errno or 0, other)) from None
    except OverflowError:
        raise ValueError(f"http: expected a port from 0 to 65535, got {port}") from None


async def run(app: web.Application, listening: socket.socket) -> None:
    """Serve an application until it is interrupted, or asked to end by SIGTERM; then tell open streams, and end."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    with suppress(NotImplementedError):  # Windows
        loop.add_signal_handler(signal.SIGTERM, ended.set)
    runner = web.AppRunner(
        app,
        access_log=None,
        handler_cancellation=True,
        keepalive_timeout=_SILENT_SECONDS,
        shutdown_timeout=_LEAVING_SECONDS,
    )
    await runner.setup()
    assert runner.server is not None
    server = await loop.create_server(_closing_silent(runner.server, app), sock=listening)
    try:
        await ended.wait()
    finally:
        server.close()
        await runner.cleanup()


def _closing_silent(make: Callable[[], Any], app: web.Application) -> Callable[[], Any]:
    """Return what makes the protocol of a connection, and closes it where no request comes."""

    def closing() -> Any:
        protocol = make()
        asyncio.get_running_loop().call_later(_SILENT_SECONDS, close, protocol)
        return protocol

    def close(protocol: Any) -> None:
        transport = protocol.transport  # None where the connection has ended
        if transport is not None and transport not in app[ASKED]:
            transport.abort()

    return closing
