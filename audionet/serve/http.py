"""The HTTP server: a page on which the network listens, and a small interface of JSON and PCM for other programs."""

import asyncio
import hashlib
import logging
import math
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from http import HTTPStatus
from weakref import WeakSet

from aiohttp import WSCloseCode, web

from audionet.console import sentence
from audionet.inference import Generator, Recognizer
from audionet.serve import answers, streams
from audionet.serve.limits import Limits, Rates, is_own_host, is_own_origin
from audionet.serve.work import Busy, Work

_LOG = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

ASKED = web.AppKey("asked", WeakSet[asyncio.BaseTransport])
"""The connections of an app on which a request has come."""

_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_TYPES = {
    **{"html": "text/html", "css": "text/css", "svg": "image/svg+xml", "json": "application/json"},
    **{"js": "text/javascript", "mjs": "text/javascript", "wasm": "application/wasm"},
}  # of the page's files, whatever the system says


class Refused(Exception):
    """A request that gets an error.

    Args:
        status: HTTP's number of the error.
        message: What is wrong, and what to do.
        headers: Further headers of the answer.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.headers = status, headers


def make_app(
    model: Recognizer | Generator, *, name: str, page: Mapping[str, bytes], host: str, limits: Limits | None = None
) -> web.Application:
    """Return the application of a network, for `audionet.serve.running.run`.

    Args:
        model: The network.
        name: Its name.
        page: Files of its page by path, as `audionet.export.web.folder.page_files` makes them; none for no page.
        host: What the server listens on; requests that name another server are refused.
        limits: What is taken; None for the usual.
    """
    limits = limits or Limits()
    api, rates = _Api(model, name, limits), Rates(limits.requests_per_minute)
    guard = web.middleware(partial(_guarded, host=host, rates=rates))
    app = web.Application(middlewares=[guard], client_max_size=limits.max_bytes)
    app[streams.OPEN], app[ASKED] = WeakSet(), WeakSet()
    app.on_response_prepare.append(_add_headers)
    app.on_shutdown.append(_close_streams)
    app.on_cleanup.append(api.close)
    app.router.add_get("/model", api.describe)
    app.router.add_post("/recognize", api.recognize)
    app.router.add_post("/generate", api.generate)
    app.router.add_get("/detect", api.detect)
    for path, content in page.items():
        give = partial(_file, kind=path.rpartition(".")[2], content=content, tag=hashlib.sha256(content).hexdigest())
        for place in [f"/{path}", *(["/"] if path == "index.html" else [])]:
            app.router.add_get(place, give)
    return app


class _Api:
    """The answers that need the network."""

    def __init__(self, model: Recognizer | Generator, name: str, limits: Limits) -> None:
        self.model, self.name, self.limits, self.n_streams = model, name, limits, 0
        self.work = Work(limits.at_once, limits.waiting)
        self.stream_work = Work(limits.at_once, limits.streams)  # which requests do not hold up

    async def describe(self, request: web.Request) -> web.Response:
        """GET /model: what the network is."""
        return web.json_response(answers.describe(self.name, self.model))

    async def recognize(self, request: web.Request) -> web.Response:
        """POST /recognize: an audio file to the words in it."""
        recognizer, content = self._recognizer(), await self._body(request)
        return web.json_response(await self.work.run(partial(answers.recognize, recognizer, content, request.query)))

    async def generate(self, request: web.Request) -> web.Response:
        """POST /generate: a JSON object to a WAV file."""
        if not isinstance(self.model, Generator):
            raise Refused(404, f"{self.name}: expected a WaveNet, got a recogniser; POST /recognize")
        content, stop = await self._body(request), threading.Event()
        most = self.limits.generated_seconds
        try:
            made = partial(answers.generate, self.model, content, most_seconds=most, stop=stop)
            return web.Response(body=await self.work.run(made), content_type="audio/wav")
        finally:
            stop.set()  # if the client is gone, the thread need not go on

    async def detect(self, request: web.Request) -> web.WebSocketResponse:
        """GET /detect, a WebSocket: chunks of samples to events."""
        recognizer = self._recognizer()
        if self.n_streams >= self.limits.streams:
            raise Busy("the server hears as many streams as it can; try again later")
        self.n_streams += 1
        try:
            return await streams.detect(request, recognizer, self.stream_work, self.limits)
        finally:
            self.n_streams -= 1

    async def close(self, app: web.Application) -> None:
        """Begin nothing more."""
        self.work.close()
        self.stream_work.close()

    def _recognizer(self) -> Recognizer:
        if not isinstance(self.model, Recognizer):
            raise Refused(404, f"{self.name}: expected a recogniser, got a WaveNet; POST /generate")
        return self.model

    async def _body(self, request: web.Request) -> bytes:
        """Return the content of a request that is small enough and comes in time."""
        limit, seconds = self.limits.max_bytes, self.limits.body_seconds
        too_large = Refused(413, f"body: expected at most {limit} bytes, got more; send a part, or use /detect")
        if (request.content_length or 0) > limit:
            raise too_large
        try:
            async with asyncio.timeout(seconds):
                return await request.read()
        except TimeoutError:
            raise Refused(408, f"body: expected all of it within {seconds:g} s, got a part; send it faster") from None
        except web.HTTPRequestEntityTooLarge:
            raise too_large from None


async def _guarded(request: web.Request, handler: Handler, *, host: str, rates: Rates) -> web.StreamResponse:
    """Answer a request of this server's own page or of a program, if it does not ask too often; or with an error."""
    if request.transport is not None:
        request.app[ASKED].add(request.transport)
    try:
        _check_origin(request, host)
        if request.method == "POST" or request.path == "/detect":
            if wait := rates.wait(request.remote or "", now=time.monotonic()):
                reason = f"requests: expected {rates.per_minute:g} a minute, got more; wait {wait:.1f} s"
                raise Refused(429, reason, {"Retry-After": str(math.ceil(wait))})
        return await handler(request)
    except Refused as error:
        return _error(error.status, error, error.headers)
    except Busy as error:
        return _error(503, error, {"Retry-After": "1"})
    except ValueError as error:
        return _error(400, error)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        reason = f"{request.method} {request.path}: {HTTPStatus(error.status).phrase}"
        return _error(error.status, reason, error.headers)
    except Exception:
        _LOG.exception("%s %s", request.method, request.path)
        return _error(500, "the server failed to answer this; its log says why")


def _check_origin(request: web.Request, host: str) -> None:
    """Refuse what a page of another site asks for.

    Raises:
        Refused: The request names another server, or comes from another page.
    """
    if not is_own_host(request.host, host):
        raise Refused(403, f"Host: expected this server's address, got {request.host[:80]!r}; open it by that")
    origin = request.headers.get("Origin")
    if not is_own_origin(origin, request.host):
        raise Refused(403, f"Origin: expected this server's own page, got {str(origin)[:80]!r}; open that")


def _error(status: int, reason: Exception | str, headers: Mapping[str, str] | None = None) -> web.Response:
    kept = {name: value for name, value in (headers or {}).items() if name in ("Allow", "Retry-After")}
    return web.json_response({"error": sentence(reason)}, status=status, headers=kept)


async def _file(request: web.Request, *, kind: str, content: bytes, tag: str) -> web.Response:
    """Give out a file of the page, unless the browser has it."""
    headers = {"Cache-Control": "no-cache", "ETag": f'"{tag}"'}
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return web.Response(status=304, headers=headers)
    return web.Response(body=content, content_type=_TYPES.get(kind, "application/octet-stream"), headers=headers)


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


async def _close_streams(app: web.Application) -> None:
    for each in [*app[streams.OPEN]]:
        await each.close(code=WSCloseCode.GOING_AWAY)
