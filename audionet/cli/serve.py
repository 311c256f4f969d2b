"""`audionet serve`."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from audionet.checks import check_that

if TYPE_CHECKING:
    from audionet.bundle import Bundle


def serve(
    model: str,
    *,
    http: int,
    host: str = "127.0.0.1",
    task: str | None = None,
    onnxruntime_web: str | None = None,
    device: str = "cpu",
) -> None:
    """Serve a network over HTTP: a page on which it listens, and an interface for programs. Ctrl-C ends it.

    POST /recognize takes an audio file, the WebSocket /detect raw samples, POST /generate what a WaveNet is to make,
    and GET /model says what the network is. Requests from the pages of other sites are refused.

    Args:
        model: Name of a shipped bundle (see `audionet models list`) or path of one.
        http: Port to listen on; 0 for any that is free.
        host: Address to listen on: by default this machine alone is served, and 0.0.0.0 serves all that reach it.
        task: Task of the model where its name is shipped for several: recognition or generation.
        onnxruntime_web: Folder or .tgz of onnxruntime-web, for the page; the package that npm brings by default.
        device: Device that computes: cpu, cuda, cuda:1.

    Example:
        audionet serve commands --http 8000
        audionet serve digits --task generation --http 8000
    """
    try:
        import aiohttp as aiohttp
    except ImportError:
        raise ValueError("serve: expected aiohttp, got no such package; pip install 'audionet[serve]'") from None
    from audionet.serve.running import listen

    listening = listen(host, http)  # before the network is loaded, which takes seconds
    import asyncio
    import warnings

    import torch

    from audionet import bundle
    from audionet.audio import AudioWarning
    from audionet.inference import Generator, Recognizer
    from audionet.serve.http import make_app
    from audionet.serve.running import run

    torch.set_num_threads(1)  # requests are worked on side by side
    warnings.simplefilter("ignore", AudioWarning)  # the answers say which part was heard
    loaded = bundle.load(model, task)
    page: Mapping[str, bytes] = {}
    if loaded.task == "recognition":
        page = _page(loaded, Path(model).stem, onnxruntime_web)
        network: Recognizer | Generator = Recognizer(loaded, device)
    else:
        check_that(loaded.task == "generation", "model", "one for recognition or generation", loaded.task)
        network = Generator(loaded, device)
    address, port, *_ = listening.getsockname()
    shown = f"[{address}]" if ":" in address else address
    print(f"http://{shown}:{port}/{'' if page else 'model'}: {model}; Ctrl-C ends it", flush=True)
    with suppress(KeyboardInterrupt):
        asyncio.run(run(make_app(network, name=model, page=page, host=host), listening))


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
