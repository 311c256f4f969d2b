"""The folder of a page: what the browser loads, the network, and onnxruntime-web, all from one place."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audionet.checks import check_that
from audionet.export.source import Exported, Source
from audionet.export.web.network import watched_model
from audionet.export.web.runtime import runtime_files
from audionet.files import whole_file
from audionet.inference import Detector, Recognizer
from audionet.insight import first_filters

PAGE = Path(__file__).with_name("page")
"""Folder of the page's own files."""

LISTING = "files.js"
"""File that lists the others, for the service worker."""

_MOST_WEIGHTS = 65_536  # of the first filters, which are told as text


def write(source: Source, folder: Path) -> Exported:
    """Write a page on which a recogniser listens, which any web server can give out. index.html comes last.

    Raises:
        ValueError: The folder holds another page, onnxruntime-web is missing, or the network as ONNX Runtime computes
            it is not the one that torch computes.
        OSError: A file cannot be written.
    """
    index = folder / "index.html"
    fits = not index.exists() or (folder / LISTING).exists()
    check_that(fits, "output", "a folder without index.html, or with a page of audionet", str(folder), "name another")
    files = page_files(source)
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(target) as file:
            file.write(content)
    sizes = {path: len(content) / 1e6 for path, content in files.items()}
    runtime = sum(size for path, size in sizes.items() if path.startswith("ort/"))
    network = sizes["model.onnx"]
    own = sum(sizes.values()) - runtime - network
    told = f"network {network:.1f} MB, onnxruntime-web {runtime:.1f} MB, the page itself {own:.2f} MB"
    return Exported(index, (told, f"python -m http.server -d {folder} gives it out here"))


def page_files(source: Source) -> dict[str, bytes]:
    """Return the files of a page by their path in its folder.

    Raises:
        ValueError: onnxruntime-web is missing, or the network as ONNX Runtime computes it is not the one that torch
            computes.
    """
    runtime = runtime_files(source.onnxruntime_web)  # before the network, which takes seconds
    network, stages = watched_model(source)
    facts = json.dumps(model_facts(source.recognizer, source.name, stages)).encode()
    files = {path.name: path.read_bytes() for path in sorted(PAGE.iterdir()) if path.is_file()}
    index = files.pop("index.html")
    files |= {f"ort/{path}": content for path, content in runtime.items()}
    files |= {"model.onnx": network, "model.json": facts}
    return files | {LISTING: service_worker_list(files | {"index.html": index}), "index.html": index}


def model_facts(recognizer: Recognizer, name: str, stages: tuple[str, ...]) -> dict[str, Any]:
    """Return what the page has to know of a network: plain JSON values, with the usual settings of a `Detector`.

    Args:
        recognizer: The recogniser.
        name: Name that the page shows.
        stages: Names of the stages among the network's outputs.

    Example:
        >>> facts = model_facts(audionet.load_recognizer("digits"), "digits", ("stem",))
        >>> facts["keywords"][:2], facts["smoothing"], facts["filters"]["shape"]
        (('zero', 'one'), 2, (16, 5, 5))
    """
    detector = Detector(recognizer)
    return {
        "name": name,
        "labels": recognizer.labels,
        "sample_rate": recognizer.sample_rate,
        "clip_length": recognizer.clip_length,
        "hop_length": detector.hop_length,
        **vars(detector.settings),
        "stages": stages,
        "filters": _filters(recognizer),
    }


def _filters(recognizer: Recognizer) -> dict[str, Any]:
    """Return the first filters (filter, band, frame), or why there are none to show."""
    try:
        filters = first_filters(recognizer.network)
    except ValueError as error:
        return {"reason": str(error)}
    filters = filters[: max(_MOST_WEIGHTS // filters[0].size, 1)]
    return {"shape": filters.shape, "values": [float(f"{value:.4g}") for value in filters.ravel()]}


def service_worker_list(files: Mapping[str, bytes]) -> bytes:
    """Return the list of a page's files for its service worker, and a version that changes with any of them.

    Example:
        >>> print(service_worker_list({"app.js": b"..."}).decode(), end="")
        self.VERSION = "...";
        self.FILES = ["app.js"];
    """
    digest = hashlib.sha256()
    for path, content in sorted(files.items()):
        digest.update(f"{path} {len(content)} ".encode() + content)
    values = {"VERSION": digest.hexdigest()[:16], "FILES": sorted(files)}
    return "".join(f"self.{name} = {json.dumps(value)};\n" for name, value in values.items()).encode()
