"""`audionet serve`."""

import socket
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from audionet.checks import check_that

if TYPE_CHECKING:
    from audionet.bundle import Bundle
    from audionet.inference import Generator, Recognizer


def serve(
    model: str,
    *,
    http: int | None = None,
    wyoming: int | None = None,
    host: str = "127.0.0.1",
    task: str | None = None,
    onnxruntime_web: str | None = None,
    device: str = "cpu",
) -> None:
    """Serve a network: a page and an interface over HTTP, keywords for Home Assistant. Ctrl-C ends it.

    POST /recognize takes an audio file, the WebSocket /detect raw samples, POST /generate what a WaveNet is to make,
    and GET /model says what the network is. Requests from the pages of other sites are refused.

    Args:
        model: Name of a shipped bundle (see `audionet models list`) or path of one.
        http: Port for HTTP; 0 for any that is free.
        wyoming: Port for Wyoming, the protocol of Home Assistant, which 10400 is usual for: keywords wake it.
        host: Address to listen on: by default this machine alone is served, and 0.0.0.0 serves all that reach it.
        task: Task of the model where its name is shipped for several: recognition or generation.
        onnxruntime_web: Folder or .tgz of onnxruntime-web, for the page; the package that npm brings by default.
        device: Device that computes: cpu, cuda, cuda:1.

    Example:
        audionet serve commands --http 8000
        audionet serve commands --wyoming 10400 --host 0.0.0.0
        audionet serve digits --task generation --http 8000
    """
    is_asked = http is not None or wyoming is not None
    check_that(is_asked, "port", "--http, --wyoming or both", None, "name one: --http 8000")
    for package in ("aiohttp", "wyoming"):
        if find_spec(package) is None:
            raise ValueError(f"serve: expected {package}, got no such package; pip install 'audionet[serve]'")
    from audionet.serve import listen

    # Before the network is loaded, which takes seconds.
    at_http, at_wyoming = (None if port is None else listen(host, port) for port in (http, wyoming))
    import asyncio
    import warnings

    import torch

    from audionet import bundle
    from audionet.audio import AudioWarning
    from audionet.inference import Generator, Recognizer
    from audionet.serve import run

    torch.set_num_threads(1)  # requests are worked on side by side
    warnings.simplefilter("ignore", AudioWarning)  # the answers say which part was heard
    loaded = bundle.load(model, "recognition" if http is None and task is None else task)
    made = Recognizer if loaded.task == "recognition" else Generator
    check_that(loaded.task in ("recognition", "generation"), "model", "one for recognition or generation", loaded.task)
    network = made(loaded, device)
    services: list[AbstractAsyncContextManager[None]] = []
    if at_http:
        page = _page(loaded, Path(model).stem, onnxruntime_web) if loaded.task == "recognition" else {}
        services.append(_http(network, model, page, host, at_http))
    if at_wyoming:
        services.append(_wyoming(network, model, at_wyoming))
    with suppress(KeyboardInterrupt):
        asyncio.run(run(*services))


def _http(
    network: "Recognizer | Generator", model: str, page: Mapping[str, bytes], host: str, listening: socket.socket
) -> AbstractAsyncContextManager[None]:
    """Tell the address, and return what serves the page and the interface."""
    from audionet.serve import make_app, serving

    print(f"http://{_shown(listening)}/{'' if page else 'model'}: {model}; Ctrl-C ends it", flush=True)
    return serving(make_app(network, name=model, page=page, host=host), listening)


def _wyoming(
    network: "Recognizer | Generator", model: str, listening: socket.socket
) -> AbstractAsyncContextManager[None]:
    """Tell the address, and return what serves Home Assistant."""
    from audionet.inference import Detector, Recognizer
    from audionet.serve.limits import Limits
    from audionet.serve.work import Work
    from audionet.serve.wyoming import serving

    recognizer = network
    if not isinstance(recognizer, Recognizer):
        raise ValueError(f"model: expected a recogniser for --wyoming, got {model}, which generates; name another")
    print(f"tcp://{_shown(listening)}: {model}; Ctrl-C ends it", flush=True)
    work = Work(Limits().at_once, Limits().streams)
    return serving(lambda names: Detector(recognizer, keywords=names), listening, work)


def _shown(listening: socket.socket) -> str:
    """Return the address and the port of a socket, as URLs write them."""
    address, port, *_ = listening.getsockname()
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _page(loaded: "Bundle", name: str, onnxruntime_web: str | None) -> Mapping[str, bytes]:
    """Return the files of the page, or none where something for it is missing, which is told."""
    from audionet.console import note
    from audionet.export.formats import check_exporter
    from audionet.export.source import Source
    from audionet.export.web.folder import page_files

    try:
        check_exporter()
        return page_files(Source(loaded, name, onnxruntime_web=onnxruntime_web))
    except ValueError as error:
        note(f"there is no page, only the interface for programs: {error}")
        return {}
