"""A server from its start to Ctrl-C."""

import asyncio
import errno
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
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
            errno.EADDRINUSE: f"port: expected a free one, got {port}, which another program uses; name another",
            errno.EACCES: f"port: expected one that is open to you, got {port}; name one above 1023",
        }
        other = f"host: expected an address of this machine, got {host!r} ({error.strerror or error})"
        raise ValueError(known.get(error.errno or 0, other)) from None
    except OverflowError:
        raise ValueError(f"port: expected one from 0 to 65535, got {port}") from None


async def run(*services: AbstractAsyncContextManager[object]) -> None:
    """Serve until interrupted, or asked to end by SIGTERM.

    Args:
        *services: What serves as long as its context lasts, such as `serving`.
    """
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    with suppress(NotImplementedError):  # Windows
        loop.add_signal_handler(signal.SIGTERM, ended.set)
    async with AsyncExitStack() as stack:
        for service in services:
            await stack.enter_async_context(service)
        await ended.wait()


@asynccontextmanager
async def serving(app: web.Application, listening: socket.socket) -> AsyncIterator[None]:
    """Serve an application as long as the context lasts; then tell open streams, and end."""
    runner = web.AppRunner(
        app,
        access_log=None,
        handler_cancellation=True,
        keepalive_timeout=_SILENT_SECONDS,
        shutdown_timeout=_LEAVING_SECONDS,
    )
    await runner.setup()
    assert runner.server is not None
    closing = _closing_silent(runner.server, app)
    server = await asyncio.get_running_loop().create_server(closing, sock=listening)
    try:
        yield
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
